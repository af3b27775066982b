"""Von Mises' distribution of angles."""

from __future__ import annotations

import math
from typing import Any

from .. import random
from ..autograd import no_grad
from ..dtypes import float64
from ..special import i0e, i1e
from ..tensor.creation import zeros
from ..tensor.functions_elementwise import where
from . import constraints
from .distribution import Distribution
from .utils import broadcast_all


class VonMises(Distribution):
    """Angles in (-pi, pi] with density proportional to ``exp(concentration cos(x - loc))``.

    Args:
        loc: the mean angle, float tensor or number.
        concentration: above 0; the higher, the nearer are the angles to ``loc``.
        validate_args: whether arguments are checked.
    Raises:
        ValueError: ``concentration`` is not positive.
    Example:
        >>> VonMises(0.0, 1.0).log_prob(torch.tensor(0.0))
        tensor(-1.0738)

    Source: Best & Fisher 1979, Applied Statistics 28, for the samples.
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    _parameters = {"loc": 0, "concentration": 0}

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        """The circular variance, 1 less the length of the mean of unit vectors."""
        return 1 - i1e(self.concentration) / i0e(self.concentration)

    def _proposal(self) -> Any:
        """The parameter of the wrapped Cauchy density that covers this one; float64."""
        k = self.concentration.to(float64)
        tau = 1 + (1 + 4 * k**2).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * k)
        return where(k < 1e-5, 1 / k + k, (1 + rho**2) / (2 * rho))

    def sample(self, sample_shape: Any = ()) -> Any:
        with no_grad():
            shape = tuple(self._extended_shape(sample_shape))
            k, loc, r = self.concentration.to(float64), self.loc.to(float64), self._proposal()
            x, done = zeros(shape, dtype=float64), zeros(shape, dtype=float64) > 0
            while not bool(done.all()):
                u1, u2, u3 = random.rand((3, *shape), dtype=float64).unbind()
                z = (math.pi * u1).cos()
                f = (1 + r * z) / (r + z)
                c = k * (r - f)
                accept = (c * (2 - c) - u2 > 0) | ((c / u2).log() + 1 - c >= 0)
                x = where(accept, (u3 - 0.5).sign() * f.acos(), x)
                done = done | accept
            return ((x + math.pi + loc) % (2 * math.pi) - math.pi).to(self.loc.dtype)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        k = self.concentration
        norm = i0e(k).log() + k  # the logarithm of I0(k)
        return k * (value - self.loc).cos() - math.log(2 * math.pi) - norm
