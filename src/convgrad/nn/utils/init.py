"""Modules without starting values."""

from __future__ import annotations

import inspect
from typing import Any

from ...errors import ConvgradError
from ...generator import default_generator
from ..module import Module


def skip_init(module_cls: Any, *args: Any, **kwargs: Any) -> Any:
    """Make a module whose parameters have arbitrary values; no random number is drawn from the common stream.

    Args:
        module_cls: a class of modules that takes a ``device``.
        args, kwargs: its arguments.
    Raises:
        ConvgradError: no class of modules, or one that takes no ``device``.
    Example:
        >>> from convgrad.nn import Linear
        >>> skip_init(Linear, 2, 3).weight.shape
        torch.Size([3, 2])
    """
    if not issubclass(module_cls, Module):
        raise ConvgradError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise ConvgradError("Module must support a 'device' arg to skip initialization")
    state = default_generator.get_state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        default_generator.set_state(state)


__all__ = ["skip_init"]
