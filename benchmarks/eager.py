"""Single operations beside PyTorch, from 16 numbers to 100 MB: forward, and forward + backward.

The operations are in eager_cases.py. The report opens with geometric means of the ratios, by group and size.
"""

from __future__ import annotations

import argparse
import sys

from conv_report import geometric_mean
from eager_cases import FORMS, GROUPS, SIZES, setup
from harness import (
    BUSY,
    FAILED,
    Check,
    Report,
    Row,
    both_sides,
    control_fault,
    describe,
    environment,
    finish,
    idle_before,
    load_fault,
    markdown_table,
    measure,
    options,
    started,
    text_table,
)
from machine import LoadMeter, usable_cores
from worker import CONTROL, WorkerError, work

MEAN, LEAST = 1.5, 0.9


def defaults(parser: argparse.ArgumentParser) -> None:
    """Short batches and few rounds: there are hundreds of rows."""
    parser.set_defaults(threads=usable_cores(), rounds=5, seconds=0.01, row_seconds=1.5)


def place(row: Row) -> tuple[str, str, str]:
    """Group, size and form of a row, from its name."""
    operation, _, form = row.name.rpartition(" | ")
    return operation.partition(" / ")[0], operation.rpartition(", ")[2], form


def ratios(rows: list[Row], group: str = "", size: str = "", form: str = "") -> list[float]:
    """Ratios of the rows that did not fail, of one group, size and form; "" stands for all."""
    asked = (group, size, form)
    return [
        row.ratio
        for row in rows
        if row.name != CONTROL
        and not row.error
        and row.theirs
        and all(not want or want == have for want, have in zip(asked, place(row), strict=True))
    ]


def checks(rows: list[Row]) -> list[Check]:
    """The mean over all rows, and the slowest one."""
    found = sorted((row.ratio, row.name) for row in rows if ratios([row]))
    if not found:
        return []
    mean = geometric_mean([ratio for ratio, _ in found])
    low = [f"{name} ({ratio:.2f})" for ratio, name in found if ratio < LEAST]
    below = f"; {len(low)} are, the slowest {low[0]}" if low else ""
    return [
        Check(f"geometric mean of all {len(found)} rows: {mean:.2f}, wanted {MEAN:g}", mean >= MEAN),
        Check(f"no row below {LEAST:g}{below}", not low),
    ]


class EagerReport(Report):
    """Means by group and size, then those rows that are too slow, then all."""

    def means_table(self) -> list[list[str]]:
        """Geometric means, a column for each size and form."""
        table = [["group", *(f"{size.label}, {form}" for form in FORMS for size in SIZES), "all"]]
        for group in [*GROUPS, ""]:
            cells = [
                geometric_mean(ratios(self.rows, group, size.label, form)) for form in FORMS for size in SIZES
            ]
            cells.append(geometric_mean(ratios(self.rows, group)))
            table.append([group or "all", *("-" if value != value else f"{value:.2f}" for value in cells)])
        return table

    def opening(self) -> list[str]:
        """What every report opens with, then the means."""
        slow = sorted((row.ratio, row.name) for row in self.rows if any(r < LEAST for r in ratios([row])))
        lines = [
            *super().opening(),
            "## Geometric means of the ratios",
            "",
            *markdown_table(self.means_table()),
        ]
        lines += ["", f"## Rows below {LEAST:g}", ""]
        lines += [f"- {name} ({ratio:.2f})" for ratio, name in slow] or ["None."]
        return [*lines, "", "## All rows", ""]

    def text(self) -> str:
        """Every row, then the means."""
        return "\n".join([super().text(), "", *text_table(self.means_table())])


def measured(wanted: argparse.Namespace, faults: list[str], before: float | None) -> Report:
    """Run everything; the report."""
    with started(both_sides(wanted), environment(wanted.threads), wanted.timeout) as workers:
        about = describe(workers)
        meter = LoadMeter(workers)
        rows = measure(workers, wanted)
        during = meter.foreign_cores()
    faults = faults + load_fault(during, wanted.max_load, "during") + control_fault(rows)
    complete = bool(wanted.theirs) and not wanted.only
    found = checks(rows) if complete else []
    load = {"before": before, "during": during}
    return EagerReport("eager", (wanted.ours, wanted.theirs), about, rows, {}, found, load, faults)


def main(argv: list[str] | None = None) -> int:
    """Measure and report; the exit code as in :func:`harness.main`."""
    wanted = options("eager", argv, defaults)
    if wanted.worker:
        return work(wanted.worker, setup)
    before, faults = idle_before(wanted)
    if faults and not wanted.allow_load:
        return BUSY
    try:
        report = measured(wanted, faults, before)
    except (WorkerError, OSError) as error:
        print(f"benchmark eager: {error}; PyTorch's environment is made by `make parity`", file=sys.stderr)
        return FAILED
    return finish(report, wanted)


if __name__ == "__main__":
    sys.exit(main())
