"""Which kernels compute, and how to choose others."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from convgrad import kernels
from convgrad.backends import cudnn, memory
from convgrad.errors import ConvgradError
from convgrad.kernels import machine

__all__ = ["convolution", "cuda", "cudnn", "info", "memory", "mkl", "mkldnn", "mps", "openmp", "use"]

#: what programs ask or set, loaded when they do
_LATE = {
    "convolution": "convolution", "cuda": "cuda", "mkl": "mkldnn", "mkldnn": "mkldnn", "mps": "mps",
    "openmp": "mkldnn",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return importlib.import_module(f"{__name__}.{_LATE[name]}")
    raise AttributeError(f"module 'convgrad.backends' has no attribute {name!r}", name=name)


def info() -> dict[str, str]:
    """What is in use, and what was built.

    Returns:
        ``kernels``: the set in use; ``available``: those that ``use`` takes; ``compiled``: by which
        compiler and for which instruction sets, or why not; ``numpy``: its version. With compiled kernels
        also ``instruction_set``: the one they run with (the best, or what the environment variable
        CONVGRAD_ISA names), and ``threads``. CONVGRAD_KERNELS names the set to start with.
    Example:
        >>> info()["kernels"] in info()["available"]
        True
    """
    return {
        "kernels": kernels.table.name,
        "available": ", ".join(kernels.registered()),
        **machine.facts(),
        "numpy": np.__version__,
    }


def use(name: str) -> None:
    """Compute with the kernels called ``name`` from now on, in all threads.

    Args:
        name: one of those ``info()["available"]`` lists; ``"reference"`` is plain NumPy.
    Raises:
        ConvgradError: there are no such kernels here; the ones in use stay.
    Example:
        >>> before = info()["kernels"]
        >>> use("reference")
        >>> use(before)
    """
    if name not in kernels.registered():
        raise ConvgradError(
            f"backends.use: no kernels called {name!r} in this installation; "
            f"available: {', '.join(kernels.registered())}"
        )
    kernels.table.fill(name)
