// kernels.hpp - what each instruction set offers: one table of plain functions per element type.
#pragma once

#include <cstddef>

#include "depthwise_plan.hpp"
#include "direct_plan.hpp"
#include "problem.hpp"

namespace convgrad {

/// One algorithm for one element type. Scratch is counted in bytes: once per call, and once per working
/// thread.
template <typename T, typename View>
struct Family {
  std::size_t (*shared)(const View&);
  std::size_t (*scratch)(const View&);
  void (*run)(const View&, const Operands<T>&);
};

template <typename T>
struct Kernels {
  Family<T, DirectView> direct_channels;
  Family<T, DepthwiseView> depthwise_channels;
  Family<T, DepthwiseView> depthwise_channel_weights;
  Family<T, DepthwiseView> depthwise_pixels;
  Family<T, DepthwiseView> depthwise_pixel_weights;
};

struct KernelTable {
  const char* name;
  int vector_bytes;
  Kernels<float> single_precision;
  Kernels<double> double_precision;
};

/// The tables that are built in and that this processor can run, the plainest first; `count` of them.
const KernelTable* const* runnable_tables(int& count);

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {

template <typename T>
Family<T, DirectView> direct_channels_family();
template <typename T>
Family<T, DepthwiseView> depthwise_channels_family();
template <typename T>
Family<T, DepthwiseView> depthwise_channel_weights_family();
template <typename T>
Family<T, DepthwiseView> depthwise_pixels_family();
template <typename T>
Family<T, DepthwiseView> depthwise_pixel_weights_family();

}  // namespace convgrad::CONVGRAD_ISA
#endif
