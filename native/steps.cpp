// steps.cpp - steps of optimisers in one pass over all arrays, and clipping of gradients.
// The arithmetic is that of kernels/steps.py, rounded after every operation: this file is compiled without
// contraction to fused multiply-adds, so that both give the same bits.
#include "steps.hpp"

#include "elementary.hpp"
#include "parallel.hpp"

namespace convgrad::CONVGRAD_ISA {

/// The gradient as the optimiser uses it: turned round for ascent, with the pull of weight decay.
template <typename T>
CONVGRAD_INLINE Vec<T> direction(Vec<T> g, Vec<T> p, const StepNumbers<T>& n) {
  if (n.ascend) g = -g;
  return n.decay != 0 ? g + p * n.decay : g;
}
/// A running mean moved towards g, from the nearer end.
template <typename T>
CONVGRAD_INLINE Vec<T> moved(Vec<T> mean, Vec<T> g, const StepNumbers<T>& n) {
  const Vec<T> way = (g - mean) * n.weight;
  return n.far ? g - way : mean + way;
}
template <typename T>
CONVGRAD_INLINE Vec<T> mean_square(Vec<T> mean, Vec<T> g, const StepNumbers<T>& n) {
  return mean * n.keep + g * n.rest * g;
}
/// The larger, or the one that is NaN.
template <typename T>
CONVGRAD_INLINE Vec<T> larger(Vec<T> a, Vec<T> b) {
  const Vec<T> most = a > b ? a : b;
  return a == a ? most : a;
}

// One vector of a step at place i; `at` reads and writes all of it, or what is left of an array.

template <typename T, typename At>
CONVGRAD_INLINE void sgd(const Piece<T>& p, Index i, At at, const StepNumbers<T>& n) {
  const Vec<T> value = at.get(p.value + i);
  Vec<T> g = direction<T>(at.get(p.gradient + i), value, n);
  if (p.kept[0]) {
    const Vec<T> v = at.get(p.kept[0] + i) * n.momentum + g * n.share;
    at.put(p.kept[0] + i, v);
    g = n.nesterov ? g + v * n.momentum : v;
  }
  at.put(p.value + i, value - g * n.lr);
}

template <typename T, typename At>
CONVGRAD_INLINE void adam(const Piece<T>& p, Index i, At at, const StepNumbers<T>& n) {
  Vec<T> value = at.get(p.value + i);
  const Vec<T> g = direction<T>(at.get(p.gradient + i), value, n);
  if (n.shrink != 1) value = value * n.shrink;
  const Vec<T> m = moved<T>(at.get(p.kept[0] + i), g, n);
  Vec<T> v = mean_square<T>(at.get(p.kept[1] + i), g, n);
  at.put(p.kept[0] + i, m);
  at.put(p.kept[1] + i, v);
  if (n.largest) {
    v = larger<T>(at.get(p.kept[2] + i), v);
    at.put(p.kept[2] + i, v);
  }
  const Vec<T> size = square_root<T>(v) / p.root + n.eps;
  at.put(p.value + i, value + m * p.step / size);
}

template <typename T, typename At>
CONVGRAD_INLINE void rms_prop(const Piece<T>& p, Index i, At at, const StepNumbers<T>& n) {
  const Vec<T> value = at.get(p.value + i);
  const Vec<T> g = direction<T>(at.get(p.gradient + i), value, n);
  Vec<T> square = mean_square<T>(at.get(p.kept[0] + i), g, n);
  at.put(p.kept[0] + i, square);
  if (n.centered) {
    const Vec<T> mean = moved<T>(at.get(p.kept[1] + i), g, n);
    at.put(p.kept[1] + i, mean);
    square = square - mean * mean;
  }
  const Vec<T> size = square_root<T>(square) + n.eps;
  if (p.kept[2]) {
    const Vec<T> buffer = at.get(p.kept[2] + i) * n.momentum + g / size;
    at.put(p.kept[2] + i, buffer);
    at.put(p.value + i, value - buffer * n.lr);
  } else {
    at.put(p.value + i, value + g * p.step / size);
  }
}

template <typename T, typename At>
CONVGRAD_INLINE void adagrad(const Piece<T>& p, Index i, At at, const StepNumbers<T>& n) {
  const Vec<T> value = at.get(p.value + i);
  const Vec<T> g = direction<T>(at.get(p.gradient + i), value, n);
  const Vec<T> sum = at.get(p.kept[0] + i) + g * g;
  at.put(p.kept[0] + i, sum);
  at.put(p.value + i, value + g * p.step / (square_root<T>(sum) + n.eps));
}

template <typename T, Optimiser O, typename At>
CONVGRAD_INLINE void one_vector(const Piece<T>& p, Index i, At at, const StepNumbers<T>& n) {
  if constexpr (O == Optimiser::Sgd) sgd<T>(p, i, at, n);
  else if constexpr (O == Optimiser::Adam) adam<T>(p, i, at, n);
  else if constexpr (O == Optimiser::RmsProp) rms_prop<T>(p, i, at, n);
  else adagrad<T>(p, i, at, n);
}

template <typename T, Optimiser O>
static void one_piece(const Piece<T>& p, const StepNumbers<T>& n) {
  constexpr int L = kLanes<T>;
  const StepNumbers<T> numbers = n;  // a copy of its own: no store to an array can change it
  Index i = 0;
  for (; i + L <= p.size; i += L) one_vector<T, O>(p, i, Whole<T>(), numbers);
  if (i < p.size) one_vector<T, O>(p, i, First<T>(p.size - i), numbers);
}

template <typename T>
struct StepJob {
  void (*run)(const Piece<T>&, const StepNumbers<T>&);
  const StepNumbers<T>& numbers;
  const Piece<T>* pieces;
  const Index* starts;

  static void task(void* context, Index t) {
    const auto& job = *static_cast<const StepJob*>(context);
    for (Index i = job.starts[t]; i < job.starts[t + 1]; i++) job.run(job.pieces[i], job.numbers);
  }
};

template <typename T>
static void step(Optimiser optimiser, const StepNumbers<T>& numbers, const Piece<T>* pieces,
                 const Index* starts, Index tasks, Index nanoseconds) {
  constexpr void (*runs[kOptimisers])(const Piece<T>&, const StepNumbers<T>&) = {
      one_piece<T, Optimiser::Sgd>, one_piece<T, Optimiser::Adam>, one_piece<T, Optimiser::RmsProp>,
      one_piece<T, Optimiser::Adagrad>};
  StepJob<T> job{runs[int(optimiser)], numbers, pieces, starts};
  parallel_for(tasks, StepJob<T>::task, &job, nanoseconds);
}

// ---- sums of squares

/// As many elements as a vector of doubles has lanes, in double precision.
CONVGRAD_INLINE Vec<double> in_double(const double* p) { return load(p); }
CONVGRAD_INLINE Vec<double> in_double(const float* p) {
  typedef float Half __attribute__((vector_size(kVectorBytes / 2)));
  Half half;
  __builtin_memcpy(&half, p, sizeof(half));
  return __builtin_convertvector(half, Vec<double>);
}

template <typename T>
struct SquareJob {
  const Span<T>* spans;
  const Index* starts;
  double* sums;

  static void task(void* context, Index t) {
    constexpr int L = kLanes<double>;
    const auto& job = *static_cast<const SquareJob*>(context);
    Vec<double> sum[4] = {};
    double rest = 0;
    for (Index s = job.starts[t]; s < job.starts[t + 1]; s++) {
      const T* p = job.spans[s].data;
      const Index size = job.spans[s].size;
      Index i = 0;
      for (; i + 4 * L <= size; i += 4 * L) {
        CONVGRAD_UNROLL
        for (int k = 0; k < 4; k++) {
          const Vec<double> x = in_double(p + i + k * L);
          sum[k] += x * x;
        }
      }
      for (; i < size; i++) rest += double(p[i]) * double(p[i]);
    }
    job.sums[t] = lane_sum<double>((sum[0] + sum[1]) + (sum[2] + sum[3])) + rest;
  }
};

template <typename T>
static void squares(const Span<T>* spans, const Index* starts, Index tasks, double* sums, Index nanoseconds) {
  SquareJob<T> job{spans, starts, sums};
  parallel_for(tasks, SquareJob<T>::task, &job, nanoseconds);
}

// ---- all elements changed in place

template <typename T>
struct ChangeJob {
  Change change;
  T a, b;
  const Span<T>* spans;
  const Index* starts;

  template <typename At>
  __attribute__((always_inline)) void one_vector(T* p, At at) const {
    if (change == Change::Fill) return at.put(p, splat(a));
    const Vec<T> v = at.get(p);
    at.put(p, change == Change::Multiply ? v * a : at_most<T>(at_least<T>(v, a), b));
  }
  static void task(void* context, Index t) {
    constexpr int L = kLanes<T>;
    const ChangeJob job = *static_cast<const ChangeJob*>(context);
    for (Index s = job.starts[t]; s < job.starts[t + 1]; s++) {
      T* p = job.spans[s].data;
      const Index size = job.spans[s].size;
      Index i = 0;
      for (; i + L <= size; i += L) job.one_vector(p + i, Whole<T>());
      if (i < size) job.one_vector(p + i, First<T>(size - i));
    }
  }
};

template <typename T>
static void change(Change what, T a, T b, const Span<T>* spans, const Index* starts, Index tasks,
                   Index nanoseconds) {
  ChangeJob<T> job{what, a, b, spans, starts};
  parallel_for(tasks, ChangeJob<T>::task, &job, nanoseconds);
}

template <typename T>
Steps<T> steps_functions() {
  return {step<T>, squares<T>, change<T>, recurrent_functions<T>()};
}

template Steps<float> steps_functions<float>();
template Steps<double> steps_functions<double>();

}  // namespace convgrad::CONVGRAD_ISA
