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
    // The last block overlaps the one before, the same values twice; too few entries are packed in part.
    if (k + L > depth && depth >= L) k = depth - L;
    const Index valid = min(L, depth - k);
    Vec<T> block[L];
    if (lanes == L && from + (L - 1) * row + k + L <= end) {
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++) {
        block[i] = load(from + i * row + k);
        __builtin_prefetch(from + i * row + k + 8 * L);  // sixteen streams are more than the hardware follows
      }
    } else {
      const Part<T> part(valid);
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++) block[i] = i < lanes ? load(from + i * row + k, part) : Vec<T>{};
    }
    transpose<T>(block);
    if (valid == L) {
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++) store(to + (k + i) * to_step, block[i]);
    } else {
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++)
        if (i < valid) store(to + (k + i) * to_step, block[i]);
    }
  }
}

/// to[i * plane + p] = activation(from[p * step + i] + bias[i]) for p < pixels, i < lanes: lanes become
/// planes.
template <typename T>
CONVGRAD_INLINE void store_lanes(T* to, Index plane, const T* from, Index step, Index pixels, Index lanes,
                                 Vec<T> bias, Activation activation) {
  constexpr int L = kLanes<T>;
  for (Index p = 0; p < pixels; p += L) {
    // The last block overlaps the one before, the same values twice; too few pixels are stored in part.
    if (p + L > pixels && pixels >= L) p = pixels - L;
    const Index valid = min(L, pixels - p);
    Vec<T> block[L];
    if (valid == L) {
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++) block[i] = activated<T>(load(from + (p + i) * step) + bias, activation);
    } else {
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++)
        block[i] = i < valid ? activated<T>(load(from + i * step) + bias, activation) : Vec<T>{};
    }
    transpose<T>(block);
    if (lanes == L && valid == L) {
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++) store(to + i * plane + p, block[i]);
    } else {
      const Part<T> part(valid);
      CONVGRAD_UNROLL  // a loop to `lanes` would put the block into memory
          for (int i = 0; i < L; i++) if (i < lanes) store(to + i * plane + p, block[i], part);
    }
  }
}

}  // namespace convgrad::CONVGRAD_ISA
