"""Convolutions of 1, 2 and 3 spatial dimensions and their transposes, as functions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ...dtypes import F32, F64
from ...errors import ConvgradError, ShapeError
from ...graph.grad_mode import MODE, RECORD
from ...graph.node import attach
from ...kernels.geometry import ConvPlan, Ints, plan_conv, plan_conv_transpose
from ...ops import conv as ops
from ...ops.op import Op
from ...tensor.functions_shape import border_widths
from ...tensor.tensor import Tensor, apply


def _check(name: str, input: Any, weight: Any, bias: Any) -> None:
    if isinstance(input, Tensor) and isinstance(weight, Tensor):
        dtype = input._data.dtype
        if weight._data.dtype is dtype and (
            bias is None or (isinstance(bias, Tensor) and bias._data.dtype is dtype)
        ):
            return
    for role, value in (("input", input), ("weight", weight), ("bias", bias)):
        if not isinstance(value, Tensor) and not (role == "bias" and value is None):
            raise TypeError(f"{name}(): argument '{role}' must be Tensor, not {type(value).__name__}")
    for role, value in (("weight", weight), ("bias", bias)):
        if value is not None and value._data.dtype != input._data.dtype:
            raise ConvgradError(
                f"{name}: Input type ({input.dtype}) and {role} type ({value.dtype}) should be the same: "
                f"convert one of them, e.g. input.to({value.dtype})"
            )


def _run(op: Any, inputs: tuple[Tensor, ...], ndim: int, params: tuple[Any, ...]) -> Any:
    """``apply`` to a batch, or to one unbatched example; in fewer steps where a float tensor is recorded."""
    x = inputs[0]
    data = x._data
    if data.ndim != ndim + 2:
        return apply(op, (x.unsqueeze(0), *inputs[1:]), params).squeeze(0)
    mode = MODE.get()
    if mode & ~RECORD or (data.dtype is not F32 and data.dtype is not F64):
        return apply(op, inputs, params)
    out, saved = op.forward(*[tensor._data for tensor in inputs], *params)
    result = Tensor(out, None)
    if mode:
        for tensor in inputs:
            if tensor._node is not None:
                attach(op, inputs, result, saved)
                break
    return result


#: operators for a call without a bias and for one with it
Forms = tuple[type[Op], type[Op]]
_PLAIN: Forms = (ops.Convolve, ops.Convolution)
_TRANSPOSED: Forms = (ops.ConvolveInputGrad, ops.TransposedConvolution)


def convolve(
    name: str, ndim: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any,
    groups: int, forms: Forms = _PLAIN,
) -> Any:  # fmt: skip
    """``conv1d`` and its kin, by name and number of dimensions; ``forms`` are what they record."""
    _check(name, input, weight, bias)
    bias_shape = None if bias is None else bias._data.shape
    geometry, _ = plan_conv(
        ndim, input._data.shape, weight._data.shape, bias_shape, stride, padding, dilation, groups
    )
    if bias is None:
        return _run(forms[0], (input, weight), ndim, (geometry,))
    return _run(forms[1], (input, weight, bias), ndim, (geometry,))


def convolve_with_border(
    ndim: int, input: Any, weight: Any, bias: Any, stride: Ints, widths: Ints, dilation: Ints, groups: int,
    border: str, forms: Forms = _PLAIN,
) -> Any:  # fmt: skip
    """``conv1d`` and its kin of the input padded with itself, without making a padded copy.

    Args:
        widths: as ``pad`` takes them, (left, right, top, bottom, ...), none negative.
        border: "reflect", "replicate" or "circular", as ``pad`` means them.
    Raises:
        ConvgradError: what ``pad`` would raise, then what the convolution of the padded input would.
    """
    _check(f"conv{ndim}d", input, weight, bias)
    bias_shape = None if bias is None else bias._data.shape
    geometry, _ = plan_border(
        ndim, input._data.shape, weight._data.shape, bias_shape, stride, widths, dilation, groups, border
    )
    if bias is None:
        return _run(forms[0], (input, weight), ndim, (geometry,))
    return _run(forms[1], (input, weight, bias), ndim, (geometry,))


@lru_cache(maxsize=1024)
def plan_border(
    ndim: int, input_shape: Ints, weight_shape: Ints, bias_shape: Ints | None, stride: Ints, widths: Ints,
    dilation: Ints, groups: int, border: str,
) -> ConvPlan:  # fmt: skip
    """``plan_conv`` for ``convolve_with_border``: what its arguments mean, checked in the same way."""
    pairs = border_widths(input_shape, widths, border)
    padded = tuple([n + low + high for n, (low, high) in zip(input_shape, pairs)])
    bare, output_size = plan_conv(ndim, padded, weight_shape, bias_shape, stride, 0, dilation, groups)
    return ConvPlan(bare._replace(padding=pairs[-ndim:], border=border), output_size)


def convolve_transposed(
    name: str, ndim: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any,
    groups: int, dilation: Any, forms: Forms = _TRANSPOSED,
) -> Any:  # fmt: skip
    """``conv_transpose1d`` and its kin likewise."""
    _check(name, input, weight, bias)
    bias_shape = None if bias is None else bias._data.shape
    params = plan_conv_transpose(
        ndim,
        input._data.shape,
        weight._data.shape,
        bias_shape,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )
    if bias is None:
        return _run(forms[0], (input, weight), ndim, params)
    return _run(forms[1], (input, weight, bias), ndim, params)


def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Cross-correlate signals with a bank of filters.

    Args:
        input: ``(N, C_in, L)``, or ``(C_in, L)`` for one signal; any floating, complex or integer dtype.
        weight: same dtype, ``(C_out, C_in / groups, k)``.
        bias: ``(C_out,)``, or None.
        stride: step of the window in samples.
        padding: zeros on both sides in samples, or 'valid' (none) or 'same' (length is kept).
        dilation: distance between the taps of a kernel in samples.
        groups: input and output channels are cut into this many parts that do not see each other.
    Returns:
        ``(N, C_out, oL)`` with ``oL = (L + 2 padding - dilation (k - 1) - 1) // stride + 1``.
    Raises:
        ShapeError: the channels disagree, or the kernel is larger than the padded signal.
    Example:
        >>> conv1d(Tensor([[[1.0, 2.0, 4.0]]]), Tensor([[[1.0, -1.0]]])).tolist()
        [[[-1.0, -2.0]]]

    Source: Dumoulin & Visin 2016, arXiv:1603.07285; semantics of torch.nn.functional.conv1d.
    """
    return convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Cross-correlate images with a bank of filters.

    Args:
        input: ``(N, C_in, H, W)``, or ``(C_in, H, W)`` for one image.
        weight: same dtype, ``(C_out, C_in / groups, kH, kW)``.
        bias: ``(C_out,)``, or None.
        stride: step of the window in pixels; one int serves both axes.
        padding: zeros around the image in pixels, or 'valid' or 'same'.
        dilation: distance between the taps of a kernel in pixels.
        groups: input and output channels are cut into this many parts that do not see each other.
    Returns:
        ``(N, C_out, oH, oW)`` with ``oH = (H + 2 padding - dilation (kH - 1) - 1) // stride + 1``.
    Raises:
        ShapeError: the channels disagree, or the kernel is larger than the padded image.
    Example:
        >>> conv2d(Tensor(1, 3, 8, 8), Tensor(4, 3, 3, 3), stride=2).shape
        torch.Size([1, 4, 3, 3])

    Source: Dumoulin & Visin 2016, arXiv:1603.07285; semantics of torch.nn.functional.conv2d.
    """
    return convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Cross-correlate volumes with a bank of filters: ``conv2d`` with one more spatial dimension.

    Args and returns as ``conv2d``, with input ``(N, C_in, D, H, W)`` and weight
    ``(C_out, C_in / groups, kD, kH, kW)``.

    Raises:
        ShapeError: the channels disagree, or the kernel is larger than the padded volume.
    Example:
        >>> conv3d(Tensor(1, 1, 4, 4, 4), Tensor(2, 1, 3, 3, 3)).shape
        torch.Size([1, 2, 2, 2, 2])
    """
    return convolve("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """The transposed convolution of signals: the adjoint of ``conv1d`` with the same settings.

    Args:
        input: ``(N, C_in, L)``, or ``(C_in, L)``.
        weight: ``(C_in, C_out / groups, k)``.
        bias: ``(C_out,)``, or None.
        stride, padding, groups, dilation: of the convolution this is the adjoint of.
        output_padding: samples added at the end, to choose among the lengths a strided conv1d maps alike.
    Returns:
        ``(N, C_out, oL)``, ``oL = (L - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1``.
    Raises:
        ShapeError: the channels disagree, or the output would be empty.
    Example:
        >>> conv_transpose1d(Tensor(1, 3, 8), Tensor(3, 4, 3), stride=2).shape
        torch.Size([1, 4, 17])
    """
    return convolve_transposed(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """The transposed convolution of images: the adjoint of ``conv2d``. Arguments as ``conv_transpose1d``.

    Example:
        >>> conv_transpose2d(Tensor(1, 3, 8, 8), Tensor(3, 4, 3, 3), stride=2, padding=1).shape
        torch.Size([1, 4, 15, 15])
    """
    return convolve_transposed(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """The transposed convolution of volumes: the adjoint of ``conv3d``. Arguments as ``conv_transpose1d``.

    Example:
        >>> conv_transpose3d(Tensor(1, 2, 3, 3, 3), Tensor(2, 1, 2, 2, 2)).shape
        torch.Size([1, 1, 4, 4, 4])
    """
    return convolve_transposed(
        "conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """``conv1d`` of sequences with time first and channels last.

    Args:
        input: ``(T, N, C_in)``.
        weight: ``(k, C_in, C_out)``.
        bias: ``(C_out,)``.
        pad: zeros on both sides in samples.
    Returns:
        ``(T + 2 pad - k + 1, N, C_out)``.
    Raises:
        ShapeError: shapes that do not fit.
    """
    x, w, b = input._data.shape, weight._data.shape, bias._data.shape
    if len(x) != 3:
        raise ShapeError(f"Input must have 3 dims: time, batch, in_channel, but got {list(x)} (conv_tbc)")
    if len(w) != 3:
        raise ShapeError(
            f"Weight tensor must have 3 dims: kernel_width, in_channels, out_channels, but got {list(w)} "
            "(conv_tbc)"
        )
    if x[2] != w[1]:
        raise ShapeError(
            f"Input dim 2 (input channels) is not == dim 1 in the weight tensor: {list(x)}, {list(w)} "
            "(conv_tbc)"
        )
    if b != (w[2],):
        raise ShapeError(
            f"Bias size must equal dim 2 in the weight tensor (output channels): {list(b)}, {list(w)} "
            "(conv_tbc)"
        )
    return conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad).permute(2, 0, 1)
