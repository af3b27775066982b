// waiting.hpp - the clock, and sleeping until a word of memory changes (a futex, or what comes nearest).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "problem.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace convgrad {

using Word = std::atomic<std::uint32_t>;

/// Sleep while `word` holds `expected`, no longer than `nanoseconds` (negative: without end). May return for
/// no reason; true if a signal was the reason.
bool sleep_while(const Word& word, std::uint32_t expected, Index nanoseconds);

/// Wake up to `count` threads that sleep on `word`.
void wake(const Word& word, int count);

/// In the child of a fork, where the sleepers are gone.
void forget_sleepers();

/// Nanoseconds of a steady clock.
inline Index now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// A breath between two looks at a word that another thread will change.
inline void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

}  // namespace convgrad
