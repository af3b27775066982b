"""Bessel functions of orders 0 and 1, ordinary, modified and spherical, and Airy's Ai.

Near 0 a Chebyshev series stands for the function itself, or for what is left when the logarithm is taken out
(DLMF 10.8.2, 10.31.2); far away for the factors of the asymptotic form: ``e^x / sqrt(x)`` (DLMF 10.40), the
modulus and phase of Hankel's expansions (DLMF 10.17) and of Airy's function (DLMF 9.7). All is computed in
float64; float32 is rounded once. Near a zero of an oscillating function the error is a few units in the last
place of its amplitude, not of its value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..dtypes import Array
from . import besseltables as table
from .complex import Sgn
from .elementwise import refuse
from .formula import Value, call, where
from .op import Elementwise


def _series(coefficients: Sequence[float], t: Array) -> Array:
    """The Chebyshev series with these coefficients at t in [-1, 1], by Clenshaw's recurrence."""
    twice = t + t
    above, out = np.zeros_like(t), np.full_like(t, coefficients[-1])
    for c in coefficients[-2:0:-1]:
        above, out = out, twice * out - above + c
    return t * out - above + coefficients[0]


def _split(x: Array, near: Array, close: Any, far: Any) -> Array:
    """``close`` of the elements where ``near`` holds, ``far`` of the others."""
    out = np.empty_like(x)
    out[near] = close(x[near])
    out[~near] = far(x[~near])
    return out


def _i_scaled(order: int, x: Array) -> Array:
    """``e^-|x| I_order(x)``."""
    tables = (table.I0_NEAR, table.I0_FAR) if order == 0 else (table.I1_NEAR, table.I1_FAR)
    size = np.abs(x)
    out = _split(
        size,
        size <= 8.0,
        lambda y: _series(tables[0], y / 4.0 - 1.0) * (y if order else 1.0),
        lambda y: _series(tables[1], 16.0 / y - 1.0) / np.sqrt(y),
    )
    return np.copysign(out, x) if order else out


def _i(order: int, x: Array) -> Array:
    half = np.exp(np.abs(x) * 0.5)  # twice, since e^x overflows before I(x) does
    return half * _i_scaled(order, x) * half


def _k_near(order: int, x: Array) -> Array:
    """``K_order(x)`` for 0 <= x <= 2: infinite at 0."""
    series = _series(table.K1_NEAR if order else table.K0_NEAR, x * x * 0.5 - 1.0)
    log = np.log(x * 0.5) * _i(order, x)
    # at the least x the product with the logarithm is 0 times infinity
    return series / x + np.where(x == 0, 0.0, log) if order else series - log


def _k(order: int, scaled: bool, x: Array) -> Array:
    """``K_order(x)``, or that times ``e^x``; infinite at 0, NaN below."""
    factors = table.K1_FAR if order else table.K0_FAR

    def near(y: Array) -> Array:
        return _k_near(order, y) * (np.exp(y) if scaled else 1.0)

    def far(y: Array) -> Array:
        out = _series(factors, 4.0 / y - 1.0) / np.sqrt(y)
        return out if scaled else out * np.exp(-y)

    return np.where(x < 0, math.nan, _split(np.abs(x), np.abs(x) <= 2.0, near, far))


def _waves(order: int, x: Array) -> tuple[Array, Array, Array, Array]:
    """(P, Q, cos, sin) of ``J = sqrt(2 / (pi x)) (P cos - Q sin)`` for x > 8, with both waves times sqrt(2).

    The phase is ``x - pi/4`` or ``x - 3 pi/4``, by the addition theorem: the difference would be rounded.
    """
    t = 128.0 / (x * x) - 1.0
    p, q = (table.P0, table.Q0) if order == 0 else (table.P1, table.Q1)
    cos, sin = np.cos(x), np.sin(x)
    waves = (cos + sin, sin - cos) if order == 0 else (sin - cos, -(sin + cos))
    return _series(p, t), _series(q, t) * (8.0 / x), *waves


def _j_near(order: int, x: Array) -> Array:
    series = _series(table.J1_NEAR if order else table.J0_NEAR, x * x / 32.0 - 1.0)
    return series * x if order else series


def _j(order: int, x: Array) -> Array:
    """``J_order(x)``."""

    def far(y: Array) -> Array:
        p, q, cos, sin = _waves(order, y)
        return (p * cos - q * sin) / np.sqrt(math.pi * y)

    size = np.abs(x)
    out = _split(size, size <= 8.0, lambda y: _j_near(order, y), far)
    return np.where(x < 0, -out, out) if order else out


def _y(order: int, x: Array) -> Array:
    """``Y_order(x)``: minus infinity at 0, NaN below."""

    def near(y: Array) -> Array:
        series = _series(table.Y1_NEAR if order else table.Y0_NEAR, y * y / 32.0 - 1.0)
        positive = np.where(y == 0, 1.0, y)
        log = np.log(positive) * _j_near(order, y) * (2.0 / math.pi)
        whole = series * y + log - 2.0 / (math.pi * positive) if order else series + log
        return np.where(y == 0, -math.inf, whole)

    def far(y: Array) -> Array:
        p, q, cos, sin = _waves(order, y)
        return (p * sin + q * cos) / np.sqrt(math.pi * y)

    return np.where(x < 0, math.nan, _split(np.abs(x), np.abs(x) <= 8.0, near, far))


def _airy(x: Array) -> Array:
    """Ai(x): waves left of -2, an exponential right of 1."""

    def right(y: Array) -> Array:
        zeta = y * np.sqrt(y) * (2.0 / 3.0)
        series = _series(table.AI_RIGHT, 4.0 / 3.0 / zeta - 1.0)
        return series * np.exp(-zeta) / (2.0 * math.sqrt(math.pi) * np.sqrt(np.sqrt(y)))

    def left(y: Array) -> Array:
        z = -y
        zeta = z * np.sqrt(z) * (2.0 / 3.0)
        ratio = _ZETA_2 / zeta
        p, q = (_series(c, 2.0 * ratio * ratio - 1.0) for c in (table.AI_LEFT_P, table.AI_LEFT_Q))
        cos, sin = np.cos(zeta), np.sin(zeta)
        waves = (cos + sin) * p + (sin - cos) * q * ratio
        return waves / (math.sqrt(2.0 * math.pi) * np.sqrt(np.sqrt(z)))

    def middle(y: Array) -> Array:
        return _series(table.AI_MIDDLE, (y + 0.5) / 1.5)

    out = _split(x, x < -2.0, left, lambda y: _split(y, y > 1.0, right, middle))
    return np.where(np.isinf(x), math.nan, out)


_ZETA_2 = 2.0 / 3.0 * 2.0**1.5


def _spherical_j0(x: Array) -> Array:
    """``sin(x) / x``, 1 at 0 and 0 at infinity."""
    wild = (x == 0) | np.isinf(x)
    y = np.where(wild, 1.0, x)
    return np.where(wild, np.where(x == 0, 1.0, 0.0), np.sin(y) / y)


class _Kernel(Elementwise):
    """A function of one real operand, computed in float64."""

    #: what PyTorch calls its kernel
    label: ClassVar[str] = ""

    @staticmethod
    def values(x: Array) -> Array:
        """The function on a float64 array."""
        raise NotImplementedError

    @classmethod
    def compute(cls, x: Array) -> Array:
        """The function on an array of any float dtype, in that dtype."""
        refuse(cls.label, "c", x)
        with np.errstate(all="ignore"):
            return (
                np.asarray(cls.values(np.atleast_1d(x.astype(np.float64)))).reshape(x.shape).astype(x.dtype)
            )


class Unrecorded(_Kernel):
    """A function without a derivative here, as in PyTorch: nothing is recorded."""

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[()]]:
        return cls.compute(x), ()


class I0(_Kernel):
    """The modified Bessel function of the first kind of order 0 (DLMF 10.25.2)."""

    saves = ("x",)
    label = "i0_vml_cpu"

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[Array]]:
        return cls.compute(x), (x,)

    @staticmethod
    def values(x: Array) -> Array:
        return _i(0, x)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g * call(I1, x)


class _Modified(_Kernel):
    """One whose derivative is written in its input and its result."""

    saves = ("x", "out")

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[Array, Array]]:
        out = cls.compute(x)
        return out, (x, out)


class I0e(_Modified):
    """``e^-|x| I0(x)``, which does not overflow."""

    backward_name = "SpecialI0EBackward0"
    label = "i0e_cpu"

    @staticmethod
    def values(x: Array) -> Array:
        return _i_scaled(0, x)

    @staticmethod
    def vjp_x(g: Value, x: Value, out: Value) -> Value:
        return g * (call(I1e, x) - call(Sgn, x) * out)


class I1(_Modified):
    """The modified Bessel function of the first kind of order 1 (DLMF 10.25.2)."""

    backward_name = "SpecialI1Backward0"
    label = "i1_cpu"

    @staticmethod
    def values(x: Array) -> Array:
        return _i(1, x)

    @staticmethod
    def vjp_x(g: Value, x: Value, out: Value) -> Value:
        zero = x == 0
        return g * where(zero, 0.5, call(I0, x) - out / where(zero, 1.0, x))


class I1e(_Modified):
    """``e^-|x| I1(x)``, which does not overflow."""

    backward_name = "SpecialI1EBackward0"
    label = "i1e_cpu"

    @staticmethod
    def values(x: Array) -> Array:
        return _i_scaled(1, x)

    @staticmethod
    def vjp_x(g: Value, x: Value, out: Value) -> Value:
        zero = x == 0
        slope = call(I0e, x) - out * (call(Sgn, x) + 1.0 / where(zero, 1.0, x))
        return g * where(zero, 0.5, slope)


class AiryAi(Unrecorded):
    """Airy's function Ai (DLMF 9.2): waves for negative x, falling off for positive; NaN at infinity."""

    label = "airy_ai_cpu"
    values = staticmethod(_airy)


class SphericalBesselJ0(Unrecorded):
    """The spherical Bessel function of order 0, ``sin(x) / x`` (DLMF 10.49.3)."""

    label = "spherical_bessel_j0_cpu"
    values = staticmethod(_spherical_j0)


class BesselJ0(Unrecorded):
    """The Bessel function of the first kind of order 0 (DLMF 10.2.2)."""

    label = "bessel_j0_cpu"

    @staticmethod
    def values(x: Array) -> Array:
        return _j(0, x)


class BesselJ1(Unrecorded):
    """The Bessel function of the first kind of order 1 (DLMF 10.2.2)."""

    label = "bessel_j1_cpu"

    @staticmethod
    def values(x: Array) -> Array:
        return _j(1, x)


class BesselY0(Unrecorded):
    """The Bessel function of the second kind of order 0 (DLMF 10.2.3); -inf at 0, NaN for negative x."""

    label = "bessel_y0_cpu"

    @staticmethod
    def values(x: Array) -> Array:
        return _y(0, x)


class BesselY1(Unrecorded):
    """The Bessel function of the second kind of order 1 (DLMF 10.2.3); -inf at 0, NaN for negative x."""

    label = "bessel_y1_cpu"

    @staticmethod
    def values(x: Array) -> Array:
        return _y(1, x)


class ModifiedBesselI0(Unrecorded):
    """The modified Bessel function of the first kind of order 0, without a gradient (``i0`` has one)."""

    label = "modified_bessel_i0_cpu"
    values = staticmethod(I0.values)


class ModifiedBesselI1(Unrecorded):
    """The modified Bessel function of the first kind of order 1, without a gradient (``i1`` has one)."""

    label = "modified_bessel_i1_cpu"
    values = staticmethod(I1.values)


class ModifiedBesselK0(Unrecorded):
    """The modified Bessel function of the second kind of order 0 (DLMF 10.27.4); inf at 0, NaN below."""

    label = "modified_bessel_k0_cpu"

    @staticmethod
    def values(x: Array) -> Array:
        return _k(0, False, x)


class ModifiedBesselK1(Unrecorded):
    """The modified Bessel function of the second kind of order 1 (DLMF 10.27.4); inf at 0, NaN below."""

    label = "modified_bessel_k1_cpu"

    @staticmethod
    def values(x: Array) -> Array:
        return _k(1, False, x)


class ScaledModifiedBesselK0(Unrecorded):
    """``e^x K0(x)``, which does not vanish as soon."""

    label = "scaled_modified_bessel_k0_cpu"

    @staticmethod
    def values(x: Array) -> Array:
        return _k(0, True, x)


class ScaledModifiedBesselK1(Unrecorded):
    """``e^x K1(x)``, which does not vanish as soon."""

    label = "scaled_modified_bessel_k1_cpu"

    @staticmethod
    def values(x: Array) -> Array:
        return _k(1, True, x)
