"""The losses of nn.functional against PyTorch 2.13: values, gradients, node names, errors."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as theirs

import convgrad
from convgrad.nn import functional as ours
from convgrad.tensor.tensor import Tensor

from .agree import agree, array

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
HOWS = ["none", "mean", "sum"]

#: one loss: name, call of (module, how, *tensors), makers of its arguments, shapes
Make = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def module(x: Any) -> ModuleType:
    """The functional namespace that a tensor belongs to."""
    return ours if isinstance(x, Tensor) else theirs


def both(f: Callable[..., Any]) -> Callable[..., Any]:
    """A call of a namespace's function, for ``agree``: the namespace of the first tensor."""
    return lambda *xs: f(module(xs[0]), *xs)


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape)


def positive(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(0.1, 3.0, shape)


def share(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(0.05, 0.95, shape)


def signs(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.integers(0, 2, shape) * 2 - 1


SAME: list[tuple[str, Callable[..., Any], tuple[Make, ...]]] = [
    ("mse", lambda f, how, x, y: f.mse_loss(x, y, reduction=how), (normal, normal)),
    ("mse-weight", lambda f, how, x, y, w: f.mse_loss(x, y, reduction=how, weight=w), (normal, normal, positive)),
    ("l1", lambda f, how, x, y: f.l1_loss(x, y, reduction=how), (normal, normal)),
    ("l1-weight", lambda f, how, x, y, w: f.l1_loss(x, y, reduction=how, weight=w), (normal, normal, positive)),
    ("smooth", lambda f, how, x, y: f.smooth_l1_loss(x, y, reduction=how), (normal, normal)),
    ("smooth-beta", lambda f, how, x, y: f.smooth_l1_loss(x, y, reduction=how, beta=0.3), (normal, normal)),
    ("smooth-0", lambda f, how, x, y: f.smooth_l1_loss(x, y, reduction=how, beta=0.0), (normal, normal)),
    ("huber", lambda f, how, x, y: f.huber_loss(x, y, how, 0.6), (normal, normal)),
    ("huber-weight", lambda f, how, x, y, w: f.huber_loss(x, y, how, 0.6, w), (normal, normal, positive)),
    ("bce", lambda f, how, x, y: f.binary_cross_entropy(x, y, reduction=how), (share, share)),
    ("bce-weight", lambda f, how, x, y, w: f.binary_cross_entropy(x, y, w.detach(), reduction=how), (share, share, positive)),
    ("logits", lambda f, how, x, y: f.binary_cross_entropy_with_logits(x, y, reduction=how), (normal, share)),
    ("logits-weights", lambda f, how, x, y, w: f.binary_cross_entropy_with_logits(x, y, w.detach(), reduction=how, pos_weight=w.detach()), (normal, share, positive)),
    ("kl", lambda f, how, x, y: f.kl_div(x, y, reduction=how), (normal, share)),
    ("kl-log", lambda f, how, x, y: f.kl_div(x, y, reduction=how, log_target=True), (normal, normal)),
    ("gaussian", lambda f, how, x, y, v: f.gaussian_nll_loss(x, y, v, reduction=how), (normal, normal, positive)),
    ("gaussian-full", lambda f, how, x, y, v: f.gaussian_nll_loss(x, y, v, True, 0.5, how), (normal, normal, positive)),
    ("gaussian-number", lambda f, how, x, y: f.gaussian_nll_loss(x, y, 0.7, reduction=how), (normal, normal)),
    ("poisson", lambda f, how, x, y: f.poisson_nll_loss(x, y, reduction=how), (normal, positive)),
    ("poisson-full", lambda f, how, x, y: f.poisson_nll_loss(x, y, full=True, reduction=how), (normal, positive)),
    ("poisson-rate", lambda f, how, x, y: f.poisson_nll_loss(x, y, False, True, eps=0.1, reduction=how), (positive, positive)),
    ("hinge", lambda f, how, x, y: f.hinge_embedding_loss(x, y, reduction=how), (normal, signs)),
    ("hinge-margin", lambda f, how, x, y: f.hinge_embedding_loss(x, y, 0.3, reduction=how), (normal, signs)),
    ("ranking", lambda f, how, x, y, s: f.margin_ranking_loss(x, y, s, reduction=how), (normal, normal, signs)),
    ("ranking-margin", lambda f, how, x, y, s: f.margin_ranking_loss(x, y, s, 0.4, reduction=how), (normal, normal, signs)),
    ("soft", lambda f, how, x, y: f.soft_margin_loss(x, y, reduction=how), (normal, signs)),
    ("triplet", lambda f, how, x, y, z: f.triplet_margin_loss(x, y, z, reduction=how), (normal, normal, normal)),
    ("triplet-swap", lambda f, how, x, y, z: f.triplet_margin_loss(x, y, z, 0.5, 1.0, 1e-3, True, reduction=how), (normal, normal, normal)),
    ("triplet-distance", lambda f, how, x, y, z: f.triplet_margin_with_distance_loss(x, y, z, reduction=how, swap=True), (normal, normal, normal)),
    ("triplet-own", lambda f, how, x, y, z: f.triplet_margin_with_distance_loss(x, y, z, distance_function=lambda a, b: ((a - b) * (a - b)).sum(-1), margin=2.0, reduction=how), (normal, normal, normal)),
    ("multilabel-soft", lambda f, how, x, y: f.multilabel_soft_margin_loss(x, y, reduction=how), (normal, share)),
]  # fmt: skip
#: the reduction is part of our operator where PyTorch has a node of its own for it
OTHER_NODE = {"l1", "smooth-0"}
SHAPES: list[tuple[int, ...]] = [(3, 4), (5,), (2, 3, 2), (), (0, 3), (4, 1)]


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "call", "makers"), SAME, ids=[s[0] for s in SAME])
def test_of_one_shape(
    name: str, call: Callable[..., Any], makers: tuple[Make, ...], shape: tuple[int, ...], how: str
) -> None:
    for seed, (dtype, turn) in enumerate([(F64, False), (F32, True)]):
        rng = np.random.default_rng(seed)
        args = [np.asarray(m(rng, shape)) for m in makers]
        args = [a.astype(dtype) if a.dtype.kind == "f" else a for a in args]
        if turn:
            args = [np.asfortranarray(a) for a in args]
        if name == "soft" and not shape:
            args[1] = np.asarray(1)
        agree(lambda *xs: call(module(xs[0]), how, *xs), *args, name=name not in OTHER_NODE)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(("name", "call", "makers"), SAME, ids=[s[0] for s in SAME])
def test_in_half_precision(
    name: str, call: Callable[..., Any], makers: tuple[Make, ...], dtype: str, how: str
) -> None:
    """The dtype is PyTorch's, the values are those of float32, rounded (PyTorch rounds more often)."""
    rng = np.random.default_rng(3)
    kind = getattr(torch, dtype)
    b = [torch.from_numpy(np.asarray(m(rng, (3, 4)))) for m in makers]
    b = [x.to(kind) if x.is_floating_point() else x for x in b]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = call(theirs, how, *b)
        except (RuntimeError, NotImplementedError):
            return
        a = [convgrad.tensor(x.double().numpy() if x.is_floating_point() else x.numpy()) for x in b]
        a = [x.to(getattr(convgrad, dtype)) if x.is_floating_point() else x for x in a]
        got = call(ours, how, *a)
    assert repr(got.dtype) == str(expected.dtype)
    tolerance = 0.05 if dtype == "bfloat16" else 0.01
    np.testing.assert_allclose(
        got._data.astype(F64), array(expected.double()), rtol=tolerance, atol=tolerance
    )


# --- classes -------------------------------------------------------------------------------------------

CLASSES = [((4, 5), ()), ((5,), ()), ((2, 5, 3), (3,)), ((2, 5, 2, 3), (2, 3)), ((0, 5), ()), ((1, 1), ())]


def labels(shape: tuple[int, ...], seed: int, ignore: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    channel = 0 if len(shape) == 1 else 1
    out = np.asarray(rng.integers(0, shape[channel], shape[:channel] + shape[channel + 1 :]))
    if ignore and out.size > 2:
        out.reshape(-1)[1] = -100
    return out


@pytest.mark.parametrize("ignore", [False, True], ids=["all", "ignored"])
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("shape", [s for s, _ in CLASSES], ids=str)
def test_cross_entropy_of_classes(
    shape: tuple[int, ...], smoothing: float, how: str, weighted: bool, ignore: bool
) -> None:
    rng = np.random.default_rng(1)
    x, t = rng.standard_normal(shape), labels(shape, 2, ignore)
    args = [x, t, *([rng.uniform(0.5, 2, shape[0 if len(shape) == 1 else 1])] if weighted else [])]

    def call(x: Any, t: Any, w: Any = None) -> Any:
        w = w if w is None else w.detach()
        return module(x).cross_entropy(x, t, w, reduction=how, label_smoothing=smoothing)

    agree(call, *args, name=len(shape) == 2 and x.size > 0)


@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("shape", [s for s, _ in CLASSES], ids=str)
def test_cross_entropy_of_probabilities(
    shape: tuple[int, ...], smoothing: float, how: str, weighted: bool
) -> None:
    rng = np.random.default_rng(1)
    channel = 0 if len(shape) == 1 else 1
    args = [rng.standard_normal(shape), rng.uniform(0, 1, shape)]
    args += [rng.uniform(0.5, 2, shape[channel])] if weighted else []

    def call(x: Any, t: Any, w: Any = None) -> Any:
        return module(x).cross_entropy(x, t, w, reduction=how, label_smoothing=smoothing)

    agree(call, *args, name=how != "mean")  # a division by a number, under another number there


@pytest.mark.parametrize("ignore", [False, True], ids=["all", "ignored"])
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
@pytest.mark.parametrize("shape", [s for s, _ in CLASSES], ids=str)
def test_nll_loss(shape: tuple[int, ...], dtype: Any, how: str, weighted: bool, ignore: bool) -> None:
    rng = np.random.default_rng(1)
    x, t = rng.standard_normal(shape).astype(dtype), labels(shape, 2, ignore)
    w = rng.uniform(0.5, 2, shape[0 if len(shape) == 1 else 1]).astype(dtype)

    def call(x: Any, t: Any, w: Any = None) -> Any:
        return module(x).nll_loss(x, t, w if w is None else w.detach(), reduction=how)

    agree(call, x, t, *([w] if weighted else []), name=len(shape) == 2 and x.size > 0)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("shape", [(4, 5), (1, 3), (5,), (3, 1)], ids=str)
def test_multi_margin_loss(shape: tuple[int, ...], weighted: bool, how: str, p: int) -> None:
    for dtype in (F32, F64):
        rng = np.random.default_rng(1)
        x, t = rng.standard_normal(shape).astype(dtype), labels(shape, 2, False)
        w = [rng.uniform(0.5, 2, shape[-1]).astype(dtype)] if weighted else []

        def call(x: Any, t: Any, w: Any = None) -> Any:
            return module(x).multi_margin_loss(x, t, p, 0.7, w if w is None else w.detach(), reduction=how)

        agree(call, np.asfortranarray(x), t, *w, name=len(shape) == 2)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(4, 5), (1, 3), (5,), (3, 1), ()], ids=str)
def test_multilabel_margin_loss(shape: tuple[int, ...], seed: int, how: str) -> None:
    rng = np.random.default_rng(seed)
    classes = shape[-1] if shape else 1
    x = np.asarray(rng.standard_normal(shape))
    t = np.asarray(rng.integers(-1, classes, shape))
    agree(both(lambda f, x, t: f.multilabel_margin_loss(x, t, reduction=how)), x, t, name=len(shape) == 2)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("margin", [0.0, 0.4])
@pytest.mark.parametrize("shape", [(4, 5), (1, 3), (5,), (3, 1), (0, 4)], ids=str)
def test_cosine_embedding_loss(shape: tuple[int, ...], margin: float, how: str) -> None:
    for seed, dtype in ((1, F32), (2, F64)):
        rng = np.random.default_rng(seed)
        x, y = [rng.standard_normal(shape).astype(dtype) for _ in range(2)]
        s = np.asarray(signs(rng, shape[:-1]))
        agree(both(lambda f, x, y, s: f.cosine_embedding_loss(x, y, s, margin, reduction=how)), x, y, s)


# --- alignments -----------------------------------------------------------------------------------------


@st.composite
def alignments(draw: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    steps, n, classes, width = [draw(st.integers(1, k)) for k in (9, 4, 5, 4)]
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    classes += 1
    blank = draw(st.integers(0, classes - 1))
    targets = rng.integers(0, classes - 1, (n, width))
    targets += targets >= blank  # labels are never blank
    return (
        rng.standard_normal((steps, n, classes)), targets, rng.integers(1, steps + 1, n),
        rng.integers(0, width + 1, n), blank,
    )  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(alignments(), st.sampled_from(HOWS), st.booleans(), st.booleans())
def test_ctc_loss(case: Any, how: str, flat: bool, zero: bool) -> None:
    x, targets, steps, lengths, blank = case
    if flat:
        targets = np.concatenate([t[:u] for t, u in zip(targets, lengths, strict=True)])
    if flat and not len(targets):
        return

    def call(x: Any, t: Any, i: Any, u: Any) -> Any:
        return module(x).ctc_loss(x.log_softmax(-1), t, i, u, blank, how, zero)

    for dtype in (F64, F32):
        agree(call, x.astype(dtype), targets, steps, lengths)


@pytest.mark.parametrize("how", HOWS)
def test_ctc_loss_of_one_sequence(how: str) -> None:
    x = np.random.default_rng(1).standard_normal((6, 4))
    for u in (0, 1, 3):
        agree(
            both(lambda f, x, t, i, n: f.ctc_loss(x.log_softmax(-1), t, i, n, 0, how)),
            x, np.array([1, 3, 3][:u]), np.array(6), np.array(u),
        )  # fmt: skip


# --- reductions by other names, and errors -----------------------------------------------------------------

LEGACY = [{"size_average": False}, {"reduce": False}, {"size_average": True, "reduce": True}]
LEGACY_LOSSES = [
    "mse_loss", "l1_loss", "smooth_l1_loss", "soft_margin_loss", "hinge_embedding_loss", "poisson_nll_loss",
]  # fmt: skip


@pytest.mark.parametrize("options", LEGACY, ids=str)
@pytest.mark.parametrize("name", LEGACY_LOSSES)
def test_old_arguments_warn(name: str, options: dict[str, bool]) -> None:
    x = np.array([0.5, -1.0, 2.0])
    y = np.array([1.0, -1.0, 1.0])
    with pytest.warns(UserWarning, match="please use reduction='") as expected:
        b = getattr(theirs, name)(torch.from_numpy(x), torch.from_numpy(y), **options)
    with pytest.warns(UserWarning) as got:
        a = getattr(ours, name)(Tensor(x, None), Tensor(y, None), **options)
    assert str(got[0].message) == str(expected[0].message)
    np.testing.assert_allclose(a._data, b.numpy(), rtol=1e-12)


X, Y = np.ones((3, 4)), np.full((3, 4), 0.5)
T, P = np.array([1, 2, 3]), np.ones(4)
BAD: list[tuple[str, Callable[..., Any], tuple[np.ndarray, ...]]] = [
    ("nll-range", lambda f, x, t: f.nll_loss(x, t + 1), (X, T)),
    ("nll-int32", lambda f, x, t: f.nll_loss(x, t), (X, T.astype(np.int32))),
    ("nll-float", lambda f, x, t: f.nll_loss(x, t), (X, T.astype(F64))),
    ("nll-batch", lambda f, x, t: f.nll_loss(x, t), (X, T[:2])),
    ("nll-1d", lambda f, x, t: f.nll_loss(x[0], t), (X, T)),
    ("nll-whole", lambda f, x, t: f.nll_loss(x, t), (X.astype(int), T)),
    ("nll-weight-dtype", lambda f, x, t, w: f.nll_loss(x, t, w), (X, T, P.astype(F32))),
    ("nll-weight-size", lambda f, x, t, w: f.nll_loss(x, t, w.detach()), (X, T, P[:3])),
    ("nll-weight-grad", lambda f, x, t, w: f.nll_loss(x, t, w), (X, T, P)),
    ("ce-weight-grad", lambda f, x, t, w: f.cross_entropy(x, t, w), (X, T, P)),
    ("ce-smoothing", lambda f, x, t: f.cross_entropy(x, t, label_smoothing=1.5), (X, T)),
    ("ce-probability-ignore", lambda f, x, y: f.cross_entropy(x, y, ignore_index=1), (X, Y)),
    ("ce-reduction", lambda f, x, t: f.cross_entropy(x, t, reduction="all"), (X, T)),
    ("bce-range", lambda f, x, y: f.binary_cross_entropy(x + 1, y), (X, Y)),
    ("bce-target-range", lambda f, x, y: f.binary_cross_entropy(y, x * 2), (X, Y)),
    ("bce-shape", lambda f, x, y: f.binary_cross_entropy(x, y[:1]), (X, Y)),
    ("bce-weight", lambda f, x, y, w: f.binary_cross_entropy(y, x, w), (X, Y, P)),
    ("bce-weight-shape", lambda f, x, y, w: f.binary_cross_entropy(y, x, w.detach()), (X, Y, P[:3])),
    ("bce-whole", lambda f, x, y: f.binary_cross_entropy(x, y), (X.astype(int), X.astype(int))),
    ("logits-shape", lambda f, x, y: f.binary_cross_entropy_with_logits(x, y[:1]), (X, Y)),
    ("logits-weight", lambda f, x, y, w: f.binary_cross_entropy_with_logits(x, y, w), (X, Y, P)),
    ("logits-positive-shape", lambda f, x, y, w: f.binary_cross_entropy_with_logits(x, y, pos_weight=w), (X, Y, P[:3])),
    ("logits-whole", lambda f, x, y: f.binary_cross_entropy_with_logits(x, y), (X.astype(int), X.astype(int))),
    ("mse-whole", lambda f, x, y: f.mse_loss(x, y), (X.astype(int), X.astype(int))),
    ("mse-shapes", lambda f, x, y: f.mse_loss(x, y), (X, X[:2])),
    ("mse-weight", lambda f, x, y, w: f.mse_loss(x, y, weight=w), (X, Y, P)),
    ("l1-weight", lambda f, x, y, w: f.l1_loss(x, y, weight=w), (X, Y, P)),
    ("huber-weight", lambda f, x, y, w: f.huber_loss(x, y, weight=w), (X, Y, P)),
    ("huber-delta", lambda f, x, y: f.huber_loss(x, y, delta=0.0), (X, Y)),
    ("smooth-beta", lambda f, x, y: f.smooth_l1_loss(x, y, beta=-1.0), (X, Y)),
    ("kl-whole", lambda f, x, y: f.kl_div(x, y, reduction="sum"), (X, X.astype(int))),
    ("kl-reduction", lambda f, x, y: f.kl_div(x, y, reduction="all"), (X, Y)),
    ("gaussian-size", lambda f, x, v: f.gaussian_nll_loss(x, x, v), (X, P)),
    ("gaussian-negative", lambda f, x, v: f.gaussian_nll_loss(x, x, -v), (X, Y)),
    ("gaussian-number", lambda f, x: f.gaussian_nll_loss(x, x, -1.0), (X,)),
    ("gaussian-reduction", lambda f, x, v: f.gaussian_nll_loss(x, x, v, reduction="all"), (X, Y)),
    ("poisson-reduction", lambda f, x, y: f.poisson_nll_loss(x, y, reduction="all"), (X, Y)),
    ("triplet-margin", lambda f, x: f.triplet_margin_loss(x, x, x, margin=-1), (X,)),
    ("triplet-dims", lambda f, x: f.triplet_margin_loss(x, x[0], x), (X,)),
    ("triplet-shapes", lambda f, x: f.triplet_margin_loss(x, x[:, :3], x), (X,)),
    ("triplet-reduction", lambda f, x: f.triplet_margin_loss(x, x, x, reduction="all"), (X,)),
    ("distance-margin", lambda f, x: f.triplet_margin_with_distance_loss(x, x, x, margin=0), (X,)),
    ("distance-reduction", lambda f, x: f.triplet_margin_with_distance_loss(x, x, x, reduction="all"), (X,)),
    ("ranking-dims", lambda f, x: f.margin_ranking_loss(x, x, x[0]), (X,)),
    ("ranking-shapes", lambda f, x: f.margin_ranking_loss(x, x[:2], x), (X,)),
    ("cosine-target", lambda f, x: f.cosine_embedding_loss(x, x, x), (X,)),
    ("cosine-number", lambda f, x, s: f.cosine_embedding_loss(x, x, s[0]), (X, T)),
    ("cosine-vector", lambda f, x, s: f.cosine_embedding_loss(x[0], x[0], s), (X, T)),
    ("cosine-sizes", lambda f, x, s: f.cosine_embedding_loss(x, x[:, :2], s), (X, T)),
    ("soft-target", lambda f, x, y: f.soft_margin_loss(x, y), (X, Y)),
    ("multilabel-soft-0d", lambda f, x: f.multilabel_soft_margin_loss(x[0, 0], x[0, 0]), (X,)),
    ("multilabel-soft-reduction", lambda f, x: f.multilabel_soft_margin_loss(x, x, reduction="all"), (X,)),
    ("margin-p", lambda f, x, t: f.multi_margin_loss(x, t, 3), (X, T)),
    ("margin-range", lambda f, x, t: f.multi_margin_loss(x, t + 1), (X, T)),
    ("margin-size", lambda f, x, t: f.multi_margin_loss(x, t[:2]), (X, T)),
    ("margin-int32", lambda f, x, t: f.multi_margin_loss(x, t), (X, T.astype(np.int32))),
    ("margin-weight", lambda f, x, t, w: f.multi_margin_loss(x, t, weight=w.detach()), (X, T, P[:3])),
    ("margin-half", lambda f, x, t: f.multi_margin_loss(x, t), (X.astype(np.float16), T)),
    ("margin-whole", lambda f, x, t: f.multi_margin_loss(x, t), (X.astype(int), T)),
    ("margin-rank", lambda f, x, t: f.multi_margin_loss(x[None], t), (X, T)),
    ("labels-size", lambda f, x, t: f.multilabel_margin_loss(x, t), (X, T)),
    ("labels-range", lambda f, x, t: f.multilabel_margin_loss(x, t), (X, X.astype(int) * 4)),
    ("labels-low", lambda f, x, t: f.multilabel_margin_loss(x, t), (X, X.astype(int) * -2)),
    ("labels-float", lambda f, x, y: f.multilabel_margin_loss(x, y), (X, Y)),
    ("ctc-long", lambda f, x, t: f.ctc_loss(x[:, None], t[None], [4], [1]), (X, T)),
    ("ctc-target", lambda f, x, t: f.ctc_loss(x[:, None], t[None], [3], [4]), (X, T)),
    ("ctc-negative", lambda f, x, t: f.ctc_loss(x[:, None], t[None], [3], [-1]), (X, T)),
    ("ctc-negative-input", lambda f, x, t: f.ctc_loss(x[:, None], t[None], [-3], [1]), (X, T)),
    ("ctc-batch", lambda f, x, t: f.ctc_loss(x[:, None], t[None], [3, 3], [1]), (X, T)),
    ("ctc-batch-target", lambda f, x, t: f.ctc_loss(x[:, None], t[None], [3], [1, 1]), (X, T)),
    ("ctc-blank", lambda f, x, t: f.ctc_loss(x[:, None], t[None], [3], [1], blank=4), (X, T)),
    ("ctc-half", lambda f, x, t: f.ctc_loss(x[:, None], t[None], [3], [1]), (X.astype(np.float16), T)),
    ("ctc-flat", lambda f, x, t: f.ctc_loss(x[:, None], t, [3], [1]), (X, T)),
    ("ctc-empty", lambda f, x, t: f.ctc_loss(x[:0, None], t[None], [0], [1]), (X, T)),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "call", "args"), BAD, ids=[b[0] for b in BAD])
def test_errors(name: str, call: Callable[..., Any], args: tuple[np.ndarray, ...]) -> None:
    """The same exception types, and those PyTorch raises at all."""
    with pytest.raises(Exception) as expected:
        call(theirs, *[torch.from_numpy(a.copy()).requires_grad_(a.dtype.kind == "f") for a in args])
    with pytest.raises(type(expected.value)):
        call(ours, *[Tensor(a, None).requires_grad_(a.dtype.kind == "f") for a in args])
