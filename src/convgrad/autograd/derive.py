"""``backward`` and ``grad``: from tensors to the engine and back."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ..errors import GradError
from ..graph import engine
from ..graph.grad_mode import MODE, WATCH
from ..graph.node import CUSTOM
from ..ops.shape import Stack as STACK
from ..tensor import dual
from ..tensor.methods.grad import root, run_backward
from ..tensor.tensor import Tensor, from_traced
from .edge import edge_root, is_edge, target

_ONLY_INPUTS = (
    "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient for "
    "other parts of the graph, please use torch.autograd.backward."
)


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
    if not outputs:
        return
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
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """Gradients of ``outputs`` with respect to ``inputs``, as a tuple; no ``.grad`` is touched.

    Args:
        outputs: a tensor or a sequence of them.
        inputs: tracked tensors, leaves or not; one, or any iterable of them, as ``module.parameters()``.
        grad_outputs: cotangents of the outputs; None for outputs of one element.
        retain_graph: keep the graph; None means create_graph.
        create_graph: the gradients are themselves tracked, for higher derivatives.
        only_inputs: accepted and ignored, as in PyTorch; False is warned about.
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
    if not only_inputs:
        warnings.warn(_ONLY_INPUTS, FutureWarning, stacklevel=2)
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
            kind = type(tensor).__name__
            raise GradError(
                f"all inputs have to be Tensors or GradientEdges, but got {kind} (element {index})"
            )
    if dual.stand_ins:
        node = dual.batch_of(*results)
        if node is not None:
            options = {
                "retain_graph": retain_graph, "create_graph": create_graph, "allow_unused": allow_unused,
                "is_grads_batched": is_grads_batched, "materialize_grads": materialize_grads,
            }  # fmt: skip
            inside: tuple[Any, ...] = node.differentiate(grad, (results, wanted, cotangents), options)
            return inside
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
    """One walk for all entries of the cotangents' leading dimension; one each where users look on."""
    given = [c for c in cotangents if c is not None]
    if len(given) < len(outputs) or not all([c._data.ndim for c in given]):
        raise GradError(
            "grad: with is_grads_batched=True every output needs a grad_output with a batch dimension"
        )
    count = given[0]._data.shape[0]
    edges = any(map(is_edge, (*outputs, *inputs)))
    if count and not edges and not dual.is_open() and not _watched([t._node for t in outputs]):
        walk = importlib.import_module("convgrad.autograd.batched_walk")
        found = walk.gradients(outputs, inputs, cotangents, retain, create_graph)
    else:
        rows = [
            grad(
                outputs, inputs, [c[i] for c in given], retain or i + 1 < count, create_graph,
                allow_unused=True,
            )
            for i in range(count)
        ]  # fmt: skip
        if not rows:
            return tuple([_row_result(t, None, 0, True, True) for t in inputs])
        found = [None if column[0] is None else stack_rows(column) for column in zip(*rows, strict=True)]
    return tuple(
        [_row_result(t, g, count, allow_unused, materialize) for t, g in zip(inputs, found, strict=True)]
    )


def _row_result(tensor: Any, g: Any, count: int, allow_unused: bool | None, materialize: bool) -> Any:
    if g is None and materialize:
        like = tensor.node if is_edge(tensor) else tensor._data
        return Tensor(np.zeros((count, *like.shape), like.dtype), None)
    return _result(tensor, None, None, allow_unused, False) if g is None else g


def _watched(nodes: Sequence[Any]) -> bool:
    """Whether a hook or a ``Function`` of the user lies on the way, or anomaly mode looks on."""
    if MODE.get() & WATCH:
        return True
    seen, stack = set(nodes), list(nodes)
    for node in stack:
        if node.hooks is not None or node.kind == CUSTOM:
            return True
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return False


def stack_rows(rows: Sequence[Any]) -> Any:
    """Tensors of one shape along a new first dimension."""
    first = rows[0].unsqueeze(0)
    return first._apply(STACK, tuple(rows), (0,))


def _sequence(value: Any) -> tuple[Any, ...]:
    """One tensor or edge as a tuple, else what the iterable gives, as ``module.parameters()``."""
    return (value,) if isinstance(value, Tensor) or is_edge(value) else tuple(value)


__all__ = ["backward", "grad", "stack_rows"]
