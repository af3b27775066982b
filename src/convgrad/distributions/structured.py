"""Transforms of whole vectors and matrices: reshaped, cut into parts, made factors of matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..dtypes import finfo
from ..linalg import cholesky
from ..nn.functional import pad, softplus
from ..size import Size
from ..tensor.creation import eye, tril_indices
from ..tensor.functions_shape import cat, stack
from . import constraints
from .transform import Transform
from .utils import sum_rightmost


class IndependentTransform(Transform):
    """A transform whose last dimensions count as one event, over which its log-derivative is summed.

    Args:
        base_transform: any transform.
        reinterpreted_batch_ndims: how many more dimensions an event has.
    Example:
        >>> from convgrad.distributions import ExpTransform
        >>> x = torch.tensor([1.0, 2.0])
        >>> IndependentTransform(ExpTransform(), 1).log_abs_det_jacobian(x, x.exp())
        tensor(3.)
    """

    def __init__(
        self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size)
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.bijective = base_transform.bijective
        self.domain = constraints.independent(base_transform.domain, reinterpreted_batch_ndims)
        self.codomain = constraints.independent(base_transform.codomain, reinterpreted_batch_ndims)

    @property
    def sign(self) -> Any:
        """That of the base."""
        return self.base_transform.sign

    def with_cache(self, cache_size: int = 1) -> Any:
        if self._cache_size == cache_size:
            return self
        return IndependentTransform(self.base_transform, self.reinterpreted_batch_ndims, cache_size)

    def forward_shape(self, shape: Any) -> Any:
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self.base_transform.inverse_shape(shape)

    def _call(self, x: Any) -> Any:
        if x.dim() < self.domain.event_dim:
            raise ValueError("Too few dimensions on input")
        return self.base_transform(x)

    def _inverse(self, y: Any) -> Any:
        if y.dim() < self.codomain.event_dim:
            raise ValueError("Too few dimensions on input")
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return sum_rightmost(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)

    def __repr__(self) -> str:
        return f"IndependentTransform({self.base_transform!r}, {self.reinterpreted_batch_ndims})"


class ReshapeTransform(Transform):
    """The last dimensions in another shape.

    Args:
        in_shape, out_shape: of one event, before and after.
    Raises:
        ValueError: shapes of different numbers of elements, or an input of another shape.
    Example:
        >>> ReshapeTransform((4,), (2, 2))(torch.zeros(3, 4)).shape
        torch.Size([3, 2, 2])
    """

    bijective = True

    def __init__(self, in_shape: Any, out_shape: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.in_shape, self.out_shape = Size(in_shape), Size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            raise ValueError("in_shape, out_shape have different numbers of elements")
        self.domain = constraints.independent(constraints.real, len(self.in_shape))
        self.codomain = constraints.independent(constraints.real, len(self.out_shape))

    def forward_shape(self, shape: Any) -> Any:
        return _exchanged(shape, self.in_shape, self.out_shape)

    def inverse_shape(self, shape: Any) -> Any:
        return _exchanged(shape, self.out_shape, self.in_shape)

    def _call(self, x: Any) -> Any:
        return x.reshape((*x.shape[: x.dim() - len(self.in_shape)], *self.out_shape))

    def _inverse(self, y: Any) -> Any:
        return y.reshape((*y.shape[: y.dim() - len(self.out_shape)], *self.in_shape))

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return x.new_zeros(tuple(x.shape[: x.dim() - len(self.in_shape)]))


def _exchanged(shape: Any, old: Any, new: Any) -> Any:
    """A shape that ends in ``old`` with ``new`` in its place."""
    if len(shape) < len(old):
        raise ValueError("Too few dimensions on input")
    cut = len(shape) - len(old)
    if tuple(shape[cut:]) != tuple(old):
        raise ValueError(f"Shape mismatch: expected {Size(shape[cut:])} but got {old}")
    return Size((*shape[:cut], *new))


class _Parts(Transform):
    """A transform of each part of a tensor, cut along one dimension."""

    transforms: list[Any]
    dim: int

    def __init__(self, tseq: Sequence[Transform], dim: int, cache_size: int) -> None:
        if not all([isinstance(t, Transform) for t in tseq]):
            raise TypeError(f"expected transforms, but got {[type(t).__name__ for t in tseq]}")
        super().__init__(cache_size)
        self.transforms = [t.with_cache(cache_size) for t in tseq] if cache_size else list(tseq)
        self.dim = dim
        self.bijective = all([t.bijective for t in self.transforms])

    def _cut(self, z: Any) -> list[Any]:
        """The parts."""
        raise NotImplementedError

    def _join(self, parts: list[Any]) -> Any:
        """The whole."""
        raise NotImplementedError

    def _call(self, x: Any) -> Any:
        return self._join([t(part) for t, part in zip(self.transforms, self._cut(x), strict=True)])

    def _inverse(self, y: Any) -> Any:
        return self._join([t.inv(part) for t, part in zip(self.transforms, self._cut(y), strict=True)])


class CatTransform(_Parts):
    """Transforms of parts that lie one behind the other along a dimension, as ``torch.cat`` joins them.

    Args:
        tseq: one transform for each part.
        dim: along which they lie.
        lengths: of the parts; 1 each unless given.
    Raises:
        ValueError: lengths that do not fit.
    Example:
        >>> from convgrad.distributions import ExpTransform, identity_transform
        >>> CatTransform([ExpTransform(), identity_transform], lengths=[1, 2])(torch.zeros(3))
        tensor([1., 0., 0.])
    """

    def __init__(
        self,
        tseq: Sequence[Transform],
        dim: int = 0,
        lengths: Sequence[int] | None = None,
        cache_size: int = 0,
    ) -> None:
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise ValueError(
                f"{len(self.transforms)} transforms need as many lengths, but got {self.lengths}"
            )
        self.domain = constraints.cat([t.domain for t in self.transforms], dim, self.lengths)
        self.codomain = constraints.cat([t.codomain for t in self.transforms], dim, self.lengths)

    @property
    def event_dim(self) -> int:
        """The most dimensions of an event that one of the transforms has."""
        return max([t.domain.event_dim for t in self.transforms])

    @property
    def length(self) -> int:
        """Of the whole."""
        return sum(self.lengths)

    def with_cache(self, cache_size: int = 1) -> Any:
        if self._cache_size == cache_size:
            return self
        return CatTransform(self.transforms, self.dim, self.lengths, cache_size)

    def _cut(self, z: Any) -> list[Any]:
        if not -z.dim() <= self.dim < z.dim() or z.size(self.dim) != self.length:
            raise ValueError(
                f"CatTransform: expected size {self.length} in dim {self.dim}, got {list(z.shape)}"
            )
        return list(z.split(self.lengths, self.dim))

    def _join(self, parts: list[Any]) -> Any:
        return cat(parts, self.dim)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        most, found = self.event_dim, []
        for t, a, b in zip(self.transforms, self._cut(x), self._cut(y), strict=True):
            found.append(sum_rightmost(t.log_abs_det_jacobian(a, b), most - t.domain.event_dim))
        at = (self.dim - x.dim() if self.dim >= 0 else self.dim) + most
        if at < 0:
            return cat(found, at)
        total: Any = 0
        for part in found:
            total = total + part
        return total


class StackTransform(_Parts):
    """Transforms of the slices along a dimension, as ``torch.stack`` joins them.

    Args:
        tseq: one transform for each slice.
        dim: along which they lie.
    Example:
        >>> from convgrad.distributions import ExpTransform, identity_transform
        >>> StackTransform([ExpTransform(), identity_transform], 1)(torch.zeros(2, 2))
        tensor([[1., 0.],
                [1., 0.]])
    """

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(tseq, dim, cache_size)
        self.domain = constraints.stack([t.domain for t in self.transforms], dim)
        self.codomain = constraints.stack([t.codomain for t in self.transforms], dim)

    def with_cache(self, cache_size: int = 1) -> Any:
        if self._cache_size == cache_size:
            return self
        return StackTransform(self.transforms, self.dim, cache_size)

    def _cut(self, z: Any) -> list[Any]:
        if not -z.dim() <= self.dim < z.dim() or z.size(self.dim) != len(self.transforms):
            raise ValueError(
                f"StackTransform: expected size {len(self.transforms)} in dim {self.dim}, got {list(z.shape)}"
            )
        return list(z.unbind(self.dim))

    def _join(self, parts: list[Any]) -> Any:
        return stack(parts, self.dim)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        pairs = zip(self.transforms, self._cut(x), self._cut(y), strict=True)
        return stack([t.log_abs_det_jacobian(a, b) for t, a, b in pairs], self.dim)


class CumulativeDistributionTransform(Transform):
    """The probability of smaller values: ``y = distribution.cdf(x)``.

    Args:
        distribution: of numbers, with ``cdf`` and, for the inverse, ``icdf``.
    Example:
        >>> from convgrad.distributions import Normal
        >>> CumulativeDistributionTransform(Normal(0.0, 1.0))(torch.tensor(0.0))
        tensor(0.5000)
    """

    bijective, codomain, sign = True, constraints.unit_interval, 1

    def __init__(self, distribution: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.distribution = distribution

    @property
    def domain(self) -> Any:
        """What the distribution's samples satisfy."""
        return self.distribution.support

    def _call(self, x: Any) -> Any:
        return self.distribution.cdf(x)

    def _inverse(self, y: Any) -> Any:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return self.distribution.log_prob(x)


class LowerCholeskyTransform(Transform):
    """Matrices to lower triangular ones with positive diagonal: the diagonal goes through exp."""

    domain, codomain = constraints.independent(constraints.real, 2), constraints.lower_cholesky

    def _call(self, x: Any) -> Any:
        return x.tril(-1) + x.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def _inverse(self, y: Any) -> Any:
        return y.tril(-1) + y.diagonal(dim1=-2, dim2=-1).log().diag_embed()


class PositiveDefiniteTransform(Transform):
    """Matrices to positive definite ones, ``L Lᵀ`` with L as ``LowerCholeskyTransform`` gives it."""

    domain, codomain = constraints.independent(constraints.real, 2), constraints.positive_definite

    def _call(self, x: Any) -> Any:
        factor = LowerCholeskyTransform()(x)
        return factor @ factor.mT

    def _inverse(self, y: Any) -> Any:
        return LowerCholeskyTransform().inv(cholesky(y))


class CorrCholeskyTransform(Transform):
    """D (D - 1) / 2 real numbers to the lower Cholesky factor of a D x D correlation matrix.

    tanh makes them partial correlations, which break their part off what is left of each row's length.

    Source: Stan's reference manual, "Cholesky factors of correlation matrices".
    """

    bijective, domain, codomain = True, constraints.real_vector, constraints.corr_cholesky

    def forward_shape(self, shape: Any) -> Any:
        if len(shape) < 1:
            raise ValueError("Too few dimensions on input")
        return Size((*shape[:-1], *[_order(shape[-1])] * 2))

    def inverse_shape(self, shape: Any) -> Any:
        if len(shape) < 2:
            raise ValueError("Too few dimensions on input")
        if shape[-2] != shape[-1]:
            raise ValueError("Input is not square")
        return Size((*shape[:-2], shape[-1] * (shape[-1] - 1) // 2))

    def _call(self, x: Any) -> Any:
        n, eps = _order(x.shape[-1]), finfo(x.dtype).eps
        rows, columns = tril_indices(n, n, -1)
        partial = x.new_zeros((*x.shape[:-1], n, n))
        partial[..., rows, columns] = x.tanh().clamp(min=-1 + eps, max=1 - eps)
        left = (1 - partial**2).sqrt().cumprod(-1)
        return (partial + eye(n, dtype=x.dtype)) * pad(left[..., :-1], (1, 0), value=1.0)

    def _inverse(self, y: Any) -> Any:
        rows, columns = tril_indices(y.shape[-1], y.shape[-1], -1)
        left = pad((1 - (y * y).cumsum(-1))[..., :-1], (1, 0), value=1.0)
        return (y[..., rows, columns] / left[..., rows, columns].sqrt()).atanh()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        rows, columns = tril_indices(y.shape[-1], y.shape[-1], -2)
        left = 1 - (y * y).cumsum(-1)
        broken = 0.5 * left[..., rows, columns].log().sum(-1)
        return broken - 2 * (x + softplus(-2 * x) - math.log(2.0)).sum(-1)


def _order(count: int) -> int:
    """D for ``D (D - 1) / 2`` numbers.

    Raises:
        ValueError: there is none.
    """
    order = round((0.25 + 2 * count) ** 0.5 + 0.5)
    if order * (order - 1) // 2 != count:
        raise ValueError("Input is not a flattened lower-diagonal number")
    return order
