"""Random functions of tensors: Poisson, binomial, gamma and Dirichlet numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import unsupported
from ..errors import DtypeError, ShapeError
from ..generator import Generator, chosen
from ..ops import sampling
from .checks import scalar_name
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
    return apply(sampling.Poisson, (input,), (chosen(generator),))


def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """Numbers of successes in ``count`` trials of probability ``prob``: PyTorch's numbers for the same seed.

    Args:
        count: float32 or float64, whole numbers; nothing below 0 is drawn from.
        prob: of the same dtype, probabilities; broadcast with ``count``.
        generator: where the numbers come from; the default one if None.
    Returns:
        A tensor of their dtype and broadcast shape, without gradient.
    Raises:
        ValueError: a count that is no float tensor.
        ShapeError: shapes that cannot be broadcast together.
    Example:
        >>> from convgrad import manual_seed, tensor
        >>> _ = manual_seed(0)
        >>> binomial(tensor([10.0, 100.0]), tensor([0.5, 0.1]))
        tensor([ 7., 11.])

    Source: W. Hörmann, J. Stat. Comput. Simul. 46 (1993), for ``count * prob >= 10``; Devroye 1986 below.
    """
    check_tensor("binomial", count, "count")
    check_tensor("binomial", prob, "prob")
    for name, x in (("count", count), ("prob", prob)):
        if not x.dtype.is_floating_point:
            raise ValueError(
                f"binomial only supports floating-point dtypes for {name}, got: {scalar_name(x.dtype)}"
            )
    if count.dtype is not prob.dtype:
        raise DtypeError(
            f"Found dtype {scalar_name(prob.dtype)} but expected {scalar_name(count.dtype)}: binomial takes "
            "count and prob of one dtype"
        )
    _check_wide("binomial_cpu", count)
    try:
        n, p = np.broadcast_arrays(count._data, prob._data)
    except ValueError:
        raise ShapeError(
            f"binomial: The size of tensor a {list(count._data.shape)} must match the size of tensor b "
            f"{list(prob._data.shape)}: count and prob are broadcast together"
        ) from None
    return Tensor(sampling.binomial(n, p, chosen(generator)), None)


def _check_wide(kernel: str, x: Tensor) -> None:
    if x._data.dtype not in (np.float32, np.float64):
        raise unsupported(kernel, x._data.dtype)


def _standard_gamma(self: Tensor, generator: Generator | None = None) -> Tensor:
    """Gamma numbers of the given shapes and rate 1: PyTorch's numbers for the same seed.

    Args:
        self: float32 or float64, above 0.
        generator: where the numbers come from; the default one if None.
    Raises:
        NotImplementedError: another dtype.
    Source: G. Marsaglia & W. W. Tsang, ACM Trans. Math. Software 26 (2000).
    """
    check_tensor("_standard_gamma", self, "self")
    _check_wide("gamma_cpu", self)
    return Tensor(sampling.standard_gamma(self._data, chosen(generator)), None)


def _sample_dirichlet(self: Tensor, generator: Generator | None = None) -> Tensor:
    """Rows of a Dirichlet distribution with the given concentrations: PyTorch's numbers for the same seed.

    Args:
        self: float32 or float64, above 0; the last dimension is that of the distribution.
        generator: where the numbers come from; the default one if None.
    Raises:
        NotImplementedError: another dtype.
    """
    check_tensor("_sample_dirichlet", self, "self")
    _check_wide("dirichlet", self)
    return Tensor(sampling.dirichlet(self._data, chosen(generator))[0], None)


__all__ = ["binomial", "poisson"]
