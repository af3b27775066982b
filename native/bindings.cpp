// bindings.cpp - the only file that knows Python (with gil.hpp): it checks operands and calls kernels.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>

#include "gil.hpp"
#include "kernel.hpp"
#include "parallel.hpp"

namespace nb = nanobind;
using namespace convgrad;

namespace {

template <typename T>
using Input = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
template <typename T>
using Output = nb::ndarray<T, nb::c_contig, nb::device::cpu>;

/// A kernel and how many elements each operand must have: a wrong one is refused, never read.
struct BoundKernel {
  std::unique_ptr<Kernel> kernel;
  bool wide;
  Index first, second, bias, out;  // elements

  template <typename T>
  void call(Input<T> a, Input<T> b, std::optional<Input<T>> bias_values, Output<T> result,
            int activation) const {
    if (wide != (sizeof(T) == 8)) throw std::invalid_argument("this kernel was made for the other precision");
    if (Index(a.size()) != first || Index(b.size()) != second || Index(result.size()) != out ||
        (bias_values && Index(bias_values->size()) != bias))
      throw std::invalid_argument("an operand has not as many elements as this kernel was made for");
    if (activation < 0 || activation > int(Activation::Relu))
      throw std::invalid_argument("no such activation");
    if (out == 0) return;
    const Operands<T> data{a.data(), b.data(), bias_values ? bias_values->data() : nullptr, result.data(),
                           Activation(activation)};
    run_unlocked([&] { kernel->run(data); });
  }
};

/// Numbers up to this can be added and multiplied by small ones within 64 bits.
constexpr Index kMost = Index(1) << 40;

/// The product of sizes; refused where it is so large that numbers derived from it might not fit 64 bits.
Index elements(std::initializer_list<Index> sizes) {
  Index product = 1;
  for (Index n : sizes) {
    if (n > kMost / product) throw std::invalid_argument("sizes of a problem are too large");
    product *= n;
  }
  return product;
}

/// batch, groups, in_channels, out_channels per group, then in, kernel, out, stride, low, dilation (three
/// each), border.
Problem problem_from(const std::vector<Index>& n) {
  if (n.size() != 23) throw std::invalid_argument("a problem has 23 numbers");
  Problem p{};
  p.batch = n[0], p.groups = n[1], p.in_channels = n[2], p.out_channels = n[3];
  Index* parts[6] = {p.in, p.kernel, p.out, p.stride, p.low, p.dilation};
  for (int i = 0; i < 18; i++) parts[i / 3][i % 3] = n[4 + i];
  for (int i = 0; i < 22; i++) {
    const bool low = i >= 16 && i < 19;
    if (n[i] < 1 && !low) throw std::invalid_argument("sizes of a problem must be positive");
    if (n[i] > kMost || n[i] < -kMost) throw std::invalid_argument("sizes of a problem are too large");
  }
  for (int i = 0; i < 3; i++) {  // the farthest that a window reaches
    elements({p.out[i], p.stride[i]});
    elements({p.kernel[i], p.dilation[i]});
  }
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
  if (primitive < 0 || primitive > int(Primitive::WeightGrad))
    throw std::invalid_argument("no such primitive");
  const auto pixels = [](const Index* n) { return elements({n[0], n[1], n[2]}); };
  const auto x = elements({p.batch, p.groups, p.in_channels, pixels(p.in)});
  const auto w = elements({p.groups, p.out_channels, p.in_channels, pixels(p.kernel)});
  const auto y = elements({p.batch, p.groups, p.out_channels, pixels(p.out)});
  const Index in = p.groups * p.in_channels, out = p.groups * p.out_channels;
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
