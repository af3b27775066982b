// scan.cpp - running sums and products along the middle of (outer, length, inner).
#include "parallel.hpp"
#include "rows.hpp"
#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {
namespace {

constexpr Index kTask = 16384;  // elements
constexpr int kTogether = 8;    // rows side by side: an addition waits for the one before it

template <Scan kind, typename T>
CONVGRAD_INLINE T joined(T a, T b) {
  return kind == Scan::Sum ? a + b : a * b;
}

/// `count` rows at most kTogether, each running by itself; a step is +1 or -1.
template <Scan kind, int count, typename T>
CONVGRAD_INLINE void scan_rows(const T* x, T* out, Index length, Index step) {
  const Index first = step > 0 ? 0 : length - 1;
  T run[count];
  for (int r = 0; r < count; r++) out[r * length + first] = run[r] = x[r * length + first];
  for (Index k = 1, i = first + step; k < length; k++, i += step)
    for (int r = 0; r < count; r++) out[r * length + i] = run[r] = joined<kind>(run[r], x[r * length + i]);
}

template <Scan kind, typename T>
struct Run {
  const RowShape& s;
  bool reverse;
  const T* x;
  T* out;
  Index together;

  void operator()(Index task) const {
    const Index first = task * together, last = min(s.outer, first + together), step = reverse ? -1 : 1;
    const Index size = s.length * s.inner;
    if (s.inner == 1) {
      Index o = first;
      for (; o + kTogether <= last; o += kTogether)
        scan_rows<kind, kTogether>(x + o * size, out + o * size, s.length, step);
      for (; o < last; o++) scan_rows<kind, 1>(x + o * size, out + o * size, s.length, step);
      return;
    }
    for (Index o = first; o < last; o++) {
      const T* from = x + o * size + (reverse ? size - s.inner : 0);
      T* to = out + o * size + (reverse ? size - s.inner : 0);
      __builtin_memcpy(to, from, sizeof(T) * std::size_t(s.inner));
      for (Index k = 1; k < s.length; k++) {
        const T* before = to;
        to += step * s.inner;
        from += step * s.inner;
        Index i = 0;
        for (; i + kLanes<T> <= s.inner; i += kLanes<T>)
          store(to + i, joined<kind>(load<T>(before + i), load<T>(from + i)));
        for (; i < s.inner; i++) to[i] = joined<kind>(before[i], from[i]);
      }
    }
  }
};

template <Scan kind, typename T>
void scan_by(const RowShape& s, bool reverse, const T* x, T* out) {
  const Index rows = max(1, kTask / (s.length * s.inner));
  Run<kind, T> run{s, reverse, x, out, s.inner == 1 ? round_up(rows, kTogether) : rows};
  parallel_for(
      ceil_div(s.outer, run.together), [](void* r, Index i) { (*static_cast<Run<kind, T>*>(r))(i); }, &run,
      s.elements() / 2);
}

}  // namespace

template <typename T>
void scan(Scan kind, const RowShape& s, bool reverse, const T* x, T* out) {
  if (kind == Scan::Sum) scan_by<Scan::Sum>(s, reverse, x, out);
  else scan_by<Scan::Product>(s, reverse, x, out);
}

template void scan(Scan, const RowShape&, bool, const float*, float*);
template void scan(Scan, const RowShape&, bool, const double*, double*);

}  // namespace convgrad::CONVGRAD_ISA
