// norms.hpp - normalisation by statistics of channels, groups or rows, with its gradients.
#pragma once

#include "problem.hpp"

namespace convgrad {

/// x (batch, channels, inner), each channel standardised over batch and inner, then scaled and shifted.
template <typename T>
struct ChannelNorm {
  Index batch, channels, inner;
  const T* x;
  const T* weight;  // one value per channel; null: 1
  const T* bias;    // the same; null: 0
  const T* addend;  // like x, added before the activation; or null
  T* mean;          // one value per channel, as are the next two
  T* var;           // without Bessel's correction
  T* invstd;        // 1 / sqrt(var + eps)
  T* out;
  double eps;
  bool given;  // mean and var are read, not found
  Activation activation;
};

/// The gradients of out = activation((x - mean) * invstd * weight + bias + addend).
template <typename T>
struct ChannelNormGrad {
  Index batch, channels, inner;
  const T* g;
  const T* x;
  const T* out;  // where it is not positive, relu let nothing through; null: there was no activation
  const T* weight;
  const T* mean;
  const T* invstd;
  T* gx;  // or null: not wanted
  T* gweight;
  T* gbias;
  T* gaddend;  // or null
  bool given;  // mean and invstd do not depend on x
};

/// Rows of `channels` times `inner` values, each standardised by itself: row r belongs to the channels that
/// start at r % groups * channels, which have a weight and a bias each.
template <typename T>
struct RowNorm {
  Index rows, groups, channels, inner;
  const T* x;
  const T* weight;  // or null, as is bias
  const T* bias;
  T* mean;  // one value per row; null: rows are scaled about 0, by their root mean square
  T* invstd;
  T* out;
  double eps;

  Index length() const { return channels * inner; }
};

template <typename T>
struct RowNormGrad {
  Index rows, groups, channels, inner;
  const T* g;
  const T* x;
  const T* weight;
  const T* mean;
  const T* invstd;
  T* gx;  // each of the three may be null: not wanted
  T* gweight;
  T* gbias;

  Index length() const { return channels * inner; }
};

/// The sums of x (batch, channels, inner) over batch and inner.
template <typename T>
struct ChannelSum {
  Index batch, channels, inner;
  const T* x;
  T* out;
};

/// What an instruction set offers for one element type.
template <typename T>
struct Norms {
  void (*channels)(const ChannelNorm<T>&);
  void (*channels_grad)(const ChannelNormGrad<T>&);
  void (*rows)(const RowNorm<T>&);
  void (*rows_grad)(const RowNormGrad<T>&);
  void (*channel_sum)(const ChannelSum<T>&);
};

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {

template <typename T>
Norms<T> norms_functions();

// Each in a file of its own. `plane` has runs of at least a vector per channel, `columns` shorter ones.
template <typename T>
void norm_planes(const ChannelNorm<T>& p);
template <typename T>
void norm_planes_grad(const ChannelNormGrad<T>& p);
template <typename T>
void norm_columns(const ChannelNorm<T>& p);
template <typename T>
void norm_columns_grad(const ChannelNormGrad<T>& p);
template <typename T>
void norm_rows(const RowNorm<T>& p);
template <typename T>
void norm_rows_grad(const RowNormGrad<T>& p);
template <typename T>
void sum_planes(const ChannelSum<T>& p);
template <typename T>
void sum_columns(const ChannelSum<T>& p);

}  // namespace convgrad::CONVGRAD_ISA
#endif
