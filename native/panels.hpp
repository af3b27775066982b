// panels.hpp - produced channels as lanes: packed weights, and results on their way back to planes.
#pragma once

#include "direct_plan.hpp"
#include "parallel.hpp"
#include "tile.hpp"
#include "transpose.hpp"

namespace convgrad::CONVGRAD_ISA {

/// Channels, cut into panels of at most `most` vectors, as even as possible.
struct Panels {
  Index vectors, count;

  CONVGRAD_INLINE Panels of(Index vectors, Index most = kMaxVectors) {
    return {vectors, ceil_div(vectors, min(most, kMaxVectors))};
  }
  Index start(Index panel) const { return panel * (vectors / count) + min(panel, vectors % count); }
  int width(Index panel) const { return int(vectors / count + (panel < vectors % count)); }
};

/// Rows of `from`, `row` apart, become lanes: to[k * to_step + i] = from[i * row + k] for k < depth, i <
/// lanes. Lanes past `lanes` become zero; nothing at or past `end` is read.
template <typename T>
CONVGRAD_INLINE void pack_lanes(T* to, Index to_step, const T* from, Index row, Index lanes, Index depth,
                                const T* end) {
  constexpr int L = kLanes<T>;
  for (Index k = 0; k < depth; k += L) {
    const Index valid = min(L, depth - k);
    if (lanes == L && from + (L - 1) * row + k + L <= end) {
      Vec<T> block[L];
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++) block[i] = load(from + i * row + k);
      transpose<T>(block);
      if (valid == L) {
        CONVGRAD_UNROLL
        for (int i = 0; i < L; i++) store(to + (k + i) * to_step, block[i]);
      } else {
        for (int i = 0; i < valid; i++) store(to + (k + i) * to_step, block[i]);
      }
    } else {
      for (Index i = 0; i < valid; i++)
        for (int lane = 0; lane < L; lane++)
          to[(k + i) * to_step + lane] = lane < lanes ? from[lane * row + k + i] : T(0);
    }
  }
}

/// to[i * plane + p] = activation(from[p * step + i] + bias[i]) for p < pixels, i < lanes: lanes become
/// planes.
template <typename T>
CONVGRAD_INLINE void store_lanes(T* to, Index plane, const T* from, Index step, Index pixels, Index lanes,
                                 Vec<T> bias, Activation activation) {
  constexpr int L = kLanes<T>;
  if (pixels < L) {
    for (Index p = 0; p < pixels; p++) {
      const Vec<T> v = activated<T>(load(from + p * step) + bias, activation);
      for (Index i = 0; i < lanes; i++) to[i * plane + p] = v[i];
    }
    return;
  }
  for (Index p = 0; p < pixels; p += L) {
    if (p + L > pixels) p = pixels - L;  // the last block overlaps the one before: the same values twice
    Vec<T> block[L];
    CONVGRAD_UNROLL
    for (int i = 0; i < L; i++) block[i] = activated<T>(load(from + (p + i) * step) + bias, activation);
    transpose<T>(block);
    if (lanes == L) {
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++) store(to + i * plane + p, block[i]);
    } else {
      for (Index i = 0; i < lanes; i++) store(to + i * plane + p, block[i]);
    }
  }
}

}  // namespace convgrad::CONVGRAD_ISA
