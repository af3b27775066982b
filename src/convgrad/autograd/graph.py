"""``torch.autograd.graph``: the graph for those who look into it - nodes, edges, hooks, what it holds.

Hooks of tensors and nodes are methods of those; here are the hooks that need the whole graph: what is saved
for backward can be handed to functions of the user, and several gradients can be waited for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from numpy import ndarray

from ..errors import GradError
from ..graph.engine import RUNNING, Task
from ..graph.grad_mode import MODE, OFF
from ..graph.hooks import RemovableHandle
from ..graph.node import CUSTOM, ManyNode, Node, Packed, PackedManyNode, PackedNode, cell_of
from ..graph.watch import WATCHERS, Watcher, enter, leave
from ..tensor.tensor import Tensor
from .edge import GradientEdge, get_gradient_edge
from .graph_report import MemoryReport, memory_report


def increment_version(tensor: Any) -> None:
    """Count a change in place that convgrad cannot see, of a tensor or of several."""
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        cell_of(t).bump("increment_version")


# ---------------------------------------------------------------------------------------------------
# Saved values
# ---------------------------------------------------------------------------------------------------

_disabled: ContextVar[str | None] = ContextVar("convgrad.saved_tensors_hooks_disabled", default=None)


class saved_tensors_hooks(Watcher):
    """Hand what is saved for backward in the block to ``pack_hook``, and ask ``unpack_hook`` for it later.

    Args:
        pack_hook: from a tensor (that shares memory with what is saved, and may not be changed) to anything.
        unpack_hook: from what pack_hook gave to a tensor of the same values, shape and dtype.

    Of nested blocks the innermost counts. Changes in place of a packed tensor are no longer noticed.

    Raises:
        GradError: inside ``disable_saved_tensors_hooks``; pack_hook changed its argument.
    Example:
        >>> x = Tensor([3.0]).requires_grad_()
        >>> with saved_tensors_hooks(lambda t: t.tolist(), lambda kept: Tensor(kept)):
        ...     y = x * x
        >>> y.backward()
        >>> x.grad
        tensor([6.])
    """

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        message = _disabled.get()
        if message is not None:
            raise GradError(message)
        enter(self)

    def __exit__(self, *exc: object) -> None:
        leave(self)

    def recorded(self, node: Any, handles: tuple[Any, ...], out: Any) -> None:
        """Take a new node's saved arrays into keeping."""
        if not node.saved or self is not innermost_packer():
            return
        if node.__class__ is Node:
            node.__class__ = PackedNode
        elif node.__class__ is ManyNode:
            node.__class__ = PackedManyNode
        elif node.kind == CUSTOM:
            node.pack(self._packed)
            return
        else:
            return
        node.saved = tuple([self._packed(value) for value in node.saved])
        node.versions = None

    def _packed(self, value: Any) -> Any:
        if type(value) is ndarray:
            return Packed(self.pack(Tensor(value, None)), self._array)
        if type(value) is tuple and any([type(v) is ndarray for v in value]):
            kept = tuple([self.pack(Tensor(v, None)) if type(v) is ndarray else v for v in value])
            arrays = tuple([type(v) is ndarray for v in value])
            return Packed(
                kept,
                lambda stored: tuple(
                    [self._array(v) if a else v for v, a in zip(stored, arrays, strict=True)]
                ),
            )
        return value

    def pack(self, tensor: Tensor) -> Any:
        """What the user's hook gives for a tensor, run without recording and without hooks."""
        before, watchers = MODE.get(), WATCHERS.get()
        MODE.set(OFF)
        WATCHERS.set(())
        try:
            stored = self.pack_hook(tensor)
        finally:
            MODE.set(before)
            WATCHERS.set(watchers)
        if tensor._cell is not None and tensor._cell.version:
            raise GradError(
                "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack "
                f"hook can not be modified by in-place operations ({tensor._cell.writer}): change a clone()."
            )
        return stored

    def unpack(self, stored: Any) -> Tensor:
        """The tensor that the user's hook gives back."""
        tensor = self.unpack_hook(stored)
        if not isinstance(tensor, Tensor):
            raise TypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
                f"{type(tensor).__name__}"
            )
        return tensor

    def _array(self, stored: Any) -> Any:
        return self.unpack(stored)._data


def innermost_packer() -> saved_tensors_hooks | None:
    """The hooks that count at this point of the program."""
    for watcher in reversed(WATCHERS.get()):
        if isinstance(watcher, saved_tensors_hooks):
            return watcher
    return None


class save_on_cpu(saved_tensors_hooks):
    """Keep copies of what is saved for backward; there is no other device to bring them from."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda t: t.clone(), lambda t: t)


class allow_mutation_on_saved_tensors(saved_tensors_hooks):
    """Allow changes in place of what is saved for backward: inside the block a copy of it is kept."""

    def __init__(self) -> None:
        super().__init__(lambda t: t.clone(), lambda t: t)


class disable_saved_tensors_hooks:
    """Refuse ``saved_tensors_hooks`` inside the block, with this message."""

    __slots__ = ("message", "before")

    def __init__(self, error_message: str) -> None:
        self.message = error_message

    def __enter__(self) -> None:
        self.before = _disabled.get()
        _disabled.set(self.message)

    def __exit__(self, *exc: object) -> None:
        _disabled.set(self.before)


# ---------------------------------------------------------------------------------------------------
# Several gradients
# ---------------------------------------------------------------------------------------------------


class _Waiting:
    """What has arrived for one multi-gradient hook in the backward of one task."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.task: Task | None = None
        self.grads: list[Any] = []
        self.missing = 0


class MultiGradHandle:
    """``remove()`` takes a multi-gradient hook away."""

    __slots__ = ("handles",)

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> MultiGradHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def register_multi_grad_hook(
    tensors: Sequence[Any], fn: Callable[[Any], None], *, mode: str = "all"
) -> MultiGradHandle:
    """Call ``fn`` once per backward when the gradients of several tensors are known.

    Args:
        tensors: tracked tensors.
        fn: with ``mode="all"`` gets the list of gradients, None for tensors this backward does not come to;
            with ``mode="any"`` the first gradient that arrives.
    Example:
        >>> a, b = Tensor([1.0]).requires_grad_(), Tensor([2.0]).requires_grad_()
        >>> handle = register_multi_grad_hook((a, b), lambda grads: print([g.item() for g in grads]))
        >>> (a * b).backward()
        [2.0, 1.0]
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    nodes: list[Any] = [t._node for t in tensors]
    state = _Waiting()

    def arrived(index: int, g: Any) -> None:
        task = RUNNING.get()
        with state.lock:
            fresh = state.task is not task
            if fresh:
                state.task = task
                state.grads = [None] * len(nodes)
                state.missing = sum([task is not None and task.reaches(node) for node in nodes])
            state.grads[index] = g
            state.missing -= 1
            done = fresh if mode == "any" else not state.missing
        if done:
            fn(g if mode == "any" else state.grads)

    handles = [t.register_hook(lambda g, i=i: arrived(i, g)) for i, t in enumerate(tensors)]
    return MultiGradHandle(handles)


__all__ = [
    "GradientEdge", "MemoryReport", "Node", "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks", "get_gradient_edge", "increment_version", "memory_report",
    "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks",
]  # fmt: skip
