"""The few names of ``torch._C`` that programs with ``__torch_function__`` import."""

from __future__ import annotations

from .errors import absent
from .tensor.overriding import DisableTorchFunction, DisableTorchFunctionSubclass
from .tensor.overriding import disabled as _disabled_torch_function_impl

__all__ = ["DisableTorchFunction", "DisableTorchFunctionSubclass", "_disabled_torch_function_impl"]

__getattr__ = absent("_C", "PyTorch's compiled part is not part of its interface")


def _log_api_usage_once(name: str) -> None:
    """Accepted, as libraries call it: nothing is logged."""
