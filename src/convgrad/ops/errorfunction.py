"""Error and gamma functions on arrays: rational approximations evaluated in float64.

Float32 goes through float64 and is rounded once. The error functions follow W. J. Cody, Rational
Chebyshev approximations for the error function, Math. Comp. 23 (1969), 631-637 (three ranges of
|x|); the inverse starts from M. Giles, Approximating the erfinv function, GPU Computing Gems (2011)
and is polished by Halley's method; digamma and polygamma follow DLMF 5.5, 5.11 and 5.15.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..dtypes import Array

# |x| <= 0.46875: erf(x) = x P(x²) / Q(x²)
_SMALL_P = (
    1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2,
    3.20937758913846947e3,
)  # fmt: skip
_SMALL_Q = (
    1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3,
)  # fmt: skip
# 0.46875 <= |x| <= 4: erfc(x) = exp(-x²) P(x) / Q(x)
_MIDDLE_P = (
    2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
    2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
    1.23033935479799725e3,
)  # fmt: skip
_MIDDLE_Q = (
    1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
    1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3,
    1.23033935480374942e3,
)  # fmt: skip
# |x| > 4: erfc(x) = exp(-x²) / x (1/sqrt(pi) - P(x^-2) / (x² Q(x^-2)))
_LARGE_P = (
    1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
    1.60837851487422766e-2, 6.58749161529837803e-4,
)  # fmt: skip
_LARGE_Q = (
    1.0, 2.56852019228982242e0, 1.87295284992346047e0, 5.27905102951428412e-1, 6.05183413124413191e-2,
    2.33520497626869185e-3,
)  # fmt: skip
# erfinv(x) = x P(w - 2.5) for w = -log(1 - x²) < 5, else x P(sqrt(w) - 3)
_INVERSE_NEAR = (
    2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4, -1.25372503e-3,
    -4.17768164e-3, 2.46640727e-1, 1.50140941,
)  # fmt: skip
_INVERSE_FAR = (
    -2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3, -7.6224613e-3,
    9.43887047e-3, 1.00167406, 2.83297682,
)  # fmt: skip
# Bernoulli numbers B_2, B_4, ... of the asymptotic series
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
_DEEP = -1e5  # a recurrence from further down would take too long
_FAR = 12.0  # from here on the asymptotic series is good to rounding


def erf(x: Array) -> Array:
    """The error function."""
    value = x.astype(np.float64).reshape(-1)
    size = np.abs(value)
    out = np.sign(value)
    near = size <= 0.46875
    out[near] = _erf_small(value[near])
    rest = (size > 0.46875) & (size < 6.0)
    out[rest] *= 1.0 - _erfc_positive(size[rest])
    out[value != value] = math.nan
    return out.reshape(x.shape).astype(x.dtype)


def erfc(x: Array) -> Array:
    """The complementary error function."""
    return _erfc(x.astype(np.float64)).astype(x.dtype)


def _erfc(x: Array) -> Array:
    value = x.reshape(-1)
    size = np.abs(value)
    out = np.where(value < 0, 2.0, 0.0)
    near = size <= 0.46875
    out[near] = 1.0 - _erf_small(value[near])
    rest = (size > 0.46875) & (size < 27.3)
    tail = _erfc_positive(size[rest])
    out[rest] = np.where(value[rest] < 0, 2.0 - tail, tail)
    out[value != value] = math.nan
    return out.reshape(x.shape)


def _erf_small(x: Array) -> Array:
    square = x * x
    return x * (_horner(_SMALL_P, square) / _horner(_SMALL_Q, square))


def _erfc_positive(x: Array) -> Array:
    """erfc for 0.46875 < x < 27.3."""
    # x² is rounded, which the exponential would magnify: split it into an exact and a small part
    head = np.trunc(x * 16.0) / 16.0
    return _erfc_scaled(x) * np.exp(-head * head) * np.exp(-(x - head) * (x + head))


def _erfc_scaled(x: Array) -> Array:
    """``exp(x²) erfc(x)`` for 0.46875 < x."""
    out = np.empty_like(x)
    middle = x <= 4.0
    y = x[middle]
    out[middle] = _horner(_MIDDLE_P, y) / _horner(_MIDDLE_Q, y)
    y = x[~middle]
    inverse = 1.0 / (y * y)
    ratio = inverse * _horner(_LARGE_P, inverse) / _horner(_LARGE_Q, inverse)
    out[~middle] = (1.0 / math.sqrt(math.pi) - ratio) / y
    return out


def _horner(coefficients: Sequence[float], x: Array) -> Array:
    """The polynomial with these coefficients, highest power first."""
    out = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        out *= x
        out += c
    return out


def erfinv(x: Array) -> Array:
    """The inverse error function: infinite at -1 and 1, NaN outside."""
    value = x.astype(np.float64)
    size = np.abs(value)
    inside = size < 1.0
    t = np.where(inside, size, 0.0)
    w = -np.log1p(-t * t)
    y = t * np.where(w < 5.0, _horner(_INVERSE_NEAR, w - 2.5), _horner(_INVERSE_FAR, np.sqrt(w) - 3.0))
    tail = np.log(np.where(w < 16.0, 1e-8, 1.0 - t))  # there erfc(y) ~ exp(-y²) / (y sqrt(pi))
    y = np.where(w < 16.0, y, np.sqrt(-tail - 0.5 * np.log(-math.pi * tail)))
    for _ in range(3):
        # 1 - t is exact for t >= 1/2, where erf(y) - t would cancel
        error = np.where(t < 0.5, erf(y) - t, (1.0 - t) - _erfc(y))
        step = error * (math.sqrt(math.pi) / 2.0) * np.exp(np.minimum(y * y, 700.0))
        y = y - step / (1.0 + y * step)
    y = np.where(inside, y, np.where(size == 1.0, math.inf, math.nan))
    return np.copysign(y, value).astype(x.dtype)


def _lgamma(x: float) -> float:
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):  # a pole, or beyond the largest float
        return math.inf


def lgamma(x: Array) -> Array:
    """log |gamma(x)|, by the C library's function: it is precise near its zeros at 1 and 2 too."""
    flat = [_lgamma(v) for v in x.astype(np.float64).reshape(-1).tolist()]
    with np.errstate(over="ignore"):
        return np.asarray(flat, np.float64).reshape(x.shape).astype(x.dtype)


def digamma(x: Array) -> Array:
    """psi(x): reflected to positive x, shifted up, then the asymptotic series."""
    value = x.astype(np.float64)
    negative = value <= 0
    with np.errstate(all="ignore"):
        y = np.where(negative, 1.0 - value, value)
        shifted = np.zeros_like(y)
        for _ in range(int(_FAR)):
            low = y < _FAR
            shifted -= np.where(low, 1.0 / y, 0.0)
            y = np.where(low, y + 1.0, y)
        inverse = 1.0 / (y * y)
        series = _horner([b / (2 * k) for k, b in enumerate(_BERNOULLI, 1)][::-1], inverse) * inverse
        out = shifted + np.log(y) - 0.5 / y - series
        fraction = value - np.floor(value)
        pole = np.where(value == 0, np.copysign(math.inf, -value), math.nan)
        reflected = np.where(fraction == 0, pole, out - math.pi / np.tan(math.pi * fraction))
        return np.where(negative, reflected, out).astype(x.dtype)


def polygamma(n: int, x: Array) -> Array:
    """The n-th derivative of psi, n >= 1: recurrence upwards, then the asymptotic series."""
    value = x.astype(np.float64)
    reflected = (value <= 0) & (n == 1)
    sign, scale, far = (-1.0) ** (n + 1), float(math.factorial(n)), _FAR + n
    with np.errstate(all="ignore"):
        y = np.where(reflected, 1.0 - value, np.where(value == 0, 0.0, value))  # -0.0 counts as 0.0
        total = np.zeros_like(y)
        low = (y < far) & (y > _DEEP)
        while low.any():
            total += np.where(low, scale * y ** -(n + 1), 0.0)
            y = np.where(low, y + 1.0, y)
            low = (y < far) & (y > _DEEP)
        total += math.factorial(n - 1) * y**-n + 0.5 * scale * y ** -(n + 1)
        for k, b in enumerate(_BERNOULLI, 1):
            total += b * (math.factorial(2 * k + n - 1) / math.factorial(2 * k)) * y ** -(2 * k + n)
        out = sign * total
        if n == 1:  # reflection: psi'(1 - x) + psi'(x) = pi² / sin²(pi x)
            sine = np.sin(math.pi * (value - np.floor(value)))
            out = np.where(reflected, (math.pi / sine) ** 2 - out, out)
            return out.astype(x.dtype)
        pole = np.where((value == np.floor(value)) & (value > -math.inf), sign * math.inf, math.nan)
        return np.where(value <= _DEEP, pole, out).astype(x.dtype)
