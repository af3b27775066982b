"""Losses, normalisation, embeddings: the operators of networks, against NumPy from their formulas."""

# ruff: noqa: E501 - tables of one case a line
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp

from convgrad.errors import ConvgradError, DtypeError, ShapeError
from convgrad.nn.functional import loss as F
from convgrad.nn.functional import embedding as embed
from convgrad.nn.functional import norm as N
from convgrad.ops import embedding, loss, norm
from convgrad.tensor import creation

from .case import Case, ErrorCase, direct, kinds, values

Array = Any

# Losses

X, Y = values(1, 3, 4), values(2, 3, 4)
PX, PY = values(3, 3, 4, low=0.1, high=0.9), values(4, 3, 4, low=0.1, high=0.9)
NONE, ZERO = np.zeros((0, 4)), np.array(0.3)
FOLD: dict[str, Callable[[Array], Array]] = {"none": lambda e: e, "sum": np.sum, "mean": lambda e: e.sum() / e.size}


def _loss(
    op: type, function: Callable[..., Any], element: Callable[..., Array], a: Array, b: Array, **options: Any
) -> list[Case]:
    """A loss in its three reductions; the mean of no elements is nan, so the empty case is a sum."""
    made = []
    for how, fold in FOLD.items():
        made += kinds(
            op, how,
            lambda x, y, h=how: function(x, y, reduction=h, **options),
            lambda x, y, f=fold: f(element(x, y)),
            a, b,
            empty=(NONE, NONE) if how != "mean" else None,
            zero=(ZERO, np.array(0.8)),
        )  # fmt: skip
    return made


def _huber(d: Array, delta: float) -> Array:
    """The integral of the slope clipped to delta."""
    return np.where(np.abs(d) <= delta, d * d / 2, delta * np.abs(d) - delta * delta / 2)


def _entropy(x: Array, y: Array) -> Array:
    return -sp.xlogy(y, x) - sp.xlog1py(1 - y, -x)


LABEL = np.array([2, 0, 3])
T_LABEL, T_PIXELS = creation.tensor(LABEL), creation.tensor(np.array([[1, 2], [0, -100]]))
COEFF = np.array([-0.2, -0.3, -0.5])
WEIGHT = np.array([1.0, 0.5, 2.0, 1.0])
T_WEIGHT = creation.tensor(WEIGHT)


def _nll(x: Array) -> Array:
    return -sum(x[i, k] * WEIGHT[k] for i, k in enumerate(LABEL)) / WEIGHT[LABEL].sum()


def _pixels(x: Array) -> Array:
    return -(x[0, 1, 0] + x[0, 2, 1] + x[1, 0, 0])


def _placed(g: Array) -> Array:
    out = np.zeros((3, 4, 1))
    for i, k in enumerate(LABEL):
        out[i, k, 0] = COEFF[i] * (g[i, 0] if g.ndim else g)
    return out


def _none(*shape: int) -> Callable[..., Array]:
    return lambda *_: np.zeros(shape)


EMPTY = frozenset({"empty"})
_I0 = np.zeros((0, 1), np.int64)
CASES: list[Case] = [
    *_loss(loss.MseLoss, F.mse_loss, lambda x, y: x * x - 2 * x * y + y * y, X, Y),
    *_loss(loss.L1Loss, F.l1_loss, lambda x, y: np.maximum(x, y) - np.minimum(x, y), X, Y),
    *_loss(loss.SmoothL1Loss, F.smooth_l1_loss, lambda x, y: _huber(x - y, 0.7) / 0.7, X, Y, beta=0.7),
    *_loss(loss.HuberLoss, F.huber_loss, lambda x, y: _huber(x - y, 0.7), X, Y, delta=0.7),
    *_loss(loss.BinaryCrossEntropy, F.binary_cross_entropy, _entropy, PX, PY),
    *_loss(loss.BinaryCrossEntropyWithLogits, F.binary_cross_entropy_with_logits, lambda x, y: _entropy(sp.expit(x), y), X, PY),
    *_loss(loss.BinaryCrossEntropyWithLogits, F.binary_cross_entropy_with_logits, lambda x, y: -1.5 * y * np.log(sp.expit(x)) - (1 - y) * np.log(sp.expit(-x)), X, PY, pos_weight=creation.tensor(1.5)),
    *kinds(loss.NllLoss, "weighted", lambda x: F.nll_loss(x, T_LABEL, T_WEIGHT.to(x.dtype)), _nll, X),
    Case(loss.NllLoss, "empty", lambda x: F.nll_loss(x, T_LABEL[:0], reduction="sum"), (NONE,), _none(), tags=EMPTY),
    Case(loss.NllLoss, "0d", lambda x: F.nll_loss(x, T_LABEL[0], reduction="none"), (values(5, 4),), lambda x: -x[2], tags=frozenset({"0d"})),
    *kinds(loss.NllLoss2D, "ignored", lambda x: F.nll_loss(x, T_PIXELS, reduction="sum"), _pixels, values(6, 2, 3, 2)),
    Case(loss.NllLoss2D, "empty", lambda x: F.nll_loss(x, T_PIXELS[:0], reduction="sum"), (np.zeros((0, 3, 2)),), _none(), tags=EMPTY),
    *kinds(loss.NllSpread, "each", direct(loss.NllSpread, LABEL[:, None], COEFF[:, None], False, (3, 4, 1)), _placed, values(7, 3, 1)),
    Case(loss.NllSpread, "0d", direct(loss.NllSpread, LABEL[:, None], COEFF[:, None], True, (3, 4, 1)), (np.array(1.5),), _placed, tags=frozenset({"0d"})),
    Case(loss.NllSpread, "empty", direct(loss.NllSpread, _I0, np.zeros((0, 1)), False, (0, 4, 1)), (np.zeros((0, 1)),), _none(0, 4, 1), tags=EMPTY),
]  # fmt: skip


# Normalisation


def _standard(x: Array, axes: tuple[int, ...]) -> Array:
    """x with mean 0 and variance 1 over axes."""
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


def _column(v: Array, x: Array) -> Array:
    return v.reshape(-1, *[1] * (x.ndim - 2))


def _batch(x: Array, w: Array, b: Array) -> Array:
    return _standard(x, (0, *range(2, x.ndim))) * _column(w, x) + _column(b, x) if x.size else x


def _given(x: Array, w: Array, b: Array) -> Array:
    mean, var = np.array([0.125, -0.25, 0.5]), np.array([0.5, 1.0, 1.5])
    return (x - _column(mean, x)) / np.sqrt(_column(var, x) + 1e-5) * _column(w, x) + _column(b, x)


def _statistics(x: Any) -> tuple[Any, Any]:
    return creation.tensor([0.125, -0.25, 0.5], dtype=x.dtype), creation.tensor([0.5, 1.0, 1.5], dtype=x.dtype)


def _layer(x: Array, w: Array, b: Array) -> Array:
    return _standard(x, (-2, -1)) * w + b if x.size else x


def _group(x: Array, w: Array, b: Array) -> Array:
    if not x.size:
        return x
    parts = [_standard(part, tuple(range(1, x.ndim))) for part in np.split(x, 2, 1)]
    return np.concatenate(parts, 1) * _column(w, x) + _column(b, x)


I3, W3, B3 = values(11, 4, 3, 5), values(12, 3), values(13, 3)
I4, W4, B4 = values(14, 2, 4, 3), values(15, 4), values(16, 4)
WL, BL = values(17, 3, 5), values(18, 3, 5)
CASES += [
    *kinds(norm.BatchNorm, "signals", lambda x, w, b: N.batch_norm(x, None, None, w, b, True), _batch, I3, W3, B3, empty=(I3[..., :0], W3, B3)),
    *kinds(norm.BatchNorm, "vectors", lambda x, w, b: N.batch_norm(x, None, None, w, b, True), _batch, values(19, 5, 3), W3, B3),
    *kinds(norm.BatchNormEval, "signals", lambda x, w, b: N.batch_norm(x, *_statistics(x), w, b), _given, I3, W3, B3, empty=(I3[:0], W3, B3)),
    *kinds(norm.LayerNorm, "two-axes", lambda x, w, b: N.layer_norm(x, (3, 5), w, b), _layer, I3, WL, BL, empty=(I3[:0], WL, BL)),
    *kinds(norm.LayerNorm, "bare", lambda x: N.layer_norm(x, (5,)), lambda x: _standard(x, (-1,)), I3),
    *kinds(norm.GroupNorm, "two-groups", lambda x, w, b: N.group_norm(x, 2, w, b), _group, I4, W4, B4, empty=(I4[:0], W4, B4)),
    *kinds(norm.GroupNorm, "bare", lambda x: N.group_norm(x, 2), lambda x: _group(x, np.ones(4), np.zeros(4)), I4),
]  # fmt: skip


# Embeddings

ROWS = np.array([[0, 2], [2, 4]])
T_ROWS = creation.tensor(ROWS)


def _summed(g: Array) -> Array:
    out = np.zeros((5, g.shape[-1]))
    for at in np.ndindex(ROWS.shape):
        out[ROWS[at]] += g[at]
    out[4] = 0
    return out


CASES += [
    *kinds(embedding.Embedding, "rows", lambda w: embed(T_ROWS, w), lambda w: np.stack([w[r] for r in ROWS]), values(21, 5, 3), empty=(np.zeros((5, 0)),)),
    Case(embedding.Embedding, "no-index", lambda w: embed(T_ROWS[:0], w), (values(21, 5, 3),), lambda w: np.zeros((0, 2, 3)), tags=EMPTY),
    *kinds(embedding.EmbeddingDense, "padding", direct(embedding.EmbeddingDense, ROWS, 4, 5), _summed, values(22, 2, 2, 3), empty=(np.zeros((2, 2, 0)),)),
    Case(embedding.EmbeddingDense, "no-index", direct(embedding.EmbeddingDense, ROWS[:0], -1, 5), (np.zeros((0, 2, 3)),), lambda g: np.zeros((5, 3)), tags=EMPTY),
]  # fmt: skip

O = creation.ones(2, 3)
ERRORS: list[ErrorCase] = [
    ErrorCase("mse-shape", lambda: F.mse_loss(O, creation.ones(4)), ShapeError, "must match the size of tensor b [4] (target)", loss.MseLoss),
    ErrorCase("reduction", lambda: F.l1_loss(O, O, reduction="max"), ValueError, "max is not a valid value for reduction", loss.L1Loss),
    ErrorCase("beta", lambda: F.smooth_l1_loss(O, O, beta=-1.0), RuntimeError, "does not support negative values for beta", loss.SmoothL1Loss),
    ErrorCase("delta", lambda: F.huber_loss(O, O, delta=0.0), RuntimeError, "does not support non-positive values for delta", loss.HuberLoss),
    ErrorCase("bce-range", lambda: F.binary_cross_entropy(O * 2, O), ConvgradError, "all elements of input should be between 0 and 1", loss.BinaryCrossEntropy),
    ErrorCase("bce-shape", lambda: F.binary_cross_entropy_with_logits(O, O[0]), ValueError, "must be the same as input size", loss.BinaryCrossEntropyWithLogits),
    ErrorCase("nll-class", lambda: F.nll_loss(O, T_LABEL[::2]), IndexError, "Target 3 is out of bounds", loss.NllLoss),
    ErrorCase("nll-batch", lambda: F.nll_loss(O, T_LABEL), ValueError, "to match target batch_size (3)", loss.NllLoss),
    ErrorCase("batch-one", lambda: N.batch_norm(O[:1], None, None, training=True), ValueError, "Expected more than 1 value per channel when training", norm.BatchNorm),
    ErrorCase("batch-none", lambda: N.batch_norm(O, None, None), RuntimeError, "Expected running_mean and running_var to be defined", norm.BatchNormEval),
    ErrorCase("layer-shape", lambda: N.layer_norm(O, (4,)), ShapeError, "normalized_shape", norm.LayerNorm),
    ErrorCase("group-count", lambda: N.group_norm(O, 2), ShapeError, "num_groups", norm.GroupNorm),
    ErrorCase("embedding-range", lambda: embed(T_ROWS, O), IndexError, "index out of range in self", embedding.Embedding),
    ErrorCase("embedding-float", lambda: embed(O, O), DtypeError, "Expected tensor for argument #1 'indices'", embedding.Embedding),
]  # fmt: skip
