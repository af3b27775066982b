"""Pooling: the largest or the mean value of windows.

Arrays are ``(N, C, *S)`` or ``(C, *S)``; kernels do the work.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..dtypes import Array
from ..kernels import table
from .formula import Value, call
from .op import Linear, Op

Ints = tuple[int, ...]


def _lead(x: Array, ndim: int) -> Array:
    """x with axes N and C in front of its ``ndim`` spatial ones; an unbatched x gets N = 1."""
    return x if x.ndim == ndim + 2 else x[None]


class MaxPool(Op):
    """The largest value of each window, and its position in the flattened plane.

    Among equals the first wins; nan wins over all. Linear once the positions are known.
    """

    backward_name = "MaxPool2DWithIndicesBackward0"
    saves = ("index", "size")
    batch = "fold"
    several = True
    primary = 0
    exact = True

    @staticmethod
    def forward(
        x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool
    ) -> tuple[tuple[Array, Array], tuple[Any, ...]]:
        n = len(kernel)
        out, index = table.max_pool(_lead(x, n), kernel, stride, padding, dilation, ceil_mode)
        shape = (*x.shape[:-n], *out.shape[2:])
        index = index.reshape(shape)
        return (out.reshape(shape), index), (index, x.shape[-n:])

    @staticmethod
    def vjp_x(g: Value, index: Array, size: Ints) -> Value:
        return call(PoolSpread, g, index, size)

    @staticmethod
    def jvp_x(d: Value, index: Array, size: Ints) -> Value:
        return call(PoolGather, d, index, size)


class MaxPool1D(MaxPool):
    """Over signals, under PyTorch's name for it."""

    backward_name = "SqueezeBackward1"


class MaxPool3D(MaxPool):
    """Over volumes, under PyTorch's name for it."""

    backward_name = "MaxPool3DWithIndicesBackward0"


class AdaptiveMaxPool(MaxPool):
    """The largest value of windows that divide each axis evenly; see ``adaptive_avg_pool``."""

    backward_name = "AdaptiveMaxPool2DBackward0"

    @staticmethod
    def forward(x: Array, output_size: Ints) -> tuple[tuple[Array, Array], tuple[Any, ...]]:  # type: ignore[override]
        lead, size = x.shape[: -len(output_size)], x.shape[-len(output_size) :]
        out = np.empty((*lead, *output_size), x.dtype)
        index = np.empty(out.shape, np.int64)
        plane = np.arange(prod(size)).reshape(size)
        for place in np.ndindex(*output_size):
            window: Any = tuple(
                [
                    slice(i * n // m, -(-(i + 1) * n // m))
                    for i, n, m in zip(place, size, output_size, strict=True)
                ]
            )
            flat = x[(..., *window)].reshape(*lead, prod([w.stop - w.start for w in window]))
            best = (flat.astype(np.float32) if flat.dtype.kind == "V" else flat).argmax(-1)
            out[(..., *place)] = np.take_along_axis(flat, best[..., None], -1)[..., 0]
            index[(..., *place)] = plane[window].reshape(-1)[best]
        return (out, index), (index, size)


class AdaptiveMaxPool1D(AdaptiveMaxPool):
    """Over signals, under PyTorch's name for it."""

    backward_name = "SqueezeBackward1"


class AdaptiveMaxPool3D(AdaptiveMaxPool):
    """Over volumes, under PyTorch's name for it."""

    backward_name = "AdaptiveMaxPool3DBackward0"


class PoolGather(Linear):
    """x at given positions of its planes."""

    saves = ("index", "size")
    batch = "fold"
    exact = True

    @staticmethod
    def forward(x: Array, index: Any, size: Ints) -> tuple[Array, tuple[Any, ...]]:
        n = len(size)
        return table.max_pool_gather(_lead(x, n), _lead(index, n)).reshape(index.shape), (index, size)

    @staticmethod
    def vjp_x(g: Value, index: Any, size: Ints) -> Value:
        return call(PoolSpread, g, index, size)


class PoolSpread(Linear):
    """g added into zeros at given positions: the adjoint of ``PoolGather``."""

    saves = ("index", "size")
    batch = "fold"

    @staticmethod
    def forward(g: Array, index: Any, size: Ints) -> tuple[Array, tuple[Any, ...]]:
        n = len(size)
        out = table.max_pool_grad(_lead(g, n), _lead(index, n), size)
        return out.reshape(*g.shape[:-n], *size), (index, size)

    @staticmethod
    def vjp_g(d: Value, index: Any, size: Ints) -> Value:
        return call(PoolGather, d, index, size)


class AvgPool(Linear):
    """The mean of each window."""

    backward_name = "AvgPool2DBackward0"
    saves = ("kernel", "stride", "padding", "ceil_mode", "count_pad", "divisor", "size")
    batch = "fold"

    @staticmethod
    def forward(
        x: Array,
        kernel: Ints,
        stride: Ints,
        padding: Ints,
        ceil_mode: bool,
        count_pad: bool,
        divisor: int | None,
    ) -> tuple[Array, tuple[Any, ...]]:
        params = (kernel, stride, padding, ceil_mode, count_pad, divisor)
        n = len(kernel)
        out = table.avg_pool(_lead(x, n), *params)
        return out.reshape(*x.shape[:-n], *out.shape[2:]), (*params, x.shape[-n:])

    @staticmethod
    def vjp_x(g: Value, *params: Any) -> Value:
        return call(AvgPoolSpread, g, *params)


class AvgPool1D(AvgPool):
    """Over signals, under PyTorch's name for it."""

    backward_name = "SqueezeBackward1"


class AvgPool3D(AvgPool):
    """Over volumes, under PyTorch's name for it."""

    backward_name = "AvgPool3DBackward0"


class AvgPoolSpread(Linear):
    """g spread over the windows it was the mean of: the adjoint of ``AvgPool``."""

    saves = AvgPool.saves
    batch = "fold"

    @staticmethod
    def forward(
        g: Array,
        kernel: Ints,
        stride: Ints,
        padding: Ints,
        ceil_mode: bool,
        count_pad: bool,
        divisor: int | None,
        size: Ints,
    ) -> tuple[Array, tuple[Any, ...]]:
        n = len(kernel)
        out = table.avg_pool_grad(_lead(g, n), size, kernel, stride, padding, count_pad, divisor)
        out = out.reshape(*g.shape[:-n], *size)
        return out, (kernel, stride, padding, ceil_mode, count_pad, divisor, size)

    @staticmethod
    def vjp_g(d: Value, *params: Any) -> Value:
        return call(AvgPool, d, *params[:-1])


class AdaptiveAvgPool(Linear):
    """Means of windows that divide each axis as evenly as whole numbers allow."""

    backward_name = "AdaptiveAvgPool2DBackward0"
    saves = ("output_size", "size")
    batch = "fold"

    @staticmethod
    def forward(x: Array, output_size: Ints) -> tuple[Array, tuple[Any, ...]]:
        n = len(output_size)
        out = table.adaptive_avg_pool(_lead(x, n), output_size)
        return out.reshape(*x.shape[:-n], *output_size), (output_size, x.shape[-n:])

    @staticmethod
    def vjp_x(g: Value, output_size: Ints, size: Ints) -> Value:
        return call(AdaptiveAvgSpread, g, output_size, size)


class AdaptiveAvgPool1D(AdaptiveAvgPool):
    """Over signals, under PyTorch's name for it."""

    backward_name = "SqueezeBackward1"


class AdaptiveAvgPool3D(AdaptiveAvgPool):
    """Over volumes, under PyTorch's name for it."""

    backward_name = "AdaptiveAvgPool3DBackward0"


class GlobalAvgPool(AdaptiveAvgPool):
    """One mean per plane, which PyTorch records as a mean."""

    backward_name = "MeanBackward1"


class AdaptiveAvgSpread(Linear):
    """The adjoint of ``AdaptiveAvgPool``."""

    saves = ("output_size", "size")
    batch = "fold"

    @staticmethod
    def forward(g: Array, output_size: Ints, size: Ints) -> tuple[Array, tuple[Any, ...]]:
        n = len(size)
        out = table.adaptive_avg_pool_grad(_lead(g, n), size)
        return out.reshape(*g.shape[:-n], *size), (output_size, size)

    @staticmethod
    def vjp_g(d: Value, output_size: Ints, size: Ints) -> Value:
        return call(AdaptiveAvgPool, d, output_size)
