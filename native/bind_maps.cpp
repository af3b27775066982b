// bind_maps.cpp - what Python sees of maps.hpp.
#include "bindings.hpp"

namespace convgrad {

void bind_maps(nb::module_&) {}

}  // namespace convgrad
