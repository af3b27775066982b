"""Where the windows of a pooling lie, and every complaint about shapes that do not fit.

The size formula is that of convolution; ``ceil_mode`` rounds it up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import index
from typing import NamedTuple, NoReturn

from convgrad.errors import ShapeError
from convgrad.kernels.geometry import AXES, IntOrInts, Ints, as_tuple, check_storable, hashable, ints


class PoolPlan(NamedTuple):
    """A checked call of a pooling function; ``padding`` is symmetric."""

    kernel_size: Ints
    stride: Ints
    padding: Ints
    dilation: Ints
    output_size: Ints


def pool_output_size(
    input_size: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
) -> Ints:
    """Number of pooling windows per dimension; with ``ceil_mode`` a last partial window counts.

    A window that would start in the right padding is dropped, as in PyTorch.
    """
    out = []
    for n, k, s, p, d in zip(input_size, kernel_size, stride, padding, dilation, strict=True):
        size = (n + 2 * p - d * (k - 1) - 1 + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (size - 1) * s >= n + p:
            size -= 1
        out.append(size)
    return tuple(out)


def plan_pool(
    name: str,
    ndim: int,
    input_shape: Ints,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
) -> PoolPlan:
    """Check a call of a max or average pooling and say where its windows lie.

    Args:
        name: the function that complains, e.g. ``"max_pool2d"``.
        ndim: number of spatial dimensions, 1 to 3.
        input_shape: ``(N, C, *S)``, or ``(C, *S)`` unbatched.
        kernel_size, stride, padding, dilation, ceil_mode: as in PyTorch; stride None (or an empty
            sequence) means the kernel size.
    Raises:
        ShapeError: anything that does not fit.
    Example:
        >>> plan_pool("max_pool2d", 2, (1, 3, 9, 9), 2, ceil_mode=True).output_size
        (5, 5)
    """
    return _plan_pool(
        name, ndim, input_shape,
        hashable(kernel_size), hashable(stride), hashable(padding), hashable(dilation), bool(ceil_mode),
    )  # fmt: skip


@lru_cache(maxsize=1024, typed=True)
def _plan_pool(
    name: str,
    ndim: int,
    input_shape: Ints,
    kernel_size: int | Ints,
    stride: int | Ints | None,
    padding: int | Ints,
    dilation: int | Ints,
    ceil_mode: bool,
) -> PoolPlan:
    kernels = _pool_tuple(name, kernel_size, ndim, "kernel_size")
    strides = kernels if stride is None or stride == () else _pool_tuple(name, stride, ndim, "stride")
    pads = _pool_tuple(name, padding, ndim, "padding")
    dilations = _pool_tuple(name, dilation, ndim, "dilation")
    for what, numbers in (("kernel_size", kernels), ("stride", strides), ("dilation", dilations)):
        if min(numbers) <= 0:
            number = numbers[0] if len(set(numbers)) == 1 else list(numbers)
            zero = f": {what} should not be zero" if 0 in numbers else ""
            raise ShapeError(f"{name}() {what} must be greater than zero, but got {number}{zero}")
    for p, k in zip(pads, kernels, strict=True):
        if p < 0:
            raise ShapeError(f"{name}() padding must be non-negative, but got {p}: pad must be non-negative")
        if p > k // 2:
            raise ShapeError(
                f"{name}() padding should be at most half of kernel size, "
                f"but got padding={p} and kernel_size={k}: "
                f"pad should be at most half of effective kernel size; use F.pad for wider borders"
            )
    _check_pool_input(name, ndim, input_shape)
    size = input_shape[-ndim:]
    output_size = pool_output_size(size, kernels, strides, pads, dilations, ceil_mode)
    if any(n <= 0 for n in output_size):
        _raise_pool_too_small(name, input_shape, PoolPlan(kernels, strides, pads, dilations, output_size))
    return PoolPlan(kernels, strides, pads, dilations, output_size)


def plan_adaptive_pool(
    name: str, ndim: int, input_shape: Ints, output_size: int | Sequence[int | None] | None
) -> Ints:
    """Check a call of an adaptive pooling; the output size, with None replaced by the input's size.

    Example:
        >>> plan_adaptive_pool("adaptive_avg_pool2d", 2, (1, 3, 9, 9), (None, 4))
        (9, 4)
    """
    if type(output_size) is int:
        return _plan_adaptive_pool(name, ndim, input_shape, output_size)
    return _plan_adaptive_pool.__wrapped__(name, ndim, input_shape, output_size)


@lru_cache(maxsize=1024, typed=True)
def _plan_adaptive_pool(
    name: str, ndim: int, input_shape: Ints, output_size: int | Sequence[int | None] | None
) -> Ints:
    wanted = (
        [output_size] * ndim if output_size is None or isinstance(output_size, int) else list(output_size)
    )
    if len(wanted) == 1:
        wanted *= ndim
    if len(wanted) != ndim:
        raise ShapeError(f"{name}: output_size must be {ndim} ints (or one int), but got {wanted}")
    if len(input_shape) not in (ndim + 1, ndim + 2):
        raise ShapeError(
            f"{name}(): Expected {ndim + 1}D or {ndim + 2}D tensor, but got {list(input_shape)}: input is "
            f"(N, C, {', '.join(AXES[ndim])}) or, unbatched, without N"
        )
    for axis in range(len(input_shape) - ndim - 1, len(input_shape)):
        if input_shape[axis] == 0:
            raise ShapeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has "
                f"sizes {list(input_shape)} with dimension {axis} being empty"
            )
    size = tuple(
        [n if out is None else index(out) for n, out in zip(input_shape[-ndim:], wanted, strict=True)]
    )
    if any(n < 0 for n in size):
        raise ShapeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received {list(size)}"
        )
    check_storable(name, "output", (*input_shape[:-ndim], *size))
    return size


def _pool_tuple(name: str, value: IntOrInts, ndim: int, what: str) -> Ints:
    numbers = ints(value, what)
    if len(numbers) not in (1, ndim):
        words = {1: "one int", 2: "two ints", 3: "three ints"}
        raise ShapeError(
            f"{name}: {what} must either be a single int, or a tuple of {words[ndim]}, "
            f"but got {list(numbers)}"
        )
    return as_tuple(numbers, ndim, what)


def _check_pool_input(name: str, ndim: int, input_shape: Ints) -> None:
    if len(input_shape) not in (ndim + 1, ndim + 2) or 0 in input_shape[-1 - ndim :]:
        raise ShapeError(
            f"{name}: Expected {ndim + 1}D or {ndim + 2}D (batch mode) tensor with optional 0 dim batch size "
            f"for input, but got:{list(input_shape)}; non-empty {ndim + 1}D or {ndim + 2}D (batch mode) "
            f"tensor expected for input, as (N, C, {', '.join(AXES[ndim])}) or (C, {', '.join(AXES[ndim])})"
        )


def _raise_pool_too_small(name: str, input_shape: Ints, plan: PoolPlan) -> NoReturn:
    size = input_shape[-len(plan.kernel_size) :]
    channels = input_shape[-1 - len(size)]
    before, after = ("x".join(map(str, (channels, *sizes))) for sizes in (size, plan.output_size))
    lines = [
        f"o{axis} = ({n} + 2*{p} - {d}*({k}-1) - 1)//{s} + 1 = {out}: "
        f"the window of {d * (k - 1) + 1} does not fit into {n}"
        for axis, n, k, s, p, d, out in zip(AXES[len(size)], size, *plan, strict=True)
        if out <= 0
    ]
    raise ShapeError(
        f"{name}: Given input size: ({before}). Calculated output size: ({after}). Output size is too small "
        f"(Invalid computed output size); {'; '.join(lines)}; "
        f"needs a smaller kernel_size or fewer poolings before"
    )
