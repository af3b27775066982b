// fft.hpp - the Fourier transform of one complex signal, vectorised within the signal.
//
// The outer passes are decimations in frequency on whole vectors; the last levels, whose points lie within a
// vector, exchange lanes between registers until points that meet stand in different registers. Frequencies
// come out in an order that the inverse, which undoes the passes one by one, takes back: a convolution never
// needs to know it. A signal of 4,096 single precision points stays in the first-level cache.
//
// Complex numbers lie as one vector of real parts and one of imaginary parts.
#pragma once

#include "fft_plan.hpp"
#include "transpose.hpp"

namespace convgrad::CONVGRAD_ISA {

template <typename T>
struct Complex {
  Vec<T> re, im;
};

template <typename T>
CONVGRAD_INLINE Complex<T> operator+(Complex<T> a, Complex<T> b) {
  return {a.re + b.re, a.im + b.im};
}
template <typename T>
CONVGRAD_INLINE Complex<T> operator-(Complex<T> a, Complex<T> b) {
  return {a.re - b.re, a.im - b.im};
}
template <typename T>
CONVGRAD_INLINE Complex<T> load_complex(const T* p) {
  return {load(p), load(p + kLanes<T>)};
}
template <typename T>
CONVGRAD_INLINE void store_complex(T* p, Complex<T> z) {
  store(p, z.re);
  store(p + kLanes<T>, z.im);
}
/// a w, or a conj(w).
template <bool Conjugate, typename T>
CONVGRAD_INLINE Complex<T> times(Complex<T> a, Complex<T> w) {
  if constexpr (Conjugate) return {a.re * w.re + a.im * w.im, a.im * w.re - a.re * w.im};
  else return {a.re * w.re - a.im * w.im, a.re * w.im + a.im * w.re};
}
/// -i a in the forward direction, i a in the inverse.
template <bool Inverse, typename T>
CONVGRAD_INLINE Complex<T> quarter(Complex<T> a) {
  if constexpr (Inverse) return {-a.im, a.re};
  else return {a.im, -a.re};
}

template <bool Inverse, typename T>
CONVGRAD_INLINE void dft2(Complex<T>& a, Complex<T>& b) {
  const Complex<T> sum = a + b;
  b = a - b;
  a = sum;
}

template <bool Inverse, typename T>
CONVGRAD_INLINE void dft4(Complex<T>& a, Complex<T>& b, Complex<T>& c, Complex<T>& d) {
  const Complex<T> s0 = a + c, d0 = a - c, s1 = b + d, d1 = quarter<Inverse>(b - d);
  a = s0 + s1;
  b = d0 + d1;
  c = s0 - s1;
  d = d0 - d1;
}

template <bool Inverse, typename T>
CONVGRAD_INLINE void dft8(Complex<T>* x) {
  Complex<T> a[4], b[4];
  CONVGRAD_UNROLL
  for (int k = 0; k < 4; k++) a[k] = x[k] + x[k + 4], b[k] = x[k] - x[k + 4];
  dft4<Inverse>(a[0], a[1], a[2], a[3]);
  // b[1] and b[3] are multiplied by the odd eighth roots of 1; their factor sqrt(1/2) is left to the last
  // sums.
  const Complex<T> q1 = quarter<Inverse>(b[1]), q3 = quarter<Inverse>(b[3]);
  const Complex<T> r1 = b[1] + q1, r3 = q3 - b[3];
  const Complex<T> s = r1 + r3, d = quarter<Inverse>(r1 - r3);
  const Complex<T> q2 = quarter<Inverse>(b[2]), s0 = b[0] + q2, d0 = b[0] - q2;
  const Vec<T> half = splat(T(0.70710678118654752440));
  x[0] = a[0], x[2] = a[1], x[4] = a[2], x[6] = a[3];
  x[1] = {s0.re + half * s.re, s0.im + half * s.im};
  x[5] = {s0.re - half * s.re, s0.im - half * s.im};
  x[3] = {d0.re + half * d.re, d0.im + half * d.im};
  x[7] = {d0.re - half * d.re, d0.im - half * d.im};
}

template <bool Inverse, typename T>
CONVGRAD_INLINE void dft3(Complex<T>& a, Complex<T>& b, Complex<T>& c) {
  const Complex<T> s = b + c, d = quarter<Inverse>(b - c);
  const Vec<T> half = splat(T(0.5)), root = splat(T(0.86602540378443864676));
  const Complex<T> m = {a.re - half * s.re, a.im - half * s.im};
  a = a + s;
  b = {m.re + root * d.re, m.im + root * d.im};
  c = {m.re - root * d.re, m.im - root * d.im};
}

/// Three times four, by the Chinese remainder theorem: no factors in between.
template <bool Inverse, typename T>
CONVGRAD_INLINE void dft12(Complex<T>* x) {
  Complex<T> y[12];
  CONVGRAD_UNROLL
  for (int i = 0; i < 3; i++) {
    Complex<T>* z = y + 4 * i;
    CONVGRAD_UNROLL
    for (int j = 0; j < 4; j++) z[j] = x[(4 * i + 3 * j) % 12];
    dft4<Inverse>(z[0], z[1], z[2], z[3]);
  }
  CONVGRAD_UNROLL
  for (int j = 0; j < 4; j++) {
    dft3<Inverse>(y[j], y[4 + j], y[8 + j]);
    CONVGRAD_UNROLL
    for (int i = 0; i < 3; i++) x[(4 * i + 9 * j) % 12] = y[4 * i + j];
  }
}

template <int R, bool Inverse, typename T>
CONVGRAD_INLINE void dft(Complex<T>* x) {
  if constexpr (R == 2) dft2<Inverse>(x[0], x[1]);
  else if constexpr (R == 4) dft4<Inverse>(x[0], x[1], x[2], x[3]);
  else if constexpr (R == 8) dft8<Inverse>(x);
  else dft12<Inverse>(x);
}

/// Numbers in the factors of one butterfly of radix R.
template <int R, typename T>
inline constexpr int kFactors = (R == 8 ? 3 : R - 1) * 2 * kLanes<T>;

/// Radix R with its twiddle factors: after the sums forwards, before them backwards.
template <int R, bool Inverse, typename T>
CONVGRAD_INLINE void butterfly(Complex<T>* x, const T* twiddles) {
  constexpr int L = kLanes<T>;
  if constexpr (!Inverse) dft<R, false>(x);
  if constexpr (R == 8) {  // fewer factors to load, which is what long transforms wait for
    const Complex<T> w1 = load_complex(twiddles), w2 = load_complex(twiddles + 2 * L),
                     w4 = load_complex(twiddles + 4 * L), w3 = times<false>(w1, w2);
    x[1] = times<Inverse>(x[1], w1);
    x[2] = times<Inverse>(x[2], w2);
    x[3] = times<Inverse>(x[3], w3);
    x[4] = times<Inverse>(x[4], w4);
    x[5] = times<Inverse>(x[5], times<false>(w1, w4));
    x[6] = times<Inverse>(x[6], times<false>(w2, w4));
    x[7] = times<Inverse>(x[7], times<false>(w3, w4));
  } else {
    CONVGRAD_UNROLL
    for (int i = 1; i < R; i++) x[i] = times<Inverse>(x[i], load_complex(twiddles + (i - 1) * 2 * L));
  }
  if constexpr (Inverse) dft<R, true>(x);
}

// ---- the levels within a vector

/// Bit H of the lane and one bit of the register number change places.
template <int H, typename T>
CONVGRAD_INLINE void exchange(Vec<T>& a, Vec<T>& b) {
  constexpr auto lanes = std::make_integer_sequence<int, kLanes<T>>{};
  const Vec<T> low = lower_half<T, H>(a, b, lanes);
  b = upper_half<T, H>(a, b, lanes);
  a = low;
}
template <int H, typename T>
CONVGRAD_INLINE void exchange(Complex<T>& a, Complex<T>& b) {
  exchange<H, T>(a.re, b.re);
  exchange<H, T>(a.im, b.im);
}
template <int H, typename T>
CONVGRAD_INLINE void exchange_two(Complex<T>* x) {
  exchange<H>(x[0], x[2]);
  exchange<H>(x[1], x[3]);
  exchange<H / 2>(x[0], x[1]);
  exchange<H / 2>(x[2], x[3]);
}

/// Transforms of length kLanes within each of four vectors, their results spread over the four.
template <typename T>
CONVGRAD_INLINE void lanes_forward(Complex<T>* x, const T* twiddles) {
  constexpr int L = kLanes<T>;
  if constexpr (L == 2) {
    exchange<1>(x[0], x[1]), exchange<1>(x[2], x[3]);
    dft2<false>(x[0], x[1]), dft2<false>(x[2], x[3]);
    return;
  }
  if constexpr (L >= 4) {
    exchange_two<L / 2>(x);
    dft4<false>(x[0], x[1], x[2], x[3]);
  }
  if constexpr (L >= 8) {
    CONVGRAD_UNROLL
    for (int i = 1; i < 4; i++) x[i] = times<false>(x[i], load_complex(twiddles + (i - 1) * 2 * L));
  }
  if constexpr (L == 8) {
    exchange<1>(x[0], x[1]), exchange<1>(x[2], x[3]);
    dft2<false>(x[0], x[1]), dft2<false>(x[2], x[3]);
  }
  if constexpr (L == 16) {
    exchange_two<2>(x);
    dft4<false>(x[0], x[1], x[2], x[3]);
  }
}

template <typename T>
CONVGRAD_INLINE void lanes_inverse(Complex<T>* x, const T* twiddles) {
  constexpr int L = kLanes<T>;
  if constexpr (L == 2 || L == 8) {
    dft2<true>(x[0], x[1]), dft2<true>(x[2], x[3]);
    exchange<1>(x[0], x[1]), exchange<1>(x[2], x[3]);
  }
  if constexpr (L == 16) {
    dft4<true>(x[0], x[1], x[2], x[3]);
    exchange<1>(x[0], x[1]), exchange<1>(x[2], x[3]);
    exchange<2>(x[0], x[2]), exchange<2>(x[1], x[3]);
  }
  if constexpr (L >= 8) {
    CONVGRAD_UNROLL
    for (int i = 1; i < 4; i++) x[i] = times<true>(x[i], load_complex(twiddles + (i - 1) * 2 * L));
  }
  if constexpr (L >= 4) {
    dft4<true>(x[0], x[1], x[2], x[3]);
    exchange<L / 4>(x[0], x[1]), exchange<L / 4>(x[2], x[3]);
    exchange<L / 2>(x[0], x[2]), exchange<L / 2>(x[1], x[3]);
  }
}

// ---- passes

/// The first pass forwards, from real and imaginary parts apart; `energy` adds up the squares of what is
/// read.
template <int R, typename T>
static void pass_in(const T* re, const T* im, T* work, Index points, const T* twiddles, Vec<T>& energy) {
  constexpr int L = kLanes<T>;
  const Index part = points / R;
  Complex<T> squares = {};
  for (Index v = 0; v < part; v += L, twiddles += kFactors<R, T>) {
    Complex<T> x[R];
    CONVGRAD_UNROLL
    for (int i = 0; i < R; i++) {
      x[i] = {load(re + i * part + v), load(im + i * part + v)};
      squares.re += x[i].re * x[i].re;
      squares.im += x[i].im * x[i].im;
    }
    butterfly<R, false>(x, twiddles);
    CONVGRAD_UNROLL
    for (int i = 0; i < R; i++) store_complex(work + 2 * (i * part + v), x[i]);
  }
  energy += squares.re + squares.im;
}

/// The last pass backwards, to real and imaginary parts apart.
template <int R, typename T>
static void pass_out(const T* work, T* re, T* im, Index points, const T* twiddles) {
  constexpr int L = kLanes<T>;
  const Index part = points / R;
  for (Index v = 0; v < part; v += L, twiddles += kFactors<R, T>) {
    Complex<T> x[R];
    CONVGRAD_UNROLL
    for (int i = 0; i < R; i++) x[i] = load_complex(work + 2 * (i * part + v));
    butterfly<R, true>(x, twiddles);
    CONVGRAD_UNROLL
    for (int i = 0; i < R; i++) store(re + i * part + v, x[i].re), store(im + i * part + v, x[i].im);
  }
}

/// `blocks` signals of `points` points, in place.
template <int R, bool Inverse, typename T>
static void pass(T* work, Index blocks, Index points, const T* twiddles) {
  constexpr int L = kLanes<T>;
  const Index part = points / R;
  for (; blocks > 0; blocks--, work += 2 * points) {
    const T* w = twiddles;
    for (Index v = 0; v < part; v += L, w += kFactors<R, T>) {
      Complex<T> x[R];
      CONVGRAD_UNROLL
      for (int i = 0; i < R; i++) x[i] = load_complex(work + 2 * (i * part + v));
      butterfly<R, Inverse>(x, w);
      CONVGRAD_UNROLL
      for (int i = 0; i < R; i++) store_complex(work + 2 * (i * part + v), x[i]);
    }
  }
}

/// Signals of R vectors each, from `work` to `out`, where vectors lie `stride` apart.
template <int R, typename T>
static void leaf_forward(const T* work, T* out, Index stride, Index blocks, const T* twiddles,
                         const T* lanes) {
  constexpr int L = kLanes<T>;
  for (; blocks > 0; blocks--, work += 2 * L * R, out += R * stride) {
    Complex<T> x[R];
    CONVGRAD_UNROLL
    for (int i = 0; i < R; i++) x[i] = load_complex(work + 2 * L * i);
    butterfly<R, false>(x, twiddles);
    CONVGRAD_UNROLL
    for (int i = 0; i < R; i += 4) lanes_forward(x + i, lanes);
    CONVGRAD_UNROLL
    for (int i = 0; i < R; i++) store_complex(out + stride * i, x[i]);
  }
}

template <int R, typename T>
static void leaf_inverse(T* work, Index blocks, const T* twiddles, const T* lanes) {
  constexpr int L = kLanes<T>;
  for (; blocks > 0; blocks--, work += 2 * L * R) {
    Complex<T> x[R];
    CONVGRAD_UNROLL
    for (int i = 0; i < R; i++) x[i] = load_complex(work + 2 * L * i);
    CONVGRAD_UNROLL
    for (int i = 0; i < R; i += 4) lanes_inverse(x + i, lanes);
    butterfly<R, true>(x, twiddles);
    CONVGRAD_UNROLL
    for (int i = 0; i < R; i++) store_complex(work + 2 * L * i, x[i]);
  }
}

/// use(R) with a radix as a constant.
template <int... R, typename Use>
CONVGRAD_INLINE void with_radix(int radix, Use use) {
  (void)((radix == R && (use(std::integral_constant<int, R>{}), true)) || ...);
}

template <typename T>
struct Transform {
  const FftTables& t;

  const T* factors(int level) const { return static_cast<const T*>(t.twiddles) + t.at[level]; }

  /// Transform re + i im by way of `work`; vector after vector comes to `out`, `stride` numbers apart. `out`
  /// may be `work` where they are neighbours. Adds the squares of what is read to `energy`.
  void forward(const T* re, const T* im, T* work, T* out, Index stride, Vec<T>& energy) const {
    with_radix<2, 4, 8>(t.radix[0], [&](auto r) { pass_in<r>(re, im, work, t.points, factors(0), energy); });
    Index blocks = t.radix[0];
    for (int i = 1; i < t.passes; i++) {
      with_radix<2, 4, 8>(t.radix[i],
                          [&](auto r) { pass<r, false>(work, blocks, t.points / blocks, factors(i)); });
      blocks *= t.radix[i];
    }
    with_radix<4, 8, 12>(t.leaf, [&](auto r) {
      leaf_forward<r>(work, out, stride, blocks, factors(t.passes), factors(t.passes + 1));
    });
  }

  /// re + i im = the signal whose transform is `work`, times the number of points; work is used up.
  void inverse(T* work, T* re, T* im) const {
    Index blocks = t.points / (t.leaf * kLanes<T>);
    with_radix<4, 8, 12>(
        t.leaf, [&](auto r) { leaf_inverse<r>(work, blocks, factors(t.passes), factors(t.passes + 1)); });
    for (int i = t.passes - 1; i > 0; i--) {
      blocks /= t.radix[i];
      with_radix<2, 4, 8>(t.radix[i],
                          [&](auto r) { pass<r, true>(work, blocks, t.points / blocks, factors(i)); });
    }
    with_radix<2, 4, 8>(t.radix[0], [&](auto r) { pass_out<r>(work, re, im, t.points, factors(0)); });
  }
};

}  // namespace convgrad::CONVGRAD_ISA
