"""The check of a result that is to be written in place."""

from __future__ import annotations

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
