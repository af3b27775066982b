// map_functions.cpp - elementwise functions of one operand.
#include "error_function.hpp"
#include "logarithm.hpp"
#include "map_loops.hpp"
#include "maps.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

// A struct per name of CONVGRAD_UNARY_MAPS; p are the numbers of the call.

struct Abs {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return magnitude<T>(x);
  }
};
/// By the bits: numbers near zero count, whether they are flushed or not.
struct Sign {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    const Bits<T> size = (Bits<T>)magnitude<T>(x);
    const Bits<T> counts = (Bits<T>)(size != 0) & (Bits<T>)(size <= (Bits<T>)splat(kInfinity<T>));
    return (Vec<T>)((Bits<T>)with_sign<T>(splat(T(1)), x) & counts);
  }
};
struct Neg {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return -x;
  }
};
struct Square {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return x * x;
  }
};
struct Cube {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return x * x * x;
  }
};
struct Sqrt {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return square_root<T>(x);
  }
};
struct Rsqrt {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return T(1) / square_root<T>(x);
  }
};
struct Reciprocal {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return T(1) / x;
  }
};
struct Relu {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return at_least<T>(x, T(0));
  }
};
/// p[0]: the slope.
struct LeakyRelu {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T* p) {
    return x > T(0) ? x : x * p[0];
  }
};
/// p[0], p[1]: the bounds.
struct Hardtanh {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T* p) {
    return at_most<T>(at_least<T>(x, p[0]), p[1]);
  }
};
struct Hardsigmoid {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return at_most<T>(at_least<T>(x + T(3), T(0)), T(6)) * T(1.0 / 6.0);
  }
};
struct Hardswish {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return x * at_most<T>(at_least<T>(x + T(3), T(0)), T(6)) * T(1.0 / 6.0);
  }
};
struct Exp {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return vector_exp<T>(x);
  }
};
struct Log {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return vector_log<T>(x);
  }
};
struct Tanh {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return vector_tanh<T>(x);
  }
};
struct Sigmoid {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return vector_sigmoid<T>(x);
  }
};
struct LogSigmoid {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return at_most<T>(x, T(0)) - log_share<T>(x);
  }
};
struct Silu {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return x * vector_sigmoid<T>(x);
  }
};
/// p[0]: beta, p[1]: the threshold.
struct Softplus {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T* p) {
    const Vec<T> z = x * p[0];
    return z > p[1] ? x : (at_least<T>(z, T(0)) + log_share<T>(z)) / p[0];
  }
};
/// p[0]: alpha scale, p[1]: scale, p[2]: speed.
struct Elu {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T* p) {
    return x > T(0) ? x * p[1] : vector_expm1<T>(at_most<T>(x, T(0)) * p[2]) * p[0];
  }
};
/// With t = e^x, tanh(log(1 + t)) = n / (n + 2) where n = t (t + 2); from x = 20 on it is 1.
struct Mish {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    const Vec<T> t = vector_exp<T>(at_most<T>(x, T(20))), n = t * (t + T(2));
    return x * quotient<T>(n, n + T(2));
  }
};
struct Erf {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return vector_erf<T>(x);
  }
};
struct Gelu {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return x * normal<T>(x).share;
  }
};
/// (1 + tanh(u)) / 2 is the logistic function of 2 u.
struct GeluTanh {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, const T*) {
    return x * vector_sigmoid<T>(x * (x * x * T(0.044715) + T(1)) * T(1.5957691216057308));
  }
};

}  // namespace

template <typename T>
const UnaryLoop<T>* unary_loops() {
#define CONVGRAD_LOOP(name, cost) &unary_loop<T, name>,
  static constexpr UnaryLoop<T> loops[] = {CONVGRAD_UNARY_MAPS(CONVGRAD_LOOP)};
#undef CONVGRAD_LOOP
  return loops;
}

template const UnaryLoop<float>* unary_loops<float>();
template const UnaryLoop<double>* unary_loops<double>();

}  // namespace convgrad::CONVGRAD_ISA
