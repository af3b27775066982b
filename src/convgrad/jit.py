"""``torch.jit`` as far as eager programs ask it something: TorchScript itself is out of scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeVar

from .errors import OutOfScopeError, absent

__all__ = [
    "Final",
    "ScriptModule",
    "annotate",
    "export",
    "ignore",
    "is_scripting",
    "is_tracing",
    "script",
    "script_if_tracing",
    "trace",
    "unused",
]

F = TypeVar("F", bound=Callable[..., Any])

_WHY = "TorchScript is out of convgrad's scope: leave it away, the function itself does the same"
__getattr__ = absent("jit", _WHY)


class ScriptModule:
    """What ``torch.jit.script`` makes of a module; for ``isinstance`` alone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise OutOfScopeError(f"torch.jit.ScriptModule: {_WHY}")


def script(obj: Any, *args: Any, **kwargs: Any) -> NoReturn:
    """Always an error.

    Raises:
        OutOfScopeError: always.
    """
    raise OutOfScopeError(f"torch.jit.script: {_WHY}")


def trace(func: Any, *args: Any, **kwargs: Any) -> NoReturn:
    """Always an error.

    Raises:
        OutOfScopeError: always.
    """
    raise OutOfScopeError(f"torch.jit.trace: {_WHY}")


def is_scripting() -> bool:
    """Always False."""
    return False


is_tracing = is_scripting


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value, as everywhere outside TorchScript."""
    return the_value


def export(fn: F) -> F:
    """The function itself: the mark means nothing outside TorchScript."""
    return fn


unused = script_if_tracing = export


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """The function itself: the mark means nothing outside TorchScript.

    Args:
        drop: a bool, or the function where the decorator stands without brackets.
    """
    return drop if callable(drop) else export
