// bind_norms.cpp - what Python sees of norms.hpp.
#include "bindings.hpp"

namespace convgrad {

void bind_norms(nb::module_&) {}

}  // namespace convgrad
