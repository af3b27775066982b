"""Losses of margins and alignments, attention, bags of rows, gated activations; against their definitions."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from convgrad.errors import ConvgradError
from convgrad.nn import functional as F
from convgrad.ops import activation, attention, ctc, embedding, margin
from convgrad.tensor import creation
from convgrad.tensor.tensor import apply

from .case import Case, ErrorCase, kinds, values

Array = Any
FOLDS = {"mean": np.mean, "sum": np.sum, "none": lambda v: v}


def _t(a: Any) -> Any:
    return creation.tensor(a)


# --- margins -------------------------------------------------------------------------------------

SIGNS = np.where(values(1, 3, 4) > 0, 1.0, -1.0)


def _soft(how: str) -> list[Case]:
    def call(x: Any) -> Any:
        n = x.shape[0] if x.ndim else 0
        y = _t(SIGNS[0, 0]) if not x.ndim else _t(SIGNS[:n])
        return F.soft_margin_loss(x, y.to(x.dtype), reduction=how)

    def reference(x: Array) -> Array:
        y = SIGNS[0, 0] if not x.ndim else SIGNS[: len(x)]
        return FOLDS[how](np.log(1 + np.exp(-y * x)))

    empty = None if how == "mean" else (np.zeros((0, 4)),)
    return kinds(
        margin.SoftMarginLoss, how, call, reference, values(2, 3, 4), empty=empty, zero=(np.array(0.7),)
    )


CLASS = np.array([1, 3, 0])
PARTS = np.array([0.5, 2.0, 1.0, 3.0])


def _one_margin(x: Array, n: int, p: int) -> float:
    others = [max(0.0, 0.8 - x[n, CLASS[n]] + x[n, i]) ** p for i in range(4) if i != CLASS[n]]
    return PARTS[CLASS[n]] * sum(others) / 4


def _multi(how: str, p: int) -> list[Case]:
    def call(x: Any) -> Any:
        target, w = _t(CLASS[: x.shape[0]]), _t(PARTS).to(x.dtype)
        return F.multi_margin_loss(x, target, p, 0.8, w, reduction=how)

    def reference(x: Array) -> Array:
        return FOLDS[how](np.array([_one_margin(x, n, p) for n in range(len(x))]))

    empty = None if how == "mean" else (np.zeros((0, 4)),)
    return kinds(margin.MultiMarginLoss, f"{how}-{p}", call, reference, values(3, 3, 4), empty=empty)


LABELS = np.array([[3, 1, -1, 0], [2, -1, 1, 1], [-1, 0, 1, 2]])


def _several_margins(x: Array, n: int) -> float:
    own = LABELS[n, : list(LABELS[n]).index(-1)]
    pairs = product(own, [i for i in range(4) if i not in own])
    return sum(max(0.0, 1 - x[n, j] + x[n, i]) for j, i in pairs) / 4


def _multilabel(how: str) -> list[Case]:
    def call(x: Any) -> Any:
        return F.multilabel_margin_loss(x, _t(LABELS[: x.shape[0]]), reduction=how)

    def reference(x: Array) -> Array:
        return FOLDS[how](np.array([_several_margins(x, n) for n in range(len(x))]))

    empty = None if how == "mean" else (np.zeros((0, 4)),)
    return kinds(margin.MultilabelMarginLoss, how, call, reference, values(4, 3, 4), empty=empty)


# --- alignments ------------------------------------------------------------------------------------

WORDS = np.array([[1, 2, 2], [2, 0, 0], [0, 0, 0], [1, 1, 3]])
STEPS, LONG = np.array([5, 4, 3, 5]), np.array([3, 1, 0, 2])


def _read(path: tuple[int, ...]) -> list[int]:
    """The labelling of an alignment: repetitions once, without blanks (class 0)."""
    return [c for i, c in enumerate(path) if c and (i == 0 or path[i - 1] != c)]


def _alignments(x: Array) -> Array:
    """By the definition: the sum over all alignments of each sequence."""
    p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    total = np.zeros(x.shape[1])
    for n in range(x.shape[1]):
        for path in product(range(x.shape[2]), repeat=int(STEPS[n])):
            if _read(path) == list(WORDS[n, : LONG[n]]):
                total[n] += np.prod([p[t, n, c] for t, c in enumerate(path)])
    return -np.log(total)


def _ctc(how: str, flat: bool = False) -> Any:
    words = _t(np.concatenate([w[:u] for w, u in zip(WORDS, LONG, strict=True)])) if flat else _t(WORDS)
    return lambda x: F.ctc_loss(x.log_softmax(-1), words, _t(STEPS), _t(LONG), reduction=how)


X_CTC = values(5, 5, 4, 4)

# --- attention ---------------------------------------------------------------------------------------

Q, K, V = values(6, 2, 3, 4), values(7, 2, 5, 4), values(8, 2, 5, 2)
MASK = values(9, 3, 5)
LOOK = values(10, 3, 5) > -0.5
LOOK[1] = False


def _attend(q: Array, k: Array, v: Array, mask: Any = None, allowed: Any = None, scale: float = 0.5) -> Array:
    lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    out = np.zeros((*lead, q.shape[-2], v.shape[-1]))
    q, k, v = [np.broadcast_to(a, (*lead, *a.shape[-2:])) for a in (q, k, v)]
    for at in np.ndindex(*lead, q.shape[-2]):
        weights = np.array([np.exp(scale * q[at] @ k[at[:-1]][s]) for s in range(k.shape[-2])])
        if mask is not None:
            weights = weights * np.exp(mask[at[-1]])
        if allowed is not None:
            weights = weights * allowed[at[-1]]
        if weights.sum():
            out[at] = weights / weights.sum() @ v[at[:-1]]
    return out


def _causal(q: Array, k: Array, v: Array) -> Array:
    return _attend(q, k, v, allowed=np.tri(q.shape[-2], k.shape[-2]), scale=0.3)


OP = attention.ScaledDotProductAttention
DOT = F.scaled_dot_product_attention

JOINT = values(23, 2, 3, 12) * 0.5


def _within(mask: Any, batch_first: bool) -> Any:
    return lambda x: apply(attention.SelfAttention, (x,), (mask, None, 2, batch_first))


def _attend_within(x: Array, mask: Any, batch_first: bool) -> Array:
    """Each head of each sequence by itself: ``(S, N, 4)``."""
    x = x if batch_first else x.swapaxes(0, 1)
    out = np.zeros((x.shape[1], x.shape[0], 4))
    for n, h in np.ndindex(x.shape[0], 2):
        q, k, v = [x[n, :, 4 * i + 2 * h : 4 * i + 2 * h + 2] for i in range(3)]
        out[:, n, 2 * h : 2 * h + 2] = _attend(q, k, v, mask, scale=2**-0.5)
    return out


# --- bags of rows --------------------------------------------------------------------------------------

INDEX = np.array([0, 2, 2, 4, 1, 0])
STARTS = np.array([0, 2, 2, 5])
ENDS = [2, 2, 5, 6]
FACTORS = values(11, 6)


def _bags(w: Array, how: str, s: Array | None = None, padding: int = -1) -> Array:
    out = np.zeros((4, w.shape[1]))
    for b, (start, end) in enumerate(zip(STARTS, ENDS, strict=True)):
        at = [i for i in range(start, end) if INDEX[i] != padding]
        rows = np.array([w[INDEX[i]] * (1 if s is None else s[i]) for i in at])
        if at:
            out[b] = {"sum": rows.sum, "mean": rows.mean, "max": rows.max}[how](0)
    return out


def _bag(how: str, padding: int | None = None) -> Any:
    return lambda w: F.embedding_bag(_t(INDEX), w, _t(STARTS), mode=how, padding_idx=padding)


def _weighted(w: Any, s: Any) -> Any:
    return F.embedding_bag(_t(INDEX), w, _t(STARTS), mode="sum", per_sample_weights=s)


TABLE, NARROW = values(12, 5, 3), np.zeros((5, 0))


def _glu(x: Array) -> Array:
    first, second = np.split(x, 2, -1)
    return first / (1 + np.exp(-second))


CASES: list[Case] = [
    *_soft("mean"), *_soft("sum"), *_soft("none"),
    *_multi("mean", 1), *_multi("sum", 2), *_multi("none", 2), *_multi("none", 1),
    *_multilabel("mean"), *_multilabel("sum"), *_multilabel("none"),
    *kinds(ctc.CtcLoss, "each", _ctc("none"), _alignments, X_CTC),
    *kinds(ctc.CtcLoss, "mean", _ctc("mean"), lambda x: (_alignments(x) / np.maximum(LONG, 1)).mean(), X_CTC),
    *kinds(ctc.CtcLoss, "flat", _ctc("sum", True), lambda x: _alignments(x).sum(), X_CTC),
    *kinds(OP, "plain", DOT, _attend, Q, K, V, empty=(Q[:0], K[:0], V[:0])),
    *kinds(OP, "broadcast", DOT, _attend, Q[:1], K, V[0]),
    *kinds(OP, "mask", lambda q, k, v, m: DOT(q, k, v, m, scale=0.3), lambda q, k, v, m: _attend(q, k, v, m, scale=0.3), Q, K, V, MASK),
    *kinds(OP, "causal", lambda q, k, v: DOT(q, k, v, is_causal=True, scale=0.3), _causal, Q, K, V),
    *kinds(OP, "allowed", lambda q, k, v: DOT(q, k, v, _t(LOOK)), lambda q, k, v: _attend(q, k, v, allowed=LOOK), Q, K, V),
    *kinds(attention.SelfAttention, "plain", _within(None, True), lambda x: _attend_within(x, None, True), JOINT, empty=(JOINT[:0],)),
    *kinds(attention.SelfAttention, "masked", _within(MASK[:2, :2], False), lambda x: _attend_within(x, MASK[:2, :2], False), JOINT),
    *kinds(embedding.EmbeddingBag, "sum", _bag("sum"), lambda w: _bags(w, "sum"), TABLE, empty=(NARROW,)),
    *kinds(embedding.EmbeddingBag, "mean-padding", _bag("mean", 2), lambda w: _bags(w, "mean", padding=2), TABLE),
    *kinds(embedding.EmbeddingBag, "weighted", _weighted, lambda w, s: _bags(w, "sum", s), TABLE, FACTORS),
    *kinds(embedding.EmbeddingBagMax, "padding", _bag("max", 0), lambda w: _bags(w, "max", padding=0), TABLE, empty=(NARROW,)),
    *kinds(activation.Glu, "last", F.glu, _glu, values(13, 3, 6), empty=(np.zeros((0, 4)),)),
    *kinds(activation.Glu, "first", lambda x: F.glu(x, 0), lambda x: _glu(x.T).T, values(13, 4, 3)),
    *kinds(activation.RreluWithNoise, "mean-slope", F.rrelu, lambda x: np.where(x > 0, x, x * (11 / 48)), values(14, 3, 4), empty=(np.zeros((0, 4)),), zero=(np.array(-0.7),)),
]  # fmt: skip

ONES = creation.ones(2, 3)
ERRORS: list[ErrorCase] = [
    ErrorCase("soft-target", lambda: F.soft_margin_loss(ONES, creation.ones(2, 3, requires_grad=True)), ConvgradError, "not differentiable with respect to argument 'target'", margin.SoftMarginLoss),
    ErrorCase("margin-p", lambda: F.multi_margin_loss(ONES, _t([0, 1]), 3), ValueError, "only p == 1 and p == 2 supported", margin.MultiMarginLoss),
    ErrorCase("margin-range", lambda: F.multi_margin_loss(ONES, _t([0, 3])), ConvgradError, "target out of range", margin.MultiMarginLoss),
    ErrorCase("margin-target", lambda: F.multi_margin_loss(ONES, _t([0])), ConvgradError, "Expected target size [2], but got [1]", margin.MultiMarginLoss),
    ErrorCase("margin-weight", lambda: F.multi_margin_loss(ONES, _t([0, 1]), weight=ONES), ValueError, "weight must be one-dimensional", margin.MultiMarginLoss),
    ErrorCase("margin-weight-size", lambda: F.multi_margin_loss(ONES, _t([0, 1]), weight=creation.ones(2)), ConvgradError, "inconsistent weight size, expected 3", margin.MultiMarginLoss),
    ErrorCase("margin-rank", lambda: F.multi_margin_loss(creation.ones(1, 2, 3), _t([0])), ConvgradError, "Expected non-empty vector or matrix", margin.MultiMarginLoss),
    ErrorCase("labels-size", lambda: F.multilabel_margin_loss(ONES, _t([[0]])), ConvgradError, "inconsistent target size", margin.MultilabelMarginLoss),
    ErrorCase("labels-range", lambda: F.multilabel_margin_loss(ONES, _t([[3, 0, 0], [0, 0, 0]])), ConvgradError, "is out of range", margin.MultilabelMarginLoss),
    ErrorCase("labels-dtype", lambda: F.multilabel_margin_loss(ONES, ONES), ConvgradError, "expected scalar type Long but found Float", margin.MultilabelMarginLoss),
    ErrorCase("ctc-blank", lambda: F.ctc_loss(creation.ones(4, 1, 3), _t([[1]]), [4], [1], blank=3), ConvgradError, "blank must be in label range", ctc.CtcLoss),
    ErrorCase("ctc-label", lambda: F.ctc_loss(creation.ones(4, 1, 3), _t([[3]]), [4], [1]), ConvgradError, "targets must be in label range", ctc.CtcLoss),
    ErrorCase("ctc-long", lambda: F.ctc_loss(creation.ones(4, 1, 3), _t([[1]]), [5], [1]), ConvgradError, "Expected input_lengths to have value at most 4, but got value 5", ctc.CtcLoss),
    ErrorCase("ctc-negative", lambda: F.ctc_loss(creation.ones(4, 1, 3), _t([[1]]), [4], [-1]), ConvgradError, "Expected target_lengths to have value at least 0", ctc.CtcLoss),
    ErrorCase("ctc-batch", lambda: F.ctc_loss(creation.ones(4, 1, 3), _t([[1]]), [4, 4], [1]), ConvgradError, "input_lengths must be of size batch_size", ctc.CtcLoss),
    ErrorCase("ctc-flat", lambda: F.ctc_loss(creation.ones(4, 1, 3), _t([1, 1]), [4], [1]), ConvgradError, "Expected tensor to have size 1 at dimension 0, but got size 2", ctc.CtcLoss),
    ErrorCase("ctc-empty", lambda: F.ctc_loss(creation.ones(4, 0, 3), _t([1, 1]), [], []), ConvgradError, "log_probs tensor must not be empty", ctc.CtcLoss),
    ErrorCase("ctc-integral", lambda: F.ctc_loss(creation.ones(4, 1, 3), _t([[1]]), [4.0], [1]), ConvgradError, "input_lengths must be integral", ctc.CtcLoss),
    ErrorCase("attention-dtype", lambda: DOT(ONES, ONES.double(), ONES), ConvgradError, "to have the same dtype", OP),
    ErrorCase("attention-rank", lambda: DOT(ONES[0], ONES, ONES), ConvgradError, "at least 2 dimensional", OP),
    ErrorCase("attention-mask", lambda: DOT(ONES, ONES, ONES, creation.ones(3, 3)), ConvgradError, "does not broadcast", OP),
    ErrorCase("attention-mask-dtype", lambda: DOT(ONES, ONES, ONES, _t([[1, 1], [1, 1]])), ConvgradError, "Expected attn_mask dtype to be bool or float", OP),
    ErrorCase("attention-size", lambda: DOT(ONES, creation.ones(2, 4), ONES), ConvgradError, "same size of the last dimension", OP),
    ErrorCase("attention-p", lambda: DOT(ONES, ONES, ONES, dropout_p=1.5), ConvgradError, "between 0 and 1, but got 1.5", OP),
    ErrorCase("bag-offsets", lambda: F.embedding_bag(_t([0]), ONES), ValueError, "offsets has to be a 1D Tensor but got None", embedding.EmbeddingBag),
    ErrorCase("bag-first", lambda: F.embedding_bag(_t([0]), ONES, _t([1])), ConvgradError, "offsets[0] has to be 0", embedding.EmbeddingBag),
    ErrorCase("bag-last", lambda: F.embedding_bag(_t([0]), ONES, _t([0, 9])), ConvgradError, "offsets[-1] can not be greater", embedding.EmbeddingBag),
    ErrorCase("bag-mode", lambda: F.embedding_bag(_t([0]), ONES, _t([0]), mode="min"), ValueError, "mode has to be one of sum, mean or max", embedding.EmbeddingBagMax),
    ErrorCase("bag-weights", lambda: F.embedding_bag(_t([0]), ONES, _t([0]), per_sample_weights=creation.ones(1)), NotImplementedError, "only supported for mode='sum'", embedding.EmbeddingBag),
    ErrorCase("bag-index", lambda: F.embedding_bag(_t([2]), ONES, _t([0])), IndexError, "index out of range in self", embedding.EmbeddingBag),
    ErrorCase("bag-padding", lambda: F.embedding_bag(_t([1]), ONES, _t([0]), padding_idx=2), ConvgradError, "padding_idx must be within", embedding.EmbeddingBag),
    ErrorCase("glu-odd", lambda: F.glu(ONES), ConvgradError, "Halving dimension must be even", activation.Glu),
    ErrorCase("rrelu-bounds", lambda: F.rrelu(ONES, 0.5, 0.25), ConvgradError, "Lower bound should be less", activation.RreluWithNoise),
    ErrorCase("gaussian-var", lambda: F.gaussian_nll_loss(ONES, ONES, -1.0), ValueError, "var has negative"),
    ErrorCase("gaussian-size", lambda: F.gaussian_nll_loss(ONES, ONES, creation.ones(1, 1)), ValueError, "var is of incorrect size"),
    ErrorCase("triplet-margin", lambda: F.triplet_margin_loss(ONES, ONES, ONES, margin=0), ValueError, "margin must be greater than 0"),
    ErrorCase("triplet-dims", lambda: F.triplet_margin_loss(ONES, ONES[0], ONES), ConvgradError, "same number of dimensions"),
    ErrorCase("ranking-dims", lambda: F.margin_ranking_loss(ONES, ONES[0], ONES), ConvgradError, "should have same dimension"),
    ErrorCase("cosine-target", lambda: F.cosine_embedding_loss(ONES, ONES, ONES), ConvgradError, "multi-target not supported"),
    ErrorCase("cosine-inputs", lambda: F.cosine_embedding_loss(ONES, ONES, _t(1.0)), ConvgradError, "0D target tensor expects 1D input"),
    ErrorCase("mse-weight", lambda: F.mse_loss(ONES, ONES, weight=creation.ones(3)), ValueError, "Weights and input must have the same size"),
    ErrorCase("dropout-channels", lambda: F.feature_alpha_dropout(ONES[0], 0.5, True), ConvgradError, "at least 2 dimensions"),
    ErrorCase("dropout-p", lambda: F.alpha_dropout(ONES, 1.5, True), ValueError, "between 0 and 1, but got 1.5"),
    ErrorCase("dropout-whole", lambda: F.dropout(_t([1, 2])), ConvgradError, "can't be cast to the desired output type Long"),
]  # fmt: skip
