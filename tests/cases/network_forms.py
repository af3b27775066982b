"""Further forms of the networks' operators: options of pooling, adjoints, empty batches; against loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

from convgrad.errors import ConvgradError
from convgrad.nn import functional as F
from convgrad.ops import embedding, loss, norm, pool
from convgrad.tensor import creation

from .case import Case, ErrorCase, direct, kinds, values

Array = Any
Spots = list[tuple[int, ...]]


def _windows(
    size: tuple[int, ...], kernel: int, stride: int, padding: int, dilation: int = 1, ceil: bool = False
) -> Iterator[tuple[tuple[int, ...], Spots]]:
    """(place in the result, places of the plane its window covers) for each window."""
    axes = []
    for n in size:
        room = n + 2 * padding - dilation * (kernel - 1) - 1
        count = (-(-room // stride) if ceil else room // stride) + 1
        if ceil and (count - 1) * stride >= n + padding:  # the last window must start inside
            count -= 1
        axes.append(
            [
                [
                    s
                    for s in range(
                        i * stride - padding, i * stride - padding + dilation * (kernel - 1) + 1, dilation
                    )
                    if 0 <= s < n
                ]
                for i in range(count)
            ]
        )
    return _products(axes)


def _even(size: tuple[int, ...], out: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Spots]]:
    """The same for windows that divide each axis evenly: from floor(i n / m) to ceil((i + 1) n / m)."""
    return _products(
        [
            [list(range(int(np.floor(i * n / m)), int(np.ceil((i + 1) * n / m)))) for i in range(m)]
            for n, m in zip(size, out, strict=True)
        ]
    )


def _products(axes: list[list[list[int]]]) -> Iterator[tuple[tuple[int, ...], Spots]]:
    for place in product(*[range(len(a)) for a in axes]):
        yield place, list(product(*[a[i] for a, i in zip(axes, place, strict=True)]))


def _pooled(x: Array, nd: int, windows: Any, how: Callable[[Array], Array]) -> Array:
    """``how`` of the elements (in a last axis) of every window."""
    found = {place: how(np.stack([x[(..., *s)] for s in spots], -1)) for place, spots in windows}
    shape = [n + 1 for n in max(found)]
    out = np.zeros((*x.shape[:-nd], *shape), x.dtype)
    for place, value in found.items():
        out[(..., *place)] = value
    return out


def _max(nd: int, *window: Any) -> Callable[[Array], Array]:
    return lambda x: _pooled(x, nd, _windows(x.shape[-nd:], *window), lambda v: v.max(-1))


def _mean(nd: int, divisor: int, *window: Any) -> Callable[[Array], Array]:
    return lambda x: _pooled(x, nd, _windows(x.shape[-nd:], *window), lambda v: v.sum(-1) / divisor)


def _average(v: Array) -> Array:
    return v.sum(-1) / v.shape[-1]


def _spread(g: Array, size: tuple[int, ...], windows: Any, divisor: int | None) -> Array:
    """Each element of g shared out over its window."""
    out = np.zeros((*g.shape[: -len(size)], *size), g.dtype)
    for place, spots in windows:
        for s in spots:
            out[(..., *s)] += g[(..., *place)] / (divisor or len(spots))
    return out


#: positions in planes of 3 x 4, some met twice
_INDEX = np.random.default_rng(1).integers(0, 12, (2, 3, 2, 2))


def _put(g: Array) -> Array:
    out = np.zeros((*g.shape[:2], 12))
    for at in np.ndindex(g.shape):
        out[(*at[:2], _INDEX[at])] += g[at]
    return out.reshape(*g.shape[:2], 3, 4)


def _got(x: Array) -> Array:
    out = np.zeros((*x.shape[:2], 2, 2))
    for at in np.ndindex(out.shape):
        out[at] = x[(*at[:2], *np.unravel_index(_INDEX[at], (3, 4)))]
    return out


L, P = values(1, 2, 3, 7), values(2, 2, 3, 5, 6)
L0, P0 = np.zeros((0, 3, 7)), np.zeros((0, 3, 5, 6))
_I0 = np.zeros((0, 3, 2, 2), np.int64)
EMPTY, ZERO = frozenset({"empty"}), frozenset({"0d"})
LABEL = np.array([2, 0, 3])
T_LABEL, T_PIXELS = creation.tensor(LABEL), creation.tensor(np.array([[1, 2], [0, -100]]))
COEFF = np.array([-0.2, -0.3, -0.5])


def _pixels(x: Array) -> Array:
    return -(x[0, 1, 0] + x[0, 2, 1] + x[1, 0, 0])


def _placed(g: Array) -> Array:
    out = np.zeros((3, 4, 1))
    for i, k in enumerate(LABEL):
        out[i, k, 0] = COEFF[i] * (g[i, 0] if g.ndim else g)
    return out


def _none(*shape: int) -> Callable[..., Array]:
    return lambda *_: np.zeros(shape)


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
    return creation.tensor([0.125, -0.25, 0.5], dtype=x.dtype), creation.tensor(
        [0.5, 1.0, 1.5], dtype=x.dtype
    )


def _layer(x: Array, w: Array, b: Array) -> Array:
    return _standard(x, (-2, -1)) * w + b if x.size else x


def _root_mean_square(x: Array, w: Any = 1.0) -> Array:
    return x / np.sqrt((x * x).mean((-2, -1), keepdims=True) + np.finfo(np.float64).eps) * w if x.size else x


def _group(x: Array, w: Array, b: Array) -> Array:
    if not x.size:
        return x
    parts = [_standard(part, tuple(range(1, x.ndim))) for part in np.split(x, 2, 1)]
    return np.concatenate(parts, 1) * _column(w, x) + _column(b, x)


I3, W3, B3 = values(11, 4, 3, 5), values(12, 3), values(13, 3)
I4, W4, B4 = values(14, 2, 4, 3), values(15, 4), values(16, 4)
WL, BL = values(17, 3, 5), values(18, 3, 5)
ROWS = np.array([[0, 2], [2, 4]])
T_ROWS = creation.tensor(ROWS)


def _summed(g: Array) -> Array:
    out = np.zeros((5, g.shape[-1]))
    for at in np.ndindex(ROWS.shape):
        out[ROWS[at]] += g[at]
    out[4] = 0
    return out


CASES: list[Case] = [
    *kinds(pool.MaxPool1D, "pad", lambda x: F.max_pool1d(x, 3, 2, 1), _max(1, 3, 2, 1), L, empty=(L0,)),
    *kinds(pool.MaxPool, "dilated", lambda x: F.max_pool2d(x, 2, 1, 1, 2), _max(2, 2, 1, 1, 2), P),
    *kinds(pool.MaxPool, "ceil", lambda x: F.max_pool2d(x, 2, 2, 0, 1, True), _max(2, 2, 2, 0, 1, True), P),
    *kinds(pool.AvgPool1D, "pad", lambda x: F.avg_pool1d(x, 3, 2, 1), _mean(1, 3, 3, 2, 1), L, empty=(L0,)),
    *kinds(pool.AvgPool, "divisor", lambda x: F.avg_pool2d(x, 3, 1, 1, divisor_override=5), _mean(2, 5, 3, 1, 1), P),
    *kinds(pool.AvgPool, "inside-only", lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), lambda x: _pooled(x, 2, _windows(x.shape[-2:], 3, 2, 1), _average), P),
    *kinds(pool.GlobalAvgPool, "plain", lambda x: F.adaptive_avg_pool2d(x, 1), lambda x: x.mean((2, 3), keepdims=True), P, empty=(P0,)),
    *kinds(pool.PoolGather, "plain", direct(pool.PoolGather, _INDEX, (3, 4)), _got, values(4, 2, 3, 3, 4)),
    Case(pool.PoolGather, "empty", direct(pool.PoolGather, _I0, (3, 4)), (np.zeros((0, 3, 3, 4)),), lambda x: np.zeros((0, 3, 2, 2)), tags=EMPTY),
    *kinds(pool.PoolSpread, "plain", direct(pool.PoolSpread, _INDEX, (3, 4)), _put, values(4, 2, 3, 2, 2)),
    Case(pool.PoolSpread, "empty", direct(pool.PoolSpread, _I0, (3, 4)), (np.zeros((0, 3, 2, 2)),), lambda x: np.zeros((0, 3, 3, 4)), tags=EMPTY),
    *kinds(pool.AvgPoolSpread, "plain", direct(pool.AvgPoolSpread, (2, 2), (2, 2), (1, 1), False, True, None, (5, 6)), lambda g: _spread(g, (5, 6), _windows((5, 6), 2, 2, 1), 4), values(5, 2, 3, 3, 4), empty=(np.zeros((0, 3, 3, 4)),)),
    *kinds(pool.AdaptiveAvgSpread, "plain", direct(pool.AdaptiveAvgSpread, (2, 4), (5, 6)), lambda g: _spread(g, (5, 6), _even((5, 6), (2, 4)), None), values(6, 2, 3, 2, 4), empty=(np.zeros((0, 3, 2, 4)),)),
    Case(loss.NllLoss, "0d", lambda x: F.nll_loss(x, T_LABEL[0], reduction="none"), (values(5, 4),), lambda x: -x[2], tags=ZERO),
    *kinds(loss.NllLoss2D, "ignored", lambda x: F.nll_loss(x, T_PIXELS, reduction="sum"), _pixels, values(6, 2, 3, 2)),
    Case(loss.NllLoss2D, "empty", lambda x: F.nll_loss(x, T_PIXELS[:0], reduction="sum"), (np.zeros((0, 3, 2)),), _none(), tags=EMPTY),
    *kinds(loss.NllSpread, "each", direct(loss.NllSpread, LABEL[:, None], COEFF[:, None], False, (3, 4, 1)), _placed, values(7, 3, 1)),
    Case(loss.NllSpread, "0d", direct(loss.NllSpread, LABEL[:, None], COEFF[:, None], True, (3, 4, 1)), (np.array(1.5),), _placed, tags=ZERO),
    Case(loss.NllSpread, "empty", direct(loss.NllSpread, np.zeros((0, 1), np.int64), np.zeros((0, 1)), False, (0, 4, 1)), (np.zeros((0, 1)),), _none(0, 4, 1), tags=EMPTY),
    *kinds(norm.BatchNorm, "signals", lambda x, w, b: F.batch_norm(x, None, None, w, b, True), _batch, I3, W3, B3, empty=(I3[..., :0], W3, B3)),
    *kinds(norm.BatchNorm, "vectors", lambda x, w, b: F.batch_norm(x, None, None, w, b, True), _batch, values(19, 5, 3), W3, B3),
    *kinds(norm.BatchNormEval, "signals", lambda x, w, b: F.batch_norm(x, *_statistics(x), w, b), _given, I3, W3, B3, empty=(I3[:0], W3, B3)),
    *kinds(norm.LayerNorm, "two-axes", lambda x, w, b: F.layer_norm(x, (3, 5), w, b), _layer, I3, WL, BL, empty=(I3[:0], WL, BL)),
    *kinds(norm.RmsNorm, "two-axes", lambda x, w: F.rms_norm(x, (3, 5), w), _root_mean_square, I3, WL, empty=(I3[:0], WL)),
    *kinds(norm.RmsNorm, "plain", lambda x: F.rms_norm(x, (3, 5)), _root_mean_square, I3),
    *kinds(norm.GroupNorm, "two-groups", lambda x, w, b: F.group_norm(x, 2, w, b), _group, I4, W4, B4, empty=(I4[:0], W4, B4)),
    *kinds(embedding.Embedding, "rows", lambda w: F.embedding(T_ROWS, w), lambda w: np.stack([w[r] for r in ROWS]), values(21, 5, 3), empty=(np.zeros((5, 0)),)),
    *kinds(embedding.EmbeddingDense, "padding", direct(embedding.EmbeddingDense, ROWS, 4, 5), _summed, values(22, 2, 2, 3), empty=(np.zeros((2, 2, 0)),)),
    Case(embedding.EmbeddingDense, "no-index", direct(embedding.EmbeddingDense, ROWS[:0], -1, 5), (np.zeros((0, 2, 3)),), lambda g: np.zeros((5, 3)), tags=EMPTY),
]  # fmt: skip

X = creation.ones(1, 3, 4, 4)
ERRORS: list[ErrorCase] = [
    ErrorCase("max_pool1d-rank", lambda: F.max_pool1d(X, 2), ConvgradError, "max_pool1d", pool.MaxPool1D),
    ErrorCase("max_pool2d-pad", lambda: F.max_pool2d(X, 2, padding=2), ConvgradError, "pad should be at most half of effective kernel size", pool.MaxPool),
    ErrorCase("l1-reduction", lambda: F.l1_loss(X, X, reduction="max"), ValueError, "max is not a valid value for reduction", loss.L1Loss),
]  # fmt: skip
