"""``torch.profiler``: measuring is left to Python's own tools; the marks in a program cost nothing."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NoReturn, TypeVar

from ..errors import OutOfScopeError, absent

__all__ = ["ProfilerActivity", "profile", "record_function", "schedule", "tensorboard_trace_handler"]

F = TypeVar("F", bound=Callable[..., Any])

_WHY = (
    "the profiler is out of convgrad's scope: use cProfile or perf, convgrad.explain for convolutions, and "
    "torch.autograd.graph.memory_report or convgrad.backends.memory.report for memory"
)
__getattr__ = absent("profiler", _WHY)


class ProfilerActivity(Enum):
    """What a profile watches: for imports and the arguments of ``profile``, which is an error."""

    CPU = 0
    XPU = 1
    CUDA = 2
    MTIA = 3
    HPU = 4
    PrivateUse1 = 5


def schedule(*args: Any, **kwargs: Any) -> NoReturn:
    """Always an error.

    Raises:
        OutOfScopeError: always.
    """
    raise OutOfScopeError(f"torch.profiler: {_WHY}")


tensorboard_trace_handler = schedule


class profile:
    """Always an error.

    Raises:
        OutOfScopeError: always.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise OutOfScopeError(f"torch.profiler.profile: {_WHY}")

    def __enter__(self) -> profile:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


class record_function:
    """Names a block for a profile; a ``with`` block or a decorator that does nothing where none is taken.

    Example:
        >>> with record_function("forward"):
        ...     pass
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name, self.args = name, args

    def __enter__(self) -> record_function:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __call__(self, func: F) -> F:
        return func
