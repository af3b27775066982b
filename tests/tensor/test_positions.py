"""Where something holds, which values there are, one-hot rows: small and large, beside NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import convgrad as torch
from convgrad.nn import functional as F


@pytest.mark.parametrize(
    "shape", [(), (5,), (0, 4), (3, 0), (300,), (30, 40), (8, 9, 10), (2, 3, 40, 5)], ids=str
)
def test_positions(shape: tuple[int, ...]) -> None:
    data = np.asarray(np.random.default_rng(0).integers(0, 3, shape))
    for given in (data, np.asfortranarray(data)):
        x = torch.from_numpy(given) if given.ndim else torch.tensor(int(given))
        found = x.nonzero()
        assert found.dtype == torch.int64
        np.testing.assert_array_equal(found.numpy(), np.argwhere(given))
        for mine, theirs in zip(x.nonzero(as_tuple=True), np.nonzero(np.atleast_1d(given)), strict=True):
            np.testing.assert_array_equal(mine.numpy(), theirs)


@pytest.mark.parametrize("dtype", ["i8", "i4", "i1", "u1", "f4", "f8", "?"])
@pytest.mark.parametrize("scale", [1, 60, 1e12])
def test_different_values(dtype: str, scale: float) -> None:
    for shape in ((), (0,), (7,), (40, 50)):
        drawn = np.random.default_rng(1).standard_normal(shape) * min(scale, 1e12 if dtype == "i8" else 60)
        data: Any = np.asarray(np.clip(drawn, 0, 255) if dtype == "u1" else drawn)
        data = np.clip(data, -128, 127).astype(dtype) if dtype == "i1" else data.astype(dtype)
        found = torch.tensor(data).unique()
        assert found.numpy().dtype == dtype
        np.testing.assert_array_equal(found.numpy(), np.unique(data))


def test_every_nan_is_a_value_of_its_own() -> None:
    assert len(torch.tensor([np.nan, 1.0, np.nan, 1.0]).unique()) == 3


@pytest.mark.parametrize("shape", [(), (6,), (4, 5), (0,)], ids=str)
def test_one_hot_rows(shape: tuple[int, ...]) -> None:
    index = np.asarray(np.random.default_rng(2).integers(0, 7, shape))
    found = F.one_hot(torch.tensor(index), 7)
    assert found.dtype == torch.int64
    np.testing.assert_array_equal(found.numpy(), np.eye(7)[index])


@pytest.mark.parametrize("mode", ["sum", "mean"])
@pytest.mark.parametrize("options", [{}, {"padding_idx": 3}, {"scale_grad_by_freq": True}], ids=str)
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32], ids=str)
def test_bags_are_sums_of_rows(mode: str, options: dict[str, Any], dtype: Any) -> None:
    """And the gradient of the table, bag by bag; empty bags give zeros."""
    rng = np.random.default_rng(3)
    index, ends = rng.integers(0, 9, 40), [0, 7, 7, 20, 40]
    table = torch.tensor(rng.standard_normal((9, 70)), requires_grad=True)
    out = F.embedding_bag(torch.tensor(index).to(dtype), table, torch.tensor(ends[:-1]), mode=mode, **options)
    g = rng.standard_normal(out.shape)
    out.backward(torch.tensor(g))
    expected, pulled = np.zeros((4, 70)), np.zeros((9, 70))
    for b in range(4):
        bag = index[ends[b] : ends[b + 1]]
        bag = bag[bag != options.get("padding_idx", -1)]
        share = 1 / max(len(bag), 1) if mode == "mean" else 1
        expected[b] = table.detach().numpy()[bag].sum(0) * share
        np.add.at(pulled, bag, g[b] * share)
    if "scale_grad_by_freq" in options:
        pulled /= np.bincount(index, minlength=9)[:, None]
    np.testing.assert_allclose(out.detach().numpy(), expected, 1e-12, 1e-13)
    np.testing.assert_allclose(table.grad.numpy(), pulled, 1e-12, 1e-13)
