"""Forward mode: a dual tensor carries a tangent, and every operator pushes tangents through its jvp.

A dual tensor's node is a ``DualNode``: transparent to reverse mode (it hands gradients on to the
primal's node), with the tangent beside it. While a level is open the mode has its DUAL bit, which
sends every operation through ``push``; outside a level nothing here costs anything.
"""

from __future__ import annotations

from typing import Any

from ..dtypes import Array
from ..graph.node import Node, attach
from ..graph.traced import Traced
from ..ops import formula
from ..ops.op import OUT, Linear, Op, Saved


class Identity(Linear):
    """x itself."""

    backward_name = "AliasBackward0"

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[()]]:
        return x, ()

    @staticmethod
    def vjp_x(g: Any) -> Any:
        return g


class DualNode(Node):
    """The place of a dual tensor: the node of its primal (or None) and its tangent."""

    __slots__ = ("tangent", "level")

    dual = True

    def __init__(self, primal: Node | None, tangent: Any, level: int, shape: Any, dtype: Any) -> None:
        super().__init__(Identity, (primal,), (), None, shape, dtype)
        self.tangent = tangent
        self.level = level


def primal_node(handle: Any) -> Node | None:
    """The reverse-mode node behind a handle, whether or not it is dual."""
    node = handle._node
    return node.parents[0] if type(node) is DualNode else node


def push(
    op: type[Op], handles: tuple[Any, ...], arrays: list[Any], result: Any, saved: Saved, recording: bool
) -> None:
    """Record a call for reverse mode if wanted, and hang the tangent of its result on the result."""
    if not op.differentiable():
        return
    plain = tuple([None if h is None else Traced(h._data, primal_node(h), h._cell) for h in handles])
    if recording and any([p is not None and p._node is not None for p in plain]):
        attach(op, plain, result, saved)
    duals = [None if h is None or type(h._node) is not DualNode else h._node for h in handles]
    levels = [d.level for d in duals if d is not None]
    if not levels:
        return
    tangents = tuple([None if d is None else d.tangent for d in duals])
    pushed = tangent_of(op, tangents, plain, arrays, result, saved)
    outputs = (result,) if not op.several else result if op.primary is None else (result[op.primary],)
    for out, tangent in zip(outputs, pushed if op.several and op.primary is None else (pushed,), strict=True):
        node = out._node
        shape, dtype = out._data.shape, out._data.dtype
        if tangent.shape != shape:
            tangent = formula.broadcast_to(tangent, shape)
        if tangent.dtype != dtype:
            tangent = formula.cast(tangent, dtype)
        out._node = DualNode(node, tangent, max(levels), shape, dtype)


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
        elif role == OUT:
            lifted.append(Traced(value, result._node, result._cell))
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
