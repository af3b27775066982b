"""The normal distribution of vectors, and mixtures."""

from __future__ import annotations

import math
from typing import Any

from ..autograd import no_grad
from ..linalg import cholesky, solve_triangular
from ..nn.functional import log_softmax
from ..tensor.creation import eye
from ..tensor.functions_shape import broadcast_shapes
from . import constraints
from .categorical import Categorical
from .continuous import standard_normal
from .distribution import Distribution
from .utils import lazy_property

_MATRICES = ("covariance_matrix", "precision_matrix", "scale_tril")


class MultivariateNormal(Distribution):
    """Normal vectors with a mean and a covariance, given in one of three ways.

    Args:
        loc: float tensor, ``(..., d)``.
        covariance_matrix: ``(..., d, d)``, positive definite.
        precision_matrix: the inverse of the covariance instead.
        scale_tril: a lower triangular L with positive diagonal and covariance ``L Lᵀ`` instead.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: not exactly one matrix, too few dimensions, or a matrix that is not as it should be.
    Example:
        >>> MultivariateNormal(torch.zeros(2), torch.eye(2)).log_prob(torch.zeros(2))
        tensor(-1.8379)
    """

    arg_constraints = {
        "loc": constraints.real_vector, "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite, "scale_tril": constraints.lower_cholesky,
    }  # fmt: skip
    support = constraints.real_vector
    has_rsample = True
    _parameters = {
        "loc": 1, "covariance_matrix": 2, "precision_matrix": 2, "scale_tril": 2, "_factor": 2,
    }  # fmt: skip

    def __init__(
        self,
        loc: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = {
            name: matrix
            for name, matrix in zip(_MATRICES, (covariance_matrix, precision_matrix, scale_tril), strict=True)
            if matrix is not None
        }
        if len(given) != 1:
            raise ValueError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified."
            )
        ((name, matrix),) = given.items()
        if matrix.dim() < 2:
            raise ValueError(
                f"{name} must be at least two-dimensional, with optional leading batch dimensions"
            )
        batch = tuple(broadcast_shapes(tuple(matrix.shape[:-2]), tuple(loc.shape[:-1])))
        setattr(self, name, matrix.expand((*batch, -1, -1)))
        self.loc = loc.expand((*batch, -1))
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        self._factor = _factor(name, matrix)

    @lazy_property
    def scale_tril(self) -> Any:
        """L with covariance ``L Lᵀ``."""
        n = self._event_shape[0]
        return self._factor.expand((*self._batch_shape, n, n))

    @lazy_property
    def covariance_matrix(self) -> Any:
        """The covariance."""
        n = self._event_shape[0]
        return (self._factor @ self._factor.mT).expand((*self._batch_shape, n, n))

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance."""
        n = self._event_shape[0]
        inverse = solve_triangular(self._factor, eye(n, dtype=self.loc.dtype), upper=False)
        return (inverse.mT @ inverse).expand((*self._batch_shape, n, n))

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        return self._factor.pow(2).sum(-1).expand((*self._batch_shape, *self._event_shape))

    def rsample(self, sample_shape: Any = ()) -> Any:
        eps = standard_normal(self._extended_shape(sample_shape), self.loc)
        return self.loc + (self._factor @ eps.unsqueeze(-1)).squeeze(-1)

    def _half_log_det(self) -> Any:
        return self._factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        away = (value - self.loc).unsqueeze(-1)
        whitened = solve_triangular(self._factor, away, upper=False).squeeze(-1)
        n = self._event_shape[0]
        return -0.5 * (n * math.log(2 * math.pi) + whitened.pow(2).sum(-1)) - self._half_log_det()

    def entropy(self) -> Any:
        half = 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._half_log_det()
        return half.expand(tuple(self._batch_shape))


def _factor(name: str, matrix: Any) -> Any:
    """The lower triangular factor of the covariance."""
    if name == "scale_tril":
        return matrix
    if name == "covariance_matrix":
        return cholesky(matrix)
    upper = cholesky(matrix.flip((-2, -1))).flip((-2, -1)).mT  # precision = upperᵀ upper, read backwards
    return solve_triangular(upper, eye(matrix.shape[-1], dtype=matrix.dtype), upper=False)


class MixtureSameFamily(Distribution):
    """Values of one of several distributions of the same kind, chosen by chance.

    Args:
        mixture_distribution: a ``Categorical``.
        component_distribution: a distribution whose last batch dimension is that of the components.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: another mixture, or numbers of components that differ.
    Example:
        >>> from convgrad.distributions import Normal
        >>> mix = Categorical(torch.tensor([0.5, 0.5]))
        >>> MixtureSameFamily(mix, Normal(torch.tensor([-1.0, 3.0]), 1.0)).mean
        tensor(1.)
    """

    arg_constraints: dict[str, Any] = {}

    def __init__(
        self, mixture_distribution: Any, component_distribution: Any, validate_args: bool | None = None
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(
                " The Mixture distribution needs to be an  instance of torch.distributions.Categorical"
            )
        if not isinstance(component_distribution, Distribution):
            raise ValueError(
                "The Component distribution need to be an instance of torch.distributions.Distribution"
            )
        batch, mixed = tuple(component_distribution.batch_shape), mixture_distribution.param_shape[-1]
        if not batch or batch[-1] != mixed:
            raise ValueError(
                f"`mixture_distribution component` ({mixed}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({batch[-1] if batch else 'none'})"
            )
        self.mixture_distribution, self.component_distribution = mixture_distribution, component_distribution
        super().__init__(batch[:-1], component_distribution.event_shape, validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        mixed = self.mixture_distribution.param_shape[-1]
        new.mixture_distribution = self.mixture_distribution.expand(batch_shape)
        new.component_distribution = self.component_distribution.expand((*batch_shape, mixed))
        return new

    @property
    def support(self) -> Any:
        return self.component_distribution.support

    def _weights(self) -> Any:
        probs = self.mixture_distribution.probs
        return probs.reshape(tuple(probs.shape) + (1,) * len(self._event_shape))

    @property
    def mean(self) -> Any:
        return (self._weights() * self.component_distribution.mean).sum(-1 - len(self._event_shape))

    @property
    def variance(self) -> Any:
        at = -1 - len(self._event_shape)
        within = (self._weights() * self.component_distribution.variance).sum(at)
        away = self.component_distribution.mean - self.mean.unsqueeze(at)
        return within + (self._weights() * away.pow(2)).sum(at)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        parts = self.component_distribution.log_prob(value.unsqueeze(-1 - len(self._event_shape)))
        return (parts + log_softmax(self.mixture_distribution.logits, -1)).logsumexp(-1)

    def cdf(self, value: Any) -> Any:
        parts = self.component_distribution.cdf(value.unsqueeze(-1 - len(self._event_shape)))
        return (parts * self.mixture_distribution.probs).sum(-1)

    def sample(self, sample_shape: Any = ()) -> Any:
        with no_grad():
            lead = len(tuple(sample_shape)) + len(self._batch_shape)
            chosen = self.mixture_distribution.sample(sample_shape)
            values = self.component_distribution.sample(sample_shape)
            index = chosen.reshape(tuple(chosen.shape) + (1,) * (len(self._event_shape) + 1))
            index = index.expand(tuple(values.shape[:lead]) + (1, *self._event_shape))
            return values.gather(lead, index).squeeze(lead)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self.mixture_distribution!r},\n  {self.component_distribution!r})"
