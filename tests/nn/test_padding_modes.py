"""Borders that repeat the input: the same as ``F.pad`` and a convolution, without the padded copy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import convgrad as torch
from convgrad import func, nn
from convgrad.kernels import borders
from convgrad.nn import functional as F
from convgrad.testing import assert_close, gradcheck, gradgradcheck

MODES = ("reflect", "replicate", "circular")
LAYERS: list[tuple[Any, tuple[int, ...]]] = [
    (lambda mode: nn.Conv1d(2, 4, 3, padding=2, padding_mode=mode), (3, 2, 6)),
    (lambda mode: nn.Conv1d(2, 4, 4, padding="same", dilation=2, padding_mode=mode), (2, 8)),
    (lambda mode: nn.Conv2d(2, 4, (3, 2), (1, 2), (2, 1), groups=2, padding_mode=mode), (2, 2, 4, 5)),
    (lambda mode: nn.Conv3d(1, 2, 2, padding=1, bias=False, padding_mode=mode), (1, 1, 3, 2, 3)),
]


@pytest.fixture(params=itertools.product(MODES, range(len(LAYERS))), ids=str)
def layer(request: pytest.FixtureRequest) -> Any:
    mode, number = request.param
    make, shape = LAYERS[number]
    torch.manual_seed(0)
    return make(mode).double(), torch.randn(*shape, dtype=torch.float64)


def padded(conv: Any, x: Any) -> Any:
    """The layer by way of a padded copy."""
    x = F.pad(x, conv._reversed_padding_repeated_twice, conv.padding_mode)
    function = getattr(F, f"conv{conv.ndim}d")
    return function(x, conv.weight, conv.bias, conv.stride, 0, conv.dilation, conv.groups)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_it_is_a_convolution_of_the_padded_input(layer: Any) -> None:
    conv, x = layer
    assert_close(conv(x), padded(conv, x), rtol=1e-12, atol=1e-12)
    single = conv.float()
    assert_close(single(x.float()), padded(single, x.float()))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_gradients_of_both_orders_and_forward_mode(layer: Any) -> None:
    conv, x = layer
    x.requires_grad_()
    inputs = (x, *conv.parameters())

    def run(x: Any, weight: Any, bias: Any = None) -> Any:
        return conv._conv_forward(x, weight, bias)

    assert gradcheck(run, inputs, check_forward_ad=True)
    assert gradgradcheck(run, inputs)


def test_each_border_gradient_arrives_where_its_value_came_from(layer: Any) -> None:
    conv, x = layer
    x.requires_grad_()
    g = torch.randn(*conv(x).shape, dtype=torch.float64)
    conv(x).backward(g)
    got = x.grad.clone()
    x.grad = None
    padded(conv, x).backward(g)
    assert_close(got, x.grad, rtol=1e-12, atol=1e-12)


def test_the_matrix_of_the_layer(layer: Any) -> None:
    conv, x = layer
    example = x if x.dim() == conv.ndim + 1 else x[0]
    matrix = conv.as_matrix(tuple(example.shape), sparse=False)
    out = conv(example) if conv.bias is None else conv._conv_forward(example, conv.weight, None)
    assert_close(matrix @ example.flatten(), out.flatten(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_vmap_over_inputs_and_over_weights(mode: str) -> None:
    conv = nn.Conv2d(2, 4, 3, padding=(1, 2), stride=(2, 1), padding_mode=mode).double()
    xs = torch.randn(5, 2, 4, 6, dtype=torch.float64)
    assert_close(func.vmap(conv)(xs), conv(xs))
    ws = torch.randn(5, 4, 2, 3, 3, dtype=torch.float64)
    got = func.vmap(lambda x, w: conv._conv_forward(x, w, conv.bias))(xs, ws)
    wanted = torch.stack([conv._conv_forward(x, w, conv.bias) for x, w in zip(xs, ws, strict=True)])
    assert_close(got, wanted)


@pytest.mark.parametrize("mode", MODES)
def test_gradients_of_each_sample_at_once(mode: str) -> None:
    conv = nn.Conv1d(2, 3, 3, padding=2, padding_mode=mode).double()
    xs, w = torch.randn(4, 1, 2, 6, dtype=torch.float64), conv.weight.detach()

    def loss(w: Any, x: Any) -> Any:
        return (conv._conv_forward(x, w, conv.bias) ** 2).sum()

    for wanted in (0, 1):
        each = func.grad(loss, wanted)
        got = func.vmap(each, (None, 0))(w, xs)
        assert_close(got, torch.stack([each(w, x) for x in xs]), rtol=1e-10, atol=1e-10)
    assert_close(
        func.jacfwd(lambda x: conv._conv_forward(x, w, None))(xs[0]),
        func.jacrev(lambda x: conv._conv_forward(x, w, None))(xs[0]),
        rtol=1e-10,
        atol=1e-10,
    )


@pytest.mark.parametrize("mode", MODES)
def test_half_precision_is_rounded_once(mode: str) -> None:
    conv = nn.Conv1d(3, 4, 3, padding=2, padding_mode=mode)
    x = torch.randn(2, 3, 7)
    half = conv.to(torch.bfloat16)(x.to(torch.bfloat16))
    exact = conv.float()(x.to(torch.bfloat16).float())
    assert half.dtype is torch.bfloat16
    assert_close(half, exact.to(torch.bfloat16))


@pytest.mark.parametrize("mode", MODES)
def test_negative_padding_cuts(mode: str) -> None:
    conv = nn.Conv1d(1, 1, 2, padding=-1, padding_mode=mode)
    x = torch.randn(1, 1, 6)
    assert_close(conv(x), F.conv1d(x[:, :, 1:-1], conv.weight, conv.bias))


def test_no_padded_copy_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> Any:
        raise AssertionError("padded")

    monkeypatch.setattr(F, "pad", refuse)
    nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect")(torch.randn(1, 2, 5, 5))


@pytest.mark.parametrize(
    ("mode", "padding", "message"),
    [
        (
            "reflect",
            4,
            r"Padding size should be less than the corresponding input dimension, but got: padding \(4, 4\)",
        ),
        ("circular", 5, r"Padding value causes wrapping around more than once"),
    ],
)
def test_borders_wider_than_the_input_are_refused(mode: str, padding: int, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        nn.Conv1d(1, 1, 3, padding=padding, padding_mode=mode)(torch.randn(1, 1, 4))


@pytest.mark.parametrize("border", MODES)
def test_pad_is_numpys_and_fold_its_adjoint(border: str) -> None:
    names: Any = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    rng = np.random.default_rng(5)
    for _ in range(100):
        size = tuple(rng.integers(1, 6, rng.integers(1, 4)).tolist())
        most = {"reflect": -1, "circular": 0, "replicate": 5}[border]
        padding = tuple([tuple(rng.integers(0, n + most + 1, 2).tolist()) for n in size])
        x = rng.standard_normal((2, 3, *size))
        out = borders.pad(x, padding, border)
        np.testing.assert_array_equal(out, np.pad(x, [(0, 0), (0, 0), *padding], names[border]))
        g = rng.standard_normal(out.shape)
        inner = (g * out).sum()
        folded = borders.fold(g.copy(), padding, border)
        assert folded.flags.c_contiguous and folded.shape == x.shape
        assert np.isclose((folded * x).sum(), inner, rtol=1e-9, atol=1e-9)
