"""One BLAS thread: for the small matrices of the tour a second one costs more than it brings.

OpenBLAS's threads wait for each other by spinning: on an idle machine that gains nothing for matrices of this
size, and where other programs want the cores too the tour would take many times as long.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

_PREFIXES = ("scipy_openblas", "openblas")
_SUFFIXES = ("64_", "_64", "")
_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "GOTO_NUM_THREADS")


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """OpenBLAS runs with one thread inside the block, with as many as before after it.

    Nothing happens where the environment names a number of threads, or where NumPy uses another BLAS.
    """
    switches = [] if any(name in os.environ for name in _VARIABLES) else openblas_switches()
    before = [get() for get, _ in switches]
    for _, set_count in switches:
        set_count(1)
    try:
        yield
    finally:
        for count, (_, set_count) in zip(before, switches, strict=True):
            set_count(count)


def openblas_switches() -> list[tuple[Callable[[], int], Callable[[int], object]]]:
    """(get, set) of the number of threads, for every OpenBLAS in this process."""
    found = []
    for path in _libraries():
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(path)
            for stem in (f"{prefix}_%s_num_threads{suffix}" for prefix in _PREFIXES for suffix in _SUFFIXES):
                if hasattr(library, stem % "get") and hasattr(library, stem % "set"):
                    found.append((getattr(library, stem % "get"), getattr(library, stem % "set")))
                    break
    return found


def _libraries() -> list[str]:
    """The files of the loaded OpenBLAS libraries: as the kernel says, else where NumPy's wheel has them."""
    maps = Path("/proc/self/maps")
    if maps.is_file():
        return sorted(set(re.findall(r"/\S*openblas\S*", maps.read_text(errors="replace"))))
    package = Path(np.__file__).parent
    folders = (package.parent / "numpy.libs", package / ".dylibs")
    return sorted(str(path) for folder in folders for path in folder.glob("*openblas*"))
