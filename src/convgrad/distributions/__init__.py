"""Probability distributions under PyTorch's names: samples, densities, entropies, divergences.

Samples are PyTorch's for the same seed. What is not here: ``ContinuousBernoulli``, ``FisherSnedecor``,
``GeneralizedPareto``, ``HalfCauchy``, ``InverseGamma``, ``Kumaraswamy``, ``LKJCholesky``, ``LogisticNormal``,
``LowRankMultivariateNormal``, ``Pareto``, ``VonMises``, ``Weibull``, ``Wishart``, ``biject_to`` and
``transform_to``. The gradients of gamma samples are exact; those of beta and Dirichlet samples go through the
gamma numbers they are made of: the same in expectation as PyTorch's, not one by one.

Example:
    >>> from convgrad.distributions import Normal, kl_divergence
    >>> q = Normal(torch.zeros(2), torch.ones(2))
    >>> kl_divergence(q, Normal(1.0, 1.0))
    tensor([0.5000, 0.5000])
"""

from __future__ import annotations

from . import constraints, kl, transforms
from .categorical import Categorical, Multinomial, OneHotCategorical, OneHotCategoricalStraightThrough
from .continuous import Cauchy, Exponential, Laplace, Normal, Uniform
from .discrete import Bernoulli, Binomial, Geometric, NegativeBinomial, Poisson
from .distribution import Distribution, ExponentialFamily
from .gamma import Beta, Chi2, Dirichlet, Gamma, StudentT
from .kl import kl_divergence, register_kl
from .multivariate import MixtureSameFamily, MultivariateNormal
from .relaxed import RelaxedBernoulli, RelaxedOneHotCategorical
from .transformed import Gumbel, HalfNormal, Independent, LogNormal, TransformedDistribution
from .transforms import (
    AbsTransform,
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    PowerTransform,
    SigmoidTransform,
    SoftmaxTransform,
    SoftplusTransform,
    StickBreakingTransform,
    TanhTransform,
    Transform,
    identity_transform,
)

__all__ = [
    "AbsTransform", "AffineTransform", "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Chi2",
    "ComposeTransform", "Dirichlet", "Distribution", "ExpTransform", "Exponential", "ExponentialFamily",
    "Gamma", "Geometric", "Gumbel", "HalfNormal", "Independent", "Laplace", "LogNormal",
    "MixtureSameFamily", "Multinomial", "MultivariateNormal", "NegativeBinomial", "Normal",
    "OneHotCategorical", "OneHotCategoricalStraightThrough", "Poisson", "PowerTransform",
    "RelaxedBernoulli", "RelaxedOneHotCategorical", "SigmoidTransform", "SoftmaxTransform",
    "SoftplusTransform", "StickBreakingTransform", "StudentT", "TanhTransform", "Transform",
    "TransformedDistribution", "Uniform", "constraints", "identity_transform", "kl", "kl_divergence",
    "register_kl", "transforms",
]  # fmt: skip
