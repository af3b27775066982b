// bind_products.cpp - what Python sees of products.hpp.
#include <limits>
#include <optional>
#include <stdexcept>

#include "bindings.hpp"

namespace convgrad {

namespace {

/// A matrix that lies in rows or in columns, as arrays and their transposes do.
template <typename T>
struct Matrix {
  const T* data;
  Index rows, columns, row, column;  // sizes, and steps in elements

  /// Throws TypeError: only matrices of this kind, in steps that 32 bits hold, are read where they lie.
  Matrix(nb::handle array) {
    const auto* object = reinterpret_cast<const ArrayObject*>(array.ptr());
    const char format = sizeof(T) == 8 ? 'd' : 'f';
    if (Py_TYPE(array.ptr()) != array_layout.array || !(object->flags & ArrayObject::kAligned) ||
        object->dtype != array_layout.dtypes[int(format)] || object->ndim != 2)
      throw nb::type_error("an operand is no matrix of the precision of the result");
    data = reinterpret_cast<const T*>(object->data);
    rows = object->shape[0], columns = object->shape[1];
    row = steps(object->strides[0]), column = steps(object->strides[1]);
  }

 private:
  static Index steps(Py_ssize_t bytes) {
    constexpr Py_ssize_t size = sizeof(T);
    if (bytes < 0 || bytes % size != 0 || bytes / size > std::numeric_limits<std::int32_t>::max() / 512)
      throw nb::type_error("an operand lies in other steps than rows or columns");
    return bytes / size;
  }
};

template <typename T>
void product(nb::handle first, nb::handle second, nb::handle bias_values, nb::handle result, int activation) {
  const Matrix<T> a(first), b(second);
  const Buffer c(result, sizeof(T) == 8, Access::Write);
  std::optional<Buffer> bias;
  if (!bias_values.is_none()) bias.emplace(bias_values, sizeof(T) == 8);
  if (a.columns != b.rows || c.size() != a.rows * b.columns || (bias && bias->size() != b.columns))
    throw std::invalid_argument("sizes of a product do not fit each other");
  if (activation < 0 || activation > int(Activation::Relu)) throw std::invalid_argument("no such activation");
  if (c.size() == 0) return;
  if (a.columns == 0) throw std::invalid_argument("a product of nothing");
  const ProductView view{a.rows, b.columns, a.columns, a.row, a.column, b.row, b.column};
  const Operands<T> data{a.data, b.data, bias ? bias->data<T>() : nullptr, c.data<T>(),
                         Activation(activation)};
  const auto run = kernels_in_use<T>().products.multiply;
  run_unlocked([&] { run(view, data); }, view.nanoseconds());
}

}  // namespace

void bind_products(nb::module_& m) {
  m.def(
      "product",
      [](nb::handle a, nb::handle b, nb::handle bias, nb::handle out, bool wide, int activation) {
        if (wide) product<double>(a, b, bias, out, activation);
        else product<float>(a, b, bias, out, activation);
      },
      nb::arg("a"), nb::arg("b"), nb::arg("bias").none(), nb::arg("out"), nb::arg("wide"),
      nb::arg("activation") = 0);
}

}  // namespace convgrad
