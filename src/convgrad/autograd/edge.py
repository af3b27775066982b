"""Edges of the graph: places where ``grad`` and ``backward`` may begin and end, without a tensor."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import GradError, ShapeError
from ..graph.node import OUTPUT, Idle, ManyNode, Node, Output
from ..graph.traced import Traced
from ..tensor.tensor import Tensor


class GradientEdge(NamedTuple):
    """A place in the graph that a gradient arrives at: output ``output_nr`` of ``node``."""

    node: Node
    output_nr: int
    #: keeps alive what the edge leads to
    ownership_token: Any = None


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """The edge through which a tensor's gradient comes; ``grad`` and ``backward`` take it in its place.

    Raises:
        GradError: the tensor is not tracked.
    Example:
        >>> x = Tensor([2.0]).requires_grad_()
        >>> get_gradient_edge(x * x).node.name()
        'MulBackward0'
    """
    if not isinstance(tensor, Tensor) or not tensor.requires_grad:
        raise GradError(
            "It is not possible to get the gradient edge for a Tensor that does not require gradients"
        )
    node: Any = tensor._node
    if node.dual:
        node = node.parents[0]
    if node.kind == OUTPUT:
        return GradientEdge(node.parents[0], node.index, node)
    return GradientEdge(node, 0, node)


def is_edge(value: Any) -> bool:
    """Whether a value is a ``GradientEdge`` rather than a tensor or a sequence."""
    return type(value) is GradientEdge


def target(wanted: Any) -> tuple[Any, int | None]:
    """The node to catch a gradient at, and which piece of it, for a tensor or an edge."""
    if not is_edge(wanted):
        node = wanted._node
        return Idle(wanted._data) if type(node) is Idle else node, None  # what no walk can come to
    if isinstance(wanted.ownership_token, Node):
        return wanted.ownership_token, None
    if isinstance(wanted.node, ManyNode):
        return wanted.node, wanted.output_nr
    return wanted.node, None


def edge_root(edge: GradientEdge, gradient: Any, index: int, recorded: bool) -> tuple[Node, Any]:
    """Where a backward from an edge starts, and with which cotangent.

    Raises:
        GradError: no cotangent for an edge of more than one element.
        ShapeError: a cotangent of another shape.
    """
    node: Any = edge.ownership_token if isinstance(edge.ownership_token, Node) else edge.node
    if isinstance(node, ManyNode):
        node = Output(node, edge.output_nr)
    if gradient is None:
        if int(np.prod(node.shape)) != 1:
            raise GradError(
                f"grad can be implicitly created only for scalar outputs, but edge {index} has shape "
                f"{list(node.shape)}: pass its gradient"
            )
        g = np.ones(node.shape, node.dtype)
        return node, Traced(g) if recorded else g
    if gradient._data.shape != node.shape:
        raise ShapeError(
            f"Mismatch in shape: grad_output[{index}] has a shape of {list(gradient._data.shape)} and "
            f"output[{index}] has a shape of {list(node.shape)}."
        )
    return node, Traced(gradient._data, gradient._node, gradient._cell) if recorded else gradient._data


__all__ = ["GradientEdge", "edge_root", "get_gradient_edge", "is_edge", "target"]
