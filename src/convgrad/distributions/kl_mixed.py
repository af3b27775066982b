"""Kullback-Leibler divergences of distributions of two kinds, in closed form or infinite.

Where p has values that q never takes, the divergence is infinite. The others follow from q's log-density,
linear in a few functions of x whose expectations under p are known.
"""

from __future__ import annotations

import math
from typing import Any

from ..tensor.creation import full_like
from ..tensor.functions_elementwise import where
from .bounded import ContinuousBernoulli
from .continuous import Exponential, Laplace, Normal, Uniform
from .discrete import Bernoulli, Binomial, Poisson
from .gamma import Beta, Gamma
from .kl import register_kl
from .powers import Pareto
from .transformed import Gumbel

LOG_TAU = math.log(2 * math.pi)


def _never(p: Any, q: Any) -> Any:
    """Infinity: q does not allow all that p draws."""
    return full_like(p.mean + q.mean * 0, math.inf)


for _p, _those in {
    Beta: (Pareto,),
    ContinuousBernoulli: (Pareto,),
    Exponential: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gamma: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gumbel: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Laplace: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Normal: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Pareto: (Beta, ContinuousBernoulli, Uniform),
    Poisson: (Bernoulli, Binomial),
}.items():
    for _q in _those:
        register_kl(_p, _q)(_never)


def _to_exponential(p: Any, q: Any) -> Any:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


def _to_normal(p: Any, q: Any) -> Any:
    square = p.variance + (p.mean - q.loc).pow(2)
    return -p.entropy() + 0.5 * LOG_TAU + q.scale.log() + square / (2 * q.scale.pow(2))


def _to_gamma(p: Any, q: Any, mean_log: Any) -> Any:
    norm = q.concentration.lgamma() - q.concentration * q.rate.log()
    return -p.entropy() + norm - (q.concentration - 1) * mean_log + q.rate * p.mean


def _mean_log_beta(p: Any) -> Any:
    """The means of ``log x`` and of ``log(1 - x)``."""
    total = (p.concentration1 + p.concentration0).digamma()
    return p.concentration1.digamma() - total, p.concentration0.digamma() - total


register_kl(Beta, Exponential)(_to_exponential)
register_kl(ContinuousBernoulli, Exponential)(_to_exponential)
for _kind in (Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel):
    register_kl(_kind, Normal)(_to_normal)


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Any, q: Any) -> Any:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Beta, ContinuousBernoulli)
def _beta_continuous_bernoulli(p: Any, q: Any) -> Any:
    return -p.entropy() - p.mean * q.logits - (-q.probs).log1p() - q._log_norm()


@register_kl(Beta, Gamma)
def _beta_gamma(p: Any, q: Any) -> Any:
    return _to_gamma(p, q, _mean_log_beta(p)[0])


def _to_uniform(p: Any, q: Any) -> Any:
    kl = -p.entropy() + (q.high - q.low).log()
    return where((q.low > 0) | (q.high < 1), full_like(kl, math.inf), kl)


register_kl(Beta, Uniform)(_to_uniform)
register_kl(ContinuousBernoulli, Uniform)(_to_uniform)


@register_kl(Exponential, Gumbel)
def _exponential_gumbel(p: Any, q: Any) -> Any:
    product, shift = p.rate * q.scale, q.loc / q.scale
    return product.log() - 1 + product.reciprocal() - shift + shift.exp() * product / (product + 1)


@register_kl(Gamma, Gumbel)
def _gamma_gumbel(p: Any, q: Any) -> Any:
    product, shift = p.rate * q.scale, q.loc / q.scale
    mean_exp = (shift - p.concentration * product.reciprocal().log1p()).exp()
    return -p.entropy() + q.scale.log() + p.concentration / product - shift + mean_exp


@register_kl(Normal, Gumbel)
def _normal_gumbel(p: Any, q: Any) -> Any:
    away = (p.loc - q.loc) / q.scale
    spread = (p.scale / q.scale).pow(2)
    return -p.entropy() + q.scale.log() + away + (-away + 0.5 * spread).exp()


@register_kl(Normal, Laplace)
def _normal_laplace(p: Any, q: Any) -> Any:
    away = p.loc - q.loc
    ratio = away / p.scale
    below = away * (math.sqrt(0.5) * ratio).erf()
    mean_abs = math.sqrt(2 / math.pi) * p.scale * (-0.5 * ratio.pow(2)).exp() + below
    return -p.entropy() + (2 * q.scale).log() + mean_abs / q.scale


@register_kl(Pareto, Exponential)
def _pareto_exponential(p: Any, q: Any) -> Any:
    return where(p.alpha > 1, _to_exponential(p, q), full_like(p.alpha, math.inf))


@register_kl(Pareto, Gamma)
def _pareto_gamma(p: Any, q: Any) -> Any:
    kl = _to_gamma(p, q, p.scale.log() + p.alpha.reciprocal())
    return where(p.alpha > 1, kl, full_like(kl, math.inf))


@register_kl(Pareto, Normal)
def _pareto_normal(p: Any, q: Any) -> Any:
    kl = _to_normal(p, q)
    return where(p.alpha > 2, kl, full_like(kl, math.inf))


def _outside(p: Any, low: Any, kl: Any, high: Any = math.inf) -> Any:
    """Infinite where p, a uniform distribution, reaches beyond ``[low, high]``."""
    return where((p.high > high) | (p.low < low), full_like(kl, math.inf), kl)


def _x_log_x(x: Any) -> Any:
    return x.xlogy(x)


@register_kl(Uniform, Beta)
def _uniform_beta(p: Any, q: Any) -> Any:
    width = p.high - p.low
    mean_log = (_x_log_x(p.high) - _x_log_x(p.low) - width) / width
    mean_log_rest = (_x_log_x(1 - p.low) - _x_log_x(1 - p.high) - width) / width
    a, b = q.concentration1, q.concentration0
    norm = a.lgamma() + b.lgamma() - (a + b).lgamma()
    return _outside(p, 0, norm - (a - 1) * mean_log - (b - 1) * mean_log_rest - width.log(), 1)


@register_kl(Uniform, ContinuousBernoulli)
def _uniform_continuous_bernoulli(p: Any, q: Any) -> Any:
    kl = -p.entropy() - p.mean * q.logits - (-q.probs).log1p() - q._log_norm()
    return _outside(p, 0, kl, 1)


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Any, q: Any) -> Any:
    return _outside(p, 0, _to_exponential(p, q))


@register_kl(Uniform, Gamma)
def _uniform_gamma(p: Any, q: Any) -> Any:
    width = p.high - p.low
    mean_log = (_x_log_x(p.high) - _x_log_x(p.low) - width) / width
    return _outside(p, 0, _to_gamma(p, q, mean_log))


@register_kl(Uniform, Gumbel)
def _uniform_gumbel(p: Any, q: Any) -> Any:
    width = (p.high - p.low) / q.scale
    low, high = (p.low - q.loc) / q.scale, (p.high - q.loc) / q.scale
    mean_exp = ((-low).exp() - (-high).exp()) / width
    return (q.scale / (p.high - p.low)).log() + 0.5 * (low + high) + mean_exp


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Any, q: Any) -> Any:
    width = p.high - p.low
    mean_log = (_x_log_x(p.high) - _x_log_x(p.low) - width) / width
    kl = (1 + q.alpha) * mean_log - q.alpha.log() - q.alpha * q.scale.log() - width.log()
    return _outside(p, q.support.lower_bound, kl)
