// row_folds.hpp - many numbers joined into one: along a row, or row by row into columns.
//
// Sums are added in pairs of blocks (Higham 1993, "The accuracy of floating point summation"): the order, and
// so the bits, depends on the number of terms alone.
#pragma once

#include <utility>

#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

template <typename V>
using Element = std::remove_reference_t<decltype(V{}[0])>;

// ---- what is joined, and how: `first` is done to each number, `join` to two results

struct Sum {
  using Later = Sum;
  static constexpr bool kCentred = false;
  static constexpr double kNothing = -0.0;  // 0 would turn a sum of -0 into 0
  template <typename V>
  CONVGRAD_INLINE V first(V x, V) {
    return x;
  }
  template <typename V>
  CONVGRAD_INLINE V join(V a, V b) {
    return a + b;
  }
};

struct Squares : Sum {
  template <typename V>
  CONVGRAD_INLINE V first(V x, V) {
    return x * x;
  }
};

struct Product {
  using Later = Product;
  static constexpr bool kCentred = false;
  static constexpr double kNothing = 1.0;
  template <typename V>
  CONVGRAD_INLINE V first(V x, V) {
    return x;
  }
  template <typename V>
  CONVGRAD_INLINE V join(V a, V b) {
    return a * b;
  }
};

/// Squares of what remains when a centre is taken away, one per row or column.
struct Centred : Sum {
  static constexpr bool kCentred = true;
  template <typename V>
  CONVGRAD_INLINE V first(V x, V centre) {
    const V d = x - centre;
    return d * d;
  }
};

struct Most {
  using Later = Most;
  static constexpr bool kCentred = false;
  static constexpr double kNothing = -__builtin_inf();
  template <typename V>
  CONVGRAD_INLINE V first(V x, V) {
    return x;
  }
  template <typename V>
  CONVGRAD_INLINE V join(V a, V b) {
    return a == a ? larger_or_second<Element<V>>(a, b) : a;
  }
};

struct Least {
  using Later = Least;
  static constexpr bool kCentred = false;
  static constexpr double kNothing = __builtin_inf();
  template <typename V>
  CONVGRAD_INLINE V first(V x, V) {
    return x;
  }
  template <typename V>
  CONVGRAD_INLINE V join(V a, V b) {
    return a == a ? smaller_or_second<Element<V>>(a, b) : a;
  }
};

// ---- lanes

template <typename T, int H, int... I>
CONVGRAD_INLINE Vec<T> lanes_crossed(Vec<T> v, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(v, v, (I ^ H)...);
}

/// All lanes joined, in halves; the result stands in every lane.
template <typename R, typename T, int H = kLanes<T> / 2>
CONVGRAD_INLINE Vec<T> lanes_joined(Vec<T> v) {
  v = R::join(v, lanes_crossed<T, H>(v, std::make_integer_sequence<int, kLanes<T>>{}));
  if constexpr (H > 1) return lanes_joined<R, T, H / 2>(v);
  else return v;
}

template <typename T>
using Mask = decltype(Vec<T>{} < Vec<T>{});

template <typename T, int... I>
CONVGRAD_INLINE Mask<T> lane_numbers(std::integer_sequence<int, I...>) {
  return Mask<T>{I...};
}

/// The first lanes of v, and `rest` in the others.
template <typename T>
CONVGRAD_INLINE Vec<T> completed(Vec<T> v, const Part<T>& part, T rest) {
  using Lane = std::remove_reference_t<decltype(Mask<T>{}[0])>;
  const Mask<T> number = lane_numbers<T>(std::make_integer_sequence<int, kLanes<T>>{});
  return number < Lane(part.to) - Mask<T>{} ? v : splat(rest);
}

/// What is left of `count` after whole vectors; where that is nothing, one lane, for a load that nobody does.
template <typename T>
CONVGRAD_INLINE Part<T> rest_of(Index count) {
  return Part<T>(count % kLanes<T>);
}

// ---- along a row

/// Vectors joined in pairs of pairs, as they come.
template <typename R, typename T>
struct Pairs {
  Vec<T> level[40];
  Index count = 0;

  CONVGRAD_INLINE Vec<T> none() { return splat(T(R::kNothing)); }
  void push(Vec<T> v) {
    Vec<T>* at = level;
    for (Index c = count++; c & 1; c >>= 1) v = R::join(*at++, v);
    *at = v;
  }
  Vec<T> total(Vec<T> last) const {
    const Vec<T>* at = level;
    for (Index c = count; c; c >>= 1, at++)
      if (c & 1) last = R::join(*at, last);
    return last;
  }
};

template <typename T, typename R, int N>
CONVGRAD_INLINE Vec<T> joined(Vec<T>* v) {
  CONVGRAD_UNROLL
  for (int half = N / 2; half > 0; half /= 2) {
    CONVGRAD_UNROLL
    for (int i = 0; i < half; i++) v[i] = R::join(v[i], v[i + half]);
  }
  return v[0];
}

/// A few numbers added as PyTorch adds them: four sums, the first of which takes what is beyond the fourth.
/// Where a difference of sums is nearly nothing, as in weighted covariances, another order shows.
template <typename R, typename T>
CONVGRAD_INLINE T short_sum(const T* x, Index n, T centre) {
  T a[4];
  for (Index k = 0; k < 4; k++) a[k] = k < n ? R::first(x[k], centre) : T(R::kNothing);
  for (Index i = 4; i < n; i++) a[0] += R::first(x[i], centre);
  return ((a[0] + a[1]) + a[2]) + a[3];
}

/// n numbers joined into one, which stands in every lane; `rest` is rest_of(n).
template <typename R, typename T>
static Vec<T> fold_row(const T* x, Index n, const Part<T>& rest, T centre_value = 0) {
  constexpr int L = kLanes<T>, A = 8;
  constexpr Index block = 16 * A * L;
  if constexpr (std::is_base_of_v<Sum, R>)
    if (n < 8) return splat(short_sum<R, T>(x, n, centre_value));
  const Vec<T> centre = splat(centre_value), nothing = splat(T(R::kNothing));
  Pairs<R, T> pairs;
  Index i = 0;
  for (; i + block <= n; i += block) {
    Vec<T> a[A];
    CONVGRAD_UNROLL
    for (int k = 0; k < A; k++) a[k] = R::first(load(x + i + k * L), centre);
    for (Index j = i + A * L; j < i + block; j += A * L) {
      CONVGRAD_UNROLL
      for (int k = 0; k < A; k++) a[k] = R::join(a[k], R::first(load(x + j + k * L), centre));
    }
    pairs.push(joined<T, R, A>(a));
  }
  Vec<T> a[4] = {nothing, nothing, nothing, nothing};
  for (; i + 4 * L <= n; i += 4 * L) {
    CONVGRAD_UNROLL
    for (int k = 0; k < 4; k++) a[k] = R::join(a[k], R::first(load(x + i + k * L), centre));
  }
  for (; i + L <= n; i += L) a[0] = R::join(a[0], R::first(load(x + i), centre));
  if (i < n) a[1] = R::join(a[1], completed(R::first(load(x + i, rest), centre), rest, T(R::kNothing)));
  return lanes_joined<R, T>(pairs.total(joined<T, R, 4>(a)));
}

// ---- into columns

/// N rows, `step` apart, joined and then into out; `fresh`: out holds nothing yet.
template <typename R, typename T, int N>
static void fold_rows(const T* x, Index step, Index width, const T* centre, T* out, bool fresh) {
  constexpr int L = kLanes<T>;
  const auto joined_at = [&](Index j, auto... part) {
    const Vec<T> c = R::kCentred ? load(centre + j, part...) : Vec<T>{};
    Vec<T> v[N];
    CONVGRAD_UNROLL
    for (int i = 0; i < N; i++) v[i] = R::first(load(x + i * step + j, part...), c);
    const Vec<T> all = joined<T, R, N>(v);
    store(out + j, fresh ? all : R::join(load<T>(out + j, part...), all), part...);
  };
  Index j = 0;
  for (; j + L <= width; j += L) joined_at(j);
  if (j < width) joined_at(j, Part<T>(width - j));
}

template <typename R, typename T>
static void fold_wide_columns(const T* x, Index rows, Index step, Index width, const T* centre, T* out) {
  Index r = 0;
  for (; r + 8 <= rows; r += 8) fold_rows<R, T, 8>(x + r * step, step, width, centre, out, r == 0);
  for (; r < rows; r++) fold_rows<R, T, 1>(x + r * step, step, width, centre, out, r == 0);
}

/// Few columns without gaps: several rows are taken for one of as many times the width.
inline constexpr Index kNarrow = 64, kFolded = 256;

template <typename R, typename T>
static void fold_narrow_columns(const T* x, Index rows, Index width, const T* centre, T* out) {
  using Later = typename R::Later;
  Index m = 2;
  while (2 * m * width <= kFolded) m *= 2;
  const Index span = m * width, whole = rows / m;
  T sums[kFolded], centres[kFolded];
  for (Index i = 0; R::kCentred && i < span; i++) centres[i] = centre[i % width];
  fold_wide_columns<R, T>(x, whole, span, span, centres, sums);
  fold_wide_columns<Later, T>(sums, m, width, width, nullptr, out);
  if (whole * m == rows) return;
  fold_wide_columns<R, T>(x + whole * span, rows - whole * m, width, width, centre, sums);
  fold_rows<Later, T, 1>(sums, width, width, nullptr, out, false);
}

/// out[j] = all x[i * step + j] joined, for j < width.
template <typename R, typename T>
static void fold_columns(const T* x, Index rows, Index step, Index width, const T* centre, T* out) {
  if (width == step && width <= kNarrow && rows * width >= 4 * kFolded)
    fold_narrow_columns<R, T>(x, rows, width, centre, out);
  else fold_wide_columns<R, T>(x, rows, step, width, centre, out);
}

}  // namespace convgrad::CONVGRAD_ISA
