"""The tensors that a function sees inside ``vmap``: one sample to look at, all samples to compute with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from ..errors import ConvgradError, ShapeError
from ..generator import chosen
from ..graph.node import cell_of
from ..ops.op import Op
from ..tensor import dual
from ..tensor.methods.arithmetic import ArithmeticMethods
from ..tensor.methods.base import dim_index
from ..tensor.methods.operands import run
from ..tensor.tensor import Tensor, apply, binary
from ..tensor.views import check_writable, rewrite
from . import tree
from .batching import FALLBACKS, RANDOM, BatchNode, Level, batch_value, batched, joined
from .batching import Batched as Kind
from .whole import sample_of, shifted

Method = Callable[..., Any]

_DYNAMIC = (
    "vmap: We do not support batching operators that can output dynamic shape. Attempted to vmap over "
    "aten::{}."
)
_ITEM = (
    "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over calling .item() on a "
    "Tensor, please try to rewrite what you're doing with other operations."
)


def innermost(*values: Any) -> Level:
    """The innermost level at which one of these values is batched."""
    level: Level = innermost_node(*values).level
    return level


def innermost_node(*values: Any) -> BatchNode:
    """The node of one of these values that is batched at the innermost level."""
    node: BatchNode = dual.batch_of(*values)
    return node


def one_by_one(name: str, function: Method, args: Any, kwargs: dict[str, Any]) -> Any:
    """A function of tensors, sample by sample (at the innermost level), its results joined; counted."""
    leaves = tree.flatten([list(args), kwargs])
    level = innermost(*[x for x in leaves if isinstance(x, Tensor)])
    values = [batch_value(x, level) if isinstance(x, Tensor) else x for x in leaves]
    FALLBACKS[name] += 1
    rows = []
    for i in range(level.size):
        given, named = tree.rebuild([list(args), kwargs], [sample_of(v, i) for v in values])
        out = function(*given, **named)
        rows.append(tuple(out) if isinstance(out, (tuple, list)) else out)
    out = joined(rows)
    return tuple([batched(o, level) for o in out]) if isinstance(out, tuple) else batched(out, level)


def _looped(name: str) -> Method:
    """A method that computes with values and is no operator: sample by sample."""
    plain = getattr(Tensor, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return one_by_one(name, plain, (self, *args), kwargs)

    method.__doc__ = plain.__doc__
    return method


def _of_all(name: str) -> Method:
    """A method that works element by element: of all samples at once."""

    def method(self: Any) -> Any:
        node = _node(self)
        return batched(getattr(node.value, name)(), node.level)

    method.__doc__ = getattr(Tensor, name).__doc__
    return method


def _over_dims(name: str, whole_first: bool = False) -> Method:
    """A method that reduces dimensions without being an operator."""

    def method(self: Any, dim: Any = None, *rest: Any, **kwargs: Any) -> Any:
        node = _node(self)
        whole = node.value
        ndim = self._data.ndim
        if dim is None and whole_first:
            out = getattr(whole.reshape(node.level.size, -1), name)(1)
            keep = kwargs.get("keepdim", rest[0] if rest else False)
            return batched(out.reshape((node.level.size, *(1,) * ndim)) if keep else out, node.level)
        if dim is None:
            dim = tuple(range(ndim))
        if dim == () or not ndim:
            return batched(getattr(whole.unsqueeze(-1), name)(-1), node.level)
        dims = shifted(
            tuple([dim_index(d, ndim) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))])
        )
        dims = dims if isinstance(dim, (tuple, list)) else dims[0]
        return batched(getattr(whole, name)(dims, *rest, **kwargs), node.level)

    method.__doc__ = getattr(Tensor, name).__doc__
    return method


def _refused(message: str) -> Method:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise ConvgradError(message)

    return method


def _node(self: Any) -> BatchNode:
    node = self._node
    assert isinstance(node, BatchNode)
    return node


class Batched(Tensor):
    """A tensor inside ``vmap``: what cannot be answered by one sample is answered for all, or refused."""

    def _compare(self, ufunc: Any, other: Any) -> Any:
        return innermost_node(self, other).compare(ufunc, self, other)

    def _unary(self, op: type[Op]) -> Any:
        if self._data.dtype.kind in "biu" and not op.exact and not getattr(op, "integers", False):
            return self.to(dtypes.default_dtype())._unary(op)
        return super()._unary(op)

    def _cast(self, kind: Any, copy: bool = False) -> Any:
        node = _node(self)
        if self._data.dtype == kind.np and not copy:
            return self
        return batched(node.value._cast(kind, copy), node.level)

    def _detached(self, share_version: bool) -> Any:
        node = _node(self)
        return batched(node.value._detached(share_version), node.level)

    def _view_dtype(self, kind: Any) -> Any:
        node = _node(self)
        return batched(node.value._view_dtype(kind), node.level)

    def _made(self, array: Any, requires_grad: bool) -> Any:
        return _node(self).spread(super()._made(array, requires_grad))

    def masked_select(self, mask: Any) -> Any:
        """Refused: how many elements there are differs between samples."""
        raise ConvgradError(
            "vmap: Attempted to vmap over `mask` in torch.masked_select(self, mask) We cannot support this: "
            "how many elements there are depends on their values (dynamic shape)."
        )

    def _become(self, name: str, op: type[Op], params: tuple[Any, ...]) -> Any:
        out = apply(op, (self,), params)
        self._data, self._node, self._view, self._cell = out._data, out._node, None, None
        return self

    def _inplace(self, name: str, op: type[Op], others: tuple[Any, ...], params: tuple[Any, ...] = ()) -> Any:
        """Change the tensor of all samples, and with it its views and what it is a view of."""
        level = innermost(self, *others, *params)
        node = _node(self)
        if node.level is not level:
            innermost_node(*others, *params).refuse_write(self, name)
        whole: Any = node.value
        record = check_writable(whole, name)
        before = batched(Tensor(whole._data.copy(), whole._node), level)
        if op.__name__ in _PROMOTING or (op.batch == "elementwise" and len(others) == 1 and not params):
            result = binary(op, before, others[0], params)
        else:
            result = run(op, (before, *others), params)
        done = result._node.value if isinstance(result._node, BatchNode) else result
        if done._data.shape != whole._data.shape:
            raise ShapeError(
                f"output with shape {list(self._data.shape)} doesn't match the broadcast shape "
                f"{list(done._data.shape[1:])} ({name})"
            )
        _check_kind(name, done._data.dtype, whole._data.dtype)
        np.copyto(whole._data, done._data, casting="unsafe")
        rewrite(whole, done._node if record else None, name)
        return self

    def _write(self, *args: Any) -> bool:
        return False

    def _fill(self, name: str, draw: Any, generator: Any, p: Any = None) -> Any:
        node = _node(self)
        whole: Any = node.value
        how = node.level.randomness
        if how == "error":
            raise ConvgradError(RANDOM)
        if how == "different":
            with node.level.suspended():
                whole._fill(
                    name, draw, generator, None if p is None else np.broadcast_to(p, whole._data.shape)
                )
            return self
        check_writable(whole, name)
        with node.level.suspended():
            whole._data[...] = draw(chosen(generator), self._data.shape if p is None else p)
        cell_of(whole).bump(name)
        whole._node = None
        return self

    def argsort(self, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Any:
        """The positions that sort along ``dim``; equal values keep their order."""
        return self.sort(dim, descending, stable=stable)[1]

    def nanmean(self, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
        """``mean`` of the values that are not NaN."""
        total = self.nansum(dim, keepdim, dtype=dtype)
        return total / self.isnan().logical_not().sum(dim, keepdim).to(total.dtype)

    def backward(self, *args: Any, **kwargs: Any) -> None:
        """Refused: gradients inside of ``vmap`` come from ``func.grad``."""
        raise ConvgradError("vmap: backward() called inside of a transform: use func.grad, or autograd.grad")

    @property  # type: ignore[misc]
    def data(self) -> Any:
        """Refused, as in PyTorch."""
        raise ConvgradError("accessing `data` under vmap transform is not allowed")

    def __bool__(self) -> bool:
        raise ConvgradError(
            "vmap: It looks like you're attempting to use a Tensor in some data-dependent control "
            "flow. We don't "
            "support that yet: use where() instead of if."
        )

    is_nonzero = __bool__

    # Tensor's own are short ways past _compare
    __lt__, __le__ = ArithmeticMethods.__lt__, ArithmeticMethods.__le__
    __gt__, __ge__ = ArithmeticMethods.__gt__, ArithmeticMethods.__ge__
    __eq__, __ne__ = ArithmeticMethods.__eq__, ArithmeticMethods.__ne__
    __hash__ = Tensor.__hash__

    def __repr__(self, **options: Any) -> str:  # type: ignore[override]
        node = self._node
        if not isinstance(node, BatchNode):
            return super().__repr__(**options)
        return f"BatchedTensor(lvl={node.level.depth}, bdim=0, value=\n    {node.value!r}\n)"


_PROMOTING = ("Pow", "PowTensor", "PowBase")


def _check_kind(name: str, found: Any, wanted: Any) -> None:
    if not dtypes.can_cast(dtypes.from_numpy(found), dtypes.from_numpy(wanted)):
        raise ConvgradError(
            f"result type {dtypes.from_numpy(found)} can't be cast to the desired output type "
            f"{dtypes.from_numpy(wanted)} ({name})"
        )


for _name in ["isnan", "isinf", "isfinite", "isposinf", "isneginf", "isreal", "signbit", "logical_not"]:
    setattr(Batched, _name, _of_all(_name))
for _name in ("any", "all", "count_nonzero"):
    setattr(Batched, _name, _over_dims(_name))
for _name in ("argmax", "argmin"):
    setattr(Batched, _name, _over_dims(_name, whole_first=True))
for _name in ("histc", "isclose", "view_as_real", "bincount"):
    if hasattr(Tensor, _name):
        setattr(Batched, _name, _looped(_name))
for _name in ("nonzero", "argwhere", "unique", "unique_consecutive"):
    setattr(Batched, _name, _refused(_DYNAMIC.format(_name)))
for _name in ("item", "__int__", "__float__", "__index__", "__complex__"):
    setattr(Batched, _name, _refused(_ITEM))
for _name in ("tolist", "numpy", "__array__", "data_ptr", "__dlpack__"):
    setattr(
        Batched,
        _name,
        _refused(
            f"vmap: Cannot access data pointer of Tensor that doesn't have storage (.{_name.strip('_')}())"
        ),
    )
for _name in ("allclose", "equal"):
    setattr(
        Batched, _name, _refused(f"vmap over torch.{_name} isn't supported yet: compare with == and all()")
    )
del _name

Kind.kind = Batched
Kind.each = one_by_one

__all__ = ["Batched", "innermost", "one_by_one"]
