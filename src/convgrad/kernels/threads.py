"""How many threads the compiled kernels share: PyTorch's functions, and the number to begin with.

The number to begin with is the environment's (``CONVGRAD_NUM_THREADS``, else ``OMP_NUM_THREADS``), else the
processors this process may use: those of its affinity mask, or as many as its cgroup's quota pays for.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from convgrad.errors import ConvgradError, DtypeError
from convgrad.kernels.machine import _native

VARIABLES = ("CONVGRAD_NUM_THREADS", "OMP_NUM_THREADS")
_MOST = 2**31 - 1


class _Numbers:
    """What was set last."""

    __slots__ = ("threads", "interop", "interop_set")

    threads: int
    interop: int
    interop_set: bool


_numbers = _Numbers()


def get_num_threads() -> int:
    """How many threads share the work of one kernel.

    Example:
        >>> from convgrad import get_num_threads
        >>> get_num_threads() >= 1
        True
    """
    return _numbers.threads


def set_num_threads(count: int) -> None:
    """Share the work of each kernel among ``count`` threads, the calling one included, from now on.

    Results do not depend on it. It may exceed the number of processors. Products that
    NumPy computes have threads of their own, which this does not touch.

    Raises:
        ConvgradError: ``count`` is no positive integer.
    Source: semantics of torch.set_num_threads.
    """
    _numbers.threads = _positive("set_num_threads", count)
    if _native is not None:
        _native.set_num_threads(_numbers.threads)


def get_num_interop_threads() -> int:
    """What ``set_num_interop_threads`` was given, else the number of processors; nothing depends on it."""
    return _numbers.interop


def set_num_interop_threads(count: int) -> None:
    """Accepted once, as by PyTorch, and without effect: operations follow each other on the calling thread.

    Raises:
        ConvgradError: ``count`` is no positive integer, or a number was set before.
    """
    value = _positive("set_num_interop_threads", count)
    if _numbers.interop_set:
        raise ConvgradError(
            "Error: cannot set number of interop threads after parallel work has started or "
            f"set_num_interop_threads called: it is {_numbers.interop}, and {value} comes too late"
        )
    _numbers.interop, _numbers.interop_set = value, True


def _positive(function: str, count: Any) -> int:
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)):
        raise DtypeError(f"{function} expects an int, but got {type(count).__name__}")
    if count < 1:
        raise ConvgradError(f"{function} expects a positive integer, but got {count}")
    if count > _MOST:
        raise ConvgradError(f"{function} expects a positive integer of 32 bits, but got {count}")
    return int(count)


def default_threads() -> int:
    """The number to begin with."""
    for name in VARIABLES:
        text = os.environ.get(name, "").strip()
        first = text.partition(",")[0].strip()  # OpenMP allows one number per level of nesting
        if first.isascii() and first.isdigit() and 0 < int(first) <= _MOST:
            return int(first)
        if text and name == VARIABLES[0]:
            warnings.warn(f"{name} should be a positive integer, but is {text!r}: ignored", stacklevel=2)
    return max(1, min([processors(), *quotas()]))


def processors() -> int:
    """How many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quotas(
    membership: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")
) -> Iterator[int]:
    """Processors' worth of time, rounded up, that each limit on this process's control groups allows.

    Args:
        membership: the file that names the process's group in each hierarchy.
        mounted: where the hierarchies are mounted.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        roots = ("", "unified") if not controllers else (controllers, "cpu")
        # A limit on any group above holds as well. Inside a container the path may be the host's: then only
        # the root of the mount is there, and it is the container's own group.
        above = Path(path.strip("/"))
        for root in roots:
            for group in (above, *above.parents):
                limit = _limit(mounted / root / group)
                if limit is not None:
                    yield limit


def _limit(group: Path) -> int | None:
    """The quota of one group, of either version, in processors."""
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text()
            period = (group / "cpu.cfs_period_us").read_text()
        return None if quota == "max" or int(quota) <= 0 else -(-int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None


_numbers.interop, _numbers.interop_set = processors(), False
set_num_threads(default_threads())
