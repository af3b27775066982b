// bindings.cpp - what Python sees: convolutions made ready, memory, threads; bind_*.cpp have the rest.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>

#include "bindings.hpp"
#include "blocks.hpp"
#include "kernel.hpp"
#include "pages.hpp"
#include "parallel.hpp"

using namespace convgrad;

namespace {

/// A kernel and how many elements each operand must have: a wrong one is refused, never read.
struct BoundKernel {
  std::unique_ptr<Kernel> kernel;
  bool wide;
  Index first, second, bias, out;  // elements
  Index nanoseconds;               // about what one thread takes

  void call(nb::handle a, nb::handle b, nb::handle bias_values, nb::handle result, int activation) const {
    const Buffer x(a, wide), y(b, wide), z(result, wide, Access::Write);
    std::optional<Buffer> v;
    if (!bias_values.is_none()) v.emplace(bias_values, wide);
    if (x.size() != first || y.size() != second || z.size() != out || (v && v->size() != bias))
      throw std::invalid_argument("an operand has not as many elements as this kernel was made for");
    if (activation < 0 || activation > int(Activation::Relu))
      throw std::invalid_argument("no such activation");
    if (out == 0) return;
    if (wide) run<double>(x, y, v, z, Activation(activation));
    else run<float>(x, y, v, z, Activation(activation));
  }

 private:
  template <typename T>
  void run(const Buffer& x, const Buffer& y, const std::optional<Buffer>& v, const Buffer& z,
           Activation activation) const {
    const Operands<T> data{x.data<T>(), y.data<T>(), v ? v->data<T>() : nullptr, z.data<T>(), activation};
    run_unlocked([&] { kernel->run(data); }, nanoseconds);
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
  auto kernel =
      make_kernel(algorithm, Primitive(primitive), p, wide, cut, table_named(instruction_set.c_str()));
  switch (Primitive(primitive)) {
    case Primitive::Forward:
      return {std::move(kernel), wide, x, w, out, y, p.nanoseconds()};
    case Primitive::InputGrad:
      return {std::move(kernel), wide, y, w, in, x, p.nanoseconds()};
    default:
      return {std::move(kernel), wide, x, y, 0, w, p.nanoseconds()};
  }
}

Index multiply_add_loop(const std::string& instruction_set, Index rounds) {
  const KernelTable& table = table_named(instruction_set.c_str());
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

// ---- memory of arrays

/// A block's bytes, writable, for whoever asks (PEP 3118): NumPy makes an array of them.
int lay_open(PyObject* self, Py_buffer* view, int flags) noexcept {
  if (!nb::inst_ready(self)) {
    PyErr_SetString(PyExc_BufferError, "this block has no memory: make it by Block(bytes)");
    view->obj = nullptr;
    return -1;
  }
  const Block* block = nb::inst_ptr<Block>(self);
  return PyBuffer_FillInfo(view, self, block->data(), Py_ssize_t(block->bytes()), 0, flags);
}
PyType_Slot block_slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(lay_open)}, {0, nullptr}};

nb::typed<nb::dict, nb::str, nb::int_> memory_facts() {
  const BlockStatistics now = block_statistics();
  nb::dict facts;
  facts["in_use"] = now.in_use;
  facts["kept"] = now.kept;
  facts["limit"] = now.limit;
  facts["reused"] = now.reused;
  facts["mapped"] = now.mapped;
  facts["peak"] = now.peak;
  return nb::typed<nb::dict, nb::str, nb::int_>(facts);
}

/// Who compiled this extension, and for which instruction sets: CMakeLists.txt defines both.
nb::typed<nb::dict, nb::str, nb::str> build_info() {
  nb::dict facts;
  facts["compiler"] = CONVGRAD_COMPILER;
  facts["instruction_sets"] = CONVGRAD_BUILT_SETS;
  return nb::typed<nb::dict, nb::str, nb::str>(facts);
}

}  // namespace

NB_MODULE(_native, m) {
  // A daemon thread that the end of the process cuts off, such as a worker of a loader that is kept, holds
  // its generator and arrays to the end; nanobind takes that for a leak.
  nb::set_leak_warnings(false);
  learn_array_layout();
  nb::class_<BoundKernel>(m, "Kernel")
      .def("__call__", &BoundKernel::call, nb::arg("first"), nb::arg("second"), nb::arg("bias").none(),
           nb::arg("out"), nb::arg("activation") = 0)
      .def_prop_ro("shared_bytes", [](const BoundKernel& k) { return k.kernel->shared_bytes(); })
      .def_prop_ro("scratch_bytes", [](const BoundKernel& k) { return k.kernel->scratch_bytes(); });
  nb::class_<Block>(m, "Block", nb::type_slots(block_slots)).def(nb::init<std::size_t>(), nb::arg("bytes"));
  m.def("memory_facts", &memory_facts);
  m.def("memory_trim", &blocks_trim);
  m.def(
      "memory_limit",
      [](std::optional<std::size_t> bytes) { blocks_keep(bytes ? *bytes : blocks_usual_limit()); },
      nb::arg("bytes").none());
  m.def("memory_reset_peak", &blocks_reset_peak);
  m.def("kernel", &make, nb::arg("algorithm"), nb::arg("primitive"), nb::arg("problem"), nb::arg("wide"),
        nb::arg("cut"), nb::arg("instruction_set"));
  m.def("build_info", &build_info);
  m.def("instruction_sets", &instruction_sets);
  m.def(
      "use_instruction_set", [](const std::string& name) { use_table(table_named(name.c_str())); },
      nb::arg("name"));
  m.def("multiply_add_loop", &multiply_add_loop, nb::arg("instruction_set"), nb::arg("rounds"));
  m.def("set_num_threads", &set_thread_count, nb::arg("threads"));
  m.def("get_num_threads", &thread_count);
  m.def("scratch_held", &scratch_held);
  m.def("scratch_trim", &scratch_trim);
  m.def("fail_request", &fail_request, nb::arg("number"));
  bind_attention(m);
  bind_copies(m);
  bind_maps(m);
  bind_norms(m);
  bind_pools(m);
  bind_products(m);
  bind_random(m);
  bind_rows(m);
  bind_steps(m);
  bind_ufuncs(m);
}
