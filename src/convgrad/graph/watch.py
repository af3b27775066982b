"""Who is told of every node that is recorded: saved-tensor hooks and the anomaly mode.

Watchers are a stack per thread and task. While there is one the mode has its WATCH bit, so that nothing here
costs anything otherwise.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from .grad_mode import MODE, WATCH


class Watcher:
    """Base: told of nodes as they are recorded, and of each step of a backward.

    ``single``: it wants to see each operator by itself, so that no two are computed as one.
    """

    single = True

    def recorded(self, node: Any, handles: tuple[Any, ...], out: Any) -> None:
        """A node was made for a call with these inputs (handles or None) and this result (or tuple)."""

    def entered(self, node: Any, g: Any) -> None:
        """Backward has come to a node; g is the gradient of its output."""

    def pulled(self, node: Any, g: Any, grads: Any) -> None:
        """A node has answered with the gradients of its inputs."""

    def failed(self, node: Any, error: BaseException) -> None:
        """A node's derivative has raised."""


WATCHERS: ContextVar[tuple[Watcher, ...]] = ContextVar("convgrad.watchers", default=())


def enter(watcher: Watcher) -> None:
    """Put a watcher on top of the stack."""
    WATCHERS.set((*WATCHERS.get(), watcher))
    MODE.set(MODE.get() | WATCH)


def leave(watcher: Watcher) -> None:
    """Take a watcher off the stack; one that is not there is ignored."""
    left = tuple([w for w in WATCHERS.get() if w is not watcher])
    WATCHERS.set(left)
    if not left:
        MODE.set(MODE.get() & ~WATCH)


def whole() -> bool:
    """Whether operators may be joined before the eyes of all watchers."""
    return not any([w.single for w in WATCHERS.get()])


def recorded(node: Any, handles: tuple[Any, ...], out: Any) -> None:
    """Tell all watchers of a new node, the innermost last."""
    for watcher in WATCHERS.get():
        watcher.recorded(node, handles, out)


def pull(plain: Any, node: Any, g: Any, wanted: Any, create_graph: bool) -> Any:
    """``plain(node, g, wanted, create_graph)``, the engine's step, before the eyes of the watchers."""
    watchers = WATCHERS.get()
    try:
        for watcher in watchers:
            watcher.entered(node, g)
        grads = plain(node, g, wanted, create_graph)
    except BaseException as error:
        for watcher in watchers:
            watcher.failed(node, error)
        raise
    for watcher in watchers:
        watcher.pulled(node, g, grads)
    return grads
