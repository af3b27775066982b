// weight_pixels.cpp - weight gradient with pixels as lanes: for few channels, where a panel of them would be
// half empty. Products of y and x add up lane by lane; the lanes are added when a chunk is done.
#include "kernels.hpp"
#include "panels.hpp"
#include "source.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kOuts = 4, kRows = 6;
#else
constexpr int kOuts = 3, kRows = 4;
#endif

/// Where vectors of outputs start, in y's plane and in the source scratch; those from `full` on are partial.
struct Places {
  const std::int32_t *y, *x;
  Index full, count;
};

/// sum[i][j] += y[i] * x[j] over all places, lane by lane.
template <typename T, int MR, int NR>
void correlate(const T* const* y, const T* const* x, const Places& places, const Part<T>& part,
               T* const* sums) {
  constexpr int L = kLanes<T>;
  Vec<T> sum[MR][NR];
  CONVGRAD_UNROLL
  for (int i = 0; i < MR; i++) {
    CONVGRAD_UNROLL
    for (int j = 0; j < NR; j++) sum[i][j] = load(sums[i] + j * L);
  }
  for (Index k = 0; k < places.full; k++) {
    Vec<T> left[MR];
    CONVGRAD_UNROLL
    for (int i = 0; i < MR; i++) left[i] = held(load(y[i] + places.y[k]));
    CONVGRAD_UNROLL
    for (int j = 0; j < NR; j++) {
      const Vec<T> right = held(load(x[j] + places.x[k]));
      CONVGRAD_UNROLL
      for (int i = 0; i < MR; i++) sum[i][j] += left[i] * right;
    }
  }
  for (Index k = places.full; k < places.count; k++) {
    Vec<T> left[MR];
    CONVGRAD_UNROLL
    for (int i = 0; i < MR; i++) left[i] = held(load(y[i] + places.y[k], part));
    CONVGRAD_UNROLL
    for (int j = 0; j < NR; j++) {
      const Vec<T> right = held(load(x[j] + places.x[k], part));
      CONVGRAD_UNROLL
      for (int i = 0; i < MR; i++) sum[i][j] += left[i] * right;
    }
  }
  CONVGRAD_UNROLL
  for (int i = 0; i < MR; i++) {
    CONVGRAD_UNROLL
    for (int j = 0; j < NR; j++) store(sums[i] + j * L, sum[i][j]);
  }
}

template <typename T>
using Correlate = void (*)(const T* const*, const T* const*, const Places&, const Part<T>&, T* const*);

template <typename T, int MR, int... NR>
constexpr Correlate<T> row_of(int rows, std::integer_sequence<int, NR...>) {
  constexpr Correlate<T> row[] = {correlate<T, MR, NR + 1>...};
  return row[rows - 1];
}

template <typename T>
Correlate<T> correlate_for(int outs, int rows) {
  constexpr auto all = std::make_integer_sequence<int, kRows>{};
  switch (outs) {
    case 1:
      return row_of<T, 1>(rows, all);
    case 2:
      return row_of<T, 2>(rows, all);
    case 3:
      return row_of<T, 3>(rows, all);
    default:
      return row_of<T, kOuts>(rows, all);
  }
}

template <typename T>
std::size_t scratch_bytes(const WeightView& v);

template <typename T>
struct Run {
  const WeightView& v;
  const Operands<T>& data;
  T* partial;  // [chunk][group][out channel][row]

  static constexpr int L = kLanes<T>;

  Index channel_blocks() const { return ceil_div(v.in_channels, v.channels); }
  Index out_blocks() const { return ceil_div(v.out_channels, v.outs); }

  /// Full vectors of all rows of a block first, then their remainders. Of 1x1 kernels, x is read where it is.
  Places places_of(const Block& block, std::int32_t* memory) const {
    const AxisView* axis = v.axis;
    const Index* n = block.count;
    const Index whole = n[2] / L, lines = n[0] * n[1], most = lines * (whole + 1);
    std::int32_t *y = memory, *x = memory + most;
    Index full = 0, rest = lines * whole;
    for (Index d = 0; d < n[0]; d++)
      for (Index h = 0; h < n[1]; h++) {
        const Index to =
            ((block.start[0] + d) * axis[1].target + block.start[1] + h) * axis[2].target + block.start[2];
        const Index from = d * v.pitch[1] + h * v.pitch[2];
        for (Index w = 0; w < n[2]; w += L) {
          const Index k = w + L <= n[2] ? full++ : rest++;
          y[k] = std::int32_t(to + w);
          x[k] = std::int32_t((v.pointwise ? to : from) + w);
        }
      }
    return {y, x, full, rest};
  }

  void add_image(T* sums, const T* y, const T* source, Index pitch, Index outs, Index channels,
                 const Places& places, const Part<T>& part) const {
    const AxisView* axis = v.axis;
    const Index plane = axis[0].target * axis[1].target * axis[2].target, rows = channels * v.taps;
    for (Index r = 0; r < rows; r += kRows) {
      const int count = int(min(kRows, rows - r));
      const T* x[kRows];
      for (int j = 0; j < count; j++) x[j] = source + (r + j) / v.taps * pitch + v.tap_at[(r + j) % v.taps];
      for (Index o = 0; o < outs; o += kOuts) {
        const int mr = int(min(kOuts, outs - o));
        const T* from[kOuts];
        T* to[kOuts];
        for (int i = 0; i < mr; i++) {
          from[i] = y + (o + i) * plane;
          to[i] = sums + ((o + i) * rows + r) * L;
        }
        correlate_for<T>(mr, count)(from, x, places, part, to);
      }
    }
  }

  void operator()(Index task) const {
    const Index first = task % channel_blocks() * v.channels,
                channels = min(v.channels, v.in_channels - first);
    task /= channel_blocks();
    const Index first_out = task % out_blocks() * v.outs, outs = min(v.outs, v.out_channels - first_out);
    task /= out_blocks();
    const Index group = task % v.groups, chunk = task / v.groups;
    const Index in_plane = v.axis[0].source * v.axis[1].source * v.axis[2].source;
    const Index out_plane = v.axis[0].target * v.axis[1].target * v.axis[2].target;
    const Index rows = channels * v.taps;
    T* sums = static_cast<T*>(scratch(Scratch::Task, scratch_bytes<T>(v)));
    T* source = sums + v.outs * v.channels * v.taps * L;
    std::int32_t* memory = reinterpret_cast<std::int32_t*>(source + v.channels * v.pitch[0] + L);
    for (Index i = 0; i < outs * rows * L; i += L) store(sums + i, Vec<T>{});
    for (Index b = v.chunk_start(chunk); b < v.chunk_start(chunk + 1); b++) {
      Block block;
      block_of(v, b, block);
      const Places places = places_of(block, memory);
      const Part<T> part(block.count[2] % L);
      for (Index i = 0; i < block.images; i++) {
        const Index image = (block.image + i) * v.groups + group;
        const T* x = data.first + (image * v.in_channels + first) * in_plane;
        if (!v.pointwise) pack_source(source, x, channels, v, block);
        add_image(sums, data.second + (image * v.out_channels + first_out) * out_plane,
                  v.pointwise ? x : source, v.pointwise ? in_plane : v.pitch[0], outs, channels, places,
                  part);
      }
    }
    for (Index o = 0; o < outs; o++) {
      T* to =
          partial + ((chunk * v.groups + group) * v.out_channels + first_out + o) * v.rows() + first * v.taps;
      for (Index r = 0; r < rows; r++) to[r] = lane_sum<T>(load(sums + (o * rows + r) * L));
    }
  }

  /// Add the chunks up in their order.
  void finish(Index task) const {
    const Index first = task * kFinish, size = v.groups * v.out_channels * v.rows(),
                last = min(size, first + kFinish);
    for (Index i = first; i < last; i++) {
      T sum = partial[i];
      for (Index chunk = 1; chunk < v.chunks; chunk++) sum += partial[chunk * size + i];
      data.out[i] = sum;
    }
  }
  static constexpr Index kFinish = 4096;
};

template <typename T>
std::size_t shared_bytes(const WeightView& v) {
  return sizeof(T) * v.chunks * v.groups * v.out_channels * v.rows();
}

template <typename T>
std::size_t scratch_bytes(const WeightView& v) {
  constexpr int L = kLanes<T>;
  const Index entries = v.outs * v.channels * v.taps * L + v.channels * v.pitch[0] + L;
  const Index lines = v.axis[0].span * v.axis[1].span;
  return sizeof(T) * entries + 2 * sizeof(std::int32_t) * lines * (v.axis[2].span / L + 1);
}

template <typename T>
void weight_pixels(const WeightView& v, const Operands<T>& data) {
  T* partial = static_cast<T*>(scratch(Scratch::Shared, shared_bytes<T>(v)));
  Run<T> run{v, data, partial};
  parallel_for(
      v.chunks * v.groups * run.out_blocks() * run.channel_blocks(),
      [](void* r, Index i) { (*static_cast<Run<T>*>(r))(i); }, &run, v.nanoseconds);
  parallel_for(
      ceil_div(v.groups * v.out_channels * v.rows(), Run<T>::kFinish),
      [](void* r, Index i) { static_cast<Run<T>*>(r)->finish(i); }, &run, v.chunks * v.weight_nanoseconds);
}

}  // namespace

template <typename T>
Family<T, WeightView> weight_pixels_family() {
  return {shared_bytes<T>, scratch_bytes<T>, weight_pixels<T>};
}
template Family<float, WeightView> weight_pixels_family();
template Family<double, WeightView> weight_pixels_family();

}  // namespace convgrad::CONVGRAD_ISA
