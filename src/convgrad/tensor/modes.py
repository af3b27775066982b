"""Function modes: ``with`` blocks in which every call goes through ``__torch_function__`` of a mode.

Modes stack, per thread and task: the innermost is asked first, and while it answers those around it are next.
Plain tensors' methods ask nobody, so that they cost nothing; when the first mode is entered, the code of each
function and method is exchanged for one that asks, and put back when the last is left. The function objects
stay the same: programs compare with them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import CodeType, FunctionType
from typing import Any

from .overriding import ask_mode, entered, modes

_lock = threading.Lock()
_entered = 0
#: function -> what stood in it before
_exchanged: list[tuple[FunctionType, tuple[Any, ...]]] = []
#: fills ``_exchanged``: set by ``convgrad.overrides``, which knows the functions
_sources: list[Callable[[], Iterable[tuple[FunctionType, Any]]]] = []


def announce(source: Callable[[], Iterable[tuple[FunctionType, Any]]]) -> None:
    """Have the functions that ``source`` gives, each with what modes see in its place, ask modes."""
    _sources.append(source)


class TorchFunctionMode:
    """A ``with`` block in which all functions of tensors ask this object's ``__torch_function__`` first.

    Subclasses define ``__torch_function__(self, func, types, args=(), kwargs=None)``, in which the mode
    itself is off, so that ``func(*args, **kwargs)`` computes.

    Example:
        >>> class Names(TorchFunctionMode):
        ...     def __torch_function__(self, func, types, args=(), kwargs=None):
        ...         print(func.__name__)
        ...         return func(*args, **(kwargs or {}))
        >>> with Names():
        ...     x = torch.ones(2).add(1)
        ones
        add
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError

    def __enter__(self) -> Any:
        _enter()
        before = entered.get()
        entered.set((*before, self))
        self.__dict__.setdefault("_before", []).append(before)
        return self

    def __exit__(self, *exc: object) -> None:
        entered.set(self.__dict__["_before"].pop())
        _leave()


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that changes nothing."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def _enter() -> None:
    global _entered
    with _lock:
        _entered += 1
        if _entered == 1:
            for source in _sources:
                for function, shown in source():
                    _exchange(function, shown)


def _leave() -> None:
    global _entered
    with _lock:
        _entered -= 1
        if not _entered:
            for function, (code, defaults, keywords) in reversed(_exchanged):
                function.__code__, function.__defaults__, function.__kwdefaults__ = code, defaults, keywords
            _exchanged.clear()


def _asking_code(code: CodeType, cells: int) -> CodeType:
    """Code that hands its call to ``_made_of``, with as many free variables as the function has cells."""
    names = [f"cell{k}" for k in range(cells)]
    held = "".join([f"{name}, " for name in names])
    lines = [
        f"def outer({', '.join(f'{n}=None' for n in names)}):",
        "    def asking(*args, _made_of=None, **kwargs):",
        f"        return _made_of(*args, **kwargs) if _made_of is not None else ({held})",
        "    return asking",
    ]
    space: dict[str, Any] = {}
    exec("\n".join(lines), space)
    made: CodeType = space["outer"]().__code__
    return made.replace(co_name=code.co_name, co_qualname=code.co_qualname)


_CODES: dict[int, CodeType] = {}


def _exchange(function: FunctionType, shown: Any) -> None:
    code, cells = function.__code__, function.__closure__
    plain = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, cells)
    plain.__kwdefaults__ = function.__kwdefaults__
    seen = function if shown is None else shown

    def form(*args: Any, **kwargs: Any) -> Any:
        return ask_mode(seen, args, kwargs) if modes() else plain(*args, **kwargs)

    count = len(code.co_freevars)
    if count not in _CODES:
        _CODES[count] = _asking_code(code, count)
    _exchanged.append((function, (code, function.__defaults__, function.__kwdefaults__)))
    function.__code__ = _CODES[count].replace(co_name=code.co_name, co_qualname=code.co_qualname)
    function.__defaults__, function.__kwdefaults__ = None, {"_made_of": form}
