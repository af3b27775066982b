"""Distributions of functions of random values, and of several dimensions at once."""

from __future__ import annotations

import math
from typing import Any

from ..autograd import no_grad
from ..dtypes import finfo
from ..size import Size
from ..tensor.creation import full_like, ones_like
from ..tensor.functions_elementwise import where
from . import constraints
from .continuous import Cauchy, Normal, Uniform
from .distribution import Distribution
from .transforms import (
    AbsTransform,
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    StickBreakingTransform,
    Transform,
)
from .utils import EULER, broadcast_all, sum_rightmost


class Independent(Distribution):
    """A distribution whose last batch dimensions are made part of the event.

    Args:
        base_distribution: any distribution.
        reinterpreted_batch_ndims: how many of its batch dimensions.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: more than it has.
    Example:
        >>> Independent(Normal(torch.zeros(3), 1.0), 1).log_prob(torch.zeros(3))
        tensor(-2.7568)
    """

    arg_constraints: dict[str, Any] = {}

    def __init__(
        self, base_distribution: Any, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        batch = tuple(base_distribution.batch_shape)
        if reinterpreted_batch_ndims > len(batch):
            raise ValueError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual "
                f"{reinterpreted_batch_ndims} vs {len(batch)}"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        at = len(batch) - reinterpreted_batch_ndims
        super().__init__(batch[:at], batch[at:] + tuple(base_distribution.event_shape), validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        inner = tuple(self._event_shape[: self.reinterpreted_batch_ndims])
        new.base_dist = self.base_dist.expand(tuple(batch_shape) + inner)
        return new

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """That of the base."""
        return bool(self.base_dist.has_rsample)

    @property
    def support(self) -> Any:
        inner = self.base_dist.support
        if not self.reinterpreted_batch_ndims:
            return inner
        return constraints.independent(inner, self.reinterpreted_batch_ndims)

    @property
    def mean(self) -> Any:
        return self.base_dist.mean

    @property
    def mode(self) -> Any:
        return self.base_dist.mode

    @property
    def variance(self) -> Any:
        return self.base_dist.variance

    def sample(self, sample_shape: Any = ()) -> Any:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Any) -> Any:
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Any:
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def __repr__(self) -> str:
        return f"Independent({self.base_dist!r}, {self.reinterpreted_batch_ndims})"


class TransformedDistribution(Distribution):
    """The distribution of ``t_n(... t_1(x))`` where x has a base distribution.

    Args:
        base_distribution: of x.
        transforms: a transform or a list of them, applied in this order.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: something that is no transform, or a base with too few dimensions.
    Example:
        >>> d = TransformedDistribution(Normal(0.0, 1.0), [ExpTransform()])
        >>> d.log_prob(torch.tensor(1.0))
        tensor(-0.9189)
    """

    arg_constraints: dict[str, Any] = {}

    def __init__(self, base_distribution: Any, transforms: Any, validate_args: bool | None = None) -> None:
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        if not all([isinstance(t, Transform) for t in self.transforms]):
            raise ValueError(f"transforms must be a Transform or list, but was {transforms!r}")
        whole = ComposeTransform(self.transforms)
        shape = tuple(base_distribution.batch_shape) + tuple(base_distribution.event_shape)
        if len(shape) < whole.domain.event_dim:
            raise ValueError(
                "base_distribution needs to have shape with size at least "
                f"{whole.domain.event_dim}, but got {Size(shape)}."
            )
        out = tuple(whole.forward_shape(Size(shape)))
        needed = tuple(whole.inverse_shape(Size(out)))
        if needed != shape:  # parameters of the transforms have more elements than the base
            at = len(needed) - len(base_distribution.event_shape)
            base_distribution = base_distribution.expand(needed[:at])
        missing = whole.domain.event_dim - len(base_distribution.event_shape)
        self.base_dist: Any = base_distribution if missing <= 0 else Independent(base_distribution, missing)
        # more dimensions than the transforms ask for remain those of events
        events = whole.codomain.event_dim + max(-missing, 0)
        at = len(out) - events
        super().__init__(out[:at], out[at:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        inner = tuple(self.base_dist.batch_shape)[len(self._batch_shape) :]
        new.base_dist = self.base_dist.expand(tuple(batch_shape) + inner)
        return new

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """That of the base."""
        return bool(self.base_dist.has_rsample)

    @property
    def support(self) -> Any:
        if not self.transforms:
            return self.base_dist.support
        last = self.transforms[-1].codomain
        more = len(self._event_shape) - last.event_dim
        return constraints.independent(last, more) if more > 0 else last

    def sample(self, sample_shape: Any = ()) -> Any:
        with no_grad():
            x = self.base_dist.sample(sample_shape)
            for t in self.transforms:
                x = t(x)
            return x

    def rsample(self, sample_shape: Any = ()) -> Any:
        x = self.base_dist.rsample(sample_shape)
        for t in self.transforms:
            x = t(x)
        return x

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        events, total, y = len(self._event_shape), 0.0, value
        for t in reversed(self.transforms):
            x = t._inv_call(y)
            events += t.domain.event_dim - t.codomain.event_dim
            total = total - sum_rightmost(t.log_abs_det_jacobian(x, y), events - t.domain.event_dim)
            y = x
        return total + sum_rightmost(self.base_dist.log_prob(y), events - len(self.base_dist.event_shape))

    def _turned(self, p: Any) -> Any:
        """``1 - p`` where the transforms fall."""
        sign: Any = 1
        for t in self.transforms:
            sign = sign * t.sign
        return p if isinstance(sign, int) and sign == 1 else sign * (p - 0.5) + 0.5

    def cdf(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        for t in reversed(self.transforms):
            value = t._inv_call(value)
        return self._turned(self.base_dist.cdf(value))

    def icdf(self, value: Any) -> Any:
        value = self.base_dist.icdf(self._turned(value))
        for t in self.transforms:
            value = t(value)
        return value


class LogNormal(TransformedDistribution):
    """The distribution of ``exp(x)`` for normal x.

    Args:
        loc, scale: of x; ``scale > 0``.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: ``scale`` is not positive.
    Example:
        >>> LogNormal(0.0, 1.0).mean
        tensor(1.6487)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.positive

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Normal(loc, scale, validate_args), ExpTransform(), validate_args)

    @property
    def loc(self) -> Any:
        """Mean of the logarithm."""
        return self.base_dist.loc

    @property
    def scale(self) -> Any:
        """Standard deviation of the logarithm."""
        return self.base_dist.scale

    @property
    def mean(self) -> Any:
        return (self.loc + self.scale.pow(2) / 2).exp()

    @property
    def mode(self) -> Any:
        return (self.loc - self.scale.square()).exp()

    @property
    def variance(self) -> Any:
        square = self.scale.pow(2)
        return square.expm1() * (2 * self.loc + square).exp()

    def entropy(self) -> Any:
        return self.base_dist.entropy() + self.loc


class HalfNormal(TransformedDistribution):
    """The distribution of ``|x|`` for normal x of mean 0.

    Args:
        scale: float tensor or number, above 0.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: ``scale`` is not positive.
    Example:
        >>> HalfNormal(1.0).mean
        tensor(0.7979)
    """

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Normal(0, scale, validate_args=False), AbsTransform(), validate_args)

    @property
    def scale(self) -> Any:
        """Standard deviation of x."""
        return self.base_dist.scale

    @property
    def mean(self) -> Any:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def mode(self) -> Any:
        return self.scale * 0

    @property
    def variance(self) -> Any:
        return self.scale.pow(2) * (1 - 2 / math.pi)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        log_prob = self.base_dist.log_prob(value) + math.log(2)
        return where(value >= 0, log_prob, full_like(log_prob, -math.inf))

    def cdf(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, value: Any) -> Any:
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> Any:
        return self.base_dist.entropy() - math.log(2)


class HalfCauchy(TransformedDistribution):
    """The distribution of ``|x|`` for Cauchy numbers x around 0.

    Args:
        scale: float tensor or number, above 0.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: ``scale`` is not positive.
    Example:
        >>> HalfCauchy(1.0).cdf(torch.tensor(1.0))
        tensor(0.5000)
    """

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Cauchy(0, scale, validate_args=False), AbsTransform(), validate_args)

    @property
    def scale(self) -> Any:
        """That of x."""
        return self.base_dist.scale

    @property
    def mean(self) -> Any:
        return full_like(self.scale, math.inf)

    @property
    def mode(self) -> Any:
        return self.scale * 0

    @property
    def variance(self) -> Any:
        return self.base_dist.variance

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        log_prob = self.base_dist.log_prob(value) + math.log(2)
        return where(value >= 0, log_prob, full_like(log_prob, -math.inf))

    def cdf(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, value: Any) -> Any:
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> Any:
        return self.base_dist.entropy() - math.log(2)


class LogisticNormal(TransformedDistribution):
    """Positive vectors that sum to 1, made of normal ones by ``StickBreakingTransform``.

    Args:
        loc, scale: of the normal numbers, ``(..., K - 1)``; ``scale > 0``.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: ``scale`` is not positive.
    Example:
        >>> LogisticNormal(torch.zeros(2), torch.ones(2)).sample().shape
        torch.Size([3])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.simplex

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        base = Normal(loc, scale, validate_args=validate_args)
        base = base if base.batch_shape else base.expand((1,))
        super().__init__(base, StickBreakingTransform(), validate_args=validate_args)

    @property
    def loc(self) -> Any:
        """Mean of the normal numbers."""
        return self.base_dist.base_dist.loc

    @property
    def scale(self) -> Any:
        """Standard deviation of the normal numbers."""
        return self.base_dist.base_dist.scale


class Gumbel(TransformedDistribution):
    """The distribution of the largest of many values: ``loc - scale log(-log u)`` for uniform u.

    Args:
        loc, scale: float tensors that broadcast together, or numbers; ``scale > 0``.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: ``scale`` is not positive.
    Example:
        >>> Gumbel(0.0, 1.0).mean
        tensor(0.5772)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    _parameters = {"loc": 0, "scale": 0}

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        limits = finfo(self.loc.dtype)
        low, high = full_like(self.loc, limits.tiny), full_like(self.loc, 1 - limits.eps)
        parts = [
            ExpTransform().inv, AffineTransform(0, -ones_like(self.scale)),
            ExpTransform().inv, AffineTransform(self.loc, -self.scale),
        ]  # fmt: skip
        super().__init__(Uniform(low, high, validate_args=False), parts, validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return Gumbel(self.loc.expand(batch_shape), self.scale.expand(batch_shape), validate_args=False)

    @property
    def mean(self) -> Any:
        return self.loc + self.scale * EULER

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        return self.stddev.pow(2)

    @property
    def stddev(self) -> Any:
        return (math.pi / math.sqrt(6)) * self.scale

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        y = (self.loc - value) / self.scale
        return (y - y.exp()) - self.scale.log()

    def entropy(self) -> Any:
        return self.scale.log() + (1 + EULER)
