// pool_mean.cpp - means over windows that are spans of each dimension, and their adjoint, which is of the
// same kind: the windows that hold an input are neighbours.
//
// Rows are summed first, vectors of columns at a time; the one row that this gives is then summed along
// itself.
#include "lanes.hpp"
#include "parallel.hpp"
#include "pools.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

constexpr Index kTask = 16384;  // entries of source and result of a task, about

/// The sum of a run of entries, in an order that depends on its length alone.
template <typename T>
T sum_of_run(const T* p, Index n) {
  constexpr int L = kLanes<T>;
  Vec<T> sums[4]{};
  Index i = 0;
  for (; i + 4 * L <= n; i += 4 * L) {
    CONVGRAD_UNROLL
    for (int k = 0; k < 4; k++) sums[k] += load(p + i + k * L);
  }
  for (; i < n; i += L) sums[0] += load_some(p + i, n - i);
  return sum_of_lanes<T>((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

template <typename T>
struct Means {
  SpanView v;
  const T* x;
  T* out;
  Index per_task;   // rows of the result; or planes, where the source is divided first
  Index lead;       // entries in front of a summed row
  Index room;       // of a summed row
  bool one_column;  // all of a row goes into one sum

  static void run(void* self, Index task) { (*static_cast<const Means*>(self))(task); }

  Index memory() const { return 2 * room + v.to[2] + v.from[2] + (v.before ? v.from_pixels() : 0); }

  void operator()(Index task) const {
    T* row = static_cast<T*>(scratch(Scratch::Task, sizeof(T) * std::size_t(memory())));
    for (Index i = 0; i < 2 * room; i++) row[i] = T(0);
    T* divisor = row + 2 * room;
    T* source = divisor + v.to[2] + v.from[2];
    const Index columns = v.before ? v.from[2] : v.to[2];
    for (Index i = 0; i < columns; i++) divisor[i] = T(v.divisor[2][i]);
    const Index per_plane = v.to[0] * v.to[1];
    const Index units = v.before ? v.planes : v.planes * per_plane;
    const Index first = task * per_task, last = min(units, (task + 1) * per_task);
    if (v.before) {
      for (Index plane = first; plane < last; plane++) {
        divide_source(x + plane * v.from_pixels(), divisor, source);
        rows(source, 0, per_plane, row, divisor, out + plane * v.to_pixels());
      }
    } else {
      for (Index r = first; r < last;) {
        const Index plane = r / per_plane, end = min(last, (plane + 1) * per_plane);
        rows(x + plane * v.from_pixels(), r - plane * per_plane, end - plane * per_plane, row, divisor,
             out + r * v.to[2]);
        r = end;
      }
    }
  }

  /// Rows [first, last) of a plane of the result.
  void rows(const T* plane, Index first, Index last, T* row, const T* divisor, T* to) const {
    Index z = first / v.to[1], y = first % v.to[1];
    for (Index r = first; r < last; r++, to += v.to[2]) {
      one_row(plane, z, y, row, divisor, to);
      if (++y == v.to[1]) y = 0, z++;
    }
  }

  void divide_source(const T* from, const T* divisor, T* to) const {
    for (Index z = 0; z < v.from[0]; z++)
      for (Index y = 0; y < v.from[1]; y++) {
        divide(from, divisor, T(v.divisor[0][z] * v.divisor[1][y]), v.from[2], to);
        from += v.from[2], to += v.from[2];
      }
  }

  static void divide(const T* from, const T* divisor, T by, Index n, T* to) {
    for (Index i = 0; i < n; i += kLanes<T>)
      store_some(to + i, load_some(from + i, n - i) / (splat(by) * load_some(divisor + i, n - i)), n - i);
  }

  void one_row(const T* plane, Index z, Index y, T* row, const T* divisor, T* to) const {
    const Index z0 = v.first[0][z], z1 = v.last[0][z], y0 = v.first[1][y], y1 = v.last[1][y];
    if (one_column && (z1 - z0) * (y1 - y0) == 1) {
      to[0] = sum_of_run(plane + (z0 * v.from[1] + y0) * v.from[2], v.from[2]);
    } else {
      add_rows(plane, z0, z1, y0, y1, row + lead);
      if (one_column) to[0] = sum_of_run(row + lead, v.from[2]);
      else along(row, to);
    }
    if (!v.before) divide(to, divisor, T(v.divisor[0][z] * v.divisor[1][y]), v.to[2], to);
  }

  void add_rows(const T* plane, Index z0, Index z1, Index y0, Index y1, T* row) const {
    const Index n = v.from[2];
    for (Index i = 0; i < n; i += kLanes<T>) {
      Vec<T> sum{};
      for (Index z = z0; z < z1; z++)
        for (Index y = y0; y < y1; y++) sum += load_some(plane + (z * v.from[1] + y) * n + i, n - i);
      store_some(row + i, sum, n - i);
    }
  }

  /// A row of sums over rows, summed along itself.
  void along(T* row, T* to) const {
    constexpr int L = kLanes<T>;
    const Index n = v.to[2];
    if (v.twice) {
      for (Index i = 0; 2 * i < n; i += L) {
        const Vec<T> value = load(row + i);
        store_some(to + 2 * i, pairs<T>(value, value), n - 2 * i);
        store_some(to + 2 * i + L, later_pairs<T>(value, value), n - 2 * i - L);
      }
    } else if (v.step == 1) {
      for (Index o = 0; o < n; o += L) {
        Vec<T> sum{};
        for (Index j = 0; j < v.width; j++) sum += load(row + o + j);
        store_some(to + o, sum, n - o);
      }
    } else if (v.step == 2) {
      for (Index o = 0; o < n; o += L) {
        Vec<T> sum{};
        for (Index j = 0; j < v.width; j++) sum += evens<T>(load(row + 2 * o + j), load(row + 2 * o + L + j));
        store_some(to + o, sum, n - o);
      }
    } else {
      for (Index o = 0; o < n; o++) {
        T sum = T(0);
        for (Index i = v.first[2][o]; i < v.last[2][o]; i++) sum += row[lead + i];
        to[o] = sum;
      }
    }
  }
};

/// The mean of each whole plane, or the adjoint: each entry of the source to all of a plane.
template <typename T>
struct Totals {
  const T* x;
  T* out;
  Index planes, pixels, per_task;
  T divisor;
  bool adjoint;

  static void run(void* self, Index task) { (*static_cast<const Totals*>(self))(task); }

  void operator()(Index task) const {
    for (Index plane = task * per_task; plane < min(planes, (task + 1) * per_task); plane++) {
      if (adjoint) {
        const Vec<T> value = splat(x[plane] / divisor);
        for (Index i = 0; i < pixels; i += kLanes<T>) store_some(out + plane * pixels + i, value, pixels - i);
      } else {
        out[plane] = sum_of_run(x + plane * pixels, pixels) / divisor;
      }
    }
  }
};

/// Whether there is one window per plane, which holds all of it.
bool is_total(const SpanView& v) {
  if ((v.before ? v.from_pixels() : v.to_pixels()) != 1) return false;
  for (int a = 0; a < 3; a++)
    for (Index i = 0; i < v.to[a]; i++)
      if (v.first[a][i] != 0 || v.last[a][i] != v.from[a]) return false;
  return true;
}

}  // namespace

template <typename T>
void mean_over_spans(const SpanView& v, const T* x, T* out) {
  const Index touched = v.from_pixels() + v.to_pixels();
  // a vector of each is loaded or stored once or twice, and every row of the result has its own cost
  const Index time = Index(double(v.planes) * (double(touched) / 3 + double(v.to[0] * v.to[1]) * 15));
  if (is_total(v)) {
    const Index pixels = max(v.from_pixels(), v.to_pixels()), per_task = max(1, kTask / pixels);
    const T divisor = T(v.divisor[0][0] * v.divisor[1][0] * v.divisor[2][0]);
    Totals<T> t{x, out, v.planes, pixels, per_task, divisor, v.before};
    return parallel_for(ceil_div(v.planes, per_task), Totals<T>::run, &t, v.planes * (pixels / 10 + 5));
  }
  Means<T> m{v, x, out, 1, v.step ? v.lead : 0, 0, false};
  m.one_column = v.to[2] == 1 && v.first[2][0] == 0 && v.last[2][0] == v.from[2];
  const Index reach = v.step ? (v.to[2] - 1) * v.step + v.width : 0;
  // the last vector of outputs reads as if there were a whole one
  m.room = max(max(m.lead + v.from[2], reach), v.to[2] / 2) + 2 * kLanes<T> * max(1, v.step);
  m.per_task = max(1, kTask / (v.before ? touched : max(1, touched / (v.to[0] * v.to[1]))));
  const Index units = v.before ? v.planes : v.planes * v.to[0] * v.to[1];
  parallel_for(ceil_div(units, m.per_task), Means<T>::run, &m, time);
}

template void mean_over_spans<float>(const SpanView&, const float*, float*);
template void mean_over_spans<double>(const SpanView&, const double*, double*);

}  // namespace convgrad::CONVGRAD_ISA
