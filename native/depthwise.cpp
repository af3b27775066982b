// depthwise.cpp - convolution with one input channel per group, and its adjoint in x: blocks of outputs as lanes.
// Lines are turned to lanes on their way into scratch; there every tap is one aligned vector per output, whatever
// the width, stride or dilation; finished lines are turned back as they are stored.
#include "depthwise_source.hpp"
#include "kernels.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

/// Most outputs summed at a time, such that all sums stay in registers beside a run of weights.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kMostOutputs = 14;
#else
constexpr int kMostOutputs = 10;
#endif
constexpr Index kChain = 64;  // runs per chain of additions: short chains round less

/// sum[r] += products of a run of K taps with the entries that output r meets.
template <typename T, int R, int K>
CONVGRAD_INLINE void add_run(Vec<T>* sum, const T* x, Index move, const T* w, const TapRun& run) {
  constexpr int L = kLanes<T>;
  Vec<T> weight[K];
  CONVGRAD_UNROLL
  for (int k = 0; k < K; k++) weight[k] = held(load(w + (run.weight + k * run.weight_step) * L));
  x += run.source * L;
  CONVGRAD_UNROLL
  for (int i = 0; i < R + K - 1; i++, x += move) {
    const Vec<T> entry = held(load(x));
    CONVGRAD_UNROLL
    for (int k = 0; k < K; k++)
      if (i - k >= 0 && i - k < R) sum[i - k] += weight[k] * entry;
  }
}

/// Sums of products that neighbouring outputs have in common: where they read, and where they go.
template <typename T>
struct Outputs {
  const T *x, *weights;
  T* out;
  Index move, every;  // elements from one output to the next, in x and in out
  const TapRun* run;
  Index runs;
  bool add;
};

/// out (+)= products of the runs, for `tiles` times R outputs.
template <typename T, int R>
void weighted_sums(const Outputs<T>& a, Index tiles) {
  const T* x = a.x;
  T* out = a.out;
  for (; tiles > 0; tiles--, x += R * a.move) {
    Vec<T> sum[R];
    CONVGRAD_UNROLL
    for (int r = 0; r < R; r++) sum[r] = Vec<T>{};
    for (const TapRun *run = a.run, *end = run + a.runs; run < end; run++) {
      switch (run->length) {
        case 1:
          add_run<T, R, 1>(sum, x, a.move, a.weights, *run);
          break;
        case 2:
          add_run<T, R, 2>(sum, x, a.move, a.weights, *run);
          break;
        case 3:
          add_run<T, R, 3>(sum, x, a.move, a.weights, *run);
          break;
        default:
          add_run<T, R, kMostRun>(sum, x, a.move, a.weights, *run);
      }
    }
    CONVGRAD_UNROLL
    for (int r = 0; r < R; r++, out += a.every) store(out, a.add ? load<T>(out) + sum[r] : sum[r]);
  }
}

template <typename T, int... R>
CONVGRAD_INLINE void weighted_sums(const Outputs<T>& a, Index outputs, Index tiles,
                                   std::integer_sequence<int, R...>) {
  using Sums = void (*)(const Outputs<T>& a, Index tiles);
  static constexpr Sums of[] = {weighted_sums<T, R + 1>...};
  of[outputs - 1](a, tiles);
}

/// `count` outputs, in tiles as even as can be.
template <typename T>
CONVGRAD_INLINE void weighted_sums(Outputs<T> a, Index count) {
  constexpr auto sizes = std::make_integer_sequence<int, kMostOutputs>();
  const Index tiles = ceil_div(count, kMostOutputs), size = count / tiles, larger = count % tiles;
  if (larger) weighted_sums<T>(a, size + 1, larger, sizes);
  a.x += larger * (size + 1) * a.move;
  a.out += larger * (size + 1) * a.every;
  weighted_sums<T>(a, size, tiles - larger, sizes);
}

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
    for (int i = 0; i < L; i++) rows[i] = data.second + lanes.channel[i] * v.weight_vectors;
    rows_to_lanes(to, rows, 0, v.weight_vectors, data.second + v.weight_size);
  }

  void operator()(Index task) const {
    const LaneGroup<T> lanes(v, task);
    T* weights = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    T* source = weights + v.weight_vectors * L;
    T* rows = source + v.source_vectors * L;
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
    for (Index f = 0; f < min(w.every, length); f++, phase++)
      for (Index k = 0; k == 0 || k < phase->runs; k += kChain)
        weighted_sums<T>({source, weights, out + f * L, w.move * L, w.every * L, phase->run + k,
                          min(kChain, phase->runs - k), k > 0},
                         ceil_div(length - f, w.every));
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
         (v.weight_vectors + v.source_vectors + row_vectors<T>(v) + turned_vectors<T>(v));
}

template <typename T>
std::size_t shared_bytes(const DepthwiseView&) {
  return 0;
}

template <typename T>
void depthwise(const DepthwiseView& v, const Operands<T>& data) {
  Run<T> run{v, data};
  parallel_for(
      ceil_div(v.jobs, kLanes<T>), [](void* r, Index i) { (*static_cast<Run<T>*>(r))(i); }, &run);
}

}  // namespace

template <typename T>
Family<T, DepthwiseView> depthwise_family() {
  return {shared_bytes<T>, scratch_bytes<T>, depthwise<T>};
}
template Family<float, DepthwiseView> depthwise_family();
template Family<double, DepthwiseView> depthwise_family();

}  // namespace convgrad::CONVGRAD_ISA
