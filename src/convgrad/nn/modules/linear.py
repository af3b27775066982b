"""Fully connected layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import dtypes
from ...errors import ConvgradError
from ...tensor.tensor import Tensor
from .. import functional as F
from .. import init
from ..module import Module, check_device
from ..parameter import Parameter, UninitializedParameter
from .lazy import LazyModuleMixin


def empty_parameter(shape: tuple[int, ...], dtype: Any, device: Any) -> Parameter:
    """A parameter of zeros, to be filled by an initialisation."""
    check_device(device)
    if any([n < 0 for n in shape]):
        low = min(shape)
        raise ConvgradError(f"Trying to create tensor with negative dimension {low}: {list(shape)}")
    kind = dtypes.default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    return Parameter(Tensor(np.zeros(shape, kind.np), None))


def add_affine(
    module: Module, shape: tuple[int, ...], affine: bool, bias: bool, dtype: Any, device: Any
) -> None:
    """Give a layer that normalises its ``weight`` and ``bias``, or None for them."""
    for name, wanted in (("weight", affine), ("bias", affine and bias)):
        if wanted:
            setattr(module, name, empty_parameter(shape, dtype, device))
        else:
            module.register_parameter(name, None)


def reset_affine(module: Any) -> None:
    """Weights 1, biases 0."""
    if module.weight is not None:
        init.ones_(module.weight)
    if module.bias is not None:
        init.zeros_(module.bias)


class Identity(Module):
    """Returns its input; arguments are ignored."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """The input."""
        return input


class Linear(Module):
    """``x Wᵀ + b``.

    Args:
        in_features: size of the last dimension of the input.
        out_features: size of the last dimension of the output.
        bias: whether to add ``b``.
        device: only the CPU.
        dtype: of the parameters; None is the default dtype.
    Attributes:
        weight: ``(out_features, in_features)``, uniform within ``±1 / sqrt(in_features)`` at first.
        bias: ``(out_features,)``, the same.
    """

    in_features: int
    out_features: int
    weight: Tensor

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = empty_parameter((out_features, in_features), dtype, device)
        if bias:
            self.bias = empty_parameter((out_features,), dtype, device)
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new starting values."""
        init.kaiming_uniform_(self.weight, math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Any) -> Any:
        """``(..., in_features)`` to ``(..., out_features)``."""
        own = self._parameters  # read here, attributes of modules take ten times as long
        if "weight" in own and "bias" in own:
            return F.linear(input, own["weight"], own["bias"])
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )


class NonDynamicallyQuantizableLinear(Linear):
    """``Linear`` under the name PyTorch shows for the last projection of attention."""


class Bilinear(Module):
    """``x1ᵀ A x2 + b`` for each output feature."""

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got (in1_features={in1_features})")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = empty_parameter((out_features, in1_features, in2_features), dtype, device)
        if bias:
            self.bias = empty_parameter((out_features,), dtype, device)
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new starting values."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Any, input2: Any) -> Any:
        """``(..., in1)`` and ``(..., in2)`` to ``(..., out)``."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class LazyLinear(LazyModuleMixin, Linear):
    """A ``Linear`` whose ``in_features`` is the last size of its first input.

    Args:
        out_features: size of the last dimension of the output.
        bias: whether to add a bias.
        device: only the CPU.
        dtype: of the parameters; None is the default dtype.
    Example:
        >>> layer = LazyLinear(2)
        >>> layer.weight
        <UninitializedParameter>
        >>> layer(ones(3, 4)).shape
        torch.Size([3, 2])
        >>> layer
        Linear(in_features=4, out_features=2, bias=True)
    """

    cls_to_become = Linear
    weight: Any
    bias: Any

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(0, 0, False)
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_features = out_features
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw new starting values, if there are parameters."""
        if not self.has_uninitialized_params() and self.in_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Any) -> None:
        """Make the parameters for ``(..., in_features)``."""
        if self.has_uninitialized_params():
            self.in_features = input.shape[-1]
            self.weight.materialize((self.out_features, self.in_features))
            if self.bias is not None:
                self.bias.materialize((self.out_features,))
            self.reset_parameters()
        elif self.in_features == 0:  # they came from a state
            self.in_features = self.weight.shape[1]
