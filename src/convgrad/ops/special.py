"""Exponentials, logarithms, trigonometric, hyperbolic, error and gamma functions.

Formulas: DLMF chapters 4, 5 and 7. Complex gradients follow PyTorch's convention, so a holomorphic f
has ``vjp(g) = g conj(f'(x))``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import F32, Array
from ..kernels import table
from ..kernels.error_function import erfc
from .elementwise import Exp, Log, applied, refuse
from .errorfunction import digamma, erfinv, lgamma, polygamma
from .formula import LARGE, Value, call, conj, one_minus, plain, times, where
from .op import Elementwise, Ufunc

LN2, LN10, PI = math.log(2.0), math.log(10.0), math.pi
TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)


class OfInput(Ufunc):
    """A ufunc whose derivative is written in terms of its input."""

    saves = ("x",)

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[Array]]:
        return (cls.ufunc(x) if x.size < LARGE else table.mapped(cls.ufunc, x)), (x,)


class OfOutput(Ufunc):
    """A ufunc whose derivative is written in terms of its result."""

    saves = ("out",)

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[Array]]:
        out = cls.ufunc(x) if x.size < LARGE else table.mapped(cls.ufunc, x)
        return out, (out,)


class Sqrt(OfOutput):
    """The square root; NaN for negative real numbers."""

    ufunc = np.sqrt

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        out = np.sqrt(x) if x.size < LARGE else table.sqrt(x)
        return out, (out,)

    @staticmethod
    def vjp_x(g: Value, out: Value) -> Value:
        if plain(g, out):
            return table.sqrt_grad(g, out)
        return g / (conj(out) * 2.0)


class Rsqrt(OfOutput):
    """``1 / sqrt(x)``."""

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[Array]]:
        out = table.rsqrt(x)
        return out, (out,)

    @staticmethod
    def vjp_x(g: Value, out: Value) -> Value:
        if plain(g, out):
            return table.rsqrt_grad(g, out)
        return g * conj(out * out * out) * -0.5


class Reciprocal(OfOutput):
    """``1 / x``."""

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[Array]]:
        out = table.reciprocal(x)
        return out, (out,)

    @staticmethod
    def vjp_x(g: Value, out: Value) -> Value:
        if plain(g, out):
            return table.reciprocal_grad(g, out)
        return -g * conj(out * out)


class Exp2(OfOutput):
    """``2 ** x``."""

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[Array]]:
        if x.dtype.kind == "c":
            out = np.exp(x * LN2)
        else:
            out = np.exp2(x) if x.size < LARGE else table.mapped(np.exp2, x)
        return out, (out,)

    @staticmethod
    def vjp_x(g: Value, out: Value) -> Value:
        return g * conj(out) * LN2


class Expm1(OfOutput):
    """``e ** x - 1``, exact to rounding near 0 too."""

    ufunc = np.expm1

    @staticmethod
    def vjp_x(g: Value, out: Value) -> Value:
        return g * conj(out + 1.0)


class Log2(OfInput):
    """The logarithm to base 2."""

    ufunc = np.log2

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g / (conj(x) * LN2)


class Log10(OfInput):
    """The logarithm to base 10."""

    ufunc = np.log10

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g / (conj(x) * LN10)


class Log1p(OfInput):
    """``log(1 + x)``, exact to rounding near 0 too."""

    backward_name = "Log1PBackward0"
    ufunc = np.log1p

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g / (conj(x) + 1.0)


class Sin(OfInput):
    """The sine; x in radians."""

    ufunc = np.sin

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g * conj(call(Cos, x))


class Cos(OfInput):
    """The cosine; x in radians."""

    ufunc = np.cos

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return -g * conj(call(Sin, x))


class Tan(OfOutput):
    """The tangent; x in radians."""

    ufunc = np.tan

    @staticmethod
    def vjp_x(g: Value, out: Value) -> Value:
        return g * conj(out * out + 1.0)


class Asin(OfInput):
    """The inverse sine, in radians within [-pi/2, pi/2]; NaN outside of [-1, 1]."""

    ufunc = np.arcsin

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g * conj((1.0 - x * x) ** -0.5)


class Acos(OfInput):
    """The inverse cosine, in radians within [0, pi]; NaN outside of [-1, 1]."""

    ufunc = np.arccos

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return -g * conj((1.0 - x * x) ** -0.5)


class Atan(OfInput):
    """The inverse tangent, in radians within (-pi/2, pi/2)."""

    ufunc = np.arctan

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g / conj(x * x + 1.0)


class Sinh(OfInput):
    """The hyperbolic sine."""

    ufunc = np.sinh

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g * conj(call(Cosh, x))


class Cosh(OfInput):
    """The hyperbolic cosine."""

    ufunc = np.cosh

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g * conj(call(Sinh, x))


class Tanh(OfOutput):
    """The hyperbolic tangent."""

    ufunc = np.tanh

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        out = np.tanh(x) if x.size < LARGE else table.tanh(x)
        return out, (out,)

    @staticmethod
    def vjp_x(g: Value, out: Value) -> Value:
        if plain(g, out):
            return table.tanh_grad(g, out)
        return times(g, one_minus(out * out))


class Asinh(OfInput):
    """The inverse hyperbolic sine."""

    ufunc = np.arcsinh

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g * conj((x * x + 1.0) ** -0.5)


class Acosh(OfInput):
    """The inverse hyperbolic cosine; NaN below 1."""

    ufunc = np.arccosh

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        # two roots, not the root of the product: right on every sheet of the complex plane
        if x.dtype.kind != "c":
            return g * (x * x - 1.0) ** -0.5
        return g * conj((x - 1.0) ** -0.5 * (x + 1.0) ** -0.5)


class Atanh(OfInput):
    """The inverse hyperbolic tangent; NaN outside of [-1, 1]."""

    ufunc = np.arctanh

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g / conj(1.0 - x * x)


class Atan2(Ufunc):
    """The angle of the point (b, a), in radians within [-pi, pi]; gradient 0 at the origin."""

    backward_name = "Atan2Backward0"
    saves = ("a", "b")
    ufunc = np.arctan2

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        refuse("atan2_cpu", "c", a, b)
        return applied(np.arctan2, a, b), (a, b)

    @staticmethod
    def vjp_a(g: Value, a: Value, b: Value) -> Value:
        return g * (b * _inverse(a * a + b * b))

    @staticmethod
    def vjp_b(g: Value, a: Value, b: Value) -> Value:
        return g * (-a * _inverse(a * a + b * b))


def _inverse(square: Value) -> Value:
    """1 / square, and 0 where it is 0."""
    zero = square == 0
    return where(zero, 0.0, 1.0 / where(zero, 1.0, square))


class Hypot(Ufunc):
    """``sqrt(a² + b²)`` without overflow."""

    saves = ("a", "b", "out")
    ufunc = np.hypot

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array, Array]]:
        refuse("hypot_cpu", "biuc", a, b)
        out = applied(np.hypot, a, b)
        return out, (a, b, out)

    @staticmethod
    def vjp_a(g: Value, a: Value, _b: Value, out: Value) -> Value:
        return g * (a / out)

    @staticmethod
    def vjp_b(g: Value, _a: Value, b: Value, out: Value) -> Value:
        return g * (b / out)


class LogAddExp(Ufunc):
    """``log(e^a + e^b)`` without overflow."""

    backward_name = "LogaddexpBackward0"
    saves = ("a", "b", "out")
    ufunc = np.logaddexp

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array, Array]]:
        refuse("logaddexp_cpu", "biuc", a, b)
        out = applied(np.logaddexp, a, b)
        return out, (a, b, out)

    @staticmethod
    def vjp_a(g: Value, a: Value, _b: Value, out: Value) -> Value:
        return g * _share(a, out)

    @staticmethod
    def vjp_b(g: Value, _a: Value, b: Value, out: Value) -> Value:
        return g * _share(b, out)


def _share(a: Value, out: Value) -> Value:
    """``e^(a - out)``, where inf - inf counts as 0."""
    return call(Exp, where((a == out) & ((a == math.inf) | (a == -math.inf)), 0.0, a - out))


class LogAddExp2(Ufunc):
    """``log2(2^a + 2^b)`` without overflow."""

    backward_name = "Logaddexp2Backward0"
    saves = ("a", "b", "out")
    ufunc = np.logaddexp2

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array, Array]]:
        refuse("logaddexp2_cpu", "biuc", a, b)
        out = applied(np.logaddexp2, a, b)
        return out, (a, b, out)

    @staticmethod
    def vjp_a(g: Value, a: Value, _b: Value, out: Value) -> Value:
        return g * call(Exp2, a - out)

    @staticmethod
    def vjp_b(g: Value, _a: Value, b: Value, out: Value) -> Value:
        return g * call(Exp2, b - out)


class XLogY(Ufunc):
    """``a log(b)``, and 0 where a is 0 (unless b is NaN)."""

    backward_name = "XlogyBackward0"
    saves = ("a", "b")

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        refuse("xlogy_cpu", "c", a, b)
        if plain(a, b) and a.size >= LARGE and a.shape == b.shape:
            product = table.arithmetic(np.multiply, a, table.log(b))
            zero = table.compare(np.equal, a, 0.0)
            return (table.select(zero & (b == b), 0.0, product) if zero.any() else product), (a, b)
        zero = (a == 0) & (b == b)
        return np.where(zero, 0.0, a * np.log(np.where(zero, 1.0, b))).astype(np.result_type(a, b)), (a, b)

    @staticmethod
    def vjp_a(g: Value, a: Value, b: Value) -> Value:
        zero = (a == 0) & (b <= 0)
        return g * where(zero, 0.0, call(Log, where(zero, 1.0, b) if not isinstance(b, (int, float)) else b))

    @staticmethod
    def vjp_b(g: Value, a: Value, b: Value) -> Value:
        return g * a / b


class XLogYFirst(XLogY):
    """``a log(b)`` for a number a (its node has another name in PyTorch)."""

    backward_name = "XlogyBackward1"


class XLogYNumber(XLogY):
    """``a log(b)`` for a number b (its node has another name in PyTorch)."""

    backward_name = "XlogyBackward2"


class Sigmoid(OfOutput):
    """``1 / (1 + e^-x)``, computed from ``e^-|x|`` so that nothing overflows."""

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[Array]]:
        out = sigmoid(x)
        return out, (out,)

    @staticmethod
    def vjp_x(g: Value, out: Value) -> Value:
        if plain(g, out):
            return table.sigmoid_grad(g, out)
        return times(g, out * one_minus(out))


def sigmoid(x: Array) -> Array:
    """The logistic function of an array."""
    return table.sigmoid(x)


class Logit(Elementwise):
    """``log(x / (1 - x))``: the sigmoid's inverse; with ``eps``, x is first clamped to [eps, 1 - eps]."""

    saves = ("x", "eps")

    @staticmethod
    def forward(x: Array, eps: float | None) -> tuple[Array, tuple[Any, ...]]:
        refuse("logit_cpu", "c", x)
        inner = x if eps is None else np.clip(x, eps, 1.0 - eps)
        return np.log(inner / (1.0 - inner)), (x, eps)

    @staticmethod
    def vjp_x(g: Value, x: Value, eps: float | None) -> Value:
        if eps is None:
            return where((x < 0) | (x > 1), math.nan, g / (x * (1.0 - x)))
        outside = (x < eps) | (x > 1.0 - eps)
        inner = where(outside, 0.5, x)
        return where(outside, 0.0, g / (inner * (1.0 - inner)))


class Erf(OfInput):
    """The error function, ``2/sqrt(pi)`` times the integral of ``e^-t²`` from 0 to x."""

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[Array]]:
        if x.dtype is not F32:
            refuse("erf_vml_cpu", "c", x)
        return table.erf(x), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        if plain(g, x):
            return table.erf_grad(g, x)
        return g * (call(Exp, -(x * x)) * TWO_OVER_SQRT_PI)


class Erfc(OfInput):
    """``1 - erf(x)``, precise in the tail where it is tiny."""

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[Array]]:
        refuse("erfc_vml_cpu", "c", x)
        return erfc(x), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g * (call(Exp, -(x * x)) * -TWO_OVER_SQRT_PI)


class Erfinv(OfOutput):
    """The inverse of the error function on (-1, 1); infinite at the ends."""

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[Array]]:
        refuse("erfinv_vml_cpu", "c", x)
        out = erfinv(x)
        return out, (out,)

    @staticmethod
    def vjp_x(g: Value, out: Value) -> Value:
        return g * (call(Exp, out * out) / TWO_OVER_SQRT_PI)


class Lgamma(OfInput):
    """The logarithm of the absolute value of the gamma function."""

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[Array]]:
        refuse("lgamma_vml_cpu", "c", x)
        return lgamma(x), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g * call(Digamma, x)


class Digamma(OfInput):
    """The derivative of ``log gamma(x)``; -inf at 0, NaN at negative integers."""

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[Array]]:
        refuse("digamma", "c", x)
        return digamma(x), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g * call(Polygamma, x, 1)


class Polygamma(Elementwise):
    """The n-th derivative of digamma; n = 0 is digamma itself."""

    saves = ("x", "n")

    @staticmethod
    def forward(x: Array, n: int) -> tuple[Array, tuple[Any, ...]]:
        refuse("digamma" if n == 0 else "polygamma", "c", x)
        return polygamma(n, x) if n else digamma(x), (x, n)

    @staticmethod
    def vjp_x(g: Value, x: Value, n: int) -> Value:
        return g * call(Polygamma, x, n + 1)


class Sinc(OfInput):
    """``sin(pi x) / (pi x)``, 1 at 0."""

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[Array]]:
        zero = x == 0
        t = np.where(zero, 1.0, x * PI)
        return np.where(zero, 1.0, np.sin(t) / t), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        zero = x == 0
        t = where(zero, 1.0, x * PI)
        slope = (t * call(Cos, t) - call(Sin, t)) / (t * t) * PI
        # near 0 the derivative is -pi² x / 3: written so, the second derivative is right there too
        return g * conj(where(zero, x * (-PI * PI / 3.0), slope))


class Deg2Rad(Elementwise):
    """Degrees to radians."""

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[()]]:
        refuse("deg2rad", "c", x)
        return x * (PI / 180.0), ()

    @staticmethod
    def vjp_x(g: Value) -> Value:
        return g * (PI / 180.0)


class Rad2Deg(Elementwise):
    """Radians to degrees."""

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[()]]:
        refuse("rad2deg", "c", x)
        return x * (180.0 / PI), ()

    @staticmethod
    def vjp_x(g: Value) -> Value:
        return g * (180.0 / PI)
