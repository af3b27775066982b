"""Determinants. Matrices are the last two axes, as in ``ops/linalg.py``."""

from __future__ import annotations

import numpy as np

from ..dtypes import Array
from . import lapack
from .elementwise import Imag, Real
from .formula import Value, call, conj, swap_last, where
from .linalg import LinalgInvEx, LinalgSolveEx, adjoint, columns, diagonal, on_diagonal, rows, scalars, summed
from .op import Op
from .scan import others
from .spectral import LinalgSvd


class LinalgDet(Op):
    """The determinant (...) of square matrices (..., n, n); its gradient is right for singular ones, too."""

    saves = ("a",)
    batch = "leading"

    @staticmethod
    def forward(a: Array) -> tuple[Array, tuple[Array]]:
        with np.errstate(all="ignore"):
            return np.asarray(np.linalg.det(a)), (a,)

    @staticmethod
    def vjp_a(g: Value, a: Value) -> Value:
        return scalars(g) * conj(call(Cofactors, a))

    @staticmethod
    def jvp_a(d: Value, a: Value) -> Value:
        return summed(summed(call(Cofactors, a) * d, -1), -1)


class Cofactors(Op):
    """``det(a) inv(a)ᵀ``, a polynomial in a: the derivative of the determinant, for singular a as well.

    With ``a = U S Vᴴ`` it is ``det(U Vᴴ) conj(U C(S) Vᴴ)``, and at a diagonal S the derivative of ``C`` is
    made of the products of all singular values but two.
    """

    saves = ("a",)
    batch = "leading"

    @staticmethod
    def forward(a: Array) -> tuple[Array, tuple[Array]]:
        return lapack.cofactors(a), (a,)

    @staticmethod
    def vjp_a(g: Value, a: Value) -> Value:
        u, pairs, vh, turn = _diagonalised(a)
        inside = swap_last(u) @ (conj(turn) * g) @ swap_last(vh)
        return u @ _minors(inside, pairs) @ vh

    @staticmethod
    def jvp_a(d: Value, a: Value) -> Value:
        u, pairs, vh, turn = _diagonalised(a)
        return turn * (conj(u) @ _minors(adjoint(u) @ d @ adjoint(vh), pairs) @ conj(vh))


def _diagonalised(a: Value) -> tuple[Value, ...]:
    """U, the products of all singular values but i and j (0 for i = j), Vᴴ, det(U Vᴴ) as a factor."""
    u, s, vh = call(LinalgSvd, a, True)
    n = s.shape[-1]
    eye = np.eye(n, dtype=bool)
    pairs = others(where(eye, 1.0, columns(s)), s.ndim)
    return u, where(eye, 0.0, pairs), vh, scalars(call(LinalgDet, u) * call(LinalgDet, vh))


def _minors(x: Value, pairs: Value) -> Value:
    """The tangent of the cofactors at a diagonal matrix."""
    return on_diagonal((pairs @ rows(diagonal(x)))[..., 0]) - pairs * swap_last(x)


class LinalgSlogdet(Op):
    """(sign, logarithm of the absolute value) of the determinant; the sign of complex ones is a direction."""

    saves = ("a", "out0")
    batch = "leading"
    several = True

    @staticmethod
    def forward(a: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        with np.errstate(all="ignore"):
            sign, size = np.linalg.slogdet(a)
        sign, size = np.asarray(sign), np.asarray(size)
        return (sign, size), (a, sign)

    @staticmethod
    def vjp_a(gs: tuple[Value, Value], a: Value, sign: Value) -> Value:
        turned, g = gs
        if a.dtype.kind == "c":
            g = g + call(Imag, turned * conj(sign)) * 1j
        return scalars(g) * adjoint(call(LinalgInvEx, a)[0])

    @staticmethod
    def jvp_a(d: Value, a: Value, sign: Value) -> tuple[Value, Value]:
        moved = diagonal(call(LinalgSolveEx, a, d, True, False)[0])
        total = summed(moved, -1)
        if a.dtype.kind != "c":
            return sign * 0.0, total
        return sign * (call(Imag, total) * 1j), call(Real, total)
