// attention.hpp - scaled dot-product attention: each query's mixture of the values, and its gradients.
#pragma once

#include "problem.hpp"

namespace convgrad {

/// Matrices (batch, heads, rows, columns) whose rows are without gaps: how many elements lie between two of
/// each, 0 where all are the same one.
struct Stack {
  Index batch, head, row;
};

/// q (queries, width), k (keys, width), v and out (keys and queries, features) for each head of each batch.
struct AttentionView {
  Index batch, heads, queries, keys, width, features;
  Stack q, k, v, out;
  Stack mask;  // (queries, keys)
  double scale;

  /// Roughly what one thread takes: the products, and e to the power of each score.
  Index nanoseconds(Index products) const {
    const double scores = double(batch) * heads * queries * keys;
    return Index(scores * double(width + features) * products / 50 + scores / 2);
  }
};

/// The operands. `mask` is added to the scores; `noise`, (batch, heads, queries, keys) without gaps,
/// multiplies the weights; either may be null. norm[batch][head][query], which may be null in the first,
/// gets the logarithm of the sum of e^score, or infinity where a query may look nowhere.
template <typename T>
struct Attention {
  const T *q, *k, *v, *mask, *noise;
  T *out, *norm;
};

/// From g, the gradient of out, to those of q, k and v, each of which may be null: not wanted.
template <typename T>
struct AttentionGrad {
  const T *g, *q, *k, *v, *mask, *noise, *out, *norm;
  T *gq, *gk, *gv;
  Stack g_steps, gq_steps, gk_steps, gv_steps;
};

template <typename T>
struct Attentions {
  void (*forward)(const AttentionView&, const Attention<T>&);
  void (*backward)(const AttentionView&, const AttentionGrad<T>&);
};

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {

template <typename T>
Attentions<T> attention_functions();

}  // namespace convgrad::CONVGRAD_ISA
#endif
