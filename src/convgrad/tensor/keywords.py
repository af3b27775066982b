"""Other names for arguments, which PyTorch takes too: NumPy's, such as ``axis=``, and those of overloads.

Nothing is looked at before a call has failed for an unknown keyword, so other calls cost what they did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

#: the other name -> ours
NAMES = {
    "axis": "dim", "keepdims": "keepdim", "x2": "other", "x": "input", "a": "input", "x1": "input",
    "indices": "indices_or_sections", "sections": "indices_or_sections", "tensor": "input",
    "tensor_indices_or_sections": "indices_or_sections", "split_size_or_sections": "split_size",
    "from": "from_",
}  # fmt: skip
#: ours for which methods are made to take the other names
OURS = frozenset(("dim", "keepdim", "indices_or_sections", "from_"))


def renamed(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments under our names."""
    return {NAMES.get(key, key): value for key, value in kwargs.items()}


def by_either_name(plain: Callable[..., Any]) -> Callable[..., Any]:
    """A method or function that takes the other names for its arguments, too."""

    def method(*args: Any, **kwargs: Any) -> Any:
        try:
            return plain(*args, **kwargs)
        except TypeError:
            if NAMES.keys().isdisjoint(kwargs):
                raise
        return plain(*args, **renamed(kwargs))

    method.__name__, method.__qualname__ = plain.__name__, plain.__qualname__
    method.__module__, method.__doc__ = plain.__module__, plain.__doc__
    method.__wrapped__ = plain  # type: ignore[attr-defined]  # help() and IPython show its signature
    return method


def takes_names(method: Any) -> bool:
    """Whether a method has arguments with other names that it does not take itself."""
    code = getattr(method, "__code__", None)
    if code is None:
        return False
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    return "axis" not in names and not OURS.isdisjoint(names)


def widen(owner: type) -> None:
    """Let the methods of a class take the other names of their arguments."""
    for name, method in tuple(vars(owner).items()):
        if name[0] != "_" and takes_names(method):
            setattr(owner, name, by_either_name(method))
