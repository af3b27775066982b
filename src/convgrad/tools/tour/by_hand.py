"""The other route: what a row must give, by loops over the definition and NumPy alone."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from convgrad.tools.svg import Picture

Array = NDArray[Any]

PAD_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""What the padding modes of a layer are called in ``numpy.pad``."""


def same_padding(kernel_size: int, dilation: int) -> tuple[int, int]:
    """Left and right padding that keep the length; the odd one out goes right.

    Example:
        >>> same_padding(4, 1)
        (1, 2)
    """
    total = dilation * (kernel_size - 1)
    return total // 2, total - total // 2


def cross_correlate(
    x: Array,
    w: Array,
    bias: Array | None = None,
    *,
    stride: int = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Array:
    """What ``nn.Conv1d`` computes for one signal: for each output entry a sum over channels and taps.

    Args:
        x: ``(C, n)``.
        w: ``(O, C / groups, k)``.
        bias: ``(O,)``.
        stride: step of the window.
        padding: samples at both ends, or (left, right).
        dilation: distance of the taps.
        groups: blocks of channels that do not see each other.
        padding_mode: a key of ``PAD_MODES``.
    Returns:
        float64 ``(O, oN)``.
    Example:
        >>> cross_correlate(np.array([[1.0, 2.0, 4.0]]), np.array([[[1.0, 10.0]]]))
        array([[21., 42.]])
    """
    ends = padding if isinstance(padding, tuple) else (padding, padding)
    padded = np.pad(x.astype(np.float64), ((0, 0), ends), PAD_MODES[padding_mode])  # type: ignore[call-overload]
    out_channels, per_group, taps = w.shape
    length = (padded.shape[1] - dilation * (taps - 1) - 1) // stride + 1
    out = np.zeros((out_channels, length)) + (0.0 if bias is None else bias[:, None])
    for o in range(out_channels):
        first = o // (out_channels // groups) * per_group
        for c, k in product(range(per_group), range(taps)):
            seen = padded[first + c, k * dilation :][: stride * (length - 1) + 1 : stride]
            out[o] += float(w[o, c, k]) * seen
    return out


def cross_correlate_2d(x: Array, w: Array, bias: Array, padding: int = 0) -> Array:
    """What ``nn.Conv2d`` computes for a batch: a sum over the taps of products of shifted images.

    Args:
        x: ``(N, C, H, W)``.
        w: ``(O, C, kH, kW)``.
        bias: ``(O,)``.
        padding: zeros on all four sides.
    """
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    kh, kw = w.shape[2:]
    height, width = padded.shape[2] - kh + 1, padded.shape[3] - kw + 1
    out = np.zeros((x.shape[0], w.shape[0], height, width)) + bias[:, None, None]
    for i, j in product(range(kh), range(kw)):
        shifted = padded[:, :, i : i + height, j : j + width]
        out += np.einsum("nchw,oc->nohw", shifted, w[:, :, i, j])
    return out


def shifted_kernel_rows(kernel: Array, n: int) -> Array:
    """The matrix of the lecture: ``n - k + 1`` rows, each the kernel one place further right.

    Example:
        >>> shifted_kernel_rows(np.array([1.0, 2.0]), 3)
        array([[1., 2., 0.],
               [0., 1., 2.]])
    """
    k = len(kernel)
    out = np.zeros((n - k + 1, n))
    for place in range(n - k + 1):
        out[place, place : place + k] = kernel
    return out


def central_difference(function: Any, x: Array, step: float = 1e-6) -> Array:
    """The derivative of ``function(array) -> array`` for every entry of x: ``out.shape + x.shape``."""
    columns: list[Array] = []
    for place in range(x.size):
        move = (step * (np.arange(x.size) == place)).reshape(x.shape)
        columns.append((np.asarray(function(x + move)) - np.asarray(function(x - move))) / (2 * step))
    return np.stack(columns, axis=-1).reshape(*columns[0].shape, *x.shape)


def cells_of(picture: Picture) -> list[tuple[float, float, float]]:
    """(x, y, number) of every coloured cell of a picture; the number is in the cell's tip."""
    found = []
    for element in ElementTree.fromstring(picture.svg).iter("{http://www.w3.org/2000/svg}rect"):
        tip = element.find("{http://www.w3.org/2000/svg}title")
        if tip is not None and tip.text:
            try:
                found.append((float(element.attrib["x"]), float(element.attrib["y"]), float(tip.text)))
            except ValueError:
                continue
    return found


def texts_of(picture: Picture) -> list[str]:
    """All texts in a picture."""
    root = ElementTree.fromstring(picture.svg)
    return ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]


def missing_numbers(picture: Picture, wanted: Array) -> list[float]:
    """Which of these numbers no cell of the picture shows (to five digits)."""
    shown = np.array([value for _, _, value in cells_of(picture)])
    if shown.size == 0:
        return [float(value) for value in wanted.ravel()]
    scale = max(float(np.abs(wanted).max()), 1e-30)
    return [float(v) for v in wanted.ravel() if np.abs(shown - v).min() > 2e-5 * scale]


def steps_of(picture: Picture, value: float, count: int) -> list[tuple[float, float]]:
    """How far apart the first ``count`` cells that show ``value`` stand: (right, down), in turn."""
    near = 2e-5 * abs(value)
    places = [(x, y) for x, y, shown in cells_of(picture) if abs(shown - value) <= near][:count]
    return [(round(b[0] - a[0], 1), round(b[1] - a[1], 1)) for a, b in pairwise(places)]
