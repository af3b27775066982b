// recurrent.hpp - one recurrent layer in one direction over whole sequences, forward and backward.
#pragma once

#include "problem.hpp"

namespace convgrad {

/// kernels/recurrent.py defines them.
enum class Cell { Tanh, Relu, Lstm, Gru };
inline constexpr int kCells = 4;

/// Gates of a cell: rows of its weights over its width.
inline Index gates_of(Cell cell) { return cell == Cell::Lstm ? 4 : cell == Cell::Gru ? 3 : 1; }

/// Sequences lie flat: counts[t] rows of step t, which never grow, one step after another.
struct Walk {
  const Index* counts;
  Index steps, sequences, total;
  bool reverse;
  Index inputs, width;
};

/// Results and what backward reads, all without gaps. total rows: x (inputs), gates (gates * width), cells
/// (width: the LSTM's c, the GRU's product of n with the state before), out (width). sequences rows of width:
/// h0, c0, last_h, last_c. A plain cell has no gates and no cells, and only the LSTM has c.
template <typename T>
struct Recurrence {
  const T *x, *h0, *c0, *w_ih, *w_hh, *b_ih, *b_hh;
  T *gates, *cells, *out, *last_h, *last_c;
};

/// Backward: from the gradients of out, last_h and last_c to those of the affine maps of the state
/// (state_grad) and, for a GRU, of the input (input_grad; for others it is the same), and of h0 and c0.
template <typename T>
struct RecurrenceGrad {
  const T *g_out, *g_last_h, *g_last_c, *h0, *c0, *w_hh, *gates, *cells, *out;
  T *state_grad, *input_grad, *g_h0, *g_c0;
};

/// out = a b of a (rows, depth) and b (depth, width).
template <typename T>
struct RowProducts {
  const T *a, *b;
  T* out;
  Index rows, depth, width;
};

/// out = gᵀ x of g (rows, height) and x (rows, width), and the sums of g over its rows. Where there is a
/// table `before`, row k of x is row before[k] of (first, x), first being (firsts, width).
template <typename T>
struct WeightGrad {
  const T *g, *x, *first;
  const Index* before;
  T *out, *sums;
  Index rows, height, width, firsts;

  const T* row(Index k) const {
    if (!before) return x + k * width;
    const Index at = before[k];
    return at < firsts ? first + at * width : x + (at - firsts) * width;
  }
};

template <typename T>
struct Recurrent {
  void (*forward[kCells])(const Walk&, const Recurrence<T>&);
  void (*backward[kCells])(const Walk&, const RecurrenceGrad<T>&);
  void (*row_products)(const RowProducts<T>&);
  void (*weight_grad)(const WeightGrad<T>&);
};

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {

template <typename T>
Recurrent<T> recurrent_functions();

}  // namespace convgrad::CONVGRAD_ISA
#endif
