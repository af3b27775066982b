// problem.hpp - what a convolution is asked to compute: sizes, borders, and how the work is to be cut.
#pragma once

#include <cstdint>

namespace convgrad {

using Index = std::int64_t;

/// Which of the three contractions of T(x, w, y) = sum of y * (x correlated with w) is left open.
enum class Primitive { Forward, InputGrad, WeightGrad };

/// What stands outside the input: zeros, or the input again by one of torch.nn.functional.pad's rules.
enum class Border { Zeros, Reflect, Replicate, Circular };

/// What is done to an output value just before it is stored.
enum class Activation { None, Relu };

/// Spatial sizes have three entries each; a 1-d or 2-d problem has leading dimensions of size 1.
struct Problem {
  Index batch, groups;
  Index in_channels, out_channels;  // per group
  Index in[3], kernel[3], out[3];
  Index stride[3], low[3], dilation[3];
  Border border;

  Index taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  Index in_pixels() const { return in[0] * in[1] * in[2]; }
  Index out_pixels() const { return out[0] * out[1] * out[2]; }

  /// Whether every output meets only the input at its own place.
  bool pointwise() const {
    for (int i = 0; i < 3; i++)
      if (kernel[i] != 1 || stride[i] != 1 || low[i] != 0 || in[i] != out[i]) return false;
    return true;
  }

  /// Roughly what one thread takes for all of it, and for one pass over the weights: whether threads are
  /// worth it.
  Index nanoseconds() const {
    const double channels = double(groups) * in_channels * out_channels;
    const double elements =
        double(batch) * groups * (in_channels * in_pixels() + out_channels * out_pixels());
    return Index(channels * taps() * batch * out_pixels() / 50 + elements / 4);
  }
  Index weight_nanoseconds() const { return groups * in_channels * out_channels * taps() / 2; }
};

/// The operands of one run. `first` and `second` are x and w (Forward), y and w (InputGrad), x and y
/// (WeightGrad).
template <typename T>
struct Operands {
  const T* first;
  const T* second;
  const T* bias;  // one value per produced channel, or null
  T* out;
  Activation activation;
};

inline Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }
inline Index round_up(Index a, Index b) { return ceil_div(a, b) * b; }
inline Index min(Index a, Index b) { return a < b ? a : b; }
inline Index max(Index a, Index b) { return a > b ? a : b; }

}  // namespace convgrad
