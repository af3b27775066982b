// norms.cpp - normalisation by statistics of channels, groups or rows, with its gradients.
#include "norms.hpp"

#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

template <typename T>
Norms<T> norms_functions() {
  return {};
}

template Norms<float> norms_functions<float>();
template Norms<double> norms_functions<double>();

}  // namespace convgrad::CONVGRAD_ISA
