"""The two gradients of a convolution as functions of their own, without its output."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from ..kernels.geometry import Geometry, Ints, plan_conv
from ..ops import conv as ops
from ..tensor.methods.operands import check_tensor
from ..tensor.tensor import Tensor, apply


def _ints(size: Any) -> Ints:
    return tuple([int(n) for n in size])


def _plan(
    name: str, ndim: int, input_size: Any, weight_size: Any, grad_output: Tensor, stride: Any, padding: Any,
    dilation: Any, groups: int,
) -> Geometry:  # fmt: skip
    """The convolution's geometry; grad_output must have the size that its output has."""
    size, kernel = _ints(input_size), _ints(weight_size)
    geometry, spatial = plan_conv(ndim, size, kernel, None, stride, padding, dilation, groups)
    wanted = (size[0], kernel[0], *spatial)
    given = grad_output._data.shape
    if len(size) != ndim + 2 or given != wanted:
        raise ShapeError(
            f"{name}: Expected a tensor of dimension {ndim + 2} for grad_output, of the size {list(wanted)} "
            f"that an input of {list(size)} and a weight of {list(kernel)} give, but got {list(given)}"
        )
    return geometry


def _input_grad(ndim: int, input_size: Any, weight: Tensor, grad_output: Tensor, *settings: Any) -> Tensor:
    name = f"conv{ndim}d_input"
    check_tensor(name, weight, "weight")
    check_tensor(name, grad_output, "grad_output")
    geometry = _plan(name, ndim, input_size, weight._data.shape, grad_output, *settings)
    out: Tensor = apply(ops.ConvolveInputGrad, (grad_output, weight), (geometry, _ints(input_size)[2:]))
    return out


def _weight_grad(ndim: int, input: Tensor, weight_size: Any, grad_output: Tensor, *settings: Any) -> Tensor:
    name = f"conv{ndim}d_weight"
    check_tensor(name, input, "input")
    check_tensor(name, grad_output, "grad_output")
    geometry = _plan(name, ndim, input._data.shape, weight_size, grad_output, *settings)
    out: Tensor = apply(ops.ConvolveWeightGrad, (input, grad_output), (geometry, _ints(weight_size)[2:]))
    return out


def conv1d_input(
    input_size: Any, weight: Tensor, grad_output: Tensor, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """The gradient of ``conv1d`` with respect to its input.

    Args:
        input_size: ``(N, C, L)``, the size of the input.
        weight: ``(O, C / groups, kL)``.
        grad_output: ``(N, O, oL)``, the gradient of the output; of weight's dtype.
        stride, padding, dilation, groups: of the convolution.
    Returns:
        ``(N, C, L)``.
    Raises:
        ShapeError: sizes that no such convolution has.
    """
    return _input_grad(1, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv1d_weight(
    input: Tensor, weight_size: Any, grad_output: Tensor, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """The gradient of ``conv1d`` with respect to its weight.

    Args:
        input: ``(N, C, L)``.
        weight_size: ``(O, C / groups, kL)``, the size of the weight.
        grad_output: ``(N, O, oL)``, the gradient of the output; of input's dtype.
        stride, padding, dilation, groups: of the convolution.
    Returns:
        ``(O, C / groups, kL)``.
    Raises:
        ShapeError: sizes that no such convolution has.
    """
    return _weight_grad(1, input, weight_size, grad_output, stride, padding, dilation, groups)


def conv2d_input(
    input_size: Any, weight: Tensor, grad_output: Tensor, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """The same for ``conv2d``, ``(N, C, H, W)``; see ``conv1d_input``."""
    return _input_grad(2, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv2d_weight(
    input: Tensor, weight_size: Any, grad_output: Tensor, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """The same for ``conv2d``, ``(O, C / groups, kH, kW)``; see ``conv1d_weight``."""
    return _weight_grad(2, input, weight_size, grad_output, stride, padding, dilation, groups)


def conv3d_input(
    input_size: Any, weight: Tensor, grad_output: Tensor, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """The same for ``conv3d``, ``(N, C, D, H, W)``; see ``conv1d_input``."""
    return _input_grad(3, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv3d_weight(
    input: Tensor, weight_size: Any, grad_output: Tensor, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """The same for ``conv3d``, ``(O, C / groups, kD, kH, kW)``; see ``conv1d_weight``."""
    return _weight_grad(3, input, weight_size, grad_output, stride, padding, dilation, groups)


__all__ = [
    "conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input", "conv3d_weight",
]  # fmt: skip
