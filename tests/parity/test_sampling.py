"""Draws from tensors beside PyTorch: the same numbers for the same seed, and the same stream afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import convgrad

from .agree import array, close

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "complex64")


def _pair(x: Any, dtype: str) -> tuple[Any, Any]:
    a = np.asarray(x, np.float64).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    theirs = (
        torch.from_numpy(a.astype(np.float32)).bfloat16()
        if dtype == "bfloat16"
        else torch.from_numpy(a.copy())
    )
    return convgrad.Tensor(a.copy(), None), theirs


def _same(call: Callable[[Any, Any], Any], x: Any, dtype: str, seed: int = 3) -> None:
    """Results and errors agree, and so does the number that is drawn next."""
    mine, yours = _pair(x, dtype)
    convgrad.manual_seed(seed)
    torch.manual_seed(seed)
    try:
        expected = call(torch, yours)
    except Exception as error:
        with pytest.raises(type(error)):
            call(convgrad, mine)
        return
    close(call(convgrad, mine), expected)
    assert convgrad.rand(3, dtype=convgrad.float64).tolist() == torch.rand(3, dtype=torch.float64).tolist()


RATES = np.concatenate([np.linspace(0, 9.9, 17), np.linspace(10, 400, 19)]).reshape(4, 9)
WEIGHTS = np.random.default_rng(0).random((5, 7))
SIGNS = np.linspace(-1, 1, 21).reshape(3, 7)
CALLS: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
    "poisson": (lambda t, x: t.poisson(x), RATES),
    "poisson turned": (lambda t, x: t.poisson(x.T[::2]), RATES),
    "poisson 0-d": (lambda t, x: t.poisson(x), 7.5),
    "poisson empty": (lambda t, x: t.poisson(x), np.zeros((0, 3))),
    "poisson negative": (lambda t, x: t.poisson(-x), RATES),
    "multinomial": (lambda t, x: t.multinomial(x, 4), WEIGHTS),
    "multinomial one": (lambda t, x: x.multinomial(1), WEIGHTS),
    "multinomial all": (lambda t, x: x.multinomial(7), WEIGHTS),
    "multinomial vector": (lambda t, x: x[0].multinomial(3), WEIGHTS),
    "multinomial again": (lambda t, x: t.multinomial(x, 12, replacement=True), WEIGHTS),
    "multinomial again vector": (lambda t, x: x[1].multinomial(9, True), WEIGHTS),
    "multinomial some zero": (lambda t, x: x.multinomial(2), np.where(WEIGHTS > 0.5, WEIGHTS, 0)),
    "multinomial again zero": (lambda t, x: x.multinomial(20, True), np.where(WEIGHTS > 0.5, WEIGHTS, 0)),
    "multinomial too many": (lambda t, x: x.multinomial(8), WEIGHTS),
    "multinomial negative": (lambda t, x: x.multinomial(2), -WEIGHTS),
    "multinomial nothing": (lambda t, x: x.multinomial(2), WEIGHTS * 0),
    "multinomial none": (lambda t, x: x.multinomial(0), WEIGHTS),
    "multinomial no rows": (lambda t, x: x.multinomial(2), np.zeros((0, 3))),
    "rrelu": (lambda t, x: t.rrelu(x, 0.1, 0.6, True), SIGNS),
    "rrelu usual": (lambda t, x: t.nn.functional.rrelu(x, training=True), SIGNS),
    "rrelu test": (lambda t, x: t.rrelu(x), SIGNS),
    "rrelu in place": (lambda t, x: t.rrelu_(x, 0.1, 0.6, True), SIGNS),
    "rrelu turned": (lambda t, x: t.rrelu(x.T, 0.1, 0.6, True), SIGNS),
    "rrelu bounds": (lambda t, x: t.rrelu(x, 0.6, 0.1, True), SIGNS),
    "cauchy_": (lambda t, x: x.cauchy_(), SIGNS),
    "cauchy_ 2": (lambda t, x: x.cauchy_(1.5, 0.3), SIGNS),
    "geometric_": (lambda t, x: x.geometric_(0.2), SIGNS),
    "geometric_ rare": (lambda t, x: x.geometric_(0.01), SIGNS),
    "log_normal_": (lambda t, x: x.log_normal_(), SIGNS),
    "log_normal_ 2": (lambda t, x: x.log_normal_(0.3, 0.2), SIGNS),
    "log_normal_ odd": (lambda t, x: x[0].log_normal_(0.3, 0.2), SIGNS),
    "cauchy_ empty": (lambda t, x: x.cauchy_(), np.zeros((0, 2))),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CALLS)
def test_same_numbers(name: str, dtype: str) -> None:
    call, x = CALLS[name]
    for seed in (3, 11):
        _same(call, x, dtype, seed)


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=12), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_poisson_of_any_rates(rates: list[float], seed: int) -> None:
    _same(lambda t, x: t.poisson(x), rates, "float64", seed)


@given(st.integers(1, 30), st.integers(1, 5), st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_multinomial_of_any_weights(n: int, rows: int, again: bool, seed: int) -> None:
    weights = np.random.default_rng(seed).random((rows, n)) + 1e-3
    _same(lambda t, x: t.multinomial(x, max(1, n // 2), again), weights, "float32", seed)


@pytest.mark.parametrize(
    "call",
    [lambda t, x: t.rrelu(x, 0.1, 0.6, True), lambda t, x: t.rrelu(x), lambda t, x: t.poisson(x.abs())],
)
def test_gradients(call: Callable[[Any, Any], Any]) -> None:
    mine, yours = _pair(SIGNS, "float64")
    for lib, x in ((convgrad, mine.requires_grad_()), (torch, yours.requires_grad_())):
        lib.manual_seed(5)
        call(lib, x).sum().backward()
    np.testing.assert_allclose(mine.grad._data, array(yours.grad), rtol=1e-12)
