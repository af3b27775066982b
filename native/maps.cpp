// maps.cpp - elementwise operations: one value of the result from one of each operand.
#include "maps.hpp"

#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

template <typename T>
Maps<T> maps_functions() {
  return {};
}

template Maps<float> maps_functions<float>();
template Maps<double> maps_functions<double>();

}  // namespace convgrad::CONVGRAD_ISA
