"""The three convolution primitives in NumPy: the meaning of every faster kernel.

With input x, kernel w and output cotangent g, all three contract one trilinear form,
``T(x, w, g) = sum of g * (x correlated with w)``: ``convolve`` leaves g open,
``convolve_input_grad`` x and ``convolve_weight_grad`` w. The derivative of each is the other two.

Two ways lead there. *Columns*: the windows of a block of outputs are copied into a matrix and one
matrix product does the sums (Chellapilla et al. 2006); blocks are sized to stay in the cache.
*Fourier* (spectral.py): for long one-dimensional kernels. The shape alone chooses.

All work in any number of spatial dimensions and in any numeric dtype; complex numbers are not
conjugated, float16 and bfloat16 are computed in float32 and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import ml_dtypes
import numpy as np
from numpy.lib.stride_tricks import as_strided

from convgrad.dtypes import Array
from convgrad.kernels import borders, spectral
from convgrad.kernels.geometry import Geometry, Ints, Pairs, conv_output_size

WIDE = {np.dtype(np.float16): np.dtype(np.float32), np.dtype(ml_dtypes.bfloat16): np.dtype(np.float32)}
"""The dtype in which a narrow one is computed."""

_BLOCK = 2**18
"""Elements of one block of columns: 1 MB in float32, half of a usual L2 cache."""

_FEW_POSITIONS = 64
"""Below this many output positions a sample is too small for a matrix product of its own."""

silent = np.errstate(all="ignore")
"""Overflow and nan are results, not news: PyTorch does not warn either."""


@silent
def convolve(
    x: Array, w: Array, geometry: Geometry, bias: Array | None = None, activation: str | None = None
) -> Array:
    """Cross-correlation, ``out[n, o, p] = sum over c, k of x[n, c, p stride - low + k dilation] w[o, c, k]``.

    Args:
        x: ``(N, C, *S)`` of any numeric dtype and any strides.
        w: ``(O, C / groups, *K)`` of the same dtype.
        bias: ``(O,)``, added to each output channel.
        activation: applied last: None or "relu".
    Returns:
        ``(N, O, *oS)``, contiguous, of the same dtype.
    """
    return finished(_rounded_once(_convolve, x, w, geometry), bias, activation)


@silent
def convolve_input_grad(
    g: Array, w: Array, geometry: Geometry, input_size: Ints, bias: Array | None = None,
    activation: str | None = None,
) -> Array:  # fmt: skip
    """The adjoint of ``convolve`` in x, which is also the transposed convolution.

    Args:
        g: ``(N, O, *oS)``.
        w: ``(O, C / groups, *K)``.
        input_size: the spatial size of x; ``conv_output_size`` of it is g's.
        bias: ``(C,)``, added to each channel of the result.
        activation: applied last: None or "relu".
    Returns:
        ``(N, C, *input_size)``, contiguous.
    """
    if geometry.border != "zeros":
        return borders.through_fold(convolve_input_grad, g, w, geometry, input_size, bias, activation)
    return finished(_rounded_once(_convolve_input_grad, g, w, geometry, input_size), bias, activation)


@silent
def convolve_weight_grad(x: Array, g: Array, geometry: Geometry, kernel_size: Ints) -> Array:
    """The adjoint of ``convolve`` in w.

    Args:
        x: ``(N, C, *S)``.
        g: ``(N, O, *oS)``.
        kernel_size: the spatial size of w.
    Returns:
        ``(O, C / groups, *kernel_size)``, contiguous.
    """
    return _rounded_once(_convolve_weight_grad, x, g, geometry, kernel_size)


def route(dtype: Any, weight_shape: Ints, output_size: Ints, geometry: Geometry) -> str:
    """In words, which of the two ways the reference takes."""
    if spectral.pays(dtype, weight_shape, output_size, geometry):
        return "NumPy: Fourier transforms of overlapping frames, since the kernel is long"
    return "NumPy: windows copied into columns, then matrix products"


def finished(out: Array, bias: Array | None, activation: str | None) -> Array:
    """``activation(out + bias)``, in place."""
    if bias is not None:
        out += bias.reshape(-1, *(1,) * (out.ndim - 2))
    if activation == "relu":
        np.maximum(out, 0, out=out)
    return out


def _rounded_once(kernel: Callable[..., Array], a: Array, b: Array, *rest: Any) -> Array:
    wide = WIDE.get(a.dtype)
    if wide is None:
        return kernel(a, b, *rest)
    return kernel(a.astype(wide), b.astype(wide), *rest).astype(a.dtype)


def _convolve(x: Array, w: Array, geometry: Geometry) -> Array:
    kernel_size = w.shape[2:]
    output_size = conv_output_size(x.shape[2:], kernel_size, geometry)
    padded = _pad(x, geometry.padding, geometry.border)
    if spectral.pays(w.dtype, w.shape, output_size, geometry):
        out = spectral.correlate(padded, w, output_size[0])
        if out is not None:
            return out
    n, groups, filters = x.shape[0], geometry.groups, _filters(w, geometry.groups)
    windows = _windows(padded, kernel_size, output_size, geometry)
    per_group, depth = filters.shape[1:]
    out = np.empty((n, groups, per_group, prod(output_size)), x.dtype)
    for samples, rows, positions, count, width in _blocks(n, output_size, groups * depth):
        block = windows[(samples, *(slice(None),) * (2 + len(kernel_size)), rows)]
        if prod(output_size) >= _FEW_POSITIONS:
            columns = block.reshape(count, groups, depth, width)
            np.matmul(filters, columns, out=out[samples, :, :, positions])
        else:
            merged = _samples_inside(block).reshape(groups, depth, count * width)
            product = np.matmul(filters, merged).reshape(groups, per_group, count, width)
            out[samples, :, :, positions] = product.transpose(2, 0, 1, 3)
    return out.reshape(n, w.shape[0], *output_size)


def _convolve_input_grad(g: Array, w: Array, geometry: Geometry, input_size: Ints) -> Array:
    kernel_size, output_size = w.shape[2:], g.shape[2:]
    assert conv_output_size(input_size, kernel_size, geometry) == output_size, (input_size, w.shape, g.shape)
    n, groups, filters = g.shape[0], geometry.groups, _filters(w, geometry.groups)
    per_group, depth = filters.shape[1:]
    channels = w.shape[1] * groups
    full = [low + size + max(high, 0) for size, (low, high) in zip(input_size, geometry.padding, strict=True)]
    gx = np.zeros((n, channels, *full), g.dtype)
    inside = gx[_inside(geometry.padding, input_size)]
    if spectral.pays(w.dtype, w.shape, output_size, geometry):
        k, reach = kernel_size[0] - 1, output_size[0] + kernel_size[0] - 1
        swapped = w[:, :, ::-1].transpose(1, 0, 2)
        pulled = spectral.correlate(_pad(g, ((k, k),)), swapped, reach)
        if pulled is not None:
            gx[:, :, :reach] = pulled
            return np.ascontiguousarray(inside)
    windows = _windows(gx, kernel_size, output_size, geometry)
    flat = g.reshape(n, groups, per_group, prod(output_size))
    backward_filters = filters.transpose(0, 2, 1)
    contract = (
        np.matmul if per_group > 1 else np.multiply
    )  # depthwise: an outer product, which BLAS is slow at
    for samples, rows, positions, count, width in _blocks(n, output_size, groups * depth):
        block = windows[(samples, *(slice(None),) * (2 + len(kernel_size)), rows)]
        part = flat[samples, :, :, positions]
        if prod(output_size) >= _FEW_POSITIONS:
            columns = contract(backward_filters, part).reshape(block.shape)
        else:
            product = np.matmul(
                backward_filters, part.transpose(1, 2, 0, 3).reshape(groups, per_group, count * width)
            )
            shape = _samples_inside(block).shape
            columns = _samples_outside(product.reshape(shape), len(kernel_size))
        for tap in np.ndindex(*kernel_size):  # within one tap no two windows meet
            block[(slice(None),) * 3 + tap] += columns[(slice(None),) * 3 + tap]
    return np.ascontiguousarray(inside)


def _convolve_weight_grad(x: Array, g: Array, geometry: Geometry, kernel_size: Ints) -> Array:
    output_size = g.shape[2:]
    assert conv_output_size(x.shape[2:], kernel_size, geometry) == output_size, (
        x.shape,
        kernel_size,
        g.shape,
    )
    n, groups = x.shape[0], geometry.groups
    per_group, depth = g.shape[1] // groups, x.shape[1] // groups * prod(kernel_size)
    shape = (g.shape[1], x.shape[1] // groups, *kernel_size)
    padded = _pad(x, geometry.padding, geometry.border)
    if spectral.pays(g.dtype, shape, output_size, geometry):
        gw = spectral.correlate_weight(padded, g, kernel_size[0])
        if gw is not None:
            return gw
    windows = _windows(padded, kernel_size, output_size, geometry)
    flat = g.reshape(n, groups, per_group, prod(output_size))
    gw = np.zeros((groups, per_group, depth), x.dtype)
    for samples, rows, positions, count, width in _blocks(n, output_size, groups * depth, at_least=512):
        block = windows[(samples, *(slice(None),) * (2 + len(kernel_size)), rows)]
        columns = _samples_inside(block).reshape(groups, depth, count * width)
        part = flat[samples, :, :, positions].transpose(1, 2, 0, 3)
        part = part.reshape(groups, per_group, count * width)
        gw += np.matmul(part, columns.transpose(0, 2, 1))
    return gw.reshape(shape)


def _filters(w: Array, groups: int) -> Array:
    """The kernels as one matrix per group, ``(groups, O / groups, C / groups * prod(K))``."""
    return w.reshape(groups, w.shape[0] // groups, prod(w.shape[1:]))


def _pad(x: Array, padding: Pairs, border: str = "zeros") -> Array:
    """The borders of the spatial dimensions written out; x itself where there are none."""
    if all(low == 0 and high <= 0 for low, high in padding):
        return x
    if border != "zeros":
        return borders.pad(x, padding, border)
    sizes = zip(x.shape[2:], padding, strict=True)
    out = np.zeros((*x.shape[:2], *[low + n + max(high, 0) for n, (low, high) in sizes]), x.dtype)
    out[_inside(padding, x.shape[2:])] = x
    return out


def _inside(padding: Pairs, size: Ints) -> tuple[Any, ...]:
    """The index of what the padding surrounds."""
    return (..., *[slice(low, low + n) for (low, _), n in zip(padding, size, strict=True)])


def _windows(x: Array, kernel_size: Ints, output_size: Ints, geometry: Geometry) -> Array:
    """A view of x that holds each window it is made of, ``(N, groups, C / groups, *K, *oS)``."""
    n, channels = x.shape[:2]
    per_sample, per_channel, *steps = x.strides
    per_group = channels // geometry.groups
    shape = (n, geometry.groups, per_group, *kernel_size, *output_size)
    taps = [step * d for step, d in zip(steps, geometry.dilation, strict=True)]
    moves = [step * s for step, s in zip(steps, geometry.stride, strict=True)]
    return as_strided(x, shape, (per_sample, per_channel * per_group, per_channel, *taps, *moves))


def _samples_inside(block: Array) -> Array:
    """Samples moved next to the output positions: ``(groups, C / groups, *K, N, *oS)``."""
    ndim = (block.ndim - 3) // 2
    return block.transpose(*range(1, 3 + ndim), 0, *range(3 + ndim, block.ndim))


def _samples_outside(block: Array, ndim: int) -> Array:
    """Undo ``_samples_inside``."""
    return block.transpose(2 + ndim, *range(2 + ndim), *range(3 + ndim, block.ndim))


def _blocks(
    n: int, output_size: Ints, depth: int, at_least: int = 1
) -> Iterator[tuple[slice, slice, slice, int, int]]:
    """Cut the outputs so that a block's columns, ``depth`` high, stay in the cache.

    Yields slices of the samples, of the first output dimension and of the flattened output positions,
    then the number of samples and of positions. Samples are cut first; a single one that is too large is
    cut into rows.
    """
    budget = max(at_least, _BLOCK // max(depth, 1))
    row = prod(output_size[1:])
    whole = row * output_size[0]
    if whole == 0 or n == 0:
        return
    samples = max(1, budget // whole)
    rows = output_size[0] if whole <= budget else max(1, budget // row)
    for first in range(0, n, samples):
        last = min(first + samples, n)
        for top in range(0, output_size[0], rows):
            bottom = min(top + rows, output_size[0])
            positions = slice(top * row, bottom * row)
            yield slice(first, last), slice(top, bottom), positions, last - first, (bottom - top) * row
