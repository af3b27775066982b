// winograd_blocks.hpp - blocks of a Winograd convolution: from planes of the source to points, and back to
// planes.
#pragma once

#include "winograd_transform.hpp"

namespace convgrad::CONVGRAD_ISA {

/// Part of the outputs: images, slabs along depth, super tiles along height and width.
struct WinogradBlock {
  Index image, images, slab, slabs, row, rows, column, columns;

  CONVGRAD_INLINE WinogradBlock of(const WinogradView& v, Index task) {
    WinogradBlock b;
    b.column = task % v.width.blocks * v.width.span;
    task /= v.width.blocks;
    b.row = task % v.height.blocks * v.height.span;
    task /= v.height.blocks;
    b.slab = task % v.depth_blocks() * v.slabs;
    b.image = task / v.depth_blocks() * v.images;
    b.columns = min(v.width.span, v.width.supers - b.column);
    b.rows = min(v.height.span, v.height.supers - b.row);
    b.slabs = min(v.slabs, v.depth_target - b.slab);
    b.images = min(v.images, v.batch - b.image);
    return b;
  }
  Index tiles_per_image(const WinogradView& v) const { return v.height.tiles(rows) * v.width.tiles(columns); }
  Index tiles(const WinogradView& v) const { return images * tiles_per_image(v); }
};

/// Values at the points: [point][tile][channel], `step` from one point to the next.
template <typename T>
struct Points {
  T* at;
  Index step, row;  // row: from one tile to the next
};

/// A distance of about n entries that is no multiple of a large power of two, so that the points of a tile do
/// not fall on the same lines of the first-level cache.
CONVGRAD_INLINE Index spread(Index n) { return (ceil_div(n, 16) | 1) * 16; }

/// One slab of one image as vectors of channels, [row][column][lane], for a block.
template <typename T>
static void gather_lanes(T* to, const T* from, Index channels, const WinogradView& v, Index slab,
                         const WinogradBlock& block, Guard<T>& guard) {
  const Index plane = v.depth_source * v.height.source * v.width.source;
  const Index top = v.height.origin + v.height.reach(block.row),
              left = v.width.origin + v.width.reach(block.column);
  const Index rows = v.height.extent(block.rows), columns = v.width.extent(block.columns);
  const Index depth = border_index(v.border, slab, v.depth_source);
  for (Index i = 0; i < rows; i++) {
    const Index line = border_index(v.border, top + i, v.height.source);
    const T* row = depth < 0 || line < 0 ? nullptr : from + (depth * v.height.source + line) * v.width.source;
    lanes_of_row(to + i * columns * kLanes<T>, row, plane, channels, left, columns, v.width.source, v.border,
                 guard);
  }
}

/// A map of six (or one) entries, `step` apart, applied along one axis.
template <typename T, int N>
CONVGRAD_INLINE void map_inputs(const T* from, Index step, Vec<T>* out) {
  Vec<T> x[N];
  CONVGRAD_UNROLL
  for (int i = 0; i < N; i++) x[i] = load(from + i * step);
  if constexpr (N == 6) to_points<T>(x, out);
  else out[0] = x[0];
}

/// All tiles of a block from vectors of channels, in rows of `columns`, to points; `line` holds a row of
/// tiles, transformed along height.
template <typename T, int PH, int PW>
static void tiles_to_points(const Points<T>& to, const T* from, T* line, const WinogradView& v,
                            const WinogradBlock& block) {
  constexpr int L = kLanes<T>;
  const Index columns = v.width.extent(block.columns), tiles = v.width.tiles(block.columns);
  const Index window = v.width.window(block.columns);
  for (Index th = 0; th < v.height.tiles(block.rows); th++) {
    const T* top = from + v.height.start(th) * columns * L;
    for (Index j = 0; j < window; j++) {
      Vec<T> x[PH];
      map_inputs<T, PH>(top + j * L, v.height.dilation * columns * L, x);
      CONVGRAD_UNROLL
      for (int i = 0; i < PH; i++) store(line + (i * columns + j) * L, x[i]);
    }
    for (Index tw = 0; tw < tiles; tw++) {
      T* out = to.at + (th * tiles + tw) * to.row;
      CONVGRAD_UNROLL
      for (int i = 0; i < PH; i++) {
        Vec<T> x[PW];
        map_inputs<T, PW>(line + (i * columns + v.width.start(tw)) * L, v.width.dilation * L, x);
        CONVGRAD_UNROLL
        for (int j = 0; j < PW; j++) store(out + (i * PW + j) * to.step, x[j]);
      }
    }
  }
}

/// All tiles of a block from points to vectors of outputs, [row][column][lane].
template <typename T, int PH, int PW>
static void points_to_tiles(T* to, const Points<T>& from, const WinogradView& v, const WinogradBlock& block) {
  constexpr int L = kLanes<T>, OH = PH == 6 ? 4 : 1, OW = PW == 6 ? 4 : 1;
  const Index columns = v.width.reach(block.columns), tiles = v.width.tiles(block.columns);
  for (Index th = 0; th < v.height.tiles(block.rows); th++)
    for (Index tw = 0; tw < tiles; tw++) {
      const T* m = from.at + (th * tiles + tw) * from.row;
      T* out = to + (v.height.start(th) * columns + v.width.start(tw)) * L;
      Vec<T> half[OW][PH];
      CONVGRAD_UNROLL
      for (int i = 0; i < PH; i++) {
        Vec<T> x[PW], y[OW];
        CONVGRAD_UNROLL
        for (int j = 0; j < PW; j++) x[j] = load(m + (i * PW + j) * from.step);
        if constexpr (PW == 6) to_outputs<T>(x, y);
        else y[0] = x[0];
        CONVGRAD_UNROLL
        for (int j = 0; j < OW; j++) half[j][i] = y[j];
      }
      CONVGRAD_UNROLL
      for (int j = 0; j < OW; j++) {
        Vec<T> y[OH];
        if constexpr (PH == 6) to_outputs<T>(half[j], y);
        else y[0] = half[j][0];
        CONVGRAD_UNROLL
        for (int i = 0; i < OH; i++)
          store(out + (i * v.height.dilation * columns + j * v.width.dilation) * L, y[i]);
      }
    }
}

template <typename T>
static void block_to_points(const Points<T>& to, const T* from, T* line, const WinogradView& v,
                            const WinogradBlock& block) {
  if (v.height.points == 1) tiles_to_points<T, 1, 6>(to, from, line, v, block);
  else if (v.width.points == 1) tiles_to_points<T, 6, 1>(to, from, line, v, block);
  else tiles_to_points<T, 6, 6>(to, from, line, v, block);
}

template <typename T>
static void block_to_outputs(T* to, const Points<T>& from, const WinogradView& v,
                             const WinogradBlock& block) {
  if (v.height.points == 1) points_to_tiles<T, 1, 6>(to, from, v, block);
  else if (v.width.points == 1) points_to_tiles<T, 6, 1>(to, from, v, block);
  else points_to_tiles<T, 6, 6>(to, from, v, block);
}

/// The three by three (or one by three, or three by one) taps of a piece of a filter, in the order in which
/// they meet the source; beyond the kernel's end there are zeros. `taps` holds one slab of the kernel,
/// [tap][lane].
template <typename T>
struct Piece {
  const WinogradView& v;
  const T* taps;
  Index top, left;

  Piece(const WinogradView& v, const T* taps, Index number)
      : v(v), taps(taps), top(number / v.width.pieces * 3), left(number % v.width.pieces * 3) {}
  /// The number of a tap in the slab, or -1.
  Index number(Index i, Index j) const {
    const Index y = top + i, x = left + j, h = v.height.taps, w = v.width.taps;
    if (y >= h || x >= w) return -1;
    return v.flipped ? (h - 1 - y) * w + w - 1 - x : y * w + x;
  }
  Vec<T> at(Index i, Index j) const {
    const Index n = number(i, j);
    return n < 0 ? Vec<T>{} : load(taps + n * kLanes<T>);
  }
};

/// A piece of a filter to points: to[point * step].
template <typename T, int PH, int PW>
static void filter_to_points(T* to, Index step, const Piece<T>& piece) {
  constexpr int KH = PH == 6 ? 3 : 1, KW = PW == 6 ? 3 : 1;
  Vec<T> half[KH][PW];
  CONVGRAD_UNROLL
  for (int i = 0; i < KH; i++) {
    Vec<T> w[KW];
    CONVGRAD_UNROLL
    for (int j = 0; j < KW; j++) w[j] = piece.at(i, j);
    if constexpr (PW == 6) taps_to_points<T>(w, half[i]);
    else half[i][0] = w[0];
  }
  CONVGRAD_UNROLL
  for (int j = 0; j < PW; j++) {
    Vec<T> column[KH], u[PH];
    CONVGRAD_UNROLL
    for (int i = 0; i < KH; i++) column[i] = half[i][j];
    if constexpr (PH == 6) taps_to_points<T>(column, u);
    else u[0] = column[0];
    CONVGRAD_UNROLL
    for (int i = 0; i < PH; i++) store(to + (i * PW + j) * step, u[i]);
  }
}

template <typename T>
static void piece_to_points(T* to, Index step, const Piece<T>& piece) {
  if (piece.v.height.points == 1) filter_to_points<T, 1, 6>(to, step, piece);
  else if (piece.v.width.points == 1) filter_to_points<T, 6, 1>(to, step, piece);
  else filter_to_points<T, 6, 6>(to, step, piece);
}

/// Where in a block's vectors of channels a piece starts to read.
template <typename T>
CONVGRAD_INLINE Index piece_start(const WinogradView& v, const WinogradBlock& block, Index piece) {
  const Index down = piece / v.width.pieces * 3 * v.height.dilation;
  const Index right = piece % v.width.pieces * 3 * v.width.dilation;
  return (down * v.width.extent(block.columns) + right) * kLanes<T>;
}

}  // namespace convgrad::CONVGRAD_ISA
