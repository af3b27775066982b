"""Values under ``vmap`` as the tensors of all samples, and back: what derivatives work on.

Samples do not touch each other, so that the gradient of the tensor of all samples holds each sample's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph.node import LEAF
from ..ops import shape
from ..tensor import dual
from ..tensor.tensor import Tensor, apply, from_traced, to_traced
from . import tree
from .batching import BatchNode, Level, batched


def strip(x: Tensor, levels: Sequence[Level]) -> Tensor:
    """The tensor of all samples of all ``levels``, the innermost level's batch behind the outer ones'.

    Batches of levels further in stay.
    """
    node = x._node
    if isinstance(node, BatchNode) and node.level not in levels and levels:
        every = strip(node.value, levels)
        n = len(levels)
        return batched(_permuted(every, (n, *range(n), *range(n + 1, every._data.ndim))), node.level)
    for level in reversed(levels):
        node = x._node
        if isinstance(node, BatchNode) and node.level is level:
            x = node.value
        else:
            x = apply(shape.Expand, (x,), ((level.size, *x._data.shape),))
    return x


def dress(x: Tensor, levels: Sequence[Level]) -> Tensor:
    """The inverse of ``strip``."""
    node = x._node
    if isinstance(node, BatchNode) and levels:
        n = len(levels)
        every = node.value
        inner = dress(_permuted(every, (*range(1, n + 1), 0, *range(n + 1, every._data.ndim))), levels)
        return batched(inner, node.level)
    for level in levels:
        x = batched(x, level)
    return x


def _permuted(x: Tensor, order: tuple[int, ...]) -> Tensor:
    return apply(shape.Permute, (x,), (order,))


def fresh(x: Tensor) -> Tensor:
    """A variable to differentiate by: within the caller's graph if x has one, else a new leaf."""
    if x.requires_grad:
        return apply(shape.Alias, (x,), ((...,),))
    leaf = x.detach()
    leaf._node = None
    leaf.requires_grad_()
    dual.copy_tangents(x, leaf)
    return leaf


def settled(results: Sequence[Tensor], own: Sequence[Tensor], recording: bool = True) -> list[Tensor]:
    """Results without history, unless it leads to something else than our own variables.

    ``recording`` says whether the caller records; if not, there is no history in any case.
    """
    if not recording:
        return [forgotten(r) for r in results]
    mine = {dual.primal_node(x) for x in own}
    return [r if _leads_elsewhere(r._node, mine) else forgotten(r) for r in results]


def settled_aux(aux: Any, own: Sequence[Tensor], recording: bool = True) -> Any:
    """The tensors of a nest likewise."""
    return tree.fmap(lambda x: settled([x], own, recording)[0] if isinstance(x, Tensor) else x, aux)


def forgotten(x: Tensor) -> Tensor:
    """A tensor without its place in the reverse graph; tangents and batches stay."""
    node = x._node
    if node is None:
        return x
    if isinstance(node, BatchNode):
        return batched(forgotten(node.value), node.level)
    return from_traced(dual.forget_history(to_traced(x)))


def _leads_elsewhere(node: Any, mine: set[Any]) -> bool:
    seen: set[Any] = set()
    stack = [node]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.kind == LEAF and node not in mine:
            return True
        stack.extend(node.parents)
        stack.append(getattr(getattr(node, "tangent", None), "_node", None))
        stack.append(getattr(getattr(node, "value", None), "_node", None))
    return False
