"""Masks and indices that are changed after the call change no gradient: PyTorch refuses, convgrad has copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convgrad as torch

F = torch.nn.functional


def _written(x: Any, key: Any) -> Any:
    y = x * 1
    y[key] = torch.tensor(5.0)
    return y


#: name -> a call of x, a vector of four, and of what is changed afterwards
CALLS: dict[str, tuple[Callable[[Any, Any], Any], list[Any]]] = {
    "x[mask]": (lambda x, m: x[m], [True, False, True, False]),
    "x[index]": (lambda x, i: x[i], [0, 2]),
    "x[index, None]": (lambda x, i: x[i, None] * 2, [0, 2]),
    "x[mask] = 5": (_written, [True, False, True, False]),
    "x[index] = 5": (_written, [0, 2]),
    "where": (lambda x, m: torch.where(m, x, x * 3), [True, False, True, False]),
    "where, broadcast": (lambda x, m: torch.where(m, x.view(4, 1), x), [True, False, True, False]),
    "masked_fill": (lambda x, m: x.masked_fill(m, 0.0), [True, False, True, False]),
    "masked_fill, a tensor": (lambda x, m: x.masked_fill(m, x.sum()), [True, False, True, False]),
    "masked_select": (lambda x, m: x.masked_select(m), [True, False, True, False]),
    "masked_scatter": (lambda x, m: x.masked_scatter(m, x * 2), [True, False, True, False]),
    "index_select": (lambda x, i: x.index_select(0, i), [0, 2]),
    "gather": (lambda x, i: x.gather(0, i), [0, 2]),
    "take": (lambda x, i: x.take(i), [0, 2]),
    "scatter": (lambda x, i: x.scatter(0, i, x * 2), [0, 2]),
    "scatter_add": (lambda x, i: x.scatter_add(0, i, x * x), [0, 2]),
    "scatter_reduce": (lambda x, i: x.scatter_reduce(0, i, x * x, "amax"), [0, 2]),
    "index_add": (lambda x, i: x.index_add(0, i, x[:2] * 2), [0, 2]),
    "index_fill": (lambda x, i: x.index_fill(0, i, 3.0), [0, 2]),
    "index_copy": (lambda x, i: x.index_copy(0, i, x[:2] * 2), [0, 2]),
    "embedding": (lambda x, i: F.embedding(i, x.view(2, 2)), [0, 1]),
    "embedding_bag": (lambda x, i: F.embedding_bag(i.view(1, 2), x.view(2, 2)), [0, 1]),
    "cross_entropy": (lambda x, i: F.cross_entropy(x.view(2, 2), i), [0, 1]),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_change_comes_too_late(name: str) -> None:
    call, values = CALLS[name]
    gradients = []
    for change in (False, True):
        x, chosen = torch.arange(1.0, 5.0).requires_grad_(), torch.tensor(values)
        y = call(x, chosen)
        if change:
            chosen.fill_(1)
            chosen[0] = 0
        (y * torch.arange(2.0, 2.0 + y.numel()).view(y.shape)).sum().backward()
        assert x.grad is not None
        gradients.append(x.grad._data)
    np.testing.assert_array_equal(*gradients)


def test_a_broadcast_mask_is_kept_small() -> None:
    x = torch.ones(1000, 1000, requires_grad=True)
    y = x.masked_fill(torch.ones(1000, 1, dtype=torch.bool), 0.0)
    kept = [a for a in y.grad_fn.saved or () if isinstance(a, np.ndarray) and a.dtype == bool]
    assert kept
    for mask in kept:
        while isinstance(mask.base, np.ndarray):
            mask = mask.base
        assert mask.size == 1000
