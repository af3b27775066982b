"""Counting points in boxes: what ``histogram`` and ``histogramdd`` share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import Array, from_numpy
from ..errors import ConvgradError, DtypeError, ShapeError
from .creation import linspace
from .methods.order import scalar_name


def finite_range(points: Array, axis: int, given: Any = None) -> tuple[float, float]:
    """The least and largest edge of one coordinate of ``(n, dimensions)`` points, as given or as found."""
    if given is not None:
        low, high = float(given[0]), float(given[1])
    elif len(points):
        low, high = float(points[:, axis].min()), float(points[:, axis].max())
    else:
        low, high = 0.0, 1.0
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ConvgradError(f"torch.histogramdd: dimension {axis}'s range [{low:g}, {high:g}] is not finite")
    if low > high:
        raise ConvgradError(
            f"torch.histogramdd: min should not exceed max, but got min {low:g} max {high:g} for "
            f"dimension {axis}"
        )
    return (low - 0.5, high + 0.5) if low == high else (low, high)


def edges_between(ends: tuple[float, float], bins: int, axis: int, dtype: Any) -> Array:
    """The edges of ``bins`` equal parts."""
    if bins <= 0:
        raise ShapeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension {axis}")
    return linspace(*ends, bins + 1, dtype=from_numpy(dtype))._data


def histogram_of(
    points: Array, edges: Sequence[Array], weight: Array | None, shape: tuple[int, ...]
) -> Array:
    """How many of ``(n, dimensions)`` points, or how much weight, each box has."""
    _check(points, edges, weight, shape)
    inside = np.ones(len(points), bool)
    box = np.zeros(len(points), np.int64)
    for axis, line in enumerate(edges):
        x = points[:, axis]
        inside &= (x >= line[0]) & (x <= line[-1])
        place = np.minimum(np.searchsorted(line, x, "right"), line.size - 1) - 1
        box = box * (line.size - 1) + place
    counts = [line.size - 1 for line in edges]
    weights = None if weight is None else weight.reshape(-1)[inside].astype(np.float64)
    out = np.bincount(box[inside], weights, math.prod(counts))
    return out.reshape(counts).astype(points.dtype)


def _check(points: Array, edges: Sequence[Array], weight: Array | None, shape: tuple[int, ...]) -> None:
    for axis, line in enumerate(edges):
        if line.ndim != 1:
            raise ShapeError(
                f"torch.histogramdd: bins tensor should have one dimension, but got {line.ndim} "
                "dimensions in "
                f"the bins tensor for dimension {axis}"
            )
        if not line.size:
            raise ShapeError(
                "torch.histogramdd: bins tensor should have at least 1 element, but got 0 elements in "
                "the bins "
                f"tensor for dimension {axis}"
            )
        if line.size == 1:
            raise ShapeError(f"torch.histogram(): bins must be > 0, but got 0 for dimension {axis}")
        if line.dtype != points.dtype:
            raise DtypeError(
                "torch.histogramdd: input tensor and bins tensors should have the same dtype, but got input "
                f"with dtype {points.dtype.name} and bins for dimension {axis} with dtype {line.dtype.name}"
            )
    if points.dtype.itemsize < 4 and points.size:
        raise NotImplementedError(
            f"\"histogramdd\" not implemented for '{scalar_name(points.dtype)}'. Remedy: x.float()."
        )
    if weight is not None:
        if weight.dtype != points.dtype:
            raise DtypeError(
                "torch.histogramdd: if weight tensor is provided, input tensor and weight tensor should have "
                f"the same dtype, but got input({points.dtype.name}), and weight({weight.dtype.name})"
            )
        if weight.shape != shape:
            raise ShapeError(
                "torch.histogramdd: if weight tensor is provided it should have the same shape as the input "
                f"tensor excluding its innermost dimension, but got {list(shape)} and weight with shape "
                f"{list(weight.shape)}"
            )


def density_of(hist: Array, edges: Sequence[Array]) -> Array:
    """Divided by the whole and by the size of each box."""
    out = hist / hist.sum(dtype=np.float64)
    for axis, line in enumerate(edges):
        widths = np.diff(line.astype(np.float64))
        out = out / widths.reshape((-1,) + (1,) * (len(edges) - 1 - axis))
    return out.astype(hist.dtype)
