// lanes.hpp - as many rows as a vector has lanes, turned so that each row is a lane, and back.
#pragma once

#include "panels.hpp"
#include "transpose.hpp"

namespace convgrad::CONVGRAD_ISA {

/// Whether a whole vector may be read at p, of an array that ends at `end`. p may lie in another array, which
/// must have that room.
template <typename T>
CONVGRAD_INLINE bool may_load(const T* p, const T* end) {
  return p > end || p + kLanes<T> <= end;
}

/// to[k * L + i] = rows[i][k] for k < n. Nothing at or past `end` is read; at most n vectors are written.
template <typename T>
static void rows_to_lanes(T* to, const T* const* rows, Index n, const T* end) {
  constexpr int L = kLanes<T>;
  bool loads = n < L;  // whether one block of loads that go past the rows is possible
  if (loads)
    for (int i = 0; i < L; i++) loads &= may_load(rows[i], end);
  if (n < L && !loads) {
    for (Index k = 0; k < n; k++)
      for (int i = 0; i < L; i++) to[k * L + i] = rows[i][k];
    return;
  }
  for (Index k = 0; k < n; k += L) {
    if (n >= L) k = min(k, n - L);  // the last block overlaps the one before: the same values twice
    Vec<T> block[L];
    CONVGRAD_UNROLL
    for (int i = 0; i < L; i++) block[i] = load(rows[i] + k);
    transpose<T>(block);
    if (n >= L) {
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++) store(to + (k + i) * L, block[i]);
    } else {
      for (int i = 0; i < n; i++) store(to + i * L, block[i]);
    }
  }
}

/// rows[i][k] = activation(from[k * L + i] + bias[i]) for k < counts[i] <= n. `from` has room for whole blocks.
template <typename T>
static void lanes_to_rows(T* const* rows, const Index* counts, const T* from, Index n, Vec<T> bias,
                          Activation activation) {
  constexpr int L = kLanes<T>;
  bool even = n >= L;
  for (int i = 0; i < L; i++) even &= counts[i] == n;
  for (Index k = 0; k < n; k += L) {
    if (even) k = min(k, n - L);
    Vec<T> block[L];
    CONVGRAD_UNROLL
    for (int i = 0; i < L; i++) block[i] = activated<T>(load(from + (k + i) * L) + bias, activation);
    transpose<T>(block);
    if (even) {
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++) store(rows[i] + k, block[i]);
    } else {
      T buffer[L] __attribute__((aligned(64)));
      for (int i = 0; i < L; i++) {
        const Index count = min(L, counts[i] - k);
        if (count == L) {
          store(rows[i] + k, block[i]);
          continue;
        }
        store(buffer, block[i]);
        for (Index j = 0; j < count; j++) rows[i][k + j] = buffer[j];
      }
    }
  }
}

}  // namespace convgrad::CONVGRAD_ISA
