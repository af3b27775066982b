// depthwise_source.hpp - which blocks lie in the lanes, and what they read, copied into scratch lane by lane.
#pragma once

#include "depthwise_plan.hpp"
#include "lanes.hpp"
#include "source.hpp"

namespace convgrad::CONVGRAD_ISA {

/// L blocks of outputs, one per lane; they are numbered with the plane as the fastest index. Where fewer are left,
/// the lanes behind them repeat the first.
template <typename T>
struct LaneGroup {
  static constexpr int L = kLanes<T>;
  Index plane[L], channel[L];
  Index start[3][L];         // in t
  Index least[3], most[3];   // of the starts
  Index count[3];            // most outputs of a lane, in t
  bool alike;                // all blocks at the same place of their planes

  LaneGroup(const DepthwiseView& v, Index group) {
    const Index job = group * L, used = min(L, v.jobs - job), first_block = job / v.planes;
    Index block = first_block;
    plane[0] = job % v.planes;
    channel[0] = plane[0] % v.channels;
    place(v, block, 0);
    for (int i = 1; i < L; i++) {
      const int like = i < used ? i - 1 : 0;
      plane[i] = plane[like];
      channel[i] = channel[like];
      for (int axis = 0; axis < 3; axis++) start[axis][i] = start[axis][like];
      if (i >= used) continue;
      if (++channel[i] == v.channels) channel[i] = 0;
      if (++plane[i] < v.planes) continue;
      plane[i] = 0;
      place(v, ++block, i);
    }
    alike = block == first_block;
    for (int axis = 0; axis < 3; axis++) {
      least[axis] = most[axis] = start[axis][0];
      for (int i = 1; i < L && !alike; i++) {
        least[axis] = min(least[axis], start[axis][i]);
        most[axis] = max(most[axis], start[axis][i]);
      }
      count[axis] = min(v.axis[axis].span, ceil_div(v.axis[axis].target, v.axis[axis].every) - least[axis]);
    }
  }

  /// Outputs along an axis of a block that starts there.
  static Index outputs(const BlockAxis& a, Index start) { return min(a.span * a.every, a.target - start * a.every); }

 private:
  void place(const DepthwiseView& v, Index block, int lane) {
    for (int axis = 2; axis >= 0; axis--) {
      start[axis][lane] = block % v.axis[axis].blocks * v.axis[axis].span;
      block /= v.axis[axis].blocks;
    }
  }
};

/// Narrow planes are turned as a whole, since single lines would leave most of a vector empty.
template <typename T>
CONVGRAD_INLINE bool turned_whole(const DepthwiseView& v) {
  const BlockAxis &h = v.axis[1], &w = v.axis[2];
  return 3 * w.source < 2 * kLanes<T> && h.blocks == 1 && w.blocks == 1 && w.segments == 1 && w.read == 1 &&
         w.segment->begin <= 0 && w.segment->begin + w.segment->length >= w.source;
}

/// Vectors of scratch for a plane turned whole.
template <typename T>
CONVGRAD_INLINE Index turned_vectors(const DepthwiseView& v) {
  return turned_whole<T>(v) ? v.axis[1].source * v.axis[2].source : 0;
}

/// Copies what the lanes' blocks read: entry j of a line becomes vector j, one lane per block.
template <typename T>
struct Source {
  static constexpr int L = kLanes<T>;
  const DepthwiseView& v;
  const LaneGroup<T>&lanes, &next;  // next: those to follow, whose entries are asked for meanwhile
  const T* array;
  T* buffer;  // of turned_vectors

  // What a tap of offset 0 reads for the first output of each block; may lie outside.
  const T *origin[L], *next_origin[L];

  Source(const DepthwiseView& v, const LaneGroup<T>& lanes, const LaneGroup<T>& next, const T* array, T* buffer)
      : v(v), lanes(lanes), next(next), array(array), buffer(buffer) {}

  void pack(T* to, Index contracted) {
    const BlockAxis& d = v.axis[0];
    for (int i = 0; i < L; i++) {
      origin[i] = array + place(lanes, i, contracted);
      next_origin[i] = array + place(next, i, contracted);
    }
    for (int sd = 0; sd < d.segments; sd++) {
      const Index slabs = length(d, d.segment[sd], 0);
      for (Index i = 0; i < slabs; i++) {
        const Index z = d.segment[sd].begin + d.step * i;
        T* slab = to + (d.segment[sd].at + i) * v.pitch[1] * L;
        if (lanes.alike && turned_whole<T>(v)) pack_turned(slab, z);
        else pack_slab(slab, z);
      }
    }
  }

 private:
  Index place(const LaneGroup<T>& group, int lane, Index contracted) const {
    Index at = group.plane[lane] * v.contracted + contracted;
    for (int i = 0; i < 3; i++) at = at * v.axis[i].source + group.start[i][lane] * v.axis[i].step;
    return at;
  }

  /// Entries of a segment that the lanes' blocks read.
  Index length(const BlockAxis& axis, const Segment& s, int i) const {
    return s.length - (axis.span - lanes.count[i]) * axis.move;
  }

  /// Where `coordinate`, counted from each block's start, is found: counted alike; or -1 for a zero.
  Index found(int i, Index coordinate) const {
    const Index start = lanes.least[i] * v.axis[i].step;
    const Index at = border_index(v.border, start + coordinate, v.axis[i].source);
    return at < 0 ? kNowhere : at - start;
  }
  static constexpr Index kNowhere = -(Index(1) << 62);

  /// Whether that coordinate lies in the source for every lane.
  bool inside(int i, Index coordinate) const {
    const BlockAxis& axis = v.axis[i];
    return coordinate + lanes.least[i] * axis.step >= 0 && coordinate + lanes.most[i] * axis.step < axis.source;
  }

  void pack_slab(T* to, Index z) const {
    const BlockAxis &h = v.axis[1], &w = v.axis[2];
    for (int sh = 0; sh < h.segments; sh++) {
      const Index lines = length(h, h.segment[sh], 1);
      for (Index j = 0; j < lines; j++) {
        const Index y = h.segment[sh].begin + h.step * j;
        T* line = to + (h.segment[sh].at + j) * v.pitch[2] * L;
        for (int s = 0; s < w.segments; s++) pack_segment(line + w.segment[s].at * L, z, y, w.segment[s]);
      }
    }
  }

  void pack_segment(T* to, Index z, Index y, const Segment& s) const {
    const BlockAxis& w = v.axis[2];
    const Index n = length(w, s, 2);
    const bool within = inside(0, z) && inside(1, y);
    if (!(within || lanes.alike) || w.read != 1) return pack_entries(to, z, y, s, 0, n);
    const Index slab = within ? z : found(0, z), line = within ? y : found(1, y);
    if (slab == kNowhere || line == kNowhere) return zero_run(to, n * L);
    // The entries [first, last) lie in the source for every lane.
    const Index first = max(0, min(n, -(s.begin + lanes.least[2] * w.step)));
    const Index last = max(first, min(n, w.source - s.begin - lanes.most[2] * w.step));
    pack_border(to, z, y, s, 0, first);
    pack_border(to, z, y, s, last, n);
    const Index at = (slab * v.axis[1].source + line) * w.source + s.begin + first;
    if (last > first) rows_to_lanes(to + first * L, origin, next_origin, at, last - first, array + v.source_size);
  }

  void pack_border(T* to, Index z, Index y, const Segment& s, Index first, Index last) const {
    if (lanes.alike && v.border == Border::Zeros) zero_run(to + first * L, (last - first) * L);
    else pack_entries(to, z, y, s, first, last);
  }

  /// Entries one by one, each where the border's rule says.
  void pack_entries(T* to, Index z, Index y, const Segment& s, Index first, Index last) const {
    const BlockAxis& w = v.axis[2];
    for (int i = 0; i < L; i++) {
      Index at = 0;  // of the line, from the block's origin
      const Index coordinate[2] = {z, y};
      bool nothing = false;
      for (int axis = 0; axis < 2; axis++) {
        const Index start = lanes.start[axis][i] * v.axis[axis].step;
        const Index there = border_index(v.border, start + coordinate[axis], v.axis[axis].source);
        nothing |= there < 0;
        at = at * v.axis[axis].source + there - start;
      }
      const Index start = lanes.start[2][i] * w.step;
      for (Index j = first; j < last; j++) {
        const Index there = border_index(v.border, start + s.begin + w.read * j, w.source);
        to[j * L + i] = nothing || there < 0 ? T(0) : origin[i][at * w.source + there - start];
      }
    }
  }

  /// A slab of planes that are read whole, all lanes alike.
  void pack_turned(T* to, Index z) const {
    const BlockAxis &h = v.axis[1], &w = v.axis[2];
    const Segment& s = *w.segment;
    const Index n = length(w, s, 2), before = -s.begin, slab = found(0, z);
    if (slab != kNowhere)
      rows_to_lanes(buffer, origin, next_origin, slab * h.source * w.source, h.source * w.source,
                    array + v.source_size);
    for (int sh = 0; sh < h.segments; sh++) {
      const Index lines = length(h, h.segment[sh], 1);
      for (Index j = 0; j < lines; j++) {
        const Index y = h.segment[sh].begin + h.step * j, line = slab == kNowhere ? slab : found(1, y);
        T* out = to + (h.segment[sh].at + j) * v.pitch[2] * L;
        if (line == kNowhere) {
          zero_run(out, n * L);
          continue;
        }
        pack_border(out, z, y, s, 0, before);
        const T* from = buffer + line * w.source * L;
        for (Index k = 0; k < w.source; k++) store(out + (before + k) * L, load(from + k * L));
        pack_border(out, z, y, s, before + w.source, n);
      }
    }
  }
};

}  // namespace convgrad::CONVGRAD_ISA
