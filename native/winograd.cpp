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
  Index filters_step, filters;  // of all groups, or of one panel's part of the channels
  Index turned;                 // taps of some filters, [tap][lane]
  static constexpr Index kTurned = 144;
  Panels panels;

  explicit Sizes(const WinogradView& v)
      : channels(round_up(v.contracted, L)), panels(Panels::of(ceil_div(v.produced, L), v.vectors)) {
    const WinogradAxis &h = v.height, &w = v.width;
    const Index columns = w.extent(w.span) * L;
    lane_block = max((h.extent(h.span) + h.points) * columns, h.reach(h.span) * w.reach(w.span) * L);
    const Index tiles = v.tiles() * (v.stationary ? v.blocks() : 1), widest = panels.width(0) * L;
    inputs_step = spread(tiles * channels);
    inputs = v.pieces() * v.depth_extent() * v.points() * inputs_step * (v.stationary ? v.groups : 1);
    sums_step = spread(tiles * widest);
    sums = v.slabs * v.points() * sums_step;
    const Index each = v.pieces() * v.depth_taps * v.points();  // values of a filter
    filters_step = spread((v.stationary ? v.channels : v.contracted) * widest);
    filters = each * filters_step * (v.stationary ? 1 : v.groups * panels.count);
    turned = round_up(max(kTurned, v.taps()), L) * L;
  }
  Index shared(const WinogradView& v) const { return v.stationary ? inputs : filters; }
  Index per_task(const WinogradView& v) const {
    return lane_block + turned + sums + (v.stationary ? filters : inputs);
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

  /// Filters of channels [first, last) for a panel: to[piece][depth tap][point][channel - first][lane].
  void transform_filters(T* to, T* turned, Index group, Index panel, Index first, Index last) const {
    const Index step = sizes.filters_step;
    const Index width = sizes.panels.width(panel), taps = v.height.taps * v.width.taps, all = v.taps();
    const T* end = data.second + v.w_size;
    // Where the taps of one channel follow those of the last, several channels are turned over at once.
    const Index most = v.w_channel == all ? max(1, Sizes<T>::kTurned / all) : 1;
    Guard<T> guard;
    for (Index vector = 0; vector < width; vector++) {
      const Index lane = (sizes.panels.start(panel) + vector) * L, lanes = min(L, v.produced - lane);
      const T* from = data.second + group * v.w_group + lane * v.w_lane;
      for (Index c = first; c < last; c += most) {
        const Index channels = min(most, last - c);
        pack_lanes(turned, L, from + c * v.w_channel, v.w_lane, lanes, channels * all, end);
        for (Index i = 0; i < channels * all; i++) Guard<T>::see(guard, load(turned + i * L));
        for (Index i = 0; i < channels; i++)
          for (Index d = 0; d < v.depth_taps; d++) {
            const T* slab = turned + (i * all + (v.flipped ? v.depth_taps - 1 - d : d) * taps) * L;
            T* out = to + d * v.points() * step + ((c + i - first) * width + vector) * L;
            for (Index piece = 0; piece < v.pieces(); piece++)
              piece_to_points(out + piece * v.depth_taps * v.points() * step, step, Piece<T>(v, slab, piece));
          }
      }
    }
    if (guard.broken()) __atomic_store_n(broken + v.batch, 1, __ATOMIC_RELAXED);
  }

  /// One vector of channels of a block to points, all images and slabs of it: to[piece][slab] is `slab_step`
  /// and `piece_step` apart.
  void transform_inputs(const Points<T>& to, Index slab_step, Index piece_step, T* lanes, Index group,
                        Index channel, const WinogradBlock& block) const {
    const Index plane = v.depth_source * v.height.source * v.width.source;
    T* line = lanes + v.height.extent(v.height.span) * v.width.extent(v.width.span) * L;
    const Index slabs = block.slabs + (v.depth_taps - 1) * v.depth_dilation;
    for (Index i = 0; i < block.images; i++) {
      Guard<T> guard;
      const T* from = data.first + (((block.image + i) * v.groups + group) * v.contracted + channel) * plane;
      for (Index s = 0; s < slabs; s++) {
        gather_lanes(lanes, from, min(L, v.contracted - channel), v, v.depth_origin + block.slab + s, block,
                     guard);
        T* at = to.at + s * slab_step + i * block.tiles_per_image(v) * to.row + channel;
        for (Index piece = 0; piece < v.pieces(); piece++)
          block_to_points<T>({at + piece * piece_step, to.step, to.row},
                             lanes + piece_start<T>(v, block, piece), line, v, block);
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
    return shared + (group * sizes.panels.count + panel) * v.parts() * v.points() * sizes.filters_step;
  }

  void filters_task(Index task) const {
    const Index first = task % filter_parts() * kFilterPart, last = min(v.contracted, first + kFilterPart);
    task /= filter_parts();
    const Index panel = task % sizes.panels.count, group = task / sizes.panels.count;
    const Index width = sizes.panels.width(panel) * L;
    transform_filters(filters_of(group, panel) + first * width, task_memory(), group, panel, first, last);
  }
  static constexpr Index kFilterPart = 16;
  Index filter_parts() const { return ceil_div(v.contracted, kFilterPart); }

  void block_task(Index task) const {
    const Index group = task % v.groups;
    const WinogradBlock block = WinogradBlock::of(v, task / v.groups);
    const Index slab_step = v.points() * sizes.inputs_step, piece_step = v.depth_extent() * slab_step;
    T* lanes = task_memory() + sizes.turned;
    T* sums = lanes + sizes.lane_block;
    T* inputs = sums + sizes.sums;
    for (Index c = 0; c < v.contracted; c += L)
      transform_inputs({inputs, sizes.inputs_step, sizes.channels}, slab_step, piece_step, lanes, group, c,
                       block);
    const Index sums_slab = v.points() * sizes.sums_step;
    for (Index panel = 0; panel < sizes.panels.count; panel++) {
      const int width = sizes.panels.width(panel);
      for (Index point = 0; point < v.points(); point++)
        for (Index piece = 0; piece < v.pieces(); piece++)
          multiply_block(sums + point * sizes.sums_step, sums_slab,
                         inputs + piece * piece_step + point * sizes.inputs_step, slab_step, group, panel,
                         point, piece, block);
      for (Index slab = 0; slab < block.slabs; slab++)
        store_outputs({sums + slab * sums_slab, sizes.sums_step, width * L}, lanes, group, panel,
                      block.slab + slab, block);
    }
  }

  /// At one point and for one piece: all slabs in turn with the same filters, while those are in the cache.
  void multiply_block(T* sums, Index sums_slab, const T* inputs, Index slab_step, Index group, Index panel,
                      Index point, Index piece, const WinogradBlock& block) const {
    const int width = sizes.panels.width(panel);
    const T* filters = filters_of(group, panel);
    for (Index d = 0; d < v.depth_taps; d++)
      for (Index c = 0; c < v.contracted; c += kDepth) {
        const T* b =
            filters + ((piece * v.depth_taps + d) * v.points() + point) * sizes.filters_step + c * width * L;
        for (Index slab = 0; slab < block.slabs; slab++)
          multiply_rows(inputs + (slab + d * v.depth_dilation) * slab_step, sizes.channels, block.tiles(v),
                        v.counting + c, min(kDepth, v.contracted - c), b, width, sums + slab * sums_slab,
                        width * L, piece > 0 || d > 0 || c > 0);
      }
  }
  static constexpr Index kDepth = 256;

  // ---- stationary weights: one slab along depth

  T* inputs_of(Index group, Index piece) const {
    return shared + (group * v.pieces() + piece) * v.points() * sizes.inputs_step;
  }

  void inputs_task(Index task) const {
    const Index vectors = sizes.channels / L, channel = task % vectors * L;
    task /= vectors;
    const Index group = task % v.groups, number = task / v.groups;
    T* inputs = inputs_of(group, 0) + number * v.tiles() * sizes.channels;
    transform_inputs({inputs, sizes.inputs_step, sizes.channels}, 0, v.points() * sizes.inputs_step,
                     task_memory() + sizes.turned, group, channel, WinogradBlock::of(v, number));
  }

  void panel_task(Index task) const {
    const Index panel = task % sizes.panels.count, group = task / sizes.panels.count;
    const int width = sizes.panels.width(panel);
    const Index tiles = v.tiles() * v.blocks();
    T* turned = task_memory();
    T* lanes = turned + sizes.turned;
    T* sums = lanes + sizes.lane_block;
    T* filters = sums + sizes.sums;
    for (Index c = 0; c < v.contracted; c += v.channels) {
      const Index channels = min(v.channels, v.contracted - c);
      transform_filters(filters, turned, group, panel, c, c + channels);
      for (Index point = 0; point < v.points(); point++)
        for (Index piece = 0; piece < v.pieces(); piece++)
          multiply_rows(inputs_of(group, piece) + point * sizes.inputs_step, sizes.channels, tiles,
                        v.counting + c, channels, filters + (piece * v.points() + point) * sizes.filters_step,
                        width, sums + point * sizes.sums_step, width * L, c > 0 || piece > 0);
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
