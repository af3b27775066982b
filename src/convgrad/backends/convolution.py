"""How convolutions are computed: which algorithms may be used, whether they are timed, what memory they hold.

Every shape is given an algorithm by a cost model, the same on every run; ``convgrad.explain`` says which one
and why. Two attributes of this module change that for the whole process when they are set:

``strict`` (False)
    True admits only algorithms that sum the products of the definition. Winograd and Fourier transforms are
    quicker, but their rounding errors are relative to the largest value they see at a time, not to the terms
    of each sum: beside a value of 1 an exact zero may come out as 1e-7.

``benchmark`` (False)
    True times the candidates when a shape is first met and takes the quickest. What was measured is
    remembered on disk (in the folder that the environment variable ``CONVGRAD_CACHE`` names, else in the
    platform's cache folder), for each kind of processor and version. Until a shape's times are remembered,
    two runs may choose differently and so differ in the last bits; ``use_deterministic_algorithms(True)``
    overrules it.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from types import ModuleType

from convgrad import kernels
from convgrad.errors import ConvgradError
from convgrad.kernels import native, planner
from convgrad.kernels.machine import _native, why_not_native
from convgrad.switches import switches

__all__ = ["algorithm", "scratch_bytes", "trim_scratch"]

strict: bool
benchmark: bool


def algorithm(name: str) -> AbstractContextManager[None]:
    """Compute with this algorithm alone inside a ``with`` block, or inside the function this decorates.

    It holds for convolutions and their gradients in the thread or task that entered the block.

    Args:
        name: an algorithm as ``convgrad.explain`` names it, a family of them such as "direct" (of those, the
            planner takes the best), or "reference", the NumPy kernels.
    Raises:
        ConvgradError: there is no such algorithm. Also raised by a convolution inside the block that the
            algorithm cannot compute; the message says why, and which ones could.
    Example:
        >>> with algorithm("reference"):
        ...     pass
    """
    if name != planner.REFERENCE:
        if not planner.named(name):
            raise ConvgradError(
                f"backends.convolution.algorithm: there is no algorithm {name!r}; "
                f"there are {', '.join(planner.known_names())}"
            )
        if kernels.table.name != "native":
            remedy = (
                "backends.use('native')" if native.available() else f"there are none here, {why_not_native()}"
            )
            raise ConvgradError(
                f"backends.convolution.algorithm({name!r}): needs the compiled kernels, but those in use are "
                f"{kernels.table.name!r}: {remedy}"
            )
    return native.forced(name)


def scratch_bytes() -> int:
    """Bytes of scratch memory that the compiled kernels keep for their next calls, of all threads."""
    return 0 if _native is None else _native.scratch_held()


def trim_scratch() -> None:
    """Give that memory back; threads that are at work keep theirs."""
    if _native is not None:
        _native.scratch_trim()


class _Convolution(ModuleType):
    """This module's type: setting ``strict`` or ``benchmark`` takes effect at once."""

    @property
    def strict(self) -> bool:
        return switches.strict

    @strict.setter
    def strict(self, value: bool) -> None:
        _turn("strict", value)

    @property
    def benchmark(self) -> bool:
        return switches.benchmark

    @benchmark.setter
    def benchmark(self, value: bool) -> None:
        _turn("benchmark", value)


def _turn(name: str, value: bool) -> None:
    if type(value) is not bool:
        raise TypeError(f"backends.convolution.{name} must be True or False, but got {value!r}")
    switches.turn(name, value)


sys.modules[__name__].__class__ = _Convolution
