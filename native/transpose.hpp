// transpose.hpp - squares of vectors turned over in registers: rows become lanes.
#pragma once

#include <utility>

#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

// Eklundh's transposition: in stage h, rows i and i + h exchange the lanes that differ in bit h.
template <typename T, int H, int... I>
CONVGRAD_INLINE Vec<T> lower_half(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (I & H ? kLanes<T> + I - H : I)...);
}
template <typename T, int H, int... I>
CONVGRAD_INLINE Vec<T> upper_half(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (I & H ? kLanes<T> + I : I + H)...);
}

template <typename T, int H>
CONVGRAD_INLINE void transpose_stage(Vec<T>* rows) {
  constexpr auto lanes = std::make_integer_sequence<int, kLanes<T>>{};
  CONVGRAD_UNROLL
  for (int i = 0; i < kLanes<T>; i++) {
    if (i & H) continue;
    const Vec<T> a = rows[i], b = rows[i + H];
    rows[i] = lower_half<T, H>(a, b, lanes);
    rows[i + H] = upper_half<T, H>(a, b, lanes);
  }
  if constexpr (H > 1) transpose_stage<T, H / 2>(rows);
}

/// rows[i][j] <-> rows[j][i]
template <typename T>
CONVGRAD_INLINE void transpose(Vec<T>* rows) {
  transpose_stage<T, kLanes<T> / 2>(rows);
}

}  // namespace convgrad::CONVGRAD_ISA
