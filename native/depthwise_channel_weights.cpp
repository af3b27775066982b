// depthwise_channel_weights.cpp - weight gradient of a convolution with one input channel per group: blocks of outputs as
// lanes. Each lane sums over its own block; sums of all blocks and samples of a channel are added in one order.
#include "depthwise_products.hpp"
#include "depthwise_source.hpp"
#include "kernels.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

constexpr Index kFewBlocks = 32;

template <typename T>
std::size_t scratch_bytes(const DepthwiseView& v);

template <typename T>
Index g_vectors(const DepthwiseView& v) {
  return v.axis[0].span * v.axis[1].span * v.axis[2].span;
}

/// Sums per weight and block, the blocks of a weight side by side, with room for the last vector.
template <typename T>
Index padded_jobs(const DepthwiseView& v) {
  return round_up(v.jobs, kLanes<T>) + kLanes<T>;
}

template <typename T>
struct WeightRun {
  const DepthwiseView& v;
  const Operands<T>& data;
  T* partial;

  static constexpr int L = kLanes<T>;

  /// The block of plane `number` of g, of each lane; zero where a block ends early.
  void pack_gradient(T* to, Index number, const LaneGroup<T>& lanes, const LaneGroup<T>& following) const {
    const BlockAxis &d = v.axis[0], &h = v.axis[1], &w = v.axis[2];
    const Index size = d.target * h.target * w.target;
    const T* end = data.second + v.planes * v.multiplier * size;
    const T *rows[L], *next[L];
    const auto place = [&](const LaneGroup<T>& group, int i) {
      const Index line = group.start[0][i] * h.target + group.start[1][i];
      return data.second + (group.plane[i] * v.multiplier + number) * size + line * w.target + group.start[2][i];
    };
    for (int i = 0; i < L; i++) {
      rows[i] = place(lanes, i);
      next[i] = place(following, i);
    }
    // Whole lines follow each other in memory and in scratch.
    const Index together = lanes.alike && w.blocks == 1 ? lanes.count[1] : 1;
    for (Index q = 0; q < lanes.count[0]; q++)
      for (Index y = 0; y < lanes.count[1]; y += together) {
        T* line = to + (q * h.span + y) * w.span * L;
        const Index at = (q * h.target + y) * w.target;
        if (lanes.alike || common(lanes, q, y)) rows_to_lanes(line, rows, next, at, together * lanes.count[2], end);
        else pack_some(line, rows, at, lanes, q, y);
      }
  }

  /// Whether a line exists, whole, in every block.
  bool common(const LaneGroup<T>& lanes, Index q, Index y) const {
    const BlockAxis* axis = v.axis;
    return lanes.most[0] + q < axis[0].target && lanes.most[1] + y < axis[1].target &&
           lanes.most[2] + lanes.count[2] <= axis[2].target;
  }

  void pack_some(T* to, const T* const* rows, Index at, const LaneGroup<T>& lanes, Index q, Index y) const {
    for (int i = 0; i < L; i++) {
      const Index outputs = outputs_of(lanes, i, q, y);
      for (Index t = 0; t < lanes.count[2]; t++) to[t * L + i] = t < outputs ? rows[i][at + t] : T(0);
    }
  }

  /// Outputs of a lane in line y of slab q of its block.
  Index outputs_of(const LaneGroup<T>& lanes, int lane, Index q, Index y) const {
    const BlockAxis* axis = v.axis;
    const bool there = q < lanes.outputs(axis[0], lanes.start[0][lane]) &&
                       y < lanes.outputs(axis[1], lanes.start[1][lane]);
    return there ? lanes.outputs(axis[2], lanes.start[2][lane]) : 0;
  }

  /// A rectangle in slab q: lines from y, outputs from t.
  Rectangle<T> rectangle(const T* x, const T* g, Index q, Index y, Index t, Index lines, Index outputs) const {
    const BlockAxis &h = v.axis[1], &w = v.axis[2];
    return {x + (q * v.pitch[1] + y * v.pitch[2] + t * w.move) * L,
            g + ((q * h.span + y) * w.span + t) * L,
            w.move * L,
            L,
            v.pitch[2] * L,
            w.span * L,
            lines,
            outputs,
            L};
  }

  /// Outputs from t on in one line, of those lanes that have so many.
  void add_some(T* total, const T* x, const T* g, Index q, Index y, Index t, Index stop,
                const Vec<T>& outputs) const {
    for (; t < stop; t++)
      add_rectangle<T>(rectangle(x, g, q, y, t, 1, 1), *v.phase, total, LaneFilter<T, true>{outputs, T(t + 1)});
  }

  void add_block(T* total, const T* x, const T* g, const LaneGroup<T>& lanes) const {
    Index common[3];  // outputs that every lane has
    for (int axis = 0; axis < 3; axis++) common[axis] = lanes.outputs(v.axis[axis], lanes.most[axis]);
    for (Index q = 0; q < lanes.count[0]; q++) {
      const Index lines = q < common[0] ? common[1] : 0;
      if (lines) add_rectangle<T>(rectangle(x, g, q, 0, 0, lines, common[2]), *v.phase, total);
      for (Index y = 0; y < lanes.count[1]; y++) {
        const Index t = y < lines ? common[2] : 0;
        if (t == lanes.count[2]) continue;
        T outputs[L];
        for (int i = 0; i < L; i++) outputs[i] = T(outputs_of(lanes, i, q, y));
        add_some(total, x, g, q, y, t, lanes.count[2], load(outputs));
      }
    }
  }

  void operator()(Index task) const {
    T* total = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    T* x = total + v.taps * L;
    T* g = x + v.source_room * L;
    T* plane = g + g_vectors<T>(v) * L;
    const Index first = task * v.groups_per_task, last = min(first + v.groups_per_task, ceil_div(v.jobs, L));
    LaneGroup<T> lanes(v, first);
    for (Index group = first; group < last; group++) {
      const LaneGroup<T> next(v, min(group + 1, last - 1));
      Source<T>(v, lanes, next, data.first, plane).pack(x, 0);
      for (Index number = 0; number < v.multiplier; number++) {
        pack_gradient(g, number, lanes, next);
        zero_run(total, v.taps * L);
        add_block(total, x, g, lanes);
        T* to = partial + number * v.taps * padded_jobs<T>(v) + group * L;
        for (Index k = 0; k < v.taps; k++) store(to + k * padded_jobs<T>(v), load(total + k * L));
      }
      lanes = next;
    }
  }

  /// The weights of L channels: a few blocks are added at a time, then those sums.
  void combine(Index task) const {
    const Index channel = task * L, count = min(L, v.channels - channel), blocks = v.jobs / v.channels;
    T* sums = static_cast<T*>(scratch(Scratch::Task, sizeof(T) * v.weight_room * L));
    for (Index k = 0; k < v.weight_room; k++) {
      const T* from = partial + k * padded_jobs<T>(v) + channel;
      Vec<T> sum{};
      for (Index b = 0; b < blocks; b += kFewBlocks) {
        Vec<T> few{};
        for (Index i = b; i < min(blocks, b + kFewBlocks); i++) few += load(from + i * v.channels);
        sum += few;
      }
      store(sums + k * L, sum);
    }
    T* rows[L];
    Index counts[L];
    for (int i = 0; i < L; i++) {
      rows[i] = data.out + (channel + min(i, count - 1)) * v.weight_room;
      counts[i] = i < count ? v.weight_room : 0;
    }
    lanes_to_rows<T>(rows, 0, counts, sums, v.weight_room, Vec<T>{}, Activation::None);
  }
};

template <typename T>
std::size_t scratch_bytes(const DepthwiseView& v) {
  const Index vectors = v.taps + v.source_room + g_vectors<T>(v) + turned_vectors<T>(v);
  return sizeof(T) * max(vectors, v.weight_room + kLanes<T>) * kLanes<T>;
}

template <typename T>
std::size_t shared_bytes(const DepthwiseView& v) {
  return sizeof(T) * v.weight_room * padded_jobs<T>(v);
}

template <typename T>
void depthwise_channel_weights(const DepthwiseView& v, const Operands<T>& data) {
  WeightRun<T> run{v, data, static_cast<T*>(scratch(Scratch::Shared, shared_bytes<T>(v)))};
  parallel_for(
      ceil_div(ceil_div(v.jobs, kLanes<T>), v.groups_per_task),
      [](void* r, Index i) { (*static_cast<WeightRun<T>*>(r))(i); }, &run);
  parallel_for(
      ceil_div(v.channels, kLanes<T>), [](void* r, Index i) { static_cast<WeightRun<T>*>(r)->combine(i); }, &run);
}

}  // namespace

template <typename T>
Family<T, DepthwiseView> depthwise_channel_weights_family() {
  return {shared_bytes<T>, scratch_bytes<T>, depthwise_channel_weights<T>};
}
template Family<float, DepthwiseView> depthwise_channel_weights_family();
template Family<double, DepthwiseView> depthwise_channel_weights_family();

}  // namespace convgrad::CONVGRAD_ISA
