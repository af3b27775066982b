"""Inverses, linear systems, factorisations, singular values and eigenvalues, against NumPy and definitions.

Vectors that have a sign or a phase of nobody's choice are compared by their absolute values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convgrad import linalg
from convgrad.errors import ConvgradError, DtypeError, LinAlgError, ShapeError
from convgrad.ops import determinant, ldl, spectral
from convgrad.ops import linalg as ops
from convgrad.tensor.tensor import Tensor

from .case import Case, ErrorCase, direct, kinds, values


def cvalues(seed: int, *shape: int) -> Any:
    """Random complex128 values."""
    return values(seed, *shape) + 1j * values(seed + 50, *shape)


def matrices(seed: int, *shape: int) -> Any:
    """Well-conditioned square matrices."""
    return values(seed, *shape) + 3 * np.eye(shape[-1])


def positive(a: Any) -> Any:
    """A Hermitian positive-definite matrix from any; of tensors and of arrays."""
    turned = a.conj().swapaxes(-1, -2)
    eye = np.eye(a.shape[-1])
    return a @ turned + (eye if isinstance(a, np.ndarray) else Tensor(eye.astype(a._data.dtype), None))


def hermitian(a: Any) -> Any:
    """A Hermitian matrix from any."""
    return a + a.conj().swapaxes(-1, -2)


def factored(a: Any) -> tuple[Any, Any, Any]:
    """(P, L, U) by the definition, one row at a time."""
    m, n = a.shape
    p, left, right = np.eye(m), np.eye(m, dtype=a.dtype), np.array(a)
    for i in range(min(m, n)):
        best = i + int(np.argmax(np.abs(right[i:, i])))
        for x, columns in ((right, n), (left, i), (p.T, m)):
            x[[i, best], :columns] = x[[best, i], :columns]
        left[i + 1 :, i] = right[i + 1 :, i] / right[i, i]
        right[i + 1 :] -= left[i + 1 :, i, None] * right[i]
    k = min(m, n)
    return p, left[:, :k], np.triu(right[:k])


def packed(a: Any) -> Any:
    """L and U in one array."""
    _, left, right = factored(a)
    out = np.tril(left, -1)
    out = np.pad(out, [(0, 0), (0, a.shape[1] - out.shape[1])])
    out[: right.shape[0]] += right
    return out


def _indefinite(a: Any) -> Any:
    """A symmetric matrix without a diagonal, so that pivots come in blocks."""
    a = a + a.swapaxes(-1, -2)
    return a * (1 - np.eye(a.shape[-1]))


def _ldl_by_minors(a: Any) -> Any:
    """LD of positive matrices, where nothing is exchanged only if the diagonal is large: by elimination."""
    out = np.zeros_like(a)
    for at in np.ndindex(a.shape[:-2]):
        rest = a[at].copy()
        for k in range(len(rest)):
            out[at][k, k] = rest[k, k]
            out[at][k + 1 :, k] = rest[k + 1 :, k] / rest[k, k]
            rest -= np.outer(rest[:, k], rest[k]) / rest[k, k]
    return out


def _ldl_solver(a: Any, hermitian: bool) -> Any:
    factors = linalg.ldl_factor(Tensor(a, None), hermitian=hermitian)
    return lambda b: linalg.ldl_solve(factors.LD.to(b.dtype), factors.pivots, b, hermitian=hermitian)


def series(a: Any) -> Any:
    """The exponential by its series."""
    out = term = np.eye(a.shape[-1], dtype=a.dtype) + np.zeros_like(a)
    for i in range(1, 80):
        term = term @ a / i
        out = out + term
    return out


def cofactors(a: Any) -> Any:
    """Cofactors as signed minors."""
    out = np.empty_like(a)
    n = a.shape[-1]
    for index in np.ndindex(a.shape):
        rows, columns = [[k for k in range(n) if k != i] for i in index[-2:]]
        out[index] = (-1) ** sum(index[-2:]) * np.linalg.det(a[index[:-2]][np.ix_(rows, columns)])
    return out


def triangular(a: Any, upper: bool, unit: bool) -> Any:
    """The triangle that is read, with ones if they count."""
    out = np.triu(a) if upper else np.tril(a)
    return out - out * np.eye(a.shape[-1]) + np.eye(a.shape[-1]) if unit else out


def _vectors(call: Any, *which: int) -> Any:
    """A call whose results ``which`` are taken by their absolute values."""
    return lambda *xs: tuple([abs(r) if i in which else r for i, r in enumerate(call(*xs))])


_S = (0, 2)
_none = np.zeros((0, 0))
_batch0 = np.zeros((0, 3, 3))
_A, _B = matrices(1, 3, 3), values(2, 3, 2)
_C = cvalues(3, 3, 3) + 3 * np.eye(3)

CASES: list[Case] = [
    *kinds(ops.LinalgInvEx, "inv", linalg.inv, np.linalg.inv, matrices(1, 2, 3, 3), empty=(_batch0,)),
    *kinds(ops.LinalgInvEx, "complex", linalg.inv, np.linalg.inv, _C, empty=(_none,)),
    *kinds(ops.LinalgSolveEx, "matrix", linalg.solve, np.linalg.solve, _A, _B, empty=(_none, np.zeros((0, 2)))),
    *kinds(
        ops.LinalgSolveEx, "batches", linalg.solve, np.linalg.solve, matrices(4, 2, 1, 3, 3), values(5, 4, 3, 2),
        empty=(_A, np.zeros((3, 0))),
    ),
    *kinds(ops.LinalgSolveEx, "vector", linalg.solve, np.linalg.solve, _A, values(6, 3)),
    *kinds(
        ops.LinalgSolveEx, "right", lambda a, b: linalg.solve(a, b, left=False), lambda a, b: b @ np.linalg.inv(a),
        _A, values(7, 2, 4, 3),
    ),
    *kinds(ops.LinalgSolveEx, "complex", linalg.solve, np.linalg.solve, _C, cvalues(8, 3, 2)),
    *[
        case
        for upper in (False, True)
        for left in (False, True)
        for unit in (False, True)
        for case in kinds(
            ops.LinalgSolveTriangular, f"upper{upper}-left{left}-unit{unit}",
            lambda a, b, u=upper, f=left, o=unit: linalg.solve_triangular(a, b, upper=u, left=f, unitriangular=o),
            lambda a, b, u=upper, f=left, o=unit: (
                np.linalg.solve(triangular(a, u, o), b) if f else b @ np.linalg.inv(triangular(a, u, o))
            ),
            matrices(9, 3, 3), values(10, 2, 3, 3), empty=(_none, _none),
        )
    ],
    *kinds(
        ops.LinalgSolveTriangular, "complex", lambda a, b: linalg.solve_triangular(a, b, upper=True),
        lambda a, b: np.linalg.solve(np.triu(a), b), _C, cvalues(11, 3, 2),
    ),
    *kinds(
        ops.LinalgSolveTriangular, "blocks", lambda a, b: linalg.solve_triangular(a, b, upper=False),
        lambda a, b: np.linalg.solve(np.tril(a), b), values(12, 70, 70) / 9 + 3 * np.eye(70), values(13, 70, 2),
    ),
    *kinds(
        ops.LinalgCholeskyEx, "lower", lambda a: linalg.cholesky(positive(a)), lambda a: np.linalg.cholesky(positive(a)),
        values(14, 2, 3, 3), empty=(_batch0,),
    ),
    *kinds(
        ops.LinalgCholeskyEx, "upper-complex", lambda a: linalg.cholesky(positive(a), upper=True),
        lambda a: np.linalg.cholesky(positive(a)).conj().T, cvalues(15, 3, 3), empty=(_none,),
    ),
    *kinds(
        ops.Cholesky, "method", lambda a: positive(a).cholesky(), lambda a: np.linalg.cholesky(positive(a)),
        values(16, 3, 3), empty=(_none,),
    ),
    *[
        case
        for name, a in (("square", values(17, 3, 3)), ("tall", values(18, 5, 3)), ("wide", cvalues(19, 3, 5)))
        for case in (
            *kinds(ops.LinalgLuFactorEx, name, lambda a: linalg.lu_factor(a)[0], packed, a, empty=(a[:, :0],)),
            *kinds(ops.LinalgLu, name, lambda a: tuple(linalg.lu(a)), factored, a, empty=(a[:0],)),
        )
    ],
    *kinds(
        ldl.LinalgLdlFactorEx, "plain", lambda a: linalg.ldl_factor(a).LD, _ldl_by_minors, positive(values(51, 2, 3, 3)),
        empty=(np.zeros((2, 0, 0)),), differentiable=(),
    ),
    *[
        case
        for name, a, hermitian_ in (
            ("real", _indefinite(values(52, 4, 4)), False),
            ("hermitian", hermitian(cvalues(53, 4, 4)), True),
            ("symmetric", _indefinite(cvalues(54, 4, 4)), False),
        )
        for case in kinds(
            ldl.LinalgLdlSolve, name, _ldl_solver(a, hermitian_), lambda b, a=a: np.linalg.solve(a, b),
            values(55, 2, 4, 3).astype(a.dtype), empty=(np.zeros((0, 4, 3), a.dtype),),
        )
    ],
    *kinds(
        ops.LuPermutation, "P", direct(ops.LuPermutation, 4, np.dtype(np.float64)), lambda p: np.eye(4)[:, [3, 2, 0, 1]],
        np.array([4, 3, 4], np.int32),
    ),
    *kinds(
        ops.LuPermutation, "none", direct(ops.LuPermutation, 2, np.dtype(np.float32)), lambda p: np.eye(2)[None][:0],
        empty=(np.zeros((0, 2), np.int32),),
    ),
    *kinds(determinant.LinalgDet, "det", linalg.det, np.linalg.det, values(20, 2, 3, 3), empty=(_batch0,)),
    *kinds(determinant.LinalgDet, "complex", linalg.det, np.linalg.det, cvalues(21, 3, 3), empty=(_none,)),
    *kinds(determinant.LinalgDet, "singular", linalg.det, lambda a: 0.0, np.diag([1.0, 2.0, 0.0])[[1, 0, 2]]),
    *kinds(determinant.LinalgDet, "one", linalg.det, np.linalg.det, values(22, 2, 1, 1)),
    *kinds(
        determinant.Cofactors, "real", direct(determinant.Cofactors), cofactors, values(23, 2, 3, 3), empty=(_batch0,)
    ),
    *kinds(determinant.Cofactors, "complex", direct(determinant.Cofactors), cofactors, cvalues(24, 4, 4)),
    *kinds(
        determinant.LinalgSlogdet, "real", lambda a: tuple(linalg.slogdet(a)), lambda a: tuple(np.linalg.slogdet(a)),
        values(25, 2, 3, 3), empty=(_batch0,),
    ),
    *kinds(
        determinant.LinalgSlogdet, "complex", lambda a: tuple(linalg.slogdet(a)), lambda a: tuple(np.linalg.slogdet(a)),
        cvalues(26, 3, 3), empty=(_none,),
    ),
    *kinds(ops.LinalgMatrixExp, "exp", linalg.matrix_exp, series, values(27, 2, 3, 3), empty=(_batch0,)),
    *kinds(ops.LinalgMatrixExp, "scaled", linalg.matrix_exp, series, cvalues(28, 3, 3) * 3, empty=(_none,)),
    *[
        case
        for name, a in (("square", values(29, 2, 3, 3)), ("tall", cvalues(30, 5, 3)), ("wide", values(31, 3, 5)))
        for case in kinds(
            spectral.LinalgQr, name, lambda a: tuple(linalg.qr(a)), lambda a: tuple(np.linalg.qr(a)), a,
            empty=(a[..., :0],),
        )
    ],
    *[
        case
        for name, a in (("square", values(32, 2, 3, 3)), ("tall", cvalues(33, 5, 3)), ("wide", values(34, 3, 5)))
        for case in (
            *kinds(
                spectral.LinalgSvd, name, _vectors(lambda a: linalg.svd(a, False), *_S),
                _vectors(lambda a: np.linalg.svd(a, False), *_S), a, empty=(a[..., :0],),
            ),
            *kinds(
                spectral.LinalgSvdvals, name, linalg.svdvals, lambda a: np.linalg.svd(a, compute_uv=False), a,
                empty=(a[..., :0],),
            ),
            *kinds(spectral.LinalgPinv, name, linalg.pinv, np.linalg.pinv, a),
        )
    ],
    *[
        case
        for name, a in (("real", values(35, 2, 3, 3)), ("complex", cvalues(36, 3, 3)))
        for case in (
            *kinds(
                spectral.LinalgEigh, name, _vectors(lambda a: linalg.eigh(hermitian(a)), 1),
                _vectors(lambda a: np.linalg.eigh(hermitian(a)), 1), a, empty=(_none,),
            ),
            *kinds(
                spectral.LinalgEigvalsh, name, lambda a: linalg.eigvalsh(hermitian(a)),
                lambda a: np.linalg.eigvalsh(hermitian(a)), a, empty=(_none,),
            ),
            *kinds(
                spectral.LinalgEig, name, _vectors(linalg.eig, 1),
                _vectors(np.linalg.eig, 1), a, empty=(_none,),
            ),
            *kinds(spectral.LinalgEigvals, name, linalg.eigvals, np.linalg.eigvals, a, empty=(_none,)),
            *kinds(
                spectral.LinalgPinv, f"hermitian-{name}", lambda a: linalg.pinv(hermitian(a), hermitian=True),
                lambda a: np.linalg.pinv(hermitian(a)), a,
            ),
        )
    ],
    *kinds(spectral.LinalgPinv, "nothing", linalg.pinv, lambda a: a.swapaxes(-1, -2), empty=(np.zeros((0, 3, 2)),)),
    *kinds(
        spectral.LinalgLstsq, "tall", lambda a, b: tuple(linalg.lstsq(a, b, driver="gelsd")[:2]),
        lambda a, b: (np.linalg.pinv(a) @ b, (abs(a @ np.linalg.pinv(a) @ b - b) ** 2).sum(-2)),
        values(37, 2, 5, 3), cvalues(38, 2, 5, 2).real,
    ),
    *kinds(
        spectral.LinalgLstsq, "wide-complex", lambda a, b: linalg.lstsq(a, b)[0], lambda a, b: np.linalg.pinv(a) @ b,
        cvalues(39, 3, 5), cvalues(40, 3),
    ),
    *kinds(
        spectral.LinalgLstsq, "nothing", lambda a, b: linalg.lstsq(a, b)[0], lambda a, b: np.zeros((0, 3, 2)),
        empty=(np.zeros((0, 4, 3)), np.zeros((0, 4, 2))),
    ),
]  # fmt: skip

# ---- refusals


def _t(*shape: int, kind: Any = np.float32) -> Tensor:
    return Tensor(np.zeros(shape, kind), None)


def _gauge(call: Any) -> Any:
    """Backward from a phase, which must be refused."""

    def run() -> None:
        a = Tensor(cvalues(60, 3, 3), None).requires_grad_()
        call(a).real.sum().backward()

    return run


_eye = Tensor(np.eye(3), None)
_bad = Tensor(np.stack([np.eye(3), np.diag([1.0, 0.0, -1.0])]), None)

ERRORS: list[ErrorCase] = [
    ErrorCase("inv-vector", lambda: linalg.inv(_t(3)), ShapeError, "must have at least 2 dimensions", ops.LinalgInvEx),
    ErrorCase("inv-rectangular", lambda: linalg.inv(_t(2, 3)), ShapeError, "must be batches of square matrices"),
    ErrorCase("inv-int", lambda: linalg.inv(_t(3, 3, kind=np.int64)), DtypeError, "floating point or complex tensor"),
    ErrorCase("inv-half", lambda: linalg.inv(_t(3, 3, kind=np.float16)), DtypeError, "Low precision dtypes"),
    ErrorCase("inv-singular", lambda: linalg.inv(_t(3, 3)), LinAlgError, "linalg.inv: The diagonal element 1 is zero"),
    ErrorCase("inv-list", lambda: linalg.inv([[1.0]]), TypeError, "must be Tensor, not list"),
    ErrorCase(
        "inv-batch", lambda: linalg.inv(_bad), LinAlgError, "linalg.inv: (Batch element 1): The diagonal element 2"
    ),
    ErrorCase("solve-singular", lambda: linalg.solve(_t(3, 3), _t(3)), LinAlgError, "the input matrix is singular"),
    ErrorCase("solve-size", lambda: linalg.solve(_eye, _t(4, 2, kind=np.float64)), ShapeError, "(3x3 and 4x2)"),
    ErrorCase("solve-dtype", lambda: linalg.solve(_eye, _t(3)), DtypeError, "to have the same dtype"),
    ErrorCase("solve-half", lambda: linalg.solve(_t(3, 3, kind=np.float16), _t(3)), NotImplementedError, "'Half'"),
    ErrorCase(
        "solve-batches", lambda: linalg.solve(_t(2, 3, 3), _t(4, 3, 1)), ShapeError,
        "The size of tensor a (4) must match the size of tensor b (2) at non-singleton dimension 0",
    ),
    ErrorCase(
        "triangular-vector", lambda: linalg.solve_triangular(_t(3, 3), _t(3), upper=True), ShapeError,
        "The input tensor B must have at least 2 dimensions",
    ),
    ErrorCase(
        "cholesky", lambda: linalg.cholesky(_bad), LinAlgError,
        "(Batch element 1): The factorization could not be completed because the input is not positive-definite (the "
        "leading minor of order 2 is not positive-definite)",
    ),
    ErrorCase("cholesky-nan", lambda: linalg.cholesky(_t(2, 2) * np.nan), LinAlgError, "minor of order 1"),
    ErrorCase("cholesky-method", lambda: (-_eye).cholesky(), LinAlgError, "cholesky: The factorization"),
    ErrorCase("lu-zero", lambda: linalg.lu_factor(_t(2, 2)), LinAlgError, "U[1,1] is zero and using it on lu_solve"),
    ErrorCase("lu-pivot", lambda: linalg.lu(_eye, pivot=False), ConvgradError, "without pivoting is not implemented"),
    ErrorCase(
        "lu_solve-pivots", lambda: linalg.lu_solve(_eye, _t(3), _eye), DtypeError, "of scalar type torch.int32"
    ),
    ErrorCase("qr-mode", lambda: linalg.qr(_eye, "x"), ConvgradError, "qr received unrecognized mode 'x'"),
    ErrorCase(
        "qr-r", _gauge(lambda a: linalg.qr(a, "r")[1]), ConvgradError, "depends on Q, which is not computed"
    ),
    ErrorCase(
        "qr-complete", _gauge(lambda a: linalg.qr(a[:, :2], "complete")[1]), ConvgradError,
        "not differentiable when mode='complete' and nrows > ncols",
    ),
    ErrorCase("svd-nan", lambda: linalg.svd(_t(2, 2) * np.nan), LinAlgError, "contained non-finite values"),
    ErrorCase("svdvals-nan", lambda: linalg.svdvals(_t(2, 2) * np.nan), LinAlgError, "contained non-finite values"),
    ErrorCase("svd-driver", lambda: linalg.svd(_eye, driver="gesvd"), ConvgradError, "only supported on CUDA"),
    ErrorCase("svd-phase", _gauge(lambda a: linalg.svd(a)[0]), ConvgradError, "depends on this phase term"),
    ErrorCase("eigh-phase", _gauge(lambda a: linalg.eigh(hermitian(a))[1]), ConvgradError, "so it is ill-defined"),
    ErrorCase("eig-phase", _gauge(lambda a: linalg.eig(a)[1]), ConvgradError, "so it is ill-defined"),
    ErrorCase("eigh-uplo", lambda: linalg.eigh(_eye, "x"), ConvgradError, "to be 'L' or 'U', but got x"),
    ErrorCase("eig-nan", lambda: linalg.eig(_eye * np.inf), ConvgradError, "should not contain infs or NaNs"),
    ErrorCase("lstsq-driver", lambda: linalg.lstsq(_eye, _eye, driver="x"), ConvgradError, "(gels, gelsy, gelsd, gelss)"),
    ErrorCase("lstsq-size", lambda: linalg.lstsq(_t(4, 3), _t(3, 2)), ShapeError, "input.size(-2) should match"),
    ErrorCase("pinv-int", lambda: linalg.pinv(_t(3, 3, kind=np.int64)), RuntimeError, "linalg.pinv(Long{[3, 3]})"),
    ErrorCase("cond-p", lambda: linalg.cond(_eye, 3), ConvgradError, "got an invalid norm type: 3"),
    ErrorCase("rank-vector", lambda: linalg.matrix_rank(_t(3)), ShapeError, "must have at least 2 dimensions"),
    ErrorCase("vander-one", lambda: linalg.vander(_t(1)), ShapeError, "N must be greater than 1"),
    ErrorCase("tensorinv", lambda: linalg.tensorinv(_t(2, 3, 5)), ShapeError, "but got 5 != 6"),
    ErrorCase("tensorsolve", lambda: linalg.tensorsolve(_t(2, 3, 5), _t(2, 3)), ShapeError, "but got 5 != 6"),
    ErrorCase("householder", lambda: linalg.householder_product(_t(2, 3), _t(2)), ShapeError, "input.shape[-2] must be"),
    ErrorCase("matrix_norm", lambda: linalg.matrix_norm(_t(2, 3), 3), ConvgradError, "Order 3 not supported"),
    ErrorCase("vecdot", lambda: linalg.vecdot(_t(3), _t(4)), ShapeError, "inconsistent tensor size"),
]  # fmt: skip
