// bindings.cpp - the only file that knows Python: it checks operands, gives up the GIL and calls kernels.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <optional>
#include <stdexcept>

#include "kernel.hpp"
#include "parallel.hpp"

namespace nb = nanobind;
using namespace convgrad;

namespace {

template <typename T>
using Input = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
template <typename T>
using Output = nb::ndarray<T, nb::c_contig, nb::device::cpu>;

template <typename Array>
bool aligned(const Array& array) {
  return reinterpret_cast<std::uintptr_t>(array.data()) % sizeof(typename Array::Scalar) == 0;
}

/// A kernel and how many elements each operand must have: a wrong one is refused, never read.
struct BoundKernel {
  std::unique_ptr<Kernel> kernel;
  bool wide;
  std::size_t first, second, bias, out;

  template <typename T>
  void call(Input<T> a, Input<T> b, std::optional<Input<T>> bias_values, Output<T> result,
            int activation) const {
    if (wide != (sizeof(T) == 8)) throw std::invalid_argument("this kernel was made for the other precision");
    if (a.size() != first || b.size() != second || result.size() != out ||
        (bias_values && bias_values->size() != bias))
      throw std::invalid_argument("an operand has not as many elements as this kernel was made for");
    if (activation < 0 || activation > int(Activation::Relu))
      throw std::invalid_argument("no such activation");
    // Python hands over what it has and copies only when it is told that this will not do.
    if (!aligned(a) || !aligned(b) || !aligned(result) || (bias_values && !aligned(*bias_values)))
      throw nb::type_error("an operand does not lie at a multiple of its elements' size");
    if (out == 0) return;
    const Operands<T> data{a.data(), b.data(), bias_values ? bias_values->data() : nullptr, result.data(),
                           Activation(activation)};
    nb::gil_scoped_release release;
    FlushSubnormals flush;
    kernel->run(data);
  }
};

/// batch, groups, in_channels, out_channels per group, then in, kernel, out, stride, low, dilation (three
/// each), border.
Problem problem_from(const std::vector<Index>& n) {
  if (n.size() != 23) throw std::invalid_argument("a problem has 23 numbers");
  Problem p{};
  p.batch = n[0], p.groups = n[1], p.in_channels = n[2], p.out_channels = n[3];
  Index* parts[6] = {p.in, p.kernel, p.out, p.stride, p.low, p.dilation};
  for (int i = 0; i < 18; i++) parts[i / 3][i % 3] = n[4 + i];
  for (int i = 0; i < 22; i++)
    if (n[i] < 1 && !(i >= 16 && i < 19)) throw std::invalid_argument("sizes of a problem must be positive");
  if (n[22] < 0 || n[22] > int(Border::Circular)) throw std::invalid_argument("no such border");
  p.border = Border(n[22]);
  return p;
}

const KernelTable& table_named(const std::string& name) {
  int count;
  const KernelTable* const* tables = runnable_tables(count);
  for (int i = 0; i < count; i++)
    if (name == tables[i]->name) return *tables[i];
  throw std::invalid_argument("no kernels for the instruction set '" + name + "' here");
}

BoundKernel make(const std::string& algorithm, int primitive, const std::vector<Index>& problem, bool wide,
                 const std::vector<Index>& cut, const std::string& instruction_set) {
  const Problem p = problem_from(problem);
  const auto x = std::size_t(p.batch * p.groups * p.in_channels * p.in_pixels());
  const auto w = std::size_t(p.groups * p.out_channels * p.in_channels * p.taps());
  const auto y = std::size_t(p.batch * p.groups * p.out_channels * p.out_pixels());
  const auto in = std::size_t(p.groups * p.in_channels), out = std::size_t(p.groups * p.out_channels);
  auto kernel = make_kernel(algorithm, Primitive(primitive), p, wide, cut, table_named(instruction_set));
  switch (Primitive(primitive)) {
    case Primitive::Forward:
      return {std::move(kernel), wide, x, w, out, y};
    case Primitive::InputGrad:
      return {std::move(kernel), wide, y, w, in, x};
    default:
      return {std::move(kernel), wide, x, y, 0, w};
  }
}

Index multiply_add_loop(const std::string& instruction_set, Index rounds) {
  const KernelTable& table = table_named(instruction_set);
  nb::gil_scoped_release release;
  return table.multiply_add_loop(rounds);
}

std::vector<std::string> instruction_sets() {
  int count;
  const KernelTable* const* tables = runnable_tables(count);
  std::vector<std::string> names;
  for (int i = 0; i < count; i++) names.emplace_back(tables[i]->name);
  return names;
}

/// Who compiled this extension, and for which instruction sets: CMakeLists.txt defines both.
nb::typed<nb::dict, nb::str, nb::str> build_info() {
  nb::dict facts;
  facts["compiler"] = CONVGRAD_COMPILER;
  facts["instruction_sets"] = CONVGRAD_BUILT_SETS;
  return nb::typed<nb::dict, nb::str, nb::str>(facts);
}

}  // namespace

// Nothing is converted on the way in: a copy of `out` would be filled and lost.
#define OPERANDS                                                                                   \
  nb::arg("first").noconvert(), nb::arg("second").noconvert(), nb::arg("bias").noconvert().none(), \
      nb::arg("out").noconvert(), nb::arg("activation") = 0

NB_MODULE(_native, m) {
  nb::class_<BoundKernel>(m, "Kernel")
      .def("__call__", &BoundKernel::call<float>, OPERANDS)
      .def("__call__", &BoundKernel::call<double>, OPERANDS)
      .def_prop_ro("shared_bytes", [](const BoundKernel& k) { return k.kernel->shared_bytes(); })
      .def_prop_ro("scratch_bytes", [](const BoundKernel& k) { return k.kernel->scratch_bytes(); });
  m.def("kernel", &make, nb::arg("algorithm"), nb::arg("primitive"), nb::arg("problem"), nb::arg("wide"),
        nb::arg("cut"), nb::arg("instruction_set"));
  m.def("build_info", &build_info);
  m.def("instruction_sets", &instruction_sets);
  m.def("multiply_add_loop", &multiply_add_loop, nb::arg("instruction_set"), nb::arg("rounds"));
  m.def("set_num_threads", &set_thread_count, nb::arg("threads"));
  m.def("get_num_threads", &thread_count);
  m.def("scratch_held", &scratch_held);
  m.def("scratch_trim", &scratch_trim);
}
