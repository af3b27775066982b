"""Reductions that are functions only: ``var_mean``, the norms of ``linalg``."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ConvgradError, DtypeError, ShapeError
from ..ops import statistics as stats
from .methods.base import dim_index, dim_tuple
from .methods.order import scalar_name
from .tensor import Tensor, apply


def var_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
) -> tuple[Tensor, Tensor]:
    """Variance and mean over all elements or some dimensions; arguments as of ``Tensor.var``.

    Example:
        >>> [x.item() for x in var_mean(Tensor([1.0, 3.0]))]
        [2.0, 2.0]
    """
    return _pair(stats.VarMean, "var_mean", input, dim, unbiased, keepdim, correction)


def std_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
) -> tuple[Tensor, Tensor]:
    """Standard deviation and mean over all elements or some dimensions; arguments as of ``Tensor.std``.

    Example:
        >>> [x.item() for x in std_mean(Tensor([1.0, 3.0]), correction=0)]
        [1.0, 2.0]
    """
    return _pair(stats.StdMean, "std_mean", input, dim, unbiased, keepdim, correction)


def _pair(op: Any, name: str, x: Tensor, dim: Any, unbiased: Any, keepdim: bool, correction: Any) -> Any:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError(
            f"{name}: received an invalid combination of arguments - got both unbiased and correction"
        )
    if x._data.dtype.kind in "biu":
        raise DtypeError(
            f"{name} only support floating point and complex dtypes, but got {scalar_name(x._data.dtype)}"
        )
    taken = correction if correction is not None else 1 if unbiased in (None, True) else 0
    return apply(op, (x,), (dim_tuple(dim, x._data.ndim), float(taken), keepdim))


def vector_norm(
    x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """``(sum |x|^ord)^(1/ord)`` of all elements or over dimensions: ``torch.linalg.vector_norm``.

    Example:
        >>> vector_norm(Tensor([3.0, 4.0])).item()
        5.0
    """
    return x._vector_norm(float(ord), dim, keepdim, dtype)


def matrix_norm(
    A: Tensor,
    ord: Any = "fro",
    dim: Any = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Tensor:
    """The norm of the matrices in two dimensions: ``torch.linalg.matrix_norm``.

    Args:
        ord: ``"fro"``; 1 or -1: the extreme of the column sums of ``|A|``; inf or -inf: of the row sums.
            2, -2 or ``"nuc"``: the largest, the least or the sum of the singular values.
    """
    if len(dim) != 2:
        raise ShapeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {' '.join(map(str, dim))}")
    if A._data.ndim < 2:
        raise ShapeError(
            f"linalg.matrix_norm: The input tensor A must have at least 2 dimensions, got {A._data.ndim}."
        )
    if ord not in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf):
        raise ConvgradError(f"linalg.matrix_norm: Order {ord} not supported.")
    row, column = [dim_index(d, A._data.ndim) for d in dim]
    if row == column:
        raise ConvgradError(f"linalg.matrix_norm: dims must be different. Got ({dim[0]}, {dim[1]})")
    if ord == "fro":
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if ord in ("nuc", 2, -2):
        whole: Any = A  # the method is of a late family
        return whole._spectral_norm(ord, (row, column), keepdim, dtype)
    summed, other = (row, column) if abs(ord) == 1 else (column, row)
    sums = vector_norm(A, 1, summed, keepdim, dtype=dtype)
    if not keepdim and summed < other:
        other -= 1
    if not sums._data.shape[other] and ord > 0:
        return sums.sum(other, keepdim).detach()  # of nothing: a constant 0
    return sums.amax(other, keepdim) if ord > 0 else sums.amin(other, keepdim)


def linalg_norm(
    A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """A vector's or matrix's norm by the number of dimensions: ``torch.linalg.norm``.

    Without ``ord`` the 2-norm of all elements (or over ``dim``); with it, one dimension (or a 1-d
    tensor) takes the vector norm and two the matrix norm.
    """
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None and A._data.ndim not in (1, 2):
        raise ShapeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{A._data.ndim}D."
        )
    dims = (
        tuple(range(A._data.ndim))
        if dim is None
        else tuple(dim)
        if isinstance(dim, (tuple, list))
        else (dim,)
    )
    if len(dims) == 2 or isinstance(ord, str):
        return matrix_norm(A, ord, dims, keepdim, dtype=dtype)
    return vector_norm(A, ord, dims, keepdim, dtype=dtype)
