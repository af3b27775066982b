"""``torch.linalg``: norms and products; decompositions and solvers are not here yet."""

from __future__ import annotations

from typing import Any

from .tensor.functions_linear import multi_dot
from .tensor.functions_reduce import linalg_norm as norm
from .tensor.functions_reduce import matrix_norm, vector_norm
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


__all__ = ["cross", "matmul", "matrix_norm", "matrix_power", "multi_dot", "norm", "vector_norm"]

equip(globals(), "linalg")
