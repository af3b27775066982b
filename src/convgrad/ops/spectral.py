"""QR, singular values, eigenvalues, and the pseudo-inverse and least squares that come of them.

Matrices are the last two axes, all axes before are batches; NumPy's LAPACK does the arithmetic. Derivatives:
Seeger, Hetzel, Dai, Lawrence, Auto-differentiating linear algebra, 2017; for rectangular QR Roberts &
Roberts, QR and LQ decomposition matrix backpropagation algorithms, 2020. Complex singular vectors and
eigenvectors have a phase that is nobody's choice: a loss that depends on it is refused, as in PyTorch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array
from ..errors import ConvgradError, LinAlgError
from . import formula, lapack
from .elementwise import Imag
from .formula import Value, call, conj, where
from .linalg import (
    LinalgSolveEx,
    adjoint,
    columns,
    diagonal,
    joined,
    on_diagonal,
    real,
    rows,
    summed,
    triangular,
    upper,
)  # fmt: skip
from .op import Op

#: NumPy's annotations name each mode and triangle, which are parameters here
_any: Any = np.linalg

#: what of a cotangent may point along the vectors' phases, for rounding
_GAUGE = 1e-2


def _check_gauge(turned: Value, vectors: str, phase: str = "this quantity, so it is") -> None:
    """Refuse a cotangent whose imaginary part along the vectors' phases is not zero."""
    if turned.dtype.kind != "c":
        return
    bare: Any = turned if isinstance(turned, np.ndarray) else turned._data
    if not (np.abs(bare.imag) <= _GAUGE).all():
        raise ConvgradError(
            f"{vectors} in the complex case are specified up to multiplication by e^{{i phi}}. The specified "
            f"loss function depends on {phase} ill-defined."
        )


def _doubled_upper(x: Value) -> Value:
    """The upper triangle of ``x + xᴴ``, its (real) diagonal halved."""
    total = x + adjoint(x)
    return upper(total) - 0.5 * on_diagonal(diagonal(total))


class LinalgQr(Op):
    """(Q, R) with ``a = Q R``, columns of Q orthonormal, R upper triangular.

    mode: "reduced" (k = min(m, n) columns), "complete" (m columns), "r" (Q is empty).
    """

    saves = ("a", "out0", "out1", "mode")
    batch = "leading"
    several = True

    @staticmethod
    def forward(a: Array, mode: str) -> tuple[tuple[Array, Array], tuple[Any, ...]]:
        if mode == "r":
            q, r = np.empty(0, a.dtype), _any.qr(a, "r")
        else:
            q, r = _any.qr(a, mode)
        return (q, r), (a, q, r, mode)

    @staticmethod
    def vjp_a(gs: tuple[Value, Value], a: Value, q: Value, r: Value, mode: str) -> Value:
        _check_qr(a, mode)
        m, n = a.shape[-2:]
        gq, gr = gs
        if m >= n:
            return _qr_pulled(gq, gr, q, r)
        beside = gr[..., :, m:]
        gq = gq + a[..., :, m:] @ adjoint(beside)
        return joined(_qr_pulled(gq, gr[..., :, :m], q, r[..., :, :m]), q @ beside, 1)

    @staticmethod
    def jvp_a(d: Value, a: Value, q: Value, r: Value, mode: str) -> tuple[Value, Value]:
        _check_qr(a, mode)
        m, n = a.shape[-2:]
        if m >= n:
            return _qr_pushed(d, q, r)
        dq, dr = _qr_pushed(d[..., :, :m], q, r[..., :, :m])
        beside = adjoint(dq) @ a[..., :, m:] + adjoint(q) @ d[..., :, m:]
        return dq, joined(dr, beside, 1)


def _check_qr(a: Value, mode: str) -> None:
    if mode == "r":
        raise ConvgradError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use "
            "linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr."
        )
    if mode == "complete" and a.shape[-2] > a.shape[-1]:
        raise ConvgradError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols. "
            f"(A has shape {list(a.shape)})"
        )


def _qr_pulled(gq: Value, gr: Value, q: Value, r: Value) -> Value:
    """The cotangent of Q R for a square R."""
    inside = upper(gr @ adjoint(r) - adjoint(q) @ gq)
    both = inside + adjoint(inside)
    both = both - 0.5 * on_diagonal(diagonal(both))
    return triangular(adjoint(r), gq + q @ both, False, left=False)


def _qr_pushed(d: Value, q: Value, r: Value) -> tuple[Value, Value]:
    """The tangents of Q and R for a square R."""
    moved = triangular(r, d, True, left=False)
    inside = _doubled_upper(adjoint(q) @ moved)
    return moved - q @ inside, inside @ r


def _apart(s: Value) -> Value:
    """``s_j - s_i`` for the elements (..., n) of s, 1 for i = j."""
    return columns(s) - rows(s) + np.eye(s.shape[-1], dtype=bool)


def _over(x: Value, gap: Value) -> Value:
    """x / gap, and 0 where both are 0: what nobody asks for does no harm."""
    nothing = (x == 0) & (gap == 0)
    return where(nothing, 0.0, x / where(nothing, 1.0, gap))


def _off_diagonal(x: Value) -> Value:
    return where(np.eye(x.shape[-1], dtype=bool), 0.0, x)


class LinalgSvd(Op):
    """(U, S, Vᴴ) with ``a = U diag(S) Vᴴ``, S real and falling; ``full_matrices``: all columns of U and V.

    The columns beyond min(m, n) have no derivative of their own.
    """

    saves = ("out0", "out1", "out2", "full_matrices")
    batch = "leading"
    several = True

    @staticmethod
    def forward(a: Array, full_matrices: bool) -> tuple[tuple[Array, ...], tuple[Any, ...]]:
        u, s, vh = _decomposed(a, full_matrices)
        return (u, s, vh), (u, s, vh, full_matrices)

    @staticmethod
    def vjp_a(gs: tuple[Value, ...], u: Value, s: Value, vh: Value, _full_matrices: bool) -> Value:
        k = s.shape[-1]
        (m, n), (gu, g, gvh) = (u.shape[-2], vh.shape[-1]), gs
        u, gu, vh, gvh = u[..., :, :k], gu[..., :, :k], vh[..., :k, :], gvh[..., :k, :]
        left, right = adjoint(u) @ gu, gvh @ adjoint(vh)  # the second is that of V, adjoint
        turned = diagonal(left) + conj(diagonal(right))
        _check_gauge(turned, "svd_backward: The singular vectors", "this phase term, making it")
        gap = _apart(s * s)
        inside = _off_diagonal(_over(left - adjoint(left), gap)) * columns(s)
        inside = inside + rows(s) * _off_diagonal(_over(adjoint(right) - right, gap))
        along = g
        if left.dtype.kind == "c":
            along = g + _over(call(Imag, diagonal(left)), s) * 1j
        out = u @ (inside + on_diagonal(along)) @ vh
        if m > k:
            out = out + _over(gu - u @ left, columns(s)) @ vh
        if n > k:
            out = out + u @ _over(gvh - right @ vh, rows(s))
        return out

    @staticmethod
    def jvp_a(d: Value, u: Value, s: Value, vh: Value, _full_matrices: bool) -> tuple[Value, ...]:
        k = s.shape[-1]
        wide_u, wide_vh = u, vh
        u, vh = u[..., :, :k], vh[..., :k, :]
        moved = adjoint(u) @ d @ adjoint(vh)
        gap = _apart(s * s)
        left = _off_diagonal(_over(moved * columns(s) + rows(s) * adjoint(moved), gap))
        right = _off_diagonal(_over(rows(s) * moved + adjoint(moved) * columns(s), gap))
        along = diagonal(moved)
        if along.dtype.kind == "c":
            left = left + on_diagonal(_over(call(Imag, along), s) * 1j)
        du, dvh = u @ left, adjoint(right) @ vh
        if u.shape[-2] > k:
            du = du + _over(d @ adjoint(vh) - u @ moved, columns(s))
        if vh.shape[-1] > k:
            dvh = dvh + _over(adjoint(u) @ d - moved @ vh, rows(s))
        return _widened(du, wide_u, -1), real(along), _widened(dvh, wide_vh, -2)


def _widened(d: Value, like: Value, axis: int) -> Value:
    """d with zeros for the vectors beyond its own: columns (-1) or rows (-2)."""
    if d.shape == like.shape:
        return d
    k = d.shape[axis]
    return joined(d, formula.zeros_like(like[..., :, k:] if axis == -1 else like[..., k:, :]), axis + 2)


def _decomposed(a: Array, full_matrices: bool) -> Any:
    try:
        return np.linalg.svd(a, full_matrices)
    except np.linalg.LinAlgError:
        raise _not_converged(a) from None


def _not_converged(a: Array) -> LinAlgError:
    if np.isfinite(a).all():
        why = "is ill-conditioned or has too many repeated singular values"
        return LinAlgError(f"linalg.svd: The algorithm failed to converge because the input matrix {why}.")
    return LinAlgError(
        "linalg.svd: The algorithm failed to converge because the input matrix contained non-finite values."
    )


class LinalgSvdvals(Op):
    """The singular values alone, falling; the vectors are computed when a gradient asks for them."""

    backward_name = "LinalgSvdBackward0"
    saves = ("a",)
    batch = "leading"

    @staticmethod
    def forward(a: Array) -> tuple[Array, tuple[Array]]:
        try:
            return np.linalg.svd(a, compute_uv=False), (a,)
        except np.linalg.LinAlgError:
            raise _not_converged(a) from None

    @staticmethod
    def vjp_a(g: Value, a: Value) -> Value:
        u, _, vh = call(LinalgSvd, a, False)
        return (u * columns(g)) @ vh

    @staticmethod
    def jvp_a(d: Value, a: Value) -> Value:
        u, _, vh = call(LinalgSvd, a, False)
        return real(diagonal(adjoint(u) @ d @ adjoint(vh)))


class LinalgEigh(Op):
    """(eigenvalues, eigenvectors) of Hermitian matrices, rising; ``triangle`` "L" or "U" is what is read."""

    saves = ("out0", "out1", "triangle")
    batch = "leading"
    several = True

    @staticmethod
    def forward(a: Array, triangle: str) -> tuple[tuple[Array, Array], tuple[Any, ...]]:
        values, vectors = _finite(lambda x: _any.eigh(x, triangle), a)
        return (values, vectors), (values, vectors, triangle)

    @staticmethod
    def vjp_a(gs: tuple[Value, Value], values: Value, vectors: Value, _triangle: str) -> Value:
        g, gv = gs
        inside = adjoint(vectors) @ gv
        _check_gauge(diagonal(inside), "linalg_eigh_backward: The eigenvectors")
        inside = _off_diagonal(_over(inside, _apart(values))) + on_diagonal(g)
        return vectors @ inside @ adjoint(vectors)

    @staticmethod
    def jvp_a(d: Value, values: Value, vectors: Value, _triangle: str) -> tuple[Value, Value]:
        inside = adjoint(vectors) @ d @ vectors
        return real(diagonal(inside)), vectors @ _off_diagonal(_over(inside, _apart(values)))


def _finite(function: Any, a: Array) -> tuple[Array, ...]:
    """The results for the finite matrices of a batch, NaN for the others."""
    bad: Array = np.asarray(~np.isfinite(a).all((-2, -1)))
    if not bad.any():
        return tuple(function(a))
    results = function(np.where(bad[..., None, None], np.eye(a.shape[-1], dtype=a.dtype), a))
    return tuple([
        np.where(np.expand_dims(bad, tuple(range(bad.ndim, r.ndim))), r.dtype.type(np.nan), r) for r in
        results
    ])  # fmt: skip


class LinalgEigvalsh(Op):
    """The eigenvalues of Hermitian matrices alone; the vectors are computed when a gradient asks for them."""

    backward_name = "LinalgEighBackward0"
    saves = ("a", "triangle")
    batch = "leading"

    @staticmethod
    def forward(a: Array, triangle: str) -> tuple[Array, tuple[Any, ...]]:
        (out,) = _finite(lambda x: (_any.eigvalsh(x, triangle),), a)
        return out, (a, triangle)

    @staticmethod
    def vjp_a(g: Value, a: Value, triangle: str) -> Value:
        _, vectors = call(LinalgEigh, a, triangle)
        return (vectors * columns(g)) @ adjoint(vectors)

    @staticmethod
    def jvp_a(d: Value, a: Value, triangle: str) -> Value:
        _, vectors = call(LinalgEigh, a, triangle)
        return real(diagonal(adjoint(vectors) @ d @ vectors))


def _complex(x: Array) -> Array:
    return x if x.dtype.kind == "c" else x.astype(np.result_type(x.dtype, np.complex64))


class LinalgEig(Op):
    """(eigenvalues, eigenvectors) of square matrices, complex; each vector has norm 1."""

    saves = ("out0", "out1")
    batch = "leading"
    several = True

    @staticmethod
    def forward(a: Array) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
        values, vectors = map(_complex, np.linalg.eig(a))
        return (values, vectors), (values, vectors)

    @staticmethod
    def vjp_a(gs: tuple[Value, Value], values: Value, vectors: Value) -> Value:
        g, gv = gs
        turned = adjoint(vectors)
        inside = turned @ gv
        along = diagonal(inside)
        _check_gauge(along, "linalg_eig_backward: The eigenvectors")
        inside = inside - turned @ (vectors * columns(real(along)))
        inside = _off_diagonal(_over(inside, conj(_apart(values)))) + on_diagonal(g)
        return call(LinalgSolveEx, turned, inside @ turned, True, False)[0]

    @staticmethod
    def jvp_a(d: Value, values: Value, vectors: Value) -> tuple[Value, Value]:
        inside = call(LinalgSolveEx, vectors, d @ vectors, True, False)[0]
        moved = vectors @ _off_diagonal(_over(inside, _apart(values)))
        along = real(summed(conj(vectors) * moved, -2))
        return diagonal(inside), moved - vectors * columns(along)


class LinalgEigvals(Op):
    """The eigenvalues of square matrices alone; the vectors are computed when a gradient asks for them."""

    backward_name = "LinalgEigBackward0"
    saves = ("a",)
    batch = "leading"

    @staticmethod
    def forward(a: Array) -> tuple[Array, tuple[Array]]:
        return _complex(np.linalg.eigvals(a)), (a,)

    @staticmethod
    def vjp_a(g: Value, a: Value) -> Value:
        turned = adjoint(call(LinalgEig, a)[1])
        return call(LinalgSolveEx, turned, rows(g) * turned, True, False)[0]

    @staticmethod
    def jvp_a(d: Value, a: Value) -> Value:
        vectors = call(LinalgEig, a)[1]
        return diagonal(call(LinalgSolveEx, vectors, d @ vectors, True, False)[0])


def _kept(sizes: Array, atol: Any, rtol: Any) -> Array:
    """Which singular values count: those above ``max(atol, rtol * the largest)``."""
    largest = sizes.max(-1, initial=0)
    return np.asarray(sizes > np.maximum(atol, rtol * largest)[..., None])


class LinalgPinv(Op):
    """The pseudo-inverse (..., n, m): singular values up to ``max(atol, rtol * the largest)`` count as 0.

    ``hermitian``: from eigenvalues, of the lower triangle. Source: Golub & Pereyra, The differentiation of
    pseudo-inverses and nonlinear least squares problems whose variables separate, 1973.
    """

    saves = ("a", "out", "atol", "rtol", "hermitian")
    batch = "leading"

    @staticmethod
    def forward(a: Array, atol: Any, rtol: Any, hermitian: bool) -> tuple[Array, tuple[Any, ...]]:
        if hermitian:
            sizes, vectors = np.linalg.eigh(a)
            left, right = vectors, lapack.adjoint(vectors)
        else:
            u, sizes, vh = _decomposed(a, False)
            left, right = lapack.adjoint(vh), lapack.adjoint(u)
        kept = _kept(np.abs(sizes), atol, rtol)
        factors = np.where(kept, 1 / np.where(kept, sizes, 1), 0).astype(sizes.dtype)
        out = (left * factors[..., None, :]) @ right
        return out, (a, out, atol, rtol, hermitian)

    @staticmethod
    def vjp_a(g: Value, a: Value, out: Value, _atol: Any, _rtol: Any, _hermitian: bool) -> Value:
        return _pinv_pulled(g, a, out)

    @staticmethod
    def jvp_a(d: Value, a: Value, out: Value, _atol: Any, _rtol: Any, _hermitian: bool) -> Value:
        return _pinv_pushed(d, a, out)


def _pinv_pushed(d: Value, a: Value, out: Value) -> Value:
    h, dh = adjoint(out), adjoint(d)
    outside = dh - dh @ a @ out
    inside = dh - out @ a @ dh
    return out @ h @ outside + inside @ h @ out - out @ d @ out


def _pinv_pulled(g: Value, a: Value, out: Value) -> Value:
    h, gh = adjoint(out), adjoint(g)
    first = gh @ out @ h
    second = h @ out @ gh
    return (first - a @ out @ first) + (second - second @ out @ a) - h @ g @ h


class LinalgLstsq(Op):
    """(the least x with the least ``|a @ x - b|``, the squares of what is left of each column).

    a (..., m, n), b (..., m, k), batches broadcast; ``rcond``: singular values up to that part of the
    largest count as 0. ``residuals`` false: an empty array in place of
    the second. A third result holds the singular values, without a derivative.
    """

    saves = ("a", "b", "out0", "rcond", "residuals")
    several = True

    @staticmethod
    def forward(
        a: Array, b: Array, rcond: float, residuals: bool
    ) -> tuple[tuple[Array, ...], tuple[Any, ...]]:
        u, sizes, vh = _decomposed(a, False)
        kept = _kept(sizes, 0.0, rcond)
        factors = np.where(kept, 1 / np.where(kept, sizes, 1), 0).astype(sizes.dtype)
        x = lapack.adjoint(vh) @ (factors[..., None] * (lapack.adjoint(u) @ b))
        left = np.square(np.abs(a @ x - b)).sum(-2) if residuals else np.empty(0, sizes.dtype)
        return (x, left, sizes), (a, b, x, rcond, residuals)

    @staticmethod
    def vjp(
        needs: tuple[bool, ...],
        gs: tuple[Value, ...],
        a: Value,
        b: Value,
        x: Value,
        rcond: float,
        residuals: bool,
    ) -> tuple[Value, ...]:
        inverse = call(LinalgPinv, a, 0.0, rcond, False)
        ga = _pinv_pulled(gs[0] @ adjoint(b), a, inverse)
        gb = adjoint(inverse) @ gs[0]
        if residuals:
            rest = 2.0 * (a @ x - b) * columns(gs[1])
            ga, gb = ga + rest @ adjoint(x), gb - rest
        return ga if needs[0] else None, gb if needs[1] else None

    @staticmethod
    def jvp(
        tangents: tuple[Value, ...], a: Value, b: Value, x: Value, rcond: float, residuals: bool
    ) -> tuple[Value, ...]:
        da, db = tangents
        inverse = call(LinalgPinv, a, 0.0, rcond, False)
        dx = formula.zeros_like(x) if db is None else inverse @ db
        shift = formula.zeros_like(b) if db is None else -db
        if da is not None:
            dx = dx + _pinv_pushed(da, a, inverse) @ b
            shift = shift + da @ x
        sizes = formula.zeros(a.shape[:-2] + (min(a.shape[-2:]),), real(a).dtype)
        left = formula.zeros((0,), sizes.dtype)
        if residuals:
            left = 2.0 * summed(real(conj(a @ x - b) * shift), -2)
        return dx, left, sizes
