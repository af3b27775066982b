"""The normal distribution's functions, the scaled error function and entropies.

The quantile (M. J. Wichura's) stands in ``errorfunction.py``, the scaled error function (W. J. Cody's) in
``kernels/error_function.py``.
"""

from __future__ import annotations

import math

import numpy as np

from ..dtypes import Array
from ..kernels.error_function import erf_small, erfc_scaled, erfc_wide
from .elementwise import Exp, Log, refuse
from .errorfunction import in_blocks, quantile
from .formula import Value, call, where
from .op import Elementwise
from .special import TWO_OVER_SQRT_PI, Log1p


def _erfcx(x: Array) -> Array:
    """``e^(x²) erfc(x)``; for negative x from ``2 e^(x²) - erfcx(-x)``."""
    size = np.abs(x)
    near = size <= 0.46875
    inner = np.where(near, x, 0.0)
    out = np.where(
        near, np.exp(inner * inner) * (1.0 - erf_small(inner)), erfc_scaled(np.where(near, 1.0, size))
    )
    head = np.trunc(size * 16.0) / 16.0  # the square is rounded, which the exponential would magnify
    square = np.exp(head * head) * np.exp((size - head) * (size + head))
    out = np.where((x < 0) & ~near, 2.0 * square - out, out)
    out = np.where(x == math.inf, 0.0, np.where(x < -26.7, math.inf, out))
    return np.where(x != x, x, out)


def _log_ndtr(x: Array) -> Array:
    """In the lower tail by the scaled error function, so that nothing vanishes before the logarithm."""
    t = x * math.sqrt(0.5)
    tail = np.log(_erfcx(-np.minimum(t, 0.0)) * 0.5) - t * t
    return np.where(x < -1.0, tail, np.log1p(-0.5 * erfc_wide(np.maximum(t, -1.0))))


def _ndtri(p: Array) -> Array:
    """-inf at 0, inf at 1, NaN outside."""
    return quantile(p - 0.5, np.minimum(p, 1.0 - p))


class Erfcx(Elementwise):
    """``e^(x²) erfc(x)``, which does not vanish for large x; infinite from -26.7 downwards."""

    backward_name = "SpecialErfcxBackward0"
    saves = ("x", "out")

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
        refuse("erfcx_cpu", "c", x)
        out = in_blocks(_erfcx, x)
        return out, (x, out)

    @staticmethod
    def vjp_x(g: Value, x: Value, out: Value) -> Value:
        return g * (x * out * 2.0 - TWO_OVER_SQRT_PI)


class LogNdtr(Elementwise):
    """The logarithm of the standard normal distribution, exact in the lower tail too."""

    backward_name = "SpecialLogNdtrBackward0"
    saves = ("x",)

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        refuse("log_ndtr_cpu", "c", x)
        return in_blocks(_log_ndtr, x), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g * math.sqrt(2.0 / math.pi) / call(Erfcx, x * -math.sqrt(0.5))


class Ndtri(Elementwise):
    """The quantile of the standard normal distribution: -inf at 0, inf at 1, NaN outside."""

    backward_name = "SpecialNdtriBackward0"
    saves = ("out",)

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        refuse("ndtri_cpu", "c", x)
        out = in_blocks(_ndtri, x)
        return out, (out,)

    @staticmethod
    def vjp_x(g: Value, out: Value) -> Value:
        return g * call(Exp, out * out * 0.5) * math.sqrt(2.0 * math.pi)


class Entr(Elementwise):
    """``-x log(x)``, 0 at 0 and -inf for negative x."""

    backward_name = "SpecialEntrBackward0"
    saves = ("x",)

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        refuse("entr_cpu", "c", x)
        with np.errstate(all="ignore"):
            out = -x * np.log(np.where(x > 0, x, x.dtype.type(1)))
        return np.where(x > 0, out, np.where(x == 0, 0.0, np.where(x < 0, -math.inf, x))).astype(x.dtype), (
            x,
        )

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g * (-call(Log, x) - 1.0)


class XLog1pY(Elementwise):
    """``a log(1 + b)``, and 0 where a is 0 (unless b is NaN)."""

    backward_name = "SpecialXlog1PyBackward0"
    saves = ("a", "b")

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        refuse("xlog1py_cpu", "c", a, b)
        zero = (a == 0) & (b == b)
        with np.errstate(all="ignore"):
            out = np.where(zero, 0.0, a * np.log1p(np.where(zero, 0.0, b)))
        return out.astype(np.result_type(a, b)), (a, b)

    @staticmethod
    def vjp_a(g: Value, a: Value, b: Value) -> Value:
        zero = (a == 0) & (b <= -1)
        return g * where(zero, 0.0, call(Log1p, where(zero, 0.0, b)))

    @staticmethod
    def vjp_b(g: Value, a: Value, b: Value) -> Value:
        return g * a / (b + 1.0)


class XLog1pYFirst(XLog1pY):
    """``a log(1 + b)`` for a number a (its node has another name in PyTorch)."""

    backward_name = "SpecialXlog1PyBackward1"


class XLog1pYNumber(XLog1pY):
    """``a log(1 + b)`` for a number b (its node has another name in PyTorch)."""

    backward_name = "SpecialXlog1PyBackward2"
