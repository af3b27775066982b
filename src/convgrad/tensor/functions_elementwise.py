"""Elementwise functions that have no tensor to be a method of, or take a number first.

Those of one tensor are generated from the methods.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import F32, F64
from ..errors import ConvgradError
from ..graph.grad_mode import MODE, RECORD
from ..kernels import table
from ..ops import complex as cplx
from ..ops import elementwise as ew
from ..ops import special
from .methods.base import NUMBERS
from .methods.operands import as_operand, check_operand, check_tensor, common_dtype, operands, run
from .methods.special import check_condition
from .out import into
from .tensor import Tensor, apply


def _tensor_first(name: str, input: Any) -> Any:
    """A number in a tensor's place becomes a 0-d tensor that promotes like a number as far as one can."""
    if isinstance(input, Tensor):
        return input
    check_operand(name, input, "input")
    return Tensor(np.asarray(input).astype(dtypes.scalar_dtype(input).np), None)


def where(condition: Tensor, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """``input`` where ``condition`` holds, else ``other``.

    Args:
        condition: bool, any shape that broadcasts.
        input: tensor or number; with ``other`` it is promoted to one dtype.
        other: tensor or number.
    Returns:
        A tensor of the broadcast shape; of ``where(condition)`` alone, the tuple of index tensors
        (int64, one per dimension) at which the condition holds.
    Raises:
        ConvgradError: the condition is not bool.
    Example:
        >>> where(Tensor(np.array([True, False]), None), 1.0, 0.0).tolist()
        [1.0, 0.0]
    """
    if out is not None:
        return into("where", where, out, (condition, input, other), {})
    if input is None and other is None:
        check_tensor("where", condition, "condition")
        return condition.nonzero(as_tuple=True)
    data = check_condition(condition)
    chosen = _choose(data, input, other)
    if chosen is not None:
        return chosen
    for value, name in ((input, "input"), (other, "other")):
        check_operand("where", value, name)
    common = common_dtype(input, other)
    pair = (as_operand(input, common), as_operand(other, common))
    if isinstance(input, Tensor) or isinstance(other, Tensor):
        return run(ew.Where, pair, (data,))
    return apply(ew.Where, pair, (data,))


def _choose(condition: Any, a: Any, b: Any) -> Any:
    """``where`` of three arrays of one shape, two of them float tensors without history; else None."""
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return None
    x, y, mode = a._data, b._data, MODE.get()
    dtype = x.dtype
    if (dtype is not F32 and dtype is not F64) or y.dtype is not dtype or x.shape != y.shape:
        return None
    if mode > RECORD or (mode == RECORD and (a._node is not None or b._node is not None)):
        return None
    return Tensor(table.select(condition, x, y), None) if condition.shape == x.shape else None


def add(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """``input + alpha * other``; either may be a number."""
    if out is not None:
        return into("add", add, out, (input, other), {"alpha": alpha})
    return (
        _tensor_first("add", input).add(other, alpha=alpha)
        if not _swapped(input, other)
        else other * alpha + input
    )


def sub(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """``input - alpha * other``; either may be a number."""
    if out is not None:
        return into("sub", sub, out, (input, other), {"alpha": alpha})
    if _swapped(input, other):
        return input - (other if alpha == 1 else other * alpha)
    return _tensor_first("sub", input).sub(other, alpha=alpha)


def mul(input: Any, other: Any, *, out: Any = None) -> Any:
    """``input * other``; either may be a number."""
    if out is not None:
        return into("mul", mul, out, (input, other), {})
    return other * input if _swapped(input, other) else _tensor_first("mul", input).mul(other)


def div(input: Any, other: Any, *, rounding_mode: Any = None, out: Any = None) -> Any:
    """``input / other``; either may be a number."""
    if out is not None:
        return into("div", div, out, (input, other), {"rounding_mode": rounding_mode})
    if _swapped(input, other) and rounding_mode is None:
        return input / other
    return _tensor_first("div", input).div(other, rounding_mode=rounding_mode)


def _swapped(input: Any, other: Any) -> bool:
    return isinstance(input, NUMBERS) and isinstance(other, Tensor)


def pow(input: Any, exponent: Any) -> Any:
    """``input ** exponent``; one of them is a tensor, the other a tensor or a number."""
    if not isinstance(input, Tensor) and not isinstance(exponent, Tensor):
        raise TypeError(
            f"pow() received an invalid combination of arguments - got ({type(input).__name__}, "
            f"{type(exponent).__name__}), but one of them must be a Tensor"
        )
    return input.pow(exponent) if isinstance(input, Tensor) else input**exponent


def remainder(input: Any, other: Any) -> Any:
    """``input - other floor(input / other)``; one of them may be a number."""
    return input.remainder(other) if isinstance(input, Tensor) else input % other


def xlogy(input: Any, other: Any) -> Any:
    """``input log(other)``, and 0 where input is 0; one of them may be a number."""
    if isinstance(input, Tensor):
        return input.xlogy(other)
    check_tensor("xlogy", other)
    return run(special.XLogYFirst, operands(input, other, floats=True))


def polygamma(n: int, input: Tensor) -> Any:
    """The n-th derivative of ``digamma`` at ``input``; n = 0 is digamma itself."""
    if not isinstance(n, int):
        raise TypeError(f"polygamma(): argument 'n' (position 1) must be int, not {type(n).__name__}")
    check_tensor("polygamma", input, "input")
    return input.polygamma(n)


def complex(real: Tensor, imag: Tensor) -> Any:
    """``real + i imag`` from two float32 or two float64 tensors."""
    for part, name in ((real, "real"), (imag, "imag")):
        check_tensor("complex", part, name)
        if part._data.dtype not in (dtypes.F32, dtypes.F64):
            raise ConvgradError(
                f"Expected both inputs to be Half, Float or Double tensors but got {part.dtype}"
            )
    if real._data.dtype != imag._data.dtype:
        raise ConvgradError(f"Expected object of scalar type {real.dtype} but got scalar type {imag.dtype}")
    return run(cplx.Complex, (real, imag))


def polar(abs: Tensor, angle: Tensor) -> Any:
    """``abs (cos angle + i sin angle)`` from two float32 or two float64 tensors; the angle in radians."""
    for part, name in ((abs, "abs"), (angle, "angle")):
        check_tensor("polar", part, name)
    for part in (abs, angle):
        if part._data.dtype not in (dtypes.F32, dtypes.F64):
            raise ConvgradError(
                f"Expected both inputs to be Half, Float or Double tensors but got {part.dtype}"
            )
    if abs._data.dtype != angle._data.dtype:
        raise ConvgradError(f"Expected object of scalar type {abs.dtype} but got scalar type {angle.dtype}")
    return run(cplx.Polar, (abs, angle))


def real(input: Tensor) -> Any:
    """The real part, a view; of a real tensor the tensor itself."""
    return input.real


def imag(input: Tensor) -> Any:
    """The imaginary part of a complex tensor, a view."""
    return input.imag


def view_as_real(input: Tensor) -> Any:
    """A complex tensor as a real view with a last dimension of size 2."""
    if input._data.dtype.kind != "c":
        raise ConvgradError(f"view_as_real is only supported for complex tensors, but got {input.dtype}")
    return apply(cplx.ViewAsReal, (input,))


def view_as_complex(input: Tensor) -> Any:
    """A real tensor whose last dimension has size 2 as a complex view."""
    data = input._data
    if data.dtype not in (dtypes.F32, dtypes.F64):
        raise ConvgradError(
            f"view_as_complex is only supported for half, float and double tensors, but got {input.dtype}"
        )
    if data.ndim == 0 or data.shape[-1] != 2:
        raise ConvgradError(f"Tensor must have a last dimension of size 2, but got shape {list(data.shape)}")
    if data.size and data.strides[-1] != data.itemsize:
        raise ConvgradError(
            "Tensor must have a last dimension with stride 1 (view_as_complex); make it contiguous() first"
        )
    return apply(cplx.ViewAsComplex, (input,))


def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """The dtype an operation on two tensors or numbers would give."""
    for value in (tensor1, tensor2):
        check_operand("result_type", value)
    return common_dtype(tensor1, tensor2)


subtract, multiply, divide, true_divide = sub, mul, div, div

__all__ = [
    "add", "complex", "div", "divide", "imag", "mul", "multiply", "polar", "polygamma", "pow", "real",
    "remainder", "result_type", "sub", "subtract", "true_divide", "view_as_complex",
    "view_as_real", "where", "xlogy",
]  # fmt: skip
