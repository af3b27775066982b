// rows.cpp - the table of what works along the rows of an array.
#include "rows.hpp"

#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

template <typename T>
Rows<T> rows_functions() {
  return {reduce<T>,   moments<T>,   extreme<T>,   softmax<T>, softmax_grad<T>,
          add_at<T>,   gather<T>,    move_rows<T>, scan<T>,    losses<T>,
          loss_sum<T>, loss_grad<T>, picked<T>,    taken<T>,   placed<T>};
}

template Rows<float> rows_functions<float>();
template Rows<double> rows_functions<double>();

}  // namespace convgrad::CONVGRAD_ISA
