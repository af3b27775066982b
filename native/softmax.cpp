// softmax.cpp - softmax, its logarithm and log(sum(exp)) along the middle of (outer, length, inner), and
// gradients. Shifted by the maximum, so that nothing overflows (Goodfellow et al., Deep Learning, 2016, 4.1).
#include "logarithm.hpp"
#include "parallel.hpp"
#include "row_folds.hpp"
#include "rows.hpp"
#include "transpose.hpp"

namespace convgrad::CONVGRAD_ISA {
namespace {

constexpr Index kTask = 8192;         // elements: what goes in and comes out stays in the second-level cache
constexpr Index kBlock = 64;          // terms of a sum
constexpr Index kMostColumns = 1024;  // that are worked at together

template <typename T>
CONVGRAD_INLINE Vec<T> log_sum_exp(Vec<T> top, Vec<T> sum) {
  // of an infinite or undefined maximum the differences are NaN: the maximum is the answer
  return top - top == T(0) ? top + vector_log<T>(sum) : top;
}

/// What exponents are shifted by. A NaN need not be found, since it makes the sum NaN; but beside an infinite
/// number it must be, where the shift may be the answer.
template <typename T>
struct Largest : Most {
  using Later = Largest;
  CONVGRAD_INLINE Vec<T> join(Vec<T> a, Vec<T> b) { return larger_or_second<T>(a, b); }
};
template <SoftmaxKind K, typename T>
using Shift = std::conditional_t<K == SoftmaxKind::LogSumExp, Most, Largest<T>>;

// ---- along rows

/// The sum of term(i) over a row's vectors and of term(i, part) of what is left, in pairs of blocks.
template <typename T, typename F>
CONVGRAD_INLINE Vec<T> row_sum(Index n, const Part<T>& rest, const F& term) {
  constexpr int L = kLanes<T>;
  Pairs<Sum, T> pairs;
  Index i = 0;
  while (i + 4 * L <= n) {
    Vec<T> sums[4] = {};
    for (const Index end = min(n, i + kBlock * 4 * L); i + 4 * L <= end; i += 4 * L) {
      CONVGRAD_UNROLL
      for (int k = 0; k < 4; k++) sums[k] += term(i + k * L);
    }
    pairs.push(joined<T, Sum, 4>(sums));
  }
  Vec<T> last{};
  for (; i + L <= n; i += L) last += term(i);
  if (i < n) last += completed(term(i, rest), rest, T(0));
  return lanes_joined<Sum, T>(pairs.total(last));
}

/// Rows of at most a vector, turned over: each gets a lane, and nothing is joined across lanes. Lanes without
/// a row repeat the last.
template <typename T>
CONVGRAD_INLINE void load_turned(const T* x, Index n, Index rows, const Part<T>& row, Vec<T>* v) {
  CONVGRAD_UNROLL
  for (int i = 0; i < kLanes<T>; i++) v[i] = load(x + min(i, rows - 1) * n, row);
  transpose<T>(v);
}
template <typename T>
CONVGRAD_INLINE void store_turned(T* out, Index n, Index rows, const Part<T>& row, Vec<T>* v) {
  transpose<T>(v);
  if (rows == kLanes<T>) {
    CONVGRAD_UNROLL
    for (int i = 0; i < kLanes<T>; i++) store(out + i * n, v[i], row);
  } else {
    for (Index i = 0; i < rows; i++) store(out + i * n, v[i], row);
  }
}

template <SoftmaxKind K, typename T>
void turned_rows(const T* x, Index n, Index rows, const Part<T>& row, T* out) {
  Vec<T> v[kLanes<T>];
  load_turned<T>(x, n, rows, row, v);
  Vec<T> top = v[0], sum{};
  for (Index c = 1; c < n; c++) top = Shift<K, T>::join(top, v[c]);
  for (Index c = 0; c < n; c++) {
    const Vec<T> e = vector_exp_of_fall<T>(v[c] - top);
    sum = c ? sum + e : e;
    v[c] = K == SoftmaxKind::Softmax ? e : v[c] - top;
  }
  if constexpr (K == SoftmaxKind::LogSumExp) {
    store(out, log_sum_exp<T>(top, sum), Part<T>(rows));
    return;
  }
  const Vec<T> by = K == SoftmaxKind::Softmax ? T(1) / sum : vector_log<T>(sum);
  for (Index c = 0; c < n; c++) v[c] = K == SoftmaxKind::Softmax ? v[c] * by : v[c] - by;
  store_turned<T>(out, n, rows, row, v);
}

/// Vector i of a row of N, the last of which may be a part.
template <int N, typename T>
CONVGRAD_INLINE Vec<T> fetched(const T* row, int i, const Part<T>& end) {
  return i < N - 1 ? load(row + i * kLanes<T>) : load(row + i * kLanes<T>, end);
}
template <int N, typename T>
CONVGRAD_INLINE void stored(T* row, int i, Vec<T> v, const Part<T>& end) {
  if (i < N - 1) store(row + i * kLanes<T>, v);
  else store(row + i * kLanes<T>, v, end);
}

/// As many rows as a vector has lanes, of N vectors each, the last of which may be a part: one logarithm or
/// division serves all of them, and no row waits for that of the one before it.
template <SoftmaxKind K, int N, typename T>
void rows_together(const T* x, Index n, Index rows, const Part<T>& end, T* out) {
  constexpr int L = kLanes<T>;
  alignas(64) T tops[L] = {}, sums[L];
  for (int i = 0; i < L; i++) sums[i] = T(1);
  for (Index r = 0; r < rows; r++) {
    Vec<T> v[N], t[N];
    CONVGRAD_UNROLL
    for (int i = 0; i < N; i++) {
      v[i] = fetched<N>(x + r * n, i, end);
      if (i == N - 1) v[i] = completed(v[i], end, T(Most::kNothing));
      t[i] = v[i];
    }
    CONVGRAD_UNROLL
    for (int i = 1; i < N; i++) t[0] = Shift<K, T>::join(t[0], t[i]);
    const Vec<T> top = lanes_joined<Shift<K, T>, T>(t[0]);
    CONVGRAD_UNROLL
    for (int i = 0; i < N; i++) {
      t[i] = vector_exp_of_fall<T>(v[i] - top);
      if constexpr (K == SoftmaxKind::Softmax) stored<N>(out + r * n, i, t[i], end);
    }
    CONVGRAD_UNROLL
    for (int i = 1; i < N; i++) t[0] += t[i];
    tops[r] = top[0];
    sums[r] = lanes_joined<Sum, T>(t[0])[0];
  }
  const Vec<T> sum = load(sums);
  if constexpr (K == SoftmaxKind::LogSumExp) {
    store(out, log_sum_exp<T>(load(tops), sum), Part<T>(rows));
    return;
  }
  store(sums, K == SoftmaxKind::Softmax ? T(1) / sum : vector_log<T>(sum));
  for (Index r = 0; r < rows; r++) {
    CONVGRAD_UNROLL
    for (int i = 0; i < N; i++) {
      const Vec<T> v = fetched<N>((K == SoftmaxKind::Softmax ? out : x) + r * n, i, end);
      stored<N>(out + r * n, i, K == SoftmaxKind::Softmax ? v * sums[r] : (v - tops[r]) - sums[r], end);
    }
  }
}

template <SoftmaxKind K, typename T>
void long_row(const T* x, Index n, const Part<T>& rest, T* out) {
  constexpr int L = kLanes<T>;
  const Vec<T> top = fold_row<Shift<K, T>, T>(x, n, rest);
  const auto term = [&](Index i, auto... part) {
    const Vec<T> e = vector_exp_of_fall<T>(load(x + i, part...) - top);
    if constexpr (K == SoftmaxKind::Softmax) store(out + i, e, part...);
    return e;
  };
  const Vec<T> sum = row_sum<T>(n, rest, term);
  Index i;
  if constexpr (K == SoftmaxKind::LogSumExp) {
    *out = log_sum_exp<T>(top, sum)[0];
    return;
  }
  const Vec<T> by = K == SoftmaxKind::Softmax ? T(1) / sum : vector_log<T>(sum);
  const auto finish = [&](Index at, auto... part) {
    if constexpr (K == SoftmaxKind::Softmax) store(out + at, load<T>(out + at, part...) * by, part...);
    else store(out + at, (load(x + at, part...) - top) - by, part...);
  };
  for (i = 0; i + L <= n; i += L) finish(i);
  if (i < n) finish(i, rest);
}

template <SoftmaxKind K, typename T>
void rows_of(const RowShape& s, Index first, Index last, const T* x, T* out) {
  constexpr int L = kLanes<T>;
  const Index n = s.length, step = K == SoftmaxKind::LogSumExp ? 1 : n;
  const Part<T> end(n % L == 0 ? L : n % L), rest = rest_of<T>(n);
  if (n <= L) {
    for (Index o = first; o < last; o += L)
      turned_rows<K, T>(x + o * n, n, min(L, last - o), end, out + o * step);
    return;
  }
  const Index vectors = ceil_div(n, L);
  for (Index o = first; o < last; o += L) {
    const T* from = x + o * n;
    T* to = out + o * step;
    const Index rows = min(L, last - o);
    if (vectors == 2) rows_together<K, 2>(from, n, rows, end, to);
    else if (vectors == 3) rows_together<K, 3>(from, n, rows, end, to);
    else if (vectors == 4) rows_together<K, 4>(from, n, rows, end, to);
    else
      for (Index r = 0; r < rows; r++) long_row<K>(from + r * n, n, rest, to + r * step);
  }
}

// ---- along columns

template <SoftmaxKind K, typename T>
void columns_of(const RowShape& s, Index width, const T* x, T* out) {
  constexpr int L = kLanes<T>;
  T top[kMostColumns], sum[kMostColumns], block[kMostColumns];  // long sums are added in blocks
  fold_wide_columns<Shift<K, T>, T>(x, s.length, s.inner, width, nullptr, top);
  const auto along = [&](auto&& at) {
    Index j = 0;
    for (; j + L <= width; j += L) at(j);
    if (j < width) at(j, Part<T>(width - j));
  };
  for (Index r = 0; r < s.length; r++) {
    along([&](Index j, auto... part) {
      const Vec<T> e = vector_exp_of_fall<T>(load(x + r * s.inner + j, part...) - load<T>(top + j, part...));
      if constexpr (K == SoftmaxKind::Softmax) store(out + r * s.inner + j, e, part...);
      store(block + j, r % kBlock ? load<T>(block + j, part...) + e : e, part...);
    });
    if (r % kBlock == kBlock - 1 || r == s.length - 1)
      fold_rows<Sum, T, 1>(block, width, width, nullptr, sum, r < kBlock);
  }
  along([&](Index j, auto... part) {
    const Vec<T> all = load<T>(sum + j, part...);
    if constexpr (K == SoftmaxKind::LogSumExp)
      store(out + j, log_sum_exp<T>(load<T>(top + j, part...), all), part...);
    else store(sum + j, K == SoftmaxKind::Softmax ? T(1) / all : vector_log<T>(all), part...);
  });
  for (Index r = 0; K != SoftmaxKind::LogSumExp && r < s.length; r++)
    along([&](Index j, auto... part) {
      const Index at = r * s.inner + j;
      const Vec<T> by = load<T>(sum + j, part...);
      if constexpr (K == SoftmaxKind::Softmax) store(out + at, load<T>(out + at, part...) * by, part...);
      else store(out + at, (load(x + at, part...) - load<T>(top + j, part...)) - by, part...);
    });
}

// ---- gradients: y (g - sum g y), and g - e^y sum g

template <SoftmaxKind K, typename T>
CONVGRAD_INLINE Vec<T> summand(Vec<T> g, Vec<T> y) {
  return K == SoftmaxKind::Softmax ? g * y : g;
}
template <SoftmaxKind K, typename T>
CONVGRAD_INLINE Vec<T> pulled(Vec<T> g, Vec<T> y, Vec<T> sum) {
  return K == SoftmaxKind::Softmax ? y * (g - sum) : g - vector_exp_of_fall<T>(y) * sum;
}

template <SoftmaxKind K, typename T>
void grad_row(Index n, const Part<T>& rest, const T* g, const T* y, T* out) {
  constexpr int L = kLanes<T>;
  const Vec<T> sum = row_sum<T>(n, rest, [&](Index i, auto... part) {
    return summand<K, T>(load(g + i, part...), load(y + i, part...));
  });
  Index i;
  for (i = 0; i + L <= n; i += L) store(out + i, pulled<K, T>(load(g + i), load(y + i), sum));
  if (i < n) store(out + i, pulled<K, T>(load(g + i, rest), load(y + i, rest), sum), rest);
}

template <SoftmaxKind K, typename T>
void grad_turned(Index n, Index rows, const Part<T>& row, const T* g, const T* y, T* out) {
  Vec<T> a[kLanes<T>], b[kLanes<T>];
  load_turned<T>(g, n, rows, row, a);
  load_turned<T>(y, n, rows, row, b);
  Vec<T> sum = summand<K, T>(a[0], b[0]);
  for (Index c = 1; c < n; c++) sum += summand<K, T>(a[c], b[c]);
  for (Index c = 0; c < n; c++) a[c] = pulled<K, T>(a[c], b[c], sum);
  store_turned<T>(out, n, rows, row, a);
}

template <SoftmaxKind K, typename T>
void grad_columns(const RowShape& s, Index width, const T* g, const T* y, T* out) {
  constexpr int L = kLanes<T>;
  T sum[kMostColumns];
  const auto along = [&](auto&& at) {
    Index j = 0;
    for (; j + L <= width; j += L) at(j);
    if (j < width) at(j, Part<T>(width - j));
  };
  for (Index r = 0; r < s.length; r++)
    along([&](Index j, auto... part) {
      const Index at = r * s.inner + j;
      const Vec<T> term = summand<K, T>(load(g + at, part...), load(y + at, part...));
      store(sum + j, r ? load<T>(sum + j, part...) + term : term, part...);
    });
  for (Index r = 0; r < s.length; r++)
    along([&](Index j, auto... part) {
      const Index at = r * s.inner + j;
      store(out + at, pulled<K, T>(load(g + at, part...), load(y + at, part...), load<T>(sum + j, part...)),
            part...);
    });
}

// ---- the work, cut

template <typename T>
struct Run {
  const RowShape& s;
  SoftmaxKind kind;
  const T* x;
  const T* y;  // of a gradient: the result, and x is the result's gradient
  T* out;
  Index together, width, slabs;

  Run(const RowShape& s, SoftmaxKind kind, const T* x, const T* y, T* out)
      : s(s), kind(kind), x(x), y(y), out(out) {
    width = min(kMostColumns, max(64, round_up(2 * kTask / s.length, 64)));
    slabs = ceil_div(s.inner, width);
    together = slabs == 1 ? max(1, kTask / (s.length * s.inner)) : 1;
  }

  template <SoftmaxKind K>
  void work(Index task) const {
    const Index first = task / slabs * together, last = min(s.outer, first + together);
    const Index column = task % slabs * width, taken = min(width, s.inner - column);
    const Part<T> rest = rest_of<T>(s.length);
    if (s.inner == 1 && !y) return rows_of<K, T>(s, first, last, x, out);
    if (s.inner == 1 && s.length <= kLanes<T>) {
      const Part<T> row(s.length);
      for (Index o = first; o < last; o += kLanes<T>) {
        const Index at = o * s.length;
        grad_turned<K, T>(s.length, min(kLanes<T>, last - o), row, x + at, y + at, out + at);
      }
      return;
    }
    for (Index o = first; o < last; o++) {
      const Index at = o * s.length * s.inner + column;
      if (!y)
        columns_of<K, T>(s, taken, x + at, out + (K == SoftmaxKind::LogSumExp ? o * s.inner + column : at));
      else if (s.inner == 1) grad_row<K, T>(s.length, rest, x + at, y + at, out + at);
      else grad_columns<K, T>(s, taken, x + at, y + at, out + at);
    }
  }

  void operator()(Index task) const {
    switch (kind) {
      case SoftmaxKind::Softmax:
        return work<SoftmaxKind::Softmax>(task);
      case SoftmaxKind::LogSoftmax:
        return work<SoftmaxKind::LogSoftmax>(task);
      case SoftmaxKind::LogSumExp:
        return work<SoftmaxKind::LogSumExp>(task);
    }
  }

  void start() {
    const Index nanoseconds =
        s.elements() * Index(sizeof(T)) / 8 + s.lines() * (s.inner > 1             ? 1
                                                           : s.length <= kLanes<T> ? 4
                                                                                   : 15);
    parallel_for(
        ceil_div(s.outer, together) * slabs, [](void* r, Index i) { (*static_cast<Run*>(r))(i); }, this,
        nanoseconds);
  }
};

}  // namespace

template <typename T>
void softmax(SoftmaxKind kind, const RowShape& s, const T* x, T* out) {
  Run<T>(s, kind, x, nullptr, out).start();
}
template <typename T>
void softmax_grad(SoftmaxKind kind, const RowShape& s, const T* g, const T* y, T* out) {
  Run<T>(s, kind, g, y, out).start();
}

template void softmax(SoftmaxKind, const RowShape&, const float*, float*);
template void softmax(SoftmaxKind, const RowShape&, const double*, double*);
template void softmax_grad(SoftmaxKind, const RowShape&, const float*, const float*, float*);
template void softmax_grad(SoftmaxKind, const RowShape&, const double*, const double*, double*);

}  // namespace convgrad::CONVGRAD_ISA
