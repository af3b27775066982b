"""Factorisations on bare arrays: what NumPy's LAPACK lacks, and where it failed when it did.

All work on batches ``(..., m, n)`` of float or complex matrices. A matrix that has no such factorisation is
told of by ``info``, int32 of the batch's shape, as LAPACK does: 0, or the number of the row. ``check``
raises for it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import Array
from ..errors import LinAlgError, has, optional

#: rows that substitution takes together before it multiplies matrices again
_BLOCK = 64
#: rows and columns from which SciPy's LAPACK, if it is there, is worth its import
_LARGE = 64


_REASONS = {
    "ldl": "D[{0},{0}] is zero and using it on ldl_solve would result in a division by zero. If you still "
    "want to perform the factorization, consider calling linalg.ldl_factor_ex(A).",
    "inv": "The diagonal element {0} is zero, the inversion could not be completed because the input "
    "matrix is singular.",
    "solve": "The solver failed because the input matrix is singular.",
    "cholesky": "The factorization could not be completed because the input is not positive-definite (the "
    "leading minor of order {0} is not positive-definite).",
    "lu": "U[{0},{0}] is zero and using it on lu_solve would result in a division by zero. If you still "
    "want to perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, "
    "pivot)",
}


def check(info: Array, name: str, kind: str) -> None:
    """Refuse what could not be done, in the name of a function; without a name nothing is refused.

    Raises:
        LinAlgError: naming the first bad matrix of the batch and the row at which it showed.
    """
    if name and info.any():
        index = int(np.flatnonzero(info)[0])
        where = f"(Batch element {index}): " if info.ndim else ""
        raise LinAlgError(f"{name}: {where}{_REASONS[kind].format(int(info.flat[index]))}")


def adjoint(x: Array) -> Array:
    """The conjugate transpose of the last two axes."""
    return np.conjugate(x).swapaxes(-1, -2) if x.dtype.kind == "c" else x.swapaxes(-1, -2)


def lu(a: Array) -> tuple[Array, Array, Array]:
    """(LU, pivots, info): Gaussian elimination with row exchanges, L and U in one array.

    pivots: int32 (..., min(m, n)), from 1: row i was exchanged with that row. All matrices of the batch
    take each step together; complex elements are compared by ``|re| + |im|``, as LAPACK does. Source: Golub
    & Van Loan, Matrix Computations, 3.4.
    """
    m, n = a.shape[-2:]
    batch = a.shape[:-2]
    count = math.prod(batch)
    if min(m, n) >= _LARGE > 0 and count <= m and has("scipy.linalg.lapack"):
        return _lu_by_scipy(a)
    out = np.array(a).reshape(count, m, n)
    size = min(m, n)
    pivots = np.empty((count, size), np.int32)
    info = np.zeros(count, np.int32)
    each = np.arange(count)
    with np.errstate(all="ignore"):
        for i in range(size):
            column = out[:, i:, i]
            column = np.abs(column) if a.dtype.kind != "c" else np.abs(column.real) + np.abs(column.imag)
            best = i + np.argmax(np.where(np.isnan(column), np.inf, column), axis=1)
            pivots[:, i] = best + 1
            chosen = out[each, best]
            out[each, best] = out[:, i]
            out[:, i] = chosen
            pivot = out[:, i, i, None]
            info = np.where((pivot[:, 0] == 0) & (info == 0), i + 1, info).astype(np.int32)
            out[:, i + 1 :, i] /= np.where(pivot == 0, out.dtype.type(1), pivot)
            out[:, i + 1 :, i + 1 :] -= out[:, i + 1 :, i, None] * out[:, i, None, i + 1 :]
    return out.reshape(a.shape), pivots.reshape(*batch, size), info.reshape(batch)


def _lu_by_scipy(a: Array) -> tuple[Array, Array, Array]:
    """``lu``, matrix by matrix."""
    letter = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}[a.dtype.name]
    getrf = getattr(optional("scipy.linalg.lapack", extra="matrix"), f"{letter}getrf")
    out = np.empty_like(a, order="C")
    pivots = np.empty((*a.shape[:-2], min(a.shape[-2:])), np.int32)
    info = np.zeros(a.shape[:-2], np.int32)
    for index in np.ndindex(*a.shape[:-2]):
        out[index], pivots[index], info[index] = getrf(a[index])
    return out, pivots + np.int32(1), info


def order_of(pivots: Array, rows: int) -> Array:
    """The order of rows that exchanges ``pivots`` give: A[order] = L U; int64 (..., rows)."""
    batch = pivots.shape[:-1]
    flat = pivots.reshape(-1, pivots.shape[-1]) if pivots.size else np.zeros((math.prod(batch), 0), np.int32)
    order = np.broadcast_to(np.arange(rows), (flat.shape[0], rows)).copy()
    each = np.arange(flat.shape[0])
    for i in range(flat.shape[1]):
        other = flat[:, i] - 1
        moved = order[each, other]
        order[each, other] = order[:, i]
        order[:, i] = moved
    return order.reshape(*batch, rows)


def permutation(pivots: Array, rows: int, dtype: Any) -> Array:
    """The matrix P (..., rows, rows) with A = P L U."""
    order = order_of(pivots, rows)
    return (np.arange(rows)[:, None] == order[..., None, :]).astype(dtype)


def inverse(a: Array) -> tuple[Array, Array]:
    """(the inverse, info); NaN where there is none."""
    return _unless_singular(np.linalg.inv, a)


def solve(a: Array, b: Array) -> tuple[Array, Array]:
    """(x with a @ x = b, info), b (..., m, k), batches broadcast; NaN where a is singular."""
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if not b.shape[-1]:  # of no columns: NumPy would not look at a either
        return np.zeros((*batch, *b.shape[-2:]), b.dtype), np.zeros(a.shape[:-2], np.int32)
    return _unless_singular(lambda matrix: np.linalg.solve(matrix, b), a)


def _unless_singular(function: Any, a: Array) -> tuple[Array, Array]:
    try:
        with np.errstate(all="ignore"):
            return np.asarray(function(a)), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        pass
    info = np.zeros(a.shape[:-2], np.int32)
    for index in np.ndindex(*a.shape[:-2]):
        try:
            np.linalg.inv(a[index])
        except np.linalg.LinAlgError:
            factors, _, row = lu(a[index])
            # LAPACK rounds in another order: the least pivot is then the one that it found to be zero
            info[index] = row or np.abs(factors.diagonal()).argmin() + 1
    bad = (info != 0)[..., None, None]
    with np.errstate(all="ignore"):
        out = function(np.where(bad, np.eye(a.shape[-1], dtype=a.dtype), a))
    return np.where(bad, out.dtype.type(math.nan), out), info


def cholesky(a: Array, upper: bool) -> tuple[Array, Array]:
    """(the factor L with L Lᴴ = a, or its adjoint, info); only one triangle of ``a`` is read."""
    lower = adjoint(a) if upper else a
    failed = np.zeros(a.shape[:-2], np.int32)
    try:
        out = np.linalg.cholesky(lower)
        if np.isnan(out.diagonal(axis1=-2, axis2=-1)).any():
            raise np.linalg.LinAlgError
    except np.linalg.LinAlgError:
        out = np.tril(lower)
        for index in np.ndindex(*a.shape[:-2]):
            failed[index] = order = _first_bad_minor(lower[index])
            good = order - 1 if order else a.shape[-1]
            out[index][:good, :good] = np.linalg.cholesky(lower[index][:good, :good])
    return adjoint(out) if upper else out, failed


def _first_bad_minor(a: Array) -> int:
    """The order of the least leading minor that is not positive-definite; 0 if all are."""
    good, bad = 0, a.shape[0] + 1
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            diagonal = np.linalg.cholesky(a[:middle, :middle]).diagonal()
            fine = not np.isnan(diagonal).any()
        except np.linalg.LinAlgError:
            fine = False
        good, bad = (middle, bad) if fine else (good, middle)
    return bad if bad <= a.shape[0] else 0


def solve_triangular(a: Array, b: Array, upper: bool, unit: bool) -> Array:
    """x with a @ x = b for triangular a (..., m, m) and b (..., m, k); batches broadcast.

    From the last block of rows to the first: what a block leaves for the others is one product of matrices.
    The other triangle (and with ``unit`` the diagonal) is not read, a zero on the diagonal divides.
    Source: Golub & Van Loan, Matrix Computations, 3.1.
    """
    if not upper:  # backwards it is an upper triangle
        return solve_triangular(a[..., ::-1, ::-1], b[..., ::-1, :], True, unit)[..., ::-1, :]
    rows = a.shape[-1]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    x = np.array(np.broadcast_to(b, (*batch, *b.shape[-2:])), dtype=np.result_type(a, b))
    if not x.size:
        return x
    with np.errstate(all="ignore"):
        for stop in range(rows, 0, -_BLOCK):
            start = max(0, stop - _BLOCK)
            block = np.triu(a[..., start:stop, start:stop], int(unit))
            if unit:
                block += np.eye(stop - start, dtype=a.dtype)
            if stop < rows:
                x[..., start:stop, :] -= a[..., start:stop, stop:] @ x[..., stop:, :]
            x[..., start:stop, :] = _substituted(block, x[..., start:stop, :])
    return x


def _substituted(block: Array, b: Array) -> Array:
    """x with block @ x = b for an upper triangle: there is nothing to eliminate, so LAPACK substitutes."""
    try:
        return np.linalg.solve(block, b)
    except np.linalg.LinAlgError:  # a zero on the diagonal: row by row, dividing by it
        x = b.copy()
        for i in reversed(range(block.shape[-1])):
            left = x[..., i, :] - (block[..., i, None, i + 1 :] @ x[..., i + 1 :, :])[..., 0, :]
            x[..., i, :] = left / block[..., i, i, None]
        return x


#: coefficients of the (13, 13) Padé approximant of exp, and the norm up to which it is exact to float64
_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0,
    10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
_PADE_NORM = 5.371920351148152


def matrix_exp(a: Array) -> Array:
    """The exponential of square matrices: scaled down, by a Padé approximant, and squared up again.

    Source: Higham, The scaling and squaring method for the matrix exponential revisited, SIAM 2005.
    """
    if not a.size:
        return a.copy()
    with np.errstate(all="ignore"):
        norms = np.abs(a).sum(-2).max(-1)
        known = np.where(np.isfinite(norms) & (norms > 0), norms, 1.0)
        squarings = np.maximum(0, np.ceil(np.log2(known / _PADE_NORM))).astype(int)[..., None, None]
        x = a / (2.0**squarings).astype(norms.dtype)
        even, odd = _pade(x)
        total = np.asarray(even + odd)
        out = solve(np.where(np.isfinite(total), even - odd, np.eye(a.shape[-1], dtype=a.dtype)), total)[0]
        for step in range(int(squarings.max())):
            out = np.where(step < squarings, out @ out, out)
    return np.asarray(out)


def _pade(x: Array) -> tuple[Array, Array]:
    """The even and the odd part of the approximant's numerator, over a common factor."""
    eye = np.eye(x.shape[-1], dtype=x.dtype)
    b = [c / _PADE[0] for c in _PADE]
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x2 @ x4
    odd = x @ (x6 @ (b[13] * x6 + b[11] * x4 + b[9] * x2) + b[7] * x6 + b[5] * x4 + b[3] * x2 + b[1] * eye)
    even = x6 @ (b[12] * x6 + b[10] * x4 + b[8] * x2) + b[6] * x6 + b[4] * x4 + b[2] * x2 + eye
    return even, odd


def cofactors(a: Array) -> Array:
    """The derivative of the determinant by each element: det(a) inv(a)ᵀ, or what that tends to.

    Where the inverse would lose digits it comes from singular values, as the products of all but one of them.
    """
    with np.errstate(all="ignore"):
        return _cofactors(a)


def _cofactors(a: Array) -> Array:
    inverted, info = inverse(a)
    limit = np.finfo(a.dtype).eps ** -0.5
    if not info.any():
        worth = np.abs(a).sum(-2).max(-1, initial=0) * np.abs(inverted).sum(-2).max(-1, initial=0)
        if (worth < limit).all():
            return np.asarray(np.linalg.det(a))[..., None, None] * inverted.swapaxes(-1, -2)
    if not np.isfinite(a).all():
        return np.full_like(a, math.nan)
    u, s, vh = np.linalg.svd(a)
    ones = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([ones, s[..., :-1]], -1), -1)
    after = np.cumprod(np.concatenate([ones, s[..., :0:-1]], -1), -1)[..., ::-1]
    turn = np.linalg.det(u) * np.linalg.det(vh)
    return np.asarray(turn[..., None, None] * np.conjugate((u * (before * after)[..., None, :]) @ vh))
