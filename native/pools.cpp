// pools.cpp - pooling over windows, with its gradients.
#include "pools.hpp"

#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

template <typename T>
Pools<T> pools_functions() {
  return {};
}

template Pools<float> pools_functions<float>();
template Pools<double> pools_functions<double>();

}  // namespace convgrad::CONVGRAD_ISA
