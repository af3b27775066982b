// row_classes.cpp - one number of each row, that of the row's class, and its adjoint: the likelihood of
// classes.
#include "parallel.hpp"
#include "rows.hpp"
#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {
namespace {

constexpr Index kTask = 16384;  // elements that are written

}  // namespace

template <typename T>
void picked(const ClassShape& s, const T* x, const Index* classes, const T* factors, bool each, T* out) {
  double sums[4] = {};  // an addition waits for the one before it
  for (Index n = 0, r = 0; n < s.samples; n++, x += s.classes * s.inner)
    for (Index i = 0; i < s.inner; i++, r++) {
      // where nothing counts an infinite number must not make NaN
      const T term = factors[r] == T(0) ? T(0) : factors[r] * x[classes[r] * s.inner + i];
      if (each) out[r] = term;
      else sums[r % 4] += double(term);
    }
  if (!each) *out = T((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

template <typename T>
void taken(Index count, Index width, const T* x, const Index* places, T* out) {
  struct Run {
    Index count, width;
    const T* x;
    const Index* places;
    T* out;
    Index together;
  } run{count, width, x, places, out, max(1, kTask / width)};
  parallel_for(
      ceil_div(count, run.together),
      [](void* context, Index task) {
        const Run& at = *static_cast<Run*>(context);
        const Index first = task * at.together, last = min(at.count, first + at.together);
        for (Index r = first; r < last; r++)
          __builtin_memcpy(at.out + r * at.width, at.x + at.places[r] * at.width,
                           sizeof(T) * std::size_t(at.width));
      },
      &run, count * (width * Index(sizeof(T)) / 16 + 4));
}

template <typename T>
void placed(const ClassShape& s, const T* g, const Index* classes, const T* factors, bool each, T* out) {
  struct Run {
    const ClassShape& s;
    const T* g;
    const Index* classes;
    const T* factors;
    bool each;
    T* out;
    Index together;  // samples

    void operator()(Index n) const {
      const Index size = s.classes * s.inner;
      T* to = out + n * size;
      __builtin_memset(to, 0, sizeof(T) * std::size_t(size));
      for (Index i = 0, r = n * s.inner; i < s.inner; i++, r++)
        to[classes[r] * s.inner + i] = factors[r] * g[each ? r : 0];
    }
  } run{s, g, classes, factors, each, out, max(1, kTask / (s.classes * s.inner))};
  parallel_for(
      ceil_div(s.samples, run.together),
      [](void* context, Index task) {
        const Run& at = *static_cast<Run*>(context);
        const Index first = task * at.together, last = min(at.s.samples, first + at.together);
        for (Index n = first; n < last; n++) at(n);
      },
      &run, s.positions() * (s.classes * Index(sizeof(T)) / 24 + 1));
}

template void picked(const ClassShape&, const float*, const Index*, const float*, bool, float*);
template void picked(const ClassShape&, const double*, const Index*, const double*, bool, double*);
template void taken(Index, Index, const float*, const Index*, float*);
template void taken(Index, Index, const double*, const Index*, double*);
template void placed(const ClassShape&, const float*, const Index*, const float*, bool, float*);
template void placed(const ClassShape&, const double*, const Index*, const double*, bool, double*);

}  // namespace convgrad::CONVGRAD_ISA
