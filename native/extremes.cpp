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
