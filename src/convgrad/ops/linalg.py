"""Inverses, linear systems, triangular factors and the matrix exponential.

Matrices are the last two axes, all axes before are batches. NumPy's LAPACK does the arithmetic, and
``ops/lapack.py`` what it lacks. Matrix derivatives: Giles, Collected matrix derivative results for forward
and reverse mode algorithmic differentiation, 2008. Cotangents of complex matrices pair by ``Re tr(gᴴ d)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array
from . import formula, lapack
from .elementwise import Real
from .formula import Value, call, call_many, conj, reshape, swap_last, where
from .op import Op
from .shape import Cat


def adjoint(x: Value) -> Value:
    """The conjugate transpose of the last two axes."""
    return swap_last(conj(x))


def real(x: Value) -> Value:
    """The real part; real values pass untouched."""
    return call(Real, x) if x.dtype.kind == "c" else x


def lower(x: Value, offset: int = 0) -> Value:
    """The lower triangle up to a diagonal, zeros elsewhere (even over NaN)."""
    return where(np.tri(x.shape[-2], x.shape[-1], offset, dtype=bool), x, 0.0)


def upper(x: Value, offset: int = 0) -> Value:
    """The upper triangle from a diagonal on, zeros elsewhere."""
    return where(np.tri(x.shape[-2], x.shape[-1], offset - 1, dtype=bool), 0.0, x)


def joined(a: Value, b: Value, axis: int) -> Value:
    """Two batches of matrices joined: b below a (0) or beside it (1)."""
    return call_many(Cat, (a, b), len(a.shape) - 2 + axis)


def summed(x: Value, axis: int) -> Value:
    """The sum over an axis counted from the end."""
    return formula.sum(x, len(x.shape) + axis)


def diagonal(x: Value) -> Value:
    """The main diagonal (..., n) of square matrices."""
    return summed(where(np.eye(x.shape[-1], dtype=bool), x, 0.0), -1)


def on_diagonal(x: Value) -> Value:
    """Square matrices with x (..., n) on the diagonal."""
    return where(np.eye(x.shape[-1], dtype=bool), reshape(x, (*x.shape, 1)), 0.0)


def columns(x: Value) -> Value:
    """x (..., n) as a row (..., 1, n): a factor for each column."""
    return reshape(x, (*x.shape[:-1], 1, x.shape[-1]))


def rows(x: Value) -> Value:
    """x (..., n) as a column (..., n, 1): a factor for each row."""
    return reshape(x, (*x.shape, 1))


def scalars(x: Value) -> Value:
    """x (...) as (..., 1, 1): a factor for each matrix."""
    return reshape(x, (*x.shape, 1, 1))


class LinalgInvEx(Op):
    """The inverse of square matrices (..., n, n), and LAPACK's info: 0, or which diagonal element was zero.

    In the name of a function ``name`` a singular matrix is refused.
    """

    saves = ("out", "name")
    batch = "leading"
    several = True
    primary = 0

    @staticmethod
    def forward(a: Array, name: str = "") -> tuple[tuple[Array, Array], tuple[Array, str]]:
        out, info = lapack.inverse(a)
        lapack.check(info, name, "inv")
        return (out, info), (out, name)

    @staticmethod
    def vjp_a(g: Value, out: Value, _name: str) -> Value:
        return -(adjoint(out) @ g @ adjoint(out))

    @staticmethod
    def jvp_a(d: Value, out: Value, _name: str) -> Value:
        return -(out @ d @ out)


class LinalgSolveEx(Op):
    """x with ``a @ x = b`` (or ``x @ a = b`` without ``left``), and info.

    a (..., n, n), b (..., n, k), or with ``vector`` (..., n); batches broadcast. In the name of a function
    ``name`` a singular matrix is refused.
    """

    saves = ("a", "out", "left", "vector", "name")
    several = True
    primary = 0

    @staticmethod
    def forward(
        a: Array, b: Array, left: bool, vector: bool, name: str = ""
    ) -> tuple[tuple[Array, Array], tuple[Any, ...]]:
        if vector:
            b = b[..., None]
        if left:
            out, info = lapack.solve(a, b)
        else:
            out, info = lapack.solve(a.swapaxes(-1, -2), b.swapaxes(-1, -2))
            out = out.swapaxes(-1, -2)
        lapack.check(info, name, "solve")
        if vector:
            out = out[..., 0]
        return (out, info), (a, out, left, vector, name)

    @staticmethod
    def vjp(
        needs: tuple[bool, ...], g: Value, a: Value, out: Value, left: bool, vector: bool, _name: str
    ) -> tuple[Value, ...]:
        gb = call(LinalgSolveEx, adjoint(a), g, left, vector)[0]
        if not needs[0]:
            return None, gb
        gm, x = (rows(gb), rows(out)) if vector else (gb, out)
        return -(gm @ adjoint(x) if left else adjoint(x) @ gm), gb if needs[1] else None

    @staticmethod
    def jvp(tangents: tuple[Value, ...], a: Value, out: Value, left: bool, vector: bool, _name: str) -> Value:
        da, db = tangents
        if da is not None:
            x = rows(out) if vector else out
            moved = da @ x if left else x @ da
            moved = moved[..., 0] if vector else moved
            db = -moved if db is None else db - moved
        return call(LinalgSolveEx, a, db, left, vector)[0]


class LinalgSolveTriangular(Op):
    """x with ``a @ x = b`` (or ``x @ a = b``) for triangular a (..., n, n); the other triangle is not read.

    With ``unitriangular`` the diagonal counts as ones. Batches broadcast.
    """

    saves = ("a", "out", "upper", "left", "unitriangular")

    @staticmethod
    def forward(
        a: Array, b: Array, upper: bool, left: bool, unitriangular: bool
    ) -> tuple[Array, tuple[Any, ...]]:
        if left:
            out = lapack.solve_triangular(a, b, upper, unitriangular)
        else:
            turned = lapack.solve_triangular(a.swapaxes(-1, -2), b.swapaxes(-1, -2), not upper, unitriangular)
            out = turned.swapaxes(-1, -2)
        return out, (a, out, upper, left, unitriangular)

    @staticmethod
    def vjp(
        needs: tuple[bool, ...], g: Value, a: Value, out: Value, upper: bool, left: bool, unitriangular: bool
    ) -> tuple[Value, ...]:
        gb = call(LinalgSolveTriangular, adjoint(a), g, not upper, left, unitriangular)
        ga = gb @ adjoint(out) if left else adjoint(out) @ gb
        return _triangle(-ga, upper, unitriangular) if needs[0] else None, gb if needs[1] else None

    @staticmethod
    def jvp(
        tangents: tuple[Value, ...], a: Value, out: Value, upper: bool, left: bool, unitriangular: bool
    ) -> Value:
        da, db = tangents
        if da is not None:
            da = _triangle(da, upper, unitriangular)
            moved = da @ out if left else out @ da
            db = -moved if db is None else db - moved
        return call(LinalgSolveTriangular, a, db, upper, left, unitriangular)


def _triangle(x: Value, above: bool, unit: bool) -> Value:
    return upper(x, int(unit)) if above else lower(x, -int(unit))


def triangular(a: Value, b: Value, above: bool, left: bool = True) -> Value:
    """``LinalgSolveTriangular`` in a formula."""
    return call(LinalgSolveTriangular, a, b, above, left, False)


def _half_lower(x: Value) -> Value:
    """The lower triangle with half the diagonal."""
    return 0.5 * (lower(x) + lower(x, -1))


class LinalgCholeskyEx(Op):
    """L with ``L Lᴴ = a`` for Hermitian positive-definite a, or with ``upper`` its adjoint; and info.

    One triangle of a is read. Gradients are Hermitian: a is taken to stay so. Source: Murray,
    Differentiation of the Cholesky decomposition, 2016.
    """

    saves = ("out", "upper", "name")
    batch = "leading"
    several = True
    primary = 0

    @staticmethod
    def forward(a: Array, upper: bool, name: str = "") -> tuple[tuple[Array, Array], tuple[Any, ...]]:
        out, info = lapack.cholesky(a, upper)
        lapack.check(info, name, "cholesky")
        return (out, info), (out, upper, name)

    @staticmethod
    def vjp_a(g: Value, out: Value, upper: bool, _name: str) -> Value:
        factor, g = (adjoint(out), adjoint(g)) if upper else (out, g)
        inside = _half_lower(adjoint(factor) @ g)
        half = triangular(factor, triangular(adjoint(factor), inside, True), False, left=False)
        return 0.5 * (half + adjoint(half))

    @staticmethod
    def jvp_a(d: Value, out: Value, upper: bool, _name: str) -> Value:
        factor = adjoint(out) if upper else out
        d = 0.5 * (d + adjoint(d))
        inside = triangular(adjoint(factor), triangular(factor, d, False), True, left=False)
        moved = factor @ _half_lower(inside)
        return adjoint(moved) if upper else moved


class Cholesky(LinalgCholeskyEx):
    """The same under the name of ``torch.cholesky``."""

    batch = "leading"


def _lu_pulled(gl: Value, gu: Value, left: Value, right: Value) -> Value:
    """The cotangent of L U from those of L (m, k) and U (k, n), k the lesser of m and n.

    Source: Axen, Differentiating the LU decomposition, 2021.
    """
    (m, k), n = left.shape[-2:], right.shape[-1]
    top, square = left[..., :k, :], right[..., :, :k]
    below = beside = None
    if m > k:
        below = triangular(adjoint(square), gl[..., k:, :], False, left=False)
        gu = gu - adjoint(left[..., k:, :]) @ below
    if n > k:
        beside = triangular(adjoint(top), gu[..., :, k:], True)
        gl = gl - beside @ adjoint(right[..., :, k:])
    core = lower(adjoint(top) @ gl[..., :k, :], -1) + upper(gu[..., :, :k] @ adjoint(square))
    out = triangular(adjoint(top), triangular(adjoint(square), core, False, left=False), True)
    if below is not None:
        out = joined(out, below, 0)
    return out if beside is None else joined(out, beside, 1)


def _lu_pushed(d: Value, left: Value, right: Value) -> tuple[Value, Value]:
    """The tangents of L and U from that of L U."""
    (m, k), n = left.shape[-2:], right.shape[-1]
    top, square = left[..., :k, :], right[..., :, :k]
    core = triangular(square, triangular(top, d[..., :k, :k], False), True, left=False)
    dl, du = top @ lower(core, -1), upper(core) @ square
    if m > k:
        below = triangular(square, d[..., k:, :] - left[..., k:, :] @ du, True, left=False)
        return joined(dl, below, 0), du
    if n > k:
        beside = triangular(top, d[..., :, k:] - dl @ right[..., :, k:], False)
        return dl, joined(du, beside, 1)
    return dl, du


def unpacked(factors: Value) -> tuple[Value, Value]:
    """L (m, k) with its ones and U (k, n) from the array that holds both."""
    size = min(factors.shape[-2:])
    left = lower(factors[..., :, :size], -1) + np.eye(factors.shape[-2], size, dtype=bool)
    return left, upper(factors[..., :size, :])


class LinalgLuFactorEx(Op):
    """(LU, pivots, info): L below and U on and above the diagonal, row exchanges from 1, info."""

    saves = ("out", "pivots", "name")
    batch = "leading"
    several = True
    primary = 0

    @staticmethod
    def forward(a: Array, name: str = "") -> tuple[tuple[Array, ...], tuple[Any, ...]]:
        out, pivots, info = lapack.lu(a)
        lapack.check(info, name, "lu")
        return (out, pivots, info), (out, pivots, name)

    @staticmethod
    def vjp_a(g: Value, out: Value, pivots: Array, _name: str) -> Value:
        size = min(out.shape[-2:])
        left, right = unpacked(out)
        pulled = _lu_pulled(lower(g[..., :, :size], -1), upper(g[..., :size, :]), left, right)
        return lapack.permutation(pivots, out.shape[-2], out.dtype) @ pulled

    @staticmethod
    def jvp_a(d: Value, out: Value, pivots: Array, _name: str) -> Value:
        m, n = out.shape[-2:]
        p = lapack.permutation(pivots, m, out.dtype)
        dl, du = _lu_pushed(p.swapaxes(-1, -2) @ d, *unpacked(out))
        if m > n:
            return joined(lower(dl[..., :n, :], -1) + du, dl[..., n:, :], 0)
        if n > m:
            return joined(dl + du[..., :, :m], du[..., :, m:], 1)
        return dl + du


class LuPermutation(Op):
    """P with ``a = P L U`` from the exchanges of rows that ``LinalgLuFactorEx`` gives; no derivative."""

    saves = ("rows", "dtype")
    batch = "leading"

    @staticmethod
    def forward(pivots: Array, rows: int, dtype: np.dtype[Any]) -> tuple[Array, tuple[Any, ...]]:
        return lapack.permutation(pivots, rows, dtype), (rows, dtype)


class LinalgLu(Op):
    """(L, U, pivots) with ``a = P L U``, P made of the pivots, which have no derivative."""

    saves = ("out0", "out1", "out2")
    batch = "leading"
    several = True

    @staticmethod
    def forward(a: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        factors, pivots, _ = lapack.lu(a)
        results = (*unpacked(factors), pivots)
        return results, results

    @staticmethod
    def vjp_a(gs: tuple[Value, ...], lower: Value, upper: Value, pivots: Value) -> Value:
        p = call(LuPermutation, pivots, lower.shape[-2], lower.dtype)
        return p @ _lu_pulled(gs[0], gs[1], lower, upper)

    @staticmethod
    def jvp_a(d: Value, lower: Value, upper: Value, pivots: Value) -> tuple[Value, ...]:
        p = call(LuPermutation, pivots, lower.shape[-2], lower.dtype)
        return (*_lu_pushed(swap_last(p) @ d, lower, upper), formula.zeros_like(pivots))


class LinalgMatrixExp(Op):
    """The exponential of square matrices.

    Its derivative stands above the diagonal of the exponential of ``[[a, d], [0, a]]``. Source: Higham,
    Functions of Matrices, 2008, 3.2.
    """

    saves = ("a",)
    batch = "leading"

    @staticmethod
    def forward(a: Array) -> tuple[Array, tuple[Array]]:
        return lapack.matrix_exp(a), (a,)

    @staticmethod
    def vjp_a(g: Value, a: Value) -> Value:
        return _exp_moved(adjoint(a), g)

    @staticmethod
    def jvp_a(d: Value, a: Value) -> Value:
        return _exp_moved(a, d)


def _exp_moved(a: Value, d: Value) -> Value:
    n = a.shape[-1]
    above = joined(a, d, 1)
    below = joined(formula.zeros_like(a), a, 1)
    return call(LinalgMatrixExp, joined(above, below, 0))[..., :n, n:]
