// depthwise_channels.cpp - convolution with one input channel per group, and its adjoint in x: blocks of outputs as lanes.
// Lines are turned to lanes on their way into scratch; there every tap is one aligned vector per output, whatever
// the width, stride or dilation; finished lines are turned back as they are stored.
#include "depthwise_source.hpp"
#include "depthwise_tile.hpp"
#include "kernels.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

template <typename T>
Index row_vectors(const DepthwiseView& v);
template <typename T>
std::size_t scratch_bytes(const DepthwiseView& v);

template <typename T>
struct Run {
  const DepthwiseView& v;
  const Operands<T>& data;

  static constexpr int L = kLanes<T>;

  void pack_weights(T* to, const LaneGroup<T>& lanes) const {
    const T* rows[L];
    for (int i = 0; i < L; i++) rows[i] = data.second + lanes.channel[i] * v.weight_room;
    rows_to_lanes(to, rows, 0, v.weight_room, data.second + v.weight_size);
  }

  void operator()(Index task) const {
    const LaneGroup<T> lanes(v, task);
    T* weights = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    T* source = weights + v.weight_room * L;
    T* rows = source + v.source_room * L;
    pack_weights(weights, lanes);
    Source<T> packer(v, lanes, data.first, rows + row_vectors<T>(v) * L);
    for (Index c = 0; c < v.contracted; c++) packer.pack(source + c * v.pitch[0] * L, c);
    for (Index j = 0; j < v.produced; j++)
      compute_planes(rows, source, weights + j * v.taps * L, j, lanes);
  }

  /// The outputs of one produced plane per lane: as many lines at a time as `rows` has room for.
  void compute_planes(T* rows, const T* source, const T* weights, Index produced, const LaneGroup<T>& lanes) const {
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
    // Lines that follow each other in memory are turned together: narrow ones fill the vectors.
    const Index together = size[2] == w.target ? max(1, 4 * L / size[2]) : 1;
    for (Index q = 0; q < size[0]; q++)
      for (Index line = 0; line < size[1]; line += together) {
        const Index lines = min(together, size[1] - line);
        for (Index y = line; y < line + lines; y++)
          compute_line(rows + (y - line) * size[2] * L,
                       source + (q / d.every * v.pitch[1] + y / h.every * v.pitch[2]) * L, weights,
                       v.phase + (q % d.every * h.every + y % h.every) * w.every, size[2]);
        Index counts[L];
        if (!lanes.alike) count_outputs(counts, lanes, q, line, lines, size[2]);
        lanes_to_rows<T>(out, (q * h.target + line) * w.target, lanes.alike ? nullptr : counts, rows,
                         lines * size[2], load(bias), data.activation);
      }
  }

  /// One line of outputs, `length` long, from the source line that its t = 0 reads.
  void compute_line(T* out, const T* source, const T* weights, const DepthwisePhase* phase, Index length) const {
    const BlockAxis& w = v.axis[2];
    for (Index f = 0; f < min(w.every, length); f++, phase++) {
      const Outputs<T> outputs{source,       weights, out + f * L, w.move * L, w.every * L, 0,
                               0,            phase->run, phase->runs, T(0), Activation::None};
      weighted_row<T, false>(outputs, ceil_div(length - f, w.every));
    }
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

/// Room for finished lines: several narrow ones, or one, and what the turning reads past them.
template <typename T>
Index row_vectors(const DepthwiseView& v) {
  const Index line = v.axis[2].span * v.axis[2].every;
  return max(4 * kLanes<T>, line) + kLanes<T>;
}

template <typename T>
std::size_t scratch_bytes(const DepthwiseView& v) {
  return sizeof(T) * kLanes<T> *
         (v.weight_room + v.source_room + row_vectors<T>(v) + turned_vectors<T>(v));
}

template <typename T>
std::size_t shared_bytes(const DepthwiseView&) {
  return 0;
}

template <typename T>
void depthwise_channels(const DepthwiseView& v, const Operands<T>& data) {
  Run<T> run{v, data};
  parallel_for(
      ceil_div(v.jobs, kLanes<T>), [](void* r, Index i) { (*static_cast<Run<T>*>(r))(i); }, &run);
}

}  // namespace

template <typename T>
Family<T, DepthwiseView> depthwise_channels_family() {
  return {shared_bytes<T>, scratch_bytes<T>, depthwise_channels<T>};
}
template Family<float, DepthwiseView> depthwise_channels_family();
template Family<double, DepthwiseView> depthwise_channels_family();

}  // namespace convgrad::CONVGRAD_ISA
