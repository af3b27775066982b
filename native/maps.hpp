// maps.hpp - elementwise operations: one value of the result from one of each operand.
#pragma once

#include "problem.hpp"

namespace convgrad {

// The names of the operations and what one value takes a thread, in picoseconds, roughly. Their order is
// their code, which map_codes() tells Python.
#define CONVGRAD_UNARY_MAPS(X) \
  X(Abs, 100)                  \
  X(Sign, 100)                 \
  X(Neg, 100)                  \
  X(Square, 100)               \
  X(Cube, 100)                 \
  X(Sqrt, 300)                 \
  X(Rsqrt, 500)                \
  X(Reciprocal, 300)           \
  X(Relu, 100)                 \
  X(LeakyRelu, 100)            \
  X(Hardtanh, 100)             \
  X(Hardsigmoid, 100)          \
  X(Hardswish, 100)            \
  X(Exp, 300)                  \
  X(Log, 400)                  \
  X(Tanh, 400)                 \
  X(Sigmoid, 400)              \
  X(LogSigmoid, 600)           \
  X(Silu, 400)                 \
  X(Softplus, 600)             \
  X(Elu, 400)                  \
  X(Mish, 500)                 \
  X(Erf, 700)                  \
  X(Gelu, 700)                 \
  X(GeluTanh, 500)

/// Of two operands, of which the second may be one number, or shorter.
#define CONVGRAD_ARITHMETIC_MAPS(X) \
  X(Add, 100)                       \
  X(Sub, 100)                       \
  X(Mul, 100)                       \
  X(Div, 300)                       \
  X(Maximum, 100)                   \
  X(Minimum, 100)                   \
  X(SubFrom, 100)                   \
  X(DivInto, 300)
/// Of two operands: gradients, but for the first two.
#define CONVGRAD_BINARY_MAPS(X) \
  X(AddScaled, 100)             \
  X(Lerp, 100)                  \
  X(AbsGrad, 100)               \
  X(ClampGrad, 100)             \
  X(SquareGrad, 100)            \
  X(SqrtGrad, 300)              \
  X(RsqrtGrad, 100)             \
  X(ReciprocalGrad, 100)        \
  X(ReluGrad, 100)              \
  X(LeakyReluGrad, 100)         \
  X(HardtanhGrad, 100)          \
  X(HardsigmoidGrad, 100)       \
  X(HardswishGrad, 100)         \
  X(TanhGrad, 100)              \
  X(SigmoidGrad, 100)           \
  X(LogSigmoidGrad, 400)        \
  X(SiluGrad, 500)              \
  X(SoftplusGrad, 500)          \
  X(EluGrad, 400)               \
  X(MishGrad, 600)              \
  X(ErfGrad, 500)               \
  X(GeluGrad, 800)              \
  X(GeluTanhGrad, 600)

/// Of three operands.
#define CONVGRAD_TERNARY_MAPS(X) \
  X(AddProduct, 150)             \
  X(AddQuotient, 300)            \
  X(DivisorGrad, 500)            \
  X(MaximumGrad, 150)            \
  X(MinimumGrad, 150)

#define CONVGRAD_COUNT(name, cost) +1
inline constexpr int kUnaryMaps = CONVGRAD_UNARY_MAPS(CONVGRAD_COUNT);
inline constexpr int kArithmeticMaps = CONVGRAD_ARITHMETIC_MAPS(CONVGRAD_COUNT);
inline constexpr int kBinaryMaps = CONVGRAD_BINARY_MAPS(CONVGRAD_COUNT);
inline constexpr int kTernaryMaps = CONVGRAD_TERNARY_MAPS(CONVGRAD_COUNT);
#undef CONVGRAD_COUNT

/// The comparisons, in NumPy's order of the names.
enum class Comparison { Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual };
inline constexpr int kComparisons = 6;

/// Numbers that a map takes besides its operands.
inline constexpr int kMapNumbers = 3;

/// `out` may be an operand; it may not overlap one otherwise. `streamed` writes past the caches, for which
/// `out` begins at a multiple of 64 bytes.
template <typename T>
using UnaryLoop = void (*)(const T* x, T* out, Index n, const T* numbers, bool streamed);
template <typename T>
using BinaryLoop = void (*)(const T* x, const T* y, T* out, Index n, const T* numbers, bool streamed);
template <typename T>
using TernaryLoop = void (*)(const T* x, const T* y, const T* z, T* out, Index n, const T* numbers,
                             bool streamed);
/// The second operand is one value.
template <typename T>
using ScalarLoop = void (*)(const T* x, T y, T* out, Index n, bool streamed);
/// The second operand is an array, or one value if `step` is 0; 1 where the comparison holds, else 0.
template <typename T>
using CompareLoop = void (*)(const T* x, const T* y, Index step, std::uint8_t* out, Index n);

/// What an instruction set offers for one element type: loops by their codes.
template <typename T>
struct Maps {
  const UnaryLoop<T>* unary;
  const BinaryLoop<T>* binary;
  const TernaryLoop<T>* ternary;
  const BinaryLoop<T>* arithmetic;
  const ScalarLoop<T>* scalar;
  const CompareLoop<T>* compare;
  /// x where the condition is not 0, else y; each is an array, or one value if its step is 0.
  void (*select)(const std::uint8_t* condition, const T* x, Index x_step, const T* y, Index y_step, T* out,
                 Index n);
  /// The remainder of x by a finite number that is not 0, and the quotient rounded down, as NumPy computes
  /// them; null where there is no such loop. Subnormal numbers have to be kept.
  void (*remainder)(const T* x, T y, T* out, Index n);
  void (*floor_quotient)(const T* x, T y, T* out, Index n);
  /// out[i] = values[x[i]], of a table with 256 values.
  void (*lookup)(const std::uint8_t* x, const T* values, T* out, Index n);
};

/// float32 to and from the halves of its size, which are 16 bits here; rounded to nearest, ties to even.
struct HalfCasts {
  void (*to_bfloat16)(const float* x, std::uint16_t* out, Index n);
  void (*from_bfloat16)(const std::uint16_t* x, float* out, Index n);
  void (*to_float16)(const float* x, std::uint16_t* out, Index n);
  void (*from_float16)(const std::uint16_t* x, float* out, Index n);
};

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {

template <typename T>
Maps<T> maps_functions();

// Its parts, a file each.
template <typename T>
const UnaryLoop<T>* unary_loops();
template <typename T>
const BinaryLoop<T>* binary_loops();
template <typename T>
const TernaryLoop<T>* ternary_loops();
/// The comparisons, selection and tables of Maps; the rest is empty.
template <typename T>
Maps<T> choices();

HalfCasts half_casts();

}  // namespace convgrad::CONVGRAD_ISA
#endif
