// simd.hpp - vectors of the instruction set this file is compiled for, by the compilers' vector types.
// Every kernel source is compiled once per instruction set, into a namespace of its own (CONVGRAD_ISA).
// No inline function with external linkage may be used here: the linker would keep one copy for all sets.
#pragma once

#include <type_traits>

#include "problem.hpp"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#ifndef CONVGRAD_ISA
#error "compile kernel sources with -DCONVGRAD_ISA=<name> -DCONVGRAD_VECTOR_BYTES=<16|32|64>"
#endif

#define CONVGRAD_INLINE static inline __attribute__((always_inline))

#if defined(__clang__)
#define CONVGRAD_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CONVGRAD_UNROLL _Pragma("GCC unroll 32")
#endif

namespace convgrad::CONVGRAD_ISA {

inline constexpr int kVectorBytes = CONVGRAD_VECTOR_BYTES;

template <typename T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes)));
  typedef T loose __attribute__((vector_size(kVectorBytes), aligned(sizeof(T)), may_alias));
};
template <typename T>
using Vec = typename VectorOf<T>::type;
template <typename T>
inline constexpr int kLanes = kVectorBytes / int(sizeof(T));

template <typename T>
CONVGRAD_INLINE Vec<T> load(const T* p) {
  return *reinterpret_cast<const typename VectorOf<T>::loose*>(p);
}
template <typename T>
CONVGRAD_INLINE void store(T* p, Vec<T> v) {
  *reinterpret_cast<typename VectorOf<T>::loose*>(p) = v;
}
template <typename T>
CONVGRAD_INLINE Vec<T> splat(T x) {
  return x - Vec<T>{};
}
/// v, held in a register: left to itself the compiler repeats its load in every product.
template <typename V>
CONVGRAD_INLINE V held(V v) {
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#elif defined(__x86_64__)
  asm("" : "+x"(v));
#elif defined(__aarch64__)
  asm("" : "+w"(v));
#endif
  return v;
}
template <typename T>
CONVGRAD_INLINE Vec<T> activated(Vec<T> v, Activation activation) {
  // NaN stays NaN, as in PyTorch's relu
  return activation == Activation::Relu ? (v < Vec<T>{} ? Vec<T>{} : v) : v;
}

/// The lanes [from, to) of a vector: the others are neither read nor written, and load as zero. The
/// compilers' vector types have no such thing, so this is the one place with instructions by name.
template <typename T>
struct Part {
  int from, to;
#if defined(__AVX512F__)
  unsigned bits;
  explicit Part(Index to = kLanes<T>, Index from = 0)
      : from(int(from)), to(int(to)), bits(((1u << to) - 1) & ~((1u << from) - 1)) {}
#elif defined(__AVX2__)
  __m256i bits;
  explicit Part(Index to = kLanes<T>, Index from = 0) : from(int(from)), to(int(to)) {
    using Lane = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    Lane lanes[kLanes<T>];
    for (int i = 0; i < kLanes<T>; i++) lanes[i] = i >= from && i < to ? -1 : 0;
    __builtin_memcpy(&bits, lanes, sizeof(bits));
  }
#else
  explicit Part(Index to = kLanes<T>, Index from = 0) : from(int(from)), to(int(to)) {}
#endif
};

template <typename T>
CONVGRAD_INLINE Vec<T> load(const T* p, const Part<T>& part) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return (Vec<T>)_mm512_maskz_loadu_ps(__mmask16(part.bits), p);
  else return (Vec<T>)_mm512_maskz_loadu_pd(__mmask8(part.bits), p);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) return (Vec<T>)_mm256_maskload_ps(p, part.bits);
  else return (Vec<T>)_mm256_maskload_pd(p, part.bits);
#else
  Vec<T> v{};
  for (int i = part.from; i < part.to; i++) v[i] = p[i];
  return v;
#endif
}
template <typename T>
CONVGRAD_INLINE void store(T* p, Vec<T> v, const Part<T>& part) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) _mm512_mask_storeu_ps(p, __mmask16(part.bits), (__m512)v);
  else _mm512_mask_storeu_pd(p, __mmask8(part.bits), (__m512d)v);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) _mm256_maskstore_ps(p, part.bits, (__m256)v);
  else _mm256_maskstore_pd(p, part.bits, (__m256d)v);
#else
  for (int i = part.from; i < part.to; i++) p[i] = v[i];
#endif
}

#if defined(__AVX512F__)
/// Of the instructions' forms with a mask, which need no undefined vector that GCC 12 would warn of.
inline constexpr unsigned char kAll = 0xff;
inline constexpr unsigned short kAllOf16 = 0xffff;
#endif

/// The larger one, and the second where one of them is NaN, as the instructions have it.
template <typename T>
CONVGRAD_INLINE Vec<T> larger_or_second(Vec<T> a, Vec<T> b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return (Vec<T>)_mm512_maskz_max_ps(kAllOf16, (__m512)a, (__m512)b);
  else return (Vec<T>)_mm512_maskz_max_pd(kAll, (__m512d)a, (__m512d)b);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) return (Vec<T>)_mm256_max_ps((__m256)a, (__m256)b);
  else return (Vec<T>)_mm256_max_pd((__m256d)a, (__m256d)b);
#else
  return a > b ? a : b;
#endif
}
template <typename T>
CONVGRAD_INLINE Vec<T> smaller_or_second(Vec<T> a, Vec<T> b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return (Vec<T>)_mm512_maskz_min_ps(kAllOf16, (__m512)a, (__m512)b);
  else return (Vec<T>)_mm512_maskz_min_pd(kAll, (__m512d)a, (__m512d)b);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) return (Vec<T>)_mm256_min_ps((__m256)a, (__m256)b);
  else return (Vec<T>)_mm256_min_pd((__m256d)a, (__m256d)b);
#else
  return a < b ? a : b;
#endif
}

/// The sum of all lanes, added in halves.
template <typename T>
CONVGRAD_INLINE T lane_sum(Vec<T> v) {
  T lanes[kLanes<T>];
  __builtin_memcpy(lanes, &v, sizeof(v));
  for (int half = kLanes<T> / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
  return lanes[0];
}

}  // namespace convgrad::CONVGRAD_ISA
