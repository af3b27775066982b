// grid_sample.cpp - values of planes between their entries, weighted by distance, and the adjoint of that.
#include "lanes.hpp"
#include "parallel.hpp"
#include "pools.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

constexpr Index kPoints = 256;  // of a block, whose taps are found before its values are summed
constexpr int kTaps = 8;
constexpr Index kChannels = 8;  // of a task of the adjoint

/// The entries that one point is made of, and their weights: tap by tap for the points of a block.
template <typename T>
struct Taps {
  int count;
  std::int32_t at[kTaps][kPoints];  // in the plane; -1 outside
  T weight[kTaps][kPoints];
};

template <typename T>
CONVGRAD_INLINE T clipped(T place, Index n) {
  const T low = place > T(0) ? place : T(0);  // NaN becomes 0
  return low < T(n - 1) ? low : T(n - 1);
}

/// A position mirrored at the borders until it lies inside.
template <typename T>
T reflected(T place, Index n, bool align) {
  const T low = align ? T(0) : T(-0.5), span = align ? T(n - 1) : T(n);
  if (span == T(0)) return T(0);
  const T away = __builtin_fabs(place - low), flips = __builtin_floor(away / span);
  const T extra = away - held(flips * span);
  return (flips - 2 * __builtin_floor(flips / 2) == T(1) ? span - extra : extra) + low;
}

template <typename T>
struct Sampling {
  GridView v;
  const T* values;  // x, or the cotangent of the samples
  const T* grid;
  T* out;

  /// Where a point lies along a dimension, in entries.
  T place(T position, Index n) const {
    T at = held((position + T(1)) * (T(v.align ? n - 1 : n) / 2));  // rounded by itself, as NumPy does
    if (!v.align) at -= T(0.5);
    if (v.padding == GridView::Zeros) return at;
    if (v.padding == GridView::Reflection) at = reflected(at, n, v.align);
    return clipped(at, n);
  }

  /// The entries along one dimension that a point is made of: -1 outside.
  int along(T position, int a, std::int32_t* at, T* weight) const {
    const Index n = v.in[a];
    const T where = place(position, n);
    if (v.nearest) {
      at[0] = inside(__builtin_rint(where), n), weight[0] = T(1);
      return 1;
    }
    const T first = __builtin_floor(where), t = where - first;
    at[0] = inside(first, n), at[1] = inside(first + T(1), n);
    weight[0] = v.order[a] ? T(-1) : T(1) - t, weight[1] = v.order[a] ? T(1) : t;
    return 2;
  }

  static std::int32_t inside(T at, Index n) { return at >= T(0) && at <= T(n - 1) ? std::int32_t(at) : -1; }

  /// The taps of `count` points; those up to a whole vector lie outside.
  void find(const T* points, Index count, Taps<T>& taps) const {
    for (Index p = 0; p < count; p++) {
      std::int32_t at[3][2] = {};
      T weight[3][2] = {{T(1)}, {T(1)}, {T(1)}};
      int many[3] = {1, 1, 1};
      for (int a = 3 - v.axes; a < 3; a++) many[a] = along(points[p * v.axes + 2 - a], a, at[a], weight[a]);
      int number = 0;
      for (int i = 0; i < many[0]; i++)
        for (int j = 0; j < many[1]; j++)
          for (int k = 0; k < many[2]; k++, number++) {
            const bool outside = at[0][i] < 0 || at[1][j] < 0 || at[2][k] < 0;
            taps.at[number][p] =
                outside ? -1 : std::int32_t((at[0][i] * v.in[1] + at[1][j]) * v.in[2] + at[2][k]);
            taps.weight[number][p] = weight[0][i] * weight[1][j] * weight[2][k];
          }
      taps.count = number;
    }
    for (int t = 0; t < taps.count; t++)
      for (Index p = count; p < round_up(count, kLanes<T>); p++) taps.at[t][p] = -1, taps.weight[t][p] = T(0);
  }

  // ---- samples: a task is a block of points

  static void run(void* self, Index task) { (*static_cast<const Sampling*>(self)).samples(task); }

  void samples(Index task) const {
    Taps<T> taps;
    const Index blocks = ceil_div(v.points, kPoints), n = task / blocks, first = task % blocks * kPoints;
    const Index count = min(kPoints, v.points - first);
    find(grid + (n * v.points + first) * v.axes, count, taps);
    for (Index c = 0; c < v.channels; c++) {
      const T* plane = values + (n * v.channels + c) * v.in_pixels();
      T* to = out + (n * v.channels + c) * v.points + first;
      for (Index p = 0; p < count; p += kLanes<T>) {
        Vec<T> sum{};
        for (int t = 0; t < taps.count; t++)
          sum += gathered(plane, taps.at[t] + p) * load(taps.weight[t] + p);
        store_some(to + p, sum, count - p);
      }
    }
  }

  // ---- the adjoint: a task is a few channels of one entry of the batch

  static void run_grad(void* self, Index task) { (*static_cast<const Sampling*>(self)).spread(task); }

  void spread(Index task) const {
    Taps<T> taps;
    const Index parts = ceil_div(v.channels, kChannels), n = task / parts, first = task % parts * kChannels;
    const Index last = min(v.channels, first + kChannels), pixels = v.in_pixels();
    T* planes = out + n * v.channels * pixels;
    __builtin_memset(planes + first * pixels, 0, sizeof(T) * std::size_t((last - first) * pixels));
    for (Index from = 0; from < v.points; from += kPoints) {
      const Index count = min(kPoints, v.points - from);
      find(grid + (n * v.points + from) * v.axes, count, taps);
      for (Index c = first; c < last; c++) {
        const T* g = values + (n * v.channels + c) * v.points + from;
        for (Index p = 0; p < count; p++)
          for (int t = 0; t < taps.count; t++)
            if (taps.at[t][p] >= 0) planes[c * pixels + taps.at[t][p]] += g[p] * taps.weight[t][p];
      }
    }
  }
};

}  // namespace

template <typename T>
void grid_samples(const GridView& v, const T* x, const T* grid, T* out) {
  Sampling<T> s{v, x, grid, out};
  parallel_for(v.batch * ceil_div(v.points, kPoints), Sampling<T>::run, &s,
               Index(double(v.batch) * double(v.points) * (20 + 2.0 * double(v.channels))));
}

template <typename T>
void grid_samples_grad(const GridView& v, const T* g, const T* grid, T* gx) {
  Sampling<T> s{v, g, grid, gx};
  parallel_for(v.batch * ceil_div(v.channels, kChannels), Sampling<T>::run_grad, &s,
               Index(double(v.batch) * double(v.channels) * double(v.points) * 8));
}

#define CONVGRAD_FOR(T)                                                   \
  template void grid_samples<T>(const GridView&, const T*, const T*, T*); \
  template void grid_samples_grad<T>(const GridView&, const T*, const T*, T*);
CONVGRAD_FOR(float)
CONVGRAD_FOR(double)
#undef CONVGRAD_FOR

}  // namespace convgrad::CONVGRAD_ISA
