"""Views and in-place changes: who shares a storage, and how history is rewritten when one of them writes.

A view knows its base and the steps (view operator, parameters) that lead to it. After an in-place
change the base's node becomes ``CopySlices`` of the changed view, and every live view of that base
gets its node anew from the base's, at once (ruling R8): reading a tensor's node stays one slot.
Functions here work on anything with ``_data``, ``_node``, ``_cell`` and ``_view``.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..dtypes import Array
from ..errors import ConvgradError, GradError
from ..graph.grad_mode import DUAL, INFERENCE, MODE, OFF, RECORD
from ..graph.hooks import Hooks
from ..graph.node import LEAF, OUTPUT, Cell, Idle, Node, cell_of
from ..graph.traced import TRANSFORM, Traced
from ..ops.op import Op
from ..ops.rearrange import StridedTake, storage_of
from ..ops.shape import CopySlices, Review, walk
from . import dual

Steps = tuple[tuple[type[Op], tuple[Any, ...]], ...]


#: why the history of a view cannot follow a change in place: made under ``no_grad`` or ``inference_mode``,
#: one of several views from one call, or returned by a user's ``Function``
SILENT, INFERRED, SEVERAL, CUSTOM_MADE = "no_grad", "inference", "several", "custom"


class View:
    """How a tensor came from the owner of its storage; ``fixed`` says why its history cannot follow a change.

    ``trail`` is the last step and, within it, the trail before: a view of a view shares the path of
    the one it came from, so that a long chain of views costs each link the same. ``broken`` is what
    to say when the tensor is used although such a change has happened.
    """

    __slots__ = ("base", "trail", "fixed", "broken")

    def __init__(self, base: Any, trail: Any, fixed: str) -> None:
        self.base = base
        self.trail = trail
        self.fixed = fixed
        self.broken = ""

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
        base = source
        out._view = View(base, (None, (op, params)), fixed)
    else:
        base = origin.base
        if origin.fixed:
            fixed = origin.fixed if origin.fixed == INFERRED else fixed or origin.fixed
        out._view = View(base, (origin.trail, (op, params)), fixed)
    cell = out._cell = source._cell or cell_of(source)
    ref = weakref.ref(out)
    views = cell.views
    if views is None:
        cell.views = [ref]
    else:
        views.append(ref)
        count = len(views)
        if count >= 64 and not count & (count - 1):
            sift(views)
    if fixed and (source._node is not None or base._node is not None):
        watch_over(cell, (ref,))  # what becomes tracked later does so by a change that looks at all views


def link_several(
    pieces: Sequence[Any], source: Any, op: type[Op], params: tuple[Any, ...], fixed: str
) -> None:
    """``link`` for the views of one call: none follows a change by its steps, so they share their trail."""
    origin = source._view
    base, trail = (source, None) if origin is None else (origin.base, origin.trail)
    if origin is not None and origin.fixed == INFERRED:
        fixed = INFERRED
    trail = (trail, (op, params))
    cell = source._cell or cell_of(source)
    refs = []
    for piece in pieces:
        piece._view = View(base, trail, fixed)
        piece._cell = cell
        refs.append(weakref.ref(piece))
    if cell.views is None:
        cell.views = refs
    else:
        grow(cell.views, refs)
    if source._node is not None or base._node is not None:
        watch_over(cell, refs)


def grow(refs: list[Any], more: Sequence[Any]) -> None:
    """Add weak references to a list, from which dead ones go whenever its length has doubled."""
    before = len(refs)
    refs += more
    if before >= 63 and before.bit_length() != len(refs).bit_length():
        sift(refs)


def sift(refs: list[Any]) -> None:
    """Let dead weak references go."""
    refs[:] = [ref for ref in refs if ref() is not None]


def link_views(
    op: type[Op], result: Any, source: Any, data: Array, params: tuple[Any, ...], mode: int = RECORD
) -> None:
    """Note which results of ``op`` are views of ``source``, and under which mode they were made."""
    fixed = ""
    if mode != RECORD:
        outside = mode & INFERENCE and not cell_of(source).inference
        fixed = SILENT if mode == OFF else INFERRED if outside else ""
    if op.several:
        owner = data.base if type(data.base) is np.ndarray else data  # whom NumPy names as theirs
        pieces = [
            piece
            for piece in result
            if piece._data.base is owner
            or overlap(piece._data, data)
            or (not data.size and piece._data.base is not None)
        ]
        if pieces:
            link_several(pieces, source, op, params, fixed or SEVERAL)
    else:
        base = result._data.base
        # NumPy names the owner of a view's memory; only where it names something else, compare bounds
        near = base is data or (base is not None and (base is data.base or not data.size))
        if near or (base is not None and (overlap(result._data, data) or hasattr(op, "anywhere"))):
            link(result, source, op, params, fixed)
    if fixed and source._node is not None:
        for piece in result if op.several else (result,):
            if piece._view is not None:
                piece._node = Idle(piece._data)
                if fixed == INFERRED:
                    piece._cell.inference = False


def watch_over(cell: Cell, refs: Sequence[Any]) -> None:
    """Let the next in-place changes of a storage find the views whose history cannot follow them."""
    if cell.fragile is None:
        cell.fragile = list(refs)
    else:
        grow(cell.fragile, refs)


class Broken:
    """What a view becomes whose storage was changed in a way that its history cannot tell of.

    Its place in the graph may not be read while recording; what needs no history goes on. A class of
    its own, so that the way of ordinary tensors, which reads one slot, is not longer by a question.
    """

    __slots__ = ()

    _view: Any

    @property
    def _node(self) -> Any:
        if MODE.get() & RECORD:
            raise GradError(self._view.broken)
        return None

    @_node.setter
    def _node(self, node: Any) -> None:
        """Nothing: its place is gone."""

    @property
    def requires_grad(self) -> bool:
        """True: its base is tracked."""
        return True

    @property
    def grad(self) -> None:
        """None: no gradient can arrive here."""

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        text = repr(self.detach())  # type: ignore[attr-defined]
        return f"{text[:-1]}, grad_fn=<Invalid>)"


_BROKEN: dict[type, type] = {}


def break_view(tensor: Any) -> bool:
    """After an in-place change: whether a view that cannot follow needs no more looking after.

    It is broken by the change if it is tracked or its base is.
    """
    view = tensor._view
    if view is None or view.broken:
        return True
    node = tensor._node
    base = view.base._node
    if node is None and base is None:
        return False
    if any([n is not None and n.kind == TRANSFORM for n in (node, base)]):
        return False
    view.broken = fixed_message(view.fixed, node, "its base or another view of its base has been")
    kind = type(tensor)
    if kind not in _BROKEN:
        metaclass: Any = type(kind)
        _BROKEN[kind] = metaclass(
            kind.__name__, (Broken, kind), {"__slots__": (), "__module__": kind.__module__, **_shown(kind)}
        )
    tensor.__class__ = _BROKEN[kind]
    return True


def _shown(kind: type) -> dict[str, Any]:
    return {"_shown_as": kind.__dict__["_shown_as"]} if "_shown_as" in kind.__dict__ else {}


def check_history(self: Any, name: str, others: Sequence[Any] = ()) -> None:
    """Refuse a change in place, while recording, that the graph could not tell of.

    Raises:
        GradError: a leaf that requires grad or a view of one, or a view that cannot follow.
    """
    view = self._view
    if view is not None and view.fixed:
        _check_fixed(self, view, others)
    node = self._node
    if node is None:
        return
    shape = list(self._data.shape)
    if view is not None and node.kind != TRANSFORM:
        base = view.base._node
        if base is None or base.kind == LEAF:
            raise GradError(
                "a view of a leaf Variable that requires grad is being used in an in-place operation. "
                f"({name} on a view of shape {shape}; do it under torch.no_grad())"
            )
    if node.kind == LEAF:
        raise GradError(
            f"a leaf Variable that requires grad is being used in an in-place operation. ({name} on a tensor "
            f"of shape {shape}; do it under torch.no_grad(), or on a clone())"
        )


def _check_fixed(self: Any, view: View, others: Sequence[Any]) -> None:
    if view.broken:
        raise GradError(view.broken.replace("its base or another view of its base has been", "is being"))
    node, base = self._node, view.base._node
    tracked = [n for n in (node, base, *[getattr(o, "_node", None) for o in others]) if n is not None]
    if tracked and not any([n.kind == TRANSFORM for n in tracked]):
        raise GradError(fixed_message(view.fixed, node, "is being"))


def check_writable(self: Any, name: str, others: Sequence[Any] = ()) -> bool:
    """Whether an in-place change of ``self`` is to be recorded; an error if it may not happen.

    ``others`` are the other operands: where one of them is tracked, the result will be.

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
    if mode & RECORD:
        check_history(self, name, others)
    return bool(mode & (RECORD | DUAL))


def rewrite(self: Any, node: Node | None, name: str) -> None:
    """After the memory of ``self`` was written to: count it, give it its new node, tell base and views."""
    cell = self._cell or cell_of(self)
    cell.bump(name)
    view = self._view
    if node is None:
        if cell.views:
            _renew_strided(self if view is None else view.base, cell)
        return
    _replant(self, node)
    if view is not None:
        base = view.base
        saved = (_by_position(base._data, view.steps), self._data.shape, base._data.shape)
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
        if view._view.fixed:
            if not view._view.broken:
                break_view(view)
            continue
        _replant(view, _remade(base, view._view.steps, view._data))


def _renew_strided(base: Any, cell: Any) -> None:
    """After an unrecorded change: views by strides follow from the base itself, as in PyTorch.

    One taken of a view may show elements outside of that view, whose gradients are lost on its way.
    """
    for ref in tuple(cell.views):
        view = ref()
        if view is None or view._view is None or view._view.base is not base or view._view.fixed:
            continue
        strided = any([hasattr(op, "anywhere") for op, _ in view._view.steps])
        if strided and view._node is not None and base._node is not None and base._node.kind != TRANSFORM:
            _replant(view, _remade(base, _by_position(base._data, view._view.steps), view._data))


def _by_position(data: Array, steps: Steps) -> Steps:
    """The steps from a base to its view; where one reads memory by strides, as positions in the base.

    What strides show depends on how the base lies in memory, and a gradient lies otherwise.
    """
    if not any([hasattr(op, "anywhere") for op, _ in steps]):
        return steps
    flat, start = storage_of(data)
    numbers = np.full(flat.size, -1)
    strides = [s // data.itemsize * numbers.itemsize for s in data.strides]
    as_strided(numbers[start:], data.shape, strides)[...] = np.arange(data.size).reshape(data.shape)
    shown = walk(as_strided(numbers[start:], data.shape, strides), steps)
    return steps if shown.size and shown.min() < 0 else ((StridedTake, (shown,)),)


def _remade(base: Any, steps: Steps, seen: Any) -> Any:
    """The node of a view, from its base's: one for all steps, if they are a selection of elements."""
    node, data = base._node, base._data
    once = seen.dtype == data.dtype and not any([hasattr(op, "repeats") for op, _ in steps])
    if once and (node is None or node.kind != TRANSFORM):
        return Node(Review, (node,), (steps, data.shape), None, seen.shape, seen.dtype)
    for op, params in steps:
        source = data
        data, saved = op.forward(source, *params)
        if node is not None and node.kind == TRANSFORM:
            node = dual.follow(op, (Traced(source, node),), data, saved)
        else:
            node = Node(op, (node,), saved, None, data.shape, data.dtype)
    return node


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


_BETWEEN = (
    "Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by "
    "moving both the view and the inplace either both inside the {0} block (if you don't want the inplace to "
    "be tracked) or both outside (if you want the inplace to be tracked)."
)
_REASONS = {
    SILENT: _BETWEEN.format("no_grad"),
    INFERRED: _BETWEEN.format("inference_mode"),
    SEVERAL: "This view is the output of a function that returns multiple views. Such functions do not allow "
    "the output views to be modified inplace. You should replace the inplace operation by an out-of-place "
    "one.",
    CUSTOM_MADE: "This view was created inside a custom Function (or because an input was returned as-is) "
    "and the autograd logic to handle view+inplace would override the custom backward associated with the "
    "custom Function, leading to incorrect gradients. This behavior is forbidden. You can fix this by "
    "cloning the output of the custom Function.",
}


def fixed_message(fixed: str, node: Any, change: str) -> str:
    """Why a view cannot follow a change: of itself ("is being"), or of its base or another view."""
    of = "A view"
    recorded = node is not None and node.kind != LEAF
    if recorded:
        whole = node.parents[0] if node.kind == OUTPUT else node
        of = f"Output {getattr(node, 'index', 0)} of {re.sub('Backward[0-9]*$', '', whole.name())} is a view"
    how = " was"
    if recorded:
        how = " of a view which was" if fixed in (SILENT, INFERRED) else ""
    made = ""
    if not recorded or fixed in (SILENT, INFERRED):
        made = " created in inference mode" if fixed == INFERRED else " created in no_grad mode"
    mode = "" if not made else " in normal mode" if fixed == INFERRED else " with grad mode enabled"
    return f"{of}{how}{made} and {change} modified inplace{mode}. {_REASONS[fixed]}"


def overlap(a: Any, b: Any) -> bool:
    """Whether two arrays may share memory (their bounds meet)."""
    return bool(np.may_share_memory(a, b))
