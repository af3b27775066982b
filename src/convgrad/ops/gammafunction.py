"""The incomplete gamma functions, Hurwitz's zeta function and the multivariate gamma function.

The incomplete gamma functions are, with P + Q = 1: the power series of P for small x (DLMF 8.11.4), the power
series of Q for x and a both small (DLMF 8.7.3), the continued fraction of Q for large x (DLMF 8.9.2), and
Temme's uniform expansion where x is near a large a (DLMF 8.12.3 to 8.12.12). Hurwitz's zeta function is
summed by Euler and Maclaurin (DLMF 25.11.5 and 2.10.1). All is computed in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import Array
from ..kernels.error_function import erfc_wide, horner
from .elementwise import Exp, Log, refuse
from .errorfunction import _DEEP, lgamma, lgamma_to_single
from .formula import Value, call
from .op import Elementwise
from .special import Digamma, Lgamma

_EPS = 2.0**-53
_SINGLE = 2.0**-33  # what float32 rounds away
_BLOCK = 1 << 13  # so many float64 elements and a few temporaries of them stay in the cache
_LARGE = 20.0  # from here on Stirling's and Temme's series are good to rounding
#: Gamma(a) = sqrt(2 pi / a) (a / e)^a times the sum of these over a^k (DLMF 5.11.4)
_STIRLING = (
    1.0, 0.08333333333333333, 0.003472222222222222, -0.0026813271604938273, -0.00022947209362139917,
    0.0007840392217200666, 6.972813758365857e-05, -0.0005921664373536939, -5.171790908260592e-05,
    0.0008394987206720873, 7.204895416020011e-05, -0.0019144384985654776, -0.00016251626278391583,
)  # fmt: skip
#: row k: the power series in eta of c_k of DLMF 8.12.10, by the recurrence there on the series of mu in eta
_TEMME = (
    (-0.3333333333333333, 0.08333333333333333, -0.014814814814814815, 0.0011574074074074073,
     0.0003527336860670194, -0.0001787551440329218, 3.919263178522438e-05, -2.185448510679992e-06,
     -1.85406221071516e-06, 8.296711340953087e-07, -1.7665952736826078e-07, 6.707853543401498e-09,
     1.0261809784240309e-08, -4.382036018453353e-09, 9.14769958223679e-10, -2.5514193994946248e-11,
     -5.830772132550426e-11, 2.4361948020667415e-11, -5.0276692801141755e-12, 1.1004392031956135e-13,
     3.371763262400985e-13, -1.392388722418162e-13),
    (-0.001851851851851852, -0.003472222222222222, 0.0026455026455026454, -0.0009902263374485596,
     0.00020576131687242798, -4.018775720164609e-07, -1.8098550334489977e-05, 7.64916091608111e-06,
     -1.6120900894563446e-06, 4.647127802807434e-09, 1.378633446915721e-07, -5.752545603517705e-08,
     1.1951628599778148e-08, -1.7543241719747647e-11, -1.0091543710600413e-09, 4.162792991842583e-10,
     -8.56390702649298e-11, 6.067215101604758e-14, 7.1624989648114856e-12, -2.933186643771437e-12),
    (0.004133597883597883, -0.0026813271604938273, 0.0007716049382716049, 2.0093878600823047e-06,
     -0.0001073665322636516, 5.2923448829120125e-05, -1.2760635188618728e-05, 3.423578734096138e-08,
     1.3721957309062934e-06, -6.298992138380055e-07, 1.4280614206064242e-07, -2.0477098421990866e-10,
     -1.409252991086752e-08, 6.228974084922022e-09, -1.3670488396617114e-09, 9.428356159014678e-13,
     1.2872252400089318e-10, -5.5645956134363323e-11),
    (0.0006494341563786008, 0.00022947209362139917, -0.0004691894943952557, 0.00026772063206283885,
     -7.561801671883977e-05, -2.396505113867297e-07, 1.1082654115347302e-05, -5.6749528269915965e-06,
     1.4230900732435883e-06, -2.7861080291528143e-11, -1.6958404091930278e-07, 8.099464905388083e-08,
     -1.9111168485973655e-08, 2.3928620439808118e-12, 2.0620131815488797e-09, -9.460496661855133e-10),
    (-0.0008618882909167117, 0.0007840392217200666, -0.0002990724803031902, -1.4638452578843418e-06,
     6.641498215465122e-05, -3.968365047179435e-05, 1.1375726970678419e-05, 2.507497226237533e-10,
     -1.6954149536558305e-06, 8.907507532205309e-07, -2.292934834000805e-07, 2.956794137544049e-11,
     2.8865829742708783e-08, -1.4189739437803219e-08),
    (-0.00033679855336635813, -6.972813758365857e-05, 0.0002772753244959392, -0.00019932570516188847,
     6.797780477937208e-05, 1.419062920643967e-07, -1.3594048189768693e-05, 8.018470256334202e-06,
     -2.291481176508095e-06, -3.252473551298454e-10, 3.4652846491085265e-07, -1.8447187191171344e-07),
    (0.0005313079364639922, -0.0005921664373536939, 0.0002708782096718045, 7.902353232660328e-07,
     -8.153969367561969e-05, 5.61168275310625e-05, -1.8329116582843375e-05, -3.0796134506033047e-09,
     3.465155368803609e-06, -2.0291327396058603e-06),
    (0.00034436760689237765, 5.171790908260592e-05, -0.00033493161081142234, 0.0002812695154763237,
     -0.00010976582244684731, -1.2741009095484485e-07, 2.7744451511563645e-05, -1.8263488805711332e-05),
    (-0.0006526239185953094, 0.0008394987206720873, -0.000438297098541721, -6.969091458420552e-07,
     0.00016644846642067547, -0.00012783517679769218),
)  # fmt: skip
#: (-1)^k zeta(k) / k for k = 2, 3, ...; log gamma(1 + a) is -euler_gamma a + the sum of these times a^k
#: (DLMF 5.7.3)
_LOG_GAMMA = (
    0.8224670334241132, -0.40068563438653143, 0.27058080842778454, -0.20738555102867398, 0.1695571769974082,
    -0.1440498967688461, 0.12550966952474304, -0.11133426586956469, 0.1000994575127818, -0.09095401714582904,
    0.083353840546109, -0.0769325164113522, 0.07143294629536134, -0.06666870588242046, 0.06250095514121304,
    -0.058823978658684585, 0.055555767627403614, -0.05263167937961666, 0.05000004769810169,
    -0.047619070330142226, 0.04545455629320467, -0.04347826605304026, 0.04166666915034121,
    -0.04000000119214014, 0.03846153903467518,
)  # fmt: skip
#: B_2j / (2j)! for j = 1, 2, ...
_EULER_MACLAURIN = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600,
    -3617 / 10670622842880000, 43867 / 5109094217170944000, -174611 / 802857662698291200000,
    77683 / 14101100039391805440000, -236364091 / 1693824136731743669452800000,
)  # fmt: skip


def _log1p_less(u: Array) -> Array:
    """``log(1 + u) - u`` without cancellation: ``-u r + 2 (r³/3 + r⁵/5 + ...)`` with ``r = u / (2 + u)``."""
    near = np.abs(u) <= 0.5
    v = np.where(near, u, 0.0)
    r = v / (2.0 + v)
    square = r * r
    tail = horner([2.0 / k for k in range(31, 1, -2)], square) * r * square
    return np.where(near, tail - v * r, np.log1p(u) - u)


def _stirling(a: Array) -> Array:
    return horner(_STIRLING[::-1], 1.0 / a)


def _density(a: Array, x: Array, eps: float) -> Array:
    """``x^a e^-x / gamma(a)`` for positive a and x."""
    out = np.empty_like(a)
    small = a < _LARGE
    s, y = a[small], x[small]
    if eps == _SINGLE:
        out[small] = np.exp(s * np.log(y) - y - lgamma_to_single(s))
    else:
        gamma = np.array([math.gamma(v) if v > 1e-300 else math.inf for v in s.tolist()], np.float64)
        usual = y < 600.0
        direct = np.where(usual, y, 1.0) ** s * np.exp(-y) / gamma
        out[small] = np.where(usual, direct, np.exp(s * np.log(y) - y) / gamma)
    s, y = a[~small], x[~small]
    mu = (y - s) / s
    log = np.where(np.abs(mu) <= 0.5, _log1p_less(mu), np.log(y / s) - mu)
    out[~small] = np.sqrt(s / (2.0 * math.pi)) * np.exp(s * log) / _stirling(s)
    return out


def _while_moving(step: Callable[..., Array], total: Array, *state: Array) -> Array:
    """Repeat ``step`` until nothing moves; what stands still is put aside every few steps.

    Args:
        step: of its number n, ``total`` and the state, which it changes in place; gives where it still moves.
        total: 1-d; the first value.
    """
    out, at = total.copy(), np.arange(total.size)
    for n in range(1, 1000):
        moving = step(n, total, *state)
        if n % 4 == 0:
            left = np.count_nonzero(moving)
            if 4 * left < 3 * moving.size:
                out[at[~moving]] = total[~moving]
                at, total, state = at[moving], total[moving], tuple([s[moving] for s in state])
            if not left:
                break
    out[at] = total
    return out


def _lower_series(a: Array, x: Array, eps: float) -> Array:
    """P by ``x^a e^-x / gamma(a + 1) (1 + x / (a + 1) + x² / ((a + 1) (a + 2)) + ...)``."""

    def step(_n: int, total: Array, term: Array, divisor: Array, x: Array) -> Array:
        divisor += 1.0
        term *= x / divisor
        total += term
        return term > eps * total

    return _density(a, x, eps) / a * _while_moving(step, np.ones_like(a), np.ones_like(a), a.copy(), x)


def _upper_series(a: Array, x: Array, eps: float) -> Array:
    """Q for small a and x: ``1 - x^a / gamma(1 + a) (1 + a s)``, s the sum of ``(-x)^n / ((a + n) n!)``."""
    term, total = np.ones_like(a), np.zeros_like(a)
    for n in range(1, 40 if eps == _EPS else 20):
        term *= x * (-1.0 / n)
        total += term / (a + n)
    inner = np.where(a < 0.25, a, 0.0)
    near = inner * (horner(_LOG_GAMMA[::-1], inner) * inner - np.euler_gamma)
    log = a * np.log(x) - np.where(a < 0.25, near, lgamma(1.0 + a))
    return -np.expm1(log) - np.exp(log) * a * total


def _upper_fraction(a: Array, x: Array, eps: float) -> Array:
    """Q by its continued fraction, evaluated from the front (Lentz 1976)."""
    tiny = 1e-300

    def step(n: int, total: Array, a: Array, b: Array, c: Array, d: Array) -> Array:
        factor = n * (a - n)
        b += 2.0
        d *= factor
        d += b
        d[d == 0] = tiny
        np.divide(1.0, d, out=d)
        np.divide(factor, c, out=c)
        c += b
        c[c == 0] = tiny
        change = c * d
        total *= change
        return np.abs(change - 1.0) > 2.0 * eps

    b = x + 1.0 - a
    d = 1.0 / b
    return _density(a, x, eps) * _while_moving(step, d.copy(), a, b, np.full_like(x, 1.0 / tiny), d)


def _uniform(a: Array, x: Array, upper: bool) -> Array:
    """P or Q near a large a, by Temme's expansion."""
    mu = (x - a) / a
    eta = np.copysign(np.sqrt(-2.0 * _log1p_less(mu)), mu)
    rest = horner([0.0], a)
    for row in _TEMME[::-1]:
        rest = rest / a + horner(row[::-1], eta)
    rest = rest * np.exp(-0.5 * a * eta * eta) / np.sqrt(2.0 * math.pi * a)
    half = eta * np.sqrt(a * 0.5)
    return 0.5 * erfc_wide(half) + rest if upper else 0.5 * erfc_wide(-half) - rest


def _incomplete(a: Array, x: Array, upper: bool, eps: float) -> Array:
    """P or Q of float64 arrays of one shape (1-d), to about eps."""
    out = np.full(a.shape, math.nan)
    inside = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    uniform = inside & (a >= _LARGE) & (np.abs(x - a) < 0.4 * a)
    small = inside & ~uniform & (x <= 1.1) & (a <= 1.0) if upper else np.zeros(a.shape, bool)
    series = inside & ~uniform & ~small & (x <= a + 1.0)
    fraction = inside & ~uniform & ~small & ~series
    for where_, compute, is_upper in (
        (small, _upper_series, True), (series, _lower_series, False), (fraction, _upper_fraction, True),
    ):  # fmt: skip
        if where_.any():
            found = compute(a[where_], x[where_], eps)
            out[where_] = found if is_upper is upper else 1.0 - found
    if uniform.any():
        out[uniform] = _uniform(a[uniform], x[uniform], upper)
    # the edges: all of the integral, or nothing of it
    nothing = ((x == 0) & ~(a <= 0)) | ((a == math.inf) & ~(x < 0) & (x != math.inf))
    all_of_it = ((a == 0) & (x > 0)) | ((x == math.inf) & ~(a < 0) & (a != math.inf))
    out[nothing] = 1.0 if upper else 0.0
    out[all_of_it] = 0.0 if upper else 1.0
    return out


def pairwise(compute: Any, a: Array, b: Array) -> Array:
    """A function of two flat float64 arrays on arrays that broadcast, in their own dtype, in blocks."""
    first, second = np.broadcast_arrays(a, b)
    out = np.empty(first.shape, np.result_type(a, b))
    x, y, found = first.reshape(-1), second.reshape(-1), out.reshape(-1)
    with np.errstate(all="ignore"):
        for start in range(0, x.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            found[part] = compute(x[part].astype(np.float64), y[part].astype(np.float64))
    return out


def _incomplete_pairs(a: Array, x: Array, upper: bool) -> Array:
    eps = _EPS if np.result_type(a, x).itemsize >= 8 else _SINGLE
    return pairwise(lambda s, y: _incomplete(s, y, upper, eps), a, x)


def _zeta(x: Array, q: Array) -> Array:
    whole = np.floor(q) == q
    good = (
        (x > 1.0)
        & (x < math.inf)
        & (np.abs(q) < math.inf)
        & ((q > 0) | (~whole & (q > _DEEP) & (np.floor(x) == x)))
    )
    s, a = np.where(good, x, 2.0), np.where(good, q, 1.0)
    total = np.zeros_like(s)
    far = 10.0 + np.minimum(0.8 * s, 1000.0)  # from there on twelve terms of the series are good to rounding
    low = a <= far
    while low.any():
        total += np.where(low, np.where(low, a, 1.0) ** -s, 0.0)
        a = np.where(low, a + 1.0, a)
        low = a <= far
    power = a**-s
    total += a ** (1.0 - s) / (s - 1.0) + 0.5 * power
    factor, inverse = s * power / a, 1.0 / (a * a)
    for j, b in enumerate(_EULER_MACLAURIN, 1):
        total += b * factor
        factor = factor * ((s + (2 * j - 1)) * (s + 2 * j) * inverse)
    endless = (x == 1.0) | (~(x < 1.0) & (q <= 0) & whole) | ((x == math.inf) & (q < 1.0))
    bad = np.where(endless, math.inf, np.where((x == math.inf) & (q == 1.0), 1.0, math.nan))
    return np.where(good, total, bad)


def _no_derivative(what: str) -> Value:
    raise NotImplementedError(f"the derivative for '{what}' is not implemented.")


class Igamma(Elementwise):
    """``P(a, x)``, the integral of ``t^(a-1) e^-t`` from 0 to x over gamma(a); differentiable in x alone."""

    saves = ("a", "x")

    @staticmethod
    def forward(a: Array, x: Array) -> tuple[Array, tuple[Array, Array]]:
        refuse("igamma_cpu", "biuc", a, x)
        return _incomplete_pairs(a, x, False), (a, x)

    @staticmethod
    def vjp_a(g: Value, _a: Value, _x: Value) -> Value:
        return _no_derivative("igamma: input")

    @staticmethod
    def vjp_x(g: Value, a: Value, x: Value) -> Value:
        return g * _slope(a, x)


def _slope(a: Value, x: Value) -> Value:
    return call(Exp, (a - 1.0) * call(Log, x) - x - call(Lgamma, a))


class Igammac(Elementwise):
    """``Q(a, x) = 1 - P(a, x)``, the integral from x to infinity; differentiable in x alone."""

    saves = ("a", "x")

    @staticmethod
    def forward(a: Array, x: Array) -> tuple[Array, tuple[Array, Array]]:
        refuse("igammac_cpu", "biuc", a, x)
        return _incomplete_pairs(a, x, True), (a, x)

    @staticmethod
    def vjp_a(g: Value, _a: Value, _x: Value) -> Value:
        return _no_derivative("igammac: input")

    @staticmethod
    def vjp_x(g: Value, a: Value, x: Value) -> Value:
        return -g * _slope(a, x)


class Zeta(Elementwise):
    """Hurwitz's zeta function, the sum of ``(q + k)^-x`` over k = 0, 1, ...; differentiable in q alone."""

    backward_name = "SpecialZetaBackward0"
    saves = ("x", "q")

    @staticmethod
    def forward(x: Array, q: Array) -> tuple[Array, tuple[Array, Array]]:
        refuse("zeta_cpu", "c", x, q)
        return pairwise(_zeta, x, q), (x, q)

    @staticmethod
    def vjp_x(g: Value, _x: Value, _q: Value) -> Value:
        return _no_derivative("zeta")

    @staticmethod
    def vjp_q(g: Value, x: Value, q: Value) -> Value:
        return g * (-x * call(Zeta, x + 1.0, q))


class ZetaFirst(Zeta):
    """The zeta function of a number x (its node has another name in PyTorch)."""

    backward_name = "SpecialZetaBackward1"


class ZetaNumber(Zeta):
    """The zeta function with a number q (its node has another name in PyTorch)."""

    backward_name = "SpecialZetaBackward2"


class Mvlgamma(Elementwise):
    """The logarithm of the multivariate gamma function of dimension p (DLMF 35.3.4)."""

    saves = ("x", "p")

    @staticmethod
    def forward(x: Array, p: int) -> tuple[Array, tuple[Array, int]]:
        refuse("mvlgamma_cpu", "c", x)
        wide = x.astype(np.float64)
        out = np.full(x.shape, p * (p - 1) / 4.0 * math.log(math.pi))
        for i in range(p):
            out = out + lgamma(wide - i / 2.0)
        return np.asarray(out).astype(x.dtype), (x, p)

    @staticmethod
    def vjp_x(g: Value, x: Value, p: int) -> Value:
        slope = call(Digamma, x)
        for i in range(1, p):
            slope = slope + call(Digamma, x - i / 2.0)
        return g * slope
