"""Measured times of algorithms, kept on disk so that a shape is timed once per machine.

The file is one JSON object, written beside its place and moved into it, so a reader never sees half of one.
A file that cannot be read, or is another machine's or version's, counts as empty; one that cannot be written
is no error: times are then kept for this process alone. Two processes that write at once may each lose what
the other has just added, which costs a measurement later, never a wrong value.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import threading
import time
from typing import Any

import numpy as np

from convgrad.dtypes import Array
from convgrad.kernels.algorithms import Machine
from convgrad.kernels.planner import Plan
from convgrad.kernels.problem import Problem
from convgrad.version import RELEASE as __version__

_RUNS = 5
_ENOUGH = 0.05  # seconds after which a candidate has been timed well enough
_MOST_PROBLEMS = 20_000

Seconds = dict[str, float]


def quickest(plans: list[Plan]) -> Plan | None:
    """The plan of least measured time; what is not known yet is measured, in one thread at a time."""
    if len(plans) < 2:
        return plans[0] if plans else None
    problem, machine = plans[0].problem, plans[0].machine
    with _measuring:
        known = _store(machine)
        seconds = known.of(problem)
        new = {plan.name: clock(plan) for plan in plans if plan.name not in seconds}
        if new:
            known.add(problem, new)
            seconds = {**seconds, **new}
    return min(plans, key=lambda plan: seconds[plan.name])


def clock(plan: Plan) -> float:
    """Seconds of one call on random operands: the least of a few runs."""
    first, second, out = operands(plan.problem)
    plan.call(first, second, None, out)  # pages are touched, scratch is there
    best, begin = float("inf"), time.perf_counter()
    for _ in range(_RUNS):
        start = time.perf_counter()
        plan.call(first, second, None, out)
        end = time.perf_counter()
        best = min(best, end - start)
        if end - begin > _ENOUGH:
            break
    return best


def operands(problem: Problem) -> tuple[Array, Array, Array]:
    """Random arrays to compute a problem with, and one to fill."""
    random = np.random.default_rng(0)
    first, second, out = problem.operand_shapes
    a, b = [random.standard_normal(shape, np.float32) for shape in (first, second)]
    dtype = problem.dtype
    return a.astype(dtype, copy=False), b.astype(dtype, copy=False), np.empty(out, dtype)


class Timings:
    """What is known of one machine: seconds by problem and algorithm."""

    def __init__(self, path: str | None, label: dict[str, str]) -> None:
        self.path = path
        self.label = label
        self.seconds: dict[str, Seconds] = self._read()

    def of(self, problem: Problem) -> Seconds:
        """Seconds of each algorithm timed on this problem."""
        return self.seconds.get(_key(problem), {})

    def add(self, problem: Problem, seconds: Seconds) -> None:
        """Keep measured times, here and on disk."""
        if len(self.seconds) >= _MOST_PROBLEMS:
            self.seconds.clear()
        self.seconds[_key(problem)] = {**self.of(problem), **seconds}
        for key, others in self._read().items():  # what other processes have learnt meanwhile
            self.seconds[key] = {**others, **self.seconds.get(key, {})}
        self._write()

    def _read(self) -> dict[str, Seconds]:
        try:
            content = json.loads(_text(self.path)) if self.path else None
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(content, dict) or content.get("made by") != self.label:
            return {}
        plans = content.get("seconds")
        return {k: v for k, v in plans.items() if _sound(v)} if isinstance(plans, dict) else {}

    def _write(self) -> None:
        if self.path is None:
            return
        text = json.dumps({"made by": self.label, "seconds": self.seconds}, indent=0)
        folder, name = os.path.split(self.path)
        part = os.path.join(folder, f".{name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            os.makedirs(folder or ".", exist_ok=True)
            with open(part, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(part, self.path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(part)


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _sound(value: Any) -> bool:
    """Whether a value read from a file is seconds by algorithm."""
    return isinstance(value, dict) and all([type(s) is float and s > 0 for s in value.values()])


def _key(problem: Problem) -> str:
    return f"{problem.primitive} {problem.dtype} {' '.join(map(str, problem.numbers()))}"


_measuring = threading.Lock()


def _unlock() -> None:
    """In a forked child: whoever was measuring is not there."""
    global _measuring
    _measuring = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)

_stores: dict[tuple[str | None, str], Timings] = {}


def _store(machine: Machine) -> Timings:
    name = f"{processor()}-{machine.instruction_set}"
    folder = cache_folder()
    path = None if folder is None else os.path.join(folder, f"plans-{__version__}-{name}.json")
    found = _stores.get((path, name))
    if found is None:
        found = _stores[path, name] = Timings(path, {"convgrad": __version__, "machine": name})
    return found


def cache_folder() -> str | None:
    """Where measured times are kept: ``CONVGRAD_CACHE``, else "convgrad" in the platform's cache folder.

    None (the variable is set to nothing, or there is no home) keeps them in memory only.
    """
    chosen = os.environ.get("CONVGRAD_CACHE")
    if chosen is not None:
        return chosen or None
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")  # a relative path there is to be ignored
        base = base if os.path.isabs(base) else os.path.join(home, ".cache")
    return os.path.join(base, "convgrad") if os.path.isabs(base) else None


def processor() -> str:
    """A name for this kind of processor that can stand in a file's name."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        name = next(
            line for line in _text("/proc/cpuinfo").splitlines() if line.startswith("model name")
        ).partition(":")[2]
    kept = "".join([c if c.isalnum() else "-" for c in name.strip().lower()])
    return "-".join([part for part in kept.split("-") if part][:8]) or "unknown"
