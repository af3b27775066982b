// source.hpp - the entries that a block of outputs reads, copied once into scratch: padded, and split by
// stride.
#pragma once

#include "direct_plan.hpp"
#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

template <typename T>
CONVGRAD_INLINE void copy_run(T* to, const T* from, Index n) {
  constexpr int L = kLanes<T>;
  if (n < L) {
    for (Index i = 0; i < n; i++) to[i] = from[i];
    return;
  }
  Index i = 0;
  for (; i + L <= n; i += L) store(to + i, load(from + i));
  if (i < n) store(to + n - L, load(from + n - L));
}

template <typename T>
CONVGRAD_INLINE void zero_run(T* to, Index n) {
  constexpr int L = kLanes<T>;
  Index i = 0;
  for (; i + L <= n; i += L) store(to + i, Vec<T>{});
  for (; i < n; i++) to[i] = T(0);
}

/// Entries j < n of a segment whose coordinates are begin + step j, from one row of the source (null: zeros).
template <typename T>
static void pack_segment(T* to, const T* row, Index begin, Index step, Index n, Index size, Border border) {
  if (!row) return zero_run(to, n);
  // The entries [inside, outside) lie in the row.
  const Index inside = min(n, begin >= 0 ? 0 : ceil_div(-begin, step));
  const Index outside = max(inside, min(n, begin >= size ? 0 : ceil_div(size - begin, step)));
  if (border == Border::Zeros) {
    zero_run(to, inside);
    zero_run(to + outside, n - outside);
  } else {
    for (Index j = 0; j < inside; j++) to[j] = row[border_index(border, begin + step * j, size)];
    for (Index j = outside; j < n; j++) to[j] = row[border_index(border, begin + step * j, size)];
  }
  const T* from = row + begin + step * inside;
  if (step == 1) {
    copy_run(to + inside, from, outside - inside);
  } else {
    for (Index j = 0; j < outside - inside; j++) to[inside + j] = from[j * step];
  }
}

/// Where a block of outputs starts (in t) and how many it has, per axis.
struct Block {
  Index start[3], count[3];
};

/// Copy what `block` reads of `channels` channels, from `from` (their planes follow each other).
template <typename T>
static void pack_source(T* to, const T* from, Index channels, const DirectView& v, const Block& block) {
  const AxisView &d = v.axis[0], &h = v.axis[1], &w = v.axis[2];
  const Index plane = d.source * h.source * w.source;
  for (Index c = 0; c < channels; c++, to += v.pitch[0], from += plane) {
    for (int sd = 0; sd < d.segments; sd++) {
      const Segment& deep = d.segment[sd];
      for (Index i = 0; i < deep.length - (d.span - block.count[0]); i++) {
        const Index slab = border_index(v.border, deep.begin + d.step * (block.start[0] + i), d.source);
        for (int sh = 0; sh < h.segments; sh++) {
          const Segment& high = h.segment[sh];
          for (Index j = 0; j < high.length - (h.span - block.count[1]); j++) {
            const Index line = border_index(v.border, high.begin + h.step * (block.start[1] + j), h.source);
            const T* row = slab < 0 || line < 0 ? nullptr : from + (slab * h.source + line) * w.source;
            T* out = to + (deep.at + i) * v.pitch[1] + (high.at + j) * v.pitch[2];
            for (int sw = 0; sw < w.segments; sw++) {
              const Segment& wide = w.segment[sw];
              pack_segment(out + wide.at, row, wide.begin + w.step * block.start[2], w.step,
                           wide.length - (w.span - block.count[2]), w.source, v.border);
            }
          }
        }
      }
    }
  }
}

}  // namespace convgrad::CONVGRAD_ISA
