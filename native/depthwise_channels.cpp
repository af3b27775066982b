// depthwise_channels.cpp - convolution with one input channel per group, and its adjoint in x: blocks of outputs as lanes.
// Lines are turned to lanes on their way into scratch; there every tap is one aligned vector per output, whatever
// the width, stride or dilation; finished lines are turned back as they are stored.
#include "depthwise_source.hpp"
#include "depthwise_tile.hpp"
#include "kernels.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

/// Planes up to this width have their borders passed over: there they are a large part of the work.
constexpr Index kNarrow = 2 * kMostOutputs;

/// Room for finished lines: several narrow ones, or one, and what the turning reads past them.
template <typename T>
Index line_vectors(const DepthwiseView& v) {
  const Index line = v.axis[2].span * v.axis[2].every;
  return max(4 * kLanes<T>, line) + kLanes<T>;
}

template <typename T>
std::size_t scratch_bytes(const DepthwiseView& v) {
  const Index vectors = v.weight_room + v.source_room + line_vectors<T>(v) + turned_vectors<T>(v);
  return sizeof(T) * kLanes<T> * vectors + sizeof(TapRun) * v.contracted * v.taps;
}

template <typename T>
struct Run {
  const DepthwiseView& v;
  const Operands<T>& data;

  static constexpr int L = kLanes<T>;

  /// Scratch of a task: weights, the sources, finished lines, a plane turned whole, and the runs of a line.
  struct Memory {
    T *weights, *source, *lines, *plane;
    TapRun* runs;
  };

  void operator()(Index task) const {
    Memory m;
    m.weights = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    m.source = m.weights + v.weight_room * L;
    m.lines = m.source + v.source_room * L;
    m.plane = m.lines + line_vectors<T>(v) * L;
    m.runs = reinterpret_cast<TapRun*>(m.plane + turned_vectors<T>(v) * L);
    const Index first = task * v.groups_per_task, last = min(first + v.groups_per_task, ceil_div(v.jobs, L));
    LaneGroup<T> lanes(v, first);
    for (Index group = first; group < last; group++) {
      const LaneGroup<T> next(v, min(group + 1, last - 1));
      const bool finite = pack_weights(m.weights, lanes);
      Source<T> packer(v, lanes, next, data.first, m.plane);
      for (Index c = 0; c < v.contracted; c++) packer.pack(m.source + c * v.pitch[0] * L, c);
      // Zeros of a border times weights are zeros, unless these are infinite or not numbers.
      const bool clipped = finite && lanes.alike && v.border == Border::Zeros;
      for (Index j = 0; j < v.produced; j++) compute_planes(m, j, lanes, clipped);
      lanes = next;
    }
  }

  /// Whether all weights are finite.
  bool pack_weights(T* to, const LaneGroup<T>& lanes) const {
    const T* rows[L];
    for (int i = 0; i < L; i++) rows[i] = data.second + lanes.channel[i] * v.weight_room;
    rows_to_lanes(to, rows, rows, 0, v.weight_room, data.second + v.weight_size);
    Vec<T> sum{};
    for (Index k = 0; k < v.weight_room * L; k += L) sum += load(to + k) - load(to + k);
    bool finite = true;
    for (int i = 0; i < L; i++) finite &= sum[i] == T(0);
    return finite;
  }

  /// The outputs of one produced plane per lane: as many lines at a time as there is room for.
  void compute_planes(const Memory& m, Index produced, const LaneGroup<T>& lanes, bool clipped) const {
    const BlockAxis &d = v.axis[0], &h = v.axis[1], &w = v.axis[2];
    T* out[L];
    T bias[L] = {};
    for (int i = 0; i < L; i++) {
      const Index z = (lanes.plane[i] * v.produced + produced) * d.target + lanes.start[0][i] * d.every;
      out[i] = data.out + (z * h.target + lanes.start[1][i] * h.every) * w.target + lanes.start[2][i] * w.every;
      if (data.bias) bias[i] = data.bias[lanes.channel[i] * v.produced + produced];
    }
    Index size[3];  // outputs of the longest block
    for (int axis = 0; axis < 3; axis++) size[axis] = lanes.outputs(v.axis[axis], lanes.least[axis]);
    const T* weights = m.weights + produced * v.taps * L;
    // Lines that follow each other in memory are turned together: narrow ones fill the vectors.
    const Index together = size[2] == w.target ? max(1, 4 * L / size[2]) : 1;
    for (Index q = 0; q < size[0]; q++)
      for (Index line = 0; line < size[1]; line += together) {
        const Index lines = min(together, size[1] - line), at = (q * h.target + line) * w.target;
        for (int i = 0; i < L; i++) prefetch<1>(out[i] + at, lines * size[2]);
        for (Index y = line; y < line + lines; y++)
          compute_line(m.lines + (y - line) * size[2] * L, m, weights, lanes, q, y, size[2], clipped);
        Index counts[L];
        if (!lanes.alike) count_outputs(counts, lanes, q, line, lines, size[2]);
        lanes_to_rows<T>(out, at, lanes.alike ? nullptr : counts, m.lines, lines * size[2], load(bias),
                         data.activation);
      }
  }

  /// Line y of slab q of a block of outputs, `length` long.
  void compute_line(T* out, const Memory& m, const T* weights, const LaneGroup<T>& lanes, Index q, Index y,
                    Index length, bool clipped) const {
    const BlockAxis &d = v.axis[0], &h = v.axis[1], &w = v.axis[2];
    const DepthwisePhase* phase = v.phase + (q % d.every * h.every + y % h.every) * w.every;
    const Index t[2] = {q / d.every, y / h.every};
    Outputs<T> a;
    a.weights = weights;
    a.move = w.move * L;
    a.every = w.every * L;
    for (Index f = 0; f < min(w.every, length); f++, phase++) {
      a.x = m.source + (t[0] * v.pitch[1] + t[1] * v.pitch[2]) * L;
      a.out = out + f * L;
      a.run = phase->run;
      a.runs = phase->runs;
      a.first = lanes.least[2];
      if (clipped) choose_runs(a, m.runs, *phase, lanes.least[0] + t[0], lanes.least[1] + t[1]);
      if (clipped && w.source <= kNarrow) add_row<T, Meeting::Clipped>(a, ceil_div(length - f, w.every));
      else add_row<T, Meeting::PerLane>(a, ceil_div(length - f, w.every));
    }
  }

  /// Leave out the runs whose line lies in the border.
  static void choose_runs(Outputs<T>& a, TapRun* list, const DepthwisePhase& phase, Index q, Index y) {
    const auto within = [&](const auto& x) {
      return q >= x.inside[0] && q < x.outside[0] && y >= x.inside[1] && y < x.outside[1];
    };
    if (within(phase)) return;
    a.run = list;
    a.runs = 0;
    for (Index k = 0; k < phase.runs; k++)
      if (within(phase.run[k])) list[a.runs++] = phase.run[k];
  }

  /// Outputs of each block in `lines` lines of slab q that follow each other in memory.
  void count_outputs(Index* counts, const LaneGroup<T>& lanes, Index q, Index line, Index lines,
                     Index length) const {
    for (int i = 0; i < L; i++) {
      Index size[3];
      for (int axis = 0; axis < 3; axis++) size[axis] = lanes.outputs(v.axis[axis], lanes.start[axis][i]);
      const Index here = q < size[0] ? max(0, min(lines, size[1] - line)) : 0;
      counts[i] = here * (lines == 1 ? size[2] : length);
    }
  }
};

template <typename T>
std::size_t shared_bytes(const DepthwiseView&) {
  return 0;
}

template <typename T>
void depthwise_channels(const DepthwiseView& v, const Operands<T>& data) {
  Run<T> run{v, data};
  parallel_for(
      ceil_div(ceil_div(v.jobs, kLanes<T>), v.groups_per_task), [](void* r, Index i) { (*static_cast<Run<T>*>(r))(i); }, &run);
}

}  // namespace

template <typename T>
Family<T, DepthwiseView> depthwise_channels_family() {
  return {shared_bytes<T>, scratch_bytes<T>, depthwise_channels<T>};
}
template Family<float, DepthwiseView> depthwise_channels_family();
template Family<double, DepthwiseView> depthwise_channels_family();

}  // namespace convgrad::CONVGRAD_ISA
