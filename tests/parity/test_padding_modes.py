"""Convolutions whose borders repeat the input, against PyTorch 2.13: values, two orders of gradients, messages."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn as theirs

from convgrad import autograd
from convgrad import nn as ours
from convgrad.tensor.tensor import Tensor

MODES = ("reflect", "replicate", "circular")
SETTINGS: list[tuple[int, dict[str, Any], tuple[int, ...]]] = [
    (1, {"kernel_size": 3, "padding": 2}, (2, 4, 7)),
    (1, {"kernel_size": 4, "padding": "same", "dilation": 2}, (2, 4, 9)),
    (1, {"kernel_size": 5, "padding": 3, "stride": 2, "groups": 2}, (4, 8)),
    (1, {"kernel_size": 2, "padding": 4, "stride": 3, "bias": False}, (1, 4, 5)),
    (2, {"kernel_size": (3, 2), "padding": (2, 1), "stride": (1, 2)}, (2, 4, 5, 6)),
    (2, {"kernel_size": 2, "padding": "same", "groups": 4}, (2, 4, 5, 4)),
    (2, {"kernel_size": 3, "padding": 3, "dilation": (2, 1), "bias": False}, (1, 4, 6, 5)),
    (2, {"kernel_size": 3, "padding": "valid"}, (1, 4, 6, 5)),
    (2, {"kernel_size": 1, "padding": (0, 3)}, (4, 4, 5)),
    (3, {"kernel_size": 2, "padding": 1, "stride": (2, 1, 1)}, (1, 4, 3, 4, 3)),
    (3, {"kernel_size": (1, 3, 2), "padding": "same", "groups": 2}, (4, 3, 3, 4)),
]


def both(shape: tuple[int, ...], dtype: Any) -> tuple[Any, Any]:
    array = np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)
    return Tensor(array.copy(), None).requires_grad_(), torch.from_numpy(array.copy()).requires_grad_()


def agree(a: Any, b: Any, tolerance: float) -> None:
    left, right = a._data, b.detach().numpy()
    assert left.shape == right.shape and left.dtype == right.dtype
    np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance * max(1.0, np.abs(right).max()))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["double", "float"])
@pytest.mark.parametrize(
    ("mode", "setting"),
    list(itertools.product(MODES, SETTINGS)),
    ids=lambda v: v if isinstance(v, str) else str(v[:2]),
)
def test_values_and_two_orders_of_gradients(mode: str, setting: Any, dtype: Any) -> None:
    ndim, options, shape = setting
    a = getattr(ours, f"Conv{ndim}d")(4, 8, padding_mode=mode, **options)
    b = getattr(theirs, f"Conv{ndim}d")(4, 8, padding_mode=mode, **options)
    assert repr(a) == repr(b)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        q.data[...] = torch.from_numpy(p._data)
    a, b = (a.double(), b.double()) if dtype is np.float64 else (a, b)
    x, y = both(shape, dtype)
    out, wanted = a(x), b(y)
    tolerance = 1e-11 if dtype is np.float64 else 1e-5
    agree(out, wanted, tolerance)
    first = autograd.grad((out**3).sum(), [x, *a.parameters()], create_graph=True)
    expected = torch.autograd.grad((wanted**3).sum(), [y, *b.parameters()], create_graph=True)
    for g, h in zip(first, expected, strict=True):
        agree(g, h, tolerance)
    loss, other = sum([(g * g).sum() for g in first]), sum([(h * h).sum() for h in expected])
    loss.backward(), other.backward()
    for p, q in [(x, y), *zip(a.parameters(), b.parameters(), strict=True)]:
        agree(p.grad, q.grad, 10 * tolerance)


ERRORS = [
    ({"padding": 4}, (1, 3, 4, 4)), ({"padding": 5}, (1, 3, 4, 4)), ({"padding": 5}, (3, 4, 4)), ({"padding": 1}, (4, 4)),
    ({"padding": 1}, (1, 1, 3, 4, 4)), ({"padding": 1}, (1, 2, 4, 4)), ({"padding": 1}, (1, 3, 0, 4)),
    ({"padding": -1}, (1, 3, 4, 4)), ({"padding": -1}, (1, 3, 6, 6)), ({"padding": (1, 0)}, (1, 3, 1, 4)),
    ({"padding": 0}, (1, 3, 2, 2)), ({"padding": 1}, (1, 0, 4, 4)), ({"padding": 1}, (0, 3, 4, 4)), ({"padding": 2}, (4,)),
]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("options", "shape"), ERRORS, ids=str)
def test_what_does_not_fit_is_refused_in_pytorchs_words(
    mode: str, options: Any, shape: tuple[int, ...]
) -> None:
    """The same type, and PyTorch's words in ours; argument numbers and axes are counted otherwise there."""

    def outcome(nn: Any, x: Any) -> Any:
        try:
            return tuple(nn.Conv2d(3, 2, 3, padding_mode=mode, **options)(x).shape)
        except Exception as error:
            return error

    got, wanted = (
        outcome(ours, Tensor(np.zeros(shape, np.float32), None)),
        outcome(theirs, torch.zeros(shape)),
    )
    if isinstance(wanted, tuple):
        assert got == wanted
        return
    assert isinstance(got, type(wanted)), got
    phrase = str(wanted).partition("at dimension")[0].replace("Argument #6", "Argument #4").rstrip(". ")
    assert phrase in str(got)
