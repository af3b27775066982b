"""What distributions share: parameters of one shape, probabilities and logits, properties computed once."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Number
from typing import Any

from ..autograd import enable_grad
from ..dtypes import finfo
from ..nn.functional import sigmoid, softmax
from ..tensor.creation import empty, tensor
from ..tensor.functions_shape import broadcast_tensors
from ..tensor.tensor import Tensor

EULER = 0.57721566490153286060
"""The mean of a standard Gumbel number."""


def broadcast_all(*values: Any) -> tuple[Any, ...]:
    """Tensors of one shape from tensors and numbers; numbers take the dtype of the first tensor.

    Raises:
        ValueError: something else.
        ShapeError: shapes that cannot be broadcast together.
    Example:
        >>> [tuple(x.shape) for x in broadcast_all(torch.zeros(3, 1), torch.ones(2), 0.5)]
        [(3, 2), (3, 2), (3, 2)]
    """
    if not all([isinstance(v, Tensor | Number) for v in values]):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing "
            f"__torch_function__, but got {[type(v).__name__ for v in values]}"
        )
    first = next((v for v in values if isinstance(v, Tensor)), None)
    kind = None if first is None else first.dtype
    made = [
        v if isinstance(v, Tensor) else tensor(float(v) if kind is None else v, dtype=kind) for v in values
    ]
    return tuple(broadcast_tensors(*made))


def clamp_probs(probs: Tensor) -> Any:
    """Probabilities kept away from 0 and 1 by the spacing of floats at 1."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Any:
    """Logarithms of probabilities; of binary ones, of the odds."""
    kept = clamp_probs(probs)
    return kept.log() - (-kept).log1p() if is_binary else kept.log()


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Any:
    """Probabilities from log-odds, or from unnormalised logarithms along the last dimension."""
    return sigmoid(logits) if is_binary else softmax(logits, -1)


def empty_of(x: Tensor, shape: Any) -> Any:
    """Memory of x's dtype and a shape."""
    return empty(tuple(shape), dtype=x.dtype)


def sum_rightmost(value: Any, dims: int) -> Any:
    """Summed over the last ``dims`` dimensions."""
    return value if dims == 0 else value.flatten(-dims).sum(-1)


class lazy_property:  # PyTorch's name
    """A property that is computed when it is first read and then kept as an attribute."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self.compute = compute
        self.name = compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            value = self.compute(instance)
        setattr(instance, self.name, value)
        return value
