// copies.cpp - copies of strided arrays, and casts: loops over single items, which the compiler makes vectors
// of, and squares that are turned over in registers.
#include "copies.hpp"

#include "transpose.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

struct Pair {
  std::uint64_t first, second;
};

template <typename T>
CONVGRAD_INLINE T item(const char* x) {
  return *reinterpret_cast<const T*>(x);
}

template <typename T>
static void line(const char* __restrict x, Index step, char* __restrict out, Index n) {
  constexpr Index kSize = sizeof(T);
  T* const to = reinterpret_cast<T*>(out);
  if (step == kSize) {
    __builtin_memcpy(out, x, std::size_t(n * kSize));
  } else if (step == 0) {
    const T value = item<T>(x);
    for (Index i = 0; i < n; i++) to[i] = value;
  } else if (step == -kSize) {
    const T* const last = reinterpret_cast<const T*>(x) - (n - 1);
    for (Index i = 0; i < n; i++) to[i] = last[n - 1 - i];
  } else if (step == 2 * kSize) {
    const T* const from = reinterpret_cast<const T*>(x);
    for (Index i = 0; i < n; i++) to[i] = from[2 * i];
  } else {
    for (Index i = 0; i < n; i++) to[i] = item<T>(x + i * step);
  }
}

/// Rows of few items, one after another in `out`.
template <typename T, int kColumns>
CONVGRAD_INLINE void narrow(const char* __restrict x, Index row_step, Index column_step, char* __restrict out,
                            Index rows) {
  T* const to = reinterpret_cast<T*>(out);
  for (Index i = 0; i < rows; i++)
    for (int j = 0; j < kColumns; j++) to[i * kColumns + j] = item<T>(x + i * row_step + j * column_step);
}
template <typename T>
CONVGRAD_INLINE void narrow(const char* x, Index row_step, Index column_step, char* out, Index rows,
                            Index columns) {
  if (columns == 2) narrow<T, 2>(x, row_step, column_step, out, rows);
  else if (columns == 3) narrow<T, 3>(x, row_step, column_step, out, rows);
  else narrow<T, 4>(x, row_step, column_step, out, rows);
}

/// Rows that are read from columns: in blocks, so that a line of the cache that holds items of several rows
/// is read once.
template <typename T>
static void blocked(const char* __restrict x, Index row_step, Index column_step, char* __restrict out,
                    Index out_step, Index rows, Index columns) {
  constexpr Index kBlock = 16;
  for (Index top = 0; top < rows; top += kBlock)
    for (Index left = 0; left < columns; left += kBlock) {
      const Index bottom = min(rows, top + kBlock), count = min(columns - left, kBlock);
      for (Index i = top; i < bottom; i++) {
        const char* const from = x + i * row_step + left * column_step;
        T* const to = reinterpret_cast<T*>(out + i * out_step) + left;
        for (Index j = 0; j < count; j++) to[j] = item<T>(from + j * column_step);
      }
    }
}

/// The same where items of a column lie one after another: whole squares in registers.
template <typename T>
CONVGRAD_INLINE void squares(const char* x, Index column_step, char* out, Index out_step, Index rows,
                             Index columns) {
  constexpr Index kLane = kLanes<T>, kSize = sizeof(T);
  const Index whole_rows = rows / kLane * kLane, whole_columns = columns / kLane * kLane;
  for (Index i = 0; i < whole_rows; i += kLane)
    for (Index j = 0; j < whole_columns; j += kLane) {
      Vec<T> v[kLane];
      CONVGRAD_UNROLL
      for (int k = 0; k < kLane; k++) v[k] = load(reinterpret_cast<const T*>(x + (j + k) * column_step) + i);
      transpose<T>(v);
      CONVGRAD_UNROLL
      for (int k = 0; k < kLane; k++) store(reinterpret_cast<T*>(out + (i + k) * out_step) + j, v[k]);
    }
  blocked<T>(x + whole_columns * column_step, kSize, column_step, out + whole_columns * kSize, out_step,
             whole_rows, columns - whole_columns);
  blocked<T>(x + whole_rows * kSize, kSize, column_step, out + whole_rows * out_step, out_step,
             rows - whole_rows, columns);
}

template <typename T>
static void turn(const char* x, Index row_step, Index column_step, char* out, Index out_step, Index rows,
                 Index columns) {
  constexpr Index kSize = sizeof(T);
  if (columns >= 2 && columns <= 4 && out_step == columns * kSize) {
    if (row_step == kSize) narrow<T>(x, kSize, column_step, out, rows, columns);
    else narrow<T>(x, row_step, column_step, out, rows, columns);
    return;
  }
  if constexpr (kSize == 4 || kSize == 8) {
    if (row_step == kSize) return squares<T>(x, column_step, out, out_step, rows, columns);
  }
  blocked<T>(x, row_step, column_step, out, out_step, rows, columns);
}

template <typename From, typename To>
static void cast(const void* x, void* out, Index n) {
  const From* const __restrict from = static_cast<const From*>(x);
  To* const __restrict to = static_cast<To*>(out);
  for (Index i = 0; i < n; i++) to[i] = To(from[i]);
}
template <typename From>
static void truth(const void* x, void* out, Index n) {
  const From* const __restrict from = static_cast<const From*>(x);
  std::uint8_t* const __restrict to = static_cast<std::uint8_t*>(out);
  for (Index i = 0; i < n; i++) to[i] = from[i] != 0;
}

}  // namespace

Copies copies() {
  using Byte = std::uint8_t;
  using Int = std::int32_t;
  using Long = std::int64_t;
  return {
      {&line<Byte>, &line<std::uint16_t>, &line<std::uint32_t>, &line<std::uint64_t>, &line<Pair>},
      {&turn<Byte>, &turn<std::uint16_t>, &turn<std::uint32_t>, &turn<std::uint64_t>, &turn<Pair>},
      {
          {nullptr, &cast<float, double>, &cast<float, Long>, &cast<float, Int>, nullptr, &truth<float>},
          {&cast<double, float>, nullptr, &cast<double, Long>, &cast<double, Int>, nullptr, &truth<double>},
          {&cast<Long, float>, &cast<Long, double>, nullptr, &cast<Long, Int>, &cast<Long, Byte>,
           &truth<Long>},
          {&cast<Int, float>, &cast<Int, double>, &cast<Int, Long>, nullptr, &cast<Int, Byte>, &truth<Int>},
          {&cast<Byte, float>, &cast<Byte, double>, &cast<Byte, Long>, &cast<Byte, Int>, nullptr,
           &truth<Byte>},
          {&cast<Byte, float>, &cast<Byte, double>, &cast<Byte, Long>, &cast<Byte, Int>, &cast<Byte, Byte>,
           nullptr},
      },
  };
}

}  // namespace convgrad::CONVGRAD_ISA
