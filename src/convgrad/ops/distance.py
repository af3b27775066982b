"""Distances, all of them norms of differences, and rows cut to a largest norm.

Their slopes are those of ``VectorNorm``: 0 where a difference or a whole distance is 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import F64, Array
from . import formula
from .complex import Abs, Sgn
from .elementwise import Real
from .formula import Value, call, cast, conj, reshape, swap_last, where
from .matmul import MatMul
from .op import Op
from .statistics import VectorNorm

#: so many differences are taken at a time
_BLOCK = 1 << 18


def _reached(x: Value, out: Value, p: float) -> Any:
    """Where the extreme of |x| is reached, if the norm is one; a constant."""
    return call(Abs, x) == out if math.isinf(p) else None


class PairNorm(VectorNorm):
    """The norm of the difference of two vectors, under PyTorch's name for it."""

    backward_name = "NormBackward1"


class Dist(Op):
    """The p-norm of ``x - y``, over all elements."""

    saves = ("x", "y", "out", "p")

    @staticmethod
    def forward(x: Array, y: Array, p: float) -> tuple[Array, tuple[Any, ...]]:
        gap = np.asarray(x - y)
        out = VectorNorm.forward(gap, p, tuple(range(gap.ndim)), False)[0]
        return out, (x, y, out, p)

    @staticmethod
    def vjp_x(g: Value, x: Value, y: Value, out: Value, p: float) -> Value:
        gap = x - y
        return VectorNorm.vjp_x(g, gap, out, _reached(gap, out, p), p, tuple(range(gap.ndim)), False)

    @staticmethod
    def vjp_y(g: Value, x: Value, y: Value, out: Value, p: float) -> Value:
        gap = y - x
        return VectorNorm.vjp_x(g, gap, out, _reached(gap, out, p), p, tuple(range(gap.ndim)), False)

    @staticmethod
    def jvp_x(d: Value, x: Value, y: Value, out: Value, p: float) -> Value:
        gap = x - y
        return VectorNorm.jvp_x(d, gap, out, _reached(gap, out, p), p, tuple(range(gap.ndim)), False)

    @staticmethod
    def jvp_y(d: Value, x: Value, y: Value, out: Value, p: float) -> Value:
        gap = y - x
        return VectorNorm.jvp_x(d, gap, out, _reached(gap, out, p), p, tuple(range(gap.ndim)), False)


class Cdist(Op):
    """The p-norm of ``x1[..., i, :] - x2[..., j, :]`` for every i and j."""

    saves = ("x1", "x2", "out", "p")

    @staticmethod
    def forward(x1: Array, x2: Array, p: float) -> tuple[Array, tuple[Any, ...]]:
        lead = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
        rows, columns, width = x1.shape[-2], x2.shape[-2], x1.shape[-1]
        out = np.zeros((*lead, rows, columns), x1.dtype)
        step = max(1, _BLOCK // max(1, math.prod(lead) * columns * width))
        with np.errstate(all="ignore"):
            for start in range(0, rows if width and out.size else 0, step):
                gap = np.asarray(x1[..., start : start + step, None, :] - x2[..., None, :, :])
                out[..., start : start + step, :] = _norm_into(gap, p)
        return out, (x1, x2, out, p)

    @staticmethod
    def vjp_x1(g: Value, x1: Value, x2: Value, out: Value, p: float) -> Value:
        return formula.sum(_pulled(g, x1, x2, out, p), (len(out.shape) - 1,))

    @staticmethod
    def vjp_x2(g: Value, x1: Value, x2: Value, out: Value, p: float) -> Value:
        return -formula.sum(_pulled(g, x1, x2, out, p), (len(out.shape) - 2,))

    @staticmethod
    def jvp_x1(d: Value, x1: Value, x2: Value, out: Value, p: float) -> Value:
        slope = _pulled(np.ones(out.shape, out.dtype), x1, x2, out, p)
        return formula.sum(slope * reshape(d, (*d.shape[:-1], 1, d.shape[-1])), (len(out.shape),))

    @staticmethod
    def jvp_x2(d: Value, x1: Value, x2: Value, out: Value, p: float) -> Value:
        slope = _pulled(np.ones(out.shape, out.dtype), x1, x2, out, p)
        return -formula.sum(slope * reshape(d, (*d.shape[:-2], 1, *d.shape[-2:])), (len(out.shape),))


def _norm_into(gap: Array, p: float) -> Array:
    """The norms along the last axis of differences, which are written over."""
    if p == 0:
        return np.count_nonzero(gap, axis=-1)
    np.abs(gap, out=gap)
    if math.isinf(p):
        return np.maximum.reduce(gap, -1)
    if p == 2:
        gap *= gap
    elif p != 1:
        np.power(gap, gap.dtype.type(p), out=gap)
    # a product with ones adds short rows twice as fast as a sum does
    total = gap @ np.ones(gap.shape[-1], gap.dtype)
    return total if p == 1 else np.sqrt(total) if p == 2 else total ** gap.dtype.type(1.0 / p)


def _pulled(g: Value, x1: Value, x2: Value, out: Value, p: float) -> Value:
    """The cotangent of each difference; the largest ones take it whole, without sharing."""
    first = reshape(x1, (*x1.shape[:-1], 1, x1.shape[-1]))
    gap = first - reshape(x2, (*x2.shape[:-2], 1, *x2.shape[-2:]))
    if p == 0:
        return formula.zeros_like(gap)
    if math.isinf(p):
        wide = reshape(out, (*out.shape, 1))
        return reshape(g, (*g.shape, 1)) * (call(Sgn, gap) * (call(Abs, gap) == wide))
    return VectorNorm.vjp_x(g, gap, out, None, p, (len(gap.shape) - 1,), False)


class EuclideanDist(Op):
    """``Cdist`` for p = 2 by matrix products, in float64: ``|a - b|² = |a|² - 2ab + |b|²``.

    Of points so near that this loses digits, the differences are taken. The derivative by a is
    ``(a - b) / |a - b|``, so that with weights w = g / out the gradient is ``a sum(w) - w b``.
    """

    backward_name = "CdistBackward0"
    saves = ("x1", "x2", "out")

    @staticmethod
    def forward(x1: Array, x2: Array) -> tuple[Array, tuple[Any, ...]]:
        out = None
        if x1.shape[-2] * x2.shape[-2] * x1.shape[-1] > _SMALL:
            out = _by_product(x1.astype(F64), x2.astype(F64), _NEAR[x1.dtype.itemsize])
        out = Cdist.forward(x1, x2, 2.0)[0] if out is None else out.astype(x1.dtype)
        return out, (x1, x2, out)

    @staticmethod
    def vjp_x1(g: Value, x1: Value, x2: Value, out: Value) -> Value:
        return cast(_drawn(_over(cast(g, F64), out), x1, x2), out.dtype)

    @staticmethod
    def vjp_x2(g: Value, x1: Value, x2: Value, out: Value) -> Value:
        return cast(_drawn(swap_last(_over(cast(g, F64), out)), x2, x1), out.dtype)

    @staticmethod
    def jvp_x1(d: Value, x1: Value, x2: Value, out: Value) -> Value:
        return cast(_over(_moved(d, x1, x2), out), out.dtype)

    @staticmethod
    def jvp_x2(d: Value, x1: Value, x2: Value, out: Value) -> Value:
        return cast(_over(swap_last(_moved(d, x2, x1)), out), out.dtype)


#: up to so many differences are taken at once, without a matrix product
_SMALL = 1 << 14
#: squares of distances below this part of the points' own squares have lost digits (by bytes of the dtype)
_NEAR = {4: 1e-8, 8: 1e-3}


def _by_product(a: Array, b: Array, near: float) -> Array | None:
    """The distances by a product, and by differences where points are near; None if one is not finite."""
    middle = b.mean(axis=-2, keepdims=True) if b.ndim == 2 else 0.0
    p, q = a - middle, b - middle
    first, second = np.sum(p * p, -1), np.sum(q * q, -1)
    if not np.isfinite(first.max(initial=0.0) + second.max(initial=0.0)):
        return None
    sizes = first[..., :, None] + second[..., None, :]
    squares = np.asarray((p * -2.0) @ q.swapaxes(-1, -2))
    squares = np.add(squares, sizes, out=squares)
    sizes *= near
    *lead, i, j = np.nonzero(squares <= sizes)
    left = np.broadcast_to(a, (*squares.shape[:-2], *a.shape[-2:]))
    right = np.broadcast_to(b, (*squares.shape[:-2], *b.shape[-2:]))
    step = max(1, _BLOCK // max(1, a.shape[-1]))
    for start in range(0, len(i), step):
        few = slice(start, start + step)
        at = [k[few] for k in lead]
        gap = left[(*at, i[few])] - right[(*at, j[few])]
        squares[(*at, i[few], j[few])] = np.sum(gap * gap, -1)
    return np.sqrt(squares, out=squares)


def _over(x: Value, out: Value) -> Value:
    """x over the distances, 0 where a distance is 0."""
    lost = out == 0
    return where(lost, 0.0, x / where(lost, 1.0, out))


def _drawn(weight: Value, a: Value, b: Value) -> Value:
    """``sum over j of weight[i, j] (a[i] - b[j])``, in float64."""
    total = formula.sum(weight, (len(weight.shape) - 1,), True)
    return cast(a, F64) * total - call(MatMul, weight, cast(b, F64))


def _moved(d: Value, a: Value, b: Value) -> Value:
    """``d[i] (a[i] - b[j])``, summed over the columns, in float64."""
    wide = cast(d, F64)
    own = formula.sum(wide * cast(a, F64), (len(d.shape) - 1,), True)
    return own - call(MatMul, wide, swap_last(cast(b, F64)))


class Renorm(Op):
    """x with each slice along ``axis`` whose p-norm is above ``limit`` scaled down to it."""

    saves = ("x", "p", "axis", "limit")

    @staticmethod
    def forward(x: Array, p: float, axis: int, limit: float) -> tuple[Array, tuple[Any, ...]]:
        norm = VectorNorm.forward(x, p, _others(x, axis), True)[0]
        return np.multiply(x, _factor(norm, limit), order="C"), (x, p, axis, limit)

    @staticmethod
    def vjp_x(g: Value, x: Value, p: float, axis: int, limit: float) -> Value:
        axes = _others(x, axis)
        norm = call(VectorNorm, x, p, axes, True)
        along = call(Real, formula.sum(g * conj(x), axes, True)) * _slope(norm, limit)
        return g * _factor(norm, limit) + VectorNorm.vjp_x(
            along, x, norm, _reached(x, norm, p), p, axes, True
        )

    @staticmethod
    def jvp_x(d: Value, x: Value, p: float, axis: int, limit: float) -> Value:
        axes = _others(x, axis)
        norm = call(VectorNorm, x, p, axes, True)
        change = VectorNorm.jvp_x(d, x, norm, _reached(x, norm, p), p, axes, True)
        return d * _factor(norm, limit) + x * (change * _slope(norm, limit))


def _others(x: Value, axis: int) -> tuple[int, ...]:
    return tuple([i for i in range(len(x.shape)) if i != axis])


#: what PyTorch adds to the norm
_TINY = 1e-7


def _factor(norm: Value, limit: float) -> Value:
    return where(norm > limit, limit / (norm + _TINY), 1.0)


def _slope(norm: Value, limit: float) -> Value:
    """The derivative of the factor by the norm."""
    wide = norm + _TINY
    return where(norm > limit, -limit / (wide * wide), 0.0)
