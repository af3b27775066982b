"""Operators of the networks: normalisation, pooling, losses and embedding, against their definitions as loops."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from convgrad.nn import functional as F
from convgrad.ops import embedding, loss, norm, pool
from convgrad.tensor.tensor import Tensor, apply

from .case import Case, ErrorCase, values

CASES: list[Case] = []


def _add(
    op: type,
    name: str,
    call: Callable[..., Any],
    args: tuple[Any, ...],
    reference: Callable[..., Any],
    tags: str = "",
    **options: Any,
) -> None:
    CASES.append(Case(op, name, call, args, reference, tags=frozenset(tags.split()), **options))


def _turned(x: Any) -> Any:
    """The same values with other strides."""
    return np.asfortranarray(x)


def _standard(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def _column(v: Any, x: Any) -> Any:
    return v.reshape(1, -1, *(1,) * (x.ndim - 2))


def _batch_norm(x: Any, w: Any, b: Any) -> Any:
    axes = (0, *range(2, x.ndim))
    return _standard(x, axes, 1e-5) * _column(w, x) + _column(b, x)


for _name, _shape, _tags in (
    ("plane", (4, 3), ""),
    ("image", (2, 3, 2, 4), ""),
    ("strided", (4, 3), "strided"),
):
    _x, _w, _b = values(1, *_shape), values(2, 3), values(3, 3)
    _x = _turned(_x) if _tags else _x
    _add(
        norm.BatchNorm,
        _name,
        lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
        (_x, _w, _b),
        _batch_norm,
        _tags,
    )
    _stats = values(4, 3), np.abs(values(5, 3))
    _add(
        norm.BatchNormEval, _name,
        lambda x, w, b, s=_stats: F.batch_norm(x, Tensor(s[0], None), Tensor(s[1], None), w, b, False), (_x, _w, _b),
        lambda x, w, b, s=_stats: (x - _column(s[0], x)) / np.sqrt(_column(s[1], x) + 1e-5) * _column(w, x) + _column(b, x),
        _tags,
    )  # fmt: skip
_add(norm.BatchNorm, "empty", lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
     (np.zeros((0, 3, 2)), values(2, 3), values(3, 3)), lambda x, w, b: x, "empty")  # fmt: skip

for _name, _shape, _tags in (
    ("rows", (4, 5), ""),
    ("deep", (2, 3, 5), ""),
    ("strided", (4, 5), "strided"),
    ("empty", (0, 5), "empty"),
):
    _x = _turned(values(1, *_shape)) if _tags == "strided" else values(1, *_shape)
    _add(norm.LayerNorm, _name, lambda x, w, b: F.layer_norm(x, (5,), w, b), (_x, values(2, 5), values(3, 5)),
         lambda x, w, b: _standard(x, (-1,), 1e-5) * w + b, _tags)  # fmt: skip
    _add(
        norm.LayerNorm,
        f"{_name}-plain",
        lambda x: F.layer_norm(x, (5,)),
        (_x,),
        lambda x: _standard(x, (-1,), 1e-5),
    )


def _group_norm(x: Any, w: Any, b: Any) -> Any:
    parts = _standard(x.reshape(x.shape[0], 2, -1), (2,), 1e-5).reshape(x.shape)
    return parts * _column(w, x) + _column(b, x)


for _name, _shape, _tags in (("signal", (2, 4, 3), ""), ("strided", (2, 4, 3), "strided")):
    _x = _turned(values(1, *_shape)) if _tags else values(1, *_shape)
    _add(
        norm.GroupNorm,
        _name,
        lambda x, w, b: F.group_norm(x, 2, w, b),
        (_x, values(2, 4), values(3, 4)),
        _group_norm,
        _tags,
    )

# --- pooling -------------------------------------------------------------------------------------


def _windows(x: Any, size: tuple[int, ...], stride: int, combine: Callable[..., Any]) -> Any:
    """Pooling by the definition, without padding: a loop over the places of the window."""
    n = len(size)
    counts = [(m - k) // stride + 1 for m, k in zip(x.shape[-n:], size, strict=True)]
    out = np.empty((*x.shape[:-n], *counts))
    for place in product(*map(range, counts)):
        window = tuple(slice(p * stride, p * stride + k) for p, k in zip(place, size, strict=True))
        out[(..., *place)] = combine(x[(..., *window)], tuple(range(-n, 0)))
    return out


def _evenly(x: Any, size: tuple[int, ...], combine: Callable[..., Any]) -> Any:
    n = len(size)
    out = np.empty((*x.shape[:-n], *size))
    for place in product(*map(range, size)):
        window = tuple(
            slice(p * k // m, -(-(p + 1) * k // m)) for p, m, k in zip(place, size, x.shape[-n:], strict=True)
        )
        out[(..., *place)] = combine(x[(..., *window)], tuple(range(-n, 0)))
    return out


def _largest(x: Any, axes: Any) -> Any:
    return x.max(axes)


def _average(x: Any, axes: Any) -> Any:
    return x.mean(axes)


_POOLS: list[tuple[int, type, type, type, type]] = [
    (1, pool.MaxPool1D, pool.AvgPool1D, pool.AdaptiveAvgPool1D, pool.AdaptiveMaxPool1D),
    (2, pool.MaxPool, pool.AvgPool, pool.AdaptiveAvgPool, pool.AdaptiveMaxPool),
    (3, pool.MaxPool3D, pool.AvgPool3D, pool.AdaptiveAvgPool3D, pool.AdaptiveMaxPool3D),
]
for _n, _max, _avg, _even, _even_max in _POOLS:
    _forms = [("batch", (2, 2, *(5, 4, 3)[:_n]), ""), ("single", (2, *(5, 4, 3)[:_n]), ""),
              ("strided", (2, 2, *(4, 5, 3)[:_n]), "strided"), ("empty", (0, 2, *(5, 4, 3)[:_n]), "empty")]  # fmt: skip
    for _name, _shape, _tags in _forms:
        _x = _turned(values(7, *_shape)) if _tags == "strided" else values(7, *_shape)
        _k = (2,) * _n
        for _op, _prefix, _combine in ((_max, "max_pool", _largest), (_avg, "avg_pool", _average)):
            _f = getattr(F, f"{_prefix}{_n}d")
            _add(
                _op,
                _name,
                lambda x, f=_f, k=_k: f(x, k, 1),
                (_x,),
                lambda x, k=_k, c=_combine: _windows(x, k, 1, c),
                _tags,
            )
        for _op, _prefix, _combine in (
            (_even, "adaptive_avg_pool", _average),
            (_even_max, "adaptive_max_pool", _largest),
        ):
            _f = getattr(F, f"{_prefix}{_n}d")
            _add(
                _op,
                _name,
                lambda x, f=_f, k=_k: f(x, k),
                (_x,),
                lambda x, k=_k, c=_combine: _evenly(x, k, c),
                _tags,
            )
_add(pool.GlobalAvgPool, "image", lambda x: F.adaptive_avg_pool2d(x, 1), (values(8, 2, 3, 4, 5),),
     lambda x: x.mean((2, 3), keepdims=True))  # fmt: skip
_add(pool.MaxPool, "padded", lambda x: F.max_pool2d(x, 3, 2, 1), (values(9, 1, 2, 5, 5),),
     lambda x: _windows(np.pad(x, [(0, 0)] * 2 + [(1, 1)] * 2, constant_values=-np.inf), (3, 3), 2, _largest))  # fmt: skip
_add(pool.AvgPool, "padded", lambda x: F.avg_pool2d(x, 3, 2, 1), (values(9, 1, 2, 5, 5),),
     lambda x: _windows(np.pad(x, [(0, 0)] * 2 + [(1, 1)] * 2), (3, 3), 2, _average))  # fmt: skip

# --- losses --------------------------------------------------------------------------------------


def _loss(op: type, call: Callable[..., Any], each: Callable[..., Any], low: float, high: float) -> None:
    """A loss of pairs: every reduction, and the shapes that are easily forgotten."""
    forms = [
        ("table", (3, 4), ""),
        ("0d", (), "0d"),
        ("strided", (3, 4), "strided"),
        ("empty", (0, 2), "empty"),
    ]
    for how, fold in (("mean", np.mean), ("sum", np.sum), ("none", lambda v: v)):
        for name, shape, tags in forms:
            if tags == "empty" and how == "mean":
                continue
            x, y = values(11, *shape, low=low, high=high), values(12, *shape, low=low, high=high)
            if tags == "strided":
                x, y = _turned(x), _turned(y)
            _add(op, f"{name}-{how}", lambda x, y, h=how: call(x, y, reduction=h), (x, y),
                 lambda x, y, f=fold: f(each(x, y)), tags)  # fmt: skip


def _huber(x: Any, y: Any) -> Any:
    d = np.abs(x - y)
    return np.where(d <= 0.7, d * d / 2, 0.7 * (d - 0.35))


def _smooth(x: Any, y: Any) -> Any:
    d = np.abs(x - y)
    return np.where(d < 0.7, d * d / 1.4, d - 0.35)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _entropy(x: Any, y: Any) -> Any:
    return -(y * np.log(x) + (1 - y) * np.log(1 - x))


_loss(loss.MseLoss, F.mse_loss, lambda x, y: (x - y) ** 2, -2, 2)
_loss(loss.L1Loss, F.l1_loss, lambda x, y: np.abs(x - y), -2, 2)
_loss(loss.HuberLoss, lambda x, y, reduction: F.huber_loss(x, y, reduction, 0.7), _huber, -2, 2)
_loss(
    loss.SmoothL1Loss,
    lambda x, y, reduction: F.smooth_l1_loss(x, y, reduction=reduction, beta=0.7),
    _smooth,
    -2,
    2,
)
_loss(loss.BinaryCrossEntropy, F.binary_cross_entropy, _entropy, 0.1, 0.9)
_loss(
    loss.BinaryCrossEntropyWithLogits,
    F.binary_cross_entropy_with_logits,
    lambda x, y: _entropy(_sigmoid(x), y),
    0.1,
    0.9,
)
_PART = np.array([0.5, 2.0, 1.0, 3.0])
_add(loss.BinaryCrossEntropyWithLogits, "weighted",
     lambda x, y: F.binary_cross_entropy_with_logits(x, y, Tensor(_PART, None), pos_weight=Tensor(_PART[::-1].copy(), None)),
     (values(1, 3, 4), values(2, 3, 4, low=0.1, high=0.9)),
     lambda x, y: np.mean(-_PART * (_PART[::-1] * y * np.log(_sigmoid(x)) + (1 - y) * np.log(1 - _sigmoid(x)))))  # fmt: skip

_TARGET = np.array([0, 3, 1])
_GRID = np.array([[0, 3], [1, 1], [2, 0]])


def _nll(x: Any, how: str) -> Any:
    target = _TARGET if x.ndim == 2 else _GRID
    picked = -np.take_along_axis(x, target[:, None], 1)[:, 0]
    weight = _PART[target]
    return {
        "none": picked * weight,
        "sum": (picked * weight).sum(),
        "mean": (picked * weight).sum() / weight.sum(),
    }[how]


for _op, _name, _shape, _tags in (
    (loss.NllLoss, "rows", (3, 4), ""), (loss.NllLoss, "strided", (3, 4), "strided"), (loss.NllLoss2D, "grid", (3, 4, 2), ""),
):  # fmt: skip
    for _how in ("mean", "sum", "none"):
        _x = _turned(values(13, *_shape)) if _tags else values(13, *_shape)
        _t = _TARGET if len(_shape) == 2 else _GRID
        _add(_op, f"{_name}-{_how}",
             lambda x, t=_t, h=_how: F.nll_loss(x, Tensor(t, None), Tensor(_PART.astype(x.detach().numpy().dtype), None), reduction=h),
             (_x,), lambda x, h=_how: _nll(x, h), _tags)  # fmt: skip
_add(loss.NllLoss, "empty-sum", lambda x: F.nll_loss(x, Tensor(np.zeros(0, np.int64), None), reduction="sum"),
     (np.zeros((0, 4)),), lambda x: np.zeros(()), "empty")  # fmt: skip
_COEFF = np.array([[1.0, 2.0], [0.5, 0.25], [3.0, 1.0]])


def _spread(g: Any) -> Any:
    out = np.zeros((3, 4, 2))
    for n, i in product(range(3), range(2)):
        out[n, _GRID[n, i], i] = g[n, i] * _COEFF[n, i]
    return out


_add(
    loss.NllSpread,
    "grid",
    lambda g: apply(loss.NllSpread, (g,), (_GRID, _COEFF, False, (3, 4, 2))),
    (values(3, 3, 2),),
    _spread,
)

# --- embedding, and the adjoints of pooling --------------------------------------------------------
_INDEX = np.array([[0, 2, 2], [4, 0, 2]])
for _name, _index, _tags in (
    ("table", _INDEX, ""),
    ("0d", np.array(3), "0d"),
    ("empty", np.zeros((0, 2), np.int64), "empty"),
):
    _add(
        embedding.Embedding,
        _name,
        lambda w, i=_index: F.embedding(Tensor(i, None), w),
        (values(1, 5, 3),),
        lambda w, i=_index: w[i],
        _tags,
    )
_add(
    embedding.Embedding,
    "strided",
    lambda w: F.embedding(Tensor(_INDEX, None), w),
    (_turned(values(1, 5, 3)),),
    lambda w: w[_INDEX],
    "strided",
)


def _rows(g: Any) -> Any:
    out = np.zeros((5, 3))
    for place in np.ndindex(*_INDEX.shape):
        out[_INDEX[place]] += g[place]
    return out


_add(
    embedding.EmbeddingDense,
    "table",
    lambda g: apply(embedding.EmbeddingDense, (g,), (_INDEX, -1, 5)),
    (values(2, 2, 3, 3),),
    _rows,
)
_PLACES = np.array([[[3, 3], [0, 5]]])
_add(pool.PoolGather, "image", lambda x: apply(pool.PoolGather, (x,), (_PLACES, (2, 3))), (values(1, 1, 2, 3),),
     lambda x: np.array([[x.reshape(6)[_PLACES[0]]]])[0])  # fmt: skip
_add(pool.PoolSpread, "image", lambda g: apply(pool.PoolSpread, (g,), (_PLACES, (2, 3))), (values(1, 1, 2, 2),),
     lambda g: np.bincount(_PLACES.reshape(-1), g.reshape(-1), 6).reshape(1, 2, 3))  # fmt: skip
_SPREAD = ((2,), (2,), (0,), False, True, None, (6,))
_add(
    pool.AvgPoolSpread,
    "signal",
    lambda g: apply(pool.AvgPoolSpread, (g,), _SPREAD),
    (values(1, 2, 3),),
    lambda g: np.repeat(g, 2, -1) / 2,
)
_add(
    pool.AdaptiveAvgSpread,
    "signal",
    lambda g: apply(pool.AdaptiveAvgSpread, (g,), ((3,), (6,))),
    (values(1, 2, 3),),
    lambda g: np.repeat(g, 2, -1) / 2,
)

# --- errors --------------------------------------------------------------------------------------


def _ones(*shape: int) -> Tensor:
    return Tensor(np.ones(shape, np.float32), None)


def _whole(*numbers: int) -> Tensor:
    return Tensor(np.array(numbers), None)


ERRORS: list[ErrorCase] = [
    ErrorCase("batch_norm_one_value", lambda: F.batch_norm(_ones(1, 3), None, None, training=True), ValueError,
              "Expected more than 1 value per channel when training", norm.BatchNorm),
    ErrorCase("batch_norm_channels", lambda: F.batch_norm(_ones(2, 3), _ones(4), _ones(4)), RuntimeError,
              "running_mean should contain 3 elements not 4", norm.BatchNormEval),
    ErrorCase("batch_norm_no_stats", lambda: F.batch_norm(_ones(2, 3), None, None), RuntimeError,
              "Expected running_mean and running_var to be defined", norm.BatchNormEval),
    ErrorCase("layer_norm_shape", lambda: F.layer_norm(_ones(2, 3), (4,)), RuntimeError,
              "expected input with shape [*, 4]", norm.LayerNorm),
    ErrorCase("group_norm_channels", lambda: F.group_norm(_ones(2, 3), 2), RuntimeError,
              "divisible by num_groups", norm.GroupNorm),
    ErrorCase("max_pool_too_large", lambda: F.max_pool2d(_ones(1, 1, 2, 2), 3), RuntimeError,
              "Output size is too small", pool.MaxPool),
    ErrorCase("max_pool_padding", lambda: F.max_pool1d(_ones(1, 1, 8), 2, padding=2), RuntimeError,
              "at most half of kernel size", pool.MaxPool1D),
    ErrorCase("avg_pool_divisor", lambda: F.avg_pool2d(_ones(1, 1, 4, 4), 2, divisor_override=0), RuntimeError,
              "divisor must be not zero", pool.AvgPool),
    ErrorCase("adaptive_rank", lambda: F.adaptive_avg_pool2d(_ones(4), 2), RuntimeError,
              "Expected 3D or 4D tensor", pool.AdaptiveAvgPool),
    ErrorCase("mse_shapes", lambda: F.mse_loss(_ones(3), _ones(4)), RuntimeError, "must match the size", loss.MseLoss),
    ErrorCase("mse_reduction", lambda: F.mse_loss(_ones(3), _ones(3), reduction="all"), ValueError,
              "all is not a valid value for reduction", loss.MseLoss),
    ErrorCase("huber_delta", lambda: F.huber_loss(_ones(3), _ones(3), delta=0), RuntimeError,
              "non-positive values for delta", loss.HuberLoss),
    ErrorCase("smooth_beta", lambda: F.smooth_l1_loss(_ones(3), _ones(3), beta=-1.0), RuntimeError,
              "negative values for beta", loss.SmoothL1Loss),
    ErrorCase("l1_target", lambda: F.l1_loss(_ones(3), 1), TypeError, "must be Tensor", loss.L1Loss),
    ErrorCase("bce_range", lambda: F.binary_cross_entropy(_ones(3) * 2, _ones(3)), RuntimeError,
              "between 0 and 1", loss.BinaryCrossEntropy),
    ErrorCase("bce_size", lambda: F.binary_cross_entropy(_ones(3, 1), _ones(3)), ValueError,
              "Using a target size", loss.BinaryCrossEntropy),
    ErrorCase("bce_logits_size", lambda: F.binary_cross_entropy_with_logits(_ones(3, 1), _ones(3)), ValueError,
              "must be the same as input size", loss.BinaryCrossEntropyWithLogits),
    ErrorCase("nll_class", lambda: F.nll_loss(_ones(1, 3), _whole(3)), IndexError, "Target 3 is out of bounds", loss.NllLoss),
    ErrorCase("nll_batch", lambda: F.nll_loss(_ones(2, 3), _whole(1)), ValueError,
              "Expected input batch_size (2) to match target batch_size (1)", loss.NllLoss),
    ErrorCase("nll_dtype", lambda: F.nll_loss(_ones(1, 3), _ones(1)), RuntimeError,
              "expected scalar type Long", loss.NllLoss),
    ErrorCase("cross_entropy_smoothing", lambda: F.cross_entropy(_ones(1, 3), _whole(1), label_smoothing=2.0), RuntimeError,
              "label_smoothing must be between 0.0 and 1.0", loss.NllLoss),
    ErrorCase("nll_grid", lambda: F.nll_loss(_ones(2, 3, 4), Tensor(np.zeros((2, 5), np.int64), None)), RuntimeError,
              "Expected target size [2, 4], got [2, 5]", loss.NllLoss2D),
    ErrorCase("embedding_range", lambda: F.embedding(_whole(5), _ones(5, 2)), IndexError,
              "index out of range in self", embedding.Embedding),
    ErrorCase("embedding_dtype", lambda: F.embedding(_ones(2), _ones(5, 2)), RuntimeError,
              "Expected tensor for argument #1 'indices'", embedding.Embedding),
    ErrorCase("linear_flatten", lambda: F.linear(_ones(2, 3, 4), _ones(5, 12)), RuntimeError, "nn.Flatten()"),
    ErrorCase("linear_product", lambda: F.linear(_ones(2, 3), _ones(5, 4)), RuntimeError,
              "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
]  # fmt: skip
