"""``StandIn``: an object of a file whose class is not let in, as the data it consists of."""

from __future__ import annotations

from typing import Any


class StandIn:
    """Stands for an object that was not built: nothing of its class was looked up or run.

    ``name`` is that of the class or function, ``args`` the arguments it would have been called with,
    ``state`` what would have become its attributes (usually a dict), ``items`` and ``pairs`` what it would
    have been filled with.
    """

    __slots__ = ("name", "args", "state", "items", "pairs")

    def __init__(self, name: str, args: tuple[Any, ...] = ()) -> None:
        self.name = name
        self.args = args
        self.state: Any = None
        self.items: list[Any] = []
        self.pairs: list[tuple[Any, Any]] = []

    def __repr__(self) -> str:
        return f"<{self.name[:200]}, not loaded>"
