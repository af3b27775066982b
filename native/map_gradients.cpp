// map_gradients.cpp - elementwise functions of two and three operands: gradients (g times the derivative,
// from x or from the result), and sums with a product in them.
#include "map_loops.hpp"
#include "map_math.hpp"
#include "maps.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

// A struct per name of CONVGRAD_BINARY_MAPS; p are the numbers of the call.

/// Not a gradient: x + p[0] y.
struct AddScaled {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, Vec<T> y, const T* p) {
    return x + y * p[0];
  }
};
/// Not a gradient: p[0] of the way from x to y, counted from the nearer end: all of it gives y itself.
struct Lerp {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, Vec<T> y, const T* p) {
    const bool near = p[0] > T(-0.5) && p[0] < T(0.5);
    return near ? x + (y - x) * p[0] : y - (y - x) * (T(1) - p[0]);
  }
};
struct AbsGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> x, const T*) {
    return x > T(0) ? g : (x < T(0) ? -g : g * T(0));
  }
};
/// p[0], p[1]: the bounds, at which g passes; it does not where x is NaN.
struct ClampGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> x, const T* p) {
    return x >= p[0] ? (x <= p[1] ? g : Vec<T>{}) : Vec<T>{};
  }
};
struct SquareGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> x, const T*) {
    return g * (x + x);
  }
};
struct SqrtGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> out, const T*) {
    return g / (out * T(2));
  }
};
struct RsqrtGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> out, const T*) {
    return g * (out * out * out) * T(-0.5);
  }
};
struct ReciprocalGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> out, const T*) {
    return -g * (out * out);
  }
};
/// out is not negative; a NaN in it lets g pass.
struct ReluGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> out, const T*) {
    return out != T(0) ? g : Vec<T>{};
  }
};
struct LeakyReluGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> x, const T* p) {
    return x > T(0) ? g : g * p[0];
  }
};
struct HardtanhGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> x, const T* p) {
    return x <= p[0] ? Vec<T>{} : (x >= p[1] ? Vec<T>{} : g);
  }
};
struct HardsigmoidGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> x, const T*) {
    return x > T(-3) ? (x < T(3) ? g * T(1.0 / 6.0) : Vec<T>{}) : Vec<T>{};
  }
};
struct HardswishGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> x, const T*) {
    return x <= T(-3) ? Vec<T>{} : (x < T(3) ? g * (x * T(1.0 / 3.0) + T(0.5)) : g);
  }
};
struct TanhGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> out, const T*) {
    return g * (T(1) - out * out);
  }
};
struct SigmoidGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> out, const T*) {
    return g * (out * (T(1) - out));
  }
};
/// g times the logistic function of -x.
struct LogSigmoidGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> x, const T*) {
    return g * sigmoid_of<T>(-x);
  }
};
struct SiluGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> x, const T*) {
    const auto both = logistic<T>(x);
    const auto below = x < T(0);
    const Vec<T> s = below ? both.near_zero : both.near_one, rest = below ? both.near_one : both.near_zero;
    return g * (s * (x * rest + T(1)));
  }
};
struct SoftplusGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> x, const T* p) {
    const Vec<T> z = x * p[0];
    return z > p[1] ? g : g * sigmoid_of<T>(z);
  }
};
/// p[0]: alpha scale speed, p[1]: scale, p[2]: speed.
struct EluGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> x, const T* p) {
    return g * (x <= T(0) ? exp_of<T>(x * p[2]) * p[0] : splat(p[1]));
  }
};
/// With t and n as in Mish: w + x w', where w = n / (n + 2) and w' = 4 t (t + 1) / (n + 2)².
struct MishGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> x, const T*) {
    const Vec<T> t = exp_of<T>(at_most<T>(x, T(20))), n = t * (t + T(2)),
                 r = quotient<T>(splat(T(1)), n + T(2));
    const Vec<T> slope = x > T(20) ? Vec<T>{} : t * (t + T(1)) * T(4) * (r * r);
    return g * (n * r + x * slope);
  }
};
struct ErfGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> x, const T*) {
    const Vec<T> a = at_most<T>(magnitude<T>(x), Format<T>::kNormalTail * T(0.7));  // e^-x² is 0 there
    return g * (bell<T>(a, T(1)) * T(1.1283791670955126));
  }
};
struct GeluGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> x, const T*) {
    const auto at = normal<T>(x);
    return g * (at.share + x * (at.bell * T(0.3989422804014327)));
  }
};
/// With s the logistic function of 2 u: s + x s (1 - s) 2 u'.
struct GeluTanhGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> x, const T*) {
    const Vec<T> square = x * x;
    const auto both = logistic<T>(x * (square * T(0.044715) + T(1)) * T(1.5957691216057308));
    const Vec<T> slope = (square * T(3 * 0.044715) + T(1)) * T(1.5957691216057308);
    const Vec<T> s = x < T(0) ? both.near_zero : both.near_one;
    return g * (s + x * (both.near_one * both.near_zero) * slope);
  }
};

// A struct per name of CONVGRAD_TERNARY_MAPS.

/// x + p[0] a b.
struct AddProduct {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, Vec<T> a, Vec<T> b, const T* p) {
    return x + a * b * p[0];
  }
};
/// x + p[0] a / b.
struct AddQuotient {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> x, Vec<T> a, Vec<T> b, const T* p) {
    return x + a / b * p[0];
  }
};
/// Of a / b, for b.
struct DivisorGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> a, Vec<T> b, const T*) {
    return -g * (a / b / b);
  }
};
/// For the first of the two operands: equals share g; NaN in one of them lets it pass.
struct MaximumGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> a, Vec<T> b, const T*) {
    return a < b ? Vec<T>{} : (a == b ? g * T(0.5) : g);
  }
};
struct MinimumGrad {
  template <typename T>
  CONVGRAD_INLINE Vec<T> of(Vec<T> g, Vec<T> a, Vec<T> b, const T*) {
    return a > b ? Vec<T>{} : (a == b ? g * T(0.5) : g);
  }
};

}  // namespace

template <typename T>
const BinaryLoop<T>* binary_loops() {
#define CONVGRAD_LOOP(name, cost) &binary_loop<T, name>,
  static constexpr BinaryLoop<T> loops[] = {CONVGRAD_BINARY_MAPS(CONVGRAD_LOOP)};
#undef CONVGRAD_LOOP
  return loops;
}

template <typename T>
const TernaryLoop<T>* ternary_loops() {
#define CONVGRAD_LOOP(name, cost) &ternary_loop<T, name>,
  static constexpr TernaryLoop<T> loops[] = {CONVGRAD_TERNARY_MAPS(CONVGRAD_LOOP)};
#undef CONVGRAD_LOOP
  return loops;
}

template const BinaryLoop<float>* binary_loops<float>();
template const BinaryLoop<double>* binary_loops<double>();
template const TernaryLoop<float>* ternary_loops<float>();
template const TernaryLoop<double>* ternary_loops<double>();

}  // namespace convgrad::CONVGRAD_ISA
