"""Windows as columns and back, and channels exchanged for pixels: operators that only move values about.

Arrays are ``(N, C, H, W)`` or ``(C, H, W)``.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from ..dtypes import F32, HALVES, Array
from .formula import Value, call, reshape
from .op import Linear

Pair: TypeAlias = tuple[int, int]


def block_counts(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """How many windows fit along each axis."""
    rows, columns = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    return rows, columns


class Im2Col(Linear):
    """Every window of x as a column: ``(N, C kH kW, windows)``, zeros around x."""

    saves = ("kernel", "stride", "padding", "dilation", "size")
    batch = "leading"
    exact = True

    @staticmethod
    def forward(
        x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
    ) -> tuple[Array, tuple[Any, ...]]:
        (h, w), (ph, pw) = x.shape[-2:], padding
        wide = np.zeros((*x.shape[:-2], h + 2 * ph, w + 2 * pw), x.dtype)
        wide[..., ph : ph + h, pw : pw + w] = x
        counts = block_counts((h, w), kernel, stride, padding, dilation)
        *lead, down, right = wide.strides
        steps = (*lead, dilation[0] * down, dilation[1] * right, stride[0] * down, stride[1] * right)
        windows = np.lib.stride_tricks.as_strided(wide, (*x.shape[:-2], *kernel, *counts), steps)
        rows = x.shape[-3] * kernel[0] * kernel[1]
        out = windows.reshape(*x.shape[:-3], rows, counts[0] * counts[1])
        return out, (kernel, stride, padding, dilation, (h, w))

    @staticmethod
    def vjp_x(g: Value, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, size: Pair) -> Value:
        return call(Col2Im, g, size, kernel, stride, padding, dilation)


class Col2Im(Linear):
    """Columns ``(N, C kH kW, windows)`` added up where their windows lie: the adjoint of ``Im2Col``."""

    saves = ("size", "kernel", "stride", "padding", "dilation")
    batch = "leading"

    @staticmethod
    def forward(
        x: Array, size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
    ) -> tuple[Array, tuple[Any, ...]]:
        kind = x.dtype
        x = x.astype(F32) if kind in HALVES else x
        (oh, ow), (ph, pw) = block_counts(size, kernel, stride, padding, dilation), padding
        lead = (*x.shape[:-2], x.shape[-2] // (kernel[0] * kernel[1]))
        x = x.reshape(*lead, *kernel, oh, ow)
        wide = np.zeros((*lead, size[0] + 2 * ph, size[1] + 2 * pw), x.dtype)
        for i, j in np.ndindex(*kernel):
            top, left = i * dilation[0], j * dilation[1]
            rows = slice(top, top + (oh - 1) * stride[0] + 1, stride[0])
            columns = slice(left, left + (ow - 1) * stride[1] + 1, stride[1])
            wide[..., rows, columns] += x[..., i, j, :, :]
        out = wide[..., ph : ph + size[0], pw : pw + size[1]].astype(kind)
        return out, (size, kernel, stride, padding, dilation)

    @staticmethod
    def vjp_x(g: Value, _size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Value:
        return call(Im2Col, g, kernel, stride, padding, dilation)


class PixelShuffle(Linear):
    """``(*, C r r, H, W)`` as ``(*, C, H r, W r)``: groups of channels become the pixels of finer images.

    Source: Shi et al. 2016, arXiv:1609.05158.
    """

    saves = ("factor",)
    batch = "leading"
    exact = True

    @staticmethod
    def forward(x: Array, factor: int) -> tuple[Array, tuple[int]]:
        *lead, c, h, w = x.shape
        c, n = c // factor**2, len(lead)
        parts = x.reshape(*lead, c, factor, factor, h, w)
        axes = (*range(n + 1), n + 3, n + 1, n + 4, n + 2)
        return reshape(parts.transpose(axes), (*lead, c, h * factor, w * factor)), (factor,)

    @staticmethod
    def vjp_x(g: Value, factor: int) -> Value:
        return call(PixelUnshuffle, g, factor)


class PixelUnshuffle(Linear):
    """``(*, C, H r, W r)`` as ``(*, C r r, H, W)``: the inverse of ``PixelShuffle``."""

    saves = ("factor",)
    batch = "leading"
    exact = True

    @staticmethod
    def forward(x: Array, factor: int) -> tuple[Array, tuple[int]]:
        *lead, c, h, w = x.shape
        h, w, n = h // factor, w // factor, len(lead)
        parts = x.reshape(*lead, c, h, factor, w, factor)
        axes = (*range(n + 1), n + 2, n + 4, n + 1, n + 3)
        return reshape(parts.transpose(axes), (*lead, c * factor**2, h, w)), (factor,)

    @staticmethod
    def vjp_x(g: Value, factor: int) -> Value:
        return call(PixelShuffle, g, factor)


class ChannelShuffle(Linear):
    """Channels (the second axis) dealt out like cards from ``groups`` piles. Source: arXiv:1707.01083."""

    saves = ("groups", "channels")
    batch = "fold"
    exact = True

    @staticmethod
    def forward(x: Array, groups: int) -> tuple[Array, tuple[int, int]]:
        channels = x.shape[1]
        parts = x.reshape(x.shape[0], groups, channels // groups, *x.shape[2:])
        return reshape(parts.swapaxes(1, 2), x.shape), (groups, channels)

    @staticmethod
    def vjp_x(g: Value, groups: int, channels: int) -> Value:
        return call(ChannelShuffle, g, channels // groups)
