// bindings.hpp - what the files that know Python share: operands checked and laid open, kernels called.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>

#include "gil.hpp"
#include "kernels.hpp"

namespace convgrad {

namespace nb = nanobind;

enum class Access { Read, Write };

/// An array as its owner lays it open (PEP 3118), given back at the end. It must be what the kernels read as
/// it is: nothing is converted, a copy of an output would be filled and lost. What is wrong is a TypeError,
/// upon which the caller makes it right, or computes in NumPy.
class Buffer {
 public:
  /// float32, or float64 if `wide`.
  Buffer(nb::handle array, bool wide, Access access = Access::Read)
      : Buffer(array, wide ? 'd' : 'f', access) {}
  /// Elements of one of Python's formats; 'l' and 'q' both stand for 64 bits.
  Buffer(nb::handle array, char format, Access access) {
    const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (access == Access::Write ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(array.ptr(), &view_, flags) != 0) {
      PyErr_Clear();
      throw nb::type_error("an operand is no contiguous array (or a result no writable one)");
    }
    const char* wrong = complaint(format);
    if (!wrong) return;
    PyBuffer_Release(&view_);
    throw nb::type_error(wrong);
  }
  ~Buffer() { PyBuffer_Release(&view_); }
  Buffer(const Buffer&) = delete;
  template <typename T>
  T* data() const {
    return static_cast<T*>(view_.buf);
  }
  Index size() const { return Index(view_.len / view_.itemsize); }

 private:
  const char* complaint(char wanted) const {
    const char* format = view_.format ? view_.format : "B";
    if (format[0] == '@' || format[0] == '=') format++;
    const char found = format[0] == 'l' && view_.itemsize == 8 ? 'q' : format[0];
    if (found != wanted || format[1] != 0)
      return "an operand is not of the precision this kernel was made for";
    if (reinterpret_cast<std::uintptr_t>(view_.buf) % std::uintptr_t(view_.itemsize) != 0)
      return "an operand does not lie at a multiple of its elements' size";
    return nullptr;
  }

  Py_buffer view_;
};

/// The functions in use for T, among those of all families.
template <typename T>
const Kernels<T>& kernels_in_use();
template <>
inline const Kernels<float>& kernels_in_use<float>() {
  return table_in_use().single_precision;
}
template <>
inline const Kernels<double>& kernels_in_use<double>() {
  return table_in_use().double_precision;
}

void bind_maps(nb::module_& m);
void bind_norms(nb::module_& m);
void bind_pools(nb::module_& m);
void bind_random(nb::module_& m);
void bind_rows(nb::module_& m);
void bind_steps(nb::module_& m);

}  // namespace convgrad
