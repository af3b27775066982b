"""The normal distribution's functions, the scaled error function and entropies.

The quantile is that of M. J. Wichura, Algorithm AS 241, Applied Statistics 37 (1988), 477-484, whose three
rational functions are good to 16 digits; the scaled error function is W. J. Cody's in ``errorfunction.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..dtypes import Array
from .elementwise import Exp, Log, refuse
from .errorfunction import _erf_small, _erfc, _erfc_scaled, _horner
from .formula import Value, call, where
from .op import Elementwise
from .special import TWO_OVER_SQRT_PI, Log1p

_CENTRE_P = (
    2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
    13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080,
)  # fmt: skip
_CENTRE_Q = (
    5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867,
    5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1.0,
)  # fmt: skip
_MIDDLE_P = (
    7.74545014278341407640e-4, 0.0227238449892691845833, 0.241780725177450611770, 1.27045825245236838258,
    3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734,
)  # fmt: skip
_MIDDLE_Q = (
    1.05075007164441684324e-9, 5.47593808499534494600e-4, 0.0151986665636164571966, 0.148103976427480074590,
    0.689767334985100004550, 1.67638483018380384940, 2.05319162663775882187, 1.0,
)  # fmt: skip
_TAIL_P = (
    2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.00124266094738807843860, 0.0265321895265761230930,
    0.296560571828504891230, 1.78482653991729133580, 5.46378491116411436990, 6.65790464350110377720,
)  # fmt: skip
_TAIL_Q = (
    2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
    7.86869131145613259100e-4, 0.0148753612908506148525, 0.136929880922735805310,
    0.599832206555887937690, 1.0,
)  # fmt: skip


def _in_float64(compute: Callable[[Array], Array], x: Array) -> Array:
    """A function of a flat float64 array, on an array of any float dtype."""
    with np.errstate(all="ignore"):
        return compute(x.astype(np.float64).reshape(-1)).reshape(x.shape).astype(x.dtype)


def _erfcx(x: Array) -> Array:
    """``e^(x²) erfc(x)``; for negative x from ``2 e^(x²) - erfcx(-x)``."""
    size = np.abs(x)
    near = size <= 0.46875
    inner = np.where(near, x, 0.0)
    out = np.where(
        near, np.exp(inner * inner) * (1.0 - _erf_small(inner)), _erfc_scaled(np.where(near, 1.0, size))
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
    return np.where(x < -1.0, tail, np.log1p(-0.5 * _erfc(np.maximum(t, -1.0))))


def _ndtri(p: Array) -> Array:
    """-inf at 0, inf at 1, NaN outside."""
    inside = (p > 0) & (p < 1)
    q = np.where(inside, p, 0.5) - 0.5
    centre = 0.180625 - q * q
    out = q * _horner(_CENTRE_P, centre) / _horner(_CENTRE_Q, centre)
    r = np.sqrt(-np.log(np.where(inside, np.minimum(p, 1.0 - p), 0.5)))
    middle = _horner(_MIDDLE_P, r - 1.6) / _horner(_MIDDLE_Q, r - 1.6)
    tail = _horner(_TAIL_P, r - 5.0) / _horner(_TAIL_Q, r - 5.0)
    out = np.where(np.abs(q) <= 0.425, out, np.copysign(np.where(r <= 5.0, middle, tail), q))
    ends = np.where(p == 0, -math.inf, np.where(p == 1, math.inf, math.nan))
    return np.where(inside, out, ends)


class Erfcx(Elementwise):
    """``e^(x²) erfc(x)``, which does not vanish for large x; infinite from -26.7 downwards."""

    backward_name = "SpecialErfcxBackward0"
    saves = ("x", "out")

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
        refuse("erfcx_cpu", "c", x)
        out = _in_float64(_erfcx, x)
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
        return _in_float64(_log_ndtr, x), (x,)

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
        out = _in_float64(_ndtri, x)
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
