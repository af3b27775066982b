"""Losses: one number (or one per element) that says how far a prediction is from its target."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ...dtypes import F32, HALVES, Array, promote_types
from ...errors import ConvgradError, DtypeError, ShapeError
from ...ops import loss as ops
from ...size import Size
from ...tensor.checks import scalar_name
from ...tensor.dual import batch_of
from ...tensor.methods.operands import check_tensor
from ...tensor.tensor import Tensor, apply
from .activation import log_softmax

Weight = Tensor | None


def _reduction(reduction: Any, size_average: Any = None, reduce: Any = None) -> str:
    if size_average is not None or reduce is not None:
        kept = True if reduce is None else reduce
        reduction = ("sum" if size_average is False else "mean") if kept else "none"
        warnings.warn(
            f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.",
            stacklevel=4,
        )
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def _check_tensors(name: str, input: Any, target: Any) -> None:
    check_tensor(name, input, "input")
    check_tensor(name, target, "target")


def _pairwise(name: str, op: Any, input: Tensor, target: Tensor, reduction: str, width: float) -> Tensor:
    _check_tensors(name, input, target)
    if input._data.shape != target._data.shape:
        shape = _broadcast(name, input, target)
        input, target = input.expand(*shape), target.expand(*shape)
    if target._data.dtype != input._data.dtype:
        wide = promote_types(input.dtype, target.dtype)
        input, target = input.to(wide), target.to(wide)
    return apply(op, (input, target), (reduction, width))


def _broadcast(name: str, input: Tensor, target: Tensor) -> tuple[int, ...]:
    """The shape that two different shapes broadcast to, with a warning: it is hardly ever meant."""
    a, b = input._data.shape, target._data.shape
    try:
        shape = np.broadcast_shapes(a, b)
    except ValueError:
        raise ShapeError(
            f"{name}: The size of tensor a {list(a)} (input) must match the size of tensor b {list(b)} "
            "(target); "
            "they do not even broadcast"
        ) from None
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
    how = _reduction(reduction, size_average, reduce)
    if weight is None:
        return _pairwise("mse_loss", ops.MseLoss, input, target, how, 1.0)
    each = _pairwise("mse_loss", ops.MseLoss, input, target, "none", 1.0) * weight
    return each if how == "none" else each.sum() if how == "sum" else each.sum() / weight.sum()


def l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """The absolute difference ``|input - target|``; arguments as ``mse_loss``."""
    return _pairwise("l1_loss", ops.L1Loss, input, target, _reduction(reduction, size_average, reduce), 1.0)


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
    how = _reduction(reduction, size_average, reduce)
    op = ops.L1Loss if beta == 0 else ops.SmoothL1Loss
    return _pairwise("smooth_l1_loss", op, input, target, how, float(beta))


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Weight = None
) -> Tensor:
    """``d² / 2`` up to ``delta``, then ``delta (|d| - delta / 2)``, for ``d = input - target``."""
    if delta <= 0:
        raise RuntimeError(f"huber_loss does not support non-positive values for delta. (got {delta})")
    return _pairwise("huber_loss", ops.HuberLoss, input, target, _reduction(reduction), float(delta))


def _classes(
    name: str, input: Tensor, target: Tensor, weight: Weight, ignore_index: int
) -> tuple[Array, Array]:
    """Targets ``(N, L)``, 0 where ignored, and the weight of each."""
    x, t = input._data, target._data
    if x.ndim == 0:
        raise ShapeError(f"{name}: input needs a dimension of classes, but got a 0-d tensor")
    channel = 0 if x.ndim == 1 else 1
    wanted = x.shape[:channel] + x.shape[channel + 1 :]
    if t.shape != wanted:
        if x.ndim > 1 and t.ndim and t.shape[0] != x.shape[0]:
            raise ValueError(
                f"Expected input batch_size ({x.shape[0]}) to match target batch_size ({t.shape[0]}): "
                f"{name} got "
                f"input {list(x.shape)} and target {list(t.shape)}"
            )
        raise ShapeError(
            f"{name}: Expected target size {list(wanted)}, got {list(t.shape)} for input {list(x.shape)}: "
            "target "
            "holds one class per prediction (0D or 1D target tensor expected for 1D or 2D input, "
            "multi-target not "
            "supported)"
        )
    if t.dtype.kind not in "iu" or t.dtype.itemsize not in (1, 8):
        raise DtypeError(f"{name}: expected scalar type Long but found {target.dtype}; use target.long()")
    count = x.shape[channel]
    flat = t.reshape(1, -1) if x.ndim == 1 else t.reshape(x.shape[0], math.prod(x.shape[2:]))
    flat = flat.astype(np.int64, copy=False)
    used = flat != ignore_index
    kind = F32 if x.dtype in HALVES else x.dtype
    if flat.size:
        bad = used & ((flat < 0) | (flat >= count))
        if bad.any():
            raise IndexError(
                f"Target {int(flat[bad][0])} is out of bounds. ({name}: {count} classes, 0 <= target < "
                f"{count})"
            )
    if not used.all():
        flat = np.where(used, flat, 0)
    if weight is None:
        return flat, used.astype(kind)
    if weight._data.shape != (count,):
        raise ShapeError(
            f"weight tensor should be defined either for all {count} classes or no classes but got weight "
            "tensor of "
            f"shape: {list(weight._data.shape)}"
        )
    return flat, weight._data[flat].astype(kind, copy=False) * used


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Weight = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-probability of the target class.

    Args:
        input: log-probabilities ``(N, C)``, ``(C,)`` or ``(N, C, d1, ...)``.
        target: classes, int64, input's shape without C.
        weight: ``(C,)``, a factor for each class.
        ignore_index: a target that does not count.
        reduction: "mean" divides by the sum of weights; "sum", "none".
    Raises:
        IndexError: a class outside ``0 .. C - 1``.
        ValueError: batch sizes differ.
    """
    how = _reduction(reduction, size_average, reduce)
    _check_tensors("nll_loss", input, target)
    if batch_of(input, target, weight) is not None:
        return _nll_by_gather(input, target, weight, ignore_index, how)
    flat, coeff = _classes("nll_loss", input, target, weight, ignore_index)
    if how == "mean":
        total = np.add.reduce(coeff, None)
        with np.errstate(invalid="ignore", divide="ignore"):
            coeff = coeff / -total
    else:
        coeff = -coeff
    x = input
    if x._data.ndim == 1:
        x = x.reshape(1, -1, 1)
    elif x._data.ndim == 2:
        flat, coeff = flat[:, 0], coeff[:, 0]
    elif x._data.ndim != 3:
        shape = x._data.shape
        x = x.reshape(shape[0], shape[1], math.prod(shape[2:]))
    op = ops.NllLoss if input._data.ndim <= 2 else ops.NllLoss2D
    if how == "mean" and not np.isfinite(coeff).all():  # nothing counts: nan, as in PyTorch
        return apply(op, (x,), (flat, np.zeros_like(coeff), True)) * math.nan
    out = apply(op, (x,), (flat, coeff, how != "none"))
    return out if how != "none" or out._data.shape == target._data.shape else out.reshape(target.shape)


def _nll_by_gather(input: Tensor, target: Tensor, weight: Weight, ignore_index: int, how: str) -> Tensor:
    """The same for targets that differ between the samples of a ``vmap``."""
    axis = 0 if input._data.ndim == 1 else 1
    used = target != ignore_index
    safe = target * used
    picked = -input.gather(axis, safe.unsqueeze(axis)).squeeze(axis)
    factor = used.to(input.dtype) if weight is None else weight[safe] * used
    out = picked * factor
    return out if how == "none" else out.sum() if how == "sum" else out.sum() / factor.sum()


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Weight = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross entropy between scores and classes, or probabilities of classes.

    Args:
        input: scores (logits) ``(N, C)``, ``(C,)`` or ``(N, C, d1, ...)``.
        target: classes as for ``nll_loss``, or probabilities of input's shape.
        weight: ``(C,)``, a factor for each class.
        ignore_index: a target class that does not count.
        reduction: as for ``nll_loss``; with probabilities "mean" divides by the number of predictions.
        label_smoothing: this share of the target is spread evenly over all classes.
    """
    how = _reduction(reduction, size_average, reduce)
    _check_tensors("cross_entropy", input, target)
    if not 0.0 <= label_smoothing <= 1.0:
        raise ConvgradError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    axis = 0 if input._data.ndim == 1 else 1
    by_class = target._data.dtype.kind in "iu"
    if target._data.shape == input._data.shape and target._data.dtype.kind in "biu" and input._data.ndim:
        raise DtypeError(
            "cross_entropy: Expected floating point type for target with class probabilities, got "
            f"{scalar_name(target.dtype)} of input's shape {list(target.shape)}: use target.float() for "
            f"probabilities, target.argmax({axis}) for the classes of one-hot rows"
        )
    if not by_class and target._data.shape != input._data.shape:
        raise ShapeError(
            f"cross_entropy: expected a target of classes (int64, input's shape without dimension {axis}) "
            "or of "
            f"probabilities (input's shape {list(input.shape)}), but got {target.dtype} of "
            f"{list(target.shape)} (expected scalar type Long but found "
            f"{scalar_name(target.dtype)}); classes are given as target.long()"
        )
    if by_class and not label_smoothing:
        if input._data.ndim > 1:
            _classes("cross_entropy", input, target, weight, ignore_index)
        return nll_loss(log_softmax(input, axis), target, weight, ignore_index=ignore_index, reduction=how)
    logp = log_softmax(input, axis)
    count = input._data.shape[axis]
    factors = None
    if weight is not None:
        factors = weight.reshape(*[count if i == axis else 1 for i in range(input._data.ndim)])
    if not by_class:
        goal = target * (1 - label_smoothing) + label_smoothing / count if label_smoothing else target
        terms = logp * goal if factors is None else logp * goal * factors
        return _smoothed(-terms.sum(axis), how, max(1, math.prod(logp._data.shape) // max(1, count)))
    nll = nll_loss(logp, target, weight, ignore_index=ignore_index, reduction=how)
    _, coeff = _classes("cross_entropy", input, target, weight, ignore_index)
    used = Tensor((target._data != ignore_index).astype(input._data.dtype), None)
    spread = -(logp if factors is None else logp * factors).sum(axis) * used
    smooth = _smoothed(spread, how, float(np.add.reduce(coeff, None)))
    return nll * (1 - label_smoothing) + smooth * (label_smoothing / count)


def _smoothed(each: Tensor, how: str, total: float) -> Tensor:
    return each if how == "none" else each.sum() if how == "sum" else each.sum() / total


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
    how = _reduction(reduction, size_average, reduce)
    _check_tensors("binary_cross_entropy", input, target)
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
    factor = None if weight is None else np.broadcast_to(weight._data, input._data.shape)
    return apply(ops.BinaryCrossEntropy, (input, target), (factor, how))


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
    how = _reduction(reduction, size_average, reduce)
    _check_tensors("binary_cross_entropy_with_logits", input, target)
    if input._data.shape != target._data.shape:
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size ({input.shape})"
            f"{_fix(input._data.shape, target._data.shape)}"
        )
    if target._data.dtype.kind in "iu":
        raise DtypeError(
            f"result type Float can't be cast to the desired output type {scalar_name(target.dtype)}: "
            "binary_cross_entropy_with_logits needs a floating point target, e.g. target.float()"
        )
    arrays = [None if w is None else w._data for w in (weight, pos_weight)]
    return apply(ops.BinaryCrossEntropyWithLogits, (input, target), (*arrays, how))


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """``target (log target - input)``: the Kullback-Leibler divergence from log-probabilities.

    Args:
        input: log-probabilities.
        target: probabilities, or their logarithms with ``log_target``.
        reduction: "batchmean" is the divergence per example; "mean", "sum", "none".
    Raises:
        DtypeError: integers.
    """
    _check_tensors("kl_div", input, target)
    for value in (input, target):
        if value._data.dtype.kind in "biu":
            raise DtypeError(
                f"kl_div: Integral inputs not supported. (got {value.dtype}; convert it with .float())"
            )
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
            stacklevel=2,
        )
    if log_target:
        each = target.exp() * (target - input)
    else:
        positive = target._data > 0
        logs = np.log(np.where(positive, target._data, 1))
        if target._node is None:
            each = Tensor(target._data * logs, None) - target * input
        else:
            each = target * target.log() - target * input
    if reduction == "none":
        return each
    total = each.sum()
    if reduction == "sum":
        return total
    count = input._data.shape[0] if reduction == "batchmean" else input._data.size
    return total / max(1, count)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """``(log var + (input - target)² / var) / 2``, minus the log-likelihood of a normal distribution."""
    safe = var.clamp(min=eps)
    d = input - target
    out = (safe.log() + d * d / safe) * 0.5
    if full:
        out = out + 0.5 * math.log(2 * math.pi)
    return out.mean() if reduction == "mean" else out.sum() if reduction == "sum" else out
