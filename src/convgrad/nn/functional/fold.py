"""Windows as columns and back; channels shuffled, or exchanged for pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import DimError, ShapeError
from ...ops import fold as ops
from ...ops.fold import Pair, block_counts
from ...tensor.checks import check_floating
from ...tensor.methods.operands import check_tensor
from ...tensor.tensor import Tensor, apply


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """Every window of images as a column (im2col).

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``; float, complex or bool.
        kernel_size, dilation, padding, stride: of the window in pixels, one int or (height, width).
    Returns:
        ``(N, C kH kW, L)``, one column for each of the L windows, row by row.
    Raises:
        ShapeError: a window that does not fit, or numbers that are none.
    Example:
        >>> unfold(Tensor([[[[1.0, 2.0, 3.0]]]]), (1, 2)).tolist()
        [[[1.0, 2.0], [2.0, 3.0]]]

    Source: semantics of torch.nn.functional.unfold.
    """
    kernel, dilate, pad, step = _window(kernel_size, dilation, padding, stride)
    check_tensor("unfold", input, "input")
    check_floating("im2col_out_cpu", input, ("c", "b"))
    shape = input._data.shape
    if len(shape) < 3:
        raise DimError(
            f"Dimension out of range (expected to be in range of [-{len(shape)}, {len(shape) - 1}], but got "
            f"{len(shape)}): unfold needs (N, C, H, W) or (C, H, W), but got {list(shape)}"
        )
    if len(shape) > 4 or 0 in shape[-3:]:
        raise ShapeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            "dimensions for "
            f"input, but got: {list(shape)}"
        )
    counts = block_counts((shape[-2], shape[-1]), kernel, step, pad, dilate)
    if min(counts) < 1:
        raise ShapeError(
            f"Given input with spatial size {shape[-2:]}, kernel_size={kernel}, dilation={dilate}, "
            f"padding={pad}, calculated shape of the array of sliding blocks as {counts}, but its components "
            "must be at least one."
        )
    return apply(ops.Im2Col, (input,), (kernel, step, pad, dilate))


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Columns of windows added up to images (col2im), the adjoint of ``unfold``.

    Args:
        input: ``(N, C kH kW, L)`` or ``(C kH kW, L)``; float, complex or bool.
        output_size: of the images, one int or (height, width).
        kernel_size, dilation, padding, stride: of the window in pixels, one int or (height, width).
    Returns:
        ``(N, C, *output_size)``.
    Raises:
        ShapeError: rows or columns that do not fit the windows.
    Example:
        >>> fold(Tensor([[[1.0, 2.0], [2.0, 3.0]]]), (1, 3), (1, 2)).tolist()
        [[[[1.0, 4.0, 3.0]]]]

    Source: semantics of torch.nn.functional.fold.
    """
    size = _pair("output_size", output_size)
    kernel, dilate, pad, step = _window(kernel_size, dilation, padding, stride)
    check_tensor("fold", input, "input")
    check_floating("col2im_out_cpu", input, ("c", "b"))
    shape = input._data.shape
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise ShapeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero "
            "dimensions "
            f"for input, but got: {list(shape)}"
        )
    axis = len(shape) - 2
    if shape[-2] % (kernel[0] * kernel[1]):
        raise ShapeError(
            f"Expected size of input's dimension {axis} to be divisible by the product of kernel_size, but "
            "got "
            f"input.size({axis})={shape[-2]} and kernel_size={kernel}."
        )
    rows, columns = block_counts(size, kernel, step, pad, dilate)
    if rows * columns != shape[-1] or min(rows, columns) < 1:
        raise ShapeError(
            f"Given output_size={size}, kernel_size={kernel}, dilation={dilate}, padding={pad}, "
            f"stride={step}, "
            f"expected size of input's dimension {axis + 1} to match the calculated number of sliding blocks "
            f"{rows} * {columns} = {rows * columns}, but got input.size({axis + 1})={shape[-1]}."
        )
    return apply(ops.Col2Im, (input,), (size, kernel, step, pad, dilate))


def _window(kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> tuple[Pair, Pair, Pair, Pair]:
    """The four pairs of ints of a window, checked."""
    kernel, dilate = _pair("kernel_size", kernel_size), _pair("dilation", dilation)
    pad, step = _pair("padding", padding), _pair("stride", stride)
    for name, short, (a, b) in (
        ("kernel size", "kernel", kernel),
        ("stride", "stride", step),
        ("dilation", "dilation", dilate),
    ):
        if min(a, b) <= 0:
            raise ShapeError(
                f"{name} should be greater than zero, but got {short}_height: {a} {short}_width: {b}"
            )
    if min(pad) < 0:
        raise ShapeError(f"padding should be non-negative, but got pad_height: {pad[0]} pad_width: {pad[1]}")
    return kernel, dilate, pad, step


def _pair(name: str, value: Any) -> Pair:
    numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(numbers) not in (1, 2):
        raise ShapeError(f"It is expected {name} equals to 2, but got size {len(numbers)}")
    a, b = int(numbers[0].__index__()), int(numbers[-1].__index__())
    return a, b


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Groups of channels as the pixels of finer images.

    Args:
        input: ``(*, C r r, H, W)`` with r the factor, any dtype.
        upscale_factor: r.
    Returns:
        ``(*, C, H r, W r)``.
    Raises:
        ShapeError: channels that do not divide.
    Example:
        >>> pixel_shuffle(Tensor([[[1.0]], [[2.0]], [[3.0]], [[4.0]]]), 2).tolist()
        [[[1.0, 2.0], [3.0, 4.0]]]

    Source: Shi et al. 2016, arXiv:1609.05158.
    """
    shape = _image("pixel_shuffle", input, "upscale_factor", upscale_factor)
    square = upscale_factor**2
    if shape[-3] % square:
        raise ShapeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of "
            f"upscale_factor, but input.size(-3)={shape[-3]} is not divisible by {square} (input "
            f"{list(shape)})"
        )
    return apply(ops.PixelShuffle, (input,), (upscale_factor,))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Pixels of small squares as channels: the inverse of ``pixel_shuffle``.

    Args:
        input: ``(*, C, H r, W r)`` with r the factor, any dtype.
        downscale_factor: r.
    Returns:
        ``(*, C r r, H, W)``.
    Raises:
        ShapeError: a height or width that does not divide.
    """
    shape = _image("pixel_unshuffle", input, "downscale_factor", downscale_factor)
    for name, axis in (("height", -2), ("width", -1)):
        if shape[axis] % downscale_factor:
            raise ShapeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but "
                f"input.size({axis})={shape[axis]} is not divisible by {downscale_factor} (input "
                f"{list(shape)})"
            )
    return apply(ops.PixelUnshuffle, (input,), (downscale_factor,))


def _image(name: str, input: Tensor, argument: str, factor: int) -> tuple[int, ...]:
    """The shape of an input with channels, height and width; checks the factor too."""
    check_tensor(name, input, "input")
    shape = input._data.shape
    if len(shape) < 3:
        raise ShapeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {len(shape)} "
            "dimension(s)"
        )
    if not isinstance(factor, (int, np.integer)):
        raise TypeError(f"{name}(): argument '{argument}' must be int, not {type(factor).__name__}")
    if factor <= 0:
        raise ShapeError(f"{name} expects a positive {argument}, but got {factor}")
    return shape


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Channels dealt out like cards from ``groups`` piles: (a1 a2 b1 b2) becomes (a1 b1 a2 b2).

    Args:
        input: ``(N, C, *)`` with at least one axis more, any dtype.
        groups: a divisor of C.
    Raises:
        ShapeError: groups that do not divide the channels.
    Example:
        >>> channel_shuffle(Tensor([[[1.0], [2.0], [3.0], [4.0]]]), 2).flatten().tolist()
        [1.0, 3.0, 2.0, 4.0]

    Source: Zhang et al. 2017, arXiv:1707.01083.
    """
    check_tensor("channel_shuffle", input, "input")
    shape = input._data.shape
    if len(shape) <= 2:
        raise ShapeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(shape)}"
        )
    if groups <= 0:
        raise ShapeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    if shape[1] % groups:
        raise ShapeError(
            f"Number of channels must be divisible by groups. Got {shape[1]} channels and {groups} groups."
        )
    return apply(ops.ChannelShuffle, (input,), (groups,))


def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """``channel_shuffle`` under another name."""
    return channel_shuffle(input, groups)
