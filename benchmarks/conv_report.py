"""The report of benchmarks/conv.py: means by group beside their targets, every row, others, errors."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from conv_cases import FORMS, FORWARD, PRIMITIVES, TRAINING
from conv_plot import Bar, ratio_chart
from conv_rows import ConvRow
from harness import Check, Report, Row, markdown_table, show, text_table


class Targets(NamedTuple):
    """Ratios to reach, forward and forward + backward: PyTorch's time over ours.

    Attributes:
        groups: for the geometric mean of each group.
        overall: for the geometric mean of the group means.
        least: for every single row; None if nothing is asked of it.
    """

    groups: dict[str, tuple[float, float]]
    overall: tuple[float, float]
    least: float | None


IDLE = Targets(
    {
        "3x3": (2.0, 1.9),
        "stride, 1x1, stem": (1.1, 1.3),
        "few, odd, dilated, 1-d": (1.8, 2.0),
        "depthwise": (1.6, 3.5),
        "long": (10.0, 20.0),
        "transposed": (1.3, 1.4),
        "grouped": (1.2, 1.3),
        "tiny": (1.2, 2.0),
    },
    overall=(1.8, 2.4),
    least=0.95,
)
# Beside as many busy processes as there are cores.
BESIDE_OTHERS = Targets({}, overall=(5.0, 5.0), least=None)
MOST_ERROR = 1e-5
DIRECT_ERROR = 1e-6
WORST_ROWS = 10


class Result(NamedTuple):
    """All that was found out about one row.

    Attributes:
        timings: both sides, by form.
        others: medians in seconds of the further columns, by form.
        errors: per side the relative error of output, gradient of x and gradient of w, as far as known.
        plans: our algorithm for each of these, and whether it sums as the definition does.
        notes: what went wrong beside the two sides.
        load: foreign load meanwhile, in cores; None where unknown.
    """

    row: ConvRow
    timings: dict[str, Row]
    others: dict[str, dict[str, float]]
    errors: dict[str, list[float]]
    plans: list[tuple[str, bool]]
    notes: list[str]
    load: float | None

    def ratio(self, form: str) -> float:
        """PyTorch's time over ours; NaN if either is missing."""
        timing = self.timings.get(form)
        return timing.ratio if timing is not None and timing.theirs else math.nan

    def flops_per_second(self, form: str) -> float:
        """Operations of the definition over our time; backward counts as two more forwards."""
        timing = self.timings.get(form)
        times = 1 if form == FORWARD else 3
        return times * self.row.flops / timing.our_median if timing is not None else math.nan


# ---- means and checks


def geometric_mean(values: Iterable[float]) -> float:
    """NaN without values; values that are NaN are left out."""
    known = [value for value in values if not math.isnan(value)]
    return statistics.geometric_mean(known) if known else math.nan


def group_means(results: list[Result], form: str) -> dict[str, float]:
    """Geometric mean of the ratios of each group, in the order of the rows."""
    groups = list(dict.fromkeys(result.row.group for result in results))
    return {
        group: geometric_mean(result.ratio(form) for result in results if result.row.group == group)
        for group in groups
    }


def overall_mean(means: dict[str, float]) -> float:
    """Geometric mean of the group means: a group counts once, however many rows it has."""
    return geometric_mean(means.values())


Line = tuple[str, int, list[tuple[float, float]]]


def summary(results: list[Result], targets: Targets) -> list[Line]:
    """Group, number of rows, and per form (mean, target or NaN); the mean of all groups last."""
    means = [group_means(results, form) for form in FORMS]
    lines: list[Line] = []
    for group in means[0]:
        count = sum(result.row.group == group for result in results)
        wanted = targets.groups.get(group, (math.nan, math.nan))
        lines.append((group, count, [(m[group], target) for m, target in zip(means, wanted, strict=True)]))
    total = [(overall_mean(m), target) for m, target in zip(means, targets.overall, strict=True)]
    return [*lines, ("geometric mean of the group means", len(results), total)]


def speed_checks(results: list[Result], targets: Targets) -> list[Check]:
    """Every target of the summary, and that no row is much slower than PyTorch's."""
    checks = [
        Check(f"{group}, {form}: {mean:.2f}, wanted {target:g}", mean >= target)
        for group, _, pairs in summary(results, targets)
        for form, (mean, target) in zip(FORMS, pairs, strict=True)
        if not math.isnan(target)
    ]
    if targets.least is None:
        return checks
    slow = below(results, targets.least)
    text = f"no row below {targets.least}" + (f"; {len(slow)} are, the slowest {slow[0]}" if slow else "")
    return [*checks, Check(text, not slow)]


def error_checks(results: list[Result], ours: str, theirs: str) -> list[Check]:
    """Errors on normal data, primitive by primitive, relative to the largest value."""
    known = [result for result in results if result.errors.get(ours)]
    if not known:
        return []
    checks = []
    for place, primitive in enumerate(PRIMITIVES):
        worst = max(known, key=lambda result: result.errors[ours][place])
        error = worst.errors[ours][place]
        text = f"largest error, {primitive}: {error:.1e} ({worst.row.name}), at most {MOST_ERROR:g}"
        checks.append(Check(text, error <= MOST_ERROR))
    rough = [
        f"{result.row.name}, {primitive} ({error:.1e}, theirs {their:.1e})"
        for result in known
        if result.errors.get(theirs) and result.plans
        for primitive, error, their, (_, exact) in zip(
            PRIMITIVES, result.errors[ours], result.errors[theirs], result.plans, strict=True
        )
        if exact and error > max(DIRECT_ERROR, their)
    ]
    text = f"direct sums err by no more than {DIRECT_ERROR:g} or than {theirs} does"
    return [*checks, Check(text + ("; but: " + ", ".join(rough) if rough else ""), not rough)]


def below(results: list[Result], limit: float) -> list[str]:
    """Rows and forms whose ratio is below ``limit``, the slowest first."""
    pairs = [(result.ratio(form), result.row.name, form) for result in results for form in FORMS]
    return [f"{name}, {form} ({ratio:.2f})" for ratio, name, form in sorted(pairs) if ratio < limit]


# ---- the report


class ConvReport(Report):
    """Times and ratios of all rows, and what follows from them.

    Args:
        name, sides, about, load, faults: as in ``Report``.
        results: the figures.
        checks: sentences that they must bear out.
        columns: labels of the further columns.
        peak: float operations per second of multiply-adds alone, all threads; 0 if unknown.
        threads: threads of either side.
        targets: what the means are set beside.
    """

    def __init__(
        self,
        name: str,
        sides: tuple[str, str],
        about: dict[str, dict[str, str]],
        results: list[Result],
        checks: list[Check],
        load: dict[str, float | None],
        faults: list[str],
        columns: list[str],
        peak: float,
        threads: int,
        targets: Targets = IDLE,
    ) -> None:
        rows = [timing for result in results for timing in result.timings.values()]
        super().__init__(name, sides, about, rows, {}, checks, load, faults)
        self.results, self.columns, self.peak, self.threads = results, columns, peak, threads
        self.targets = targets

    # -- tables, as lists of cells with a heading

    def summary_table(self) -> list[list[str]]:
        table = [["group", "rows", FORWARD, "wanted", "", TRAINING, "wanted", ""]]
        for group, count, pairs in summary(self.results, self.targets):
            cells = [cell for mean, target in pairs for cell in _against(mean, target)]
            table.append([group, str(count), *cells])
        return table

    def table(self) -> list[list[str]]:
        """Every row: both times and the ratio, forward and forward + backward."""
        ours, theirs = self.sides
        head = [cell for form in FORMS for cell in (f"{form}: {ours}", theirs, "ratio")]
        table = [["row", "shape", *head]]
        for result in self.results:
            cells = [cell for form in FORMS for cell in _times(result.timings.get(form))]
            table.append([result.row.name, result.row.shape, *cells])
        return table

    def worst_table(self) -> list[list[str]]:
        def least(result: Result) -> float:
            return min((r for r in map(result.ratio, FORMS) if not math.isnan(r)), default=math.inf)

        worst = sorted(self.results, key=least)[:WORST_ROWS]
        body = [[result.row.name, *(_number(result.ratio(form)) for form in FORMS)] for result in worst]
        return [["row", *FORMS], *body]

    def others_table(self) -> list[list[str]]:
        """The further columns: time, and in brackets that time over ours."""
        table = [["row", *(f"{form}: {column}" for form in FORMS for column in self.columns)]]
        for result in self.results:
            cells = [self._other(result, form, column) for form in FORMS for column in self.columns]
            table.append([result.row.name, *cells])
        means = [
            geometric_mean(_other_ratio(result, form, column) for result in self.results)
            for form in FORMS
            for column in self.columns
        ]
        return [*table, ["geometric mean of these ratios", *map(_number, means)]]

    def _other(self, result: Result, form: str, column: str) -> str:
        seconds = result.others.get(form, {}).get(column)
        ratio = _other_ratio(result, form, column)
        return "-" if seconds is None else f"{show(seconds, 's')} ({ratio:.2f})"

    def depth_table(self) -> list[list[str]]:
        """Speed beside the peak, algorithms and errors."""
        ours, theirs = self.sides
        errors = [f"error {side}" for side in self.sides]
        table = [
            ["row", "algorithms", "GFLOP/s", "of the peak", f"GFLOP/s, {TRAINING}", "of the peak", *errors]
        ]
        for result in self.results:
            speeds = [cell for form in FORMS for cell in self._speed(result.flops_per_second(form))]
            found = [_errors(result.errors.get(side, [])) for side in (ours, theirs)]
            algorithms = ", ".join(name for name, _ in result.plans) or "-"
            table.append([result.row.name, algorithms, *speeds, *found])
        return table

    def _speed(self, flops: float) -> list[str]:
        if math.isnan(flops):
            return ["-", "-"]
        return [f"{flops / 1e9:.1f}", f"{flops / self.peak:.0%}" if self.peak else "-"]

    # -- documents

    def reading(self) -> list[str]:
        return [
            f"Medians over rounds, {self.threads} threads on either side. A ratio is {self.sides[1]}'s time",
            f"over {self.sides[0]}'s: above 1 {self.sides[0]} is faster. *{FORWARD.capitalize()}* records no",
            f"graph; *{TRAINING}* gives the gradients of input, weight and, where there is one, bias.",
        ]

    def markdown(self) -> str:
        stem = self.name if not self.faults else f"{self.name}-not-valid"
        peak = f"{self.peak / 1e9:.0f} GFLOP/s" if self.peak else "unknown"
        slow = below(self.results, 1.0)
        lines = [
            *self.opening(),
            f"![ratio of every row]({stem}.svg)",
            "",
            *_section("Speed to reach", markdown_table(self.summary_table())),
            *_section("Rows below 1.0", [f"- {line}" for line in slow] or ["None."]),
            *_section("The worst rows", markdown_table(self.worst_table())),
            *_section("Every row", markdown_table(self.table(), texts=2)),
        ]
        if self.columns:
            words = ["Times of others; in brackets, over convgrad's time in this run.", ""]
            lines += _section("Beside others", [*words, *markdown_table(self.others_table())])
        words = [
            f"Peak of multiply-adds in registers, in this run: {peak} on {self.threads} threads.",
            "Operations are counted by the definition: Winograd and Fourier transforms may pass the peak.",
            "Errors: largest difference from float64 over the largest value; of output, gradient of x, of w.",
            "",
        ]
        depth = markdown_table(self.depth_table(), texts=2)
        lines += _section("Speed, algorithms, errors", [*words, *depth])
        notes = [f"- {result.row.name}: {note}" for result in self.results for note in result.notes]
        lines += _section("Notes", notes) if notes else []
        return "\n".join([*lines, *self.closing()]).replace("\n\n\n", "\n\n") + "\n"

    def text(self) -> str:
        failed = [f"FAILED {row.name}: {row.error}" for row in self.rows if row.error]
        lines = [*text_table(self.table()), "", *text_table(self.summary_table()), "", "the worst rows:"]
        lines += text_table(self.worst_table())
        lines += [f"below 1.0: {line}" for line in below(self.results, 1.0)]
        lines += [f"{'ok  ' if check.holds else 'MISS'} {check.text}" for check in self.checks]
        lines += [*failed, *(f"NOT VALID: {fault}" for fault in self.faults)]
        return "\n".join(line.rstrip() for line in lines)

    def as_dict(self) -> dict[str, Any]:
        found = [
            {
                "group": result.row.group,
                "net": result.row.net,
                "shape": result.row.shape,
                "flops": result.row.flops,
                "ratios": {form: _json(result.ratio(form)) for form in FORMS},
                "seconds": {
                    form: {"ours": _json(timing.our_median), "theirs": _json(timing.their_median)}
                    for form, timing in result.timings.items()
                },
                "others": result.others,
                "errors": {side: list(map(_json, values)) for side, values in result.errors.items()},
                "algorithms": [name for name, _ in result.plans],
                "notes": result.notes,
                "load": result.load,
            }
            for result in self.results
        ]
        groups = {
            group: {form: {"mean": _json(mean), "target": _json(target)}
                    for form, (mean, target) in zip(FORMS, pairs, strict=True)}
            for group, _, pairs in summary(self.results, self.targets)
        }  # fmt: skip
        more = {"threads": self.threads, "peak": self.peak, "groups": groups, "results": found}
        return super().as_dict() | more

    def picture(self) -> Any:
        """The ratios of all rows as bars."""
        ours, theirs = self.sides
        bars = [
            Bar(result.row.group, result.row.net, tuple(result.ratio(form) for form in FORMS))
            for result in self.results
        ]
        title = f"{self.name}: time of {theirs} over time of {ours}"
        title += " (NOT VALID)" if self.faults else ""
        means = {group: tuple(pairs) for group, _, pairs in summary(self.results, self.targets)[:-1]}
        return ratio_chart(title, f"{ours} is faster to the right of 1", FORMS, bars, means)

    def write(self, folder: Path) -> Path:
        path = super().write(folder)
        self.picture().save(path.with_suffix(".svg"))
        return path


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", f"## {title}", "", *lines, ""]


def _against(mean: float, target: float) -> list[str]:
    if math.isnan(target) or math.isnan(mean):
        return [_number(mean), "-", ""]
    return [f"{mean:.2f}", f"{target:g}", "holds" if mean >= target else "**MISSED**"]


def _times(timing: Row | None) -> list[str]:
    if timing is None:
        return ["-", "-", "-"]
    if timing.error:
        return [timing.error, "", "failed"]
    theirs = show(timing.their_median, "s") if timing.theirs else "-"
    return [show(timing.our_median, "s"), theirs, _number(timing.ratio)]


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _errors(values: list[float]) -> str:
    return " / ".join(f"{value:.1e}" for value in values) or "-"


def _other_ratio(result: Result, form: str, column: str) -> float:
    seconds, timing = result.others.get(form, {}).get(column), result.timings.get(form)
    return math.nan if seconds is None or timing is None else seconds / timing.our_median


def _json(value: float) -> float | None:
    return value if math.isfinite(value) else None
