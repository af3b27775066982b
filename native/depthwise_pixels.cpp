// depthwise_pixels.cpp - convolution with one input channel per group, and its adjoint in x: pixels as lanes.
// A block of lines is padded into first-level cache; each vector loaded there serves all outputs of its column, or,
// in one line, all outputs whole vectors away.
#include "depthwise_lines.hpp"
#include "depthwise_tile.hpp"
#include "kernels.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

template <typename T>
Index line_room(const DepthwiseView& v) {
  return round_up(v.axis[2].span, kLanes<T>);
}

template <typename T>
std::size_t scratch_bytes(const DepthwiseView& v) {
  const Index lines = v.axis[2].every * kMostOutputs * line_room<T>(v);
  return sizeof(T) * (v.source_room + lines + kLanes<T>);
}

template <typename T, int... I>
CONVGRAD_INLINE Vec<T> lower_pairs(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (I % 2 * kLanes<T> + I / 2)...);
}
template <typename T, int... I>
CONVGRAD_INLINE Vec<T> upper_pairs(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (I % 2 * kLanes<T> + (I + kLanes<T>) / 2)...);
}

/// to[every j + f] = from[f room + j], for n entries of `to`.
template <typename T>
void interleave(T* to, const T* from, Index room, Index every, Index n) {
  constexpr int L = kLanes<T>;
  constexpr auto lanes = std::make_integer_sequence<int, L>();
  if (every == 1) return copy_run(to, from, n);
  Index k = 0;
  for (; every == 2 && k + 2 * L <= n; k += 2 * L) {
    const Vec<T> even = load(from + k / 2), odd = load(from + room + k / 2);
    store(to + k, lower_pairs<T>(even, odd, lanes));
    store(to + k + L, upper_pairs<T>(even, odd, lanes));
  }
  for (; k < n; k++) to[k] = from[k % every * room + k / every];
}

template <typename T>
struct Run {
  const DepthwiseView& v;
  const Operands<T>& data;

  static constexpr int L = kLanes<T>;

  void operator()(Index task) const {
    T* source = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    T* lines = source + v.source_room + L;
    const Index size = v.axis[0].source * v.axis[1].source * v.axis[2].source, blocks = v.jobs / v.planes;
    const Index last = min(v.jobs, (task + 1) * v.jobs_per_task);
    Index plane = task * v.jobs_per_task / blocks, number = task * v.jobs_per_task % blocks;
    for (Index job = task * v.jobs_per_task; job < last; job++) {
      const PlaneBlock block = PlaneBlock::of(v, plane, number);
      for (Index c = 0; c < v.contracted; c++)
        pack_plane(source + c * v.pitch[0], data.first + (plane * v.contracted + c) * size, v, block);
      for (Index j = 0; j < v.produced; j++) compute(block, j, source, lines);
      if (++number == blocks) number = 0, plane++;
    }
  }

  void compute(const PlaneBlock& block, Index produced, const T* source, T* lines) const {
    const BlockAxis &d = v.axis[0], &h = v.axis[1], &w = v.axis[2];
    const Index channel = block.plane % v.channels, plane = block.plane * v.produced + produced;
    Outputs<T> a{};
    a.weights = data.second + channel * v.weight_room + produced * v.taps;
    a.bias = data.bias ? data.bias[channel * v.produced + produced] : T(0);
    a.activation = data.activation;
    a.move = v.run_move;
    for (Index q = 0; q < block.size[0]; q++) {
      T* slab = data.out + ((plane * d.target + block.start[0] * d.every + q) * h.target +
                            block.start[1] * h.every) * w.target + block.start[2] * w.every;
      // Lines of one phase, and of one class of those that share entries.
      const Index classes = v.tall ? v.line_step : 1;
      for (Index f = 0; f < min(h.every, block.size[1]); f++)
        for (Index first = 0; first < min(classes, block.count[1]); first++) {
          const Index count = ceil_div(ceil_div(block.size[1] - f, h.every) - first, classes);
          if (count <= 0) continue;
          const DepthwisePhase* phase = v.phase + (q % d.every * h.every + f) * w.every;
          a.x = source + q / d.every * v.pitch[1] + first * v.pitch[2];
          const Index every = classes * h.every * w.target;
          compute_class(a, slab + (f + first * h.every) * w.target, every, count, phase, block.size[2], lines);
        }
    }
  }

  /// `count` lines of outputs, `every` apart, `length` long.
  void compute_class(Outputs<T> a, T* out, Index every, Index count, const DepthwisePhase* phase, Index length,
                     T* lines) const {
    const Index most = v.tall ? kMostOutputs : 1, tiles = ceil_div(count, most);
    const Index x_line = (v.tall ? v.line_step : 1) * v.pitch[2];
    for (Index i = 0; i < tiles; i++) {
      const Index here = count / (tiles - i);
      if (v.axis[2].every == 1 && length >= L) compute_lines(a, out, every, here, *phase, length);
      else compute_apart(a, out, every, here, phase, length, lines);
      a.x += here * x_line;
      out += here * every;
      count -= here;
    }
  }

  /// Lines straight into place; the last vector of each may overlap the one before.
  void compute_lines(Outputs<T> a, T* out, Index every, Index count, const DepthwisePhase& phase,
                     Index length) const {
    a.run = phase.run;
    a.runs = phase.runs;
    a.out = out;
    const Index tail = length % L ? length - L : -1;
    if (v.tall) {
      a.every = every;
      a.x_step = a.out_step = L;
      add_tiles<T, true>(a, count, length / L);
      if (tail < 0) return;
      a.x += tail;
      a.out += tail;
      add_tiles<T, true>(a, count, 1);
    } else {
      a.every = L;
      weighted_row<T, true>(a, length / L);
      if (tail < 0) return;
      a.x += tail;
      a.out += tail;
      weighted_row<T, true>(a, 1);
    }
  }

  /// Lines by way of scratch: phases side by side, or less than a vector.
  void compute_apart(const Outputs<T>& a, T* out, Index every, Index count, const DepthwisePhase* phase, Index length,
                     T* lines) const {
    const Index step = v.axis[2].every, room = line_room<T>(v);
    for (Index f = 0; f < min(step, length); f++)
      compute_lines(a, lines + f * room, step * room, count, phase[f], round_up(ceil_div(length - f, step), L));
    for (Index i = 0; i < count; i++) interleave(out + i * every, lines + i * step * room, room, step, length);
  }
};

template <typename T>
std::size_t shared_bytes(const DepthwiseView&) {
  return 0;
}

template <typename T>
void depthwise_pixels(const DepthwiseView& v, const Operands<T>& data) {
  Run<T> run{v, data};
  parallel_for(
      ceil_div(v.jobs, v.jobs_per_task), [](void* r, Index i) { (*static_cast<Run<T>*>(r))(i); }, &run);
}

}  // namespace

template <typename T>
Family<T, DepthwiseView> depthwise_pixels_family() {
  return {shared_bytes<T>, scratch_bytes<T>, depthwise_pixels<T>};
}
template Family<float, DepthwiseView> depthwise_pixels_family();
template Family<double, DepthwiseView> depthwise_pixels_family();

}  // namespace convgrad::CONVGRAD_ISA
