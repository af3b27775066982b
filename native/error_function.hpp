// error_function.hpp - the error function, to 3 units in the last place, and the normal distribution, to 6,
// its tail included.
#pragma once

#include "elementary.hpp"

namespace convgrad::CONVGRAD_ISA {

/// a² as the sum of two numbers, without an error: the product and what it was rounded by; or, where no
/// instruction gives that, the square of the upper half of a's bits, which is exact, and what it leaves out.
template <typename T>
struct ExactSquare {
  Vec<T> high, low;
};
template <typename T>
CONVGRAD_INLINE ExactSquare<T> exact_square(Vec<T> a) {
#if defined(__AVX512F__)
  const Vec<T> high = a * a;
  if constexpr (sizeof(T) == 4) return {high, (Vec<T>)_mm512_fmsub_ps((__m512)a, (__m512)a, (__m512)high)};
  else return {high, (Vec<T>)_mm512_fmsub_pd((__m512d)a, (__m512d)a, (__m512d)high)};
#elif defined(__AVX2__)
  const Vec<T> high = a * a;
  if constexpr (sizeof(T) == 4) return {high, (Vec<T>)_mm256_fmsub_ps((__m256)a, (__m256)a, (__m256)high)};
  else return {high, (Vec<T>)_mm256_fmsub_pd((__m256d)a, (__m256d)a, (__m256d)high)};
#else
  const Vec<T> upper = (Vec<T>)((Bits<T>)a & Format<T>::kUpperHalf);
  return {upper * upper, (a - upper) * (a + upper)};
#endif
}

/// e^(-factor a²) for a power of two. What a rounded square leaves out enters after the reduction: without it
/// as many units would be lost as the square is large.
template <typename T>
CONVGRAD_INLINE Vec<T> bell(Vec<T> a, T factor) {
  const ExactSquare<T> square = exact_square<T>(a);
  return value_of<T>(power_of_e<T>(square.high * -factor, square.low * -factor));
}

/// P(X > a) e^(a²/2) of a standard normal X, for a >= 0: t = K / (K + a) times a polynomial in 2 t - 1 (the
/// variable is that of Shepherd & Laframboise 1981, Math. Comp. 36, 249-253).
template <typename T>
CONVGRAD_INLINE Vec<T> scaled_tail(Vec<T> a) {
  constexpr T kNumerator = T(Fits<T>::kTailPlace);
  const Vec<T> t = quotient<T>(splat(kNumerator), a + kNumerator);
  return t * horner(Fits<T>::kTail, t + (t - T(1)));
}

/// P(X <= x) and e^(-x²/2) of a standard normal X; both to a few units however small they are.
template <typename T>
struct Normal {
  Vec<T> share, bell;
};
template <typename T>
CONVGRAD_INLINE Normal<T> normal(Vec<T> x) {
  const Vec<T> a = at_most<T>(magnitude<T>(x), Format<T>::kNormalTail);
  const Vec<T> density = bell<T>(a, T(0.5));
  const Vec<T> tail = density * scaled_tail<T>(a);
  return {x < T(0) ? tail : T(1) - tail, density};
}

/// Near 0 by an odd polynomial; from 3/4 on, 1 less twice the normal distribution's tail.
template <typename T>
CONVGRAD_INLINE Vec<T> vector_erf(Vec<T> x) {
  const Vec<T> a = at_most<T>(magnitude<T>(x), Format<T>::kErfTail);
  const Vec<T> small = a + a * horner(Fits<T>::kErf, a * a);
  const Vec<T> tail = bell<T>(a, T(1)) * scaled_tail<T>(a * T(1.4142135623730951));
  return with_sign<T>(a < T(0.75) ? small : T(1) - (tail + tail), x);
}

}  // namespace convgrad::CONVGRAD_ISA
