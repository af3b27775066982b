"""The rows on JAX: ``jax.lax.conv_general_dilated``, compiled before it is timed."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from conv_rows import ConvRow, operands

Timed = Callable[[], Any]


def maker(jax: Any) -> Callable[[ConvRow, str, str], Timed]:
    """The function (row, form, layout) -> function to time."""

    @lru_cache(maxsize=1)
    def make(row: ConvRow, form: str, _layout: str) -> Timed:
        data = [None if array is None else jax.numpy.asarray(array) for array in operands(row)]
        return timed(jax, row, data, training=form != "forward")

    return make


def timed(jax: Any, row: ConvRow, data: list[Any], training: bool) -> Timed:
    """Forward, or forward + backward, until the result is there; compiled by a first call."""

    def forward(x: Any, w: Any, bias: Any) -> Any:
        return convolution(jax, row, x, w, bias)

    def with_gradients(x: Any, w: Any, bias: Any, gy: Any) -> Any:
        y, pull_back = jax.vjp(forward, x, w, bias)
        return y, pull_back(gy)

    compiled = jax.jit(with_gradients if training else forward)
    arguments = data if training else data[:3]

    def run() -> Any:
        return jax.block_until_ready(compiled(*arguments))

    run()
    return run


def convolution(jax: Any, row: ConvRow, x: Any, w: Any, bias: Any) -> Any:
    """The row's convolution as JAX writes it; a transposed one dilates its input by the stride."""
    axes = "DHW"[3 - row.ndim :]
    names = (f"NC{axes}", f"OI{axes}", f"NC{axes}")
    if row.transposed:
        reach = [d * (k - 1) for d, k in zip(row.dilation, row.w[2:], strict=True)]
        ends = zip(reach, row.padding, row.output_padding, strict=True)
        settings = {
            "window_strides": (1,) * row.ndim,
            "padding": [(r - p, r - p + extra) for r, p, extra in ends],
            "lhs_dilation": row.stride,
        }
        w = adjoint_kernel(jax, w, row.groups)
    else:
        settings = {"window_strides": row.stride, "padding": [(p, p) for p in row.padding]}
    y = jax.lax.conv_general_dilated(
        x, w, **settings, rhs_dilation=row.dilation, dimension_numbers=names, feature_group_count=row.groups
    )
    return y if bias is None else y + bias.reshape(-1, *(1,) * row.ndim)


def adjoint_kernel(jax: Any, w: Any, groups: int) -> Any:
    """``(C, O / groups, *K)`` as ``(O, C / groups, *K)``, turned around."""
    channels, per_group, *size = w.shape
    parts = w.reshape(groups, channels // groups, per_group, *size).swapaxes(1, 2)
    whole = parts.reshape(groups * per_group, channels // groups, *size)
    return jax.numpy.flip(whole, axis=tuple(range(2, 2 + len(size))))
