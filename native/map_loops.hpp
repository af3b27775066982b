// map_loops.hpp - the loops that carry a function of vectors over arrays.
#pragma once

#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

/// Written past the caches, where the instruction set has that; p is a multiple of the vector's size.
template <typename T>
CONVGRAD_INLINE void stream(T* p, Vec<T> v) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) _mm512_stream_ps(p, (__m512)v);
  else _mm512_stream_pd(p, (__m512d)v);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) _mm256_stream_ps(p, (__m256)v);
  else _mm256_stream_pd(p, (__m256d)v);
#else
  store(p, v);
#endif
}

/// What was streamed is there for other threads.
CONVGRAD_INLINE void end_stream() {
#if defined(__AVX2__)
  _mm_sfence();
#endif
}

/// So many vectors are written together: a streamed cache line should be whole when it leaves.
inline constexpr int kTogether = 4;

template <typename T>
CONVGRAD_INLINE void put(T* out, const Vec<T> (&v)[kTogether], bool streamed) {
  if (streamed) {
    CONVGRAD_UNROLL
    for (int k = 0; k < kTogether; k++) stream(out + k * kLanes<T>, v[k]);
  } else {
    CONVGRAD_UNROLL
    for (int k = 0; k < kTogether; k++) store(out + k * kLanes<T>, v[k]);
  }
}

/// out[i] = F(x[i]). All of a step is read before any of it is written, since out may be x.
template <typename T, typename F>
static void unary_loop(const T* x, T* out, Index n, const T* numbers, bool streamed) {
  constexpr Index kLane = kLanes<T>, kStep = kTogether * kLane;
  Index i = 0;
  for (; i + kStep <= n; i += kStep) {
    Vec<T> v[kTogether];
    CONVGRAD_UNROLL
    for (int k = 0; k < kTogether; k++) v[k] = F::template of<T>(load(x + i + k * kLane), numbers);
    put(out + i, v, streamed);
  }
  for (; i + kLane <= n; i += kLane) store(out + i, F::template of<T>(load(x + i), numbers));
  if (i < n) {
    const Part<T> part(n - i);
    store(out + i, F::template of<T>(load(x + i, part), numbers), part);
  }
  if (streamed) end_stream();
}

/// out[i] = F(x[i], y[i]).
template <typename T, typename F>
static void binary_loop(const T* x, const T* y, T* out, Index n, const T* numbers, bool streamed) {
  constexpr Index kLane = kLanes<T>, kStep = kTogether * kLane;
  Index i = 0;
  for (; i + kStep <= n; i += kStep) {
    Vec<T> v[kTogether];
    CONVGRAD_UNROLL
    for (int k = 0; k < kTogether; k++)
      v[k] = F::template of<T>(load(x + i + k * kLane), load(y + i + k * kLane), numbers);
    put(out + i, v, streamed);
  }
  for (; i + kLane <= n; i += kLane) store(out + i, F::template of<T>(load(x + i), load(y + i), numbers));
  if (i < n) {
    const Part<T> part(n - i);
    store(out + i, F::template of<T>(load(x + i, part), load(y + i, part), numbers), part);
  }
  if (streamed) end_stream();
}

/// out[i] = F(x[i], y[i], z[i]).
template <typename T, typename F>
static void ternary_loop(const T* x, const T* y, const T* z, T* out, Index n, const T* numbers,
                         bool streamed) {
  constexpr Index kLane = kLanes<T>, kStep = kTogether * kLane;
  Index i = 0;
  for (; i + kStep <= n; i += kStep) {
    Vec<T> v[kTogether];
    CONVGRAD_UNROLL
    for (int k = 0; k < kTogether; k++)
      v[k] = F::template of<T>(load(x + i + k * kLane), load(y + i + k * kLane), load(z + i + k * kLane),
                               numbers);
    put(out + i, v, streamed);
  }
  for (; i + kLane <= n; i += kLane)
    store(out + i, F::template of<T>(load(x + i), load(y + i), load(z + i), numbers));
  if (i < n) {
    const Part<T> part(n - i);
    store(out + i, F::template of<T>(load(x + i, part), load(y + i, part), load(z + i, part), numbers), part);
  }
  if (streamed) end_stream();
}

/// out[i] = F(x[i], y).
template <typename T, typename F>
static void scalar_loop(const T* x, T y, T* out, Index n, bool streamed) {
  constexpr Index kLane = kLanes<T>, kStep = kTogether * kLane;
  const Vec<T> second = splat(y);
  const T* const none = nullptr;
  Index i = 0;
  for (; i + kStep <= n; i += kStep) {
    Vec<T> v[kTogether];
    CONVGRAD_UNROLL
    for (int k = 0; k < kTogether; k++) v[k] = F::template of<T>(load(x + i + k * kLane), second, none);
    put(out + i, v, streamed);
  }
  for (; i + kLane <= n; i += kLane) store(out + i, F::template of<T>(load(x + i), second, none));
  if (i < n) {
    const Part<T> part(n - i);
    store(out + i, F::template of<T>(load(x + i, part), second, none), part);
  }
  if (streamed) end_stream();
}

}  // namespace convgrad::CONVGRAD_ISA
