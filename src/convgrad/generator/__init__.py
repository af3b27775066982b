"""Random numbers: PyTorch's CPU stream, drawn from NumPy's Mersenne Twister.

After the same ``manual_seed`` the methods of :class:`Generator` give the numbers that PyTorch 2.13 gives on
a CPU: integers, permutations, uniform numbers and Bernoulli trials bit for bit, normal and exponential ones
up to the last digits of ``log``, ``sin`` and ``cos``, and the generator is left in the same state.

``stream``: seed, state and raw words; ``continuous`` and ``discrete``: the draws; ``limits``: checks of their
arguments; ``order``: which element of a tensor gets the first number.
"""

from __future__ import annotations

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


default_generator = Generator()
default_generator.seed()
"""The generator that every function uses if none is given; seeded from the system's entropy at import."""

__all__ = ["BFLOAT16", "DEFAULT_SEED", "Generator", "default_generator", "show_states_as"]
