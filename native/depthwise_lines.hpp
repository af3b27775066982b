// depthwise_lines.hpp - blocks one after the other, and what each reads, copied into scratch line by line.
#pragma once

#include "depthwise_plan.hpp"
#include "source.hpp"

namespace convgrad::CONVGRAD_ISA {

template <typename T, int... I>
CONVGRAD_INLINE Vec<T> even_lanes(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (2 * I)...);
}

/// to[j] = from[2 j] for j < n; nothing past from[2 n - 2] is read.
template <typename T>
static void copy_every_other(T* to, const T* from, Index n) {
  constexpr int L = kLanes<T>;
  Index j = 0;
  for (; j + L < n; j += L)
    store(to + j, even_lanes<T>(load(from + 2 * j), load(from + 2 * j + L), std::make_integer_sequence<int, L>()));
  for (; j < n; j++) to[j] = from[2 * j];
}

/// `pack_segment` with a fast way for the commonest stride.
template <typename T>
static void pack_entries(T* to, const T* row, Index begin, Index step, Index n, Index size, Border border) {
  const Index inside = min(n, begin >= 0 ? 0 : ceil_div(-begin, step));
  const Index outside = max(inside, min(n, begin >= size ? 0 : ceil_div(size - begin, step)));
  if (step != 2 || !row || outside == inside) return pack_segment(to, row, begin, step, n, size, border);
  pack_segment(to, row, begin, step, inside, size, border);
  copy_every_other(to + inside, row + begin + step * inside, outside - inside);
  pack_segment(to + outside, row, begin + step * outside, step, n - outside, size, border);
}

/// A block of one plane.
struct PlaneBlock {
  Index plane, start[3], count[3], size[3];  // start and count in t, size in outputs

  CONVGRAD_INLINE PlaneBlock of(const DepthwiseView& v, Index plane, Index block) {
    PlaneBlock b;
    b.plane = plane;
    for (int i = 2; i >= 0; i--) {
      const BlockAxis& a = v.axis[i];
      b.start[i] = a.blocks == 1 ? 0 : block % a.blocks * a.span;
      if (a.blocks > 1) block /= a.blocks;
      b.size[i] = min(a.span * a.every, a.target - b.start[i] * a.every);
      b.count[i] = a.every == 1 ? b.size[i] : ceil_div(b.size[i], a.every);
    }
    return b;
  }
};

/// Copy what a block reads of one plane of the source.
template <typename T>
static void pack_plane(T* to, const T* plane, const DepthwiseView& v, const PlaneBlock& block) {
  const BlockAxis &d = v.axis[0], &h = v.axis[1], &w = v.axis[2];
  for (int sd = 0; sd < d.segments; sd++) {
    const Segment& deep = d.segment[sd];
    for (Index i = 0; i < deep.length - (d.span - block.count[0]); i++) {
      const Index slab = border_index(v.border, deep.begin + d.step * (block.start[0] + i), d.source);
      for (int sh = 0; sh < h.segments; sh++) {
        const Segment& high = h.segment[sh];
        for (Index j = 0; j < high.length - (h.span - block.count[1]); j++) {
          const Index line = border_index(v.border, high.begin + h.step * (block.start[1] + j), h.source);
          const T* row = slab < 0 || line < 0 ? nullptr : plane + (slab * h.source + line) * w.source;
          T* out = to + (deep.at + i) * v.pitch[1] + (high.at + j) * v.pitch[2];
          for (int s = 0; s < w.segments; s++) {
            const Segment& wide = w.segment[s];
            pack_entries(out + wide.at, row, wide.begin + w.step * block.start[2], w.step,
                         wide.length - (w.span - block.count[2]), w.source, v.border);
          }
        }
      }
    }
  }
}

}  // namespace convgrad::CONVGRAD_ISA
