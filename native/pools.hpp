// pools.hpp - pooling over windows, with its gradients.
#pragma once

#include "problem.hpp"

namespace convgrad {

/// What an instruction set offers for one element type.
template <typename T>
struct Pools {};

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {

template <typename T>
Pools<T> pools_functions();

}  // namespace convgrad::CONVGRAD_ISA
#endif
