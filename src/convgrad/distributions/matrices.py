"""Random matrices: Wishart's covariances, and the factors of correlations."""

from __future__ import annotations

import math
import warnings
from numbers import Number
from typing import Any

from .. import random
from ..autograd import no_grad
from ..dtypes import finfo
from ..linalg import cholesky, solve_triangular
from ..tensor.creation import arange, eye, full_like, tensor, tril_indices
from ..tensor.functions_elementwise import where
from ..tensor.functions_shape import broadcast_shapes, cat
from . import constraints
from .distribution import Distribution, ExponentialFamily
from .gamma import Beta, Chi2
from .multivariate import _factor
from .utils import broadcast_all, lazy_property

_MATRICES = ("covariance_matrix", "precision_matrix", "scale_tril")


class LKJCholesky(Distribution):
    """Lower Cholesky factors of correlation matrices of density proportional to ``det^(concentration - 1)``.

    Args:
        dim: order of the matrices, 2 or more.
        concentration: float tensor or number above 0; 1 makes all correlations equally likely.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: ``dim`` below 2, or a concentration that is not positive.
    Example:
        >>> LKJCholesky(3, 0.5).sample().shape
        torch.Size([3, 3])

    Source: Lewandowski, Kurowicka & Joe 2009, Journal of Multivariate Analysis 100: the onion method.
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky
    _parameters = {"concentration": 0}

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        kind = self.concentration.dtype
        rows = cat([tensor([0.0], dtype=kind), arange(dim - 1, dtype=kind)])
        left = (self.concentration + 0.5 * (dim - 2)).unsqueeze(-1)
        self._beta = Beta(rows + 0.5, left - 0.5 * rows)
        super().__init__(self.concentration.shape, (dim, dim), validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._beta = self._beta.expand((*batch_shape, self.dim))
        return new

    def sample(self, sample_shape: Any = ()) -> Any:
        with no_grad():
            y = self._beta.sample(sample_shape).unsqueeze(-1)
            shape = tuple(self._extended_shape(sample_shape))
            on_sphere = random.randn(shape, dtype=self.concentration.dtype).tril(-1)
            on_sphere = on_sphere / on_sphere.norm(dim=-1, keepdim=True)
            on_sphere[..., 0, :].fill_(0.0)
            w = y.sqrt() * on_sphere
            left = (1 - (w**2).sum(-1)).clamp(min=finfo(w.dtype).tiny)
            return w + left.sqrt().diag_embed()

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        c, n, less = self.concentration, self.dim, self.dim - 1
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        order = 2 * (c - 1).unsqueeze(-1) + n - arange(2, n + 1, dtype=c.dtype)
        alpha = c + 0.5 * less
        norm = 0.5 * less * math.log(math.pi) + (alpha - 0.5).mvlgamma(less) - alpha.lgamma() * less
        return (order * diagonal.log()).sum(-1) - norm


def _mvdigamma(x: Any, p: int) -> Any:
    """The derivative of ``mvlgamma``."""
    return (x.unsqueeze(-1) - arange(p, dtype=x.dtype) / 2).digamma().sum(-1)


class Wishart(ExponentialFamily):
    """Sums of outer products ``x xᵀ`` of ``df`` normal vectors of mean 0: symmetric positive definite.

    Args:
        df: degrees of freedom, float tensor or number above d - 1.
        covariance_matrix: of the vectors, ``(..., d, d)``, positive definite.
        precision_matrix: the inverse of the covariance instead.
        scale_tril: a lower triangular L with positive diagonal and covariance ``L Lᵀ`` instead.
        validate_args: whether arguments are checked.
    Raises:
        AssertionError: not exactly one matrix.
        ValueError: too few dimensions or degrees of freedom, or a matrix that is not as it should be.
    Example:
        >>> Wishart(torch.tensor(3.0), torch.eye(2)).mean
        tensor([[3., 0.],
                [0., 3.]])

    Source: Bartlett 1933 for the samples; Bishop 2006, appendix B, for the moments and the entropy.
    """

    arg_constraints = {
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
        "df": constraints.greater_than(0),
    }
    support = constraints.positive_definite
    has_rsample = True
    _parameters = {
        "df": 0, "covariance_matrix": 2, "precision_matrix": 2, "scale_tril": 2, "_factor": 2,
    }  # fmt: skip

    def __init__(
        self,
        df: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        given = {
            name: matrix
            for name, matrix in zip(_MATRICES, (covariance_matrix, precision_matrix, scale_tril), strict=True)
            if matrix is not None
        }
        if len(given) != 1:
            raise AssertionError(  # PyTorch's type here, unlike MultivariateNormal's
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified."
            )
        ((name, matrix),) = given.items()
        if matrix.dim() < 2:
            raise ValueError(
                "scale_tril must be at least two-dimensional, with optional leading batch dimensions"
            )
        if isinstance(df, Number):
            df = tensor(float(df), dtype=matrix.dtype)  # type: ignore[arg-type]
        n = matrix.shape[-1]
        batch = tuple(broadcast_shapes(tuple(df.shape), tuple(matrix.shape[:-2])))
        self.df = df.expand(batch)
        if bool((df <= n - 1).any()):
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {n - 1}.")
        setattr(self, name, matrix.expand((*batch, -1, -1)))
        super().__init__(batch, matrix.shape[-2:], validate_args=validate_args)
        if bool((self.df < n).any()):
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < "
                "ndim.",
                stacklevel=2,
            )
        self._factor = _factor(name, matrix)
        self._chi2 = self._chi2_of(n)

    def _chi2_of(self, n: int) -> Chi2:
        """The squares on the diagonals of Bartlett's factors."""
        steps = arange(n, dtype=self._factor.dtype).expand((*self.df.shape, n))
        return Chi2(self.df.unsqueeze(-1) - steps)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._chi2 = new._chi2_of(self._event_shape[-1])
        return new

    def _whole(self, matrix: Any) -> Any:
        return matrix.expand((*self._batch_shape, *self._event_shape))

    @lazy_property
    def scale_tril(self) -> Any:
        """L with covariance ``L Lᵀ``."""
        return self._whole(self._factor)

    @lazy_property
    def covariance_matrix(self) -> Any:
        """The covariance of the vectors."""
        return self._whole(self._factor @ self._factor.mT)

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance."""
        one = eye(self._event_shape[-1], dtype=self._factor.dtype)
        inverse = solve_triangular(self._factor, one, upper=False)
        return self._whole(inverse.mT @ inverse)

    @property
    def mean(self) -> Any:
        return self.df[..., None, None] * self.covariance_matrix

    @property
    def mode(self) -> Any:
        factor = self.df - self._event_shape[-1] - 1  # without a mode where it is not positive
        factor = where(factor <= 0, full_like(factor, math.nan), factor)
        return factor[..., None, None] * self.covariance_matrix

    @property
    def variance(self) -> Any:
        v = self.covariance_matrix
        diagonal = v.diagonal(dim1=-2, dim2=-1)
        return self.df[..., None, None] * (v.pow(2) + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def _bartlett(self, sample_shape: tuple[int, ...]) -> Any:
        """Samples, by factors with chi numbers on the diagonal and normal ones below it."""
        n = self._event_shape[-1]
        factor = self._chi2.rsample(sample_shape).sqrt().diag_embed(dim1=-2, dim2=-1)
        rows, columns = tril_indices(n, n, -1)
        below = (*sample_shape, *self._batch_shape, n * (n - 1) // 2)
        factor[..., rows, columns] = random.randn(below, dtype=factor.dtype)
        chol = self._factor @ factor
        return chol @ chol.mT

    def rsample(self, sample_shape: Any = (), max_try_correction: int | None = None) -> Any:
        """Samples through which the parameters get gradients.

        PyTorch draws every regular sample a second time, and so does this, to stay with its stream.

        Args:
            sample_shape: before the batch.
            max_try_correction: how often samples that are singular by rounding are drawn anew; None: 10.
        """
        sample = self._bartlett(tuple(sample_shape))
        again = self._regular(sample)
        for _ in range(10 if max_try_correction is None else max_try_correction):
            if not bool(again.any()):
                break
            drawn = self._bartlett((int(again.sum()),))
            sample[again] = drawn
            left = again.clone()
            left[again] = ~self._regular(drawn)
            again = left
        return sample

    def _regular(self, sample: Any) -> Any:
        """Whether one of a batch is positive definite, for each sample."""
        with no_grad():
            found = self.support.check(sample)
            return found.flatten(-len(self._batch_shape)).any(-1) if self._batch_shape else found

    def _log_det_factor(self) -> Any:
        return self._factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        nu, p = self.df, self._event_shape[-1]
        norm = nu * (p * math.log(2) / 2 + self._log_det_factor()) + (nu / 2).mvlgamma(p)
        log_det = 2 * cholesky(value).diagonal(dim1=-2, dim2=-1).log().sum(-1)
        trace = value.cholesky_solve(self._factor).diagonal(dim1=-2, dim2=-1).sum(-1)
        return (nu - p - 1) / 2 * log_det - trace / 2 - norm

    def entropy(self) -> Any:
        nu, p = self.df, self._event_shape[-1]
        scale = (p + 1) * (p * math.log(2) / 2 + self._log_det_factor())
        return scale + (nu / 2).mvlgamma(p) - (nu - p - 1) / 2 * _mvdigamma(nu / 2, p) + nu * p / 2
