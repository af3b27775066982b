// norm_rows.cpp - rows of memory that are standardised each by itself: layer, group and instance norm, and
// division by the root mean square.
#include "norm_lanes.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

/// The squares of a chunk about 0.
template <typename T>
double squares_of_chunk(const T* p, const Runs<T>& runs) {
  Vec<T> sums[kWays] = {};
  for_runs(runs, [&](Index at, const auto& lanes, int way) __attribute__((always_inline)) {
    const Vec<T> v = load(p + at, lanes);
    sums[way] += v * v;
  });
  return total<T>(sums);
}

/// Mean (0 if rows are not centred) and 1 / sqrt(var + eps) of a row.
struct Standard {
  double mean, invstd;
};
template <typename T>
Standard standard_of(const T* x, Index length, bool centred, double eps) {
  if (centred) {
    const Moments found = moments_of(x, 1, 0, length);
    return {found.mean(), inverse_root(found.var() + eps)};
  }
  double squares = 0;
  for_chunks<T>(1, 0, length,
                [&](Index at, const Runs<T>& runs) { squares += squares_of_chunk(x + at, runs); });
  return {0, inverse_root(squares / double(length) + eps)};
}

/// Weights of channels, one for each element of the rows: as they are, or spread out into `memory`.
template <typename T>
const T* spread_out(const T* values, T missing, Index channels, Index inner, T* memory) {
  if (inner == 1 && values) return values;
  for (Index c = 0; c < channels; c++)
    for (Index i = 0; i < inner; i++) memory[c * inner + i] = values ? values[c] : missing;
  return memory;
}

/// The same problem where channels do not matter.
template <typename Problem>
Problem of_one_run(Problem p) {
  p.inner *= p.channels;
  p.channels = 1;
  return p;
}

// ---- forward

template <typename T, bool kBias>
void scale_row(const T* x, const T* weight, const T* bias, T* out, const Runs<T>& row, T mean, T invstd,
               T off) {
  const Vec<T> centre = splat(mean), scale = splat(invstd), shift = splat(off);
  for_runs(row, [&](Index at, const auto& lanes, int) __attribute__((always_inline)) {
    Vec<T> y = ((load(x + at, lanes) - centre) * scale + shift) * load(weight + at, lanes);
    if constexpr (kBias) y += load(bias + at, lanes);
    store(out + at, y, lanes);
  });
}

template <typename T>
void run_row(const RowNorm<T>& p, Index r, const T* weight, const T* bias, const Runs<T>& runs) {
  const Index length = p.length(), start = r * length, group = r % p.groups;
  const T* x = p.x + start;
  const Standard found = standard_of(x, length, p.mean, p.eps);
  if (p.mean) p.mean[r] = T(found.mean);
  p.invstd[r] = T(found.invstd);
  if (weight) {
    const Line<T> line = line_of<T>(found.mean, found.invstd, 1, 0);
    const Index from_here = group * length;
    (bias ? scale_row<T, true> : scale_row<T, false>)(x, weight + from_here, from(bias, from_here),
                                                      p.out + start, runs, line.centre, line.scale,
                                                      line.shift);
    return;
  }
  for (Index k = 0; k < p.channels; k++) {
    const Index c = group * p.channels + k, at = k * p.inner;
    const Line<T> line =
        line_of<T>(found.mean, found.invstd, p.weight ? p.weight[c] : 1, p.bias ? p.bias[c] : 0);
    apply_line<T, false, false>(x + at, nullptr, p.out + start + at, runs, line);
  }
}

// ---- gradients

/// The two sums that all of a row's gradients share: of h = g * weight, and of h * (x - mean).
struct RowSlopes {
  double h = 0, hx = 0;
};

/// gx = h * invstd + (x - mean) * slope + shift; slope and shift follow from the row's sums.
struct Pull {
  double slope, shift;

  Pull(const RowSlopes& sums, double invstd, Index length, bool centred)
      : slope(-invstd * invstd * invstd * sums.hx / double(length)),
        shift(centred ? -invstd * sums.h / double(length) : 0) {}
};

/// Rows whose weights lie beside their elements. What they give to the gradients of weights and biases is
/// added to gweight and gbias, columns of the whole sample.
template <typename T>
void pull_row(const RowNormGrad<T>& p, Index r, const T* weight, T* gweight, T* gbias) {
  const Index length = p.length(), start = r * length, here = r % p.groups * length;
  const T *g = p.g + start, *x = p.x + start, *w = weight + here;
  T *gw = gweight + here, *gb = gbias + here;
  const T mean = p.mean ? p.mean[r] : 0, invstd = p.invstd[r];
  const Vec<T> centre = splat(mean), scale = splat(invstd);
  RowSlopes sums;
  for_chunks<T>(1, 0, length, [&](Index first, const Runs<T>& runs) {
    Vec<T> h[kWays] = {}, hx[kWays] = {};
    for_runs(runs, [&](Index i, const auto& lanes, int way) __attribute__((always_inline)) {
      const Index at = first + i;
      const Vec<T> v = load(g + at, lanes), gap = kept<T>(load(x + at, lanes) - centre, lanes);
      const Vec<T> weighted = v * load(w + at, lanes);
      h[way] += weighted;
      hx[way] += weighted * gap;
      store(gw + at, load(gw + at, lanes) + v * (gap * scale), lanes);
      store(gb + at, load(gb + at, lanes) + v, lanes);
    });
    sums.h += total<T>(h);
    sums.hx += total<T>(hx);
  });
  if (!p.gx) return;
  const Pull pull(sums, invstd, length, p.mean);
  const Vec<T> a = splat(T(pull.slope)), b = splat(T(pull.shift));
  T* gx = p.gx + start;
  for_runs(Runs<T>(1, 0, length), [&](Index at, const auto& lanes, int) __attribute__((always_inline)) {
    const Vec<T> h = load(g + at, lanes) * load(w + at, lanes);
    store(gx + at, h * scale + ((load(x + at, lanes) - centre) * a + b), lanes);
  });
}

template <typename T>
void rows_grad_beside(const RowNormGrad<T>& p) {
  const Index columns = p.groups * p.length(), samples = p.rows / p.groups;
  const Index per = min(512, max(16, 4 * kTask / columns)), tasks = ceil_div(samples, per);
  double* totals = shared_array<double>((3 + 2 * tasks) * columns);  // room for all that follows
  T* memory = reinterpret_cast<T*>(totals + 2 * columns);
  const T* weight = spread_out(p.weight, T(1), p.groups * p.channels, p.inner, memory);
  T* partial = memory + columns;  // [task][weight, bias][column]
  for_tasks(tasks, 2 * p.rows * p.length(), [&](Index task) {
    T* own = partial + task * 2 * columns;
    for (Index i = 0; i < 2 * columns; i++) own[i] = 0;
    for (Index r = task * per * p.groups; r < min(samples, (task + 1) * per) * p.groups; r++)
      pull_row(p, r, weight, own, own + columns);
  });
  for (Index i = 0; i < 2 * columns; i++) totals[i] = 0;
  for (Index task = 0; task < tasks; task++)
    for (Index i = 0; i < 2 * columns; i++) totals[i] += partial[task * 2 * columns + i];
  T* const results[] = {p.gweight, p.gbias};
  for (int which = 0; which < 2; which++) {
    if (!results[which]) continue;
    for (Index c = 0; c < p.groups * p.channels; c++) {
      double sum = 0;
      for (Index i = 0; i < p.inner; i++) sum += totals[which * columns + c * p.inner + i];
      results[which][c] = T(sum);
    }
  }
}

/// Sums along a channel's run of one row, of g and of g * (x - mean).
template <typename T>
RowSlopes slopes_of_run(const T* g, const T* x, T mean, Index length) {
  RowSlopes all;
  const Vec<T> centre = splat(mean);
  for_chunks<T>(1, 0, length, [&](Index first, const Runs<T>& runs) {
    Vec<T> sums[kWays] = {}, products[kWays] = {};
    for_runs(runs, [&](Index i, const auto& lanes, int way) __attribute__((always_inline)) {
      const Vec<T> v = load(g + first + i, lanes);
      sums[way] += v;
      products[way] += kept<T>(v * (load(x + first + i, lanes) - centre), lanes);
    });
    all.h += total<T>(sums);
    all.hx += total<T>(products);
  });
  return all;
}

/// Rows of runs with one weight each. The sums of runs stay, to be added up over the rows.
template <typename T>
void pull_runs(const RowNormGrad<T>& p, Index r, RowSlopes* found, const Runs<T>& runs) {
  const Index start = r * p.length(), group = r % p.groups;
  const T mean = p.mean ? p.mean[r] : 0;
  const double invstd = p.invstd[r];
  RowSlopes row;
  for (Index k = 0; k < p.channels; k++) {
    const Index at = start + k * p.inner;
    const RowSlopes run = slopes_of_run(p.g + at, p.x + at, mean, p.inner);
    const double w = p.weight ? double(p.weight[group * p.channels + k]) : 1;
    row.h += run.h * w;
    row.hx += run.hx * w;
    if (found) found[k] = {run.h, run.hx * invstd};
  }
  if (!p.gx) return;
  const Pull pull(row, invstd, p.length(), p.mean);
  const Vec<T> centre = splat(mean), a = splat(T(pull.slope)), b = splat(T(pull.shift));
  for (Index k = 0; k < p.channels; k++) {
    const Index from_here = start + k * p.inner;
    const T *g = p.g + from_here, *x = p.x + from_here;
    T* gx = p.gx + from_here;
    const double w = p.weight ? double(p.weight[group * p.channels + k]) : 1;
    const Vec<T> scale = splat(T(invstd * w));
    for_runs(runs, [&](Index at, const auto& lanes, int) __attribute__((always_inline)) {
      store(gx + at, load(g + at, lanes) * scale + ((load(x + at, lanes) - centre) * a + b), lanes);
    });
  }
}

template <typename T>
void rows_grad_runs(const RowNormGrad<T>& p) {
  const bool sums = p.gweight || p.gbias;
  const Index all = p.groups * p.channels;
  RowSlopes* found = sums ? shared_array<RowSlopes>(p.rows * p.channels + all) : nullptr;
  const Index per = max(1, kTask / p.length());
  const Runs<T> runs(1, 0, p.inner);
  for_tasks(ceil_div(p.rows, per), 2 * p.rows * p.length(), [&](Index task) {
    for (Index r = task * per; r < min(p.rows, (task + 1) * per); r++)
      pull_runs(p, r, sums ? found + r * p.channels : nullptr, runs);
  });
  if (!sums) return;
  RowSlopes* totals = found + p.rows * p.channels;
  for (Index c = 0; c < all; c++) totals[c] = RowSlopes();
  for (Index i = 0; i < p.rows * p.channels; i++) {
    totals[i % all].h += found[i].h;
    totals[i % all].hx += found[i].hx;
  }
  for (Index c = 0; c < all; c++) {
    if (p.gweight) p.gweight[c] = T(totals[c].hx);
    if (p.gbias) p.gbias[c] = T(totals[c].h);
  }
}

}  // namespace

template <typename T>
void norm_rows(const RowNorm<T>& given) {
  const RowNorm<T> p = given.weight || given.bias ? given : of_one_run(given);
  // runs too short to be taken by themselves: weights lie beside the elements
  const bool wide = p.inner < kLanes<T> && p.channels > 1;
  const Index all = p.groups * p.length();
  const T *weight = nullptr, *bias = nullptr;
  if (wide) {
    T* memory = shared_array<T>(2 * all);
    weight = spread_out(p.weight, T(1), p.groups * p.channels, p.inner, memory);
    if (p.bias) bias = spread_out(p.bias, T(0), p.groups * p.channels, p.inner, memory + all);
  }
  const Runs<T> runs(1, 0, wide ? p.length() : p.inner);
  const Index per = max(1, kTask / p.length());
  for_tasks(ceil_div(p.rows, per), p.rows * p.length(), [&](Index task) {
    for (Index r = task * per; r < min(p.rows, (task + 1) * per); r++) run_row(p, r, weight, bias, runs);
  });
}

template <typename T>
void norm_rows_grad(const RowNormGrad<T>& given) {
  const RowNormGrad<T> p = given.weight || given.gweight || given.gbias ? given : of_one_run(given);
  p.inner < kLanes<T>&& p.channels > 1 ? rows_grad_beside(p) : rows_grad_runs(p);
}

template void norm_rows<float>(const RowNorm<float>&);
template void norm_rows<double>(const RowNorm<double>&);
template void norm_rows_grad<float>(const RowNormGrad<float>&);
template void norm_rows_grad<double>(const RowNormGrad<double>&);

}  // namespace convgrad::CONVGRAD_ISA
