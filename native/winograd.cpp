// winograd.cpp - F(4, 3): forward convolution and its adjoint in x, in two orders.
//
// Passing blocks: the filters are transformed once, then each task takes a block of tiles through all three
// stages within the second-level cache. Stationary weights, for few tiles and many channels: the inputs are
// transformed once, then each task transforms its panel of filters, a part of the channels at a time, and
// meets all tiles.
#include "kernels.hpp"
#include "parallel.hpp"
#include "winograd_blocks.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

/// Sizes of the buffers, in entries.
template <typename T>
struct Sizes {
  static constexpr Index L = kLanes<T>;
  Index channels;  // contracted, rounded up to vectors
  Index
      lane_block;  // a block as vectors of channels and a row of tiles; the outputs of a block take its place
  Index inputs_step, inputs;  // points of a block, or of all blocks
  Index sums_step, sums;
  Index filters;  // of all groups, or of one panel's part of the channels
  Panels panels;

  explicit Sizes(const WinogradView& v)
      : channels(round_up(v.contracted, L)), panels(Panels::of(ceil_div(v.produced, L), v.vectors)) {
    const WinogradAxis &h = v.height, &w = v.width;
    const Index columns = w.extent(w.span) * L;
    lane_block = max((h.extent(h.span) + h.points) * columns, h.reach(h.span) * w.reach(w.span) * L);
    const Index tiles = v.tiles() * (v.stationary ? v.blocks() : 1), widest = panels.width(0) * L;
    inputs_step = spread(tiles * channels);
    inputs = v.depth_extent() * v.points() * inputs_step * (v.stationary ? v.groups : 1);
    sums_step = spread(tiles * widest);
    sums = v.slabs * v.points() * sums_step;
    filters = v.stationary ? v.points() * v.channels * widest
                           : v.groups * v.depth_taps * v.points() * v.contracted * panels.vectors * L;
  }
  Index shared(const WinogradView& v) const { return v.stationary ? inputs : filters; }
  Index per_task(const WinogradView& v) const {
    return lane_block + sums + (v.stationary ? filters : inputs);
  }
};

template <typename T>
struct Run {
  const WinogradView& v;
  const Operands<T>& data;
  Sizes<T> sizes;
  T* shared;
  unsigned char* broken;  // per image, and one for the weights

  static constexpr int L = kLanes<T>;

  T* task_memory() const { return static_cast<T*>(scratch(Scratch::Task, sizeof(T) * sizes.per_task(v))); }

  // ---- stages

  /// Filters of channels [first, last) for a panel: to[depth tap][point][channel - first][lane].
  void transform_filters(T* to, Index group, Index panel, Index first, Index last, Index point_step) const {
    const Index width = sizes.panels.width(panel), taps = v.height.taps * v.width.taps,
                all = v.depth_taps * taps;
    const T* end = data.second + v.w_size;
    // Where the taps of one channel follow those of the last, several channels are turned over at once.
    const Index most = v.w_channel == all ? max(1, kTurned / all) : 1;
    Guard<T> guard;
    T buffer[kTurned * L] __attribute__((aligned(64)));
    for (Index vector = 0; vector < width; vector++) {
      const Index lane = (sizes.panels.start(panel) + vector) * L, lanes = min(L, v.produced - lane);
      const T* from = data.second + group * v.w_group + lane * v.w_lane;
      for (Index c = first; c < last; c += most) {
        const Index channels = min(most, last - c);
        if (c + most < last)
          for (Index i = 0; i < lanes; i++)
            for (Index k = 0; k < most * all; k += 16)
              __builtin_prefetch(from + i * v.w_lane + (c + most) * v.w_channel + k);
        for (Index t = 0; t < channels * all; t += kTurned) {
          const Index count = min(kTurned, channels * all - t);
          pack_lanes(buffer, L, from + c * v.w_channel + t, v.w_lane, lanes, count, end);
          for (Index i = 0; i < count; i++) Guard<T>::see(guard, load(buffer + i * L));
          for (Index i = 0; i < count; i += taps) {
            const Index depth = (t + i) % all / taps;
            T* out = to + (v.flipped ? v.depth_taps - 1 - depth : depth) * v.points() * point_step;
            to_points_of_filter(out + ((c + (t + i) / all - first) * width + vector) * L, point_step,
                                buffer + i * L);
          }
        }
      }
    }
    if (guard.broken()) __atomic_store_n(broken + v.batch, 1, __ATOMIC_RELAXED);
  }
  static constexpr Index kTurned = 144;  // a multiple of nine and of the lanes

  void to_points_of_filter(T* to, Index step, const T* taps) const {
    if (v.height.points == 1) filter_to_points<T, 1, 6>(to, step, taps, v.flipped);
    else if (v.width.points == 1) filter_to_points<T, 6, 1>(to, step, taps, v.flipped);
    else filter_to_points<T, 6, 6>(to, step, taps, v.flipped);
  }

  /// One vector of channels of a block to points, all images and slabs of it.
  void transform_inputs(const Points<T>& to, Index slab_step, T* lanes, Index group, Index channel,
                        const WinogradBlock& block) const {
    const Index plane = v.depth_source * v.height.source * v.width.source;
    T* line = lanes + v.height.extent(v.height.span) * v.width.extent(v.width.span) * L;
    const Index slabs = block.slabs + (v.depth_taps - 1) * v.depth_dilation;
    for (Index i = 0; i < block.images; i++) {
      Guard<T> guard;
      const T* from = data.first + (((block.image + i) * v.groups + group) * v.contracted + channel) * plane;
      for (Index s = 0; s < slabs; s++) {
        gather_lanes(lanes, from, min(L, v.contracted - channel), v, v.depth_origin + block.slab + s, block,
                     guard);
        const Points<T> part{to.at + s * slab_step + i * block.tiles_per_image(v) * to.row + channel, to.step,
                             to.row};
        block_to_points(part, lanes, line, v, block);
      }
      if (guard.broken()) __atomic_store_n(broken + block.image + i, 1, __ATOMIC_RELAXED);
    }
  }

  /// Sums at the points of one slab of a block to outputs: bias, activation, planes.
  void store_outputs(const Points<T>& sums, T* lanes, Index group, Index panel, Index slab,
                     const WinogradBlock& block) const {
    const WinogradAxis &h = v.height, &w = v.width;
    const Index plane = v.depth_target * h.target * w.target, columns = w.reach(block.columns);
    const Index top = h.reach(block.row), left = w.reach(block.column);
    const Index rows = min(h.reach(block.rows), h.target - top), pixels = min(columns, w.target - left);
    for (Index vector = 0; vector < sizes.panels.width(panel); vector++) {
      const Index lane = (sizes.panels.start(panel) + vector) * L, count = min(L, v.produced - lane);
      const Index channel = group * v.produced + lane;
      T bias[L] = {};
      if (data.bias)
        for (Index i = 0; i < count; i++) bias[i] = data.bias[channel + i];
      for (Index i = 0; i < block.images; i++) {
        const Points<T> part{sums.at + i * block.tiles_per_image(v) * sums.row + vector * L, sums.step,
                             sums.row};
        block_to_outputs(lanes, part, v, block);
        T* out = data.out + ((block.image + i) * v.groups * v.produced + channel) * plane;
        for (Index r = 0; r < rows; r++)
          store_lanes(out + (slab * h.target + top + r) * w.target + left, plane, lanes + r * columns * L, L,
                      pixels, count, load<T>(bias), data.activation);
      }
    }
  }

  // ---- passing blocks

  T* filters_of(Index group, Index panel) const {
    return shared + v.depth_taps * v.points() * v.contracted * L *
                        (group * sizes.panels.vectors + sizes.panels.start(panel));
  }

  void filters_task(Index task) const {
    const Index first = task % filter_parts() * kFilterPart, last = min(v.contracted, first + kFilterPart);
    task /= filter_parts();
    const Index panel = task % sizes.panels.count, group = task / sizes.panels.count;
    const Index width = sizes.panels.width(panel) * L;
    transform_filters(filters_of(group, panel) + first * width, group, panel, first, last,
                      v.contracted * width);
  }
  static constexpr Index kFilterPart = 16;
  Index filter_parts() const { return ceil_div(v.contracted, kFilterPart); }

  void block_task(Index task) const {
    const Index group = task % v.groups;
    const WinogradBlock block = WinogradBlock::of(v, task / v.groups);
    const Index tiles = block.tiles(v), slab_step = v.points() * sizes.inputs_step;
    T* lanes = task_memory();
    T* sums = lanes + sizes.lane_block;
    T* inputs = sums + sizes.sums;
    for (Index c = 0; c < v.contracted; c += L)
      transform_inputs({inputs, sizes.inputs_step, sizes.channels}, slab_step, lanes, group, c, block);
    const Index sums_slab = v.points() * sizes.sums_step;
    for (Index panel = 0; panel < sizes.panels.count; panel++) {
      const int width = sizes.panels.width(panel);
      const T* filters = filters_of(group, panel);
      // All slabs in turn with the same filters, while those are in the first-level cache.
      for (Index point = 0; point < v.points(); point++)
        for (Index d = 0; d < v.depth_taps; d++)
          for (Index c = 0; c < v.contracted; c += kDepth) {
            const T* b = filters + ((d * v.points() + point) * v.contracted + c) * width * L;
            for (Index slab = 0; slab < block.slabs; slab++) {
              const T* a = inputs + (slab + d * v.depth_dilation) * slab_step + point * sizes.inputs_step;
              multiply_rows(a, sizes.channels, tiles, v.counting + c, min(kDepth, v.contracted - c), b, width,
                            sums + slab * sums_slab + point * sizes.sums_step, width * L, d > 0 || c > 0);
            }
          }
      for (Index slab = 0; slab < block.slabs; slab++)
        store_outputs({sums + slab * sums_slab, sizes.sums_step, width * L}, lanes, group, panel,
                      block.slab + slab, block);
    }
  }
  static constexpr Index kDepth = 256;

  // ---- stationary weights: one slab along depth

  void inputs_task(Index task) const {
    const Index vectors = sizes.channels / L, channel = task % vectors * L;
    task /= vectors;
    const Index group = task % v.groups, number = task / v.groups;
    T* inputs = shared + group * v.points() * sizes.inputs_step + number * v.tiles() * sizes.channels;
    transform_inputs({inputs, sizes.inputs_step, sizes.channels}, 0, task_memory(), group, channel,
                     WinogradBlock::of(v, number));
  }

  void panel_task(Index task) const {
    const Index panel = task % sizes.panels.count, group = task / sizes.panels.count;
    const int width = sizes.panels.width(panel);
    const Index tiles = v.tiles() * v.blocks();
    T* lanes = task_memory();
    T* sums = lanes + sizes.lane_block;
    T* filters = sums + sizes.sums;
    const T* inputs = shared + group * v.points() * sizes.inputs_step;
    for (Index c = 0; c < v.contracted; c += v.channels) {
      const Index channels = min(v.channels, v.contracted - c), step = channels * width * L;
      transform_filters(filters, group, panel, c, c + channels, step);
      for (Index point = 0; point < v.points(); point++)
        multiply_rows(inputs + point * sizes.inputs_step, sizes.channels, tiles, v.counting + c, channels,
                      filters + point * step, width, sums + point * sizes.sums_step, width * L, c > 0);
    }
    for (Index number = 0; number < v.blocks(); number++)
      store_outputs({sums + number * v.tiles() * width * L, sizes.sums_step, width * L}, lanes, group, panel,
                    0, WinogradBlock::of(v, number));
  }

  // ---- values out of range

  /// Compute the images directly whose values, or whose weights, could overflow on the way.
  void mend() const {
    const Family<T, DirectView> direct = direct_channels_family<T>();
    if (broken[v.batch]) return direct.run(*v.direct, data);
    const Index in = v.groups * v.contracted * v.depth_source * v.height.source * v.width.source;
    const Index out = v.groups * v.produced * v.depth_target * v.height.target * v.width.target;
    DirectView one = *v.direct;
    one.batch = one.images = 1;
    for (Index n = 0; n < v.batch; n++)
      if (broken[n])
        direct.run(one, {data.first + n * in, data.second, data.bias, data.out + n * out, data.activation});
  }
};

template <typename T>
std::size_t shared_bytes(const WinogradView& v) {
  return sizeof(T) * Sizes<T>(v).shared(v) + v.batch + 1;
}

template <typename T>
std::size_t scratch_bytes(const WinogradView& v) {
  return sizeof(T) * Sizes<T>(v).per_task(v);
}

template <typename T>
void winograd(const WinogradView& v, const Operands<T>& data) {
  T* shared = static_cast<T*>(scratch(Scratch::Shared, shared_bytes<T>(v)));
  unsigned char* broken = static_cast<unsigned char*>(scratch(Scratch::Flags, v.batch + 1));
  for (Index n = 0; n <= v.batch; n++) broken[n] = 0;
  Run<T> run{v, data, Sizes<T>(v), shared, broken};
  const Index panels = v.groups * run.sizes.panels.count;
  if (v.stationary) {
    parallel_for(
        v.blocks() * v.groups * (run.sizes.channels / kLanes<T>),
        [](void* r, Index i) { static_cast<Run<T>*>(r)->inputs_task(i); }, &run);
    parallel_for(panels, [](void* r, Index i) { static_cast<Run<T>*>(r)->panel_task(i); }, &run);
  } else {
    parallel_for(
        panels * run.filter_parts(), [](void* r, Index i) { static_cast<Run<T>*>(r)->filters_task(i); },
        &run);
    parallel_for(
        v.blocks() * v.groups, [](void* r, Index i) { static_cast<Run<T>*>(r)->block_task(i); }, &run);
  }
  run.mend();
}

}  // namespace

template <typename T>
Family<T, WinogradView> winograd_family() {
  return {shared_bytes<T>, scratch_bytes<T>, winograd<T>};
}
template Family<float, WinogradView> winograd_family();
template Family<double, WinogradView> winograd_family();

}  // namespace convgrad::CONVGRAD_ISA
