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
        (lambda x: F.rrelu(x, 0.1, 0.6), (X,)),
        (F.soft_margin_loss, (X, X.flip(2).sign())),
        (lambda x, t: F.poisson_nll_loss(x, t, full=True), (X, X.flip(0).abs() * 2)),
        (lambda x, v: F.gaussian_nll_loss(x, x * 2, v, eps=0.5), (X, X.flip(0).abs())),
        (lambda x, w: F.multi_margin_loss(x, torch.tensor([0, 4, 2, 2]), weight=w), (X, X[:, 0].abs())),
    ],
    ids=[
        "multi_margin",
        "multilabel_margin",
        "ctc",
        "searchsorted",
        "bucketize",
        "detach",
        "rrelu",
        "soft_margin",
        "poisson",
        "gaussian",
        "multi_margin weights",
    ],
)
def test_each_sample_has_its_own_plan(function: Callable[..., torch.Tensor], args: tuple) -> None:
    mapped = torch.vmap(function)(*args)
    looped = torch.stack([function(*[a[i] for a in args]) for i in range(3)])
    np.testing.assert_allclose(mapped.numpy(), looped.numpy(), rtol=1e-12)


@pytest.mark.parametrize("driver", ["gels", "gelsy", "gelsd", "gelss"])
def test_least_squares_of_samples_are_those_of_the_batch(driver: str) -> None:
    a, b = torch.tensor(RNG.normal(size=(2, 3, 5, 2))), torch.tensor(RNG.normal(size=(2, 3, 5, 2)))
    if driver in ("gelsd", "gelss"):
        a[1, 2, :, 1] = a[1, 2, :, 0]  # without full rank there are no residuals, of none of the samples
    whole = torch.linalg.lstsq(a, b, driver=driver)
    mapped = torch.vmap(torch.vmap(lambda a, b: torch.linalg.lstsq(a, b, driver=driver)[:]))(a, b)
    for name, one, other in zip(whole._fields, whole, mapped, strict=True):
        wanted = one.numpy() if one.numel() else np.empty((2, 3, 0))
        np.testing.assert_allclose(other.numpy(), wanted, rtol=1e-9, err_msg=name)
    one = torch.vmap(lambda b: torch.linalg.lstsq(a[0, 0], b, driver=driver)[1])(b[0])
    alone = torch.linalg.lstsq(a[0, 0].expand(3, 5, 2), b[0], driver=driver).residuals
    np.testing.assert_allclose(one.numpy(), alone.numpy() if alone.numel() else np.empty((3, 0)), rtol=1e-9)


def test_rows_are_shortened_in_each_samples_own_table() -> None:
    table = torch.tensor(RNG.normal(size=(2, 4, 3)) * 3)
    rows = torch.tensor([[0, 1], [2, 2]])
    for function in (F.embedding, lambda i, w, **norm: F.embedding_bag(i, w, torch.tensor([0, 1]), **norm)):
        looped, mapped = table.clone(), table.clone()
        wanted = [function(rows[i], looped[i], max_norm=1.0) for i in range(2)]
        found = torch.vmap(lambda i, w, f=function: f(i, w, max_norm=1.0))(rows, mapped)
        np.testing.assert_array_equal(found.numpy(), torch.stack(wanted).numpy())
        np.testing.assert_array_equal(mapped.numpy(), looped.numpy())
        kept = table[0].clone()
        with pytest.raises(RuntimeError, match="because there exists a Tensor `other` in extra_args"):
            torch.vmap(lambda i, w=kept, f=function: f(i, w, max_norm=1.0))(rows)
        assert torch.equal(kept, table[0])


@pytest.mark.parametrize("norm", ["batch_norm", "instance_norm"])
def test_running_statistics_of_each_sample(norm: str) -> None:
    """They move for every sample by itself; statistics that the samples share cannot."""
    images = torch.tensor(RNG.normal(size=(3, 4, 2, 5)))
    means, variances = torch.tensor(RNG.normal(size=(3, 2))), torch.tensor(RNG.uniform(1, 2, (3, 2)))

    def run(x: torch.Tensor, mean: torch.Tensor, var: torch.Tensor) -> torch.Tensor:
        flag = {"training": True} if norm == "batch_norm" else {"use_input_stats": True}
        return getattr(F, norm)(x, mean, var, momentum=0.3, **flag)

    looped = [means.clone(), variances.clone()]
    wanted = torch.stack([run(images[i], looped[0][i], looped[1][i]) for i in range(3)])
    found = torch.vmap(run)(images, means, variances)
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-12)
    np.testing.assert_allclose(means.numpy(), looped[0].numpy(), rtol=1e-12)
    np.testing.assert_allclose(variances.numpy(), looped[1].numpy(), rtol=1e-12)
    with pytest.raises(
        RuntimeError, match="got a batched tensor as input while the running_mean or running_var"
    ):
        torch.vmap(lambda x: run(x, means[0], variances[0]))(images)
