// steps.hpp - steps of optimisers over all parameters, clipping of gradients, and recurrent layers.
#pragma once

#include "problem.hpp"
#include "recurrent.hpp"

namespace convgrad {

/// The optimisers, each as kernels/steps.py defines it.
enum class Optimiser { Sgd, Adam, RmsProp, Adagrad };
inline constexpr int kOptimisers = 4;

/// A piece of one parameter: the array to change, its gradient, and what the optimiser keeps of it.
template <typename T>
struct Piece {
  T* value;
  const T* gradient;
  T* kept[3];
  Index size;
  T step, root;  // of a parameter's own count: the factor of its move, the divisor of a root (Adam)
};

/// The numbers of a step as kernels/steps.py hands them over, rounded to T where NumPy would.
/// Sgd: decay, momentum, share of g, lr; kept: momentum's buffer.
/// Adam: decay, shrink (of the parameter), 1 - beta1 (or beta1, see `far`), beta2, 1 - beta2, eps; kept:
/// means of g and of its square, the largest of the latter. RmsProp: decay, alpha, 1 - alpha (twice, see
/// `far`), eps, momentum, lr; kept: mean square, mean, buffer. Adagrad: decay, eps; kept: the sum of squares.
template <typename T>
struct StepNumbers {
  T decay, shrink, weight, keep, rest, eps, momentum, share, lr;
  bool ascend, far, largest, centered, nesterov;
};

/// What is done to every element of many arrays.
enum class Change { Multiply, Clamp, Fill };

/// A part of one array.
template <typename T>
struct Span {
  T* data;
  Index size;
};

/// What an instruction set offers for one element type. Pieces come in tasks: task t has those from starts[t]
/// to starts[t + 1].
template <typename T>
struct Steps {
  void (*step)(Optimiser, const StepNumbers<T>&, const Piece<T>* pieces, const Index* starts, Index tasks,
               Index nanoseconds);
  /// The sum of squares of each task, in double precision.
  void (*squares)(const Span<T>* spans, const Index* starts, Index tasks, double* sums, Index nanoseconds);
  void (*change)(Change, T a, T b, const Span<T>* spans, const Index* starts, Index tasks, Index nanoseconds);
  Recurrent<T> recurrent;
};

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {

template <typename T>
Steps<T> steps_functions();

}  // namespace convgrad::CONVGRAD_ISA
#endif
