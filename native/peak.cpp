// peak.cpp - multiplications and additions in registers alone: the speed no kernel of this set can pass.
#include "kernels.hpp"
#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

Index multiply_add_loop(Index rounds) {
  // Enough independent sums to fill two pipelines of five steps, few enough for sixteen registers.
  constexpr int kSums = 12;
  Vec<float> sum[kSums];
  const Vec<float> factor = held(splat(0.999f)), term = held(splat(0.001f));
  CONVGRAD_UNROLL
  for (int i = 0; i < kSums; i++) sum[i] = splat(float(i));
  for (Index round = 0; round < rounds; round++) {
    CONVGRAD_UNROLL
    for (int i = 0; i < kSums; i++) sum[i] = held(sum[i] * factor + term);
  }
  Vec<float> total{};
  CONVGRAD_UNROLL
  for (int i = 0; i < kSums; i++) total += sum[i];
  // All sums go to 1: a result that depends on them keeps the compiler from leaving them out.
  return total[0] < 0 ? 0 : 2 * rounds * kSums * kLanes<float>;
}

}  // namespace convgrad::CONVGRAD_ISA
