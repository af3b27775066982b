"""Automatic differentiation: ``backward``, ``grad``, modes, ``Function``, ``functional``, forward mode."""

from __future__ import annotations

import importlib
from typing import Any

from . import grad_mode
from .derive import backward, grad
from .function import Function
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled

#: loaded on first use, so that `import convgrad` stays quick
_LAZY = ("forward_ad", "functional")
_CHECKS = ("gradcheck", "gradgradcheck")


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _CHECKS:
        return getattr(importlib.import_module(f"{__name__}.gradient_check"), name)
    raise AttributeError(f"module 'convgrad.autograd' has no attribute {name!r}")


__all__ = [
    "Function", "backward", "enable_grad", "forward_ad", "functional", "grad", "grad_mode", "gradcheck",
    "gradgradcheck", "inference_mode", "no_grad", "set_grad_enabled",
]  # fmt: skip
