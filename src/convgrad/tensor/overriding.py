"""``__torch_function__``: who overrides PyTorch's functions, and how they are asked.

Plain tensors never come here. A class derived from ``Tensor`` gets methods that ask (``subclass.py``);
functions ask from the moment the first such class exists (``convgrad.overrides.enable``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from ..errors import OutOfScopeError

#: set while handlers are passed over: 1 for subclasses of Tensor, 2 for all
_off: ContextVar[int] = ContextVar("torch_function_off", default=0)

#: types of arguments that are never asked; those of convgrad come to it when they are met
QUIET: set[type] = {int, float, bool, complex, str, type(None)}

#: called once, when functions must begin to ask
_listeners: list[Callable[[], None]] = []


def on_first(listener: Callable[[], None]) -> None:
    """Have ``listener`` called when the first overriding class appears."""
    _listeners.append(listener)


def wake() -> None:
    """Tell the listeners, once."""
    while _listeners:
        _listeners.pop()()


class DisableTorchFunctionSubclass:
    """A ``with`` block in which no Tensor subclass is asked, in this thread and task."""

    level = 1

    def __enter__(self) -> None:
        self._token = _off.set(max(self.level, _off.get()))

    def __exit__(self, *exc: object) -> None:
        _off.reset(self._token)


class DisableTorchFunction(DisableTorchFunctionSubclass):
    """A ``with`` block in which nobody is asked, in this thread and task."""

    level = 2


def passed_over() -> int:
    """0: all are asked; 1: no subclass of Tensor is; 2: nobody is."""
    return _off.get()


def disabled(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """The ``__torch_function__`` of a subclass that overrides nothing and whose results are plain tensors."""
    with DisableTorchFunctionSubclass():
        return func(*args, **(kwargs or {}))


def check_no_dispatch(kind: type) -> None:
    """Refuse objects of a class that counts on PyTorch's dispatcher.

    Raises:
        OutOfScopeError: the class defines ``__torch_dispatch__``.
    """
    found = getattr(kind, "__torch_dispatch__", None)
    if found is not None and found is not disabled:
        raise OutOfScopeError(
            f"{kind.__name__} defines __torch_dispatch__, which convgrad has not: there is no dispatcher "
            "below the functions. __torch_function__ and torch.overrides.TorchFunctionMode are there"
        )


def overrides(kind: type) -> bool:
    """Whether objects of a class are to be asked."""
    flag = getattr(kind, "_overrides", None)  # Tensor and its subclasses have it
    if flag is False:
        return False
    handler = getattr(kind, "__torch_function__", None)
    return handler is not None and handler is not disabled and (flag is None or _off.get() < 1)


def overriding(arguments: Iterable[Any]) -> list[Any]:
    """The arguments that are to be asked: one per class, a subclass before its base, else in their order."""
    found: list[Any] = []
    if _off.get() == 2:
        return found
    for x in arguments:
        kind = type(x)
        if kind in QUIET:
            continue
        if getattr(kind, "_overrides", None) is False:
            if kind.__module__.startswith("convgrad."):
                QUIET.add(kind)
            continue
        if kind is list or kind is tuple:
            candidates = x
        elif overrides(kind):
            candidates = (x,)
        else:
            continue
        for candidate in candidates:
            known = [type(other) for other in found]
            if overrides(type(candidate)) and type(candidate) not in known:
                place = next((i for i, k in enumerate(known) if issubclass(type(candidate), k)), len(found))
                found.insert(place, candidate)
    return found


def name_of(func: Any) -> str:
    """What messages call a function."""
    module = str(getattr(func, "__module__", "") or "")
    short = str(getattr(func, "__qualname__", None) or getattr(func, "__name__", repr(func)))
    if ".methods." in module or "Methods" in short or "Tensor" in short:
        return f"torch.Tensor.{short.rpartition('.')[2]}"
    for inside in ("nn.functional", "linalg", "fft", "special"):
        if module.startswith(f"convgrad.{inside}"):
            return f"torch.{inside}.{short}"
    return f"torch.{short}"


def ask(func: Any, found: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the first handler gives that does not decline.

    Raises:
        TypeError: all of them return NotImplemented.
    """
    types = tuple([type(x) for x in found])
    for x in found:
        result = x.__torch_function__(func, types, args, kwargs)
        if result is not NotImplemented:
            return result
    name = name_of(func)
    raise TypeError(
        f"no implementation found for '{name}' on types that implement __torch_function__: {list(types)} "
        f"(Multiple dispatch failed for '{name}'; all __torch_function__ handlers returned NotImplemented)"
    )


#: the function modes that are entered, the outermost first
entered: ContextVar[tuple[Any, ...]] = ContextVar("torch_function_modes", default=())


def modes() -> tuple[Any, ...]:
    """The function modes that are asked now, the outermost first."""
    return entered.get() if _off.get() < 2 else ()


def ask_mode(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the innermost mode gives for a call; if it declines, the handlers of the arguments are asked."""
    stack = modes()
    token = entered.set(stack[:-1])
    try:
        found = overriding((*args, *kwargs.values()))
        types = tuple([type(x) for x in found])
        result = stack[-1].__torch_function__(func, types, args, kwargs)
        return result if result is not NotImplemented else ask(func, found, args, kwargs)
    finally:
        entered.reset(token)


def dispatch(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Ask whoever among the arguments overrides; else call."""
    if modes():
        return ask_mode(func, args, kwargs)
    found = overriding((*args, *kwargs.values()))
    if found:
        return ask(func, found, args, kwargs)
    with DisableTorchFunctionSubclass():
        return func(*args, **kwargs)


def converted(result: Any, kind: type, arguments: Iterable[Any]) -> Any:
    """The plain tensors of a result as ``kind``; tensors that were arguments are shared, not changed."""
    if isinstance(result, (tuple, list)):
        given = list(arguments)
        parts = [converted(part, kind, given) for part in result]
        return type(result)(parts)
    if getattr(result, "_overrides", None) is None or isinstance(result, kind):
        return result
    for x in arguments:
        if x is result or (isinstance(x, (tuple, list)) and any([y is result for y in x])):
            return result.as_subclass(kind)
    try:
        result.__class__ = kind  # nobody else has it yet
    except TypeError:  # slots of its own
        return result.as_subclass(kind)
    return result
