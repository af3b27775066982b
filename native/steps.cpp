// steps.cpp - steps of optimisers over all parameters, and the gates of recurrent cells.
#include "steps.hpp"

#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

template <typename T>
Steps<T> steps_functions() {
  return {};
}

template Steps<float> steps_functions<float>();
template Steps<double> steps_functions<double>();

}  // namespace convgrad::CONVGRAD_ISA
