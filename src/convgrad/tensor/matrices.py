"""What the functions of ``convgrad.linalg`` ask of their matrices, and the errors where it is not so."""

from __future__ import annotations

from typing import Any

from ..dtypes import HALVES, Array
from ..errors import DtypeError, ShapeError
from .methods.order import scalar_name
from .tensor import Tensor


def as_matrix(x: Any, name: str, argument: str = "A") -> Array:
    """The array of a tensor of at least two dimensions.

    Raises:
        TypeError: not a tensor.
        ShapeError: fewer dimensions.
    """
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{name.replace('linalg.', 'linalg_')}(): argument '{argument}' must be Tensor, not "
            f"{type(x).__name__}"
        )
    if x._data.ndim < 2:
        raise ShapeError(
            f"{name}: The input tensor {argument} must have at least 2 dimensions. "
            f"(got shape {list(x._data.shape)})"
        )
    return x._data


def as_square(x: Any, name: str, argument: str = "A") -> Array:
    """The array of a tensor of square matrices."""
    a = as_matrix(x, name, argument)
    if a.shape[-1] != a.shape[-2]:
        raise ShapeError(
            f"{name}: {argument} must be batches of square matrices, but they are {a.shape[-2]} by "
            f"{a.shape[-1]} matrices"
        )
    return a


def check_float(a: Array, name: str, kernel: str = "") -> None:
    """Refuse integers, and half precision: in the words of the function or of PyTorch's kernel."""
    if a.dtype.kind in "biu":
        raise DtypeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {scalar_name(a.dtype)}"
        )
    if kernel:
        check_kernel(a, kernel)
    elif a.dtype in HALVES:
        raise DtypeError(f"{name}: Low precision dtypes not supported. Got {scalar_name(a.dtype)}")


def check_kernel(a: Array, kernel: str) -> None:
    """Refuse all but float32, float64 and complex in the words of a kernel of PyTorch's."""
    if a.dtype.kind in "biu" or a.dtype in HALVES:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{scalar_name(a.dtype)}'")


def check_same(a: Array, b: Array, name: str, first: str = "A", second: str = "B") -> None:
    """Refuse two dtypes."""
    if a.dtype != b.dtype:
        raise DtypeError(
            f"{name}: Expected {first} and {second} to have the same dtype, but found {first} of type "
            f"{scalar_name(a.dtype)} and {second} of type {scalar_name(b.dtype)} instead"
        )


def check_equation(a: Array, b: Array, left: bool, name: str) -> None:
    """Whether AX = B, or XA = B, has a shape for X."""
    if a.shape[-1] != b.shape[-2 if left else -1]:
        raise ShapeError(
            f"{name}: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({a.shape[-2]}x{a.shape[-1]} and {b.shape[-2]}x{b.shape[-1]})"
        )
    check_batches(a.shape[:-2], b.shape[:-2])


def check_batches(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    """Whether two batches of matrices broadcast."""
    for i in range(-min(len(first), len(second)), 0):
        if first[i] != second[i] and 1 not in (first[i], second[i]):
            raise ShapeError(
                f"The size of tensor a ({second[i]}) must match the size of tensor b ({first[i]}) at "
                f"non-singleton dimension {i + max(len(first), len(second))}"
            )


def shape_words(a: Array) -> str:
    """A dtype and shape as PyTorch's messages of ``pinv`` write them."""
    return f"{scalar_name(a.dtype)}{{{list(a.shape)}}}"
