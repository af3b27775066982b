// lanes.hpp - as many rows as a vector has lanes, turned so that each row is a lane, and back.
#pragma once

#include "panels.hpp"
#include "transpose.hpp"

namespace convgrad::CONVGRAD_ISA {

/// Have the memory bring n entries near, to be read or (Write 1) written soon.
template <int Write, typename T>
CONVGRAD_INLINE void prefetch(const T* from, Index n) {
  for (Index k = 0; k < n; k += 64 / Index(sizeof(T))) __builtin_prefetch(from + k, Write, 3);
}

/// to[k * L + i] = rows[i][at + k] for k < n. Nothing at or past `end` is read, and just n vectors are written. The
/// same of `next`, which come to be read later, is brought into the second-level cache.
template <typename T>
static void rows_to_lanes(T* to, const T* const* rows, const T* const* next, Index at, Index n, const T* end) {
  constexpr int L = kLanes<T>;
  if (n >= L) {
    for (Index k = 0; k < n; k += L) {
      k = min(k, n - L);  // the last block overlaps the one before: the same values twice
      Vec<T> block[L];
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++) {
        block[i] = load(rows[i] + at + k);
        __builtin_prefetch(next[i] + at + k, 0, 2);
      }
      transpose<T>(block);
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++) store(to + (k + i) * L, block[i]);
    }
    return;
  }
  bool inside = true;  // a whole block, past the ends of the rows
  for (int i = 0; i < L; i++) inside &= rows[i] + at + L <= end;
  if (inside) {
    Vec<T> block[L];
    CONVGRAD_UNROLL
    for (int i = 0; i < L; i++) {
      block[i] = load(rows[i] + at);
      __builtin_prefetch(next[i] + at, 0, 2);
    }
    transpose<T>(block);
    for (int i = 0; i < n; i++) store(to + i * L, block[i]);
  } else {
    for (Index k = 0; k < n; k++)
      for (int i = 0; i < L; i++) to[k * L + i] = rows[i][at + k];
  }
}

/// One block of `from`, biased and activated, with rows as vectors.
template <typename T>
CONVGRAD_INLINE void turned(Vec<T>* block, const T* from, Vec<T> bias, Activation activation) {
  constexpr int L = kLanes<T>;
  CONVGRAD_UNROLL
  for (int i = 0; i < L; i++) block[i] = activated<T>(load(from + i * L) + bias, activation);
  transpose<T>(block);
}

/// rows[i][at + k] = activation(from[k * L + i] + bias[i]) for k < counts[i] <= n, or for k < n without counts.
/// `from` has room for whole blocks.
template <typename T>
static void lanes_to_rows(T* const* rows, Index at, const Index* counts, const T* from, Index n, Vec<T> bias,
                          Activation activation) {
  constexpr int L = kLanes<T>;
  Vec<T> block[L];
  if (!counts && n >= L) {
    for (Index k = 0; k < n; k += L) {
      k = min(k, n - L);
      turned<T>(block, from + k * L, bias, activation);
      CONVGRAD_UNROLL
      for (int i = 0; i < L; i++) store(rows[i] + at + k, block[i]);
    }
    return;
  }
  for (Index k = 0; k < n; k += L) {
    turned<T>(block, from + k * L, bias, activation);
    for (int i = 0; i < L; i++) {
      const Index count = min(L, (counts ? counts[i] : n) - k);
      T* row = rows[i] + at + k;
      T entries[L] __attribute__((aligned(64)));
      store(entries, block[i]);
      if (count == L) store(row, block[i]);
      else
        for (Index j = 0; j < count; j++) row[j] = entries[j];
    }
  }
}

}  // namespace convgrad::CONVGRAD_ISA
