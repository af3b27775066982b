// bind_ufuncs.cpp - NumPy's own loops on several threads: functions that take NumPy long and have no kernel.
#include <nanobind/stl/string.h>

#include <cstring>
#include <string>

#include "map_tasks.hpp"

namespace convgrad {

namespace {

/// NumPy's universal function as its C API documents it (PyUFuncObject).
struct Ufunc {
  using Loop = void (*)(char** operands, const Py_ssize_t* count, const Py_ssize_t* steps, void* data);

  PyObject object;
  int inputs, outputs, operands, identity;
  Loop* loops;
  void* const* data;
  int kinds, reserved;
  const char* name;
  const char* types;  // NumPy's number of each operand's type, loop after loop

  static constexpr char kFloat = 11, kDouble = 12;

  /// The place of the loop whose operands are all of a type; -1 if there is none.
  int loop_of(char type) const {
    for (int kind = 0; kind < kinds; kind++) {
      bool all = loops[kind] != nullptr;
      for (int i = 0; i < operands; i++) all = all && types[kind * operands + i] == type;
      if (all) return kind;
    }
    return -1;
  }
};

/// Whether a function's fields are where they are documented to be: they are compared with what it says.
bool as_documented(nb::handle function) {
  const auto& u = *reinterpret_cast<const Ufunc*>(function.ptr());
  const auto number = [&](const char* name) { return nb::cast<int>(function.attr(name)); };
  if (u.inputs != number("nin") || u.outputs != number("nout") || u.operands != number("nargs") ||
      u.kinds != number("ntypes") ||
      std::strcmp(u.name, nb::cast<std::string>(function.attr("__name__")).c_str()) != 0)
    return false;
  int place = 0;
  for (nb::handle signature : function.attr("types"))
    for (const char letter : nb::cast<std::string>(signature)) {
      if (letter == '-' || letter == '>') continue;
      const char found = u.types[place++];
      if ((letter == 'f') != (found == Ufunc::kFloat) || (letter == 'd') != (found == Ufunc::kDouble))
        return false;
    }
  return true;
}

/// The type of NumPy's functions; null where they are not as documented.
PyTypeObject* ufunc_type = nullptr;

/// out = ufunc(x), or ufunc(x, y) of an array or a number y; false where NumPy has no such loop. The loops
/// see subnormal numbers, as NumPy's do.
template <typename T>
bool run_ufunc(const Ufunc& ufunc, const Buffer& x, const Buffer* y, T number, const Buffer& out) {
  const int kind = ufunc.loop_of(sizeof(T) == 4 ? Ufunc::kFloat : Ufunc::kDouble);
  if (kind < 0) return false;
  in_tasks(out.size(), sizeof(T), 1000, [&](Index i, Index count) {
    const KeepSubnormals as_numpy;
    constexpr Py_ssize_t step = sizeof(T);
    char* const first = reinterpret_cast<char*>(x.data<T>() + i);
    char* const to = reinterpret_cast<char*>(out.data<T>() + i);
    char* const second = reinterpret_cast<char*>(y ? y->data<T>() + i : &number);
    const Py_ssize_t length = count;
    if (ufunc.inputs == 1) {
      char* at[] = {first, to};
      const Py_ssize_t steps[] = {step, step};
      ufunc.loops[kind](at, &length, steps, ufunc.data[kind]);
    } else {
      char* at[] = {first, second, to};
      const Py_ssize_t steps[] = {step, y ? step : 0, step};
      ufunc.loops[kind](at, &length, steps, ufunc.data[kind]);
    }
  });
  return true;
}

bool map_ufunc(nb::handle ufunc, nb::handle x, nb::handle y, nb::handle out, bool wide) {
  const auto& function = *reinterpret_cast<const Ufunc*>(ufunc.ptr());  // read if it is one
  if (Py_TYPE(ufunc.ptr()) != ufunc_type || function.outputs != 1 || function.inputs != (y.is_none() ? 1 : 2))
    return false;
  const Buffer from(x, wide), to(out, wide, Access::Write);
  check_size(from, to.size());
  check_overlap(from, to, wide ? 8 : 4);
  if (to.size() == 0) return true;
  const auto run = [&](const Buffer* second, double number) {
    return wide ? run_ufunc<double>(function, from, second, number, to)
                : run_ufunc<float>(function, from, second, float(number), to);
  };
  if (y.is_none() || PyFloat_Check(y.ptr())) return run(nullptr, y.is_none() ? 0.0 : nb::cast<double>(y));
  const Buffer second(y, wide);
  check_size(second, to.size());
  check_overlap(second, to, wide ? 8 : 4);
  return run(&second, 0.0);
}

}  // namespace

void bind_ufuncs(nb::module_& m) {
  const nb::object numpy = nb::module_::import_("numpy");
  if (as_documented(numpy.attr("sin")) && as_documented(numpy.attr("power")))
    ufunc_type = reinterpret_cast<PyTypeObject*>(nb::object(numpy.attr("ufunc")).release().ptr());
  m.def("map_ufunc", &map_ufunc, nb::arg("ufunc"), nb::arg("x"), nb::arg("y").none(), nb::arg("out"),
        nb::arg("wide"));
}

}  // namespace convgrad
