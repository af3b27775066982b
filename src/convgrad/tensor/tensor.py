"""``Tensor``: a handle on one NumPy array and a place in the graph; how operators are applied to it.

The methods a user knows come from the mixins in ``methods/``; here are the slots, the ways an
operator is run and recorded, and the few methods that are called so often that each is one closure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from .. import dtypes
from ..dtypes import BF16, F16, F32, F64, HALVES, Array
from ..errors import ConvgradError
from ..graph.grad_mode import DUAL, INFERENCE, MODE, OFF, RECORD
from ..graph.hooks import present
from ..graph.node import LEAF, Cell, Node, attach, attach_one, cell_of, snapshot
from ..graph.traced import Traced
from ..kernels import table
from ..ops import activation, rounding, select, special
from ..ops import complex as cplx
from ..ops import elementwise as ew
from ..ops.formula import FEW, LARGE, product
from ..ops.matmul import Mm
from ..ops.op import OUT, Op, Ufunc
from ..printing import format_tensor
from . import dual, late
from .arrays import legacy_array
from .checks import check_result, held
from .keywords import widen
from .leaf import TensorLeaf
from .methods.arithmetic import ArithmeticMethods
from .methods.base import NUMBERS
from .methods.grad import GradMethods
from .methods.index import IndexMethods
from .methods.linear import LinearMethods
from .methods.operands import broadcast_error, run
from .methods.random import RandomMethods
from .methods.reduce import ReduceMethods
from .methods.shape import ShapeMethods
from .methods.special import SpecialMethods
from .methods.storage import StorageMethods
from .promotion import CONSTANTS, as_common, common_dtype, constant, half_dtype, promote
from .views import SILENT, View, break_view, check_writable, link, link_views, rewrite

_mode = MODE.get
_NOT_GIVEN: Any = object()


def _binary(op: type[Ufunc], slow: Callable[[Any, Any], Any] | None = None) -> Callable[[Any, Any], Any]:
    """A method for a two-operand ufunc: float tensors of one dtype, or with a number, in one closure.

    ``slow`` is what serves all else; it is also asked for numbers.
    """
    ufunc, numbers = op.ufunc, slow is None
    if slow is None:

        def slow(self: Any, other: Any) -> Any:
            return binary(op, self, other)

    saves = bool(op.saves)
    keep_a, keep_b, keep_both = [op.plan(needs)[1] for needs in ((True, False), (False, True), (True, True))]

    def method(self: Tensor, other: Any) -> Any:
        a: Any = self._data
        dtype = a.dtype
        if isinstance(other, Tensor):
            b: Any = other._data
            if b.dtype is not dtype or (dtype is not F32 and dtype is not F64):
                return slow(self, other)
            nb = other._node
        elif (type(other) is float or type(other) is int) and (dtype is F32 or dtype is F64) and numbers:
            b = CONSTANTS[dtype].get(other)
            if b is None:
                b = constant(other, dtype)
            nb = None
        else:
            return slow(self, other)
        try:
            size = a.size  # NumPy takes its time over a repetition
            if size < FEW or (size < LARGE and (not isinstance(other, Tensor) or b.size == size)):
                out = ufunc(a, b)
            else:
                out = table.arithmetic(ufunc, a, b)
        except ValueError:
            raise broadcast_error(a.shape, b.shape) from None
        if type(out) is not ndarray:
            out = np.asarray(out)
        mode = _mode()
        if mode != RECORD:
            return Tensor(out, None) if mode == OFF else slow(self, other)
        na = self._node
        if na is None and nb is None:
            return Tensor(out, None)
        if not saves:
            return Tensor(out, Node(op, (na, nb), (), None, out.shape, dtype))
        keep = keep_a if nb is None else keep_b if na is None else keep_both
        versions: tuple[Any, ...] = ()
        if keep[0]:
            cell = self._cell or cell_of(self)
            versions = ((cell, cell.version, 0) if not cell.inference else snapshot(cell, 0),)
        else:
            a = None
        if not keep[1]:
            b = None
        elif isinstance(other, Tensor):
            cell = other._cell or cell_of(other)
            versions += ((cell, cell.version, 1) if not cell.inference else snapshot(cell, 1),)
        return Tensor(out, Node(op, (na, nb), (a, b), versions or None, out.shape, dtype))

    return method


def _product(slow: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """``@`` of two float matrices of one dtype, in one closure."""
    keep_a, keep_b, keep_both = [Mm.plan(needs)[1] for needs in ((True, False), (False, True), (True, True))]

    def method(self: Tensor, other: Any) -> Any:
        a: Any = self._data
        dtype = a.dtype
        mode = _mode()
        if not isinstance(other, Tensor) or mode & ~RECORD or (dtype is not F32 and dtype is not F64):
            return slow(self, other)
        b: Any = other._data
        if b.dtype is not dtype or a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
            return slow(self, other)
        out = product(a, b)
        na, nb = self._node, other._node
        if (na is None and nb is None) or not mode:
            return Tensor(out, None)
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
        return Tensor(out, Node(Mm, (na, nb), (a, b, False), versions, out.shape, dtype))

    method.__doc__ = slow.__doc__
    return method


def _unary(op: type[Op]) -> Callable[[Any], Any]:
    """A method for a one-operand elementwise operator: a float tensor in one closure."""
    forward = op.forward
    role = op.roles[0] if op.roles else None

    def method(self: Tensor) -> Any:
        data = self._data
        dtype = data.dtype
        if dtype is not F32 and dtype is not F64:
            return unary(op, self)
        out, saved = forward(data)
        if type(out) is not ndarray:
            out = np.asarray(out)
        mode = _mode()
        if mode != RECORD:
            return Tensor(out, None) if mode == OFF else unary(op, self)
        node = self._node
        if node is None:
            return Tensor(out, None)
        result = Tensor(out, None)
        versions = None
        if role is not None:
            versions = (snapshot(cell_of(result) if role == OUT else self._cell or cell_of(self), 0),)
        result._node = Node(op, (node,), saved, versions, out.shape, dtype)
        return result

    method.__doc__ = op.__doc__
    return method


def _comparison(ufunc: np.ufunc, slow: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A method for a comparison: float tensors of one dtype, or with a Python float, in one closure."""

    def method(self: Tensor, other: Any) -> Any:
        a = self._data
        dtype = a.dtype
        if (dtype is F32 or dtype is F64) and not _mode() & INFERENCE:
            b = other._data if isinstance(other, Tensor) else other
            if type(b) is float or (type(b) is ndarray and b.dtype is dtype and b.shape == a.shape):
                out = ufunc(a, b) if a.size < LARGE else table.compare(ufunc, a, b)
                return Tensor(out if type(out) is ndarray else np.asarray(out), None)
        return slow(self, other)

    return method


def _power(slow: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """``**`` with a Python number as exponent, in one closure."""
    forward: Any = ew.Pow.forward
    op = ew.Pow

    def method(self: Tensor, exponent: Any) -> Any:
        data = self._data
        dtype = data.dtype
        mode = _mode()
        if (
            (type(exponent) is not int and type(exponent) is not float)
            or mode & ~RECORD
            or (dtype is not F32 and dtype is not F64)
        ):
            return slow(self, exponent)
        out, _ = forward(data, exponent)
        if type(out) is not ndarray:
            out = np.asarray(out)
        node = self._node
        if node is None or not mode:
            return Tensor(out, None)
        versions = (snapshot(self._cell or cell_of(self), 0),)
        return Tensor(out, Node(op, (node,), (data, exponent, None), versions, out.shape, dtype))

    return method


def apply(op: type[Op], inputs: tuple[Any, ...], params: tuple[Any, ...] = ()) -> Any:
    """Run an operator on tensors and record the call where one of them is tracked.

    Args:
        op: the operator.
        inputs: one Tensor per array input, or a number or None for a constant.
        params: the rest of forward's arguments.
    """
    mode = _mode()
    if mode <= RECORD and len(inputs) == 1 and op.simple and not op.several:
        x = inputs[0]
        data = x._data
        if op.view and op.exact:
            return apply_view(op, x, params)
        if op.exact or (data.dtype is not BF16 and data.dtype is not F16):
            return _apply_one(op, x, data, params, mode)
    if mode & DUAL and dual.stand_ins and (done := dual.take_over(op, inputs, params)) is not NotImplemented:
        return done
    if op.holds and mode & RECORD:
        params = held(inputs, params)
    arrays = [x._data if isinstance(x, Tensor) else x for x in inputs]
    half = None if op.exact else half_dtype(arrays)
    if half is not None:
        arrays = [table.cast(a, F32) if type(a) is ndarray and a.dtype in HALVES else a for a in arrays]
    out, saved = op.forward(tuple(arrays), *params) if op.variadic else op.forward(*arrays, *params)
    result: Any
    if op.several and half is None and mode <= RECORD:
        result = tuple([Tensor(o if type(o) is ndarray else np.asarray(o), None) for o in out])
    elif op.several:
        result = tuple([_wrapped(o, half, mode) for o in out])
    elif half is None and type(out) is ndarray and mode == RECORD:
        result = Tensor(out, None)
    else:
        result = _wrapped(out, half, mode)
    if op.view:
        link_views(op, result, inputs[0], arrays[0], params, mode)
    if not mode:
        return result
    for x in inputs:
        if isinstance(x, Tensor) and x._node is not None:
            break
    else:
        return result
    if mode & DUAL:
        handles = tuple([x if isinstance(x, Tensor) else None for x in inputs])
        dual.push(op, handles, arrays, result, saved, bool(mode & RECORD))
    elif mode & RECORD and op.traceable:
        attach(op, tuple([x if isinstance(x, Tensor) else None for x in inputs]), result, saved)
    return result


def _apply_one(op: type[Op], x: Tensor, data: Array, params: tuple[Any, ...], mode: int) -> Tensor:
    """``apply`` for one operand and one result, recording or not: the usual case, in fewer steps."""
    if mode and op.holds:
        params = held((x,), params)
    out, saved = op.forward(data, *params)
    result = Tensor(out if type(out) is ndarray else np.asarray(out), None)
    if mode and x._node is not None and op.traceable:
        attach_one(op, x, result, saved)
    return result


def apply_view(op: type[Op], x: Tensor, params: tuple[Any, ...]) -> Any:
    """``apply`` for a view operator of one result, whose saved values are all parameters and shapes."""
    mode = _mode()
    if mode > RECORD:
        return apply(op, (x,), params)
    data = x._data
    out, saved = op.forward(data, *params)
    if type(out) is not ndarray:
        out = np.asarray(out)
    result = Tensor(out, None)
    node, base = x._node, out.base
    if base is not None and (base is data or base is data.base) and (mode or node is None):
        link(result, x, op, params, "" if mode else SILENT)
    else:
        link_views(op, result, x, data, params, mode)
    if mode and node is not None:
        result._node = Node(op, (node,), saved, None, out.shape, out.dtype)
    return result


class Tensor(
    ArithmeticMethods,
    SpecialMethods,
    ReduceMethods,
    LinearMethods,
    ShapeMethods,
    IndexMethods,
    StorageMethods,
    RandomMethods,
    GradMethods,
):
    """An n-dimensional array of one dtype on which operations can be recorded and differentiated.

    ``torch.Tensor(2, 3)`` (uninitialised) and ``torch.Tensor([1, 2])`` make float32 tensors as in
    PyTorch; ``torch.tensor`` is the usual way.
    """

    __slots__ = ("_data", "_node", "_cell", "_view", "__weakref__", "__dict__")

    _data: Array
    _node: Node | None
    _cell: Cell | None
    _view: View | None

    def __init__(self, data: Any = _NOT_GIVEN, node: Any = _NOT_GIVEN, *more: int) -> None:
        # Inside convgrad: (ndarray, node or None). Users never write a node.
        if node is _NOT_GIVEN or type(data) is not ndarray:
            given = [a for a in (data, node, *more) if a is not _NOT_GIVEN]
            data, node = legacy_array(given), None
        self._data = data
        self._node = node
        self._cell = None
        self._view = None

    _shown_as = "tensor"  # a subclass shows its own name, unless it says otherwise

    #: what the mixins call; a plain function, since a bound method would cost 60 ns
    _apply = staticmethod(apply)
    _apply_view = staticmethod(apply_view)

    # The hottest methods; the others are in the mixins.
    __add__ = __radd__ = _binary(ew.Add)
    __sub__ = _binary(ew.Sub)
    __mul__ = __rmul__ = _binary(ew.Mul)
    __truediv__ = _binary(ew.Div)
    __neg__ = _unary(ew.Neg)
    matmul = _product(LinearMethods.matmul)  # type: ignore[assignment]
    __matmul__ = _product(LinearMethods.__matmul__)
    __pow__ = pow = _power(ArithmeticMethods.__pow__)  # type: ignore[assignment]
    exp = _unary(ew.Exp)
    log = _unary(ew.Log)
    sqrt, tanh, sigmoid = _unary(special.Sqrt), _unary(special.Tanh), _unary(special.Sigmoid)
    sin, cos, relu = _unary(special.Sin), _unary(special.Cos), _unary(activation.Relu)
    erf, abs, absolute = _unary(special.Erf), _unary(cplx.Abs), _unary(cplx.Abs)
    maximum = _binary(select.Maximum, SpecialMethods.maximum)
    minimum = _binary(select.Minimum, SpecialMethods.minimum)
    __gt__ = _comparison(np.greater, ArithmeticMethods.__gt__)
    __lt__ = _comparison(np.less, ArithmeticMethods.__lt__)
    __ge__ = _comparison(np.greater_equal, ArithmeticMethods.__ge__)
    __le__ = _comparison(np.less_equal, ArithmeticMethods.__le__)

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        node = self._node
        tracked = node is not None and self.requires_grad
        fn = self.grad_fn
        suffixes = (f"tangent={from_traced(node.tangent)}",) if isinstance(node, dual.DualNode) else ()
        return format_tensor(
            self._data,
            self.dtype.name,
            requires_grad=tracked and fn is None,
            grad_fn=None if fn is None else fn.name(),
            default_dtype_name=dtypes.default_dtype().name,
            prefix=type(self).__dict__.get("_shown_as", type(self).__name__) + "(",
            suffixes=suffixes,
            contents=tensor_contents,
        )

    def _unary(self, op: type[Op]) -> Any:
        """Run an elementwise operator of one operand; integers become the default float first."""
        return unary(op, self)

    def _binary(self, op: type[Op], other: Any, reflected: bool = False) -> Any:
        """Run an elementwise operator of two operands, promoting by PyTorch's rules."""
        return binary(op, other, self) if reflected else binary(op, self, other)

    def _compare(self, ufunc: Any, other: Any) -> Any:
        """A comparison or logical ufunc: promoted operands, a bool tensor, nothing recorded."""
        if (node := dual.batch_of(other)) is not None:
            return node.compare(ufunc, self, other)
        a, b, _ = promote(self, other)
        try:
            out = ufunc(a, b)
        except ValueError:
            raise broadcast_error(np.shape(a), np.shape(b)) from None
        return Tensor(np.asarray(out), None)

    def _wrap(self, array: Any) -> Any:
        """A new tensor, without history, on an array or NumPy scalar."""
        return Tensor(array if type(array) is ndarray else np.asarray(array), None)

    def _recorded(self, op: type[Op], out: Any, saved: Any) -> Any:
        """What an operator has made of this tensor, which is tracked: a result, or a tuple of them."""
        if op.several:
            results = tuple([Tensor(o, None) for o in out])
            attach(op, (self,), results, saved)
            return results
        result = Tensor(out, None)
        attach_one(op, self, result, saved)
        return result

    def _inplace(self, name: str, op: type[Op], others: tuple[Any, ...], params: tuple[Any, ...] = ()) -> Any:
        """Change this tensor to ``op(self, *others, *params)``."""
        return inplace(self, name, op, others, params)

    def _detached(self, share_version: bool) -> Any:
        out = Tensor(self._data, None)
        if share_version:
            out._cell = cell_of(self)
        return out

    _break = break_view

    @staticmethod
    def _lift(value: Any) -> Any:
        """A Tensor from what the engine computed; not bound to self, since hooks keep it (no cycle)."""
        return from_traced(value)

    def _make_leaf(self) -> Any:
        node = self._node = LeafNode(self)
        return node


for _family in Tensor.__mro__[:-2]:
    widen(_family)
late.announce(Tensor)

# ---------------------------------------------------------------------------------------------------
# Ways to run an operator
# ---------------------------------------------------------------------------------------------------


def _wrapped(out: Any, half: np.dtype[Any] | None, mode: int) -> Tensor:
    if type(out) is not ndarray:
        out = np.asarray(out)
    if half is not None and out.dtype is F32:
        out = table.cast(out, half)
    result = Tensor(out, None)
    if mode & INFERENCE:
        cell_of(result).inference = True
    return result


def unary(op: type[Op], x: Tensor) -> Tensor:
    """An elementwise function of one operand; bool and integers become the default float first."""
    if x._data.dtype.kind in "biu" and not op.exact and not getattr(op, "integers", False):
        x = Tensor(x._data.astype(dtypes.default_dtype().np), x._node)
    return apply(op, (x,))


def binary(op: type[Op], a: Any, b: Any, params: tuple[Any, ...] = (), floats: bool = False) -> Any:
    """An elementwise operator of two operands by PyTorch's promotion rules.

    ``floats``: integers become the default float (true division always does so).
    """
    if not isinstance(a, _OPERANDS) or not isinstance(b, _OPERANDS):
        return NotImplemented
    common = common_dtype(a, b)
    if common.category < dtypes.FLOATING and (floats or op is ew.Div):
        common = dtypes.default_dtype()
    if op is ew.Sub and common is dtypes.bool_ and isinstance(b, Tensor) and isinstance(a, Tensor):
        raise ConvgradError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
            "`logical_xor()` operator instead."
        )
    if op is ew.Sub and any([getattr(x, "dtype", type(x)) in (bool, dtypes.bool_) for x in (a, b)]):
        raise ConvgradError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    inputs = tuple([_operand(x, common, op) for x in (a, b)])
    try:
        return apply(op, inputs, params)
    except ValueError as error:
        shapes = [x._data.shape if isinstance(x, Tensor) else () for x in (a, b)]
        raise broadcast_error(*shapes) if "broadcast" in str(error) else error from None


#: beside half precision, these take numbers and 0-d tensors in float32; others round them first (PyTorch)
_UNROUNDED = frozenset((ew.Mul, ew.Div, rounding.DivFloor, rounding.FloorDivide, rounding.DivTrunc))


def _operand(x: Any, common: dtypes.dtype, op: type[Op]) -> Any:
    """An operand in the common dtype: a cast handle with the same node, so that the engine casts back."""
    half = common.np in HALVES
    if not isinstance(x, Tensor):
        if common.category <= dtypes.INTEGER or half or isinstance(x, np.generic):
            return as_common(x, dtypes.float32 if half and op in _UNROUNDED else common)
        return x
    if x._data.dtype is common.np:
        return x
    if half and not x._data.ndim and op in _UNROUNDED:
        return Tensor(x._data.astype(F32), x._node)
    data = x._data
    return Tensor(data.astype(common.np) if data.size < LARGE else table.cast(data, common.np), x._node)


def inplace(
    self: Tensor, name: str, op: type[Op], others: tuple[Any, ...], params: tuple[Any, ...]
) -> Tensor:
    """Run ``op(self, *others)`` and write the result into ``self``, keeping every history right."""
    dual.check_target(self, name, others, params)
    record = check_writable(self, name, others)
    old = self._data
    before = Tensor(old, self._node)
    if record and op.saves and any([role == 0 for role in op.roles]):
        before._data = old.copy()  # backward wants the value that is about to be overwritten
    else:
        before._cell = self._cell
    if op is not ew.Where and others and isinstance(op, type) and issubclass(op, Ufunc | ew.Pow):
        result = binary(op, before, others[0], params)
    else:
        result = run(op, (before, *others), params)
    check_result(name, result._data, old)
    np.copyto(old, result._data, casting="unsafe")
    node = result._node if record else None
    rewrite(self, node, name)
    if node is not None and OUT in op.roles and node.saved:
        _save_written(self, node)
    return self


_OPERANDS = (Tensor, *NUMBERS)


def _save_written(self: Tensor, node: Node) -> None:
    """Let the node's saved output be the tensor's own memory, guarded by its version."""
    index = node.op.roles.index(OUT)
    saved = list(node.saved or ())
    if type(saved[index]) is not ndarray or self._data.dtype != saved[index].dtype:
        return
    saved[index] = self._data
    node.saved = tuple(saved)
    kept = tuple([v for v in node.versions or () if v[2] != index])
    node.versions = (*kept, snapshot(cell_of(self), index))


# ---------------------------------------------------------------------------------------------------
# Leaves
# ---------------------------------------------------------------------------------------------------


class LeafNode(TensorLeaf):
    """The leaf of a Tensor; gradients are Tensors."""

    __slots__ = ()

    plain = Tensor


def from_traced(value: Any) -> Tensor:
    """A Tensor from what the engine computed: an array, or a value with a place in the graph."""
    if type(value) is Traced:
        out = Tensor(value._data, value._node)
        out._cell = value._cell
        return out
    return Tensor(value if type(value) is ndarray else np.asarray(value), None)


def to_traced(tensor: Tensor) -> Traced:
    """The engine's form of a tensor, with its place in the graph."""
    return Traced(tensor._data, tensor._node, tensor._cell)


def _lowered(tensor: Any, recorded: bool) -> Any:
    """What the engine takes in place of a Tensor that a hook returned."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"hook must return a Tensor or None, not {type(tensor).__name__}")
    return to_traced(tensor) if recorded else tensor._data


present(from_traced, _lowered)

__all__ = [
    "LEAF",
    "LeafNode",
    "Tensor",
    "apply",
    "binary",
    "from_traced",
    "inplace",
    "promote",
    "to_traced",
]
