"""Activation functions that overwrite their input, under the names that end in an underscore."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import functions_activation as plain
from .tensor import Tensor


def _form(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """``function`` with ``inplace=True``."""

    def in_place(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        return function(input, *args, inplace=True, **kwargs)

    in_place.__name__ = in_place.__qualname__ = name
    in_place.__module__ = __name__
    in_place.__doc__ = f"{function.__doc__} In place."
    return in_place


celu_ = _form(plain.celu, "celu_")
elu_ = _form(plain.elu, "elu_")
hardtanh_ = _form(plain.hardtanh, "hardtanh_")
leaky_relu_ = _form(plain.leaky_relu, "leaky_relu_")
relu_ = _form(plain.relu, "relu_")
selu_ = _form(plain.selu, "selu_")
threshold_ = _form(plain.threshold, "threshold_")

__all__ = ["celu_", "elu_", "hardtanh_", "leaky_relu_", "relu_", "selu_", "threshold_"]
