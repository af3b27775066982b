"""In which order a tensor is filled: PyTorch goes through memory, not through indices.

The first number drawn goes to the first element in memory. For a contiguous tensor that is the order of the
indices; a transposed or permuted one is filled along its longest strides first. The rules for strides that
are equal or 0 (expanded tensors) were found by experiment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import Array

Strides = tuple[int, ...]


def _outer(first: int, second: int, shape: tuple[int, ...], operands: tuple[Strides, ...]) -> int:
    """1 if dimension ``first`` goes outside of ``second``, -1 if inside, 0 if the strides do not say."""
    for strides in operands:
        if strides[first] == 0 or strides[second] == 0:
            continue  # an expanded dimension says nothing; another operand may
        if strides[first] != strides[second]:
            return 1 if strides[first] > strides[second] else -1
        if shape[first] > shape[second]:
            return 1
    return 0


def memory_order(shape: tuple[int, ...], *operands: Strides) -> tuple[int, ...]:
    """The dimensions from the outermost loop to the innermost; earlier operands decide before later ones.

    Example:
        >>> memory_order((3, 4), (1, 3))
        (1, 0)
    """
    inner = list(range(len(shape)))[::-1]  # innermost first, as the indices would have it
    for start in range(1, len(inner)):
        moved = start
        for other in range(start - 1, -1, -1):
            verdict = _outer(inner[other], inner[moved], shape, operands)
            if verdict > 0:
                inner[other], inner[moved] = inner[moved], inner[other]
                moved = other
            elif verdict < 0:
                break
    return tuple(inner[::-1])


def _permuted(shape: tuple[int, ...], order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple([shape[axis] for axis in order])


def _back(values: Array, order: tuple[int, ...]) -> Array:
    return values.transpose(np.argsort(order))


def is_plain(x: Array) -> bool:
    """Whether the order of x's indices is that of its memory."""
    return x.ndim < 2 or bool(x.flags.c_contiguous)


def drawn_into(target: Array, draw: Callable[[tuple[int, ...]], Array]) -> Array:
    """``draw(shape)`` arranged so that the numbers follow the memory of ``target``; of target's shape."""
    if is_plain(target):
        return draw(target.shape)
    order = memory_order(target.shape, target.strides)
    return _back(draw(_permuted(target.shape, order)), order)


def drawn_beside(target: Array, p: Array, draw: Callable[[Array], Array]) -> Array:
    """``draw(p)`` with ``p``, of target's shape, taken in the order of the memory of ``target``."""
    if is_plain(target):
        return draw(p)
    order = memory_order(target.shape, target.strides, p.strides)
    return _back(draw(np.ascontiguousarray(p.transpose(order))), order)


def empty_as(x: Array, dtype: Any = None) -> Array:
    """Memory without gaps in x's shape and order of dimensions: what ``empty_like`` makes."""
    kind = x.dtype if dtype is None else dtype
    if is_plain(x):
        return np.empty(x.shape, kind)
    order = memory_order(x.shape, x.strides)
    return _back(np.empty(_permuted(x.shape, order), kind), order)
