"""Forward mode: a dual tensor carries a tangent, and every operator pushes tangents through its jvp.

A dual tensor's node is a ``DualNode``: transparent to reverse mode (it hands gradients on to the
primal's node), with the tangent beside it. While a level is open the mode has its DUAL bit, which
sends every operation through ``push``; outside a level nothing here costs anything. Recorded nodes
keep the ``DualNode`` as parent, so that a backward inside the level lifts saved values as duals and
its gradients have tangents too (forward over reverse); a jvp formula gets primals alone, so that
tangents depend on the primal's graph (reverse over forward). ``vmap`` comes in by the same door,
with a ``TransformNode`` of its own.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any, ClassVar

from ..dtypes import Array
from ..errors import ConvgradError
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

    def call_function(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a user's ``Function`` under this transformation; NotImplemented leaves it to ``Function``."""
        return NotImplemented


class DualNode(TransformNode):
    """The place of a dual tensor: the node of its primal (or None) and its tangent."""

    __slots__ = ()

    rank = 1

    def __init__(self, primal: Node | None, tangent: Any, shape: Any, dtype: Any) -> None:
        super().__init__(primal, shape, dtype)
        self.tangent = tangent
        _level.nodes.append(weakref.ref(self))

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


class _Level(threading.local):
    """The forward-mode level of this thread: whether it is open, and what it has to clear at its end."""

    def __init__(self) -> None:
        self.open = False
        self.nodes: list[weakref.ref[DualNode]] = []
        self.tensors: list[weakref.ref[Any]] = []


_level = _Level()


def is_open() -> bool:
    """Whether a forward-mode level is open in this thread."""
    return _level.open


def open_level() -> None:
    """Begin to follow tangents."""
    _level.open = True


def close_level() -> None:
    """End the level: what was dual becomes ordinary, its tangent is forgotten."""
    _level.open = False
    for ref in _level.nodes:
        node = ref()
        if node is not None:
            node.tangent = None
            if node.parents[0] is not None and node.parents[0].extra is not None:
                node.parents[0].extra.pop("dual", None)
    for tensor_ref in _level.tensors:
        tensor = tensor_ref()
        if tensor is not None and type(tensor._node) is DualNode:
            tensor._node = tensor._node.parents[0]
    _level.nodes.clear()
    _level.tensors.clear()


def place(handle: Any, tangent: Any) -> None:
    """Make a handle dual: its node, tangent beside it."""
    node = handle._node
    made = DualNode(node, tangent, handle._data.shape, handle._data.dtype)
    if node is not None and node.kind in (OPERATION, OUTPUT, PACKED):
        node.extra = {**(node.extra or {}), "dual": made}
    handle._node = made
    if type(handle) is not Traced:
        _level.tensors.append(weakref.ref(handle))


def forget_history(value: Any) -> Any:
    """A recorded value with its tangent but without its place in the reverse graph."""
    if type(value) is not Traced:
        return value
    out = Traced(value._data, None, value._cell)
    if type(value._node) is DualNode and value._node.tangent is not None:
        tangent = value._node.tangent
        place(out, Traced(tangent._data if type(tangent) is Traced else tangent))
    return out


#: per running ``vmap``: the ids of the arrays that stand for a whole batch (see ``func/batching.py``)
stand_ins: dict[int, dict[int, Any]] = {}


def checked(result: Any, op: type[Op], params: tuple[Any, ...]) -> Any:
    """The result of a call without tracked inputs; refused if a parameter stands for a batch.

    Raises:
        ConvgradError: the result would hold one sample's values for all samples of a ``vmap``.
    """
    flat = [v for p in params for v in (p if isinstance(p, tuple) else (p,))]
    if any([id(v) in known for known in tuple(stand_ins.values()) for v in flat]):
        raise ConvgradError(
            f"vmap: {op.__name__} of tensors that are the same for every sample, by a mask or an index that "
            "is not, is not supported yet: pass those tensors through vmap as well (in_dims=0, expanded)"
        )
    return result


def primal_node(handle: Any) -> Node | None:
    """The reverse-mode node behind a handle, whether or not it is dual."""
    node: Node | None = handle._node
    return node.parents[0] if type(node) is DualNode else node


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
    """``DualNode.push``."""
    if not op.traceable:
        return
    if recording and any([h is not None and primal_node(h) is not None for h in handles]):
        attach(op, handles, result, saved)
    duals = [None if h is None or type(h._node) is not DualNode else h._node for h in handles]
    tangents = tuple([None if d is None else d.tangent for d in duals])
    if all([t is None for t in tangents]):
        return
    plain = tuple([None if h is None else Traced(h._data, primal_node(h), h._cell) for h in handles])
    pushed = tangent_of(op, tangents, plain, list(arrays), result, saved)
    outputs = (result,) if not op.several else result if op.primary is None else (result[op.primary],)
    for out, tangent in zip(outputs, pushed if op.several and op.primary is None else (pushed,), strict=True):
        shape, dtype = out._data.shape, out._data.dtype
        if tangent.shape != shape:
            tangent = formula.broadcast_to(tangent, shape)
        if tangent.dtype != dtype:
            tangent = formula.cast(tangent, dtype)
        place(out, tangent)


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
