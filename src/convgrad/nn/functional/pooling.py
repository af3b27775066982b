"""Pooling over 1, 2 and 3 spatial dimensions."""

from __future__ import annotations

from typing import Any

from ...dtypes import F32
from ...graph.grad_mode import MODE
from ...kernels.pool_geometry import plan_adaptive_pool, plan_pool
from ...ops import pool as ops
from ...tensor.checks import check_floating
from ...tensor.methods.operands import check_tensor
from ...tensor.tensor import Tensor, apply

_MAX = {1: ops.MaxPool1D, 2: ops.MaxPool, 3: ops.MaxPool3D}
_AVG = {1: ops.AvgPool1D, 2: ops.AvgPool, 3: ops.AvgPool3D}
_ADAPTIVE_AVG = {1: ops.AdaptiveAvgPool1D, 2: ops.AdaptiveAvgPool, 3: ops.AdaptiveAvgPool3D}
_ADAPTIVE_MAX = {1: ops.AdaptiveMaxPool1D, 2: ops.AdaptiveMaxPool, 3: ops.AdaptiveMaxPool3D}


def _max(
    ndim: int,
    input: Tensor,
    kernel: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    indices: bool,
) -> Any:
    check_tensor(f"max_pool{ndim}d", input, "input")
    plan = plan_pool(
        f"max_pool{ndim}d", ndim, input._data.shape, kernel, stride, padding, dilation, ceil_mode
    )
    if input._data.dtype is not F32:
        check_floating(f"max_pool{ndim}d", input, ("i", "u") if ndim > 1 or indices else ())
    params = (plan.kernel_size, plan.stride, plan.padding, plan.dilation, ceil_mode, indices)
    if not indices and input._is_plain(None):  # in fewer steps, and a tensor less
        op = _MAX[ndim]
        pair, saved = op.forward(input._data, *params)
        if input._node is None or not MODE.get():
            return input._wrap(pair[0])
        return input._recorded(op, pair, saved)[0]
    out, index = apply(_MAX[ndim], (input,), params)
    return (out, index) if indices else out


def max_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest value of each window of signals ``(N, C, L)`` or ``(C, L)``; see ``max_pool2d``."""
    return _max(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest value of each window of images.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``.
        kernel_size, stride, padding, dilation: in pixels, one int or one per axis; stride None is the
            kernel size; padding, at most half the kernel, is with minus infinity.
        ceil_mode: a last partial window counts.
        return_indices: also give the int64 position of each maximum in its flattened plane.
    Raises:
        ShapeError: the window does not fit.
    """
    return _max(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest value of each window of volumes ``(N, C, D, H, W)``; see ``max_pool2d``."""
    return _max(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _avg(
    ndim: int,
    input: Tensor,
    kernel: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count: bool,
    divisor: Any,
) -> Any:
    check_tensor(f"avg_pool{ndim}d", input, "input")
    plan = plan_pool(f"avg_pool{ndim}d", ndim, input._data.shape, kernel, stride, padding, 1, ceil_mode)
    if divisor == 0:
        raise RuntimeError("divisor must be not zero")
    check_floating(f"avg_pool{ndim}d", input, ("int64",))
    params = (plan.kernel_size, plan.stride, plan.padding, ceil_mode, count, divisor)
    return apply(_AVG[ndim], (input,), params)


def avg_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """The mean of each window of signals ``(N, C, L)`` or ``(C, L)``; see ``avg_pool2d``."""
    return _avg(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of each window of images.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``.
        kernel_size, stride, padding: in pixels; stride None is the kernel size; padding is with zeros.
        ceil_mode: a last partial window counts.
        count_include_pad: padded zeros count in the divisor.
        divisor_override: divide by this instead.
    """
    return _avg(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of each window of volumes ``(N, C, D, H, W)``; see ``avg_pool2d``."""
    return _avg(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def _adaptive_avg(ndim: int, input: Tensor, output_size: Any) -> Any:
    check_tensor(f"adaptive_avg_pool{ndim}d", input, "input")
    size = plan_adaptive_pool(f"adaptive_avg_pool{ndim}d", ndim, input._data.shape, output_size)
    check_floating(f"adaptive_avg_pool{ndim}d", input, ("c",) if size == (1,) * ndim else ())
    op: Any = ops.GlobalAvgPool if ndim > 1 and size == (1,) * ndim else _ADAPTIVE_AVG[ndim]
    return apply(op, (input,), (size,))


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Means of ``output_size`` windows that divide signals ``(N, C, L)`` evenly."""
    return _adaptive_avg(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Means of windows that divide images ``(N, C, H, W)`` evenly into ``output_size`` (None: as input)."""
    return _adaptive_avg(2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Means of windows that divide volumes ``(N, C, D, H, W)`` evenly into ``output_size``."""
    return _adaptive_avg(3, input, output_size)


def _adaptive_max(ndim: int, input: Tensor, output_size: Any, indices: bool) -> Any:
    check_tensor(f"adaptive_max_pool{ndim}d", input, "input")
    size = plan_adaptive_pool(f"adaptive_max_pool{ndim}d", ndim, input._data.shape, output_size)
    check_floating(f"adaptive_max_pool{ndim}d", input)
    out, index = apply(_ADAPTIVE_MAX[ndim], (input,), (size,))
    return (out, index) if indices else out


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of ``output_size`` windows that divide signals evenly."""
    return _adaptive_max(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of windows that divide images evenly into ``output_size``."""
    return _adaptive_max(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of windows that divide volumes evenly into ``output_size``."""
    return _adaptive_max(3, input, output_size, return_indices)
