"""Hooks on nodes: functions of the user that see gradients pass, and may change them.

A node's ``hooks`` is None or one ``Hooks``. The list itself holds what was hung on the tensor (functions on
arrays, in order of registration; what ``retain_grad`` needs comes last), ``before`` and ``after`` what was
hung on the node. A user's function sees Tensors; how to make one the tensor layer says by ``present``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ops import formula


class RemovableHandle:
    """What registering a hook returns: ``remove()`` takes the hook away again; also a context manager."""

    __slots__ = ("hooks", "hook")

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self.hooks = hooks
        self.hook = hook

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        for i, hook in enumerate(self.hooks):
            if hook is self.hook:
                del self.hooks[i]
                return

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


class Hooks(list[Any]):
    """The hooks of one node."""

    __slots__ = ("before", "after")

    def __init__(self, tensor_hooks: Any = ()) -> None:
        super().__init__(tensor_hooks)
        #: hooks of the node, called with the gradients of its outputs
        self.before: list[Any] = []
        #: hooks of the node, called with the gradients of its inputs and of its outputs
        self.after: list[Any] = []


class _Presentation:
    """How gradients are shown to users; filled in by the tensor layer."""

    lift: Callable[[Any], Any] = staticmethod(lambda value: value)
    lower: Callable[[Any, bool], Any] = staticmethod(lambda value, _: value)


def present(lift: Callable[[Any], Any], lower: Callable[[Any, bool], Any]) -> None:
    """Say how a Tensor is made of an engine's value, and back (the flag: keep its place in the graph)."""
    _Presentation.lift, _Presentation.lower = staticmethod(lift), staticmethod(lower)


def lift(value: Any) -> Any:
    """The Tensor of an engine's value; None stays None."""
    return None if value is None else _Presentation.lift(value)


def lower(value: Any, recorded: bool) -> Any:
    """The engine's value of a Tensor; None stays None."""
    return None if value is None else _Presentation.lower(value, recorded)


def run_before(hooks: Hooks, g: Any, recorded: bool) -> Any:
    """What a node gets after the tensor's hooks and its own have seen ``g`` (a list for several outputs)."""
    for hook in tuple(hooks):
        g = hook(g)
    for hook in tuple(hooks.before):
        several = type(g) is list
        shown = tuple([lift(piece) for piece in (g if several else (g,))])
        answer = hook(shown)
        if answer is not None:
            pieces = _answered(answer, len(shown), "pre-hook", recorded)
            g = pieces if several else pieces[0]
    return g


def run_after(hooks: Hooks, parents: Any, pulled: Any, g: Any, recorded: bool) -> Any:
    """The gradients of a node's inputs after its hooks have seen them, each in its input's shape."""
    fitted = [_fitted(p, parent) for p, parent in zip(pulled, parents, strict=True)]
    outputs = tuple([lift(piece) for piece in (g if type(g) is list else (g,))])
    for hook in tuple(hooks.after):
        answer = hook(tuple([lift(piece) for piece in fitted]), outputs)
        if answer is not None:
            fitted = _answered(answer, len(fitted), "hook", recorded)
    return fitted


def _answered(answer: Any, count: int, kind: str, recorded: bool) -> list[Any]:
    answers = answer if isinstance(answer, (tuple, list)) else (answer,)
    if len(answers) != count:
        raise RuntimeError(
            f"{kind} has returned an incorrect number of values (got {len(answers)}, but expected {count})"
        )
    return [lower(a, recorded) for a in answers]


def _fitted(g: Any, parent: Any) -> Any:
    if g is None or parent is None or g.shape == parent.shape or not isinstance(parent.shape, tuple):
        return g
    return formula.sum_to(g, parent.shape)
