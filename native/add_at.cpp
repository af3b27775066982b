// add_at.cpp - values added at positions along an axis: the gradient of whatever picks by position.
#include <cstddef>

#include "parallel.hpp"
#include "rows.hpp"
#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {
namespace {

constexpr Index kTask = 16384;  // elements

template <typename T>
CONVGRAD_INLINE void add_row(const T* from, Index n, T* to) {
  constexpr int L = kLanes<T>;
  Index i = 0;
  for (; i + L <= n; i += L) store(to + i, load<T>(to + i) + load(from + i));
  for (; i < n; i++) to[i] += from[i];
}

template <typename T>
struct Run {
  const Positions& s;
  const T* from;
  const Index* index;
  T* to;
  Index together, ranges;

  /// Places of the result: a range of them (or of columns, for `each`), for some of outer. What arrives at
  /// one is added in its order.
  void operator()(Index task) const {
    const Index range = task % ranges, all = s.each ? s.inner : s.places, size = ceil_div(all, ranges);
    const Index low = min(all, range * size), high = min(all, low + size);
    for (Index o = task / ranges * together; o < min(s.outer, (task / ranges + 1) * together); o++) {
      T* out = to + o * s.places * s.inner;
      const T* g = from + o * s.count * s.inner;
      if (!s.each) {
        __builtin_memset(out + low * s.inner, 0, sizeof(T) * std::size_t((high - low) * s.inner));
        for (Index k = 0; k < s.count; k++)
          if (index[k] >= low && index[k] < high) add_row(g + k * s.inner, s.inner, out + index[k] * s.inner);
      } else {
        const Index* at = index + o * s.count * s.inner;
        if (ranges == 1) __builtin_memset(out, 0, sizeof(T) * std::size_t(s.places * s.inner));
        else
          for (Index p = 0; p < s.places; p++)
            __builtin_memset(out + p * s.inner + low, 0, sizeof(T) * std::size_t(high - low));
        for (Index k = 0; k < s.count; k++)
          for (Index i = low; i < high; i++) out[at[k * s.inner + i] * s.inner + i] += g[k * s.inner + i];
      }
    }
  }
};

}  // namespace

template <typename T>
void add_at(const Positions& s, const T* g, const Index* index, T* out) {
  const Index work = (s.count + s.places) * s.inner;
  Run<T> run{s, g, index, out, max(1, kTask / work), 1};
  // Every range reads all positions: worth it where a row is more than its position.
  if (!s.each && s.inner >= 16 && s.outer < 8) run.ranges = max(1, min(min(8, s.places), work / (2 * kTask)));
  if (s.each && s.inner >= 128 && s.outer < 8) run.ranges = max(1, min(min(4, s.inner / 128), work / kTask));
  parallel_for(
      ceil_div(s.outer, run.together) * run.ranges, [](void* r, Index i) { (*static_cast<Run<T>*>(r))(i); },
      &run,
      s.outer *
          (s.count * (4 + (s.each ? s.inner : s.inner * Index(sizeof(T)) / 12)) + s.places * s.inner / 8));
}

template void add_at(const Positions&, const float*, const Index*, float*);
template void add_at(const Positions&, const double*, const Index*, double*);

}  // namespace convgrad::CONVGRAD_ISA
