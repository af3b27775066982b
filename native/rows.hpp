// rows.hpp - reductions, softmax and losses along the rows of an array.
#pragma once

#include "problem.hpp"

namespace convgrad {

/// What an instruction set offers for one element type.
template <typename T>
struct Rows {};

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {

template <typename T>
Rows<T> rows_functions();

}  // namespace convgrad::CONVGRAD_ISA
#endif
