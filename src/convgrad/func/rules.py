"""Batching rules that take more than a declaration: products, indexing, joins, convolutions, norms, losses.

A rule is ``rule(op, values, params, size)``: values are ``Whole`` (the tensor of all samples) or the same
for each sample, and so are arrays among params. It gives the result for all samples, or NotImplemented where
only running sample by sample will do. Rules are found by module and class, so that no family is loaded for
them; a class is served by the rule or the declaration of the nearest class it derives from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy import ndarray

from ..errors import ConvgradError
from ..ops import elementwise as ew
from ..ops import matmul, reduce, shape
from ..ops.op import Op
from ..ops.rearrange import storage_of
from ..tensor.tensor import Tensor, apply
from .rules_network import NETWORK_RULES
from .whole import (
    Whole,
    aligned,
    aligned_array,
    expanded,
    expanded_array,
    fresh_label,
    holds,
    keyed,
    ndim_of,
    permuted,
    planned,
    reshaped,
    shape_of,
)

Values: TypeAlias = list[Any]
Params: TypeAlias = tuple[Any, ...]
Rule: TypeAlias = Callable[[type[Op], Values, Params, int], Any]


# Products ------------------------------------------------------------------------------------------


def product(a: Any, b: Any) -> Any:
    """Products of matrices and vectors, all as batches of matrices."""
    if type(a) is not Whole and type(b) is not Whole:
        return a.matmul(b)
    rows, columns = ndim_of(a) > 1, ndim_of(b) > 1
    if type(b) is not Whole and ndim_of(a) == 1 and ndim_of(b) <= 2:  # rows of one matrix product
        return apply(matmul.MatMul, (a.tensor, b)) if columns else apply(matmul.BatchedMv, (a.tensor, b))
    if type(a) is not Whole and ndim_of(b) == 1 and ndim_of(a) == 2:
        turned = apply(shape.Transpose, (a,), (0, 1))
        return apply(matmul.MatMul, (b.tensor, turned))
    ndim = max(ndim_of(a), ndim_of(b), 2)
    x = _matrix(a, ndim, -2)
    y = _matrix(b, ndim, -2 if columns else -1)
    out = apply(matmul.MatMul, (x, y))
    sizes = out._data.shape
    if not columns:
        sizes = sizes[:-1]
    if not rows:
        sizes = (*sizes[:-2], sizes[-1]) if columns else sizes[:-1]
    return reshaped(out, sizes)


def _matrix(value: Any, ndim: int, at: int) -> Any:
    """A factor with ``ndim`` dimensions behind the batch; a vector becomes a row (at -2) or a column (-1)."""
    whole = type(value) is Whole
    tensor = value.tensor if whole else value
    sizes = tensor._data.shape
    if ndim_of(value) == 1:
        sizes = (*sizes[:-1], 1, sizes[-1]) if at == -2 else (*sizes, 1)
    if whole:
        sizes = (sizes[0], *(1,) * (ndim + 1 - len(sizes)), *sizes[1:])
    return reshaped(tensor, sizes)


def _product(op: type[Op], values: Values, params: Params, size: int) -> Any:
    a, b = values
    if ndim_of(a) == 1 and ndim_of(b) == 1 and issubclass(op, matmul.Vdot):
        a = Whole(apply(ew.Conj, (a.tensor,))) if type(a) is Whole else apply(ew.Conj, (a,))
    return product(a, b)


def _scaled(value: Any, factor: Any) -> Any:
    """A tensor times a number."""
    return value if factor == 1 else apply(ew.Mul, (value, np.asarray(factor, value._data.dtype)))


def _plus_product(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """``beta x + alpha (a b)``, the product of matrices (summed over a batch or not) or vectors."""
    x, a, b = values
    beta, alpha = params
    if op.__name__ == "Addr":
        a = _with_axis(a, -1)
        b = _with_axis(b, -2)
    out = product(a, b)
    if op.__name__ == "AddBmm":
        out = apply(reduce.Sum, (out,), ((out._data.ndim - 3,), False))
    out = _scaled(out, alpha)
    if beta == 0:
        return out if out._data.ndim and type(a) is type(b) is not Whole else _at_least(out, values, size)
    ndim = max(ndim_of(x), out._data.ndim - (type(a) is Whole or type(b) is Whole))
    parts = [_scaled(aligned(x, ndim), beta), out]
    return apply(ew.Add, tuple(parts))


def _with_axis(value: Any, at: int) -> Any:
    """A vector as a column (at -1) or a row (-2)."""
    whole = type(value) is Whole
    sizes = value.data.shape if whole else value._data.shape
    new = (*sizes, 1) if at == -1 else (*sizes[:-1], 1, sizes[-1])
    out = reshaped(value.tensor if whole else value, new)
    return Whole(out) if whole else out


def _at_least(out: Any, values: Values, size: int) -> Any:
    """A result that does not read the batched input, for each sample all the same."""
    return out if any([type(v) is Whole for v in values[1:]]) else expanded(out, size)


def _affine(op: type[Op], values: Values, params: Params, size: int) -> Any:
    bias, x, weight = values
    if type(x) is Whole and type(bias) is not Whole and type(weight) is not Whole:
        return apply(op, (bias, x.tensor, weight))
    turned = (
        Whole(apply(shape.Transpose, (weight.tensor,), (1, 2)))
        if type(weight) is Whole
        else apply(shape.Transpose, (weight,), (0, 1))
    )
    out = product(x, turned)
    ndim = out._data.ndim - (type(x) is Whole or type(weight) is Whole)
    return apply(ew.Add, (out, aligned(bias, ndim)))


def _trace(op: type[Op], values: Values, params: Params, size: int) -> Any:
    tensor = values[0].tensor
    rows, columns = tensor._data.shape[1:]
    n = np.arange(min(rows, columns))
    picked = apply(shape.IndexTensor, (tensor,), ((slice(None), n, n),))
    return picked.sum(1)


def _contract(op: type[Op], values: Values, params: Params, size: int) -> Any:
    a, b = values
    la, lb, lo = params
    label = fresh_label(params)
    labels = [(label, *own) if type(v) is Whole else own for v, own in ((a, la), (b, lb))]
    inputs = tuple([v.tensor if type(v) is Whole else v for v in values])
    return apply(op, inputs, (*labels, (label, *lo)))


# Shapes --------------------------------------------------------------------------------------------


def _permute(op: type[Op], values: Values, params: Params, size: int) -> Any:
    return apply(op, (values[0].tensor,), ((0, *[a + 1 if a >= 0 else a for a in params[0]]),))


def _expand(op: type[Op], values: Values, params: Params, size: int) -> Any:
    return apply(op, (aligned(values[0], len(params[0])),), ((size, *params[0]),))


def _repeat(op: type[Op], values: Values, params: Params, size: int) -> Any:
    return apply(op, (aligned(values[0], len(params[0])),), ((1, *params[0]),))


def _roll(op: type[Op], values: Values, params: Params, size: int) -> Any:
    whole, (shifts, axes) = values[0].tensor, params
    if axes:
        return apply(op, (whole,), (shifts, tuple([a + 1 if a >= 0 else a for a in axes])))
    flat = reshaped(whole, (size, whole._data[0].size if size else 0))
    return reshaped(apply(op, (flat,), (shifts, (1,))), whole._data.shape)


def _diagonal_copy(op: type[Op], values: Values, params: Params, size: int) -> Any:
    rows, columns = values[0].data.shape[1:]
    offset = params[0]
    start = (max(-offset, 0), max(offset, 0))
    n = np.arange(max(min(rows - start[0], columns - start[1]), 0))
    return apply(shape.IndexTensor, (values[0].tensor,), ((slice(None), n + start[0], n + start[1]),))


def _join(op: type[Op], values: Values, params: Params, size: int) -> Any:
    axis = params[0] + 1 if params[0] >= 0 else params[0]
    return apply(op, tuple([expanded(v, size) for v in values]), (axis,))


def _flat_extreme(op: type[Op], values: Values, params: Params, size: int) -> Any:
    whole = values[0]
    along = reduce.AMin if issubclass(op, reduce.MinAll) else reduce.AMax
    return apply(along, (whole.tensor,), (tuple(range(1, whole.ndim + 1)), False))


def _flat_product(op: type[Op], values: Values, params: Params, size: int) -> Any:
    sizes = values[0].data.shape
    flat = reshaped(values[0].tensor, (size, int(np.prod(sizes[1:], dtype=np.int64))))
    return flat.prod(1)


def _fill_tensor(op: type[Op], values: Values, params: Params, size: int) -> Any:
    x, v = values
    return apply(ew.Copy, (expanded(x, size), aligned(v, ndim_of(x))))


def _copy(op: type[Op], values: Values, params: Params, size: int) -> Any:
    target = expanded(values[0], size)
    return apply(op, (target, aligned(values[1], target._data.ndim - 1)), params)


def step_params(op: type[Op], params: Params, size: int, ndim: int) -> Params | None:
    """The parameters of a view operator on the batch, for the steps of ``CopySlices``."""
    if issubclass(op, shape.Permute):
        return ((0, *[a + 1 if a >= 0 else a for a in params[0]]),)
    if issubclass(op, shape.Expand):
        return ((size, *params[0]),)
    if issubclass(op, shape.Index):
        return (keyed(params[0]),)
    if op.batch == "leading":
        return params
    if type(op.batch) is not dict:
        return None
    plan = planned(op, [Whole(Tensor(np.zeros((1,) * (ndim + 1)), None))], params, size)
    return None if plan is None else plan.params


def _view_steps(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """What applies view operators one after another (``Review``), or writes to what they show."""
    steps = []
    for step, given in params[0]:
        changed = step_params(step, given, size, ndim_of(values[0]))
        if changed is None:
            return NotImplemented
        steps.append((step, changed))
    return apply(op, tuple([expanded(v, size) for v in values]), (tuple(steps),))


# Indexing ------------------------------------------------------------------------------------------


def _as_tuple(key: Any) -> tuple[Any, ...]:
    return key if type(key) is tuple else (key,)


class Place:
    """A key on the batch, and where the dimensions of its arrays stand in what it picks.

    ``front``: how many dimensions of arrays NumPy puts right behind (or, with ``lead``, before) the batch
    that
    belong ``before`` dimensions further in.
    """

    __slots__ = ("key", "front", "before", "lead")

    def __init__(self, key: Any, batched: bool, size: int) -> None:
        items = list(_as_tuple(key))
        at = [i for i, k in enumerate(items) if type(k) is Whole or type(k) is ndarray]
        self.front = self.before = 0
        self.lead = False
        arrays = [items[i] for i in at]
        together = not at or at[-1] - at[0] + 1 == len(at)
        if not any([type(k) is Whole for k in arrays]):
            self.key: tuple[Any, ...] = (slice(None), *items)
            if not together:  # NumPy puts the arrays' dimensions first, before the batch
                self.front, self.lead = np.broadcast(*arrays).ndim, True
            return
        if any([(k.data if type(k) is Whole else k).dtype == bool for k in arrays]):
            raise ConvgradError(
                "vmap: We do not support batching operators that can support dynamic shape. "
                "Attempting to batch "
                "over indexing with a boolean mask."
            )
        ndim = max([ndim_of(k) for k in arrays])
        for i in at:
            items[i] = aligned_array(items[i], ndim)
        self.key = (np.arange(size).reshape(size, *(1,) * ndim), *items)
        if together and at[0] > 0:
            self.front = ndim
            self.before = sum([k is None or type(k) is slice for k in items[: at[0]]])

    def out(self, picked: Any) -> Any:
        """What the key picked, batch first and the arrays' dimensions where a sample has them."""
        ndim = picked._data.ndim
        if self.lead:
            f = self.front
            return permuted(picked, (f, *range(f), *range(f + 1, ndim)))
        if not self.before:
            return picked
        f, b = self.front, self.before
        order = (0, *range(1 + f, 1 + f + b), *range(1, 1 + f), *range(1 + f + b, ndim))
        return permuted(picked, order)

    def back(self, value: Any) -> Any:
        """The inverse of ``out``."""
        ndim = value._data.ndim
        if self.lead:
            f = self.front
            return permuted(value, (*range(1, 1 + f), 0, *range(1 + f, ndim)))
        if not self.before:
            return value
        f, b = self.front, self.before
        return permuted(value, (0, *range(1 + b, 1 + b + f), *range(1, 1 + b), *range(1 + b + f, ndim)))

    @property
    def plain(self) -> bool:
        """Whether nothing has to be turned."""
        return not self.lead and not self.before


def _index(op: type[Op], values: Values, params: Params, size: int) -> Any:
    x = values[0]
    key = params[0]
    if (type(key) is Whole and key.data.dtype == bool) or (op.__name__ == "MaskedSelect" and holds(key)):
        raise ConvgradError(
            "vmap: We do not support batching operators that can output dynamic shape. Attempted to "
            "vmap over "
            "aten::masked_select."
        )
    if type(x) is not Whole:
        items = _as_tuple(key)
        at = [i for i, k in enumerate(items) if type(k) is Whole]
        ndim = max([ndim_of(items[i]) for i in at])
        each = [aligned_array(k, ndim) if i in at else k for i, k in enumerate(items)]
        picked = apply(op, (x,), (tuple(each),))
        arrays = [i for i, k in enumerate(each) if type(k) is ndarray]
        before = sum([type(k) is slice or k is None for k in each[: arrays[0]]])
        if arrays[-1] - arrays[0] + 1 != len(arrays) or not before:
            return picked
        return permuted(picked, (before, *range(before), *range(before + 1, picked._data.ndim)))
    if not any([type(k) is ndarray or type(k) is Whole for k in _as_tuple(key)]):
        return apply(op, (x.tensor,), (keyed(key),))
    place = Place(key, True, size)
    return place.out(apply(op, (x.tensor,), (place.key,)))


def _index_put(op: type[Op], values: Values, params: Params, size: int) -> Any:
    place = Place(params[0], True, size)
    return apply(op, (place.back(expanded(values[0], size)),), (place.key, (size, *params[1])))


def _set_index(op: type[Op], values: Values, params: Params, size: int) -> Any:
    x, v = values
    place = Place(params[0], True, size)
    target = expanded(x, size)
    picked = target._data[place.key]
    if not place.plain:
        picked = place.out(Tensor(picked, None))._data
    source = aligned(v, picked.ndim - 1)
    if not place.plain:
        source = place.back(apply(shape.Expand, (source,), (picked.shape,)))
    return apply(op, (target, source), (place.key, *params[1:]))


def _full_index(index: Any, axis: int, sizes: tuple[int, ...], size: int) -> Any:
    """A vector of positions per sample as positions for ``gather`` along an axis of samples of ``sizes``."""
    data = expanded_array(index, size)
    new = [size] + [1] * len(sizes)
    new[axis + 1] = data.shape[1] if data.ndim > 1 else 1
    target = [size, *sizes]
    target[axis + 1] = new[axis + 1]
    return np.broadcast_to(data.reshape(new), target)


def _index_select(op: type[Op], values: Values, params: Params, size: int) -> Any:
    index, axis = params
    x = values[0]
    if type(index) is not Whole:
        return apply(op, (x.tensor,), (index, axis + 1))
    sizes = shape_of(x)
    if not sizes:
        return expanded(x, size)
    return apply(reduce.Gather, (expanded(x, size),), (_full_index(index, axis, sizes, size), axis + 1))


def _index_add(op: type[Op], values: Values, params: Params, size: int) -> Any:
    index, axis, alpha = params
    x, source = values
    if type(index) is Whole or not ndim_of(source) or not ndim_of(x):
        return NotImplemented
    return apply(op, (expanded(x, size), expanded(source, size)), (index, axis + 1, alpha))


def _as_strided(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """Every sample is looked at from where it begins, as the first one is."""
    whole = values[0].tensor
    sizes, strides, offset = params
    step = whole._data.strides[0] // whole._data.itemsize
    start = storage_of(whole._data)[1]
    return apply(op, (whole,), ((size, *sizes), (step, *strides), start + offset))


def _strided_take(op: type[Op], values: Values, params: Params, size: int) -> Any:
    whole, index = values[0].tensor, params[0]
    if holds(index):
        return NotImplemented
    flat = reshaped(whole, (size, int(np.prod(whole._data.shape[1:], dtype=np.int64))))
    nothing = Tensor(np.zeros((size, 1), flat._data.dtype), None)
    return apply(shape.IndexTensor, (apply(shape.Cat, (flat, nothing), (1,)),), ((slice(None), index),))


def _strided_put(op: type[Op], values: Values, params: Params, size: int) -> Any:
    index, sizes = params
    if holds(index):
        return NotImplemented
    n = int(np.prod(sizes, dtype=np.int64))
    out = apply(shape.IndexPut, (values[0].tensor,), ((slice(None), index), (size, n + 1)))
    return reshaped(apply(shape.Slice, (out,), ((slice(None), slice(0, n)),)), (size, *sizes))


def _by_loop(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """No rule, although the class it derives from has one."""
    return NotImplemented


def _fold_windows(op: type[Op], values: Values, params: Params, size: int) -> Any:
    if not params[-1]:  # the windows of a number
        return reshaped(values[0].tensor, (size,))
    plan = planned(op, values, params, size)
    return NotImplemented if plan is None else apply(op, plan.inputs, plan.params)


def _take(op: type[Op], values: Values, params: Params, size: int) -> Any:
    x, index = values[0], params[0]
    if type(x) is not Whole:
        return apply(op, (x,), (index.data,))
    flat = reshaped(x.tensor, (size, int(np.prod(x.data.shape[1:], dtype=np.int64))))
    data = expanded_array(index, size)
    picked = apply(reduce.Gather, (flat,), (data.reshape(size, -1), 1))
    return reshaped(picked, data.shape)


def _put(op: type[Op], values: Values, params: Params, size: int) -> Any:
    x, source = values
    index, accumulate = params
    target = expanded(x, size)
    n = int(np.prod(target._data.shape[1:], dtype=np.int64))
    flat = reshaped(target, (size, n))
    data = expanded_array(index, size).reshape(size, -1)
    given = reshaped(expanded(source, size), data.shape)
    out = apply(shape.SetIndex, (flat, given), ((np.arange(size)[:, None], data), accumulate))
    return reshaped(out, target._data.shape)


def _scatter(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """Gather and the scatters: index and everything else with the batch in front."""
    index, axis, *rest = params
    x, *src = values
    if not len(shape_of(x)) or not ndim_of(index) or any([holds(p) for p in rest]):
        return NotImplemented
    if op.__name__ in ("ScatterSum", "Place"):
        rest = [(size, *rest[0])] if op.__name__ == "ScatterSum" else rest
    given = [expanded(v, size) if ndim_of(v) else aligned(v, ndim_of(index)) for v in src]
    return apply(op, (expanded(x, size), *given), (expanded_array(index, size), axis + 1, *rest))


#: the rules, by module and class of ``convgrad.ops``
RULES: dict[str, Rule] = {
    "elementwise.Copy": _copy,
    "matmul.MatMul": _product, "matmul.Mv": _product, "matmul.Vm": _product, "matmul.Dot": _product,
    "matmul.Vdot": _product, "matmul.AddMm": _plus_product, "matmul.AddBmm": _plus_product,
    "matmul.AddMv": _plus_product, "matmul.Addr": _plus_product, "matmul.Affine": _affine,
    "matmul.Trace": _trace,
    "einsum.Contract": _contract,
    "reduce.MaxAll": _flat_extreme, "reduce.Gather": _scatter, "reduce.ScatterSum": _scatter,
    "reduce.Place": _scatter,
    "shape.Permute": _permute, "shape.Expand": _expand, "shape.Index": _index, "shape.IndexPut": _index_put,
    "shape.SetIndex": _set_index, "shape.CopySlices": _view_steps, "shape.Review": _view_steps,
    "shape.FillTensor": _fill_tensor,
    "shape.Cat": _join, "shape.Stack": _join,
    "reduce.MedianAll": _by_loop, "reduce.NanMedianAll": _by_loop,
    "rearrange.Fold": _fold_windows, "rearrange.AsStrided": _as_strided,
    "rearrange.StridedTake": _strided_take,
    "rearrange.StridedPut": _strided_put,
    "scan.ProdAll": _flat_product,
    "rearrange.Repeat": _repeat, "rearrange.Roll": _roll, "rearrange.DiagonalCopy": _diagonal_copy,
    "scatter.IndexSelect": _index_select, "scatter.IndexAdd": _index_add, "scatter.Take": _take,
    "scatter.Put": _put, "scatter.Scatter": _scatter, "scatter.ScatterAdd": _scatter,
    "scatter.ScatterReduce": _scatter, "scatter.Replace": _set_index,
    **NETWORK_RULES,
}  # fmt: skip
