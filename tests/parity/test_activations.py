"""Activations and the dropout family of nn.functional against PyTorch 2.13."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from torch.nn import functional as theirs

import convgrad
from convgrad.nn import functional as ours
from convgrad.tensor.tensor import Tensor

from .agree import agree

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]


def module(x: Any) -> ModuleType:
    """The functional namespace that a tensor belongs to."""
    return ours if isinstance(x, Tensor) else theirs


def root(x: Any) -> Any:
    """The library that a tensor belongs to."""
    return convgrad if isinstance(x, Tensor) else torch


def seed(value: int) -> None:
    torch.manual_seed(value)
    convgrad.manual_seed(value)


#: values at which a formula changes, and those far out
EDGES = np.array(
    [-100.0, -30, -6, -3, -2.5, -1, -0.5, -0.0, 0.0, 0.5, 1, 2.5, 3, 6, 19, 30, 100, np.inf, -np.inf, np.nan]
)

Call = Callable[[Any, Any], Any]
CALLS: dict[str, Call] = {
    "relu": lambda f, x: f.relu(x), "relu6": lambda f, x: f.relu6(x),
    "leaky_relu": lambda f, x: f.leaky_relu(x), "leaky_relu-slope": lambda f, x: f.leaky_relu(x, 0.3),
    "leaky_relu-negative": lambda f, x: f.leaky_relu(x, -0.2),
    "elu": lambda f, x: f.elu(x), "elu-alpha": lambda f, x: f.elu(x, 0.4), "selu": lambda f, x: f.selu(x),
    "celu": lambda f, x: f.celu(x), "celu-alpha": lambda f, x: f.celu(x, 0.4),
    "gelu": lambda f, x: f.gelu(x), "gelu-tanh": lambda f, x: f.gelu(x, approximate="tanh"),
    "silu": lambda f, x: f.silu(x), "mish": lambda f, x: f.mish(x),
    "softplus": lambda f, x: f.softplus(x), "softplus-beta": lambda f, x: f.softplus(x, 2.0, 3.0),
    "softsign": lambda f, x: f.softsign(x), "tanhshrink": lambda f, x: f.tanhshrink(x),
    "tanh": lambda f, x: f.tanh(x), "sigmoid": lambda f, x: f.sigmoid(x), "logsigmoid": lambda f, x: f.logsigmoid(x),
    "hardtanh": lambda f, x: f.hardtanh(x), "hardtanh-limits": lambda f, x: f.hardtanh(x, -0.5, 2.5),
    "hardsigmoid": lambda f, x: f.hardsigmoid(x), "hardswish": lambda f, x: f.hardswish(x),
    "threshold": lambda f, x: f.threshold(x, 0.5, -7.0), "hardshrink": lambda f, x: f.hardshrink(x),
    "hardshrink-width": lambda f, x: f.hardshrink(x, 1.0), "softshrink": lambda f, x: f.softshrink(x),
    "softshrink-width": lambda f, x: f.softshrink(x, 1.0), "rrelu": lambda f, x: f.rrelu(x),
    "rrelu-bounds": lambda f, x: f.rrelu(x, 0.1, 0.9),
}  # fmt: skip
SHAPES: list[tuple[int, ...]] = [(3, 4), (2, 3, 5), (7,), (), (0, 3), (1, 1)]


def samples(shape: tuple[int, ...], start: int) -> np.ndarray:
    return np.asarray(np.random.default_rng(start).uniform(-4, 4, shape))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", CALLS)
def test_values_and_gradients(name: str, shape: tuple[int, ...]) -> None:
    call = CALLS[name]
    for dtype in (F32, F64):
        for start in range(2):
            x = samples(shape, start).astype(dtype)
            agree(lambda x: call(module(x), x), x)
            agree(lambda x: call(module(x), x), np.asfortranarray(x))
        wide = np.repeat(samples(shape, 3).astype(dtype), 2, -1)[..., ::2] if shape else x
        agree(lambda x: call(module(x), x), wide)


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
@pytest.mark.parametrize("name", CALLS)
def test_at_the_edges(name: str, dtype: Any) -> None:
    call = CALLS[name]
    agree(lambda x: call(module(x), x), EDGES.astype(dtype))


#: PyTorch has no half precision there
NO_HALF = ("rrelu",)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("name", [n for n in CALLS if not n.startswith(NO_HALF)])
def test_in_half_precision(name: str, dtype: Any) -> None:
    call = CALLS[name]
    agree(lambda x: call(module(x), x), samples((4, 5), 1).astype(dtype), grad=False)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_, np.complex64], ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", CALLS)
def test_of_other_dtypes(name: str, dtype: Any) -> None:
    call = CALLS[name]
    agree(lambda x: call(module(x), x), np.array([0, 1, 3]).astype(dtype), grad=False)


INPLACE: dict[str, Call] = {
    "relu": lambda f, x: f.relu(x, inplace=True), "relu6": lambda f, x: f.relu6(x, inplace=True),
    "leaky_relu": lambda f, x: f.leaky_relu(x, 0.3, inplace=True), "elu": lambda f, x: f.elu(x, 0.4, inplace=True),
    "selu": lambda f, x: f.selu(x, inplace=True), "celu": lambda f, x: f.celu(x, 0.4, inplace=True),
    "silu": lambda f, x: f.silu(x, inplace=True), "mish": lambda f, x: f.mish(x, inplace=True),
    "hardtanh": lambda f, x: f.hardtanh(x, -0.5, 2.5, inplace=True),
    "hardsigmoid": lambda f, x: f.hardsigmoid(x, inplace=True),
    "hardswish": lambda f, x: f.hardswish(x, inplace=True),
    "threshold": lambda f, x: f.threshold(x, 0.5, -7.0, inplace=True),
    "rrelu": lambda f, x: f.rrelu(x, inplace=True),
    "rrelu-training": lambda f, x: f.rrelu(x, training=True, inplace=True),
    "dropout": lambda f, x: f.dropout(x, 0.4, inplace=True),
    "alpha_dropout": lambda f, x: f.alpha_dropout(x, 0.4, True, inplace=True),
    "feature_alpha_dropout": lambda f, x: f.feature_alpha_dropout(x, 0.4, True, inplace=True),
    "dropout1d": lambda f, x: f.dropout1d(x, 0.4, True, True), "dropout2d": lambda f, x: f.dropout2d(x, 0.4, True, True),
    "dropout3d": lambda f, x: f.dropout3d(x[None], 0.4, True, True)[0],
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", INPLACE)
def test_in_place_changes_the_input(name: str) -> None:
    def call(x: Any) -> Any:
        seed(3)
        y = x * 1
        out = INPLACE[name](module(x), y)
        return out, y

    def same(x: Any) -> Any:
        seed(3)
        y = x.detach().clone()
        version = y._version
        out = INPLACE[name](module(x), y)
        assert out is y or name == "dropout3d"
        assert y._version > version
        return y

    for dtype in (F32, F64):
        x = samples((3, 4, 2), 1).astype(dtype)
        agree(call, x, name=False)
        agree(same, x)


@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
@pytest.mark.parametrize("dim", [0, 1, -1, 2, -3])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (5,), (), (0, 3), (3, 0)], ids=str)
def test_softmax(shape: tuple[int, ...], dim: int, name: str) -> None:
    for dtype in (F32, F64):
        x = samples(shape, 1).astype(dtype) * 20
        agree(lambda x: getattr(module(x), name)(x, dim), x)
        agree(
            lambda x: getattr(module(x), name)(x, dim=dim, dtype=root(x).float64),
            np.asfortranarray(x),
            name=False,
        )
    agree(lambda x: getattr(module(x), name)(x, dim, dtype=root(x).float32), x.astype(np.int64), grad=False)
    agree(lambda x: getattr(module(x), name)(x, dim), x.astype(np.int64), grad=False)


@pytest.mark.filterwarnings("ignore:Implicit dimension choice")
@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (5,), (), (1, 2, 3, 2)], ids=str)
def test_softmax_without_a_dimension(shape: tuple[int, ...], name: str) -> None:
    agree(lambda x: getattr(module(x), name)(x), samples(shape, 1))
    with pytest.warns(UserWarning, match=f"Implicit dimension choice for {name} has been deprecated"):
        getattr(ours, name)(Tensor(samples(shape, 1), None))


@pytest.mark.parametrize("dim", [0, 1, -1, 2])
@pytest.mark.parametrize("shape", [(4, 6), (2, 4, 2), (4,), (), (0, 4), (3, 5)], ids=str)
def test_glu(shape: tuple[int, ...], dim: int) -> None:
    for dtype in (F32, F64):
        agree(lambda x: module(x).glu(x, dim), np.asfortranarray(samples(shape, 1).astype(dtype)))
    agree(lambda x: module(x).glu(x, dim), np.ones(shape, int), grad=False)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(2, 3), (4, 3, 2), (3,), (2, 3, 2, 2)], ids=str)
def test_prelu(shape: tuple[int, ...], channels: int) -> None:
    for dtype in (F32, F64):
        w = samples((channels,), 2).astype(dtype)
        agree(lambda x, w: module(x).prelu(x, w), samples(shape, 1).astype(dtype), w)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("dim", [0, -1])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 5), (20,), (7, 5)], ids=str)
@pytest.mark.parametrize("tau", [1, 0.3])
def test_gumbel_softmax(shape: tuple[int, ...], dim: int, hard: bool, tau: float) -> None:
    def call(x: Any) -> Any:
        seed(6)
        return module(x).gumbel_softmax(x, tau, hard, dim=dim)

    for dtype in (F32, F64):
        agree(call, samples(shape, 1).astype(dtype))


def test_gumbel_softmax_warns_of_eps() -> None:
    with pytest.warns(UserWarning, match="`eps` parameter is deprecated and has no effect"):
        ours.gumbel_softmax(Tensor(samples((2, 3), 1), None), eps=0.5)


@pytest.mark.parametrize("bounds", [(1 / 8, 1 / 3), (0.5, 0.5), (-0.2, 0.9)], ids=str)
@pytest.mark.parametrize("shape", [*SHAPES, (40, 7)], ids=str)
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_rrelu_draws_the_same_slopes(shape: tuple[int, ...], dtype: Any, bounds: tuple[float, float]) -> None:
    def call(x: Any) -> Any:
        seed(2)
        return module(x).rrelu(x, *bounds, training=True), root(x).rand(2)

    agree(call, samples(shape, 1).astype(dtype), name=False)


# --- dropout ---------------------------------------------------------------------------------------------

DROPOUTS = {
    "dropout": SHAPES, "alpha_dropout": SHAPES,
    "feature_alpha_dropout": [(3, 4), (2, 3, 5), (2, 3, 2, 2), (0, 3), (4,), ()],
    "dropout1d": [(3, 4), (2, 3, 5), (0, 3, 2), (4,), (1, 2, 3, 4)],
    "dropout2d": [(2, 3, 4, 5), (2, 3, 4), (3, 4), (4,), (2, 3, 2, 2, 2)],
    "dropout3d": [(2, 3, 4, 5, 2), (2, 3, 4, 2), (3, 4), (2, 3, 2), ()],
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:dropout.d. Received a")
@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize(
    ("name", "shape"), [(n, s) for n, shapes in DROPOUTS.items() for s in shapes], ids=str
)
def test_dropout_draws_the_same_numbers(name: str, shape: tuple[int, ...], p: float) -> None:
    def call(x: Any) -> Any:
        seed(9)
        return getattr(module(x), name)(x, p, True), root(x).rand(3)

    for dtype in (F32, F64):
        agree(call, samples(shape, 1).astype(dtype), name=False)


@pytest.mark.filterwarnings("ignore:dropout.d. Received a")
@pytest.mark.parametrize("name", DROPOUTS)
def test_dropout_of_other_kinds(name: str) -> None:
    def call(x: Any, p: float = 0.5, training: bool = True) -> Any:
        seed(9)
        return getattr(module(x), name)(x, p, training)

    x = samples((2, 3, 4), 1)
    agree(call, x.astype(np.float16), grad=False)
    agree(call, x.astype(ml_dtypes.bfloat16), grad=False)
    agree(call, np.asfortranarray(x), name=False)
    agree(call, x.astype(np.int64))
    agree(lambda x: call(x, 1.5), x)
    agree(lambda x: call(x, -0.5, False), x)
    agree(lambda x: call(x, 0.5, False), x, name=False)


@pytest.mark.parametrize("name", ["dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"])
@pytest.mark.parametrize("train", [True, False])
def test_the_plain_forms(name: str, train: bool) -> None:
    def call(x: Any) -> Any:
        seed(1)
        y = x * 1
        out = getattr(root(x), name)(x, 0.4, train=train)
        getattr(root(x), name + "_")(y, p=0.4, train=train)
        return out, y

    for shape in ((3, 4), (2, 3, 4), (5, 6, 2, 2)):
        agree(call, samples(shape, 1), name=False)


X, Y, S = samples((3, 4), 1), samples((3, 4), 2), np.sign(samples((3, 4), 3))
PLAIN: dict[str, Callable[..., Any]] = {
    "hinge": lambda t, x, y, s: [t.hinge_embedding_loss(x, s, 0.5, r) for r in range(3)],
    "ranking": lambda t, x, y, s: [t.margin_ranking_loss(x, y, s, 0.5, r) for r in range(3)],
    "cosine": lambda t, x, y, s: [t.cosine_embedding_loss(x, y, s[:, 0], 0.1, r) for r in range(3)],
    "triplet": lambda t, x, y, s: [t.triplet_margin_loss(x, y, y * x, 0.5, 2, 1e-6, False, r) for r in range(3)],
    "kl": lambda t, x, y, s: [t.kl_div(x, y, r, log_target=True) for r in range(3)],
    "poisson": lambda t, x, y, s: [t.poisson_nll_loss(x, y * y, True, False, 1e-8, r) for r in range(3)],
    "logits": lambda t, x, y, s: [t.binary_cross_entropy_with_logits(x, y, None, None, r) for r in range(3)],
    "rrelu": lambda t, x, y, s: [t.rrelu(x), t.rrelu(x, 0.25, 0.5)],
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_the_plain_losses(name: str) -> None:
    agree(lambda x, y, s: PLAIN[name](root(x), x, y, s), X, Y, S)


def test_the_plain_ctc_loss() -> None:
    def call(x: Any, t: Any, n: Any, u: Any) -> Any:
        return [root(x).ctc_loss(x.log_softmax(-1), t, n, u, 0, r, True) for r in range(3)]

    args = samples((6, 2, 4), 1), np.array([[1, 2, 2], [3, 1, 1]]), np.array([6, 5]), np.array([3, 2])
    agree(call, *args)


BAD: list[Call] = [
    lambda f, x: f.hardtanh(x, 2.0, 1.0), lambda f, x: f.softshrink(x, -1.0), lambda f, x: f.celu(x, 0.0),
    lambda f, x: f.gelu(x, approximate="erf"), lambda f, x: f.glu(x[:, :3]), lambda f, x: f.glu(x, 5),
    lambda f, x: f.rrelu(x, 0.5, 0.25), lambda f, x: f.softmax(x, 3), lambda f, x: f.log_softmax(x, -4),
    lambda f, x: f.prelu(x, x), lambda f, x: f.prelu(x, x[0, :3]), lambda f, x: f.relu(3), lambda f, x: f.elu([1]),
    lambda f, x: f.gumbel_softmax(x, dim=4), lambda f, x: f.alpha_dropout(x, 2.0), lambda f, x: f.dropout1d(x[0], 0.5),
]  # fmt: skip


@pytest.mark.parametrize("call", BAD, ids=range(len(BAD)))
def test_errors(call: Call) -> None:
    agree(lambda x: call(module(x), x), X)
