"""The compiled kernels, if they are here, and the instruction set they are run with.

The only importer of ``_native``. Two environment variables are read, once each: CONVGRAD_ISA names another
instruction set than the best (``avx512``, ``avx2``, ``baseline``), for tests and comparisons;
CONVGRAD_KERNELS names the kernel set to start with (``native``, ``reference``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache

from convgrad.errors import ConvgradError

try:
    from convgrad.kernels import _native as _native
except ImportError as error:  # not compiled here: the NumPy kernels serve
    _native = None  # type: ignore[assignment]
    _refusal, _refused = str(error), error.path or ""

_HERE = os.path.dirname(__file__)
_SOURCES = os.path.normpath(os.path.join(_HERE, *[os.pardir] * 3, "CMakeLists.txt"))


def why_not_native() -> str:
    """Why there are no compiled kernels, as far as it is known; empty if there are."""
    if _native is not None:
        return ""
    if _refused.endswith((".so", ".pyd")):
        return f"{_refused} cannot be loaded: {_refusal}"
    if os.path.exists(os.path.join(_HERE, "build_failed.txt")):
        return (
            "their build failed when convgrad was installed; to see why: "
            "pip install --verbose --force-reinstall --no-deps --no-cache-dir convgrad"
        )
    others = sorted(
        name for name in os.listdir(_HERE) if name.startswith("_native.") and name != "_native.pyi"
    )
    if others:
        return f"built for another Python: {', '.join(others)}"
    if os.path.exists(_SOURCES):
        return "not built beside these sources; to build them or see why not: make native"
    return "this is the pure Python package"


@cache
def instruction_set() -> str:
    """The instruction set that compiled kernels are run with: the best there is, or what CONVGRAD_ISA names.

    Raises:
        ConvgradError: CONVGRAD_ISA names one that was not built, or that this processor lacks.
    """
    names, wanted = _native.instruction_sets(), os.environ.get("CONVGRAD_ISA", "")
    if wanted and wanted not in names:
        raise ConvgradError(
            f"CONVGRAD_ISA={wanted!r}: no compiled kernels for it run on this machine; "
            f"available: {', '.join(names)}; unset CONVGRAD_ISA for the best of them, {names[-1]}"
        )
    chosen = wanted or names[-1]
    _native.use_instruction_set(chosen)
    return chosen


def first_kernels(registered: tuple[str, ...], environment: Mapping[str, str] = os.environ) -> str:
    """The kernel set to start with, of those registered: the last, or what CONVGRAD_KERNELS names.

    Raises:
        ConvgradError: there is no such set here.
    """
    wanted = environment.get("CONVGRAD_KERNELS", "")
    if wanted and wanted not in registered:
        reason = why_not_native() if wanted == "native" else ""
        raise ConvgradError(
            f"CONVGRAD_KERNELS={wanted!r}: no such kernels in this installation{reason and f' ({reason})'}; "
            f"available: {', '.join(registered)}; unset it for the best of them, {registered[-1]}"
        )
    return wanted or registered[-1]


def facts() -> dict[str, str]:
    """What ``convgrad.backends.info`` tells of the compiled kernels."""
    if _native is None:
        return {"compiled": f"no: {why_not_native()}"}
    build = _native.build_info()
    return {
        "compiled": f"yes, by {build['compiler']} for {build['instruction_sets'].replace(' ', ', ')}",
        "instruction_set": instruction_set(),
        "threads": str(_native.get_num_threads()),
    }
