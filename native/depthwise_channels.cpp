// depthwise_channels.cpp - convolution with one input channel per group, and its adjoint in x: planes as
// lanes. Lines are turned to lanes on their way into scratch; there every tap is one aligned vector per
// output, whatever the width, stride or dilation; finished lines are turned back as they are stored.
#include "depthwise_lanes.hpp"
#include "depthwise_tile.hpp"
#include "kernels.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

/// Planes up to this width have their borders passed over: there they are a large part of the work.
constexpr Index kNarrow = 2 * kMostOutputs;

/// Finished lines of this many outputs are turned together: narrow ones then fill the vectors.
template <typename T>
constexpr Index kTurned = 16 * kLanes<T>;

/// Vectors of finished lines, and what the turning reads past them.
template <typename T>
Index line_vectors(const DepthwiseView& v) {
  return max(kTurned<T>, v.axis[2].span * v.axis[2].every) + kLanes<T>;
}

/// Packed weights of a set, and whether they are finite.
inline Index weight_vectors(const DepthwiseView& v) { return v.weight_room + 1; }

template <typename T>
std::size_t scratch_bytes(const DepthwiseView& v) {
  const Index vectors = v.source_room + line_vectors<T>(v);
  return sizeof(T) * kLanes<T> * vectors + sizeof(TapRun) * v.contracted * v.taps;
}

template <typename T>
struct Run {
  const DepthwiseView& v;
  const Operands<T>& data;
  T* weights;  // of all sets

  static constexpr int L = kLanes<T>;

  /// Scratch of a task: the sources, finished lines, and the runs of a line.
  struct Memory {
    T *source, *lines;
    TapRun* runs;
  };

  void operator()(Index task) const {
    Memory m;
    m.source = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    m.lines = m.source + v.source_room * L;
    m.runs = reinterpret_cast<TapRun*>(m.lines + line_vectors<T>(v) * L);
    LanePacker<T> packer(v, data.first);
    const Index last = min(v.jobs, (task + 1) * v.jobs_per_task);
    PlaneBlock block = block_at(task * v.jobs_per_task);
    for (Index job = task * v.jobs_per_task; job < last; job++) {
      const PlaneBlock next = block_at(min(job + 1, last - 1));
      // Zeros of a border times weights are zeros, unless these are infinite or not numbers.
      const bool clipped = v.border == Border::Zeros && finite_weights(block.channel);
      packer.lines_unread = clipped;
      packer.edges_unread = clipped && v.axis[2].source <= kNarrow;
      for (Index c = 0; c < v.contracted; c++)
        packer.pack(m.source + c * v.pitch[0] * L,
                    data.first + (block.plane * v.contracted + c) * v.source_plane, block, next);
      for (Index j = 0; j < v.produced; j++) compute_planes(m, j, block, clipped);
      block = next;
    }
  }

  PlaneBlock block_at(Index job) const { return PlaneBlock::of(v, job / v.blocks, job % v.blocks); }

  /// The weights of a set of channels.
  T* weights_of(Index channel) const { return weights + channel / L * weight_vectors(v) * L; }

  void pack_weights(Index set) const {
    const Index channel = set * L;
    T* to = weights_of(channel);
    pack_lanes(to, L, data.second + channel * v.weight_room, v.weight_room, min(L, v.channels - channel),
               v.weight_room, data.second + v.weight_size);
    Vec<T> sum{};
    for (Index k = 0; k < v.weight_room * L; k += L) sum += load(to + k) - load(to + k);
    to[v.weight_room * L] = lane_sum<T>(sum);
  }
  /// Whether they are finite.
  bool finite_weights(Index channel) const { return weights_of(channel)[v.weight_room * L] == T(0); }

  /// How the outputs of a block are computed, line by line.
  struct Lines {
    const Memory& m;
    const PlaneBlock& block;
    RowTiles rows[2];  // of the phases along a line, the first few (`longer`) may have one output more
    Index longer;
    bool clipped, narrow;  // taps in a border of zeros are passed over: those of whole lines, all
  };

  /// The outputs of one produced plane per lane.
  void compute_planes(const Memory& m, Index produced, const PlaneBlock& block, bool clipped) const {
    const AxisView &d = v.axis[0], &h = v.axis[1], &w = v.axis[2];
    const Index apart = v.produced * v.target_plane, *size = block.size;
    T* out = data.out + (block.plane * v.produced + produced) * v.target_plane;
    out += (block.start[0] * d.every * h.target + block.start[1] * h.every) * w.target +
           block.start[2] * w.every;
    T bias[L] = {};
    for (Index i = 0; data.bias && i < block.planes; i++)
      bias[i] = data.bias[(block.channel + i) * v.produced + produced];
    Outputs<T> a{};
    a.weights = weights_of(block.channel) + produced * v.taps * L;
    a.move = w.advance * L;
    a.every = w.every * L;
    const Lines how{m,
                    block,
                    {RowTiles(block.count[2]), RowTiles(block.count[2] - 1)},
                    size[2] - (block.count[2] - 1) * w.every,
                    clipped,
                    clipped && w.source <= kNarrow};
    // Lines that follow each other in memory are turned together.
    const Index together = size[2] == w.target ? max(1, kTurned<T> / size[2]) : 1;
    for (Index q = 0; q < size[0]; q++)
      for (Index line = 0; line < size[1]; line += together) {
        const Index lines = min(together, size[1] - line);
        T* to = out + (q * h.target + line) * w.target;
        for (Index i = 0; i < block.planes; i++) prefetch<1>(to + i * apart, lines * size[2]);
        for (Index y = line; y < line + lines; y++)
          compute_line(a, m.lines + (y - line) * size[2] * L, how, q, y);
        store_lanes<T>(to, apart, m.lines, L, lines * size[2], block.planes, load(bias), data.activation);
      }
  }

  /// Line y of slab q.
  void compute_line(Outputs<T>& a, T* out, const Lines& how, Index q, Index y) const {
    const AxisView &d = v.axis[0], &h = v.axis[1], &w = v.axis[2];
    const PlaneBlock& block = how.block;
    const Index t[2] = {quotient(q, d.every), quotient(y, h.every)};
    const Index part = (q - t[0] * d.every) * v.parts[1] + y - t[1] * h.every;
    for (Index f = 0; f < min(w.every, block.size[2]); f++) {
      const DepthwisePhase& phase = v.phase[part * v.parts[2] + f];
      a.x = how.m.source + (t[0] * v.pitch[1] + t[1] * v.pitch[2]) * L;
      a.out = out + f * L;
      a.run = phase.run;
      a.runs = phase.runs;
      a.first = block.start[2];
      if (how.clipped) choose_runs<T>(a, how.m.runs, phase, block.start[0] + t[0], block.start[1] + t[1]);
      if (how.narrow) add_row<T, Meeting::Clipped>(a, how.rows[f >= how.longer]);
      else add_row<T, Meeting::PerLane>(a, how.rows[f >= how.longer]);
    }
  }

  /// Without dividing by one: that takes longer than some lines.
  static Index quotient(Index a, Index b) { return b == 1 ? a : a / b; }
};

template <typename T>
std::size_t shared_bytes(const DepthwiseView& v) {
  return sizeof(T) * kLanes<T> * weight_vectors(v) * v.sets;
}

template <typename T>
void depthwise_channels(const DepthwiseView& v, const Operands<T>& data) {
  Run<T> run{v, data, static_cast<T*>(scratch(Scratch::Shared, shared_bytes<T>(v)))};
  parallel_for(
      v.sets, [](void* r, Index i) { static_cast<Run<T>*>(r)->pack_weights(i); }, &run, v.weight_nanoseconds);
  parallel_for(
      ceil_div(v.jobs, v.jobs_per_task), [](void* r, Index i) { (*static_cast<Run<T>*>(r))(i); }, &run,
      v.nanoseconds);
}

}  // namespace

template <typename T>
Family<T, DepthwiseView> depthwise_channels_family() {
  return {shared_bytes<T>, scratch_bytes<T>, depthwise_channels<T>};
}
template Family<float, DepthwiseView> depthwise_channels_family();
template Family<double, DepthwiseView> depthwise_channels_family();

}  // namespace convgrad::CONVGRAD_ISA
