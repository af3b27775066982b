// bind_rows.cpp - what Python sees of rows.hpp.
#include "bindings.hpp"

namespace convgrad {

void bind_rows(nb::module_&) {}

}  // namespace convgrad
