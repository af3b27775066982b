// depthwise_lines.hpp - blocks one after the other, and what each reads, copied into scratch line by line.
#pragma once

#include "depthwise_plan.hpp"
#include "source.hpp"

namespace convgrad::CONVGRAD_ISA {

/// Exactly n entries.
template <typename T>
CONVGRAD_INLINE void copy_exactly(T* to, const T* from, Index n) {
  constexpr int L = kLanes<T>;
  Index i = 0;
  for (; i + L <= n; i += L) store(to + i, load(from + i));
  if (i == n) return;
  if (n < L) store(to, load(from, Part<T>(n)), Part<T>(n));
  else store(to + n - L, load(from + n - L));
}
template <typename T>
CONVGRAD_INLINE void zero_exactly(T* to, Index n) {
  constexpr int L = kLanes<T>;
  Index i = 0;
  for (; i + L <= n; i += L) store(to + i, Vec<T>{});
  if (i < n) store(to + i, Vec<T>{}, Part<T>(n - i));
}

/// Have the memory bring n entries near, to be read or (Write 1) written soon.
template <int Write, typename T>
CONVGRAD_INLINE void prefetch(const T* from, Index n) {
  for (Index k = 0; k < n; k += 64 / Index(sizeof(T))) __builtin_prefetch(from + k, Write, 3);
}

/// Every other of 2 L entries, of which b holds the last L but one before: its own last is not needed.
template <typename T, int... I>
CONVGRAD_INLINE Vec<T> every_other_to(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (2 * I < kLanes<T> ? 2 * I : 2 * I + 1)...);
}

/// to[j] = from[2 j] for j < n; nothing past from[2 n - 2] is read.
template <typename T>
static void copy_every_other(T* to, const T* from, Index n) {
  constexpr int L = kLanes<T>;
  if (n < L) {
    for (Index j = 0; j < n; j++) to[j] = from[2 * j];
    return;
  }
  for (Index j = 0; j + L < n; j += L)
    store(to + j, every_other<T>(load(from + 2 * j), load(from + 2 * j + L)));
  from += 2 * (n - L);
  store(to + n - L, every_other_to<T>(load(from), load(from + L - 1), std::make_integer_sequence<int, L>{}));
}

/// A block of the planes of a set.
struct PlaneBlock {
  Index channel, planes;              // the first, and how many
  Index plane;                        // the first, counted over all samples
  Index start[3], count[3], size[3];  // start and count in t, size in outputs

  CONVGRAD_INLINE PlaneBlock of(const DepthwiseView& v, Index set, Index block) {
    PlaneBlock b;
    b.channel = set % v.sets * v.lanes;
    b.planes = min(v.lanes, v.channels - b.channel);
    b.plane = set / v.sets * v.channels + b.channel;
    for (int i = 2; i >= 0; i--) {
      const AxisView& a = v.axis[i];
      b.start[i] = a.blocks == 1 ? 0 : block % a.blocks * a.span;
      if (a.blocks > 1) block /= a.blocks;
      b.size[i] = min(a.span * a.every, a.target - b.start[i] * a.every);
      b.count[i] = a.every == 1 ? b.size[i] : ceil_div(b.size[i], a.every);
    }
    return b;
  }
};

/// Distance in the source between what two blocks read.
CONVGRAD_INLINE Index distance(const DepthwiseView& v, const PlaneBlock& from, const PlaneBlock& to) {
  Index sum = (to.plane - from.plane) * v.contracted;
  for (int i = 0; i < 3; i++) sum = sum * v.axis[i].source + (to.start[i] - from.start[i]) * v.axis[i].step;
  return sum;
}

/// Whether borders left and right are zeros at the same places of the scratch for every block: they are
/// written once.
CONVGRAD_INLINE bool keeps_zeros(const DepthwiseView& v) {
  return v.border == Border::Zeros && v.axis[2].blocks == 1;
}

/// What a block reads along an axis in one segment: entry j from source coordinate begin + step j.
struct Reach {
  Index begin, step, n, inside, outside;  // the entries [inside, outside) lie in the source

  CONVGRAD_INLINE Reach of(const AxisView& a, const Segment& s, Index start, Index count) {
    Reach r{s.begin + a.step * start, a.entry, s.length - (a.span - count) * a.advance, 0, 0};
    const Index ahead = max(0, a.source - r.begin);
    r.inside = min(r.n, r.begin >= 0 ? 0 : r.step == 1 ? -r.begin : ceil_div(-r.begin, r.step));
    r.outside = max(r.inside, min(r.n, r.step == 1 ? ahead : ceil_div(ahead, r.step)));
    return r;
  }
};

/// Lines of one slab, of the same n entries each, all of them in the source. What lies `ahead` is asked for:
/// the lines of the next block, which arrive while this one is computed.
template <typename T>
__attribute__((noinline)) static void copy_lines(T* to, Index pitch, const T* from, Index from_pitch,
                                                 Index lines, Index step, Index n, Index ahead) {
  for (Index j = 0; j < lines; j++, to += pitch, from += from_pitch) {
    prefetch<0>(from + ahead, n * step);
    if (step == 1) copy_exactly(to, from, n);
    else if (step == 2) copy_every_other(to, from, n);
    else
      for (Index k = 0; k < n; k++) to[k] = from[k * step];
  }
}

/// Copies what blocks read of planes of the source.
template <typename T>
struct PlanePacker {
  const DepthwiseView& v;

  void operator()(T* to, const T* plane, const PlaneBlock& block, Index ahead) const {
    const AxisView &d = v.axis[0], &h = v.axis[1], &w = v.axis[2];
    for (int sd = 0; sd < d.segments; sd++) {
      const Reach deep = Reach::of(d, d.segment[sd], block.start[0], block.count[0]);
      for (Index i = 0; i < deep.n; i++) {
        const Index z = border_index(v.border, deep.begin + d.step * i, d.source);
        for (int sh = 0; sh < h.segments; sh++) {
          const Reach high = Reach::of(h, h.segment[sh], block.start[1], block.count[1]);
          for (int sw = 0; sw < w.segments; sw++) {
            const Reach wide = Reach::of(w, w.segment[sw], block.start[2], block.count[2]);
            pack_lines(
                to + (d.segment[sd].at + i) * v.pitch[1] + h.segment[sh].at * v.pitch[2] + w.segment[sw].at,
                z < 0 ? nullptr : plane + z * h.source * w.source, high, wide, ahead);
          }
        }
      }
    }
  }

 private:
  /// The lines of one slab (null: of zeros).
  void pack_lines(T* to, const T* slab, const Reach& high, const Reach& wide, Index ahead) const {
    const Index inside = slab ? high.inside : high.n, outside = slab ? high.outside : high.n;
    for (Index j = 0; j < inside; j++)
      pack_border_line(to + j * v.pitch[2], slab, high.begin + high.step * j, wide);
    if (inside < outside) {
      const Index width = v.axis[2].source;
      T* line = to + inside * v.pitch[2];
      const T* row = slab + (high.begin + high.step * inside) * width;
      copy_lines(line + wide.inside, v.pitch[2], row + wide.begin + wide.step * wide.inside,
                 high.step * width, outside - inside, wide.step, wide.outside - wide.inside, ahead);
      if (!keeps_zeros(v))
        for (Index j = inside; j < outside; j++, line += v.pitch[2], row += high.step * width)
          edges(line, row, wide);
    }
    for (Index j = outside; j < high.n; j++)
      pack_border_line(to + j * v.pitch[2], slab, high.begin + high.step * j, wide);
  }

  void pack_border_line(T* to, const T* slab, Index coordinate, const Reach& wide) const {
    const AxisView &h = v.axis[1], &w = v.axis[2];
    const Index y = slab ? border_index(v.border, coordinate, h.source) : -1;
    if (y < 0) return zero_exactly(to, wide.n);
    const T* row = slab + y * w.source;
    copy_lines(to + wide.inside, 0, row + wide.begin + wide.step * wide.inside, 0, 1, wide.step,
               wide.outside - wide.inside, 0);
    edges(to, row, wide);
  }

  /// The entries of a line that lie in the border.
  void edges(T* to, const T* row, const Reach& wide) const {
    if (v.border == Border::Zeros) {
      zero_exactly(to, wide.inside);
      zero_exactly(to + wide.outside, wide.n - wide.outside);
      return;
    }
    for (Index j = 0; j < wide.n; j++)
      if (j < wide.inside || j >= wide.outside)
        to[j] = row[border_index(v.border, wide.begin + wide.step * j, v.axis[2].source)];
  }
};

}  // namespace convgrad::CONVGRAD_ISA
