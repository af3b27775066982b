// logarithm.hpp - logarithms of vectors, to 1 unit in the last place.
#pragma once

#include "elementary.hpp"

namespace convgrad::CONVGRAD_ISA {

/// log(1 + t) = 2 artanh(t / (2 + t)) for t within [0, 1].
template <typename T>
CONVGRAD_INLINE Vec<T> vector_log1p(Vec<T> t) {
  const Vec<T> s = quotient<T>(t, t + T(2)), z = s * s;
  return (s + s) + s * (z * horner(Fits<T>::kArtanhWide, z));
}

/// log(1 + e^-|x|)
template <typename T>
CONVGRAD_INLINE Vec<T> log_share(Vec<T> x) {
  return vector_log1p<T>(value_of<T>(power_of_e<T>(at_least<T>(-magnitude<T>(x), Format<T>::kLeastExp))));
}

/// With x = 2^k m and m within sqrt(1/2) and sqrt(2): k log 2 + 2 artanh((m - 1) / (m + 1)), of which m - 1
/// is added last, being exact (Tang 1990, ACM TOMS 16, 378-400). Subnormal x are not flushed: their bits
/// count units.
template <typename T>
CONVGRAD_INLINE Vec<T> vector_log(Vec<T> x) {
  using F = Format<T>;
  using U = Unsigned<T>;
  using S = std::make_signed_t<U>;
  constexpr U kOne = U(F::kBias) << F::kMantissa, kLeast = U(1) << F::kMantissa;
  constexpr S kInfinite = S(U(2 * F::kBias + 1) << F::kMantissa);
  constexpr T kUnits = T(U(1) << F::kMantissa);  // numbers of this exponent are whole
  const Bits<T> unit_bits = (Bits<T>)splat(kUnits);
  const Bits<T> given = (Bits<T>)x;
  const Vec<S> order = (Vec<S>)x;  // as x itself, but for the negative ones, which are below 0 all the same
  const auto tiny = (order > S(0)) & (order < S(kLeast));
  const Bits<T> u = tiny ? (Bits<T>)((Vec<T>)(given | unit_bits) - kUnits) : given;
  const Vec<T> bias = tiny ? splat(kUnits + T(2 * F::kBias + F::kMantissa - 1)) : splat(kUnits + T(F::kBias));
  const Bits<T> moved = u + (kOne - F::kSqrtHalf);
  const Vec<T> k = (Vec<T>)((moved >> F::kMantissa) | unit_bits) - bias;
  const Vec<T> f = (Vec<T>)((moved & (kLeast - U(1))) + F::kSqrtHalf) - T(1);
  const Vec<T> s = quotient<T>(f, f + T(2)), z = s * s, half = f * f * T(0.5);
  const Vec<T> tail = s * (half + z * horner(Fits<T>::kArtanh, z)) + k * F::kLn2Low;
  const Vec<T> value = k * F::kLn2High - ((half - tail) - f);
  const auto zero = (Vec<S>)(given << 1) == S(0);
  const Vec<T> limit = zero ? splat(-kInfinity<T>) : (order < S(0) ? splat(T(__builtin_nan(""))) : x);
  return (order > S(0)) & (order < kInfinite) ? value : limit;
}

}  // namespace convgrad::CONVGRAD_ISA
