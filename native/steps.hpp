// steps.hpp - steps of optimisers over all parameters, and the gates of recurrent cells.
#pragma once

#include "problem.hpp"

namespace convgrad {

/// What an instruction set offers for one element type.
template <typename T>
struct Steps {};

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {

template <typename T>
Steps<T> steps_functions();

}  // namespace convgrad::CONVGRAD_ISA
#endif
