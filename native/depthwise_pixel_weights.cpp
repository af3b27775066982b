// depthwise_pixel_weights.cpp - weight gradient of a convolution with one input channel per group: pixels as
// lanes.
#include "depthwise_parts.hpp"
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
  return sizeof(T) * (v.sets_per_task * total_room<T>(v) + v.source_room + kLanes<T> * (1 + v.axis[1].span));
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

/// The lanes of the last vector of `length` entries that no vector before has. It ends where the entries do
/// or, if they do not fill one, begins there.
template <typename T>
LaneFilter<T, true> tail_lanes(Index length) {
  constexpr int L = kLanes<T>;
  T number[L];
  for (int i = 0; i < L; i++) number[i] = T(length < L ? L - 1 - i : i);
  return {load(number), T(L - length % L)};
}

template <typename T>
struct PixelSum {
  const DepthwiseView& v;
  const Operands<T>& data;
  T* partial;  // by part, channel, weight

  static constexpr int L = kLanes<T>;

  void operator()(Index task) const {
    T* totals = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    T* x = totals + v.sets_per_task * total_room<T>(v);
    T* g = x + v.source_room + L;
    const PlanePacker<T> pack{v};
    zero_run(totals, v.sets_per_task * total_room<T>(v));
    if (keeps_zeros(v)) zero_exactly(x, v.source_room);
    Walk walk(v, task);
    PlaneBlock block = walk.block();
    while (!walk.done()) {
      T* total = totals + (walk.s - walk.set[0]) * total_room<T>(v);
      walk.advance();
      const PlaneBlock next = walk.done() ? block : walk.block();
      pack(x, data.first + block.plane * v.source_plane, block, distance(v, block, next));
      for (Index j = 0; j < v.multiplier; j++) {
        add_block(total + j * v.taps * L, x, data.second + (block.plane * v.multiplier + j) * v.target_plane,
                  block, g);
        ask_for(data.second + (next.plane * v.multiplier + j) * v.target_plane, next);
      }
      block = next;
    }
    for (Index c = walk.set[0]; c < walk.set[1]; c++, totals += total_room<T>(v)) {
      T* to = partial + (walk.part * v.channels + c) * v.weight_room;
      for (Index k = 0; k < v.weight_room; k += L)
        add_lanes(to + k, totals + k * L, min(L, v.weight_room - k));
    }
  }

  /// Have the memory bring a block of g near.
  void ask_for(const T* plane, const PlaneBlock& block) const {
    const AxisView &h = v.axis[1], &w = v.axis[2];
    for (Index q = 0; q < block.count[0]; q++)
      for (Index y = 0; y < block.count[1]; y++)
        prefetch<0>(
            plane + ((block.start[0] + q) * h.target + block.start[1] + y) * w.target + block.start[2],
            block.count[2]);
  }

  void add_block(T* total, const T* x, const T* plane, const PlaneBlock& block, T* room) const {
    const AxisView &h = v.axis[1], &w = v.axis[2];
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
};

}  // namespace

template <typename T>
Family<T, DepthwiseView> depthwise_pixel_weights_family() {
  return {parts_bytes<T>, scratch_bytes<T>, sum_weights<T, PixelSum>};
}
template Family<float, DepthwiseView> depthwise_pixel_weights_family();
template Family<double, DepthwiseView> depthwise_pixel_weights_family();

}  // namespace convgrad::CONVGRAD_ISA
