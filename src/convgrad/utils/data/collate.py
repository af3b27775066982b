"""Joining examples into batches: tensors are stacked, structures are kept."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from ...dtypes import Array
from ...errors import ConvgradError, ShapeError
from ...tensor.creation import as_tensor, tensor
from ...tensor.functions_shape import stack
from ...tensor.tensor import Tensor

_PROBLEM = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"


def default_convert(data: Any) -> Any:
    """NumPy arrays and scalars anywhere in a structure as tensors; everything else as it is.

    Mappings, sequences and named tuples keep their types, plain tuples become lists.
    """
    if isinstance(data, Tensor):
        return data
    if isinstance(data, np.ndarray | np.generic):
        return data if data.dtype.kind in "SUO" else as_tensor(data)
    if isinstance(data, Mapping):
        return _mapping(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple):
        parts = [default_convert(value) for value in data]
        return type(data)(*parts) if hasattr(data, "_fields") else parts
    if isinstance(data, Sequence) and not isinstance(data, str | bytes | bytearray):
        return _sequence(data, [default_convert(value) for value in data])
    return data


def collate(batch: Any, *, collate_fn_map: dict[Any, Callable[..., Any]] | None = None) -> Any:
    """A list of examples as one batch, leaves by the functions of a table.

    Args:
        batch: examples of one structure.
        collate_fn_map: type, or tuple of types -> ``f(batch, collate_fn_map=...)``; the exact type of the
            first example counts first, then what it is an instance of.
    Returns:
        The structure of the first example with its leaves joined; plain tuples become lists.
    Raises:
        TypeError: a leaf of a type that is not in the table.
        ConvgradError: sequences of different lengths.
        ShapeError: tensors of different shapes.
    """
    first = batch[0]
    kind = type(first)
    if collate_fn_map is not None:
        if kind in collate_fn_map:
            return collate_fn_map[kind](batch, collate_fn_map=collate_fn_map)
        for kinds, function in collate_fn_map.items():
            if isinstance(first, kinds):
                return function(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        joined = {key: collate([d[key] for d in batch], collate_fn_map=collate_fn_map) for key in first}
        return _mapping(first, joined)
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return kind(*[collate(part, collate_fn_map=collate_fn_map) for part in zip(*batch, strict=True)])
    if isinstance(first, Sequence):
        lengths = [len(example) for example in batch]
        if len(set(lengths)) > 1:
            raise ConvgradError(
                f"each element in list of batch should be of equal size, but got lengths {lengths}; "
                "pad them, or give DataLoader a collate_fn"
            )
        parts = [collate(part, collate_fn_map=collate_fn_map) for part in zip(*batch, strict=True)]
        return parts if isinstance(first, tuple) else _sequence(first, parts)
    raise TypeError(_PROBLEM.format(kind))


def _mapping(like: Any, joined: dict[Any, Any]) -> Any:
    """A mapping of the user's own type, with its other fields if it can be copied; else a dict."""
    if type(like) is dict:
        return joined
    try:
        if not isinstance(like, MutableMapping):
            return type(like)(joined)
        clone = copy.copy(like)
        clone.update(joined)
        return clone
    except TypeError:
        return joined


def _sequence(like: Any, parts: list[Any]) -> Any:
    """A sequence of the user's own type if that is possible; else a list."""
    if type(like) is list or isinstance(like, range):
        return parts
    try:
        if not isinstance(like, MutableSequence):
            return type(like)(parts)
        clone = copy.copy(like)
        for i, part in enumerate(parts):
            clone[i] = part
        return clone
    except TypeError:
        return parts


def collate_tensor_fn(batch: Any, *, collate_fn_map: Any = None) -> Any:
    """Tensors of one shape, stacked; gradients are followed."""
    shape = batch[0]._data.shape
    for i, x in enumerate(batch):
        if x._data.shape != shape:
            raise ShapeError(
                f"stack expects each tensor to be equal size, but got {list(shape)} at entry 0 and "
                f"{list(x._data.shape)} at entry {i}; pad them, or give DataLoader a collate_fn"
            )
    kind = batch[0]._data.dtype
    if any([x._node is not None or x._data.dtype is not kind for x in batch]):
        return stack(list(batch))
    return Tensor(_stacked([x._data for x in batch]), None)


def _stacked(arrays: list[Array]) -> Array:
    """``np.stack`` of arrays of one shape and dtype, contiguous; in half the time where they are small."""
    shape, count = arrays[0].shape, len(arrays)
    if not shape:
        return np.array(arrays)
    out = np.empty((count, *shape), arrays[0].dtype)
    np.concatenate(arrays, out=out.reshape(count * shape[0], *shape[1:]))
    return out


def collate_numpy_array_fn(batch: Any, *, collate_fn_map: Any = None) -> Any:
    """Arrays of one shape, stacked to a tensor."""
    if batch[0].dtype.kind in "SUO":
        raise TypeError(_PROBLEM.format(batch[0].dtype))
    first, joins = as_tensor(batch[0])._data, (collate_fn_map or {}).get(Tensor)
    if joins is collate_tensor_fn and all([_alike(x, first) for x in batch]):
        return Tensor(_stacked(batch), None)
    return collate([as_tensor(x) for x in batch], collate_fn_map=collate_fn_map)


def _alike(x: Any, first: Array) -> bool:
    """Whether an array is as another that is a tensor's, and needs no word of warning either."""
    return type(x) is np.ndarray and x.dtype is first.dtype and x.shape == first.shape and x.flags.carray


def collate_numpy_scalar_fn(batch: Any, *, collate_fn_map: Any = None) -> Any:
    """NumPy's numbers as a tensor of their dtype."""
    return as_tensor(np.array(batch))


def collate_float_fn(batch: Any, *, collate_fn_map: Any = None) -> Any:
    """Python floats as a float64 tensor."""
    return Tensor(np.array(batch, np.float64), None)


def collate_int_fn(batch: Any, *, collate_fn_map: Any = None) -> Any:
    """Python integers and bools as a tensor."""
    return tensor(list(batch))


def collate_str_fn(batch: Any, *, collate_fn_map: Any = None) -> Any:
    """Strings stay as they are."""
    return batch


#: what ``default_collate`` joins by which function; may be added to
default_collate_fn_map: dict[Any, Callable[..., Any]] = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch: Any) -> Any:
    """A list of examples as one batch.

    Args:
        batch: examples of one structure: tensors, arrays and numbers, in tuples, lists, mappings and named
            tuples; strings and bytes stay lists. ``default_collate_fn_map`` may be given further types.
    Returns:
        The same structure with the leaves joined along a new first dimension (tuples become lists).
    Raises:
        TypeError: a leaf of another type.
        ConvgradError: sequences of different lengths.
        ShapeError: tensors of different shapes.
    Example:
        >>> default_collate([(1, {"a": 2.0}), (3, {"a": 4.0})])[1]["a"].tolist()
        [2.0, 4.0]
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


__all__ = [
    "collate", "collate_float_fn", "collate_int_fn", "collate_numpy_array_fn", "collate_numpy_scalar_fn",
    "collate_str_fn", "collate_tensor_fn", "default_collate", "default_collate_fn_map", "default_convert",
]  # fmt: skip
