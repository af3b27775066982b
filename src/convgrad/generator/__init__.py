"""Random numbers: PyTorch's CPU stream, drawn from the Mersenne Twister.

After the same ``manual_seed`` the methods of :class:`Generator` give the numbers that PyTorch 2.13 gives on
a CPU: integers, permutations, uniform numbers and Bernoulli trials bit for bit, normal and exponential ones
up to the last digits of ``log``, ``sin`` and ``cos`` (float32 normal numbers bit for bit, too, where
compiled kernels run on a processor with AVX2), and the generator is left in the same state.

``stream``: seed, state and raw words; ``continuous`` and ``discrete``: the draws; ``limits``: checks of their
arguments; ``order``: which element of a tensor gets the first number; ``own``: the default generator.
"""

from __future__ import annotations

from .limits import BFLOAT16
from .own import DefaultGenerator, Generator, own_stream
from .stream import DEFAULT_SEED, show_states_as

default_generator: Generator = DefaultGenerator()
default_generator.seed()
"""The generator that every function uses if none is given; seeded from the system's entropy at import."""

__all__ = ["BFLOAT16", "DEFAULT_SEED", "Generator", "default_generator", "own_stream", "show_states_as"]
