"""Functions that make a plan of values, mapped over batches of what the plan is made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import convgrad as torch
from convgrad.nn import functional as F

RNG = np.random.default_rng(5)
X = torch.tensor(RNG.normal(size=(3, 4, 5)))
LOG = torch.log_softmax(torch.tensor(RNG.normal(size=(3, 6, 2, 5))), -1)
ROWS = torch.sort(torch.tensor(RNG.normal(size=(3, 6))), -1)[0]


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (F.multi_margin_loss, (X, torch.tensor(RNG.integers(0, 5, (3, 4))))),
        (F.multilabel_margin_loss, (X, torch.tensor(RNG.integers(-1, 5, (3, 4, 5))))),
        (lambda lp, t: F.ctc_loss(lp, t, [6, 6], [2, 2]), (LOG, torch.tensor(RNG.integers(1, 5, (3, 2, 2))))),
        (torch.searchsorted, (ROWS, X[:, 0])),
        (lambda x: torch.bucketize(x, ROWS[0]), (X,)),
        (lambda a: a.detach() * 2, (X,)),
    ],
    ids=["multi_margin", "multilabel_margin", "ctc", "searchsorted", "bucketize", "detach"],
)
def test_each_sample_has_its_own_plan(function: Callable[..., torch.Tensor], args: tuple) -> None:
    mapped = torch.vmap(function)(*args)
    looped = torch.stack([function(*[a[i] for a in args]) for i in range(3)])
    np.testing.assert_allclose(mapped.numpy(), looped.numpy(), rtol=1e-12)
