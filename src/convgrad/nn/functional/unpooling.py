"""Poolings by power means and at random steps, maxima with their positions, and the way back from these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import DimError, DtypeError, ShapeError
from ...generator import default_generator
from ...ops import pool as ops
from ...tensor.checks import check_floating, scalar_name
from ...tensor.methods.operands import check_tensor
from ...tensor.tensor import Tensor, apply
from . import pooling

Ints = tuple[int, ...]
_INF = float("inf")


def _tuple(name: str, what: str, value: Any, count: int) -> Ints:
    numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,) * count
    if len(numbers) != count:
        raise ShapeError(f"{name}: {what} must be one int or {count}, but got {list(numbers)}")
    return tuple([int(n.__index__()) for n in numbers])


# ---- power means


def _lp(ndim: int, input: Tensor, norm_type: float, kernel: Any, stride: Any, ceil_mode: bool) -> Tensor:
    name = f"lp_pool{ndim}d"
    check_tensor(name, input, "input")
    window = _tuple(name, "kernel_size", kernel, ndim)
    if norm_type == _INF:
        out: Tensor = getattr(pooling, f"max_pool{ndim}d")(input.abs(), window, stride, 0, 1, ceil_mode)
        return out
    mean = getattr(pooling, f"avg_pool{ndim}d")(input.pow(norm_type), window, stride, 0, ceil_mode)
    root: Tensor = (mean.sign() * mean.abs().relu()).mul(int(np.prod(window))).pow(1.0 / norm_type)
    return root


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """Root of the summed powers of each window of signals; see ``lp_pool2d``."""
    return _lp(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """``(sum of x^p)^(1/p)`` over each window of images.

    Args:
        input: float, ``(N, C, H, W)`` or ``(C, H, W)``.
        norm_type: p; of infinity the largest absolute value.
        kernel_size, stride: of the window in pixels; stride None is the kernel size.
        ceil_mode: a last partial window counts (as if the rest of it were like its mean).
    Example:
        >>> lp_pool2d(Tensor([[[3.0, 4.0]]]), 2, (1, 2)).item()
        5.0
    """
    return _lp(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """Root of the summed powers of each window of volumes; see ``lp_pool2d``."""
    return _lp(3, input, norm_type, kernel_size, stride, ceil_mode)


# ---- maxima with their positions


def _with_indices(function: Callable[..., Any], ndim: int) -> Callable[..., Any]:
    def pool(
        input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False, return_indices: bool = False,
    ) -> Any:  # fmt: skip
        return function(input, kernel_size, stride, padding, dilation, ceil_mode, True)

    pool.__name__ = pool.__qualname__ = f"max_pool{ndim}d_with_indices"
    pool.__doc__ = (
        f"``max_pool{ndim}d`` as a pair of maxima and their positions, whatever ``return_indices``."
    )
    return pool


def _adaptive_with_indices(function: Callable[..., Any], ndim: int) -> Callable[..., Any]:
    def pool(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        return function(input, output_size, True)

    pool.__name__ = pool.__qualname__ = f"adaptive_max_pool{ndim}d_with_indices"
    pool.__doc__ = f"``adaptive_max_pool{ndim}d`` as a pair of maxima and their positions."
    return pool


max_pool1d_with_indices = _with_indices(pooling.max_pool1d, 1)
max_pool2d_with_indices = _with_indices(pooling.max_pool2d, 2)
max_pool3d_with_indices = _with_indices(pooling.max_pool3d, 3)
adaptive_max_pool1d_with_indices = _adaptive_with_indices(pooling.adaptive_max_pool1d, 1)
adaptive_max_pool2d_with_indices = _adaptive_with_indices(pooling.adaptive_max_pool2d, 2)
adaptive_max_pool3d_with_indices = _adaptive_with_indices(pooling.adaptive_max_pool3d, 3)


# ---- back from maxima

_UNPOOL: Any = {1: ops.MaxUnpool1D, 2: ops.MaxUnpool, 3: ops.MaxUnpool3D}


def _unpool(
    ndim: int, input: Tensor, indices: Tensor, kernel: Any, stride: Any, padding: Any, output_size: Any
) -> Tensor:
    name = f"max_unpool{ndim}d"
    check_tensor(name, input, "input")
    check_tensor(name, indices, "indices")
    window = _tuple(name, "kernel_size", kernel, ndim)
    step = window if stride is None else _tuple(name, "stride", stride, ndim)
    pad = _tuple(name, "padding", padding, ndim)
    shape, at = input._data.shape, indices._data
    size = _unpooled_size(shape, window, step, pad, output_size)
    if at.dtype != np.int64:
        raise DtypeError(
            f"elements in indices should be type int64 but got: {scalar_name(indices.dtype)} ({name})"
        )
    if len(shape) not in (ndim + 1, ndim + 2):
        raise ShapeError(
            f"Input to max_unpooling{ndim}d should be a {ndim + 1}d or {ndim + 2}d Tensor, but got a "
            "tensor with "
            f"{len(shape)} dimensions."
        )
    if at.shape != shape:
        raise ShapeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(shape)}) but got "
            "indices "
            f"tensor with shape: {list(at.shape)}"
        )
    for axis, n in enumerate(shape[-ndim - 1 :], len(shape) - ndim - 1):
        if not n:
            raise ShapeError(
                f"{name}: Expected input to have non-zero size for non-batch dimensions, but got "
                f"{list(shape)} "
                f"with dimension {axis} being empty."
            )
    check_floating(name, input)
    pixels = int(np.prod(size))
    if at.size and (int(at.min()) < 0 or int(at.max()) >= pixels):
        wrong = int(at[(at < 0) | (at >= pixels)][0])
        volumes = "x".join(map(str, size))
        raise ShapeError(f"Found an invalid max index: {wrong} (output volumes are of size {volumes})")
    return apply(_UNPOOL[ndim], (input,), (at, size))


def _unpooled_size(shape: Ints, kernel: Ints, stride: Ints, padding: Ints, wanted: Any) -> Ints:
    """The size that was pooled: the smallest possible, or the wanted one if it is possible."""
    ndim = len(kernel)
    default = tuple([
        (n - 1) * s + k - 2 * p for n, k, s, p in zip(shape[-ndim:], kernel, stride, padding, strict=True)
    ])  # fmt: skip
    if wanted is None:
        return default
    size = tuple([int(n) for n in wanted])
    if len(size) == ndim + 2:
        size = size[2:]
    if len(size) != ndim:
        raise ValueError(
            f"output_size should be a sequence containing {ndim} or {ndim + 2} elements, but it has a "
            "length of "
            f"'{len(size)}'"
        )
    for axis, (n, s, out) in enumerate(zip(default, stride, size, strict=True)):
        if not n - s < out < n + s:
            raise ValueError(f'invalid output_size "{size}" (dim {axis} must be between {n - s} and {n + s})')
    return size


def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:  # fmt: skip
    """Maxima of signals back in their places, zeros elsewhere; see ``max_unpool2d``."""
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:  # fmt: skip
    """Maxima of images back in their places, zeros elsewhere: a partial inverse of ``max_pool2d``.

    Args:
        input: float, ``(N, C, H, W)`` or ``(C, H, W)``.
        indices: int64, of input's shape: positions in flattened planes, as ``max_pool2d`` gives them.
        kernel_size, stride, padding: of the pooling; stride None is the kernel size.
        output_size: the size that was pooled, where several are possible.
    Returns:
        ``(N, C, oH, oW)``.
    Raises:
        ShapeError: indices of another shape, or outside the plane.
        DtypeError: indices that are not int64.
        ValueError: an output_size that pooling cannot have had.
    Example:
        >>> maxima, places = max_pool2d_with_indices(Tensor([[[1.0, 2.0], [4.0, 3.0]]]), 2)
        >>> max_unpool2d(maxima, places, 2).tolist()
        [[[0.0, 0.0], [4.0, 0.0]]]

    Source: Zeiler et al. 2011, Adaptive deconvolutional networks.
    """
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:  # fmt: skip
    """Maxima of volumes back in their places, zeros elsewhere; see ``max_unpool2d``."""
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)


# ---- windows at random steps

_FRACTIONAL: Any = {2: ops.FractionalMaxPool2D, 3: ops.FractionalMaxPool3D}
_NAMES = {2: ("height", "width"), 3: ("time", "height", "width")}


def _fractional(
    ndim: int, input: Tensor, kernel: Any, output_size: Any, output_ratio: Any, samples: Tensor | None
) -> Any:
    name = f"fractional_max_pool{ndim}d"
    check_tensor(name, input, "input")
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    shape = input._data.shape
    if len(shape) <= ndim:
        raise DimError(
            f"Dimension out of range (expected to be in range of [-{len(shape)}, {len(shape) - 1}], but got "
            f"-{ndim + 1}): {name} needs (N, C, *S) or (C, *S), but got {list(shape)}"
        )
    if len(shape) > ndim + 2:
        raise ShapeError(
            f"{name}: Expected {ndim + 1}D or {ndim + 2}D tensor, but got {list(shape)}: input is (N, C, "
            "*S) or, "
            "unbatched, (C, *S)"
        )
    size = shape[-ndim:]
    window = _tuple(name, "kernel_size", kernel, ndim)
    if output_size is None:
        ratios = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * ndim
        if len(ratios) != ndim:
            raise ValueError(
                f"{name} requires output_ratio to be one number or {ndim}, but got {output_ratio}"
            )
        wanted = tuple([int(n * r) for n, r in zip(size, ratios, strict=True)])
    else:
        wanted = _tuple(name, "output_size", output_size, ndim)
    check_floating(name, input)
    draws = _samples(input, ndim, samples)
    for what, n, k, m in zip(_NAMES[ndim], size, window, wanted, strict=True):
        if m + k - 1 > n:
            raise ShapeError(f"{name}(): pool {what} {k} too large relative to input {what} {n}")
    return apply(_FRACTIONAL[ndim], (input,), (draws, window, wanted))


def _samples(input: Tensor, ndim: int, samples: Tensor | None) -> Any:
    """The numbers in [0, 1) for each plane and axis, given or drawn."""
    shape, kind = input._data.shape, input._data.dtype
    planes = shape[:2] if len(shape) == ndim + 2 else (1, shape[0])
    if samples is None:
        return default_generator.uniform((*planes, ndim), kind)
    draws = samples._data
    if draws.dtype != kind:
        raise DtypeError("Expect _random_samples to have the same dtype as input")
    if draws.ndim != 3:
        raise ShapeError(f"Expect _random_samples to have 3 dimensions, got {draws.ndim}")
    if draws.shape[0] < planes[0]:
        raise ShapeError("Expect _random_samples.size(0) no less then input batch size.")
    if draws.shape[1] != planes[1]:
        raise ShapeError(
            f"Expect _random_samples.size(1) equals to input channel size; got {draws.shape[1]}, not "
            f"{planes[1]}."
        )
    if draws.shape[2] != ndim:
        raise ShapeError(f"Expect _random_samples.size(2) equals to {ndim}; got {draws.shape[2]}.")
    return draws if draws.shape[0] == planes[0] else draws[: planes[0]]


def fractional_max_pool2d_with_indices(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
    return_indices: bool = False, _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """``fractional_max_pool2d`` as a pair of maxima and their positions."""
    return _fractional(2, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool3d_with_indices(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
    return_indices: bool = False, _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """``fractional_max_pool3d`` as a pair of maxima and their positions."""
    return _fractional(3, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool2d(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
    return_indices: bool = False, _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """The largest value of windows that begin at pseudo-random steps.

    Args:
        input: float, ``(N, C, H, W)`` or ``(C, H, W)``.
        kernel_size: of the window in pixels, one int or (height, width).
        output_size: of the result; or
        output_ratio: the result's size over the input's, one number per axis.
        return_indices: also give the int64 position of each maximum in its flattened plane.
        _random_samples: ``(N, C, 2)`` in [0, 1), of input's dtype; drawn from the default generator if None.
    Returns:
        ``(N, C, *output_size)``, or that and the positions.
    Raises:
        ValueError: neither output_size nor output_ratio.
        ShapeError: a result that is too large for the input and the window.
    Source: Graham 2014, arXiv:1412.6071.
    """
    out, index = _fractional(2, input, kernel_size, output_size, output_ratio, _random_samples)
    return (out, index) if return_indices else out


def fractional_max_pool3d(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
    return_indices: bool = False, _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """The same for volumes ``(N, C, T, H, W)``; see ``fractional_max_pool2d``."""
    out, index = _fractional(3, input, kernel_size, output_size, output_ratio, _random_samples)
    return (out, index) if return_indices else out
