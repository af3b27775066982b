// elementary.hpp - the root, exponentials, tanh and the logistic function on vectors: to 1 unit in the last
// place (exp) or 3. NaN and infinities go as in the mathematics, tanh(-0.0) is -0.0; what would be subnormal
// is zero. The polynomials are in elementary_fits.hpp, which native/elementary_fits.py writes.
#pragma once

#include "elementary_fits.hpp"
#include "simd.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace convgrad::CONVGRAD_ISA {

template <typename T>
using Unsigned = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
template <typename T>
using Bits = Vec<Unsigned<T>>;

/// How a number of the type is laid out, and what follows from that.
template <typename T>
struct Format;
template <>
struct Format<float> {
  static constexpr int kMantissa = 23, kBias = 127;
  static constexpr float kLeastExp = -104.0f, kMostExp = 89.0f;  // e^x is 0 and infinite there
  static constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to whole numbers
  static constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;  // high has 9 bits
  static constexpr std::uint32_t kSqrtHalf = 0x3f3504f3u;                     // its bits, rounded up
  static constexpr std::uint32_t kUpperHalf = 0xfffff000u;  // 12 bits of the mantissa: their square is exact
  static constexpr float kNormalTail = 16.0f, kErfTail = 5.0f;  // e^(-x²/2) is 0, erf(x) is 1
};
template <>
struct Format<double> {
  static constexpr int kMantissa = 52, kBias = 1023;
  static constexpr double kLeastExp = -746.0, kMostExp = 710.0;
  static constexpr double kRound = 6755399441055744.0;
  static constexpr double kLn2High = 0.693145751953125, kLn2Low = 1.42860682030941723212e-6;
  static constexpr std::uint64_t kSqrtHalf = 0x3fe6a09e667f3bcdu;
  static constexpr std::uint64_t kUpperHalf = 0xfffffffff8000000u;
  static constexpr double kNormalTail = 40.0, kErfTail = 7.0;
};

template <typename T>
inline constexpr Unsigned<T> kSign = Unsigned<T>(1) << (8 * sizeof(T) - 1);
template <typename T>
inline constexpr T kInfinity = sizeof(T) == 4 ? T(__builtin_huge_valf()) : T(__builtin_huge_val());

template <typename T>
CONVGRAD_INLINE Vec<T> magnitude(Vec<T> x) {
  return (Vec<T>)((Bits<T>)x & ~kSign<T>);
}
/// A value that is not negative, with the sign of another.
template <typename T>
CONVGRAD_INLINE Vec<T> with_sign(Vec<T> value, Vec<T> sign) {
  return (Vec<T>)((Bits<T>)value | ((Bits<T>)sign & kSign<T>));
}
/// x, or the bound where x is beyond it. NaN stays.
template <typename T>
CONVGRAD_INLINE Vec<T> at_least(Vec<T> x, T low) {
  return larger_or_second<T>(splat(low), x);
}
template <typename T>
CONVGRAD_INLINE Vec<T> at_most(Vec<T> x, T high) {
  return smaller_or_second<T>(splat(high), x);
}
/// The square root, correctly rounded.
template <typename T>
CONVGRAD_INLINE Vec<T> square_root(Vec<T> x) {
  constexpr bool single = sizeof(T) == 4;
#if defined(__AVX512F__)
  if constexpr (single) return (Vec<T>)_mm512_maskz_sqrt_ps(kAllOf16, (__m512)x);
  else return (Vec<T>)_mm512_maskz_sqrt_pd(kAll, (__m512d)x);
#elif defined(__AVX2__)
  if constexpr (single) return (Vec<T>)_mm256_sqrt_ps((__m256)x);
  else return (Vec<T>)_mm256_sqrt_pd((__m256d)x);
#elif defined(__SSE2__)
  if constexpr (single) return (Vec<T>)_mm_sqrt_ps((__m128)x);
  else return (Vec<T>)_mm_sqrt_pd((__m128d)x);
#else
  for (int i = 0; i < kLanes<T>; i++)
    x[i] = single ? T(__builtin_sqrtf(float(x[i]))) : T(__builtin_sqrt(x[i]));
  return x;
#endif
}
/// n / d for finite n and d within 2^-100 and 2^100. AVX-512 divides 16 numbers in 16 cycles; its estimate of
/// 1/d, good to 14 bits, and what the quotient leaves of n take a quarter of that, and err by 0.6 units at
/// most. What is left is to be exact, whatever the compiler makes of products and sums.
template <typename T>
CONVGRAD_INLINE Vec<T> quotient(Vec<T> n, Vec<T> d) {
#if defined(__AVX512F__)
  Vec<T> r;
  if constexpr (sizeof(T) == 4) {
    r = (Vec<T>)_mm512_maskz_rcp14_ps(kAllOf16, (__m512)d);
  } else {
    r = (Vec<T>)_mm512_maskz_rcp14_pd(kAll, (__m512d)d);
    r = r + r * (T(1) - d * r);
  }
  const Vec<T> q = n * r;
  if constexpr (sizeof(T) == 4) return q + r * (Vec<T>)_mm512_fnmadd_ps((__m512)d, (__m512)q, (__m512)n);
  else return q + r * (Vec<T>)_mm512_fnmadd_pd((__m512d)d, (__m512d)q, (__m512d)n);
#else
  return n / d;
#endif
}

/// The polynomial with these coefficients, that of the highest power first.
template <typename T, int N>
CONVGRAD_INLINE Vec<T> horner(const T (&c)[N], Vec<T> x) {
  Vec<T> y = splat(c[0]);
  CONVGRAD_UNROLL
  for (int i = 1; i < N; i++) y = y * x + c[i];
  return y;
}

/// All of a vector, or its first lanes: how a loop over vectors and its last step read and write alike.
template <typename T>
struct Whole {
  __attribute__((always_inline)) Vec<T> get(const T* p) const { return load(p); }
  __attribute__((always_inline)) void put(T* p, Vec<T> v) const { store(p, v); }
};
template <typename T>
struct First {
  Part<T> part;
  explicit First(Index count) : part(count) {}
  __attribute__((always_inline)) Vec<T> get(const T* p) const { return load(p, part); }
  __attribute__((always_inline)) void put(T* p, Vec<T> v) const { store(p, v, part); }
};

// ---- exponentials

/// e^x = 2^n (1 + rest), with |rest| < 0.42. `bits` is n as a whole number.
template <typename T>
struct PowerOfE {
  Vec<T> n;
  Bits<T> bits;
  Vec<T> rest;
};

/// Of x + low, where low is so small that it does not move n.
template <typename T>
CONVGRAD_INLINE PowerOfE<T> power_of_e(Vec<T> x, Vec<T> low) {
  using F = Format<T>;
  const Vec<T> shifted = x * T(1.4426950408889634) + F::kRound;
  const Vec<T> n = shifted - F::kRound;
  const Vec<T> r = (x - n * F::kLn2High) + (low - n * F::kLn2Low);
  return {n, (Bits<T>)shifted - (Bits<T>)splat(F::kRound), r + r * r * horner(Fits<T>::kExp, r)};
}
template <typename T>
CONVGRAD_INLINE PowerOfE<T> power_of_e(Vec<T> x) {
  using F = Format<T>;
  const Vec<T> shifted = x * T(1.4426950408889634) + F::kRound;
  const Vec<T> n = shifted - F::kRound;
  const Vec<T> r = (x - n * F::kLn2High) - n * F::kLn2Low;
  return {n, (Bits<T>)shifted - (Bits<T>)splat(F::kRound), r + r * r * horner(Fits<T>::kExp, r)};
}

/// 2^n for the exponents of normal numbers; 0 for the one below them.
template <typename T>
CONVGRAD_INLINE Vec<T> power_of_two(Bits<T> n) {
  return (Vec<T>)((n + Unsigned<T>(Format<T>::kBias)) << Format<T>::kMantissa);
}

/// 2^n (1 + rest); 0 and infinity where they are due.
template <typename T>
CONVGRAD_INLINE Vec<T> value_of(const PowerOfE<T>& p) {
  const Vec<T> mantissa = p.rest + T(1);
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return (Vec<T>)_mm512_maskz_scalef_ps(kAllOf16, (__m512)mantissa, (__m512)p.n);
  else return (Vec<T>)_mm512_maskz_scalef_pd(kAll, (__m512d)mantissa, (__m512d)p.n);
#else
  // in two steps, since 2^n alone may be no number where the product is one; shifted as a positive number
  const Bits<T> half = ((p.bits + Unsigned<T>(4096)) >> 1) - Unsigned<T>(2048);
  return mantissa * power_of_two<T>(half) * power_of_two<T>(p.bits - half);
#endif
}

template <typename T>
CONVGRAD_INLINE Vec<T> vector_exp(Vec<T> x) {
  using F = Format<T>;
  return value_of<T>(power_of_e<T>(at_most<T>(at_least<T>(x, F::kLeastExp), F::kMostExp)));
}

/// e^x for x <= 0, and NaN, which is all that is left of a softmax's exponents.
template <typename T>
CONVGRAD_INLINE Vec<T> vector_exp_of_fall(Vec<T> x) {
  return value_of<T>(power_of_e<T>(at_least<T>(x, Format<T>::kLeastExp)));
}

/// e^x - 1. From x = -50 on it is -1 in either precision.
template <typename T>
CONVGRAD_INLINE Vec<T> vector_expm1(Vec<T> x) {
  const auto p = power_of_e<T>(at_most<T>(at_least<T>(x, T(-50)), Format<T>::kMostExp));
  const Vec<T> half =
      power_of_two<T>(p.bits - Unsigned<T>(1));  // 2^n itself may be beyond the largest number
  const Vec<T> y = half * p.rest + (half - T(0.5));
  return y + y;
}

/// (1 - e^-2|x|) / (1 + e^-2|x|), from e^-2|x| - 1, which is precise near 0; 1 from 25 on.
template <typename T>
CONVGRAD_INLINE Vec<T> vector_tanh(Vec<T> x) {
  const auto p = power_of_e<T>(at_most<T>(magnitude<T>(x), T(25)) * T(-2));
  const Vec<T> scale = power_of_two<T>(p.bits);
  const Vec<T> fall = scale * p.rest + (scale - T(1));
  return with_sign<T>(magnitude<T>(quotient<T>(-fall, fall + T(2))), x);
}

/// The logistic function of |x| and of -|x|, which add up to 1: each is precise.
template <typename T>
struct Logistic {
  Vec<T> near_one, near_zero;
};
template <typename T>
CONVGRAD_INLINE Logistic<T> logistic(Vec<T> x) {
  const Vec<T> t = value_of<T>(power_of_e<T>(at_least<T>(-magnitude<T>(x), Format<T>::kLeastExp)));
  const Vec<T> r = quotient<T>(splat(T(1)), t + T(1));
  return {r, t * r};
}
template <typename T>
CONVGRAD_INLINE Vec<T> vector_sigmoid(Vec<T> x) {
  const Vec<T> t = value_of<T>(power_of_e<T>(at_least<T>(-magnitude<T>(x), Format<T>::kLeastExp)));
  return quotient<T>(x < T(0) ? t : splat(T(1)), t + T(1));
}

}  // namespace convgrad::CONVGRAD_ISA
