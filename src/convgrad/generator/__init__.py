"""Random numbers: PyTorch's CPU stream, drawn from the Mersenne Twister.

After the same ``manual_seed`` the methods of :class:`Generator` give the numbers that PyTorch 2.13 gives on
a CPU: integers, permutations, uniform numbers and Bernoulli trials bit for bit, normal and exponential ones
up to the last digits of ``log``, ``sin`` and ``cos`` (float32 normal numbers bit for bit, too, where
compiled kernels run on a processor with AVX2), and the generator is left in the same state.

``stream``: seed, state and raw words; ``continuous`` and ``discrete``: the draws; ``limits``: checks of their
arguments; ``order``: which element of a tensor gets the first number; ``own``: the default generator.
"""

from __future__ import annotations

from typing import Any

from .limits import BFLOAT16
from .own import DefaultGenerator, Generator, own_stream
from .stream import DEFAULT_SEED, show_states_as

default_generator: Generator = DefaultGenerator()
default_generator.seed()
"""The generator that every function uses if none is given; seeded from the system's entropy at import."""


def chosen(generator: Any) -> Generator:
    """The generator that a function was given, or the default one for None.

    Raises:
        TypeError: no Generator, such as a seed or one of NumPy's.
    """
    if generator is None:
        return default_generator
    if not isinstance(generator, Generator):
        raise TypeError(
            f"argument 'generator' must be torch.Generator or None, not {type(generator).__name__}; a seed "
            "goes into torch.Generator().manual_seed(seed)"
        )
    return generator


__all__ = [
    "BFLOAT16", "DEFAULT_SEED", "Generator", "chosen", "default_generator", "own_stream", "show_states_as",
]  # fmt: skip
