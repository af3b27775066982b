// fft_frames.hpp - between arrays and transforms: frames cut from planes, spectra multiplied and summed,
// results stored; and the sums of the definition, for frames that hold a value too large to be transformed.
#pragma once

#include "fft.hpp"
#include "panels.hpp"
#include "source.hpp"

namespace convgrad::CONVGRAD_ISA {

/// A unit whose squares add up to more is not transformed: its huge, infinite or undefined values would reach
/// every result of the frame. Below, nothing can overflow on the way.
template <typename T>
inline constexpr T kMostEnergy = sizeof(T) == 4 ? T(0x1p70) : T(0x1p900);

template <typename T>
CONVGRAD_INLINE bool is_tame(Vec<T> energy) {
  bool tame = true;
  for (int i = 0; i < kLanes<T>; i++) tame &= energy[i] < kMostEnergy<T>;
  return tame;
}

/// Filters lie too far apart, and are too short, for the processor to foresee the next.
template <typename T>
CONVGRAD_INLINE void prefetch(const T* p, Index count) {
  const char* line = reinterpret_cast<const char*>(p);
  const char* end = line + min(count * Index(sizeof(T)), 4096);
  for (; line < end; line += 64) __builtin_prefetch(line);
}

/// Where entry `u` of an axis of the line comes from: -1 for a zero, -2 for a place that holds nothing.
static inline Index coordinate(const FftLine& line, int axis, Index u) {
  const Index at = u - line.low[axis], every = line.every[axis];
  if (every == 1) return border_index(line.border, at, line.size[axis]);
  if (at % every) return -2;
  return at >= 0 && at / every < line.size[axis] ? at / every : -1;
}

/// Places [begin, begin + n) of a row of the line that repeats `row` (null: zeros). Writes up to a vector
/// past the end.
template <typename T>
CONVGRAD_INLINE void load_row(T* to, const T* row, const FftLine& line, Index begin, Index n) {
  const Index size = line.size[2], every = line.every[2];
  if (!row) return zero_run(to, n);
  if (every > 1) {
    zero_run(to, n);
    const Index first = begin > 0 ? ceil_div(begin, every) : 0;
    const Index last = begin + n > 0 ? min(size, ceil_div(begin + n, every)) : 0;
    for (Index i = first; i < last; i++) to[i * every - begin] = row[i];
    return;
  }
  const Index inside = min(n, max(0, -begin)), outside = max(inside, min(n, size - begin));
  pack_run(to, row + begin, inside, outside, n);
  if (line.border == Border::Zeros) return;
  for (Index i = 0; i < inside; i++) to[i] = row[border_index(line.border, begin + i, size)];
  for (Index i = outside; i < n; i++) to[i] = row[border_index(line.border, begin + i, size)];
}

/// to[i] = entry `from` + i of the line made of `plane`, zero past its end; writes up to a vector past
/// `count`. With `mask`, which entries hold something (or a zero of the border) is marked there by ones.
template <typename T>
static void load_frame(T* to, const T* plane, const FftLine& line, Index from, Index count,
                       T* mask = nullptr) {
  const Index inside = max(0, min(count, line.length - from));
  zero_run(to + inside, count - inside);
  if (mask) zero_run(mask, count);
  Index at = from % line.pitch, high = from / line.pitch % line.rows, deep = from / line.pitch / line.rows;
  for (Index done = 0; done < inside; at = 0, high++) {
    if (high == line.rows) high = 0, deep++;
    const Index n = min(inside - done, line.pitch - at);
    const Index slab = coordinate(line, 0, deep), row = coordinate(line, 1, high);
    const T* source = slab < 0 || row < 0 ? nullptr : plane + (slab * line.size[1] + row) * line.size[2];
    load_row(to + done, source, line, at - line.low[2], n);
    if (mask && slab != -2 && row != -2)
      for (Index i = 0; i < n; i++) mask[done + i] = T(coordinate(line, 2, at + i) != -2);
    done += n;
  }
}

/// The frame of the line that begins at `from`: in place if it lies so in memory, else made in `stage`.
template <typename T>
CONVGRAD_INLINE const T* frame(T* stage, const T* plane, const FftView& v, Index from) {
  const FftLine& line = v.line;
  const Index at = from - line.low[2];
  if (line.length == line.pitch && line.every[2] == 1 && at >= 0 && at + v.tables.points <= line.size[2])
    return plane + at;
  load_frame(stage, plane, line, from, v.tables.points);
  return stage;
}

/// The runs of outputs in the block of places [from, from + v.step): a functor gets the number of the run's
/// first output within its plane, the places of that output counted from `from`, and how many follow.
template <typename Use>
CONVGRAD_INLINE void for_runs(const FftView& v, Index from, Use use) {
  const Index rows = v.target[0] * v.target[1], width = v.target[2], step = v.stride[2];
  const Index end = from + v.step, reach = (width - 1) * step;
  Index low = 0, high = rows;  // the first row that does not end before `from`
  while (low < high) {
    const Index middle = (low + high) / 2;
    if (v.row_start[middle] + reach < from) low = middle + 1;
    else high = middle;
  }
  for (Index row = low; row < rows && v.row_start[row] < end; row++) {
    const Index start = v.row_start[row] - from;
    const Index first = start < 0 ? ceil_div(-start, step) : 0;
    const Index last = min(width, ceil_div(v.step - start, step));
    if (first < last) use(row * width + first, start + first * step, last - first);
  }
}

/// Where the spectrum `number` of `depth` lies among those that a product sums over. Neighbours lie together
/// vector by vector, so that sums read on; but no more than four, since in steps of a power of two that would
/// be large, a transform's results would all fall on the same lines of the cache.
template <typename T>
struct Slot {
  static constexpr Index kTogether = 4;
  Index at, stride;

  Slot(Index number, Index depth, Index points) {
    const Index block = number / kTogether * kTogether;
    at = block * 2 * points + (number - block) * 2 * kLanes<T>;
    stride = min(kTogether, depth - block) * 2 * kLanes<T>;
  }
};

/// out[i][m] (+)= sum over k of a[i][k] b[m][k], or with conj(b), for every frequency; k < depth, see Slot.
template <int MI, int MM, bool Conjugate, typename T>
static void multiply_tile(const T* const* a, const T* const* b, T* const* out, Index vectors, Index depth,
                          bool add) {
  constexpr int L = kLanes<T>;
  constexpr Index together = Slot<T>::kTogether;
  for (Index j = 0; j < vectors; j++) {
    Complex<T> sum[MI][MM];
    CONVGRAD_UNROLL
    for (int i = 0; i < MI; i++) {
      CONVGRAD_UNROLL
      for (int m = 0; m < MM; m++) sum[i][m] = add ? load_complex(out[i * MM + m] + j * 2 * L) : Complex<T>{};
    }
    for (Index block = 0; block < depth; block += together) {
      const Index width = min(together, depth - block);
      const Index at = (block * vectors + j * width) * 2 * L;
      for (Index k = 0; k < width; k++) {
        Complex<T> x[MI], w[MM];
        CONVGRAD_UNROLL
        for (int i = 0; i < MI; i++) x[i] = load_complex(a[i] + at + k * 2 * L);
        CONVGRAD_UNROLL
        for (int m = 0; m < MM; m++) w[m] = load_complex(b[m] + at + k * 2 * L);
        CONVGRAD_UNROLL
        for (int i = 0; i < MI; i++) {
          CONVGRAD_UNROLL
          for (int m = 0; m < MM; m++) {
            Complex<T>& s = sum[i][m];
            s.re += x[i].re * w[m].re;
            s.im += x[i].im * w[m].re;
            if constexpr (Conjugate) s.re += x[i].im * w[m].im, s.im -= x[i].re * w[m].im;
            else s.re -= x[i].im * w[m].im, s.im += x[i].re * w[m].im;
          }
        }
      }
    }
    CONVGRAD_UNROLL
    for (int i = 0; i < MI; i++) {
      CONVGRAD_UNROLL
      for (int m = 0; m < MM; m++) store_complex(out[i * MM + m] + j * 2 * L, sum[i][m]);
    }
  }
}

/// Tiles of up to two by two.
template <bool Conjugate, typename T>
CONVGRAD_INLINE void multiply(int rows, int filters, const T* const* a, const T* const* b, T* const* out,
                              Index vectors, Index depth, bool add = false) {
  if (rows == 2 && filters == 2) multiply_tile<2, 2, Conjugate>(a, b, out, vectors, depth, add);
  else if (rows == 2) multiply_tile<2, 1, Conjugate>(a, b, out, vectors, depth, add);
  else if (filters == 2) multiply_tile<1, 2, Conjugate>(a, b, out, vectors, depth, add);
  else multiply_tile<1, 1, Conjugate>(a, b, out, vectors, depth, add);
}

/// out[i] = activation(z[i step] scale + bias) for i < count.
template <typename T>
static void store_run(T* out, const T* z, Index step, Index count, T scale, T bias, Activation activation) {
  constexpr int L = kLanes<T>;
  const Vec<T> by = splat(scale), more = splat(bias);
  Index i = 0;
  if (step == 1) {
    for (; i + L <= count; i += L) store(out + i, activated<T>(load(z + i) * by + more, activation));
    if (i == count) return;
    const Part<T> part(count - i);
    return store(out + i, activated<T>(load(z + i, part) * by + more, activation), part);
  }
  for (; i < count; i++) {
    const T x = z[i * step] * scale + bias;
    out[i] = activation == Activation::Relu && x < T(0) ? T(0) : x;
  }
}

/// sums[j] += sum over taps of places[j + tap] w[tap], for U vectors of j; see add_definition.
template <int U, typename T>
static void add_vectors(T* sums, const T* places, const T* mask, const T* w, const FftView& v) {
  constexpr int L = kLanes<T>;
  Vec<T> sum[U] = {};
  for (Index t = 0; t < v.taps; t++) {
    const Index at = v.tap_at[t];
    const Vec<T> weight = splat(w[t]);
    CONVGRAD_UNROLL
    for (int i = 0; i < U; i++) {
      const Vec<T> next = sum[i] + load(places + at + i * L) * weight;
      if (mask) sum[i] = load(mask + at + i * L) != Vec<T>{} ? next : sum[i];
      else sum[i] = next;
    }
  }
  CONVGRAD_UNROLL
  for (int i = 0; i < U; i++) store(sums + i * L, load(sums + i * L) + sum[i]);
}

/// sums[j] += sum over taps of places[j + tap] w[tap] for j < count; a tap that meets nothing (mask 0) gives
/// nothing.
template <typename T>
static void add_definition(T* sums, const T* places, const T* mask, const T* w, const FftView& v,
                           Index count) {
  constexpr int L = kLanes<T>;
  Index j = 0;
  for (; j + 8 * L <= count; j += 8 * L) add_vectors<8>(sums + j, places + j, mask ? mask + j : mask, w, v);
  for (; j + L <= count; j += L) add_vectors<1>(sums + j, places + j, mask ? mask + j : mask, w, v);
  for (; j < count; j++) {
    T sum = 0;
    for (Index t = 0; t < v.taps; t++)
      if (!mask || mask[j + v.tap_at[t]] != T(0)) sum += places[j + v.tap_at[t]] * w[t];
    sums[j] += sum;
  }
}

/// out[tap] += sum over the outputs of a block of plane[output] places[place of the output + tap].
template <typename T>
static void add_weight_definition(T* out, const T* places, const T* plane, const FftView& v, Index from) {
  constexpr int L = kLanes<T>, kTaps = 8;
  const Index step = v.stride[2];
  for (Index t = 0; t < v.taps; t += kTaps) {
    Vec<T> sums[kTaps] = {};
    T rest[kTaps] = {};
    const T* x[kTaps];
    for (int i = 0; i < kTaps; i++) x[i] = places + v.tap_at[min(t + i, v.taps - 1)];
    for_runs(v, from, [&](Index first, Index at, Index count) {
      Index j = 0;
      for (; step == 1 && j + L <= count; j += L) {
        const Vec<T> y = load(plane + first + j);
        for (int i = 0; i < kTaps; i++) sums[i] += y * load(x[i] + at + j);
      }
      for (; j < count; j++)
        for (int i = 0; i < kTaps; i++) rest[i] += plane[first + j] * x[i][at + j * step];
    });
    for (int i = 0; i < min(kTaps, v.taps - t); i++) out[t + i] += lane_sum<T>(sums[i]) + rest[i];
  }
}

/// What both kernels know of their units and of the planes they read.
template <typename T>
struct Units {
  const FftView& v;
  const Operands<T>& data;

  static constexpr int L = kLanes<T>;

  Index points() const { return v.tables.points; }
  Index vectors() const { return points() / L; }
  Transform<T> transform() const { return {v.tables}; }
  const T* zeros() const { return static_cast<const T*>(v.tables.zeros); }

  // Part 0 of a unit is its real part, part 1 its imaginary part.
  Index rows() const { return v.batch * v.blocks; }
  Index row(Index u, int part) const { return v.channel_pairs ? u : 2 * u + part; }
  Index channel(Index m, int part) const { return v.channel_pairs ? 2 * m + part : m; }
  bool exists(Index u, Index m, int part) const {
    return row(u, part) < rows() && channel(m, part) < v.produced;
  }

  Index place(Index r) const { return r % v.blocks * v.step; }
  const T* source(Index r, Index group, Index c) const {
    const Index plane = v.line.size[0] * v.line.size[1] * v.line.size[2];
    return data.first + ((r / v.blocks * v.groups + group) * v.contracted + c) * plane;
  }
  /// The plane of outputs, or of cotangents, in an array of planes.
  template <typename P>
  P* target(P* planes, Index r, Index group, Index channel) const {
    const Index plane = v.target[0] * v.target[1] * v.target[2];
    return planes + ((r / v.blocks * v.groups + group) * v.produced + channel) * plane;
  }

  /// The spectrum of re + i im, vectors `stride` apart. False, and a spectrum of zeros, if it is not tame.
  bool spectrum(const T* const* parts, T* work, T* out, Index stride) const {
    Vec<T> energy = {};
    transform().forward(parts[0], parts[1], work, out, stride, energy);
    if (is_tame<T>(energy)) return true;
    for (Index j = 0; j < vectors(); j++) store_complex(out + j * stride, Complex<T>{});
    return false;
  }

  bool spectrum_of_rows(Index group, Index u, Index c, T* const* stage, T* work, T* out, Index stride) const {
    const T* parts[2] = {zeros(), zeros()};
    for (int part = 0; part < 2 - v.channel_pairs; part++) {
      const Index r = row(u, part);
      if (r < rows()) parts[part] = frame(stage[part], source(r, group, c), v, place(r) + v.lead);
    }
    return spectrum(parts, work, out, stride);
  }
};

/// Hands out pieces of a task's scratch; with a null base it only counts.
template <typename T>
struct Pieces {
  T* base;
  Index taken = 0;

  T* take(Index count) {
    T* here = base ? base + taken : nullptr;
    taken += round_up(count, 64 / Index(sizeof(T)));
    return here;
  }
  /// With the vector that packing may write past its end.
  T* take_frame(Index count) { return take(count + kLanes<T>); }
};

}  // namespace convgrad::CONVGRAD_ISA
