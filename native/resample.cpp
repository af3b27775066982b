// resample.cpp - sums of a few entries along one axis, by tables of places and weights: what resampling is
// made of, and its adjoint.
#include "lanes.hpp"
#include "parallel.hpp"
#include "pools.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

constexpr Index kTask = 16384;  // entries of the result of a task, about

template <typename T>
struct Along {
  Index outer, n, inner, m, taps;
  const Index* at;
  const T* weight;
  const T* x;
  T* out;
  Index per_task;              // rows: of `inner` entries, or of m where inner is 1
  Index room;                  // m, and the rest of a vector
  const std::int32_t* places;  // the tables for inner = 1, tap by tap; places behind the last are -1
  const T* factors;

  static void run(void* self, Index task) { (*static_cast<const Along*>(self))(task); }

  void operator()(Index task) const {
    const Index rows = inner == 1 ? outer : outer * m, last = min(rows, (task + 1) * per_task);
    const Index first = task * per_task;
    if (inner == 1) {
      for (Index r = first; r < last; r++) last_axis(x + r * n, out + r * m);
      return;
    }
    Index i = first % m;
    const T* plane = x + first / m * n * inner;
    for (Index r = first; r < last; r++) {
      if (!weight) copy(plane + at[i] * inner, out + r * inner);
      else rows_of(plane, at + i * taps, weight + i * taps, out + r * inner);
      if (++i == m) i = 0, plane += n * inner;
    }
  }

  void copy(const T* from, T* to) const { __builtin_memcpy(to, from, sizeof(T) * std::size_t(inner)); }

  /// A weighted sum of rows.
  void rows_of(const T* plane, const Index* places, const T* weights, T* to) const {
    for (Index i = 0; i < inner; i += kLanes<T>) {
      Vec<T> sum = load_some(plane + places[0] * inner + i, inner - i) * splat(weights[0]);
      for (Index t = 1; t < taps; t++)
        sum += load_some(plane + places[t] * inner + i, inner - i) * splat(weights[t]);
      store_some(to + i, sum, inner - i);
    }
  }

  void last_axis(const T* from, T* to) const {
    for (Index i = 0; i < m; i += kLanes<T>) {
      Vec<T> sum = gathered(from, places + i);
      if (weight) sum *= load(factors + i);
      for (Index t = 1; t < taps; t++)
        sum += gathered(from, places + t * room + i) * load(factors + t * room + i);
      store_some(to + i, sum, m - i);
    }
  }
};

}  // namespace

template <typename T>
void sums_along(Index outer, Index n, Index inner, Index m, Index taps, const Index* at, const T* weight,
                const T* x, T* out) {
  const Index row = inner == 1 ? m : inner, room = round_up(m, kLanes<T>);
  Along<T> a{outer, n, inner, m, taps, at, weight, x, out, max(1, kTask / row), room, nullptr, nullptr};
  if (inner == 1) {
    T* factors = static_cast<T*>(scratch(Scratch::Shared, std::size_t(taps * room) * (sizeof(T) + 4)));
    std::int32_t* places = reinterpret_cast<std::int32_t*>(factors + taps * room);
    for (Index t = 0; t < taps; t++)
      for (Index i = 0; i < room; i++) {
        places[t * room + i] = i < m ? std::int32_t(at[i * taps + t]) : -1;
        factors[t * room + i] = i < m && weight ? weight[i * taps + t] : T(0);
      }
    a.places = places, a.factors = factors;
  }
  const double entries = double(outer) * double(m) * double(inner);
  parallel_for(ceil_div(inner == 1 ? outer : outer * m, a.per_task), Along<T>::run, &a,
               Index(entries * double(taps) * (inner == 1 ? 0.4 : 0.2)));
}

template void sums_along<float>(Index, Index, Index, Index, Index, const Index*, const float*, const float*,
                                float*);
template void sums_along<double>(Index, Index, Index, Index, Index, const Index*, const double*,
                                 const double*, double*);

}  // namespace convgrad::CONVGRAD_ISA
