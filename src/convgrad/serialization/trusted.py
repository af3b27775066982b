"""Classes and functions that the user lets checkpoints name: ``add_safe_globals`` and its kin.

A trusted class is rebuilt by its own ``__reduce__``, ``__new__`` and ``__setstate__``, so trusting one is
trusting its code; nothing else of the user's is ever called.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_trusted: list[Any] = []


def name_of(value: Any) -> str:
    """``module.qualified_name`` of a class or function."""
    return f"{value.__module__}.{value.__qualname__}"


def _checked(safe_globals: Iterable[Any]) -> list[Any]:
    given = list(safe_globals)
    for entry in given:
        value = entry[0] if isinstance(entry, tuple) else entry
        if not callable(value) or (isinstance(entry, tuple) and not isinstance(entry[1], str)):
            raise TypeError(
                "add_safe_globals: expected classes or functions, or pairs (class, name in the file), got "
                f"{type(value).__name__}"
            )
    return given


def add_safe_globals(safe_globals: Iterable[Any]) -> None:
    """Let checkpoints hold instances of these classes and calls of these functions.

    Args:
        safe_globals: classes or functions, or pairs of one and the full name it has in the file.
    Raises:
        TypeError: something that cannot be called.
    Example:
        >>> from fractions import Fraction
        >>> add_safe_globals([Fraction]); Fraction in get_safe_globals()
        True
        >>> clear_safe_globals()
    """
    _trusted.extend(_checked(safe_globals))


def get_safe_globals() -> list[Any]:
    """What ``add_safe_globals`` was given so far."""
    return list(_trusted)


def clear_safe_globals() -> None:
    """Trust nothing of the user's again."""
    _trusted.clear()


class _Safe:
    """Trust for the length of a block; what was trusted before comes back at its end."""

    __slots__ = ("given", "before")

    def __init__(self, given: list[Any]) -> None:
        self.given = given

    def __enter__(self) -> None:
        self.before = list(_trusted)
        _trusted.extend(self.given)

    def __exit__(self, *exc: object) -> None:
        _trusted[:] = self.before


def safe_globals(safe_globals: Iterable[Any]) -> _Safe:
    """Inside the block, what ``add_safe_globals`` does."""
    return _Safe(_checked(safe_globals))


def trusted() -> dict[str, Any]:
    """Name in the file -> class or function."""
    found = {}
    for entry in _trusted:
        value, name = entry if isinstance(entry, tuple) else (entry, name_of(entry))
        found[name] = value
    return found
