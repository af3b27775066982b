"""Error and gamma functions on arrays: rational approximations evaluated in float64.

Float32 goes through float64 and is rounded once. The error functions follow W. J. Cody, Rational
Chebyshev approximations for the error function, Math. Comp. 23 (1969), 631-637 (three ranges of
|x|); their inverse is M. J. Wichura's quantile, Algorithm AS 241, Applied Statistics 37 (1988), 477-484,
whose three rational functions are good to 16 digits; the gamma functions follow DLMF 5.5, 5.7, 5.11 and 5.15.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..dtypes import Array
from ..kernels.error_function import erf, erfc_wide, horner

# the normal distribution's quantile: q P(r) / Q(r) with r = 0.425² - q² for |q| <= 0.425, P(r) / Q(r) in the
# tails, with r = sqrt(-log(tail)) - 1.6 or - 5
_QUANTILE_CENTRE_P = (
    2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
    13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080,
)  # fmt: skip
_QUANTILE_CENTRE_Q = (
    5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867,
    5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1.0,
)  # fmt: skip
_QUANTILE_MIDDLE_P = (
    7.74545014278341407640e-4, 0.0227238449892691845833, 0.241780725177450611770, 1.27045825245236838258,
    3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734,
)  # fmt: skip
_QUANTILE_MIDDLE_Q = (
    1.05075007164441684324e-9, 5.47593808499534494600e-4, 0.0151986665636164571966, 0.148103976427480074590,
    0.689767334985100004550, 1.67638483018380384940, 2.05319162663775882187, 1.0,
)  # fmt: skip
_QUANTILE_TAIL_P = (
    2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.00124266094738807843860, 0.0265321895265761230930,
    0.296560571828504891230, 1.78482653991729133580, 5.46378491116411436990, 6.65790464350110377720,
)  # fmt: skip
_QUANTILE_TAIL_Q = (
    2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
    7.86869131145613259100e-4, 0.0148753612908506148525, 0.136929880922735805310,
    0.599832206555887937690, 1.0,
)  # fmt: skip
# (-1)^k (zeta(k) - 1) / k for k = 2, 3, ..., of the series of log gamma(2 + t)
_LOG_GAMMA_AT_2 = (
    0.32246703342411322, -0.067352301053198095, 0.020580808427784548, -0.0073855510286739853,
    0.0028905103307415233, -0.001192753911703261, 0.00050966952474304242, -0.00022315475845357938,
    9.9457512781808534e-5, -4.4926236738133142e-5, 2.0507212775670692e-5, -9.4394882752683959e-6,
    4.3748667899074878e-6, -2.0392157538013662e-6, 9.5514121304074198e-7, -4.492469198764566e-7,
    2.1207184805554666e-7, -1.00432248239681e-7,
)  # fmt: skip
# of Stirling's series of log gamma, over z, z³, ... (DLMF 5.11.1)
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
# Bernoulli numbers B_2, B_4, ... of the asymptotic series
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
_DIGAMMA = [b / (2 * k) for k, b in enumerate(_BERNOULLI, 1)][::-1]
_DEEP = -1e5  # a recurrence from further down would take too long
_FAR = 12.0  # from here on the asymptotic series is good to rounding
_BLOCK = 1 << 13  # so many float64 elements and a few temporaries of them stay in the cache


def in_blocks(compute: Callable[[Array], Array], x: Array) -> Array:
    """A function of flat float64 arrays on an array of any float dtype, a part after the other.

    Args:
        compute: float64 ``(n,)`` to float64 ``(n,)``, each element by itself.
        x: any shape.
    Returns:
        x's shape and dtype; rounded once.
    """
    flat = x.reshape(-1)
    out = np.empty_like(flat)
    with np.errstate(all="ignore"):
        for start in range(0, flat.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            out[part] = compute(flat[part].astype(np.float64))
    return out.reshape(x.shape)


def quantile(q: Array, tail: Array) -> Array:
    """The normal distribution's value with ``1/2 + q`` below it, ``tail`` on its nearer side; flat arrays."""
    out = np.empty_like(q)
    near = np.abs(q) <= 0.425
    at = q[near]
    r = 0.180625 - at * at
    out[near] = at * horner(_QUANTILE_CENTRE_P, r) / horner(_QUANTILE_CENTRE_Q, r)
    np.logical_not(near, out=near)
    r = np.sqrt(-np.log(tail[near]))
    middle = horner(_QUANTILE_MIDDLE_P, r - 1.6) / horner(_QUANTILE_MIDDLE_Q, r - 1.6)
    far = r > 5.0
    if far.any():
        deep = r[far] - 5.0
        deep = horner(_QUANTILE_TAIL_P, deep) / horner(_QUANTILE_TAIL_Q, deep)
        middle[far] = np.where(np.isinf(r[far]), math.inf, deep)
    out[near] = np.copysign(middle, q[near])
    return out


def erfinv(x: Array) -> Array:
    """The inverse error function: infinite at -1 and 1, NaN outside."""
    return in_blocks(_erfinv if x.dtype.itemsize < 8 else _erfinv_polished, x)


def _erfinv(x: Array) -> Array:
    return quantile(0.5 * x, 0.5 - 0.5 * np.abs(x)) * math.sqrt(0.5)


def _erfinv_polished(x: Array) -> Array:
    """One step of Halley's method more, for the last bits of float64."""
    t = np.abs(x)
    y = _erfinv(t)
    # 1 - t is exact for t >= 1/2, where erf(y) - t would cancel
    error = np.where(t < 0.5, erf(y) - t, (1.0 - t) - erfc_wide(y))
    step = error * (math.sqrt(math.pi) / 2.0) * np.exp(y * y)
    return np.copysign(np.where(t < 1.0, y - step / (1.0 + y * step), y), x)


def _lgamma(x: float) -> float:
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):  # a pole, or beyond the largest float
        return math.inf


def lgamma(x: Array) -> Array:
    """log |gamma(x)|: in float64 by the C library's function, precise near its zeros at 1 and 2 too."""
    if x.dtype.itemsize < 8:
        return in_blocks(lgamma_to_single, x)
    return np.asarray([_lgamma(v) for v in x.reshape(-1).tolist()], np.float64).reshape(x.shape)


def lgamma_to_single(x: Array) -> Array:
    """log |gamma(x)| of a flat float64 array to 1e-10 of it, which float32 rounds.

    Up to 2.5 by the series at 2 (DLMF 5.7.3), from 8 on by Stirling's, between them by Stirling's
    after six steps up; negative x are reflected (DLMF 5.5.3).
    """
    size = np.abs(x)
    out = np.empty_like(size)
    near = size < 2.5
    z = size[near]
    whole = np.floor(z + 0.5)  # 0, 1 or 2
    t = z - whole
    at_2 = t * (horner(_LOG_GAMMA_AT_2[::-1], t) * t + (1.0 - np.euler_gamma))
    step = np.where(whole < 2.0, z, 1.0)
    step *= np.where(whole < 1.0, 1.0 + z, 1.0)
    out[near] = at_2 - np.log(step)
    np.logical_not(near, out=near)
    z = size[near]
    low = z < 8.0
    steps = z[low]
    product = steps.copy()
    for _ in range(5):
        steps += 1.0
        product *= steps
    z[low] = steps + 1.0
    inverse = 1.0 / z
    found = (z - 0.5) * (np.log(z) - 1.0) + horner(_STIRLING[::-1], inverse * inverse) * inverse
    found += 0.5 * math.log(2.0 * math.pi) - 0.5
    found[low] -= np.log(product)
    out[near] = found
    below = x < 0
    if below.any():
        z = x[below]
        sine = np.sin(math.pi * (z - np.rint(z)))
        out[below] = np.where(z == -math.inf, math.inf, np.log(math.pi / np.abs(z * sine)) - out[below])
    return out


def digamma(x: Array) -> Array:
    """psi(x): reflected to positive x, shifted up, then the asymptotic series."""
    far = 6 if x.dtype.itemsize < 8 else int(_FAR)
    return in_blocks(lambda value: _digamma(value, far), x)


def _digamma(x: Array, far: int) -> Array:
    negative = x <= 0
    y = np.where(negative, 1.0 - x, x)
    low = y < far
    steps = y[low]
    shifted = 1.0 / steps
    for _ in range(far - 1):
        steps += 1.0
        shifted += 1.0 / steps
    y[low] = steps + 1.0
    inverse = 1.0 / (y * y)
    out = np.log(y) - 0.5 / y - horner(_DIGAMMA, inverse) * inverse
    out[low] -= shifted
    if negative.any():
        value = x[negative]
        fraction = value - np.floor(value)
        pole = np.where(value == 0, np.copysign(math.inf, -value), math.nan)
        out[negative] = np.where(fraction == 0, pole, out[negative] - math.pi / np.tan(math.pi * fraction))
    return out


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
