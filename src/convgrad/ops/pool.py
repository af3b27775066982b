"""Pooling: the largest or the mean value of windows.

Arrays are ``(N, C, *S)`` or ``(C, *S)``; kernels do the work.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..dtypes import F32, F64, Array
from ..kernels import table
from .formula import Value, call
from .op import Linear, Op

Ints = tuple[int, ...]

#: the kind of ``table.fold``
_MEAN = 4


def _lead(x: Array, ndim: int) -> Array:
    """x with axes N and C in front of its ``ndim`` spatial ones; an unbatched x gets N = 1."""
    return x if x.ndim == ndim + 2 else x[None]


class MaxPool(Op):
    """The largest value of each window, and its position in the flattened plane.

    Among equals the first wins; nan wins over all. Linear once the positions are known. Without ``indices``
    a byte per window says which of its elements won, and ``windows`` how they lie; else that is None.
    """

    backward_name = "MaxPool2DWithIndicesBackward0"
    saves = ("index", "size", "windows")
    batch = "fold"
    several = True
    primary = 0
    exact = True

    @staticmethod
    def forward(
        x: Array,
        kernel: Ints,
        stride: Ints,
        padding: Ints,
        dilation: Ints,
        ceil_mode: bool,
        indices: bool = True,
    ) -> tuple[tuple[Array, Array], tuple[Any, ...]]:
        n = len(kernel)
        largest = table.max_pool if indices else table.max_pool_choice
        out, index = largest(_lead(x, n), kernel, stride, padding, dilation, ceil_mode)
        if x.ndim != n + 2:
            out, index = out[0], index[0]
        windows = None if indices else (kernel, stride, padding, dilation)
        return (out, index), (index, x.shape[-n:], windows)

    @staticmethod
    def vjp_x(g: Value, index: Array, size: Ints, windows: Any) -> Value:
        return call(PoolSpread, g, index, size, windows)

    @staticmethod
    def jvp_x(d: Value, index: Array, size: Ints, windows: Any) -> Value:
        return call(PoolGather, d, index, size, windows)


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
        n = len(output_size)
        out, index = table.adaptive_max_pool(_lead(x, n), output_size)
        shape = (*x.shape[:-n], *output_size)
        index = index.reshape(shape)
        return (out.reshape(shape), index), (index, x.shape[-n:], None)


class AdaptiveMaxPool1D(AdaptiveMaxPool):
    """Over signals, under PyTorch's name for it."""

    backward_name = "SqueezeBackward1"


class AdaptiveMaxPool3D(AdaptiveMaxPool):
    """Over volumes, under PyTorch's name for it."""

    backward_name = "AdaptiveMaxPool3DBackward0"


class FractionalMaxPool2D(MaxPool):
    """The largest value of windows of one size that begin at pseudo-random steps.

    ``samples`` ``(N, C, axes)`` in [0, 1) sets the steps of each plane, the last axis of x first for images,
    the first for volumes. Source: Graham 2014, arXiv:1412.6071.
    """

    backward_name = "FractionalMaxPool2DBackward0"

    @staticmethod
    def forward(  # type: ignore[override]
        x: Array, samples: Any, kernel: Ints, output_size: Ints
    ) -> tuple[tuple[Array, Array], tuple[Any, ...]]:
        n = len(kernel)
        size, planes = x.shape[-n:], samples.shape[0] * samples.shape[1]
        index: Any = 0
        for a, (length, k, m) in enumerate(zip(size, kernel, output_size, strict=True)):
            draw = samples[..., n - 1 - a if n == 2 else a].reshape(planes, 1)
            places = _starts(draw, length, k, m)[..., None] + np.arange(k)
            places = places.reshape(planes, *[m if i == a else k if i == n + a else 1 for i in range(2 * n)])
            index = index * length + places
        count, room, flat = prod(output_size), prod(kernel), x.reshape(planes, prod(size))
        taps = np.broadcast_to(index, (planes, *output_size, *kernel)).reshape(planes, count * room)
        windows = np.take_along_axis(flat, taps, 1).reshape(planes, count, room)
        best = _largest(windows)[..., None]
        index = np.take_along_axis(taps.reshape(planes, count, room), best, 2)
        out = np.take_along_axis(windows, best, 2)
        shape = (*x.shape[:-n], *output_size)
        index = index.reshape(shape)
        return (out.reshape(shape), index), (index, size, None)


def _largest(x: Array) -> Array:
    """Where the largest value of the last axis is: the first of equals, but of nans the last."""
    if x.dtype.kind == "V":
        x = x.astype(np.float32)
    best: Array = x.argmax(-1)
    nan = x != x
    if nan.any():
        last = x.shape[-1] - 1 - nan[..., ::-1].argmax(-1)
        best = np.where(nan.any(-1), last, best)
    return best


def _starts(draw: Array, length: int, kernel: int, count: int) -> Array:
    """Where the windows of an axis begin, ``(planes, count)``; the last one ends at the end."""
    number = draw.dtype.type
    alpha = number(length - kernel) / number(max(count - 1, 1))
    steps = np.arange(count).astype(draw.dtype)
    starts: Array = ((steps + draw) * alpha).astype(np.int64) - (draw * alpha).astype(np.int64)
    starts[:, count - 1 :] = length - kernel
    return starts


class FractionalMaxPool3D(FractionalMaxPool2D):
    """The same for volumes."""

    backward_name = "FractionalMaxPool3DBackward0"


class MaxUnpool(Linear):
    """Values written into zeros at positions of their planes; of several at one place the last stays."""

    backward_name = "MaxUnpool2DBackward0"
    saves = ("index", "size")
    batch = "fold"
    exact = True

    @staticmethod
    def forward(x: Array, index: Any, size: Ints) -> tuple[Array, tuple[Any, ...]]:
        n = len(size)
        planes = prod(x.shape[:-n])
        out = np.zeros((planes, prod(size)), x.dtype)
        pixels = prod(x.shape[-n:])
        np.put_along_axis(out, index.reshape(planes, pixels), x.reshape(planes, pixels), 1)
        return out.reshape(*x.shape[:-n], *size), (index, size)

    @staticmethod
    def vjp_x(g: Value, index: Any, size: Ints) -> Value:
        return call(PoolGather, g, index, size)


class MaxUnpool1D(MaxUnpool):
    """Over signals, under PyTorch's name for it."""

    backward_name = "SqueezeBackward1"


class MaxUnpool3D(MaxUnpool):
    """Over volumes, under PyTorch's name for it."""

    backward_name = "MaxUnpool3DBackward0"


class PoolGather(Linear):
    """x at given positions of its planes, or at the elements of ``windows`` that won."""

    saves = ("index", "size", "windows")
    batch = "fold"
    exact = True

    @staticmethod
    def forward(x: Array, index: Any, size: Ints, windows: Any = None) -> tuple[Array, tuple[Any, ...]]:
        n = len(size)
        if windows is None:
            out = table.max_pool_gather(_lead(x, n), _lead(index, n))
        else:
            out = table.max_pool_choice_gather(_lead(x, n), _lead(index, n), windows)
        return out.reshape(index.shape), (index, size, windows)

    @staticmethod
    def vjp_x(g: Value, index: Any, size: Ints, windows: Any) -> Value:
        return call(PoolSpread, g, index, size, windows)


class PoolSpread(Linear):
    """g added into zeros at given positions: the adjoint of ``PoolGather``."""

    saves = ("index", "size", "windows")
    batch = "fold"

    @staticmethod
    def forward(g: Array, index: Any, size: Ints, windows: Any = None) -> tuple[Array, tuple[Any, ...]]:
        n = len(size)
        if windows is None:
            out = table.max_pool_grad(_lead(g, n), _lead(index, n), size)
        else:
            out = table.max_pool_choice_grad(_lead(g, n), _lead(index, n), windows, size)
        return out.reshape(*g.shape[:-n], *size), (index, size, windows)

    @staticmethod
    def vjp_g(d: Value, index: Any, size: Ints, windows: Any) -> Value:
        return call(PoolGather, d, index, size, windows)


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

    @staticmethod
    def forward(x: Array, output_size: Ints) -> tuple[Array, tuple[Any, ...]]:
        n = len(output_size)
        lead, size = x.shape[:-n], x.shape[-n:]
        if (x.dtype is not F32 and x.dtype is not F64) or not x.flags.c_contiguous or not x.size:
            return AdaptiveAvgPool.forward(x, output_size)
        out = table.fold(_MEAN, x.reshape(-1, prod(size)), 1, False)
        return out.reshape(*lead, *output_size), (output_size, size)


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
