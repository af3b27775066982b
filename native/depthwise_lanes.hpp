// depthwise_lanes.hpp - what a block of several planes reads, turned to lanes on its way into scratch.
#pragma once

#include "depthwise_lines.hpp"
#include "panels.hpp"

namespace convgrad::CONVGRAD_ISA {

/// Rows of `from`, `row` apart, become lanes: entry k < depth is stored at to + place[k]. The same `ahead` is
/// asked for.
template <typename T>
static void scatter_lanes(T* to, const std::int32_t* place, const T* from, Index row, Index depth,
                          Index ahead) {
  constexpr int L = kLanes<T>;
  for (Index k = 0; k < depth; k += L) {
    k = min(k, depth - L);  // the last block overlaps the one before: the same values twice
    Vec<T> block[L];
    CONVGRAD_UNROLL
    for (int i = 0; i < L; i++) {
      block[i] = load(from + i * row + k);
      __builtin_prefetch(from + i * row + k + ahead);
    }
    transpose<T>(block);
    CONVGRAD_UNROLL
    for (int i = 0; i < L; i++) store(to + place[k + i], block[i]);
  }
}

/// Copies what a block reads: entry j of a line becomes vector j, one lane per plane; lanes without are zero.
template <typename T>
struct LanePacker {
  static constexpr int L = kLanes<T>;
  const DepthwiseView& v;
  const T* end;  // of the array
  // What is packed: the first plane, how many, from one to the next, and how far ahead the next block lies.
  const T* planes = nullptr;
  Index lanes = 0, apart = 0, ahead = 0;
  // What is not read and need not be written: lines of zeros, zeros to the left and right.
  bool lines_unread = false, edges_unread = false;

  LanePacker(const DepthwiseView& v, const T* array) : v(v), end(array + v.source_size) {}

  /// `from`: the first plane that is read.
  void pack(T* to, const T* from, const PlaneBlock& block, const PlaneBlock& next) {
    const AxisView &d = v.axis[0], &h = v.axis[1];
    planes = from;
    lanes = block.planes;
    apart = v.contracted * v.source_plane;
    ahead = distance(v, block, next);
    for (int sd = 0; sd < d.segments; sd++) {
      const Reach deep = Reach::of(d, d.segment[sd], block.start[0], block.count[0]);
      for (Index i = 0; i < deep.n; i++) {
        const Index z = border_index(v.border, deep.begin + d.step * i, d.source);
        const Index slab = z < 0 ? -1 : z * h.source * v.axis[2].source;
        T* there = to + (d.segment[sd].at + i) * v.pitch[1] * L;
        pack_lines(there, slab, block, slab >= 0 && turn_rows(there, slab, block));
      }
    }
  }

 private:
  /// The rows of a slab that lie in the source, if there are enough to be turned together.
  bool turn_rows(T* to, Index slab, const PlaneBlock& block) const {
    const AxisView &h = v.axis[1], &w = v.axis[2];
    if (!v.turned || lanes < L) return false;
    const Index begin = v.turned_begin + block.start[1] * h.step;
    const Index rows = v.turned_rows - (h.span - block.count[1]) * h.step;
    const Index first = max(0, -begin), last = min(rows, h.source - begin);
    if ((last - first) * w.source < L) return false;
    scatter_lanes(to, v.turned + first * w.source, planes + slab + (begin + first) * w.source, apart,
                  (last - first) * w.source, ahead);
    return true;
  }

  /// The lines of a slab (-1: of zeros); of those that are `turned`, the borders.
  void pack_lines(T* to, Index slab, const PlaneBlock& block, bool turned) const {
    const AxisView &h = v.axis[1], &w = v.axis[2];
    for (int sw = 0; sw < w.segments; sw++) {
      const Reach wide = Reach::of(w, w.segment[sw], block.start[2], block.count[2]);
      for (int sh = 0; sh < h.segments; sh++) {
        const Reach high = Reach::of(h, h.segment[sh], block.start[1], block.count[1]);
        T* line = to + (h.segment[sh].at * v.pitch[2] + w.segment[sw].at) * L;
        for (Index j = 0; j < high.n; j++, line += v.pitch[2] * L) {
          if (turned && edges_unread && lines_unread) continue;
          const Index y = slab < 0 ? -1 : border_index(v.border, high.begin + high.step * j, h.source);
          if (y >= 0)
            pack_line(line, slab + y * w.source, wide, turned && j >= high.inside && j < high.outside);
          else if (!lines_unread) zero_run(line, wide.n * L);
        }
      }
    }
  }

  void pack_line(T* to, Index line, const Reach& wide, bool turned) const {
    if (!edges_unread) {
      edges(to, line, wide, 0, wide.inside);
      edges(to, line, wide, wide.outside, wide.n);
    }
    if (turned) return;
    if (wide.step == 1)
      pack_lanes(to + wide.inside * L, L, planes + line + wide.begin + wide.inside, apart, lanes,
                 wide.outside - wide.inside, end);
    else entries(to, line, wide, wide.inside, wide.outside);
  }

  /// The entries of a line that lie in the border.
  void edges(T* to, Index line, const Reach& wide, Index first, Index last) const {
    if (v.border == Border::Zeros) zero_run(to + first * L, (last - first) * L);
    else entries(to, line, wide, first, last);
  }

  /// Entries one by one, each from where the border's rule says.
  void entries(T* to, Index line, const Reach& wide, Index first, Index last) const {
    for (Index j = first; j < last; j++) {
      const Index at = line + border_index(v.border, wide.begin + wide.step * j, v.axis[2].source);
      store(to + j * L, Vec<T>{});
      for (Index i = 0; i < lanes; i++) to[j * L + i] = planes[i * apart + at];
    }
  }
};

}  // namespace convgrad::CONVGRAD_ISA
