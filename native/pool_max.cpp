// pool_max.cpp - the largest value of each window, and the gradient that flows back to it.
#include "lanes.hpp"
#include "parallel.hpp"
#include "pools.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

constexpr Index kTask = 8192;  // outputs of a task, about

template <typename T>
constexpr T kLowest = -T(__builtin_inf());

/// One number per lane, as wide as the elements: what their comparison gives.
template <typename T>
using Numbers = decltype(Vec<T>{} > Vec<T>{});

template <typename T>
CONVGRAD_INLINE Numbers<T> same_numbers(Index number) {
  using Lane = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  return Lane(number) - Numbers<T>{};
}
template <typename T, int... I>
CONVGRAD_INLINE Numbers<T> numbers_of_lanes(std::integer_sequence<int, I...>) {
  return Numbers<T>{I...};
}

/// Every lane's value in the next one, and another in the first.
template <typename T, int... I>
CONVGRAD_INLINE Vec<T> moved_up(Vec<T> v, T first, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(v, splat(first), (I ? I - 1 : kLanes<T>)...);
}

/// The largest values so far, and the taps they came from.
template <typename T>
struct Best {
  Vec<T> value;
  Numbers<T> tap;

  CONVGRAD_INLINE void meet(Best& best, Vec<T> candidate, Index number) {
    const Numbers<T> better = (candidate > best.value) | (candidate != candidate);
    best.value = better ? candidate : best.value;
    best.tap = better ? same_numbers<T>(number) : best.tap;
  }
  CONVGRAD_INLINE void keep(const Best& best, T* out, unsigned char* winner, Index lanes) {
    typedef unsigned char Bytes __attribute__((vector_size(kLanes<T>)));
    const Bytes bytes = __builtin_convertvector(best.tap, Bytes);
    store_some(out, best.value, lanes);
    if (lanes >= kLanes<T>) __builtin_memcpy(winner, &bytes, sizeof(bytes));
    else __builtin_memcpy(winner, &bytes, std::size_t(lanes));
  }
};

/// The entries p[0], p[s], p[2 s], ... of one tap for the outputs of a vector; S is s, or 0 for any. No more
/// than `readable` entries are read.
template <typename T, int S>
CONVGRAD_INLINE Vec<T> tap_entries(const T* p, Index s, Index lanes, Index readable) {
  constexpr int L = kLanes<T>;
  if constexpr (S == 1) return load_some(p, readable);
  else if constexpr (S == 2) return evens<T>(load_some(p, readable), load_some(p + L, readable - L));
  else if constexpr (S == 4)
    return evens<T>(tap_entries<T, 2>(p, s, lanes, readable),
                    tap_entries<T, 2>(p + 2 * L, s, lanes, readable - 2 * L));
  Vec<T> v{};
  for (int i = 0; i < lanes; i++) v[i] = p[i * s];
  return v;
}

/// The same for an entry p[at] and those after it, of a row of so many: lowest where the row has none.
template <typename T, int S>
CONVGRAD_INLINE Vec<T> overhanging_entries(const T* row, Index at, Index s, Index lanes, Index length) {
  const Index before = at < 0 ? ceil_div(-at, s) : 0, from = at + before * s;  // lanes, and the first entry
  const Index there = min(lanes - before, from < length ? ceil_div(length - from, s) : 0);
  Vec<T> v{};
  if (there > 0) v = tap_entries<T, S>(row + from, s, there, length - from);
  v = numbers_of_lanes<T>(LaneNumbers<T>()) < same_numbers<T>(there) ? v : splat(kLowest<T>);
  for (Index i = 0; i < before; i++) v = moved_up<T>(v, kLowest<T>, LaneNumbers<T>());
  return v;
}

/// The input rows that the windows of an output row meet, and the number of each one's first tap.
template <typename T>
struct Rows {
  const T* row[kMostTaps];
  Index number[kMostTaps];
  Index count;
  Index length;
};

/// A row of outputs. Entries outside are lowest.
template <typename T, int S, int K>
CONVGRAD_INLINE void row_maxima(const MaxView& v, const Rows<T>& rows, T* out, unsigned char* winner) {
  constexpr int L = kLanes<T>;
  const Index s = S ? S : v.stride[2], taps = K ? K : v.kernel[2], d = v.dilation[2], n = rows.length;
  for (Index o = 0; o < v.out[2]; o += L) {
    const Index lanes = min(L, v.out[2] - o), at = o * s - v.low[2];
    Best<T> best{splat(kLowest<T>), same_numbers<T>(rows.number[0])};
    const auto meet_all = [&](auto&& entries) {
      for (Index r = 0; r < rows.count; r++) {
        CONVGRAD_UNROLL
        for (Index j = 0; j < taps; j++)
          Best<T>::meet(best, entries(rows.row[r], at + j * d), rows.number[r] + j);
      }
    };
    if (at >= 0 && at + (lanes - 1) * s + (taps - 1) * d < n) {
      meet_all([&](const T* row, Index i) { return tap_entries<T, S>(row + i, s, lanes, n - i); });
    } else {
      for (int i = 0; i < lanes && at + i * s < 0; i++)
        best.tap[i] += min(taps - 1, ceil_div(-at - i * s, d));  // the first that is inside
      meet_all([&](const T* row, Index i) { return overhanging_entries<T, S>(row, i, s, lanes, n); });
    }
    Best<T>::keep(best, out + o, winner + o, lanes);
  }
}

/// The most frequent pooling: windows two wide, side by side, all inside.
template <typename T>
CONVGRAD_INLINE void row_maxima_of_pairs(const Rows<T>& rows, Index count, T* out, unsigned char* winner) {
  constexpr int L = kLanes<T>;
  for (Index o = 0; o < count; o += L) {
    const Index lanes = min(L, count - o);
    Best<T> best{};
    for (Index r = 0; r < rows.count; r++) {
      const T* p = rows.row[r] + 2 * o;
      const Vec<T> low = load_some(p, 2 * lanes), high = load_some(p + L, 2 * lanes - L);
      const Vec<T> even = evens<T>(low, high);
      if (r == 0) best = {even, same_numbers<T>(rows.number[0])};
      else Best<T>::meet(best, even, rows.number[r]);
      Best<T>::meet(best, odds<T>(low, high), rows.number[r] + 1);
    }
    Best<T>::keep(best, out + o, winner + o, lanes);
  }
}

template <typename T>
struct Maxima {
  MaxView v;
  const T* x;
  T* out;
  unsigned char* winner;
  Index* index;
  bool inside;                     // no window overhangs its row
  Index per_task;                  // output rows
  std::int32_t offset[kMostTaps];  // from where a window begins to each of its taps

  static void run(void* self, Index task) { (*static_cast<const Maxima*>(self))(task); }

  void operator()(Index task) const {
    const Index rows = v.planes * v.out[0] * v.out[1], last = min(rows, (task + 1) * per_task);
    const Index begin_at = task * per_task;
    // counted on from row to row: divisions would take as long as a short row
    Index y = begin_at % v.out[1], z = begin_at / v.out[1] % v.out[0];
    Index plane = begin_at / (v.out[1] * v.out[0]);
    for (Index r = begin_at; r < last; r++) {
      const Index begin[2] = {z * v.stride[0] - v.low[0], y * v.stride[1] - v.low[1]};
      Rows<T> met;
      meet(x + plane * v.in_pixels(), begin, met);
      maxima(met, r * v.out[2]);
      if (index) positions((begin[0] * v.in[1] + begin[1]) * v.in[2] - v.low[2], r * v.out[2]);
      if (++y < v.out[1]) continue;
      y = 0;
      if (++z == v.out[0]) z = 0, plane++;
    }
  }

  void meet(const T* plane, const Index* begin, Rows<T>& met) const {
    met.count = 0;
    met.length = v.in[2];
    for (Index i = 0; i < v.kernel[0]; i++) {
      const Index z = begin[0] + i * v.dilation[0];
      if (z < 0 || z >= v.in[0]) continue;
      for (Index j = 0; j < v.kernel[1]; j++) {
        const Index y = begin[1] + j * v.dilation[1];
        if (y < 0 || y >= v.in[1]) continue;
        met.row[met.count] = plane + (z * v.in[1] + y) * v.in[2];
        met.number[met.count++] = (i * v.kernel[1] + j) * v.kernel[2];
      }
    }
  }

  void maxima(const Rows<T>& rows, Index to) const {
    T* values = out + to;
    unsigned char* taps = winner + to;
    const Index s = v.stride[2], k = v.kernel[2];
    if (inside && s == 2 && k == 2 && v.dilation[2] == 1) row_maxima_of_pairs(rows, v.out[2], values, taps);
    else if (s == 1 && k == 3) row_maxima<T, 1, 3>(v, rows, values, taps);
    else if (s == 1) row_maxima<T, 1, 0>(v, rows, values, taps);
    else if (s == 2 && k == 3) row_maxima<T, 2, 3>(v, rows, values, taps);
    else if (s == 2) row_maxima<T, 2, 0>(v, rows, values, taps);
    else if (s == 4) row_maxima<T, 4, 0>(v, rows, values, taps);
    else row_maxima<T, 0, 0>(v, rows, values, taps);
  }

  void positions(Index begin, Index to) const {
    for (Index o = 0; o < v.out[2]; o++) index[to + o] = begin + o * v.stride[2] + offset[winner[to + o]];
  }
};

/// From where a window begins to each of its taps, in a plane; beyond the last zero.
template <typename Number>
void offsets_of_taps(const MaxView& v, Number* offset) {
  for (Index t = 0; t < kMostTaps; t++) offset[t] = 0;
  Index t = 0;
  for (Index i = 0; i < v.kernel[0]; i++)
    for (Index j = 0; j < v.kernel[1]; j++)
      for (Index k = 0; k < v.kernel[2]; k++)
        offset[t++] = Number((i * v.dilation[0] * v.in[1] + j * v.dilation[1]) * v.in[2] + k * v.dilation[2]);
}

}  // namespace

template <typename T>
void max_over_windows(const MaxView& v, const T* x, T* out, unsigned char* winner, Index* index) {
  Maxima<T> m;
  m.v = v, m.x = x, m.out = out, m.winner = winner, m.index = index;
  const Index span = (v.kernel[2] - 1) * v.dilation[2];
  m.inside = v.low[2] == 0 && (v.out[2] - 1) * v.stride[2] + span < v.in[2];
  if (index) offsets_of_taps(v, m.offset);
  const Index rows = v.planes * v.out[0] * v.out[1];
  m.per_task = max(1, kTask / v.out[2]);
  // a tap takes about 6 instructions for a vector of outputs, a row of outputs some 20 ns
  const double vectors = double(rows) * double(ceil_div(v.out[2], kLanes<T>));
  parallel_for(ceil_div(rows, m.per_task), Maxima<T>::run, &m,
               Index(vectors * double(v.taps()) * 2 + double(rows) * 20));
}

// ---- the gradient

namespace {

template <typename T>
struct MaxGrad {
  MaxView v;
  const T* g;
  const unsigned char* winner;
  T* gx;
  bool pairs_of_columns;  // windows two wide, side by side
  Index per_task;         // planes
  Index offset[kMostTaps];

  static void run(void* self, Index task) { (*static_cast<const MaxGrad*>(self))(task); }

  void operator()(Index task) const {
    const Index last = min(v.planes, (task + 1) * per_task);
    for (Index plane = task * per_task; plane < last; plane++) {
      const Index to = plane * v.in_pixels(), from = plane * v.out_pixels();
      if (pairs_of_columns) spread_pairs(g + from, winner + from, gx + to);
      else add(g + from, winner + from, gx + to);
    }
  }

  /// Whatever the windows: one after another.
  void add(const T* from, const unsigned char* taps, T* to) const {
    const Index pixels = v.in_pixels();
    __builtin_memset(to, 0, sizeof(T) * std::size_t(pixels));
    for (Index z = 0; z < v.out[0]; z++)
      for (Index y = 0; y < v.out[1]; y++) {
        const Index row = (z * v.stride[0] - v.low[0]) * v.in[1] + y * v.stride[1] - v.low[1];
        Index begin = row * v.in[2] - v.low[2];
        for (Index o = 0; o < v.out[2]; o++, begin += v.stride[2]) {
          const Index at = begin + offset[*taps++];
          if (std::uint64_t(at) < std::uint64_t(pixels)) to[at] += *from;
          from++;
        }
      }
  }

  /// Each window writes all of its places, and what no window covers is zero.
  void spread_pairs(const T* from, const unsigned char* taps, T* to) const {
    for (Index z = 0, oz = 0, i = 0; z < v.in[0]; z++) {
      for (Index y = 0, oy = 0, j = 0; y < v.in[1]; y++, to += v.in[2]) {
        const Index row = (oz * v.out[1] + oy) * v.out[2], tap = (i * v.kernel[1] + j) * 2;
        if (oz < v.out[0] && oy < v.out[1]) spread_row(from + row, taps + row, tap, to);
        else __builtin_memset(to, 0, sizeof(T) * std::size_t(v.in[2]));
        if (++j == v.stride[1]) j = 0, oy++;
      }
      if (++i == v.stride[0]) i = 0, oz++;
    }
  }

  void spread_row(const T* from, const unsigned char* taps, Index tap, T* to) const {
    constexpr int L = kLanes<T>;
    typedef unsigned char Bytes __attribute__((vector_size(kLanes<T>)));
    const Numbers<T> even = same_numbers<T>(tap), odd = same_numbers<T>(tap + 1);
    for (Index o = 0; o < v.out[2]; o += L) {
      const Index lanes = min(L, v.out[2] - o), left = v.in[2] - 2 * o;
      Bytes bytes{};
      if (lanes == L) __builtin_memcpy(&bytes, taps + o, sizeof(bytes));
      else __builtin_memcpy(&bytes, taps + o, std::size_t(lanes));
      const Numbers<T> number = __builtin_convertvector(bytes, Numbers<T>);
      const Vec<T> value = load_some(from + o, lanes), zero{};
      const Vec<T> a = number == even ? value : zero, b = number == odd ? value : zero;
      store_some(to + 2 * o, pairs<T>(a, b), min(left, 2 * lanes));
      store_some(to + 2 * o + L, later_pairs<T>(a, b), min(left, 2 * lanes) - L);
    }
    for (Index x = 2 * v.out[2]; x < v.in[2]; x++) to[x] = T(0);
  }
};

}  // namespace

template <typename T>
void max_over_windows_grad(const MaxView& v, const T* g, const unsigned char* winner, T* gx) {
  MaxGrad<T> m;
  m.v = v, m.g = g, m.winner = winner, m.gx = gx;
  m.pairs_of_columns = v.side_by_side() && v.kernel[2] == 2;
  offsets_of_taps(v, m.offset);
  m.per_task = max(1, 2 * kTask / v.in_pixels());
  const double per_plane =
      double(v.in_pixels()) / 4 + double(v.out_pixels()) * (m.pairs_of_columns ? 0.5 : 1.5);
  parallel_for(ceil_div(v.planes, m.per_task), MaxGrad<T>::run, &m, Index(double(v.planes) * per_plane));
}

// ---- positions within planes, as the user sees them

namespace {

template <typename T>
struct Scatter {
  Index planes, count, pixels, per_task;
  const T* g;
  const Index* index;
  T* gx;
  bool* outside;  // per task

  static void run(void* self, Index task) { (*static_cast<const Scatter*>(self))(task); }

  void operator()(Index task) const {
    bool bad = false;
    for (Index plane = task * per_task; plane < min(planes, (task + 1) * per_task); plane++) {
      T* to = gx + plane * pixels;
      __builtin_memset(to, 0, sizeof(T) * std::size_t(pixels));
      for (Index i = plane * count; i < (plane + 1) * count; i++) {
        if (std::uint64_t(index[i]) < std::uint64_t(pixels)) to[index[i]] += g[i];
        else bad = true;
      }
    }
    outside[task] = bad;
  }
};

template <typename T>
struct SpanMaxima {
  SpanView v;
  const T* x;
  T* out;
  Index* index;
  Index per_task;  // planes

  static void run(void* self, Index task) { (*static_cast<const SpanMaxima*>(self))(task); }

  void operator()(Index task) const {
    for (Index plane = task * per_task; plane < min(v.planes, (task + 1) * per_task); plane++) {
      Index to = plane * v.to_pixels();
      for (Index i = 0; i < v.to[0]; i++)
        for (Index j = 0; j < v.to[1]; j++)
          for (Index k = 0; k < v.to[2]; k++) largest(x + plane * v.from_pixels(), i, j, k, to++);
    }
  }

  void largest(const T* plane, Index i, Index j, Index k, Index to) const {
    Index where = (v.first[0][i] * v.from[1] + v.first[1][j]) * v.from[2] + v.first[2][k];
    T best = kLowest<T>;
    for (Index a = v.first[0][i]; a < v.last[0][i]; a++)
      for (Index b = v.first[1][j]; b < v.last[1][j]; b++) {
        const Index row = (a * v.from[1] + b) * v.from[2];
        for (Index at = row + v.first[2][k]; at < row + v.last[2][k]; at++)
          if (plane[at] > best || plane[at] != plane[at]) best = plane[at], where = at;
      }
    out[to] = best;
    index[to] = where;
  }
};

}  // namespace

template <typename T>
bool scatter_to_positions(Index planes, Index count, Index pixels, const T* g, const Index* index, T* gx) {
  const Index per_task = max(1, 2 * kTask / max(1, count + pixels)), tasks = ceil_div(planes, per_task);
  bool* outside = static_cast<bool*>(scratch(Scratch::Flags, std::size_t(tasks)));
  Scatter<T> s{planes, count, pixels, per_task, g, index, gx, outside};
  parallel_for(tasks, Scatter<T>::run, &s,
               Index(double(planes) * (double(count) * 1.5 + double(pixels) / 4)));
  for (Index task = 0; task < tasks; task++)
    if (outside[task]) return false;
  return true;
}

template <typename T>
void max_over_spans(const SpanView& v, const T* x, T* out, Index* index) {
  SpanMaxima<T> m{v, x, out, index, max(1, kTask / max(1, v.from_pixels()))};
  parallel_for(ceil_div(v.planes, m.per_task), SpanMaxima<T>::run, &m,
               Index(double(v.planes) * double(v.from_pixels()) * 1.2));
}

#define CONVGRAD_FOR(T)                                                                       \
  template void max_over_windows<T>(const MaxView&, const T*, T*, unsigned char*, Index*);    \
  template void max_over_windows_grad<T>(const MaxView&, const T*, const unsigned char*, T*); \
  template bool scatter_to_positions<T>(Index, Index, Index, const T*, const Index*, T*);     \
  template void max_over_spans<T>(const SpanView&, const T*, T*, Index*);
CONVGRAD_FOR(float)
CONVGRAD_FOR(double)
#undef CONVGRAD_FOR

}  // namespace convgrad::CONVGRAD_ISA
