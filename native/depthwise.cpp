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

/// out[r every] (+)= products of the runs, for r < R.
template <typename T, int R>
void weighted_sums(const T* x, Index move, const T* w, const TapRun* run, Index runs, T* out, Index every,
                   bool add) {
  Vec<T> sum[R];
  CONVGRAD_UNROLL
  for (int r = 0; r < R; r++) sum[r] = Vec<T>{};
  for (Index k = 0; k < runs; k++) {
    switch (run[k].length) {
      case 1:
        add_run<T, R, 1>(sum, x, move, w, run[k]);
        break;
      case 2:
        add_run<T, R, 2>(sum, x, move, w, run[k]);
        break;
      case 3:
        add_run<T, R, 3>(sum, x, move, w, run[k]);
        break;
      default:
        add_run<T, R, kMostRun>(sum, x, move, w, run[k]);
    }
  }
  CONVGRAD_UNROLL
  for (int r = 0; r < R; r++, out += every) store(out, add ? load<T>(out) + sum[r] : sum[r]);
}

template <typename T>
using WeightedSums = void (*)(const T* x, Index move, const T* w, const TapRun* run, Index runs, T* out,
                              Index every, bool add);

template <typename T, int... R>
constexpr WeightedSums<T> weighted_sums_of(int outputs, std::integer_sequence<int, R...>) {
  constexpr WeightedSums<T> of[] = {weighted_sums<T, R + 1>...};
  return of[outputs - 1];
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
    rows_to_lanes(to, rows, v.weight_vectors, data.second + v.weight_size);
  }

  /// One line of outputs, `length` long, from the source line that its t = 0 reads.
  void compute_line(T* out, const T* source, const T* weights, const DepthwisePhase* phase, Index length) const {
    const BlockAxis& w = v.axis[2];
    for (Index f = 0; f < min(w.every, length); f++, phase++) {
      const Index count = ceil_div(length - f, w.every), tiles = ceil_div(count, kMostOutputs);
      for (Index k = 0; k == 0 || k < phase->runs; k += kChain) {
        const Index runs = min(kChain, phase->runs - k);
        for (Index i = 0, t = 0; i < tiles; i++) {
          const int outputs = int((count - t) / (tiles - i));
          weighted_sums_of<T>(outputs, std::make_integer_sequence<int, kMostOutputs>())(
              source + t * w.move * L, w.move * L, weights, phase->run + k, runs, out + (f + t * w.every) * L,
              w.every * L, k > 0);
          t += outputs;
        }
      }
    }
  }

  void operator()(Index task) const {
    const LaneGroup<T> lanes(v, task);
    T* weights = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    T* source = weights + v.weight_vectors * L;
    T* rows = source + v.source_vectors * L;
    T* zeros = rows + row_vectors<T>(v) * L;
    zero_run(zeros, v.axis[2].extent + L);
    pack_weights(weights, lanes);
    const LinePacker<T> pack{v.axis[2], v.border, data.first + v.source_size, zeros};
    for (Index c = 0; c < v.contracted; c++)
      pack_planes(source + c * v.pitch[0] * L, data.first, c, v, lanes, pack);
    for (Index j = 0; j < v.produced; j++)
      compute_planes(rows, source, weights + j * v.taps * L, j, lanes);
  }

  /// The outputs of one produced plane per lane: as many lines at a time as `rows` has room for.
  void compute_planes(T* rows, const T* source, const T* weights, Index produced, const LaneGroup<T>& lanes) const {
    const BlockAxis &d = v.axis[0], &h = v.axis[1], &w = v.axis[2];
    Index size[3], counts[3][L];  // outputs of the longest lane, and of each
    T* out[L];
    T bias[L];
    for (int i = 0; i < L; i++) {
      for (int axis = 0; axis < 3; axis++) counts[axis][i] = lanes.outputs(v, axis, i);
      const Index plane = lanes.plane[i] * v.produced + produced;
      out[i] = data.out + ((plane * d.target + lanes.start[0][i] * d.every) * h.target +
                           lanes.start[1][i] * h.every) * w.target + lanes.start[2][i] * w.every;
      bias[i] = data.bias ? data.bias[lanes.channel[i] * v.produced + produced] : T(0);
    }
    for (int axis = 0; axis < 3; axis++) {
      size[axis] = 0;
      for (int i = 0; i < L; i++) size[axis] = max(size[axis], counts[axis][i]);
    }
    // Lines that follow each other in memory are turned together: narrow ones fill the vectors.
    const Index together = size[2] == w.target ? max(1, 4 * L / size[2]) : 1;
    for (Index q = 0; q < size[0]; q++)
      for (Index line = 0; line < size[1]; line += together) {
        const Index lines = min(together, size[1] - line);
        for (Index r = 0; r < lines; r++) {
          const Index y = line + r;
          const DepthwisePhase* phase = v.phase + (q % d.every * h.every + y % h.every) * w.every;
          compute_line(rows + r * size[2] * L,
                       source + (q / d.every * v.pitch[1] + y / h.every * v.pitch[2]) * L, weights, phase, size[2]);
        }
        store_lines(out, counts, rows, bias, q, line, lines, size[2]);
      }
  }

  void store_lines(T* const* out, const Index (*counts)[L], const T* rows, const T* bias, Index q, Index line,
                   Index lines, Index length) const {
    T* to[L];
    Index valid[L];
    for (int i = 0; i < L; i++) {
      to[i] = out[i] + (q * v.axis[1].target + line) * v.axis[2].target;
      const Index here = q < counts[0][i] ? max(0, min(lines, counts[1][i] - line)) : 0;
      valid[i] = lines == 1 ? here * counts[2][i] : here * length;
    }
    lanes_to_rows<T>(to, valid, rows, lines * length, load(bias), data.activation);
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
  const Index vectors = v.weight_vectors + v.source_vectors + row_vectors<T>(v);
  return sizeof(T) * (vectors * kLanes<T> + v.axis[2].extent + kLanes<T>);
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
