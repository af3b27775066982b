// kernels.hpp - what each instruction set offers: one table of plain functions per element type.
#pragma once

#include <cstddef>

#include "attention.hpp"
#include "copies.hpp"
#include "depthwise_plan.hpp"
#include "direct_plan.hpp"
#include "fft_plan.hpp"
#include "maps.hpp"
#include "norms.hpp"
#include "pools.hpp"
#include "problem.hpp"
#include "products.hpp"
#include "random.hpp"
#include "rows.hpp"
#include "steps.hpp"
#include "weight_plan.hpp"
#include "winograd_plan.hpp"

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
  Family<T, DirectView> direct_pixels;
  Family<T, DepthwiseView> depthwise_channels;
  Family<T, DepthwiseView> depthwise_channel_weights;
  Family<T, DepthwiseView> depthwise_pixels;
  Family<T, DepthwiseView> depthwise_pixel_weights;
  Family<T, WinogradView> winograd;
  Family<T, WinogradView> winograd_weight;
  Family<T, WeightView> weight_channels;
  Family<T, WeightView> weight_pixels;
  Family<T, FftView> fft_convolve;
  Family<T, FftView> fft_weights;
  Attentions<T> attention;
  Maps<T> maps;
  Rows<T> rows;
  Norms<T> norms;
  Pools<T> pools;
  Products<T> products;
  Random<T> random;
  Steps<T> steps;
};

struct KernelTable {
  const char* name;
  int vector_bytes;
  Kernels<float> single_precision;
  Kernels<double> double_precision;
  HalfCasts half_casts;
  Copies copies;
  Index (*multiply_add_loop)(Index rounds);
};

/// The tables that are built in and that this processor can run, the plainest first; `count` of them.
const KernelTable* const* runnable_tables(int& count);

/// The one with this name; throws std::invalid_argument.
const KernelTable& table_named(const char* name);

/// The one in use, the best until another is chosen.
const KernelTable& table_in_use();
void use_table(const KernelTable& table);

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
template <typename T>
Family<T, DirectView> direct_pixels_family();
template <typename T>
Family<T, WinogradView> winograd_family();
template <typename T>
Family<T, WinogradView> winograd_weight_family();
template <typename T>
Family<T, WeightView> weight_channels_family();
template <typename T>
Family<T, WeightView> weight_pixels_family();
template <typename T>
Family<T, FftView> fft_convolve_family();
template <typename T>
Family<T, FftView> fft_weights_family();

/// Nothing but float32 multiply-adds in registers; returns how many floating point operations were done.
Index multiply_add_loop(Index rounds);

}  // namespace convgrad::CONVGRAD_ISA
#endif
