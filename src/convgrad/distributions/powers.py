"""Distributions of powers of simple random numbers: Pareto's, Weibull's, Kumaraswamy's, inverse gamma."""

from __future__ import annotations

import math
from typing import Any

from .. import random
from ..tensor.creation import full_like, ones_like
from ..tensor.functions_elementwise import where
from . import constraints
from .continuous import Exponential, Uniform
from .distribution import Distribution
from .gamma import Gamma
from .transformed import TransformedDistribution
from .transforms import AffineTransform, ExpTransform, PowerTransform
from .utils import EULER, broadcast_all


class Pareto(TransformedDistribution):
    """Numbers above ``scale`` with density proportional to ``x^-(alpha + 1)``.

    Args:
        scale, alpha: float tensors that broadcast together, or numbers; above 0.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: a parameter is not positive.
    Example:
        >>> Pareto(1.0, 3.0).mean
        tensor(1.5000)
    """

    arg_constraints = {"alpha": constraints.positive, "scale": constraints.positive}
    _parameters = {"scale": 0, "alpha": 0}

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None) -> None:
        self.scale, self.alpha = broadcast_all(scale, alpha)
        base = Exponential(self.alpha, validate_args=validate_args)
        parts = [ExpTransform(), AffineTransform(loc=0, scale=self.scale)]
        super().__init__(base, parts, validate_args=validate_args)

    @property
    def support(self) -> Any:
        return constraints.greater_than_eq(self.scale)

    @property
    def mean(self) -> Any:
        a = self.alpha.clamp(min=1)  # the mean is infinite up to 1
        return a * self.scale / (a - 1)

    @property
    def mode(self) -> Any:
        return self.scale

    @property
    def variance(self) -> Any:
        a = self.alpha.clamp(min=2)  # the variance is infinite up to 2
        return self.scale.pow(2) * a / ((a - 1).pow(2) * (a - 2))

    def entropy(self) -> Any:
        return (self.scale / self.alpha).log() + (1 + self.alpha.reciprocal())


class Weibull(TransformedDistribution):
    """``scale * e^(1 / concentration)`` for exponential numbers e.

    Args:
        scale, concentration: float tensors that broadcast together, or numbers; above 0.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: a parameter is not positive.
    Example:
        >>> Weibull(2.0, 1.0).mean
        tensor(2.)
    """

    arg_constraints = {"scale": constraints.positive, "concentration": constraints.positive}
    support = constraints.positive
    _parameters = {"scale": 0, "concentration": 0, "concentration_reciprocal": 0}

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.scale, self.concentration = broadcast_all(scale, concentration)
        self.concentration_reciprocal = self.concentration.reciprocal()
        base = Exponential(ones_like(self.scale), validate_args=validate_args)
        parts = [PowerTransform(self.concentration_reciprocal), AffineTransform(loc=0, scale=self.scale)]
        super().__init__(base, parts, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.scale * (1 + self.concentration_reciprocal).lgamma().exp()

    @property
    def mode(self) -> Any:
        power = ((self.concentration - 1) / self.concentration) ** self.concentration_reciprocal
        return self.scale * power

    @property
    def variance(self) -> Any:
        k = self.concentration_reciprocal
        return self.scale.pow(2) * ((1 + 2 * k).lgamma().exp() - (2 * (1 + k).lgamma()).exp())

    def entropy(self) -> Any:
        k = self.concentration_reciprocal
        return EULER * (1 - k) + (self.scale * k).log() + 1


class Kumaraswamy(TransformedDistribution):
    """Numbers in (0, 1) with ``P(x < t) = 1 - (1 - t^a)^b``: much like beta, with a simple inverse.

    Args:
        concentration1: a, above 0; float tensor or number that broadcasts with the other.
        concentration0: b, above 0.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: a concentration that is not positive.
    Example:
        >>> Kumaraswamy(1.0, 1.0).mean
        tensor(0.5000)

    Source: Kumaraswamy 1980, Journal of Hydrology 46; Jones 2009, Statistical Methodology 6.
    """

    arg_constraints = {
        "concentration1": constraints.positive, "concentration0": constraints.positive,
    }  # fmt: skip
    support = constraints.unit_interval
    _parameters = {"concentration1": 0, "concentration0": 0}

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        base = Uniform(
            full_like(self.concentration0, 0.0), full_like(self.concentration0, 1.0), validate_args
        )
        parts = [
            PowerTransform(self.concentration0.reciprocal()), AffineTransform(loc=1.0, scale=-1.0),
            PowerTransform(self.concentration1.reciprocal()),
        ]  # fmt: skip
        super().__init__(base, parts, validate_args=validate_args)

    def _moment(self, n: int) -> Any:
        """The mean of ``x^n``: b B(1 + n / a, b)."""
        up, b = 1 + n / self.concentration1, self.concentration0
        return b * (up.lgamma() + b.lgamma() - (up + b).lgamma()).exp()

    @property
    def mean(self) -> Any:
        return self._moment(1)

    @property
    def mode(self) -> Any:
        a, b = self.concentration1, self.concentration0
        peak = ((a - 1) / (a * b - 1)).pow(a.reciprocal())
        return where((a < 1) | (b < 1), full_like(a, math.nan), peak)  # at the ends, or at no one place

    @property
    def variance(self) -> Any:
        return self._moment(2) - self.mean.pow(2)

    def entropy(self) -> Any:
        a, b = self.concentration1, self.concentration0
        harmonic = (b + 1).digamma() + EULER
        return (1 - b.reciprocal()) + (1 - a.reciprocal()) * harmonic - a.log() - b.log()


class InverseGamma(TransformedDistribution):
    """The reciprocals of gamma numbers.

    Args:
        concentration, rate: of the gamma numbers, float tensors that broadcast together, or numbers; above 0.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: a parameter is not positive.
    Example:
        >>> InverseGamma(3.0, 4.0).mean
        tensor(2.)
    """

    arg_constraints = {
        "concentration": constraints.positive, "rate": constraints.positive,
    }  # fmt: skip
    support = constraints.positive

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        base = Gamma(concentration, rate, validate_args=validate_args)
        super().__init__(base, PowerTransform(-base.rate.new_ones(())), validate_args)

    @property
    def concentration(self) -> Any:
        """Shape of the gamma numbers."""
        return self.base_dist.concentration

    @property
    def rate(self) -> Any:
        """Rate of the gamma numbers."""
        return self.base_dist.rate

    @property
    def mean(self) -> Any:
        c = self.concentration
        return where(c > 1, self.rate / (c - 1), full_like(c, math.inf))

    @property
    def mode(self) -> Any:
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Any:
        c = self.concentration
        finite = self.rate.square() / ((c - 1).square() * (c - 2))
        return where(c > 2, finite, full_like(c, math.inf))

    def entropy(self) -> Any:
        c = self.concentration
        return c + self.rate.log() + c.lgamma() - (1 + c) * c.digamma()


class GeneralizedPareto(Distribution):
    """What exceeds a high threshold: ``P(x > t) = (1 + k (t - loc) / scale)^(-1 / k)``.

    Args:
        loc, scale, concentration: float tensors that broadcast together, or numbers; ``scale > 0``, and
            k, the concentration, of any sign; 0 gives exponential numbers.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: ``scale`` is not positive.
    Example:
        >>> GeneralizedPareto(0.0, 1.0, 0.5).mean
        tensor(2.)

    Source: Pickands 1975, Annals of Statistics 3.
    """

    arg_constraints = {
        "loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real,
    }  # fmt: skip
    has_rsample = True
    _parameters = {"loc": 0, "scale": 0, "concentration": 0}

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def support(self) -> Any:
        k = self.concentration
        high = where(k < 0, self.loc - self.scale / k, full_like(self.loc, math.inf))
        return constraints.interval(self.loc, high)

    @property
    def mean(self) -> Any:
        k = self.concentration
        return where(k < 1, self.loc + self.scale / (1 - k), full_like(self.loc, math.nan))

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        k = self.concentration
        finite = self.scale.pow(2) / ((1 - k).pow(2) * (1 - 2 * k))
        return where(k < 0.5, finite, full_like(self.scale, math.nan))

    def _tail(self) -> tuple[Any, Any]:
        """Where the concentration is (nearly) 0, and a concentration that one may divide by."""
        k = self.concentration
        none = k.isclose(full_like(k, 0.0))
        return none, where(none, ones_like(k), k)

    def rsample(self, sample_shape: Any = ()) -> Any:
        return self.icdf(random.rand(tuple(self._extended_shape(sample_shape)), dtype=self.loc.dtype))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        z, (none, k) = (value - self.loc) / self.scale, self._tail()
        return where(none, -z, -(1 + 1 / k) * (k * z).log1p()) - self.scale.log()

    def log_survival_function(self, value: Any) -> Any:
        """``log P(x > value)``."""
        if self._validate_args:
            self._validate_sample(value)
        z, (none, k) = (value - self.loc) / self.scale, self._tail()
        return where(none, -z, -(k * z).log1p() / k)

    def log_cdf(self, value: Any) -> Any:
        """``log P(x <= value)``."""
        return (-self.log_survival_function(value).exp()).log1p()

    def cdf(self, value: Any) -> Any:
        return self.log_cdf(value).exp()

    def icdf(self, value: Any) -> Any:
        none, k = self._tail()
        left = (-value).log1p()
        return self.loc + self.scale * where(none, -left, (-k * left).expm1() / k)

    def entropy(self) -> Any:
        return self.scale.log() + self.concentration + 1
