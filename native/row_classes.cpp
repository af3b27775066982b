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
  for (Index r = 0; r < s.rows; r++) {
    // where nothing counts an infinite number must not make NaN
    const T term = factors[r] == T(0) ? T(0) : factors[r] * x[r * s.classes + classes[r]];
    if (each) out[r] = term;
    else sums[r % 4] += double(term);
  }
  if (!each) *out = T((sums[0] + sums[1]) + (sums[2] + sums[3]));
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
    Index together;
  } run{s, g, classes, factors, each, out, max(1, kTask / s.classes)};
  parallel_for(
      ceil_div(s.rows, run.together),
      [](void* context, Index task) {
        const Run& at = *static_cast<Run*>(context);
        const Index first = task * at.together, last = min(at.s.rows, first + at.together);
        const Index width = at.s.classes;
        __builtin_memset(at.out + first * width, 0, sizeof(T) * std::size_t((last - first) * width));
        for (Index r = first; r < last; r++)
          at.out[r * width + at.classes[r]] = at.factors[r] * at.g[at.each ? r : 0];
      },
      &run, s.rows * s.classes * Index(sizeof(T)) / 24 + s.rows);
}

template void picked(const ClassShape&, const float*, const Index*, const float*, bool, float*);
template void picked(const ClassShape&, const double*, const Index*, const double*, bool, double*);
template void placed(const ClassShape&, const float*, const Index*, const float*, bool, float*);
template void placed(const ClassShape&, const double*, const Index*, const double*, bool, double*);

}  // namespace convgrad::CONVGRAD_ISA
