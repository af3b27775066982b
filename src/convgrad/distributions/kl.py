"""The Kullback-Leibler divergence of pairs of distributions, in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..linalg import solve_triangular
from ..tensor.creation import full_like
from ..tensor.functions_elementwise import where
from .bounded import ContinuousBernoulli
from .categorical import Categorical, OneHotCategorical
from .continuous import Cauchy, Exponential, Laplace, Normal, Uniform
from .discrete import Bernoulli, Binomial, Geometric, Poisson
from .distribution import Distribution
from .gamma import Beta, Dirichlet, Gamma
from .low_rank import LowRankMultivariateNormal
from .matrices import Wishart, _mvdigamma
from .multivariate import MultivariateNormal
from .powers import Pareto
from .transformed import Gumbel, HalfNormal, Independent, LogNormal, TransformedDistribution
from .utils import EULER, sum_rightmost

Formula = Callable[[Any, Any], Any]
_FORMULAS: dict[tuple[type, type], Formula] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Formula], Formula]:
    """A decorator: ``function(p, q)`` computes the divergence for these types and those derived from them.

    Raises:
        TypeError: a type that is no distribution.
    Example:
        >>> @register_kl(Poisson, Geometric)
        ... def of_these(p, q):
        ...     return p.mean - q.mean
    """
    for kind, name in ((type_p, "type_p"), (type_q, "type_q")):
        if not (isinstance(kind, type) and issubclass(kind, Distribution)):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {kind}")

    def register(function: Formula) -> Formula:
        _FORMULAS[type_p, type_q] = function
        return function

    return register


def _formula(type_p: type, type_q: type) -> Formula | None:
    """The one registered for the nearest ancestors, p's counting first."""
    for p in type_p.__mro__:
        for q in type_q.__mro__:
            if (p, q) in _FORMULAS:
                return _FORMULAS[p, q]
    return None


def kl_divergence(p: Distribution, q: Distribution) -> Any:
    """The expectation under p of ``log p(x) - log q(x)``, in nats, for each of the batch.

    Args:
        p, q: distributions whose batch shapes broadcast.
    Raises:
        NotImplementedError: no formula for the two.
    Example:
        >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0))
        tensor(0.5000)
    """
    found = _formula(type(p), type(q))
    if found is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}"
        )
    return found(p, q)


def _infinite(like: Any) -> Any:
    return full_like(like, math.inf)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Any, q: Any) -> Any:
    first = p.probs.xlogy(p.probs / q.probs)
    first = where(q.probs == 0, where(p.probs == 0, p.probs * 0, _infinite(first)), first)
    failed = 1 - p.probs
    second = failed.xlogy(failed / (1 - q.probs))
    second = where(q.probs == 1, where(p.probs == 1, p.probs * 0, _infinite(second)), second)
    return first + second


@register_kl(Binomial, Binomial)
def _binomial(p: Any, q: Any) -> Any:
    if bool((p.total_count < q.total_count).any()):
        raise NotImplementedError(
            "KL between Binomials where q.total_count > p.total_count is not implemented"
        )
    kl = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return where(p.total_count > q.total_count, _infinite(kl), kl)


@register_kl(Categorical, Categorical)
def _categorical(p: Any, q: Any) -> Any:
    terms = p.probs * (p.logits - q.logits)
    terms = where(q.probs == 0, _infinite(terms), terms)
    return where(p.probs == 0, full_like(terms, 0.0), terms).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: Any, q: Any) -> Any:
    return _categorical(p._categorical, q._categorical)


@register_kl(Geometric, Geometric)
def _geometric(p: Any, q: Any) -> Any:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p: Any, q: Any) -> Any:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Normal, Normal)
def _normal(p: Any, q: Any) -> Any:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: Any, q: Any) -> Any:
    return _normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _laplace(p: Any, q: Any) -> Any:
    ratio, away = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + away / q.scale + ratio * (-away / p.scale).exp() - 1


@register_kl(Laplace, Normal)
def _laplace_normal(p: Any, q: Any) -> Any:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (math.pi / (2 * ratio)).log() + ratio + 0.5 * ((p.loc - q.loc) / q.scale).pow(2) - 1


@register_kl(Uniform, Uniform)
def _uniform(p: Any, q: Any) -> Any:
    kl = ((q.high - q.low) / (p.high - p.low)).log()
    return where((q.low > p.low) | (q.high < p.high), _infinite(kl), kl)


@register_kl(Uniform, Normal)
def _uniform_normal(p: Any, q: Any) -> Any:
    width = p.high - p.low
    away = ((p.high + p.low - 2 * q.loc) / 2).pow(2)
    return (math.sqrt(2 * math.pi) * q.scale / width).log() + 0.5 * (width.pow(2) / 12 + away) / q.scale.pow(
        2
    )


@register_kl(Exponential, Exponential)
def _exponential(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Gamma, Gamma)
def _gamma(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    rates = b * (p.rate / q.rate).log() + a * (q.rate / p.rate - 1)
    return rates + b.lgamma() - a.lgamma() + (a - b) * a.digamma()


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Any, q: Any) -> Any:
    return _gamma(Gamma(full_like(p.rate, 1.0), p.rate, validate_args=False), q)


@register_kl(Gamma, Exponential)
def _gamma_exponential(p: Any, q: Any) -> Any:
    return _gamma(p, Gamma(full_like(q.rate, 1.0), q.rate, validate_args=False))


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    norm = total.lgamma() - b.sum(-1).lgamma() + (b.lgamma() - a.lgamma()).sum(-1)
    return norm + ((a - b) * (a.digamma() - total.digamma().unsqueeze(-1))).sum(-1)


@register_kl(Beta, Beta)
def _beta(p: Any, q: Any) -> Any:
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: Any, q: Any) -> Any:
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two Multivariate Normals with different event shapes cannot be computed"
        )
    log_dets = q._half_log_det() - p._half_log_det()
    batch = tuple((q.loc[..., 0] + p.loc[..., 0]).shape)
    n = p.event_shape[0]
    theirs, ours = q._factor.expand((*batch, n, n)), p._factor.expand((*batch, n, n))
    trace = solve_triangular(theirs, ours, upper=False).pow(2).sum((-2, -1))
    away = (q.loc - p.loc).expand((*batch, n)).unsqueeze(-1)
    return log_dets + 0.5 * (trace + solve_triangular(theirs, away, upper=False).pow(2).sum((-2, -1)) - n)


@register_kl(Independent, Independent)
def _independent(p: Any, q: Any) -> Any:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError(
            "KL of Independent distributions with different numbers of event dimensions"
        )
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: Any, q: Any) -> Any:
    same = len(p.transforms) == len(q.transforms)
    if not same or any([a != b for a, b in zip(p.transforms, q.transforms, strict=True)]):
        raise NotImplementedError("KL of distributions with different transforms has no closed form here")
    if p.event_shape != q.event_shape:
        raise NotImplementedError("KL of transformed distributions with different event shapes")
    return sum_rightmost(
        kl_divergence(p.base_dist, q.base_dist), len(p.event_shape) - len(p.base_dist.event_shape)
    )


@register_kl(LogNormal, LogNormal)
def _log_normal(p: Any, q: Any) -> Any:
    return _normal(p.base_dist, q.base_dist)


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Any, q: Any) -> Any:
    apart = (p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)  # Chyzak & Nielsen 2019, arXiv:1905.10965
    return apart.log() - (4 * p.scale * q.scale).log()


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: Any, q: Any) -> Any:
    logits = p.mean * (p.logits - q.logits)
    return logits + p._log_norm() + (-p.probs).log1p() - q._log_norm() - (-q.probs).log1p()


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Any, q: Any) -> Any:
    ratio, away = p.scale / q.scale, (p.loc - q.loc) / q.scale
    shifted = (-away + (1 + ratio).lgamma()).exp()
    return -ratio.log() + away + ratio * EULER + shifted - (1 + EULER)


@register_kl(Pareto, Pareto)
def _pareto(p: Any, q: Any) -> Any:
    ratio = q.alpha / p.alpha
    kl = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return where(p.support.lower_bound < q.support.lower_bound, _infinite(kl), kl)


def _normal_vectors(p: Any, q: Any) -> Any:
    """Of normal vectors given by factors or of low rank, by their covariances."""
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two (Low Rank) Multivariate Normals with different event shapes cannot be "
            "computed"
        )
    return _multivariate_normal(*[_dense(d) for d in (p, q)])


def _dense(d: Any) -> Any:
    if isinstance(d, MultivariateNormal):
        return d
    return MultivariateNormal(d.loc, scale_tril=d.scale_tril, validate_args=False)


for _pair in (
    (LowRankMultivariateNormal, LowRankMultivariateNormal),
    (LowRankMultivariateNormal, MultivariateNormal),
    (MultivariateNormal, LowRankMultivariateNormal),
):
    register_kl(*_pair)(_normal_vectors)


@register_kl(Wishart, Wishart)
def _wishart(p: Any, q: Any) -> Any:
    n, nu = p.event_shape[-1], p.df
    whitened = solve_triangular(q._factor, p._factor, upper=False)
    trace = whitened.pow(2).sum((-2, -1))
    log_dets = 2 * (q._log_det_factor() - p._log_det_factor())
    norms = (q.df / 2).mvlgamma(n) - (nu / 2).mvlgamma(n)
    steps = (nu - q.df) / 2 * _mvdigamma(nu / 2, n)
    return norms + steps + q.df / 2 * log_dets + nu / 2 * (trace - n)
