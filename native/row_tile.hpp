// row_tile.hpp - a register tile that ends in the output itself: a vector of neighbouring pixels by a vector
// of channels, turned over in registers and stored to the channels' planes. For sums of one pass.
#pragma once

#include "transpose.hpp"

namespace convgrad::CONVGRAD_ISA {

/// Where a tile's results go.
template <typename T>
struct Planes {
  T* to;        // the first pixel in the first channel's plane
  Index plane;  // from one channel to the next
  Index pixels, lanes;
  Vec<T> bias;
  Activation activation;
};

/// The sum over k of x[koff[k] + r ADVANCE] * b[k b_step], for MR pixels r; what is read for pixels past
/// those that are stored is dropped.
template <typename T, int MR, int ADVANCE>
static void row_tile(const T* x, const std::int32_t* koff, Index depth, const T* b, Index b_step,
                     const Planes<T>& out) {
  constexpr int L = kLanes<T>;
  Vec<T> sum[L];
  CONVGRAD_UNROLL
  for (int r = 0; r < L; r++) sum[r] = Vec<T>{};
  for (Index k = 0; k < depth; k++, b += b_step) {
    const T* from = x + koff[k];
    const Vec<T> weights = held(load(b));
    CONVGRAD_UNROLL
    for (int r = 0; r < MR; r++) sum[r] += splat(from[r * ADVANCE]) * weights;
  }
  CONVGRAD_UNROLL
  for (int r = 0; r < MR; r++) sum[r] = activated<T>(sum[r] + out.bias, out.activation);
  transpose<T>(sum);
  if (MR == L && out.lanes == L && out.pixels == L) {
    CONVGRAD_UNROLL
    for (int i = 0; i < L; i++) store(out.to + i * out.plane, sum[i]);
  } else {
    const Part<T> part(out.pixels);
    CONVGRAD_UNROLL
    for (int i = 0; i < L; i++)
      if (i < out.lanes) store(out.to + i * out.plane, sum[i], part);
  }
}

template <typename T>
using RowTile = void (*)(const T*, const std::int32_t*, Index, const T*, Index, const Planes<T>&);

/// The tile for up to `pixels` pixels.
template <typename T, int ADVANCE>
RowTile<T> row_tile_for(Index pixels) {
  constexpr int L = kLanes<T>;
  if (pixels > L * 7 / 8) return row_tile<T, L, ADVANCE>;
  if (pixels > L * 3 / 4) return row_tile<T, L * 7 / 8, ADVANCE>;
  if (pixels > L / 2) return row_tile<T, L * 3 / 4, ADVANCE>;
  return row_tile<T, L / 2, ADVANCE>;
}
template <typename T>
RowTile<T> row_tile_for(Index pixels, Index advance) {
  switch (advance) {
    case 1:
      return row_tile_for<T, 1>(pixels);
    case 2:
      return row_tile_for<T, 2>(pixels);
    default:
      return row_tile_for<T, 4>(pixels);
  }
}

/// A row of pixels, a tile at a time; the last tile overlaps the one before, the same values twice.
template <typename T>
static void multiply_row(const T* x, Index advance, Index pixels, const std::int32_t* koff, Index depth,
                         const T* b, Index b_step, Planes<T> out) {
  constexpr Index L = kLanes<T>;
  T* const first = out.to;
  out.pixels = min(pixels, L);
  const RowTile<T> tile = row_tile_for<T>(out.pixels, advance);
  for (Index p = 0; p < pixels; p += L) {
    if (p + L > pixels && pixels >= L) p = pixels - L;
    out.to = first + p;
    tile(x + p * advance, koff, depth, b, b_step, out);
  }
}

}  // namespace convgrad::CONVGRAD_ISA
