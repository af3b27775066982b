"""Distributions over categories: an index, a one-hot vector, counts."""

from __future__ import annotations

import math
from typing import Any

from ..autograd import no_grad
from ..dtypes import finfo
from ..size import Size
from ..tensor.creation import arange, eye, zeros
from ..tensor.functions_shape import broadcast_tensors, one_hot
from . import constraints
from .discrete import Binomial
from .distribution import Distribution
from .utils import lazy_property, logits_to_probs, probs_to_logits


class Categorical(Distribution):
    """An index with given probabilities along the last dimension.

    Args:
        probs: float tensor, ``(..., K)``, not negative; rows need not sum to 1.
        logits: unnormalised logarithms instead.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: both or neither is given, no dimension, or negative probabilities.
    Example:
        >>> Categorical(torch.tensor([0.25, 0.75])).log_prob(torch.tensor(0))
        tensor(-1.3863)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True
    _parameters = {"probs": 1, "logits": 1}

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        name, given = ("logits", logits) if probs is None else ("probs", probs)
        if given.dim() < 1:
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if probs is not None:
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = logits - logits.logsumexp(-1, keepdim=True)
        self._num_events = given.shape[-1]
        super().__init__(given.shape[:-1], validate_args=validate_args)

    @property
    def support(self) -> Any:
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self) -> Any:
        """Logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self) -> Any:
        """The probabilities, which sum to 1."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self) -> Size:
        """Shape of the parameter."""
        return Size((*self._batch_shape, self._num_events))

    @property
    def _kind(self) -> Any:
        return (self.__dict__["probs"] if "probs" in self.__dict__ else self.__dict__["logits"]).dtype

    @property
    def mean(self) -> Any:
        return zeros(tuple(self._batch_shape), dtype=self._kind) + math.nan

    @property
    def mode(self) -> Any:
        return self.probs.argmax(-1)

    @property
    def variance(self) -> Any:
        return zeros(tuple(self._batch_shape), dtype=self._kind) + math.nan

    def sample(self, sample_shape: Any = ()) -> Any:
        rows = self.probs.reshape(-1, self._num_events)
        with no_grad():
            drawn = rows.detach().multinomial(math.prod(sample_shape), True).T
            return drawn.reshape(tuple(self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        index, rows = broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return rows.gather(-1, index[..., :1]).squeeze(-1)

    def entropy(self) -> Any:
        logits = self.logits.clamp(min=finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Any:
        values = arange(self._num_events).view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1, *self._batch_shape)) if expand else values


class _OfCategories(Distribution):
    """A distribution of vectors made from a ``Categorical``, which it holds."""

    arg_constraints = Categorical.arg_constraints
    _categorical: Categorical

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._categorical = self._categorical.expand(batch_shape)
        return new

    @property
    def probs(self) -> Any:
        """The probabilities, which sum to 1."""
        return self._categorical.probs

    @property
    def logits(self) -> Any:
        """Logarithms of the probabilities."""
        return self._categorical.logits

    @property
    def param_shape(self) -> Size:
        """Shape of the parameter."""
        return self._categorical.param_shape


class OneHotCategorical(_OfCategories):
    """A vector with a single 1, at a place of given probabilities; arguments as ``Categorical``.

    Example:
        >>> OneHotCategorical(torch.tensor([0.25, 0.75])).log_prob(torch.tensor([1.0, 0.0]))
        tensor(-1.3863)
    """

    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._categorical = Categorical(probs, logits)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.probs

    @property
    def mode(self) -> Any:
        return one_hot(self._categorical.mode, self._event_shape[0]).to(self.probs.dtype)

    @property
    def variance(self) -> Any:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        index = self._categorical.sample(sample_shape)
        return one_hot(index, self._event_shape[0]).to(self.probs.dtype)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Any:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Any:
        n = self._event_shape[0]
        values = eye(n, dtype=self.probs.dtype).view((n,) + (1,) * len(self._batch_shape) + (n,))
        return values.expand((n, *self._batch_shape, n)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """``OneHotCategorical`` whose samples have the gradient of the probabilities (Bengio et al. 2013)."""

    has_rsample = True

    def rsample(self, sample_shape: Any = ()) -> Any:
        samples = self.sample(sample_shape)
        probs = self._categorical.probs  # with its history
        return samples + (probs - probs.detach())


class Multinomial(_OfCategories):
    """How often each category came in ``total_count`` draws.

    Args:
        total_count: number of draws, an int.
        probs, logits: as for ``Categorical``.
        validate_args: whether arguments are checked.
    Raises:
        NotImplementedError: ``total_count`` is no int.
        ValueError: as for ``Categorical``.
    Example:
        >>> Multinomial(10, torch.tensor([0.25, 0.75])).mean
        tensor([2.5000, 7.5000])
    """

    def __init__(
        self, total_count: int = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        self._categorical = Categorical(probs, logits)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    @property
    def support(self) -> Any:
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Any:
        return self.probs * self.total_count

    @property
    def variance(self) -> Any:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        with no_grad():
            drawn = self._categorical.sample((self.total_count, *sample_shape))
            last = drawn.permute(*range(1, drawn.dim()), 0)
            counts = zeros(tuple(self._extended_shape(sample_shape)), dtype=self.probs.dtype)
            return counts.scatter_add(-1, last, zeros(tuple(last.shape), dtype=counts.dtype) + 1)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_tensors(self.logits, value)
        ways = (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1)
        sure = (value == 0) & (logits == -math.inf)
        return ways + (logits.masked_fill(sure, 0) * value).sum(-1)

    def entropy(self) -> Any:
        n = self.total_count
        counts = Binomial(n, probs=self.probs).enumerate_support(expand=False)[1:]
        log_counts = Binomial(n, probs=self.probs).log_prob(counts)
        spread = (log_counts.exp() * (counts + 1).lgamma()).sum(0).sum(-1)
        return n * self._categorical.entropy() - math.lgamma(n + 1) + spread
