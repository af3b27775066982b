// direct_channels.cpp - direct convolution with produced channels as lanes: implicit matrix products on a
// padded, cache-sized copy of the source; the results are turned back to planes as they are stored.
#include "kernels.hpp"
#include "panels.hpp"
#include "source.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

template <typename T>
std::size_t scratch_bytes(const DirectView& v);

template <typename T>
struct Run {
  const DirectView& v;
  const Operands<T>& data;
  Panels panels;
  T* packed;

  static constexpr int L = kLanes<T>;

  /// Packed weights of a phase and panel within a group: [channel][tap of the phase][lane].
  T* weights(Index group, const PhaseView& phase, Index panel) const {
    const Index before = v.taps * panels.vectors * group + phase.taps_before * panels.vectors +
                         phase.taps * panels.start(panel);
    return packed + before * v.contracted * L;
  }

  void pack_weights(Index task) const {
    const Index panel = task % panels.count, group = task / panels.count;
    const T* end = data.second + v.w_size;
    const Index step = panels.width(panel) * L;
    for (int vector = 0; vector < panels.width(panel); vector++) {
      const Index lane = (panels.start(panel) + vector) * L, lanes = min(L, v.produced - lane);
      const T* from = data.second + group * v.w_group + lane * v.w_lane;
      if (v.phase[0].taps == v.taps && v.w_channel == v.taps) {  // channels and taps follow each other
        T* to = weights(group, v.phase[0], panel) + vector * L;
        pack_lanes(to, step, from, v.w_lane, lanes, v.contracted * v.taps, end);
      } else if (v.w_lane == 1 && lanes == L &&
                 v.tap_phase[0] == 0) {  // one tap: the lanes follow each other
        T* to = weights(group, v.phase[0], panel) + vector * L;
        for (Index c = 0; c < v.contracted; c++) store(to + c * step, load(from + c * v.w_channel));
      } else {
        for (Index c = 0; c < v.contracted; c++)
          pack_channel(group, panel, vector, c, from + c * v.w_channel, lanes, end);
      }
    }
  }

  /// The taps of one contracted channel, each to its phase.
  void pack_channel(Index group, Index panel, int vector, Index c, const T* from, Index lanes,
                    const T* end) const {
    const Index step = panels.width(panel) * L;
    T buffer[64 * L] __attribute__((aligned(64)));
    for (Index t = 0; t < v.taps; t += 64) {
      const Index count = min(64, v.taps - t);
      pack_lanes(buffer, L, from + t, v.w_lane, lanes, count, end);
      for (Index i = 0; i < count; i++) {
        if (v.tap_phase[t + i] < 0) continue;
        const PhaseView& phase = v.phase[v.tap_phase[t + i]];
        T* to = weights(group, phase, panel) + (c * phase.taps + v.tap_rank[t + i]) * step + vector * L;
        store(to, load(buffer + i * L));
      }
    }
  }

  Index tasks() const {
    const Index blocks = ceil_div(v.batch, v.images) * v.axis[0].blocks * v.axis[1].blocks * v.axis[2].blocks;
    return v.groups * blocks * ceil_div(panels.count, v.panels);
  }

  struct Pixels {
    std::int32_t* from;  // where a pixel's window starts in the scratch
    std::int32_t* row;   // its number in the block
    Index count;
  };

  /// The outputs of a phase within a block; `size` is the block's size in outputs.
  Pixels pixels_of(const PhaseView& phase, const Block& block, const Index* size, Index image_step,
                   std::int32_t* memory) const {
    const Index* n = block.count;
    Pixels pixels{memory, memory + block.images * n[0] * n[1] * n[2], 0};
    for (Index image = 0; image < block.images; image++)
      for (Index d = 0; d < n[0]; d++)
        for (Index h = 0; h < n[1]; h++) {
          const Index at[2] = {phase.first[0] + d * v.axis[0].every, phase.first[1] + h * v.axis[1].every};
          if (at[0] >= size[0] || at[1] >= size[1]) continue;
          const Index row = ((image * size[0] + at[0]) * size[1] + at[1]) * size[2] + phase.first[2];
          const Index from = image * image_step + d * v.pitch[1] + h * v.pitch[2];
          for (Index w = 0; w < n[2] && phase.first[2] + w * v.axis[2].every < size[2]; w++) {
            pixels.from[pixels.count] = std::int32_t(from + w * v.axis[2].advance);
            pixels.row[pixels.count++] = std::int32_t(row + w * v.axis[2].every);
          }
        }
    return pixels;
  }

  /// Channels so near each other are read in place: the hardware then follows them from one to the next.
  static constexpr Index kNear = 1024;

  void multiply(const T* source, const std::int32_t* koff, Index depth, const T* b, int width, T* sums,
                const Pixels& pixels, bool add) const {
    const Index step = width * L, most = kMaxRows[width], tiles = ceil_div(pixels.count, most);
    const T* a[8];
    T* out[8];
    for (Index i = 0, p = 0; i < tiles; i++) {
      const int rows = int((pixels.count - p) / (tiles - i));
      for (int r = 0; r < rows; r++) {
        a[r] = source + pixels.from[p + r];
        out[r] = sums + pixels.row[p + r] * step;
      }
      tile_for<T>(rows, width)(a, koff, depth, b, out, add);
      p += rows;
    }
  }

  /// The biases of the channels of a vector.
  Vec<T> bias_of(Index channel, Index lanes) const {
    T bias[L] = {};
    if (data.bias)
      for (Index i = 0; i < lanes; i++) bias[i] = data.bias[channel + i];
    return load<T>(bias);
  }

  void store_panel(const T* sums, Index group, Index n, Index panel, const Index* start,
                   const Index* size) const {
    const AxisView* axis = v.axis;
    const Index plane = axis[0].target * axis[1].target * axis[2].target, step = panels.width(panel) * L;
    const Runs runs(start, size, axis);
    for (int vector = 0; vector < panels.width(panel); vector++) {
      const Index lane = (panels.start(panel) + vector) * L, lanes = min(L, v.produced - lane);
      const Index channel = group * v.produced + lane;
      T* out = data.out + (n * v.groups * v.produced + channel) * plane;
      for (Index r = 0; r < runs.count; r++)
        store_lanes(out + runs.at(r), plane, sums + r * runs.length * step + vector * L, step, runs.length,
                    lanes, bias_of(channel, lanes), data.activation);
    }
  }

  void operator()(Index task) const {
    const Index panel_groups = ceil_div(panels.count, v.panels);
    const Index first = task % panel_groups * v.panels, last = min(first + v.panels, panels.count);
    Block block;
    const Index group = block_of(v, task / panel_groups, block);
    Index start[3], size[3];  // in outputs
    for (int i = 0; i < 3; i++) {
      start[i] = block.start[i] * v.axis[i].every;
      size[i] = min(block.count[i] * v.axis[i].every, v.axis[i].target - start[i]);
    }
    const Index pixels = block.images * size[0] * size[1] * size[2];
    const Index lanes = (panels.start(last - 1) + panels.width(last - 1) - panels.start(first)) * L;
    T* sums = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    T* source = sums + lanes * pixels;
    std::int32_t* lists = reinterpret_cast<std::int32_t*>(source + v.images * v.chunk * v.pitch[0] + L);
    const auto sums_of = [&](Index panel) {
      return sums + (panels.start(panel) - panels.start(first)) * L * pixels;
    };

    const Index plane = v.axis[0].source * v.axis[1].source * v.axis[2].source;
    for (Index c = 0; c < v.contracted; c += v.chunk) {
      const Index channels = min(v.chunk, v.contracted - c);
      const From<T> from =
          source_of(source, data.first, group, c, channels, v, block, plane <= kNear, block.count[2]);
      for (int f = 0; f < v.phases; f++) {
        const PhaseView& phase = v.phase[f];
        const Pixels list = pixels_of(phase, block, size, from.image, lists);
        const Passes passes(channels * phase.taps, v.depth);
        for (Index i = 0; i < passes.count; i++) {
          const Index k = passes.start(i), depth = passes.start(i + 1) - k;
          for (Index panel = first; panel < last; panel++) {
            const int width = panels.width(panel);
            const T* b = weights(group, phase, panel) + (c * phase.taps + k) * width * L;
            multiply(from.at, (from.in_place ? from.in_place : phase.koff) + k, depth, b, width,
                     sums_of(panel), list, c + i > 0);
          }
        }
      }
    }
    for (Index panel = first; panel < last; panel++)
      for (Index i = 0; i < block.images; i++)
        store_panel(sums_of(panel) + i * pixels / block.images * panels.width(panel) * L, group,
                    block.image + i, panel, start, size);
  }
};

template <typename T>
Panels panels_of(const DirectView& v) {
  return Panels::of(ceil_div(v.produced, kLanes<T>));
}

template <typename T>
std::size_t shared_bytes(const DirectView& v) {
  return sizeof(T) * v.groups * v.taps * v.contracted * panels_of<T>(v).vectors * kLanes<T>;
}

template <typename T>
std::size_t scratch_bytes(const DirectView& v) {
  const Panels panels = panels_of<T>(v);
  Index pixels = 1, most = 1;
  for (const AxisView& axis : v.axis) {
    pixels *= axis.span * axis.every;
    most *= axis.span;
  }
  const Index vectors = min(min(v.panels, panels.count) * kMaxVectors, panels.vectors);
  const Index sums = v.images * pixels * vectors * kLanes<T>, source = v.images * v.chunk * v.pitch[0];
  return sizeof(T) * (sums + source + kLanes<T>)+2 * sizeof(std::int32_t) * v.images * most;
}

template <typename T>
void direct_channels(const DirectView& v, const Operands<T>& data) {
  T* packed = static_cast<T*>(scratch(Scratch::Shared, shared_bytes<T>(v)));
  Run<T> run{v, data, panels_of<T>(v), packed};
  parallel_for(
      v.groups * run.panels.count, [](void* r, Index i) { static_cast<Run<T>*>(r)->pack_weights(i); }, &run,
      v.weight_nanoseconds);
  parallel_for(run.tasks(), [](void* r, Index i) { (*static_cast<Run<T>*>(r))(i); }, &run, v.nanoseconds);
}

}  // namespace

template <typename T>
Family<T, DirectView> direct_channels_family() {
  return {shared_bytes<T>, scratch_bytes<T>, direct_channels<T>};
}
template Family<float, DirectView> direct_channels_family();
template Family<double, DirectView> direct_channels_family();

}  // namespace convgrad::CONVGRAD_ISA
