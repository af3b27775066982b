"""The Mersenne Twister as PyTorch draws from it, by NumPy: words, uniform numbers, trials, normal numbers.

Source: MT19937 (Matsumoto & Nishimura 1998); normal numbers by Box & Muller 1958.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convgrad.dtypes import F32, F64, Array

BLOCK = 16
"""Normal numbers are made 16 at a time, from 8 radii and 8 angles."""

LONG = (1 << 32) // 20
"""Permutations of so many numbers take long words."""


class Twister:
    """A stream of 32-bit words, begun by ``seed`` in [0, 2**32), and numbers made of them.

    ``numpy.random`` costs some 20 ms to import; NumPy loads it on first use, and so does this.
    """

    __slots__ = ("_source",)

    def __init__(self, seed: int) -> None:
        self._source = np.random.RandomState(seed)  # which seeds it by init_genrand

    def get_state(self) -> tuple[Array, int]:
        """The 624 words, uint32, and the number of the next one to be given out (624: none)."""
        state: Any = self._source.get_state(legacy=True)
        return state[1], int(state[2])

    def set_state(self, key: Array, position: int) -> None:
        """Go on from what ``get_state`` gave."""
        self._source.set_state(("MT19937", key, position, 0, 0.0))

    def words(self, n: int) -> Array:
        """The next ``n`` words, uint32."""
        return self._source.randint(0, 1 << 32, n, dtype=np.uint32)

    def long_words(self, n: int) -> Array:
        """The next ``n`` words of 64 bits, each two of 32, the high half first."""
        return self._source.randint(0, 1 << 64, n, dtype=np.uint64)

    def uniform(self, n: int, dtype: np.dtype[Any], low: float = 0.0, high: float = 1.0) -> Array:
        """``n`` numbers in [low, high), of one multiply-add each.

        In [0, 1) they are multiples of 2**-24, the low 24 bits of one word each, in float32; in float64 of
        2**-53, the low 53 bits of a long word. What rounding lifts to ``high`` becomes ``low``.
        """
        if dtype == F32:
            words = self.words(n)
            words &= np.uint32(0xFFFFFF)
        else:
            words = self.long_words(n)
            words &= np.uint64((1 << 53) - 1)
        out = words.astype(dtype)
        out *= dtype.type(2.0**-24 if dtype == F32 else 2.0**-53)
        return out if low == 0 and high == 1 else scaled(out, low, high)

    def trials(self, n: int, below: int, one: float, dtype: np.dtype[Any]) -> Array:
        """``one`` where the low 53 bits of a long word are less than ``below``, zero elsewhere."""
        words = self.long_words(n)
        words &= np.uint64((1 << 53) - 1)
        out = (words < np.uint64(below)).astype(dtype)
        if one != 1:
            out *= dtype.type(one)
        return out

    def normal(
        self, n: int, mean: float, std: float, dtype: np.dtype[Any] = F32, thrifty: bool = False
    ) -> Array:
        """``n`` numbers, 16 or more, float32 or float64, of as many uniform ones of that dtype.

        Where n is no multiple of 16, the last 16 are made of 16 fresh ones; unless ``thrifty``, those of the
        rest are drawn before that, and lost.
        """
        whole = n - n % BLOCK
        made = box_muller(self.uniform(whole, dtype).reshape(-1, BLOCK), mean, std).reshape(whole)
        if whole == n:
            return made
        out = np.empty(n, dtype)
        out[:whole] = made
        if not thrifty:
            self.uniform(n - whole, dtype)
        out[n - BLOCK :] = box_muller(self.uniform(BLOCK, dtype).reshape(1, BLOCK), mean, std)[0]
        return out

    def permutation(self, n: int) -> Array:
        """0 to ``n - 1`` in random order, int64 (Fisher & Yates, from the front, one word each)."""
        out = list(range(n))
        if n > 1:
            remaining = np.arange(n, 1, -1, dtype=np.uint64)
            steps = self.words(n - 1) if n < LONG else self.long_words(n - 1)
            for i, jump in enumerate((steps % remaining).tolist()):
                j = i + jump
                out[i], out[j] = out[j], out[i]
        return np.array(out, np.int64)


def twister(seed: int) -> Twister:
    """The stream of ``seed``, in [0, 2**32)."""
    return Twister(seed)


def scaled(unit: Array, low: float, high: float) -> Array:
    """``unit * (high - low) + low`` in unit's dtype, rounded once; ``low`` where that is ``high``."""
    kind = unit.dtype.type
    if unit.dtype == F64:
        out = fused(unit, high - low, low)
    else:
        out = fused_float32(unit, float(kind(high) - kind(low)), float(kind(low)))
    out[out >= kind(high)] = kind(low)
    return out


def fused(x: Array, scale: float, offset: float) -> Array:
    """``x * scale + offset`` in float64, rounded once as a fused multiply-add does.

    Both rounding errors are computed exactly and added at the end (Dekker 1971, Knuth TAOCP 2, 4.2.2).
    """
    splitter = 134217729.0  # 2**27 + 1
    t = x * splitter
    x_high = t - (t - x)
    x_low = x - x_high
    t0 = scale * splitter
    s_high = t0 - (t0 - scale)
    s_low = scale - s_high
    product = x * scale
    product_error = ((x_high * s_high - product) + x_high * s_low + x_low * s_high) + x_low * s_low
    total = product + offset
    part = total - product
    total_error = (product - (total - part)) + (offset - part)
    return total + (total_error + product_error)


def fused_float32(x: Array, scale: float, offset: float) -> Array:
    """``x * scale + offset`` of float32 numbers, rounded once: a product of two is exact in float64."""
    wide = x.astype(np.float64)
    wide *= scale
    wide += offset
    return wide.astype(np.float32)


def box_muller(uniforms: Array, mean: float, std: float) -> Array:
    """Normal numbers from rows of 16 uniform ones: 8 radii, then 8 angles (Box & Muller 1958).

    Scaled and shifted by one fused multiply-add, as PyTorch does.
    """
    half = BLOCK // 2
    kind = uniforms.dtype.type
    out = np.empty_like(uniforms)
    radius = np.sqrt(-2 * np.log(1 - uniforms[:, :half]))
    angle = uniforms[:, half:] * kind(2 * math.pi)
    np.multiply(radius, np.cos(angle), out=out[:, :half])
    np.multiply(radius, np.sin(angle), out=out[:, half:])
    if mean == 0 and std == 1:
        return out
    if uniforms.dtype == F64:
        return fused(out, std, mean)
    return fused_float32(out, float(kind(std)), float(kind(mean)))
