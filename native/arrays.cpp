// arrays.cpp - how kernels come to the elements of Python's arrays.
#include "bindings.hpp"

namespace convgrad {

ArrayLayout array_layout;

namespace {

/// Whether an array's fields are where they are documented to be: what they hold is compared with what the
/// array says of itself.
bool as_documented(nb::handle array) {
  const auto* object = reinterpret_cast<const ArrayObject*>(array.ptr());
  const auto numbers = [](nb::handle tuple, const Py_ssize_t* found) {
    for (std::size_t i = 0; i < nb::len(tuple); i++)
      if (nb::cast<Py_ssize_t>(tuple[i]) != found[i]) return false;
    return true;
  };
  const auto data = nb::cast<std::uintptr_t>(array.attr("__array_interface__")["data"][0]);
  return object->data == reinterpret_cast<char*>(data) && object->ndim == nb::cast<int>(array.attr("ndim")) &&
         object->dtype == nb::object(array.attr("dtype")).ptr() &&
         object->flags == nb::cast<int>(array.attr("flags").attr("num")) &&
         numbers(array.attr("shape"), object->shape) && numbers(array.attr("strides"), object->strides);
}

const char* complaint(const Py_buffer& view, char wanted) {
  const char* format = view.format ? view.format : "B";
  if (format[0] == '@' || format[0] == '=') format++;
  const char found = format[0] == 'l' && view.itemsize == 8 ? 'q' : format[0];
  if (found != wanted || format[1] != 0) return "an operand is not of the precision this kernel was made for";
  if (reinterpret_cast<std::uintptr_t>(view.buf) % std::uintptr_t(view.itemsize) != 0)
    return "an operand does not lie at a multiple of its elements' size";
  return nullptr;
}

}  // namespace

void learn_array_layout() {
  const nb::object numpy = nb::module_::import_("numpy"), array = numpy.attr("ndarray");
  const nb::object example = numpy.attr("zeros")(nb::make_tuple(2, 3), "f");
  if (!as_documented(example) || !as_documented(example.attr("T"))) return;
  for (const char* format : {"f", "d", "q", "i", "h", "b", "Q", "I", "H", "B", "?", "e"}) {
    // NumPy has two dtypes of 64 bits: the usual one is that of "int64"
    const char* name = format[0] == 'q' ? "int64" : format[0] == 'Q' ? "uint64" : format;
    array_layout.dtypes[int(format[0])] = numpy.attr("dtype")(name).release().ptr();
  }
  const nb::object brain = nb::module_::import_("ml_dtypes").attr("bfloat16");
  array_layout.dtypes[int(kBrainFormat)] = numpy.attr("dtype")(brain).release().ptr();
  array_layout.array = reinterpret_cast<PyTypeObject*>(nb::object(array).release().ptr());
}

void Buffer::ask(nb::handle array, char format, Access access) {
  const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (access == Access::Write ? PyBUF_WRITABLE : 0);
  if (PyObject_GetBuffer(array.ptr(), &view_, flags) != 0) {
    PyErr_Clear();
    throw nb::type_error("an operand is no contiguous array (or a result no writable one)");
  }
  if (const char* wrong = complaint(view_, format)) {
    PyBuffer_Release(&view_);
    throw nb::type_error(wrong);
  }
  asked_ = true;
  data_ = view_.buf;
  size_ = Index(view_.len / view_.itemsize);
}

}  // namespace convgrad
