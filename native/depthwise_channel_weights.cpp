// depthwise_channel_weights.cpp - weight gradient of a convolution with one input channel per group: planes
// as lanes.
#include "depthwise_lanes.hpp"
#include "depthwise_parts.hpp"
#include "depthwise_products.hpp"
#include "kernels.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

template <typename T>
Index g_vectors(const DepthwiseView& v) {
  return v.axis[0].span * v.axis[1].span * v.axis[2].span;
}

template <typename T>
std::size_t scratch_bytes(const DepthwiseView& v) {
  const Index totals = v.weight_room + kLanes<T>;  // store_lanes reads whole squares
  return sizeof(T) * kLanes<T> * (totals + v.source_room + g_vectors<T>(v));
}

template <typename T>
struct ChannelSum {
  const DepthwiseView& v;
  const Operands<T>& data;
  T* partial;  // by part, channel, weight

  static constexpr int L = kLanes<T>;

  void operator()(Index task) const {
    T* total = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    T* x = total + (v.weight_room + L) * L;
    T* g = x + v.source_room * L;
    LanePacker<T> packer(v, data.first);
    zero_run(total, v.weight_room * L);
    Walk walk(v, task);
    PlaneBlock block = walk.block();
    const PlaneBlock first = block;
    while (!walk.done()) {
      walk.advance();
      const PlaneBlock next = walk.done() ? block : walk.block();
      packer.pack(x, data.first + block.plane * v.source_plane, block, next);
      for (Index j = 0; j < v.multiplier; j++) {
        pack_gradient(g, j, block);
        const AxisView &h = v.axis[1], &w = v.axis[2];
        for (Index q = 0; q < block.count[0]; q++) {
          const Rectangle<T> a{x + q * v.pitch[1] * L,
                               g + q * h.span * w.span * L,
                               w.advance * L,
                               L,
                               v.pitch[2] * L,
                               w.span * L,
                               block.count[1],
                               block.count[2],
                               L};
          add_rectangle<T>(a, *v.phase, total + j * v.taps * L);
        }
      }
      block = next;
    }
    T* to = partial + (walk.part * v.channels + first.channel) * v.weight_room;
    store_lanes<T>(to, v.weight_room, total, L, v.weight_room, first.planes, Vec<T>{}, Activation::None);
  }

  /// A block of plane `number` of g of each channel.
  void pack_gradient(T* to, Index number, const PlaneBlock& block) const {
    const AxisView &h = v.axis[1], &w = v.axis[2];
    const Index apart = v.multiplier * v.target_plane;
    const T* end = data.second + v.batch * v.channels * apart;
    const T* from = data.second + (block.plane * v.multiplier + number) * v.target_plane;
    // Whole lines follow each other in memory and in scratch.
    const Index together = w.blocks == 1 ? block.count[1] : 1;
    for (Index q = 0; q < block.count[0]; q++)
      for (Index y = 0; y < block.count[1]; y += together) {
        const Index line = (block.start[0] + q) * h.target + block.start[1] + y;
        pack_lanes(to + (q * h.span + y) * w.span * L, L, from + line * w.target + block.start[2], apart,
                   block.planes, together * block.count[2], end);
      }
  }
};

}  // namespace

template <typename T>
Family<T, DepthwiseView> depthwise_channel_weights_family() {
  return {parts_bytes<T>, scratch_bytes<T>, sum_weights<T, ChannelSum>};
}
template Family<float, DepthwiseView> depthwise_channel_weights_family();
template Family<double, DepthwiseView> depthwise_channel_weights_family();

}  // namespace convgrad::CONVGRAD_ISA
