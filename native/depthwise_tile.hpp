// depthwise_tile.hpp - the sums that both layouts of the depthwise kernels end in.
//
// A run of taps meets the same entries for neighbouring outputs, so each entry is loaded once and multiplied
// by every tap of the run: more than one product per load, which is what keeps the multipliers busy.
#pragma once

#include "depthwise_plan.hpp"
#include "panels.hpp"
#include "source.hpp"

namespace convgrad::CONVGRAD_ISA {

/// How weights and entries are met: one weight for all lanes; one for each; the same, but entries of borders
/// of zeros are passed over.
enum class Meeting { Single, PerLane, Clipped };

/// Where neighbouring outputs of one phase read and where they go; distances in elements.
template <typename T>
struct Outputs {
  const T *x, *weights;
  T* out;
  Index move, every;       // from one output of a tile to the next, in x and in out
  Index x_step, out_step;  // from one tile to the next
  const TapRun* run;
  Index runs;
  Index first;            // Clipped: number of the first output
  T bias;                 // Single
  Activation activation;  // Single
};

/// Most outputs of a tile: their sums stay in registers beside the weights of a run.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int kMostOutputs = 14;
#else
inline constexpr int kMostOutputs = 10;
#endif

/// The runs of `a`: those of a phase, without those whose line lies in the border. Line y, of slab q, in t;
/// `list` has room for all of them.
template <typename T>
CONVGRAD_INLINE void choose_runs(Outputs<T>& a, TapRun* list, const DepthwisePhase& phase, Index q, Index y) {
  const auto within = [&](const auto& x) {
    return q >= x.inside[0] && q < x.outside[0] && y >= x.inside[1] && y < x.outside[1];
  };
  a.run = phase.run;
  a.runs = phase.runs;
  if (within(phase)) return;
  const TapRun *first = phase.run, *last = first + phase.runs;
  while (first < last && !within(*first)) first++;
  while (first < last && !within(last[-1])) last--;
  a.run = first;
  a.runs = 0;
  while (first + a.runs < last && within(first[a.runs])) a.runs++;
  if (first + a.runs == last) return;  // mostly they follow each other
  a.run = list;
  a.runs = 0;
  for (; first < last; first++)
    if (within(*first)) list[a.runs++] = *first;
}

/// Lengths of a run, less one.
inline constexpr std::make_integer_sequence<int, most_run(kVectorBytes)> kRunLengths{};

/// Runs per chain of additions: short chains round less.
inline constexpr Index kChain = 64;

template <typename T, Meeting M>
CONVGRAD_INLINE Vec<T> weight_at(const T* w, Index i) {
  if constexpr (M == Meeting::Single) return held(splat(w[i]));
  else return held(load(w + i * kLanes<T>));
}

/// sum[r] += products of a run of K taps with the entries that output r meets; `first` is the number of
/// output 0.
template <typename T, Meeting M, int R, int K>
CONVGRAD_INLINE void add_run(Vec<T>* sum, const Outputs<T>& a, const T* x, Index first, const TapRun& run) {
  Vec<T> weight[K];
  CONVGRAD_UNROLL
  for (int k = 0; k < K; k++) weight[k] = weight_at<T, M>(a.weights, run.weight + k * run.weight_step);
  const Index inside = run.inside[2] - first, outside = run.outside[2] - first;
  x += run.source * (M == Meeting::Single ? 1 : kLanes<T>);
  CONVGRAD_UNROLL
  for (int i = 0; i < R + K - 1; i++, x += a.move) {
    if (M == Meeting::Clipped && (i < inside || i >= outside)) continue;
    const Vec<T> entry = held(load(x));
    CONVGRAD_UNROLL
    for (int k = 0; k < K; k++)
      if (i - k >= 0 && i - k < R) sum[i - k] += weight[k] * entry;
  }
}

/// `add_run` for each run, whatever its length.
template <typename T, Meeting M, int R, int... K>
CONVGRAD_INLINE void add_runs(Vec<T>* sum, const Outputs<T>& a, const T* x, Index first,
                              std::integer_sequence<int, K...>) {
  for (const TapRun *run = a.run, *end = run + a.runs; run < end; run++)
    ((run->length == K + 1 ? add_run<T, M, R, K + 1>(sum, a, x, first, *run) : void()), ...);
}

template <typename T, Meeting M>
CONVGRAD_INLINE Vec<T> finished(Vec<T> sum, const Outputs<T>& a) {
  if constexpr (M == Meeting::Single) return activated<T>(sum + splat(a.bias), a.activation);
  else return sum;
}

/// out = products of the runs, for `tiles` times R outputs; single weights: with bias and activation.
template <typename T, Meeting M, int R>
static void weighted_sums(const Outputs<T>& a, Index tiles) {
  const T* x = a.x;
  T* out = a.out;
  for (Index i = 0; i < tiles; i++, x += a.x_step, out += a.out_step) {
    Vec<T> sum[R];
    CONVGRAD_UNROLL
    for (int r = 0; r < R; r++) sum[r] = Vec<T>{};
    add_runs<T, M, R>(sum, a, x, a.first + i * R, kRunLengths);
    CONVGRAD_UNROLL
    for (int r = 0; r < R; r++) store(out + r * a.every, finished<T, M>(sum[r], a));
  }
}

template <typename T>
using WeightedSums = void (*)(const Outputs<T>& a, Index tiles);

template <typename T, Meeting M, int... R>
CONVGRAD_INLINE WeightedSums<T> weighted_sums_of(Index outputs, std::integer_sequence<int, R...>) {
  static constexpr WeightedSums<T> of[] = {weighted_sums<T, M, R + 1>...};
  return of[outputs - 1];
}

/// Sums of many runs, in chains of additions that are themselves added.
template <typename T, Meeting M>
__attribute__((noinline)) static void add_chains(WeightedSums<T> sums, Outputs<T> a, Index outputs,
                                                 Index tiles) {
  constexpr int L = kLanes<T>;
  for (; tiles > 0; tiles--, a.x += a.x_step, a.out += a.out_step, a.first += outputs) {
    T total[kMostOutputs * L] __attribute__((aligned(64))),
        some[kMostOutputs * L] __attribute__((aligned(64)));
    zero_run(total, outputs * L);
    for (Index k = 0; k < a.runs; k += kChain) {
      Outputs<T> chain = a;
      chain.run = a.run + k;
      chain.runs = min(kChain, a.runs - k);
      chain.out = some;
      chain.every = L;
      chain.bias = T(0);
      chain.activation = Activation::None;
      sums(chain, 1);
      for (Index r = 0; r < outputs * L; r += L) store(total + r, load(total + r) + load(some + r));
    }
    for (Index r = 0; r < outputs; r++) store(a.out + r * a.every, finished<T, M>(load(total + r * L), a));
  }
}

/// `weighted_sums` of tiles of `outputs` each.
template <typename T, Meeting M>
CONVGRAD_INLINE void add_tiles(const Outputs<T>& a, Index outputs, Index tiles) {
  const auto sums = weighted_sums_of<T, M>(outputs, std::make_integer_sequence<int, kMostOutputs>());
  if (a.runs <= kChain) sums(a, tiles);
  else add_chains<T, M>(sums, a, outputs, tiles);
}

/// `count` outputs in a row, in tiles as even as can be: the first `larger` have one more than `size`.
struct RowTiles {
  Index tiles, size, larger;

  explicit RowTiles(Index count)
      : tiles(ceil_div(count, kMostOutputs)), size(tiles ? count / tiles : 0), larger(count - tiles * size) {}
};

/// The tiles of a row; each output is `move` and `every` behind the one before. The steps of `a` are set
/// here, and its beginnings moved.
template <typename T, Meeting M>
CONVGRAD_INLINE void add_row(Outputs<T>& a, const RowTiles& row) {
  Index size = row.size + 1;
  if (row.larger) {
    a.x_step = size * a.move;
    a.out_step = size * a.every;
    add_tiles<T, M>(a, size, row.larger);
    a.x += row.larger * a.x_step;
    a.out += row.larger * a.out_step;
    a.first += row.larger * size;
  }
  if (row.larger == row.tiles) return;
  size = row.size;
  a.x_step = size * a.move;
  a.out_step = size * a.every;
  add_tiles<T, M>(a, size, row.tiles - row.larger);
}

}  // namespace convgrad::CONVGRAD_ISA
