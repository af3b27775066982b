"""Checks and messages of the ways an operator is run: broadcasting, and results written in place."""

from __future__ import annotations

from .. import dtypes
from ..dtypes import Array
from ..errors import ConvgradError, ShapeError


def broadcast_error(a: tuple[int, ...], b: tuple[int, ...]) -> ShapeError:
    """The error of two shapes that do not broadcast, naming the dimension where they part."""
    rank = max(len(a), len(b))
    pa, pb = (1,) * (rank - len(a)) + tuple(a), (1,) * (rank - len(b)) + tuple(b)
    for i in reversed(range(rank)):
        if pa[i] != pb[i] and 1 not in (pa[i], pb[i]):
            return ShapeError(
                f"The size of tensor a ({pa[i]}) must match the size of tensor b ({pb[i]}) at non-singleton "
                f"dimension {i} (shapes {list(a)} and {list(b)})"
            )
    return ShapeError(f"shapes {list(a)} and {list(b)} cannot be broadcast together")


def check_result(name: str, result: Array, target: Array) -> None:
    """An in-place result must have the target's shape and a dtype that fits into the target's."""
    if result.shape != target.shape:
        raise ShapeError(
            f"output with shape {list(target.shape)} doesn't match the broadcast shape {list(result.shape)} ({name})"
        )
    source, goal = dtypes.from_numpy(result.dtype), dtypes.from_numpy(target.dtype)
    if not dtypes.can_cast(source, goal):
        raise ConvgradError(
            f"result type {scalar_name(source)} can't be cast to the desired output type {scalar_name(goal)} ({name})"
        )


_SCALAR_NAMES = {
    "float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16", "uint8": "Byte",
    "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long", "bool": "Bool",
    "complex64": "ComplexFloat", "complex128": "ComplexDouble",
}  # fmt: skip


def scalar_name(d: dtypes.dtype) -> str:
    """The name PyTorch's error messages give a dtype, such as Float or Long."""
    return _SCALAR_NAMES[d.name]
