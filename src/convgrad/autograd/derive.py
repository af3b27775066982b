"""``backward`` and ``grad``: from tensors to the engine and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ..errors import GradError
from ..graph import engine
from ..ops.shape import Stack as STACK
from ..tensor import dual
from ..tensor.methods.grad import root, run_backward
from ..tensor.tensor import Tensor, from_traced
from .edge import edge_root, is_edge, target


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of ``tensors`` to the ``.grad`` of the leaves they came from.

    Args:
        tensors: a tensor or a sequence of them, each tracked.
        grad_tensors: their cotangents; None for tensors of one element.
        retain_graph, create_graph, inputs: as in ``Tensor.backward``.
        grad_variables: an old name of grad_tensors.
    """
    outputs = _sequence(tensors)
    given = grad_tensors if grad_tensors is not None else grad_variables
    cotangents = (None,) * len(outputs) if given is None else _sequence(given)
    if len(cotangents) != len(outputs):
        raise GradError(f"got {len(outputs)} tensors and {len(cotangents)} gradients")
    if any(map(is_edge, outputs)):
        retain = create_graph if retain_graph is None else retain_graph
        roots = [
            _root(t, g, i, create_graph) for i, (t, g) in enumerate(zip(outputs, cotangents, strict=True))
        ]
        if inputs is not None:
            raise NotImplementedError("backward from edges to given inputs: use autograd.grad")
        engine.run(roots, retain_graph=retain, create_graph=create_graph)
        return
    run_backward(outputs, cotangents, retain_graph, create_graph, inputs)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """Gradients of ``outputs`` with respect to ``inputs``, as a tuple; no ``.grad`` is touched.

    Args:
        outputs: a tensor or a sequence of them.
        inputs: tracked tensors, leaves or not.
        grad_outputs: cotangents of the outputs; None for outputs of one element.
        retain_graph: keep the graph; None means create_graph.
        create_graph: the gradients are themselves tracked, for higher derivatives.
        allow_unused: give None, rather than an error, for an input the outputs do not depend on.
        is_grads_batched: the cotangents carry a leading batch dimension; so do the gradients.
        materialize_grads: give zeros instead of None.
    Example:
        >>> x = Tensor([3.0]).requires_grad_()
        >>> grad(x * x, x)
        (tensor([6.]),)
    """
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True")
    results, wanted = _sequence(outputs), _sequence(inputs)
    if not wanted:
        raise GradError("`inputs` argument to `grad()` cannot be empty.")
    cotangents = (None,) * len(results) if grad_outputs is None else _sequence(grad_outputs)
    if len(cotangents) != len(results):
        raise GradError(f"got {len(results)} tensors and {len(cotangents)} gradients")
    retain = create_graph if retain_graph is None else retain_graph
    for index, tensor in enumerate(wanted):
        if isinstance(tensor, Tensor):
            if not tensor.requires_grad:
                raise GradError("One of the differentiated Tensors does not require grad")
        elif not is_edge(tensor):
            raise TypeError(f"inputs can be Tensors only, but element {index} is {type(tensor).__name__}")
    if is_grads_batched:
        return _batched(results, wanted, cotangents, retain, create_graph, allow_unused, materialize_grads)
    # in a forward-mode level the walk is recorded, since only recorded values carry tangents along
    record = create_graph or dual.is_open()
    roots = [_root(t, cotangents[i], i, record) for i, t in enumerate(results)]
    targets = [target(t) for t in wanted]
    nodes: list[Any] = [node for node, _ in targets]
    found = engine.run(roots, retain_graph=retain, create_graph=record, inputs=nodes, capture=True)
    if record and not create_graph:
        found = {node: dual.forget_history(g) for node, g in found.items()}
    return tuple(
        [
            Tensor(g, None) if type(g) is ndarray else _result(t, g, piece, allow_unused, materialize_grads)
            for t, g, (_, piece) in zip(wanted, map(found.get, nodes), targets)
        ]
    )


def _root(output: Any, cotangent: Any, index: int, record: bool) -> Any:
    return (edge_root if is_edge(output) else root)(output, cotangent, index, record)


def _result(tensor: Any, g: Any, piece: int | None, allow_unused: bool | None, materialize: bool) -> Any:
    if piece is not None and g is not None:
        g = g[piece]
    if g is not None:
        return from_traced(g)
    like = tensor.node if is_edge(tensor) else tensor._data
    if materialize:
        return Tensor(np.zeros(like.shape, like.dtype), None)
    if not allow_unused:
        raise GradError(
            "One of the differentiated Tensors appears to not have been used in the graph. Set "
            f"allow_unused=True if this is the desired behavior. (its shape is {list(like.shape)})"
        )
    return None


def _batched(
    outputs: Sequence[Any], inputs: Sequence[Any], cotangents: Sequence[Any], retain: bool,
    create_graph: bool, allow_unused: bool | None, materialize: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """One walk per entry of the cotangents' leading dimension."""
    count = cotangents[0].shape[0]
    rows = [
        grad(outputs, inputs, [None if c is None else c[i] for c in cotangents], retain or i + 1 < count,
             create_graph, allow_unused, False, materialize)
        for i in range(count)
    ]  # fmt: skip
    return tuple([None if column[0] is None else stack_rows(column) for column in zip(*rows, strict=True)])


def stack_rows(rows: Sequence[Any]) -> Any:
    """Tensors of one shape along a new first dimension."""
    first = rows[0].unsqueeze(0)
    return first._apply(STACK, tuple(rows), (0,))


def _sequence(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) and not is_edge(value) else (value,)


__all__ = ["backward", "grad", "stack_rows"]
