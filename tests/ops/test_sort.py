"""Order: the quick ways beside a stable sort, with equal values, NaN, infinities and zeros of both signs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convgrad.ops import sort

KINDS = ["random", "repeated", "special", "mostly infinite"]
by_kind = pytest.mark.parametrize("kind", KINDS)
by_dtype = pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "i8", "i4", "i1", "u1", "u8", "?"])
by_shape = pytest.mark.parametrize(
    ("shape", "axis"), [((64, 40), 1), ((40, 64), 0), ((8, 33, 9), 1), ((2_000,), 0), ((3, 4), 1)], ids=str
)


def drawn(shape: tuple[int, ...], dtype: str, kind: str) -> Any:
    rng = np.random.default_rng(len(kind))
    x = rng.standard_normal(shape) * (1 if "f" in dtype else 1_000)
    if kind == "repeated":
        x = np.round(x / (1 if "f" in dtype else 300))
    if "f" in dtype and kind == "special":
        for value in (np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0):
            x.flat[rng.integers(0, x.size, 1 + x.size // 40)] = value
    if "f" in dtype and kind == "mostly infinite":
        x = np.where(rng.random(shape) < 0.4, -np.inf, np.where(rng.random(shape) < 0.7, np.inf, x))
    with np.errstate(all="ignore"):
        return x.astype(dtype)


def in_order(x: Any, axis: int, descending: bool) -> Any:
    """The definition: a stable sort, from the end of what stands the other way round."""
    if not descending:
        return np.argsort(x, axis, "stable")
    return x.shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis, "stable"), axis)


@by_kind
@by_dtype
@by_shape
def test_what_is_picked_by_order(shape: tuple[int, ...], axis: int, dtype: str, kind: str) -> None:
    x = drawn(shape, dtype, kind)
    before = x.copy()
    for descending in (False, True):
        expected = in_order(x, axis, descending)
        np.testing.assert_array_equal(sort.order(x, axis, descending), expected)
        for k in (0, 1, 2, min(9, shape[axis])):
            (values, places), _ = sort.TopK.forward(x, axis, k, descending)
            np.testing.assert_array_equal(places, expected.take(range(k), axis))
            np.testing.assert_array_equal(values, np.take_along_axis(x, places, axis))
            assert values.dtype == x.dtype and places.dtype == np.int64
    rising = in_order(x, axis, False)
    for k in (1, 2, shape[axis]):
        (values, places), _ = sort.KthValue.forward(x, axis, True, k)
        np.testing.assert_array_equal(places, rising.take([k - 1], axis))
        np.testing.assert_array_equal(values, np.take_along_axis(x, places, axis))
    middle = rising.take([(shape[axis] - 1) // 2], axis)
    missing = x != x
    middle = np.where(missing.any(axis, keepdims=True), missing.argmax(axis, keepdims=True), middle)
    np.testing.assert_array_equal(sort.MedianDim.forward(x, axis, True)[0][1], middle)
    np.testing.assert_array_equal(x, before)


def test_integers_too_far_apart_for_ranks() -> None:
    x = np.random.default_rng(0).integers(-(1 << 62), 1 << 62, (8, 200))
    x[:, ::7] = x[:, :1]
    np.testing.assert_array_equal(sort.order(x, 1, True), in_order(x, 1, True))
    x = x.astype(np.uint64) | np.uint64(1 << 63)
    np.testing.assert_array_equal(sort.order(x, 1, False), in_order(x, 1, False))
