// norm_lanes.hpp - what the normalisations share: runs of vectors, sums, mean and variance.
#pragma once

#include <utility>

#include "norms.hpp"
#include "parallel.hpp"
#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

/// All lanes of a vector, where a Part has some of them.
struct Whole {};
template <typename T>
CONVGRAD_INLINE Vec<T> load(const T* p, Whole) {
  return load(p);
}
template <typename T>
CONVGRAD_INLINE void store(T* p, Vec<T> v, Whole) {
  store(p, v);
}
/// v with zeros in the lanes that are not meant.
template <typename T>
CONVGRAD_INLINE Vec<T> kept(Vec<T> v, Whole) {
  return v;
}
template <typename T>
CONVGRAD_INLINE Vec<T> kept(Vec<T> v, const Part<T>& part) {
  using Number = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  typedef Number Numbers __attribute__((vector_size(kVectorBytes)));
  Numbers lane;
  CONVGRAD_UNROLL
  for (int i = 0; i < kLanes<T>; i++) lane[i] = i;
  return lane < Number(part.to) - Numbers{} ? v : Vec<T>{};
}

namespace {

/// Sums are kept in so many vectors: one would wait for each addition.
constexpr int kWays = 4;

/// Rows of `length` elements, one every `pitch`.
template <typename T>
struct Runs {
  Index rows, pitch, length, whole;  // whole: elements in full vectors
  Part<T> rest;

  Runs(Index rows, Index pitch, Index length)
      : rows(rows),
        pitch(pitch),
        length(length),
        whole(length / kLanes<T> * kLanes<T>),
        rest(length - whole) {}
};

/// step(at, lanes, way) for every vector, `at` its first element; way counts 0 .. kWays - 1.
template <typename T, typename Step>
CONVGRAD_INLINE void for_runs(const Runs<T>& runs, const Step& step) {
  constexpr Index L = kLanes<T>;
  for (Index r = 0, start = 0; r < runs.rows; r++, start += runs.pitch) {
    const Index end = start + runs.whole;
    Index at = start;
    for (; at + kWays * L <= end; at += kWays * L) {
      CONVGRAD_UNROLL
      for (int j = 0; j < kWays; j++) step(at + j * L, Whole{}, j);
    }
    CONVGRAD_UNROLL
    for (int j = 0; j < kWays - 1; j++)
      if (at + j * L < end) step(at + j * L, Whole{}, j);
    if (runs.whole < runs.length) step(end, runs.rest, kWays - 1);
  }
}

/// lane_sum in registers, added in halves as well: for sums of few vectors, of which it is the longer part.
template <typename V, int... I>
CONVGRAD_INLINE auto folded(V v, std::integer_sequence<int, I...>) {
  constexpr int half = sizeof...(I);
  if constexpr (half == 1) return v[0] + v[1];
  else if constexpr (half == 2) return (v[0] + v[2]) + (v[1] + v[3]);
  else
    return folded(__builtin_shufflevector(v, v, I...) + __builtin_shufflevector(v, v, (I + half)...),
                  std::make_integer_sequence<int, half / 2>{});
}
template <typename T>
CONVGRAD_INLINE double total(const Vec<T> (&ways)[kWays]) {
  return folded((ways[0] + ways[1]) + (ways[2] + ways[3]), std::make_integer_sequence<int, kLanes<T> / 2>{});
}

/// A lane adds up at most 64 numbers of its own precision; beyond that sums are in double.
template <typename T>
constexpr Index kChunk = 64 * kWays * kLanes<T>;

/// step(at, runs) for pieces of at most kChunk elements, or of one row if that is longer than half of it.
template <typename T, typename Step>
CONVGRAD_INLINE void for_chunks(Index rows, Index pitch, Index length, const Step& step) {
  const Index together = max(1, kChunk<T> / length), piece = min(length, kChunk<T>);
  for (Index r = 0; r < rows; r += together)
    for (Index i = 0; i < length; i += piece)
      step(r * pitch + i, Runs<T>(min(together, rows - r), pitch, min(piece, length - i)));
}

/// Of a set of numbers: how many there are, their sum, and the sum of their squared distances from the mean.
struct Moments {
  double count = 0, sum = 0, square = 0;

  /// Those of both sets. Source: Chan, Golub & LeVeque 1983, Algorithms for computing the sample variance.
  void add(const Moments& other) {
    if (count > 0) {
      const double gap = other.sum / other.count - sum / count;
      square += gap * gap * count * other.count / (count + other.count);
    }
    count += other.count;
    sum += other.sum;
    square += other.square;
  }
  double mean() const { return sum / count; }
  double var() const { return square / count; }
};

/// The sum gives a centre, and the distances from that correct both moments ("corrected two-pass", as above):
/// neither a large mean nor the rounding of the sum itself is felt.
template <typename T>
Moments moments_of_chunk(const T* p, const Runs<T>& runs) {
  Vec<T> sums[kWays] = {};
  for_runs(runs, [&](Index at, const auto& lanes, int way)
                     __attribute__((always_inline)) { sums[way] += load(p + at, lanes); });
  const double count = double(runs.rows * runs.length), share = 1 / count, sum = total<T>(sums);
  const T centre = T(sum * share);
  if (!(centre - centre == 0)) return {count, sum, double(centre - centre)};  // infinite or not a number
  Vec<T> gaps[kWays] = {}, squares[kWays] = {};
  const Vec<T> middle = splat(centre);
  for_runs(runs, [&](Index at, const auto& lanes, int way) __attribute__((always_inline)) {
    const Vec<T> gap = kept<T>(load(p + at, lanes) - middle, lanes);
    gaps[way] += gap;
    squares[way] += gap * gap;
  });
  const double off = total<T>(gaps), square = total<T>(squares) - off * off * share;
  return {count, centre * count + off, square < 0 ? 0 : square};
}

template <typename T>
Moments moments_of(const T* p, Index rows, Index pitch, Index length) {
  Moments all;
  for_chunks<T>(rows, pitch, length,
                [&](Index at, const Runs<T>& runs) { all.add(moments_of_chunk(p + at, runs)); });
  return all;
}

/// y = (x - centre) * scale + shift
template <typename T>
struct Line {
  T centre, scale, shift;
};

/// The line that standardises, scales by w and shifts by b. What the centre is off by in precision T goes
/// into the shift.
template <typename T>
CONVGRAD_INLINE Line<T> line_of(double mean, double invstd, double w, double b) {
  const T centre = T(mean);
  const double scale = invstd * w;
  return {centre, T(scale), T(b + (centre - mean) * scale)};
}

CONVGRAD_INLINE double inverse_root(double x) { return 1 / __builtin_sqrt(x); }

/// out = activation(line(x) + addend) along the runs.
template <typename T, bool kAdd, bool kRelu>
void apply_line(const T* x, const T* addend, T* out, const Runs<T>& runs, const Line<T>& line) {
  const Vec<T> centre = splat(line.centre), scale = splat(line.scale), shift = splat(line.shift);
  for_runs(runs, [&](Index at, const auto& lanes, int) __attribute__((always_inline)) {
    Vec<T> y = (load(x + at, lanes) - centre) * scale + shift;
    if constexpr (kAdd) y += load(addend + at, lanes);
    if constexpr (kRelu) y = activated<T>(y, Activation::Relu);
    store(out + at, y, lanes);
  });
}
template <typename T>
using ApplyLine = void (*)(const T*, const T*, T*, const Runs<T>&, const Line<T>&);
template <typename T>
CONVGRAD_INLINE ApplyLine<T> line_applier(bool add, Activation activation) {
  const bool relu = activation == Activation::Relu;
  return add ? (relu ? apply_line<T, true, true> : apply_line<T, true, false>)
             : (relu ? apply_line<T, false, true> : apply_line<T, false, false>);
}

/// g, or 0 where relu let nothing through. As in PyTorch a NaN lets g through.
template <typename T>
CONVGRAD_INLINE Vec<T> masked(Vec<T> g, Vec<T> out) {
  return out <= Vec<T>{} ? Vec<T>{} : g;
}

/// An operand from element i on; null stays null.
template <typename P>
CONVGRAD_INLINE P* from(P* p, Index i) {
  return p ? p + i : nullptr;
}

/// Work of so many elements is worth a task of its own.
constexpr Index kTask = 16384;

/// parallel_for with a callable.
template <typename F>
void for_tasks(Index tasks, Index elements, const F& f) {
  parallel_for(
      tasks, [](void* context, Index task) { (*static_cast<const F*>(context))(task); }, const_cast<F*>(&f),
      elements / 4);
}

template <typename T>
CONVGRAD_INLINE T* shared_array(Index count) {
  return static_cast<T*>(scratch(Scratch::Shared, std::size_t(count) * sizeof(T)));
}
template <typename T>
CONVGRAD_INLINE T* task_array(Index count) {
  return static_cast<T*>(scratch(Scratch::Task, std::size_t(count) * sizeof(T)));
}

}  // namespace

}  // namespace convgrad::CONVGRAD_ISA
