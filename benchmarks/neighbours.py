"""Foreign load made on purpose: processes that keep the processor busy beside what is measured."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

from machine import HasPid, process_seconds

# Ends by itself when whoever started it is gone.
PROGRAM = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""
WHAT = "a Python process in an endless loop of additions, at the priority of this program"


class Neighbours:
    """So many busy processes, from ``with`` to the end of its block.

    Args:
        count: how many; none is allowed.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Neighbours:
        command = [sys.executable, "-c", PROGRAM]
        self._processes = [subprocess.Popen(command) for _ in range(self._count)]
        self._start, self._before = time.perf_counter(), self._spent()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()

    @property
    def processes(self) -> Sequence[HasPid]:
        """A load meter that knows them does not count them as foreign."""
        return self._processes

    def _spent(self) -> float:
        return sum(process_seconds(process.pid) for process in self._processes)

    def describe(self) -> dict[str, str]:
        """What ran, and how much of the processor it got so far."""
        cores = (self._spent() - self._before) / max(time.perf_counter() - self._start, 1e-9)
        return {"processes": f"{self._count}, each {WHAT}", "they had": f"{cores:.2f} cores together"}
