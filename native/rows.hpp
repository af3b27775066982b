// rows.hpp - reductions, softmax, losses and sums by index: whatever works along one axis of an array.
#pragma once

#include "problem.hpp"

namespace convgrad {

/// An array seen as (outer, length, inner): what lies along the middle belongs together.
struct RowShape {
  Index outer, length, inner;

  Index lines() const { return outer * inner; }
  Index elements() const { return outer * length * inner; }
};

enum class Reduction { Sum, Squares, Most, Least, Mean, Product };
enum class Scan { Sum, Product };
enum class Extreme { Most, Least };
enum class SoftmaxKind { Softmax, LogSoftmax, LogSumExp };

/// Losses that depend on a pair of numbers, a prediction x and its target y.
enum class Loss { Square, Absolute, Smooth, Huber, CrossEntropy, CrossEntropyOfLogits };

/// Positions along an axis: x is (outer, places, inner); index is (count), or (outer, count, inner) if
/// `each`.
struct Positions {
  Index outer, places, count, inner;
  bool each;

  Index indices() const { return each ? outer * count * inner : count; }
};

/// Rows of `width` that go from one table to another of `places` rows, `count` times one.
struct Moves {
  Index count, places, width;
};

/// Numbers (samples, classes, inner), of each position's classes one being the right one: entry r is that of
/// sample r / inner.
struct ClassShape {
  Index samples, classes, inner;

  Index positions() const { return samples * inner; }
};

/// What an instruction set offers for one element type. A NaN counts as the largest and as the smallest.
template <typename T>
struct Rows {
  /// out (outer, inner)
  void (*reduce)(Reduction kind, const RowShape& shape, const T* x, T* out);
  /// Means, and sums of squared deviations from them over `divisor`, (outer, inner) each.
  void (*moments)(const RowShape& shape, const T* x, T* mean, T* squares, T divisor);
  /// The first of the largest (or smallest) values and its place, (outer, inner) each.
  void (*extreme)(Extreme kind, const RowShape& shape, const T* x, T* value, Index* place);
  /// out has x's shape, or is (outer, inner) for LogSumExp.
  void (*softmax)(SoftmaxKind kind, const RowShape& shape, const T* x, T* out);
  /// From the gradient g of the result y to that of x.
  void (*softmax_grad)(SoftmaxKind kind, const RowShape& shape, const T* g, const T* y, T* out);
  /// out (outer, places, inner): g (outer, count, inner) added at the positions, one after the other.
  void (*add_at)(const Positions& shape, const T* g, const Index* index, T* out);
  /// out (outer, count, inner): x (outer, places, inner) at the positions, one for `each`. Its adjoint.
  void (*gather)(const Positions& shape, const T* x, const Index* index, T* out);
  /// out (places, width): zeros, and out[to[k]] += factors[k] * x[from[k]], in order; no factors: 1.
  void (*move_rows)(const Moves& shape, const T* x, const Index* from, const Index* to, const T* factors,
                    T* out);
  /// Running sums or products along the middle, from the end if `reverse`; out has x's shape.
  void (*scan)(Scan kind, const RowShape& shape, bool reverse, const T* x, T* out);
  /// One loss per pair.
  void (*losses)(Loss kind, Index count, const T* x, const T* y, T width, T* out);
  /// Their sum.
  T (*loss_sum)(Loss kind, Index count, const T* x, const T* y, T width);
  /// out[i] = g[i] * factor * (the derivative of the loss by x[i]); g[0] for all if not `each`.
  void (*loss_grad)(Loss kind, Index count, const T* x, const T* y, T width, const T* g, bool each, T factor,
                    T* out);
  /// out[r] = factors[r] * x[.., classes[r], ..], 0 where the factor is 0; only their sum if not `each`.
  void (*picked)(const ClassShape& shape, const T* x, const Index* classes, const T* factors, bool each,
                 T* out);
  /// out (count, width): rows of x, by their places.
  void (*taken)(Index count, Index width, const T* x, const Index* places, T* out);
  /// Zeros, and out[.., classes[r], ..] = factors[r] * g[r]; g[0] for all if not `each`.
  void (*placed)(const ClassShape& shape, const T* g, const Index* classes, const T* factors, bool each,
                 T* out);
};

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {

template <typename T>
Rows<T> rows_functions();

template <typename T>
void reduce(Reduction kind, const RowShape& shape, const T* x, T* out);
template <typename T>
void moments(const RowShape& shape, const T* x, T* mean, T* squares, T divisor);
template <typename T>
void extreme(Extreme kind, const RowShape& shape, const T* x, T* value, Index* place);
template <typename T>
void softmax(SoftmaxKind kind, const RowShape& shape, const T* x, T* out);
template <typename T>
void softmax_grad(SoftmaxKind kind, const RowShape& shape, const T* g, const T* y, T* out);
template <typename T>
void add_at(const Positions& shape, const T* g, const Index* index, T* out);
template <typename T>
void gather(const Positions& shape, const T* x, const Index* index, T* out);
template <typename T>
void move_rows(const Moves& shape, const T* x, const Index* from, const Index* to, const T* factors, T* out);
template <typename T>
void scan(Scan kind, const RowShape& shape, bool reverse, const T* x, T* out);
template <typename T>
void losses(Loss kind, Index count, const T* x, const T* y, T width, T* out);
template <typename T>
T loss_sum(Loss kind, Index count, const T* x, const T* y, T width);
template <typename T>
void loss_grad(Loss kind, Index count, const T* x, const T* y, T width, const T* g, bool each, T factor,
               T* out);
template <typename T>
void picked(const ClassShape& shape, const T* x, const Index* classes, const T* factors, bool each, T* out);
template <typename T>
void taken(Index count, Index width, const T* x, const Index* places, T* out);
template <typename T>
void placed(const ClassShape& shape, const T* g, const Index* classes, const T* factors, bool each, T* out);

}  // namespace convgrad::CONVGRAD_ISA
#endif
