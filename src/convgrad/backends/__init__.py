"""Which kernels compute, and how to choose others."""

from __future__ import annotations

import numpy as np

from convgrad import kernels
from convgrad.backends import cudnn
from convgrad.errors import ConvgradError

__all__ = ["cudnn", "info", "use"]


def info() -> dict[str, str]:
    """What is in use: the kernels, those that could be chosen, and NumPy's version.

    Example:
        >>> info()["kernels"] in info()["available"]
        True
    """
    return {
        "kernels": kernels.table.name,
        "available": ", ".join(kernels.registered()),
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
