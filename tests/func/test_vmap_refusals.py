"""What vmap cannot follow."""

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
    """What vmap cannot follow it refuses: it must not give the first sample's values to all."""
    with pytest.raises(RuntimeError, match="vmap"):
        vmap(function)(torch.tensor([0, 2, 1]))
