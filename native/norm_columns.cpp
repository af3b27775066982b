// norm_columns.cpp - channels whose runs of positions are shorter than a vector, as those of (batch,
// channels) are: all positions of some channels lie side by side in lanes, and sums run down the batch.
#include "norm_lanes.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

/// Where a problem (batch, channels, inner) is cut: a task has the columns of `together` channels.
template <typename T>
struct ColumnCut {
  Index batch, channels, inner, together;

  ColumnCut(Index batch, Index channels, Index inner) : batch(batch), channels(channels), inner(inner) {
    constexpr Index vectors = kWays * kLanes<T>;
    const Index wanted = max(vectors, min(round_up(kTask / batch, vectors), 4 * vectors));
    together = min(channels, ceil_div(wanted, inner));
  }
  Index elements() const { return batch * channels * inner; }
  Index tasks() const { return ceil_div(channels, together); }
  Index pitch() const { return channels * inner; }
  Index first(Index task) const { return task * together; }
  Index count(Index task) const { return min(together, channels - first(task)); }
};

/// A lane adds up so many rows in its own precision, beyond that sums are in double.
constexpr Index kChain = 64;

/// totals[k][column] += the sums over all rows of term(at, column, lanes, k values).
template <typename T, int K, int M, typename Lanes, typename Term>
CONVGRAD_INLINE void add_group(Index rows, Index pitch, Index columns, Index column, const Lanes& lanes,
                               Index width, double* totals, const Term& term) {
  constexpr int L = kLanes<T>;
  for (Index start = 0; start < rows; start += kChain) {
    Vec<T> sums[K][M] = {};
    for (Index r = start; r < min(rows, start + kChain); r++) {
      CONVGRAD_UNROLL
      for (int j = 0; j < M; j++) {
        Vec<T> values[K];
        term(r * pitch + column + j * L, column + j * L, lanes, values);
        CONVGRAD_UNROLL
        for (int k = 0; k < K; k++) sums[k][j] += values[k];
      }
    }
    T found[K][M * L];
    __builtin_memcpy(found, sums, sizeof(sums));
    for (int k = 0; k < K; k++)
      for (Index i = 0; i < width; i++) totals[k * columns + column + i] += found[k][i];
  }
}
template <typename T, int K, typename Term>
CONVGRAD_INLINE void add_columns(Index rows, Index pitch, Index columns, double* totals, const Term& term) {
  constexpr Index L = kLanes<T>;
  for (Index i = 0; i < K * columns; i++) totals[i] = 0;
  Index column = 0;
  for (; column + kWays * L <= columns; column += kWays * L)
    add_group<T, K, kWays>(rows, pitch, columns, column, Whole{}, kWays * L, totals, term);
  for (; column + L <= columns; column += L)
    add_group<T, K, 1>(rows, pitch, columns, column, Whole{}, L, totals, term);
  if (column < columns)
    add_group<T, K, 1>(rows, pitch, columns, column, Part<T>(columns - column), columns - column, totals,
                       term);
}

/// The sum of a channel's columns.
CONVGRAD_INLINE double of_channel(const double* totals, Index channel, Index inner) {
  double sum = 0;
  for (Index i = 0; i < inner; i++) sum += totals[channel * inner + i];
  return sum;
}
template <typename T>
CONVGRAD_INLINE void spread(T value, T* columns, Index channel, Index inner) {
  for (Index i = 0; i < inner; i++) columns[channel * inner + i] = value;
}

/// step(at, column, lanes) for every vector of the rows of a task.
template <typename T, typename Step>
CONVGRAD_INLINE void for_rows(Index rows, Index pitch, Index columns, const Step& step) {
  constexpr Index L = kLanes<T>;
  const Index whole = columns / L * L;
  const Part<T> rest(columns - whole);
  for (Index r = 0; r < rows; r++) {
    for (Index i = 0; i < whole; i += L) step(r * pitch + i, i, Whole{});
    if (whole < columns) step(r * pitch + whole, whole, rest);
  }
}

// ---- forward

template <typename T, bool kAdd, bool kRelu>
void apply_columns(const T* x, const T* addend, T* out, Index rows, Index pitch, Index columns,
                   const T* centre, const T* scale, const T* shift) {
  for_rows<T>(rows, pitch, columns, [&](Index at, Index i, const auto& lanes) __attribute__((always_inline)) {
    Vec<T> y =
        (load(x + at, lanes) - load(centre + i, lanes)) * load(scale + i, lanes) + load(shift + i, lanes);
    if constexpr (kAdd) y += load(addend + at, lanes);
    if constexpr (kRelu) y = activated<T>(y, Activation::Relu);
    store(out + at, y, lanes);
  });
}

template <typename T>
void run_columns(const ChannelNorm<T>& p, const ColumnCut<T>& cut, Index task) {
  const Index first = cut.first(task), count = cut.count(task), columns = count * cut.inner;
  const Index start = first * cut.inner;
  double* totals = task_array<double>(2 * columns + 3 * columns);
  T* centre = reinterpret_cast<T*>(totals + 2 * columns);
  T *scale = centre + columns, *shift = scale + columns;
  const T* x = p.x + start;
  const double values = double(p.batch * p.inner);
  if (!p.given) {
    add_columns<T, 1>(p.batch, cut.pitch(), columns, totals,
                      [&](Index at, Index, const auto& lanes, Vec<T>* v)
                          __attribute__((always_inline)) { v[0] = load(x + at, lanes); });
    for (Index c = 0; c < count; c++) spread(T(of_channel(totals, c, p.inner) / values), centre, c, p.inner);
    // the distances from this centre correct it, as in moments_of_chunk
    add_columns<T, 2>(p.batch, cut.pitch(), columns, totals,
                      [&](Index at, Index i, const auto& lanes, Vec<T>* v) __attribute__((always_inline)) {
                        v[0] = load(x + at, lanes) - load(centre + i, lanes);
                        v[1] = v[0] * v[0];
                      });
  }
  for (Index c = 0; c < count; c++) {
    double mean, var;
    if (p.given) {
      mean = p.mean[first + c];
      var = p.var[first + c];
    } else {
      const double off = of_channel(totals, c, p.inner) / values, middle = centre[c * p.inner];
      mean = middle - middle == 0 ? middle + off : middle;
      var = of_channel(totals + columns, c, p.inner) / values - off * off;
      if (var < 0) var = 0;
      p.mean[first + c] = T(mean);
      p.var[first + c] = T(var);
    }
    const double invstd = inverse_root(var + p.eps);
    p.invstd[first + c] = T(invstd);
    const Line<T> line =
        line_of<T>(mean, invstd, p.weight ? p.weight[first + c] : 1, p.bias ? p.bias[first + c] : 0);
    spread(line.centre, centre, c, p.inner);
    spread(line.scale, scale, c, p.inner);
    spread(line.shift, shift, c, p.inner);
  }
  const bool relu = p.activation == Activation::Relu;
  (p.addend ? (relu ? apply_columns<T, true, true> : apply_columns<T, true, false>)
            : (relu ? apply_columns<T, false, true> : apply_columns<T, false, false>))(
      x, from(p.addend, start), p.out + start, p.batch, cut.pitch(), columns, centre, scale, shift);
}

// ---- gradients

template <typename T, bool kMask>
void pull_columns(const T* g, const T* x, const T* out, T* gx, Index rows, Index pitch, Index columns,
                  const T* centre, const T* scale, const T* slope, const T* shift) {
  for_rows<T>(rows, pitch, columns, [&](Index at, Index i, const auto& lanes) __attribute__((always_inline)) {
    Vec<T> v = load(g + at, lanes);
    if constexpr (kMask) v = masked<T>(v, load(out + at, lanes));
    const Vec<T> gap = load(x + at, lanes) - load(centre + i, lanes);
    store(gx + at, v * load(scale + i, lanes) + (gap * load(slope + i, lanes) + load(shift + i, lanes)),
          lanes);
  });
}
template <typename T, bool kMask>
void scale_columns(const T* g, const T*, const T* out, T* gx, Index rows, Index pitch, Index columns,
                   const T*, const T* scale, const T*, const T*) {
  for_rows<T>(rows, pitch, columns, [&](Index at, Index i, const auto& lanes) __attribute__((always_inline)) {
    Vec<T> v = load(g + at, lanes);
    if constexpr (kMask) v = masked<T>(v, load(out + at, lanes));
    store(gx + at, v * load(scale + i, lanes), lanes);
  });
}

template <typename T, bool kMask, bool kStore>
void add_slopes(const T* g, const T* x, const T* out, T* passed, Index rows, Index pitch, Index columns,
                const T* centre, double* totals) {
  add_columns<T, 2>(rows, pitch, columns, totals,
                    [&](Index at, Index i, const auto& lanes, Vec<T>* v) __attribute__((always_inline)) {
                      v[0] = load(g + at, lanes);
                      if constexpr (kMask) v[0] = masked<T>(v[0], load(out + at, lanes));
                      if constexpr (kStore) store(passed + at, v[0], lanes);
                      v[1] = v[0] * (load(x + at, lanes) - load(centre + i, lanes));
                    });
}

template <typename T>
void run_columns_grad(const ChannelNormGrad<T>& p, const ColumnCut<T>& cut, Index task) {
  const Index first = cut.first(task), count = cut.count(task), columns = count * cut.inner;
  const Index start = first * cut.inner;
  double* totals = task_array<double>(2 * columns + 4 * columns);
  T* centre = reinterpret_cast<T*>(totals + 2 * columns);
  T *scale = centre + columns, *slope = scale + columns, *shift = slope + columns;
  for (Index c = 0; c < count; c++) spread(p.mean[first + c], centre, c, p.inner);
  const T *g = p.g + start, *x = p.x + start, *out = from(p.out, start);
  T* passed = from(p.gaddend, start);
  (passed ? add_slopes<T, true, true>
   : out  ? add_slopes<T, true, false>
          : add_slopes<T, false, false>)(g, x, out, passed, p.batch, cut.pitch(), columns, centre, totals);
  for (Index c = 0; c < count; c++) {
    const double invstd = p.invstd[first + c], factor = invstd * (p.weight ? double(p.weight[first + c]) : 1);
    const double sum = of_channel(totals, c, p.inner), product = of_channel(totals + columns, c, p.inner);
    const double values = double(p.batch * p.inner);
    p.gweight[first + c] = T(product * invstd);
    p.gbias[first + c] = T(sum);
    spread(T(factor), scale, c, p.inner);
    spread(T(-factor * invstd * invstd * product / values), slope, c, p.inner);
    spread(T(-factor * sum / values), shift, c, p.inner);
  }
  if (!p.gx) return;
  if (passed) g = passed, out = nullptr;  // masked already
  (p.given ? (out ? scale_columns<T, true> : scale_columns<T, false>)
           : (out ? pull_columns<T, true> : pull_columns<T, false>))(
      g, x, out, p.gx + start, p.batch, cut.pitch(), columns, centre, scale, slope, shift);
}

}  // namespace

template <typename T>
void norm_columns(const ChannelNorm<T>& p) {
  const ColumnCut<T> cut(p.batch, p.channels, p.inner);
  for_tasks(cut.tasks(), cut.elements(), [&](Index task) { run_columns(p, cut, task); });
}
template <typename T>
void norm_columns_grad(const ChannelNormGrad<T>& p) {
  const ColumnCut<T> cut(p.batch, p.channels, p.inner);
  for_tasks(cut.tasks(), 2 * cut.elements(), [&](Index task) { run_columns_grad(p, cut, task); });
}

template <typename T>
void sum_columns(const ChannelSum<T>& p) {
  const ColumnCut<T> cut(p.batch, p.channels, p.inner);
  for_tasks(cut.tasks(), cut.elements() / 2, [&](Index task) {
    const Index first = cut.first(task), count = cut.count(task), columns = count * p.inner;
    const T* x = p.x + first * p.inner;
    double* totals = task_array<double>(columns);
    add_columns<T, 1>(p.batch, cut.pitch(), columns, totals,
                      [&](Index at, Index, const auto& lanes, Vec<T>* v)
                          __attribute__((always_inline)) { v[0] = load(x + at, lanes); });
    for (Index c = 0; c < count; c++) p.out[first + c] = T(of_channel(totals, c, p.inner));
  });
}

template void norm_columns<float>(const ChannelNorm<float>&);
template void norm_columns<double>(const ChannelNorm<double>&);
template void norm_columns_grad<float>(const ChannelNormGrad<float>&);
template void norm_columns_grad<double>(const ChannelNormGrad<double>&);
template void sum_columns<float>(const ChannelSum<float>&);
template void sum_columns<double>(const ChannelSum<double>&);

}  // namespace convgrad::CONVGRAD_ISA
