"""Activation functions as modules."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ... import dtypes
from ...graph.node import cell_of
from ...tensor.tensor import Tensor
from .. import functional as F
from ..module import Module, check_device
from ..parameter import Parameter
from .attention import MultiheadAttention as MultiheadAttention


class _Plain(Module):
    """A function of one tensor without settings."""

    function: Any

    def forward(self, input: Any) -> Any:
        """Any shape."""
        return type(self).function(input)


class _Inplace(Module):
    """A function of one tensor that may overwrite it."""

    function: Any

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Any shape."""
        return type(self).function(input, inplace=self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Tanh(_Plain):
    """The hyperbolic tangent."""

    function = staticmethod(F.tanh)


class Sigmoid(_Plain):
    """``1 / (1 + exp(-x))``."""

    function = staticmethod(F.sigmoid)


class LogSigmoid(_Plain):
    """``log(sigmoid(x))`` without overflow."""

    function = staticmethod(F.logsigmoid)


class Softsign(_Plain):
    """``x / (1 + |x|)``."""

    function = staticmethod(F.softsign)


class Tanhshrink(_Plain):
    """``x - tanh(x)``."""

    function = staticmethod(F.tanhshrink)


class ReLU(_Inplace):
    """``max(x, 0)``."""

    function = staticmethod(F.relu)


class SiLU(_Inplace):
    """``x sigmoid(x)``, also called swish."""

    function = staticmethod(F.silu)


class Mish(_Inplace):
    """``x tanh(softplus(x))``."""

    function = staticmethod(F.mish)


class SELU(_Inplace):
    """The scaled ELU that keeps mean 0 and variance 1."""

    function = staticmethod(F.selu)


class Hardswish(_Inplace):
    """``x min(max(x + 3, 0), 6) / 6``."""

    function = staticmethod(F.hardswish)

    def extra_repr(self) -> str:
        return ""


class Hardsigmoid(Hardswish):
    """``min(max(x + 3, 0), 6) / 6``."""

    function = staticmethod(F.hardsigmoid)


class _Setting(Module):
    """A function of one tensor and some numbers, which are attributes under the names of ``settings``."""

    function: Any
    settings: tuple[str, ...] = ()

    def forward(self, input: Any) -> Any:
        """Any shape."""
        return type(self).function(input, *[getattr(self, name) for name in self.settings])

    def extra_repr(self) -> str:
        parts = [f"{name}={getattr(self, name)}" for name in self.settings if name != "inplace"]
        if getattr(self, "inplace", False):
            parts.append("inplace=True")
        return ", ".join(parts)


def _renamed(old: str, new: str, value: float) -> float:
    """The value of an argument that has another name now, with a warning."""
    warnings.warn(
        f"keyword argument `{old}` is deprecated and renamed to `{new}`", FutureWarning, stacklevel=4
    )
    return value


class Hardtanh(_Setting):
    """x kept within ``[min_val, max_val]``."""

    function = staticmethod(F.hardtanh)
    settings = ("min_val", "max_val", "inplace")

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__()
        if min_value is not None:
            min_val = _renamed("min_value", "min_val", min_value)
        if max_value is not None:
            max_val = _renamed("max_value", "max_val", max_value)
        if min_val >= max_val:
            raise AssertionError(f"max_val ({max_val}) must be greater than min_val ({min_val})")
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace


class ReLU6(Hardtanh):
    """``min(max(x, 0), 6)``."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class RReLU(Module):
    """x where positive, else x times a factor, which is drawn for each element in training mode.

    Args:
        lower, upper: the factor is uniform between them, and their mean in evaluation mode.
        inplace: overwrite the input.
    Source: Xu et al. 2015, arXiv:1505.00853.
    """

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input: Any) -> Any:
        """Any shape."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}{', inplace=True' if self.inplace else ''}"


class LeakyReLU(_Setting):
    """x where positive, else ``negative_slope * x``."""

    function = staticmethod(F.leaky_relu)
    settings = ("negative_slope", "inplace")

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace


class ELU(_Setting):
    """x where positive, else ``alpha (exp(x) - 1)``."""

    function = staticmethod(F.elu)
    settings = ("alpha", "inplace")

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace


class CELU(ELU):
    """x where positive, else ``alpha (exp(x / alpha) - 1)``."""

    function = staticmethod(F.celu)


class GELU(Module):
    """x times the normal distribution function at x."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Any) -> Any:
        """Any shape."""
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Softplus(_Setting):
    """``log(1 + exp(beta x)) / beta``."""

    function = staticmethod(F.softplus)
    settings = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold


class Threshold(_Setting):
    """x where it exceeds ``threshold``, else ``value``."""

    function = staticmethod(F.threshold)
    settings = ("threshold", "value", "inplace")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace


class Hardshrink(_Setting):
    """x, but 0 within ``[-lambd, lambd]``."""

    function = staticmethod(F.hardshrink)
    settings = ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Softshrink(Hardshrink):
    """x brought nearer to 0 by ``lambd``."""

    function = staticmethod(F.softshrink)


class _AlongDim(_Setting):
    settings = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


class Softmax(_AlongDim):
    """``exp(x)`` over its sum along ``dim``."""

    function = staticmethod(F.softmax)


class Softmin(_AlongDim):
    """Softmax of ``-x``."""

    function = staticmethod(F.softmin)


class LogSoftmax(_AlongDim):
    """The logarithm of softmax, without overflow."""

    function = staticmethod(F.log_softmax)


class GLU(_AlongDim):
    """The first half along ``dim`` times the sigmoid of the second."""

    function = staticmethod(F.glu)

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim)


class Softmax2d(Module):
    """Softmax over the channels of ``(N, C, H, W)`` or ``(C, H, W)``."""

    def forward(self, input: Any) -> Any:
        """The same shape."""
        if input._data.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input._data.ndim}D instead")
        return F.softmax(input, -3)


class PReLU(Module):
    """x where positive, else ``weight * x`` with learned weights.

    Args:
        num_parameters: 1, or the number of channels (dimension 1).
        init: starting value.
    """

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        check_device(device)
        kind = dtypes.default_dtype() if dtype is None else dtypes.as_dtype(dtype)
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(Tensor(np.full(num_parameters, init, kind.np), None))

    def reset_parameters(self) -> None:
        """Back to the starting value."""
        self.weight._data.fill(self.init)
        cell_of(self.weight).bump("fill_")

    def forward(self, input: Any) -> Any:
        """Any shape."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
