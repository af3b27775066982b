"""Variance, deviation, norms and the logarithm of a sum of exponentials.

``axes`` is a tuple of non-negative ints; ``keepdims`` leaves them as size 1. ``correction`` is what is
taken from the number of elements before dividing (1: the unbiased estimate).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import F32, F64, Array
from ..kernels import table
from . import formula
from .elementwise import Exp, Real
from .formula import Value, call, conj, times, where, with_ones
from .op import Op
from .reduce import add_reduce


def _count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    return math.prod([shape[i] for i in axes])


def _centred(x: Value, axes: tuple[int, ...]) -> tuple[Value, Value]:
    """(x - mean, mean) with axes kept."""
    count = _count(x.shape, axes)
    mean = formula.sum(x, axes, True) * (1.0 / count if count else math.nan)
    return x - mean, mean


def _variance(x: Array, axes: tuple[int, ...], correction: float) -> tuple[Array, Array, float]:
    """Variance and mean with axes kept, and the divisor."""
    if x.dtype is F32 or x.dtype is F64:
        mean, squares = table.moments_over(x, axes)
        free = max(0.0, _count(x.shape, axes) - correction)
        with np.errstate(all="ignore"):
            return squares / x.dtype.type(free), mean, free
    with np.errstate(all="ignore"):
        centred, mean = _centred(x, axes)
        squares = np.square(centred) if x.dtype.kind != "c" else (centred * centred.conj()).real
        free = max(0.0, _count(x.shape, axes) - correction)
        total = np.asarray(add_reduce(squares, axes, keepdims=True))
        return total / squares.dtype.type(free), mean, free


def _dropped(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    return np.asarray(x if keepdims else np.squeeze(x, axes))


def _real(x: Value) -> Value:
    return call(Real, x) if x.dtype.kind == "c" else x


def _slope(x: Value, axes: tuple[int, ...], correction: float) -> Value:
    """The derivative of the variance by x: 2 (x - mean) / (n - correction)."""
    centred, _ = _centred(x, axes)
    free = _count(x.shape, axes) - correction
    if free > 0:
        return centred * (2.0 / free)
    return formula.cast(where(centred == 0, math.nan, math.inf), x.dtype)  # as PyTorch


class Var(Op):
    """The variance ``sum |x - mean|^2 / (n - correction)`` over ``axes``; real also for complex x."""

    saves = ("x", "axes", "correction", "keepdims")
    batch = {"axes": "axis"}

    @staticmethod
    def forward(
        x: Array, axes: tuple[int, ...], correction: float, keepdims: bool
    ) -> tuple[Array, tuple[Any, ...]]:
        out, _, _ = _variance(x, axes, correction)
        return _dropped(out, axes, keepdims), (x, axes, correction, keepdims)

    @staticmethod
    def vjp_x(g: Value, x: Value, axes: tuple[int, ...], correction: float, keepdims: bool) -> Value:
        return with_ones(g, x.shape, axes, keepdims) * _slope(x, axes, correction)

    @staticmethod
    def jvp_x(d: Value, x: Value, axes: tuple[int, ...], correction: float, keepdims: bool) -> Value:
        return formula.sum(_real(conj(_slope(x, axes, correction)) * d), axes, keepdims)


def _half_over(out: Value) -> Value:
    """d sqrt(v) / dv = 1 / (2 sqrt(v)), and 0 where the deviation is 0, as in PyTorch."""
    zero = out == 0
    return where(zero, 0.0, 0.5 / where(zero, 1.0, out))


class Std(Op):
    """The standard deviation: the square root of ``Var``; its derivative is taken as 0 where it is 0."""

    saves = ("x", "out", "axes", "correction", "keepdims")
    batch = {"axes": "axis"}

    @staticmethod
    def forward(
        x: Array, axes: tuple[int, ...], correction: float, keepdims: bool
    ) -> tuple[Array, tuple[Any, ...]]:
        out = _dropped(np.sqrt(_variance(x, axes, correction)[0]), axes, keepdims)
        return out, (x, out, axes, correction, keepdims)

    @staticmethod
    def vjp_x(
        g: Value, x: Value, out: Value, axes: tuple[int, ...], correction: float, keepdims: bool
    ) -> Value:
        return with_ones(g * _half_over(out), x.shape, axes, keepdims) * _slope(x, axes, correction)

    @staticmethod
    def jvp_x(
        d: Value, x: Value, out: Value, axes: tuple[int, ...], correction: float, keepdims: bool
    ) -> Value:
        return formula.sum(_real(conj(_slope(x, axes, correction)) * d), axes, keepdims) * _half_over(out)


class VarMean(Op):
    """Variance and mean over ``axes`` in one go."""

    saves = ("x", "axes", "correction", "keepdims")
    batch = {"axes": "axis"}
    several = True
    root = False

    @classmethod
    def forward(
        cls, x: Array, axes: tuple[int, ...], correction: float, keepdims: bool
    ) -> tuple[tuple[Array, Array], tuple[Any, ...]]:
        spread, mean, _ = _variance(x, axes, correction)
        if cls.root:
            spread = np.sqrt(spread)
        pair = (_dropped(spread, axes, keepdims), _dropped(mean, axes, keepdims))
        return pair, (x, axes, correction, keepdims)

    @staticmethod
    def vjp_x(
        gs: tuple[Value, Value], x: Value, axes: tuple[int, ...], correction: float, keepdims: bool
    ) -> Value:
        return _pair_pulled(gs, x, axes, _slope(x, axes, correction), keepdims)

    @staticmethod
    def jvp_x(
        d: Value, x: Value, axes: tuple[int, ...], correction: float, keepdims: bool
    ) -> tuple[Value, Value]:
        return _pair_pushed(d, axes, _slope(x, axes, correction), keepdims)


class StdMean(VarMean):
    """Standard deviation and mean over ``axes`` in one go."""

    root = True

    @staticmethod
    def vjp_x(
        gs: tuple[Value, Value], x: Value, axes: tuple[int, ...], correction: float, keepdims: bool
    ) -> Value:
        return _pair_pulled(gs, x, axes, _root_slope(x, axes, correction), keepdims)

    @staticmethod
    def jvp_x(
        d: Value, x: Value, axes: tuple[int, ...], correction: float, keepdims: bool
    ) -> tuple[Value, Value]:
        return _pair_pushed(d, axes, _root_slope(x, axes, correction), keepdims)


def _root_slope(x: Value, axes: tuple[int, ...], correction: float) -> Value:
    """The derivative of the deviation by x, from x alone."""
    centred, _ = _centred(x, axes)
    free = _count(x.shape, axes) - correction
    variance = formula.sum(_real(centred * conj(centred)), axes, True) * (
        1.0 / free if free > 0 else math.nan
    )
    zero = variance == 0
    return _slope(x, axes, correction) * where(zero, 0.0, 0.5 * where(zero, 1.0, variance) ** -0.5)


def _pair_pulled(
    gs: tuple[Value, Value], x: Value, axes: tuple[int, ...], slope: Value, keepdims: bool
) -> Value:
    g, gm = [with_ones(piece, x.shape, axes, keepdims) for piece in gs]
    count = _count(x.shape, axes)
    return g * slope + gm * (1.0 / count if count else math.nan)


def _pair_pushed(d: Value, axes: tuple[int, ...], slope: Value, keepdims: bool) -> tuple[Value, Value]:
    count = _count(d.shape, axes)
    mean = formula.sum(d, axes, keepdims) * (1.0 / count if count else math.nan)
    return formula.sum(_real(conj(slope) * d), axes, keepdims), mean


class LogSumExp(Op):
    """``log(sum(exp(x)))`` over ``axes``; shifting by the maximum avoids overflow."""

    backward_name = "LogsumexpBackward0"
    saves = ("x", "out", "axes", "keepdims")
    batch = {"axes": "axis"}

    @staticmethod
    def forward(x: Array, axes: tuple[int, ...], keepdims: bool) -> tuple[Array, tuple[Any, ...]]:
        out = table.log_sum_exp_over(x, axes, keepdims)
        return out, (x, out, axes, keepdims)

    @staticmethod
    def vjp_x(g: Value, x: Value, out: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
        with np.errstate(invalid="ignore"):  # inf - inf is nan, silently, as in PyTorch
            weight = call(Exp, x - with_ones(out, x.shape, axes, keepdims))
        return with_ones(g, x.shape, axes, keepdims) * conj(weight)

    @staticmethod
    def jvp_x(d: Value, x: Value, out: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
        weight = call(Exp, x - with_ones(out, x.shape, axes, keepdims))
        return formula.sum(d * weight, axes, keepdims)


class VectorNorm(Op):
    """``(sum |x|^p)^(1/p)`` over ``axes``; p = inf, -inf: the extreme of |x|; p = 0: how many are not 0.

    The result is real. With a = |x| the gradient is ``sgn(x) (a / out)^(p-1)``, taken as 0 where x or
    the norm is 0; the elements that reach an extreme share its gradient. p = 0 has none.
    """

    backward_name = "LinalgVectorNormBackward0"
    saves = ("x", "out", "at", "p", "axes", "keepdims")  # at: where an extreme is reached, a constant
    batch = {"axes": "axis"}

    @staticmethod
    def forward(x: Array, p: float, axes: tuple[int, ...], keepdims: bool) -> tuple[Array, tuple[Any, ...]]:
        at = None
        with np.errstate(all="ignore"):
            out = np.asarray(_norm(x, p, axes, keepdims))
        if math.isinf(p):
            at = np.abs(x) == with_ones(out, x.shape, axes, keepdims)
        return out, (x, out, at, p, axes, keepdims)

    @staticmethod
    def vjp_x(
        g: Value, x: Value, out: Value, at: Any, p: float, axes: tuple[int, ...], keepdims: bool
    ) -> Value:
        if p == 0:
            return None
        g, out = with_ones(g, x.shape, axes, keepdims), with_ones(out, x.shape, axes, keepdims)
        if p == 2:  # what is computed for every element is one product
            lost = out == 0
            return times(x, where(lost, 0.0, g / where(lost, 1.0, out)))
        return g * _norm_slope(x, out, at, p, axes)

    @staticmethod
    def jvp_x(
        d: Value, x: Value, out: Value, at: Any, p: float, axes: tuple[int, ...], keepdims: bool
    ) -> Value:
        if p == 0:
            return formula.zeros_like(out)
        factor = _norm_slope(x, with_ones(out, x.shape, axes, keepdims), at, p, axes)
        return formula.sum(_real(conj(factor) * d), axes, keepdims)


def _norm(x: Array, p: float, axes: tuple[int, ...], keepdims: bool) -> Any:
    real = x.real.dtype.type
    if p == 0:
        return add_reduce(x != 0, axes, dtype=real, keepdims=keepdims)
    if p == 2:
        if x.dtype.kind != "c":
            return np.sqrt(table.squares_over(x, axes, keepdims))
        return np.sqrt(add_reduce(x.real * x.real + x.imag * x.imag, axes, keepdims=keepdims))
    size = np.abs(x)
    if math.isinf(p):
        return (np.max if p > 0 else np.min)(size, axis=axes, keepdims=keepdims)
    if p == 1:
        return add_reduce(size, axes, keepdims=keepdims)
    return add_reduce(size ** real(p), axes, keepdims=keepdims) ** real(1.0 / p)


def _norm_slope(x: Value, out: Value, at: Any, p: float, axes: tuple[int, ...]) -> Value:
    """The derivative of the norm by x, with axes kept; see the class."""
    lost = out == 0
    if p == 2:
        return where(lost, 0.0, x / where(lost, 1.0, out))
    zero = x == 0
    size = _size(x, zero)
    sign = where(zero, 0.0, x / where(zero, 1.0, size))
    if p == 1:
        return sign
    if math.isinf(p):
        count = np.maximum(1, np.sum(at, axis=axes, keepdims=True))
        return sign * formula.cast(at / count, out.dtype)
    safe = where(zero, 1.0, size)
    return sign * where(lost, 0.0, safe ** (p - 1.0) * where(lost, 1.0, out) ** (1.0 - p))


def _size(x: Value, zero: Array) -> Value:
    """|x| that can be differentiated again away from 0."""
    if x.dtype.kind != "c":
        return where(x < 0, -x, x)
    square = call(Real, x * conj(x))
    return where(zero, 0.0, where(zero, 1.0, square) ** 0.5)
