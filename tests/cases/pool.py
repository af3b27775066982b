"""Pooling, against loops over windows from the definition."""

# ruff: noqa: E501 - tables of one case a line
from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

from convgrad.errors import ConvgradError
from convgrad.nn.functional import pooling as F
from convgrad.ops import pool
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
            [[s for s in range(i * stride - padding, i * stride - padding + dilation * (kernel - 1) + 1, dilation) if 0 <= s < n] for i in range(count)]
        )
    return _products(axes)


def _even(size: tuple[int, ...], out: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Spots]]:
    """The same for windows that divide each axis evenly: from floor(i n / m) to ceil((i + 1) n / m)."""
    return _products(
        [[list(range(int(np.floor(i * n / m)), int(np.ceil((i + 1) * n / m)))) for i in range(m)] for n, m in zip(size, out, strict=True)]
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


def _evenly(out: tuple[int, ...], how: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda x: _pooled(x, len(out), _even(x.shape[-len(out) :], out), how)


def _largest(v: Array) -> Array:
    return v.max(-1)


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


L, P, V = values(1, 2, 3, 7), values(2, 2, 3, 5, 6), values(3, 2, 2, 3, 4, 4)
L0, P0, V0 = values(1, 0, 3, 7), values(2, 0, 3, 5, 6), values(3, 0, 2, 3, 4, 4)
_I0 = np.zeros((0, 3, 2, 2), np.int64)

CASES: list[Case] = [
    *kinds(pool.MaxPool1D, "pad", lambda x: F.max_pool1d(x, 3, 2, 1), _max(1, 3, 2, 1), L, empty=(L0,)),
    *kinds(pool.MaxPool, "plain", lambda x: F.max_pool2d(x, 2), _max(2, 2, 2, 0), P, empty=(P0,)),
    *kinds(pool.MaxPool, "dilated", lambda x: F.max_pool2d(x, 2, 1, 1, 2), _max(2, 2, 1, 1, 2), P),
    *kinds(pool.MaxPool, "ceil", lambda x: F.max_pool2d(x, 2, 2, 0, 1, True), _max(2, 2, 2, 0, 1, True), P),
    *kinds(pool.MaxPool, "unbatched", lambda x: F.max_pool2d(x, 3, 1, 1), _max(2, 3, 1, 1), P[0]),
    *kinds(pool.MaxPool3D, "plain", lambda x: F.max_pool3d(x, 2, 1), _max(3, 2, 1, 0), V, empty=(V0,)),
    *kinds(pool.AvgPool1D, "pad", lambda x: F.avg_pool1d(x, 3, 2, 1), _mean(1, 3, 3, 2, 1), L, empty=(L0,)),
    *kinds(pool.AvgPool, "plain", lambda x: F.avg_pool2d(x, 2), _mean(2, 4, 2, 2, 0), P, empty=(P0,)),
    *kinds(pool.AvgPool, "divisor", lambda x: F.avg_pool2d(x, 3, 1, 1, divisor_override=5), _mean(2, 5, 3, 1, 1), P),
    *kinds(pool.AvgPool, "inside-only", lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), lambda x: _pooled(x, 2, _windows(x.shape[-2:], 3, 2, 1), _average), P),
    *kinds(pool.AvgPool3D, "plain", lambda x: F.avg_pool3d(x, 2, 1), _mean(3, 8, 2, 1, 0), V, empty=(V0,)),
    *kinds(pool.AdaptiveMaxPool1D, "plain", lambda x: F.adaptive_max_pool1d(x, 3), _evenly((3,), _largest), L, empty=(L0,)),
    *kinds(pool.AdaptiveMaxPool, "plain", lambda x: F.adaptive_max_pool2d(x, (2, 4)), _evenly((2, 4), _largest), P, empty=(P0,)),
    *kinds(pool.AdaptiveMaxPool3D, "plain", lambda x: F.adaptive_max_pool3d(x, (2, 3, 1)), _evenly((2, 3, 1), _largest), V, empty=(V0,)),
    *kinds(pool.AdaptiveAvgPool1D, "plain", lambda x: F.adaptive_avg_pool1d(x, 3), _evenly((3,), _average), L, empty=(L0,)),
    *kinds(pool.AdaptiveAvgPool, "plain", lambda x: F.adaptive_avg_pool2d(x, (2, 4)), _evenly((2, 4), _average), P, empty=(P0,)),
    *kinds(pool.AdaptiveAvgPool3D, "plain", lambda x: F.adaptive_avg_pool3d(x, (2, 3, 1)), _evenly((2, 3, 1), _average), V, empty=(V0,)),
    *kinds(pool.GlobalAvgPool, "plain", lambda x: F.adaptive_avg_pool2d(x, 1), lambda x: x.mean((2, 3), keepdims=True), P, empty=(P0,)),
    *kinds(pool.PoolGather, "plain", direct(pool.PoolGather, _INDEX, (3, 4)), _got, values(4, 2, 3, 3, 4)),
    Case(pool.PoolGather, "empty", direct(pool.PoolGather, _I0, (3, 4)), (np.zeros((0, 3, 3, 4)),), lambda x: np.zeros((0, 3, 2, 2)), tags=frozenset({"empty"})),
    *kinds(pool.PoolSpread, "plain", direct(pool.PoolSpread, _INDEX, (3, 4)), _put, values(4, 2, 3, 2, 2)),
    Case(pool.PoolSpread, "empty", direct(pool.PoolSpread, _I0, (3, 4)), (np.zeros((0, 3, 2, 2)),), lambda x: np.zeros((0, 3, 3, 4)), tags=frozenset({"empty"})),
    *kinds(pool.AvgPoolSpread, "plain", direct(pool.AvgPoolSpread, (2, 2), (2, 2), (1, 1), False, True, None, (5, 6)), lambda g: _spread(g, (5, 6), _windows((5, 6), 2, 2, 1), 4), values(5, 2, 3, 3, 4), empty=(np.zeros((0, 3, 3, 4)),)),
    *kinds(pool.AdaptiveAvgSpread, "plain", direct(pool.AdaptiveAvgSpread, (2, 4), (5, 6)), lambda g: _spread(g, (5, 6), _even((5, 6), (2, 4)), None), values(6, 2, 3, 2, 4), empty=(np.zeros((0, 3, 2, 4)),)),
]  # fmt: skip

X = creation.ones(1, 3, 4, 4)
ERRORS: list[ErrorCase] = [
    ErrorCase("max_pool2d-fit", lambda: F.max_pool2d(X, 5), ConvgradError, "Output size is too small", pool.MaxPool),
    ErrorCase("max_pool2d-pad", lambda: F.max_pool2d(X, 2, padding=2), ConvgradError, "pad should be smaller than or equal to half of kernel size", pool.MaxPool),
    ErrorCase("max_pool1d-rank", lambda: F.max_pool1d(X, 2), ConvgradError, "max_pool1d", pool.MaxPool1D),
    ErrorCase("avg_pool2d-divisor", lambda: F.avg_pool2d(X, 2, divisor_override=0), RuntimeError, "divisor must be not zero", pool.AvgPool),
    ErrorCase("adaptive-rank", lambda: F.adaptive_avg_pool2d(X[0, 0], 2), ConvgradError, "adaptive_avg_pool2d", pool.AdaptiveAvgPool),
]  # fmt: skip
