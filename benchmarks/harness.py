"""Time the same functions on convgrad and on PyTorch, each in a worker process of its own, asked in turn.

A benchmark file defines ``setup(torch) -> dict[str, callable]``, written once for both libraries (an entry
may also be a :class:`Case`), and ends with ``sys.exit(main(setup, "name"))``. A ratio is PyTorch's time over
ours: above 1 convgrad is faster. Nothing is reported when others used the processor meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from machine import THREAD_VARIABLES, LoadMeter, describe_machine
from worker import CONTROL, Case, Setup, Worker, WorkerError, work

__all__ = ["Case", "Check", "Report", "Row", "Rows", "main"]

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
CONTROL_TOLERANCE = 0.10
LEAST_ROUNDS = 3
PAUSE = 0.03  # seconds: by then the threads of the side asked before have stopped spinning (OpenBLAS: 20 ms)
BUSY, FAILED = 3, 1


class Row(NamedTuple):
    """One benchmark on both sides: a value for each round, in ``unit``; ``error`` says why there is none."""

    name: str
    unit: str
    ours: list[float]
    theirs: list[float]
    error: str = ""

    @property
    def our_median(self) -> float:
        return statistics.median(self.ours) if self.ours else float("nan")

    @property
    def their_median(self) -> float:
        return statistics.median(self.theirs) if self.theirs else float("nan")

    @property
    def ratio(self) -> float:
        """Theirs over ours: higher is better for us."""
        return self.their_median / self.our_median if self.our_median else float("nan")


Rows = dict[str, Row]


class Check(NamedTuple):
    """A sentence the figures must bear out."""

    text: str
    holds: bool


def spread(values: list[float]) -> str:
    """Half the distance between the quartiles over the median; nothing for fewer than three values."""
    if len(values) < 3:
        return ""
    low, middle, high = statistics.quantiles(values, n=4)
    return f" ±{(high - low) / 2 / middle:.0%}" if middle else ""


def show(value: float, unit: str) -> str:
    """A number with its unit, seconds in the multiple that reads best."""
    if value != value:
        return "-"
    if unit != "s":
        return f"{value:.4g} {unit}"
    for scale, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= scale:
            return f"{value / scale:.3g} {name}"
    return f"{value / 1e-9:.3g} ns"


def markdown_table(table: list[list[str]], texts: int = 1) -> list[str]:
    """Heading and rows as Markdown; after the first ``texts`` columns all are numbers."""
    head, *body = table
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * texts + "---:|" * (len(head) - texts)]
    return lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in body]


def text_table(table: list[list[str]]) -> list[str]:
    """Heading and rows in columns for a terminal."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table]


class Report:
    """Rows, checks and the circumstances, as text, Markdown and JSON.

    Args:
        name: stem of the files in ``results``.
        sides: labels of our side and theirs.
        about: for each of "machine" and the two sides, what it says of itself.
        rows: the figures.
        targets: least ratio for some rows, by name.
        checks: further sentences about the figures.
        load: foreign load, in cores: "before" and "during"; None where unknown.
        faults: reasons why the figures are not valid; empty if they are.
    """

    def __init__(
        self,
        name: str,
        sides: tuple[str, str],
        about: dict[str, dict[str, str]],
        rows: list[Row],
        targets: dict[str, float],
        checks: list[Check],
        load: dict[str, float | None],
        faults: list[str],
    ) -> None:
        self.name, self.sides, self.about, self.rows = name, sides, about, rows
        self.checks = [*(_target_check(row, targets) for row in rows if row.name in targets), *checks]
        self.load, self.faults = load, faults
        self.date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")

    def table(self) -> list[list[str]]:
        """Heading and rows: name, both medians with their spread, ratio."""
        lines = [["benchmark", *self.sides, f"ratio {self.sides[1]} / {self.sides[0]}"]]
        for row in self.rows:
            if row.error:
                lines.append([row.name, row.error, "", "failed"])
                continue
            ours = f"{show(row.our_median, row.unit)}{spread(row.ours)}"
            theirs = f"{show(row.their_median, row.unit)}{spread(row.theirs)}" if row.theirs else "-"
            lines.append([row.name, ours, theirs, f"{row.ratio:.2f}" if row.theirs else "-"])
        return lines

    def markdown(self) -> str:
        """The report as it stands in ``results``."""
        lines = [*self.opening(), *markdown_table(self.table()), *self.closing()]
        return "\n".join(lines) + "\n"

    def opening(self) -> list[str]:
        """Title, faults, date, how to read it."""
        lines = [f"# Benchmark: {self.name}", ""]
        lines += [f"**NOT VALID: {fault}**\n" for fault in self.faults]
        return [
            *lines,
            f"{self.date}.",
            *self.reading(),
            f"Foreign load before {_cores(self.load['before'])}, during {_cores(self.load['during'])}.",
            "",
        ]

    def reading(self) -> list[str]:
        """How the figures are to be read."""
        return [
            "Medians over rounds, ± half the distance between quartiles.",
            f"A ratio is {self.sides[1]} over {self.sides[0]}: above 1 {self.sides[0]} is better.",
        ]

    def closing(self) -> list[str]:
        """Checks, and what machine and sides say of themselves."""
        lines = []
        if self.checks:
            lines += ["", "## Checks", ""]
            lines += [f"- {'holds' if check.holds else '**MISSED**'}: {check.text}" for check in self.checks]
        for title, facts in self.about.items():
            lines += ["", f"## {title}", "", *(f"- {key}: {value}" for key, value in facts.items())]
        return lines

    def text(self) -> str:
        """The table for a terminal."""
        lines = text_table(self.table())
        lines += [f"{'ok  ' if check.holds else 'MISS'} {check.text}" for check in self.checks]
        return "\n".join(
            line.rstrip() for line in [*lines, *(f"NOT VALID: {fault}" for fault in self.faults)]
        )

    def as_dict(self) -> dict[str, Any]:
        """Everything, every round's value too, for JSON."""
        rows = [
            row._asdict() | {"ratio": row.ratio if row.theirs and not row.error else None}
            for row in self.rows
        ]
        return {
            "name": self.name,
            "date": self.date,
            "valid": not self.faults,
            "faults": self.faults,
            "sides": self.sides,
            "load": self.load,
            "about": self.about,
            "rows": rows,
            "checks": [check._asdict() for check in self.checks],
        }

    def write(self, folder: Path) -> Path:
        """Write both files; those of an invalid run bear it in their name. Returns the Markdown's path."""
        folder.mkdir(parents=True, exist_ok=True)
        stem = self.name if not self.faults else f"{self.name}-not-valid"
        (folder / f"{stem}.json").write_text(json.dumps(self.as_dict(), indent=1) + "\n", encoding="utf-8")
        path = folder / f"{stem}.md"
        path.write_text(self.markdown(), encoding="utf-8")
        return path


def _cores(load: float | None) -> str:
    return "unknown" if load is None else f"{load:.1%} of a core"


def _target_check(row: Row, targets: dict[str, float]) -> Check:
    least = targets[row.name]
    return Check(f"{row.name}: ratio {row.ratio:.2f}, wanted {least:g}", row.ratio >= least)


# ---- the run


def options(
    name: str,
    argv: list[str] | None = None,
    extend: Callable[[argparse.ArgumentParser], None] | None = None,
) -> argparse.Namespace:
    """The command line shared by all benchmarks; ``extend`` adds a benchmark's own."""
    parser = argparse.ArgumentParser(prog=f"benchmarks/{name}.py", description=f"Benchmark {name}.")
    parser.add_argument("--worker", metavar="LIBRARY", help=argparse.SUPPRESS)
    parser.add_argument("--python", default=sys.executable, help="interpreter of our side (this one)")
    parser.add_argument(
        "--torch-python",
        default=str(ROOT / ".venv-parity" / "bin" / "python"),
        help="interpreter of an environment that has PyTorch (.venv-parity/bin/python, see `make parity`)",
    )
    parser.add_argument("--ours", default="convgrad", help="module of our side")
    parser.add_argument("--theirs", default="torch", help="module of the other side; '' measures ours alone")
    parser.add_argument("--rounds", type=int, default=11, help="rounds; each asks both sides")
    parser.add_argument("--seconds", type=float, default=0.05, help="length of one batch of calls")
    parser.add_argument(
        "--row-seconds",
        type=float,
        default=20.0,
        help="a row that would take longer gets fewer rounds, but 3",
    )
    parser.add_argument("--only", default="", help="only rows whose name holds this")
    parser.add_argument(
        "--threads", type=int, help="threads of either side (default: each library's own choice)"
    )
    parser.add_argument("--max-load", type=float, default=0.05, help="foreign load allowed, in cores")
    parser.add_argument(
        "--allow-load", action="store_true", help="report on a busy machine, marked NOT VALID"
    )
    parser.add_argument("--settle", type=float, default=2.0, help="seconds of watching the load beforehand")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds that one batch may take")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the reports")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    if extend is not None:
        extend(parser)
    return parser.parse_args(argv)


def environment(threads: int | None) -> dict[str, str]:
    """A worker's environment: our sources first, and the thread counts where they were given."""
    environ = dict(os.environ)
    # An installed package has its bytecode beside it; without this, an import would time the compiler.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    paths = [str(ROOT / "src"), str(ROOT / "benchmarks"), environ.get("PYTHONPATH", "")]
    environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    if threads is not None:
        environ |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    return environ


def load_fault(load: float | None, limit: float, when: str) -> list[str]:
    """Why this much foreign load makes the figures invalid; nothing if it does not."""
    if load is None:
        return [f"foreign load {when} the run is unknown on this system"]
    if load > limit:
        return [f"busy machine: others used {_cores(load)} {when} the run, {_cores(limit)} is allowed"]
    return []


def settle(seconds: float) -> float | None:
    """Watch the machine for a while without doing anything; the foreign load in cores."""
    meter = LoadMeter()
    time.sleep(max(seconds, 0.2))
    return meter.foreign_cores()


def idle_before(wanted: argparse.Namespace) -> tuple[float | None, list[str]]:
    """The foreign load before a run, and the fault it is, if so; says that there will be no report then."""
    before = settle(wanted.settle)
    faults = load_fault(before, wanted.max_load, "before")
    if faults and not wanted.allow_load:
        print(f"no report: {faults[0]} (--allow-load goes on all the same)", file=sys.stderr)
    return before, faults


class Side(NamedTuple):
    """A library to be measured and the interpreter of an environment that has it.

    ``timeout`` is the seconds that one answer may take, if not those of the command line.
    """

    python: str
    library: str
    timeout: float | None = None


def both_sides(wanted: argparse.Namespace) -> list[Side]:
    """Ours and, unless ``--theirs ''`` leaves it out, theirs."""
    sides = [Side(wanted.python, wanted.ours), Side(wanted.torch_python, wanted.theirs)]
    return sides[: 2 if wanted.theirs else 1]


@contextlib.contextmanager
def started(sides: list[Side], environ: dict[str, str], timeout: float) -> Iterator[list[Worker]]:
    """A worker for each side, running this very script; they end with the block."""
    script = str(Path(sys.argv[0]).resolve())
    workers: list[Worker] = []
    try:
        for side in sides:
            patience = timeout if side.timeout is None else side.timeout
            workers.append(Worker(side.python, script, side.library, environ, patience))
        yield workers
    finally:
        for worker in workers:
            worker.close()


def describe(workers: list[Worker]) -> dict[str, dict[str, str]]:
    """What the machine and each side say of themselves."""
    about = {"machine": describe_machine()}
    for worker in workers:
        answer = worker.ask("about")
        if "error" in answer:
            raise WorkerError(f"{worker.library} cannot be described: {answer['error']}")
        about[f"side of {worker.library}"] = answer["about"]
    return about


class Asked(NamedTuple):
    """One side of a measurement: who is asked, and for which of its cases."""

    worker: Worker
    case: str


def measure_sides(
    sides: list[Asked], wanted: argparse.Namespace, limit: int | None = None
) -> tuple[list[list[float]], list[str]]:
    """All rounds of one measurement; the side that goes first changes from round to round.

    Returns:
        A value per round for each side, and what went wrong on each side ("" if nothing did; such a side is
        not asked again).
    """
    values: list[list[float]] = [[] for _ in sides]
    errors = [""] * len(sides)
    calls = [0] * len(sides)

    def ask(side: int, do: str, **request: Any) -> dict[str, Any]:
        time.sleep(PAUSE)
        worker, case = sides[side]
        try:
            answer = worker.ask(do, name=case, **request)
        except WorkerError as error:
            errors[side] = str(error)
            return {}
        errors[side] = f"{worker.library}: {answer['error']}" if "error" in answer else ""
        return answer

    for side in range(len(sides)):
        calls[side] = ask(side, "calibrate", seconds=wanted.seconds).get("calls", 0)
    rounds = min(wanted.rounds, limit or wanted.rounds)
    start = time.perf_counter()
    for turn in range(rounds):
        if turn >= LEAST_ROUNDS and time.perf_counter() - start > wanted.row_seconds:
            break
        for side in sorted(range(len(sides)), reverse=turn % 2 == 1):
            if not errors[side]:
                values[side] += [ask(side, "time", calls=calls[side]).get("value", float("nan"))]
    return [[] if error else found for found, error in zip(values, errors, strict=True)], errors


def measure_row(name: str, about: list[Any], workers: list[Worker], wanted: argparse.Namespace) -> Row:
    """All rounds of one benchmark on both sides, or on ours alone."""
    unit, _, limit = about
    values, errors = measure_sides([Asked(worker, name) for worker in workers], wanted, limit)
    if any(errors):
        return Row(name, unit, [], [], "; ".join(error for error in errors if error))
    return Row(name, unit, values[0], values[1] if len(values) > 1 else [])


def measure(workers: list[Worker], wanted: argparse.Namespace) -> list[Row]:
    """Every row that both sides know, the control first."""
    names = [worker.ask("names")["rows"] for worker in workers]
    rows = []
    for name, about in names[0].items():
        if wanted.only in name or name == CONTROL:
            print(f"  {name}", file=sys.stderr, flush=True)
            rows.append(measure_row(name, about, workers, wanted))
    return rows


def control_fault(rows: list[Row]) -> list[str]:
    """The control row is the same bytecode on both sides: if its times differ, trust no other row."""
    control = rows[0]
    if control.error or not control.theirs or abs(control.ratio - 1) <= CONTROL_TOLERANCE:
        return []
    return [f"the control row, the same work on both sides, has ratio {control.ratio:.2f}"]


def finish(report: Report, wanted: argparse.Namespace) -> int:
    """Print and write the report, or refuse to; the exit code."""
    if report.faults and not wanted.allow_load:
        print("\n".join(f"no report: {fault}" for fault in report.faults), file=sys.stderr)
        print("(--allow-load writes one all the same, marked NOT VALID)", file=sys.stderr)
        return BUSY
    print(report.text())
    print(f"written to {report.write(wanted.out)}")
    failed = any(row.error for row in report.rows)
    missed = wanted.check and not all(check.holds for check in report.checks)
    return FAILED if failed or missed else 0


Reporter = Callable[[list[str], float | None], Report]
"""Given the faults so far and the foreign load beforehand, measures and returns the report."""


def reported(wanted: argparse.Namespace, name: str, measured: Reporter) -> int:
    """Measure, unless the machine is busy, and report; the exit code as in :func:`main`."""
    before, faults = idle_before(wanted)
    if faults and not wanted.allow_load:
        return BUSY
    try:
        report = measured(faults, before)
    except (WorkerError, OSError) as error:
        print(f"benchmark {name}: {error}; PyTorch's environment is made by `make parity`", file=sys.stderr)
        return FAILED
    return finish(report, wanted)


def main(
    setup: Setup,
    name: str,
    targets: dict[str, float] | None = None,
    checks: Callable[[Rows], list[Check]] | None = None,
    argv: list[str] | None = None,
    *,
    extend: Callable[[argparse.ArgumentParser], None] | None = None,
    kind: type[Report] = Report,
) -> int:
    """Run a benchmark file, as the asking side or, under ``--worker``, as one of the workers.

    Args:
        setup: given the library, returns the functions to time by name.
        name: stem of the reports.
        targets: least ratio for some rows.
        checks: further sentences about the figures; called only if no row failed.
        extend: adds to the command line, or changes its defaults.
        kind: class of the report.
    Returns:
        Exit code: 0; 1 if a row failed or, under ``--check``, a target was missed; 3 on a busy machine.
    """
    wanted = options(name, argv, extend)
    if wanted.worker:
        return work(wanted.worker, setup)

    def measured(faults: list[str], before: float | None) -> Report:
        with started(both_sides(wanted), environment(wanted.threads), wanted.timeout) as workers:
            about = describe(workers)
            meter = LoadMeter(workers)
            rows = measure(workers, wanted)
            during = meter.foreign_cores()
        faults = faults + load_fault(during, wanted.max_load, "during") + control_fault(rows)
        sound = wanted.theirs and not wanted.only and not any(row.error for row in rows)
        found = checks({row.name: row for row in rows}) if checks is not None and sound else []
        load = {"before": before, "during": during}
        return kind(name, (wanted.ours, wanted.theirs), about, rows, targets or {}, found, load, faults)

    return reported(wanted, name, measured)
