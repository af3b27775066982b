// depthwise_lanes.hpp - what a block of several planes reads, turned to lanes on its way into scratch.
#pragma once

#include "depthwise_lines.hpp"
#include "panels.hpp"

namespace convgrad::CONVGRAD_ISA {

/// Narrow planes are turned as a whole, since single lines would leave most of a vector empty.
template <typename T>
CONVGRAD_INLINE bool turned_whole(const DepthwiseView& v) {
  const AxisView &h = v.axis[1], &w = v.axis[2];
  return 3 * w.source < 2 * kLanes<T> && h.blocks == 1 && w.blocks == 1 && w.segments == 1 && w.entry == 1 &&
         w.segment->begin <= 0 && w.segment->begin + w.segment->length >= w.source;
}

/// Vectors of scratch for a slab turned whole.
template <typename T>
CONVGRAD_INLINE Index turned_vectors(const DepthwiseView& v) {
  return turned_whole<T>(v) ? v.axis[1].source * v.axis[2].source : 0;
}

/// Copies what a block reads: entry j of a line becomes vector j, one lane per plane; lanes without are zero.
template <typename T>
struct LanePacker {
  static constexpr int L = kLanes<T>;
  const DepthwiseView& v;
  const T* end;  // of the array
  T* buffer;     // of turned_vectors
  const T* planes;
  Index lanes, apart;  // planes, and from one to the next

  /// `from`: the first plane that is read.
  void pack(T* to, const T* from, const PlaneBlock& block) {
    const AxisView &d = v.axis[0], &h = v.axis[1];
    planes = from;
    lanes = block.planes;
    apart = v.contracted * v.source_plane;
    for (int sd = 0; sd < d.segments; sd++) {
      const Reach deep = Reach::of(d, d.segment[sd], block.start[0], block.count[0]);
      for (Index i = 0; i < deep.n; i++) {
        const Index z = border_index(v.border, deep.begin + d.step * i, d.source);
        const Index slab = z < 0 ? -1 : z * h.source * v.axis[2].source;
        pack_slab(to + (d.segment[sd].at + i) * v.pitch[1] * L, slab, block);
      }
    }
  }

 private:
  /// `slab`, `line`: where in a plane it begins; -1: zeros.
  void pack_slab(T* to, Index slab, const PlaneBlock& block) const {
    const AxisView &h = v.axis[1], &w = v.axis[2];
    const bool whole = turned_whole<T>(v);
    if (whole && slab >= 0) pack_lanes(buffer, L, planes + slab, apart, lanes, h.source * w.source, end);
    for (int sh = 0; sh < h.segments; sh++) {
      const Reach high = Reach::of(h, h.segment[sh], block.start[1], block.count[1]);
      for (Index j = 0; j < high.n; j++) {
        T* line = to + (h.segment[sh].at + j) * v.pitch[2] * L;
        const Index y = slab < 0 ? -1 : border_index(v.border, high.begin + h.step * j, h.source);
        for (int sw = 0; sw < w.segments; sw++) {
          const Reach wide = Reach::of(w, w.segment[sw], block.start[2], block.count[2]);
          pack_line(line + w.segment[sw].at * L, y < 0 ? -1 : slab + y * w.source, y, wide, whole);
        }
      }
    }
  }

  void pack_line(T* to, Index line, Index y, const Reach& wide, bool whole) const {
    if (line < 0) return zero_run(to, wide.n * L);
    edges(to, line, wide, 0, wide.inside);
    edges(to, line, wide, wide.outside, wide.n);
    const Index n = wide.outside - wide.inside;
    T* inner = to + wide.inside * L;
    if (whole) {
      const T* from = buffer + (y * v.axis[2].source + wide.begin + wide.inside) * L;
      for (Index k = 0; k < n * L; k += L) store(inner + k, load(from + k));
    } else if (wide.step == 1) {
      pack_lanes(inner, L, planes + line + wide.begin + wide.inside, apart, lanes, n, end);
    } else {
      entries(to, line, wide, wide.inside, wide.outside);
    }
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
