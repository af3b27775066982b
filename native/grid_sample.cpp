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

/// One number per lane, as wide as the elements.
template <typename T>
using Numbers = decltype(Vec<T>{} > Vec<T>{});

/// The same along one dimension.
template <typename T>
struct Line {
  int count;
  Numbers<T> at[2];
  Vec<T> weight[2];
};

/// A position mirrored at the borders until it lies inside.
template <typename T>
T reflected(T place, Index n, bool align) {
  const T low = align ? T(0) : T(-0.5), span = align ? T(n - 1) : T(n);
  if (span == T(0)) return T(0);
  const T away = T(__builtin_fabs(place - low)), flips = T(__builtin_floor(away / span));
  const T extra = away - held(flips * span);
  return (flips - 2 * T(__builtin_floor(flips / 2)) == T(1) ? span - extra : extra) + low;
}

template <typename T>
struct Sampling {
  GridView v;
  const T* values;  // x, or the cotangent of the samples
  const T* grid;
  T* out;

  /// Where points lie along a dimension, in entries.
  CONVGRAD_INLINE Vec<T> place(const GridView& v, Vec<T> position, Index n) {
    // the product rounded by itself, as NumPy does
    Vec<T> at = held((position + T(1)) * (T(v.align ? n - 1 : n) / 2));
    if (!v.align) at -= T(0.5);
    if (v.padding == GridView::Zeros) return at;
    if (v.padding == GridView::Reflection)
      for (int i = 0; i < kLanes<T>; i++) at[i] = reflected(T(at[i]), n, v.align);
    at = at > T(0) ? at : Vec<T>{};  // NaN becomes 0
    return at < T(n - 1) ? at : splat(T(n - 1));
  }

  /// The entries along dimension a that points are made of: -1 outside.
  CONVGRAD_INLINE Line<T> along(const GridView& v, Vec<T> position, int a) {
    const Index n = v.in[a];
    const Vec<T> where = place(v, position, n);
    // what lies farther outside is as far as this; NaN stays
    Vec<T> near = where < T(-2) ? splat(T(-2)) : where > T(n + 1) ? splat(T(n + 1)) : where;
    if (v.nearest) {
      constexpr T kWhole = sizeof(T) == 4 ? T(0x1.8p23) : T(0x1.8p52);  // no fraction fits beside it
      near = held(near + kWhole) - kWhole;
    }
    Numbers<T> first = __builtin_convertvector(near, Numbers<T>);
    first += __builtin_convertvector(first, Vec<T>) > near;  // cut towards zero; now down
    const Vec<T> t = where - __builtin_convertvector(first, Vec<T>);
    Line<T> line;
    line.count = v.nearest ? 1 : 2;
    line.at[0] = inside(first, n), line.at[1] = inside(first + 1, n);
    line.weight[0] = v.nearest ? splat(T(1)) : v.order[a] ? splat(T(-1)) : T(1) - t;
    line.weight[1] = v.order[a] ? splat(T(1)) : t;
    return line;
  }

  CONVGRAD_INLINE Numbers<T> inside(Numbers<T> at, Index n) {
    return (at >= 0) & (at < (decltype(at[0] + 0))(n)) ? at : Numbers<T>{} - 1;
  }

  /// The taps of `count` points; those up to a whole vector lie outside.
  void find(const T* points, Index count, Taps<T>& taps) const {
    constexpr int L = kLanes<T>;
    typedef std::int32_t Places __attribute__((vector_size(L * 4)));
    for (Index p = 0; p < count; p += L) {
      const Index lanes = min(L, count - p);
      const T* from = points + p * v.axes;
      Vec<T> position[3] = {};
      if (v.axes == 2) {
        const Vec<T> low = load_some(from, 2 * lanes), high = load_some(from + L, 2 * lanes - L);
        position[2] = evens<T>(low, high), position[1] = odds<T>(low, high);
      } else {
        for (Index i = 0; i < lanes; i++)
          for (int a = 0; a < 3; a++) position[a][i] = from[3 * i + 2 - a];
      }
      Line<T> line[3];
      line[0] = {1, {}, {splat(T(1))}};
      for (int a = 3 - v.axes; a < 3; a++) line[a] = along(v, position[a], a);
      int number = 0;
      for (int i = 0; i < line[0].count; i++)
        for (int j = 0; j < line[1].count; j++)
          for (int k = 0; k < line[2].count; k++, number++) {
            const Numbers<T> z = line[0].at[i], y = line[1].at[j], x = line[2].at[k];
            using Lane = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
            const Numbers<T> at = (z * Lane(v.in[1]) + y) * Lane(v.in[2]) + x;
            const Places places = __builtin_convertvector((z | y | x) < 0 ? Numbers<T>{} - 1 : at, Places);
            __builtin_memcpy(taps.at[number] + p, &places, sizeof(places));
            store(taps.weight[number] + p, line[0].weight[i] * line[1].weight[j] * line[2].weight[k]);
          }
      taps.count = number;
      for (int t = 0; t < number; t++)
        for (Index i = count; i < min(p + L, round_up(count, L)); i++)
          taps.at[t][i] = -1, taps.weight[t][i] = T(0);
    }
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
