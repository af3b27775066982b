// depthwise_products.hpp - the sums over outputs that both layouts of the depthwise weight gradient end in.
#pragma once

#include "depthwise_plan.hpp"
#include "panels.hpp"

namespace convgrad::CONVGRAD_ISA {

/// Most weights summed at a time, such that their sums stay in registers beside kOutputs entries of g.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int kMostSums = 14, kSumOutputs = 7;
#else
inline constexpr int kMostSums = 10, kSumOutputs = 4;
#endif
inline constexpr int kMostRuns = 8;  // so do the addresses they read

/// Products per chain of additions: short chains round less.
inline constexpr Index kTerms = 256;

/// Where a rectangle of outputs lies: distances in elements from one output to the next, and from line to
/// line.
template <typename T>
struct Rectangle {
  const T *x, *g;
  Index x_move, g_move, x_line, g_line;
  Index lines, outputs;
  Index unit;  // elements per scratch position
};

/// Lanes that count. For the others neither operand is looked at: NaN times zero is NaN.
template <typename T, bool Some>
struct LaneFilter {
  Vec<T> number;  // of each lane, and those from `first` count
  T first;

  Vec<T> operator()(Vec<T> v) const {
    if constexpr (Some) return number >= splat(first) ? v : Vec<T>{};
    else return v;
  }
};

/// sum[.][j][k] += products of U outputs with what tap k of run j meets there. Where there are few sums,
/// outputs take turns with Beside of each, so that an addition need not wait for the one before.
template <typename T, int U, int J, int K, int Beside, typename Filter>
CONVGRAD_INLINE void add_outputs(Vec<T> (*sum)[J][K], const T* const* x, Index at, const T* g,
                                 const Rectangle<T>& a, const Filter& filter) {
  Vec<T> here[U];
  CONVGRAD_UNROLL
  for (int u = 0; u < U; u++) here[u] = held(filter(load(g + u * a.g_move)));
  CONVGRAD_UNROLL
  for (int j = 0; j < J; j++) {
    const T* from = x[j] + at;
    CONVGRAD_UNROLL
    for (int i = 0; i < U + K - 1; i++, from += a.x_move) {
      const Vec<T> entry = held(filter(load(from)));
      CONVGRAD_UNROLL
      for (int k = 0; k < K; k++)
        if (i - k >= 0 && i - k < U) sum[(i - k) % Beside][j][k] += here[i - k] * entry;
    }
  }
}

/// total[weight] += sum over the rectangle of g times x, for the weights of J runs of K taps.
template <typename T, int K, int J, typename Filter>
static void add_products(const Rectangle<T>& a, const TapRun* run, T* total, const Filter& filter) {
  // Shorter code for what is rarer: the tails of lines, double precision.
  constexpr bool tail = !std::is_same_v<Filter, LaneFilter<T, false>>;
  constexpr int L = kLanes<T>, U = tail ? 2 : sizeof(T) == 8 ? 4 : kSumOutputs;
  constexpr int Beside = J * K < 3 ? 4 : J * K < 6 ? 2 : 1;
  Vec<T> sum[Beside][J][K];
  CONVGRAD_UNROLL
  for (int i = 0; i < Beside * J * K; i++) sum[i / (J * K)][i / K % J][i % K] = Vec<T>{};
  for (Index line = 0; line < a.lines; line++) {
    const T* g = a.g + line * a.g_line;
    const T* x[J];
    CONVGRAD_UNROLL
    for (int j = 0; j < J; j++) x[j] = a.x + line * a.x_line + run[j].source * a.unit;
    Index t = 0, at = 0;
    for (; t + U <= a.outputs; t += U, at += U * a.x_move, g += U * a.g_move)
      add_outputs<T, U, J, K, Beside>(sum, x, at, g, a, filter);
    for (; t < a.outputs; t++, at += a.x_move, g += a.g_move)
      add_outputs<T, 1, J, K, Beside>(sum, x, at, g, a, filter);
  }
  CONVGRAD_UNROLL
  for (int j = 0; j < J; j++) {
    CONVGRAD_UNROLL
    for (int k = 0; k < K; k++) {
      CONVGRAD_UNROLL
      for (int b = 1; b < Beside; b++) sum[0][j][k] += sum[b][j][k];
      T* to = total + (run[j].weight + k * run[j].weight_step) * L;
      store(to, load(to) + sum[0][j][k]);
    }
  }
}

template <int K>
constexpr int kRunsBeside = kMostSums / K < kMostRuns ? kMostSums / K : kMostRuns;

template <typename T, typename Filter>
using AddProducts = void (*)(const Rectangle<T>& a, const TapRun* run, T* total, const Filter& filter);

template <typename T, int K, typename Filter, int... J>
CONVGRAD_INLINE AddProducts<T, Filter> add_products_of(int runs, std::integer_sequence<int, J...>) {
  static constexpr AddProducts<T, Filter> of[] = {add_products<T, K, J + 1, Filter>...};
  return of[runs - 1];
}

/// `add_products` for runs of K taps, `count` of them.
template <typename T, int K, typename Filter>
static void add_runs_products(const Rectangle<T>& a, const TapRun* run, Index count, T* total,
                              const Filter& filter) {
  const Index groups = ceil_div(count, kRunsBeside<K>);
  for (Index i = 0; i < groups; i++) {
    const int runs = int(count / (groups - i));
    add_products_of<T, K, Filter>(runs, std::make_integer_sequence<int, kRunsBeside<K>>())(a, run, total,
                                                                                           filter);
    run += runs;
    count -= runs;
  }
}

/// `add_products` for all runs of a phase.
template <typename T, typename Filter, int... K>
static void add_piece(const Rectangle<T>& a, const DepthwisePhase& phase, T* total, const Filter& filter,
                      std::integer_sequence<int, K...>) {
  const TapRun *run = phase.run, *end = run + phase.runs;
  while (run < end) {
    Index count = 1;  // runs of one length
    while (run + count < end && run[count].length == run->length) count++;
    ((run->length == K + 1 ? add_runs_products<T, K + 1>(a, run, count, total, filter) : void()), ...);
    run += count;
  }
}

/// total[weight] += sum over the rectangle of g times x, in the lanes that count: in short chains of
/// additions.
template <typename T, typename Filter = LaneFilter<T, false>>
static void add_rectangle(const Rectangle<T>& a, const DepthwisePhase& phase, T* total,
                          const Filter& filter = Filter()) {
  const Index outputs = min(a.outputs, kTerms), lines = kTerms / max(1, outputs);
  Rectangle<T> piece = a;
  for (Index line = 0; line < a.lines; line += lines)
    for (Index t = 0; t < a.outputs; t += outputs) {
      piece.x = a.x + line * a.x_line + t * a.x_move;
      piece.g = a.g + line * a.g_line + t * a.g_move;
      piece.lines = min(lines, a.lines - line);
      piece.outputs = min(outputs, a.outputs - t);
      add_piece<T>(piece, phase, total, filter, std::make_integer_sequence<int, most_run(kVectorBytes)>());
    }
}

}  // namespace convgrad::CONVGRAD_ISA
