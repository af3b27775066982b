"""Random functions of tensors: Poisson numbers."""

from __future__ import annotations

from typing import Any

from ..generator import Generator, default_generator
from ..ops.sampling import Poisson
from .methods.operands import check_tensor
from .tensor import Tensor, apply


def poisson(input: Tensor, generator: Generator | None = None) -> Any:
    """Numbers of events, where ``input`` are expected: PyTorch's numbers for the same seed.

    Args:
        input: float, not negative, of any shape.
    Returns:
        A tensor of input's shape and dtype; its gradient is 0.
    Raises:
        ConvgradError: a negative or NaN rate.
    Example:
        >>> from convgrad import manual_seed, tensor
        >>> _ = manual_seed(5)
        >>> poisson(tensor([0.5, 3.0, 50.0]))
        tensor([ 1.,  2., 58.])

    Source: Knuth, TAOCP 2, 3.4.1; W. Hörmann, Insurance: Mathematics and Economics 12 (1993).
    """
    check_tensor("poisson", input, "input")
    return apply(Poisson, (input,), (generator or default_generator,))


__all__ = ["poisson"]
