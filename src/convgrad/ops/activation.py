"""Activation functions, elementwise and along an axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy import ndarray

from ..dtypes import B8, Array
from ..errors import ConvgradError
from ..kernels import table
from . import formula
from .elementwise import Exp, refuse
from .formula import LARGE, Value, call, call_many, plain, where
from .op import Elementwise, Op
from .shape import Cat
from .special import Erf, Sigmoid, Tanh, sigmoid


class Relu(Elementwise):
    """``max(x, 0)``; its derivative at 0 is 0, and NaN passes through."""

    saves = ("out",)
    exact = True

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        if x.dtype.kind == "c":
            raise NotImplementedError("clamp is not supported for complex types (relu)")
        if x.dtype is B8:
            raise ConvgradError("Boolean inputs not supported for relu")
        out = table.relu(x)
        return out, (out,)

    @staticmethod
    def vjp_x(g: Value, out: Value) -> Value:
        if plain(g, out):
            return table.relu_grad(g, out)
        return where(out != 0, g, 0.0)  # out is not negative; NaN passes; a NaN in g stays out where x < 0


class Softmax(Op):
    """``exp(x) / sum(exp(x))`` along ``axis``; x is float of any shape, out has x's shape and dtype.

    The Jacobian ``diag(out) - out outᵀ`` is symmetric, so vjp and jvp are one formula. Shifting by
    the maximum changes no value and avoids overflow (Goodfellow et al., Deep Learning, 2016, 4.1).
    """

    saves = ("out", "axis")
    batch = {"axis": "axis"}

    @staticmethod
    def forward(x: Array, axis: Any) -> tuple[Array, tuple[Any, ...]]:
        if not x.size:
            out = x.copy()
            return out, (out, axis)
        out = table.softmax(x, axis)
        return out, (out, axis)

    @staticmethod
    def vjp_x(g: Value, out: Value, axis: Any) -> Value:
        return through_softmax(g, out, axis)

    jvp_x = vjp_x


def through_softmax(g: Value, out: Value, axis: Any) -> Value:
    """The product of a softmax's Jacobian and g: ``out (g - sum(g out))``."""
    if type(g) is ndarray and type(out) is ndarray and out.size:
        return table.softmax_grad(g, out, axis)
    return out * (g - formula.sum(g * out, axis, True))


class LogSoftmax(Op):
    """``x - log(sum(exp(x)))`` along ``axis``, shifted by the maximum so that nothing overflows.

    Its Jacobian is ``1 - exp(out)`` in every row: vjp subtracts the row's sum of g in these shares.
    """

    saves = ("out", "axis")
    batch = {"axis": "axis"}

    @staticmethod
    def forward(x: Array, axis: Any) -> tuple[Array, tuple[Any, ...]]:
        if not x.size:
            out = x.copy()
            return out, (out, axis)
        out = table.log_softmax(x, axis)
        return out, (out, axis)

    @staticmethod
    def vjp_x(g: Value, out: Value, axis: Any) -> Value:
        return _through_log_softmax(g, out, axis)

    @staticmethod
    def jvp_x(d: Value, out: Value, axis: Any) -> Value:
        return d - formula.sum(call(Exp, out) * d, axis, True)


def _through_log_softmax(g: Value, out: Value, axis: Any) -> Value:
    if type(g) is ndarray and type(out) is ndarray and out.size:
        return table.log_softmax_grad(g, out, axis)
    return g - call(Exp, out) * formula.sum(g, axis, True)


class LeakyRelu(Elementwise):
    """x where positive, ``slope`` times x elsewhere."""

    saves = ("x", "slope")

    @staticmethod
    def forward(x: Array, slope: float) -> tuple[Array, tuple[Any, ...]]:
        return table.leaky_relu(x, slope), (x, slope)

    @staticmethod
    def vjp_x(g: Value, x: Value, slope: float) -> Value:
        if plain(g, x):
            return table.leaky_relu_grad(g, x, slope)
        return where(x > 0, g, g * slope)


class Prelu(Elementwise):
    """x where positive, w times x elsewhere; w broadcasts against x."""

    backward_name = "PreluKernelBackward0"
    saves = ("x", "w")

    @staticmethod
    def forward(x: Array, w: Array) -> tuple[Array, tuple[Any, ...]]:
        refuse("prelu_cpu", "biuc", x)
        if w.size == 1 and w.ndim <= x.ndim and w.dtype is x.dtype:
            return table.leaky_relu(x, w.item()), (x, w)
        if x.size < LARGE:
            return np.where(x > 0, x, x * w), (x, w)
        return table.select(table.compare(np.greater, x, 0.0), x, table.arithmetic(np.multiply, x, w)), (x, w)

    @staticmethod
    def vjp_x(g: Value, x: Value, w: Value) -> Value:
        return where(x > 0, g, g * w)

    @staticmethod
    def vjp_w(g: Value, x: Value, _w: Value) -> Value:
        return where(x > 0, 0.0, g * x)


class Elu(Elementwise):
    """``scale x`` where positive, ``scale alpha (e^(speed x) - 1)`` elsewhere.

    Source: Clevert et al. 2015, arXiv:1511.07289; SELU is the case with the scale and alpha of
    Klambauer et al. 2017, arXiv:1706.02515.
    """

    saves = ("x", "alpha", "scale", "speed")

    @staticmethod
    def forward(x: Array, alpha: float, scale: float, speed: float) -> tuple[Array, tuple[Any, ...]]:
        return table.elu(x, alpha, scale, speed), (x, alpha, scale, speed)

    @staticmethod
    def vjp_x(g: Value, x: Value, alpha: float, scale: float, speed: float) -> Value:
        if plain(g, x):
            return table.elu_grad(g, x, alpha, scale, speed)
        lower = x <= 0
        low = call(Exp, where(lower, x, 0.0) * speed) * (alpha * scale * speed)
        return g * where(lower, low, scale)


class Celu(Elu):
    """``x`` where positive, ``alpha (e^(x / alpha) - 1)`` elsewhere. Source: arXiv:1704.07483."""


class Gelu(Elementwise):
    """``x P(X <= x)`` for a standard normal X. Source: Hendrycks & Gimpel 2016, arXiv:1606.08415."""

    saves = ("x",)

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        return table.gelu(x), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        if plain(g, x):
            return table.gelu_grad(g, x)
        share = (call(Erf, x * math.sqrt(0.5)) + 1.0) * 0.5
        density = call(Exp, x * x * -0.5) * (1.0 / math.sqrt(2.0 * math.pi))
        return g * (share + x * density)


class GeluTanh(Elementwise):
    """GELU's approximation ``x (1 + tanh(sqrt(2/pi) (x + 0.044715 x³))) / 2``, section 2 of its paper."""

    backward_name = "GeluBackward0"
    saves = ("x",)

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        return table.gelu_tanh(x), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        if plain(g, x):
            return table.gelu_tanh_grad(g, x)
        square = x * x
        inner = x * (square * 0.044715 + 1.0) * math.sqrt(2.0 / math.pi)
        bend = call(Tanh, inner)
        slope = (square * (3.0 * 0.044715) + 1.0) * math.sqrt(2.0 / math.pi)
        return g * ((bend + 1.0) * 0.5 + x * (1.0 - bend * bend) * slope * 0.5)


class Silu(Elementwise):
    """``x sigmoid(x)``. Source: Elfwing et al. 2017, arXiv:1702.03118."""

    saves = ("x",)

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        return table.silu(x), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        if plain(g, x):
            return table.silu_grad(g, x)
        s = call(Sigmoid, x)
        return g * formula.conj(s * (x * (1.0 - s) + 1.0))


class Softplus(Elementwise):
    """``log(1 + e^(beta x)) / beta``; x itself where ``beta x`` exceeds ``threshold``."""

    saves = ("x", "beta", "threshold")

    @staticmethod
    def forward(x: Array, beta: float, threshold: float) -> tuple[Array, tuple[Any, ...]]:
        return table.softplus(x, beta, threshold), (x, beta, threshold)

    @staticmethod
    def vjp_x(g: Value, x: Value, beta: float, threshold: float) -> Value:
        if plain(g, x):
            return table.softplus_grad(g, x, beta, threshold)
        z = x * beta
        return where(z > threshold, g, g * call(Sigmoid, z))


class LogSigmoid(Elementwise):
    """``log(sigmoid(x)) = -log(1 + e^-x)`` without overflow."""

    saves = ("x",)

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        return table.log_sigmoid(x), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        if plain(g, x):
            return table.log_sigmoid_grad(g, x)
        return g * call(Sigmoid, -x)


class Mish(Elementwise):
    """``x tanh(softplus(x))``. Source: Misra 2019, arXiv:1908.08681."""

    saves = ("x",)

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        return table.mish(x), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        if plain(g, x):
            return table.mish_grad(g, x)
        bend = call(Tanh, call(Softplus, x, 1.0, math.inf))
        return g * (bend + x * (1.0 - bend * bend) * call(Sigmoid, x))


class Hardtanh(Elementwise):
    """x kept within [low, high]; no gradient at the bounds themselves."""

    saves = ("x", "low", "high")
    exact = True

    @staticmethod
    def forward(x: Array, low: Any, high: Any) -> tuple[Array, tuple[Any, ...]]:
        if x.dtype.kind == "u" and int(low) < 0:
            raise ConvgradError("cannot do hardtanh on an unsigned type with negative limits")
        return table.hardtanh(x, low, high), (x, low, high)

    @staticmethod
    def vjp_x(g: Value, x: Value, low: Any, high: Any) -> Value:
        if plain(g, x):
            return table.hardtanh_grad(g, x, low, high)
        return where((x <= low) | (x >= high), 0.0, g)


class Hardsigmoid(Elementwise):
    """``min(max(x + 3, 0), 6) / 6``."""

    saves = ("x",)

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        return table.hardsigmoid(x), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        if plain(g, x):
            return table.hardsigmoid_grad(g, x)
        return where((x > -3) & (x < 3), g * (1.0 / 6.0), 0.0)


class Hardswish(Elementwise):
    """``x min(max(x + 3, 0), 6) / 6``. Source: Howard et al. 2019, arXiv:1905.02244."""

    saves = ("x",)

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        return table.hardswish(x), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        if plain(g, x):
            return table.hardswish_grad(g, x)
        return where(x <= -3, 0.0, where(x < 3, g * (x * (1.0 / 3.0) + 0.5), g))


class Threshold(Elementwise):
    """x where it exceeds ``threshold``, else ``value``."""

    saves = ("x", "threshold")
    exact = True

    @staticmethod
    def forward(x: Array, threshold: Any, value: Any) -> tuple[Array, tuple[Any, ...]]:
        return np.where(x <= threshold, x.dtype.type(value), x), (x, threshold)

    @staticmethod
    def vjp_x(g: Value, x: Value, threshold: Any) -> Value:
        return where(x <= threshold, 0.0, g)


class Hardshrink(Elementwise):
    """x, and 0 within [-width, width]."""

    saves = ("x", "width")
    exact = True

    @staticmethod
    def forward(x: Array, width: float) -> tuple[Array, tuple[Any, ...]]:
        return np.where((x >= -width) & (x <= width), x.dtype.type(0), x), (x, width)

    @staticmethod
    def vjp_x(g: Value, x: Value, width: float) -> Value:
        return where((x >= -width) & (x <= width), 0.0, g)


class Softshrink(Elementwise):
    """x brought nearer to 0 by ``width``, and 0 within [-width, width]."""

    saves = ("x", "width")

    @staticmethod
    def forward(x: Array, width: float) -> tuple[Array, tuple[Any, ...]]:
        out = np.where(x > width, x - width, np.where(x < -width, x + width, x.dtype.type(0) * x))
        return out, (x, width)

    @staticmethod
    def vjp_x(g: Value, x: Value, width: float) -> Value:
        return where((x >= -width) & (x <= width), 0.0, g)


class Glu(Op):
    """The first half along ``axis`` times the sigmoid of the second. Source: arXiv:1612.08083."""

    saves = ("x", "axis")
    batch = {"axis": "axis"}

    @staticmethod
    def forward(x: Array, axis: int) -> tuple[Array, tuple[Any, ...]]:
        first, second = _halves(x, axis)
        return first * sigmoid(second), (x, axis)

    @staticmethod
    def vjp_x(g: Value, x: Value, axis: int) -> Value:
        first, second = _halves(x, axis)
        s = call(Sigmoid, second)
        return call_many(Cat, (g * s, g * first * (s * (1.0 - s))), axis)

    @staticmethod
    def jvp_x(d: Value, x: Value, axis: int) -> Value:
        first, second = _halves(x, axis)
        s = call(Sigmoid, second)
        df, ds = _halves(d, axis)
        return df * s + ds * first * (s * (1.0 - s))


def _halves(x: Value, axis: int) -> tuple[Value, Value]:
    half = x.shape[axis] // 2
    lead = (slice(None),) * axis
    return x[(*lead, slice(None, half))], x[(*lead, slice(half, None))]


class RreluWithNoise(Elementwise):
    """``x noise``, where noise (a constant) is 1 for positive x. Source: Xu et al. 2015, arXiv:1505.00853."""

    saves = ("noise",)

    @staticmethod
    def forward(x: Array, noise: Any) -> tuple[Array, tuple[Any, ...]]:
        return x * noise, (noise,)

    @staticmethod
    def vjp_x(g: Value, noise: Any) -> Value:
        return g * noise
