"""Orthogonal polynomials of degree n at x, by their three-term recurrences (DLMF 18.9.1, table 18.9.1).

Chebyshev's are taken from their trigonometric form (DLMF 18.5.1 to 18.5.4) where n is large and x inside of
(-1, 1). They have no derivatives here, as in PyTorch. n is cut to an integer; below 0 the value is 0.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..dtypes import Array
from .elementwise import refuse
from .gammafunction import pairwise
from .op import Elementwise

_MANY = 50  # from this degree on the trigonometric form takes less time than the recurrence


class Polynomial(Elementwise):
    """A family of polynomials: the one of degree 1, and how the next follows from two."""

    #: what PyTorch calls its kernel
    label: ClassVar[str] = ""
    #: evaluated at 2 x - 1, which carries [0, 1] into [-1, 1]
    shifted: ClassVar[bool] = False

    @classmethod
    def forward(cls, x: Array, n: Array) -> tuple[Array, tuple[()]]:
        refuse(cls.label, "c", x, n)
        return pairwise(cls.values, x, n), ()

    @staticmethod
    def first(x: Array) -> Array:
        """Degree 1."""
        raise NotImplementedError

    @staticmethod
    def follow(k: int, x: Array, p: Array, before: Array) -> Array:
        """Degree k + 1 from degree k and degree k - 1."""
        return 2.0 * x * p - before

    @staticmethod
    def closed(n: Array, angle: Array) -> Array | None:
        """The form in angles, ``x = cos(angle)``; None: there is none."""
        return None

    @classmethod
    def values(cls, x: Array, n: Array) -> Array:
        """Float64 arrays of one shape."""
        degree = np.trunc(np.where(np.isfinite(n), n, -1.0))
        if cls.shifted:
            x = 2.0 * x - 1.0
        out = np.where(degree == 0, 1.0, 0.0)
        many = (degree > _MANY) & (np.abs(x) < 1.0)
        found = cls.closed(degree, np.arccos(np.where(many, x, 0.0)))
        if found is not None:
            out = np.where(many, found, out)
            degree = np.where(many, 0.0, degree)
        before, p = np.ones_like(x), cls.first(x)
        for k in range(1, int(degree.max(initial=0.0)) + 1):
            out = np.where(degree == k, p, out)
            before, p = p, cls.follow(k, x, p, before)
        return out


class ChebyshevT(Polynomial):
    """Chebyshev's polynomial of the first kind, ``cos(n arccos x)``."""

    label = "chebyshev_polynomial_t_cpu"

    @staticmethod
    def first(x: Array) -> Array:
        return x

    @staticmethod
    def closed(n: Array, angle: Array) -> Any:
        return np.cos(n * angle)


class ChebyshevU(Polynomial):
    """Chebyshev's polynomial of the second kind, ``sin((n + 1) arccos x) / sin(arccos x)``."""

    label = "chebyshev_polynomial_u_cpu"

    @staticmethod
    def first(x: Array) -> Array:
        return x + x

    @staticmethod
    def closed(n: Array, angle: Array) -> Any:
        return np.sin((n + 1.0) * angle) / np.sin(angle)


class ChebyshevV(Polynomial):
    """Chebyshev's polynomial of the third kind, ``cos((n + 1/2) arccos x) / cos(arccos(x) / 2)``."""

    label = "chebyshev_polynomial_v_cpu"

    @staticmethod
    def first(x: Array) -> Array:
        return x + x - 1.0

    @staticmethod
    def closed(n: Array, angle: Array) -> Any:
        return np.cos((n + 0.5) * angle) / np.cos(angle * 0.5)


class ChebyshevW(Polynomial):
    """Chebyshev's polynomial of the fourth kind, ``sin((n + 1/2) arccos x) / sin(arccos(x) / 2)``."""

    label = "chebyshev_polynomial_w_cpu"

    @staticmethod
    def first(x: Array) -> Array:
        return x + x + 1.0

    @staticmethod
    def closed(n: Array, angle: Array) -> Any:
        return np.sin((n + 0.5) * angle) / np.sin(angle * 0.5)


class ShiftedChebyshevT(ChebyshevT):
    """Chebyshev's polynomial of the first kind at ``2 x - 1``."""

    label = "shifted_chebyshev_polynomial_t_cpu"
    shifted = True


class ShiftedChebyshevU(ChebyshevU):
    """Chebyshev's polynomial of the second kind at ``2 x - 1``."""

    label = "shifted_chebyshev_polynomial_u_cpu"
    shifted = True


class ShiftedChebyshevV(ChebyshevV):
    """Chebyshev's polynomial of the third kind at ``2 x - 1``."""

    label = "shifted_chebyshev_polynomial_v_cpu"
    shifted = True


class ShiftedChebyshevW(ChebyshevW):
    """Chebyshev's polynomial of the fourth kind at ``2 x - 1``."""

    label = "shifted_chebyshev_polynomial_w_cpu"
    shifted = True


class HermiteH(Polynomial):
    """Hermite's polynomial as physicists write it: orthogonal under ``e^-x²``."""

    label = "hermite_polynomial_h_cpu"

    @staticmethod
    def first(x: Array) -> Array:
        return x + x

    @staticmethod
    def follow(k: int, x: Array, p: Array, before: Array) -> Array:
        return 2.0 * (x * p - k * before)


class HermiteHe(Polynomial):
    """Hermite's polynomial as statisticians write it: orthogonal under ``e^(-x²/2)``."""

    label = "hermite_polynomial_he_cpu"

    @staticmethod
    def first(x: Array) -> Array:
        return x

    @staticmethod
    def follow(k: int, x: Array, p: Array, before: Array) -> Array:
        return x * p - k * before


class LaguerreL(Polynomial):
    """Laguerre's polynomial: orthogonal under ``e^-x`` on the positive numbers."""

    label = "laguerre_polynomial_l_cpu"

    @staticmethod
    def first(x: Array) -> Array:
        return 1.0 - x

    @staticmethod
    def follow(k: int, x: Array, p: Array, before: Array) -> Array:
        return ((2 * k + 1 - x) * p - k * before) / (k + 1)


class LegendreP(Polynomial):
    """Legendre's polynomial: orthogonal on [-1, 1]."""

    label = "legendre_polynomial_p_cpu"

    @staticmethod
    def first(x: Array) -> Array:
        return x

    @staticmethod
    def follow(k: int, x: Array, p: Array, before: Array) -> Array:
        return ((2 * k + 1) * x * p - k * before) / (k + 1)
