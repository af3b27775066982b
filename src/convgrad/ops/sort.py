"""Order: sorting, the largest k, the k-th, the median, the commonest; NaN is the largest value.

Each picks elements by position (``Pick``), so each is linear once the positions are known. Equal
values keep their order: where PyTorch leaves the position among equals open, ours is the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array
from .reduce import Pick

Pair = tuple[tuple[Array, Array], tuple[Any, ...]]


def order(x: Array, axis: int, descending: bool) -> Array:
    """The positions that sort x along ``axis``; equals keep their order, whichever way it goes."""
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    backwards = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return np.subtract(x.shape[axis] - 1, np.flip(backwards, axis))


def _part(index: Array, axis: int, start: int, stop: int) -> Array:
    return index[(slice(None),) * axis + (slice(start, stop),)]


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
    def forward(cls, x: Array, axis: int, k: int, largest: bool) -> Pair:
        return cls.pick(x, axis, False, k, largest)


class KthValue(Pick):
    """The k-th smallest value (from 1) along one axis and where it stands."""

    batch = {"axis": "axis"}

    backward_name = "KthvalueBackward0"

    @classmethod
    def choose(cls, x: Array, axis: int, *rest: Any) -> Array:
        k = rest[0]
        return _part(order(x, axis, False), axis, k - 1, k)

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
        index = _part(order(x, axis, False), axis, middle, middle + 1)
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
