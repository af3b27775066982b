// map_choices.cpp - comparisons, selection, tables and casts: loops over single entries, which the compiler
// makes vectors of.
#include "maps.hpp"
#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

template <typename T, Comparison kind>
CONVGRAD_INLINE bool holds(T a, T b) {
  switch (kind) {
    case Comparison::Equal:
      return a == b;
    case Comparison::NotEqual:
      return a != b;
    case Comparison::Less:
      return a < b;
    case Comparison::LessEqual:
      return a <= b;
    case Comparison::Greater:
      return a > b;
    default:
      return a >= b;
  }
}

template <typename T, Comparison kind>
static void compare(const T* __restrict x, const T* __restrict y, Index step, std::uint8_t* __restrict out,
                    Index n) {
  if (step == 0) {
    const T second = *y;
    for (Index i = 0; i < n; i++) out[i] = holds<T, kind>(x[i], second);
  } else {
    for (Index i = 0; i < n; i++) out[i] = holds<T, kind>(x[i], y[i]);
  }
}

/// `out` may be x or y: an entry is read before it is written.
template <typename T>
static void select(const std::uint8_t* __restrict condition, const T* x, Index x_step, const T* y,
                   Index y_step, T* out, Index n) {
  constexpr Index kBlock = 256;
  T chosen[kBlock], rest[kBlock];
  for (Index start = 0; start < n; start += kBlock) {
    const Index count = min(kBlock, n - start);
    if (x_step) __builtin_memcpy(chosen, x + start, std::size_t(count) * sizeof(T));
    else
      for (Index i = 0; i < count; i++) chosen[i] = *x;
    if (y_step) __builtin_memcpy(rest, y + start, std::size_t(count) * sizeof(T));
    else
      for (Index i = 0; i < count; i++) rest[i] = *y;
    for (Index i = 0; i < count; i++) out[start + i] = condition[start + i] ? chosen[i] : rest[i];
  }
}

/// What is left of x by y, with x's sign: of quotients that are not too large, exactly in double.
CONVGRAD_INLINE float rest(float x, double y) {
  const double whole = double(std::int32_t(double(x) / y));
  return float(double(x) - whole * y);
}
/// NumPy's divmod from there on.
CONVGRAD_INLINE float floor_remainder(float, float y, float left) {
  const float turned = (y < 0) != (left < 0) ? left + y : left;
  return left != 0 ? turned : __builtin_copysignf(0, y);
}
CONVGRAD_INLINE float floored_quotient(float x, float y, float left) {
  const float quotient = (x - left) / y;
  const float lower = left != 0 && (y < 0) != (left < 0) ? quotient - 1 : quotient;
  const float down = __builtin_floorf(lower);
  const float nearest = lower - down > 0.5F ? down + 1 : down;
  return lower != 0 ? nearest : __builtin_copysignf(0, x / y);
}

template <float (*of)(float, float, float)>
static void by_number(const float* __restrict x, float y, float* __restrict out, Index n) {
  constexpr Index kBlock = 256;
  const float most = __builtin_fabsf(y) * float(1 << 28);  // quotients up to it are truncated rightly
  for (Index start = 0; start < n; start += kBlock) {
    const Index end = min(n, start + kBlock);
    int beyond = 0;
    for (Index i = start; i < end; i++) beyond |= !(__builtin_fabsf(x[i]) < most);
    if (beyond)
      for (Index i = start; i < end; i++) out[i] = of(x[i], y, __builtin_fmodf(x[i], y));
    else
      for (Index i = start; i < end; i++) out[i] = of(x[i], y, rest(x[i], double(y)));
  }
}

template <typename T>
static void lookup(const std::uint8_t* __restrict x, const T* __restrict values, T* __restrict out, Index n) {
  for (Index i = 0; i < n; i++) out[i] = values[x[i]];
}

#if defined(__AVX512F__)
constexpr unsigned short kAll = 0xffff;  // without a mask GCC 12 warns of the instructions' undefined vector
#endif

CONVGRAD_INLINE std::uint32_t bits_of(float x) {
  std::uint32_t u;
  __builtin_memcpy(&u, &x, sizeof(u));
  return u;
}
CONVGRAD_INLINE float float_of(std::uint32_t u) {
  float x;
  __builtin_memcpy(&x, &u, sizeof(x));
  return x;
}

static void to_bfloat16(const float* __restrict x, std::uint16_t* __restrict out, Index n) {
  for (Index i = 0; i < n; i++) {
    const std::uint32_t u = bits_of(x[i]);
    const std::uint32_t rounded = (u + 0x7fffu + (u >> 16 & 1u)) >> 16;
    // NaN stays one: rounding might carry it away
    out[i] = std::uint16_t((u & 0x7fffffffu) > 0x7f800000u ? (u >> 16) | 0x40u : rounded);
  }
}
static void from_bfloat16(const std::uint16_t* __restrict x, float* __restrict out, Index n) {
  for (Index i = 0; i < n; i++) out[i] = float_of(std::uint32_t(x[i]) << 16);
}

/// Normal halves by a change of bias with rounding; small ones by adding 0.5, whose last place is the
/// smallest half's unit; the addition rounds.
static void to_float16(const float* __restrict x, std::uint16_t* __restrict out, Index n) {
  Index i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= n; i += 16)
    _mm256_storeu_si256(
        reinterpret_cast<__m256i*>(out + i),
        _mm512_maskz_cvtps_ph(kAll, _mm512_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#endif
  for (; i < n; i++) {
    const std::uint32_t u = bits_of(x[i]), sign = u >> 16 & 0x8000u, size = u & 0x7fffffffu;
    const std::uint32_t normal = (size - 0x38000000u + 0xfffu + (size >> 13 & 1u)) >> 13;
    const std::uint32_t small = bits_of(float_of(size) + 0.5f) - bits_of(0.5f);
    const std::uint32_t large = size > 0x7f800000u ? 0x7e00u | (size >> 13 & 0x3ffu) : 0x7c00u;
    const std::uint32_t finite = size < 0x38800000u ? small : normal;
    out[i] = std::uint16_t(sign | (size >= 0x477ff000u ? large : finite));
  }
}
static void from_float16(const std::uint16_t* __restrict x, float* __restrict out, Index n) {
  Index i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= n; i += 16)
    _mm512_storeu_ps(
        out + i, _mm512_maskz_cvtph_ps(kAll, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i))));
#endif
  for (; i < n; i++) {
    const std::uint32_t u = x[i], sign = (u & 0x8000u) << 16, size = u & 0x7fffu;
    const std::uint32_t normal = (size << 13) + 0x38000000u;
    const std::uint32_t small = bits_of(float(int(size)) * 5.9604644775390625e-8f);  // units of 2^-24
    const std::uint32_t large = size > 0x7c00u ? 0x7fc00000u | size << 13 : 0x7f800000u;
    const std::uint32_t finite = size < 0x400u ? small : normal;
    out[i] = float_of(sign | (size >= 0x7c00u ? large : finite));
  }
}

}  // namespace

template <typename T>
Maps<T> choices() {
  static constexpr CompareLoop<T> comparisons[] = {
      &compare<T, Comparison::Equal>,   &compare<T, Comparison::NotEqual>,
      &compare<T, Comparison::Less>,    &compare<T, Comparison::LessEqual>,
      &compare<T, Comparison::Greater>, &compare<T, Comparison::GreaterEqual>,
  };
  Maps<T> found{};
  found.compare = comparisons;
  found.select = &select<T>;
  found.lookup = &lookup<T>;
  if constexpr (sizeof(T) == 4) {
    found.remainder = &by_number<floor_remainder>;
    found.floor_quotient = &by_number<floored_quotient>;
  }
  return found;
}

template Maps<float> choices<float>();
template Maps<double> choices<double>();

HalfCasts half_casts() { return {&to_bfloat16, &from_bfloat16, &to_float16, &from_float16}; }

}  // namespace convgrad::CONVGRAD_ISA
