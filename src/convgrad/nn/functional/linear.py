"""The linear layer and similarities; ``pad`` comes from the tensor layer."""

from __future__ import annotations

from typing import Any

from ...dtypes import F32, F64, Array
from ...errors import DtypeError, ShapeError
from ...graph.grad_mode import MODE, OFF
from ...ops.matmul import Affine, affine
from ...tensor import functions_linear
from ...tensor.checks import scalar_name
from ...tensor.functions_shape import pad
from ...tensor.tensor import Tensor, apply


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
    out = plain_linear(input, weight, bias, Affine)
    if out is not None:
        return out
    x, w = input._data.shape, weight._data.shape
    if len(w) == 2 and x and x[-1] != w[1]:
        raise _linear_error(input._data, weight._data)
    try:
        if len(w) == 1 and bias is not None and len(x) != 2:
            return functions_linear.linear(input, weight, None) + bias
        return functions_linear.linear(input, weight, bias)
    except DtypeError:
        if input.dtype is weight.dtype:
            raise
        names = scalar_name(input.dtype), scalar_name(weight.dtype)
        raise DtypeError(
            f"mat1 and mat2 must have the same dtype, but got {names[0]} and {names[1]}: linear's input is "
            f"{input.dtype}, its weight {weight.dtype}; use input.to({weight.dtype})"
        ) from None


def plain_linear(
    input: Tensor, weight: Tensor, bias: Tensor | None, op: Any, activation: str | None = None
) -> Tensor | None:
    """``linear`` of two-dimensional floats of one dtype that fit each other, in few steps; else None.

    Args:
        input, weight, bias: as in ``linear``.
        op: the operator that is recorded.
        activation: what ``op`` applies to the result, "relu" or None.
    """
    if bias is None:
        return None
    x, w, b = input._data, weight._data, bias._data
    dtype = x.dtype
    if (
        (dtype is not F32 and dtype is not F64)
        or w.dtype is not dtype
        or b.dtype is not dtype
        or x.ndim != 2
        or w.ndim != 2
        or x.shape[1] != w.shape[1]
        or b.shape != w.shape[:1]
    ):
        return None
    if MODE.get() == OFF:
        return Tensor(affine(x, w, b, activation), None)
    return apply(op, (bias, input, weight))


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
    if weight._data.ndim != 3:
        raise ShapeError(f"bilinear: weight must be (out, in1, in2), but got {list(weight.shape)}")
    out, in1, in2 = weight._data.shape
    if bias is not None and bias._data.shape != (out,):
        raise ShapeError(
            f"bilinear(): bias size does not match weight size: got {list(bias.shape)} but expected {out}"
        )
    for name, value, size in (("input1", input1, in1), ("input2", input2, in2)):
        if value._data.shape[-1] != size:
            raise ShapeError(
                f"bilinear(): {name} size does not match weight size: got {value._data.shape[-1]} but "
                f"expected {size} (weight {[out, in1, in2]}, inputs {list(input1.shape)} and "
                f"{list(input2.shape)})"
            )
    lead = input1._data.shape[:-1]
    left = input1.reshape(-1, in1) @ weight.transpose(0, 1).reshape(in1, out * in2)
    right = input2.reshape(-1, 1, in2)
    value = (left.reshape(-1, out, in2) * right).sum(-1).reshape(*lead, out)
    return value if bias is None else value + bias


__all__ = ["bilinear", "linear", "pad"]
