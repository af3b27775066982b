// maps.hpp - elementwise operations: one value of the result from one of each operand.
#pragma once

#include "problem.hpp"

namespace convgrad {

/// What an instruction set offers for one element type.
template <typename T>
struct Maps {};

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {

template <typename T>
Maps<T> maps_functions();

}  // namespace convgrad::CONVGRAD_ISA
#endif
