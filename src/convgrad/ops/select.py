"""Operators that choose: extremes of two, clamping, filling under a mask, copying a sign.

Where several operands may be chosen (ties), the gradient is shared as PyTorch shares it; each
class says how. Masks are constants to a derivative.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import F32, F64, Array
from ..kernels import maps, table
from .elementwise import refuse
from .formula import LARGE, Value, plain, where, zeros_like
from .op import Elementwise, Ufunc


class Maximum(Ufunc):
    """The larger of two, NaN if one is; equals get half of the gradient each."""

    saves = ("a", "b")
    exact = True
    ufunc = np.maximum

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        refuse("maximum", "c", a, b)
        return (np.maximum(a, b) if a.size < LARGE else table.arithmetic(np.maximum, a, b)), (a, b)

    @staticmethod
    def vjp_a(g: Value, a: Value, b: Value) -> Value:
        if plain(g, a):
            return table.maximum_grad(g, a, b)
        return _share(g, a == b, a < b)

    @staticmethod
    def vjp_b(g: Value, a: Value, b: Value) -> Value:
        if plain(g, b):
            return table.maximum_grad(g, b, a)
        return _share(g, a == b, b < a)


class Minimum(Ufunc):
    """The smaller of two, NaN if one is; equals get half of the gradient each."""

    saves = ("a", "b")
    exact = True
    ufunc = np.minimum

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        refuse("minimum", "c", a, b)
        return (np.minimum(a, b) if a.size < LARGE else table.arithmetic(np.minimum, a, b)), (a, b)

    @staticmethod
    def vjp_a(g: Value, a: Value, b: Value) -> Value:
        if plain(g, a):
            return table.minimum_grad(g, a, b)
        return _share(g, a == b, a > b)

    @staticmethod
    def vjp_b(g: Value, a: Value, b: Value) -> Value:
        if plain(g, b):
            return table.minimum_grad(g, b, a)
        return _share(g, a == b, b > a)


def _share(g: Value, equal: Array, lost: Array) -> Value:
    """g, its half where the operands are equal, 0 where the other one was chosen."""
    return where(lost, 0.0, where(equal, g * 0.5, g))


class Fmax(Ufunc):
    """The larger of two, a number rather than NaN; of equals the first gets the gradient."""

    saves = ("a", "b")
    exact = True
    ufunc = np.fmax

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        refuse("fmax", "c", a, b)
        return np.fmax(a, b), (a, b)

    @staticmethod
    def vjp_a(g: Value, a: Value, b: Value) -> Value:
        return where((a >= b) | (b != b), g, 0.0)

    @staticmethod
    def vjp_b(g: Value, a: Value, b: Value) -> Value:
        return where((a >= b) | (b != b), 0.0, g)


class Fmin(Ufunc):
    """The smaller of two, a number rather than NaN; of equals the first gets the gradient."""

    saves = ("a", "b")
    exact = True
    ufunc = np.fmin

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        refuse("fmin", "c", a, b)
        return np.fmin(a, b), (a, b)

    @staticmethod
    def vjp_a(g: Value, a: Value, b: Value) -> Value:
        return where((a <= b) | (b != b), g, 0.0)

    @staticmethod
    def vjp_b(g: Value, a: Value, b: Value) -> Value:
        return where((a <= b) | (b != b), 0.0, g)


class Clamp(Elementwise):
    """x kept within [low, high], numbers or None; the gradient passes at the bounds themselves too."""

    backward_name = "ClampBackward1"
    saves = ("x", "low", "high")
    exact = True

    @staticmethod
    def forward(x: Array, low: Any, high: Any) -> tuple[Array, tuple[Any, ...]]:
        return table.clamp(x, low, high), (x, low, high)

    @staticmethod
    def vjp_x(g: Value, x: Value, low: Any, high: Any) -> Value:
        if plain(g, x):
            return table.clamp_grad(g, x, low, high)
        return where(_inside(x, low, high), g, 0.0)


def _inside(x: Value, low: Value, high: Value) -> Any:
    if low is None:
        return x <= high
    return x >= low if high is None else (x >= low) & (x <= high)


class ClampMin(Clamp):
    """x raised to at least a number."""

    backward_name = "ClampMinBackward0"


class ClampMax(Clamp):
    """x lowered to at most a number."""

    backward_name = "ClampMaxBackward0"


class ClampTensor(Elementwise):
    """x kept within tensors low and high (either may be None); a bound gets the gradient where it acts."""

    backward_name = "ClampBackward0"
    saves = ("x", "low", "high")
    exact = True

    @staticmethod
    def forward(x: Array, low: Array, high: Array) -> tuple[Array, tuple[Any, ...]]:
        return maps.clamp(x, low, high), (x, low, high)

    @staticmethod
    def vjp_x(g: Value, x: Value, low: Value, high: Value) -> Value:
        return where(_inside(x, low, high), g, 0.0)

    @staticmethod
    def vjp_low(g: Value, x: Value, low: Value, high: Value) -> Value:
        return where(x < low if high is None else (x < low) & (low < high), g, 0.0)

    @staticmethod
    def vjp_high(g: Value, x: Value, low: Value, high: Value) -> Value:
        return where(x > high if low is None else (x > high) | (high < low), g, 0.0)


class ClampMinTensor(ClampTensor):
    """x raised to at least a tensor."""

    backward_name = "ClampMinBackward1"


class ClampMaxTensor(ClampTensor):
    """x lowered to at most a tensor."""

    backward_name = "ClampMaxBackward1"


class MaskedFill(Elementwise):
    """x with a number written where the mask holds."""

    holds = True

    saves = ("mask",)
    exact = True

    @staticmethod
    def forward(x: Array, value: Any, mask: Any) -> tuple[Array, tuple[Any]]:
        if x.dtype in (F32, F64):
            return table.select(mask, float(value), x), (mask,)
        return np.where(mask, x.dtype.type(value), x), (mask,)

    @staticmethod
    def vjp_x(g: Value, mask: Any) -> Value:
        return where(mask, 0.0, g)


class MaskedFillTensor(Elementwise):
    """x with a 0-d tensor's value written where the mask holds."""

    holds = True

    backward_name = "MaskedFillBackward1"
    saves = ("mask",)
    exact = True

    @staticmethod
    def forward(x: Array, value: Array, mask: Any) -> tuple[Array, tuple[Any]]:
        return table.select(mask, value.astype(x.dtype), x), (mask,)

    @staticmethod
    def vjp_x(g: Value, mask: Any) -> Value:
        return where(mask, 0.0, g)

    @staticmethod
    def vjp_value(g: Value, mask: Any) -> Value:
        return where(mask, g, 0.0)


class Copysign(Ufunc):
    """The size of a with the sign of b (also of a zero); gradient 0 where a is 0."""

    backward_name = "CopysignBackward0"
    saves = ("factor",)
    ufunc = np.copysign

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Any]]:
        refuse("copysign_cpu", "c", a, b)
        out = np.copysign(a, b)
        return out, (np.sign(a) * np.sign(out),)  # +-1: a constant between the jumps

    @staticmethod
    def vjp_a(g: Value, factor: Any) -> Value:
        return g * factor

    @staticmethod
    def vjp_b(g: Value, _factor: Any) -> Value:
        return zeros_like(g)


class CopysignNumber(Copysign):
    """copysign by a number (its node has another name in PyTorch)."""

    backward_name = "CopysignBackward1"
