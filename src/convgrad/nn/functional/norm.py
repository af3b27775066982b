"""Normalisation: by batch, layer, group or root mean square."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ... import dtypes
from ...errors import ConvgradError, ShapeError
from ...graph.grad_mode import MODE, RECORD
from ...graph.node import attach, cell_of
from ...kernels import table
from ...ops import norm as ops
from ...ops.op import Op
from ...tensor.checks import check_floating
from ...tensor.dual import batch_of
from ...tensor.functions_shape import pad
from ...tensor.tensor import Tensor, apply
from .pooling import avg_pool2d


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel over the batch and all positions.

    Args:
        input: ``(N, C, ...)``.
        running_mean, running_var: ``(C,)``; used if not training, else moved towards the batch's by
            ``momentum`` (the variance with N - 1 in the denominator).
        weight, bias: ``(C,)`` or None.
        training: use the batch's own statistics.
    Raises:
        ValueError: one value per channel only, while training.
        ShapeError: statistics or parameters of another length than C.
    """
    return normalise_batch(input, running_mean, running_var, weight, bias, training, momentum, eps)


#: operators for training and for evaluation
_BATCH = (ops.BatchNorm, ops.BatchNormEval)


def normalise_batch(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None,
    bias: Tensor | None, training: bool, momentum: float, eps: float,
    forms: tuple[type[Op], type[Op]] = _BATCH, more: tuple[Any, ...] = (),
) -> Any:  # fmt: skip
    """``batch_norm``; ``forms`` are what it records, ``more`` their inputs beside its own."""
    shape = input._data.shape
    if len(shape) < 2:
        raise ShapeError(f"batch_norm needs an input (N, C, ...), but got {list(shape)}")
    per_channel = math.prod(shape) // max(1, shape[1])
    if training and per_channel == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {input.shape}"
        )
    channels = shape[1:2]
    named = ("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)
    for name, value in named:
        if value is not None and value._data.shape != channels:
            raise ShapeError(
                f"batch_norm: {name} should contain {shape[1]} elements not {value._data.size} (input "
                f"{list(shape)} has {shape[1]} channels)"
            )
    check_floating("batch_norm", input)
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError("Expected running_mean and running_var to be defined when training=False")
        stats = (running_mean._data, running_var._data, eps)
        return _run(forms[1], (input, weight, bias, *more), stats)
    _check_batched("Batch norm", input, running_mean, running_var)
    out, *found = _run_several(forms[0], (input, weight, bias, *more), (eps,))
    factor = per_channel / max(1, per_channel - 1)
    if running_mean is not None and running_var is not None and type(found[0]) is ndarray:
        table.move_statistics(running_mean._data, running_var._data, *found, factor, momentum)
        for running in (running_mean, running_var):
            cell_of(running).bump("batch_norm")
        return out
    mean, var = [Tensor(v, None) if type(v) is ndarray else v for v in found]
    if running_mean is not None:
        _move(running_mean, mean, 1.0, momentum)
    if running_var is not None:
        _move(running_var, var, factor, momentum)
    return out


def _run(op: type[Op], inputs: tuple[Tensor | None, ...], params: tuple[Any, ...]) -> Any:
    """``apply``, in fewer steps where a float tensor is recorded."""
    data = inputs[0]._data  # type: ignore[union-attr]
    if MODE.get() & ~RECORD or (data.dtype is not dtypes.F32 and data.dtype is not dtypes.F64):
        return apply(op, inputs, params)
    out, saved = op.forward(*[None if x is None else x._data for x in inputs], *params)
    result = Tensor(out, None)
    _record(op, inputs, result, saved)
    return result


def _run_several(op: type[Op], inputs: tuple[Tensor | None, ...], params: tuple[Any, ...]) -> Any:
    """The same for several results; no gradient comes to those after the first, which may be arrays."""
    data = inputs[0]._data  # type: ignore[union-attr]
    if MODE.get() & ~RECORD or (data.dtype is not dtypes.F32 and data.dtype is not dtypes.F64):
        return apply(op, inputs, params)
    (out, *rest), saved = op.forward(*[None if x is None else x._data for x in inputs], *params)
    result = Tensor(out, None)
    _record(op, inputs, (result,), saved)
    return result, *rest


def _record(op: type[Op], inputs: tuple[Tensor | None, ...], result: Any, saved: Any) -> None:
    if MODE.get():
        for x in inputs:
            if x is not None and x._node is not None:
                attach(op, inputs, result, saved)
                return


def _check_batched(name: str, input: Tensor, *statistics: Tensor | None) -> None:
    """Under ``vmap`` every sample moves statistics of its own."""
    if batch_of(input) is not None:
        for value in statistics:
            if value is not None and batch_of(value) is None:
                raise ConvgradError(
                    f"{name} got a batched tensor as input while the running_mean or running_var, which will "
                    "be updated in place, were not batched.\nIf you are using a module and do not need eval "
                    "mode, please set `track_running_stats` to be False."
                )


def _move(running: Tensor, new: Tensor, factor: float, momentum: float) -> None:
    """``(1 - momentum) running + momentum factor new``, in place."""
    if batch_of(running, new) is not None:
        running.mul_(1 - momentum).add_(new.detach().to(running.dtype), alpha=momentum * factor)
        return
    data = running._data
    data[...] = (new._data * factor * momentum + data * (1 - momentum)).astype(data.dtype, copy=False)
    cell_of(running).bump("batch_norm")


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel of each example by itself.

    Args:
        input: ``(N, C, *)``.
        running_mean, running_var: ``(C,)`` or both None; used if not ``use_input_stats``, else moved towards
            the means of the examples' by ``momentum``.
        weight, bias: ``(C,)`` or None.
    Raises:
        ValueError: one value per channel only, or one of the statistics alone.
    """
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")
    if not use_input_stats:
        if running_mean is None:
            raise ConvgradError(
                "Expected running_mean and running_var to be defined when use_input_stats is false"
            )
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    shape = input._data.shape
    if math.prod(shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {input.shape}")
    check_floating("batch_norm", input)
    if running_mean is not None and running_var is not None:
        _check_batched("Instance norm", input, running_mean, running_var)
        rows = input.detach().reshape(shape[0], shape[1], -1)
        rows = rows.float() if input._data.dtype in dtypes.HALVES else rows
        _move(running_mean, rows.mean((0, 2)), 1.0, momentum)
        _move(running_var, rows.var(2).mean(0), 1.0, momentum)
    return _run(ops.GroupNorm, (input, weight, bias), (shape[1], eps))


def _check_normalized(
    name: str, input: Tensor, normalized_shape: Sequence[int], *params: Tensor | None
) -> int:
    wanted, shape = tuple(normalized_shape), input._data.shape
    if not wanted or shape[len(shape) - len(wanted) :] != wanted:
        stars = ", ".join(["*", *map(str, wanted)])
        raise ShapeError(
            f"{name}: Given normalized_shape={list(wanted)}, expected input with shape [{stars}], but got "
            "input of "
            f"size{list(shape)}"
        )
    for value in params:
        if value is not None and value._data.shape != wanted:
            raise ShapeError(
                f"{name}: Expected weight and bias to be of same shape as normalized_shape, but got "
                f"{list(value._data.shape)} and normalized_shape = {list(wanted)}"
            )
    return len(wanted)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise over the last dimensions, whose sizes are ``normalized_shape``, as are weight and bias."""
    axes = _check_normalized("layer_norm", input, normalized_shape, weight, bias)
    check_floating("LayerNormKernelImpl", input)
    return _run(ops.LayerNorm, (input, weight, bias), (axes, eps))


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Divide by the root mean square over the last dimensions. Source: arXiv:1910.07467."""
    if not normalized_shape:
        raise ShapeError(
            "rms_norm: Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            "element, but got normalized_shape = []"
        )
    check_floating("rms_norm", input, ("c",))
    kind = input.dtype
    axes = _check_normalized("rms_norm", input, normalized_shape, weight)
    dtype = input._data.dtype
    if dtype in (dtypes.F32, dtypes.F64) and (weight is None or weight._data.dtype == dtype):
        return _run(ops.RmsNorm, (input, weight), (axes, float(np.finfo(dtype).eps) if eps is None else eps))
    x = input.float() if dtype in dtypes.HALVES else input
    small = float(np.finfo(x._data.dtype).eps) if eps is None else eps
    out = x * ((x * x).mean(tuple(range(-axes, 0)), keepdim=True) + small).rsqrt()
    if weight is not None:
        out = out * weight
    return out if out.dtype is kind else out.to(kind)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 0.0001, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Divide by a power of the mean square of neighbouring channels.

    ``input / (k + alpha mean)^beta``, where the mean of squares is over ``size`` channels around each (zeros
    beyond the first and last).

    Args:
        input: float, ``(N, C, *)`` with at least one axis more.
        size: number of channels.
    Raises:
        ValueError: fewer than three dimensions.
    Example:
        >>> local_response_norm(Tensor([[[1.0], [2.0]]]), 1, alpha=1.0, beta=1.0).flatten().tolist()
        [0.5, 0.4000000059604645]

    Source: Krizhevsky et al. 2012, ImageNet classification with deep convolutional neural networks, 3.3.
    """
    shape = input._data.shape
    if len(shape) < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality input (got {len(shape)} dimensions: {list(shape)})"
        )
    if not input._data.size:
        return input
    square = (input * input).reshape(shape[0], 1, shape[1], -1)
    mean = avg_pool2d(pad(square, (0, 0, size // 2, (size - 1) // 2)), (size, 1), 1)
    return input / (mean.reshape(shape) * alpha + k) ** beta


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each example over groups of channels and all positions.

    Args:
        input: ``(N, C, ...)``.
        num_groups: divides C.
        weight, bias: ``(C,)`` or None.
    """
    shape = input._data.shape
    if len(shape) < 2 or shape[1] % num_groups:
        raise ShapeError(
            f"Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(shape)} and num_groups={num_groups}"
        )
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and value._data.shape != (shape[1],):
            raise ShapeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got "
                f"{name} of "
                f"shape {list(value._data.shape)} and input of shape {list(shape)}"
            )
    if training_size(shape, num_groups) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {list(shape)}"
        )
    check_floating("GroupNormKernelImpl", input)
    return _run(ops.GroupNorm, (input, weight, bias), (num_groups, eps))


def training_size(shape: tuple[int, ...], groups: int) -> int:
    """Values that one mean is taken over, counted over the batch."""
    return shape[0] * (math.prod(shape[1:]) // groups)
