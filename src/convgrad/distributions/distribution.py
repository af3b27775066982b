"""``Distribution``: shapes, checks and the names of what a probability distribution can do."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

from ..autograd import no_grad
from ..size import Size
from ..tensor.tensor import Tensor
from . import constraints
from .utils import lazy_property


class Distribution:
    """A batch of independent distributions of one kind; the base of the others, and of users' own.

    A sample has the shape ``sample_shape + batch_shape + event_shape``; ``log_prob`` gives one number for
    each event.

    Args:
        batch_shape: of the parameters.
        event_shape: of one event.
        validate_args: whether parameters and values are checked; None: what ``set_default_validate_args``
            said, which is True at first.
    Raises:
        ValueError: a parameter does not satisfy its constraint.

    Source: semantics of torch.distributions.
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__
    #: parameters of this kind -> how many of their dimensions belong to an event
    _parameters: ClassVar[dict[str, int]] = {}

    def __init__(
        self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None
    ) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    def _check_parameters(self) -> None:
        try:
            wanted = self.arg_constraints
        except NotImplementedError:
            wanted = {}
            warnings.warn(
                f"{self.__class__} does not define `arg_constraints`. Please set `arg_constraints = {{}}` or "
                "initialize the distribution with `validate_args=False` to turn off validation.",
                stacklevel=3,
            )
        for name, constraint in wanted.items():
            lazy = name not in self.__dict__ and isinstance(getattr(type(self), name, None), lazy_property)
            if lazy or constraints.is_dependent(constraint):
                continue  # made from another parameter, which is checked; or it cannot be
            value = getattr(self, name)
            if not bool(constraint.check(value).all()):
                raise ValueError(
                    f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of "
                    f"distribution {self!r} to satisfy the constraint {constraint!r}, but found invalid "
                    f"values:\n{value}"
                )

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check their arguments unless told otherwise."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args: expected True or False, but got {value!r}")
        Distribution._validate_args = value

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution with its parameters expanded to another batch shape.

        Raises:
            ShapeError: a parameter cannot be expanded to it.
        """
        new = type(self).__new__(type(self)) if _instance is None else _instance
        new.__dict__.update(self.__dict__)
        size = tuple(batch_shape)
        for name, events in self._parameters.items():
            if name in self.__dict__:
                value = self.__dict__[name]
                new.__dict__[name] = value.expand(size + tuple(value.shape[value.dim() - events :]))
        new._batch_shape = Size(size)
        return new

    @property
    def batch_shape(self) -> Size:
        """Shape of the parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """Shape of one event."""
        return self._event_shape

    @property
    def arg_constraints(self) -> dict[str, Any]:
        """Parameter -> what it must satisfy."""
        raise NotImplementedError

    @property
    def support(self) -> Any:
        """Constraint that samples satisfy."""
        raise NotImplementedError

    @property
    def mean(self) -> Any:
        """The expected value."""
        raise NotImplementedError

    @property
    def mode(self) -> Any:
        """The likeliest value."""
        raise NotImplementedError(f"{self.__class__} does not implement mode")

    @property
    def variance(self) -> Any:
        """The expected square of the distance from the mean."""
        raise NotImplementedError

    @property
    def stddev(self) -> Any:
        """Root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Any:
        """Random values without gradient, ``sample_shape + batch_shape + event_shape``."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Random values through which the parameters get gradients (Kingma & Welling 2014).

        Raises:
            NotImplementedError: the distribution has no such samples (``has_rsample`` is False).
        """
        raise NotImplementedError

    def sample_n(self, n: int) -> Any:
        """``sample((n,))``, its older name."""
        warnings.warn("sample_n(n) will be deprecated. Use .sample((n,)) instead.", UserWarning, stacklevel=2)
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Any:
        """Logarithm of the density, or probability, of each event of ``value``."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Any:
        """Probability of values up to ``value``."""
        raise NotImplementedError

    def icdf(self, value: Tensor) -> Any:
        """The value with that probability below it."""
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> Any:
        """All values of a discrete distribution along a first dimension."""
        raise NotImplementedError

    def entropy(self) -> Any:
        """The expected ``-log_prob``, in nats."""
        raise NotImplementedError

    def perplexity(self) -> Any:
        """``exp(entropy)``."""
        return self.entropy().exp()

    def _extended_shape(self, sample_shape: Any = ()) -> Size:
        """Shape of a sample."""
        return Size(tuple(sample_shape) + tuple(self._batch_shape) + tuple(self._event_shape))

    def _validate_sample(self, value: Any) -> None:
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        lead = value.dim() - len(self._event_shape)
        if tuple(value.shape[lead:]) != tuple(self._event_shape):
            raise ValueError(
                f"The right-most size of value must match event_shape: {value.size()} vs {self._event_shape}."
            )
        expected = tuple(self._batch_shape) + tuple(self._event_shape)
        for i, j in zip(reversed(tuple(value.shape)), reversed(expected), strict=False):
            if i != 1 and j != 1 and i != j:
                raise ValueError(
                    "Value is not broadcastable with batch_shape+event_shape: "
                    f"{value.size()} vs {Size(expected)}."
                )
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{self.__class__} does not define `support` to enable sample validation. Please initialize "
                "the distribution with `validate_args=False` to turn off validation.",
                stacklevel=3,
            )
            return
        if not bool(support.check(value).all()):
            raise ValueError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) to be "
                f"within the support ({support!r}) of the distribution {self!r}, "
                f"but found invalid values:\n{value}"
            )

    def _get_checked_instance(self, cls: type, _instance: Any = None) -> Any:
        """An instance to fill for an ``expand`` of a user's own."""
        if _instance is None and type(self).__init__ != cls.__init__:  # type: ignore[misc]
            raise NotImplementedError(
                f"Subclass {self.__class__.__name__} of {cls.__name__} that defines a custom __init__ method "
                "must also define a custom .expand() method."
            )
        return type(self).__new__(type(self)) if _instance is None else _instance

    def __repr__(self) -> str:
        shown = [name for name in self.arg_constraints if name in self.__dict__]
        values = [self.__dict__[name] for name in shown]
        parts = [
            f"{name}: {v if v.numel() == 1 else v.size()}" for name, v in zip(shown, values, strict=True)
        ]
        return f"{self.__class__.__name__}({', '.join(parts)})"


class ExponentialFamily(Distribution):
    """A distribution whose density is ``exp(<eta, T(x)> - A(eta)) h(x)``, for ``isinstance``."""
