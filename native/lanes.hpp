// lanes.hpp - neighbouring entries dealt out to two vectors, and put together again.
#pragma once

#include <utility>

#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

template <typename T>
using LaneNumbers = std::make_integer_sequence<int, kLanes<T>>;

template <typename V, int... I>
CONVGRAD_INLINE V shuffled_evens(V a, V b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (2 * I)...);
}
template <typename V, int... I>
CONVGRAD_INLINE V shuffled_odds(V a, V b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (2 * I + 1)...);
}
template <typename V, int... I>
CONVGRAD_INLINE V shuffled_pairs(V a, V b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (I % 2 * int(sizeof...(I)) + I / 2)...);
}
template <typename V, int... I>
CONVGRAD_INLINE V shuffled_later_pairs(V a, V b, std::integer_sequence<int, I...>) {
  constexpr int n = int(sizeof...(I));
  return __builtin_shufflevector(a, b, (I % 2 * n + (I + n) / 2)...);
}

/// Of the 2 L entries of a and b those with even, with odd numbers.
template <typename T>
CONVGRAD_INLINE Vec<T> evens(Vec<T> a, Vec<T> b) {
  return shuffled_evens(a, b, LaneNumbers<T>());
}
template <typename T>
CONVGRAD_INLINE Vec<T> odds(Vec<T> a, Vec<T> b) {
  return shuffled_odds(a, b, LaneNumbers<T>());
}
/// a[0], b[0], a[1], b[1], ...: the first L of these entries, and the last.
template <typename T>
CONVGRAD_INLINE Vec<T> pairs(Vec<T> a, Vec<T> b) {
  return shuffled_pairs(a, b, LaneNumbers<T>());
}
template <typename T>
CONVGRAD_INLINE Vec<T> later_pairs(Vec<T> a, Vec<T> b) {
  return shuffled_later_pairs(a, b, LaneNumbers<T>());
}

/// The first `count` entries of p, the other lanes zero; none is read beyond.
template <typename T>
CONVGRAD_INLINE Vec<T> load_some(const T* p, Index count) {
  if (count >= kLanes<T>) return load(p);
  return load(p, Part<T>(max(count, 0)));
}
template <typename T>
CONVGRAD_INLINE void store_some(T* p, Vec<T> v, Index count) {
  if (count >= kLanes<T>) store(p, v);
  else if (count > 0) store(p, v, Part<T>(count));
}

template <typename V, int kBy, int... I>
CONVGRAD_INLINE V rotated(V v, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(v, v, (I + kBy)...);
}
/// The sum of all lanes, added in halves: lane_sum, in registers.
template <typename T, int kHalf = kLanes<T> / 2>
CONVGRAD_INLINE T sum_of_lanes(Vec<T> v) {
  if constexpr (kHalf == 0) return v[0];
  else return sum_of_lanes<T, kHalf / 2>(v + rotated<Vec<T>, kHalf>(v, LaneNumbers<T>()));
}

/// base[at[0]], base[at[1]], ...: of all L lanes; zero where `at` is negative.
template <typename T>
CONVGRAD_INLINE Vec<T> gathered(const T* base, const std::int32_t* at) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    const __m512i places = _mm512_loadu_si512(at);
    const __mmask16 inside = _mm512_cmpge_epi32_mask(places, _mm512_setzero_si512());
    return (Vec<T>)_mm512_mask_i32gather_ps(_mm512_setzero_ps(), inside, places, base, 4);
  } else {
    const __m256i places = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __mmask8 inside = _mm256_cmpge_epi32_mask(places, _mm256_setzero_si256());
    return (Vec<T>)_mm512_mask_i32gather_pd(_mm512_setzero_pd(), inside, places, base, 8);
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    const __m256i places = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256 inside = (__m256)_mm256_cmpgt_epi32(places, _mm256_set1_epi32(-1));
    return (Vec<T>)_mm256_mask_i32gather_ps(_mm256_setzero_ps(), base, places, inside, 4);
  } else {
    const __m128i places = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m256i wide = _mm256_cmpgt_epi64(_mm256_cvtepi32_epi64(places), _mm256_set1_epi64x(-1));
    return (Vec<T>)_mm256_mask_i32gather_pd(_mm256_setzero_pd(), base, places, (__m256d)wide, 8);
  }
#else
  Vec<T> v{};
  for (int i = 0; i < kLanes<T>; i++)
    if (at[i] >= 0) v[i] = base[at[i]];
  return v;
#endif
}

}  // namespace convgrad::CONVGRAD_ISA
