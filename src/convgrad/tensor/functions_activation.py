"""Activation functions as ``nn.functional`` names them; ``inplace=True`` overwrites the input.

Each takes a float tensor of any shape and gives one of the same shape and dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from ..dtypes import F32, F64
from ..errors import ConvgradError
from ..graph.grad_mode import MODE, RECORD
from ..ops import activation as ops
from ..ops.op import Op
from .methods.base import dim_index
from .methods.operands import check_tensor
from .tensor import Tensor, apply

# SELU's constants: Klambauer et al. 2017, arXiv:1706.02515, equation 14
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def _activate(
    name: str, op: type[Op], x: Any, params: tuple[Any, ...] = (), inplace: bool = False, kinds: str = "biuc"
) -> Any:
    if not isinstance(x, Tensor):
        check_tensor(name, x, "input")
    data = x._data
    dtype = data.dtype
    if (dtype is F32 or dtype is F64) and not inplace:
        mode = MODE.get()
        if mode > RECORD or (mode and x._node is not None):
            return apply(op, (x,), params)
        out = op.forward(data, *params)[0]  # nothing is recorded: in fewer steps
        return Tensor(out if type(out) is ndarray else np.asarray(out), None)
    if dtype.kind in kinds:
        raise NotImplementedError(
            f'"{name}_cpu" not implemented for dtype {x.dtype}: it takes floating point tensors'
        )
    return x._inplace(f"{name}_", op, (), params) if inplace else apply(op, (x,), params)


def relu(input: Tensor, inplace: bool = False) -> Any:
    """``max(x, 0)``."""
    check_tensor("relu", input, "input")
    return input.relu_() if inplace else input.relu()


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """x where positive, ``negative_slope`` times x elsewhere."""
    return _activate("leaky_relu", ops.LeakyRelu, input, (negative_slope,), inplace)


def prelu(input: Tensor, weight: Tensor) -> Any:
    """x where positive, ``weight`` times x elsewhere; one weight, or one per channel (dimension 1)."""
    return input.prelu(weight)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    """x where positive, ``alpha (e^x - 1)`` elsewhere. Source: arXiv:1511.07289."""
    return _activate("elu", ops.Elu, input, (alpha, 1.0, 1.0), inplace)


def selu(input: Tensor, inplace: bool = False) -> Any:
    """ELU with the scale and alpha that keep mean 0 and variance 1. Source: arXiv:1706.02515."""
    return _activate("selu", ops.Elu, input, (SELU_ALPHA, SELU_SCALE, 1.0), inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    """x where positive, ``alpha (e^(x / alpha) - 1)`` elsewhere. Source: arXiv:1704.07483."""
    if alpha == 0:
        raise ConvgradError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _activate("celu", ops.Celu, input, (alpha, 1.0, 1.0 / alpha), inplace)


def gelu(input: Tensor, approximate: str = "none") -> Any:
    """``x P(X <= x)`` for a standard normal X, or its approximation by "tanh". Source: arXiv:1606.08415."""
    if approximate not in ("none", "tanh"):
        raise ConvgradError(f"approximate argument must be either none or tanh, but got {approximate!r}")
    return _activate("gelu", ops.Gelu if approximate == "none" else ops.GeluTanh, input)


def silu(input: Tensor, inplace: bool = False) -> Any:
    """``x sigmoid(x)``, also called swish. Source: arXiv:1702.03118."""
    if isinstance(input, Tensor) and input._data.dtype.kind == "c" and input.requires_grad:
        raise ConvgradError("silu does not support automatic differentiation for outputs with complex dtype.")
    return _activate("silu", ops.Silu, input, (), inplace, "biu")


def mish(input: Tensor, inplace: bool = False) -> Any:
    """``x tanh(softplus(x))``. Source: arXiv:1908.08681."""
    return _activate("mish", ops.Mish, input, (), inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """``log(1 + e^(beta x)) / beta``; x itself where ``beta x`` exceeds ``threshold``."""
    return _activate("softplus", ops.Softplus, input, (beta, threshold))


def softsign(input: Tensor) -> Any:
    """``x / (1 + |x|)``."""
    x: Any = input
    return x / (x.abs() + 1)


def tanhshrink(input: Tensor) -> Any:
    """``x - tanh(x)``."""
    x: Any = input
    return x - x.tanh()


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    """x kept within [min_val, max_val]; no gradient at the bounds."""
    if min_val > max_val:
        raise ValueError(f"min_val cannot be greater than max_val, but got {min_val} and {max_val}")
    return _activate("hardtanh", ops.Hardtanh, input, (min_val, max_val), inplace, "bc")


def relu6(input: Tensor, inplace: bool = False) -> Any:
    """``min(max(x, 0), 6)``."""
    return _activate("relu6", ops.Hardtanh, input, (0, 6), inplace, "bc")


def hardsigmoid(input: Tensor, inplace: bool = False) -> Any:
    """``min(max(x + 3, 0), 6) / 6``."""
    return _activate("hardsigmoid", ops.Hardsigmoid, input, (), inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Any:
    """``x min(max(x + 3, 0), 6) / 6``. Source: arXiv:1905.02244."""
    return _activate("hardswish", ops.Hardswish, input, (), inplace)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Any:
    """x where it exceeds ``threshold``, else ``value``."""
    if isinstance(input, Tensor) and input._data.dtype.kind == "u" and value < 0:
        raise ConvgradError(f"value cannot be converted to type {input.dtype} without overflow: {value}")
    return _activate("threshold", ops.Threshold, input, (threshold, value), inplace, "bc")


def logsigmoid(input: Tensor) -> Any:
    """``log(sigmoid(x))`` without overflow."""
    return _activate("log_sigmoid", ops.LogSigmoid, input)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Any:
    """x, and 0 within [-lambd, lambd]."""
    return _activate("hardshrink", ops.Hardshrink, input, (lambd,))


def softshrink(input: Tensor, lambd: float = 0.5) -> Any:
    """x brought nearer to 0 by ``lambd``, and 0 within [-lambd, lambd]."""
    if lambd < 0:
        raise ConvgradError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return _activate("softshrink", ops.Softshrink, input, (lambd,))


def glu(input: Tensor, dim: int = -1) -> Any:
    """The first half along ``dim`` times the sigmoid of the second. Source: arXiv:1612.08083."""
    check_tensor("glu", input, "input")
    shape = input._data.shape
    axis = dim_index(dim, len(shape))
    if not shape or shape[axis] % 2:
        raise ConvgradError(
            f"Halving dimension must be even, but dimension {axis} is size {shape[axis] if shape else 1} "
            f"(glu, input {list(shape)})"
        )
    if input._data.dtype.kind in "biuc":
        raise NotImplementedError(f'"glu_cpu" not implemented for dtype {input.dtype}')
    return apply(ops.Glu, (input,), (axis,))


def softmax(input: Tensor, dim: int, dtype: Any = None) -> Any:
    """``exp(x) / sum(exp(x))`` along ``dim``."""
    return input.softmax(dim, dtype)


def softmin(input: Tensor, dim: int, dtype: Any = None) -> Any:
    """The softmax of ``-x``."""
    return (-input).softmax(dim, dtype)


def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Any:
    """``log(softmax(x))`` along ``dim``, computed without overflow."""
    return input.log_softmax(dim, dtype)


__all__ = [
    "celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu",
    "log_softmax", "logsigmoid", "mish", "prelu", "relu", "relu6", "selu", "silu", "softmax", "softmin",
    "softplus", "softshrink", "softsign", "tanhshrink", "threshold",
]  # fmt: skip
