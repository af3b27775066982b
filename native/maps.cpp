// maps.cpp - elementwise arithmetic, and the table of all elementwise operations.
#include "maps.hpp"

#include "map_loops.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

// A struct per name of CONVGRAD_ARITHMETIC_MAPS.

struct Add {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, Vec<T> y, const T*) {
    return x + y;
  }
};
struct Sub {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, Vec<T> y, const T*) {
    return x - y;
  }
};
struct Mul {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, Vec<T> y, const T*) {
    return x * y;
  }
};
struct Div {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, Vec<T> y, const T*) {
    return x / y;
  }
};
/// NaN where either is, as in NumPy and PyTorch.
struct Maximum {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, Vec<T> y, const T*) {
    return (x > y) | (x != x) ? x : y;
  }
};
struct Minimum {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, Vec<T> y, const T*) {
    return (x < y) | (x != x) ? x : y;
  }
};
struct SubFrom {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, Vec<T> y, const T*) {
    return y - x;
  }
};
struct DivInto {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, Vec<T> y, const T*) {
    return y / x;
  }
};

}  // namespace

template <typename T>
Maps<T> maps_functions() {
#define CONVGRAD_LOOP(name, cost) &binary_loop<T, name>,
  static constexpr BinaryLoop<T> arithmetic[] = {CONVGRAD_ARITHMETIC_MAPS(CONVGRAD_LOOP)};
#undef CONVGRAD_LOOP
#define CONVGRAD_LOOP(name, cost) &scalar_loop<T, name>,
  static constexpr ScalarLoop<T> scalar[] = {CONVGRAD_ARITHMETIC_MAPS(CONVGRAD_LOOP)};
#undef CONVGRAD_LOOP
  Maps<T> all = choices<T>();
  all.unary = unary_loops<T>();
  all.binary = binary_loops<T>();
  all.ternary = ternary_loops<T>();
  all.arithmetic = arithmetic;
  all.scalar = scalar;
  return all;
}

template Maps<float> maps_functions<float>();
template Maps<double> maps_functions<double>();

}  // namespace convgrad::CONVGRAD_ISA
