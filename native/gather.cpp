// gather.cpp - elements by their positions along an axis, and rows that are weighted and added to others.
#include "parallel.hpp"
#include "rows.hpp"
#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {
namespace {

constexpr Index kTask = 16384;                         // elements
constexpr int kVectors = kVectorBytes == 64 ? 16 : 8;  // of a row: sums that half of the registers hold

template <typename T>
struct Gather {
  const Positions& s;
  const T* x;
  const Index* index;
  T* out;
  Index together;

  void operator()(Index task) const {
    const Index last = min(s.outer * s.count, (task + 1) * together);
    for (Index row = task * together; row < last;) {
      const Index o = row / s.count, end = min(last, (o + 1) * s.count);
      const T* from = x + o * s.places * s.inner;
      const Index* at = index + row * s.inner;
      T* to = out + row * s.inner;
      if (s.inner == 1)
        for (Index k = 0; k < end - row; k++) to[k] = from[at[k]];
      else
        for (Index k = 0; k < end - row; k++, at += s.inner, to += s.inner)
          for (Index i = 0; i < s.inner; i++) to[i] = from[at[i] * s.inner + i];
      row = end;
    }
  }
};

/// Rows that go to one place after another are added up in registers: `lanes` columns from `x` to `out`.
template <int vectors, typename T>
CONVGRAD_INLINE void add_columns(const Moves& s, const T* x, const Index* from, const Index* to,
                                 const T* factors, T* out) {
  constexpr int L = kLanes<T>;
  for (Index k = 0; k < s.count;) {
    const Index place = to[k];
    Vec<T> sums[vectors];
    CONVGRAD_UNROLL
    for (int v = 0; v < vectors; v++) sums[v] = load<T>(out + place * s.width + v * L);
    for (; k < s.count && to[k] == place; k++) {
      const T* row = x + from[k] * s.width;
      if (factors) {
        const Vec<T> factor = splat(factors[k]);
        CONVGRAD_UNROLL
        for (int v = 0; v < vectors; v++) sums[v] += factor * load<T>(row + v * L);
      } else {
        CONVGRAD_UNROLL
        for (int v = 0; v < vectors; v++) sums[v] += load<T>(row + v * L);
      }
    }
    CONVGRAD_UNROLL
    for (int v = 0; v < vectors; v++) store(out + place * s.width + v * L, sums[v]);
  }
}

template <typename T>
struct AddRows {
  const Moves& s;
  const T* x;
  const Index* from;
  const Index* to;
  const T* factors;
  T* out;
  Index columns;

  void operator()(Index task) const {
    constexpr int L = kLanes<T>;
    const Index last = min(s.width, (task + 1) * columns);
    Index i = task * columns;
    for (Index p = 0; p < s.places; p++)
      __builtin_memset(out + p * s.width + i, 0, sizeof(T) * std::size_t(last - i));
    for (; i + kVectors * L <= last; i += kVectors * L)
      add_columns<kVectors>(s, x + i, from, to, factors, out + i);
    for (; i + 4 * L <= last; i += 4 * L) add_columns<4>(s, x + i, from, to, factors, out + i);
    for (; i + L <= last; i += L) add_columns<1>(s, x + i, from, to, factors, out + i);
    if (i == last) return;
    for (Index k = 0; k < s.count; k++)
      for (Index j = i; j < last; j++) {
        const T value = x[from[k] * s.width + j];
        out[to[k] * s.width + j] += factors ? factors[k] * value : value;
      }
  }
};

}  // namespace

template <typename T>
void gather(const Positions& s, const T* x, const Index* index, T* out) {
  Gather<T> run{s, x, index, out, max(1, kTask / s.inner)};
  parallel_for(
      ceil_div(s.outer * s.count, run.together), [](void* r, Index i) { (*static_cast<Gather<T>*>(r))(i); },
      &run, s.indices() + s.outer * s.count);
}

template <typename T>
void move_rows(const Moves& s, const T* x, const Index* from, const Index* to, const T* factors, T* out) {
  // Every task reads all positions and writes columns of its own: what arrives at one is added in order.
  constexpr Index block = 4 * kLanes<T>;
  const Index tasks = max(1, min(min(16, s.width / block), s.count * s.width / kTask));
  AddRows<T> run{s, x, from, to, factors, out, round_up(ceil_div(s.width, tasks), block)};
  parallel_for(
      ceil_div(s.width, run.columns), [](void* r, Index i) { (*static_cast<AddRows<T>*>(r))(i); }, &run,
      (s.count + s.places) * s.width / 12);
}

template void gather(const Positions&, const float*, const Index*, float*);
template void gather(const Positions&, const double*, const Index*, double*);
template void move_rows(const Moves&, const float*, const Index*, const Index*, const float*, float*);
template void move_rows(const Moves&, const double*, const Index*, const Index*, const double*, double*);

}  // namespace convgrad::CONVGRAD_ISA
