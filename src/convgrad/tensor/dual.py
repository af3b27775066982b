"""Forward mode: a dual tensor carries a tangent, and every operator pushes tangents through its jvp.

A dual tensor's node is a ``DualNode``: transparent to reverse mode (it hands gradients on to the
primal's node), with the tangent beside it. While a level is open the mode has its DUAL bit, which
sends every operation through ``push``; outside a level nothing here costs anything. Recorded nodes
keep the ``DualNode`` as parent, so that a backward inside the level lifts saved values as duals and
its gradients have tangents too (forward over reverse); a jvp formula gets primals alone, so that
tangents depend on the primal's graph (reverse over forward). Levels nest: a primal may be dual at
a level further out. ``vmap`` comes in by the same door, with a ``TransformNode`` of its own.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any, ClassVar

from numpy import ndarray

from ..dtypes import Array
from ..graph.node import OPERATION, OUTPUT, PACKED, Node, attach
from ..graph.traced import TRANSFORM, Traced
from ..ops import formula
from ..ops.op import CONSTANT, OUT, OUTS, Linear, Op, Saved


class Identity(Linear):
    """x itself."""

    backward_name = "AliasBackward0"

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[()]]:
        return x, ()

    @staticmethod
    def vjp_x(g: Any) -> Any:
        return g


class TransformNode(Node):
    """The place of a value that a transformation follows; the one of highest rank is told of an operation."""

    __slots__ = ("tangent",)

    kind = TRANSFORM
    dual = True
    rank: ClassVar[int] = 0

    def __init__(self, primal: Node | None, shape: Any, dtype: Any) -> None:
        super().__init__(Identity, (primal,), (), None, shape, dtype)
        self.tangent: Any = None

    def push(
        self,
        op: type[Op],
        handles: tuple[Any, ...],
        arrays: Sequence[Any],
        result: Any,
        saved: Saved,
        recording: bool,
    ) -> None:
        """Follow one call of ``op`` from its input handles to its result's."""
        raise NotImplementedError

    @property
    def primal(self) -> Node | None:
        """The node of the value without what the transformations follow."""
        return base_node(self)

    def run(self, op: type[Op], inputs: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
        """Run a call of ``op`` in place of the caller; NotImplemented leaves it to the caller."""
        return NotImplemented

    def call_function(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a user's ``Function`` under this transformation; NotImplemented leaves it to ``Function``."""
        return NotImplemented

    def differentiate(self, grad: Any, tensors: Sequence[Sequence[Any]], options: dict[str, Any]) -> Any:
        """``grad(outputs, inputs, cotangents, **options)`` of tensors that this transformation follows."""
        return NotImplemented


class Level:
    """One forward-mode level of a thread: how deep it lies, and what has to be cleared at its end."""

    __slots__ = ("depth", "nodes", "tensors", "__weakref__")

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.nodes: list[weakref.ref[DualNode]] = []
        self.tensors: list[weakref.ref[Any]] = []


class DualNode(TransformNode):
    """The place of a dual tensor: the node of its primal (or None), its tangent, and whose tangent it is.

    A primal may itself be dual, at a level further out.
    """

    __slots__ = ("level",)

    rank = 1

    def __init__(self, primal: Node | None, tangent: Any, shape: Any, dtype: Any, level: Level) -> None:
        super().__init__(primal, shape, dtype)
        self.tangent = tangent
        self.level = level
        level.nodes.append(weakref.ref(self))

    def push(
        self,
        op: type[Op],
        handles: tuple[Any, ...],
        arrays: Sequence[Any],
        result: Any,
        saved: Saved,
        recording: bool,
    ) -> None:
        """Record a call for reverse mode if wanted, and hang the tangent of its result on the result."""
        push_dual(op, handles, arrays, result, saved, recording)


class _Levels(threading.local):
    """The forward-mode levels open in this thread, outermost first."""

    def __init__(self) -> None:
        self.open: list[Level] = []


_levels = _Levels()


def is_open() -> bool:
    """Whether a forward-mode level is open in this thread."""
    return bool(_levels.open)


def open_level() -> Level:
    """Begin to follow tangents; levels nest."""
    level = Level(len(_levels.open))
    _levels.open.append(level)
    return level


def open_levels() -> tuple[Level, ...]:
    """The forward-mode levels open in this thread, outermost first."""
    return tuple(_levels.open)


def innermost() -> Level:
    """The level opened last."""
    return _levels.open[-1]


def close_level() -> None:
    """End the innermost level: what was dual at it is so no longer, its tangents are forgotten."""
    level = _levels.open.pop()
    for ref in level.nodes:
        node = ref()
        if node is not None:
            node.tangent = None
            outer = node.parents[0]
            base = base_node(outer)
            if base is not None and base.extra is not None and base.extra.get("dual") is node:
                base.extra["dual"] = outer
    for tensor_ref in level.tensors:
        tensor = tensor_ref()
        while tensor is not None and type(tensor._node) is DualNode and tensor._node.tangent is None:
            tensor._node = tensor._node.parents[0]
    level.nodes.clear()
    level.tensors.clear()


def base_node(node: Node | None) -> Node | None:
    """The reverse-mode node under all tangents."""
    while type(node) is DualNode:
        node = node.parents[0]
    return node


def below(node: Node | None, level: Level) -> Node | None:
    """A node without the tangents of ``level`` and of those within it."""
    while type(node) is DualNode and node.level.depth >= level.depth:
        node = node.parents[0]
    return node


def at(node: Any, level: Level) -> DualNode | None:
    """The node that holds the tangent of ``level``, if it has one."""
    while type(node) is DualNode:
        if node.level is level:
            return node if node.tangent is not None else None
        node = node.parents[0]
    return None


def place(handle: Any, tangent: Any, level: Level | None = None) -> None:
    """Make a handle dual at a level (None: the innermost): its node, tangent beside it."""
    level = level or innermost()
    node = handle._node
    made = DualNode(node, tangent, handle._data.shape, handle._data.dtype, level)
    base = base_node(node)
    if base is not None and base.kind in (OPERATION, OUTPUT, PACKED):
        base.extra = {**(base.extra or {}), "dual": made}
    handle._node = made
    if type(handle) is not Traced:
        level.tensors.append(weakref.ref(handle))


def copy_tangents(source: Any, target: Any, wrap: Any = None) -> None:
    """Give ``target`` the tangents of ``source``, of all levels (through ``wrap``, if given)."""
    chain, node = [], source._node
    while type(node) is DualNode:
        if node.tangent is not None:
            chain.append(node)
        node = node.parents[0]
    for node in reversed(chain):
        place(target, node.tangent if wrap is None else wrap(node.tangent), node.level)


def forget_history(value: Any) -> Any:
    """A recorded value with its tangents but without its place in the reverse graph."""
    if type(value) is not Traced:
        return value
    if isinstance(value._node, TransformNode) and type(value._node) is not DualNode:
        return value._node.forgotten()
    out = Traced(value._data, None, value._cell)
    copy_tangents(value, out, forget_history)
    return out


#: the running ``vmap`` levels of all threads; each knows the arrays that stand for a whole batch
stand_ins: dict[int, Any] = {}


def take_over(op: type[Op], inputs: Sequence[Any], params: tuple[Any, ...]) -> Any:
    """The result of a call that a ``vmap`` makes for all samples; NotImplemented if none has part in it."""
    top: Any = None
    for x in inputs:
        found = node_of(x)
        if found is not None and (top is None or found.rank > top.rank):
            top = found
    for p in params:
        found = _stand_in(p)
        if found is not None and (top is None or found.rank > top.rank):
            top = found
    return NotImplemented if top is None else top.run(op, tuple(inputs), params)


def _stand_in(param: Any) -> Any:
    """The node of the innermost batch that an array among parameters stands for."""
    if type(param) is tuple or type(param) is list:
        found = [f for f in map(_stand_in, param) if f is not None]
        return max(found, key=lambda node: node.rank) if found else None
    if type(param) is not ndarray:
        return None
    best: Any = None
    for level in tuple(stand_ins.values()):
        node = level.find(param)
        if node is not None and (best is None or node.rank > best.rank):
            best = node
    return best


def node_of(handle: Any) -> Any:
    """The transformation node of an input, also of a bare array that stands for a batch; None without one."""
    node = getattr(handle, "_node", None)
    if isinstance(node, TransformNode):
        return node
    return _stand_in(getattr(handle, "_data", handle)) if node is None and stand_ins else None


def batch_of(*values: Any) -> Any:
    """The node of the innermost ``vmap`` that one of these values is a batch of; None outside of all."""
    if not stand_ins:
        return None
    best: Any = None
    for value in values:
        node = node_of(value)
        if node is not None and type(node) is not DualNode and (best is None or node.rank > best.rank):
            best = node
    return best


def check_target(target: Any, name: str, others: Sequence[Any], params: tuple[Any, ...]) -> None:
    """Refuse to write what differs between the samples of a ``vmap`` into what does not."""
    node = batch_of(*others, params)
    if node is not None:
        node.refuse_write(target, name)


def dressed(tensor: Any) -> Any:
    """A handle in the class that its place asks for: a batched tensor has one of its own."""
    node = tensor._node
    return node.dress(tensor) if isinstance(node, TransformNode) and type(node) is not DualNode else tensor


def spread(like: Any, tensor: Any) -> Any:
    """A new tensor, with a copy for each sample if ``like`` is batched."""
    node = batch_of(like)
    return tensor if node is None else node.spread(tensor)


def adopt(tensor: Any) -> Any:
    """A new tensor, which stands for a batch if its array (drawn for all samples) does."""
    if stand_ins:
        node = _stand_in(tensor._data)
        if node is not None:
            node.dress(tensor)
    return tensor


def primal_node(handle: Any) -> Node | None:
    """The reverse-mode node behind a handle, whether or not it is dual."""
    return base_node(handle._node)


def push(
    op: type[Op], handles: tuple[Any, ...], arrays: Sequence[Any], result: Any, saved: Saved, recording: bool
) -> None:
    """Tell the highest transformation among the inputs of a call; without one, record the call."""
    top = highest(handles)
    if top is not None:
        top.push(op, handles, arrays, result, saved, recording)
    elif recording and op.traceable:
        attach(op, handles, result, saved)


def highest(handles: Sequence[Any]) -> TransformNode | None:
    """The transformation of highest rank among the inputs of a call (which need not all be tensors)."""
    top: TransformNode | None = None
    for h in handles:
        node = getattr(h, "_node", None)
        if isinstance(node, TransformNode) and (top is None or node.rank > top.rank):
            top = node
    return top


def follow(op: type[Op], handles: tuple[Any, ...], out: Array, saved: Saved) -> Node | None:
    """The node that a value ``out``, computed already by ``op``, gets under a transformation."""
    result = Traced(out)
    push(op, handles, [h._data for h in handles], result, saved, True)
    return result._node


def push_dual(
    op: type[Op], handles: tuple[Any, ...], arrays: Sequence[Any], result: Any, saved: Saved, recording: bool
) -> None:
    """``DualNode.push``: from the outermost level in: tangents have tangents of those outside."""
    if not op.traceable:
        return
    if recording and any([h is not None and primal_node(h) is not None for h in handles]):
        attach(op, handles, result, saved)
    outputs = (result,) if not op.several else result if op.primary is None else (result[op.primary],)
    for level in tuple(_levels.open):
        duals = [None if h is None else at(h._node, level) for h in handles]
        if not any(duals):
            continue
        tangents = tuple([None if d is None else d.tangent for d in duals])
        plain = tuple(
            [None if h is None else Traced(h._data, below(h._node, level), h._cell) for h in handles]
        )
        pushed = tangent_of(op, tangents, plain, list(arrays), result, saved)
        several = op.several and op.primary is None
        for out, tangent in zip(outputs, pushed if several else (pushed,), strict=True):
            shape, dtype = out._data.shape, out._data.dtype
            if tangent.shape != shape:
                tangent = formula.broadcast_to(tangent, shape)
            if tangent.dtype != dtype:
                tangent = formula.cast(tangent, dtype)
            place(out, tangent, level)


def tangent_of(
    op: type[Op],
    tangents: tuple[Any, ...],
    plain: tuple[Any, ...],
    arrays: list[Any],
    result: Any,
    saved: Saved,
) -> Any:
    """The tangent of op's result from those of its inputs (None: constant), all liftable values lifted."""
    lifted = []
    for value, role in zip(saved, op.roles, strict=True):
        if role >= 0 and plain[role] is not None:
            lifted.append(Traced(value, plain[role]._node, plain[role]._cell))
        elif role == OUT or role < CONSTANT:
            of = result if not op.several else result[op.primary or 0 if role == OUT else OUTS - role]
            lifted.append(Traced(value, of._node, of._cell))
        else:
            lifted.append(value)
    values = tuple(lifted) if op.relift is None else op.relift(*lifted)
    if hasattr(op, "jvp"):
        if op.variadic:
            zeros = [formula.zeros_like(a) for a in arrays]
            tangents = tuple([z if t is None else t for t, z in zip(tangents, zeros, strict=True)])
        return op.jvp(tangents, *values)
    total: Any = None
    for tangent, jvp in zip(tangents, op.jvps, strict=True):
        if tangent is not None:
            if jvp is None:
                raise NotImplementedError(f"{op.__name__} has no forward-mode derivative for this input")
            part = jvp(tangent, *values)
            if op.several and op.primary is None:
                return part
            total = part if total is None else total + part
    return total
