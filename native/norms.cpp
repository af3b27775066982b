// norms.cpp - normalisation by statistics of channels, groups or rows, with its gradients: who serves what.
#include "norms.hpp"

#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

// A run of fewer elements than a vector has lanes leaves most of them empty: such channels lie side by side
// in columns instead.
template <typename T>
void channels(const ChannelNorm<T>& p) {
  p.inner < kLanes<T> ? norm_columns(p) : norm_planes(p);
}
template <typename T>
void channels_grad(const ChannelNormGrad<T>& p) {
  p.inner < kLanes<T> ? norm_columns_grad(p) : norm_planes_grad(p);
}
template <typename T>
void channel_sum(const ChannelSum<T>& p) {
  p.inner < kLanes<T> ? sum_columns(p) : sum_planes(p);
}

}  // namespace

template <typename T>
Norms<T> norms_functions() {
  return {channels<T>, channels_grad<T>, norm_rows<T>, norm_rows_grad<T>, channel_sum<T>};
}

template Norms<float> norms_functions<float>();
template Norms<double> norms_functions<double>();

}  // namespace convgrad::CONVGRAD_ISA
