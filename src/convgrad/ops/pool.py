"""Pooling: the largest or the mean value of windows. Arrays are ``(N, C, *S)``; kernels do the work."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..dtypes import Array
from ..kernels import table
from .formula import Value, call
from .op import Linear, Op

Ints = tuple[int, ...]


class MaxPool(Op):
    """The largest value of each window, and its position in the flattened plane.

    Among equals the first wins; nan wins over all. Linear once the positions are known.
    """

    backward_name = "MaxPool2DWithIndicesBackward0"
    saves = ("index", "size")
    several = True
    primary = 0
    exact = True

    @staticmethod
    def forward(
        x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool
    ) -> tuple[tuple[Array, Array], tuple[Any, ...]]:
        out, index = table.max_pool(x, kernel, stride, padding, dilation, ceil_mode)
        return (out, index), (index, x.shape[2:])

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
        out = np.empty((*x.shape[:2], *output_size), x.dtype)
        index = np.empty(out.shape, np.int64)
        size = x.shape[2:]
        plane = np.arange(prod(size)).reshape(size)
        for place in np.ndindex(*output_size):
            window = tuple(
                [
                    slice(i * n // m, -(-(i + 1) * n // m))
                    for i, n, m in zip(place, size, output_size, strict=True)
                ]
            )
            flat = x[(slice(None), slice(None), *window)].reshape(*x.shape[:2], -1)
            best = (flat.astype(np.float32) if flat.dtype.kind == "V" else flat).argmax(-1)
            at = (slice(None), slice(None), *place)
            out[at] = np.take_along_axis(flat, best[..., None], -1)[..., 0]
            index[at] = plane[window].reshape(-1)[best]
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
    exact = True

    @staticmethod
    def forward(x: Array, index: Any, size: Ints) -> tuple[Array, tuple[Any, ...]]:
        return table.max_pool_gather(x, index), (index, size)

    @staticmethod
    def vjp_x(g: Value, index: Any, size: Ints) -> Value:
        return call(PoolSpread, g, index, size)


class PoolSpread(Linear):
    """g added into zeros at given positions: the adjoint of ``PoolGather``."""

    saves = ("index", "size")

    @staticmethod
    def forward(g: Array, index: Any, size: Ints) -> tuple[Array, tuple[Any, ...]]:
        return table.max_pool_grad(g, index, size), (index, size)

    @staticmethod
    def vjp_g(d: Value, index: Any, size: Ints) -> Value:
        return call(PoolGather, d, index, size)


class AvgPool(Linear):
    """The mean of each window."""

    backward_name = "AvgPool2DBackward0"
    saves = ("kernel", "stride", "padding", "ceil_mode", "count_pad", "divisor", "size")

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
        return table.avg_pool(x, *params), (*params, x.shape[2:])

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
        out = table.avg_pool_grad(g, size, kernel, stride, padding, count_pad, divisor)
        return out, (kernel, stride, padding, ceil_mode, count_pad, divisor, size)

    @staticmethod
    def vjp_g(d: Value, *params: Any) -> Value:
        return call(AvgPool, d, *params[:-1])


class AdaptiveAvgPool(Linear):
    """Means of windows that divide each axis as evenly as whole numbers allow."""

    backward_name = "AdaptiveAvgPool2DBackward0"
    saves = ("output_size", "size")

    @staticmethod
    def forward(x: Array, output_size: Ints) -> tuple[Array, tuple[Any, ...]]:
        return table.adaptive_avg_pool(x, output_size), (output_size, x.shape[2:])

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

    @staticmethod
    def forward(g: Array, output_size: Ints, size: Ints) -> tuple[Array, tuple[Any, ...]]:
        return table.adaptive_avg_pool_grad(g, size), (output_size, size)

    @staticmethod
    def vjp_g(d: Value, output_size: Ints, size: Ints) -> Value:
        return call(AdaptiveAvgPool, d, output_size)
