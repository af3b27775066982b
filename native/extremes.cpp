// extremes.cpp - the largest or smallest value along the middle of (outer, length, inner), and where it
// stands.
#include "parallel.hpp"
#include "row_folds.hpp"
#include "rows.hpp"

namespace convgrad::CONVGRAD_ISA {
namespace {

constexpr Index kTask = 16384;  // elements

/// Whether a comes before b: better, or a NaN where b is none.
template <typename R, typename V>
CONVGRAD_INLINE auto before(V a, V b) {
  if constexpr (std::is_same_v<R, Most>) return (a > b) | ((a != a) & (b == b));
  else return (a < b) | ((a != a) & (b == b));
}

template <typename R, typename T>
struct Find {
  const RowShape& s;
  const T* x;
  T* value;
  Index* place;
  Index together, width, slabs;

  Index tasks() const { return ceil_div(s.outer, together) * slabs; }

  void operator()(Index task) const {
    if (s.inner == 1) return rows(task * together, min(s.outer, (task + 1) * together));
    const Index first = task / slabs * together, column = task % slabs * width;
    const Index end = min(s.inner, column + width);
    constexpr int L = kLanes<T>;
    for (Index o = first; o < min(s.outer, first + together); o++) {
      Index i = column;
      for (; i + 4 * L <= end; i += 4 * L) strip<4>(o, i);
      for (; i + L <= end; i += L) strip<1>(o, i);
      if (i < end) strip<1>(o, i, Part<T>(end - i));
    }
  }

  void rows(Index first, Index last) const {
    if (s.length < kLanes<T>) return short_rows(first, last);
    for (; first + 4 <= last; first += 4) long_rows<4>(first);
    for (; first < last; first++) long_rows<1>(first);
  }

  void short_rows(Index first, Index last) const {
    for (Index o = first; o < last; o++) {
      const T* from = x + o * s.length;
      Index at = 0;
      for (Index i = 1; i < s.length; i++) at = before<R, T>(from[i], from[at]) ? i : at;
      value[o] = from[at];
      place[o] = at;
    }
  }

  /// N rows at once, since each step waits for the one before it: every lane looks for its own.
  template <int N>
  void long_rows(Index o) const {
    constexpr int L = kLanes<T>;
    using Lane = std::remove_reference_t<decltype(Mask<T>{}[0])>;
    const Index n = s.length;
    const T* from = x + o * n;
    const Part<T> rest = rest_of<T>(n);
    Vec<T> best[N];
    Mask<T> at[N];
    CONVGRAD_UNROLL
    for (int k = 0; k < N; k++) {
      best[k] = load(from + k * n);
      at[k] = Mask<T>{};
    }
    const auto look = [&](Vec<T> v, int k, Mask<T> here) {
      const Mask<T> wins = before<R>(v, best[k]);
      best[k] = wins ? v : best[k];
      at[k] = wins ? here : at[k];
    };
    Index i = L;
    for (; i + L <= n; i += L) {
      const Mask<T> here = Lane(i) - Mask<T>{};
      CONVGRAD_UNROLL
      for (int k = 0; k < N; k++) look(load(from + k * n + i), k, here);
    }
    for (int k = 0; k < N && i < n; k++)  // what is nothing never comes before
      look(completed(load(from + k * n + i, rest), rest, T(R::kNothing)), k, Lane(i) - Mask<T>{});
    for (int k = 0; k < N; k++) {
      Index found = at[k][0];
      for (int lane = 1; lane < L; lane++) {
        const Index other = Index(at[k][lane]) + lane;
        const T a = from[k * n + other], b = from[k * n + found];
        const bool wins = before<R, T>(a, b), loses = before<R, T>(b, a);
        found = wins || (!loses && other < found) ? other : found;
      }
      value[o + k] = from[k * n + found];
      place[o + k] = found;
    }
  }

  template <int N, typename... P>
  CONVGRAD_INLINE void keep(const Find& f, Index to, const Vec<T>* best, const Mask<T>* at, Index count,
                            P... part) {
    constexpr int L = kLanes<T>;
    CONVGRAD_UNROLL
    for (int k = 0; k < N; k++) {
      store(f.value + to + k * L, best[k], part...);
      for (Index lane = 0; lane < min(L, count - k * L); lane++) f.place[to + k * L + lane] = at[k][lane];
    }
  }

  template <int N, typename... P>
  void strip(Index o, Index column, P... part) const {
    constexpr int L = kLanes<T>;
    using Lane = std::remove_reference_t<decltype(Mask<T>{}[0])>;
    const T* from = x + o * s.length * s.inner + column;
    Vec<T> best[N];
    Mask<T> at[N];
    CONVGRAD_UNROLL
    for (int k = 0; k < N; k++) {
      best[k] = load(from + k * L, part...);
      at[k] = Mask<T>{};
    }
    for (Index r = 1; r < s.length; r++) {
      const Mask<T> here = Lane(r) - Mask<T>{};
      CONVGRAD_UNROLL
      for (int k = 0; k < N; k++) {
        const Vec<T> v = load(from + r * s.inner + k * L, part...);
        const Mask<T> wins = before<R>(v, best[k]);
        best[k] = wins ? v : best[k];
        at[k] = wins ? here : at[k];
      }
    }
    keep<N>(*this, o * s.inner + column, best, at, s.inner - column, part...);
  }
};

template <typename R, typename T>
void find(const RowShape& s, const T* x, T* value, Index* place) {
  const Index width = max(64, round_up(kTask / s.length, 64)), slabs = ceil_div(s.inner, width);
  const Index together = slabs == 1 ? max(1, kTask / (s.length * s.inner)) : 1;
  Find<R, T> run{s, x, value, place, together, width, slabs};
  parallel_for(
      run.tasks(), [](void* r, Index i) { (*static_cast<Find<R, T>*>(r))(i); }, &run,
      s.elements() * Index(sizeof(T)) / 12 + s.lines() * 8);
}

}  // namespace

template <typename T>
void extreme(Extreme kind, const RowShape& s, const T* x, T* value, Index* place) {
  if (kind == Extreme::Most) find<Most, T>(s, x, value, place);
  else find<Least, T>(s, x, value, place);
}

template void extreme(Extreme, const RowShape&, const float*, float*, Index*);
template void extreme(Extreme, const RowShape&, const double*, double*, Index*);

}  // namespace convgrad::CONVGRAD_ISA
