"""Processes that ``multiprocessing`` starts afresh ("spawn", "forkserver") take the alias over."""

from __future__ import annotations

import multiprocessing.spawn
from collections.abc import Callable
from typing import Any

_SPAWN: Any = multiprocessing.spawn


class Inherited:
    """Travels with what a new process is told first; unpickling it there installs the alias."""

    def __init__(self, install: Callable[[], None]) -> None:
        self.install = install

    def __reduce__(self) -> Any:
        return self.install, ()


def pass_on(install: Callable[[], None]) -> None:
    """Tell new processes to install the alias before they import anything of the program's."""
    plain = _SPAWN.get_preparation_data

    def with_alias(name: str) -> dict[str, Any]:
        data: dict[str, Any] = plain(name)
        if name == "ignore":  # for the fork server itself: the main module waits for its children, with alias
            data.pop("init_main_from_path", None)
        data["convgrad_torch"] = Inherited(install)
        return data

    with_alias.plain = plain  # type: ignore[attr-defined]
    _SPAWN.get_preparation_data = with_alias


def keep() -> None:
    """Tell new processes nothing any more."""
    _SPAWN.get_preparation_data = getattr(_SPAWN.get_preparation_data, "plain", _SPAWN.get_preparation_data)
