// depthwise_pixels.cpp - convolution with one input channel per group, and its adjoint in x: pixels as lanes.
// A block of lines is padded into first-level cache; each vector loaded there serves all outputs of its
// column, or, in one line, all outputs whole vectors away.
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
  if (every == 1) return copy_exactly(to, from, n);
  if (every == 2) {
    for (Index k = 0; k < n; k += 2 * L) {
      const Vec<T> even = load(from + k / 2), odd = load(from + room + k / 2);
      T pairs[2 * L] __attribute__((aligned(64)));
      T* out = k + 2 * L <= n ? to + k : pairs;
      store(out, lower_pairs<T>(even, odd, lanes));
      store(out + L, upper_pairs<T>(even, odd, lanes));
      if (out == pairs) copy_exactly(to + k, pairs, n - k);
    }
    return;
  }
  for (Index f = 0; f < every; f++, from += room)
    for (Index j = 0, k = f; k < n; j++, k += every) to[k] = from[j];
}

template <typename T>
struct Run {
  const DepthwiseView& v;
  const Operands<T>& data;

  static constexpr int L = kLanes<T>;

  void operator()(Index task) const {
    T* source = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    T* lines = source + v.source_room + L;
    const PlanePacker<T> pack{v};
    if (keeps_zeros(v)) zero_exactly(source, v.source_room);
    const Index last = min(v.jobs, (task + 1) * v.jobs_per_task);
    Index plane = task * v.jobs_per_task / v.blocks, number = task * v.jobs_per_task % v.blocks;
    PlaneBlock block = PlaneBlock::of(v, plane, number);
    for (Index job = task * v.jobs_per_task; job < last; job++) {
      if (++number == v.blocks) number = 0, plane++;
      const PlaneBlock next = PlaneBlock::of(v, plane, number);
      const Index ahead = job + 1 < last ? distance(v, block, next) : 0;
      for (Index c = 0; c < v.contracted; c++)
        pack(source + c * v.pitch[0], data.first + (block.plane * v.contracted + c) * v.source_plane, block,
             ahead);
      for (Index j = 0; j < v.produced; j++) compute(block, j, source, lines);
      block = next;
    }
  }

  void compute(const PlaneBlock& block, Index produced, const T* source, T* lines) const {
    const AxisView &d = v.axis[0], &h = v.axis[1], &w = v.axis[2];
    const Index channel = block.channel, plane = block.plane * v.produced + produced;
    Outputs<T> a{};
    a.weights = data.second + channel * v.weight_room + produced * v.taps;
    a.bias = data.bias ? data.bias[channel * v.produced + produced] : T(0);
    a.activation = data.activation;
    a.move = v.run_move;
    for (Index q = 0; q < block.size[0]; q++) {
      T* slab = data.out +
                ((plane * d.target + block.start[0] * d.every + q) * h.target + block.start[1] * h.every) *
                    w.target +
                block.start[2] * w.every;
      // Lines of one phase, and of one class of those that share entries.
      const Index classes = v.tall ? v.line_step : 1;
      for (Index f = 0; f < min(h.every, block.size[1]); f++)
        for (Index first = 0; first < min(classes, block.count[1]); first++) {
          const Index count = ceil_div(ceil_div(block.size[1] - f, h.every) - first, classes);
          Lines of{source + q / d.every * v.pitch[1] + first * v.pitch[2],
                   classes * v.pitch[2],
                   slab + (f + first * h.every) * w.target,
                   classes * h.every * w.target,
                   block.size[2],
                   v.phase + (q % d.every * v.parts[1] + f) * v.parts[2]};
          if (count > 0) compute_lines(a, of, count, lines);
        }
    }
  }

  /// Lines of outputs that share entries.
  struct Lines {
    const T* x;
    Index pitch;  // from one to the next, in x
    T* out;
    Index every, length;  // from one to the next in out, and entries of one
    const DepthwisePhase* phase;
  };

  void compute_lines(Outputs<T>& a, Lines& of, Index count, T* room) const {
    const Index tiles = v.tall ? ceil_div(count, kMostOutputs) : count;
    for (Index i = 0; i < tiles; i++) {
      const Index here = count / (tiles - i);
      for (Index r = 0; r < here; r++) prefetch<1>(of.out + r * of.every, of.length);
      if (v.axis[2].every == 1 && of.length >= L)
        compute_tile(a, of.x, of.out, of.every, here, *of.phase, of.length);
      else compute_apart(a, of, here, room);
      of.x += here * of.pitch;
      of.out += here * of.every;
      count -= here;
    }
  }

  /// `count` lines straight into place; the last vector of each may overlap the one before.
  void compute_tile(Outputs<T>& a, const T* x, T* out, Index every, Index count, const DepthwisePhase& phase,
                    Index length) const {
    a.run = phase.run;
    a.runs = phase.runs;
    a.every = v.tall ? every : L;
    a.x_step = a.out_step = L;
    for (int part = 0; part < 2; part++) {
      const Index at = part ? length - L : 0, vectors = part ? length % L != 0 : length / L;
      a.x = x + at;
      a.out = out + at;
      if (!vectors) continue;
      if (v.tall) add_tiles<T, Meeting::Single>(a, count, vectors);
      else add_row<T, Meeting::Single>(a, RowTiles(vectors));
    }
  }

  /// Lines by way of scratch: phases side by side, or less than a vector.
  void compute_apart(Outputs<T>& a, const Lines& of, Index count, T* room) const {
    const Index step = v.axis[2].every, pitch = line_room<T>(v);
    for (Index f = 0; f < min(step, of.length); f++)
      compute_tile(a, of.x, room + f * pitch, step * pitch, count, of.phase[f],
                   round_up(ceil_div(of.length - f, step), L));
    for (Index i = 0; i < count; i++)
      interleave(of.out + i * of.every, room + i * step * pitch, pitch, step, of.length);
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
      ceil_div(v.jobs, v.jobs_per_task), [](void* r, Index i) { (*static_cast<Run<T>*>(r))(i); }, &run,
      v.nanoseconds);
}

}  // namespace

template <typename T>
Family<T, DepthwiseView> depthwise_pixels_family() {
  return {shared_bytes<T>, scratch_bytes<T>, depthwise_pixels<T>};
}
template Family<float, DepthwiseView> depthwise_pixels_family();
template Family<double, DepthwiseView> depthwise_pixels_family();

}  // namespace convgrad::CONVGRAD_ISA
