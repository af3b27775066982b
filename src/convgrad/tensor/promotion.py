"""Promotion of operands: which dtype they meet in, and the operands in that dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from .. import dtypes
from ..dtypes import BF16, F16, F32, F64, Array, result_dtype, scalar_dtype
from ..errors import DtypeError
from .methods.base import NUMBERS


def promote(a: Any, b: Any) -> tuple[Any, Any, dtypes.dtype]:
    """Two operands (tensors or numbers) as arrays of their common dtype; numbers become 0-d arrays."""
    common = common_dtype(a, b)
    return as_common(a, common), as_common(b, common), common


_COMMON: dict[Any, dtypes.dtype] = {}


def common_dtype(a: Any, b: Any) -> dtypes.dtype:
    """The dtype two operands are promoted to; remembered by their dtypes and kinds."""
    key = (_kind(a), _kind(b), dtypes.default_dtype())
    common = _COMMON.get(key)
    if common is None:
        common = _COMMON[key] = result_dtype(*_kinds((a, b)))
    return common


def _kind(x: Any) -> Any:
    """All that promotion asks of an operand: dtype and whether it has dimensions, or its Python type."""
    return (x._data.dtype, x._data.ndim > 0) if hasattr(x, "_data") else type(x)


def _kinds(operands: Sequence[Any]) -> tuple[list[dtypes.dtype], list[dtypes.dtype], list[dtypes.dtype]]:
    dims: list[dtypes.dtype] = []
    zero: list[dtypes.dtype] = []
    numbers: list[dtypes.dtype] = []
    for x in operands:
        if hasattr(x, "_data"):
            (dims if x._data.ndim else zero).append(dtypes.from_numpy(x._data.dtype))
        elif isinstance(x, NUMBERS):
            numbers.append(scalar_dtype(x))  # type: ignore[arg-type]
        else:
            raise DtypeError(
                f"unsupported operand type(s): expected a Tensor or a number, but got {type(x).__name__}"
            )
    return dims, zero, numbers


def as_common(x: Any, common: dtypes.dtype) -> Any:
    """An operand as an array of the common dtype; Python ints wrap around as in C."""
    if hasattr(x, "_data"):
        return x._data if x._data.dtype is common.np else x._data.astype(common.np)
    if common.category == dtypes.INTEGER and type(x) is int:  # wraps around as C does
        return np.asarray(x & 0xFFFFFFFFFFFFFFFF, np.uint64).astype(common.np)
    return np.asarray(x).astype(common.np)


def half_dtype(arrays: Sequence[Any]) -> np.dtype[Any] | None:
    """The half-precision dtype a result must be rounded to once, if the operands have one (R6)."""
    for a in arrays:
        if type(a) is ndarray:
            dtype = a.dtype
            if dtype is BF16 or dtype is F16:
                return dtype
    return None


# A ufunc takes a 0-d array 170 ns sooner than a Python number, forward and backward: keep the usual ones.
CONSTANTS: dict[np.dtype[Any], dict[Any, Array]] = {F32: {}, F64: {}}


def constant(value: float, dtype: np.dtype[Any]) -> Any:
    """A number as a read-only 0-d array of ``dtype``; zeros stay numbers, since 0.0 == -0.0."""
    if not value:
        return value
    array = np.array(value, dtype)
    array.flags.writeable = False
    known = CONSTANTS[dtype]
    if len(known) < 1024:
        known[value] = array
    return array
