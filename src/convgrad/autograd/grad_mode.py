"""Switching recording on and off: context managers that are also decorators."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from typing import Any, ClassVar, TypeVar

from ..graph.grad_mode import INFERENCE, MODE, OFF, RECORD

F = TypeVar("F", bound=Callable[..., Any])

_GENERATOR = 0x20  # the code flag of generator functions


class _Mode:
    """Sets bits of the mode on entry and restores what was there on exit; re-entrant."""

    __slots__ = ("clear", "set", "before")

    def __init__(self, clear: int, set_: int) -> None:
        self.clear = clear
        self.set = set_
        self.before: list[int] = []

    def __enter__(self) -> Any:
        mode = MODE.get()
        self.before.append(mode)
        MODE.set(mode & ~self.clear | self.set)
        return self

    def __exit__(self, *exc: object) -> None:
        MODE.set(self.before.pop())

    def __call__(self, function: F) -> F:
        """Use as a decorator: the mode holds while the function runs, of a generator while it is resumed."""
        clear, set_ = self.clear, self.set
        if getattr(getattr(function, "__code__", None), "co_flags", 0) & _GENERATOR:
            return functools.wraps(function)(_generator(function, clear, set_))  # type: ignore[return-value]

        @functools.wraps(function)
        def within(*args: Any, **kwargs: Any) -> Any:
            with _Mode(clear, set_):
                return function(*args, **kwargs)

        return within  # type: ignore[return-value]


def _generator(function: Callable[..., Any], clear: int, set_: int) -> Callable[..., Any]:
    def within(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        steps = function(*args, **kwargs)
        received: Any = None
        advance: Callable[[Any], Any] = lambda _: next(steps)  # noqa: E731
        while True:
            try:
                with _Mode(clear, set_):
                    produced = advance(received)
            except StopIteration as stop:
                return stop.value
            try:
                received = yield produced
                advance = steps.send
            except GeneratorExit:
                with _Mode(clear, set_):
                    steps.close()
                raise
            except BaseException as error:
                received, advance = error, steps.throw

    return within


class _Bare(_Mode):
    """A mode of fixed bits that may also decorate without brackets: ``@no_grad``."""

    __slots__ = ()

    bits: ClassVar[tuple[int, int]]  # to clear, to set

    def __new__(cls, function: Any = None) -> Any:
        self = super().__new__(cls)
        if function is None:
            return self
        self.__init__()  # type: ignore[misc]
        return self(function)

    def __init__(self, function: Any = None) -> None:
        super().__init__(*self.bits)


class no_grad(_Bare):
    """Record nothing inside: ``with no_grad():``, ``@no_grad()`` or ``@no_grad``."""

    __slots__ = ()

    bits = (RECORD, OFF)


class enable_grad(_Bare):
    """Record again, inside a ``no_grad``."""

    __slots__ = ()

    bits = (OFF, RECORD)


class set_grad_enabled(_Mode):
    """Switch recording on or off: at once when called, and back at the end when used with ``with``."""

    __slots__ = ("at_call",)

    def __init__(self, mode: bool) -> None:
        super().__init__(RECORD, RECORD if mode else OFF)
        self.at_call: int | None = MODE.get()
        MODE.set(MODE.get() & ~RECORD | self.set)

    def __enter__(self) -> Any:
        super().__enter__()
        if self.at_call is not None:  # undo on exit what the call has done
            self.before[-1] = self.at_call
            self.at_call = None
        return self

    def __call__(self, function: F) -> F:
        if self.at_call is not None:  # as a decorator it changes nothing at once
            MODE.set(self.at_call)
            self.at_call = None
        return super().__call__(function)


class inference_mode(_Mode):
    """As ``no_grad``, and what is made inside can never enter a graph."""

    __slots__ = ()

    def __new__(cls, mode: Any = True) -> Any:
        self = super().__new__(cls)
        if isinstance(mode, bool):
            return self
        self.__init__()  # type: ignore[misc]
        return self(mode)

    def __init__(self, mode: Any = True) -> None:
        if mode is False:
            super().__init__(INFERENCE, RECORD)
        else:
            super().__init__(RECORD, INFERENCE)


class set_multithreading_enabled:
    """Accepted for PyTorch's sake: a backward here runs in the thread that calls it."""

    __slots__ = ()

    def __init__(self, mode: bool) -> None:
        pass

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: object) -> None:
        return None
