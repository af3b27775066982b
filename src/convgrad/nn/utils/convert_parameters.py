"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import ConvgradError
from ...graph.node import cell_of
from ...ops.shape import Cat
from ...tensor.tensor import Tensor, apply


class _NothingError(ConvgradError, ValueError):
    """No parameters at all."""


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters one after another in one vector, through which gradients flow back to them."""
    pieces = tuple([p.reshape(-1) for p in parameters])
    if not pieces:
        raise _NothingError("parameters_to_vector: torch.cat(): expected a non-empty list of Tensors")
    return apply(Cat, pieces, (0,))


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write a vector into parameters, in the order of ``parameters_to_vector``.

    Raises:
        TypeError: vec is no tensor.
        ConvgradError: it is shorter than the parameters together; nothing is written then.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    targets = list(parameters)
    needed = sum([p._data.size for p in targets])
    if vec._data.size < needed:
        raise ConvgradError(
            f"vector_to_parameters: the parameters have {needed} elements, but the vector of shape "
            f"{list(vec.shape)} has only {vec._data.size}"
        )
    start = 0
    for param in targets:
        count = param._data.size
        param._data[...] = vec._data[start : start + count].reshape(param._data.shape)
        cell_of(param).bump("vector_to_parameters")
        start += count


__all__ = ["parameters_to_vector", "vector_to_parameters"]
