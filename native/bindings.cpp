// bindings.cpp - the only file that knows Python (with gil.hpp): it checks operands and calls kernels.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <optional>
#include <stdexcept>

#include "blocks.hpp"
#include "gil.hpp"
#include "kernel.hpp"
#include "parallel.hpp"

namespace nb = nanobind;
using namespace convgrad;

namespace {

/// An array as its owner lays it open (PEP 3118), given back at the end. It must be what the kernels read as
/// it is: nothing is converted, a copy of an output would be filled and lost.
class Buffer {
 public:
  Buffer(nb::handle array, bool wide, bool writable) {
    const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(array.ptr(), &view_, flags) != 0) {
      PyErr_Clear();
      throw nb::type_error("an operand is no contiguous array (or a result no writable one)");
    }
    const char* wrong = complaint(wide);
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
  const char* complaint(bool wide) const {
    const char* format = view_.format ? view_.format : "B";
    if (format[0] == '@' || format[0] == '=') format++;
    if (format[0] != (wide ? 'd' : 'f') || format[1] != 0)
      return "an operand is not of the precision this kernel was made for";
    if (reinterpret_cast<std::uintptr_t>(view_.buf) % std::uintptr_t(view_.itemsize) != 0)
      return "an operand does not lie at a multiple of its elements' size";
    return nullptr;
  }

  Py_buffer view_;
};

/// A kernel and how many elements each operand must have: a wrong one is refused, never read.
struct BoundKernel {
  std::unique_ptr<Kernel> kernel;
  bool wide;
  Index first, second, bias, out;  // elements

  void call(nb::handle a, nb::handle b, nb::handle bias_values, nb::handle result, int activation) const {
    const Buffer x(a, wide, false), y(b, wide, false), z(result, wide, true);
    std::optional<Buffer> v;
    if (!bias_values.is_none()) v.emplace(bias_values, wide, false);
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
  nb::class_<BoundKernel>(m, "Kernel")
      .def("__call__", &BoundKernel::call, nb::arg("first"), nb::arg("second"), nb::arg("bias").none(),
           nb::arg("out"), nb::arg("activation") = 0)
      .def_prop_ro("shared_bytes", [](const BoundKernel& k) { return k.kernel->shared_bytes(); })
      .def_prop_ro("scratch_bytes", [](const BoundKernel& k) { return k.kernel->scratch_bytes(); });
  nb::class_<Block>(m, "Block", nb::type_slots(block_slots)).def(nb::init<std::size_t>(), nb::arg("bytes"));
  m.def("memory_facts", &memory_facts);
  m.def("memory_trim", &blocks_trim);
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
