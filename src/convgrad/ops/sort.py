"""Order: sorting, the largest k, the k-th, the median, the commonest; NaN is the largest value.

Each picks elements by position (``Pick``), so each is linear once the positions are known. Equal
values keep their order: where PyTorch leaves the position among equals open, ours is the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import F32, F64, Array
from ..kernels import table
from ..kernels.memory import allocator
from .reduce import Pick

Pair = tuple[tuple[Array, Array], tuple[Any, ...]]
_INT64 = np.dtype(np.int64)
_BACKWARDS = slice(None, None, -1)

#: from so many values on a line, and elements in all, a sort costs more than what prepares a better one
_LONG, _MANY = 16, 1024
#: so many of the largest are found one after the other
_FEW = 8


def order(x: Array, axis: int, descending: bool) -> Array:
    """The positions that sort x along ``axis``; equals keep their order, whichever way it goes."""
    key = (slice(None),) * axis + (_BACKWARDS,)
    if x.size >= _MANY and x.shape[axis] >= _LONG:
        ranks = _ranks(x)
        if ranks is not None:
            return _order_by_ranks(~ranks if descending else ranks, axis)
        if x.dtype is F64:
            index = x.argsort(axis)
            if _strictly_rising(
                table.take_along(x, index, axis), axis
            ):  # no equals, whose order might be wrong
                return index[key] if descending else index
    if not descending:
        return x.argsort(axis, "stable")
    return np.subtract(x.shape[axis] - 1, x[key].argsort(axis, "stable")[key])


def _ranks(x: Array) -> Array | None:
    """Integers of 32 bits in the order of x, NaN the largest; None where there are none such."""
    if x.dtype is F32:
        x = x + x.dtype.type(0)  # -0 is 0
        missing = x != x
        if missing.any():
            x[missing] = np.nan  # the one whose bits are the largest
        bits = x.view(np.int32)
        return bits ^ ((bits >> 31) & 0x7FFFFFFF)  # of negative numbers the greater bits are the lesser value
    if x.dtype.kind in "iu":
        low, high = int(x.min()), int(x.max())
        if high - low < 1 << 31 and high < 1 << 63:
            return np.subtract(x, low, dtype=_INT64).astype(np.int32)
    return None


def _strictly_rising(x: Array, axis: int) -> bool:
    n = x.shape[axis]
    return bool((_part(x, axis, 0, n - 1) < _part(x, axis, 1, n)).all())


def _order_by_ranks(ranks: Array, axis: int) -> Array:
    """A stable order from a sort that is not: of numbers with the rank in front of the position.

    NumPy sorts integers with vectors, and needs no second array of positions that moves along.
    """
    keys: Array = allocator(ranks.shape, _INT64)(ranks.shape, _INT64)
    np.left_shift(ranks, 32, out=keys, dtype=_INT64)
    keys |= np.arange(ranks.shape[axis]).reshape((-1,) + (1,) * (ranks.ndim - axis - 1))
    keys.sort(axis)
    keys &= 0xFFFFFFFF
    return keys


def _part(index: Array, axis: int, start: int, stop: int) -> Array:
    return index[(slice(None),) * axis + (slice(start, stop),)]


def _largest(x: Array, axis: int, k: int, largest: bool) -> tuple[Array, Array] | None:
    """The first k of the order, one after the other; None where that does not find them.

    Each that was taken is replaced by -inf, which must not be among them therefore. The smallest are the
    largest of -x, but for NaN.
    """
    line = x.copy(order="C") if largest else np.negative(x, order="C")
    values, places = [], []
    for _ in range(k):
        value, place = table.extreme_along(line, axis, False)
        np.put_along_axis(line, place, -np.inf, axis)
        values.append(value)
        places.append(place)
    found = np.concatenate(values, axis)
    if (found == -np.inf).any() or not (largest or (found == found).all()):
        return None
    return found if largest else -found, np.concatenate(places, axis)


def _of_rank(x: Array, axis: int, k: int) -> Array:
    """Where the value stands that has k others before it in the order."""
    if x.size >= _MANY and x.shape[axis] >= _LONG:
        value = _part(np.partition(x, k, axis), axis, k, k + 1)
        equal = x == value
        # one on each line: no order of equals to keep
        if np.count_nonzero(equal) == value.size and equal.any(axis).all():
            return equal.argmax(axis, keepdims=True)
    return _part(order(x, axis, False), axis, k, k + 1)


class Sort(Pick):
    """All values along one axis in order, and where they stood; equals keep their order."""

    batch = {"axis": "axis"}

    @classmethod
    def choose(cls, x: Array, axis: int, *rest: Any) -> Array:
        return order(x, axis, rest[0])

    @classmethod
    def forward(cls, x: Array, axis: int, descending: bool) -> Pair:
        return cls.pick(x, axis, False, descending)


class SortStable(Sort):
    """The same where ``stable`` was asked for: PyTorch has another name for it."""

    backward_name = "SortBackward1"


class TopK(Pick):
    """The k largest (or smallest) values along one axis, in order, and where they stood."""

    batch = {"axis": "axis"}

    backward_name = "TopkBackward0"

    @classmethod
    def choose(cls, x: Array, axis: int, *rest: Any) -> Array:
        k, largest = rest
        return _part(order(x, axis, largest), axis, 0, k)

    @classmethod
    def found(cls, x: Array, axis: int, *rest: Any) -> tuple[Array, Array]:
        k, largest = rest
        if 0 < k <= _FEW and x.size >= _MANY and x.shape[axis] >= _LONG and x.dtype in (F32, F64):
            pair = _largest(x, axis, k, largest)
            if pair is not None:
                return pair
        return super().found(x, axis, *rest)

    @classmethod
    def forward(cls, x: Array, axis: int, k: int, largest: bool) -> Pair:
        return cls.pick(x, axis, False, k, largest)


class KthValue(Pick):
    """The k-th smallest value (from 1) along one axis and where it stands."""

    batch = {"axis": "axis"}

    backward_name = "KthvalueBackward0"

    @classmethod
    def choose(cls, x: Array, axis: int, *rest: Any) -> Array:
        return _of_rank(x, axis, rest[0] - 1)

    @classmethod
    def forward(cls, x: Array, axis: int, keepdims: bool, k: int) -> Pair:
        return cls.pick(x, axis, not keepdims, k)


class MedianDim(Pick):
    """The middle value along one axis, of an even number the lower one (the first NaN if there is one)."""

    batch = {"axis": "axis"}

    backward_name = "MedianBackward1"

    @classmethod
    def choose(cls, x: Array, axis: int, *rest: Any) -> Array:
        middle = (x.shape[axis] - 1) // 2
        index = _of_rank(x, axis, middle)
        if x.dtype.kind != "f":
            return index
        missing = x != x
        if not missing.any():
            return index
        return np.where(missing.any(axis, keepdims=True), missing.argmax(axis, keepdims=True), index)

    @classmethod
    def forward(cls, x: Array, axis: int, keepdims: bool) -> Pair:
        return cls.pick(x, axis, not keepdims)


class NanMedianDim(MedianDim):
    """The middle one of the values along one axis that are not NaN (of an even number the lower one)."""

    batch = {"axis": "axis"}

    backward_name = "NanmedianBackward1"

    @classmethod
    def choose(cls, x: Array, axis: int, *rest: Any) -> Array:
        present = np.sum(x == x, axis=axis, keepdims=True)  # NaN stand last
        return np.take_along_axis(order(x, axis, False), np.maximum(present - 1, 0) // 2, axis)


class Mode(Pick):
    """The commonest value along one axis, the smallest of those, and its last position."""

    batch = {"axis": "axis"}

    @classmethod
    def choose(cls, x: Array, axis: int, *rest: Any) -> Array:
        index = np.moveaxis(order(x, axis, False), axis, -1)
        values = np.take_along_axis(np.moveaxis(x, axis, -1), index, -1)
        starts = np.ones(values.shape, bool)
        starts[..., 1:] = values[..., 1:] != values[..., :-1]
        place = np.broadcast_to(np.arange(values.shape[-1]), values.shape)
        run = place - np.maximum.accumulate(np.where(starts, place, 0), axis=-1)
        ends = np.argmax(run, axis=-1, keepdims=True)  # the first of the longest runs, at its last place
        return np.moveaxis(np.take_along_axis(index, ends, -1), -1, axis)

    @classmethod
    def forward(cls, x: Array, axis: int, keepdims: bool) -> Pair:
        return cls.pick(x, axis, not keepdims)
