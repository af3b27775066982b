// pools.cpp - what this instruction set offers of pools.hpp.
#include "pools.hpp"

#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

template <typename T>
Pools<T> pools_functions() {
  return {max_over_windows<T>, max_over_windows_grad<T>, max_over_spans<T>,
          mean_over_spans<T>,  scatter_to_positions<T>,  sums_along<T>,
          grid_samples<T>,     grid_samples_grad<T>,     pad_with_value<T>};
}

template Pools<float> pools_functions<float>();
template Pools<double> pools_functions<double>();

}  // namespace convgrad::CONVGRAD_ISA
