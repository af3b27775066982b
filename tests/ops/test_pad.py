"""Borders written out one after the other, beside the positions they are taken from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convgrad.ops import pad

WIDTHS = [
    ((1, 2),), ((0, 3),), ((2, 0), (0, 1)), ((0, 0), (1, 2)), ((0, 0), (2, 1), (1, 0)), ((0, 0), (0, 0), (3, 3)),
    ((0, 0), (0, 0), (1, 1), (2, 0)), ((1, 0), (0, 2), (1, 1)), ((0, 0), (1, 1), (1, 2), (2, 1)),
]  # fmt: skip


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64])
def test_borders_and_their_adjoint(widths: pad.Widths, mode: str, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    shape = (4, 5, 6, 7)[: len(widths)]
    for order in ("C", "F"):
        x = np.asarray(rng.integers(-9, 9, shape), dtype, order=order)  # whole numbers: sums are exact
        expected = x
        for axis, (before, after) in enumerate(widths):
            expected = np.take(expected, pad.sources(shape[axis], before, after, mode), axis)
        found, saved = pad.Border.forward(x, widths, mode)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, expected)

        g = np.asarray(rng.integers(-9, 9, expected.shape), dtype, order=order)
        kept = g.copy()
        pulled = pad.Border.vjp_x(g, *saved)
        assert pulled.dtype == dtype and pulled.shape == shape
        assert (g * expected).sum() == (pulled * x).sum()
        np.testing.assert_array_equal(g, kept)


def test_cut_and_empty_arrays() -> None:
    x = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(
        pad.Border.forward(x, ((0, 0), (-1, 2)), "reflect")[0], x[:, [1, 2, 3, 2, 1]]
    )
    assert pad.Border.forward(np.zeros((0, 4)), ((0, 0), (1, 1)), "circular")[0].shape == (0, 6)
    np.testing.assert_array_equal(pad.Border.forward(x, ((0, 0), (0, 0)), "circular")[0], x)
