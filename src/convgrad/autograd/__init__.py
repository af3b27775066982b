"""Automatic differentiation: ``backward``, ``grad``, modes, ``Function``, ``functional``, forward mode."""

from __future__ import annotations

import importlib
from typing import Any

from . import grad_mode
from .derive import backward, grad
from .function import Function
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled, set_multithreading_enabled
from .variable import Variable

#: loaded on first use, so that `import convgrad` stays quick
_LAZY = ("anomaly_mode", "forward_ad", "functional", "graph", "profiler")
_LATE = {
    "gradcheck": "gradient_check", "gradgradcheck": "gradient_check",
    "detect_anomaly": "anomaly_mode", "set_detect_anomaly": "anomaly_mode",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _LATE:
        return getattr(importlib.import_module(f"{__name__}.{_LATE[name]}"), name)
    raise AttributeError(f"module 'convgrad.autograd' has no attribute {name!r}")


__all__ = [
    "Function", "Variable", "anomaly_mode", "backward", "detect_anomaly", "enable_grad", "forward_ad",
    "functional", "grad", "grad_mode", "gradcheck", "gradgradcheck", "graph", "inference_mode", "no_grad",
    "profiler", "set_detect_anomaly", "set_grad_enabled", "set_multithreading_enabled",
]  # fmt: skip
