"""Continuous relaxations of discrete distributions, through whose samples parameters get gradients."""

from __future__ import annotations

from typing import Any

from .. import random
from ..tensor.creation import full_like
from . import constraints
from .categorical import Categorical
from .discrete import _OfProbability
from .distribution import Distribution
from .transformed import TransformedDistribution
from .transforms import ExpTransform, SigmoidTransform
from .utils import broadcast_all, clamp_probs


class LogitRelaxedBernoulli(_OfProbability):
    """The logarithm of the odds of a relaxed Bernoulli number (Maddison et al. 2017, arXiv:1611.00712).

    Args:
        temperature: number or tensor; the lower, the nearer to 0 and 1.
        probs, logits: as for ``Bernoulli``.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: both or neither of ``probs`` and ``logits``, or a probability outside of [0, 1].
    """

    support = constraints.real
    has_rsample = True

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self.temperature = temperature
        super().__init__(self._set(probs, logits).shape, validate_args=validate_args)

    def rsample(self, sample_shape: Any = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        probs = clamp_probs(self.probs.expand(shape))
        u = clamp_probs(random.rand(tuple(shape), dtype=probs.dtype))
        return (u.log() - (-u).log1p() + probs.log() - (-probs).log1p()) / self.temperature

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        difference = logits - value * self.temperature
        scale = difference * 0 + self.temperature
        return scale.log() + difference - 2 * difference.exp().log1p()


class RelaxedBernoulli(TransformedDistribution):
    """Numbers in (0, 1) near 0 or 1; arguments as ``LogitRelaxedBernoulli``.

    Example:
        >>> RelaxedBernoulli(torch.tensor(0.5), probs=torch.tensor([0.3])).sample().shape
        torch.Size([1])
    """

    arg_constraints = _OfProbability.arg_constraints
    support = constraints.unit_interval

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)

    @property
    def temperature(self) -> Any:
        """As given."""
        return self.base_dist.temperature

    @property
    def logits(self) -> Any:
        """Logarithm of the odds."""
        return self.base_dist.logits

    @property
    def probs(self) -> Any:
        """The probability."""
        return self.base_dist.probs


class ExpRelaxedCategorical(Distribution):
    """The logarithms of a relaxed one-hot vector (Maddison et al. 2017, arXiv:1611.00712).

    Args:
        temperature: number or tensor; the lower, the nearer to one-hot.
        probs, logits: as for ``Categorical``.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: as for ``Categorical``.
    """

    arg_constraints = Categorical.arg_constraints
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self._categorical = Categorical(probs, logits)
        self.temperature = temperature
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._categorical = self._categorical.expand(batch_shape)
        return new

    @property
    def logits(self) -> Any:
        """Logarithms of the probabilities."""
        return self._categorical.logits

    @property
    def probs(self) -> Any:
        """The probabilities."""
        return self._categorical.probs

    def rsample(self, sample_shape: Any = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        u = clamp_probs(random.rand(tuple(shape), dtype=self.logits.dtype))
        scores = (self.logits.expand(shape) - (-u.log()).log()) / self.temperature
        return scores - scores.logsumexp(-1, keepdim=True)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        n = self._event_shape[0]
        scale = full_like(self.temperature + logits[..., 0] * 0, float(n)).lgamma()
        scale = scale + (self.temperature + logits[..., 0] * 0).log() * (n - 1)
        score = logits - value * self.temperature
        return (score - score.logsumexp(-1, keepdim=True)).sum(-1) + scale


class RelaxedOneHotCategorical(TransformedDistribution):
    """Positive vectors that sum to 1, near one-hot; arguments as ``ExpRelaxedCategorical``.

    Example:
        >>> RelaxedOneHotCategorical(torch.tensor(0.5), probs=torch.ones(3)).sample().shape
        torch.Size([3])
    """

    arg_constraints = Categorical.arg_constraints
    support = constraints.simplex

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)

    @property
    def temperature(self) -> Any:
        """As given."""
        return self.base_dist.temperature

    @property
    def logits(self) -> Any:
        """Logarithms of the probabilities."""
        return self.base_dist.logits

    @property
    def probs(self) -> Any:
        """The probabilities."""
        return self.base_dist.probs
