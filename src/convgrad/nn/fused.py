"""Two neighbours of a network as one function: ``relu`` of a convolution, linear layer, batch norm or sum.

The value between the two is never stored, which saves memory traffic; results and gradients are those of
the two functions, up to rounding. ``nn.Sequential`` uses these by itself, ``utils.fuse`` puts them into a
whole model; written-out forward methods may call them: no tool can rewrite ``F.relu(bn(x) + shortcut)``.

Other dtypes than float32 and float64, and calls under ``vmap``, are computed by the two functions one after
the other. PyTorch has no such namespace.
"""

from __future__ import annotations

from typing import Any

from ..dtypes import F32, F64
from ..ops import fused as ops
from ..tensor import dual
from ..tensor.tensor import Tensor, apply
from . import functional as F
from .functional.conv import Forms, convolve, convolve_transposed
from .functional.norm import normalise_batch

#: what ``functional.conv`` records in place of its own operators
RELU: Forms = (ops.ConvolveRelu, ops.ConvolutionRelu)
TRANSPOSED_RELU: Forms = (ops.ConvolveTransposedRelu, ops.TransposedConvolutionRelu)
BATCH_RELU = (ops.BatchNormRelu, ops.BatchNormEvalRelu)


def _fit(input: Any, *others: Any) -> bool:
    """Whether fused operators take the operands: float tensors of one dtype, no batch of ``vmap``."""
    if not isinstance(input, Tensor):
        return False
    dtype = input._data.dtype
    if dtype is not F32 and dtype is not F64:
        return False
    for value in others:
        if value is not None and (not isinstance(value, Tensor) or value._data.dtype is not dtype):
            return False
    return not dual.stand_ins or dual.batch_of(input, *others) is None


def conv1d_relu(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Any:  # fmt: skip
    """``relu(conv1d(...))``; arguments, result and errors as those of ``nn.functional.conv1d``.

    Example:
        >>> conv1d_relu(Tensor([[[1.0, 2.0, 1.0]]]), Tensor([[[1.0, -1.0]]])).tolist()
        [[[0.0, 1.0]]]
    """
    if not _fit(input, weight, bias):
        return F.conv1d(input, weight, bias, stride, padding, dilation, groups).relu()
    return convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups, RELU)


def conv2d_relu(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Any:  # fmt: skip
    """``relu(conv2d(...))``; arguments, result and errors as those of ``nn.functional.conv2d``.

    Example:
        >>> conv2d_relu(Tensor([[[[1.0, -2.0]]]]), Tensor([[[[1.0]]]])).tolist()
        [[[[1.0, 0.0]]]]
    """
    if not _fit(input, weight, bias):
        return F.conv2d(input, weight, bias, stride, padding, dilation, groups).relu()
    return convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups, RELU)


def conv3d_relu(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Any:  # fmt: skip
    """``relu(conv3d(...))``; arguments, result and errors as those of ``nn.functional.conv3d``."""
    if not _fit(input, weight, bias):
        return F.conv3d(input, weight, bias, stride, padding, dilation, groups).relu()
    return convolve("conv3d", 3, input, weight, bias, stride, padding, dilation, groups, RELU)


def conv_transpose1d_relu(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Any:  # fmt: skip
    """``relu(conv_transpose1d(...))``; arguments, result and errors as those of ``conv_transpose1d``.

    Example:
        >>> conv_transpose1d_relu(Tensor([[[1.0, -1.0]]]), Tensor([[[1.0, 2.0]]])).tolist()
        [[[1.0, 1.0, 0.0]]]
    """
    if not _fit(input, weight, bias):
        out = F.conv_transpose1d(input, weight, bias, stride, padding, output_padding, groups, dilation)
        return out.relu()
    given = stride, padding, output_padding, groups, dilation
    return convolve_transposed("conv_transpose1d", 1, input, weight, bias, *given, TRANSPOSED_RELU)


def conv_transpose2d_relu(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Any:  # fmt: skip
    """``relu(conv_transpose2d(...))``; arguments, result and errors as those of ``conv_transpose2d``."""
    if not _fit(input, weight, bias):
        out = F.conv_transpose2d(input, weight, bias, stride, padding, output_padding, groups, dilation)
        return out.relu()
    given = stride, padding, output_padding, groups, dilation
    return convolve_transposed("conv_transpose2d", 2, input, weight, bias, *given, TRANSPOSED_RELU)


def conv_transpose3d_relu(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Any:  # fmt: skip
    """``relu(conv_transpose3d(...))``; arguments, result and errors as those of ``conv_transpose3d``."""
    if not _fit(input, weight, bias):
        out = F.conv_transpose3d(input, weight, bias, stride, padding, output_padding, groups, dilation)
        return out.relu()
    given = stride, padding, output_padding, groups, dilation
    return convolve_transposed("conv_transpose3d", 3, input, weight, bias, *given, TRANSPOSED_RELU)


def linear_relu(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    """``relu(input @ weight.T + bias)``; arguments, result and errors as those of ``nn.functional.linear``.

    Example:
        >>> linear_relu(Tensor([[1.0, 2.0]]), Tensor([[1.0, 1.0], [1.0, -1.0]])).tolist()
        [[3.0, 0.0]]
    """
    if _fit(input, weight, bias):
        x, w = input._data.shape, weight._data.shape
        if len(w) == 2 and x and x[-1] == w[1] and (bias is None or bias._data.shape == w[:1]):
            return apply(ops.AffineRelu, (bias, input, weight))
    return F.linear(input, weight, bias).relu()


def batch_norm_relu(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    """``relu(batch_norm(...))``; arguments, result and errors as those of ``nn.functional.batch_norm``.

    Example:
        >>> batch_norm_relu(Tensor([[1.0], [3.0]]), None, None, training=True, eps=0.0).tolist()
        [[0.0], [1.0]]
    """
    given = running_mean, running_var, weight, bias, training, momentum, eps
    if not _fit(input, weight, bias):
        return F.batch_norm(input, *given).relu()
    return normalise_batch(input, *given, BATCH_RELU, (None,))


def batch_norm_add_relu(
    input: Tensor, other: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
    weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False, momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:  # fmt: skip
    """``relu(batch_norm(input, ...) + other)``, the end of a residual block.

    Args:
        input: ``(N, C, ...)``.
        other: what is added; of input's shape, or one that broadcasts with it.
        running_mean, running_var, weight, bias, training, momentum, eps: as ``batch_norm`` takes them.
    Raises:
        ValueError, ShapeError: as ``batch_norm``; or the shapes do not broadcast.
    Example:
        >>> x, shortcut = Tensor([[1.0], [3.0]]), Tensor([[5.0], [-5.0]])
        >>> batch_norm_add_relu(x, shortcut, None, None, training=True, eps=0.0).tolist()
        [[4.0], [0.0]]
    """
    given = running_mean, running_var, weight, bias, training, momentum, eps
    if not _fit(input, other, weight, bias) or input._data.shape != other._data.shape:
        return (F.batch_norm(input, *given) + other).relu()
    return normalise_batch(input, *given, BATCH_RELU, (other,))


def add_relu(input: Tensor, other: Tensor) -> Any:
    """``relu(input + other)``, the end of a residual block.

    Args:
        input, other: of one shape, or of shapes that broadcast.
    Raises:
        ShapeError: they do not.
    Example:
        >>> add_relu(Tensor([1.0, -3.0]), Tensor([1.0, 1.0])).tolist()
        [2.0, 0.0]
    """
    if isinstance(other, Tensor) and _fit(input, other) and input._data.shape == other._data.shape:
        return apply(ops.AddRelu, (input, other))
    return (input + other).relu()


__all__ = [
    "add_relu", "batch_norm_add_relu", "batch_norm_relu", "conv1d_relu", "conv2d_relu", "conv3d_relu",
    "conv_transpose1d_relu", "conv_transpose2d_relu", "conv_transpose3d_relu", "linear_relu",
]  # fmt: skip
