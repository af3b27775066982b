"""Convolutions of published networks beside PyTorch: each row of shapes.toml forward, and forward + backward.

Both sides run in workers of their own and are asked in turn. Further columns, where they run: PyTorch with
channels_last, JAX, NumPy + SciPy. ``--busy`` measures a few rows beside busy processes, ``--isa avx2`` holds
all sides to AVX2.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import conv_cases
from conv_cases import CHANNELS_LAST, FORMS, FORWARD, case_name, errors_of
from conv_report import (
    BESIDE_OTHERS,
    IDLE,
    ConvReport,
    Result,
    error_checks,
    speed_checks,
)
from conv_rows import ConvRow, read_rows
from harness import (
    LEAST_ROUNDS,
    ROOT,
    Asked,
    Row,
    Side,
    both_sides,
    control_fault,
    describe,
    environment,
    load_fault,
    measure_row,
    measure_sides,
    options,
    reported,
    started,
)
from machine import LoadMeter, usable_cores
from neighbours import Neighbours
from worker import CONTROL, Worker, WorkerError, work

# What holds every side to an instruction set.
INSTRUCTION_SETS = {
    "avx2": {
        "CONVGRAD_ISA": "avx2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    },
}
# A row or two of each group: what is slow beside busy neighbours is slow for all.
BUSY_ROWS = (
    "3x3 / ResNet-18/50 stage 1",
    "3x3 / ResNet-18/50 stage 3, batch 1",
    "stride, 1x1, stem / ResNet-50 stem",
    "stride, 1x1, stem / ResNet-50 stage 1, 256 -> 64",
    "few, odd, dilated, 1-d / LeNet conv2",
    "few, odd, dilated, 1-d / ECG net k7",
    "depthwise / MobileNetV2 3x3, 144 channels",
    "long / filter bank, k1024",
    "transposed / DCGAN 4x4 stride 2, 128 -> 64",
    "grouped / ResNeXt-50 stage 1, 32 groups",
)
BUSY_BATCH = 0.2  # seconds: several turns of the scheduler
CALM_TRIES = 3  # a row that others disturbed is measured again
PATIENCE = 30.0  # seconds for an answer of a further column: a shape they cannot do well is left out
WRONG = 1e-3  # a relative error that no rounding explains
LABELS = {"jax": "JAX", "scipy": "NumPy + SciPy"}


def more_options(parser: argparse.ArgumentParser) -> None:
    """The command line of this benchmark alone."""
    cores = usable_cores()
    parser.set_defaults(threads=cores)
    parser.add_argument(
        "--busy", type=int, nargs="?", const=cores, default=0, metavar="N",
        help=f"measure a few rows beside N busy processes ({cores}, as many as cores)",
    )  # fmt: skip
    parser.add_argument(
        "--isa", choices=sorted(INSTRUCTION_SETS), help="hold all sides to this instruction set"
    )
    parser.add_argument(
        "--jax", action=argparse.BooleanOptionalAction, help="the column of JAX (if its interpreter is there)"
    )
    parser.add_argument(
        "--jax-python", default=str(ROOT / ".venv-jax" / "bin" / "python"),
        help="interpreter of an environment that has JAX (.venv-jax/bin/python, see `make jax`)",
    )  # fmt: skip
    parser.add_argument(
        "--scipy", action=argparse.BooleanOptionalAction, help="the column of NumPy + SciPy (if installed)"
    )
    parser.add_argument(
        "--channels-last", action=argparse.BooleanOptionalAction, default=True,
        help="the column of PyTorch with channels_last",
    )  # fmt: skip
    parser.add_argument(
        "--errors", action=argparse.BooleanOptionalAction, default=True, help="compare results with float64"
    )


def report_name(wanted: argparse.Namespace) -> str:
    """``conv``, with what distinguishes this run."""
    parts = ["conv", *([wanted.isa] if wanted.isa else []), *(["busy"] if wanted.busy else [])]
    return "-".join(parts)


def chosen_rows(wanted: argparse.Namespace) -> list[ConvRow]:
    """The rows to measure."""
    rows = [row for row in read_rows() if wanted.only in row.name]
    if wanted.busy and not wanted.only:
        rows = [row for row in rows if row.name in BUSY_ROWS]
    return rows


def has_module(python: str, module: str) -> bool:
    """Whether an interpreter is there and can import a module."""
    try:
        return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0
    except OSError:
        return False


def further_sides(wanted: argparse.Namespace) -> list[Side]:
    """JAX and SciPy: where asked for, or where nothing was said and they are installed.

    Raises:
        WorkerError: asked for and not there.
    """
    sides = []
    for choice, side in (
        (wanted.jax, Side(wanted.jax_python, "jax", PATIENCE)),
        (wanted.scipy, Side(wanted.python, "scipy", PATIENCE)),
    ):
        if choice is False or (choice is None and not Path(side.python).exists()):
            continue
        if has_module(side.python, side.library):
            sides.append(side)
        elif choice:
            raise WorkerError(f"{side.python} has no {side.library}")
    return sides


class Session:
    """The workers of one run, and what they are asked row by row.

    Args:
        workers: ours, theirs if there is one, then the further ones.
        wanted: the command line.
        folder: for results on their way to be compared.
        beside: processes whose load is intended.
    """

    def __init__(
        self, workers: list[Worker], wanted: argparse.Namespace, folder: Path, beside: Neighbours
    ) -> None:
        self.wanted, self.folder = wanted, folder
        self.pair = workers[: 2 if wanted.theirs else 1]
        self.others = workers[len(self.pair) :]
        self.processes = (*workers, *beside.processes)
        self.known = {worker: set(worker.ask("names")["rows"]) for worker in workers}
        for worker in workers:
            worker.tell("threads", threads=wanted.threads)

    @property
    def columns(self) -> list[str]:
        """Labels of the further columns."""
        first = [CHANNELS_LAST] if len(self.pair) > 1 and self.wanted.channels_last else []
        return [f"{self.wanted.theirs} {label}" for label in first] + [
            LABELS[worker.library] for worker in self.others
        ]

    def measure(self, row: ConvRow) -> Result:
        """Everything about one row; once more if others were busy meanwhile."""
        for _ in range(1 if self.wanted.allow_load else CALM_TRIES):
            meter = LoadMeter(self.processes)
            timings, others, notes = {}, {}, []
            for form in FORMS:
                timings[form] = measure_row(case_name(row, form), ["s", 1, None], self.pair, self.wanted)
                others[form], errors = self._further(row, form)
                notes += errors
            load = meter.foreign_cores()
            if load is not None and load <= self.wanted.max_load:
                break
        if load is not None and load > self.wanted.max_load and not self.wanted.allow_load:
            notes.append(f"others were busy meanwhile: {load:.0%} of a core")
        able = [worker for worker in self.others if LABELS[worker.library] in others[FORWARD]]
        errors_found, more_notes = self._errors(row, able) if self.wanted.errors else ({}, [])
        return Result(row, timings, others, errors_found, self._plans(row), notes + more_notes, load)

    def _plans(self, row: ConvRow) -> list[tuple[str, bool]]:
        """Our algorithms for the row, each with whether it is a direct one."""
        try:
            answer = self.pair[0].ask("plans", row=row.name)
        except WorkerError:  # the row's own error says more
            return []
        return [(name, exact) for name, exact in answer.get("plans", [])]

    def _further(self, row: ConvRow, form: str) -> tuple[dict[str, float], list[str]]:
        """Medians of the further columns, and what went wrong there."""
        asked = {}
        if len(self.pair) > 1 and self.wanted.channels_last:
            asked[self.columns[0]] = Asked(self.pair[1], case_name(row, form, CHANNELS_LAST))
        for worker in self.others:
            asked[LABELS[worker.library]] = Asked(worker, case_name(row, form))
        asked = {label: side for label, side in asked.items() if side.case in self.known[side.worker]}
        fewer = argparse.Namespace(**vars(self.wanted))
        fewer.rounds = max(LEAST_ROUNDS, self.wanted.rounds // 2)
        values, errors = measure_sides(list(asked.values()), fewer)
        medians = {
            label: Row(label, "s", found, []).our_median
            for label, found in zip(asked, values, strict=True)
            if found
        }
        return medians, [f"{form}: {error}" for error in errors if error]

    def _errors(self, row: ConvRow, others: list[Worker]) -> tuple[dict[str, list[float]], list[str]]:
        """Errors against PyTorch's float64 result: of both sides, and of the others that could do the row."""
        if len(self.pair) < 2:
            return {}, []
        exact = self.folder / "exact"
        notes, found = [], {}
        try:
            self._save(self.pair[1], row, exact, double=True)
            for worker in (*self.pair, *others):
                stem = self.folder / worker.library
                count = self._save(worker, row, stem, double=False)
                found[worker.library] = errors_of(stem, exact, count)
                if max(found[worker.library]) > WRONG:
                    notes.append(f"{worker.library} computes something else: errors {found[worker.library]}")
        except (WorkerError, ValueError) as error:
            notes.append(f"errors against float64: {error}")
        for path in self.folder.glob("*.npy"):
            path.unlink()
        return found, notes

    def _save(self, worker: Worker, row: ConvRow, stem: Path, *, double: bool) -> int:
        """Have a worker write its results for a row; how many arrays that were."""
        answer = worker.ask("results", row=row.name, stem=str(stem), double=double)
        if "error" in answer:
            raise WorkerError(f"{worker.library}: {answer['error']}")
        return int(answer["saved"])


def measured(wanted: argparse.Namespace, faults: list[str], before: float | None) -> ConvReport:
    """Run everything; the report."""
    environ = environment(wanted.threads) | INSTRUCTION_SETS.get(wanted.isa, {})
    rows = chosen_rows(wanted)
    sides = [*both_sides(wanted), *([] if wanted.busy else further_sides(wanted))]
    if wanted.busy:
        wanted.seconds, wanted.errors = max(wanted.seconds, BUSY_BATCH), False
    with (
        tempfile.TemporaryDirectory(prefix="convgrad-bench-") as folder,
        started(sides, environ, wanted.timeout) as workers,
    ):
        about = describe(workers)
        peak = workers[0].ask("peak", threads=wanted.threads, seconds=1.0).get("flops", 0.0)
        table = workers[0].ask("instruction set").get("name", "")
        with Neighbours(wanted.busy) as beside:
            session = Session(workers, wanted, Path(folder), beside)
            meter = LoadMeter(session.processes)
            control = measure_row(CONTROL, ["s", 1, None], session.pair, wanted)
            results = [shown(session.measure(row)) for row in rows]
            during = meter.foreign_cores()
            if wanted.busy:
                about["beside"] = beside.describe()
    faults = faults + load_fault(during, wanted.max_load, "during")
    faults += [] if wanted.busy else control_fault([control])
    if wanted.isa and table != wanted.isa:
        faults.append(f"{wanted.ours} ran its kernels for {table or 'nothing'}, not for {wanted.isa}")
    about["control"] = {"ratio of the same pure Python on both sides": f"{control.ratio:.2f}"}
    sides_named = (wanted.ours, wanted.theirs)
    complete = not wanted.only and bool(wanted.theirs)
    targets = BESIDE_OTHERS if wanted.busy else IDLE
    checks = speed_checks(results, targets) if complete else []
    checks += error_checks(results, *sides_named)
    load = {"before": before, "during": during}
    return ConvReport(
        report_name(wanted), sides_named, about, results, checks, load, faults, session.columns, peak,
        wanted.threads, targets,
    )  # fmt: skip


def shown(result: Result) -> Result:
    """The result, after a line about it for whoever waits."""
    ratios = " ".join(f"{result.ratio(form):6.2f}" for form in FORMS)
    print(f"  {ratios}  {result.row.name}", file=sys.stderr, flush=True)
    return result


def main(argv: list[str] | None = None) -> int:
    """Measure and report; the exit code as in :func:`harness.main`."""
    wanted = options("conv", argv, more_options)
    if wanted.worker:
        return work(wanted.worker, conv_cases.setup, conv_cases.requests)
    return reported(wanted, "conv", partial(measured, wanted))


if __name__ == "__main__":
    sys.exit(main())
