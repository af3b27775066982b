// winograd_weight.cpp - F(4, 3): weight gradient. At each point the product is a matrix product over all
// tiles, gw = G' [sum over tiles of (A y A') * (B' x B)] G; the blocks pass in chunks whose points stay in
// the caches.
//
// Few channels ("shares"): a task takes a share of a group's blocks through all stages, with points and sums
// of its own; the sums of all shares are added in their order. Many tiles: tasks are points, and the sums of
// all points are held until the last chunk. Many channels and few tiles ("stationary"): one chunk, tasks are
// parts of the kernel, each with all its points.
#include "kernels.hpp"
#include "parallel.hpp"
#include "winograd_blocks.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

template <typename T, int PH, int PW>
void tiles_of_cotangents(const Points<T>& to, const T* from, const WinogradView& v,
                         const WinogradBlock& block) {
  constexpr int L = kLanes<T>, OH = PH == 6 ? 4 : 1, OW = PW == 6 ? 4 : 1;
  const Index columns = v.width.reach(block.columns), tiles = v.width.tiles(block.columns);
  for (Index th = 0; th < v.height.tiles(block.rows); th++)
    for (Index tw = 0; tw < tiles; tw++) {
      const T* y = from + (v.height.start(th) * columns + v.width.start(tw)) * L;
      T* out = to.at + (th * tiles + tw) * to.row;
      Vec<T> half[OW][PH];
      CONVGRAD_UNROLL
      for (int j = 0; j < OW; j++) {
        Vec<T> column[OH];
        CONVGRAD_UNROLL
        for (int i = 0; i < OH; i++)
          column[i] = load(y + (i * v.height.dilation * columns + j * v.width.dilation) * L);
        if constexpr (PH == 6) cotangents_to_points<T>(column, half[j]);
        else half[j][0] = column[0];
      }
      CONVGRAD_UNROLL
      for (int i = 0; i < PH; i++) {
        Vec<T> row[OW], z[PW];
        CONVGRAD_UNROLL
        for (int j = 0; j < OW; j++) row[j] = half[j][i];
        if constexpr (PW == 6) cotangents_to_points<T>(row, z);
        else z[0] = row[0];
        CONVGRAD_UNROLL
        for (int j = 0; j < PW; j++) store(out + (i * PW + j) * to.step, z[j]);
      }
    }
}

/// The sums at the points of one filter, `step` apart, to its taps, [tap][lane].
template <typename T, int PH, int PW>
void taps_of_points(T* to, const T* from, Index step) {
  constexpr int L = kLanes<T>, KH = PH == 6 ? 3 : 1, KW = PW == 6 ? 3 : 1;
  Vec<T> half[KW][PH];
  CONVGRAD_UNROLL
  for (int i = 0; i < PH; i++) {
    Vec<T> row[PW], w[KW];
    CONVGRAD_UNROLL
    for (int j = 0; j < PW; j++) row[j] = load(from + (i * PW + j) * step);
    if constexpr (PW == 6) points_to_taps<T>(row, w);
    else w[0] = row[0];
    CONVGRAD_UNROLL
    for (int j = 0; j < KW; j++) half[j][i] = w[j];
  }
  CONVGRAD_UNROLL
  for (int j = 0; j < KW; j++) {
    Vec<T> w[KH];
    if constexpr (PH == 6) points_to_taps<T>(half[j], w);
    else w[0] = half[j][0];
    CONVGRAD_UNROLL
    for (int i = 0; i < KH; i++) store(to + (i * KW + j) * L, w[i]);
  }
}

/// Sizes of the buffers, in entries. Points and sums of a group follow each other:
/// points of x [piece][point][block][slab of x][tile][channel], of y [panel][point][block][slab][tile][lane],
/// sums [panel][part of the kernel][point][channel][lane]. Those of all groups are shared, or a task has its
/// own.
template <typename T>
struct Sizes {
  static constexpr Index L = kLanes<T>;
  Panels panels;
  Index channels;             // of x, rounded up to vectors
  Index slabs, tiles;         // of x and of y in a block: slabs of x, tiles per slab
  Index inputs_step, inputs;  // of one group
  Index outs_step, outs;
  Index sums;
  Index places;  // 32-bit numbers
  Index lane_block, part_sums;

  explicit Sizes(const WinogradView& v) : panels(Panels::of(ceil_div(v.produced, L), v.vectors)) {
    channels = round_up(v.contracted, L);
    slabs = v.depth_extent();
    tiles = v.tiles();
    inputs_step = spread(v.chunk * slabs * tiles * channels);
    inputs = v.pieces() * v.points() * inputs_step;
    outs_step = spread(v.chunk * v.slabs * tiles * panels.width(0) * L);
    outs = panels.count * v.points() * outs_step;
    places = v.chunk * v.slabs * tiles;
    const Index per_channel = v.parts() * v.points() * L;
    sums = v.stationary ? 0 : per_channel * v.contracted * panels.vectors;
    const WinogradAxis &h = v.height, &w = v.width;
    lane_block = (h.extent(h.span) + h.points) * w.extent(w.span) * L;
    part_sums = v.stationary ? per_channel * v.channels * panels.width(0) : 0;
  }
  Index shared(const WinogradView& v) const {
    const Index points = v.shares ? 0 : inputs + outs, parts = max(1, v.shares);
    return v.groups * (points + parts * sums) + ceil_div(places * sizeof(std::int32_t), sizeof(T));
  }
  Index per_task(const WinogradView& v) const {
    const Index points = v.shares ? inputs + outs : 0;
    return lane_block + part_sums + kTurned * v.taps() * L + points;
  }
  static constexpr Index kTurned = 8;  // channels whose taps are turned over together
};

template <typename T>
struct Run {
  const WinogradView& v;
  const Operands<T>& data;
  Sizes<T> sizes;
  T *inputs, *outs, *sums;  // of all groups, where they are shared
  std::int32_t* places;  // where in the inputs the tile that a row of outs pairs with lies, for depth tap 0
  unsigned char* broken;
  Index first_block, blocks;  // the chunk that all tasks are at

  static constexpr int L = kLanes<T>;

  /// First a block as vectors of channels, then sums of a part, turned taps and, if they are its own, points.
  T* task_memory() const { return static_cast<T*>(scratch(Scratch::Task, sizeof(T) * sizes.per_task(v))); }
  T* turned_taps() const { return task_memory() + sizes.lane_block + sizes.part_sums; }
  T* own_points() const { return turned_taps() + Sizes<T>::kTurned * v.taps() * L; }

  void set_places() const {
    for (Index b = 0, i = 0; b < v.chunk; b++)
      for (Index s = 0; s < v.slabs; s++)
        for (Index t = 0; t < sizes.tiles; t++, i++)
          places[i] = std::int32_t(((b * sizes.slabs + s) * sizes.tiles + t) * sizes.channels);
  }

  // ---- to points

  Index out_vectors() const { return sizes.panels.vectors; }
  Index transform_tasks() const { return blocks * v.groups * (sizes.channels / L + out_vectors()); }

  void transform_task(Index task) const {
    const Index vectors = sizes.channels / L + out_vectors(), vector = task % vectors;
    task /= vectors;
    const Index group = task % v.groups, number = task / v.groups;
    const WinogradBlock block = WinogradBlock::of(v, first_block + number);
    transform(inputs + group * sizes.inputs, outs + group * sizes.outs, group, vector, number, block);
  }

  /// A vector of channels of x or, after those, of y in block `number` of the chunk.
  void transform(T* inputs, T* outs, Index group, Index vector, Index number,
                 const WinogradBlock& block) const {
    if (vector < sizes.channels / L) transform_inputs(inputs, group, vector * L, number, block);
    else transform_outs(outs, group, vector - sizes.channels / L, number, block);
  }

  /// Rows that a smaller block at the edge leaves out count as zero.
  void zero_rows(const Points<T>& points, Index first, Index last) const {
    for (Index point = 0; point < v.points(); point++)
      for (Index row = first; row < last; row++)
        store(points.at + point * points.step + row * points.row, Vec<T>{});
  }

  void transform_inputs(T* inputs, Index group, Index channel, Index number,
                        const WinogradBlock& block) const {
    const Index plane = v.depth_source * v.height.source * v.width.source;
    T* lanes = task_memory();
    T* line = lanes + v.height.extent(v.height.span) * v.width.extent(v.width.span) * L;
    T* at = inputs + number * sizes.slabs * sizes.tiles * sizes.channels + channel;
    const Index piece_step = v.points() * sizes.inputs_step, row = sizes.channels, step = sizes.inputs_step;
    const Index slabs = block.slabs + (v.depth_taps - 1) * v.depth_dilation, each = block.tiles_per_image(v);
    Guard<T> guard;
    for (Index s = 0; s < slabs; s++)
      for (Index i = 0; i < block.images; i++) {
        const T* from =
            data.first + (((block.image + i) * v.groups + group) * v.contracted + channel) * plane;
        gather_lanes(lanes, from, min(L, v.contracted - channel), v, v.depth_origin + block.slab + s, block,
                     guard);
        for (Index piece = 0; piece < v.pieces(); piece++)
          block_to_points<T>({at + piece * piece_step + (s * sizes.tiles + i * each) * row, step, row},
                             lanes + piece_start<T>(v, block, piece), line, v, block);
      }
    for (Index piece = 0; piece < v.pieces(); piece++) {
      const Points<T> all{at + piece * piece_step, step, row};
      for (Index s = 0; s < slabs; s++)
        zero_rows(all, s * sizes.tiles + block.images * each, (s + 1) * sizes.tiles);
      zero_rows(all, slabs * sizes.tiles, sizes.slabs * sizes.tiles);
    }
    if (guard.broken()) __atomic_store_n(broken, 1, __ATOMIC_RELAXED);
  }

  void transform_outs(T* outs, Index group, Index vector, Index number, const WinogradBlock& block) const {
    const WinogradAxis &h = v.height, &w = v.width;
    Index panel = 0;
    while (sizes.panels.start(panel) + sizes.panels.width(panel) <= vector) panel++;
    const Index width = sizes.panels.width(panel) * L, channel = vector * L;
    T* lanes = task_memory();
    T* at = outs + panel * v.points() * sizes.outs_step + number * v.slabs * sizes.tiles * width +
            (vector - sizes.panels.start(panel)) * L;
    const Points<T> all{at, sizes.outs_step, width};
    const Index plane = v.depth_target * h.target * w.target, each = block.tiles_per_image(v);
    const Index rows = h.reach(block.rows), columns = w.reach(block.columns);
    Guard<T> guard;
    for (Index s = 0; s < block.slabs; s++) {
      const Points<T> slab{all.at + s * sizes.tiles * width, all.step, width};
      for (Index i = 0; i < block.images; i++) {
        const T* from = data.second +
                        (((block.image + i) * v.groups + group) * v.produced + channel) * plane +
                        (block.slab + s) * h.target * w.target;
        for (Index r = 0; r < rows; r++) {
          const Index line = h.reach(block.row) + r;
          lanes_of_row(lanes + r * columns * L, line < h.target ? from + line * w.target : nullptr, plane,
                       min(L, v.produced - channel), w.reach(block.column), columns, w.target, Border::Zeros,
                       guard);
        }
        const Points<T> image{slab.at + i * each * width, all.step, width};
        if (h.points == 1) tiles_of_cotangents<T, 1, 6>(image, lanes, v, block);
        else if (w.points == 1) tiles_of_cotangents<T, 6, 1>(image, lanes, v, block);
        else tiles_of_cotangents<T, 6, 6>(image, lanes, v, block);
      }
      zero_rows(slab, block.images * each, sizes.tiles);
    }
    zero_rows(all, block.slabs * sizes.tiles, v.slabs * sizes.tiles);
    if (guard.broken()) __atomic_store_n(broken, 1, __ATOMIC_RELAXED);
  }

  // ---- products over tiles

  /// Of a group's points: tiles of `blocks` blocks, summed at one point for a part of the kernel (a piece at
  /// a depth tap), of channels [first, first + count) with a panel.
  void multiply(T* to, const T* inputs, const T* outs, Index blocks, bool add, Index panel, Index part,
                Index point, Index first, Index count) const {
    const int width = sizes.panels.width(panel);
    const Index piece = part / v.depth_taps, depth_tap = part % v.depth_taps;
    const T* x = inputs + (piece * v.points() + point) * sizes.inputs_step + first +
                 depth_tap * v.depth_dilation * sizes.tiles * sizes.channels;
    const T* y = outs + (panel * v.points() + point) * sizes.outs_step;
    const Index rows = blocks * v.slabs * sizes.tiles;
    for (Index k = 0; k < rows; k += kDepth)
      multiply_rows(x, 1, count, places + k, min(kDepth, rows - k), y + k * width * L, width, to, width * L,
                    add || k > 0);
  }
  static constexpr Index kDepth = 256;

  /// Where in a group's sums those of a panel start.
  Index panel_sums(Index panel) const {
    return v.parts() * v.points() * v.contracted * L * sizes.panels.start(panel);
  }

  void point_task(Index task) const {
    const Index point = task % v.points();
    task /= v.points();
    const Index part = task % v.parts();
    task /= v.parts();
    const Index panel = task % sizes.panels.count, group = task / sizes.panels.count;
    T* to = sums + group * sizes.sums + panel_sums(panel) +
            (part * v.points() + point) * v.contracted * sizes.panels.width(panel) * L;
    multiply(to, inputs + group * sizes.inputs, outs + group * sizes.outs, blocks, first_block > 0, panel,
             part, point, 0, v.contracted);
  }

  // ---- a share of a group's blocks, from the operands to sums

  Index share_start(Index share) const { return v.blocks() * share / v.shares; }

  void share_task(Index task) const {
    const Index share = task % v.shares, group = task / v.shares, end = share_start(share + 1);
    T* own_inputs = own_points();
    T* own_outs = own_inputs + sizes.inputs;
    T* own_sums = sums + task * sizes.sums;
    for (Index at = share_start(share); at < end; at += v.chunk) {
      const Index count = min(v.chunk, end - at);
      for (Index number = 0; number < count; number++) {
        const WinogradBlock block = WinogradBlock::of(v, at + number);
        for (Index vector = 0; vector < sizes.channels / L + out_vectors(); vector++)
          transform(own_inputs, own_outs, group, vector, number, block);
      }
      T* to = own_sums;
      for (Index panel = 0; panel < sizes.panels.count; panel++)
        for (Index part = 0; part < v.parts(); part++)
          for (Index point = 0; point < v.points(); point++) {
            multiply(to, own_inputs, own_outs, count, at > share_start(share), panel, part, point, 0,
                     v.contracted);
            to += v.contracted * sizes.panels.width(panel) * L;
          }
    }
  }

  /// The sums of all shares for some channels of a panel, into those of the first.
  void add_shares(T* to, Index step, Index entries) const {
    for (Index row = 0; row < v.parts() * v.points(); row++, to += step)
      for (Index share = 1; share < v.shares; share++) {
        const T* from = to + share * sizes.sums;
        for (Index i = 0; i < entries; i += L) store(to + i, load<T>(to + i) + load(from + i));
      }
  }

  // ---- back to taps

  Index channel_parts() const { return ceil_div(v.contracted, v.channels); }

  /// The taps of one channel and vector, from its sums [part][point] that are `step` apart, to[tap][lane].
  void taps_of(T* to, const T* sums, Index step) const {
    const Index taps = v.height.taps * v.width.taps;
    const Index high = v.height.points == 6 ? 3 : 1, wide = v.width.points == 6 ? 3 : 1;
    T three[9 * L] __attribute__((aligned(64)));
    for (Index part = 0; part < v.parts(); part++, sums += v.points() * step) {
      if (v.height.points == 1) taps_of_points<T, 1, 6>(three, sums, step);
      else if (v.width.points == 1) taps_of_points<T, 6, 1>(three, sums, step);
      else taps_of_points<T, 6, 6>(three, sums, step);
      const Piece<T> piece(v, nullptr, part / v.depth_taps);
      for (Index i = 0; i < high; i++)
        for (Index j = 0; j < wide; j++) {
          const Index tap = piece.number(i, j);  // those past the kernel's end are not asked for
          if (tap >= 0) store(to + (part % v.depth_taps * taps + tap) * L, load(three + (i * wide + j) * L));
        }
    }
  }

  /// Channels [first, first + count) of a panel, from sums [part][point][channel][lane], to gw.
  void store_taps(const T* from, Index step, Index group, Index panel, Index first, Index count,
                  T* turned) const {
    const Index width = sizes.panels.width(panel) * L, all = v.taps(), row = v.contracted * all;
    for (Index vector = 0; vector < width; vector += L) {
      const Index lane = sizes.panels.start(panel) * L + vector, lanes = min(L, v.produced - lane);
      for (Index c = 0; c < count; c += Sizes<T>::kTurned) {
        const Index several = min(Sizes<T>::kTurned, count - c);
        for (Index i = 0; i < several; i++)
          taps_of(turned + i * all * L, from + (c + i) * width + vector, step);
        store_lanes(data.out + (group * v.produced + lane) * row + (first + c) * all, row, turned, L,
                    several * all, lanes, Vec<T>{}, Activation::None);
      }
    }
  }

  void finish_task(Index task) const {
    const Index first = task % channel_parts() * v.channels, count = min(v.channels, v.contracted - first);
    task /= channel_parts();
    const Index panel = task % sizes.panels.count, group = task / sizes.panels.count;
    const Index width = sizes.panels.width(panel) * L;
    if (!v.stationary) {
      const Index step = v.contracted * width;
      T* all = sums + group * max(1, v.shares) * sizes.sums + panel_sums(panel) + first * width;
      add_shares(all, step, count * width);
      return store_taps(all, step, group, panel, first, count, turned_taps());
    }
    T* own = task_memory() + sizes.lane_block;
    for (Index part = 0; part < v.parts(); part++)
      for (Index point = 0; point < v.points(); point++)
        multiply(own + (part * v.points() + point) * count * width, inputs + group * sizes.inputs,
                 outs + group * sizes.outs, blocks, false, panel, part, point, first, count);
    store_taps(own, count * width, group, panel, first, count, turned_taps());
  }
};

template <typename T>
std::size_t shared_bytes(const WinogradView& v) {
  return sizeof(T) * Sizes<T>(v).shared(v) + 1;
}

template <typename T>
std::size_t scratch_bytes(const WinogradView& v) {
  return sizeof(T) * Sizes<T>(v).per_task(v);
}

template <typename T>
void winograd_weight(const WinogradView& v, const Operands<T>& data) {
  const Sizes<T> sizes(v);
  T* shared = static_cast<T*>(scratch(Scratch::Shared, shared_bytes<T>(v)));
  unsigned char* broken = static_cast<unsigned char*>(scratch(Scratch::Flags, 1));
  *broken = 0;
  const Index points = v.shares ? 0 : v.groups;  // of so many groups
  T* outs = shared + points * sizes.inputs;
  T* sums = outs + points * sizes.outs;
  T* places = sums + v.groups * max(1, v.shares) * sizes.sums;
  Run<T> run{v, data, sizes, shared, outs, sums, reinterpret_cast<std::int32_t*>(places), broken, 0, 0};
  run.set_places();
  const Index panels = v.groups * sizes.panels.count;
  if (v.shares)
    parallel_for(v.groups * v.shares, [](void* r, Index i) { static_cast<Run<T>*>(r)->share_task(i); }, &run);
  for (; !v.shares && run.first_block < v.blocks() && !*broken; run.first_block += v.chunk) {
    run.blocks = min(v.chunk, v.blocks() - run.first_block);
    parallel_for(
        run.transform_tasks(), [](void* r, Index i) { static_cast<Run<T>*>(r)->transform_task(i); }, &run);
    if (!v.stationary)
      parallel_for(
          panels * v.parts() * v.points(), [](void* r, Index i) { static_cast<Run<T>*>(r)->point_task(i); },
          &run);
  }
  if (*broken) return weight_channels_family<T>().run(*v.direct_weight, data);
  run.first_block = 0;
  parallel_for(
      panels * run.channel_parts(), [](void* r, Index i) { static_cast<Run<T>*>(r)->finish_task(i); }, &run);
}

}  // namespace

template <typename T>
Family<T, WinogradView> winograd_weight_family() {
  return {shared_bytes<T>, scratch_bytes<T>, winograd_weight<T>};
}
template Family<float, WinogradView> winograd_weight_family();
template Family<double, WinogradView> winograd_weight_family();

}  // namespace convgrad::CONVGRAD_ISA
