"""``Traced``: an array with a place in the graph, shaped like NumPy, for formulas alone (ruling R1).

Under ``create_graph=True``, in forward mode and in higher derivatives, formulas receive these in
place of arrays. Its methods are those that ``ops/formula.py`` calls; users never meet one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from ..dtypes import F32, F64, Array
from ..ops import elementwise as ew
from ..ops import formula, matmul, reduce, shape
from ..ops.formula import AS_ARRAY
from ..ops.op import CONSTANT, OUTS, Op, Saved, Ufunc
from .grad_mode import MODE, RECORD
from .node import Cell, ManyNode, Node, attach, cell_of, snapshot

#: kind of a node that stands beside the graph and is told of every operation (forward mode, vmap)
TRANSFORM = 4


_mode = MODE.get


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

    def _ufunc(op: type[Ufunc], rest: Any = None) -> Callable[[Any, Any], Any]:  # type: ignore[misc]
        """Two recorded float values of one dtype, as most are, in one closure; ``rest`` serves all others."""
        rest = rest or (lambda a, b: record(op, (a, b), ()))
        ufunc = op.ufunc
        saves = bool(op.saves)
        keep_a, keep_b, keep_both = [op.plan(n)[1] for n in ((True, False), (False, True), (True, True))]

        def method(self: Traced, other: Any) -> Any:
            a: Any = self._data
            dtype = a.dtype
            if type(other) is not Traced or (dtype is not F32 and dtype is not F64) or _mode() != RECORD:
                return rest(self, other)
            b: Any = other._data
            na, nb = self._node, other._node
            if (
                b.dtype is not dtype
                or (na is not None and na.kind == TRANSFORM)
                or (nb is not None and nb.kind == TRANSFORM)
            ):
                return rest(self, other)
            out = ufunc(a, b, **AS_ARRAY)
            if type(out) is not ndarray:
                out = np.asarray(out)
            if na is None and nb is None:
                return Traced(out)
            if not saves:
                return Traced(out, Node(op, (na, nb), (), None, out.shape, dtype))
            keep = keep_a if nb is None else keep_b if na is None else keep_both
            versions: tuple[Any, ...] = ()
            if keep[0]:
                cell = self._cell or cell_of(self)
                versions = ((cell, cell.version, 0) if not cell.inference else snapshot(cell, 0),)
            else:
                a = None
            if keep[1]:
                cell = other._cell or cell_of(other)
                versions += ((cell, cell.version, 1) if not cell.inference else snapshot(cell, 1),)
            else:
                b = None
            return Traced(out, Node(op, (na, nb), (a, b), versions, out.shape, dtype))

        return method

    __add__, __radd__ = _ufunc(ew.Add), _binary(ew.Add, True)
    __sub__, __rsub__ = _ufunc(ew.Sub), _binary(ew.Sub, True)
    __mul__, __rmul__ = _ufunc(ew.Mul), _binary(ew.Mul, True)
    __truediv__, __rtruediv__ = _ufunc(ew.Div), _binary(ew.Div, True)
    __pow__, __rpow__ = _binary(ew.Pow), _binary(ew.Pow, True)
    __matmul__, __rmatmul__ = _binary(matmul.MatMul), _binary(matmul.MatMul, True)
    #: ``self * conj(other)``
    times = _ufunc(ew.Mul, lambda a, b: a * formula.conj(b))
    del _binary, _ufunc

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


class GradientSum(Op):
    """The gradients of one value added up, in the order in which they came; no public function calls it."""

    variadic = True
    backward_name = "AddBackward0"

    @staticmethod
    def forward(values: tuple[Array, ...]) -> tuple[Array, tuple[()]]:
        out = np.add(values[0], values[1], **AS_ARRAY)
        for value in values[2:]:
            out = np.add(out, value, **AS_ARRAY)
        return np.asarray(out), ()

    @staticmethod
    def vjp(_needs: tuple[bool, ...], g: Any) -> Any:
        return (g,) * len(_needs)

    @staticmethod
    def jvp(tangents: tuple[Any, ...]) -> Any:
        return formula.call_many(GradientSum, tangents)


class Gathering(list[Traced]):
    """Gradients of one value that wait for the last of them, so that one node can add them all."""


#: larger gradients are added as they come: waiting, they would take up memory
_SMALL = 1024


def gathered(old: Any, g: Traced) -> Any:
    """A further gradient joins those that have arrived."""
    if type(old) is Gathering:
        old.append(g)
        return old
    data = g._data
    if data.size > _SMALL or (data.dtype is not F32 and data.dtype is not F64):
        return old + g
    return Gathering((old, g))


def sum_of(pieces: Gathering) -> Traced:
    """The sum of gathered gradients, recorded by one node."""
    nodes = tuple([piece._node for piece in pieces])
    for node in nodes:
        if node is not None and node.kind == TRANSFORM:
            total: Any = pieces[0]
            for piece in pieces[1:]:
                total = total + piece
            return total
    out = GradientSum.forward(tuple([piece._data for piece in pieces]))[0]
    if not any(nodes):
        return Traced(out)
    return Traced(out, Node(GradientSum, nodes, (), None, out.shape, out.dtype))


def lift_saved(node: Node, saved: Saved) -> Any:
    """A node's saved values with inputs and outputs put back into the graph, for higher derivatives."""
    op = node.op
    parents = node.parents
    lifted: list[Any] = []
    for role, value in zip(op.roles, saved):
        if type(value) is not ndarray:
            if not isinstance(value, np.generic):
                lifted.append(value)
                continue
            value = np.asarray(value)  # what a 0-d operation left behind (R4)
        if role >= 0:
            lifted.append(Traced(value, parents[role]))
        else:
            lifted.append(value if role == CONSTANT else Traced(value, _place(node, role)))
    for cell, _, index in node.versions or ():
        if type(lifted[index]) is Traced:
            lifted[index]._cell = cell
    return lifted if op.relift is None else op.relift(*lifted)


def _place(node: Node, role: int) -> Node:
    """The node of a saved result, which may be dual."""
    place = node.place(OUTS - role) if isinstance(node, ManyNode) else node
    dual: Node = (place.extra or {}).get("dual", place)
    return dual


__all__ = ["TRANSFORM", "Traced", "lift_saved", "record"]
