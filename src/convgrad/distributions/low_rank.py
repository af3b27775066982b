"""The normal distribution of vectors whose covariance is a diagonal plus a matrix of low rank."""

from __future__ import annotations

import math
from typing import Any

from ..linalg import cholesky, solve_triangular
from ..tensor.creation import eye
from ..tensor.functions_shape import broadcast_shapes
from . import constraints
from .continuous import standard_normal
from .distribution import Distribution
from .utils import lazy_property


class LowRankMultivariateNormal(Distribution):
    """Normal vectors of covariance ``W Wᵀ + D``, at the cost of W's few columns.

    Args:
        loc: float tensor, ``(..., d)``.
        cov_factor: W, ``(..., d, m)``, with m much smaller than d.
        cov_diag: the diagonal of D, ``(..., d)``, above 0.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: shapes that do not fit, or a diagonal that is not positive.
    Example:
        >>> LowRankMultivariateNormal(torch.zeros(2), torch.tensor([[1.0], [0.0]]), torch.ones(2)).variance
        tensor([2., 1.])

    Source: the matrix determinant lemma and Woodbury's identity.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True
    _parameters = {
        "loc": 1, "cov_factor": 2, "cov_diag": 1, "scale_tril": 2, "covariance_matrix": 2,
        "precision_matrix": 2,
    }  # fmt: skip

    def __init__(self, loc: Any, cov_factor: Any, cov_diag: Any, validate_args: bool | None = None) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        n = loc.shape[-1]
        if cov_factor.dim() < 2:
            raise ValueError(
                "cov_factor must be at least two-dimensional, with optional leading batch dimensions"
            )
        if cov_factor.shape[-2] != n:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {n} x m")
        if cov_diag.shape[-1] != n:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {loc.shape[-1:]}")
        leads = [tuple(loc.shape[:-1]), tuple(cov_factor.shape[:-2]), tuple(cov_diag.shape[:-1])]
        try:
            batch = tuple(broadcast_shapes(*leads))
        except RuntimeError as error:
            raise ValueError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, "
                f"cov_diag {cov_diag.shape}"
            ) from error
        self.loc = loc.expand((*batch, n))
        self.cov_factor = cov_factor.expand((*batch, *cov_factor.shape[-2:]))
        self.cov_diag = cov_diag.expand((*batch, n))
        super().__init__(batch, (n,), validate_args=validate_args)
        self._w, self._d = cov_factor, cov_diag  # before they were expanded
        scaled = cov_factor.mT / cov_diag.unsqueeze(-2)
        one = eye(cov_factor.shape[-1], dtype=cov_factor.dtype)
        self._capacitance = cholesky(scaled @ cov_factor + one)

    @lazy_property
    def scale_tril(self) -> Any:
        """The lower Cholesky factor of the covariance."""
        root = self._d.sqrt().unsqueeze(-1)
        scaled = self._w / root
        n = self._event_shape[0]
        factor = root * cholesky(scaled @ scaled.mT + eye(n, dtype=root.dtype))
        return factor.expand((*self._batch_shape, n, n))

    @lazy_property
    def covariance_matrix(self) -> Any:
        """``W Wᵀ + D``."""
        n = self._event_shape[0]
        return (self._w @ self._w.mT + self._d.diag_embed()).expand((*self._batch_shape, n, n))

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance."""
        n = self._event_shape[0]
        scaled = self._w.mT / self._d.unsqueeze(-2)
        part = solve_triangular(self._capacitance, scaled, upper=False)
        return (self._d.reciprocal().diag_embed() - part.mT @ part).expand((*self._batch_shape, n, n))

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        own = self._w.pow(2).sum(-1) + self._d
        return own.expand((*self._batch_shape, *self._event_shape))

    def rsample(self, sample_shape: Any = ()) -> Any:
        shape = tuple(self._extended_shape(sample_shape))
        along = standard_normal((*shape[:-1], self.cov_factor.shape[-1]), self.loc)
        across = standard_normal(shape, self.loc)
        return self.loc + (self._w @ along.unsqueeze(-1)).squeeze(-1) + self._d.sqrt() * across

    def _log_det(self) -> Any:
        """Of the covariance."""
        capacity = self._capacitance.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return 2 * capacity + self._d.log().sum(-1)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        away = value - self.loc
        projected = (self._w.mT / self._d.unsqueeze(-2)) @ away.unsqueeze(-1)
        inside = solve_triangular(self._capacitance, projected, upper=False).squeeze(-1)
        distance = (away.pow(2) / self._d).sum(-1) - inside.pow(2).sum(-1)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + self._log_det() + distance)

    def entropy(self) -> Any:
        half = 0.5 * (self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._log_det())
        return half.expand(tuple(self._batch_shape))
