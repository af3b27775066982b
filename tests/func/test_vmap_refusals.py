"""What the first sample must not answer for all: masks and indices that differ between samples."""

from __future__ import annotations

import pytest

import convgrad as torch
from convgrad.func import vmap


@pytest.mark.regression
@pytest.mark.parametrize(
    "function",
    [
        lambda k: torch.where(k > 1, 1.0, 0.0),
        lambda k: torch.arange(5.0)[k],
        lambda k: torch.arange(3.0).masked_fill(k > 1, 9.0),
    ],
    ids=["where", "index", "masked_fill"],
)
def test_one_sample_never_answers_for_all(function):
    """A mask or an index alone is batched: each sample has its own."""
    keys = torch.tensor([0, 2, 1])
    assert torch.equal(vmap(function)(keys), torch.stack([function(k) for k in keys]))
