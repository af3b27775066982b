"""Factors L D Lᴴ of indefinite matrices, by rows, and what solves with them.

Source: Bunch and Kaufman, Some stable methods for calculating inertia and solving symmetric linear
systems, Mathematics of Computation 31, 1977; pivots are stored as LAPACK's ``sytrf`` stores them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import Array
from ..errors import ConvgradError
from . import lapack
from .formula import Value, call, conj
from .op import Op

#: a pivot on the diagonal is taken if it is that part of the largest beside it: least growth in two steps
_ENOUGH = (1 + math.sqrt(17)) / 8


def _size(x: Array) -> Array:
    return np.abs(x.real) + np.abs(x.imag) if x.dtype.kind == "c" else np.abs(x)


def _pivot(a: Array, k: int) -> tuple[int, int]:
    """(the row to bring up, the order of the block) for step k; (k, 0) where the column is nothing but 0."""
    n = len(a)
    own = float(_size(a[k, k]))
    if k + 1 == n:
        return k, 0 if own == 0 or math.isnan(own) else 1
    best = k + 1 + int(np.argmax(_size(a[k + 1 :, k])))
    beside = float(_size(a[best, k]))
    if max(own, beside) == 0 or math.isnan(own):
        return k, 0
    if own >= _ENOUGH * beside:
        return k, 1
    others = max(float(_size(a[best, k:best]).max()), float(_size(a[best + 1 :, best]).max(initial=0)))
    if own * others >= _ENOUGH * beside * beside:
        return k, 1
    return best, 1 if float(_size(a[best, best])) >= _ENOUGH * others else 2


def _exchange(a: Array, low: int, high: int, hermitian: bool) -> None:
    """Rows and columns ``low`` < ``high`` of what is left, in the lower triangle."""
    a[[low, high], [low, high]] = a[[high, low], [high, low]]
    a[high + 1 :, [low, high]] = a[high + 1 :, [high, low]]
    column, row = a[low + 1 : high, low].copy(), a[high, low + 1 : high].copy()
    a[low + 1 : high, low] = row.conj() if hermitian else row
    a[high, low + 1 : high] = column.conj() if hermitian else column
    if hermitian:
        a[high, low] = a[high, low].conj()


def _factor(a: Array, pivots: Array, hermitian: bool) -> int:
    """One matrix in place, its lower triangle; the number of the first zero pivot, or 0."""
    n, k, info = len(a), 0, 0
    if hermitian:
        a[range(n), range(n)] = a.diagonal().real
    while k < n:
        row, order = _pivot(a, k)
        if order == 0:
            info = info or k + 1
            pivots[k] = k + 1
            k += 1
            continue
        last = k + order - 1
        if row != last:
            _exchange(a, last, row, hermitian)
            if order == 2:
                a[[last, row], k] = a[[row, last], k]
        left = a[last + 1 :, k : last + 1].copy()
        scaled = left @ np.linalg.inv(_block(a, k, order, hermitian))
        a[last + 1 :, last + 1 :] -= scaled @ (left.conj() if hermitian else left).T
        a[last + 1 :, k : last + 1] = scaled
        if hermitian:
            a[range(last + 1, n), range(last + 1, n)] = a.diagonal()[last + 1 :].real
        pivots[k : last + 1] = row + 1 if order == 1 else -(row + 1)
        k += order
    return info


def _block(a: Array, k: int, order: int, hermitian: bool) -> Array:
    """The diagonal block of D at k."""
    block = a[k : k + order, k : k + order].copy()
    if order == 2:
        block[0, 1] = block[1, 0].conj() if hermitian else block[1, 0]
    if hermitian:
        block[range(order), range(order)] = block.diagonal().real
    return block


def _solve(ld: Array, pivots: Array, b: Array, hermitian: bool) -> None:
    """One matrix's equations, in place of b."""
    n, k = len(ld), 0
    steps = []
    while k < n:
        order = 1 if pivots[k] > 0 else 2
        last, row = k + order - 1, abs(int(pivots[k])) - 1
        steps.append((k, last, row))
        b[[last, row]] = b[[row, last]]
        b[last + 1 :] -= ld[last + 1 :, k : last + 1] @ b[k : last + 1]
        with np.errstate(all="ignore"):
            if order == 1:
                b[k] /= ld[k, k].real if hermitian else ld[k, k]
            else:
                b[k : last + 1] = np.linalg.inv(_block(ld, k, 2, hermitian)) @ b[k : last + 1]
        k += order
    for k, last, row in reversed(steps):
        left = ld[last + 1 :, k : last + 1]
        b[k : last + 1] -= (left.conj() if hermitian else left).T @ b[last + 1 :]
        b[[last, row]] = b[[row, last]]


class LinalgLdlFactorEx(Op):
    """(LD, pivots, info) of symmetric (or Hermitian) matrices, of which the lower triangle is read.

    LD has D's diagonal blocks, L below them and zeros above; a pivot above 0 is the row, from 1, that its
    row was exchanged with, and two equal ones below 0 are a block of order 2, whose second row was. No
    derivative, as in PyTorch.
    """

    backward_name = "torch::autograd::NotImplemented"
    batch = "leading"
    several = True
    primary = 0

    @staticmethod
    def forward(a: Array, hermitian: bool, name: str = "") -> tuple[tuple[Array, ...], tuple[()]]:
        hermitian = hermitian and a.dtype.kind == "c"
        out = np.tril(a)
        pivots = np.zeros(a.shape[:-1], np.int32)
        info = np.zeros(a.shape[:-2], np.int32)
        with np.errstate(all="ignore"):
            for at in np.ndindex(a.shape[:-2]):
                info[at] = _factor(out[at], pivots[at], hermitian)
        lapack.check(info, name, "ldl")
        return (np.tril(out), pivots, info), ()

    @staticmethod
    def vjp_a(g: Value) -> Value:
        raise ConvgradError("derivative for aten::linalg_ldl_factor_ex is not implemented")

    jvp_a = vjp_a


class LinalgLdlSolve(Op):
    """x with ``A x = b`` from A's factors; linear in b, without a derivative by the factors."""

    saves = ("ld", "pivots", "hermitian")

    @staticmethod
    def forward(ld: Array, pivots: Array, b: Array, hermitian: bool) -> tuple[Array, tuple[Any, ...]]:
        batch = np.broadcast_shapes(ld.shape[:-2], b.shape[:-2])
        out = np.array(np.broadcast_to(b, (*batch, *b.shape[-2:])))
        factors = np.broadcast_to(ld, (*batch, *ld.shape[-2:]))
        rows = np.broadcast_to(pivots, (*batch, pivots.shape[-1]))
        for at in np.ndindex(batch):
            _solve(factors[at], rows[at], out[at], hermitian and ld.dtype.kind == "c")
        return out, (ld, pivots, hermitian)

    @staticmethod
    def vjp_ld(_g: Value, _ld: Value, _pivots: Array, _hermitian: bool) -> Value:
        raise ConvgradError("derivative for aten::linalg_ldl_solve is not implemented")

    jvp_ld = vjp_ld

    @staticmethod
    def vjp_b(g: Value, ld: Value, pivots: Array, hermitian: bool) -> Value:
        if hermitian:
            return call(LinalgLdlSolve, ld, pivots, g, True)
        return conj(call(LinalgLdlSolve, ld, pivots, conj(g), False))

    @staticmethod
    def jvp_b(d: Value, ld: Value, pivots: Array, hermitian: bool) -> Value:
        return call(LinalgLdlSolve, ld, pivots, d, hermitian)
