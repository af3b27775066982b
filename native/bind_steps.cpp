// bind_steps.cpp - what Python sees of steps.hpp.
#include "bindings.hpp"

namespace convgrad {

void bind_steps(nb::module_&) {}

}  // namespace convgrad
