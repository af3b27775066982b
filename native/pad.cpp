// pad.cpp - an array between borders of one value, or without its own borders.
#include "lanes.hpp"
#include "parallel.hpp"
#include "pools.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

constexpr Index kTask = 16384;  // entries of a task, about

template <typename T>
struct Padding {
  PadView v;
  const T* x;
  T* out;
  T value;
  Index per_task;  // rows

  static void run(void* self, Index task) { (*static_cast<const Padding*>(self))(task); }

  void operator()(Index task) const {
    const Index rows = v.out[0] * v.out[1] * v.out[2], last = min(rows, (task + 1) * per_task);
    const Index first = task * per_task;
    Index c = first % v.out[2] - v.before[2], b = first / v.out[2] % v.out[1] - v.before[1];
    Index a = first / (v.out[2] * v.out[1]) - v.before[0];
    for (Index r = first; r < last; r++) {
      const bool inside = a >= 0 && a < v.in[0] && b >= 0 && b < v.in[1] && c >= 0 && c < v.in[2];
      row(inside ? x + ((a * v.in[1] + b) * v.in[2] + c) * v.in[3] : nullptr, out + r * v.out[3]);
      if (++c < v.out[2] - v.before[2]) continue;
      c = -v.before[2];
      if (++b < v.out[1] - v.before[1]) continue;
      b = -v.before[1], a++;
    }
  }

  /// A row of the result from one of x, or of the value alone.
  void row(const T* from, T* to) const {
    constexpr int L = kLanes<T>;
    const Index n = v.out[3], begin = max(0, v.before[3]), end = min(n, v.before[3] + v.in[3]);
    const Vec<T> border = splat(value);
    if (!from || begin >= end) {
      for (Index i = 0; i < n; i += L) store_some(to + i, border, n - i);
      return;
    }
    // what is stored first reaches into what is stored after it
    for (Index i = 0; i < begin; i += L) store_some(to + i, border, n - i);
    from += begin - v.before[3];
    for (Index i = begin; i < end; i += L) store_some(to + i, load_some(from + i - begin, end - i), end - i);
    for (Index i = end; i < n; i += L) store_some(to + i, border, n - i);
  }
};

}  // namespace

template <typename T>
void pad_with_value(const PadView& v, const T* x, T* out, T value) {
  Padding<T> p{v, x, out, value, max(1, kTask / v.out[3])};
  const Index rows = v.out[0] * v.out[1] * v.out[2];
  parallel_for(ceil_div(rows, p.per_task), Padding<T>::run, &p, rows * (v.out[3] / 8 + 5));
}

template void pad_with_value<float>(const PadView&, const float*, float*, float);
template void pad_with_value<double>(const PadView&, const double*, double*, double);

}  // namespace convgrad::CONVGRAD_ISA
