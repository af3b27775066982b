"""Cosines without history take fewer steps: the same numbers as with it."""

from __future__ import annotations

from typing import Any

import pytest

import convgrad as torch
from convgrad.nn import functional as F


@pytest.mark.parametrize(
    ("shape", "dim"),
    [((4, 4), 1), ((64, 30), 0), ((2, 3, 40), -1), ((5,), 0), ((0, 3), 0), ((3, 0), 1)],
    ids=str,
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_cosines_with_and_without_history(shape: tuple[int, ...], dim: int, dtype: Any) -> None:
    torch.manual_seed(0)
    x, y = (torch.randn(*shape, dtype=dtype) for _ in range(2))
    if len(shape) > 1 and shape[0]:
        x[0], y[-1, -1:] = 0, float("nan")
    for a, b in ((x, y), (x.T.contiguous().T if len(shape) == 2 else x, y)):
        found = F.cosine_similarity(a, b, dim)
        expected = F.cosine_similarity(x.clone().requires_grad_(), y, dim)
        assert expected.requires_grad and not found.requires_grad and found.dtype == dtype
        torch.testing.assert_close(found, expected.detach(), equal_nan=True)


def test_cosines_refuse_a_dimension_that_is_not_there() -> None:
    with pytest.raises(IndexError, match="Dimension out of range"):
        F.cosine_similarity(torch.ones(3, 4), torch.ones(3, 4), 2)
