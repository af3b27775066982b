"""Factors of indefinite symmetric and Hermitian matrices as functions on tensors."""

from __future__ import annotations

from typing import Any

from ..errors import DtypeError, ShapeError
from ..ops import ldl
from . import return_types
from .matrices import as_matrix, as_square, check_batches, check_float, check_same
from .methods.order import scalar_name
from .tensor import Tensor, apply


def ldl_factor_ex(A: Tensor, *, hermitian: bool = False, check_errors: bool = False) -> Any:
    """``ldl_factor`` that raises for a zero pivot only with ``check_errors``: (LD, pivots, info).

    Example:
        >>> ldl_factor_ex(Tensor([[1.0, 1.0], [1.0, 1.0]])).info.item()
        2
    """
    return _factors(A, hermitian, "torch.linalg.ldl_factor_ex" if check_errors else "")


def ldl_factor(A: Tensor, *, hermitian: bool = False) -> Any:
    """L and D of ``P L D Lᵀ Pᵀ = A`` in one array, and the exchanges of rows: (LD, pivots).

    Args:
        A: float32, float64 or complex, ``(..., n, n)``; the lower triangle is read.
        hermitian: complex matrices are Hermitian, ``Lᴴ`` takes the place of ``Lᵀ``.
    Returns:
        LD ``(..., n, n)``, lower triangular; pivots int32 ``(..., n)`` as LAPACK's ``sytrf`` gives them: two
        equal negative ones are a block of order 2. No derivative is known, as in PyTorch.
    Raises:
        LinAlgError: a pivot is zero.
    Example:
        >>> ldl_factor(Tensor([[2.0, 1.0], [1.0, 3.0]])).LD.tolist()
        [[2.0, 0.0], [0.5, 2.5]]

    Source: semantics of torch.linalg.ldl_factor; Bunch and Kaufman 1977.
    """
    return return_types.linalg_ldl_factor(_factors(A, hermitian, "torch.linalg.ldl_factor")[:2])


def _factors(A: Tensor, hermitian: bool, checked_as: str) -> Any:
    name = "torch.linalg.ldl_factor_ex"
    check_float(as_square(A, name), name, "ldl_factor_kernel_cpu")
    return return_types.linalg_ldl_factor_ex(apply(ldl.LinalgLdlFactorEx, (A,), (hermitian, checked_as)))


def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False) -> Tensor:
    """X with ``A X = B`` from ``LD, pivots = ldl_factor(A, hermitian=hermitian)``.

    Args:
        LD: ``(..., n, n)``; pivots: integers ``(..., n)``.
        B: same dtype as LD, ``(..., n, k)``; batches broadcast. Differentiable, unlike LD.
    Raises:
        ShapeError: shapes that do not go together.
        DtypeError: B of another dtype, pivots that are no integers.
    Example:
        >>> factors = ldl_factor(Tensor([[0.0, 2.0], [2.0, 0.0]]))
        >>> ldl_solve(*factors, Tensor([[2.0], [4.0]])).tolist()
        [[2.0], [1.0]]

    Source: semantics of torch.linalg.ldl_solve.
    """
    name = "torch.linalg.ldl_solve"
    a, b = as_square(LD, name, "LD"), as_matrix(B, name, "B")
    check_same(b, a, name, "b", "A")
    check_float(a, name, "ldl_solve_cpu")
    if a.shape[-1] != b.shape[-2]:
        raise ShapeError(
            f"Incompatible matrix sizes for {name}: each A matrix is {a.shape[-1]} by {a.shape[-1]} but each "
            f"b matrix is {b.shape[-2]} by {b.shape[-1]}"
        )
    if pivots._data.shape != a.shape[:-1]:
        raise ShapeError(
            f"{name}: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
            f"{list(pivots._data.shape)} instead"
        )
    if pivots._data.dtype.kind not in "iu":
        raise DtypeError(f"{name}: Expected pivots to be integers. Got {scalar_name(pivots._data.dtype)}")
    check_batches(a.shape[:-2], b.shape[:-2])
    out: Tensor = apply(ldl.LinalgLdlSolve, (LD, pivots, B), (hermitian,))
    return out
