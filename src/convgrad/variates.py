"""Random numbers from uniform ones: the dtypes, checks and arithmetic that ``Generator`` draws with."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from .dtypes import Array
from .errors import ConvgradError, DtypeError

Shape = int | Sequence[int]

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOAT16 = np.dtype(np.float16)
FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
INT64 = np.dtype(np.int64)
FLOATS = (FLOAT32, FLOAT64, FLOAT16, BFLOAT16)
COMPLEX_PARTS: dict[Any, np.dtype[Any]] = {np.dtype(np.complex64): FLOAT32, np.dtype(np.complex128): FLOAT64}
DIGITS: dict[Any, int] = {FLOAT16: 11, BFLOAT16: 8, FLOAT32: 24, FLOAT64: 53}
"""Bits of the significand: ``0 .. 2**digits`` are the integers that a float dtype holds without a gap."""
LARGEST: dict[Any, float] = {
    FLOAT16: 65504.0,
    BFLOAT16: (2 - 2.0**-7) * 2.0**127,
    FLOAT32: (2 - 2.0**-23) * 2.0**127,
    FLOAT64: (2 - 2.0**-52) * 2.0**1023,
}

BLOCK = 16
"""Normal numbers are made 16 at a time, from 8 radii and 8 angles."""


def numel(shape: tuple[int, ...]) -> int:
    """Number of elements; a negative length is an error."""
    for length in shape:
        if length < 0:
            raise ConvgradError(f"Trying to create tensor with negative dimension {length}: {list(shape)}")
    return math.prod(shape)


def shape_of(shape: Shape) -> tuple[int, ...]:
    """A shape from a length or several."""
    return (operator.index(shape),) if isinstance(shape, int | np.integer) else tuple(shape)


def float_dtype(name: str, dtype: Any) -> np.dtype[Any]:
    """``dtype`` as a real floating ``np.dtype``; anything else has no continuous distribution."""
    found = np.dtype(dtype)
    if found not in FLOATS:
        raise DtypeError(f'"{name}" not implemented for {found}: it needs a floating point dtype')
    return found


def fused(x: Array, scale: float, offset: float) -> Array:
    """``x * scale + offset`` in float64, rounded once as a fused multiply-add does.

    Both rounding errors are computed exactly and added at the end (Dekker 1971, Knuth TAOCP 2, 4.2.2).
    """
    splitter = 134217729.0  # 2**27 + 1
    t = x * splitter
    x_high = t - (t - x)
    x_low = x - x_high
    t0 = scale * splitter
    s_high = t0 - (t0 - scale)
    s_low = scale - s_high
    product = x * scale
    product_error = ((x_high * s_high - product) + x_high * s_low + x_low * s_high) + x_low * s_low
    total = product + offset
    part = total - product
    total_error = (product - (total - part)) + (offset - part)
    return total + (total_error + product_error)


def box_muller(uniforms: Array, mean: float, std: float) -> Array:
    """Normal numbers from rows of 16 uniform ones: 8 radii, then 8 angles (Box & Muller 1958)."""
    half = BLOCK // 2
    out = np.empty_like(uniforms)
    radius = np.sqrt(-2 * np.log(1 - uniforms[:, :half])) * uniforms.dtype.type(std)
    angle = uniforms[:, half:] * uniforms.dtype.type(2 * math.pi)
    np.multiply(radius, np.cos(angle), out=out[:, :half])
    np.multiply(radius, np.sin(angle), out=out[:, half:])
    if mean:
        out += uniforms.dtype.type(mean)
    return out


def integer_limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Smallest and largest integer that a fill with whole numbers may produce in ``dtype``."""
    if dtype == np.bool_:
        return 0, 1
    if dtype in FLOATS:
        return -(1 << DIGITS[dtype]), 1 << DIGITS[dtype]
    if dtype.kind not in "iu":
        raise DtypeError(f'"random_" not implemented for {dtype}')
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def check_range(low: int, high: int, dtype: np.dtype[Any]) -> None:
    """Bounds as ``random_(low, high)`` asks for them; floats may also hold what they round to."""
    if low >= high:
        raise ConvgradError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    smallest: float
    largest: float
    if dtype in FLOATS:
        smallest, largest = -LARGEST[dtype], LARGEST[dtype]
    else:
        smallest, largest = integer_limits(dtype)
    if not smallest <= low <= largest:
        raise ConvgradError(f"from is out of bounds for {dtype}: {low}")
    if not smallest <= high - 1 <= largest:
        raise ConvgradError(f"to - 1 is out of bounds for {dtype}: {high - 1}")
