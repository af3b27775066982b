"""The linear layer and similarities; ``pad`` comes from the tensor layer."""

from __future__ import annotations

from typing import Any

from ...dtypes import Array
from ...errors import DtypeError, ShapeError
from ...tensor import functions_linear
from ...tensor.checks import scalar_name
from ...tensor.functions_shape import pad
from ...tensor.tensor import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input @ weight.T + bias``.

    Args:
        input: ``(..., in_features)``.
        weight: same dtype, ``(out_features, in_features)``, or ``(in_features,)`` for one output.
        bias: ``(out_features,)`` or None.
    Returns:
        ``(..., out_features)``.
    Raises:
        ShapeError: the last dimension of input is not in_features.
        DtypeError: the dtypes differ.
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"linear(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    x, w = input._data.shape, weight._data.shape
    if len(w) == 2 and x and x[-1] != w[1]:
        raise _linear_error(input._data, weight._data)
    try:
        return functions_linear.linear(input, weight, bias)
    except DtypeError:
        if input.dtype is weight.dtype:
            raise
        names = scalar_name(input.dtype), scalar_name(weight.dtype)
        raise DtypeError(
            f"mat1 and mat2 must have the same dtype, but got {names[0]} and {names[1]}: linear's input is "
            f"{input.dtype}, its weight {weight.dtype}; use input.to({weight.dtype})"
        ) from None


def _linear_error(x: Array, w: Array) -> ShapeError:
    rows = x.size // max(1, x.shape[-1])
    hint = ""
    if x.size and x.ndim > 1 and x.size // x.shape[0] == w.shape[1]:
        hint = "; flatten the input first: nn.Flatten(), or x.flatten(1)"
    return ShapeError(
        f"mat1 and mat2 shapes cannot be multiplied ({rows}x{x.shape[-1]} and {w.shape[1]}x{w.shape[0]}): "
        f"linear needs the last dimension of input {list(x.shape)} to be in_features = {w.shape[1]}{hint}"
    )


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x1 A_k x2 + b_k`` for every output k; weight is ``(out, in1, in2)``."""
    out, in1, in2 = weight._data.shape
    if input1._data.shape[-1] != in1 or input2._data.shape[-1] != in2:
        raise ShapeError(
            f"bilinear: weight {[out, in1, in2]} needs inputs with {in1} and {in2} features, but got "
            f"{list(input1.shape)} and {list(input2.shape)}"
        )
    lead = input1._data.shape[:-1]
    left = input1.reshape(-1, in1) @ weight.transpose(0, 1).reshape(in1, out * in2)
    right = input2.reshape(-1, 1, in2)
    value = (left.reshape(-1, out, in2) * right).sum(-1).reshape(*lead, out)
    return value if bias is None else value + bias


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Any = None) -> Tensor:
    """Vectors along ``dim`` divided by their p-norm (or by ``eps``, where that is larger)."""
    length = input.norm(p, dim, keepdim=True)
    return input / length.clamp(min=eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along ``dim``."""
    lengths = [(x * x).sum(dim).sqrt().clamp(min=eps) for x in (x1, x2)]
    return (x1 * x2).sum(dim) / (lengths[0] * lengths[1])


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of ``x1 - x2 + eps`` along the last dimension."""
    return (x1 - x2 + eps).norm(p, -1, keepdim=keepdim)


__all__ = [
    "bilinear", "cosine_similarity", "linear", "normalize", "pad", "pairwise_distance",
]  # fmt: skip
