"""Elementwise functions and their gradients in NumPy: what the compiled ones compute.

Arrays of any shape; a function takes x and gives an array of its shape and dtype, a gradient takes g and
what the function saved, of one shape. ``ops/`` documents each function and has the sources.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convgrad.dtypes import F32, F64, Array
from convgrad.kernels import error_function

#: 0-d arrays, which a ufunc takes twice as fast as Python numbers
_ONE = {kind: np.ones((), kind) for kind in (F32, F64)}
_ROOT = math.sqrt(2.0 / math.pi)


def arithmetic(ufunc: np.ufunc, a: Any, b: Any, out: Array | None = None) -> Any:
    """``ufunc(a, b)`` by NumPy's rules of broadcasting, for any ufunc of two operands."""
    return ufunc(a, b) if out is None else ufunc(a, b, out=out)


def mapped(ufunc: np.ufunc, x: Array) -> Any:
    """``ufunc(x)``."""
    return ufunc(x)


def compare(ufunc: np.ufunc, a: Any, b: Any) -> Any:
    """``ufunc(a, b)``, a comparison: bool."""
    return ufunc(a, b)


def select(condition: Any, a: Any, b: Any) -> Array:
    """a where the condition holds, else b."""
    return np.where(condition, a, b)


def cast(x: Array, dtype: np.dtype[Any]) -> Array:
    """x in another dtype, a copy; floats are rounded to nearest, ties to even, and may become infinite."""
    with np.errstate(invalid="ignore", over="ignore"):
        return x.astype(dtype)


def contiguous(x: Array) -> Array:
    """x in memory of its own, its rows one after another."""
    return x.copy(order="C")


def copy(x: Array) -> Array:
    """x in memory of its own, its axes as they lie."""
    return x.copy(order="K")


def lookup(x: Array, values: Array) -> Array:
    """``values[c, x[..., c, :, :]]`` of uint8 x ``(..., C, H, W)`` and ``values`` ``(C, 256)``."""
    return values[np.arange(values.shape[0])[:, None, None], x]


def add_scaled(x: Array, y: Array, alpha: float, out: Array | None = None) -> Array:
    """``x + alpha y``."""
    return np.add(x, y * alpha, out)


def lerp(x: Array, y: Array, weight: float) -> Array:
    """``x + weight (y - x)``; from half of the way on counted from y's end: weight 1 gives y itself."""
    return x + weight * (y - x) if abs(weight) < 0.5 else y - (y - x) * (1 - weight)


def add_product(x: Array, a: Array, b: Array, factor: Any) -> Array:
    """``x + factor a b``."""
    return x + factor * (a * b)


def add_quotient(x: Array, a: Array, b: Array, factor: Any) -> Array:
    """``x + factor a / b``."""
    return x + factor * (a / b)


# ---- simple functions


def negative(x: Array) -> Array:
    """``-x``"""
    return np.negative(x)


def absolute(x: Array) -> Array:
    """``|x|``"""
    return np.abs(x)


def sign(x: Array) -> Array:
    """-1, 0 or 1; 0 for NaN."""
    return np.where(x != x, x.dtype.type(0), np.sign(x))


def square(x: Array) -> Array:
    """``x²``"""
    return np.square(x)


def cube(x: Array) -> Array:
    """``x³``"""
    return np.square(x) * x


def sqrt(x: Array) -> Array:
    """The square root."""
    return np.sqrt(x)


def rsqrt(x: Array) -> Array:
    """``1 / sqrt(x)``"""
    return 1.0 / np.sqrt(x)


def reciprocal(x: Array) -> Array:
    """``1 / x``"""
    return 1.0 / x


def relu(x: Array) -> Array:
    """``max(x, 0)``"""
    return np.maximum(x, x.dtype.type(0))


def leaky_relu(x: Array, slope: float) -> Array:
    """x where positive, ``slope x`` elsewhere."""
    return np.where(x > 0, x, x * slope)


def hardtanh(x: Array, low: Any, high: Any) -> Array:
    """x kept within [low, high]."""
    kind = x.dtype.type
    return np.minimum(np.maximum(x, kind(low)), kind(high))


def clamp(x: Array, low: Any, high: Any, out: Array | None = None) -> Any:
    """x kept within [low, high], of which one may be None. NaN stays; as a bound it makes all NaN."""
    if low is not None:
        x = np.maximum(x, low, out=out)
    return x if high is None else np.minimum(x, high, out=out)


def hardsigmoid(x: Array) -> Array:
    """``min(max(x + 3, 0), 6) / 6``"""
    return np.minimum(np.maximum(x + 3.0, 0.0), 6.0) * (1.0 / 6.0)


def hardswish(x: Array) -> Array:
    """``x min(max(x + 3, 0), 6) / 6``"""
    return x * np.minimum(np.maximum(x + 3.0, 0.0), 6.0) * (1.0 / 6.0)


# ---- exponentials and their kin


def exp(x: Array) -> Array:
    """``e^x``"""
    return np.exp(x)


def log(x: Array) -> Array:
    """The natural logarithm."""
    return np.log(x)


def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    return np.tanh(x)


def sigmoid(x: Array) -> Array:
    """``1 / (1 + e^-x)``, as ``e^min(x, 0) / (1 + e^-|x|)``, where nothing overflows."""
    if x.dtype is not F32 and x.dtype is not F64:
        return np.asarray(1.0 / (1.0 + np.exp(-x)))
    small = np.asarray(np.abs(x))  # each step writes over the last
    np.negative(small, small)
    np.exp(small, small)
    out = np.asarray(np.heaviside(x, _ONE[x.dtype]))
    np.maximum(out, small, out=out)
    np.add(small, _ONE[x.dtype], small)
    return np.divide(out, small, out)


def log_sigmoid(x: Array) -> Array:
    """``-log(1 + e^-x)``"""
    return -np.logaddexp(-x, x.dtype.type(0))


def silu(x: Array) -> Array:
    """``x sigmoid(x)``"""
    return x * sigmoid(x)


def softplus(x: Array, beta: float, threshold: float) -> Array:
    """``log(1 + e^(beta x)) / beta``, x itself where ``beta x`` exceeds the threshold."""
    z = x * beta
    return np.where(z > threshold, x, np.logaddexp(z, z.dtype.type(0)) / beta)


def elu(x: Array, alpha: float, scale: float, speed: float) -> Array:
    """``scale x`` where positive, ``scale alpha (e^(speed x) - 1)`` elsewhere."""
    low = np.expm1(np.minimum(x, 0) * speed) * (alpha * scale)
    return np.where(x > 0, x * scale, low)


def mish(x: Array) -> Array:
    """``x tanh(log(1 + e^x))``"""
    return x * np.tanh(np.logaddexp(x, x.dtype.type(0)))


def erf(x: Array) -> Array:
    """The error function."""
    return error_function.erf(x)


def _share(x: Array) -> Array:
    return (erf(np.asarray(x * math.sqrt(0.5))) + 1.0) * 0.5


def gelu(x: Array) -> Array:
    """``x P(X <= x)`` for a standard normal X."""
    return x * _share(x)


def gelu_tanh(x: Array) -> Array:
    """``x (1 + tanh(sqrt(2/pi) (x + 0.044715 x³))) / 2``"""
    return x * (np.tanh((x + x * x * x * 0.044715) * _ROOT) + 1.0) * 0.5


# ---- gradients, from x or from the result


def sqrt_grad(g: Array, out: Array) -> Array:
    """Of ``sqrt``."""
    return g / (out * 2.0)


def rsqrt_grad(g: Array, out: Array) -> Array:
    """Of ``rsqrt``."""
    return g * (out * out * out) * -0.5


def reciprocal_grad(g: Array, out: Array) -> Array:
    """Of ``reciprocal``."""
    return -g * (out * out)


def square_grad(g: Array, x: Array) -> Array:
    """Of ``square``."""
    return g * (x + x)


def relu_grad(g: Array, out: Array) -> Array:
    """Of ``relu``: a NaN in g stays out where x < 0."""
    return np.where(out != 0, g, 0.0)


def absolute_grad(g: Array, x: Array) -> Array:
    """Of ``absolute``: 0 at 0, and where x is NaN."""
    return g * np.where(x != x, 0.0, np.sign(x))


def clamp_grad(g: Array, x: Array, low: Any, high: Any) -> Array:
    """Of ``clamp``: g passes at the bounds too."""
    inside = True if low is None else x >= low
    return np.where(inside if high is None else inside & (x <= high), g, 0.0)


def maximum_grad(g: Array, a: Array, b: Array) -> Array:
    """Of ``maximum(a, b)`` for a: half of g where both are equal."""
    return np.where(a < b, 0.0, np.where(a == b, g * 0.5, g))


def minimum_grad(g: Array, a: Array, b: Array) -> Array:
    """Of ``minimum(a, b)`` for a: half of g where both are equal."""
    return np.where(a > b, 0.0, np.where(a == b, g * 0.5, g))


def divisor_grad(g: Array, a: Array, b: Array) -> Array:
    """Of ``a / b`` for b."""
    return -g * (a / b / b)


def leaky_relu_grad(g: Array, x: Array, slope: float) -> Array:
    """Of ``leaky_relu``."""
    return np.where(x > 0, g, g * slope)


def hardtanh_grad(g: Array, x: Array, low: Any, high: Any) -> Array:
    """Of ``hardtanh``."""
    return np.where((x <= low) | (x >= high), 0.0, g)


def hardsigmoid_grad(g: Array, x: Array) -> Array:
    """Of ``hardsigmoid``."""
    return np.where((x > -3) & (x < 3), g * (1.0 / 6.0), 0.0)


def hardswish_grad(g: Array, x: Array) -> Array:
    """Of ``hardswish``."""
    return np.where(x <= -3, 0.0, np.where(x < 3, g * (x * (1.0 / 3.0) + 0.5), g))


def tanh_grad(g: Array, out: Array) -> Array:
    """Of ``tanh``."""
    return g * (1.0 - out * out)


def sigmoid_grad(g: Array, out: Array) -> Array:
    """Of ``sigmoid``."""
    return g * (out * (1.0 - out))


def log_sigmoid_grad(g: Array, x: Array) -> Array:
    """Of ``log_sigmoid``."""
    return g * sigmoid(np.asarray(-x))


def silu_grad(g: Array, x: Array) -> Array:
    """Of ``silu``."""
    s = sigmoid(x)
    return g * (s * (x * (1.0 - s) + 1.0))


def softplus_grad(g: Array, x: Array, beta: float, threshold: float) -> Array:
    """Of ``softplus``."""
    z = np.asarray(x * beta)
    return np.where(z > threshold, g, g * sigmoid(z))


def elu_grad(g: Array, x: Array, alpha: float, scale: float, speed: float) -> Array:
    """Of ``elu``."""
    low = np.exp(np.minimum(x, 0) * speed) * (alpha * scale * speed)
    return g * np.where(x <= 0, low, scale)


def mish_grad(g: Array, x: Array) -> Array:
    """Of ``mish``."""
    bend = np.tanh(np.logaddexp(x, x.dtype.type(0)))
    return g * (bend + x * (1.0 - bend * bend) * sigmoid(x))


def erf_grad(g: Array, x: Array) -> Array:
    """Of ``erf``."""
    return g * (np.exp(-(x * x)) * (2.0 / math.sqrt(math.pi)))


def gelu_grad(g: Array, x: Array) -> Array:
    """Of ``gelu``."""
    return g * (_share(x) + x * (np.exp(x * x * -0.5) * (1.0 / math.sqrt(2.0 * math.pi))))


def gelu_tanh_grad(g: Array, x: Array) -> Array:
    """Of ``gelu_tanh``."""
    square = x * x
    bend = np.tanh(x * (square * 0.044715 + 1.0) * _ROOT)
    slope = (square * (3.0 * 0.044715) + 1.0) * _ROOT
    return g * ((bend + 1.0) * 0.5 + x * (1.0 - bend * bend) * slope * 0.5)
