"""What the draws ask of shapes, dtypes and bounds, with PyTorch's messages."""

from __future__ import annotations

import functools
import math
import operator
import warnings
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from ..dtypes import Array, unsupported
from ..errors import ConvgradError

Shape = int | Sequence[int]

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOAT16 = np.dtype(np.float16)
FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
INT64 = np.dtype(np.int64)
FLOATS = (FLOAT32, FLOAT64, FLOAT16, BFLOAT16)
#: complex dtypes and that of their parts
COMPLEX: dict[Any, np.dtype[Any]] = {np.dtype(np.complex64): FLOAT32, np.dtype(np.complex128): FLOAT64}
#: bits of the significand: ``0 .. 2**digits`` are the integers that a float dtype holds without a gap
DIGITS: dict[Any, int] = {FLOAT16: 11, BFLOAT16: 8, FLOAT32: 24, FLOAT64: 53}
LARGEST: dict[Any, float] = {
    FLOAT16: 65504.0,
    BFLOAT16: (2 - 2.0**-7) * 2.0**127,
    FLOAT32: (2 - 2.0**-23) * 2.0**127,
    FLOAT64: (2 - 2.0**-52) * 2.0**1023,
}


def numel(shape: tuple[int, ...]) -> int:
    """Number of elements; a negative length is an error."""
    for length in shape:
        if length < 0:
            raise ConvgradError(f"Trying to create tensor with negative dimension {length}: {list(shape)}")
    return math.prod(shape)


def as_shape(shape: Shape) -> tuple[int, ...]:
    """A shape as a tuple; an int stands for one dimension."""
    if type(shape) is tuple:
        return shape
    return (operator.index(shape),) if isinstance(shape, int | np.integer) else tuple(shape)


def float_dtype(name: str, dtype: Any) -> np.dtype[Any]:
    """``dtype`` as a real floating ``np.dtype``; anything else has no continuous distribution."""
    found = np.dtype(dtype)
    if found not in FLOATS:
        raise unsupported(name, found)
    return found


def rounded(values: Array, dtype: np.dtype[Any]) -> Array:
    """float64 numbers in another dtype; those of 16 bits by way of float32, as in PyTorch."""
    if dtype.itemsize == 2 and dtype in FLOATS:
        values = values.astype(np.float32, copy=False)
    return values if values.dtype is dtype else values.astype(dtype, copy=False)


@functools.cache
def integer_limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Smallest and largest integer that a fill with whole numbers may produce in ``dtype``."""
    if dtype == np.bool_:
        return 0, 1
    if dtype in FLOATS:
        return -(1 << DIGITS[dtype]), 1 << DIGITS[dtype]
    if dtype.kind not in "iu":
        raise unsupported("random_kernel_cpu", dtype)
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def _gap(number: int, dtype: np.dtype[Any]) -> int:
    """Distance of neighbours among the floats of ``dtype`` near a number that lies between two of them."""
    return 1 << max(abs(number).bit_length() - DIGITS[dtype], 0)


def representable_low(low: int, dtype: np.dtype[Any]) -> int:
    """``low``, or the next integer up whose successor does not round to below ``low`` in ``dtype``."""
    rounded = float(dtype.type(low + 1))
    if math.isfinite(rounded) and int(rounded) < low:
        return int(rounded) + _gap(low + 1, dtype)
    return low


def representable_high(high: int, dtype: np.dtype[Any]) -> int:
    """``high``, or one lower, so that no number below it rounds up to it in ``dtype``."""
    rounded = float(dtype.type(high - 1))
    if math.isfinite(rounded) and int(rounded) >= high:
        return int(rounded) - _gap(high - 1, dtype)
    return high


def check_range(low: int, high: int, dtype: np.dtype[Any]) -> tuple[int, int]:
    """Bounds as ``random_(low, high)`` asks for them; those of floats moved to what the dtype tells apart."""
    if low >= high:
        raise ConvgradError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    if dtype.kind == "c":
        raise ConvgradError("check_random_bounds handles only integral, floating-point and boolean types")
    smallest: float
    largest: float
    floating = dtype.kind not in "biu" and dtype in FLOATS
    if floating:
        low, high = representable_low(low, dtype), representable_high(high, dtype)
        if low >= high:
            raise ConvgradError(
                "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but got "
                f"from={low} >= to={high} ({dtype})"
            )
        smallest, largest = -LARGEST[dtype], LARGEST[dtype]
    else:
        smallest, largest = integer_limits(dtype)
    for name, bound in (("from", low), ("to - 1", high - 1)):
        if not smallest <= bound <= largest:
            raise ConvgradError(f"{name} is out of bounds for {dtype}: {bound}")
        if floating and abs(bound) > 1 << DIGITS[dtype]:
            digits = DIGITS[dtype]
            warnings.warn(
                f"{name} is out of bounds [-(2^{digits}), 2^{digits}]: {dtype} holds only some of the "
                "integers there",
                stacklevel=4,
            )
    return low, high
