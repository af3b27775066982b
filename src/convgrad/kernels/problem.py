"""One convolution primitive on one shape: what the planner plans for and the kernels are made for."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from convgrad.kernels.geometry import Geometry, Ints

FORWARD, INPUT_GRAD, WEIGHT_GRAD = "forward", "input_grad", "weight_grad"
PRIMITIVES = (FORWARD, INPUT_GRAD, WEIGHT_GRAD)
BORDERS = ("zeros", "reflect", "replicate", "circular")


class Problem(NamedTuple):
    """Sizes of a primitive. Spatial tuples have three entries; missing dimensions lead with size 1.

    ``forward`` makes y from x and w, ``input_grad`` x from y and w, ``weight_grad`` w from x and y, where
    y = convolve(x, w). Channels are counted per group.
    """

    primitive: str
    dtype: np.dtype[Any]
    batch: int
    groups: int
    in_channels: int
    out_channels: int
    input_size: Ints
    kernel_size: Ints
    output_size: Ints
    stride: Ints
    low: Ints
    dilation: Ints
    border: str

    @property
    def taps(self) -> int:
        """Weights per pair of channels."""
        return prod(self.kernel_size)

    @property
    def ndim(self) -> int:
        """Spatial dimensions that the problem really has: leading ones of size 1 do not count."""
        leading = zip(self.input_size, self.kernel_size, self.output_size, strict=True)
        trivial = [sizes == (1, 1, 1) for sizes in leading]
        return 3 - (2 if trivial[0] and trivial[1] else 1 if trivial[0] else 0)

    @property
    def flops(self) -> int:
        """Floating point operations of the definition: two for each weight and output position."""
        channels = self.groups * self.in_channels * self.out_channels
        return 2 * self.batch * channels * self.taps * prod(self.output_size)

    @property
    def x_elements(self) -> int:
        return self.batch * self.groups * self.in_channels * prod(self.input_size)

    @property
    def w_elements(self) -> int:
        return self.groups * self.in_channels * self.out_channels * self.taps

    @property
    def y_elements(self) -> int:
        return self.batch * self.groups * self.out_channels * prod(self.output_size)

    @property
    def operand_bytes(self) -> int:
        """Bytes of x, w and y together."""
        return (self.x_elements + self.w_elements + self.y_elements) * self.dtype.itemsize

    def numbers(self) -> list[int]:
        """The problem as the compiled kernels read it (``problem_from`` in bindings.cpp)."""
        return [
            self.batch, self.groups, self.in_channels, self.out_channels,
            *self.input_size, *self.kernel_size, *self.output_size,
            *self.stride, *self.low, *self.dilation, BORDERS.index(self.border),
        ]  # fmt: skip


def problem_of(
    primitive: str, dtype: np.dtype[Any], batch: int, weight_shape: Ints, input_size: Ints, output_size: Ints,
    geometry: Geometry,
) -> Problem:  # fmt: skip
    """The problem of a call, from the shapes that it names.

    Args:
        primitive: one of ``PRIMITIVES``.
        weight_shape: ``(O, C / groups, *K)``.
        input_size, output_size: spatial sizes of x and y.
    """
    one = (1,) * (3 - len(input_size))
    out, per_group, *kernel_size = weight_shape
    return Problem(
        primitive, dtype, batch, geometry.groups, per_group, out // geometry.groups,
        one + input_size, (*one, *kernel_size), one + output_size, one + geometry.stride,
        (*[0 for _ in one], *[low for low, _ in geometry.padding]), one + geometry.dilation, geometry.border,
    )  # fmt: skip
