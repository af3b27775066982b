// random.cpp - words of the Mersenne Twister, and numbers made of them.
#include "random.hpp"

#include <utility>

#include "parallel.hpp"
#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

typedef std::uint32_t Words __attribute__((vector_size(kVectorBytes)));
typedef std::uint32_t LooseWords __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
typedef std::int32_t Ints __attribute__((vector_size(kVectorBytes)));
typedef std::int64_t Longs __attribute__((vector_size(kVectorBytes)));
constexpr int kWordLanes = kLanes<float>;
constexpr Index kChunk = 2496;  // words that are made before they are used: 4 states, even

CONVGRAD_INLINE Words load_words(const std::uint32_t* p) { return *reinterpret_cast<const LooseWords*>(p); }
CONVGRAD_INLINE void store_words(std::uint32_t* p, Words v) { *reinterpret_cast<LooseWords*>(p) = v; }

/// One step of the recurrence, for one word or a vector of them: `far` is the word 397 places on.
template <typename W>
CONVGRAD_INLINE W step(W word, W next, W far) {
  const W mixed = (word & 0x80000000u) | (next & 0x7fffffffu);
  return far ^ (mixed >> 1) ^ ((W{} - (mixed & 1u)) & 0x9908b0dfu);
}

template <typename W>
CONVGRAD_INLINE W tempered(W y) {
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

/// Words [from, to) of a state anew; the word `far` places on, or back, is read before it is changed.
CONVGRAD_INLINE void advance_part(std::uint32_t* key, int from, int to, int far) {
  int i = from;
  for (; i + kWordLanes <= to; i += kWordLanes)
    store_words(key + i, step(load_words(key + i), load_words(key + i + 1), load_words(key + i + far)));
  for (; i < to; i++) key[i] = step(key[i], key[i + 1], key[i + far]);
}

void advance(Twister& t) {
  constexpr int kFar = 397, n = Twister::kWords;
  advance_part(t.key, 0, n - kFar, kFar);
  advance_part(t.key, n - kFar, n - 1, kFar - n);
  t.key[n - 1] = step(t.key[n - 1], t.key[0], t.key[kFar - 1]);
  t.next = 0;
}

void words(Twister& t, std::uint32_t* out, Index n) {
  while (n > 0) {
    if (t.next == Twister::kWords) advance(t);
    const Index here = min(n, Twister::kWords - t.next);
    const std::uint32_t* key = t.key + t.next;
    Index i = 0;
    for (; i + kWordLanes <= here; i += kWordLanes) store_words(out + i, tempered(load_words(key + i)));
    for (; i < here; i++) out[i] = tempered(key[i]);
    t.next += int(here), out += here, n -= here;
  }
}

/// `use(words, first, count)` for all n numbers, of `each` words, a chunk at a time.
template <typename Use>
CONVGRAD_INLINE void in_chunks(Twister& t, Index n, int each, const Use& use) {
  alignas(64) std::uint32_t chunk[kChunk];
  for (Index first = 0; first < n; first += kChunk / each) {
    const Index count = min(n - first, kChunk / each);
    words(t, chunk, count * each);
    use(chunk, first, count);
  }
}

void permutation(Twister& t, Index* out, Index n) {
  for (Index i = 0; i < n; i++) out[i] = i;
  in_chunks(t, n - 1, 1, [&](const std::uint32_t* chunk, Index first, Index count) {
    for (Index i = first; i < first + count; i++) {
      const Index j = i + chunk[i - first] % std::uint32_t(n - i), moved = out[i];
      out[i] = out[j], out[j] = moved;
    }
  });
}

/// a b + c, rounded once where the processor can; the compiler's own choice differs with its options.
template <typename V>
CONVGRAD_INLINE V fused(V a, V b, V c) {
#if defined(__AVX512F__)
  if constexpr (sizeof(a[0]) == 4) return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
  else return (V)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__AVX2__)
  if constexpr (sizeof(a[0]) == 4) return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
  else return (V)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#else
  return a * b + c;
#endif
}
CONVGRAD_INLINE Vec<float> fused(Vec<float> a, float b, Vec<float> c) { return fused(a, splat(b), c); }
CONVGRAD_INLINE Vec<float> fused(Vec<float> a, Vec<float> b, float c) { return fused(a, b, splat(c)); }

constexpr std::int64_t kLow53 = (std::int64_t(1) << 53) - 1;

/// The low 53 bits of a long word, the high half of which comes first.
CONVGRAD_INLINE std::int64_t long_word(const std::uint32_t* p) {
  return std::int64_t(std::uint64_t(p[0]) << 32 | p[1]) & kLow53;
}
CONVGRAD_INLINE Longs long_words(const std::uint32_t* p) {
  typedef std::uint64_t Unsigned __attribute__((vector_size(kVectorBytes)));
  const Unsigned pair = (Unsigned)load_words(p);  // the first word is the low half, on these machines
  return (Longs)((pair << 32) | (pair >> 32)) & kLow53;
}

/// Numbers in [0, 1), a vector of them or one.
template <typename T>
CONVGRAD_INLINE Vec<T> units(const std::uint32_t* p) {
  if constexpr (sizeof(T) == 4) {
    const Ints low = (Ints)(load_words(p) & 0xffffffu);
    return __builtin_convertvector(low, Vec<T>) * T(0x1p-24);
  } else {
    return __builtin_convertvector(long_words(p), Vec<T>) * T(0x1p-53);
  }
}
template <typename T>
CONVGRAD_INLINE T unit(const std::uint32_t* p) {
  if constexpr (sizeof(T) == 4) return T(p[0] & 0xffffffu) * T(0x1p-24);
  else return T(long_word(p)) * T(0x1p-53);
}

template <typename T>
void uniform(Twister& t, T* out, Index n, T low, T scale, T high) {
  constexpr int kEach = sizeof(T) / 4;
  in_chunks(t, n, kEach, [&](const std::uint32_t* chunk, Index first, Index count) {
    Index i = 0;
    for (; i + kLanes<T> <= count; i += kLanes<T>) {
      const Vec<T> v = fused(units<T>(chunk + kEach * i), splat(scale), splat(low));
      store(out + first + i, v >= high ? splat(low) : v);
    }
    for (; i < count; i++) {
      const T v = fused(splat(unit<T>(chunk + kEach * i)), splat(scale), splat(low))[0];
      out[first + i] = v >= high ? low : v;
    }
  });
}

template <typename T>
void trials(Twister& t, T* out, Index n, std::int64_t below, T one) {
  constexpr int L = kLanes<double>;
  typedef T Some __attribute__((vector_size(L * sizeof(T))));
  in_chunks(t, n, 2, [&](const std::uint32_t* chunk, Index first, Index count) {
    Index i = 0;
    for (; i + L <= count; i += L) {
      const Vec<double> given = long_words(chunk + 2 * i) < below ? splat(double(one)) : Vec<double>{};
      const Some some = __builtin_convertvector(given, Some);
      __builtin_memcpy(out + first + i, &some, sizeof(some));
    }
    for (; i < count; i++) out[first + i] = long_word(chunk + 2 * i) < below ? one : T(0);
  });
}

// ---- normal numbers, in float32
//
// Logarithm, sine and cosine are those of the Cephes library (Moshier 1989: logf, sinf, cosf), with
// multiply-adds fused where PyTorch's are: the same numbers to the last bit, on processors that have such
// instructions.

CONVGRAD_INLINE Vec<float> square_root(Vec<float> v) {
#if defined(__AVX512F__)
  return (Vec<float>)_mm512_maskz_sqrt_ps(0xffff, (__m512)v);
#elif defined(__AVX2__)
  return (Vec<float>)_mm256_sqrt_ps((__m256)v);
#else
  for (int i = 0; i < kLanes<float>; i++) v[i] = __builtin_sqrtf(v[i]);
  return v;
#endif
}

/// log x for x in (0, 1], no subnormal.
CONVGRAD_INLINE Vec<float> logarithm(Vec<float> x) {
  const Ints bits = (Ints)x;
  Vec<float> e = __builtin_convertvector((bits >> 23) - 0x7f, Vec<float>) + 1.0f;
  x = (Vec<float>)((bits & ~0x7f800000) | 0x3f000000);  // the fraction, in [1/2, 1)
  const Ints small = x < 0.707106781186547524f;
  const Vec<float> again = (Vec<float>)(small & (Ints)x);
  e -= (Vec<float>)(small & (Ints)splat(1.0f));
  x = (x - 1.0f) + again;
  const Vec<float> z = x * x;
  Vec<float> y = splat(7.0376836292e-2f);
  y = fused(y, x, -1.1514610310e-1f);
  y = fused(y, x, 1.1676998740e-1f);
  y = fused(y, x, -1.2420140846e-1f);
  y = fused(y, x, 1.4249322787e-1f);
  y = fused(y, x, -1.6668057665e-1f);
  y = fused(y, x, 2.0000714765e-1f);
  y = fused(y, x, -2.4999993993e-1f);
  y = fused(y, x, 3.3333331174e-1f);
  y = fused(y * x, z, e * -2.12194440e-4f);
  y = fused(z, -0.5f, y);
  return fused(e, 0.693359375f, x + y);
}

struct SineCosine {
  Vec<float> sine, cosine;
};

/// Sine and cosine of x >= 0.
CONVGRAD_INLINE SineCosine sine_and_cosine(Vec<float> x) {
  const Ints octant = (__builtin_convertvector(x * 1.27323954473516f, Ints) + 1) & ~1;
  const Vec<float> y = __builtin_convertvector(octant, Vec<float>);
  x = fused(y, -0.78515625f, x);
  x = fused(y, -2.4187564849853515625e-4f, x);
  x = fused(y, -3.77489497744594108e-8f, x);
  const Vec<float> z = x * x;
  Vec<float> c = splat(2.443315711809948e-5f);
  c = fused(c, z, -1.388731625493765e-3f);
  c = fused(c, z, 4.166664568298827e-2f);
  c = fused(c * z, z, z * -0.5f) + 1.0f;
  Vec<float> s = splat(-1.9515295891e-4f);
  s = fused(s, z, 8.3321608736e-3f);
  s = fused(s, z, -1.6666654611e-1f);
  s = fused(s * z, x, x);
  const Ints plain = (octant & 2) == 0;
  const Ints sine_sign = (octant & 4) << 29, cosine_sign = (~(octant - 2) & 4) << 29;
  return {(Vec<float>)((Ints)(plain ? s : c) ^ sine_sign), (Vec<float>)((Ints)(plain ? c : s) ^ cosine_sign)};
}

template <int... I>
CONVGRAD_INLINE Vec<float> halves(Vec<float> a, Vec<float> b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (I < 8 ? I : I + kLanes<float> - 8)...);
}
template <int... I>
CONVGRAD_INLINE Vec<float> later_halves(Vec<float> a, Vec<float> b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, ((I < 8 ? I + 8 : I + kLanes<float>) % (2 * kLanes<float>))...);
}

struct Pair {
  Vec<float> first, second;
};

/// Normal numbers from uniform ones, those of radii and those of angles.
CONVGRAD_INLINE Pair box_muller(Vec<float> radii, Vec<float> angles, float mean, float std) {
  const Vec<float> radius = square_root(-2.0f * logarithm(1.0f - radii));
  const SineCosine at = sine_and_cosine(held(angles * float(2 * 3.14159265358979323846)));
  return {fused(radius * at.cosine, std, splat(mean)), fused(radius * at.sine, std, splat(mean))};
}

struct Normal {
  float *data, mean, std;
  Index blocks, per_task;

  static void run(void* self, Index task) {
    const Normal& n = *static_cast<const Normal*>(self);
    const Index first = task * n.per_task;
    n.make(n.data + 16 * first, min(n.per_task, n.blocks - first));
  }

  void make(float* p, Index count) const {
    constexpr int L = kLanes<float>;
    if constexpr (L <= 8) {
      for (; count > 0; count--, p += 16)
        for (int i = 0; i < 8; i += L) {
          const Pair made = box_muller(load(p + i), load(p + 8 + i), mean, std);
          store(p + i, made.first), store(p + 8 + i, made.second);
        }
    } else {
      for (; count >= 2; count -= 2, p += 32) two_blocks(p);
      if (count == 0) return;
      alignas(64) float own[32] = {};
      for (int i = 0; i < 16; i++) own[i] = p[i];
      two_blocks(own);
      for (int i = 0; i < 16; i++) p[i] = own[i];
    }
  }

  CONVGRAD_INLINE void swap_halves(Vec<float> a, Vec<float> b, Vec<float>& first, Vec<float>& second) {
    using Lanes = std::make_integer_sequence<int, kLanes<float>>;
    first = halves(a, b, Lanes()), second = later_halves(a, b, Lanes());
  }

  /// Two blocks, where a vector has 16 lanes: radii of both in one, angles of both in the other.
  void two_blocks(float* p) const {
    Vec<float> radii, angles, first, second;
    swap_halves(load(p), load(p + 16), radii, angles);
    const Pair made = box_muller(radii, angles, mean, std);
    swap_halves(made.first, made.second, first, second);
    store(p, first), store(p + 16, second);
  }
};

void normal_single(float* data, Index blocks, float mean, float std) {
  Normal n{data, mean, std, blocks, 512};
  parallel_for(ceil_div(blocks, n.per_task), Normal::run, &n, blocks * 16 * (kLanes<float> == 4 ? 4 : 1));
}

}  // namespace

template <typename T>
Random<T> random_functions() {
  if constexpr (sizeof(T) == 4) return {words, permutation, uniform<T>, trials<T>, normal_single};
  else return {words, permutation, uniform<T>, trials<T>, nullptr};
}

template Random<float> random_functions<float>();
template Random<double> random_functions<double>();

}  // namespace convgrad::CONVGRAD_ISA
