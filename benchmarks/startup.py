"""From nothing to a gradient: what an import costs, and time and memory until the first gradient of a Conv1d.

Every figure comes from a fresh process; the files are in the page cache (a first round is thrown away).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from typing import NamedTuple

from harness import (
    BUSY,
    FAILED,
    Check,
    Report,
    Row,
    environment,
    finish,
    idle_before,
    load_fault,
    options,
)
from machine import LoadMeter, describe_machine

LIMIT_OVER_NUMPY = 0.025

# argv: the module to import ("" for none), the monotonic clock at the start of it, 1 for a gradient
PROBE = """
import sys, time
module, started, gradient = sys.argv[1], float(sys.argv[2]), sys.argv[3] == "1"
start = time.perf_counter()
if module:
    library = __import__(module)
imported = time.perf_counter() - start
if gradient:
    layer = library.nn.Conv1d(2, 16, 3)
    layer(library.randn(1, 2, 64)).sum().backward()
    assert layer.weight.grad.shape == (16, 2, 3)
ready = time.monotonic() - started
memory = 0
try:
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmRSS"):
                memory = int(line.split()[1]) * 1024
except OSError:
    pass
version = getattr(sys.modules.get(module), "__version__", "")
print('{"imported": %r, "ready": %r, "memory": %d, "version": "%s"}' % (imported, ready, memory, version))
"""


class Probe(NamedTuple):
    """What one fresh process reports: seconds, seconds, bytes."""

    imported: float
    ready: float
    memory: float
    version: str


def fresh(python: str, module: str, gradient: bool, environ: dict[str, str]) -> Probe:
    """Start a process that imports ``module`` and, if wanted, goes on to a first gradient."""
    command = [python, "-c", PROBE, module, repr(time.monotonic()), "1" if gradient else "0"]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{module or 'an empty program'}: {done.stderr.strip().splitlines()[-1]}")
    return Probe(**json.loads(done.stdout.strip().splitlines()[-1]))


class Subject(NamedTuple):
    """One kind of fresh process: its label, interpreter, module and whether it computes a gradient."""

    label: str
    python: str
    module: str
    gradient: bool


def measure(
    subjects: list[Subject], rounds: int, environ: dict[str, str]
) -> tuple[dict[str, list[Probe]], dict[str, str]]:
    """Every subject once a round, in turn; a subject that fails is left out with its reason."""
    found: dict[str, list[Probe]] = {subject.label: [] for subject in subjects}
    failures: dict[str, str] = {}
    for turn in range(rounds + 1):
        for subject in subjects:
            if subject.label in failures:
                continue
            try:
                probe = fresh(subject.python, subject.module, subject.gradient, environ)
            except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
                failures[subject.label] = str(error)
                continue
            if turn:
                found[subject.label].append(probe)
    return found, failures


def report_rows(
    found: dict[str, list[Probe]], failures: dict[str, str], wanted: argparse.Namespace
) -> list[Row]:
    """The figures side by side."""

    def row(name: str, field: str, ours: str, theirs: str) -> Row:
        reasons = "; ".join(failures[label] for label in dict.fromkeys((ours, theirs)) if label in failures)
        values = [
            [float(getattr(probe, field)) for probe in found.get(label, [])] for label in (ours, theirs)
        ]
        if field == "memory":
            values = [[value / 2**20 for value in side] for side in values]
        return Row(name, "MiB" if field == "memory" else "s", values[0], values[1], reasons)

    return [
        row(
            "control: an empty program, process start to end of it", "ready", "empty (ours)", "empty (theirs)"
        ),
        row("import (numpy on our side)", "imported", "numpy", wanted.theirs),
        row(f"import ({wanted.ours} with numpy on our side)", "imported", wanted.ours, wanted.theirs),
        row("resident memory after the import", "memory", wanted.ours, wanted.theirs),
        row("process start to first gradient of Conv1d(2, 16, 3)", "ready", "our gradient", "their gradient"),
        row("resident memory at the first gradient", "memory", "our gradient", "their gradient"),
    ]


def import_check(rows: list[Row], ours: str) -> list[Check]:
    """The promise about the import: NumPy's own and 25 ms."""
    numpy, own = rows[1], rows[2]
    if numpy.error or own.error:
        return []
    extra = own.our_median - numpy.our_median
    text = (
        f"import {ours} takes {extra * 1e3:.1f} ms more than numpy's (at most {LIMIT_OVER_NUMPY * 1e3:.0f})"
    )
    return [Check(text, extra <= LIMIT_OVER_NUMPY)]


def main(argv: list[str] | None = None) -> int:
    """Measure and report; the exit code as in :func:`harness.main`."""
    wanted = options("startup", argv)
    before, faults = idle_before(wanted)
    if faults and not wanted.allow_load:
        return BUSY
    environ = environment(wanted.threads)
    subjects = [
        Subject("empty (ours)", wanted.python, "", False),
        Subject("empty (theirs)", wanted.torch_python, "", False),
        Subject("numpy", wanted.python, "numpy", False),
        Subject(wanted.ours, wanted.python, wanted.ours, False),
        Subject(wanted.theirs, wanted.torch_python, wanted.theirs, False),
        Subject("our gradient", wanted.python, wanted.ours, True),
        Subject("their gradient", wanted.torch_python, wanted.theirs, True),
    ]
    if not os.path.exists(wanted.torch_python):
        print(f"benchmark startup: no {wanted.torch_python}; `make parity` makes it", file=sys.stderr)
        return FAILED
    meter = LoadMeter()
    found, failures = measure(subjects, max(wanted.rounds, 10), environ)
    during = meter.foreign_cores()
    faults += load_fault(during, wanted.max_load, "during")
    rows = report_rows(found, failures, wanted)
    about = {"machine": describe_machine()}
    about["versions"] = {
        label: probes[0].version for label, probes in found.items() if probes and probes[0].version
    }
    checks = import_check(rows, wanted.ours)
    load = {"before": before, "during": during}
    return finish(
        Report("startup", (wanted.ours, wanted.theirs), about, rows, {}, checks, load, faults), wanted
    )


if __name__ == "__main__":
    sys.exit(main())
