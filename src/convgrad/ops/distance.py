"""Distances, all of them norms of differences, and rows cut to a largest norm.

Their slopes are those of ``VectorNorm``: 0 where a difference or a whole distance is 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import Array
from . import formula
from .complex import Abs, Sgn
from .elementwise import Real
from .formula import Value, call, conj, reshape, where
from .op import Op
from .statistics import VectorNorm

#: so many differences are taken at a time
_BLOCK = 1 << 18


def _reached(x: Value, out: Value, p: float) -> Any:
    """Where the extreme of |x| is reached, if the norm is one; a constant."""
    return call(Abs, x) == out if math.isinf(p) else None


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
    """The p-norm of ``x1[..., i, :] - x2[..., j, :]`` for every i and j, from the differences themselves.

    The expansion ``|a|² - 2ab + |b|²`` would be a matrix product, but loses the digits of near points.
    """

    saves = ("x1", "x2", "out", "p")

    @staticmethod
    def forward(x1: Array, x2: Array, p: float) -> tuple[Array, tuple[Any, ...]]:
        lead = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
        rows, columns, width = x1.shape[-2], x2.shape[-2], x1.shape[-1]
        out = np.zeros((*lead, rows, columns), x1.dtype)
        step = max(1, _BLOCK // max(1, math.prod(lead) * columns * width))
        for start in range(0, rows if width and out.size else 0, step):
            gap = x1[..., start : start + step, None, :] - x2[..., None, :, :]
            out[..., start : start + step, :] = VectorNorm.forward(gap, p, (gap.ndim - 1,), False)[0]
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


def _pulled(g: Value, x1: Value, x2: Value, out: Value, p: float) -> Value:
    """The cotangent of each difference; the largest ones take it whole, without sharing."""
    first = reshape(x1, (*x1.shape[:-1], 1, x1.shape[-1]))
    gap = first - reshape(x2, (*x2.shape[:-2], 1, *x2.shape[-2:]))
    if p == 0:
        return formula.zeros_like(gap)
    if p == 2:  # the usual one, with few passes over the differences
        lost = out == 0
        weight = where(lost, 0.0, g / where(lost, 1.0, out))
        return gap * reshape(weight, (*weight.shape, 1))
    if math.isinf(p):
        wide = reshape(out, (*out.shape, 1))
        return reshape(g, (*g.shape, 1)) * (call(Sgn, gap) * (call(Abs, gap) == wide))
    return VectorNorm.vjp_x(g, gap, out, None, p, (len(gap.shape) - 1,), False)


class Renorm(Op):
    """x with each slice along ``axis`` whose p-norm is above ``limit`` scaled down to it."""

    saves = ("x", "p", "axis", "limit")

    @staticmethod
    def forward(x: Array, p: float, axis: int, limit: float) -> tuple[Array, tuple[Any, ...]]:
        norm = VectorNorm.forward(x, p, _others(x, axis), True)[0]
        return x * _factor(norm, limit), (x, p, axis, limit)

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
