"""How operators act on a whole batch at once: the rules behind ``vmap``.

A batched tensor looks like one sample (its ``_data`` is a sample, so that shapes, dims and error
messages are the sample's) and its node, a ``BatchNode``, holds the tensor of all samples, batch
first. Each operation on one comes here through ``dual.push``: the operator's rule runs it once on
all samples; an operator without a rule runs sample by sample and is counted. What a rule calls are
ordinary recorded operations, so gradients, tangents and outer batches pass through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import Array
from ..errors import ConvgradError
from ..graph.traced import Traced
from ..ops import activation, conv, matmul, norm, reduce, shape
from ..ops import elementwise as ew
from ..ops.op import Elementwise, Op, Saved
from ..tensor.dual import TransformNode
from ..tensor.methods.arithmetic import ArithmeticMethods
from ..tensor.tensor import Tensor, apply, from_traced

#: operators that ran sample by sample, and how often
FALLBACKS: Counter[str] = Counter()


class Level:
    """One running ``vmap``: its batch size, its depth, and the samples that stand for batches."""

    def __init__(self, size: int, depth: int) -> None:
        self.size = size
        self.depth = depth
        #: id of a sample's array -> (that array, kept alive, and the tensor of all samples)
        self.samples: dict[int, tuple[Array, Tensor]] = {}
        self.open = True


class BatchNode(TransformNode):
    """The place of a batched tensor: the tensor of all samples, batch first."""

    __slots__ = ("level", "value")

    def __init__(self, level: Level, value: Tensor, sample: Array) -> None:
        super().__init__(value._node, sample.shape, sample.dtype)
        self.level = level
        self.value = value
        level.samples[id(sample)] = (sample, value)

    @property
    def rank(self) -> int:  # type: ignore[override]
        """Inner batches before outer ones, and all of them before tangents."""
        return 2 + self.level.depth

    def push(
        self,
        op: type[Op],
        handles: tuple[Any, ...],
        arrays: Sequence[Any],
        result: Any,
        saved: Saved,
        recording: bool,
    ) -> None:
        """Run ``op`` on all samples and hang what comes out on the sample's result."""
        level = self.level
        values = [batch_value(h, a, level) for h, a in zip(handles, arrays, strict=True)]
        first = result[0] if op.several else result
        known = {"keepdims": first._data.ndim == arrays[0].ndim} if "keepdims" in op.params else {}
        out = run_batched(op, values, parameters(op, saved, known, level), level.size)
        pairs = zip(result, out, strict=True) if op.several else [(result, out)]
        for sample, whole in pairs:
            hang(sample, whole, level)

    def call_function(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A user's ``Function``: sample by sample."""
        level = self.level
        values = [batch_value(a, a, level) for a in args]
        FALLBACKS[function.__name__] += 1
        rows = [function.apply(*[_sample(v, i) for v in values], **kwargs) for i in range(level.size)]
        if not isinstance(rows[0], tuple):
            return batched(_stack(rows), level)
        return tuple([batched(_stack(column), level) for column in zip(*rows, strict=True)])


class Whole:
    """The tensor of all samples, in the hands of a rule; everything else there is the same for each."""

    __slots__ = ("tensor", "ndim")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        #: dimensions of one sample
        self.ndim = tensor._data.ndim - 1


def batch_value(handle: Any, array: Any, level: Level) -> Any:
    """An input as a rule sees it: a ``Whole``, a Tensor, or a constant."""
    if isinstance(handle, Traced):
        handle = from_traced(handle)
    if not isinstance(handle, Tensor):
        found = level.samples.get(id(array))
        return array if found is None or found[0] is not array else Whole(found[1])
    node = handle._node
    if not isinstance(node, BatchNode) or node.level is not level:
        return handle
    value = node.value
    return Whole(
        value if value._data.dtype == handle._data.dtype else value.to(dtypes.from_numpy(handle._data.dtype))
    )


def parameters(op: type[Op], saved: Saved, known: dict[str, Any], level: Level) -> tuple[Any, ...]:
    """The operator's parameters, found among its saved values or ``known``; batched arrays as ``Whole``."""
    missing = [p for p in op.params if p not in op.saves and p not in known]
    if missing:
        raise NotImplementedError(
            f"vmap: {op.__name__} does not keep its parameters {missing}: no rule can run it"
        )
    given = [saved[op.saves.index(p)] if p in op.saves else known[p] for p in op.params]
    return tuple([_parameter(value, level) for value in given])


def _parameter(value: Any, level: Level) -> Any:
    if type(value) is tuple:
        return tuple([_parameter(v, level) for v in value])
    if type(value) is np.ndarray:
        found = level.samples.get(id(value))
        return Whole(found[1]) if found is not None and found[0] is value else value
    return value


def hang(sample: Any, whole: Tensor, level: Level) -> None:
    """Make ``sample`` stand for the batch ``whole``."""
    sample._node = BatchNode(level, whole, sample._data)
    if type(sample) is Tensor:
        sample.__class__ = Batched


def batched(whole: Tensor, level: Level) -> Tensor:
    """A tensor that looks like one sample of ``whole`` and stands for all."""
    sample = Batched(np.array(whole._data[0]), None)
    hang(sample, whole, level)
    return sample


def run_batched(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    """One call of ``op`` on all samples, by its rule or sample by sample."""
    for kind in op.__mro__:
        rule = RULES.get(kind)
        if rule is not None:
            out = rule(op, values, params, size)
            if out is not NotImplemented:
                return out
    return _one_by_one(op, values, params, size)


def _one_by_one(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    FALLBACKS[op.__name__] += 1
    rows = [
        apply(op, tuple([_sample(v, i) for v in values]), tuple([_bare_sample(p, i) for p in params]))
        for i in range(size)
    ]
    if op.several:
        return tuple([_stack(column) for column in zip(*rows, strict=True)])
    return _stack(rows)


def _sample(value: Any, index: int) -> Any:
    return value.tensor[index] if type(value) is Whole else value


def _bare_sample(param: Any, index: int) -> Any:
    if type(param) is tuple:
        return tuple([_bare_sample(p, index) for p in param])
    return param.tensor._data[index] if type(param) is Whole else param


def _stack(rows: Sequence[Tensor]) -> Tensor:
    return apply(shape.Stack, tuple(rows), (0,))


# Rules ---------------------------------------------------------------------------------------------


def aligned(value: Any, ndim: int) -> Any:
    """A value that broadcasts, batch first, against samples of ``ndim`` dimensions."""
    if type(value) is not Whole:
        return value
    tensor = value.tensor
    if value.ndim == ndim:
        return tensor
    sizes = tensor._data.shape
    return apply(shape.Reshape, (tensor,), ((sizes[0], *(1,) * (ndim - value.ndim), *sizes[1:]),))


def expanded(value: Any, size: int) -> Tensor:
    """A value as the tensor of all samples, repeated if it is the same for each."""
    if type(value) is Whole:
        return value.tensor
    tensor = value if isinstance(value, Tensor) else Tensor(np.asarray(value), None)
    return apply(shape.Expand, (tensor,), ((size, *tensor._data.shape),))


def _ndim(value: Any) -> int:
    return (
        value.ndim if type(value) is Whole else np.ndim(value._data if isinstance(value, Tensor) else value)
    )


def _pointwise(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    ndim = max([_ndim(v) for v in (*values, *[p for p in params if type(p) in (Whole, np.ndarray)])])
    bare = tuple([aligned(p, ndim)._data if type(p) is Whole else p for p in params])
    return apply(op, tuple([aligned(v, ndim) for v in values]), bare)


def _copy(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    target = expanded(values[0], size)
    return apply(op, (target, aligned(values[1], target._data.ndim - 1)), params)


def _plain(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    return apply(op, (values[0].tensor,), params)


def _with(change: Callable[..., tuple[Any, ...]]) -> Callable[..., Any]:
    """The rule of an operator of one input that needs its parameters changed and nothing else."""

    def rule(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
        if any([_holds_whole(p) for p in params]):
            return NotImplemented
        return apply(op, (values[0].tensor,), change(size, *params))

    return rule


def _holds_whole(param: Any) -> bool:
    return type(param) is Whole or (type(param) is tuple and any([_holds_whole(p) for p in param]))


def _axes(size: int, axes: tuple[int, ...], *rest: Any) -> tuple[Any, ...]:
    return (tuple([a + 1 for a in axes]), *rest)


def _axis(size: int, axis: int, *rest: Any) -> tuple[Any, ...]:
    return (axis + 1, *rest)


def _size(size: int, new: tuple[int, ...]) -> tuple[Any, ...]:
    return ((size, *new),)


def _order(size: int, axes: tuple[int, ...]) -> tuple[Any, ...]:
    return ((0, *[a + 1 for a in axes]),)


def _exchange(size: int, first: int, second: int) -> tuple[Any, ...]:
    return first + 1, second + 1


def _key(size: int, key: Any) -> tuple[Any, ...]:
    return ((slice(None), *(key if type(key) is tuple else (key,))),)


def _pieces(size: int, sizes: tuple[int, ...], axis: int) -> tuple[Any, ...]:
    return sizes, axis + 1


#: parameters of view operators for a batch, also for the steps of ``CopySlices``
PARAMS: dict[type[Op], Callable[..., tuple[Any, ...]]] = {
    shape.Reshape: _size, shape.Permute: _order, shape.Transpose: _exchange, shape.Expand: _size,
    shape.Index: _key, shape.Split: _pieces, shape.Unbind: _axis,
}  # fmt: skip


def _change(op: type[Op]) -> Callable[..., tuple[Any, ...]]:
    for kind in op.__mro__:
        if kind in PARAMS:
            return PARAMS[kind]
    return lambda _size, *params: params


def _expand(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    return apply(op, (aligned(values[0], len(params[0])),), _size(size, params[0]))


def _index(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    key = params[0] if type(params[0]) is tuple else (params[0],)
    if _holds_whole(key) or type(values[0]) is not Whole:
        return NotImplemented
    out = apply(op, (values[0].tensor,), _key(size, key))
    arrays = [i for i, k in enumerate(key) if type(k) is np.ndarray]
    if not arrays or arrays[-1] - arrays[0] + 1 == len(arrays):
        return out
    # arrays apart from each other: NumPy puts their dimensions first, before the batch
    front = np.broadcast(*[key[i] for i in arrays]).ndim
    order = (front, *range(front), *range(front + 1, out._data.ndim))
    return apply(shape.Permute, (out,), (order,))


def _set_index(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    key, accumulate = params
    if _holds_whole(key):
        return NotImplemented
    target = expanded(values[0], size)
    region = target._data[0][key].ndim
    return apply(op, (target, aligned(values[1], region)), (_key(size, key)[0], accumulate))


def _index_put(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    if _holds_whole(params):
        return NotImplemented
    return apply(op, (values[0].tensor,), (_key(size, params[0])[0], (size, *params[1])))


def _copy_slices(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    steps = tuple([(step, _change(step)(size, *given)) for step, given in params[0]])
    return apply(op, (expanded(values[0], size), expanded(values[1], size)), (steps,))


def _join(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    return apply(op, tuple([expanded(v, size) for v in values]), (params[0] + 1,))


def _extreme(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    whole = values[0]
    along = reduce.AMin if issubclass(op, reduce.MinAll) else reduce.AMax
    return apply(along, (whole.tensor,), (tuple(range(1, whole.ndim + 1)), False))


def _product(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    """Products of matrices and vectors, all as batches of matrices."""
    a, b = values
    rows, columns = _ndim(a) > 1, _ndim(b) > 1
    ndim = max(_ndim(a), _ndim(b), 2)
    x = _matrix(a, ndim, -2) if rows else _matrix(a, 2, -2)
    y = _matrix(b, ndim, -2) if columns else _matrix(b, 2, -1)
    out = apply(matmul.MatMul, (x, y))
    sizes = out._data.shape
    if not columns:
        out, sizes = apply(shape.Reshape, (out,), (sizes[:-1],)), sizes[:-1]
    return (
        out if rows else apply(shape.Reshape, (out,), ((*sizes[:-2], sizes[-1]) if columns else sizes[:-1],))
    )


def _matrix(value: Any, ndim: int, at: int) -> Any:
    """A factor with ``ndim`` dimensions behind the batch; a vector becomes a row (at -2) or a column (-1)."""
    whole = type(value) is Whole
    tensor = value.tensor if whole else value
    sizes = tensor._data.shape
    if _ndim(value) == 1:
        sizes = (*sizes[:-1], 1, sizes[-1]) if at == -2 else (*sizes, 1)
    if whole:
        sizes = (sizes[0], *(1,) * (ndim + 1 - len(sizes)), *sizes[1:])
    return tensor if sizes == tensor._data.shape else apply(shape.Reshape, (tensor,), (sizes,))


def _fold(tensor: Tensor) -> Tensor:
    """(B, N, C, ...) as (N, B C, ...): each sample's channels side by side."""
    order = (1, 0, *range(2, tensor._data.ndim))
    turned = apply(shape.Permute, (tensor,), (order,))
    n, b, c, *rest = turned._data.shape
    return apply(shape.Reshape, (turned,), ((n, b * c, *rest),))


def _unfold(tensor: Tensor, size: int) -> Tensor:
    """The inverse of ``_fold``."""
    n, bc, *rest = tensor._data.shape
    parted = apply(shape.Reshape, (tensor,), ((n, size, bc // size, *rest),))
    return apply(shape.Permute, (parted,), ((1, 0, *range(2, parted._data.ndim)),))


def _flat(value: Any, size: int) -> Tensor:
    """(B, C, ...) as (B C, ...)."""
    tensor = expanded(value, size)
    b, c, *rest = tensor._data.shape
    return apply(shape.Reshape, (tensor,), ((b * c, *rest),))


def _batch_norm(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    x, weight, bias = values
    out, mean, var = apply(op, (_fold(expanded(x, size)), _flat(weight, size), _flat(bias, size)), params)
    halves = [apply(shape.Reshape, (v,), ((size, v._data.size // size),)) for v in (mean, var)]
    return _unfold(out, size), *halves


def _convolve(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    """One kernel for all: samples join the N axis. A kernel each: they become groups."""
    x, w, *bias = values
    geometry = params[0]
    if type(x) is Whole and not any([type(v) is Whole for v in (w, *bias)]):
        sizes = x.tensor._data.shape
        joined = apply(shape.Reshape, (x.tensor,), ((sizes[0] * sizes[1], *sizes[2:]),))
        out = apply(op, (joined, w, *bias), params)
        return apply(shape.Reshape, (out,), ((*sizes[:2], *out._data.shape[1:]),))
    each = geometry._replace(groups=geometry.groups * size)
    inputs = (_fold(expanded(x, size)), _flat(w, size), *[_flat(b, size) for b in bias])
    return _unfold(apply(op, inputs, (each, *params[1:])), size)


RULES: dict[type, Callable[..., Any]] = {
    Elementwise: _pointwise,
    ew.Copy: _copy,
    ew.Real: _plain,
    ew.Imag: _plain,
    shape.Cast: _plain,
    shape.Clone: _plain,
    activation.Softmax: _with(_axis),
    reduce.Sum: _with(_axes),
    reduce.Mean: _with(_axes),
    reduce.AMax: _with(_axes),
    reduce.MaxDim: _with(_axis),
    reduce.MaxAll: _extreme,
    shape.Reshape: _with(_size),
    shape.Permute: _with(_order),
    shape.Transpose: _with(_exchange),
    shape.Expand: _expand,
    shape.Index: _index,
    shape.IndexPut: _index_put,
    shape.SetIndex: _set_index,
    shape.CopySlices: _copy_slices,
    shape.Split: _with(_pieces),
    shape.Unbind: _with(_axis),
    shape.Cat: _join,
    shape.Stack: _join,
    matmul.MatMul: _product,
    matmul.Mv: _product,
    matmul.Vm: _product,
    matmul.Dot: _product,
    norm.BatchNorm: _batch_norm,
    conv.Convolve: _convolve,
    conv.Convolution: _convolve,
}


class Batched(Tensor):
    """A tensor inside ``vmap``: what cannot be answered by one sample is answered for all, or refused."""

    def _compare(self, ufunc: Any, other: Any) -> Any:
        tops = [
            t._node.level for t in (self, other) if isinstance(t, Tensor) and isinstance(t._node, BatchNode)
        ]
        level = max(tops, key=lambda one: one.depth)
        a, b = batch_value(self, self, level), batch_value(other, other, level)
        ndim = max(_ndim(a), _ndim(b))
        left, right = aligned(a, ndim), aligned(b, ndim)
        if not isinstance(left, Tensor):
            left = Tensor(np.asarray(left), None)
        return batched(left._compare(ufunc, right), level)

    def _unary(self, op: type[Op]) -> Any:
        if self._data.dtype.kind in "biu" and not op.exact and not getattr(op, "integers", False):
            return self.to(dtypes.default_dtype())._unary(op)
        return super()._unary(op)

    def _refuse(self, what: str) -> Any:
        raise ConvgradError(
            f"vmap: It looks like you're calling {what} on a Tensor. We don't support vmap over "
            f"calling {what} on a "
            "Tensor, please try to rewrite what you're doing with other operations."
        )

    def item(self) -> Any:
        """Refused: there is one value per sample."""
        return self._refuse(".item()")

    def tolist(self) -> Any:
        """Refused: there is one list per sample."""
        return self._refuse(".tolist()")

    def numpy(self, *, force: bool = False) -> Any:
        """Refused: there is one array per sample."""
        return self._refuse(".numpy()")

    def __bool__(self) -> bool:
        raise ConvgradError(
            "vmap: It looks like you're attempting to use a Tensor in some data-dependent control "
            "flow. We don't "
            "support that yet: use where() instead of if."
        )

    # Tensor's own are short ways past _compare
    __lt__, __le__ = ArithmeticMethods.__lt__, ArithmeticMethods.__le__
    __gt__, __ge__ = ArithmeticMethods.__gt__, ArithmeticMethods.__ge__
    __eq__, __ne__ = ArithmeticMethods.__eq__, ArithmeticMethods.__ne__
    __hash__ = Tensor.__hash__

    def __repr__(self, **options: Any) -> str:  # type: ignore[override]
        node = self._node
        if not isinstance(node, BatchNode):
            return super().__repr__(**options)
        return f"BatchedTensor(lvl={node.level.depth}, bdim=0, value={node.value!r})"


__all__ = ["FALLBACKS", "BatchNode", "Batched", "Level", "batched", "run_batched"]
