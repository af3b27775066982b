// depthwise_pixel_weights.cpp - weight gradient of a convolution with one input channel per group: pixels as lanes.
// A task sums over blocks and samples of one channel, in an order that depends on the shape alone.
#include "depthwise_lines.hpp"
#include "depthwise_products.hpp"
#include "kernels.hpp"
#include "transpose.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

/// Elements of the sums of a channel: a vector per weight.
template <typename T>
Index total_room(const DepthwiseView& v) {
  return round_up(v.weight_room, kLanes<T>) * kLanes<T>;
}

template <typename T>
std::size_t scratch_bytes(const DepthwiseView& v) {
  return sizeof(T) * (total_room<T>(v) + v.source_room + kLanes<T> * (1 + v.axis[1].span));
}

/// to[i] = sum of the lanes of vector i of `from`, for i < n <= L.
template <typename T>
void add_lanes(T* to, const T* from, Index n) {
  constexpr int L = kLanes<T>;
  Vec<T> block[L];
  CONVGRAD_UNROLL
  for (int i = 0; i < L; i++) block[i] = load(from + i * L);
  transpose<T>(block);
  CONVGRAD_UNROLL
  for (int half = L / 2; half > 0; half /= 2) {
    CONVGRAD_UNROLL
    for (int i = 0; i < half; i++) block[i] += block[i + half];
  }
  for (Index i = 0; i < n; i++) to[i] = block[0][i];
}

/// The lanes of the last vector of `length` entries that no vector before has. It ends where the entries do or, if
/// they do not fill one, begins there.
template <typename T>
LaneFilter<T, true> tail_lanes(Index length) {
  constexpr int L = kLanes<T>;
  T number[L];
  for (int i = 0; i < L; i++) number[i] = T(length < L ? L - 1 - i : i);
  return {load(number), T(L - length % L)};
}

template <typename T>
struct WeightRun {
  const DepthwiseView& v;
  const Operands<T>& data;
  T* partial;  // by part, channel, weight

  static constexpr int L = kLanes<T>;

  void operator()(Index task) const {
    const BlockAxis* axis = v.axis;
    const Index channel = task / v.parts, part = task % v.parts;
    const Index blocks = v.jobs / v.planes, jobs = v.jobs / v.channels;  // of a plane, and of a channel
    const Index x_size = axis[0].source * axis[1].source * axis[2].source;
    const Index g_size = axis[0].target * axis[1].target * axis[2].target;
    T* total = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    T* x = total + total_room<T>(v);
    T* g = x + v.source_room + L;
    const PlanePacker<T> pack{v};
    zero_run(total, total_room<T>(v));
    if (keeps_zeros(v)) zero_run(x, v.source_room);
    const Index first = part * jobs / v.parts, last = (part + 1) * jobs / v.parts;
    const auto block_of = [&](Index job) { return PlaneBlock::of(v, job / blocks * v.channels + channel, job % blocks); };
    PlaneBlock block = block_of(first);
    for (Index job = first; job < last; job++) {
      const PlaneBlock next = block_of(min(job + 1, last - 1));
      pack(x, data.first + block.plane * x_size, block, distance(v, block, next));
      for (Index j = 0; j < v.multiplier; j++) {
        add_block(total + j * v.taps * L, x, data.second + (block.plane * v.multiplier + j) * g_size, block, g);
        ask_for(data.second + (next.plane * v.multiplier + j) * g_size, next);
      }
      block = next;
    }
    T* to = partial + (part * v.channels + channel) * v.weight_room;
    for (Index k = 0; k < v.weight_room; k += L) add_lanes(to + k, total + k * L, min(L, v.weight_room - k));
  }

  /// Have the memory bring a block of g near.
  void ask_for(const T* plane, const PlaneBlock& block) const {
    const BlockAxis &h = v.axis[1], &w = v.axis[2];
    for (Index q = 0; q < block.count[0]; q++)
      for (Index y = 0; y < block.count[1]; y++)
        prefetch<0>(plane + ((block.start[0] + q) * h.target + block.start[1] + y) * w.target + block.start[2],
                    block.count[2]);
  }

  void add_block(T* total, const T* x, const T* plane, const PlaneBlock& block, T* room) const {
    const BlockAxis &h = v.axis[1], &w = v.axis[2];
    for (Index q = 0; q < block.count[0]; q++) {
      const T* g = plane + ((block.start[0] + q) * h.target + block.start[1]) * w.target + block.start[2];
      Index pitch = w.target;
      if (block.count[2] < L) {  // less than a vector: what follows may be the end of the array
        for (Index y = 0; y < block.count[1]; y++)
          for (Index t = 0; t < block.count[2]; t++) room[y * L + t] = g[y * pitch + t];
        g = room;
        pitch = L;
      }
      const Index classes = v.tall ? min(v.line_step, block.count[1]) : 1;
      for (Index i = 0; i < classes; i++)
        add_lines(total, x + q * v.pitch[1] + i * v.pitch[2], g + i * pitch, classes * pitch,
                  ceil_div(block.count[1] - i, classes), block.count[2]);
    }
  }

  /// Lines of outputs that share entries.
  void add_lines(T* total, const T* x, const T* g, Index pitch, Index lines, Index length) const {
    const Index x_pitch = v.tall ? v.run_move : v.pitch[2], vectors = length / L;
    Rectangle<T> a = v.tall ? Rectangle<T>{x, g, x_pitch, pitch, L, L, vectors, lines, 1}
                            : Rectangle<T>{x, g, L, L, x_pitch, pitch, lines, vectors, 1};
    if (vectors) add_rectangle<T>(a, *v.phase, total);
    if (length % L == 0) return;
    (v.tall ? a.lines : a.outputs) = 1;
    a.x += max(0, length - L);
    a.g += max(0, length - L);
    add_rectangle<T>(a, *v.phase, total, tail_lanes<T>(length));
  }

  /// The weights of a channel: the sums of its parts.
  void combine(Index channel) const {
    for (Index k = 0; k < v.weight_room; k++) {
      double sum = 0;
      for (Index part = 0; part < v.parts; part++)
        sum += double(partial[(part * v.channels + channel) * v.weight_room + k]);
      data.out[channel * v.weight_room + k] = T(sum);
    }
  }
};

/// One part is the whole sum.
template <typename T>
std::size_t shared_bytes(const DepthwiseView& v) {
  return v.parts == 1 ? 0 : sizeof(T) * v.parts * v.weight_size;
}

template <typename T>
void depthwise_pixel_weights(const DepthwiseView& v, const Operands<T>& data) {
  WeightRun<T> run{v, data, v.parts == 1 ? data.out : static_cast<T*>(scratch(Scratch::Shared, shared_bytes<T>(v)))};
  parallel_for(
      v.channels * v.parts, [](void* r, Index i) { (*static_cast<WeightRun<T>*>(r))(i); }, &run);
  if (v.parts > 1)
    parallel_for(
        v.channels, [](void* r, Index i) { static_cast<WeightRun<T>*>(r)->combine(i); }, &run);
}

}  // namespace

template <typename T>
Family<T, DepthwiseView> depthwise_pixel_weights_family() {
  return {shared_bytes<T>, scratch_bytes<T>, depthwise_pixel_weights<T>};
}
template Family<float, DepthwiseView> depthwise_pixel_weights_family();
template Family<double, DepthwiseView> depthwise_pixel_weights_family();

}  // namespace convgrad::CONVGRAD_ISA
