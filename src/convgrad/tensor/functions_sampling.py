"""Random functions of tensors: Poisson numbers and leaky units of random slope."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConvgradError
from ..generator import Generator, default_generator
from ..ops.sampling import Poisson, Rrelu
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


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False,
    inplace: bool = False, *, generator: Generator | None = None,
) -> Any:  # fmt: skip
    """x where positive, else x times a slope drawn from [lower, upper); their mean if not ``training``.

    Args:
        input: float of any shape; float16 only without ``training``, as in PyTorch.
    Source: Xu et al. 2015, arXiv:1505.00853.
    """
    check_tensor("rrelu", input, "input")
    if lower > upper:
        raise ConvgradError(
            f"Lower bound should be less than or equal to the upper bound, but rrelu got {lower} and {upper}"
        )
    data = input._data
    if data.dtype.kind not in "fV" or (training and data.dtype == np.float16):
        raise NotImplementedError(f'"rrelu_with_noise_out_cpu" not implemented for dtype {input.dtype}')
    if not training:
        slope: Any = (lower + upper) / 2
    else:
        slope = np.ones(data.shape, np.float32 if data.dtype.itemsize < 8 else np.float64)
        drawn = (generator or default_generator).uniform(int((data <= 0).sum()), np.float64)
        slope[data <= 0] = drawn * (upper - lower) + lower
    return input._inplace("rrelu_", Rrelu, (), (slope,)) if inplace else apply(Rrelu, (input,), (slope,))


def rrelu_(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False,
    *, generator: Generator | None = None,
) -> Any:  # fmt: skip
    """``rrelu`` in place."""
    return rrelu(input, lower, upper, training, True, generator=generator)


__all__ = ["poisson", "rrelu", "rrelu_"]
