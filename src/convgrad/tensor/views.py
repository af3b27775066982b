"""Views and in-place changes: who shares a storage, and how history is rewritten when one of them writes.

A view knows its base and the steps (view operator, parameters) that lead to it. After an in-place
change the base's node becomes ``CopySlices`` of the changed view, and every live view of that base
gets its node anew from the base's, at once (ruling R8): reading a tensor's node stays one slot.
Functions here work on anything with ``_data``, ``_node``, ``_cell`` and ``_view``.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from ..errors import ConvgradError, GradError
from ..graph.grad_mode import DUAL, INFERENCE, MODE, OFF, RECORD
from ..graph.hooks import Hooks
from ..graph.node import LEAF, Node, cell_of
from ..graph.traced import TRANSFORM, Traced
from ..ops.op import Op
from ..ops.shape import CopySlices
from . import dual

Steps = tuple[tuple[type[Op], tuple[Any, ...]], ...]


class View:
    """How a tensor came from the owner of its storage; ``fixed`` says why it may not be written to.

    ``trail`` is the last step and, within it, the trail before: a view of a view shares the path of
    the one it came from, so that a long chain of views costs each link the same.
    """

    __slots__ = ("base", "trail", "fixed")

    def __init__(self, base: Any, trail: Any, fixed: str) -> None:
        self.base = base
        self.trail = trail
        self.fixed = fixed

    @property
    def steps(self) -> Steps:
        """The (view operator, parameters) that lead from the base to the view, in order."""
        found = []
        trail = self.trail
        while trail is not None:
            trail, step = trail
            found.append(step)
        return tuple(found[::-1])


def link(out: Any, source: Any, op: type[Op], params: tuple[Any, ...], fixed: str = "") -> None:
    """Note that ``out`` is a view of ``source`` made by ``op``: one storage, one version."""
    origin = source._view
    if origin is None:
        out._view = View(source, (None, (op, params)), fixed)
    else:
        out._view = View(origin.base, (origin.trail, (op, params)), fixed or origin.fixed)
    cell = out._cell = cell_of(source)
    if cell.views is None:
        cell.views = []
    elif len(cell.views) >= 64 and len(cell.views) & (len(cell.views) - 1) == 0:
        cell.views[:] = [ref for ref in cell.views if ref() is not None]
    cell.views.append(weakref.ref(out))


def check_writable(self: Any, name: str) -> bool:
    """Whether an in-place change of ``self`` is to be recorded; an error if it may not happen.

    Raises:
        GradError: a leaf that requires grad, or a view that cannot be written to.
        ConvgradError: an expanded tensor, a read-only array.
    """
    data = self._data
    if not data.flags.writeable:
        raise ConvgradError(
            f"{name}: the tensor of shape {list(data.shape)} shares the memory of a read-only NumPy array "
            "(or is an expanded tensor) and cannot be written to; clone() it first"
        )
    if not data.flags.c_contiguous and any(
        [s == 0 and n > 1 for s, n in zip(data.strides, data.shape, strict=True)]
    ):
        raise ConvgradError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory "
            f"location ({name} on an expanded tensor of shape {list(data.shape)}). Please clone() the tensor "
            "before performing the operation."
        )
    mode = MODE.get()
    cell = self._cell
    if cell is not None and cell.inference and not mode & INFERENCE:
        raise GradError(
            f"Inplace update to inference tensor outside InferenceMode is not allowed ({name} on a tensor "
            f"of shape {list(data.shape)}). Make a clone() to get a normal tensor before doing "
            "inplace update."
        )
    if mode == OFF or mode & INFERENCE:
        return False
    view = self._view
    node = self._node
    if node is not None and mode & RECORD:
        if node.kind == LEAF:
            raise GradError(
                f"a leaf Variable that requires grad is being used in an in-place operation. ({name} "
                "on a tensor "
                f"of shape {list(data.shape)}; do it under torch.no_grad(), or on a clone())"
            )
        if view is not None:
            base = view.base._node
            if base is not None and base.kind == LEAF:
                raise GradError(
                    "a view of a leaf Variable that requires grad is being used in an in-place operation. "
                    f"({name} on a view of shape {list(data.shape)}; do it under torch.no_grad())"
                )
            if view.fixed:
                raise GradError(view.fixed)
    return bool(mode & (RECORD | DUAL))


def rewrite(self: Any, node: Node | None, name: str) -> None:
    """After the memory of ``self`` was written to: count it, give it its new node, tell base and views."""
    cell = self._cell or cell_of(self)
    cell.bump(name)
    if node is None:
        return
    _replant(self, node)
    view = self._view
    if view is not None:
        base = view.base
        saved = (view.steps, self._data.shape, base._data.shape)
        if node.kind == TRANSFORM or (base._node is not None and base._node.kind == TRANSFORM):
            made = dual.follow(CopySlices, (base, self), base._data, saved)
        else:
            made = Node(CopySlices, (base._node, node), saved, None, base._data.shape, base._data.dtype)
        _replant(base, made)
        refresh(base, cell)
    elif cell.views:
        refresh(self, cell)


def refresh(base: Any, cell: Any) -> None:
    """Give every live view of ``base`` a node that follows from the base's present one."""
    for ref in tuple(cell.views):
        view = ref()
        if view is None or view._view is None or view._view.base is not base:
            continue
        node, data = base._node, base._data
        for op, params in view._view.steps:
            source = data
            data, saved = op.forward(source, *params)
            if op.several:
                break
            if node is not None and node.kind == TRANSFORM:
                node = dual.follow(op, (Traced(source, node),), data, saved)
            else:
                node = Node(op, (node,), saved, None, data.shape, data.dtype)
        else:
            _replant(view, node)


def _replant(tensor: Any, node: Any) -> None:
    """Give a tensor its new node; what ``retain_grad`` asked for moves along, other hooks stay."""
    old = tensor._node
    tensor._node = node
    if old is None or not old.hooks or node is None:
        return
    keeper = old.hooks[-1]
    owner = getattr(keeper, "owner", None)
    if owner is not None and owner() is tensor:
        old.hooks.remove(keeper)
        if node.hooks is None:
            node.hooks = Hooks()
        node.hooks.append(keeper)


def multi_view_message(op: type[Op], index: int) -> str:
    """Why an output of split, chunk or unbind may not be written to."""
    return (
        f"Output {index} of {op.backward_name} is a view and is being modified inplace. This view is "
        "the output "
        "of a function that returns multiple views. Such functions do not allow the output views to "
        "be modified "
        "inplace. You should replace the inplace operation by an out-of-place one."
    )


def overlap(a: Any, b: Any) -> bool:
    """Whether two arrays may share memory (their bounds meet)."""
    return bool(np.may_share_memory(a, b))
