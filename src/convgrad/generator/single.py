"""Random numbers one at a time, for rejection methods, which do not know how many they will take."""

from __future__ import annotations

import math
from types import TracebackType

import numpy as np

from . import Generator

_BLOCK = 256


class OneByOne:
    """Uniform and normal float64 numbers one by one from a generator.

    They are drawn in blocks; at the end of the block ``with`` the generator stands where the last number
    taken left it. It is locked meanwhile.

    Example:
        >>> with OneByOne(torch.Generator().manual_seed(0)) as draw:
        ...     round(draw.uniform(), 4)
        0.9701
    """

    __slots__ = ("_generator", "_have", "_ready", "_second", "_state", "_taken")

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    def __enter__(self) -> OneByOne:
        self._generator._lock.acquire()
        self._state = self._generator.state()
        self._second = self._generator._second_normal
        self._taken = self._have = 0
        self._ready: list[float] = []
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._ready:
                self._generator.set_state(self._state)
                self._generator.uniform(self._taken, np.float64)
            self._generator._second_normal = self._second
        finally:
            self._generator._lock.release()

    def uniform(self) -> float:
        """A number of [0, 1): 53 bits."""
        if not self._ready:
            block = max(_BLOCK, self._have)
            self._ready = self._generator.uniform(block, np.float64).tolist()[::-1]
            self._have += block
        self._taken += 1
        return self._ready.pop()

    def normal(self) -> float:
        """A standard normal number: two at a time, as ``Generator.normal`` makes fewer than 16."""
        if self._second is not None:
            kept, self._second = self._second, None
            return kept
        angle = 2 * math.pi * self.uniform()
        radius = math.sqrt(-2 * math.log1p(-self.uniform()))
        self._second = radius * math.sin(angle)
        return radius * math.cos(angle)
