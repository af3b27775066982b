"""How a gamma number moves with its shape parameter: the gradient of reparametrised samples."""

from __future__ import annotations

import numpy as np

from ..dtypes import Array
from ..tensor.tensor import Tensor

_LARGE = 200.0
"""From here on an expansion for large shapes is exact to 1e-6; below, a series takes few enough terms."""


def gamma_slope(alpha: Array, x: Array) -> Array:
    """``dx / dalpha = -(dP(alpha, x) / dalpha) / density(x)``, in float64.

    Args:
        alpha: shapes, above 0.
        x: gamma numbers of rate 1, above 0, of the same shape.
    Source: implicit reparametrisation, Figurnov et al. 2018, arXiv:1805.08498.
    """
    a, y = alpha.astype(np.float64).reshape(-1), x.astype(np.float64).reshape(-1)
    out = np.empty_like(a)
    large = a >= _LARGE
    out[large] = _expanded(a[large], y[large])
    out[~large] = _series(a[~large], y[~large])
    return out.reshape(alpha.shape)


def _series(a: Array, x: Array) -> Array:
    """Derivative of ``P(a, x) = e^-x sum x^(a+n) / gamma(a+n+1)`` term by term (DLMF 8.7.1)."""
    if not a.size:
        return a
    term = 1 / a
    slope = np.log(x) - Tensor(a + 1, None).digamma()._data  # log x - digamma(a + n + 1)
    total, n = np.zeros_like(a), 0
    while True:
        total += term * slope
        n += 1
        slope -= 1 / (a + n)
        term = term * x / (a + n)
        if n > x.max() and bool((term * np.abs(slope) <= 1e-17 * np.abs(total)).all()):
            return -x * total


def _expanded(a: Array, x: Array) -> Array:
    """Derivative of Cornish and Fisher's expansion of the quantile of a gamma distribution (1937)."""
    root = np.sqrt(a)
    z = (x - a) / root
    for _ in range(20):  # the normal number that belongs to x
        higher = (z * z - 1) / 3 + (z**3 - 7 * z) / (36 * root) - (6 * z**4 + 14 * z * z - 32) / (1620 * a)
        z = (x - a - higher) / root
    return (
        1 + z / (2 * root) - (z**3 - 7 * z) / (72 * a * root) + (6 * z**4 + 14 * z * z - 32) / (1620 * a * a)
    )
