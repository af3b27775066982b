"""The Mersenne Twister in compiled code: the same numbers as ``random``'s, and PyTorch's logarithm and sines.

Source: MT19937 (Matsumoto & Nishimura 1998); the elementary functions of Cephes (Moshier 1989).
"""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from convgrad.dtypes import F32, F64, Array
from convgrad.kernels import random
from convgrad.kernels.machine import _native, instruction_set
from convgrad.kernels.memory import allocator

#: whether the compiled multiply-adds are rounded once
_FUSES = instruction_set() != "baseline" or platform.machine().lower() in ("arm64", "aarch64")
_U32, _U64, _I64 = np.dtype(np.uint32), np.dtype(np.uint64), np.dtype(np.int64)


class Twister(random.Twister):
    """``random.Twister``, compiled; what it lacks is computed by NumPy from its words."""

    __slots__ = ("_twister",)

    def __init__(self, seed: int) -> None:
        self._twister = _native.Twister(seed)  # nothing of NumPy's is made

    def get_state(self) -> tuple[Array, int]:
        """The 624 words, uint32, and the number of the next one to be given out (624: none)."""
        key = np.empty(624, _U32)
        return key, self._twister.get_state(key.view(np.uint8))

    def set_state(self, key: Array, position: int) -> None:
        """Go on from what ``get_state`` gave."""
        self._twister.set_state(np.ascontiguousarray(key, _U32).view(np.uint8), position)

    def words(self, n: int) -> Array:
        """The next ``n`` words, uint32."""
        out: Array = allocator((n,), _U32)((n,), _U32)
        self._twister.words(out.view(np.uint8))
        return out

    def long_words(self, n: int) -> Array:
        """The next ``n`` words of 64 bits, each two of 32, the high half first."""
        pairs = self.words(2 * n).view(_U64)
        out = pairs >> np.uint64(32)
        pairs <<= np.uint64(32)  # the first word lies in the low half
        out |= pairs
        return out

    def uniform(self, n: int, dtype: np.dtype[Any], low: float = 0.0, high: float = 1.0) -> Array:
        """``n`` numbers in [low, high), float32 or float64, of one multiply-add each."""
        out: Array = allocator((n,), dtype)((n,), dtype)
        if low == 0 and high == 1:
            self._twister.uniform(out, 0.0, 1.0, 1.0, dtype == F64)
        elif _FUSES:
            kind = dtype.type
            self._twister.uniform(out, float(low), float(kind(high) - kind(low)), float(high), dtype == F64)
        else:
            self._twister.uniform(out, 0.0, 1.0, 1.0, dtype == F64)
            out = random.scaled(out, low, high)
        return out

    def trials(self, n: int, below: int, one: float, dtype: np.dtype[Any]) -> Array:
        """``one`` where the low 53 bits of a long word are less than ``below``, zero elsewhere."""
        # what is cast afterwards must hold ``one``
        kind = dtype if dtype in (F32, F64) else F32 if one == 1 else F64
        out: Array = allocator((n,), kind)((n,), kind)
        self._twister.trials(out, below, one, kind == F64)
        return out.astype(dtype, copy=False)

    def normal(
        self, n: int, mean: float, std: float, dtype: np.dtype[Any] = F32, thrifty: bool = False
    ) -> Array:
        """``n`` numbers, 16 or more; those in float32 are compiled."""
        if dtype != F32:
            return super().normal(n, mean, std, dtype, thrifty)
        out: Array = allocator((n,), F32)((n,), F32)
        self._twister.normal(out, float(mean), float(std), thrifty)
        return out

    def permutation(self, n: int) -> Array:
        """The numbers 0 to ``n - 1`` in random order, int64."""
        if n >= random.LONG:
            return super().permutation(n)
        out: Array = allocator((n,), _I64)((n,), _I64)
        self._twister.permutation(out)
        return out


def twister(seed: int) -> Twister:
    """``random.twister``, compiled."""
    return Twister(seed)
