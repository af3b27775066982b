"""Losses that are minus the logarithm of a probability: of classes, counts, distributions, alignments."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ...dtypes import F32, F64, HALVES, Array
from ...errors import ConvgradError, DtypeError, ShapeError
from ...graph.grad_mode import MODE, RECORD
from ...graph.node import Node
from ...kernels import table
from ...ops import loss as ops
from ...ops.activation import LogSoftmax
from ...ops.ctc import CtcLoss, read_labels
from ...tensor.checks import scalar_name
from ...tensor.dual import batch_of
from ...tensor.functions_elementwise import where
from ...tensor.functions_linear import tensordot
from ...tensor.tensor import Tensor, apply
from .activation import log_softmax
from .linear import linear
from .reduction import Weight, check_constant, check_pair, check_reduction, legacy_reduction, reduced

_INT64 = np.dtype(np.int64)
_REDUCTIONS = ("mean", "sum", "none")


def _classes(
    name: str, input: Tensor, target: Tensor, weight: Weight, ignore_index: int
) -> tuple[Array, Array]:
    """Targets ``(N, L)``, 0 where ignored, and the weight of each."""
    _check_classes(name, input, target)
    x, t = input._data, target._data
    count = x.shape[0 if x.ndim == 1 else 1]
    flat = t.reshape(1, -1) if x.ndim == 1 else t.reshape(x.shape[0], math.prod(x.shape[2:]))
    flat = flat.astype(np.int64, copy=False)
    kind = F32 if x.dtype in HALVES else x.dtype
    if (
        weight is None
        and flat.size
        and flat.min() >= 0
        and flat.max() < count
        and not 0 <= ignore_index < count
    ):
        return flat, np.ones(flat.shape, kind)  # the usual case: all are classes, and all count
    used = flat != ignore_index
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
            f"tensor of shape: {list(weight._data.shape)}"
        )
    check_constant("nll_loss_forward", "weight", weight)
    if weight._data.dtype != x.dtype:
        raise DtypeError(
            f"{name}: expected scalar type {scalar_name(input.dtype)} but found {scalar_name(weight.dtype)}: "
            "weight has input's dtype"
        )
    return flat, weight._data[flat].astype(kind, copy=False) * used


def _check_classes(name: str, input: Tensor, target: Tensor) -> None:
    x, t = input._data.shape, target._data.shape
    if not x:
        raise ShapeError(f"{name}: input needs a dimension of classes, but got a 0-d tensor")
    if input._data.dtype.kind in "biuc":
        raise NotImplementedError(f'"{name}_out_frame" not implemented for {scalar_name(input.dtype)!r}')
    wanted = () if len(x) == 1 else (x[0], *x[2:])
    if t != wanted and not (len(x) == 1 and t == (1,)):
        if len(x) == len(t) == 1:
            raise ValueError(
                f"For 1D input, 1D target must have size 1, but got target size: {t[0]} ({name})"
            )
        if len(x) > 1 and t and t[0] != x[0]:
            raise ValueError(
                f"Expected input batch_size ({x[0]}) to match target batch_size ({t[0]}): {name} got input "
                f"{list(x)} and target {list(t)}"
            )
        raise ShapeError(
            f"{name}: Expected target size {list(wanted)}, got {list(t)} for input {list(x)}: target holds "
            "one "
            "class per prediction (0D or 1D target tensor expected for 1D or 2D input, multi-target not "
            "supported)"
        )
    if target._data.dtype not in (np.int64, np.uint8):
        raise DtypeError(
            f"{name}: expected target dtype to be Long or Byte, but got {scalar_name(target.dtype)} "
            "(expected "
            f"scalar type Long but found {target.dtype}); use target.long()"
        )


def _by_class(
    input: Tensor, target: Tensor, weight: Weight, ignored: int, how: str, scores: bool
) -> Tensor | None:
    """The usual case in few steps: floats and a class for each position. None for all else, and errors.

    ``scores``: log-softmax comes first, as the node of its own that it would be.
    """
    mode = MODE.get()
    if mode & ~RECORD or not isinstance(input, Tensor) or not isinstance(target, Tensor):
        return None
    x, classes = input._data, target._data
    dtype, shape = x.dtype, x.shape
    if (dtype is not F32 and dtype is not F64) or classes.dtype is not _INT64 or len(shape) < 2:
        return None
    wanted = shape[:1] if len(shape) == 2 else (shape[0], *shape[2:])
    if classes.shape != wanted or not x.size or how not in _REDUCTIONS or type(ignored) is not int:
        return None
    weights = None
    if weight is not None:
        weights = weight._data
        if weight._node is not None or weights.dtype is not dtype or weights.shape != shape[1:2]:
            return None
    if scores:
        x = table.log_softmax(x, 1)
    found = table.likelihood_loss(x, classes, ignored, how, weights)
    if found is None:
        return None
    out, places, factors = found
    node = input._node
    if node is None or not mode:
        return Tensor(out, None)
    if scores:
        node = Node(LogSoftmax, (node,), (x, 1), None, shape, dtype)
    saved = (places, factors, how != "none", shape)
    op = ops.NllLoss if len(shape) == 2 else ops.NllLoss2D
    return Tensor(out, Node(op, (node,), saved, None, out.shape, dtype))


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
    if size_average is None and reduce is None:
        out = _by_class(input, target, weight, ignore_index, reduction, False)
        if out is not None:
            return out
    how = legacy_reduction(reduction, size_average, reduce)
    check_pair("nll_loss", input, target)
    if batch_of(input, target, weight) is not None:
        return _nll_by_gather(input, target, weight, ignore_index, how)
    return _nll(input, target, _classes("nll_loss", input, target, weight, ignore_index), how)


def _nll(input: Tensor, target: Tensor, classes: tuple[Array, Array], how: str) -> Tensor:
    """``nll_loss`` of targets that have been looked at."""
    flat, coeff = classes
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
    if how == "mean" and not total:  # nothing counts: nan, as in PyTorch
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


def _check_goal(input: Tensor, target: Tensor, axis: int, ignore_index: int) -> None:
    """The target of ``cross_entropy`` has classes, or probabilities, as its dtype and shape say."""
    if target._data.shape == input._data.shape and target._data.dtype.kind in "biu" and input._data.ndim:
        raise DtypeError(
            "cross_entropy: Expected floating point type for target with class probabilities, got "
            f"{scalar_name(target.dtype)} of input's shape {list(target.shape)}: use target.float() for "
            f"probabilities, target.argmax({axis}) for the classes of one-hot rows"
        )
    by_class = target._data.dtype.kind in "iu"
    if not by_class and target._data.shape != input._data.shape:
        raise ShapeError(
            f"cross_entropy: expected a target of classes (int64, input's shape without dimension {axis}) "
            f"or of probabilities (input's shape {list(input.shape)}), but got {target.dtype} of "
            f"{list(target.shape)} (expected scalar type Long but found "
            f"{scalar_name(target.dtype)}); classes are given as target.long()"
        )
    if not by_class and ignore_index >= 0:
        raise ConvgradError("ignore_index is not supported for floating point target (cross_entropy)")


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
    if size_average is None and reduce is None and label_smoothing == 0.0:
        out = _by_class(input, target, weight, ignore_index, reduction, True)
        if out is not None:
            return out
    how = legacy_reduction(reduction, size_average, reduce)
    check_pair("cross_entropy", input, target)
    if not 0.0 <= label_smoothing <= 1.0:
        raise ConvgradError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    axis = 0 if input._data.ndim == 1 else 1
    by_class = target._data.dtype.kind in "iu"
    count = input._data.shape[axis] if input._data.ndim else 1
    _check_goal(input, target, axis, ignore_index)
    if by_class:
        classes = _classes("cross_entropy", input, target, weight, ignore_index)
    logp = log_softmax(input, axis)
    if by_class and not label_smoothing:
        if batch_of(input, target, weight) is not None:
            return _nll_by_gather(logp, target, weight, ignore_index, how)
        return _nll(logp, target, classes, how)
    factors = None
    if weight is not None:
        factors = weight.reshape(*[count if i == axis else 1 for i in range(input._data.ndim)])
    if not by_class:
        goal = target * (1 - label_smoothing) + label_smoothing / count if label_smoothing else target
        terms = logp * goal if factors is None else logp * goal * factors
        if how == "none":
            return -terms.sum(axis)
        total = -terms.sum()
        return total if how == "sum" else total / (logp._data.size / max(1, count))
    nll = nll_loss(logp, target, weight, ignore_index=ignore_index, reduction=how)
    smooth = -(logp if factors is None else logp * factors).sum(axis)
    used = target._data != ignore_index
    if not used.all():
        smooth = smooth * Tensor(used.astype(input._data.dtype), None).reshape(smooth._data.shape)
    if how == "mean":
        smooth = smooth.sum() / float(np.add.reduce(classes[1], None))
    elif how == "sum":
        smooth = smooth.sum()
    return nll * (1 - label_smoothing) + smooth * (label_smoothing / count)


def linear_cross_entropy(
    input: Tensor, linear_weight: Tensor, target: Tensor, *, linear_bias: Weight = None,
    weight: Weight = None, reduction: str = "mean", ignore_index: int | None = None,
    label_smoothing: float = 0.0, options: Any = None,
) -> Tensor:  # fmt: skip
    """``cross_entropy`` of the scores that a linear layer gives.

    Args:
        input: features ``(N, D)`` or ``(D,)``.
        linear_weight, linear_bias: ``(C, D)`` and ``(C,)`` or None; or ``(C, d1, ..., D)``, a target for each
            position d1, ....
        target, weight, reduction, ignore_index, label_smoothing: as for ``cross_entropy``.
        options: accepted; how PyTorch divides the work.
    Raises:
        ShapeError: input has another number of dimensions.
    """
    if input._data.ndim not in (1, 2):
        raise ShapeError(
            f"linear_cross_entropy: expected input with dimensionality 1 or 2, got {input._data.ndim}"
        )
    if linear_weight._data.ndim > 2 and input._data.ndim == 1:
        raise ShapeError(
            f"K-dimensional loss defined by linear_weight shape {list(linear_weight._data.shape)} requires "
            f"batched input, (N, {linear_weight._data.shape[-1]}), got unbatched input of shape "
            f"{list(input._data.shape)}"
        )
    if linear_weight._data.ndim > 2:
        scores = tensordot(input, linear_weight, ([-1], [-1]))
        scores = scores if linear_bias is None else scores + linear_bias
    else:
        scores = linear(input, linear_weight, linear_bias)
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(
        scores, target, weight, ignore_index=ignored, reduction=reduction, label_smoothing=label_smoothing
    )


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
    check_pair("kl_div", input, target)
    for value in (input, target):
        if value._data.dtype.kind in "biu":
            raise DtypeError(
                f"kl_div: Integral inputs not supported. (got {value.dtype}; convert it with .float())"
            )
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
            stacklevel=2,
        )
    return kl_divergence(input, target, reduction, log_target)


def kl_divergence(input: Tensor, target: Tensor, reduction: str, log_target: bool) -> Tensor:
    """``kl_div`` without its warning."""
    each = target.exp() * (target - input) if log_target else target.xlogy(target) - target * input
    if reduction != "batchmean":
        return reduced(each, check_reduction(reduction))
    return each.sum() / input._data.shape[0] if input._data.ndim else each.sum()


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """``(log var + (input - target)² / var) / 2``, minus the log-likelihood of a normal distribution.

    Args:
        input, target: means and observations, of shapes that broadcast.
        var: variances: a number, or input's shape, or that with one dimension missing or of size 1.
        full: with the constant ``log(2 pi) / 2``.
        eps: smaller variances count as eps (their gradient is as if they did not).
        reduction: "mean" or "sum" of all elements, or "none".
    Raises:
        ValueError: var is negative, or its shape does not fit.
    Example:
        >>> x = Tensor(np.array([1.0, 3.0]), None)
        >>> gaussian_nll_loss(x, x + 2, 1.0).item()
        2.0
    """
    shape = input._data.shape
    if not isinstance(var, Tensor):
        if var < 0:
            raise ValueError(f"var has negative entry/entries, but got {var} (gaussian_nll_loss)")
        var = Tensor(np.full(shape, var, input._data.dtype), None)
    elif var._data.shape != shape:
        own = var._data.shape
        if own == shape[:-1]:
            var = var.unsqueeze(-1)
        elif len(own) != len(shape) or [a for a, b in zip(own, shape, strict=True) if a != b] != [1]:
            raise ValueError(
                f"var is of incorrect size: {list(own)} for input {list(shape)} (gaussian_nll_loss)"
            )
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid: reduction is 'none', 'mean' or 'sum'")
    if (var._data < 0).any():
        raise ValueError("var has negative entry/entries (gaussian_nll_loss)")
    constant = var.detach()
    lift = constant.clamp(min=eps) - constant
    raised = batch_of(lift) is not None or (lift._data != 0).any()
    safe = var + lift if raised else var
    each = 0.5 * (safe.log() + (input - target) ** 2 / safe)
    return reduced(each + 0.5 * math.log(2 * math.pi) if full else each, reduction)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: Any = None,
    eps: float = 1e-8,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-likelihood of counts that are Poisson distributed, without ``log(target!)``.

    Args:
        input: the logarithm of the rate, or with ``log_input=False`` the rate itself.
        target: counts, of a shape that broadcasts.
        full: with Stirling's approximation of ``log(target!)`` for targets above 1.
        eps: added to the rate before its logarithm is taken.
        reduction: "mean" or "sum" of all elements, or "none".
    Example:
        >>> poisson_nll_loss(Tensor(np.array([0.0]), None), Tensor(np.array([3.0]), None)).item()
        1.0
    """
    how = legacy_reduction(reduction, size_average, reduce)
    check_pair("poisson_nll_loss", input, target)
    each = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        few = ~(target.detach() > 1)
        t = target.masked_fill(few, 1)
        stirling = t * t.log() - t + 0.5 * (2 * math.pi * t).log()
        each = each + stirling.masked_fill(few, 0)
    return reduced(each, how)


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Minus the log-probability of a labelling, over all its alignments with the steps of a sequence.

    Args:
        log_probs: float32 or float64 ``(T, N, C)`` or ``(T, C)``, from ``log_softmax``.
        targets: classes, ``(N, S)`` padded, or one after another ``(sum(target_lengths),)``; or ``(S,)``.
        input_lengths: ``(N,)`` or one number, at most T; a tensor or a sequence of ints.
        target_lengths: the same, at most S.
        blank: the class of no label.
        reduction: "mean" (each loss over its number of labels, then over N), "sum" or "none".
        zero_infinity: labellings that are too long for their input have loss and gradient 0 instead of
            infinity.
    Returns:
        0-d, or ``(N,)`` (0-d without N) with "none".
    Raises:
        ConvgradError: lengths or labels that do not fit.
        NotImplementedError: half precision.
    Example:
        >>> even = Tensor(np.log(np.full((2, 1, 3), 1 / 3)), None)
        >>> loss = ctc_loss(even, Tensor(np.array([[1]]), None), [2], [1])
        >>> round(1 / loss.exp().item(), 3)  # 1-, -1 and 11, of 9 alignments
        0.333

    Source: Graves et al. 2006, ICML.
    """
    if (node := batch_of(targets, input_lengths, target_lengths)) is not None:  # plans are made of values
        given = (log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity)
        out: Tensor = node.each("ctc_loss", ctc_loss, given)
        return out
    check_pair("ctc_loss", log_probs, targets)
    batched = log_probs._data.ndim == 3
    lp = _log_probabilities(log_probs, blank)
    steps, n, classes = lp._data.shape
    check_reduction(reduction)
    of_input = _lengths("input_lengths", input_lengths, n)
    of_target = _lengths("target_lengths", target_lengths, n)
    if of_input.max() > steps:
        raise ConvgradError(
            f"Expected input_lengths to have value at most {steps}, but got value {of_input.max()} (while "
            "checking arguments for ctc_loss)"
        )
    labels = _labels(targets._data.astype(np.int64), of_target, n)
    used = labels[np.arange(labels.shape[1]) < of_target[:, None]]
    if used.size and (used.min() < 0 or used.max() >= classes):
        raise ConvgradError(
            f"ctc_loss: targets must be in label range, 0 to {classes - 1}, but got {used.min()} to "
            f"{used.max()}"
        )
    plan = read_labels(labels, of_target, of_input, blank, zero_infinity)
    out = apply(CtcLoss, (lp,), (plan,))
    if zero_infinity:
        out = where(out == math.inf, 0.0, out)
    if reduction == "mean":
        return (out / Tensor(np.maximum(of_target, 1).astype(lp._data.dtype), None)).mean()
    return out.sum() if reduction == "sum" else out if batched else out.squeeze(0)


def _log_probabilities(log_probs: Tensor, blank: int) -> Tensor:
    """``(T, N, C)``."""
    lp = log_probs
    if lp._data.ndim not in (2, 3):
        raise ShapeError(
            f"ctc_loss: Expected 3-dimensional tensor for log_probs (T, N, C), got {list(lp.shape)}"
        )
    if lp._data.ndim == 2:
        lp = lp.unsqueeze(1)
    if not lp._data.size:
        raise ShapeError(f"log_probs tensor must not be empty, but got {list(lp.shape)} (ctc_loss)")
    if lp._data.dtype not in (np.float32, np.float64):
        raise NotImplementedError(f'"ctc_loss_cpu" not implemented for {scalar_name(lp.dtype)!r}')
    classes = lp._data.shape[2]
    if not 0 <= blank < classes:
        raise ConvgradError(f"blank must be in label range, 0 to {classes - 1}, but got {blank} (ctc_loss)")
    return lp


def _lengths(name: str, given: Any, n: int) -> Array:
    array = given._data if isinstance(given, Tensor) else np.array(given)
    if array.dtype.kind not in "iu":
        raise DtypeError(f"{name} must be integral, but got {array.dtype} (ctc_loss)")
    array = array.reshape(-1).astype(np.int64)
    if len(array) != n:
        raise ShapeError(f"{name} must be of size batch_size: {n}, but got {len(array)} (ctc_loss)")
    if array.min() < 0:
        raise ConvgradError(
            f"Expected {name} to have value at least 0, but got value {array.min()} (while checking "
            "arguments for ctc_loss)"
        )
    return array


def _labels(targets: Array, lengths: Array, n: int) -> Array:
    """Targets of either layout as ``(N, S)``."""
    longest = int(lengths.max())
    if targets.ndim == 1:
        if len(targets) != lengths.sum():
            raise ShapeError(
                f"Expected tensor to have size {lengths.sum()} at dimension 0, but got size {len(targets)} "
                "for argument #2 'targets' (while checking arguments for ctc_loss)"
            )
        out = np.zeros((n, longest), np.int64)
        out[np.arange(longest) < lengths[:, None]] = targets
        return out
    if targets.ndim != 2:
        raise ShapeError(
            f"Expected 1 to 2 dimensions, but got {targets.ndim}-dimensional tensor for argument #2 "
            "'targets' (while checking arguments for ctc_loss)"
        )
    if targets.shape[0] != n or targets.shape[1] < longest:
        raise ShapeError(
            f"Expected tensor to have size {n} at dimension 0 and size at least {longest} at dimension 1, "
            f"but got {list(targets.shape)} for argument #2 'targets' (while checking arguments for ctc_loss)"
        )
    return targets[:, :longest]


__all__ = [
    "cross_entropy", "ctc_loss", "gaussian_nll_loss", "kl_div", "linear_cross_entropy", "nll_loss",
    "poisson_nll_loss",
]  # fmt: skip
