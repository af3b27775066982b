"""Single operations beside PyTorch, from 16 numbers to 100 MB: forward, and forward + backward.

The operations are in eager_cases.py. The report opens with geometric means of the ratios, by group and size.
"""

from __future__ import annotations

import argparse
import sys

from conv_report import geometric_mean
from eager_cases import FORMS, GROUPS, SIZES, setup
from harness import Check, Report, Row, Rows, main, markdown_table, text_table
from machine import usable_cores
from worker import CONTROL

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


def checks(rows: Rows) -> list[Check]:
    """The mean over all rows, and the slowest one."""
    found = sorted((row.ratio, row.name) for row in rows.values() if ratios([row]))
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
        means = markdown_table(self.means_table())
        lines = [*super().opening(), "## Geometric means of the ratios", "", *means]
        lines += ["", f"## Rows below {LEAST:g}", ""]
        lines += [f"- {name} ({ratio:.2f})" for ratio, name in slow] or ["None."]
        return [*lines, "", "## All rows", ""]

    def text(self) -> str:
        """Every row, then the means."""
        return "\n".join([super().text(), "", *text_table(self.means_table())])


if __name__ == "__main__":
    sys.exit(main(setup, "eager", checks=checks, extend=defaults, kind=EagerReport))
