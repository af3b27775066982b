"""Steps of optimisers and clipping on compiled kernels: one pass over all arrays, shared among threads.

Same signatures as ``steps``, and the same bits; ``steps`` computes what these do not: other dtypes, arrays
with gaps.
"""

from __future__ import annotations

from typing import Any

from convgrad.dtypes import F32, F64
from convgrad.kernels import steps
from convgrad.kernels.machine import _native, instruction_set
from convgrad.kernels.steps import Arrays, Options

__all__ = ["adagrad", "adam", "clamp_all", "fill_all", "rmsprop", "scale_all", "sgd", "sum_of_squares"]

instruction_set()  # makes it the one in use

_SGD, _ADAM, _RMSPROP, _ADAGRAD = range(4)
_MULTIPLY, _CLAMP, _FILL = range(3)


def sgd(
    options: Options, ascend: bool, params: Arrays, grads: Arrays, kept: list[Arrays], counts: None = None
) -> None:  # fmt: skip
    """``steps.sgd``."""
    _step(_SGD, steps.sgd, options, ascend, params, grads, kept, counts)


def adam(
    options: Options, ascend: bool, params: Arrays, grads: Arrays, kept: list[Arrays], counts: Arrays
) -> None:  # fmt: skip
    """``steps.adam``."""
    _step(_ADAM, steps.adam, options, ascend, params, grads, kept, counts)


def rmsprop(
    options: Options, ascend: bool, params: Arrays, grads: Arrays, kept: list[Arrays], counts: Arrays
) -> None:  # fmt: skip
    """``steps.rmsprop``."""
    _step(_RMSPROP, steps.rmsprop, options, ascend, params, grads, kept, counts)


def adagrad(
    options: Options, ascend: bool, params: Arrays, grads: Arrays, kept: list[Arrays], counts: Arrays
) -> None:  # fmt: skip
    """``steps.adagrad``."""
    _step(_ADAGRAD, steps.adagrad, options, ascend, params, grads, kept, counts)


def _step(
    number: int, definition: Any, options: Options, ascend: bool, params: Arrays, grads: Arrays,
    kept: list[Arrays], counts: Any,
) -> None:  # fmt: skip
    dtype = params[0].dtype if params else None
    if dtype is F32 or dtype is F64:
        try:
            _native.step_arrays(number, dtype is F64, options, ascend, params, grads, kept, counts)
            return
        except (TypeError, ValueError):
            pass  # nothing was changed
        if len(params) > 1:  # most of them may still be as the kernel wants them
            _one_by_one(number, definition, options, ascend, params, grads, kept, counts)
            return
    definition(options, ascend, params, grads, kept, counts)


def _one_by_one(
    number: int, definition: Any, options: Options, ascend: bool, params: Arrays, grads: Arrays,
    kept: list[Arrays], counts: Any,
) -> None:  # fmt: skip
    for i, data in enumerate(params):
        own = None if counts is None else [counts[i]]
        lists = [column[i : i + 1] for column in kept]
        _step(number, definition, options, ascend, [data], [grads[i]], lists, own)


def _wide(arrays: Arrays) -> bool | None:
    """Whether all are float64; None if they are neither that nor float32."""
    kinds = {a.dtype for a in arrays}
    return None if len(kinds) != 1 or kinds.isdisjoint((F32, F64)) else F64 in kinds


def sum_of_squares(arrays: Arrays) -> float:
    """``steps.sum_of_squares``."""
    wide = _wide(arrays)
    if wide is not None:
        try:
            return _native.sum_of_squares(wide, arrays)
        except TypeError:
            pass
    return steps.sum_of_squares(arrays)


def scale_all(arrays: Arrays, factor: float) -> None:
    """``steps.scale_all``."""
    if not _changed(_MULTIPLY, arrays, factor, 0.0):
        steps.scale_all(arrays, factor)


def fill_all(arrays: Arrays, value: float) -> None:
    """``steps.fill_all``."""
    if not _changed(_FILL, arrays, value, 0.0):
        steps.fill_all(arrays, value)


def clamp_all(arrays: Arrays, low: float, high: float) -> None:
    """``steps.clamp_all``."""
    if low != low or high != high or not _changed(_CLAMP, arrays, low, high):
        steps.clamp_all(arrays, low, high)


def _changed(change: int, arrays: Arrays, a: float, b: float) -> bool:
    wide = _wide(arrays)
    if wide is None:
        return False
    try:
        _native.change_arrays(change, wide, arrays, a, b)
        return True
    except TypeError:
        return False
