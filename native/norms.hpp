// norms.hpp - normalisation by statistics of channels, groups or rows, with its gradients.
#pragma once

#include "problem.hpp"

namespace convgrad {

/// What an instruction set offers for one element type.
template <typename T>
struct Norms {};

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {

template <typename T>
Norms<T> norms_functions();

}  // namespace convgrad::CONVGRAD_ISA
#endif
