"""Bringing several operands to their common dtype, for methods and functions of more than one tensor.

Works on anything with the slots of a tensor; numbers become 0-d arrays, None stays None.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import dtypes
from ...dtypes import F32, F64
from ...errors import ConvgradError, ShapeError
from ...graph.grad_mode import MODE, OFF, RECORD
from .base import NUMBERS

#: PyTorch's words for the types of numbers, where they are not int8_t and the like
_C_NAMES = {
    "int32": "int", "float32": "float", "float64": "double", "float16": "at::Half",
    "bfloat16": "at::BFloat16", "complex64": "c10::complex<float>",
}  # fmt: skip


def check_operand(name: str, other: Any, argument: str = "other") -> None:
    """Raise PyTorch's TypeError for what is neither a tensor nor a number."""
    if not hasattr(other, "_data") and not isinstance(other, NUMBERS):
        hint = ""
        if hasattr(type(other), "__torch_function__"):
            hint = " (import torch.overrides first, and functions ask its __torch_function__)"
        raise TypeError(
            f"{name}(): argument '{argument}' must be Tensor or a number, not {type(other).__name__}{hint}"
        )


def check_tensor(name: str, other: Any, argument: str = "other") -> None:
    """Raise PyTorch's TypeError for what is not a tensor."""
    if not hasattr(other, "_data"):
        raise TypeError(
            f"{name}(): argument '{argument}' must be Tensor, not {type(other).__name__} "
            "(torch.as_tensor makes one)"
        )


def common_dtype(*operands: Any) -> dtypes.dtype:
    """The dtype PyTorch promotes these tensors and numbers to (``result_type``)."""
    dims: list[dtypes.dtype] = []
    zero: list[dtypes.dtype] = []
    numbers: list[dtypes.dtype] = []
    for x in operands:
        if hasattr(x, "_data"):
            (dims if x._data.ndim else zero).append(dtypes.from_numpy(x._data.dtype))
        elif x is not None:
            numbers.append(dtypes.scalar_dtype(x))
    return dtypes.result_dtype(dims, zero, numbers)


def cast(x: Any, kind: Any) -> Any:
    """A handle with x's place in the graph on values of another NumPy dtype; the engine casts back."""
    if x._data.dtype == kind:
        return x
    out = x._detached(False)
    out._data = x._data.astype(kind)
    out._node = x._node
    out._cell = x._cell
    return out


def as_operand(x: Any, common: dtypes.dtype) -> Any:
    """A tensor cast to the common dtype, a number as a 0-d array of it, None as None."""
    if x is None:
        return None
    if hasattr(x, "_data"):
        return cast(x, common.np)
    if common.category == dtypes.INTEGER and isinstance(x, int):  # wraps around as C does
        return np.asarray(int(x) & 0xFFFFFFFFFFFFFFFF, np.uint64).astype(common.np)
    return np.asarray(x).astype(common.np)


def fill_value(value: Any, kind: np.dtype[Any]) -> Any:
    """A number as elements of NumPy dtype ``kind`` take it: cut for integers, -1 is 255 in uint8.

    Raises:
        ConvgradError: the number does not fit.
    """
    if (kind is F32 or kind is F64) and (type(value) is float or type(value) is int) and -1e38 < value < 1e38:
        return value
    if isinstance(value, complex):
        fits = kind.kind == "c"
    elif kind.kind in "iu":
        limits = np.iinfo(kind)
        low = -int(limits.max) if kind.kind == "u" else int(limits.min)
        fits = bool(np.isfinite(value)) if isinstance(value, (float, np.floating)) else True
        if fits and low <= value <= limits.max:
            return int(value) & int(limits.max) if kind.kind == "u" else int(value)
        fits = False
    elif kind.kind == "b":
        return bool(value)
    else:
        with np.errstate(over="ignore"):
            fits = not abs(value) < np.inf or bool(abs(np.asarray(float(value)).astype(kind)) < np.inf)
    if not fits:
        name = dtypes.from_numpy(kind).name
        word = _C_NAMES.get(name, f"{name}_t")
        raise ConvgradError(
            f"value cannot be converted to type {word} without overflow: {value!r} does not fit torch.{name}"
        )
    return value


def operands(*values: Any, floats: bool = False) -> tuple[Any, ...]:
    """All operands in their common dtype.

    Args:
        values: tensors, numbers or None.
        floats: bool and integers become the default float.
    """
    common = common_dtype(*values)
    if floats and common.category < dtypes.FLOATING:
        common = dtypes.default_dtype()
    return tuple([as_operand(v, common) for v in values])


def run(op: Any, values: tuple[Any, ...], params: tuple[Any, ...] = ()) -> Any:
    """Apply an operator to promoted operands, with PyTorch's error if the shapes do not broadcast."""
    tensor = next(v for v in values if hasattr(v, "_data"))
    try:
        return tensor._apply(op, values, params)
    except ValueError as error:
        if "broadcast" not in str(error):
            raise
        shapes = [v._data.shape if hasattr(v, "_data") else np.shape(v) for v in values if v is not None]
        shapes += [p.shape for p in params if isinstance(p, np.ndarray)]
        raise broadcast_error(*shapes) from None


def broadcast_error(*shapes: tuple[int, ...]) -> ShapeError:
    """The error of shapes that do not broadcast, naming two sizes and the dimension where they part."""
    rank = max([len(s) for s in shapes])
    for i in reversed(range(rank)):
        sizes = [s[i - rank] for s in shapes if len(s) >= rank - i and s[i - rank] != 1]
        if len(set(sizes)) > 1:
            a = sizes[0]
            b = next(n for n in sizes if n != a)
            listed = " and ".join([str(list(s)) for s in shapes])
            return ShapeError(
                f"The size of tensor a ({a}) must match the size of tensor b ({b}) at non-singleton "
                f"dimension {i} (shapes {listed})"
            )
    return ShapeError(f"shapes {' and '.join([str(list(s)) for s in shapes])} cannot be broadcast together")


def plain_target(x: Any, *others: Any) -> bool:
    """Whether x may be written by a bare ufunc: float, contiguous, others alike, nothing recorded."""
    data = x._data
    kind = data.dtype
    if kind is not dtypes.F32 and kind is not dtypes.F64:
        return False
    mode = MODE.get()
    recording = mode != OFF
    if (recording and (mode != RECORD or x._node is not None)) or not data.flags.carray:
        return False
    if x._cell is not None and x._cell.inference:
        return False
    for other in others:
        if hasattr(other, "_data"):
            if other._data.dtype is not kind or (recording and other._node is not None):
                return False
        elif type(other) is not float and type(other) is not int:
            return False
    return True


def check_alpha(common: dtypes.dtype, alpha: Any) -> None:
    """PyTorch's rules for ``alpha``: no float with integers, no bool but with bool."""
    if common.category < dtypes.FLOATING and isinstance(alpha, (float, complex)):
        raise ConvgradError("For integral input tensors, argument alpha must not be a floating point number.")
    if common.category < dtypes.COMPLEX and isinstance(alpha, complex):
        raise ConvgradError("For non-complex input tensors, argument alpha must not be a complex number.")
    if isinstance(alpha, bool) and common is not dtypes.bool_:
        raise ConvgradError("Boolean alpha only supported for Boolean results.")
