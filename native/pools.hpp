// pools.hpp - pooling over windows, with its gradients, and sums of a few entries along one axis.
//
// Planes have three dimensions here; those that a signal or an image lacks have size 1.
#pragma once

#include "problem.hpp"

namespace convgrad {

/// The most taps a window may have for its maximum to be remembered in a byte.
inline constexpr Index kMostTaps = 256;

/// A maximum over windows: output o of a dimension meets the inputs o stride - low + tap dilation. Every
/// window has a tap inside.
struct MaxView {
  Index planes;
  Index in[3], out[3], kernel[3], stride[3], low[3], dilation[3];

  Index in_pixels() const { return in[0] * in[1] * in[2]; }
  Index out_pixels() const { return out[0] * out[1] * out[2]; }
  Index taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  /// Whether windows lie side by side, each of the size of a step, so that no input is met twice.
  bool side_by_side() const {
    for (int a = 0; a < 3; a++)
      if (low[a] != 0 || kernel[a] != stride[a] || (dilation[a] != 1 && kernel[a] != 1)) return false;
    return true;
  }
};

/// Sums over windows that are spans of each dimension: entry i of the result's dimension a is the sum of the
/// source's entries first[a][i] .. last[a][i] - 1.
struct SpanView {
  Index planes;
  Index from[3], to[3];  // sizes of source and result
  const Index* first[3];
  const Index* last[3];
  /// By which numbers, multiplied over dimensions, sums are divided; or the source is, if `before`.
  const Index* divisor[3];
  bool before;
  /// Spans of the last dimension are [i step - lead, i step - lead + width), cut at the borders; step 0: any.
  Index width, step, lead;
  bool twice;  // entries 2 i and 2 i + 1 of the last dimension are entry i of the source

  Index from_pixels() const { return from[0] * from[1] * from[2]; }
  Index to_pixels() const { return to[0] * to[1] * to[2]; }
};

/// Samples of planes between their entries, at positions in [-1, 1] that a grid gives: `points` of them for
/// each of the planes of a batch entry, `axes` numbers each, the last dimension's first.
struct GridView {
  enum Padding { Zeros, Border, Reflection };

  Index batch, channels, points;
  int axes;
  Index in[3];  // a plane of an image has in[0] = 1
  bool nearest, align;
  int padding;
  int order[3];  // how often the weights along a dimension are differentiated: 0 or 1

  Index in_pixels() const { return in[0] * in[1] * in[2]; }
};

/// An array of four dimensions between borders: entry i of a dimension goes to i + before, if that is there.
struct PadView {
  Index in[4], out[4], before[4];  // before may be negative: entries are left out
};

/// What an instruction set offers for one element type.
template <typename T>
struct Pools {
  /// `winner` gets the number of the largest tap: the first of equals, but the last of NaNs. `index`, unless
  /// it is null, gets its position in the plane.
  void (*max)(const MaxView&, const T* x, T* out, unsigned char* winner, Index* index);
  /// Every g added to the place its maximum came from, the rest of gx zero.
  void (*max_grad)(const MaxView&, const T* g, const unsigned char* winner, T* gx);
  /// The maximum over spans and its position in the plane.
  void (*max_of_spans)(const SpanView&, const T* x, T* out, Index* index);
  void (*mean)(const SpanView&, const T* x, T* out);
  /// Every g added to the position in its plane that `index` names; false, and gx is spoilt, if one lies
  /// outside.
  bool (*scatter)(Index planes, Index count, Index pixels, const T* g, const Index* index, T* gx);
  /// out[o, i, :] = sum over t of weight[i, t] x[o, at[i, t], :] for x (outer, n, inner), out (outer, m,
  /// inner); `weight` null stands for ones, with one tap.
  void (*along)(Index outer, Index n, Index inner, Index m, Index taps, const Index* at, const T* weight,
                const T* x, T* out);
  /// out (batch, channels, points) from x (batch, channels, in), and its adjoint.
  void (*sample)(const GridView&, const T* x, const T* grid, T* out);
  void (*sample_grad)(const GridView&, const T* g, const T* grid, T* gx);
  void (*pad)(const PadView&, const T* x, T* out, T value);
};

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {

template <typename T>
void max_over_windows(const MaxView&, const T*, T*, unsigned char*, Index*);
template <typename T>
void max_over_windows_grad(const MaxView&, const T*, const unsigned char*, T*);
template <typename T>
void max_over_spans(const SpanView&, const T*, T*, Index*);
template <typename T>
bool scatter_to_positions(Index, Index, Index, const T*, const Index*, T*);
template <typename T>
void mean_over_spans(const SpanView&, const T*, T*);
template <typename T>
void sums_along(Index, Index, Index, Index, Index, const Index*, const T*, const T*, T*);
template <typename T>
void grid_samples(const GridView&, const T*, const T*, T*);
template <typename T>
void grid_samples_grad(const GridView&, const T*, const T*, T*);

template <typename T>
void pad_with_value(const PadView&, const T*, T*, T);

template <typename T>
Pools<T> pools_functions();

}  // namespace convgrad::CONVGRAD_ISA
#endif
