// depthwise_source.hpp - which blocks lie in the lanes, and what they read, copied into scratch lane by lane.
#pragma once

#include "depthwise_plan.hpp"
#include "lanes.hpp"
#include "source.hpp"

namespace convgrad::CONVGRAD_ISA {

/// L blocks of outputs, one per lane. Blocks are numbered with the plane as the fastest index.
template <typename T>
struct LaneGroup {
  static constexpr int L = kLanes<T>;
  int used;         // lanes that hold a block
  bool alike;       // all of them at the same place of their planes
  Index plane[L], channel[L];  // unused lanes have some, too: they may read what they like
  Index start[3][L];  // in t
  Index count[3];     // most outputs of a lane, in t

  LaneGroup(const DepthwiseView& v, Index group) {
    const Index first_block = group * L / v.planes;
    Index block = first_block, at = group * L % v.planes, channel_at = at % v.channels;
    used = int(min(L, v.jobs - group * L));
    for (int i = 0; i < L; i++) {
      const bool moved = i == 0 || at == 0;
      for (int axis = 0; axis < 3 && !moved; axis++) start[axis][i] = start[axis][i - 1];
      if (moved) place(v, i < used ? block : first_block, i);
      plane[i] = at;
      channel[i] = channel_at;
      if (++channel_at == v.channels) channel_at = 0;
      if (++at == v.planes) at = 0, block++;
    }
    alike = (group * L + used - 1) / v.planes == first_block;
    for (int axis = 0; axis < 3; axis++) {
      const BlockAxis& a = v.axis[axis];
      Index earliest = start[axis][0];
      for (int i = 1; i < used; i++) earliest = min(earliest, start[axis][i]);
      count[axis] = min(a.span, ceil_div(a.target, a.every) - earliest);
    }
  }

  /// Outputs of a lane along an axis; unused lanes have none.
  Index outputs(const DepthwiseView& v, int axis, int lane) const {
    const BlockAxis& a = v.axis[axis];
    if (lane >= used) return 0;
    return max(0, min(a.span * a.every, a.target - start[axis][lane] * a.every));
  }

 private:
  void place(const DepthwiseView& v, Index block, int lane) {
    for (int axis = 2; axis >= 0; axis--) {
      start[axis][lane] = block % v.axis[axis].blocks * v.axis[axis].span;
      block /= v.axis[axis].blocks;
    }
  }
};

/// Entries of a segment that the first `count` outputs of a block read.
CONVGRAD_INLINE Index length(const BlockAxis& axis, const Segment& s, Index count) {
  return s.length - (axis.span - count) * axis.move;
}

/// Copies lines of planes into scratch: entry j of a line becomes vector j, one lane per plane.
template <typename T>
struct LinePacker {
  static constexpr int L = kLanes<T>;
  const BlockAxis& axis;
  Border border;
  const T* end;    // of the array that is read
  const T* zeros;  // at least axis.extent + L of them

  /// One entry, where it may lie in the border.
  T entry(const T* row, Index coordinate) const {
    const Index at = row ? border_index(border, coordinate, axis.source) : -1;
    return at < 0 ? T(0) : row[at];
  }

  /// `rows` are the lines' beginnings, null for lines of zeros; `start` is where each lane's block begins.
  void operator()(T* to, const T* const* rows, const Index* start, Index count, bool alike) const {
    bool any = false;
    for (int i = 0; i < L; i++) any |= rows[i] != nullptr;
    for (int s = 0; s < axis.segments; s++) {
      const Segment& segment = axis.segment[s];
      const Index n = length(axis, segment, count);
      T* line = to + segment.at * L;
      if (!any) zero_run(line, n * L);
      else pack(line, rows, start, segment.begin, n, alike);
    }
  }

 private:
  void pack(T* to, const T* const* rows, const Index* start, Index begin, Index n, bool alike) const {
    // The entries [inside, outside) lie in the rows, for every lane.
    Index first[L], inside = 0, outside = axis.read == 1 ? n : 0;
    for (int i = 0; i < L; i++) {
      first[i] = begin + axis.step * start[i];
      if (!rows[i]) continue;
      inside = max(inside, min(n, -first[i]));
      outside = min(outside, axis.source - first[i]);
    }
    outside = max(inside, outside);
    edge(to, rows, first, 0, inside, alike);
    edge(to, rows, first, outside, n, alike);
    if (inside == outside) return;
    const T* from[L];
    for (int i = 0; i < L; i++) from[i] = rows[i] ? rows[i] + first[i] + inside : zeros;
    rows_to_lanes(to + inside * L, from, outside - inside, end);
  }

  void edge(T* to, const T* const* rows, const Index* first, Index begin, Index stop, bool alike) const {
    if (alike && border == Border::Zeros && axis.read == 1) return zero_run(to + begin * L, (stop - begin) * L);
    for (Index j = begin; j < stop; j++)
      for (int i = 0; i < L; i++) to[j * L + i] = entry(rows[i], first[i] + axis.read * j);
  }
};

/// Copy what the lanes' blocks read of source `contracted` of each, all of `from` being planes of the source.
template <typename T>
static void pack_planes(T* to, const T* from, Index contracted, const DepthwiseView& v, const LaneGroup<T>& lanes,
                        const LinePacker<T>& pack) {
  constexpr int L = kLanes<T>;
  const BlockAxis &d = v.axis[0], &h = v.axis[1], &w = v.axis[2];
  const Index plane = d.source * h.source * w.source;
  const T* planes[L];
  for (int i = 0; i < L; i++) planes[i] = from + (lanes.plane[i] * v.contracted + contracted) * plane;
  const int distinct = lanes.alike ? 1 : L;
  for (int sd = 0; sd < d.segments; sd++) {
    const Segment& deep = d.segment[sd];
    for (Index i = 0; i < length(d, deep, lanes.count[0]); i++) {
      for (int sh = 0; sh < h.segments; sh++) {
        const Segment& high = h.segment[sh];
        for (Index j = 0; j < length(h, high, lanes.count[1]); j++) {
          Index at[L];  // of the line in its plane, or -1
          for (int lane = 0; lane < distinct; lane++) {
            const Index slab = border_index(v.border, deep.begin + d.step * (lanes.start[0][lane] + i), d.source);
            const Index line = border_index(v.border, high.begin + h.step * (lanes.start[1][lane] + j), h.source);
            at[lane] = slab < 0 || line < 0 ? -1 : (slab * h.source + line) * w.source;
          }
          const T* rows[L];
          for (int lane = 0; lane < L; lane++) {
            const Index offset = at[lanes.alike ? 0 : lane];
            rows[lane] = offset < 0 ? nullptr : planes[lane] + offset;
          }
          pack(to + ((deep.at + i) * v.pitch[1] + (high.at + j) * v.pitch[2]) * L, rows, lanes.start[2],
               lanes.count[2], lanes.alike);
        }
      }
    }
  }
}

}  // namespace convgrad::CONVGRAD_ISA
