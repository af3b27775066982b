"""A convolution written out as one matrix: each row is the kernel, shifted and stacked."""

from __future__ import annotations

from math import prod

import numpy as np

from convgrad.dtypes import Array
from convgrad.kernels.geometry import Geometry, Ints, conv_output_size

Indices = Array


def convolution_matrix(
    w: Array, geometry: Geometry, input_shape: Ints
) -> tuple[Indices, Indices, Array, tuple[int, int]]:
    """The matrix A with ``convolve(x, w).ravel() == A @ x.ravel()`` for one sample, as COO triplets.

    Args:
        w: ``(O, C / groups, *K)``.
        geometry: stride, padding, dilation, groups.
        input_shape: ``(C, *S)`` of one sample.
    Returns:
        rows, cols, values (the triplets, sorted by row, no pair twice; taps that fall into the padding
        are left out) and the shape ``(O * prod(oS), C * prod(S))``.
    Example:
        >>> geometry = Geometry((1,), ((0, 0),), (1,), 1)
        >>> rows, cols, values, shape = convolution_matrix(np.array([[[1.0, 2.0]]]), geometry, (1, 4))
        >>> dense = np.zeros(shape)
        >>> dense[rows, cols] = values
        >>> dense
        array([[1., 2., 0., 0.],
               [0., 1., 2., 0.],
               [0., 0., 1., 2.]])

    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 9.1 (Toeplitz matrices).
    """
    out_channels, per_group = w.shape[:2]
    kernel_size, size = w.shape[2:], input_shape[1:]
    output_size = conv_output_size(size, kernel_size, geometry)
    ndim = len(size)
    # The grid has the axes (o, *oS, c, *K); an entry of w appears once per output position.
    group_of = np.arange(out_channels) // max(out_channels // geometry.groups, 1)
    channel = group_of[:, None] * per_group + np.arange(per_group)
    cols = channel.reshape(out_channels, *(1,) * ndim, per_group, *(1,) * ndim)
    inside = np.ones((1,) * (2 + 2 * ndim), bool)
    for axis in range(ndim):
        (low, _), n = geometry.padding[axis], size[axis]
        moves = np.arange(output_size[axis]) * geometry.stride[axis] - low
        taps = np.arange(kernel_size[axis]) * geometry.dilation[axis]
        shape = [1] * (2 + 2 * ndim)
        shape[1 + axis], shape[2 + ndim + axis] = output_size[axis], kernel_size[axis]
        position = (moves[:, None] + taps).reshape(shape)
        cols = cols * n + position
        inside = inside & (position >= 0) & (position < n)
    grid = (out_channels, *output_size, per_group, *kernel_size)
    kept = np.broadcast_to(inside, grid).reshape(-1)
    rows = np.arange(out_channels * prod(output_size)).repeat(per_group * prod(kernel_size))
    values = w.reshape(out_channels, *(1,) * ndim, *w.shape[1:])
    values = np.broadcast_to(values, grid).reshape(-1)
    matrix_shape = (out_channels * prod(output_size), prod(input_shape))
    return rows[kept], np.broadcast_to(cols, grid).reshape(-1)[kept], values[kept], matrix_shape
