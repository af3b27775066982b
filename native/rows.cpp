// rows.cpp - reductions, softmax and losses along the rows of an array.
#include "rows.hpp"

#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

template <typename T>
Rows<T> rows_functions() {
  return {};
}

template Rows<float> rows_functions<float>();
template Rows<double> rows_functions<double>();

}  // namespace convgrad::CONVGRAD_ISA
