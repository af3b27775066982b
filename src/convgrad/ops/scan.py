"""Running sums, products and extremes along one axis, and the product over an axis.

A scan with ``reverse`` runs from the last element to the first; each is the other's adjoint. A 0-d
array counts as one element.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import F32, HALVES, Array
from ..kernels import table
from ..kernels.rows import PRODUCT
from . import formula
from .formula import Value, broadcast_to, call, call_many, conj, reshape
from .op import Linear, Op
from .reduce import Gather, ScatterSum, comparable
from .shape import Cat, Index

Pair = tuple[tuple[Array, Array], tuple[Any, ...]]


def scan(ufunc: np.ufunc, x: Array, axis: int, reverse: bool = False) -> Array:
    """``ufunc`` accumulated along ``axis``; half precision runs in float32 and is rounded once (R6)."""
    if not x.ndim:
        return x.copy()
    if x.dtype in HALVES:
        return scan(ufunc, x.astype(F32), axis, reverse).astype(x.dtype)
    return table.scan(ufunc, x, axis, reverse)


class CumSum(Linear):
    """Running sums along ``axis``; the adjoint runs the other way."""

    backward_name = "CumsumBackward0"
    saves = ("axis", "reverse")
    batch = {"axis": "axis"}

    @staticmethod
    def forward(x: Array, axis: int, reverse: bool) -> tuple[Array, tuple[Any, ...]]:
        return scan(np.add, x, axis, reverse), (axis, reverse)

    @staticmethod
    def vjp_x(g: Value, axis: int, reverse: bool) -> Value:
        return call(CumSum, g, axis, not reverse)


class CumProd(Op):
    """Running products along ``axis``: ``out[i] = x[0] ... x[i]``.

    ``gx[k]`` is the sum over i >= k of ``g[i]`` times the product of the others up to i. With no zero
    that is ``sum(g out) / x``; zeros are met exactly (``CumProdGrad``), in derivatives of any order.
    """

    backward_name = "CumprodBackward0"
    saves = ("x", "axis")
    batch = {"axis": "axis"}

    @staticmethod
    def forward(x: Array, axis: int) -> tuple[Array, tuple[Any, ...]]:
        return scan(np.multiply, x, axis), (x, axis)

    @staticmethod
    def vjp_x(g: Value, x: Value, axis: int) -> Value:
        return call(CumProdGrad, g, x, axis)

    @staticmethod
    def jvp_x(d: Value, x: Value, axis: int) -> Value:
        return _pushed(d, x, axis)


def _at(x: Value, axis: int, key: Any) -> Value:
    return call(Index, x, ((slice(None),) * axis + (key, ...)))


def _without_each(x: Value, axis: int) -> Value:
    """``P[.., k, i, ..] = product of x[j], j <= i, j != k`` for i >= k, else 0: quadratic, for higher orders.

    The new axis k stands before ``axis``.
    """
    n = x.shape[axis]
    tail = (1,) * (len(x.shape) - axis - 1)
    eye = np.eye(n, dtype=bool).reshape((n, n, *tail))
    rows = broadcast_to(
        reshape(x, (*x.shape[:axis], 1, *x.shape[axis:])), (*x.shape[:axis], n, *x.shape[axis:])
    )
    ones = rows * (~eye) + eye.astype(x.dtype)
    return call(CumProd, ones, axis + 1) * np.triu(np.ones((n, n), bool)).reshape((n, n, *tail))


def _pushed(d: Value, x: Value, axis: int) -> Value:
    """The tangent of CumProd."""
    if not x.shape:
        return d
    rows = reshape(d, (*d.shape[: axis + 1], 1, *d.shape[axis + 1 :]))
    return formula.sum(rows * _without_each(x, axis), axis)


class CumProdGrad(Op):
    """The pullback of CumProd, in linear time also with zeros in x.

    Before the first zero: ``reverse running sum of g out, over x``. At it: the same with that zero taken
    for 1. Behind it: 0.
    """

    saves = ("g", "x", "axis")
    batch = {"axis": "axis"}

    @staticmethod
    def forward(g: Array, x: Array, axis: int) -> tuple[Array, tuple[Any, ...]]:
        if not x.ndim:
            return g.copy(), (g, x, axis)
        xc = np.conjugate(x)
        zero = xc == 0
        pulled = scan(np.add, g * scan(np.multiply, xc, axis), axis, True) / np.where(zero, 1, xc)
        if zero.any():
            first = zero & (np.cumsum(zero, axis) == 1)
            others = scan(np.multiply, np.where(first, 1, xc), axis)
            pulled = np.where(first, scan(np.add, g * others, axis, True), np.where(zero, 0, pulled))
        return pulled.astype(g.dtype, copy=False), (g, x, axis)

    @staticmethod
    def vjp_g(h: Value, _g: Value, x: Value, axis: int) -> Value:
        return _pushed(h, x, axis)

    @staticmethod
    def vjp_x(h: Value, g: Value, x: Value, axis: int) -> Value:
        return _second(h, g, x, axis)

    @staticmethod
    def jvp_g(d: Value, _g: Value, x: Value, axis: int) -> Value:
        return call(CumProdGrad, d, x, axis)

    @staticmethod
    def jvp_x(d: Value, g: Value, x: Value, axis: int) -> Value:
        return _second(d, g, x, axis)  # the second derivative is symmetric


def _second(h: Value, g: Value, x: Value, axis: int) -> Value:
    """The derivative by x of ``<h, CumProdGrad(g, x)>`` = sum over k <= i of ``h[k] g[i] P[k, i]``."""
    if not x.shape:
        return g * 0.0
    n = x.shape[axis]
    tail = (1,) * (len(x.shape) - axis - 1)
    eye = np.eye(n, dtype=bool).reshape((n, n, *tail))
    upper = np.triu(np.ones((n, n), bool)).reshape((n, n, *tail))
    rows = broadcast_to(
        reshape(x, (*x.shape[:axis], 1, *x.shape[axis:])), (*x.shape[:axis], n, *x.shape[axis:])
    )
    weight = reshape(conj(h), (*h.shape[: axis + 1], 1, *h.shape[axis + 1 :])) * reshape(
        g, (*g.shape[:axis], 1, *g.shape[axis:])
    )
    pulled = call(CumProdGrad, weight * upper, rows * (~eye) + eye.astype(x.dtype), axis + 1)
    return formula.sum(pulled * (~eye), axis)


class Prod(Op):
    """The product over one axis; the gradient of each factor is the product of the others, zeros or not."""

    backward_name = "ProdBackward1"
    saves = ("x", "axis", "keepdims")
    batch = {"axis": "axis"}

    @staticmethod
    def forward(x: Array, axis: int, keepdims: bool) -> tuple[Array, tuple[Any, ...]]:
        if not x.ndim:
            return x.copy(), (x, axis, keepdims)
        return table.fold(PRODUCT, x, axis, keepdims), (x, axis, keepdims)

    @staticmethod
    def vjp_x(g: Value, x: Value, axis: int, keepdims: bool) -> Value:
        if not x.shape:
            return g
        return _kept(g, x, axis, keepdims) * conj(others(x, axis))

    @staticmethod
    def jvp_x(d: Value, x: Value, axis: int, keepdims: bool) -> Value:
        if not x.shape:
            return d
        return formula.sum(d * others(x, axis), axis, keepdims)


class ProdAll(Op):
    """The product of all elements: that over the one axis of a flat x."""

    backward_name = "ProdBackward0"
    saves = ("x",)

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Any, ...]]:
        return table.fold(PRODUCT, x, None, False), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return reshape(g * conj(others(reshape(x, (x.size,)), 0)), x.shape)

    @staticmethod
    def jvp_x(d: Value, x: Value) -> Value:
        return formula.sum(reshape(d, (x.size,)) * others(reshape(x, (x.size,)), 0), 0)


def _kept(g: Value, x: Value, axis: int, keepdims: bool) -> Value:
    return g if keepdims else reshape(g, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))


def others(x: Value, axis: int) -> Value:
    """For each element the product of all others along ``axis``: what is before it times what is behind."""
    if not x.shape[axis]:
        return x
    one = np.ones((*x.shape[:axis], 1, *x.shape[axis + 1 :]), x.dtype)
    back = _at(x, axis, slice(None, None, -1))
    before = call_many(Cat, (one, call(CumProd, _at(x, axis, slice(0, -1)), axis)), axis)
    behind = call_many(Cat, (one, call(CumProd, _at(back, axis, slice(0, -1)), axis)), axis)
    return before * _at(behind, axis, slice(None, None, -1))


class CumMax(Op):
    """The largest value so far along ``axis`` and where it stands: the last of equals; NaN stays."""

    backward_name = "CummaxBackward0"
    saves = ("index", "axis", "old")
    batch = {"axis": "axis"}
    several = True
    primary = 0
    exact = True
    ufunc: Any = np.maximum

    @classmethod
    def forward(cls, x: Array, axis: int) -> Pair:
        line = comparable(x if x.ndim else x.reshape(1))
        best = cls.ufunc.accumulate(line, axis)
        place = np.arange(line.shape[axis]).reshape((-1,) + (1,) * (line.ndim - axis - 1))
        new = (line == best) | (line != line)
        index = np.maximum.accumulate(np.where(new, place, 0), axis).reshape(x.shape)
        return (best.astype(x.dtype, copy=False).reshape(x.shape), index), (index, axis, x.shape)

    @staticmethod
    def vjp_x(g: Value, index: Array, axis: int, old: tuple[int, ...]) -> Value:
        line = old or (1,)
        return reshape(call(ScatterSum, reshape(g, line), index.reshape(line), axis, line), old)

    @staticmethod
    def jvp_x(d: Value, index: Array, axis: int, old: tuple[int, ...]) -> Value:
        line = old or (1,)
        return reshape(call(Gather, reshape(d, line), index.reshape(line), axis), old)


class CumMin(CumMax):
    """The smallest value so far along ``axis`` and where it stands: the last of equals; NaN stays."""

    backward_name = "CumminBackward0"
    ufunc = np.minimum


class LogCumSumExp(Op):
    """``log(running sum of exp(x))`` along ``axis``, without overflow.

    ``gx[k] = sum g[i] exp(x[k] - out[i])``.
    """

    backward_name = "LogcumsumexpBackward0"
    saves = ("x", "out", "axis")
    batch = {"axis": "axis"}

    @staticmethod
    def forward(x: Array, axis: int) -> tuple[Array, tuple[Any, ...]]:
        out = scan(np.logaddexp, x, axis)
        return out, (x, out, axis)

    @staticmethod
    def vjp_x(g: Value, x: Value, out: Value, axis: int) -> Value:
        return call(ExpScan, g, x, -out, axis, True)

    @staticmethod
    def jvp_x(d: Value, x: Value, out: Value, axis: int) -> Value:
        return call(ExpScan, d, -out, x, axis, False)


class ExpScan(Op):
    """``out[k] = sum of w[i] exp(a[k] + b[i])`` over i <= k along ``axis`` (i >= k with ``reverse``).

    The sum runs in logarithms, positive and negative weights apart, so that nothing overflows on the
    way. Its adjoint in w is itself with a and b exchanged, running the other way.
    """

    saves = ("w", "a", "b", "out", "axis", "reverse")
    batch = {"axis": "axis"}

    @staticmethod
    def forward(w: Array, a: Array, b: Array, axis: int, reverse: bool) -> tuple[Array, tuple[Any, ...]]:
        with np.errstate(all="ignore"):
            up = np.exp(a + scan(np.logaddexp, np.log(np.maximum(w, 0)) + b, axis, reverse))
            down = np.exp(a + scan(np.logaddexp, np.log(np.maximum(-w, 0)) + b, axis, reverse))
            out = up - down
        return out, (w, a, b, out, axis, reverse)

    @staticmethod
    def vjp_w(g: Value, _w: Value, a: Value, b: Value, _out: Value, axis: int, reverse: bool) -> Value:
        return call(ExpScan, g, b, a, axis, not reverse)

    @staticmethod
    def vjp_a(g: Value, _w: Value, _a: Value, _b: Value, out: Value, _axis: int, _reverse: bool) -> Value:
        return g * out

    @staticmethod
    def vjp_b(g: Value, w: Value, a: Value, b: Value, _out: Value, axis: int, reverse: bool) -> Value:
        return w * call(ExpScan, g, b, a, axis, not reverse)

    @staticmethod
    def jvp_w(d: Value, _w: Value, a: Value, b: Value, _out: Value, axis: int, reverse: bool) -> Value:
        return call(ExpScan, d, a, b, axis, reverse)

    @staticmethod
    def jvp_a(d: Value, _w: Value, _a: Value, _b: Value, out: Value, _axis: int, _reverse: bool) -> Value:
        return d * out

    @staticmethod
    def jvp_b(d: Value, w: Value, a: Value, b: Value, _out: Value, axis: int, reverse: bool) -> Value:
        return call(ExpScan, w * d, a, b, axis, reverse)
