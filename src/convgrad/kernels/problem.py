"""One convolution primitive on one shape: what the planner plans for and the kernels are made for."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from convgrad.kernels.geometry import Geometry, Ints

FORWARD, INPUT_GRAD, WEIGHT_GRAD = "forward", "input_grad", "weight_grad"
PRIMITIVES = (FORWARD, INPUT_GRAD, WEIGHT_GRAD)
PLAIN_NAMES = {FORWARD: "the output", INPUT_GRAD: "the input gradient", WEIGHT_GRAD: "the weight gradient"}
BORDERS = ("zeros", "reflect", "replicate", "circular")
_LONG_ROW = 128  # entries; such rows fill vectors well enough


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
    def pointwise(self) -> bool:
        """Whether every output meets only the input at its own place."""
        alone = self.taps == max(self.stride) == 1 and not any(self.low)
        return alone and self.input_size == self.output_size

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
    def empty(self) -> bool:
        """Whether there is nothing to compute, or nothing to compute it from."""
        return not (self.x_elements and self.w_elements and self.y_elements)

    @property
    def operand_bytes(self) -> int:
        """Bytes of x, w and y together."""
        return (self.x_elements + self.w_elements + self.y_elements) * self.dtype.itemsize

    @property
    def operand_shapes(self) -> tuple[Ints, Ints, Ints]:
        """Shapes of what a kernel is given first and second, and of what it fills."""
        x = (self.batch, self.groups * self.in_channels, *self.input_size)
        w = (self.groups * self.out_channels, self.in_channels, *self.kernel_size)
        y = (self.batch, self.groups * self.out_channels, *self.output_size)
        return {FORWARD: (x, w, y), INPUT_GRAD: (y, w, x), WEIGHT_GRAD: (x, y, w)}[self.primitive]

    def numbers(self) -> list[int]:
        """The problem as the compiled kernels read it (``problem_from`` in bindings.cpp)."""
        return [
            self.batch, self.groups, self.in_channels, self.out_channels,
            *self.input_size, *self.kernel_size, *self.output_size,
            *self.stride, *self.low, *self.dilation, BORDERS.index(self.border),
        ]  # fmt: skip


def in_words(primitive: str, x: Ints, w: Ints, geometry: Geometry, dtype: np.dtype[Any]) -> str:
    """What a primitive computes, as a user knows it: of a convolution of x with w."""
    words = [f"{PLAIN_NAMES[primitive]} of a convolution of {x} with {w}"]
    for name, sizes in (("stride", geometry.stride), ("dilation", geometry.dilation)):
        words += [f"{name} {sizes}"] if max(sizes) > 1 else []
    words += [f"groups {geometry.groups}"] if geometry.groups > 1 else []
    words += [f"{geometry.border} borders"] if geometry.border != "zeros" else []
    return ", ".join([*words, str(dtype)])


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
    out, per_group, *kernel_size = weight_shape
    lows = [low for low, _ in geometry.padding]
    axes = [
        Axis(*sizes)
        for sizes in zip(
            input_size, kernel_size, output_size, geometry.stride, lows, geometry.dilation, strict=True
        )
    ]
    sizes, kernels, outputs, strides, starts, dilations = zip(*_merged(axes, geometry.border), strict=True)
    return Problem(
        primitive, dtype, batch, geometry.groups, per_group, out // geometry.groups,
        sizes, kernels, outputs, strides, starts, dilations, geometry.border,
    )  # fmt: skip


class Axis(NamedTuple):
    """The sizes of one spatial dimension."""

    input_size: int
    kernel_size: int
    output_size: int
    stride: int
    low: int
    dilation: int

    @property
    def whole(self) -> bool:
        """Every entry is taken as it is: nothing slides."""
        return self.kernel_size == self.stride == 1 and not self.low and self.input_size == self.output_size

    @property
    def padded(self) -> bool:
        reach = (self.output_size - 1) * self.stride + self.dilation * (self.kernel_size - 1) + 1
        return self.low > 0 or reach - self.low > self.input_size


def _merged(axes: list[Axis], border: str) -> list[Axis]:
    """Three axes that describe the same arrays, with long rows: an axis where nothing slides joins the one
    before it, whose taps then lie a row apart. A 1x1 convolution of an image becomes that of one long row.
    """
    axes = [Axis(1, 1, 1, 1, 0, 1)] * (3 - len(axes)) + axes
    done = axes[2:]
    for axis in axes[1::-1]:
        inner = done[0]
        # Fewer outputs than taps: most taps of an input gradient meet nothing, which is seen row by row only.
        apart = axis.output_size < axis.kernel_size and inner.input_size >= _LONG_ROW
        if inner.whole and axis.stride == 1 and (border == "zeros" or not axis.padded) and not apart:
            n = inner.input_size
            dilation = axis.dilation * n if axis.kernel_size > 1 else 1
            done[0] = Axis(
                axis.input_size * n, axis.kernel_size, axis.output_size * n, 1, axis.low * n, dilation
            )
        else:
            done.insert(0, axis)
    return [Axis(1, 1, 1, 1, 0, 1)] * (3 - len(done)) + done
