// products.hpp - products of two matrices.
#pragma once

#include "problem.hpp"

namespace convgrad {

/// c (m, n) = a (m, k) times b (k, n). Steps in elements: each of a and b may lie in rows or in columns, c
/// lies in rows without gaps.
struct ProductView {
  Index m, n, k;
  Index a_row, a_step;     // from row to row, and along a row
  Index b_step, b_column;  // from row to row, and along a row

  /// Roughly what one thread takes for all of it.
  Index nanoseconds() const {
    return Index(double(m) * double(n) * double(k) / 50 + double(k * n + m * n) / 8);
  }
};

/// What an instruction set offers for one element type. `first`, `second` are a, b; `bias` has a value per
/// column.
template <typename T>
struct Products {
  void (*multiply)(const ProductView&, const Operands<T>&);
};

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {

template <typename T>
Products<T> products_functions();

}  // namespace convgrad::CONVGRAD_ISA
#endif
