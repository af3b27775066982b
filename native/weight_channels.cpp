// weight_channels.cpp - weight gradient with output channels as lanes: rows are (channel, tap), the sum runs
// over pixels.
#include "kernels.hpp"
#include "panels.hpp"
#include "source.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

template <typename T>
std::size_t scratch_bytes(const WeightView& v);

template <typename T>
struct Run {
  const WeightView& v;
  const Operands<T>& data;
  Panels panels;
  T* partial;  // [chunk][group][panel][row][lane]

  static constexpr int L = kLanes<T>;

  Index channel_blocks() const { return ceil_div(v.in_channels, v.channels); }
  Index pixels() const { return v.images * v.axis[0].span * v.axis[1].span * v.axis[2].span; }
  T* sums(Index chunk, Index group, Index panel) const {
    return partial + ((chunk * v.groups + group) * panels.vectors + panels.start(panel)) * v.rows() * L;
  }

  /// Each output's place in the source scratch; returns their number.
  Index set_places(std::int32_t* places, const Block& block) const {
    const Index* n = block.count;
    for (Index i = 0; i < block.images; i++)
      for (Index d = 0; d < n[0]; d++)
        for (Index h = 0; h < n[1]; h++) {
          const Index from = i * v.channels * v.pitch[0] + d * v.pitch[1] + h * v.pitch[2];
          for (Index w = 0; w < n[2]; w++) *places++ = std::int32_t(from + w * v.axis[2].advance);
        }
    return block.images * n[0] * n[1] * n[2];
  }

  /// The cotangents of a block with channels as lanes, [pixel][lane].
  void pack_cotangents(T* to, Index group, Index panel, const Block& block) const {
    const AxisView* axis = v.axis;
    const Index plane = axis[0].target * axis[1].target * axis[2].target, step = panels.width(panel) * L;
    const T* end = data.second + v.batch * v.groups * v.out_channels * plane;
    const Runs runs(block.start, block.count, axis);
    for (Index i = 0; i < block.images; i++, to += runs.count * runs.length * step) {
      const T* y = data.second + ((block.image + i) * v.groups + group) * v.out_channels * plane;
      for (int vector = 0; vector < panels.width(panel); vector++) {
        const Index lane = (panels.start(panel) + vector) * L, lanes = min(L, v.out_channels - lane);
        for (Index r = 0; r < runs.count; r++)
          pack_lanes(to + r * runs.length * step + vector * L, step, y + lane * plane + runs.at(r), plane,
                     lanes, runs.length, end);
      }
    }
  }

  void multiply(T* sums, int width, const T* source, Index pitch, const std::int32_t* places, Index depth,
                const T* cotangents, Index channels, bool add) const {
    const Index rows = channels * v.taps, step = width * L, tiles = ceil_div(rows, kMaxRows[width]);
    const T* a[8];
    T* out[8];
    Index channel = 0, tap = 0;
    for (Index i = 0, row = 0; i < tiles; i++) {
      const int count = int((rows - row) / (tiles - i));
      for (int r = 0; r < count; r++, row++) {
        a[r] = source + channel * pitch + v.tap_at[tap];
        out[r] = sums + row * step;
        if (++tap == v.taps) tap = 0, channel++;
      }
      tile_for<T>(count, width)(a, places, depth, cotangents, out, add);
    }
  }

  Index panel_groups() const { return ceil_div(panels.count, v.outs); }

  void operator()(Index task) const {
    const Index first = task % channel_blocks() * v.channels,
                channels = min(v.channels, v.in_channels - first);
    task /= channel_blocks();
    const Index first_panel = task % panel_groups() * v.outs,
                last_panel = min(first_panel + v.outs, panels.count);
    task /= panel_groups();
    const Index group = task % v.groups, chunk = task / v.groups;
    T* cotangents = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    T* source = cotangents + pixels() * kMaxVectors * L;
    std::int32_t* places = reinterpret_cast<std::int32_t*>(source + v.images * v.channels * v.pitch[0] + L);
    const Index plane = v.axis[0].source * v.axis[1].source * v.axis[2].source;
    for (Index b = v.chunk_start(chunk); b < v.chunk_start(chunk + 1); b++) {
      Block block;
      block_of(v, b, block);
      const T* x = data.first + ((block.image * v.groups + group) * v.in_channels + first) * plane;
      // Rows of a 1x1 kernel's channels are read where they are.
      const bool in_place = v.pointwise && block.images * block.count[0] * block.count[1] == 1;
      if (in_place)
        x += (block.start[0] * v.axis[1].source + block.start[1]) * v.axis[2].source + block.start[2];
      else
        for (Index i = 0; i < block.images; i++)
          pack_source(source + i * v.channels * v.pitch[0], x + i * v.groups * v.in_channels * plane,
                      channels, v, block);
      const Index depth = set_places(places, block);
      for (Index panel = first_panel; panel < last_panel; panel++) {
        pack_cotangents(cotangents, group, panel, block);
        const int width = panels.width(panel);
        multiply(sums(chunk, group, panel) + first * v.taps * width * L, width, in_place ? x : source,
                 in_place ? plane : v.pitch[0], places, depth, cotangents, channels,
                 b > v.chunk_start(chunk));
      }
    }
  }

  /// Add the chunks up in their order, and turn lanes back into channels.
  void finish(Index task) const {
    const Index row = task % row_blocks() * kRows, count = min(kRows, v.rows() - row);
    task /= row_blocks();
    const Index panel = task % panels.count, group = task / panels.count;
    const Index step = panels.width(panel) * L;
    T block[kRows * kMaxVectors * L] __attribute__((aligned(64)));
    const T* from = sums(0, group, panel) + row * step;
    if (v.chunks > 1) {
      for (Index i = 0; i < count * step; i += L) {
        Vec<T> sum = load(from + i);
        for (Index chunk = 1; chunk < v.chunks; chunk++)
          sum += load(sums(chunk, group, panel) + row * step + i);
        store(block + i, sum);
      }
      from = block;
    }
    for (int vector = 0; vector < panels.width(panel); vector++) {
      const Index lane = (panels.start(panel) + vector) * L, lanes = min(L, v.out_channels - lane);
      store_lanes(data.out + (group * v.out_channels + lane) * v.rows() + row, v.rows(), from + vector * L,
                  step, count, lanes, Vec<T>{}, Activation::None);
    }
  }
  static constexpr Index kRows = 32;
  Index row_blocks() const { return ceil_div(v.rows(), kRows); }
};

template <typename T>
Panels panels_of(const WeightView& v) {
  return Panels::of(ceil_div(v.out_channels, kLanes<T>));
}

template <typename T>
std::size_t shared_bytes(const WeightView& v) {
  return sizeof(T) * v.chunks * v.groups * panels_of<T>(v).vectors * v.rows() * kLanes<T>;
}

template <typename T>
std::size_t scratch_bytes(const WeightView& v) {
  const Index pixels = v.images * v.axis[0].span * v.axis[1].span * v.axis[2].span;
  const Index entries = pixels * kMaxVectors * kLanes<T> + v.images * v.channels * v.pitch[0] + kLanes<T>;
  return sizeof(T) * entries + sizeof(std::int32_t) * pixels;
}

template <typename T>
void weight_channels(const WeightView& v, const Operands<T>& data) {
  T* partial = static_cast<T*>(scratch(Scratch::Shared, shared_bytes<T>(v)));
  Run<T> run{v, data, panels_of<T>(v), partial};
  const Index panels = v.groups * run.panels.count;
  const Index tasks = v.chunks * v.groups * run.panel_groups() * run.channel_blocks();
  parallel_for(tasks, [](void* r, Index i) { (*static_cast<Run<T>*>(r))(i); }, &run, v.nanoseconds);
  parallel_for(
      panels * run.row_blocks(), [](void* r, Index i) { static_cast<Run<T>*>(r)->finish(i); }, &run,
      v.chunks * v.weight_nanoseconds);
}

}  // namespace

template <typename T>
Family<T, WeightView> weight_channels_family() {
  return {shared_bytes<T>, scratch_bytes<T>, weight_channels<T>};
}
template Family<float, WeightView> weight_channels_family();
template Family<double, WeightView> weight_channels_family();

}  // namespace convgrad::CONVGRAD_ISA
