// elementary.hpp - the root, exp, tanh and the logistic function on vectors, within 2 units in the last
// place. NaN and infinities go as in the mathematics, tanh(-0.0) is -0.0; what would be subnormal is zero.
// Method: Muller, Elementary Functions (2016), ch. 11: x = n ln 2 + r, e^x = 2^n e^r with a polynomial for
// e^r.
#pragma once

#include "simd.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace convgrad::CONVGRAD_ISA {

/// Integers as wide as T: the bits of its lanes.
template <typename T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// The numbers of the reduction. What is added to and taken from a number of size below 2^22 (2^51) rounds it
/// to a whole one, which then stands in the lowest bits; ln 2 is cut so that n times its first part is exact.
template <typename T>
struct Exponential;
template <>
struct Exponential<float> {
  static constexpr int mantissa = 23, bias = 127;
  static constexpr float rounder = 12582912.0f, lowest = -104.0f, highest = 89.0f, flat = 20.0f;
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440054690583e-4f;
};
template <>
struct Exponential<double> {
  static constexpr int mantissa = 52, bias = 1023;
  static constexpr double rounder = 6755399441055744.0, lowest = -746.0, highest = 710.0, flat = 40.0;
  static constexpr double ln2_high = 0.693145751953125, ln2_low = 1.42860682030941723212e-6;
};

/// The square root, correctly rounded. (The forms with a mask, of all lanes: GCC warns in its own header of
/// what the others leave undefined.)
template <typename T>
CONVGRAD_INLINE Vec<T> square_root(Vec<T> x) {
  constexpr bool single = sizeof(T) == 4;
#if defined(__AVX512F__)
  if constexpr (single) return (Vec<T>)_mm512_maskz_sqrt_ps(__mmask16(-1), (__m512)x);
  else return (Vec<T>)_mm512_maskz_sqrt_pd(__mmask8(-1), (__m512d)x);
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

/// The smaller and the larger of each lane and a limit; NaN stays NaN.
template <typename T>
CONVGRAD_INLINE Vec<T> at_most(Vec<T> x, T limit) {
  const Vec<T> most = splat(limit);
  return most < x ? most : x;
}
template <typename T>
CONVGRAD_INLINE Vec<T> at_least(Vec<T> x, T limit) {
  const Vec<T> least = splat(limit);
  return least > x ? least : x;
}

/// 2^n, where `whole` is n + rounder, for n that have a normal power.
template <typename T>
CONVGRAD_INLINE Vec<T> power_of_two(Vec<T> whole) {
  using E = Exponential<T>;
  return (Vec<T>)(((Vec<Bits<T>>)whole + E::bias) << E::mantissa);
}

/// v 2^n for whole n, with overflow to infinity and underflow to zero.
template <typename T>
CONVGRAD_INLINE Vec<T> times_power_of_two(Vec<T> v, Vec<T> n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return (Vec<T>)_mm512_maskz_scalef_ps(__mmask16(-1), (__m512)v, (__m512)n);
  else return (Vec<T>)_mm512_maskz_scalef_pd(__mmask8(-1), (__m512d)v, (__m512d)n);
#else
  constexpr T rounder = Exponential<T>::rounder;
  const Vec<T> half = n * T(0.5) + rounder, rest = n - (half - rounder) + rounder;
  return v * power_of_two<T>(half) * power_of_two<T>(rest);
#endif
}

/// e^r - 1 for r up to ln 2 / 2: the series up to r^7 (r^13), whose rest is below a tenth of a unit.
template <typename T>
CONVGRAD_INLINE Vec<T> small_expm1(Vec<T> r) {
  Vec<T> sum;
  if constexpr (sizeof(T) == 4) {
    sum = r * T(1.0 / 5040) + T(1.0 / 720);
  } else {
    sum = r * T(1.0 / 6227020800) + T(1.0 / 479001600);
    sum = sum * r + T(1.0 / 39916800);
    sum = sum * r + T(1.0 / 3628800);
    sum = sum * r + T(1.0 / 362880);
    sum = sum * r + T(1.0 / 40320);
    sum = sum * r + T(1.0 / 5040);
    sum = sum * r + T(1.0 / 720);
  }
  sum = sum * r + T(1.0 / 120);
  sum = sum * r + T(1.0 / 24);
  sum = sum * r + T(1.0 / 6);
  sum = sum * r + T(0.5);
  return sum * (r * r) + r;
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

/// e^x
template <typename T>
CONVGRAD_INLINE Vec<T> vector_exp(Vec<T> x) {
  using E = Exponential<T>;
  x = at_most<T>(at_least<T>(x, E::lowest), E::highest);
  const Vec<T> n = (x * T(1.44269504088896340736) + E::rounder) - E::rounder;
  const Vec<T> r = (x - n * E::ln2_high) - n * E::ln2_low;
  return times_power_of_two<T>(small_expm1<T>(r) + T(1), n);
}

/// 1 / (1 + e^-x)
template <typename T>
CONVGRAD_INLINE Vec<T> vector_sigmoid(Vec<T> x) {
  return T(1) / (T(1) + vector_exp<T>(-x));
}

/// (e^2y - 1) / (e^2y + 1) of y = |x|, with the sign of x; e^2y - 1 keeps its digits where y is small.
template <typename T>
CONVGRAD_INLINE Vec<T> vector_tanh(Vec<T> x) {
  using E = Exponential<T>;
  const Vec<Bits<T>> sign = (Vec<Bits<T>>)x & (Vec<Bits<T>>)splat(T(-0.0));
  const Vec<T> size = (Vec<T>)((Vec<Bits<T>>)x ^ sign);
  const Vec<T> y = at_most<T>(size + size, E::flat);
  const Vec<T> whole = y * T(1.44269504088896340736) + E::rounder, n = whole - E::rounder;
  const Vec<T> r = (y - n * E::ln2_high) - n * E::ln2_low, power = power_of_two<T>(whole);
  const Vec<T> top = small_expm1<T>(r) * power + (power - T(1));
  return (Vec<T>)((Vec<Bits<T>>)(top / (top + T(2))) | sign);
}

}  // namespace convgrad::CONVGRAD_ISA
