"""How far vectors lie apart, and vectors of length one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import dtypes
from ...autograd import no_grad
from ...dtypes import F32, F64
from ...errors import ConvgradError, DtypeError, ShapeError
from ...graph.grad_mode import MODE, RECORD
from ...kernels import table
from ...kernels.rows import SUM
from ...ops.distance import Cdist, EuclideanDist, PairNorm
from ...ops.formula import LARGE
from ...tensor.checks import scalar_name
from ...tensor.functions_shape import broadcast_tensors
from ...tensor.methods.base import dim_index, dim_tuple
from ...tensor.methods.operands import check_tensor, common_dtype
from ...tensor.tensor import Tensor, apply


def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Tensor:
    """Vectors along ``dim`` divided by their p-norm (or by ``eps``, where that is larger).

    Args:
        input: float or complex.
        p: of the norm.
        dim: one dimension or several.
    Raises:
        DtypeError: an integer input.
    Example:
        >>> from convgrad import Tensor
        >>> normalize(Tensor([[3.0, 4.0]])).tolist()
        [[0.6000000238418579, 0.800000011920929]]
    """
    check_tensor("normalize", input, "input")
    if input.dtype.category < dtypes.FLOATING:
        raise DtypeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{scalar_name(input.dtype)} (normalize; use input.float())"
        )
    return input / input.norm(p, dim, keepdim=True).clamp_min(eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along ``dim``.

    Args:
        x1, x2: real; shapes are broadcast and dtypes promoted.
        dim: of the broadcast shape.
        eps: the least length that is divided by.
    Raises:
        ShapeError: shapes that do not broadcast.
        DtypeError: no float among the two.
    Example:
        >>> from convgrad import Tensor
        >>> cosine_similarity(Tensor([[1.0, 0.0]]), Tensor([[1.0, 0.0]])).tolist()
        [1.0]
    """
    check_tensor("cosine_similarity", x1, "x1")
    check_tensor("cosine_similarity", x2, "x2")
    cosines = _cosines(x1, x2, dim, eps)
    if cosines is not None:
        return cosines
    common = common_dtype(x1, x2)
    if common.category != dtypes.FLOATING:
        raise DtypeError(
            f"expected common dtype to be floating point, yet common dtype is {scalar_name(common)} "
            "(cosine_similarity)"
        )
    directions = []
    for x in broadcast_tensors(x1, x2):
        if x.dtype.category < dtypes.FLOATING:
            x = x.to(common)
        length = x.norm(2, dim, keepdim=True).clone()
        with no_grad():  # the gradient is that of the length even where eps stands in its place
            length.clamp_min_(eps)
        directions.append(x / length)
    return (directions[0] * directions[1]).sum(dim)


def _cosines(x1: Tensor, x2: Tensor, dim: int, eps: float) -> Tensor | None:
    """The usual case in few steps: two float tensors of one shape and dtype without history; None else."""
    a, b, mode = x1._data, x2._data, MODE.get()
    dtype = a.dtype
    if mode & ~RECORD or (mode and (x1._node is not None or x2._node is not None)):
        return None
    if (dtype is not F32 and dtype is not F64) or b.dtype is not dtype or a.shape != b.shape or not a.ndim:
        return None
    if a.size >= LARGE:  # the operators have several threads
        return None
    axis = dim_index(dim, a.ndim)
    with np.errstate(all="ignore"):
        product, other = [
            x / np.maximum(np.sqrt(table.squares_over(x, (axis,), True)), dtype.type(eps)) for x in (a, b)
        ]
        product *= other
    return Tensor(table.fold(SUM, product, axis, False), None)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of ``x1 - x2 + eps`` along the last dimension.

    Args:
        x1, x2: ``(N, D)`` or ``(D,)``; shapes are broadcast and dtypes promoted.
        p: of the norm.
        keepdim: the last dimension stays, with size 1.
    """
    difference = x1 - x2 + eps
    axes = dim_tuple(-1, difference._data.ndim)
    return apply(PairNorm, (difference,), (float(p), axes, keepdim))


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm of the difference of every two rows.

    Args:
        input: float32 or float64, ``(N, M)``.
        p: of the norm, not negative.
    Returns:
        ``(N (N - 1) / 2,)``: row 0 with rows 1, 2, ..., then row 1 with rows 2, ....
    Raises:
        ShapeError: no matrix.
        DtypeError: no real floats.
    Example:
        >>> from convgrad import Tensor
        >>> pdist(Tensor([[0.0, 0.0], [3.0, 4.0]])).tolist()
        [5.0]
    """
    check_tensor("pdist", input, "input")
    data = input._data
    if data.ndim != 2:
        raise ShapeError(f"pdist only supports 2D tensors, got: {data.ndim}D (shape {list(data.shape)})")
    if input.dtype.category != dtypes.FLOATING:
        raise DtypeError(f"pdist only supports floating-point dtypes, got {input.dtype}")
    if p < 0:
        raise ConvgradError(f"pdist only supports non-negative p values, got {p}")
    if data.dtype in dtypes.HALVES and data.shape[0] > 1 and data.size:
        raise NotImplementedError(f"\"pdist\" not implemented for '{scalar_name(input.dtype)}'")
    # in float32 by a product in float64; of float64 that would lose digits that differences keep
    if p == 2 and data.dtype.itemsize == 4:
        square = apply(EuclideanDist, (input, input))
    else:
        square = apply(Cdist, (input, input), (float(p),))
    above = np.flatnonzero(~np.tri(data.shape[0], dtype=bool))
    return square.reshape(-1)[Tensor(above, None)]
