"""``Traced``: an array with a place in the graph, shaped like NumPy, for formulas alone (ruling R1).

Under ``create_graph=True``, in forward mode and in higher derivatives, formulas receive these in
place of arrays. Its methods are those that ``ops/formula.py`` calls; users never meet one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from ..dtypes import Array
from ..ops import elementwise as ew
from ..ops import matmul, reduce, shape
from ..ops.op import OUT, Op, Saved
from .node import Cell, Node, attach

#: kind of a node that stands beside the graph and is told of every operation (forward mode, vmap)
TRANSFORM = 4


class Traced:
    """An array, the node that made it (None: a constant) and the version cell of its storage."""

    __slots__ = ("_data", "_node", "_cell")

    #: let ndarray's operators step back in favour of ours
    __array_ufunc__ = None

    def __init__(self, data: Array, node: Node | None = None, cell: Cell | None = None) -> None:
        self._data = data
        self._node = node
        self._cell = cell

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy dtype of the value."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """Number of axes of the value."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """Number of elements of the value."""
        return self._data.size

    def __record__(self, op: type[Op], args: tuple[Any, ...]) -> Any:
        """Apply an operator to arguments of which at least one is Traced, and record the call."""
        count = len(op.inputs)
        return record(op, args[:count], args[count:])

    def __record_many__(self, op: type[Op], values: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
        """The same for an operator that takes a tuple of arrays."""
        return record(op, values, params)

    def _binary(op: type[Op], reflected: bool = False) -> Callable[[Any, Any], Any]:  # type: ignore[misc]
        def method(self: Traced, other: Any) -> Any:
            return record(op, (other, self) if reflected else (self, other), ())

        return method

    __add__, __radd__ = _binary(ew.Add), _binary(ew.Add, True)
    __sub__, __rsub__ = _binary(ew.Sub), _binary(ew.Sub, True)
    __mul__, __rmul__ = _binary(ew.Mul), _binary(ew.Mul, True)
    __truediv__, __rtruediv__ = _binary(ew.Div), _binary(ew.Div, True)
    __pow__, __rpow__ = _binary(ew.Pow), _binary(ew.Pow, True)
    __matmul__, __rmatmul__ = _binary(matmul.MatMul), _binary(matmul.MatMul, True)
    del _binary

    def __neg__(self) -> Any:
        return record(ew.Neg, (self,), ())

    # Comparisons are constants to a derivative: they give bare boolean arrays.
    def __gt__(self, other: Any) -> Any:
        return self._data > _bare(other)

    def __lt__(self, other: Any) -> Any:
        return self._data < _bare(other)

    def __ge__(self, other: Any) -> Any:
        return self._data >= _bare(other)

    def __le__(self, other: Any) -> Any:
        return self._data <= _bare(other)

    def __eq__(self, other: object) -> Any:
        return self._data == _bare(other)

    def __ne__(self, other: object) -> Any:
        return self._data != _bare(other)

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, key: Any) -> Any:
        return record(shape.Index, (self,), (key,))

    # What ops/formula.py calls.
    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Sum over axes (None: all)."""
        return record(reduce.Sum, (self,), (_axes(axis, self.ndim), keepdims))

    def reshape(self, *new: Any) -> Any:
        """The same elements in another shape."""
        return record(shape.Reshape, (self,), new if isinstance(new[0], tuple) else (new,))

    def permute(self, axes: tuple[int, ...]) -> Any:
        """Axes in another order."""
        return record(shape.Permute, (self,), (axes,))

    def swap_last(self) -> Any:
        """The last two axes exchanged."""
        return record(shape.Transpose, (self,), (self.ndim - 2, self.ndim - 1))

    def broadcast_to(self, target: tuple[int, ...]) -> Any:
        """Repeated up to a larger shape."""
        return record(shape.Expand, (self,), (target,))

    def where(self, condition: Any, a: Any, b: Any) -> Any:
        """a where the condition holds, else b; at least one of them is recorded."""
        return record(ew.Where, (a, b), (_bare(condition),))

    def conj(self) -> Any:
        """The complex conjugate."""
        return record(ew.Conj, (self,), ())

    def cast(self, dtype: np.dtype[Any]) -> Any:
        """The value in another dtype."""
        return record(shape.Cast, (self,), (dtype,))


def _bare(value: Any) -> Any:
    return value._data if type(value) is Traced else value


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    return axis if isinstance(axis, tuple) else (axis,)


def record(op: type[Op], values: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    """Run ``op`` and record it; Traced values are inputs of the graph, everything else is constant."""
    handles = tuple([v if type(v) is Traced else None for v in values])
    nodes = [h._node for h in handles if h is not None and h._node is not None]
    top: Any = None
    for node in nodes:
        if node.kind == TRANSFORM and (top is None or node.rank > top.rank):
            top = node
    if top is not None:
        done = top.run(op, values, params)
        if done is not NotImplemented:
            return _traced(done)
    arrays = [v._data if type(v) is Traced else v for v in values]
    out, saved = op.forward(tuple(arrays), *params) if op.variadic else op.forward(*arrays, *params)
    result: Any
    if op.several:
        result = tuple([Traced(o) for o in out])
    else:
        result = Traced(out if type(out) is ndarray else np.asarray(out))
    if top is not None:
        top.push(op, handles, arrays, result, saved, True)
    elif nodes and op.traceable:
        attach(op, handles, result, saved)
    return result


def _traced(value: Any) -> Any:
    """Handles as Traced values."""
    if type(value) is tuple:
        return tuple([_traced(v) for v in value])
    return Traced(value._data, value._node, value._cell)


def _arrays(saved: Saved) -> Saved:
    """Saved values with NumPy scalars, which 0-d operations leave behind, as 0-d arrays (R4)."""
    return tuple([np.asarray(v) if isinstance(v, np.generic) else v for v in saved])


def lift_saved(node: Node, saved: Saved) -> Saved:
    """A node's saved values with inputs and outputs put back into the graph, for higher derivatives."""
    op = node.op
    cells = {index: cell for cell, _, index in node.versions or ()}
    lifted: list[Any] = []
    for index, (value, role) in enumerate(zip(_arrays(saved), op.roles, strict=True)):
        if type(value) is not ndarray or role < OUT:
            lifted.append(value)
        else:
            parent = (node.extra or {}).get("dual", node) if role == OUT else node.parents[role]
            lifted.append(Traced(value, parent, cells.get(index)))
    return op.relift(*lifted) if op.relift is not None else tuple(lifted)


__all__ = ["TRANSFORM", "Traced", "lift_saved", "record"]
