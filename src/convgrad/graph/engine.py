"""The walk of the graph: gradients flow from the roots to the leaves, each node once, no recursion.

A node is ready when every consumer that takes part has handed in its gradient; consumers are
counted first. In an ordinary backward gradients are bare arrays; under ``create_graph`` they are
``Traced`` and the same formulas record what they compute. Cost: two dictionary look-ups per edge.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy import ndarray

from ..errors import GradError, ShapeError
from ..ops import formula
from ..ops.formula import Value
from . import watch
from .grad_mode import MODE, OFF, RECORD, WATCH
from .hooks import run_after, run_before
from .node import CUSTOM, LEAF, OUTPUT, PACKED, ManyNode, Node, freed_message
from .place import show
from .traced import Gathering, Traced, gathered, lift_saved, sum_of

Gradients = dict[Node, Any]
Counts = dict[Node, int]


class Task:
    """One backward under way: hooks ask it which nodes it will come to."""

    __slots__ = ("captures", "counts", "roots", "wanted")

    def __init__(
        self, counts: dict[Node, int], roots: frozenset[Node], wanted: set[Node] | None, captures: bool
    ) -> None:
        #: whether it brings gradients to given inputs, rather than to every leaf
        self.captures = captures
        self.counts = counts
        self.roots = roots
        self.wanted = wanted

    def reaches(self, node: Node) -> bool:
        """Whether this backward has come, or will come, to a node."""
        return (node in self.counts or node in self.roots) and (self.wanted is None or node in self.wanted)


#: the backward under way in this thread
RUNNING: ContextVar[Task | None] = ContextVar("convgrad.running", default=None)


def run(
    roots: list[tuple[Node, Value]],
    *,
    retain_graph: bool = False,
    create_graph: bool = False,
    inputs: list[Node] | None = None,
    capture: bool = False,
) -> Gradients:
    """Differentiate.

    Args:
        roots: nodes to start from, each with the gradient of its output.
        retain_graph: keep saved values, so that the graph can be walked again.
        create_graph: record the walk itself; gradients are then ``Traced``.
        inputs: the nodes to reach; None reaches every leaf.
        capture: return the gradients that arrive at ``inputs`` instead of adding them to leaves.
    Raises:
        GradError: a freed graph, or a saved value changed in place.
    """
    grads: Gradients = {}
    for node, g in roots:
        _add(grads, node, g)
    counts, reached = _count_consumers(grads)
    every_leaf = inputs is None or (capture and _are_all_leaves(inputs, reached))
    wanted = None if every_leaf else _leading_to(inputs or [], reached)
    before = MODE.get()
    MODE.set((RECORD if create_graph else OFF) | before & WATCH)
    outer = RUNNING.get()
    RUNNING.set(Task(counts, frozenset(grads), wanted, capture or inputs is not None))
    try:
        ready = [node for node in grads if node not in counts]
        if create_graph and wanted is None and not before & WATCH:
            return _walk_recorded(ready, grads, counts, inputs, retain_graph, capture)
        if create_graph or not every_leaf or before & WATCH or type(roots[0][1]) is Traced:
            return _walk_selected(ready, grads, counts, inputs, wanted, retain_graph, create_graph, capture)
        _walk(ready, grads, counts, retain_graph, capture)
        return grads
    finally:
        MODE.set(before)
        RUNNING.set(outer)


def _count_consumers(roots: Gradients) -> tuple[dict[Node, int], list[Node]]:
    """How many gradients each node waits for, and all nodes that can be reached from the roots."""
    counts: dict[Node, int] = {}
    stack = list(roots)
    for node in stack:  # the list grows while it is walked
        for parent in node.parents:
            if parent is not None:
                waiting = counts.get(parent)
                if waiting is None:
                    counts[parent] = 1
                    if parent not in roots:  # those are in the list as it is
                        stack.append(parent)
                else:
                    counts[parent] = waiting + 1
    return counts, stack


def _are_all_leaves(inputs: list[Node], reached: list[Node]) -> bool:
    """Whether the inputs are leaves, and there are no others."""
    leaves = [node for node in reached if node.kind == LEAF]
    return leaves == inputs or set(leaves) == set(inputs)


def _walk(ready: list[Node], grads: Gradients, counts: Counts, retain_graph: bool, capture: bool) -> None:
    """The ordinary backward: bare arrays, every leaf, whose gradients stay in ``grads`` under ``capture``.

    Spelt out, since each line runs once per node.
    """
    owned: set[Node] = set()  # whose gradient is a sum made here
    while ready:
        node = ready.pop()
        g = grads.pop(node, None)
        hooks = node.hooks
        if hooks is not None and g is not None:
            g = run_before(hooks, g, False)
        kind = node.kind
        if kind == LEAF:
            if capture:
                grads[node] = g
            elif g is not None:
                node.accumulate(g)
            continue
        parents: Any = node.parents
        op = node.op
        if kind or g is None or not op.simple:
            pulled = _pull(node, g, None, False)
        else:
            saved = node.saved
            if saved is None:
                raise GradError(freed_message(node))
            if node.versions is not None:
                for cell, version, index in node.versions:
                    if cell.version != version:
                        _raise_modified(node, cell, version, index)
            if len(parents) == 1:
                pulled = (op.vjps[0](g, *saved),)
            elif len(parents) == 2:
                a, b = parents
                vjp_a, vjp_b = op.vjps
                pulled = (None if a is None else vjp_a(g, *saved), None if b is None else vjp_b(g, *saved))
            else:
                pulled = [None if p is None else vjp(g, *saved) for p, vjp in zip(parents, op.vjps)]
        if hooks is not None and hooks.after and g is not None:
            pulled = run_after(hooks, parents, pulled, g, False)
        for parent, g in zip(parents, pulled):
            if parent is None:
                continue
            if kind == OUTPUT and g is not None:
                _add_piece(grads, parent, node.index, g)
            elif g is not None:
                if type(g) is not ndarray:
                    g = np.asarray(g)
                if g.shape != parent.shape:
                    g = _fit(node, g, parent)
                if g.dtype is not parent.dtype and g.dtype != parent.dtype:
                    g = formula.cast(g, parent.dtype)
                old = grads.get(parent)
                grads[parent] = g if old is None else _gathered(old, g, parent, owned)
            left = counts[parent] - 1
            if left:
                counts[parent] = left
            elif not capture or parent.kind != LEAF or parent.hooks is not None:
                ready.append(parent)
        pulled = None  # a gradient that only its leaf will hold need not be copied there
        if not retain_graph and node.saved and (node.versions is not None or _holds_arrays(node)):
            node.saved = None


def _gathered(old: Any, g: Any, node: Node, owned: set[Node]) -> Any:
    """The sum of a node's gradients: in place from the third on, since the first sum is ours alone."""
    if node in owned:
        formula.add_to(old, g)
        return old
    owned.add(node)
    return formula.plus(old, g)


def _walk_recorded(
    ready: list[Node],
    grads: Gradients,
    counts: Counts,
    inputs: list[Node] | None,
    retain_graph: bool,
    capture: bool,
) -> Gradients:
    """The walk of ``create_graph`` for every leaf: formulas run on recorded values. Spelt out, as above."""
    found: Gradients = {}
    targets = inputs or ()
    while ready:
        node = ready.pop()
        g = grads.pop(node, None)
        if type(g) is Gathering:
            g = sum_of(g)
        hooks = node.hooks
        if hooks is not None and g is not None:
            g = run_before(hooks, g, True)
        if node in targets:
            found[node] = g
        kind = node.kind
        if kind == LEAF:
            if g is not None and not capture:
                node.accumulate(g)
            continue
        parents: Any = node.parents
        if kind or g is None or not node.op.simple:
            pulled = _pull(node, g, None, True)
        else:
            saved = node.saved
            if saved is None or node.versions:
                saved = _unchanged(node)
            saved = lift_saved(node, saved)
            pulled = [None if p is None else vjp(g, *saved) for p, vjp in zip(parents, node.op.vjps)]
        if hooks is not None and hooks.after and g is not None:
            pulled = run_after(hooks, parents, pulled, g, True)
        for parent, g in zip(parents, pulled):
            if parent is None:
                continue
            if kind == OUTPUT and g is not None:
                _add_piece(grads, parent, node.index, g)
            elif g is not None:
                if type(g) is not Traced:
                    g = Traced(np.asarray(g))
                data = g._data
                if data.shape != parent.shape:
                    g = _fit(node, g, parent)
                if data.dtype is not parent.dtype and data.dtype != parent.dtype:
                    g = formula.cast(g, parent.dtype)
                old = grads.get(parent)
                grads[parent] = g if old is None else gathered(old, g)
            left = counts[parent] - 1
            if left:
                counts[parent] = left
            else:
                ready.append(parent)
        if not retain_graph and node.saved and (node.versions is not None or _holds_arrays(node)):
            node.saved = None
    return found


def _walk_selected(
    ready: list[Node],
    grads: Gradients,
    counts: dict[Node, int],
    inputs: list[Node] | None,
    wanted: set[Node] | None,
    retain_graph: bool,
    create_graph: bool,
    capture: bool,
) -> Gradients:
    """The same walk for given inputs and for ``create_graph``; returns what arrived at the inputs."""
    found: Gradients = {}
    targets = frozenset(inputs or ())
    watched = bool(MODE.get() & WATCH)
    while ready:
        node = ready.pop()
        g = grads.pop(node, None)
        hooks = node.hooks
        if hooks is not None and g is not None:
            g = run_before(hooks, g, create_graph)
        if node in targets:
            found[node] = g
        if node.kind == LEAF:
            if g is not None and not capture and (inputs is None or node in targets):
                node.accumulate(g)
            continue
        if watched:
            pulled = watch.pull(_pull, node, g, wanted, create_graph)
        else:
            pulled = _pull(node, g, wanted, create_graph)
        if hooks is not None and hooks.after and g is not None:
            pulled = run_after(hooks, node.parents, pulled, g, create_graph)
        _hand_on(node, pulled, grads, counts, ready, wanted)
        if not retain_graph and node.saved and (node.versions is not None or _holds_arrays(node)):
            node.saved = None
    return found


def _holds_arrays(node: Node) -> bool:
    """Whether freeing what a node saved frees memory; a graph that saved only shapes can be walked again."""
    return (
        node.kind == CUSTOM
        or node.kind == PACKED
        or any([type(value) is ndarray for value in node.saved or ()])
    )


def _leading_to(inputs: list[Node], reached: list[Node]) -> set[Node]:
    """The nodes from which some input can be reached: follow the edges backwards from the inputs."""
    children: dict[Node, list[Node]] = {}
    for node in reached:
        for parent in node.parents:
            if parent is not None:
                children.setdefault(parent, []).append(node)
    wanted = set(inputs)
    stack = list(inputs)
    while stack:
        for child in children.get(stack.pop(), ()):
            if child not in wanted:
                wanted.add(child)
                stack.append(child)
    return wanted


def _pull(node: Node, g: Any, wanted: set[Node] | None, create_graph: bool) -> Any:
    """The gradients of a node's parents, aligned with them; None where none is wanted or defined."""
    parents = node.parents
    if g is None or (wanted is not None and not any([p in wanted for p in parents])):
        return (None,) * len(parents)
    if node.kind == OUTPUT:
        return (g,)
    saved = _unchanged(node)
    op = node.op
    if isinstance(node, ManyNode):
        g = tuple(
            [_zeros(meta) if piece is None else piece for piece, meta in zip(g, node.outputs, strict=True)]
        )
    if node.kind == CUSTOM:
        needs = tuple([p is not None and (wanted is None or p in wanted) for p in parents])
        return node.pull(g, needs, create_graph)
    if create_graph:
        saved = lift_saved(node, saved)
    if op.joint:
        needs = tuple([p is not None and (wanted is None or p in wanted) for p in parents])
        return op.vjp(needs, g, *saved)
    if wanted is None:
        return [None if p is None else vjp(g, *saved) for p, vjp in zip(parents, op.vjps)]
    return [vjp(g, *saved) if p in wanted else None for p, vjp in zip(parents, op.vjps)]


def _unchanged(node: Node) -> Any:
    """What a node saved, if nobody has changed it."""
    saved = node.unpacked()
    for cell, version, index in node.versions or ():
        if cell.version != version:
            _raise_modified(node, cell, version, index)
    return saved


def _zeros(meta: tuple[Any, Any]) -> Any:
    return np.zeros(*meta)


def _hand_on(
    node: Node,
    pulled: Any,
    grads: Gradients,
    counts: dict[Node, int],
    ready: list[Node],
    wanted: set[Node] | None,
) -> None:
    """Give each parent its gradient, summed to its shape and cast to its dtype; note who is ready."""
    parents: Any = node.parents
    for parent, g in zip(parents, pulled, strict=True):
        if parent is None:
            continue
        if g is not None and (wanted is None or parent in wanted):
            if node.kind == OUTPUT:
                _add_piece(grads, parent, node.index, g)
            else:
                if type(g) is not ndarray and type(g) is not Traced:
                    g = np.asarray(g)
                data = g if type(g) is ndarray else g._data
                if data.shape != parent.shape:
                    g = _fit(node, g, parent)
                if data.dtype is not parent.dtype and data.dtype != parent.dtype:
                    g = formula.cast(g, parent.dtype)
                old = grads.get(parent)
                grads[parent] = g if old is None else _sum(old, g)
        left = counts[parent] - 1
        if left:
            counts[parent] = left
        else:
            ready.append(parent)


def _add(grads: Gradients, node: Node, g: Any) -> None:
    """Add a gradient to those that have already arrived at a node."""
    old = grads.get(node)
    grads[node] = g if old is None else _sum(old, g)


def _sum(a: Any, b: Any) -> Any:
    out = a + b
    return out if type(out) is ndarray or type(out) is Traced else np.asarray(out)


def _add_piece(grads: Gradients, node: ManyNode, index: int, g: Any) -> None:
    """The gradient of one of several outputs takes its place among its siblings."""
    pieces = grads.get(node)
    if pieces is None:
        pieces = grads[node] = [None] * len(node.outputs)
    pieces[index] = g


def _fit(node: Node, g: Any, parent: Node) -> Any:
    """Sum a gradient over what broadcasting repeated."""
    try:
        return formula.sum_to(g, parent.shape)
    except (ValueError, IndexError):
        raise ShapeError(
            f"Function {node.name()} returned an invalid gradient: got {list(g.shape)} but expected shape "
            f"compatible with {list(parent.shape)}"
        ) from None


def _raise_modified(node: Node, cell: Any, version: int, index: int) -> None:
    value = node.saved[index] if node.saved is not None else None
    shape = list(value.shape) if type(value) is ndarray else []
    kind = value.dtype.name if type(value) is ndarray else "value"
    recorded = (node.extra or {}).get("place")
    saver = (
        f" at {show(recorded[-1])}" if recorded else " (torch.autograd.detect_anomaly() tells in which line)"
    )
    raise GradError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[{kind} {shape}], saved by {node.name()} as {node.op.saves[index]!r}{saver}, was last changed by "
        f"{cell.writer} at {show(cell.place)}; it is at version {cell.version}; expected version {version} "
        f"instead. Remedy: use the out-of-place form of {cell.writer}, or change a clone()."
    )
