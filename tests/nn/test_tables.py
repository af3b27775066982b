"""Gradients of rows by how often they are used: where PyTorch's embedding_bag counts other rows."""

from __future__ import annotations

import pytest

import convgrad as torch
from convgrad.nn import functional as F


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_a_bag_divides_by_the_rows_own_count(mode: str) -> None:
    index = torch.tensor([[0, 0, 1, 1, 2, 1], [1, 1, 0, 2, 2, 2]])
    grads = []
    for bag in (True, False):
        w = torch.arange(9.0).reshape(3, 3).requires_grad_()
        if bag:
            out = F.embedding_bag(index, w, mode=mode, scale_grad_by_freq=True)
        else:
            out = getattr(F.embedding(index, w, scale_grad_by_freq=True), mode)(1)
        out.square().sum().backward()
        grads.append(w.grad)
    torch.testing.assert_close(*grads)
