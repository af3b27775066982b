// direct_pixels.cpp - direct convolution with pixels as lanes: for few produced channels. Weights are
// broadcast, and vectors of neighbouring pixels are read at a table of offsets from the padded, stride-split
// source; or, for 1x1 kernels, from where they are.
#include "kernels.hpp"
#include "parallel.hpp"
#include "source.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

/// The heights of the register tile, and the vectors that fit beside each.
constexpr int kHeights[] = {1, 2, 3, 4, 6, 8};
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kWidths[] = {8, 8, 8, 6, 4, 3};
#else
constexpr int kWidths[] = {6, 4, 3, 3, 2, 1};
#endif
constexpr int kMostOuts = 8, kMostVectors = 8;

CONVGRAD_INLINE int height_index(Index outs) {
  int i = 0;
  while (kHeights[i] < outs) i++;
  return i;
}

/// What becomes of a tile's sums: kept, or added to those of the passes before; or, if all products were
/// summed in one pass, outputs.
template <typename T>
struct Ending {
  T* to[kMostVectors];  // where each vector of the first channel goes
  Index row;            // from one channel to the next
  Index pixels, outs;   // of a vector, and channels, that are stored
  bool add;
  const T* bias;  // of outputs; null: sums
  Activation activation;
};

/// The sum over k of w[k][i] * x[j][koff[k]], MR channels i by NV vectors of pixels j; far: from memory.
template <typename T, int MR, int NV>
void tile(const T* const* x, const std::int32_t* koff, Index depth, const T* w, const Ending<T>& end,
          bool far) {
  constexpr int L = kLanes<T>;
  Vec<T> sum[MR][NV];
  const T* column[NV];
  CONVGRAD_UNROLL
  for (int j = 0; j < NV; j++) column[j] = x[j];
  CONVGRAD_UNROLL
  for (int i = 0; i < MR; i++) {
    CONVGRAD_UNROLL
    for (int j = 0; j < NV; j++) sum[i][j] = Vec<T>{};
  }
  for (Index k = 0; k < depth; k++, w += MR) {
    const Index at = koff[k];
    Vec<T> pixels[NV];
    if (far) {  // the next tile's: too many streams
      CONVGRAD_UNROLL
      for (int j = 0; j < NV; j++) __builtin_prefetch(column[j] + at + NV * L, 0, 2);
    }
    CONVGRAD_UNROLL
    for (int j = 0; j < NV; j++) pixels[j] = held(load(column[j] + at));
    CONVGRAD_UNROLL
    for (int i = 0; i < MR; i++) {
      const Vec<T> weight = held(splat(w[i]));
      CONVGRAD_UNROLL
      for (int j = 0; j < NV; j++) sum[i][j] += weight * pixels[j];
    }
  }
  if (end.bias) {
    CONVGRAD_UNROLL
    for (int i = 0; i < MR; i++) {
      const Vec<T> bias = splat(end.bias[i]);
      CONVGRAD_UNROLL
      for (int j = 0; j < NV; j++) sum[i][j] = activated<T>(sum[i][j] + bias, end.activation);
    }
  }
  const Part<T> part(end.pixels);
  CONVGRAD_UNROLL
  for (int i = 0; i < MR; i++) {
    if (i == end.outs) break;
    CONVGRAD_UNROLL
    for (int j = 0; j < NV; j++) {
      T* to = end.to[j] + i * end.row;
      if (end.add) sum[i][j] += load(to);
      if (end.pixels == L) store(to, sum[i][j]);
      else store(to, sum[i][j], part);
    }
  }
}

template <typename T>
using Tile = void (*)(const T* const*, const std::int32_t*, Index, const T*, const Ending<T>&, bool);

template <typename T, int HEIGHT, int... NV>
Tile<T> tile_row(int vectors, std::integer_sequence<int, NV...>) {
  static constexpr Tile<T> row[] = {tile<T, kHeights[HEIGHT], NV + 1>...};
  return row[vectors - 1];
}
template <typename T, int HEIGHT>
Tile<T> tile_row(int vectors) {
  return tile_row<T, HEIGHT>(vectors, std::make_integer_sequence<int, kWidths[HEIGHT]>{});
}
template <typename T>
Tile<T> tile_for(int height, int vectors) {
  switch (height) {
    case 0:
      return tile_row<T, 0>(vectors);
    case 1:
      return tile_row<T, 1>(vectors);
    case 2:
      return tile_row<T, 2>(vectors);
    case 3:
      return tile_row<T, 3>(vectors);
    case 4:
      return tile_row<T, 4>(vectors);
    default:
      return tile_row<T, 5>(vectors);
  }
}

/// Produced channels in panels of equal height.
struct Panels {
  Index count, outs;  // channels per panel; the last may have fewer
  int height;         // index of the tile's height, at least outs

  static Panels of(Index produced) {
    const Index count = ceil_div(produced, kMostOuts), outs = ceil_div(produced, count);
    return {count, outs, height_index(outs)};
  }
  Index rows() const { return kHeights[height]; }
};

/// How the pixels of a slab become vectors: line by line, or as one run over the padded pitch, if that is
/// shorter; the entries between the lines are then computed too, and dropped.
template <typename T>
struct Lines {
  Index vectors;  // per slab
  Index step;     // entries of the sums from one line to the next
  bool flat;

  Lines(Index lines, Index width, Index pitch) {
    constexpr Index L = kLanes<T>;
    const Index each = ceil_div(width, L), run = ceil_div((lines - 1) * pitch + width, L);
    flat = run < lines * each;
    vectors = flat ? run : lines * each;
    step = flat ? pitch : each * L;
  }
};

template <typename T>
std::size_t scratch_bytes(const DirectView& v);

template <typename T>
struct Run {
  const DirectView& v;
  const Operands<T>& data;
  Panels panels;
  T* packed;  // [group][phase][panel][channel][tap][row]

  static constexpr int L = kLanes<T>;

  T* weights(Index group, const PhaseView& phase, Index panel) const {
    const Index before = (v.taps * group + phase.taps_before) * panels.count + phase.taps * panel;
    return packed + before * v.contracted * panels.rows();
  }

  void pack_weights(Index task) const {
    const Index panel = task % panels.count, group = task / panels.count, first = panel * panels.outs;
    const Index real = min(panels.outs, v.produced - first);
    const T* from = data.second + group * v.w_group + first * v.w_lane;
    if (v.w_lane > v.w_channel) {  // the nearer of the two runs inside
      for (Index i = 0; i < panels.rows(); i++)
        for (Index c = 0; c < v.contracted; c++) pack_taps(group, panel, c, i, i < real ? from : nullptr);
    } else {
      for (Index c = 0; c < v.contracted; c++)
        for (Index i = 0; i < panels.rows(); i++) pack_taps(group, panel, c, i, i < real ? from : nullptr);
    }
  }

  /// The taps of one pair of channels; null for the rows that only fill up a tile.
  void pack_taps(Index group, Index panel, Index c, Index i, const T* from) const {
    for (Index t = 0; t < v.taps; t++) {
      if (v.tap_phase[t] < 0) continue;
      const PhaseView& phase = v.phase[v.tap_phase[t]];
      weights(group, phase, panel)[(c * phase.taps + v.tap_rank[t]) * panels.rows() + i] =
          from ? from[i * v.w_lane + c * v.w_channel + t] : T(0);
    }
  }

  Index panel_groups() const { return ceil_div(panels.count, v.panels); }
  Index tasks() const {
    return v.groups * ceil_div(v.batch, v.images) * v.axis[0].blocks * v.axis[1].blocks * v.axis[2].blocks *
           panel_groups();
  }

  /// All vectors of a block, panel by panel, over `depth` products.
  void multiply(const From<T>& source, const std::int32_t* koff, Index depth, const T* w, T* sums,
                const Block& block, const Lines<T>& lines, bool add) const {
    const int most = kWidths[panels.height];
    const Index slabs = block.images * block.count[0], total = slabs * lines.vectors;
    const Index each = ceil_div(block.count[2], L);
    const T* x[kMostVectors];
    Ending<T> end{{}, total * L, L, panels.rows(), add, nullptr, Activation::None};
    for (Index first = 0; first < total; first += most) {
      const int count = int(min(most, total - first));
      for (int j = 0; j < count; j++) {
        const Index slab = (first + j) / lines.vectors, vector = (first + j) % lines.vectors;
        const Index in_slab = lines.flat ? vector * L : vector / each * v.pitch[2] + vector % each * L;
        x[j] =
            source.at + slab / block.count[0] * source.image + slab % block.count[0] * v.pitch[1] + in_slab;
        end.to[j] = sums + (first + j) * L;
      }
      tile_for<T>(panels.height, count)(x, koff, depth, w, end, source.in_place);
    }
  }

  /// One phase of one produced channel, from the sums to its plane.
  void store_plane(T* out, const T* sums, T bias, const PhaseView& phase, const Block& block,
                   const Lines<T>& lines) const {
    const AxisView* axis = v.axis;
    Index first[3], count[3];  // the first output, and how many lie inside
    for (int i = 0; i < 3; i++) {
      first[i] = block.start[i] * axis[i].every + phase.first[i];
      count[i] = max(0, min(block.count[i], ceil_div(axis[i].target - first[i], axis[i].every)));
    }
    const Vec<T> shift = splat(bias);
    for (Index d = 0; d < count[0]; d++)
      for (Index h = 0; h < count[1]; h++) {
        const T* from = sums + d * lines.vectors * L + h * lines.step;
        T* to = out +
                ((first[0] + d * axis[0].every) * axis[1].target + first[1] + h * axis[1].every) *
                    axis[2].target +
                first[2];
        for (Index w = 0; w < count[2]; w += L) {
          const Index n = min(L, count[2] - w);
          const Vec<T> value = activated<T>(load(from + w, Part<T>(n)) + shift, data.activation);
          if (axis[2].every == 1) store(to + w, value, Part<T>(n));
          else
            for (Index i = 0; i < n; i++) to[(w + i) * axis[2].every] = value[i];
        }
      }
  }

  // ---- sums of one pass, over lines of pixels: from registers to their place

  /// Where each of a block's lines fills its vectors well enough, and all products are summed at once.
  static bool by_lines(const DirectView& v) {
    const Index width = v.axis[2].span;
    return v.phases == 1 && v.axis[0].every * v.axis[1].every * v.axis[2].every == 1 &&
           v.chunk == v.contracted && v.contracted * v.phase[0].taps <= v.depth &&
           3 * round_up(width, Index(L)) <= 4 * width;
  }

  /// The vectors of a block, line by line; the last one of a line overlaps the one before: the same values
  /// twice.
  struct Cursor {
    const DirectView& v;
    const Block& block;
    const From<T>& from;
    Index image_step;  // outputs from one image to the next
    Index image = 0, d = 0, h = 0, w = 0;

    /// Where the vector's pixels are read, and where its outputs go from the start of the first plane.
    void get(const T*& x, Index& at) const {
      const Index column = max(0, min(w, block.count[2] - L));
      x = from.at + image * from.image + d * v.pitch[1] + h * v.pitch[2] + column * v.axis[2].advance;
      at = image * image_step +
           ((block.start[0] + d) * v.axis[1].target + block.start[1] + h) * v.axis[2].target +
           block.start[2] + column;
    }
    void next() {
      if ((w += L) < block.count[2]) return;
      w = 0;
      if (++h < block.count[1]) return;
      h = 0;
      if (++d < block.count[0]) return;
      d = 0;
      image++;
    }
  };

  void lines_task(Index group, const Block& block, Index first, Index last, T* copy) const {
    const PhaseView& phase = v.phase[0];
    const Index each = ceil_div(block.count[2], L);
    const From<T> from =
        source_of(copy, data.first, group, 0, v.contracted, v, block, panels.count == 1, each * L);
    const Index plane = v.axis[0].target * v.axis[1].target * v.axis[2].target;
    const Index total = block.images * block.count[0] * block.count[1] * each;
    const Index tiles = ceil_div(total, Index(kWidths[panels.height]));
    const std::int32_t* koff = from.in_place ? from.in_place : phase.koff;
    for (Index panel = first; panel < last; panel++) {
      const Index channel = group * v.produced + panel * panels.outs;
      T bias[kMostOuts] = {};
      Ending<T> end{{},
                    plane,
                    min(Index(L), block.count[2]),
                    min(panels.outs, v.produced - panel * panels.outs),
                    false,
                    bias,
                    data.activation};
      if (data.bias)
        for (Index i = 0; i < end.outs; i++) bias[i] = data.bias[channel + i];
      T* out = data.out + (block.image * v.groups * v.produced + channel) * plane;
      Cursor cursor{v, block, from, v.groups * v.produced * plane};
      const T* x[kMostVectors];
      for (Index i = 0, left = total; i < tiles; i++) {
        const int count = int(left / (tiles - i));
        for (int j = 0; j < count; j++, cursor.next()) {
          Index at;
          cursor.get(x[j], at);
          end.to[j] = out + at;
        }
        left -= count;
        tile_for<T>(panels.height, count)(x, koff, v.contracted * phase.taps, weights(group, phase, panel),
                                          end, from.in_place);
      }
    }
  }

  void operator()(Index task) const {
    const Index first = task % panel_groups() * v.panels, last = min(first + v.panels, panels.count);
    Block block;
    const Index group = block_of(v, task / panel_groups(), block);
    const Lines<T> lines(block.count[1], block.count[2], v.pitch[2]);
    const Index total = block.images * block.count[0] * lines.vectors * L;  // sums of one channel and phase
    T* source = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    if (by_lines(v)) return lines_task(group, block, first, last, source);
    // A vector may reach past the last entry that a pixel needs: into slack, and its lanes are dropped.
    T* sums = source + v.images * v.chunk * v.pitch[0] + 2 * L;
    const auto sums_of = [&](int phase, Index panel) {
      return sums + (phase * (last - first) + panel - first) * panels.rows() * total;
    };

    for (Index c = 0; c < v.contracted; c += v.chunk) {
      const Index channels = min(v.chunk, v.contracted - c);
      // A panel that reads everything once need not have it copied first.
      const From<T> from =
          source_of(source, data.first, group, c, channels, v, block, panels.count == 1, lines.vectors * L);
      for (int f = 0; f < v.phases; f++) {
        const PhaseView& phase = v.phase[f];
        const Passes passes(channels * phase.taps, v.depth);
        for (Index i = 0; i < passes.count; i++) {
          const Index k = passes.start(i), depth = passes.start(i + 1) - k;
          for (Index panel = first; panel < last; panel++) {
            const T* w = weights(group, phase, panel) + (c * phase.taps + k) * panels.rows();
            multiply(from, (from.in_place ? from.in_place : phase.koff) + k, depth, w, sums_of(f, panel),
                     block, lines, c + i > 0);
          }
        }
      }
    }
    const Index out_plane = v.axis[0].target * v.axis[1].target * v.axis[2].target;
    for (Index panel = first; panel < last; panel++)
      for (Index i = 0; i < panels.outs && panel * panels.outs + i < v.produced; i++)
        for (Index image = 0; image < block.images; image++) {
          const Index channel = group * v.produced + panel * panels.outs + i;
          T* out = data.out + ((block.image + image) * v.groups * v.produced + channel) * out_plane;
          for (int f = 0; f < v.phases; f++)
            store_plane(out, sums_of(f, panel) + i * total + image * block.count[0] * lines.vectors * L,
                        data.bias ? data.bias[channel] : T(0), v.phase[f], block, lines);
        }
  }
};

template <typename T>
std::size_t shared_bytes(const DirectView& v) {
  const Panels panels = Panels::of(v.produced);
  return sizeof(T) * v.groups * v.taps * v.contracted * panels.count * panels.rows();
}

template <typename T>
std::size_t scratch_bytes(const DirectView& v) {
  constexpr Index L = kLanes<T>;
  const Panels panels = Panels::of(v.produced);
  // Lines may be cut flat or one by one, whichever is shorter for a block: reckon with one by one.
  const Index vectors = v.images * v.axis[0].span * v.axis[1].span * ceil_div(v.axis[2].span, L);
  const Index sums = v.phases * min(v.panels, panels.count) * panels.rows() * vectors * L;
  return sizeof(T) * (v.images * v.chunk * v.pitch[0] + 2 * L + sums);
}

template <typename T>
void direct_pixels(const DirectView& v, const Operands<T>& data) {
  T* packed = static_cast<T*>(scratch(Scratch::Shared, shared_bytes<T>(v)));
  Run<T> run{v, data, Panels::of(v.produced), packed};
  parallel_for(
      v.groups * run.panels.count, [](void* r, Index i) { static_cast<Run<T>*>(r)->pack_weights(i); }, &run,
      v.weight_nanoseconds);
  parallel_for(run.tasks(), [](void* r, Index i) { (*static_cast<Run<T>*>(r))(i); }, &run, v.nanoseconds);
}

}  // namespace

template <typename T>
Family<T, DirectView> direct_pixels_family() {
  return {shared_bytes<T>, scratch_bytes<T>, direct_pixels<T>};
}
template Family<float, DirectView> direct_pixels_family();
template Family<double, DirectView> direct_pixels_family();

}  // namespace convgrad::CONVGRAD_ISA
