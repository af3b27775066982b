"""What programs ask for or switch around their computation: default device, compilation, mixed precision."""

from __future__ import annotations

import functools
import warnings
from typing import Any

from .. import dtypes
from ..device import CPU, check_device, device
from ..errors import OutOfScopeError
from .methods.convert import LEGACY_NAMES

_TYPES = {f"torch.{legacy}Tensor": name for name, legacy in LEGACY_NAMES.items()}
_noted = False


def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = None,
    mode: str | None = None,
    options: Any = None,
    name: str | None = None,
    disable: bool = False,
    recompile_limit: int | None = None,
    isolate_recompiles: bool = False,
    shapes_spec: Any = None,
) -> Any:
    """The function or module itself: there is nothing to compile it with.

    Args:
        model: a function or a module; None where ``compile`` is a decorator with brackets.
        disable: whether that is what is wanted, and needs no warning.
        fullgraph, dynamic, backend, mode, options, name, recompile_limit, isolate_recompiles, shapes_spec:
            accepted.
    Warns:
        UserWarning: once, that nothing is compiled.
    Raises:
        TypeError: what is given cannot be called.
    Example:
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     compile(abs) is abs
        True
    """
    global _noted
    if model is None:
        return functools.partial(compile, disable=disable)
    if not callable(model):
        raise TypeError(f"torch.compile: expected a function or a module, but got {type(model).__name__}")
    if not _noted and not disable:
        _noted = True
        warnings.warn(
            "torch.compile gives back what it was given: convgrad has no compiler, its kernels are compiled "
            "ahead of time",
            stacklevel=2,
        )
    return model


def get_default_device() -> device:
    """The device new tensors are made on: the CPU."""
    return CPU


def set_default_device(device: Any) -> None:
    """Accept the CPU, or None, as the device of new tensors.

    Raises:
        DeviceError: another device (a RuntimeError).
    """
    check_device(device)


def set_default_tensor_type(t: Any) -> None:
    """Let new tensors have the dtype of a float type such as ``torch.DoubleTensor`` (the old way).

    Args:
        t: ``torch.FloatTensor`` and the like, or its name.
    Raises:
        TypeError: no floating-point type.
    """
    name = t if isinstance(t, str) else f"torch.{getattr(t, '__name__', t)}"
    kind = _TYPES.get(name)
    if kind is None or not dtypes._by_name(kind).is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type (got {name})")
    dtypes.set_default_dtype(dtypes._by_name(kind))


def set_flush_denormal(mode: bool) -> bool:
    """Whether subnormal numbers could be switched off for the whole process: no, kernels do so inside."""
    return False


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Whether mixed precision is on: never, it is out of scope."""
    return False


def set_autocast_enabled(device_type: Any, enabled: bool | None = None) -> None:
    """Accepted when it switches mixed precision off.

    Raises:
        OutOfScopeError: it is to be switched on.
    """
    if device_type is True or enabled:
        raise OutOfScopeError("torch.set_autocast_enabled: mixed precision is out of convgrad's scope")


def is_autocast_cache_enabled() -> bool:
    """Always False: nothing is cast."""
    return False


def get_autocast_dtype(device_type: str) -> dtypes.dtype:
    """The dtype mixed precision would have there."""
    return dtypes.bfloat16 if device_type == "cpu" else dtypes.float16


def set_warn_always(b: bool) -> None:
    """Accepted: warnings come as Python's filters say."""


def is_storage(obj: Any) -> bool:
    """Whether ``obj`` is a storage: never, they are not shown."""
    return False


def typename(obj: Any) -> str:
    """The name of an object's type with its module; of a tensor the old one, such as ``torch.FloatTensor``.

    Example:
        >>> typename(torch.ones(1)), typename(3)
        ('torch.FloatTensor', 'int')
    """
    if hasattr(obj, "_data"):
        return str(obj.type())
    module = getattr(obj, "__module__", "") or ""
    home = module if module not in ("builtins", "__builtin__", "") else ""
    short = getattr(obj, "__qualname__", None)
    if short is None:
        kind = type(obj)
        home = "" if kind.__module__ in ("builtins", "__builtin__") else kind.__module__
        short = kind.__qualname__
    return f"{home}.{short}" if home else str(short)
