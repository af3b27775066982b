"""Linear systems, inverses, triangular factors and determinants: half of ``convgrad.linalg``.

Matrices are the last two dimensions of a float32, float64 or complex tensor, all before are batches. What
PyTorch refuses (integers, half precision, other shapes) raises the same type here; a matrix without an
inverse or a factor raises ``LinAlgError``, a RuntimeError.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import int64
from ..errors import ConvgradError, DtypeError, ShapeError
from ..ops import linalg as ops
from ..ops import spectral
from ..ops.determinant import LinalgDet, LinalgSlogdet
from ..ops.reduce import SumDims
from ..ops.shape import Cast
from . import return_types
from .dual import batch_of
from .matrices import (
    as_matrix,
    as_square,
    check_batches,
    check_equation,
    check_float,
    check_kernel,
    check_same,
    shape_words,
)  # fmt: skip
from .methods.order import scalar_name
from .tensor import Tensor, apply


def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:
    """The inverse of square matrices and ``info``, int32: 0, or which diagonal element of U was zero.

    Without ``check_errors`` nothing is raised: a singular matrix has NaN for its inverse.

    Example:
        >>> [x.tolist() for x in inv_ex(Tensor([[2.0, 0.0], [0.0, 4.0]]))]
        [[[0.5, 0.0], [0.0, 0.25]], 0]

    Source: semantics of torch.linalg.inv_ex.
    """
    return _inverse(A, "linalg.inv_ex" if check_errors else "")


def inv(A: Tensor) -> Tensor:
    """The inverse of square matrices.

    Args:
        A: float32, float64 or complex, ``(..., n, n)``.
    Returns:
        The same shape and dtype.
    Raises:
        LinAlgError: a matrix is singular; the message says which of the batch.
        ShapeError, DtypeError: not square, or integers or half precision.
    Example:
        >>> inv(Tensor([[2.0, 0.0], [0.0, 4.0]])).tolist()
        [[0.5, 0.0], [0.0, 0.25]]

    Source: semantics of torch.linalg.inv.
    """
    out: Tensor = _inverse(A, "linalg.inv")[0]
    return out


def _inverse(A: Tensor, checked_as: str) -> Any:
    check_float(as_square(A, "linalg.inv"), "linalg.inv")
    return return_types.linalg_inv_ex(apply(ops.LinalgInvEx, (A,), (checked_as,)))


def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:
    """``solve`` that raises for singular matrices only with ``check_errors``: (result, info).

    Example:
        >>> solve_ex(Tensor([[2.0]]), Tensor([3.0])).result.tolist()
        [1.5]
    """
    return _solution(A, B, left, "torch.linalg.solve_ex" if check_errors else "")


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with ``A X = B``, or with ``X A = B`` where ``left`` is false.

    Args:
        A: float32, float64 or complex, ``(..., n, n)``.
        B: same dtype, ``(..., n, k)``, or vectors: ``(n)``, or ``(..., n)`` with A's batch; batches
        broadcast.
    Returns:
        B's shape with the common batch.
    Raises:
        LinAlgError: a matrix is singular.
        ShapeError, DtypeError: shapes or dtypes do not fit.
    Example:
        >>> solve(Tensor([[2.0, 0.0], [0.0, 4.0]]), Tensor([2.0, 2.0])).tolist()
        [1.0, 0.5]

    Source: semantics of torch.linalg.solve.
    """
    out: Tensor = _solution(A, B, left, "torch.linalg.solve")[0]
    return out


def _solution(A: Tensor, B: Tensor, left: bool, checked_as: str) -> Any:
    name = "linalg.solve"
    a = as_square(A, name)
    if not isinstance(B, Tensor):
        raise TypeError(f"linalg_solve(): argument 'B' (position 2) must be Tensor, not {type(B).__name__}")
    b = B._data
    vector = b.ndim == 1 or (a.ndim - 1 == b.ndim and b.shape == a.shape[:-1])
    if not vector:
        as_matrix(B, name, "B")
    check_float(a, name, "lu_cpu")
    check_same(a, b, name)
    if vector and not left and a.shape[-1] == 1:
        raise ShapeError(
            f"{name}: Vector broadcasting of the left hand side is not supported for left=False. In this "
            "case linalg.solve is equivalent to B / A.squeeze(-1)"
        )
    check_equation(a, b[..., None] if vector else b, left, name)
    return return_types.linalg_solve_ex(apply(ops.LinalgSolveEx, (A, B), (left, vector, checked_as)))


def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """X with ``A X = B`` (or ``X A = B``) for triangular matrices; the other triangle of A is not read.

    Args:
        A: float32, float64 or complex, ``(..., n, n)``.
        B: same dtype, ``(..., n, k)`` (or ``(..., k, n)`` where ``left`` is false); batches broadcast.
        unitriangular: the diagonal of A is not read either and counts as ones.
    Example:
        >>> solve_triangular(Tensor([[2.0, 0.0], [2.0, 1.0]]), Tensor([[2.0], [3.0]]), upper=False).tolist()
        [[1.0], [1.0]]

    Source: semantics of torch.linalg.solve_triangular.
    """
    name = "linalg.solve_triangular"
    a, b = as_square(A, name), as_matrix(B, name, "B")
    check_equation(a, b, left, name)
    check_kernel(a, "triangular_solve_cpu")
    check_same(a, b, name)
    return apply(ops.LinalgSolveTriangular, (A, B), (bool(upper), left, unitriangular))


def det(A: Tensor) -> Tensor:
    """The determinant ``(...)`` of square matrices ``(..., n, n)``; 1 for n = 0.

    The gradient is right for singular matrices, and the second too.

    Example:
        >>> det(Tensor([[2.0, 1.0], [1.0, 3.0]])).item()
        5.0

    Source: semantics of torch.linalg.det.
    """
    check_float(as_square(A, "linalg.det"), "linalg.det", "lu_cpu")
    return apply(LinalgDet, (A,))


def slogdet(A: Tensor) -> Any:
    """The sign and the logarithm of the absolute value of the determinant: (sign, logabsdet).

    The sign of a complex determinant is a number of absolute value 1; that of a singular matrix is 0.

    Example:
        >>> [x.item() for x in slogdet(Tensor([[1.0, 0.0], [0.0, -1.0]]))]
        [-1.0, 0.0]

    Source: semantics of torch.linalg.slogdet.
    """
    return return_types.linalg_slogdet(sign_and_size(A, "linalg.slogdet"))


def sign_and_size(A: Tensor, name: str) -> Any:
    """The results of ``slogdet`` and ``logdet``."""
    check_float(as_square(A, name), name)
    return apply(LinalgSlogdet, (A,))


def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """``cholesky`` that raises only with ``check_errors``: (L, info: the order of the first bad minor, or 0).

    Example:
        >>> cholesky_ex(Tensor([[4.0, 0.0], [0.0, -1.0]])).info.item()
        2
    """
    return _factor(A, upper, "linalg.cholesky_ex" if check_errors else "")


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """L, lower triangular with ``L Lᴴ = A``, for Hermitian positive-definite matrices; or its adjoint.

    Args:
        A: float32, float64 or complex, ``(..., n, n)``; one triangle is read.
    Raises:
        LinAlgError: a matrix is not positive-definite.
    Example:
        >>> cholesky(Tensor([[4.0, 2.0], [2.0, 2.0]])).tolist()
        [[2.0, 0.0], [1.0, 1.0]]

    Source: semantics of torch.linalg.cholesky.
    """
    out: Tensor = _factor(A, upper, "linalg.cholesky")[0]
    return out


def _factor(A: Tensor, upper: bool, checked_as: str) -> Any:
    check_float(as_square(A, "linalg.cholesky"), "linalg.cholesky", "cholesky_cpu")
    return return_types.linalg_cholesky_ex(apply(ops.LinalgCholeskyEx, (A,), (upper, checked_as)))


def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """``lu_factor`` that raises for a zero pivot only with ``check_errors``: (LU, pivots, info).

    Example:
        >>> lu_factor_ex(Tensor([[0.0, 1.0], [2.0, 0.0]])).pivots.tolist()
        [2, 2]
    """
    return _lu_factors(A, pivot, "torch.linalg.lu_factor_ex" if check_errors else "")


def lu_factor(A: Tensor, *, pivot: bool = True) -> Any:
    """L and U of ``A = P L U`` in one array, and the exchanges of rows, for ``lu_solve``: (LU, pivots).

    Args:
        A: float32, float64 or complex, ``(..., m, n)``.
    Returns:
        LU of A's shape, L below its diagonal; pivots int32 ``(..., min(m, n))``: row i was exchanged with
        that row, counted from 1.
    Raises:
        LinAlgError: a pivot is zero.
    Example:
        >>> lu_factor(Tensor([[2.0, 1.0], [1.0, 3.0]])).LU.tolist()
        [[2.0, 1.0], [0.5, 2.5]]

    Source: semantics of torch.linalg.lu_factor.
    """
    return return_types.linalg_lu_factor(_lu_factors(A, pivot, "torch.linalg.lu_factor")[:2])


def _lu_input(A: Any, pivot: bool, name: str) -> None:
    if not isinstance(A, Tensor):
        raise TypeError(f"{name}(): argument 'A' must be Tensor, not {type(A).__name__}")
    if A._data.ndim < 2:
        raise ShapeError(
            f"{name}: Expected tensor with 2 or more dimensions. Got size: {list(A._data.shape)} instead"
        )
    check_kernel(A._data, "lu_cpu")
    if not pivot:
        raise ConvgradError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")


def _lu_factors(A: Tensor, pivot: bool, checked_as: str) -> Any:
    _lu_input(A, pivot, "torch.lu_factor")
    return return_types.linalg_lu_factor_ex(apply(ops.LinalgLuFactorEx, (A,), (checked_as,)))


def lu(A: Tensor, *, pivot: bool = True) -> Any:
    """(P, L, U) with ``A = P L U``: a permutation, unit lower and upper triangular; k = min(m, n).

    Args:
        A: float32, float64 or complex, ``(..., m, n)``.
    Returns:
        P ``(..., m, m)``, L ``(..., m, k)``, U ``(..., k, n)``.
    Example:
        >>> [x.tolist() for x in lu(Tensor([[0.0, 1.0], [2.0, 0.0]]))][0]
        [[0.0, 1.0], [1.0, 0.0]]

    Source: semantics of torch.linalg.lu.
    """
    _lu_input(A, pivot, "linalg.lu")
    left, right, pivots = apply(ops.LinalgLu, (A,))
    p = apply(ops.LuPermutation, (pivots,), (A._data.shape[-2], A._data.dtype))
    return return_types.linalg_lu((p, left, right))


def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True
) -> Any:
    """(P, L, U) from the results of ``lu_factor``; what is not asked for is empty.

    Example:
        >>> from convgrad.linalg import lu_factor
        >>> lu_unpack(*lu_factor(Tensor([[2.0, 1.0], [1.0, 3.0]]))).L.tolist()
        [[1.0, 0.0], [0.5, 1.0]]
    """
    if LU_pivots._data.dtype != np.int32:
        raise DtypeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype. "
            f"Got {scalar_name(LU_pivots._data.dtype)}"
        )
    data = LU_data._data
    p = left = right = Tensor(np.empty(0, data.dtype), None)
    if unpack_pivots:
        p = apply(ops.LuPermutation, (LU_pivots,), (data.shape[-2], data.dtype))
    if unpack_data:
        left, right = _triangles(LU_data)
    return return_types.lu_unpack((p, left, right))


def _triangles(LU: Tensor) -> tuple[Tensor, Tensor]:
    m, n = LU._data.shape[-2:]
    k = min(m, n)
    eye = Tensor(np.eye(m, k, dtype=LU._data.dtype), None)
    return LU[..., :, :k].tril(-1) + eye, LU[..., :k, :].triu()


def lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """X with ``A X = B``, or ``X A = B`` where ``left`` is false, from ``LU, pivots = lu_factor(A)``.

    Args:
        LU: ``(..., n, n)``; pivots: int32 ``(..., n)``.
        B: same dtype as LU, ``(..., n, k)``; batches broadcast.
        adjoint: ``Aᴴ`` takes the place of A.
    Example:
        >>> factors = lu_factor(Tensor([[2.0, 0.0], [0.0, 4.0]]))
        >>> lu_solve(*factors, Tensor([[2.0], [2.0]])).tolist()
        [[1.0], [0.5]]

    Source: semantics of torch.linalg.lu_solve.
    """
    name = "linalg.lu_solve"
    a, b = as_square(LU, name, "LU"), as_matrix(B, name, "B")
    check_kernel(a, "linalg.lu_solve_cpu")
    check_same(a, b, name, "LU", "B")
    if pivots._data.dtype != np.int32:
        raise DtypeError(f"{name}: pivots should be a Tensor of scalar type torch.int32")
    check_equation(a, b, left, name)
    if pivots._data.ndim < 1 or pivots._data.shape[-1] != a.shape[-1]:
        raise ShapeError(
            f"{name}: Number of pivots per batch should be same as the dimension of the matrix: "
            f"{list(pivots._data.shape)} for {list(a.shape)}"
        )
    p = apply(ops.LuPermutation, (pivots,), (a.shape[-1], a.dtype))
    if not left:
        return _lu_solved(LU, p, B.adjoint(), not adjoint).adjoint()
    return _lu_solved(LU, p, B, adjoint)


def _lu_solved(LU: Tensor, p: Tensor, B: Tensor, adjoint: bool) -> Any:
    if adjoint:
        inner = solve_triangular(LU.adjoint(), B, upper=False)
        return p @ solve_triangular(LU.adjoint(), inner, upper=True, unitriangular=True)
    inner = solve_triangular(LU, p.transpose(-1, -2) @ B, upper=False, unitriangular=True)
    return solve_triangular(LU, inner, upper=True)


def matrix_exp(A: Tensor) -> Tensor:
    """The exponential ``I + A + A A / 2 + ...`` of square matrices, float or complex ``(..., n, n)``.

    Example:
        >>> matrix_exp(Tensor([[0.0, 1.0], [0.0, 0.0]])).tolist()
        [[1.0, 1.0], [0.0, 1.0]]

    Source: Higham 2005 (scaling and squaring); semantics of torch.linalg.matrix_exp.
    """
    a = as_square(A, "linalg.matrix_exp")
    if a.dtype.kind in "biu":
        check_float(a, "linalg.matrix_exp")
    return apply(ops.LinalgMatrixExp, (A,))


def tolerances(a: Any, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """The bounds up to which singular values count as zero, as arrays: absolute, relative to the largest.

    Without ``rtol`` it is ``eps * max(m, n)``, or 0 where ``atol`` is given and above 0.
    """
    absolute = np.asarray(0.0 if atol is None else atol._data if isinstance(atol, Tensor) else atol)
    if rtol is None:
        usual = float(np.finfo(a.dtype).eps) * max(a.shape[-2:])
        relative = np.where(absolute > 0, 0.0, usual)
    else:
        relative = np.asarray(rtol._data if isinstance(rtol, Tensor) else rtol)
    return absolute, relative


def pinv(
    A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Tensor:
    """The pseudo-inverse (Moore and Penrose) ``(..., n, m)`` of matrices ``(..., m, n)``.

    Args:
        A: float32, float64 or complex.
        atol, rtol: singular values up to ``max(atol, rtol * largest)`` count as zero; numbers or tensors that
            broadcast with the batch. ``rcond`` is rtol's old name.
        hermitian: the matrices are Hermitian, which is faster: by eigenvalues, of the lower triangle.
    Example:
        >>> pinv(Tensor([[2.0, 0.0], [0.0, 0.0]])).tolist()
        [[0.5, 0.0], [0.0, 0.0]]

    Source: semantics of torch.linalg.pinv; derivative Golub & Pereyra 1973.
    """
    a = A._data
    if a.ndim < 2 or a.dtype.name not in ("float32", "float64", "complex64", "complex128"):
        raise ShapeError(
            f"linalg.pinv({shape_words(a)}): expected a tensor with 2 or more dimensions of float, double, "
            "cfloat or cdouble types"
        )
    if hermitian:
        as_square(A, "linalg.eigh")
    absolute, relative = tolerances(a, atol, rcond if rtol is None else rtol)
    return apply(spectral.LinalgPinv, (A,), (absolute, relative, hermitian))


def counted(kept: Tensor) -> Tensor:
    """How many in each row, int64; by operators, which ``vmap`` follows where it does not follow casts."""
    return apply(SumDims, (apply(Cast, (kept,), (int64.np,)),), ((kept._data.ndim - 1,), False))


_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """The least-squares solution X of ``A X = B``: of least norm among those of least ``|A X - B|``.

    Args:
        A: float32, float64 or complex, ``(..., m, n)``.
        B: same dtype, ``(..., m, k)`` or ``(..., m)``; batches broadcast.
        rcond: singular values up to that part of the largest count as zero; ``eps * max(m, n)``.
        driver: "gelsy" (default), "gelsd", "gelss" or "gels", which takes A to be of full rank. All are
        computed
            through singular values here; the name says which results are given.
    Returns:
        (solution, residuals, rank, singular_values). Residuals, the squared distances, if m > n and the rank
        is full, not for "gelsy"; the rank not for "gels"; singular values for "gelsd" and "gelss"; else
        empty.
    Example:
        >>> [round(x, 4) for x in lstsq(Tensor([[1.0], [1.0]]), Tensor([1.0, 3.0])).solution.tolist()]
        [2.0]

    Source: semantics of torch.linalg.lstsq.
    """
    a, b = A._data, B._data
    vector = _check_lstsq(a, b, driver)
    driver = driver or "gelsy"
    B = B.unsqueeze(-1) if vector else B
    m, n = a.shape[-2:]
    wanted = m > n and driver != "gelsy"
    cut = 0.0 if driver == "gels" else float(np.finfo(a.dtype).eps) * max(m, n) if rcond is None else rcond
    solution, residuals, sizes = apply(spectral.LinalgLstsq, (A, B), (float(cut), wanted))
    largest = sizes.amax(-1, True) if min(m, n) else sizes
    rank = counted(sizes > largest * cut)
    if wanted and driver != "gels" and (_of_all_samples(rank) != n).any():
        residuals = residuals.detach().new_empty(0)
    if vector:
        solution = solution.squeeze(-1)
    rank = rank.new_empty(0) if driver == "gels" else rank
    sizes = sizes.detach() if driver in ("gelsd", "gelss") else sizes.new_empty(0)
    return return_types.linalg_lstsq((solution, residuals, rank, sizes))


def _of_all_samples(x: Tensor) -> Any:
    """The values, under ``vmap`` those of every sample."""
    while (node := batch_of(x)) is not None:
        x = node.value
    return x._data


def _check_lstsq(a: Any, b: Any, driver: str | None) -> bool:
    """Refuse what cannot be solved; whether B holds vectors."""
    name = "torch.linalg.lstsq"
    if a.ndim < 2:
        raise ShapeError(f"{name}: input must have at least 2 dimensions. (got {list(a.shape)})")
    if b.ndim < 1:
        raise ShapeError(f"{name}: other must have at least 1 dimension.")
    if a.dtype != b.dtype:
        raise DtypeError(
            f"{name}: Expected input and other to have the same dtype, but got input's dtype "
            f"{scalar_name(a.dtype)} and other's dtype {scalar_name(b.dtype)}"
        )
    if a.ndim - b.ndim not in (0, 1):
        raise ShapeError(
            f"{name}: input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) "
            f"<= 1 ({list(a.shape)} and {list(b.shape)})"
        )
    vector: bool = a.ndim - b.ndim == 1
    if a.shape[-2] != b.shape[-1 if vector else -2]:
        side = -1 if vector else -2
        raise ShapeError(
            f"{name}: input.size(-2) should match other.size({side}) ({list(a.shape)} and {list(b.shape)})"
        )
    check_batches(a.shape[:-2], b.shape[: -1 if vector else -2])
    if driver is not None and driver not in _DRIVERS:
        raise ConvgradError(f"{name}: parameter `driver` should be one of ({', '.join(_DRIVERS)})")
    if a.dtype.kind not in "fc" or a.dtype.itemsize < 4:
        raise DtypeError(
            f"This function doesn't handle types other than float and double ({scalar_name(a.dtype)})"
        )
    return vector


def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of the map ``tensordot(A, x, x.ndim)``: the first ``ind`` dimensions of A become its last.

    Raises:
        ShapeError: the first ``ind`` dimensions and the rest do not hold equally many elements.
    Example:
        >>> tensorinv(Tensor([[[[2.0]]]])).shape
        torch.Size([1, 1, 1, 1])
    """
    shape = A._data.shape
    if ind <= 0:
        raise ShapeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    rows, columns = math.prod(shape[:ind]), math.prod(shape[ind:])
    if rows != columns:
        raise ShapeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), "
            f"but got {columns} != {rows}"
        )
    return inv(A.reshape(rows, columns)).reshape(*shape[ind:], *shape[:ind])


def tensorsolve(A: Tensor, B: Tensor, dims: Any = None) -> Tensor:
    """X with ``tensordot(A, X, X.ndim) = B``.

    Args:
        A: its first ``B.ndim`` dimensions hold as many elements as B, and so do the others.
        dims: dimensions of A that are moved to its end before.
    Returns:
        The shape of A's dimensions after the first ``B.ndim``.
    Example:
        >>> tensorsolve(Tensor([[2.0, 0.0], [0.0, 4.0]]), Tensor([2.0, 2.0])).tolist()
        [1.0, 0.5]
    """
    if dims is not None:
        A = A.movedim(list(dims), list(range(-len(dims), 0)))
    shape, ndim = A._data.shape, B._data.ndim
    rows, columns = math.prod(shape[:ndim]), math.prod(shape[ndim:])
    if rows != columns:
        raise ShapeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {columns} != {rows}"
        )
    return solve(A.reshape(rows, columns), B.reshape(-1)).reshape(*shape[ndim:])
