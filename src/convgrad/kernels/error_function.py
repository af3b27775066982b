"""The error function on arrays, by rational approximations evaluated in float64.

Float32 goes through float64 and is rounded once. Source: W. J. Cody, Rational Chebyshev approximations
for the error function, Math. Comp. 23 (1969), 631-637 (three ranges of |x|).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from convgrad.dtypes import Array

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


def erf(x: Array) -> Array:
    """The error function."""
    value = x.astype(np.float64).reshape(-1)
    size = np.abs(value)
    out = np.sign(value)
    near = size <= 0.46875
    out[near] = erf_small(value[near])
    rest = (size > 0.46875) & (size < 6.0)
    out[rest] *= 1.0 - erfc_positive(size[rest])
    out[value != value] = math.nan
    return out.reshape(x.shape).astype(x.dtype)


def erfc(x: Array) -> Array:
    """The complementary error function."""
    return erfc_wide(x.astype(np.float64)).astype(x.dtype)


def erfc_wide(x: Array) -> Array:
    """erfc of float64."""
    value = x.reshape(-1)
    size = np.abs(value)
    out = np.where(value < 0, 2.0, 0.0)
    near = size <= 0.46875
    out[near] = 1.0 - erf_small(value[near])
    rest = (size > 0.46875) & (size < 27.3)
    tail = erfc_positive(size[rest])
    out[rest] = np.where(value[rest] < 0, 2.0 - tail, tail)
    out[value != value] = math.nan
    return out.reshape(x.shape)


def erf_small(x: Array) -> Array:
    """erf for |x| <= 0.46875."""
    square = x * x
    return x * (horner(_SMALL_P, square) / horner(_SMALL_Q, square))


def erfc_positive(x: Array) -> Array:
    """erfc for 0.46875 < x < 27.3."""
    # x² is rounded, which the exponential would magnify: split it into an exact and a small part
    head = np.trunc(x * 16.0) / 16.0
    return erfc_scaled(x) * np.exp(-head * head) * np.exp(-(x - head) * (x + head))


def erfc_scaled(x: Array) -> Array:
    """``exp(x²) erfc(x)`` for 0.46875 < x."""
    out = np.empty_like(x)
    middle = x <= 4.0
    y = x[middle]
    out[middle] = horner(_MIDDLE_P, y) / horner(_MIDDLE_Q, y)
    y = x[~middle]
    inverse = 1.0 / (y * y)
    ratio = inverse * horner(_LARGE_P, inverse) / horner(_LARGE_Q, inverse)
    out[~middle] = (1.0 / math.sqrt(math.pi) - ratio) / y
    return out


def horner(coefficients: Sequence[float], x: Array) -> Array:
    """The polynomial with these coefficients, highest power first."""
    out = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        out *= x
        out += c
    return out
