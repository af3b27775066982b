"""A batch in the hands of a rule, and the ways to give every input its batch dimension."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from ..ops import shape
from ..ops.op import Op
from ..tensor.tensor import Tensor, apply


class Whole:
    """The tensor of all samples, batch first; what else a rule is given is the same for each sample."""

    __slots__ = ("tensor", "ndim")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        #: dimensions of one sample
        self.ndim = tensor._data.ndim - 1

    @property
    def data(self) -> Any:
        """The values of all samples."""
        return self.tensor._data


def ndim_of(value: Any) -> int:
    """Dimensions of one sample of a value."""
    if type(value) is Whole:
        return value.ndim
    return value._data.ndim if isinstance(value, Tensor) else np.ndim(value)


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape of one sample of a value."""
    if type(value) is Whole:
        return value.data.shape[1:]
    return np.shape(value._data if isinstance(value, Tensor) else value)


def holds(param: Any) -> bool:
    """Whether a parameter differs from sample to sample."""
    if type(param) is tuple or type(param) is list:
        return any([holds(p) for p in param])
    return type(param) is Whole


def reshaped(tensor: Any, sizes: tuple[int, ...]) -> Any:
    """A recorded reshape, if there is anything to do."""
    return tensor if tensor._data.shape == sizes else apply(shape.Reshape, (tensor,), (sizes,))


def permuted(tensor: Any, order: tuple[int, ...]) -> Any:
    """A recorded permutation, if there is anything to do."""
    return tensor if order == tuple(range(len(order))) else apply(shape.Permute, (tensor,), (order,))


def aligned(value: Any, ndim: int) -> Any:
    """A value that broadcasts, batch first, against samples of ``ndim`` dimensions."""
    if type(value) is not Whole or value.ndim >= ndim:
        return value.tensor if type(value) is Whole else value
    sizes = value.data.shape
    return reshaped(value.tensor, (sizes[0], *(1,) * (ndim - value.ndim), *sizes[1:]))


def aligned_array(value: Any, ndim: int) -> Any:
    """The same for a parameter, as an array (or what it was)."""
    out = aligned(value, ndim)
    return out._data if isinstance(out, Tensor) else out


def expanded(value: Any, size: int) -> Tensor:
    """A value as the tensor of all samples, repeated if it is the same for each."""
    if type(value) is Whole:
        return value.tensor
    tensor = value if isinstance(value, Tensor) else Tensor(np.asarray(value), None)
    return apply(shape.Expand, (tensor,), ((size, *tensor._data.shape),))


def expanded_array(param: Any, size: int) -> Any:
    """An array parameter with a batch dimension; of one memory if it is the same for each."""
    if type(param) is Whole:
        return param.data
    return np.broadcast_to(param, (size, *param.shape)) if type(param) is ndarray else param


def sample_of(value: Any, index: int) -> Any:
    """One sample's value; parameters as arrays."""
    return apply(shape.Index, (value.tensor,), ((index, ...),)) if type(value) is Whole else value


def sample_param(param: Any, index: int) -> Any:
    """One sample's parameter."""
    if type(param) is tuple or type(param) is list:
        return type(param)([sample_param(p, index) for p in param])
    return param.data[index, ...] if type(param) is Whole else param


# Declared rules ------------------------------------------------------------------------------------


def shifted(axis: Any) -> Any:
    """A dimension (or several) of a sample as one of the batch; those counted from the end stay."""
    if axis is None:
        return None
    if isinstance(axis, (tuple, list)):
        return type(axis)([shifted(a) for a in axis])
    return axis + 1 if axis >= 0 else axis


def keyed(key: Any) -> tuple[Any, ...]:
    """An indexing key of a sample as one of the batch."""
    return (slice(None), *(key if type(key) is tuple else (key,)))


def fresh_label(labels: tuple[Any, ...]) -> int:
    """A label of an einsum that none of these tuples of labels has."""
    return min([0, *[i for own in labels for i in own]]) - 1


#: kind of a parameter (see ``Op.batch``) -> how it becomes the batch's
PARAMETERS: dict[str, Any] = {
    "axis": lambda value, _: shifted(value),
    "size": lambda value, size: value if value is None else (size, *value),
    "pairs": lambda value, _: ((0, 0), *value),
    "ones": lambda value, _: (1, *value),
    "key": lambda value, _: keyed(value),
    "array": expanded_array,
}


class Plan:
    """One call on the batch: its inputs and parameters."""

    __slots__ = ("inputs", "params")

    def __init__(self, inputs: tuple[Any, ...], params: tuple[Any, ...]) -> None:
        self.inputs = inputs
        self.params = params


def planned(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Plan | None:
    """The call that an operator's own ``batch`` declares; None if it declares none that serves here."""
    how = op.batch
    if how == "elementwise":
        arrays = [p for p in params if type(p) in (Whole, ndarray)]
        ndim = max([ndim_of(v) for v in (*values, *arrays)])
        if not any([type(v) is Whole for v in values]):  # a mask alone
            values = [Whole(expanded(values[0], size)), *values[1:]]
        return Plan(
            tuple([aligned(v, ndim) for v in values]), tuple([aligned_array(p, ndim) for p in params])
        )
    if how == "fold":
        return Plan(
            tuple([v if v is None else folded(expanded(v, size)) for v in values]),
            tuple(
                [_folded_array(expanded_array(p, size)) if type(p) in (Whole, ndarray) else p for p in params]
            ),
        )
    if how is None:
        return None
    kinds = {} if how == "leading" else how
    changed = []
    for name, value in zip(op.params, params, strict=False):
        kind = kinds.get(name)
        if kind != "array" and holds(value):
            return None
        if kind == "label":
            changed.append((fresh_label(params), *value))
        else:
            changed.append(value if kind is None else PARAMETERS[kind](value, size))
    if (len(values) == 1 and type(values[0]) is not Whole) or len(values) > 1:
        return Plan(tuple([_expanded_input(v, size) for v in values]), tuple(changed))
    return Plan((values[0].tensor,), tuple(changed))


def _expanded_input(value: Any, size: int) -> Any:
    """None stays None, and so do numbers, which broadcast."""
    if value is None or not (type(value) is Whole or ndim_of(value)):
        return value
    return expanded(value, size)


def folded(tensor: Any) -> Any:
    """(B, N, ...) as (B N, ...)."""
    sizes = tensor._data.shape
    return reshaped(tensor, (sizes[0] * sizes[1], *sizes[2:]))


def _folded_array(array: Any) -> Any:
    return array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])


def unfolded(out: Any, size: int) -> Any:
    """The inverse of ``folded``, also of a tuple of results."""
    if type(out) is tuple:
        return tuple([unfolded(o, size) for o in out])
    sizes = out._data.shape
    return reshaped(out, (size, sizes[0] // size, *sizes[1:]))


def unsqueezed(tensor: Any) -> Any:
    """A last dimension of size 1 more."""
    return reshaped(tensor, (*tensor._data.shape, 1))


def unsqueezed_param(param: Any, kind: Any) -> Any:
    """The same for an array parameter; no dimensions name the new one."""
    if type(param) is Whole:
        return Whole(unsqueezed(param.tensor))
    if type(param) is ndarray:
        return param[..., None]
    return {"axis": (0,), "size": (1,)}.get(kind, param) if param == () else param


def squeezed(out: Any, size: int) -> Any:
    """Results of samples of no dimension, without the one they were given."""
    if type(out) is tuple:
        return tuple([squeezed(o, size) for o in out])
    sizes = out._data.shape
    return reshaped(out, (size,) if len(sizes) <= 2 and out._data.size == size else (size, *sizes[2:]))
