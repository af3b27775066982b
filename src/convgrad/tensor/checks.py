"""Checks of dtypes, and of a result that is to be written in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import Array
from ..errors import ConvgradError, ShapeError


def check_result(name: str, result: Array, target: Array) -> None:
    """An in-place result must have the target's shape and a dtype that fits into the target's."""
    if result.shape != target.shape:
        raise ShapeError(
            f"output with shape {list(target.shape)} doesn't match the broadcast shape "
            f"{list(result.shape)} ({name})"
        )
    source, goal = dtypes.from_numpy(result.dtype), dtypes.from_numpy(target.dtype)
    if not dtypes.can_cast(source, goal):
        raise ConvgradError(
            f"result type {scalar_name(source)} can't be cast to the desired output type "
            f"{scalar_name(goal)} ({name})"
        )


def scalar_name(d: dtypes.dtype) -> str:
    """The name PyTorch's error messages give a dtype, such as Float or Long."""
    return dtypes.SCALAR_NAMES[d.name]


def check_floating(name: str, x: Any, also: tuple[str, ...] = ()) -> None:
    """Refuse dtypes an operator is not made for, as PyTorch does.

    Args:
        name: of the kernel, as PyTorch's message calls it.
        x: a tensor.
        also: kinds (NumPy's letters) or names of dtypes that are allowed beside real floats.
    Raises:
        NotImplementedError: another dtype.
    """
    kind = x._data.dtype
    if kind.kind == "f" or kind in dtypes.HALVES or kind.kind in also or kind.name in also:
        return
    raise NotImplementedError(
        f"\"{name}\" not implemented for '{scalar_name(x.dtype)}': it needs a floating point tensor, but got "
        f"{x.dtype}; use .float()"
    )


def held(inputs: tuple[Any, ...], params: tuple[Any, ...]) -> tuple[Any, ...]:
    """Parameters with copies of masks and indices, so that who changes those later changes no gradient."""
    if not any([getattr(x, "_node", None) is not None for x in inputs]):
        return params
    return tuple([tuple(map(_own, p)) if type(p) is tuple else _own(p) for p in params])


def _own(value: Any) -> Any:
    if type(value) is not np.ndarray or value.dtype.kind not in "bi":
        return value
    if 0 not in value.strides:
        return value.copy()
    thin = value[tuple([slice(0, 1) if step == 0 else slice(None) for step in value.strides])]
    return np.broadcast_to(thin.copy(), value.shape)
