"""What programs ask of ``torch.compiler``: nothing is being compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .errors import absent
from .tensor.program import compile

__all__ = [
    "allow_in_graph",
    "compile",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "is_exporting",
    "reset",
]

F = TypeVar("F", bound=Callable[..., Any])

__getattr__ = absent("compiler", "there is no compiler in convgrad")


def is_compiling() -> bool:
    """Always False."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def allow_in_graph(fn: F) -> F:
    """The function itself."""
    return fn


def disable(fn: Any = None, recursive: bool = True, **options: Any) -> Any:
    """The function itself, or a decorator that gives it back."""
    return allow_in_graph if fn is None else fn


def reset() -> None:
    """Nothing to forget."""
