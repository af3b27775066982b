// bind_maps.cpp - what Python sees of maps.hpp: operands checked, work cut into tasks.
#include <nanobind/stl/string.h>

#include <array>
#include <optional>

#include "map_tasks.hpp"

namespace convgrad {

namespace {

/// How large a result is when it is written past the caches: it would push everything out of them.
constexpr Index kStreamedBytes = Index(32) << 20;

void check_code(int code, int count) {
  if (code < 0 || code >= count) throw std::invalid_argument("no such operation");
}

bool streamed(const void* out, Index bytes) {
  return bytes >= kStreamedBytes && reinterpret_cast<std::uintptr_t>(out) % kLine == 0;
}

#define CONVGRAD_COST(name, cost) cost,
constexpr Index kUnaryCosts[] = {CONVGRAD_UNARY_MAPS(CONVGRAD_COST)};
constexpr Index kArithmeticCosts[] = {CONVGRAD_ARITHMETIC_MAPS(CONVGRAD_COST)};
constexpr Index kBinaryCosts[] = {CONVGRAD_BINARY_MAPS(CONVGRAD_COST)};
constexpr Index kTernaryCosts[] = {CONVGRAD_TERNARY_MAPS(CONVGRAD_COST)};
#undef CONVGRAD_COST

/// The codes of all operations by name; a comparison's name is NumPy's.
nb::typed<nb::dict, nb::str, nb::int_> map_codes() {
  nb::dict codes;
  int code = 0;
#define CONVGRAD_CODE(name, cost) codes[#name] = code++;
  CONVGRAD_UNARY_MAPS(CONVGRAD_CODE)
  code = 0;
  CONVGRAD_ARITHMETIC_MAPS(CONVGRAD_CODE)
  code = 0;
  CONVGRAD_BINARY_MAPS(CONVGRAD_CODE)
  code = 0;
  CONVGRAD_TERNARY_MAPS(CONVGRAD_CODE)
#undef CONVGRAD_CODE
  code = 0;
  for (const char* name : {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"})
    codes[name] = code++;
  return nb::typed<nb::dict, nb::str, nb::int_>(codes);
}

template <typename T>
struct Numbers {
  T values[kMapNumbers];
  Numbers(double a, double b, double c) : values{T(a), T(b), T(c)} {}
};

template <typename T>
void unary(int code, const Buffer& x, const Buffer& out, const Numbers<T>& numbers) {
  const auto loop = kernels_in_use<T>().maps.unary[code];
  const T* const from = x.data<T>();
  T* const to = out.data<T>();
  const Index n = out.size();
  const bool past = streamed(to, n * Index(sizeof(T)));
  in_tasks(n, sizeof(T), kUnaryCosts[code],
           [&](Index i, Index count) { loop(from + i, to + i, count, numbers.values, past); });
}

void map_unary(int code, nb::handle x, nb::handle out, bool wide, double a, double b, double c) {
  check_code(code, kUnaryMaps);
  const Buffer from(x, wide), to(out, wide, Access::Write);
  check_size(from, to.size());
  check_overlap(from, to, wide ? 8 : 4);
  if (to.size() == 0) return;
  if (wide) unary<double>(code, from, to, {a, b, c});
  else unary<float>(code, from, to, {a, b, c});
}

template <typename T>
void binary(BinaryLoop<T> loop, Index cost, const Buffer& x, const Buffer& y, const Buffer& out,
            const Numbers<T>& numbers) {
  const T *const first = x.data<T>(), *const second = y.data<T>();
  T* const to = out.data<T>();
  const Index n = out.size();
  const bool past = streamed(to, n * Index(sizeof(T)));
  in_tasks(n, sizeof(T), cost,
           [&](Index i, Index count) { loop(first + i, second + i, to + i, count, numbers.values, past); });
}

void map_binary(int code, nb::handle x, nb::handle y, nb::handle out, bool wide, double a, double b,
                double c) {
  check_code(code, kBinaryMaps);
  const Buffer first(x, wide), second(y, wide), to(out, wide, Access::Write);
  for (const Buffer* operand : {&first, &second}) {
    check_size(*operand, to.size());
    check_overlap(*operand, to, wide ? 8 : 4);
  }
  if (to.size() == 0) return;
  const Index cost = kBinaryCosts[code];
  if (wide) binary<double>(kernels_in_use<double>().maps.binary[code], cost, first, second, to, {a, b, c});
  else binary<float>(kernels_in_use<float>().maps.binary[code], cost, first, second, to, {a, b, c});
}

template <typename T>
void ternary(int code, const Buffer& x, const Buffer& y, const Buffer& z, const Buffer& out, double a) {
  const auto loop = kernels_in_use<T>().maps.ternary[code];
  const T *const first = x.data<T>(), *const second = y.data<T>(), *const third = z.data<T>();
  T* const to = out.data<T>();
  const Numbers<T> numbers(a, 0, 0);
  const Index n = out.size();
  const bool past = streamed(to, n * Index(sizeof(T)));
  in_tasks(n, sizeof(T), kTernaryCosts[code], [&](Index i, Index count) {
    loop(first + i, second + i, third + i, to + i, count, numbers.values, past);
  });
}

void map_ternary(int code, nb::handle x, nb::handle y, nb::handle z, nb::handle out, bool wide, double a) {
  check_code(code, kTernaryMaps);
  const Buffer first(x, wide), second(y, wide), third(z, wide), to(out, wide, Access::Write);
  for (const Buffer* operand : {&first, &second, &third}) {
    check_size(*operand, to.size());
    check_overlap(*operand, to, wide ? 8 : 4);
  }
  if (to.size() == 0) return;
  if (wide) ternary<double>(code, first, second, third, to, a);
  else ternary<float>(code, first, second, third, to, a);
}

/// y as one row for every row of x (`inner` 1), or one value for a run of `inner` values of x.
template <typename T>
void repeated(int code, const Buffer& x, const Buffer& y, const Buffer& out, Index inner) {
  const auto& maps = kernels_in_use<T>().maps;
  const auto by_row = maps.arithmetic[code];
  const auto by_value = maps.scalar[code];
  const T *const first = x.data<T>(), *const second = y.data<T>();
  T* const to = out.data<T>();
  const Index middle = y.size(), n = out.size(), run = inner == 1 ? middle : inner;
  const bool past = streamed(to, n * Index(sizeof(T))) && run * Index(sizeof(T)) % kLine == 0;
  in_tasks(n, sizeof(T), kArithmeticCosts[code], [&](Index start, Index count) {
    for (Index i = start, end = start + count; i < end;) {
      const Index row = i / run, stop = min(end, (row + 1) * run);
      if (inner == 1) by_row(first + i, second + (i - row * run), to + i, stop - i, nullptr, past);
      else by_value(first + i, second[row % middle], to + i, stop - i, past);
      i = stop;
    }
  });
}

/// x (op) y of one shape (`inner` 0), or with y repeated as `repeated` says.
void map_arithmetic(int code, nb::handle x, nb::handle y, nb::handle out, bool wide, Index inner) {
  check_code(code, kArithmeticMaps);
  const Buffer first(x, wide), second(y, wide), to(out, wide, Access::Write);
  check_size(first, to.size());
  for (const Buffer* operand : {&first, &second}) check_overlap(*operand, to, wide ? 8 : 4);
  if (inner < 0) throw std::invalid_argument("a run of negative length");
  if (inner == 0) check_size(second, to.size());
  if (to.size() == 0) return;
  const Index period = inner == 0 ? 1 : second.size();
  if (period == 0 || to.size() % period != 0 || (inner > 0 && to.size() / period % inner != 0))
    throw std::invalid_argument("an operand has not as many elements as its repetitions need");
  // one that is repeated may not be the result: it would change under way
  if (inner > 0 && extent(second, 1).begin == extent(to, 1).begin && second.size() != to.size())
    throw nb::type_error("an operand overlaps the result");
  const Index cost = kArithmeticCosts[code];
  if (inner > 0) {
    if (wide) repeated<double>(code, first, second, to, inner);
    else repeated<float>(code, first, second, to, inner);
  } else if (wide) {
    binary<double>(kernels_in_use<double>().maps.arithmetic[code], cost, first, second, to, {0, 0, 0});
  } else {
    binary<float>(kernels_in_use<float>().maps.arithmetic[code], cost, first, second, to, {0, 0, 0});
  }
}

template <typename T>
void scalar(int code, const Buffer& x, T number, const Buffer& out) {
  const auto loop = kernels_in_use<T>().maps.scalar[code];
  const T* const from = x.data<T>();
  T* const to = out.data<T>();
  const Index n = out.size();
  const bool past = streamed(to, n * Index(sizeof(T)));
  in_tasks(n, sizeof(T), kArithmeticCosts[code],
           [&](Index i, Index count) { loop(from + i, number, to + i, count, past); });
}

/// x (op) number.
void map_scalar(int code, nb::handle x, double number, nb::handle out, bool wide) {
  check_code(code, kArithmeticMaps);
  const Buffer from(x, wide), to(out, wide, Access::Write);
  check_size(from, to.size());
  check_overlap(from, to, wide ? 8 : 4);
  if (to.size() == 0) return;
  if (wide) scalar<double>(code, from, number, to);
  else scalar<float>(code, from, float(number), to);
}

/// The remainder of float32 x by a number, or the quotient rounded down; false where NumPy is to compute.
bool map_remainder(nb::handle x, double number, nb::handle out, bool quotient) {
  const Buffer from(x, false), to(out, false, Access::Write);
  check_size(from, to.size());
  check_overlap(from, to, 4);
  const float y = float(number);
  if (y == 0 || y - y != 0 || from.data<float>() == to.data<float>()) return false;
  const auto& maps = kernels_in_use<float>().maps;
  const auto loop = quotient ? maps.floor_quotient : maps.remainder;
  in_tasks(to.size(), 4, 1000, [&](Index i, Index count) {
    const KeepSubnormals as_numpy;
    loop(from.data<float>() + i, y, to.data<float>() + i, count);
  });
  return true;
}

/// An operand that is an array or a number.
template <typename T>
struct Either {
  std::optional<Buffer> array;
  T number = 0;

  Either(nb::handle value, Index size) {
    if (PyFloat_Check(value.ptr())) {
      number = T(PyFloat_AS_DOUBLE(value.ptr()));
    } else {
      array.emplace(value, sizeof(T) == 8);
      check_size(*array, size);
    }
  }
  const T* data() const { return array ? array->data<T>() : &number; }
  Index step() const { return array ? 1 : 0; }
};

template <typename T>
void compare(int code, const Buffer& x, const Either<T>& y, const Buffer& out) {
  const auto loop = kernels_in_use<T>().maps.compare[code];
  const T *const first = x.data<T>(), *const second = y.data();
  const Index step = y.step();
  auto* const to = out.data<std::uint8_t>();
  in_tasks(out.size(), sizeof(T), 100,
           [&](Index i, Index count) { loop(first + i, second + i * step, step, to + i, count); });
}

/// x (op) y for an array or a Python float y, as bool.
void map_compare(int code, nb::handle x, nb::handle y, nb::handle out, bool wide) {
  check_code(code, kComparisons);
  const Buffer first(x, wide), to(out, '?', Access::Write);
  check_size(first, to.size());
  if (wide) compare<double>(code, first, {y, to.size()}, to);
  else compare<float>(code, first, {y, to.size()}, to);
}

template <typename T>
void select(const Buffer& condition, nb::handle x, nb::handle y, const Buffer& out) {
  const Either<T> first(x, out.size()), second(y, out.size());
  for (const auto* operand : {&first, &second})
    if (operand->array) check_overlap(*operand->array, out, sizeof(T));
  const auto loop = kernels_in_use<T>().maps.select;
  const auto* const chosen = condition.data<std::uint8_t>();
  const T *const a = first.data(), *const b = second.data();
  const Index a_step = first.step(), b_step = second.step();
  T* const to = out.data<T>();
  in_tasks(out.size(), sizeof(T), 150, [&](Index i, Index count) {
    loop(chosen + i, a + i * a_step, a_step, b + i * b_step, b_step, to + i, count);
  });
}

/// x where a bool array holds, else y; each is an array or a Python float.
void map_select(nb::handle condition, nb::handle x, nb::handle y, nb::handle out, bool wide) {
  const Buffer chosen(condition, '?', Access::Read), to(out, wide, Access::Write);
  check_size(chosen, to.size());
  if (wide) select<double>(chosen, x, y, to);
  else select<float>(chosen, x, y, to);
}

template <typename T>
void lookup(const Buffer& x, const Buffer& values, const Buffer& out, Index plane) {
  const auto loop = kernels_in_use<T>().maps.lookup;
  const auto* const from = x.data<std::uint8_t>();
  const T* const table = values.data<T>();
  T* const to = out.data<T>();
  const Index tables = values.size() / 256;
  in_tasks(out.size(), sizeof(T), 300, [&](Index start, Index count) {
    for (Index i = start, end = start + count; i < end;) {
      const Index number = i / plane, stop = min(end, (number + 1) * plane);
      loop(from + i, table + number % tables * 256, to + i, stop - i);
      i = stop;
    }
  });
}

/// values[p % P, x[p]] of uint8 planes p of `plane` elements, for `values` (P, 256).
void map_lookup(nb::handle x, nb::handle values, nb::handle out, bool wide, Index plane) {
  const Buffer from(x, 'B', Access::Read), table(values, wide), to(out, wide, Access::Write);
  check_size(from, to.size());
  if (table.size() == 0 || table.size() % 256 != 0) throw std::invalid_argument("a table needs 256 values");
  if (to.size() == 0) return;
  if (plane < 1 || to.size() % plane != 0) throw std::invalid_argument("planes do not fill the result");
  if (wide) lookup<double>(from, table, to, plane);
  else lookup<float>(from, table, to, plane);
}

/// float32 to bfloat16 or float16, or back.
void map_half(nb::handle x, nb::handle out, bool brain, bool narrow) {
  const char half = brain ? kBrainFormat : 'e';
  const Buffer from(x, narrow ? 'f' : half, Access::Read), to(out, narrow ? half : 'f', Access::Write);
  check_size(from, to.size());
  const HalfCasts& casts = table_in_use().half_casts;
  const Index n = to.size();
  if (narrow) {
    const auto loop = brain ? casts.to_bfloat16 : casts.to_float16;
    in_tasks(n, 4, 100, [&](Index i, Index count) {
      loop(from.data<float>() + i, to.data<std::uint16_t>() + i, count);
    });
  } else {
    const auto loop = brain ? casts.from_bfloat16 : casts.from_float16;
    in_tasks(n, 4, 100, [&](Index i, Index count) {
      loop(from.data<std::uint16_t>() + i, to.data<float>() + i, count);
    });
  }
}

}  // namespace

void bind_maps(nb::module_& m) {
  m.def("map_codes", &map_codes);
  m.def("map_unary", &map_unary, nb::arg("code"), nb::arg("x"), nb::arg("out"), nb::arg("wide"),
        nb::arg("a") = 0.0, nb::arg("b") = 0.0, nb::arg("c") = 0.0);
  m.def("map_binary", &map_binary, nb::arg("code"), nb::arg("x"), nb::arg("y"), nb::arg("out"),
        nb::arg("wide"), nb::arg("a") = 0.0, nb::arg("b") = 0.0, nb::arg("c") = 0.0);
  m.def("map_ternary", &map_ternary, nb::arg("code"), nb::arg("x"), nb::arg("y"), nb::arg("z"),
        nb::arg("out"), nb::arg("wide"), nb::arg("a") = 0.0);
  m.def("map_arithmetic", &map_arithmetic, nb::arg("code"), nb::arg("x"), nb::arg("y"), nb::arg("out"),
        nb::arg("wide"), nb::arg("inner") = 0);
  m.def("map_scalar", &map_scalar, nb::arg("code"), nb::arg("x"), nb::arg("number"), nb::arg("out"),
        nb::arg("wide"));
  m.def("map_remainder", &map_remainder, nb::arg("x"), nb::arg("number"), nb::arg("out"),
        nb::arg("quotient"));
  m.def("map_compare", &map_compare, nb::arg("code"), nb::arg("x"), nb::arg("y"), nb::arg("out"),
        nb::arg("wide"));
  m.def("map_select", &map_select, nb::arg("condition"), nb::arg("x"), nb::arg("y"), nb::arg("out"),
        nb::arg("wide"));
  m.def("map_lookup", &map_lookup, nb::arg("x"), nb::arg("values"), nb::arg("out"), nb::arg("wide"),
        nb::arg("plane"));
  m.def("map_half", &map_half, nb::arg("x"), nb::arg("out"), nb::arg("brain"), nb::arg("narrow"));
}

}  // namespace convgrad
