// table.cpp - this instruction set's table.
#include "kernels.hpp"
#include "simd.hpp"

#define CONVGRAD_STRING(x) #x
#define CONVGRAD_NAME(x) CONVGRAD_STRING(x)

namespace convgrad::CONVGRAD_ISA {

template <typename T>
static Kernels<T> kernels_of() {
  return {
      direct_channels_family<T>(),
      direct_pixels_family<T>(),
      depthwise_channels_family<T>(),
      depthwise_channel_weights_family<T>(),
      depthwise_pixels_family<T>(),
      depthwise_pixel_weights_family<T>(),
      winograd_family<T>(),
      winograd_weight_family<T>(),
      weight_channels_family<T>(),
      weight_pixels_family<T>(),
      fft_convolve_family<T>(),
      fft_weights_family<T>(),
      attention_functions<T>(),
      maps_functions<T>(),
      rows_functions<T>(),
      norms_functions<T>(),
      pools_functions<T>(),
      products_functions<T>(),
      random_functions<T>(),
      steps_functions<T>(),
  };
}

const KernelTable& table() {
  static const KernelTable table{CONVGRAD_NAME(CONVGRAD_ISA),
                                 kVectorBytes,
                                 kernels_of<float>(),
                                 kernels_of<double>(),
                                 half_casts(),
                                 copies(),
                                 multiply_add_loop};
  return table;
}

}  // namespace convgrad::CONVGRAD_ISA
