// winograd_transform.hpp - the three linear maps of F(4, 3), one vector of channels at a time.
//
// out = A' [(G w) * (B' x)] with B' from the products of (t - p) over the other points p, G from the powers
// of each point over the product of its distances, A' from the powers. Each map is applied along height, then
// along width.
#pragma once

#include "panels.hpp"
#include "winograd_plan.hpp"

namespace convgrad::CONVGRAD_ISA {

template <typename T>
inline constexpr T kSqrt2 = T(1.41421356237309504880L);
template <typename T>
inline constexpr T kSqrtHalf = T(0.70710678118654752440L);

/// B': six inputs to six points.
template <typename T>
CONVGRAD_INLINE void to_points(const Vec<T>* x, Vec<T>* out) {
  const Vec<T> even_a = x[4] - T(2) * x[2], odd_a = x[3] - T(2) * x[1];
  const Vec<T> even_b = x[4] - T(0.5) * x[2], odd_b = x[3] - T(0.5) * x[1];
  out[0] = x[4] - T(2.5) * x[2] + x[0];
  out[1] = even_a + kSqrtHalf<T> * odd_a;
  out[2] = even_a - kSqrtHalf<T> * odd_a;
  out[3] = even_b + kSqrt2<T> * odd_b;
  out[4] = even_b - kSqrt2<T> * odd_b;
  out[5] = x[5] - T(2.5) * x[3] + x[1];
}

/// G: three taps to six points.
template <typename T>
CONVGRAD_INLINE void taps_to_points(const Vec<T>* w, Vec<T>* out) {
  const Vec<T> even_a = T(-2.0L / 3) * w[0] + T(-1.0L / 3) * w[2], odd_a = T(-2.0L / 3) * kSqrtHalf<T> * w[1];
  const Vec<T> even_b = T(1.0L / 6) * w[0] + T(1.0L / 3) * w[2], odd_b = T(1.0L / 6) * kSqrt2<T> * w[1];
  out[0] = w[0];
  out[1] = even_a + odd_a;
  out[2] = even_a - odd_a;
  out[3] = even_b + odd_b;
  out[4] = even_b - odd_b;
  out[5] = w[2];
}

/// A': six points to four outputs.
template <typename T>
CONVGRAD_INLINE void to_outputs(const Vec<T>* m, Vec<T>* out) {
  const Vec<T> sum_a = m[1] + m[2], difference_a = m[1] - m[2];
  const Vec<T> sum_b = m[3] + m[4], difference_b = m[3] - m[4];
  out[0] = m[0] + sum_a + sum_b;
  out[1] = kSqrtHalf<T> * difference_a + kSqrt2<T> * difference_b;
  out[2] = T(0.5) * sum_a + T(2) * sum_b;
  out[3] = T(0.5) * kSqrtHalf<T> * difference_a + T(2) * kSqrt2<T> * difference_b + m[5];
}

/// The transposed maps, for the weight gradient: four cotangents to six points (A), six points to three taps
/// (G').
template <typename T>
CONVGRAD_INLINE void cotangents_to_points(const Vec<T>* y, Vec<T>* out) {
  const Vec<T> even_a = y[0] + T(0.5) * y[2], odd_a = kSqrtHalf<T> * (y[1] + T(0.5) * y[3]);
  const Vec<T> even_b = y[0] + T(2) * y[2], odd_b = kSqrt2<T> * (y[1] + T(2) * y[3]);
  out[0] = y[0];
  out[1] = even_a + odd_a;
  out[2] = even_a - odd_a;
  out[3] = even_b + odd_b;
  out[4] = even_b - odd_b;
  out[5] = y[3];
}
template <typename T>
CONVGRAD_INLINE void points_to_taps(const Vec<T>* u, Vec<T>* out) {
  const Vec<T> sum_a = u[1] + u[2], difference_a = u[1] - u[2];
  const Vec<T> sum_b = u[3] + u[4], difference_b = u[3] - u[4];
  out[0] = u[0] + T(-2.0L / 3) * sum_a + T(1.0L / 6) * sum_b;
  out[1] = T(-2.0L / 3) * kSqrtHalf<T> * difference_a + T(1.0L / 6) * kSqrt2<T> * difference_b;
  out[2] = T(-1.0L / 3) * sum_a + T(1.0L / 3) * sum_b + u[5];
}

/// Whether a value is NaN, infinite or beyond kWinogradLimit, gathered over many vectors.
template <typename T>
struct Guard {
  // What overflows where a value is at the limit. Infinity times zero is NaN, and stays so in the sum.
  static constexpr T kScale = std::is_same_v<T, float> ? T(kWinogradScale) : T(kWinogradScaleOfDoubles);
  Vec<T> sum{};

  CONVGRAD_INLINE void see(Guard& guard, Vec<T> v) { guard.sum += v * kScale * T(0); }
  bool broken() const {
    for (int i = 0; i < kLanes<T>; i++)
      if (sum[i] != sum[i]) return true;
    return false;
  }
};

/// Entries [begin, begin + n) of up to L rows, `plane` apart, as vectors of channels: to[j][channel]. Null:
/// zeros.
template <typename T>
static void lanes_of_row(T* to, const T* row, Index plane, Index channels, Index begin, Index n, Index size,
                         Border border, Guard<T>& guard) {
  constexpr int L = kLanes<T>;
  const Index inside = row ? min(n, max(0, -begin)) : n,
              outside = row ? max(inside, min(n, size - begin)) : n;
  for (Index j = 0; j < inside; j++) store(to + j * L, Vec<T>{});
  for (Index j = outside; j < n; j++) store(to + j * L, Vec<T>{});
  for (Index j = inside; j < outside; j += L) {
    // The last vectors overlap the ones before, where a row is long enough; else they are read in part.
    if (j + L > outside && outside - inside >= L) j = outside - L;
    const Part<T> part(min(L, outside - j));
    const T* from = row + begin + j;
    Vec<T> block[L];
    if (channels == L) {
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++) {
        block[i] = load(from + i * plane, part);
        __builtin_prefetch(from + i * plane + size);  // the next row: sixteen streams are too many
      }
    } else {
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++) {
        block[i] = i < channels ? load(from + i * plane, part) : Vec<T>{};
        if (i < channels) __builtin_prefetch(from + i * plane + size);
      }
    }
    CONVGRAD_UNROLL
    for (int i = 0; i < L; i++) Guard<T>::see(guard, block[i]);
    transpose<T>(block);
    if (outside - j >= L) {
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++) store(to + (j + i) * L, block[i]);
    } else {
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++)
        if (i < outside - j) store(to + (j + i) * L, block[i]);
    }
  }
  if (border == Border::Zeros || !row) return;
  for (Index j = 0; j < n; j++) {
    if (j == inside) j = outside;
    if (j >= n) break;
    const Index at = border_index(border, begin + j, size);
    for (Index i = 0; i < L; i++) to[j * L + i] = i < channels ? row[i * plane + at] : T(0);
  }
}

}  // namespace convgrad::CONVGRAD_ISA
