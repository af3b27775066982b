"""The gamma distribution and those made of it: chi-squared, Student's t, beta, Dirichlet."""

from __future__ import annotations

import math
from typing import Any

from ..autograd import Function
from ..dtypes import finfo
from ..generator import default_generator
from ..ops.sampling import dirichlet, standard_gamma
from ..special import gammainc
from ..tensor.creation import full_like
from ..tensor.functions_elementwise import where
from ..tensor.functions_shape import stack
from ..tensor.tensor import Tensor
from . import constraints
from .continuous import standard_normal
from .distribution import Distribution, ExponentialFamily
from .gamma_slope import gamma_slope
from .utils import broadcast_all


class _StandardGamma(Function):
    """Gamma numbers of rate 1, differentiable by their shapes."""

    @staticmethod
    def forward(ctx: Any, alpha: Any) -> Any:
        ctx.alpha, ctx.drawn = alpha._data, standard_gamma(alpha._data, default_generator)
        return Tensor(ctx.drawn, None)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * Tensor(gamma_slope(ctx.alpha, ctx.drawn).astype(ctx.alpha.dtype), None)


class _Shares(Function):
    """Rows of a Dirichlet distribution, differentiable through the gamma numbers they are made of."""

    @staticmethod
    def forward(ctx: Any, alpha: Any) -> Any:
        ctx.alpha = alpha._data
        ctx.shares, ctx.gammas = dirichlet(alpha._data, default_generator)
        return Tensor(ctx.shares, None)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        total = ctx.gammas.sum(-1, keepdims=True)
        pulled = (g._data - (g._data * ctx.shares).sum(-1, keepdims=True)) / total
        return Tensor((pulled * gamma_slope(ctx.alpha, ctx.gammas)).astype(ctx.alpha.dtype), None)


class Gamma(ExponentialFamily):
    """The gamma distribution: density ``rate^c x^(c-1) e^(-rate x) / gamma(c)``.

    Args:
        concentration, rate: float tensors that broadcast together, or numbers; above 0.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: a parameter is not positive.
    Example:
        >>> Gamma(3.0, 2.0).mean
        tensor(1.5000)
    """

    arg_constraints = {
        "concentration": constraints.positive, "rate": constraints.positive,
    }  # fmt: skip
    support: Any = constraints.nonnegative
    has_rsample = True
    _parameters = {"concentration": 0, "rate": 0}

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.concentration / self.rate

    @property
    def mode(self) -> Any:
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Any:
        return self.concentration / self.rate.pow(2)

    def rsample(self, sample_shape: Any = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        drawn = _StandardGamma.apply(self.concentration.expand(shape).contiguous())
        return (drawn / self.rate.expand(shape)).clamp(min=finfo(self.rate.dtype).tiny)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        c, rate = self.concentration, self.rate
        (value,) = broadcast_all(value)
        return c.xlogy(rate) + (c - 1).xlogy(value) - rate * value - c.lgamma()

    def cdf(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        return gammainc(self.concentration, self.rate * value)

    def entropy(self) -> Any:
        c = self.concentration
        return c - self.rate.log() + c.lgamma() + (1.0 - c) * c.digamma()


class Chi2(Gamma):
    """The sum of ``df`` squared standard normal numbers.

    Args:
        df: degrees of freedom, float tensor or number above 0.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: ``df`` is not positive.
    Example:
        >>> Chi2(4.0).mean
        tensor(4.)
    """

    arg_constraints = {"df": constraints.positive}

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    @property
    def df(self) -> Any:
        """Degrees of freedom."""
        return self.concentration * 2


class StudentT(Distribution):
    """Student's t: a normal number over the root of a chi-squared one over ``df``, scaled and shifted.

    Args:
        df, loc, scale: float tensors that broadcast together, or numbers; ``df`` and ``scale`` above 0.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: ``df`` or ``scale`` is not positive.
    Example:
        >>> StudentT(4.0).variance
        tensor(2.)
    """

    arg_constraints = {
        "df": constraints.positive, "loc": constraints.real, "scale": constraints.positive,
    }  # fmt: skip
    support = constraints.real
    has_rsample = True
    _parameters = {"df": 0, "loc": 0, "scale": 0}

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None) -> None:
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        super().__init__(self.df.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return where(self.df > 1, self.loc, full_like(self.loc, math.nan))

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        finite = self.scale.pow(2) * self.df / (self.df - 2)
        heavy = where(self.df > 1, full_like(self.df, math.inf), full_like(self.df, math.nan))
        return where(self.df > 2, finite, heavy)

    def rsample(self, sample_shape: Any = ()) -> Any:
        x = standard_normal(self._extended_shape(sample_shape), self.df)
        z = Chi2(self.df, validate_args=False).rsample(sample_shape)
        return self.loc + self.scale * (x * (z / self.df).rsqrt())

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        y, df = (value - self.loc) / self.scale, self.df
        norm = self.scale.log() + 0.5 * df.log() + 0.5 * math.log(math.pi)
        norm = norm + (0.5 * df).lgamma() - (0.5 * (df + 1.0)).lgamma()
        return -0.5 * (df + 1.0) * (y**2.0 / df).log1p() - norm

    def entropy(self) -> Any:
        df = self.df
        log_beta = (0.5 * df).lgamma() + math.lgamma(0.5) - (0.5 * (df + 1)).lgamma()
        steps = (0.5 * (df + 1)).digamma() - (0.5 * df).digamma()
        return self.scale.log() + 0.5 * (df + 1) * steps + 0.5 * df.log() + log_beta


class FisherSnedecor(Distribution):
    """The ratio of two chi-squared numbers, each over its degrees of freedom: the F distribution.

    Args:
        df1, df2: degrees of freedom, float tensors that broadcast together, or numbers; above 0.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: degrees that are not positive.
    Example:
        >>> FisherSnedecor(2.0, 4.0).mean
        tensor(2.)
    """

    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True
    _parameters = {"df1": 0, "df2": 0}

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None) -> None:
        self.df1, self.df2 = broadcast_all(df1, df2)
        super().__init__(self.df1.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return where(self.df2 > 2, self.df2 / (self.df2 - 2), full_like(self.df2, math.nan))

    @property
    def mode(self) -> Any:
        peak = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return where(self.df1 > 2, peak, full_like(peak, math.nan))

    @property
    def variance(self) -> Any:
        a, b = self.df1, self.df2
        finite = 2 * b.pow(2) * (a + b - 2) / (a * (b - 2).pow(2) * (b - 4))
        return where(b > 4, finite, full_like(b, math.nan))

    def rsample(self, sample_shape: Any = ()) -> Any:
        tiny = finfo(self.df1.dtype).tiny
        above, below = [
            Gamma(df * 0.5, df, validate_args=False).rsample(sample_shape) for df in (self.df1, self.df2)
        ]
        return (above / below.clamp(min=tiny)).clamp(min=tiny)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        a, b, ratio = self.df1 * 0.5, self.df2 * 0.5, self.df1 / self.df2
        norm = (a + b).lgamma() - a.lgamma() - b.lgamma()
        power = a * ratio.log() + (a - 1) * value.log()
        return norm + power - (a + b) * (ratio * value).log1p()


class Dirichlet(ExponentialFamily):
    """Vectors of positive numbers that sum to 1: density proportional to ``prod x_i^(c_i - 1)``.

    Args:
        concentration: float tensor, ``(..., K)``, above 0.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: no dimension, or a concentration that is not positive.
    Example:
        >>> Dirichlet(torch.tensor([1.0, 3.0])).mean
        tensor([0.2500, 0.7500])
    """

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True
    _parameters = {"concentration": 1}

    def __init__(self, concentration: Any, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def mode(self) -> Any:
        excess = (self.concentration - 1).clamp(min=0.0)
        corner = (self.concentration < 1).all(-1, keepdim=True)
        best = self.concentration >= self.concentration.max(-1, keepdim=True)[0]
        inside = excess / excess.sum(-1, keepdim=True)
        return where(corner, best.to(inside.dtype), inside)

    @property
    def variance(self) -> Any:
        c, total = self.concentration, self.concentration.sum(-1, keepdim=True)
        return c * (total - c) / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape: Any = ()) -> Any:
        return _Shares.apply(self.concentration.expand(self._extended_shape(sample_shape)).contiguous())

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        c = self.concentration
        return (c - 1.0).xlogy(value).sum(-1) + c.sum(-1).lgamma() - c.lgamma().sum(-1)

    def entropy(self) -> Any:
        c, total = self.concentration, self.concentration.sum(-1)
        norm = c.lgamma().sum(-1) - total.lgamma() - (c.shape[-1] - total) * total.digamma()
        return norm - ((c - 1.0) * c.digamma()).sum(-1)


class Beta(ExponentialFamily):
    """Numbers in (0, 1) with density proportional to ``x^(c1 - 1) (1 - x)^(c0 - 1)``.

    Args:
        concentration1, concentration0: float tensors that broadcast together, or numbers; above 0.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: a concentration that is not positive.
    Example:
        >>> Beta(1.0, 3.0).mean
        tensor(0.2500)
    """

    arg_constraints = {
        "concentration1": constraints.positive, "concentration0": constraints.positive,
    }  # fmt: skip
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        both = stack(broadcast_all(concentration1, concentration0), -1)
        self._dirichlet = Dirichlet(both, validate_args=False)
        super().__init__(self._dirichlet.batch_shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._dirichlet = self._dirichlet.expand(batch_shape)
        return new

    @property
    def concentration1(self) -> Any:
        """The exponent of x, plus 1."""
        return self._dirichlet.concentration[..., 0]

    @property
    def concentration0(self) -> Any:
        """The exponent of 1 - x, plus 1."""
        return self._dirichlet.concentration[..., 1]

    @property
    def mean(self) -> Any:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Any:
        return self._dirichlet.mode[..., 0]

    @property
    def variance(self) -> Any:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape: Any = ()) -> Any:
        return self._dirichlet.rsample(sample_shape).select(-1, 0)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        return self._dirichlet.log_prob(stack([value, 1.0 - value], -1))

    def entropy(self) -> Any:
        return self._dirichlet.entropy()
