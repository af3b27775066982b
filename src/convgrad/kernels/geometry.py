"""Where the windows of a convolution lie, and every complaint about shapes that do not fit.

All sizes are computed here, by the two formulas of Dumoulin & Visin (2016, arXiv:1603.07285)::

    out = (in + low + high - dilation (k - 1) - 1) // stride + 1                     convolution
    out = (in - 1) stride - low - high + dilation (k - 1) + 1 + output_padding       transposed

The ``plan_*`` functions check a call and return what the kernels need; equal calls share one plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from operator import index
from typing import NamedTuple, NoReturn

from convgrad.errors import ShapeError

Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]
IntOrInts = int | Sequence[int]

AXES: dict[int, tuple[str, ...]] = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}
_MOST_ELEMENTS = 2**40
_INT64_MAX = 2**63 - 1


class Geometry(NamedTuple):
    """How a kernel slides over its input; one entry per spatial dimension.

    ``padding`` holds (low, high) pairs, since 'same' with an even kernel is lopsided. A negative
    ``high`` means that the last entries of the input are not seen: a transposed convolution whose
    output padding exceeds its stride needs it to stay the exact adjoint.
    ``border`` says what the padding holds: "zeros", or the input again by the rule of that name in
    ``nn.functional.pad`` ("reflect", "replicate", "circular").
    """

    stride: Ints
    padding: Pairs
    dilation: Ints
    groups: int
    border: str = "zeros"


class ConvPlan(NamedTuple):
    """A checked call: the geometry and the spatial size of the result."""

    geometry: Geometry
    output_size: Ints


# Sizes


def conv_output_size(input_size: Sequence[int], kernel_size: Sequence[int], geometry: Geometry) -> Ints:
    """Spatial size of a convolution's output, in pixels or samples; never negative.

    Example:
        >>> conv_output_size((8, 8), (3, 3), Geometry((2, 2), ((1, 1), (1, 1)), (1, 1), 1))
        (4, 4)
    """
    sizes = zip(input_size, kernel_size, geometry.stride, geometry.padding, geometry.dilation, strict=True)
    return tuple([max(0, (n + p[0] + p[1] - d * (k - 1) - 1) // s + 1) for n, k, s, p, d in sizes])


def conv_transpose_output_size(
    input_size: Sequence[int], kernel_size: Sequence[int], geometry: Geometry, output_padding: Sequence[int]
) -> Ints:
    """Spatial size of a transposed convolution's output; not positive where the padding eats everything.

    Example:
        >>> conv_transpose_output_size((4,), (3,), Geometry((2,), ((1, 1),), (1,), 1), (1,))
        (8,)
    """
    sizes = zip(
        input_size,
        kernel_size,
        geometry.stride,
        geometry.padding,
        geometry.dilation,
        output_padding,
        strict=True,
    )
    return tuple([(n - 1) * s - p[0] - p[1] + d * (k - 1) + 1 + extra for n, k, s, p, d, extra in sizes])


# Arguments


def as_tuple(value: IntOrInts, ndim: int, name: str) -> Ints:
    """``value`` for each of ``ndim`` spatial dimensions: an int serves them all.

    Args:
        value: an int, a sequence of one int, or a sequence of ``ndim`` ints.
        ndim: number of spatial dimensions.
        name: what the argument is called, for the message.
    Raises:
        ShapeError: the sequence has another length, or a number does not fit 64 bits.
        TypeError: not made of ints.
    Example:
        >>> as_tuple(2, 3, "stride")
        (2, 2, 2)
    """
    if type(value) is int:
        numbers: Ints = (value,) * ndim
    else:
        numbers = ints(value, name)
        if len(numbers) == 1:
            numbers *= ndim
    if len(numbers) != ndim:
        raise ShapeError(
            f"expected {name} to be a single integer value or a list of {ndim} values to match the "
            f"convolution dimensions, but got {name}={list(numbers)}"
        )
    if any(abs(n) > _INT64_MAX for n in numbers):
        raise ShapeError(f"Overflow when unpacking long long: {name}={list(numbers)} does not fit 64 bits")
    return numbers


def ints(value: IntOrInts, name: str) -> Ints:
    """A tuple of Python ints from an int-like or a sequence of them."""
    try:
        if isinstance(value, Sequence) and not isinstance(value, str):
            return tuple([index(v) for v in value])
        return (index(value),)
    except TypeError:
        raise TypeError(f"argument '{name}' must be int or tuple of ints, not {value!r}") from None


def resolve_padding(
    padding: str | IntOrInts, kernel_size: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Pairs:
    """Padding as (low, high) pairs from 'same', 'valid', an int or one int per dimension.

    Args:
        padding: zeros added at both ends; 'same' keeps the size (the odd one goes to the high end).
        kernel_size, stride, dilation: one int per spatial dimension.
    Raises:
        ShapeError: unknown word, 'same' with a stride, negative padding.
    Example:
        >>> resolve_padding("same", (4, 3), (1, 1), (1, 1))
        ((1, 2), (1, 1))
    """
    if isinstance(padding, str):
        if padding == "valid":
            return ((0, 0),) * len(kernel_size)
        if padding != "same":
            raise ShapeError(f"Invalid padding string: '{padding}': use 'same', 'valid' or ints")
        if any(s != 1 for s in stride):
            raise ShapeError(
                f"padding='same' is not supported for strided convolutions (stride={list(stride)}): the "
                f"output cannot keep the input's size; give the padding as ints, e.g. "
                f"padding={_pretty([d * (k - 1) // 2 for k, d in zip(kernel_size, dilation, strict=True)])}"
            )
        totals = [d * (k - 1) for k, d in zip(kernel_size, dilation, strict=True)]
        return tuple([(total // 2, total - total // 2) for total in totals])
    numbers = as_tuple(padding, len(kernel_size), "padding")
    if any(p < 0 for p in numbers):
        raise ShapeError(
            f"negative padding is not supported, got padding={list(numbers)}: "
            f"crop the input by slicing instead"
        )
    return tuple([(p, p) for p in numbers])


def hashable(value: str | IntOrInts | None) -> str | int | Ints | None:
    """Lists and arrays become tuples, so that a call can be looked up among the plans made before."""
    return tuple(value) if value.__hash__ is None else value  # type: ignore


# Convolution


def plan_conv(
    ndim: int,
    input_shape: Ints,
    weight_shape: Ints,
    bias_shape: Ints | None = None,
    stride: IntOrInts = 1,
    padding: str | IntOrInts = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
) -> ConvPlan:
    """Check a call of conv1d, conv2d or conv3d and say where its windows lie.

    Args:
        ndim: number of spatial dimensions, 1 to 3.
        input_shape: ``(N, C, *S)``, or ``(C, *S)`` unbatched.
        weight_shape: ``(O, C / groups, *K)``.
        bias_shape: ``(O,)``, or None without a bias.
        stride, padding, dilation, groups: as in PyTorch; padding also 'same' or 'valid'.
    Returns:
        The geometry and the spatial output size.
    Raises:
        ShapeError: anything that does not fit, with the size formula filled in and the likely fix.
    Example:
        >>> plan_conv(2, (1, 3, 8, 8), (4, 3, 3, 3), padding="same").output_size
        (8, 8)
    """
    return _plan_conv(
        ndim, input_shape, weight_shape, bias_shape,
        hashable(stride), hashable(padding), hashable(dilation), groups,
    )  # fmt: skip


@lru_cache(maxsize=1024, typed=True)
def _plan_conv(
    ndim: int,
    input_shape: Ints,
    weight_shape: Ints,
    bias_shape: Ints | None,
    stride: int | Ints,
    padding: str | int | Ints,
    dilation: int | Ints,
    groups: int,
) -> ConvPlan:
    name = f"conv{ndim}d"
    _check_ranks(name, ndim, input_shape, weight_shape, "(out_channels, in_channels / groups, *kernel_size)")
    kernel_size = weight_shape[2:]
    geometry = _geometry(name, ndim, kernel_size, stride, padding, dilation, groups)
    if weight_shape[0] < groups:
        raise ShapeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight "
            f"of size {list(weight_shape)} instead: out_channels must be a positive multiple of groups"
        )
    _check_divisible(weight_shape, groups, "out_channels")
    channels = weight_shape[1] * groups
    if input_shape[-1 - ndim] != channels:
        given = f"groups={groups}"
        _raise_channels(ndim, given, input_shape, weight_shape, channels, groups)
    _check_bias("", weight_shape, bias_shape, weight_shape[0])
    size = input_shape[-ndim:]
    output_size = conv_output_size(size, kernel_size, geometry)
    padded = tuple([n + low + high for n, (low, high) in zip(size, geometry.padding, strict=True)])
    reach = [d * (k - 1) + 1 for k, d in zip(kernel_size, geometry.dilation, strict=True)]
    if any(r > n for r, n in zip(reach, padded, strict=True)):
        _raise_too_small(name, size, kernel_size, geometry, padded, reach)
    batch = input_shape[:-1-ndim]  # fmt: skip
    check_storable(name, "padded input", (*batch, channels, *padded))
    check_storable(name, "output", (*batch, weight_shape[0], *output_size))
    return ConvPlan(geometry, output_size)


def plan_conv_transpose(
    ndim: int,
    input_shape: Ints,
    weight_shape: Ints,
    bias_shape: Ints | None = None,
    stride: IntOrInts = 1,
    padding: IntOrInts = 0,
    output_padding: IntOrInts = 0,
    groups: int = 1,
    dilation: IntOrInts = 1,
) -> ConvPlan:
    """Check a call of conv_transpose1d, 2d or 3d and say where its windows lie.

    Args:
        ndim: number of spatial dimensions, 1 to 3.
        input_shape: ``(N, C, *S)``, or ``(C, *S)`` unbatched.
        weight_shape: ``(C, O / groups, *K)``.
        bias_shape: ``(O,)``, or None without a bias.
        stride, padding, output_padding, groups, dilation: as in PyTorch, in PyTorch's order.
    Returns:
        The geometry of the convolution that this one is the adjoint of, and the spatial output size,
        which is the ``input_size`` of ``convolve_input_grad``.
    Raises:
        ShapeError: anything that does not fit, with the size formula filled in and the likely fix.
    Example:
        >>> plan_conv_transpose(1, (1, 3, 8), (3, 4, 3), stride=2, padding=1, output_padding=1).output_size
        (16,)
    """
    return _plan_conv_transpose(
        ndim, input_shape, weight_shape, bias_shape,
        hashable(stride), hashable(padding), hashable(output_padding), groups, hashable(dilation),
    )  # fmt: skip


@lru_cache(maxsize=1024, typed=True)
def _plan_conv_transpose(
    ndim: int,
    input_shape: Ints,
    weight_shape: Ints,
    bias_shape: Ints | None,
    stride: int | Ints,
    padding: int | Ints,
    output_padding: int | Ints,
    groups: int,
    dilation: int | Ints,
) -> ConvPlan:
    name = f"conv_transpose{ndim}d"
    if isinstance(padding, str):
        raise TypeError(f"{name}(): argument 'padding' must be tuple of ints, not str ('{padding}')")
    _check_ranks(name, ndim, input_shape, weight_shape, "(in_channels, out_channels / groups, *kernel_size)")
    kernel_size = weight_shape[2:]
    geometry = _geometry(name, ndim, kernel_size, stride, padding, dilation, groups)
    extra = _check_output_padding(ndim, output_padding, geometry)
    _check_divisible(weight_shape, groups, "in_channels")
    if input_shape[-1 - ndim] != weight_shape[0]:
        _raise_channels(ndim, "transposed=1", input_shape, weight_shape, weight_shape[0], 1)
    out_channels = weight_shape[1] * groups
    _check_bias("transposed=1, ", weight_shape, bias_shape, out_channels)
    size = input_shape[-ndim:]
    if 0 in size:
        raise ShapeError(
            f"{name}: Only zero batch or zero channel inputs are supported, "
            f"but got input shape: {list(input_shape)}"
        )
    output_size = conv_transpose_output_size(size, kernel_size, geometry, extra)
    if any(n <= 0 for n in output_size):
        _raise_transpose_too_small(name, size, kernel_size, geometry, extra, output_size)
    check_storable(name, "output", (*input_shape[: -1 - ndim], out_channels, *output_size))
    # Whole strides of output padding would give the adjoint more outputs than there are inputs: hide them.
    high = [p - e + e % s for (_, p), e, s in zip(geometry.padding, extra, geometry.stride, strict=True)]
    pairs = tuple([(low, h) for (low, _), h in zip(geometry.padding, high, strict=True)])
    return ConvPlan(geometry._replace(padding=pairs), output_size)


def _geometry(
    name: str,
    ndim: int,
    kernel_size: Ints,
    stride: int | Ints,
    padding: str | int | Ints,
    dilation: int | Ints,
    groups: int,
) -> Geometry:
    """The geometry, after the checks that concern neither channels nor sizes."""
    if groups <= 0:
        raise ShapeError(f"{name}: non-positive groups is not supported, got groups={groups}")
    strides = as_tuple(stride, ndim, "stride")
    if min(strides) <= 0:
        raise ShapeError(f"{name}: non-positive stride is not supported, got stride={list(strides)}")
    dilations = as_tuple(dilation, ndim, "dilation")
    if min(dilations) <= 0:
        raise ShapeError(f"{name}: dilation should be greater than zero, but got {list(dilations)}")
    if min(kernel_size) <= 0:
        raise ShapeError(f"{name}: kernel size should be greater than zero, but got {list(kernel_size)}")
    return Geometry(strides, resolve_padding(padding, kernel_size, strides, dilations), dilations, groups)


def _check_ranks(name: str, ndim: int, input_shape: Ints, weight_shape: Ints, wanted: str) -> None:
    if len(weight_shape) != ndim + 2:
        raise ShapeError(
            f"{name}: expected weight to be {ndim + 2}-dimensional {wanted}, "
            f"but got weight of size {list(weight_shape)}"
        )
    if len(input_shape) in (ndim + 1, ndim + 2):
        return
    if len(input_shape) == ndim:
        fix = "add the channel dimension with input.unsqueeze(0)"
    elif len(input_shape) < ndim:
        fix = f"shape it as (channels, {', '.join(AXES[ndim])})"
    else:
        fix = f"merge the leading dimensions with input.flatten(0, {len(input_shape) - ndim - 2})"
    raise ShapeError(
        f"Expected {ndim + 1}D (unbatched) or {ndim + 2}D (batched) input to {name}, "
        f"but got input of size: {list(input_shape)}; {fix}"
    )


def _check_divisible(weight_shape: Ints, groups: int, what: str) -> None:
    if weight_shape[0] % groups:
        raise ShapeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got "
            f"weight of size {list(weight_shape)} instead: {what}={weight_shape[0]} must be "
            f"a multiple of groups"
        )


def _check_bias(given: str, weight_shape: Ints, bias_shape: Ints | None, channels: int) -> None:
    if bias_shape is not None and bias_shape != (channels,):
        fix = "; use bias.flatten()" if prod(bias_shape) == channels else ""
        raise ShapeError(
            f"Given {given}weight of size {list(weight_shape)}, expected bias to be 1-dimensional with "
            f"{channels} elements, but got bias of size {list(bias_shape)} instead{fix}"
        )


def _check_output_padding(ndim: int, output_padding: int | Ints, geometry: Geometry) -> Ints:
    extra = as_tuple(output_padding, ndim, "output_padding")
    if min(extra) < 0:
        raise ShapeError(f"negative output_padding is not supported, got output_padding={list(extra)}")
    if any(e >= max(s, d) for e, s, d in zip(extra, geometry.stride, geometry.dilation, strict=True)):
        raise ShapeError(
            f"output padding must be smaller than either stride or dilation, "
            f"but got output_padding={list(extra)}, stride={list(geometry.stride)}, "
            f"dilation={list(geometry.dilation)}: it only chooses among the "
            f"output sizes that the stride makes equivalent; pad the output with F.pad for more"
        )
    return extra


def check_storable(name: str, what: str, sizes: Ints) -> None:
    """Refuse before allocating what no machine holds (2**40 elements)."""
    if prod(sizes) >= _MOST_ELEMENTS:
        raise ShapeError(
            f"{name}: Storage size calculation overflowed with sizes={list(sizes)}: the {what} would have "
            f"{prod(sizes):.2e} elements; check stride, padding and dilation"
        )


# The messages that explain themselves


def _raise_channels(
    ndim: int, given: str, input_shape: Ints, weight_shape: Ints, channels: int, groups: int
) -> NoReturn:
    """The commonest mistake in convolution, and the usual reasons for it."""
    got = input_shape[-1 - ndim]
    unbatched = len(input_shape) == ndim + 1
    shown = [1, *input_shape] if unbatched else list(input_shape)
    transposed = given.startswith("transposed")
    if input_shape[-1] == channels:
        axes = (ndim, *range(ndim)) if unbatched else (0, ndim + 1, *range(1, ndim + 1))
        fix = (
            f"the last dimension has {channels} entries: the input looks channels-last, "
            f"use input.permute{axes}"
        )
    elif unbatched and channels == 1:
        fix = (
            f"an input of {ndim + 1} dimensions is read as one unbatched (C, {', '.join(AXES[ndim])}); "
            f"for a batch of {got} with one channel each use input.unsqueeze(1)"
        )
    elif weight_shape[1 if transposed else 0] == got and groups == 1:
        order = "(in_channels, out_channels" if transposed else "(out_channels, in_channels"
        fix = f"the weight looks transposed, it is read as {order}, *kernel_size): use weight.transpose(0, 1)"
    elif groups > 1:
        product = f"weight.shape[1] * groups = {weight_shape[1]} * {groups} = {channels}"
        fix = f"{product} must equal the input's channels"
    else:
        fix = f"in_channels should be {got} for this input"
    raise ShapeError(
        f"Given {given}, weight of size {list(weight_shape)}, expected input{shown} to have "
        f"{channels} channels, but got {got} channels instead; {fix}"
    )


def _raise_too_small(
    name: str, size: Ints, kernel_size: Ints, geometry: Geometry, padded: Ints, reach: list[int]
) -> NoReturn:
    """The kernel is larger than the padded input: show the formula where it fails."""
    lines = []
    for axis, n, k, s, (low, high), d, r, have in zip(
        AXES[len(size)], size, kernel_size, geometry.stride, geometry.padding, geometry.dilation,
        reach, padded, strict=True,
    ):  # fmt: skip
        if r <= have:
            continue
        pad = f"2*{low}" if low == high else f"{low} + {high}"
        need = low + -(-(r - have) // 2)
        lines.append(
            f"o{axis} = ({n} + {pad} - {d}*({k}-1) - 1)//{s} + 1 = {(have - r) // s + 1}: "
            f"needs padding >= {need} or a smaller kernel" + (" or dilation" if d > 1 else "")
        )
    raise ShapeError(
        f"{name}: Calculated padded input size per channel: {_by(padded)}. Kernel size: {_by(reach)}. "
        f"Kernel size can't be greater than actual input size; {'; '.join(lines)}"
    )


def _raise_transpose_too_small(
    name: str, size: Ints, kernel_size: Ints, geometry: Geometry, extra: Ints, output_size: Ints
) -> NoReturn:
    lines = []
    for axis, n, k, s, (low, _), d, e, out in zip(
        AXES[len(size)], size, kernel_size, geometry.stride, geometry.padding, geometry.dilation,
        extra, output_size, strict=True,
    ):  # fmt: skip
        if out <= 0:
            lines.append(
                f"o{axis} = ({n} - 1)*{s} - 2*{low} + {d}*({k}-1) + {e} + 1 = {out}: "
                f"needs padding <= {low + (out - 1) // 2}"
            )
    raise ShapeError(
        f"{name}: Given input size per channel: {_by(size)}. Calculated output size per channel: "
        f"{_by(output_size)}. Output size is too small; {'; '.join(lines)}"
    )


def _by(sizes: Sequence[int]) -> str:
    return f"({' x '.join(map(str, sizes))})"


def _pretty(numbers: list[int]) -> str:
    return str(numbers[0]) if len(set(numbers)) == 1 else str(tuple(numbers))
