// copies.hpp - elements in another order, and as another type.
#pragma once

#include "problem.hpp"

namespace convgrad {

/// Items of 1, 2, 4, 8 and 16 bytes, by the logarithm of their size.
inline constexpr int kItemSizes = 5;

/// out[i] = x[i] of items that lie `step` bytes apart in x and one after another in `out`.
using LineCopy = void (*)(const char* x, Index step, char* out, Index n);
/// out[i][j] = x[i][j] of a matrix whose rows and columns lie as the steps say in x, in bytes; in `out` rows
/// are `out_step` bytes apart and their items one after another.
using TurnCopy = void (*)(const char* x, Index row_step, Index column_step, char* out, Index out_step,
                          Index rows, Index columns);

/// Types of elements between which there are casts, by their code.
enum class Element { Float, Double, Int64, Int32, UInt8, Bool };
inline constexpr int kElements = 6;
using CastLoop = void (*)(const void* x, void* out, Index n);

/// `casts` is null where C leaves open what becomes of a value that does not fit, or the types are one.
struct Copies {
  LineCopy lines[kItemSizes];
  TurnCopy turns[kItemSizes];
  CastLoop casts[kElements][kElements];
};

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {
Copies copies();
}
#endif
