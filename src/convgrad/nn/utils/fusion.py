"""A convolution or linear layer and the batch norm behind it as one layer, for evaluation.

In evaluation a batch norm is ``y = (x - mean) weight / sqrt(var + eps) + bias`` per channel, so that its
factor can be taken into the layer's weights and the rest into its bias.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from ...tensor import creation
from ...tensor.tensor import Tensor
from ..module import Module
from ..parameter import Parameter

T = TypeVar("T", bound=Module)


def fuse_conv_bn_eval(conv: T, bn: Any, transpose: bool = False) -> T:
    """A copy of a convolution that also does what a batch norm behind it does.

    Args:
        conv: a convolution in evaluation mode.
        bn: a batch norm in evaluation mode, with running statistics.
        transpose: conv is a transposed convolution.
    Raises:
        AssertionError: one of the two is in training mode, or bn has no running statistics.
    """
    fused: Any = _checked_copy(conv, bn)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_linear_bn_eval(linear: T, bn: Any) -> T:
    """A copy of a linear layer that also does what a batch norm behind it does; see ``fuse_conv_bn_eval``.

    Raises:
        AssertionError: as there; or bn has another number of features.
    """
    fused: Any = _checked_copy(linear, bn)
    if fused.out_features != bn.num_features and bn.num_features != 1:
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got "
            f"linear.out_features={fused.out_features} and bn.num_features={bn.num_features}"
        )
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused


def _checked_copy(layer: Any, bn: Any) -> Any:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    return copy.deepcopy(layer)


def fuse_conv_bn_weights(
    conv_w: Tensor, conv_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float, bn_w: Tensor | None,
    bn_b: Tensor | None, transpose: bool = False,
) -> tuple[Parameter, Parameter]:  # fmt: skip
    """Weight and bias of a convolution that also does what a batch norm does.

    Args:
        conv_w: ``(O, C / groups, *K)``, or ``(C, O / groups, *K)`` with ``transpose``.
        conv_b: ``(O,)`` or None.
        bn_rm, bn_rv: running mean and variance ``(O,)``.
        bn_eps: added to the variance.
        bn_w, bn_b: ``(O,)`` or None.
        transpose: see conv_w.
    """
    shape = [1] * conv_w._data.ndim
    shape[1 if transpose else 0] = -1
    return _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, shape)


def fuse_linear_bn_weights(
    linear_w: Tensor, linear_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float,
    bn_w: Tensor | None, bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:  # fmt: skip
    """Weight ``(O, I)`` and bias ``(O,)`` of a linear layer that also does what a batch norm does."""
    return _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, [-1, 1])


def _fused(
    w: Tensor, b: Any, mean: Tensor, var: Tensor, eps: float, scale: Any, shift: Any, shape: list[int]
) -> tuple[Parameter, Parameter]:
    b_grad = w.requires_grad if b is None else b.requires_grad
    b = creation.zeros_like(mean) if b is None else b
    scale = creation.ones_like(mean) if scale is None else scale
    shift = creation.zeros_like(mean) if shift is None else shift
    factor = scale * (var + eps).rsqrt()
    weight = (w * factor.reshape(shape)).to(w.dtype)
    bias = ((b - mean) * factor + shift).to(b.dtype)
    return Parameter(weight.detach(), w.requires_grad), Parameter(bias.detach(), b_grad)


__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]
