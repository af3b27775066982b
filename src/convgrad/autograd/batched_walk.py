"""One backward for many cotangents: the graph is walked once, with the cotangents as a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from ..func.batching import batch_value, batched
from ..func.vmap import level_of
from ..func.whole import expanded
from ..graph import engine
from ..graph.traced import Traced
from ..tensor.tensor import Tensor


def gradients(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], cotangents: Sequence[Tensor], retain: bool,
    create_graph: bool,
) -> list[Any]:  # fmt: skip
    """The gradients for each row of the cotangents, rows first; None for what the outputs do not depend on.

    Args:
        outputs: tracked tensors.
        inputs: tracked tensors, leaves or not.
        cotangents: one per output, of its shape behind a dimension of rows.
        retain, create_graph: as in ``grad``.
    Raises:
        ShapeError: a cotangent of another shape.
    """
    count = cotangents[0]._data.shape[0]
    with level_of(count, "same", private=True) as level:
        roots: list[Any] = []
        for i, (out, c) in enumerate(zip(outputs, cotangents, strict=True)):
            if c._data.shape != (count, *out._data.shape):
                raise ShapeError(
                    "If `is_grads_batched=True`, we interpret the first dimension of each "
                    "grad_output as the batch "
                    f"dimension. The sizes of the remaining dimensions are expected to match the shape of "
                    f"corresponding output, but a mismatch was detected: grad_output[{i}] has a shape of "
                    f"{list(c._data.shape)} and output[{i}] has a shape of {list(out._data.shape)}."
                )
            row = batched(c.to(out.dtype), level)
            roots.append((out._node, Traced(row._data, row._node)))
        nodes: list[Any] = [t._node for t in inputs]
        found = engine.run(roots, retain_graph=retain, create_graph=create_graph, inputs=nodes, capture=True)
        return [_rows(found.get(node), level) for node in nodes]


def _rows(g: Any, level: Any) -> Any:
    if g is None:
        return None
    value = batch_value(g, level)
    return expanded(value, level.size)
