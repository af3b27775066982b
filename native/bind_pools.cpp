// bind_pools.cpp - what Python sees of pools.hpp.
#include "bindings.hpp"

namespace convgrad {

void bind_pools(nb::module_&) {}

}  // namespace convgrad
