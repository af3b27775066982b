"""Arrays between borders of one value, on compiled kernels."""

from __future__ import annotations

from math import prod
from typing import Any

from convgrad.dtypes import F32, F64, Array
from convgrad.kernels import padding
from convgrad.kernels.machine import _native, instruction_set
from convgrad.kernels.memory import allocator
from convgrad.kernels.padding import Widths

instruction_set()
#: elements from which the compiled kernel is quicker than a few slices
_LEAST = 1 << 12


def pad(x: Array, widths: Widths, value: Any) -> Array:
    """``padding.pad``, compiled for float32 and float64 where no more than the last three axes are padded."""
    if x.size < _LEAST or x.dtype not in (F32, F64):
        return padding.pad(x, widths, value)
    shape = tuple([n + a + b for n, (a, b) in zip(x.shape, widths, strict=True)])
    kept = max(len(shape) - 3, 0)
    if 0 in shape or any(a or b for a, b in widths[:kept]):
        return padding.pad(x, widths, value)
    lead, front = prod(shape[:kept]), (1,) * (3 - len(shape) + kept)
    numbers = (
        lead, *front, *x.shape[kept:], lead, *front, *shape[kept:],
        0, *(0,) * len(front), *[a for a, _ in widths[kept:]],
    )  # fmt: skip
    out: Array = allocator(shape, x.dtype)(shape, x.dtype)
    try:
        _native.pad_with_value(x, out, float(value), numbers, x.dtype == F64)
    except TypeError:  # not as the kernel reads it: slices copy what is strided as well
        return padding.pad(x, widths, value)
    return out
