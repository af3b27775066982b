// logarithm.hpp - the logarithm of vectors of positive numbers, within 2 units in the last place.
// Method: Tang 1990, ACM TOMS 16, 378-400: x = 2^k m, log m = 2 artanh((m - 1) / (m + 1)) by its series.
#pragma once

#include "elementary.hpp"

namespace convgrad::CONVGRAD_ISA {

/// artanh(s) - s = s³ / 3 + s⁵ / 5 + ... over s z, for z = s² below `terms` powers.
template <typename T>
CONVGRAD_INLINE Vec<T> artanh_rest(Vec<T> z) {
  constexpr int terms = sizeof(T) == 4 ? 5 : 11;  // s is below 0.1716: the rest is below a tenth of a unit
  Vec<T> sum = splat(T(1.0 / (2 * terms + 1)));
  CONVGRAD_UNROLL
  for (int i = terms - 1; i > 0; i--) sum = sum * z + T(1.0 / (2 * i + 1));
  return sum * z;
}

/// log(x): -infinity of 0, NaN of what is negative; subnormal x count as 0.
template <typename T>
CONVGRAD_INLINE Vec<T> vector_log(Vec<T> x) {
  using E = Exponential<T>;
  using U = Bits<T>;
  constexpr U sqrt_half = sizeof(T) == 4 ? U(0x3f3504f3u) : U(0x3fe6a09e667f3bcdu);
  constexpr U one = U(E::bias) << E::mantissa, below = (U(1) << E::mantissa) - 1;
  constexpr T least = sizeof(T) == 4 ? T(__FLT_MIN__) : T(__DBL_MIN__);
  const Vec<U> bits = (Vec<U>)x, moved = bits + (one - sqrt_half);
  // k, put into the lowest bits of a number whose unit is 1
  constexpr T units = T(U(1) << E::mantissa);
  const Vec<T> k = (Vec<T>)((moved >> E::mantissa) | (Vec<U>)splat(units)) - (units + T(E::bias));
  const Vec<T> f = (Vec<T>)((moved & below) + sqrt_half) - T(1);
  const Vec<T> s = f / (f + T(2)), half = f * f * T(0.5);
  const Vec<T> tail = s * (half + artanh_rest<T>(s * s) * T(2)) + k * E::ln2_low;
  const Vec<T> value = k * E::ln2_high - ((half - tail) - f);
  const Vec<T> limit = x < T(0) ? splat(T(__builtin_nan(""))) : (x < T(1) ? splat(T(-__builtin_inf())) : x);
  return (x >= least) & (x < T(__builtin_inf())) ? value : limit;
}

/// log(1 + t) for t within [0, 1].
template <typename T>
CONVGRAD_INLINE Vec<T> vector_log1p(Vec<T> t) {
  const Vec<T> u = t + T(1);
  return vector_log<T>(u) + (t - (u - T(1))) / u;  // what 1 + t has lost
}

}  // namespace convgrad::CONVGRAD_ISA
