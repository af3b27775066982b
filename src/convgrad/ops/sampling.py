"""Draws whose parameters are tensors: Bernoulli, normal, Poisson, binomial and gamma numbers, categories.

A generator is a parameter; each function takes from its stream what PyTorch takes, in the same order, so the
same seed gives the same numbers. The rules were found by experiment.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import Array
from ..errors import ConvgradError, ShapeError
from ..generator import Generator
from ..generator.order import drawn_into
from ..generator.single import OneByOne
from .elementwise import refuse
from .formula import Value, zeros_like
from .op import Elementwise
from .rounding import Step


def _poisson_small(rate: float, draw: OneByOne) -> float:
    """Products of uniform numbers until they fall below ``e^-rate`` (Knuth, TAOCP 2, 3.4.1)."""
    if rate == 0:
        return 0.0
    limit, product, count = math.exp(-rate), 1.0, 0
    while True:
        product *= draw.uniform()
        if product <= limit:
            return float(count)
        count += 1


def _poisson_large(rate: float, draw: OneByOne) -> float:
    """Transformed rejection, algorithm PTRS of W. Hörmann, Insurance: Mathematics and Economics 12 (1993)."""
    log, root = math.log(rate), math.sqrt(rate)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    best = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u, v = draw.uniform() - 0.5, draw.uniform()
        near = 0.5 - abs(u)
        k = math.floor((2.0 * a / near + b) * u + rate + 0.43)
        if near >= 0.07 and v <= best:
            return float(k)
        if k < 0 or (near < 0.013 and v > near):
            continue
        if math.log(v) + math.log(inverse) - math.log(a / (near * near) + b) <= (
            -rate + k * log - math.lgamma(k + 1.0)
        ):
            return float(k)


class Poisson(Step):
    """Numbers of events where x are expected; the gradient is 0."""

    @classmethod
    def forward(cls, x: Array, generator: Generator) -> tuple[Array, tuple[()]]:
        refuse("poisson_cpu", "biuc", x)
        rates = x.astype(np.float64).reshape(-1).tolist()
        if not all([rate >= 0 for rate in rates]):
            raise ConvgradError("invalid Poisson rate, expected rate to be non-negative")
        with OneByOne(generator) as draw:
            counts = [_poisson_large(r, draw) if r >= 10.0 else _poisson_small(r, draw) for r in rates]
        return np.array(counts, np.float64).reshape(x.shape).astype(x.dtype), ()


class Bernoulli(Step):
    """Ones with the probabilities x, else zeros; the gradient is 0."""

    @classmethod
    def forward(cls, x: Array, generator: Generator) -> tuple[Array, tuple[()]]:
        return generator.bernoulli(x, x.shape, x.dtype), ()


def joint_shape(mean: tuple[int, ...], std: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of normal numbers of such means and standard deviations.

    Raises:
        ShapeError: they cannot be broadcast together.
    """
    try:
        return np.broadcast_shapes(mean, std)
    except ValueError:
        raise ShapeError(
            f"normal: The size of tensor a {list(mean)} must match the size of tensor b {list(std)}: mean "
            "and std are broadcast together"
        ) from None


class Normal(Elementwise):
    """Normal numbers of given means and standard deviations (one may be a number); the gradients are 0.

    Standard normal numbers in the dtype of the first array, scaled and then shifted, each time rounded to it.
    """

    exact = True

    @staticmethod
    def forward(mean: Array, std: Array, generator: Generator) -> tuple[Array, tuple[()]]:
        kind = mean.dtype if isinstance(mean, np.ndarray) else std.dtype
        shape = joint_shape(np.shape(mean), np.shape(std))
        if not isinstance(std, np.ndarray):
            noise = generator.normal(shape, kind, 0.0, std)
        else:
            noise = np.asarray(generator.normal(shape, kind) * std).astype(kind, copy=False)
        shift = mean if isinstance(mean, np.ndarray) else kind.type(mean)
        return np.asarray(noise + shift).astype(kind, copy=False), ()

    @staticmethod
    def vjp_mean(g: Value) -> Value:
        return zeros_like(g)

    @staticmethod
    def vjp_std(g: Value) -> Value:
        return zeros_like(g)


def categories(weights: Array, count: int, replacement: bool, generator: Generator) -> Array:
    """``count`` indices per row of ``(m, n)`` weights, each as likely as its weight.

    With replacement: a uniform number each, looked up in the cumulative weights. Without, and for one alone:
    the largest of the weights over exponential numbers (Efraimidis & Spirakis 2006).
    """
    if not replacement or count == 1:
        times = drawn_into(weights, lambda shape: generator.exponential(shape, weights.dtype))
        raced = weights / times
        order = np.argsort(-raced.astype(np.float64), axis=1, kind="stable")
        return order[:, :count].astype(np.int64)
    wide = weights.astype(np.float32) if weights.dtype.itemsize == 2 else weights
    totals = np.cumsum(wide, axis=1)
    totals /= totals[:, -1:]
    chosen = generator.uniform((len(weights), count), np.float64)
    rows = [np.searchsorted(row, u) for row, u in zip(totals, chosen, strict=True)]
    return np.array(rows, np.int64).reshape(chosen.shape)


def _stirling_tail(k: float) -> float:
    """``log(k!)`` without Stirling's leading terms ``(k + 1/2) log(k + 1) - (k + 1) + log(2 pi) / 2``."""
    if k <= 9:
        return math.lgamma(k + 1) - ((k + 0.5) * math.log(k + 1) - (k + 1) + 0.5 * math.log(2 * math.pi))
    square = (k + 1) ** 2
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)


def _binomial_few(count: Any, p: Any, draw: OneByOne) -> float:
    """Steps from success to success until the trials are used up (Devroye 1986, X.4.3)."""
    log, trials, successes = float(np.log1p(-p)), 0.0, 0
    while True:
        u = draw.uniform()
        trials += math.ceil(math.log(u) / log) if u else math.inf
        if trials > count:
            return float(successes)
        successes += 1


def _binomial_many(count: Any, p: Any, draw: OneByOne) -> float:
    """Transformed rejection, algorithm BTRS of W. Hörmann, J. Stat. Comput. Simul. 46 (1993).

    ``count`` and ``p`` come in their own precision, and what is made of them alone is rounded to it.
    """
    one = type(p)(1)
    root = float(np.sqrt(count * p * (one - p)))
    b = 1.15 + 2.53 * root
    a = -0.0873 + 0.0248 * b + 0.01 * float(p)
    centre = float(count * p) + 0.5
    best = 0.92 - 4.2 / b
    odds = float(p / (one - p))
    alpha = (2.83 + 5.1 / b) * root
    mode = math.floor((count + one) * p)
    n = float(count)
    while True:
        u, v = draw.uniform() - 0.5, draw.uniform()
        near = 0.5 - abs(u)
        k = math.floor((2 * a / near + b) * u + centre) if near else -1
        if not 0 <= k <= n:
            continue
        if near >= 0.07 and v <= best:
            return float(k)
        bound = (
            (mode + 0.5) * math.log((mode + 1) / (odds * (n - mode + 1)))
            + (n + 1) * math.log((n - mode + 1) / (n - k + 1))
            + (k + 0.5) * math.log(odds * (n - k + 1) / (k + 1))
            + _stirling_tail(mode)
            + _stirling_tail(n - mode)
            - _stirling_tail(k)
            - _stirling_tail(n - k)
        )
        v *= alpha / (a / (near * near) + b)
        if v <= 0 or math.log(v) <= bound:
            return float(k)


def _binomial_one(count: Any, p: Any, draw: OneByOne) -> float:
    """Successes among ``count`` trials; for p above 1/2 failures are counted."""
    if count <= 0 or p <= 0:
        return 0.0
    if p >= 1:
        return float(count)
    if not p <= 0.5:
        failure = type(p)(1) - p
        return float(count) - _binomial_one(count, failure, draw) if failure <= 0.5 else math.nan
    many = count * p >= 10
    return _binomial_many(count, p, draw) if many else _binomial_few(count, p, draw)


def binomial(count: Array, p: Array, generator: Generator) -> Array:
    """How many of ``count`` trials of probability ``p`` succeed; both of one float dtype and shape."""
    with OneByOne(generator) as draw:
        drawn = [_binomial_one(n, q, draw) for n, q in zip(count.reshape(-1), p.reshape(-1), strict=True)]
    return np.array(drawn, count.dtype).reshape(count.shape)


def _gamma_one(alpha: Any, draw: OneByOne) -> float:
    """Rejection from the cube of a normal number (Marsaglia & Tsang 2000); below 1 that of alpha + 1.

    ``alpha`` comes in its own precision, in which the 1 is added.
    """
    scale = 1.0
    if alpha < 1:
        if alpha == 0:
            return 0.0
        scale = math.pow(1 - draw.uniform(), float(type(alpha)(1) / alpha))
        alpha = alpha + type(alpha)(1)
    d = float(alpha - type(alpha)(np.float32(1) / np.float32(3)))
    c = 1 / math.sqrt(9 * d)
    while True:
        x = draw.normal()
        y = 1 + c * x
        if y <= 0:
            continue
        v = y * y * y
        u = 1 - draw.uniform()
        square = x * x
        if u < 1 - float(np.float32(0.0331)) * square * square:
            return scale * d * v
        if math.log(u) < 0.5 * square + d * (1 - v + math.log(v)):
            return scale * d * v


def standard_gamma(alpha: Array, generator: Generator) -> Array:
    """Gamma numbers of shape ``alpha`` and rate 1, float32 or float64; none is subnormal."""
    with OneByOne(generator) as draw:
        drawn = [_gamma_one(a, draw) for a in alpha.reshape(-1)]
    least = np.finfo(alpha.dtype).tiny
    return np.maximum(np.array(drawn).astype(alpha.dtype), least).reshape(alpha.shape)


def dirichlet(alpha: Array, generator: Generator) -> tuple[Array, Array]:
    """Rows of gamma numbers over their sums, strictly between 0 and 1, and the gamma numbers in float64."""
    with OneByOne(generator) as draw:
        drawn = [_gamma_one(a, draw) for a in alpha.astype(np.float64).reshape(-1)]
    gammas = np.array(drawn).reshape(alpha.shape)
    shares = (gammas / gammas.sum(-1, keepdims=True)).astype(alpha.dtype)
    one, tiny = alpha.dtype.type(1), np.finfo(alpha.dtype).tiny
    return np.clip(shares, tiny, np.nextafter(one, alpha.dtype.type(0))), gammas
