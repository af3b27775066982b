"""Losses of pairs of numbers: a prediction and its target, a probability and its label."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ...dtypes import promote_types
from ...errors import ConvgradError, DtypeError, ShapeError
from ...ops import loss as ops
from ...size import Size
from ...tensor.checks import scalar_name
from ...tensor.methods.operands import broadcast_error
from ...tensor.tensor import Tensor, apply
from .reduction import Weight, check_constant, check_pair, legacy_reduction, reduced


def _pairwise(name: str, op: Any, input: Tensor, target: Tensor, reduction: str, width: float) -> Tensor:
    check_pair(name, input, target)
    if input._data.shape != target._data.shape:
        shape = _broadcast(name, input, target)
        input, target = input.expand(*shape), target.expand(*shape)
    if target._data.dtype != input._data.dtype:
        wide = promote_types(input.dtype, target.dtype)
        input, target = input.to(wide), target.to(wide)
    _check_floating(name, op, input, reduction)
    return apply(op, (input, target), (reduction, width))


def _check_floating(name: str, op: Any, input: Tensor, reduction: str) -> None:
    """Only the absolute difference is defined for integers, and it has no mean."""
    if input._data.dtype.kind not in "biu":
        return
    if op is not ops.L1Loss:
        raise NotImplementedError(
            f'"{name.removesuffix("_loss")}_cpu" not implemented for {scalar_name(input.dtype)!r}'
        )
    if input._data.dtype.kind == "b":
        raise ConvgradError(
            "Subtraction, the `-` operator, with two bool tensors is not supported (l1_loss)."
        )
    if reduction == "mean":
        raise DtypeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex "
            "dtype. "
            f"Got: {scalar_name(input.dtype)} (l1_loss)"
        )


def _broadcast(name: str, input: Tensor, target: Tensor) -> tuple[int, ...]:
    """The shape that two different shapes broadcast to, with a warning: it is hardly ever meant."""
    a, b = input._data.shape, target._data.shape
    try:
        shape = np.broadcast_shapes(a, b)
    except ValueError:
        raise ShapeError(f"{name} of input and target: {broadcast_error(a, b)}") from None
    fix = _fix(a, b)
    warnings.warn(
        f"Using a target size ({Size(b)}) that is different to the input size ({Size(a)}). This will "
        "likely lead to "
        f"incorrect results due to broadcasting: {name} compares every pair of elements in a tensor of shape "
        f"{list(shape)}. Please ensure they have the same size{fix}.",
        stacklevel=4,
    )
    return tuple(shape)


def _fix(a: tuple[int, ...], b: tuple[int, ...]) -> str:
    if a == (*b, 1):
        return ": use target.unsqueeze(-1), or input.squeeze(-1)"
    if b == (*a, 1):
        return ": use target.squeeze(-1), or input.unsqueeze(-1)"
    if math.prod(a) == math.prod(b):
        return ": use target.reshape(input.shape)"
    return ""


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Weight = None,
) -> Tensor:
    """The squared difference ``(input - target)²``.

    Args:
        input, target: float of one shape; other shapes are broadcast with a warning.
        reduction: "mean" or "sum" of all elements, or "none".
        weight: a factor for each element.
    """
    how = legacy_reduction(reduction, size_average, reduce)
    if weight is None:
        return _pairwise("mse_loss", ops.MseLoss, input, target, how, 1.0)
    each = _weighted(_pairwise("mse_loss", ops.MseLoss, input, target, "none", 1.0), input, weight)
    return each.sum() / weight.sum() if how == "mean" else reduced(each, how)


def _weighted(each: Tensor, input: Tensor, weight: Tensor) -> Tensor:
    if weight._data.shape != input._data.shape:
        raise ValueError(
            f"Weights and input must have the same size. got weight {list(weight.shape)} and input "
            f"{list(input.shape)}"
        )
    return each * weight


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Weight = None,
) -> Tensor:
    """The absolute difference ``|input - target|``; arguments as ``mse_loss``."""
    how = legacy_reduction(reduction, size_average, reduce)
    if any([isinstance(x, Tensor) and x._data.dtype.kind == "c" for x in (input, target)]):
        return reduced((input - target).abs(), how)
    if weight is None:
        return _pairwise("l1_loss", ops.L1Loss, input, target, how, 1.0)
    each = _weighted(_pairwise("l1_loss", ops.L1Loss, input, target, "none", 1.0), input, weight)
    return each.sum() / weight.sum() if how == "mean" else reduced(each, how)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Squared below ``beta``, absolute above, for ``d = input - target``. Source: arXiv:1504.08083."""
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta. (got {beta})")
    how = legacy_reduction(reduction, size_average, reduce)
    op = ops.L1Loss if beta == 0 else ops.SmoothL1Loss
    return _pairwise("smooth_l1_loss", op, input, target, how, float(beta))


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Weight = None
) -> Tensor:
    """``d² / 2`` up to ``delta``, then ``delta (|d| - delta / 2)``, for ``d = input - target``.

    ``weight``, of input's shape, multiplies each element; the mean is that of the products.
    """
    if delta <= 0:
        raise RuntimeError(f"huber_loss does not support non-positive values for delta. (got {delta})")
    how = legacy_reduction(reduction)
    if weight is None:
        return _pairwise("huber_loss", ops.HuberLoss, input, target, how, float(delta))
    each = _pairwise("huber_loss", ops.HuberLoss, input, target, "none", float(delta))
    return reduced(_weighted(each, input, weight), how)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Weight = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Cross entropy of probabilities ``input`` in [0, 1] with ``target`` of the same shape.

    Raises:
        ValueError: shapes differ.
        ConvgradError: an input outside [0, 1].
        DtypeError: target has another dtype than input.
    """
    how = legacy_reduction(reduction, size_average, reduce)
    check_pair("binary_cross_entropy", input, target)
    if input._data.shape != target._data.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is "
            f"deprecated. Please ensure they have the same size{_fix(input._data.shape, target._data.shape)}."
        )
    if input._data.dtype != target._data.dtype:
        raise DtypeError(
            f"Found dtype {scalar_name(target.dtype)} but expected {scalar_name(input.dtype)}: "
            "binary_cross_entropy needs a target of input's dtype, e.g. target.to(input.dtype)"
        )
    if input._data.size and not bool(((input._data >= 0) & (input._data <= 1)).all()):
        raise ConvgradError(
            "all elements of input should be between 0 and 1: binary_cross_entropy takes "
            "probabilities; for scores use binary_cross_entropy_with_logits"
        )
    if input._data.dtype.kind in "biu":
        raise NotImplementedError(f'"binary_cross_entropy" not implemented for {scalar_name(input.dtype)!r}')
    if target._data.size and not bool(((target._data >= 0) & (target._data <= 1)).all()):
        raise ConvgradError("all elements of target should be between 0 and 1 (binary_cross_entropy)")
    check_constant("binary_cross_entropy", "weight", weight)
    factor = None if weight is None else _spread(weight, input)
    return apply(ops.BinaryCrossEntropy, (input, target), (factor, how))


def _spread(weight: Tensor, input: Tensor) -> Any:
    try:
        return np.broadcast_to(weight._data, input._data.shape)
    except ValueError:
        raise ShapeError(
            f"Mismatching argument: weight had {list(weight.shape)}; but expected shape should be "
            f"broadcastable to {list(input.shape)}"
        ) from None


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Weight = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Weight = None,
) -> Tensor:
    """Cross entropy of ``sigmoid(input)`` with ``target``, without overflow.

    Args:
        input: scores of any shape.
        target: probabilities of the same shape.
        weight: a factor for each element, broadcast.
        pos_weight: a factor for the positive part, broadcast (usually one per class).
    Raises:
        ValueError: shapes differ.
        DtypeError: target holds integers.
    """
    how = legacy_reduction(reduction, size_average, reduce)
    check_pair("binary_cross_entropy_with_logits", input, target)
    if input._data.shape != target._data.shape:
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size ({input.shape})"
            f"{_fix(input._data.shape, target._data.shape)}"
        )
    if input._data.dtype.kind in "biu":
        raise NotImplementedError(f'"log_sigmoid_cpu" not implemented for {scalar_name(input.dtype)!r}')
    if target._data.dtype.kind in "iu":
        raise DtypeError(
            f"result type Float can't be cast to the desired output type {scalar_name(target.dtype)}: "
            "binary_cross_entropy_with_logits needs a floating point target, e.g. target.float()"
        )
    check_constant("binary_cross_entropy_with_logits", "weight", weight)
    check_constant("binary_cross_entropy_with_logits", "pos_weight", pos_weight)
    arrays = [None if w is None else _spread(w, input) for w in (weight, pos_weight)]
    if target._data.dtype != input._data.dtype:
        wide = promote_types(input.dtype, target.dtype)
        input, target = input.to(wide), target.to(wide)
    return apply(ops.BinaryCrossEntropyWithLogits, (input, target), (*arrays, how))
