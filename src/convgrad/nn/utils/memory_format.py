"""Memory formats of weights, which PyTorch can change: here an array's strides are NumPy's, and stay."""

from __future__ import annotations

from typing import Any, TypeVar

from ..module import Module

T = TypeVar("T", bound=Module)


def convert_conv2d_weight_memory_format(module: T, memory_format: Any) -> T:
    """The module itself: the convolution kernels take every order of memory, and choose their own."""
    return module


def convert_conv3d_weight_memory_format(module: T, memory_format: Any) -> T:
    """The module itself, as ``convert_conv2d_weight_memory_format``."""
    return module


__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]
