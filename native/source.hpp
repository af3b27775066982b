// source.hpp - the entries that a block of outputs reads, copied once into scratch: padded, and split by
// stride.
#pragma once

#include <utility>

#include "direct_plan.hpp"
#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

/// to[j] = from[j] for inside <= j < outside, zero for the other j < n; writes up to a vector past n.
template <typename T>
CONVGRAD_INLINE void pack_run(T* to, const T* from, Index inside, Index outside, Index n) {
  constexpr int L = kLanes<T>;
  for (Index j = 0; j < n; j += L) {
    if (j >= inside && j + L <= outside) store(to + j, load(from + j));
    else store(to + j, load(from + j, Part<T>(max(0, min(L, outside - j)), max(0, min(L, inside - j)))));
  }
}

template <typename T>
CONVGRAD_INLINE void zero_run(T* to, Index n) {
  for (Index j = 0; j < n; j += kLanes<T>) store(to + j, Vec<T>{});
}

/// Entries j < n of a segment whose coordinates are begin + step j, from one row of the source (null: zeros).
template <typename T>
static void pack_segment(T* to, const T* row, Index begin, Index step, Index n, Index size, Border border) {
  if (!row) return zero_run(to, n);
  // The entries [inside, outside) lie in the row.
  const Index inside = min(n, begin >= 0 ? 0 : ceil_div(-begin, step));
  const Index outside = max(inside, min(n, begin >= size ? 0 : ceil_div(size - begin, step)));
  if (step == 1) {
    pack_run(to, row + begin, inside, outside, n);
  } else {
    const T* from = row + begin;
    for (Index j = 0; j < inside; j++) to[j] = T(0);
    if (step == 2)  // a constant, so that the compiler makes shuffles of it
      for (Index j = inside; j < outside; j++) to[j] = from[2 * j];
    else
      for (Index j = inside; j < outside; j++) to[j] = from[j * step];
    for (Index j = outside; j < n; j++) to[j] = T(0);
  }
  if (border == Border::Zeros) return;
  for (Index j = 0; j < inside; j++) to[j] = row[border_index(border, begin + step * j, size)];
  for (Index j = outside; j < n; j++) to[j] = row[border_index(border, begin + step * j, size)];
}

/// Consecutive images, and where a block of their outputs starts (in t) and how many it has, per axis.
struct Block {
  Index image, images;
  Index start[3], count[3];
};

/// The number `task` of all blocks, the last axis running fastest, then images; returns what is left of task.
template <typename View>
CONVGRAD_INLINE Index block_of(const View& v, Index task, Block& block) {
  for (int i = 2; i >= 0; i--) {
    const AxisView& axis = v.axis[i];
    block.start[i] = task % axis.blocks * axis.span;
    block.count[i] = min(axis.span, ceil_div(axis.target, axis.every) - block.start[i]);
    task /= axis.blocks;
  }
  const Index groups_of_images = ceil_div(v.batch, v.images);
  block.image = task % groups_of_images * v.images;
  block.images = min(v.images, v.batch - block.image);
  return task / groups_of_images;
}

/// Outputs [start, start + size) of planes of size `target`, as runs that follow each other in memory.
struct Runs {
  const Index *start, *size;
  const AxisView* axis;
  Index length, count;

  Runs(const Index* start, const Index* size, const AxisView* axis)
      : start(start), size(size), axis(axis), length(size[2]), count(size[0] * size[1]) {
    if (size[2] < axis[2].target) return;
    length *= size[1], count = size[0];
    if (size[1] < axis[1].target) return;
    length *= size[0], count = 1;
  }
  /// Where in the plane run r starts.
  Index at(Index r) const {
    const Index line = r * length / size[2];
    return ((start[0] + line / size[1]) * axis[1].target + start[1] + line % size[1]) * axis[2].target +
           start[2];
  }
};

template <typename T, int... I>
CONVGRAD_INLINE Vec<T> every_other(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (2 * I)...);
}
/// Entries 0, 2, 4, ... of two vectors in a row.
template <typename T>
CONVGRAD_INLINE Vec<T> every_other(Vec<T> a, Vec<T> b) {
  return every_other<T>(a, b, std::make_integer_sequence<int, kLanes<T>>{});
}

/// How every row of a block is packed along the last axis: worked out once, as vectors where there are few.
template <typename T>
class RowPacker {
 public:
  RowPacker(const AxisView& axis, const Block& block, Border border)
      : axis_(axis),
        start_(block.start[2] * axis.step),
        shorter_((axis.span - block.count[2]) * axis.advance),
        border_(border) {
    constexpr Index L = kLanes<T>;
    if (axis.entry > 2 || border != Border::Zeros) return;
    for (int s = 0; s < axis.segments; s++) {
      const Index n = axis.segment[s].length - shorter_, begin = axis.segment[s].begin + start_;
      for (Index j = 0; j < n; j += L) {
        if (count_ == kMost) {
          count_ = 0;
          return;
        }
        Piece& piece = piece_[count_++];
        piece.to = std::int32_t(axis.segment[s].at + j);
        piece.from = begin + axis.entry * j;
        piece.whole = piece.from >= 0 && piece.from + axis.entry * L <= axis.source;
        piece.part[0] = part_at(piece.from);
        piece.part[1] = part_at(piece.from + L);
      }
    }
  }

  /// Writes up to a vector past the row. What will be packed next lies `ahead`.
  CONVGRAD_INLINE void pack(const RowPacker& p, T* to, const T* row, Index ahead) {
    if (p.count_ == 0) return p.pack_segments(to, row);
    for (int i = 0; i < p.count_; i++) {
      const Piece& piece = p.piece_[i];
      if (!row) {
        store(to + piece.to, Vec<T>{});
        continue;
      }
      const T* from = row + piece.from;
      // The same row of the next channel: too far for the hardware to guess.
      __builtin_prefetch(from + ahead);
      if (p.axis_.entry == 2) __builtin_prefetch(from + ahead + kLanes<T>);
      if (p.axis_.entry == 1) store(to + piece.to, piece.whole ? load(from) : load(from, piece.part[0]));
      else if (piece.whole) store(to + piece.to, every_other<T>(load(from), load(from + kLanes<T>)));
      else
        store(to + piece.to,
              every_other<T>(load(from, piece.part[0]), load(from + kLanes<T>, piece.part[1])));
    }
  }

 private:
  struct Piece {
    std::int32_t to;
    bool whole;
    Index from;
    Part<T> part[2];
  };
  static constexpr int kMost = 32;

  /// Of a vector at a coordinate, the lanes that lie in the row.
  Part<T> part_at(Index at) const {
    constexpr Index L = kLanes<T>;
    const Index from = max(0, min(L, -at));
    return Part<T>(max(from, min(L, axis_.source - at)), from);
  }

  void pack_segments(T* to, const T* row) const {
    for (int s = 0; s < axis_.segments; s++) {
      const Segment& segment = axis_.segment[s];
      pack_segment(to + segment.at, row, segment.begin + start_, axis_.entry, segment.length - shorter_,
                   axis_.source, border_);
    }
  }

  const AxisView& axis_;
  Index start_, shorter_;
  Border border_;
  int count_ = 0;
  Piece piece_[kMost];
};

/// Copy what `block` reads of `channels` channels, from `from` (their planes follow each other).
template <typename T, typename View>
static void pack_source(T* to, const T* from, Index channels, const View& v, const Block& block) {
  const AxisView &d = v.axis[0], &h = v.axis[1];
  const Index plane = d.source * h.source * v.axis[2].source;
  const RowPacker<T> rows(v.axis[2], block, v.border);
  // A batch of rows is worked out once for all channels.
  constexpr int kBatch = 64;
  Index source[kBatch], scratch[kBatch];
  int count = 0;
  const auto flush = [&] {
    for (Index c = 0; c < channels; c++)
      for (int i = 0; i < count; i++)
        RowPacker<T>::pack(rows, to + c * v.pitch[0] + scratch[i],
                           source[i] < 0 ? nullptr : from + c * plane + source[i], plane);
    count = 0;
  };
  for (int sd = 0; sd < d.segments; sd++) {
    const Segment& deep = d.segment[sd];
    for (Index i = 0; i < deep.length - (d.span - block.count[0]); i++) {
      const Index slab = border_index(v.border, deep.begin + d.step * (block.start[0] + i), d.source);
      for (int sh = 0; sh < h.segments; sh++) {
        const Segment& high = h.segment[sh];
        for (Index j = 0; j < high.length - (h.span - block.count[1]); j++) {
          const Index line = border_index(v.border, high.begin + h.step * (block.start[1] + j), h.source);
          source[count] = slab < 0 || line < 0 ? -1 : (slab * h.source + line) * v.axis[2].source;
          scratch[count++] = (deep.at + i) * v.pitch[1] + (high.at + j) * v.pitch[2];
          if (count == kBatch) flush();
        }
      }
    }
  }
  flush();
}

/// What a block reads of some channels: its copy in scratch, or the source itself.
template <typename T>
struct From {
  const T* at;
  Index image;                   // from one image to the next
  const std::int32_t* in_place;  // offsets of the channels in the source, or null
};

/// Channels [c, c + channels) of a group for a block: copied, unless they may be read in place (`in_place`),
/// as far as `reach` entries from the block's start.
template <typename T>
static From<T> source_of(T* copy, const T* first, Index group, Index c, Index channels, const DirectView& v,
                         const Block& block, bool in_place, Index reach) {
  const AxisView* axis = v.axis;
  const Index plane = axis[0].source * axis[1].source * axis[2].source, image = v.groups * v.contracted;
  const T* from = first + ((block.image * v.groups + group) * v.contracted + c) * plane;
  if (in_place && v.in_place && block.count[0] * block.count[1] == 1) {
    const T* at = from + (block.start[0] * axis[1].source + block.start[1]) * axis[2].source + block.start[2];
    const T* last = at + ((block.images - 1) * image + channels - 1) * plane + reach;
    if (last <= first + v.batch * image * plane) return {at, image * plane, v.in_place};
  }
  for (Index i = 0; i < block.images; i++)
    pack_source(copy + i * v.chunk * v.pitch[0], from + i * image * plane, channels, v, block);
  return {copy, v.chunk * v.pitch[0], nullptr};
}

}  // namespace convgrad::CONVGRAD_ISA
