"""QR, singular values, eigenvalues and what is made of them: the other half of ``convgrad.linalg``.

Matrices are the last two dimensions of a float32, float64 or complex tensor, all before are batches.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ConvgradError, DtypeError, ShapeError
from ..ops import spectral as ops
from . import return_types
from .functions_reduce import matrix_norm
from .functions_shape import cat
from .functions_solvers import counted, inv_ex, tolerances
from .matrices import as_matrix, as_square, check_float, check_kernel, check_same
from .methods.base import dim_index
from .methods.order import scalar_name
from .tensor import Tensor, apply


def qr(A: Tensor, mode: str = "reduced") -> Any:
    """(Q, R) with ``A = Q R``: orthonormal columns and an upper triangle.

    Args:
        A: float32, float64 or complex, ``(..., m, n)``; k = min(m, n).
        mode: "reduced": Q ``(..., m, k)`` and R ``(..., k, n)``; "complete": Q ``(..., m, m)`` and R
            ``(..., m, n)``; "r": Q is empty and nothing can be differentiated.
    Example:
        >>> qr(Tensor([[2.0, 0.0], [0.0, 3.0]])).R.abs().tolist()
        [[2.0, 0.0], [0.0, 3.0]]

    Source: semantics of torch.linalg.qr; derivative Seeger et al. 2017.
    """
    return return_types.linalg_qr(orthogonal(A, mode))


def orthogonal(A: Tensor, mode: str) -> Any:
    """The results of ``qr``."""
    a = as_matrix(A, "linalg.qr")
    if mode not in ("reduced", "complete", "r"):
        raise ConvgradError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or "
            "'complete'"
        )
    check_float(a, "linalg.qr", "geqrf_cpu")
    return apply(ops.LinalgQr, (A,), (mode,))


def householder_product(A: Tensor, tau: Tensor) -> Tensor:
    """The first n columns of the product of reflections ``I - tau_i v_i v_iᴴ``.

    Args:
        A: ``(..., m, n)`` with m >= n; v_i is column i below the diagonal, with 1 on it and 0 above.
        tau: same dtype, ``(..., k)`` with k <= n.
    Returns:
        ``(..., m, n)``.
    Example:
        >>> householder_product(Tensor([[1.0], [0.0]]), Tensor([2.0])).tolist()
        [[-1.0], [0.0]]

    Source: Golub & Van Loan, Matrix Computations, 5.1; semantics of torch.linalg.householder_product.
    """
    name = "torch.linalg.householder_product"
    a, t = A._data, tau._data
    if a.ndim < 2:
        raise ShapeError(f"{name}: input must have at least 2 dimensions. (got {list(a.shape)})")
    m, n = a.shape[-2:]
    if m < n:
        raise ShapeError(
            f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1] ({m}, {n})"
        )
    if t.ndim < 1 or n < t.shape[-1]:
        raise ShapeError(
            f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1] ({n}, {list(t.shape)})"
        )
    if t.shape[:-1] != a.shape[:-2]:
        raise ShapeError(
            f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got "
            f"{list(t.shape[:-1])}"
        )
    if a.dtype != t.dtype:
        raise DtypeError(
            f"{name}: tau dtype {scalar_name(t.dtype)} does not match input dtype {scalar_name(a.dtype)}"
        )
    check_kernel(a, "orgqr_cpu")
    eye = Tensor(np.eye(m, n, dtype=a.dtype), None)
    vectors, out = A.tril(-1) + eye, eye.expand(*a.shape)
    if not t.shape[-1]:
        return vectors - A.tril(-1)
    for i in reversed(range(t.shape[-1])):
        v = vectors[..., :, i : i + 1]
        out = out - (tau[..., i, None, None] * v) @ (v.adjoint() @ out)
    return out


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """(U, S, Vh) with ``A = U diag(S) Vh``: orthonormal columns and rows, singular values falling.

    Args:
        A: float32, float64 or complex, ``(..., m, n)``; k = min(m, n).
        full_matrices: U ``(..., m, m)`` and Vh ``(..., n, n)``, or U ``(..., m, k)`` and Vh ``(..., k, n)``.
    Raises:
        LinAlgError: the matrix holds NaN or infinities.
        ConvgradError: at backward, if the loss depends on the phases of complex vectors.
    Example:
        >>> svd(Tensor([[3.0, 0.0], [0.0, 2.0]])).S.tolist()
        [3.0, 2.0]

    Source: semantics of torch.linalg.svd; derivative Seeger et al. 2017.
    """
    return return_types.linalg_svd(singular(A, full_matrices, driver))


def singular(A: Tensor, full_matrices: bool, driver: str | None = None) -> Any:
    """The results of ``svd``."""
    _check_svd(A, driver)
    return apply(ops.LinalgSvd, (A,), (full_matrices,))


def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values ``(..., min(m, n))`` of matrices, falling; real.

    Example:
        >>> svdvals(Tensor([[3.0, 0.0], [0.0, 2.0]])).tolist()
        [3.0, 2.0]
    """
    _check_svd(A, driver)
    return apply(ops.LinalgSvdvals, (A,))


def _check_svd(A: Tensor, driver: str | None) -> None:
    check_float(as_matrix(A, "linalg.svd"), "linalg.svd", "linalg_svd_cpu")
    if driver is not None:
        raise ConvgradError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER "
            "backend."
        )


def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """(eigenvalues, eigenvectors) of Hermitian (or real symmetric) matrices; values real and rising.

    Args:
        A: float32, float64 or complex, ``(..., n, n)``.
        UPLO: "L" or "U", the triangle that is read.
    Raises:
        ConvgradError: at backward, if the loss depends on the phases of complex vectors.
    Example:
        >>> eigh(Tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues.tolist()
        [1.0, 2.0]

    Source: semantics of torch.linalg.eigh; derivative Seeger et al. 2017.
    """
    return return_types.linalg_eigh(apply(ops.LinalgEigh, (A,), (_check_hermitian(A, UPLO),)))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues ``(..., n)`` of Hermitian matrices, rising; real.

    Example:
        >>> eigvalsh(Tensor([[2.0, 0.0], [0.0, 1.0]])).tolist()
        [1.0, 2.0]
    """
    return apply(ops.LinalgEigvalsh, (A,), (_check_hermitian(A, UPLO),))


def _check_hermitian(A: Tensor, UPLO: str) -> str:
    a = as_square(A, "linalg.eigh")
    if UPLO.upper() not in ("L", "U"):
        raise ConvgradError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    check_kernel(a, "linalg_eigh_cpu")
    return UPLO.upper()


def eig(A: Tensor) -> Any:
    """(eigenvalues, eigenvectors) of square matrices, complex, in no order; vectors of norm 1 in columns.

    Args:
        A: float32, float64 or complex, ``(..., n, n)``, finite.
    Raises:
        ConvgradError: NaN or infinities; at backward, if the loss depends on the vectors' phases.
    Example:
        >>> eig(Tensor([[2.0, 0.0], [0.0, 2.0]])).eigenvalues.tolist()
        [(2+0j), (2+0j)]

    Source: semantics of torch.linalg.eig; derivative Boeddeker et al. 2017, arXiv:1701.00392.
    """
    _check_general(A, "linalg.eig")
    return return_types.linalg_eig(apply(ops.LinalgEig, (A,)))


def eigvals(A: Tensor) -> Tensor:
    """The eigenvalues ``(..., n)`` of square matrices, complex, in no order.

    Example:
        >>> eigvals(Tensor([[0.0, 1.0], [-1.0, 0.0]])).imag.sort().values.tolist()
        [-1.0, 1.0]
    """
    _check_general(A, "linalg.eigvals")
    return apply(ops.LinalgEigvals, (A,))


def _check_general(A: Tensor, name: str) -> None:
    a = as_square(A, name)
    if a.dtype.kind in "biu":
        raise DtypeError(f"{name}: Unknown Complex ScalarType for {scalar_name(a.dtype)}")
    check_kernel(a, "linalg_eig_out_cpu")
    if not np.isfinite(a).all():
        raise ConvgradError("torch.linalg.eig: input tensor should not contain infs or NaNs.")


def matrix_rank(
    A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Tensor:
    """How many singular values are above ``max(atol, rtol * largest)``: int64 ``(...)``.

    Args:
        A: float32, float64 or complex, ``(..., m, n)``.
        atol, rtol: numbers or tensors that broadcast with the batch; ``tol`` is atol's old name.
        hermitian: the matrices are Hermitian: by eigenvalues, which is faster.
    Example:
        >>> matrix_rank(Tensor([[1.0, 1.0], [1.0, 1.0]])).item()
        1

    Source: semantics of torch.linalg.matrix_rank.
    """
    name = "torch.linalg.matrix_rank"
    a = as_matrix(A, name, "input")
    for label, bound in (("atol", tol if atol is None else atol), ("rtol", rtol)):
        if isinstance(bound, Tensor) and bound._data.dtype.kind == "c":
            raise DtypeError(
                f"{name}: {label} tensor of complex type is not supported. Got "
                f"{scalar_name(bound._data.dtype)}"
            )
    if tol is not None or atol is not None or rtol is not None:
        check_float(a, "linalg.svd", "linalg_svd_cpu")
    if a.dtype.kind not in "fc" or a.dtype.itemsize < 4:
        raise DtypeError(
            f"This function doesn't handle types other than float and double ({scalar_name(a.dtype)})"
        )
    if not a.size:
        return Tensor(np.zeros(a.shape[:-2], np.int64), None)
    if atol is None and tol is not None:  # the old form's bound stands alone
        bounds = tolerances(a, tol, 0.0)
    else:
        bounds = tolerances(a, atol, rtol)
    sizes = eigvalsh(A).abs() if hermitian else svdvals(A)
    absolute, relative = [Tensor(x.astype(sizes._data.dtype)[..., None], None) for x in bounds]
    return counted(sizes > (sizes.amax(-1, True) * relative).maximum(absolute))


def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition number ``(...)``: the norm of a matrix times that of its inverse.

    Args:
        A: float32, float64 or complex, ``(..., m, n)``; square unless p is None, 2 or -2.
        p: None (as 2), 2, -2, 1, -1, inf, -inf, "fro" or "nuc": which norm. Singular matrices give inf.
    Example:
        >>> cond(Tensor([[4.0, 0.0], [0.0, 2.0]])).item()
        2.0

    Source: semantics of torch.linalg.cond.
    """
    if A._data.ndim < 2:
        raise ShapeError(
            f"linalg.cond: The input tensor must have at least 2 dimensions. (got {list(A._data.shape)})"
        )
    if p not in (None, 2, -2, 1, -1, math.inf, -math.inf, "fro", "nuc"):
        raise ConvgradError(f"linalg.cond got an invalid norm type: {p}")
    if p in (None, 2, -2):
        sizes = svdvals(A)
        if not A._data.size:
            return sizes.new_zeros(A._data.shape[:-2])
        first, last = sizes[..., :1], sizes[..., -1:]
        return (last / first if p == -2 else first / last).squeeze(-1)
    as_square(A, f"linalg.cond(ord={p})")
    if not A._data.size:
        return matrix_norm(A.detach(), "fro").new_zeros(A._data.shape[:-2])
    if p == "nuc":
        sizes = svdvals(A)
        return sizes.sum(-1) * sizes.reciprocal().sum(-1)
    product = matrix_norm(A, p) * matrix_norm(inv_ex(A)[0], p)
    return product.nan_to_num(math.inf, math.inf, -math.inf)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The inner products of vectors along ``dim``, the first conjugated; other dimensions broadcast.

    Args:
        x, y: float or complex, of one dtype.
    Example:
        >>> vecdot(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1.0, 1.0])).tolist()
        [3.0, 7.0]

    Source: semantics of torch.linalg.vecdot.
    """
    if x._data.dtype.kind in "biu":
        check_float(x._data, "linalg.vecdot")
    check_same(x._data, y._data, "linalg.vecdot", "x", "y")
    if x._data.ndim == y._data.ndim == 1:
        dim_index(dim, 1)
        return x.vdot(y)
    return (x.conj() * y).sum(dim)


def linalg_vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers 0 to N - 1 of each element, along a new last dimension: ``torch.linalg.vander``.

    Args:
        x: float, complex or integer, ``(..., n)``; N, at least 2, is n unless given.
    Example:
        >>> linalg_vander(Tensor([2.0, 3.0, 5.0])).tolist()
        [[1.0, 2.0, 4.0], [1.0, 3.0, 9.0], [1.0, 5.0, 25.0]]
    """
    data = x._data
    if data.dtype.kind == "b":
        raise DtypeError("linalg.vander supports floating point, complex, and integer tensors, but got Bool")
    count = (data.shape[-1] if data.ndim else 1) if N is None else N
    if count <= 1:
        raise ShapeError(f"N must be greater than 1. (got {count})")
    return _powers(x if data.ndim else x.reshape(1), count)


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers N - 1 to 0 (or ``increasing``) of each element of a vector (n), in rows: (n, N).

    Example:
        >>> vander(Tensor([2.0, 3.0, 5.0]), N=2).tolist()
        [[2.0, 1.0], [3.0, 1.0], [5.0, 1.0]]

    Source: semantics of torch.vander.
    """
    data = x._data
    if data.ndim != 1:
        raise ShapeError(f"x must be a one-dimensional tensor. (got shape {list(data.shape)})")
    count = data.shape[0] if N is None else N
    if count < 0:
        raise ShapeError(f"N must be non-negative. (got {count})")
    if count == 0:
        return _whole(x).detach().new_empty((data.shape[0], 0))
    ascending = _powers(x, count)
    return ascending if increasing else ascending.flip(-1)


def _whole(x: Tensor) -> Tensor:
    """Integers and booleans as int64."""
    return Tensor(x._data.astype(np.int64), None) if x._data.dtype.kind in "biu" else x


def _powers(x: Tensor, count: int) -> Tensor:
    x, shape = _whole(x), x._data.shape
    one = Tensor(np.ones((*shape, 1), x._data.dtype), None)
    if count == 1:
        return one
    return cat((one, x.unsqueeze(-1).expand(*shape, count - 1).cumprod(-1)), -1)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices, a view: ``Tensor.diagonal`` with the last two dimensions as default.

    Example:
        >>> diagonal(Tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
        [1.0, 4.0]
    """
    return A.diagonal(offset, dim1, dim2)
