"""Joining examples into batches: tensors are stacked, structures are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import ConvgradError, ShapeError
from ...ops.shape import Stack
from ...tensor.tensor import Tensor, apply

_PROBLEM = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"


def default_convert(data: Any) -> Any:
    """NumPy arrays anywhere in a structure as tensors; everything else as it is."""
    if isinstance(data, np.ndarray | np.generic):
        return data if data.dtype.kind in "SUO" else Tensor(np.asarray(data), None)
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*[default_convert(value) for value in data])
    if isinstance(data, tuple | list):
        return [default_convert(value) for value in data]
    return data


def default_collate(batch: Any) -> Any:
    """A list of examples as one batch.

    Args:
        batch: examples of one structure: tensors, arrays and numbers, in tuples, lists, dictionaries and
            named tuples; strings and bytes stay lists.
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
    first = batch[0]
    if isinstance(first, Tensor):
        return _stack(batch)
    if isinstance(first, np.ndarray | np.generic):
        if first.dtype.kind in "SUO":
            raise TypeError(_PROBLEM.format(first.dtype))
        return Tensor(np.stack([np.asarray(x) for x in batch]), None)
    if isinstance(first, bool | int):
        return Tensor(np.array(batch, np.bool_ if isinstance(first, bool) else np.int64), None)
    if isinstance(first, float):
        return Tensor(np.array(batch, np.float64), None)
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        joined = {key: default_collate([d[key] for d in batch]) for key in first}
        return joined if type(first) is dict else _rebuilt(first, joined)
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*[default_collate(part) for part in zip(*batch, strict=True)])
    if isinstance(first, Sequence):
        if any([len(x) != len(first) for x in batch]):
            raise ConvgradError(
                "each element in list of batch should be of equal size, but got lengths "
                f"{[len(x) for x in batch]}"
            )
        parts = [default_collate(part) for part in zip(*batch, strict=True)]
        return parts if type(first) in (tuple, list) else _rebuilt(first, parts)
    raise TypeError(_PROBLEM.format(type(first)))


def _rebuilt(like: Any, value: Any) -> Any:
    """A collection of the user's own type, if it can be made from one argument."""
    try:
        return type(like)(value)
    except TypeError:
        return value


def _stack(batch: Sequence[Any]) -> Any:
    shape = batch[0]._data.shape
    for i, x in enumerate(batch):
        if x._data.shape != shape:
            raise ShapeError(
                f"stack expects each tensor to be equal size, but got {list(shape)} at entry 0 and "
                f"{list(x._data.shape)} at entry {i}; pad them, or give DataLoader a collate_fn"
            )
    if any([x._node is not None for x in batch]):
        return apply(Stack, tuple(batch), (0,))
    return Tensor(np.stack([x._data for x in batch]), None)


__all__ = ["default_collate", "default_convert"]
