"""``torch.linalg``: norms, products, linear systems, factorisations, singular values and eigenvalues."""

from __future__ import annotations

from typing import Any

from .errors import LinAlgError
from .tensor.functions_ldl import ldl_factor, ldl_factor_ex, ldl_solve
from .tensor.functions_linear import multi_dot
from .tensor.functions_reduce import linalg_norm as norm
from .tensor.functions_reduce import matrix_norm, vector_norm
from .tensor.functions_solvers import (
    cholesky,
    cholesky_ex,
    det,
    inv,
    inv_ex,
    lstsq,
    lu,
    lu_factor,
    lu_factor_ex,
    lu_solve,
    matrix_exp,
    pinv,
    slogdet,
    solve,
    solve_ex,
    solve_triangular,
    tensorinv,
    tensorsolve,
)
from .tensor.functions_spectra import (
    cond,
    diagonal,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    householder_product,
    matrix_rank,
    qr,
    svd,
    svdvals,
    vecdot,
)
from .tensor.functions_spectra import linalg_vander as vander
from .tensor.out import equip
from .tensor.tensor import Tensor


def matrix_power(input: Tensor, n: int) -> Any:
    """A square matrix (or a batch of them, ``(..., m, m)``) multiplied n times by itself."""
    return input.matrix_power(n)


def matmul(input: Tensor, other: Tensor) -> Any:
    """The matrix product; see ``Tensor.matmul``."""
    return input.matmul(other)


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Any:
    """The cross product of vectors of 3 along ``dim``."""
    return input.cross(other, dim=dim)


__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals",
    "eigvalsh", "householder_product", "inv", "inv_ex", "ldl_factor", "ldl_factor_ex", "ldl_solve", "lstsq",
    "lu", "lu_factor", "lu_factor_ex", "lu_solve", "matmul", "matrix_exp", "matrix_norm", "matrix_power",
    "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "solve_ex", "solve_triangular",
    "svd", "svdvals", "tensorinv", "tensorsolve", "vander", "vecdot", "vector_norm",
]  # fmt: skip

equip(globals(), "linalg")
