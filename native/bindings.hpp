// bindings.hpp - what the files that know Python share: operands checked and laid open, kernels called.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>

#include "gil.hpp"
#include "kernels.hpp"

namespace convgrad {

namespace nb = nanobind;

enum class Access { Read, Write };

/// NumPy's array object as its C API documents it (PyArrayObject). To read it takes 5 ns, to ask the array by
/// Python's buffer protocol 200.
struct ArrayObject {
  PyObject object;
  char* data;
  int ndim;
  Py_ssize_t* shape;
  Py_ssize_t* strides;
  PyObject *base, *dtype;
  int flags;

  static constexpr int kContiguous = 0x1, kAligned = 0x100, kWriteable = 0x400;
};

/// What arrays look like here: found out once, by an example. Where it is not as documented `array` is null,
/// and all are asked.
struct ArrayLayout {
  PyTypeObject* array = nullptr;
  PyObject* dtypes[128] = {};  // by Python's format of their elements
};
extern ArrayLayout array_layout;
/// What stands for bfloat16, for which Python has no format: arrays of it are read by their layout or not at
/// all.
inline constexpr char kBrainFormat = 'E';
void learn_array_layout();

/// The elements of an array, as long as the array lives. It must be what the kernels read as it is: nothing
/// is converted, a copy of an output would be filled and lost. What is wrong is a TypeError, upon which the
/// caller makes it right, or computes in NumPy.
class Buffer {
 public:
  /// float32, or float64 if `wide`.
  Buffer(nb::handle array, bool wide, Access access = Access::Read)
      : Buffer(array, wide ? 'd' : 'f', access) {}
  /// Elements of one of Python's formats; 'l' and 'q' both stand for 64 bits.
  Buffer(nb::handle array, char format, Access access) {
    const auto* object = reinterpret_cast<const ArrayObject*>(array.ptr());
    const int wanted = ArrayObject::kContiguous | ArrayObject::kAligned |
                       (access == Access::Write ? ArrayObject::kWriteable : 0);
    if (Py_TYPE(array.ptr()) == array_layout.array && (object->flags & wanted) == wanted &&
        object->dtype == array_layout.dtypes[int(format)]) {
      data_ = object->data;
      size_ = 1;
      for (int i = 0; i < object->ndim; i++) size_ *= Index(object->shape[i]);
    } else {
      ask(array, format, access);
    }
  }
  ~Buffer() {
    if (asked_) PyBuffer_Release(&view_);
  }
  Buffer(const Buffer&) = delete;
  template <typename T>
  T* data() const {
    return static_cast<T*>(data_);
  }
  Index size() const { return size_; }

 private:
  /// By the buffer protocol (PEP 3118), which anything may offer.
  void ask(nb::handle array, char format, Access access);

  void* data_;
  Index size_;
  bool asked_ = false;
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

void bind_attention(nb::module_& m);
void bind_copies(nb::module_& m);
void bind_maps(nb::module_& m);
void bind_norms(nb::module_& m);
void bind_pools(nb::module_& m);
void bind_products(nb::module_& m);
void bind_recurrent(nb::module_& m);
void bind_random(nb::module_& m);
void bind_rows(nb::module_& m);
void bind_steps(nb::module_& m);
void bind_ufuncs(nb::module_& m);

}  // namespace convgrad
