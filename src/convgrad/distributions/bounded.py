"""The continuous Bernoulli distribution."""

from __future__ import annotations

import math
from typing import Any

from .. import random
from ..nn.functional import binary_cross_entropy_with_logits
from ..size import Size
from ..tensor.functions_elementwise import where
from . import constraints
from .distribution import ExponentialFamily
from .utils import broadcast_all, clamp_probs, lazy_property, logits_to_probs, probs_to_logits


class ContinuousBernoulli(ExponentialFamily):
    """Numbers in [0, 1] with density proportional to ``probs^x (1 - probs)^(1 - x)``.

    Args:
        probs: float tensor or number in (0, 1); not the mean.
        logits: ``log(probs / (1 - probs))`` instead.
        lims: between these, series around 1/2 take the place of formulas that lose all digits there.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: both or neither of ``probs`` and ``logits``, or, with
            ``validate_args=True``, a probability outside of [0, 1]; it is clamped otherwise.
    Example:
        >>> ContinuousBernoulli(torch.tensor([0.5])).mean
        tensor([0.5000])

    Source: Loaiza-Ganem & Cunningham 2019, arXiv:1907.06845.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _parameters = {"probs": 0, "logits": 0}

    def __init__(
        self,
        probs: Any = None,
        logits: Any = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        self._lims = lims
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
            if validate_args and not bool(constraints.unit_interval.check(self.probs).all()):
                raise ValueError(f"The parameter probs has invalid values: {self.probs}")
            self.probs = clamp_probs(self.probs)
        else:
            (self.logits,) = broadcast_all(logits)
        super().__init__(self.param_shape, validate_args=validate_args)

    @lazy_property
    def logits(self) -> Any:
        """``log(probs / (1 - probs))``."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Any:
        """The parameter."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    @property
    def param_shape(self) -> Size:
        """Shape of the parameter."""
        return Size((self.probs if "probs" in self.__dict__ else self.logits).shape)

    def _outside(self) -> Any:
        """Where the formulas may be used."""
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _safe(self) -> Any:
        """The parameter where it is far from 1/2, else a number that is."""
        return where(self._outside(), self.probs, self.probs * 0 + self._lims[0])

    def _log_norm(self) -> Any:
        """Logarithm of the constant that makes the density integrate to 1."""
        p = self._safe()
        below = where(p <= 0.5, p, p * 0)
        above = where(p >= 0.5, p, p * 0 + 1)
        width = where(p <= 0.5, (-2.0 * below).log1p(), (2.0 * above - 1.0).log())
        far = ((-p).log1p() - p.log()).abs().log() - width
        x = (self.probs - 0.5).pow(2)
        near = math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x
        return where(self._outside(), far, near)

    @property
    def mean(self) -> Any:
        p = self._safe()
        far = p / (2.0 * p - 1.0) + 1.0 / ((-p).log1p() - p.log())
        x = self.probs - 0.5
        return where(self._outside(), far, 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x.pow(2)) * x)

    @property
    def variance(self) -> Any:
        p = self._safe()
        far = p * (p - 1.0) / (1.0 - 2.0 * p).pow(2) + 1.0 / ((-p).log1p() - p.log()).pow(2)
        x = (self.probs - 0.5).pow(2)
        return where(self._outside(), far, 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x)

    def rsample(self, sample_shape: Any = ()) -> Any:
        shape = tuple(self._extended_shape(sample_shape))
        return self.icdf(random.rand(shape, dtype=self.probs.dtype))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none") + self._log_norm()

    def cdf(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        p = self._safe()
        far = (p.pow(value) * (1.0 - p).pow(1.0 - value) + p - 1.0) / (2.0 * p - 1.0)
        inside = where(self._outside(), far, value)
        return where(value <= 0.0, inside * 0, where(value >= 1.0, inside * 0 + 1, inside))

    def icdf(self, value: Any) -> Any:
        p = self._safe()
        far = ((-p + value * (2.0 * p - 1.0)).log1p() - (-p).log1p()) / (p.log() - (-p).log1p())
        return where(self._outside(), far, value)

    def entropy(self) -> Any:
        failed, passed = (-self.probs).log1p(), self.probs.log()
        return self.mean * (failed - passed) - self._log_norm() - failed
