"""Draws whose parameters are tensors: Poisson numbers and categories.

A generator is a parameter; each function takes from its stream what PyTorch takes, in the same order, so the
same seed gives the same numbers. The rules were found by experiment.
"""

from __future__ import annotations

import math

import numpy as np

from ..dtypes import Array
from ..errors import ConvgradError
from ..generator import Generator
from .elementwise import refuse
from .rounding import Step

_BLOCK = 256


class _Draws:
    """Uniform numbers one by one from a generator, which in the end has given no more than were taken."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.state = generator.get_state()
        self.taken = self.have = 0
        self.ready: list[float] = []

    def __call__(self) -> float:
        if not self.ready:
            block = max(_BLOCK, self.have)
            self.ready = self.generator.uniform(block, np.float64).tolist()[::-1]
            self.have += block
        self.taken += 1
        return self.ready.pop()

    def finish(self) -> None:
        """Leave the generator where the last number taken left it."""
        self.generator.set_state(self.state)
        self.generator.uniform(self.taken, np.float64)


def _poisson_small(rate: float, draw: _Draws) -> float:
    """Products of uniform numbers until they fall below ``e^-rate`` (Knuth, TAOCP 2, 3.4.1)."""
    if rate == 0:
        return 0.0
    limit, product, count = math.exp(-rate), 1.0, 0
    while True:
        product *= draw()
        if product <= limit:
            return float(count)
        count += 1


def _poisson_large(rate: float, draw: _Draws) -> float:
    """Transformed rejection, algorithm PTRS of W. Hörmann, Insurance: Mathematics and Economics 12 (1993)."""
    log, root = math.log(rate), math.sqrt(rate)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    best = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u, v = draw() - 0.5, draw()
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
        draw = _Draws(generator)
        counts = [_poisson_large(r, draw) if r >= 10.0 else _poisson_small(r, draw) for r in rates]
        draw.finish()
        return np.array(counts, np.float64).reshape(x.shape).astype(x.dtype), ()


def categories(weights: Array, count: int, replacement: bool, generator: Generator) -> Array:
    """``count`` indices per row of ``(m, n)`` weights, each as likely as its weight.

    With replacement: a uniform number each, looked up in the cumulative weights. Without, and for one alone:
    the largest of the weights over exponential numbers (Efraimidis & Spirakis 2006).
    """
    if not replacement or count == 1:
        raced = weights / generator.exponential(weights.shape, weights.dtype)
        order = np.argsort(-raced.astype(np.float64), axis=1, kind="stable")
        return order[:, :count].astype(np.int64)
    wide = weights.astype(np.float32) if weights.dtype.itemsize == 2 else weights
    totals = np.cumsum(wide, axis=1)
    totals /= totals[:, -1:]
    chosen = generator.uniform((len(weights), count), np.float64)
    rows = [np.searchsorted(row, u) for row, u in zip(totals, chosen, strict=True)]
    return np.array(rows, np.int64).reshape(chosen.shape)
