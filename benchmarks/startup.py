"""From nothing to a result: what an import costs, and time and memory until a first gradient or prediction.

The results are the gradients of a Conv1d and of LeNet, and LeNet's prediction with weights from a file. Every
figure comes from a fresh process; the files are in the page cache (a first round is thrown away).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
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

# argv: the module to import ("" for none), the monotonic clock at the start of it, what to do then, a file of
# weights for that
PROBE = """
import sys, time
module, started, program, weights = sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4]
start = time.perf_counter()
if module:
    library = __import__(module)
imported = time.perf_counter() - start
exec(program)
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

LAYER = """
layer = library.nn.Conv1d(2, 16, 3)
layer(library.randn(1, 2, 64)).sum().backward()
assert layer.weight.grad.shape == (16, 2, 3)
"""
CONVNET = """
from nets import lenet
net = lenet(library)
loss = library.nn.functional.cross_entropy(net(library.randn(8, 1, 28, 28)), library.arange(8))
loss.backward()
assert net[0].weight.grad.shape == (6, 1, 5, 5)
"""
PREDICTION = """
from nets import lenet
net = lenet(library)
net.load_state_dict(library.load(weights))
net.eval()
with library.no_grad():
    assert net(library.zeros(1, 1, 28, 28)).shape == (1, 10)
"""
SAVED = """
from nets import lenet
library.save(lenet(library).state_dict(), weights)
"""

# label: the two rows, and the program
RESULTS = {
    "gradient": (
        "process start to first gradient of Conv1d(2, 16, 3)", "resident memory at the first gradient", LAYER,
    ),
    "convnet": (
        "process start to first gradient of LeNet, batch 8", "resident memory at LeNet's gradient", CONVNET,
    ),
    "prediction": (
        "process start to first prediction of LeNet, weights from a file",
        "resident memory at LeNet's prediction",
        PREDICTION,
    ),
}  # fmt: skip


class Probe(NamedTuple):
    """What one fresh process reports: seconds, seconds, bytes."""

    imported: float
    ready: float
    memory: float
    version: str


class Subject(NamedTuple):
    """One kind of fresh process: its label, interpreter, module and what it does after the import."""

    label: str
    python: str
    module: str
    program: str = ""


def fresh(subject: Subject, weights: Path, environ: dict[str, str]) -> Probe:
    """Start a process that imports the subject's module and runs its program, which may read ``weights``."""
    command = [subject.python, "-c", PROBE, subject.module, repr(time.monotonic()), subject.program]
    done = subprocess.run([*command, str(weights)], capture_output=True, text=True, env=environ, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{subject.module or 'an empty program'}: {done.stderr.strip().splitlines()[-1]}")
    return Probe(**json.loads(done.stdout.strip().splitlines()[-1]))


def measure(
    subjects: list[Subject], weights: Path, rounds: int, environ: dict[str, str]
) -> tuple[dict[str, list[Probe]], dict[str, str]]:
    """Every subject once a round, in turn; a subject that fails is left out with its reason."""
    found: dict[str, list[Probe]] = {subject.label: [] for subject in subjects}
    failures: dict[str, str] = {}
    for turn in range(rounds + 1):
        for subject in subjects:
            if subject.label in failures:
                continue
            try:
                probe = fresh(subject, weights, environ)
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
        *(
            row(name, field, f"our {what}", f"their {what}")
            for what, (first, second, _) in RESULTS.items()
            for name, field in ((first, "ready"), (second, "memory"))
        ),
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


def subjects(wanted: argparse.Namespace) -> list[Subject]:
    """All kinds of process, ours and theirs in turn."""
    sides = (("our", wanted.python, wanted.ours), ("their", wanted.torch_python, wanted.theirs))
    return [
        Subject("empty (ours)", wanted.python, ""),
        Subject("empty (theirs)", wanted.torch_python, ""),
        Subject("numpy", wanted.python, "numpy"),
        Subject(wanted.ours, wanted.python, wanted.ours),
        Subject(wanted.theirs, wanted.torch_python, wanted.theirs),
        *(
            Subject(f"{whose} {what}", python, module, program)
            for what, (_, _, program) in RESULTS.items()
            for whose, python, module in sides
        ),
    ]


def main(argv: list[str] | None = None) -> int:
    """Measure and report; the exit code as in :func:`harness.main`."""
    wanted = options("startup", argv)
    before, faults = idle_before(wanted)
    if faults and not wanted.allow_load:
        return BUSY
    environ = environment(wanted.threads)
    if not os.path.exists(wanted.torch_python):
        print(f"benchmark startup: no {wanted.torch_python}; `make parity` makes it", file=sys.stderr)
        return FAILED
    with tempfile.TemporaryDirectory(prefix="convgrad-bench-") as folder:
        weights = Path(folder) / "lenet.pt"
        try:
            fresh(Subject("weights", wanted.torch_python, wanted.theirs, SAVED), weights, environ)
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            print(f"benchmark startup: no file of weights: {error}", file=sys.stderr)
            return FAILED
        meter = LoadMeter()
        found, failures = measure(subjects(wanted), weights, max(wanted.rounds, 10), environ)
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
