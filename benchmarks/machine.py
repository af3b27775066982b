"""What a measurement must say about the machine: processor, versions, BLAS, threads, who else was busy.

Standard library only, at import: the worker of either library loads this file.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "CONVGRAD_NUM_THREADS")
KERNEL_VARIABLES = (
    "CONVGRAD_ISA",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "MKL_ENABLE_INSTRUCTIONS",
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "XLA_FLAGS",
)


def _tick() -> float:
    return 1.0 / os.sysconf("SC_CLK_TCK")


def busy_seconds(text: str | None = None) -> float | None:
    """Processor seconds, over all cores, that were not idle since boot; None where /proc/stat is missing."""
    if text is None:
        try:
            text = Path("/proc/stat").read_text()
        except OSError:
            return None
    first = text.partition("\n")[0].split()
    if not first or first[0] != "cpu":
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(field) for field in first[1:9])
    return (user + nice + system + irq + softirq + steal) * _tick()


def process_seconds(pid: int) -> float:
    """Processor seconds of a process, its threads and the children it has waited for; 0 if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()  # a name may hold spaces; what follows it does not
    return sum(int(field) for field in fields[11:15]) * _tick()


class HasPid(Protocol):
    """A process that can be found in /proc."""

    @property
    def pid(self) -> int: ...


class LoadMeter:
    """Foreign processor load: what the machine spent, less what this process and its children spent.

    Args:
        children: child processes that live while the measurement starts; what one of them spent counts as
            this process's when it has ended and was waited for, and another may then have its place.
    """

    def __init__(self, children: Sequence[HasPid] = ()) -> None:
        self._children = children
        self.restart()

    def restart(self) -> None:
        """Start a new measurement."""
        self._time = time.perf_counter()
        self._busy = busy_seconds()
        self._own = self._own_seconds()

    def _own_seconds(self) -> float:
        pids = (os.getpid(), *(child.pid for child in self._children))
        return sum(map(process_seconds, pids))

    def foreign_cores(self) -> float | None:
        """Cores that others kept busy since the last restart, on average; None if unknown on this system."""
        busy = busy_seconds()
        if busy is None or self._busy is None:
            return None
        own = self._own_seconds() - self._own
        return max(0.0, busy - self._busy - own) / (time.perf_counter() - self._time)


def resident_bytes() -> int:
    """Resident memory of this process, in bytes; 0 where /proc is not to be had."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _quota() -> str:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return "unknown"
    return "none" if quota == "max" else f"{int(quota) / int(period):g} cores"


def usable_cores() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine() -> dict[str, str]:
    """Processor, cores, instruction sets that matter, quota and kernel."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    about = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = about.get("flags", about.get("Features", "")).split()
    wanted = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile", "asimd", "sve")
    return {
        "processor": about.get("model name", platform.processor() or platform.machine()),
        "cores": f"{usable_cores()} usable",
        "instruction sets": " ".join(flag for flag in wanted if flag in flags) or "unknown",
        "cgroup quota": _quota(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def _blas_threads() -> str:
    """Threads of the loaded BLAS, if threadpoolctl is there to ask; else what the environment says."""
    try:
        pools = importlib.import_module("threadpoolctl").threadpool_info()
    except ImportError:
        return next(
            (os.environ[name] for name in THREAD_VARIABLES if name in os.environ), "the library's default"
        )
    return ", ".join(f"{pool['internal_api']} {pool['num_threads']}" for pool in pools) or "none"


def _installed_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _first_line(*command: str) -> str:
    """What a command prints first."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.stdout.partition("\n")[0]


def describe_library(library: Any) -> dict[str, str]:
    """Versions, BLAS and threads of the process that runs ``library``; asked in the worker."""
    about = {
        "python": platform.python_version(),
        library.__name__: getattr(library, "__version__", None) or _installed_version(library.__name__),
    }
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        blas = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
        about["numpy"] = f"{numpy.__version__} ({blas.get('name')} {blas.get('version')})"
        about["numpy's BLAS threads"] = _blas_threads()
    info = getattr(getattr(library, "backends", None), "info", None)
    if info is not None:
        about |= {key: str(value) for key, value in info().items() if key != "numpy"}
    if library.__name__ == "torch":
        lines = library.__config__.show().splitlines()
        about["kernels"] = "; ".join(
            line.strip(" -")
            for line in lines
            if "Version" in line or "capability" in line or "MKL-DNN" in line
        )
    if library.__name__ == "tinygrad":
        about["compiler"] = _first_line(os.environ.get("CC", "clang"), "--version")
    if hasattr(library, "get_num_threads"):
        about["threads"] = str(library.get_num_threads())
    for name in THREAD_VARIABLES + KERNEL_VARIABLES:
        if name in os.environ:
            about[name] = os.environ[name]
    return about
