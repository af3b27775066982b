// tile.hpp - the register tile that every dense algorithm ends in.
//
//     out[i][j] (+)= sum over k of a[i][koff[k]] * b[k][j]      i < MR rows, j < NV vectors
//
// The rows of a are pointers and the steps along k a table, so a row can be a pixel of an image under any
// stride, dilation and padding, a tap of a weight gradient, or a tile in the Winograd domain. b is a packed
// panel. Sums of a call start from zero: a long reduction done in pieces rounds less than one long chain.
#pragma once

#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

/// Most vectors in a panel, and most rows beside them, such that everything stays in registers.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int kMaxVectors = 4;
inline constexpr int kMaxRows[kMaxVectors + 1] = {0, 8, 8, 8, 6};
#else
inline constexpr int kMaxVectors = 2;
inline constexpr int kMaxRows[kMaxVectors + 1] = {0, 8, 6};
#endif

template <typename T, int MR, int NV>
static void tile(const T* const* a, const std::int32_t* koff, Index depth, const T* b, T* const* out,
                 bool add) {
  constexpr int L = kLanes<T>;
  Vec<T> sum[MR][NV];
  const T* row[MR];
  CONVGRAD_UNROLL
  for (int i = 0; i < MR; i++) {
    row[i] = a[i];
    CONVGRAD_UNROLL
    for (int j = 0; j < NV; j++) sum[i][j] = Vec<T>{};
  }
  for (Index k = 0; k < depth; k++, b += NV * L) {
    const Index at = koff[k];
    Vec<T> column[NV];
    CONVGRAD_UNROLL
    for (int j = 0; j < NV; j++) column[j] = held(load(b + j * L));
    CONVGRAD_UNROLL
    for (int i = 0; i < MR; i++) {
      const Vec<T> x = held(splat(row[i][at]));
      CONVGRAD_UNROLL
      for (int j = 0; j < NV; j++) sum[i][j] += x * column[j];
    }
  }
  CONVGRAD_UNROLL
  for (int i = 0; i < MR; i++) {
    CONVGRAD_UNROLL
    for (int j = 0; j < NV; j++) {
      T* to = out[i] + j * L;
      store(to, add ? load<T>(to) + sum[i][j] : sum[i][j]);
    }
  }
}

template <typename T>
using Tile = void (*)(const T* const* a, const std::int32_t* koff, Index depth, const T* b, T* const* out,
                      bool add);

template <typename T, int NV, int... MR>
struct TileRow {
  static constexpr Tile<T> of[] = {nullptr, tile<T, MR, NV>...};
};

/// The tile of `rows` rows and `vectors` vectors.
template <typename T>
CONVGRAD_INLINE Tile<T> tile_for(int rows, int vectors) {
  switch (vectors) {
    case 1:
      return TileRow<T, 1, 1, 2, 3, 4, 5, 6, 7, 8>::of[rows];
#if defined(__AVX512F__) || defined(__aarch64__)
    case 2:
      return TileRow<T, 2, 1, 2, 3, 4, 5, 6, 7, 8>::of[rows];
    case 3:
      return TileRow<T, 3, 1, 2, 3, 4, 5, 6, 7, 8>::of[rows];
    default:
      return TileRow<T, 4, 1, 2, 3, 4, 5, 6>::of[rows];
#else
    default:
      return TileRow<T, 2, 1, 2, 3, 4, 5, 6>::of[rows];
#endif
  }
}

/// The tile over any number of evenly spaced rows: out[i] (+)= sum over k of a[i][koff[k]] * b[k].
template <typename T>
static void multiply_rows(const T* a, Index a_step, Index rows, const std::int32_t* koff, Index depth,
                          const T* b, int width, T* out, Index out_step, bool add) {
  const Index tiles = ceil_div(rows, kMaxRows[width]);
  const T* from[8];
  T* to[8];
  for (Index i = 0; i < tiles; i++) {
    const int count = int(rows / (tiles - i));
    for (int r = 0; r < count; r++, a += a_step, out += out_step) {
      from[r] = a;
      to[r] = out;
    }
    tile_for<T>(count, width)(from, koff, depth, b, to, add);
    rows -= count;
  }
}

}  // namespace convgrad::CONVGRAD_ISA
