// simd.hpp - vectors of the instruction set this file is compiled for, by the compilers' vector types.
// Every kernel source is compiled once per instruction set, into a namespace of its own (CONVGRAD_ISA).
// No inline function with external linkage may be used here: the linker would keep one copy for all sets.
#pragma once

#include "problem.hpp"

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
CONVGRAD_INLINE Vec<T> maximum(Vec<T> a, Vec<T> b) {
  return a > b ? a : b;
}

}  // namespace convgrad::CONVGRAD_ISA
