"""Losses that compare scores or distances: margins, rankings, signs, embeddings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...dtypes import Array
from ...errors import ConvgradError, DtypeError, ShapeError
from ...ops import margin as ops
from ...tensor.checks import scalar_name
from ...tensor.dual import batch_of
from ...tensor.functions_elementwise import where
from ...tensor.methods.operands import broadcast_error, check_tensor
from ...tensor.tensor import Tensor, apply
from .activation import logsigmoid
from .distance import pairwise_distance
from .reduction import check_reduction, legacy_reduction, reduced

Distance = Callable[[Tensor, Tensor], Tensor]


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """input where the target is 1, ``max(0, margin - input)`` where it is -1.

    Args:
        input: float of any shape, usually a distance.
        target: 1 or -1, of the same shape.
        margin: how far apart examples of target -1 should be.
        reduction: "mean" or "sum" of all elements, or "none".
    Example:
        >>> hinge_embedding_loss(Tensor(np.array([0.5, 0.25]), None), Tensor(np.array([1, -1]), None)).item()
        0.625
    """
    how = legacy_reduction(reduction, size_average, reduce)
    each = where(target != 1, (margin - input).clamp_min(0), 0.0) + where(target != -1, input, 0.0)
    return reduced(each, how)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """``max(0, -target (input1 - input2) + margin)``: where target is 1, input1 shall be larger, else input2.

    Args:
        input1, input2, target: of one number of dimensions; they broadcast.
        margin: by how much.
        reduction: "mean" or "sum" of all elements, or "none".
    Raises:
        ShapeError: numbers of dimensions differ.
    """
    how = legacy_reduction(reduction, size_average, reduce)
    if not input1._data.ndim == input2._data.ndim == target._data.ndim:
        raise ShapeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: "
            f"{input1.shape}, input2: {input2.shape}, target: {target.shape}"
        )
    return reduced((-target * (input1 - input2) + margin).clamp_min(0), how)


#: keeps the norm of a vector of zeros from dividing
_TINY = 1e-12


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """``1 - cos(input1, input2)`` where the target is 1, ``max(0, cos - margin)`` where it is -1.

    Args:
        input1, input2: ``(N, D)`` or ``(D,)``.
        target: 1 or -1, ``(N,)`` or 0-d.
        margin: between -1 and 1; 0 to 0.5 is usual.
        reduction: "mean" or "sum" over N, or "none".
    Raises:
        ShapeError: target's number of dimensions does not go with the inputs'.
    """
    how = legacy_reduction(reduction, size_average, reduce)
    rank = target._data.ndim
    if rank > 1:
        raise ShapeError(
            f"0D or 1D target tensor expected, multi-target not supported, but got {list(target.shape)}"
        )
    if input1._data.ndim != rank + 1 or input2._data.ndim != rank + 1:
        raise ShapeError(
            f"{rank}D target tensor expects {rank + 1}D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    squares = [(x * x).sum(-1) + _TINY for x in (input1, input2)]
    cos = (input1 * input2).sum(-1) / (squares[0] * squares[1]).sqrt()
    each = where(target == 1, 1 - cos, 0.0) + where(target == -1, (cos - margin).clamp_min(0), 0.0)
    return reduced(each, how)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """``max(0, margin + d(anchor, positive) - d(anchor, negative))`` for the distance d of norm p.

    Args:
        anchor, positive, negative: ``(N, D)`` or ``(D,)``.
        margin: positive.
        p: of the norm.
        eps: added to each difference.
        swap: the negative's distance is that to anchor or positive, whichever is nearer (Balntas et al.
            2016).
        reduction: "mean" or "sum" over N, or "none".
    Raises:
        ValueError: margin is not positive.
    """
    how = legacy_reduction(reduction, size_average, reduce)

    def distance(a: Tensor, b: Tensor) -> Tensor:
        return pairwise_distance(a, b, p, eps)

    return _triplet(anchor, positive, negative, distance, margin, swap, how)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Distance | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """``triplet_margin_loss`` for any distance of two tensors (``pairwise_distance`` if None)."""
    check_reduction(reduction)
    return _triplet(
        anchor, positive, negative, distance_function or pairwise_distance, margin, swap, reduction
    )


def _triplet(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    distance: Distance,
    margin: float,
    swap: bool,
    how: str,
) -> Tensor:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    ranks = [x._data.ndim for x in (anchor, positive, negative)]
    if len(set(ranks)) > 1:
        raise ShapeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, "
            f"but got: anchor {ranks[0]}D, positive {ranks[1]}D, and negative {ranks[2]}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduced((margin + near - far).clamp_min(0), how)


def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """``log(1 + exp(-target input))``.

    Args:
        input: float of any shape.
        target: 1 or -1; broadcasts.
        reduction: "mean" or "sum" of all elements, or "none".
    Raises:
        ConvgradError: target requires a gradient.
    """
    how = legacy_reduction(reduction, size_average, reduce)
    for name, x in (("input", input), ("target", target)):
        check_tensor("soft_margin_loss", x, name)
    if target.requires_grad:
        raise ConvgradError(
            "The function 'soft_margin_loss' is not differentiable with respect to argument 'target'. This "
            "input cannot have requires_grad True."
        )
    try:
        shape = np.broadcast_shapes(input._data.shape, target._data.shape)
    except ValueError:
        raise broadcast_error(input._data.shape, target._data.shape) from None
    signs = target.float() if input._data.dtype.itemsize < 4 else target.to(input.dtype)
    wide = input if input._data.shape == shape else input.expand(*shape)
    return apply(ops.SoftMarginLoss, (wide,), (signs._data, how))


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over classes of ``-(target log s + (1 - target) log(1 - s))`` for ``s = sigmoid(input)``.

    Args:
        input, target: ``(N, C)`` or ``(C,)``; target 0 or 1.
        weight: ``(C,)``, a factor for each class.
        reduction: "mean" or "sum" over N, or "none".
    """
    how = legacy_reduction(reduction, size_average, reduce)
    each = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        each = each * weight
    if not input._data.ndim:
        raise IndexError(
            "Dimension specified as -1 but tensor has no dimensions (multilabel_soft_margin_loss)"
        )
    return reduced(each.sum(-1) / input._data.shape[-1], how)


def _rows(name: str, input: Tensor) -> tuple[int, int]:
    """(N, C) of a matrix; a vector is one row, a number one row of one class."""
    shape = input._data.shape
    if len(shape) > 2 or (shape and not shape[-1]):
        raise ShapeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(shape)} "
            f"({name})"
        )
    if input._data.dtype.kind in "biuc" or input._data.dtype.itemsize < 4:
        raise NotImplementedError(f'"{name}_cpu_kernel" not implemented for {scalar_name(input.dtype)!r}')
    n, c = shape if len(shape) == 2 else (1, shape[0] if shape else 1)
    return n, c


def _long(name: str, target: Tensor) -> Array:
    if target._data.dtype != np.int64:
        raise DtypeError(
            f"{name}: expected scalar type Long but found {scalar_name(target.dtype)}; use target.long()"
        )
    return target._data


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over the other classes i of ``max(0, margin - input[target] + input[i])^p``.

    Args:
        input: float32 or float64, scores ``(N, C)`` or ``(C,)``.
        target: int64 classes ``(N,)``, or one.
        p: 1 or 2.
        margin: by how much the target's score shall be the largest.
        weight: ``(C,)``, a factor for each target class.
        reduction: "mean" or "sum" over N, or "none".
    Raises:
        ValueError: another p.
        ShapeError: target or weight do not fit.
    """
    if (node := batch_of(target, weight)) is not None:  # the plan is made of values: sample by sample
        options = (p, margin, weight, size_average, reduce, reduction)
        out: Tensor = node.each("multi_margin_loss", multi_margin_loss, (input, target, *options))
        return out
    how = legacy_reduction(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError(f"only p == 1 and p == 2 supported, but got p={p}")
    if weight is not None and weight._data.ndim != 1:
        raise ValueError(f"weight must be one-dimensional, but got {list(weight.shape)}")
    n, c = _rows("multi_margin_loss", input)
    labels = _long("multi_margin_loss", target)
    if labels.size != n or labels.ndim > 1:
        raise ShapeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples "
            f"(batch size). Expected target size [{n}], but got {list(labels.shape)}. Input has shape "
            f"{list(input.shape)}."
        )
    if weight is not None and weight._data.size != c:
        raise ShapeError(f"inconsistent weight size, expected {c} but got {list(weight.shape)}")
    column = labels.reshape(n, 1)
    if column.size and not (column.min() >= 0 and column.max() < c):
        raise ConvgradError(f"target out of range: multi_margin_loss of {c} classes got {labels.tolist()}")
    coeff = (np.arange(c) != column[:, :, None]) / np.float64(c)
    if weight is not None:
        coeff = coeff * weight._data[column][:, :, None]
    single = how == "none" and not labels.ndim
    return _margins(ops.MultiMarginLoss, input, column, coeff, float(margin), p, how, single)


def _margins(
    op: Any, input: Tensor, target: Array, coeff: Array, margin: float, p: int, how: str, single: bool
) -> Tensor:
    rows = input if input._data.ndim == 2 else input.reshape(len(target), -1)
    coeff = coeff.astype(input._data.dtype)
    out = apply(op, (rows,), (target, coeff, margin, p, how))
    return out.reshape(()) if single else out


def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """The sum over target classes j and other classes i of ``max(0, 1 - input[j] + input[i])``, over C.

    Args:
        input: float32 or float64, scores ``(N, C)`` or ``(C,)``.
        target: int64 of the same shape: the classes of each row, ended by -1.
        reduction: "mean" or "sum" over N, or "none".
    Raises:
        ShapeError: target has another shape.
        ConvgradError: a class outside ``-1 .. C - 1``.
    """
    if (node := batch_of(target)) is not None:  # as above
        given = (input, target, size_average, reduce, reduction)
        out: Tensor = node.each("multilabel_margin_loss", multilabel_margin_loss, given)
        return out
    how = legacy_reduction(reduction, size_average, reduce)
    n, c = _rows("multilabel_margin_loss", input)
    labels = _long("multilabel_margin_loss", target)
    if labels.shape != input._data.shape:
        raise ShapeError(
            f"inconsistent target size: {list(labels.shape)} for input of size: {list(input.shape)} "
            "(multilabel_margin_loss)"
        )
    labels = labels.reshape(n, c)
    if labels.size and (labels.min() < -1 or labels.max() >= c):
        raise ConvgradError(
            f"argument #2 'target' is out of range: multilabel_margin_loss of {c} classes takes -1 to {c - 1}"
        )
    used = np.logical_and.accumulate(labels >= 0, 1)
    safe = np.where(used, labels, 0)
    own = np.zeros((n, c), np.int64)
    np.add.at(own, (np.arange(n)[:, None], safe), used)
    coeff = (used[:, :, None] & (own == 0)[:, None, :]) / np.float64(c)
    single = how == "none" and input._data.ndim < 2
    return _margins(ops.MultilabelMarginLoss, input, safe, coeff, 1.0, 1, how, single)


__all__ = [
    "cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "soft_margin_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]  # fmt: skip
