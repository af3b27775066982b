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
      if (v.phases == 1 && v.w_channel == v.taps) {  // channels and taps follow each other
        T* to = weights(group, v.phase[0], panel) + vector * L;
        pack_lanes(to, step, from, v.w_lane, lanes, v.contracted * v.taps, end);
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
      if (v.w_lane == 1 && lanes == L) store(buffer, load(from));  // one tap: the lanes follow each other
      else pack_lanes(buffer, L, from + t, v.w_lane, lanes, count, end);
      for (Index i = 0; i < count; i++) {
        const PhaseView& phase = v.phase[v.tap_phase[t + i]];
        T* to = weights(group, phase, panel) + (c * phase.taps + v.tap_rank[t + i]) * step + vector * L;
        store(to, load(buffer + i * L));
      }
    }
  }

  Index tasks() const {
    return v.batch * v.groups * v.axis[0].blocks * v.axis[1].blocks * v.axis[2].blocks *
           ceil_div(panels.count, v.panels);
  }

  struct Pixels {
    std::int32_t* from;  // where a pixel's window starts in the scratch
    std::int32_t* row;   // its number in the block
    Index count;
  };

  /// The outputs of a phase within a block.
  Pixels pixels_of(const PhaseView& phase, const Block& block, const Index* size,
                   std::int32_t* memory) const {
    Pixels pixels{memory, memory + block.count[0] * block.count[1] * block.count[2], 0};
    Index last[3];
    for (int i = 0; i < 3; i++) last[i] = size[i] - phase.first[i];
    for (Index d = 0; d < block.count[0] && d * v.axis[0].every < last[0]; d++)
      for (Index h = 0; h < block.count[1] && h * v.axis[1].every < last[1]; h++) {
        const Index row =
            (phase.first[0] + d * v.axis[0].every) * size[1] + phase.first[1] + h * v.axis[1].every;
        for (Index w = 0; w < block.count[2] && w * v.axis[2].every < last[2]; w++) {
          pixels.from[pixels.count] = std::int32_t(d * v.pitch[1] + h * v.pitch[2] + w);
          pixels.row[pixels.count++] = std::int32_t(row * size[2] + phase.first[2] + w * v.axis[2].every);
        }
      }
    return pixels;
  }

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

  void store_panel(const T* sums, Index group, Index n, Index panel, const Index* start,
                   const Index* size) const {
    const AxisView* axis = v.axis;
    const Index plane = axis[0].target * axis[1].target * axis[2].target, step = panels.width(panel) * L;
    // Outputs that follow each other in memory form one run.
    Index run = size[2], runs = size[0] * size[1];
    if (size[2] == axis[2].target) run *= size[1], runs = size[0];
    if (size[2] == axis[2].target && size[1] == axis[1].target) run *= size[0], runs = 1;
    for (int vector = 0; vector < panels.width(panel); vector++) {
      const Index lane = (panels.start(panel) + vector) * L, lanes = min(L, v.produced - lane);
      const Index channel = group * v.produced + lane;
      T bias[L] = {};
      if (data.bias)
        for (Index i = 0; i < lanes; i++) bias[i] = data.bias[channel + i];
      T* out = data.out + (n * v.groups * v.produced + channel) * plane;
      for (Index r = 0; r < runs; r++) {
        const Index row = r * run, line = row / size[2];
        const Index at =
            ((start[0] + line / size[1]) * axis[1].target + start[1] + line % size[1]) * axis[2].target +
            start[2];
        store_lanes(out + at, plane, sums + row * step + vector * L, step, run, lanes, load<T>(bias),
                    data.activation);
      }
    }
  }

  void operator()(Index task) const {
    const AxisView* axis = v.axis;
    const Index panel_groups = ceil_div(panels.count, v.panels);
    const Index first_panel = task % panel_groups * v.panels,
                last_panel = min(first_panel + v.panels, panels.count);
    task /= panel_groups;
    Block block;
    Index start[3], size[3];  // of the outputs
    for (int i = 2; i >= 0; i--) {
      block.start[i] = task % axis[i].blocks * axis[i].span;
      task /= axis[i].blocks;
      start[i] = block.start[i] * axis[i].every;
      size[i] = min(axis[i].span * axis[i].every, axis[i].target - start[i]);
      block.count[i] = ceil_div(size[i], axis[i].every);
    }
    const Index group = task % v.groups, n = task / v.groups;
    const Index pixels = size[0] * size[1] * size[2];
    const Index start_vector = panels.start(first_panel);
    const Index vectors = panels.start(last_panel - 1) + panels.width(last_panel - 1) - start_vector;
    T* memory = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    T* sums = memory;
    T* source = sums + vectors * L * pixels;
    std::int32_t* lists = reinterpret_cast<std::int32_t*>(source + v.chunk * v.pitch[0]);

    const Index plane = axis[0].source * axis[1].source * axis[2].source;
    const T* from = data.first + (n * v.groups + group) * v.contracted * plane;
    for (Index c = 0; c < v.contracted; c += v.chunk) {
      const Index channels = min(v.chunk, v.contracted - c);
      pack_source(source, from + c * plane, channels, v, block);
      for (int f = 0; f < v.phases; f++) {
        const PhaseView& phase = v.phase[f];
        const Pixels list = pixels_of(phase, block, size, lists);
        for (Index k = 0; k < channels; k += v.depth) {
          const Index depth = min(v.depth, channels - k) * phase.taps;
          for (Index panel = first_panel; panel < last_panel; panel++) {
            const int width = panels.width(panel);
            multiply(source, phase.koff + k * phase.taps, depth,
                     weights(group, phase, panel) + (c + k) * phase.taps * width * L, width,
                     sums + (panels.start(panel) - start_vector) * L * pixels, list, c + k > 0);
          }
        }
      }
    }
    for (Index panel = first_panel; panel < last_panel; panel++)
      store_panel(sums + (panels.start(panel) - start_vector) * L * pixels, group, n, panel, start, size);
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
  return sizeof(T) * (vectors * kLanes<T> * pixels + v.chunk * v.pitch[0]) + 2 * sizeof(std::int32_t) * most;
}

template <typename T>
void direct_channels(const DirectView& v, const Operands<T>& data) {
  T* packed = static_cast<T*>(scratch(Scratch::Shared, shared_bytes<T>(v)));
  Run<T> run{v, data, panels_of<T>(v), packed};
  parallel_for(
      v.groups * run.panels.count, [](void* r, Index i) { static_cast<Run<T>*>(r)->pack_weights(i); }, &run);
  parallel_for(run.tasks(), [](void* r, Index i) { (*static_cast<Run<T>*>(r))(i); }, &run);
}

}  // namespace

template <typename T>
Family<T, DirectView> direct_channels_family() {
  return {shared_bytes<T>, scratch_bytes<T>, direct_channels<T>};
}
template Family<float, DirectView> direct_channels_family();
template Family<double, DirectView> direct_channels_family();

}  // namespace convgrad::CONVGRAD_ISA
