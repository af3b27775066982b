"""Convolution and pooling as loops over their definitions: the oracle, sharing no code with the kernels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convgrad.kernels.geometry import Geometry, Ints, conv_output_size

Array = NDArray[Any]


def taps(x: Array, w: Array, geometry: Geometry) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Index triples (out without n, w, x without n) of every product in a convolution."""
    size, kernel_size = x.shape[2:], w.shape[2:]
    out_per_group = w.shape[0] // geometry.groups
    for o in range(w.shape[0]):
        first = o // out_per_group * w.shape[1]
        for position in np.ndindex(conv_output_size(size, kernel_size, geometry)):
            for c, *tap in np.ndindex(w.shape[1:]):
                place = [
                    p * s - low + k * d
                    for p, s, (low, _), k, d in zip(
                        position, geometry.stride, geometry.padding, tap, geometry.dilation, strict=True
                    )
                ]
                if all(0 <= i < n for i, n in zip(place, size, strict=True)):
                    yield (o, *position), (o, c, *tap), (first + c, *place)


def convolve(x: Array, w: Array, geometry: Geometry) -> Array:
    size = conv_output_size(x.shape[2:], w.shape[2:], geometry)
    out = np.zeros((x.shape[0], w.shape[0], *size), np.result_type(x, w))
    for i, j, k in taps(x, w, geometry):
        out[(slice(None), *i)] += x[(slice(None), *k)] * w[j]
    return out


def window(
    position: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, size: Ints
) -> list[Ints]:
    """The places of one pooling window that lie inside the input, in row-major order."""
    places = []
    for tap in np.ndindex(*kernel):
        axes = zip(position, tap, stride, padding, dilation, strict=True)
        place = tuple(p * s - pad + k * d for p, k, s, pad, d in axes)
        if all(0 <= i < n for i, n in zip(place, size, strict=True)):
            places.append(place)
    return places
