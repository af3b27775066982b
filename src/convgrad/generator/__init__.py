"""Random numbers: PyTorch's CPU stream, drawn from NumPy's Mersenne Twister.

After the same ``manual_seed`` the methods of :class:`Generator` give the numbers that PyTorch 2.13 gives on
a CPU: integers, permutations, uniform numbers and Bernoulli trials bit for bit, normal and exponential ones
up to the last digits of ``log``, ``sin`` and ``cos``, and the generator is left in the same state.

``stream``: seed, state and raw words; ``continuous`` and ``discrete``: the draws; ``limits``: checks of their
arguments; ``order``: which element of a tensor gets the first number.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .discrete import Discrete
from .limits import BFLOAT16
from .stream import DEFAULT_SEED, show_states_as


class Generator(Discrete):
    """A stream of random numbers that repeats PyTorch's CPU stream for the same seed.

    Every draw holds the lock of the generator: several threads may share one, each call gets numbers of
    its own, and only their order among the threads is left to chance.

    Args:
        device: "cpu", or that device.
    Raises:
        DeviceError: another device.
    Example:
        >>> torch.Generator().manual_seed(0).randint(0, 10, 5).tolist()
        [4, 9, 3, 0, 3]

    Source: the Mersenne Twister MT19937 (Matsumoto & Nishimura 1998); semantics of torch.Generator.
    """

    __slots__ = ()


_own: ContextVar[Generator | None] = ContextVar("convgrad.own_stream", default=None)


def _redirected(name: str) -> Any:
    """A slot of the default generator: that of the thread's own stream where there is one."""
    slot = getattr(Generator, name)

    def get(self: Any) -> Any:
        own = _own.get()
        return slot.__get__(self if own is None else own)

    def put(self: Any, value: Any) -> None:
        own = _own.get()
        slot.__set__(self if own is None else own, value)

    return property(get, put)


class _DefaultGenerator(Generator):
    """The generator of those who name none; inside ``own_stream`` it stands for another one."""

    __slots__ = ()

    _lock, _seed, _source, _second_normal = map(_redirected, ("_lock", "_seed", "_source", "_second_normal"))


@contextmanager
def own_stream(generator: Generator) -> Iterator[None]:
    """Inside the block, in this thread alone, the default generator draws from ``generator``."""
    token = _own.set(generator)
    try:
        yield
    finally:
        _own.reset(token)


default_generator: Generator = _DefaultGenerator()
default_generator.seed()
"""The generator that every function uses if none is given; seeded from the system's entropy at import."""

__all__ = ["BFLOAT16", "DEFAULT_SEED", "Generator", "default_generator", "own_stream", "show_states_as"]
