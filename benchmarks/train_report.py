"""The report of train.py: times, processor time and memory of every net, and whether it learns the same."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from harness import Check, Report, Row, markdown_table, show, text_table
from nets import Program

MEMORY_LIMIT = 0.8
THREE_DIGITS = 5e-4  # relative: half a unit of the third digit
POINTS = 0.5  # percent of the test part
MEMORY_WORDS = (
    "In a process of its own for each figure: the peak of resident memory above what the import left, with "
    "one batch in memory; processor time of all threads. Pages are those the system had to map in anew: "
    "memory that was handed back and asked for again. Calls of malloc are not counted: Python serves small "
    "objects from its own arenas on both sides, so the number would say little of either."
)
COMPILING_WORDS = (
    "In a process of its own for each, whose first calls compile: on one thread where the compiler can be "
    "told so, with nothing kept from earlier runs. Losses beside ours are from the same weights, over the "
    "same batches. Peaks of resident memory are above what the import left; a C compiler's own process is "
    "not in them."
)
MIB = 2**20


def agreement(found: Sequence[float], expected: Sequence[float]) -> int:
    """How many of the first losses are equal to three digits, before the first that is not."""
    equal = (
        abs(a - b) <= THREE_DIGITS * abs(b)  # False for NaN
        for a, b in zip(found, expected, strict=True)
    )
    return sum(1 for _ in itertools.takewhile(bool, equal))


def gap(found: Sequence[float], expected: Sequence[float]) -> float:
    """The largest relative difference of two lists of losses."""
    return max(abs(a - b) / abs(b) for a, b in zip(found, expected, strict=True))


class Losses(NamedTuple):
    """Losses of the first steps on both sides, and those in float64 where they differ."""

    ours: list[float]
    theirs: list[float]
    our_doubles: list[float] = []
    their_doubles: list[float] = []

    @property
    def agree(self) -> bool:
        """Equal to three digits; or, where rounding errors grow, at least in float64.

        A rectifier that a rounding error decides the other way is enough for two sums in another order to
        part; PyTorch's float32 leaves its own float64 in the same way.
        """
        steps = len(self.theirs)
        if agreement(self.ours, self.theirs) == steps:
            return True
        return bool(self.their_doubles) and agreement(self.our_doubles, self.their_doubles) == steps

    def text(self) -> str:
        """The result in a few words."""
        steps = len(self.theirs)
        said = f"{agreement(self.ours, self.theirs)} of {steps} equal to 3 digits"
        said += f", largest difference {gap(self.ours, self.theirs):.1e}"
        if not self.their_doubles:
            return said
        doubles = f"{agreement(self.our_doubles, self.their_doubles)} of {steps} in float64"
        pair = [agreement(side, self.their_doubles) for side in (self.ours, self.theirs)]
        return f"{said}; {doubles}, which ours leaves after {pair[0]} and theirs after {pair[1]}"


class Other(NamedTuple):
    """A program in a further column.

    Attributes:
        step: seconds of a training step.
        compilation: seconds of the first ``calls``, which compile.
        costs: what :func:`training.compilation` gives.
        losses: its own beside ours.
    """

    step: float
    compilation: float = math.nan
    calls: int = 1
    costs: dict[str, float] = {}
    losses: Losses | None = None


class Result(NamedTuple):
    """Everything about one program.

    Attributes:
        step: time of a training step on both sides.
        costs: by side, what :func:`training.costs` gives; empty if not asked for.
        losses: of the first steps; None if not asked for.
        accuracy: by side, percent of the test part for every seed; empty if not asked for.
        others: by label of a further column.
        notes: what went wrong.
    """

    program: Program
    step: Row
    costs: dict[str, dict[str, float]] = {}
    losses: Losses | None = None
    accuracy: dict[str, list[float]] = {}
    others: dict[str, Other] = {}
    notes: list[str] = []

    def cost_ratio(self, what: str, sides: tuple[str, str]) -> float:
        """Ours over theirs: lower is better. NaN where either is not known."""
        ours, theirs = (self.costs.get(side, {}).get(what, math.nan) for side in sides)
        return ours / theirs if theirs else math.nan


def mean(values: Sequence[float]) -> float:
    """The mean; NaN of nothing."""
    return sum(values) / len(values) if values else math.nan


def memory_checks(results: list[Result], sides: tuple[str, str]) -> list[Check]:
    """Peak memory of every net."""
    found = []
    for result in results:
        ratio = result.cost_ratio("peak", sides)
        if not math.isnan(ratio):
            text = f"{result.program.row}: peak memory {ratio:.2f} of {sides[1]}'s, wanted {MEMORY_LIMIT:g}"
            found.append(Check(text, ratio <= MEMORY_LIMIT))
    return found


def learning_checks(results: list[Result], sides: tuple[str, str]) -> list[Check]:
    """Losses and accuracies of every net that has them."""
    found = []
    for result in results:
        if result.losses is not None:
            text = f"{result.program.row}: losses of the first steps, {result.losses.text()}"
            found.append(Check(text, result.losses.agree))
        if result.accuracy:
            ours, theirs = (mean(result.accuracy[side]) for side in sides)
            text = f"accuracy {ours:.2f} %, {sides[1]} {theirs:.2f} %, wanted within {POINTS:g}"
            found.append(Check(f"{result.program.row}: {text}", abs(ours - theirs) <= POINTS))
    return found


class TrainReport(Report):
    """Training steps and predictions, then memory and processor time, then what is learned.

    Args:
        results: one for every program.
        predictions: times of inference.
        columns: labels of further columns.
    """

    def __init__(
        self,
        name: str,
        sides: tuple[str, str],
        about: dict[str, dict[str, str]],
        results: list[Result],
        predictions: list[Row],
        targets: dict[str, float],
        load: dict[str, float | None],
        faults: list[str],
        columns: list[str],
    ) -> None:
        rows = [*(result.step for result in results), *predictions]
        checks = [*memory_checks(results, sides), *learning_checks(results, sides)]
        super().__init__(name, sides, about, rows, targets, checks, load, faults)
        self.results, self.columns = results, columns

    def cost_table(self) -> list[list[str]]:
        """Peak memory, processor time and pages of a step."""
        ours, theirs = self.sides
        head = ["program"]
        for what in ("peak above import", "processor time of a step", "new pages in a step"):
            head += [f"{what}, {ours}", theirs, "ours / theirs"]
        table = [head]
        for result in self.results:
            if not result.costs:
                continue
            line = [result.program.row]
            for what, form in (("peak", memory_text), ("cpu", time_text), ("faults", count_text)):
                line += [form(result.costs.get(side, {}).get(what, math.nan)) for side in self.sides]
                line.append(f"{result.cost_ratio(what, self.sides):.2f}")
            table.append(line)
        return table

    def learned_table(self) -> list[list[str]]:
        """Losses of the first steps, and accuracies."""
        table = [["program", "losses of the first steps", *(f"accuracy, {side}" for side in self.sides)]]
        for result in self.results:
            if result.losses is None and not result.accuracy:
                continue
            said = result.losses.text() if result.losses is not None else "-"
            table.append(
                [result.program.row, said, *(percent(result.accuracy.get(side, [])) for side in self.sides)]
            )
        return table

    def others_table(self) -> list[list[str]]:
        """Further columns: seconds of a step and their ratio over ours."""
        table = [["program", *self.columns]]
        for result in self.results:
            cells = []
            for label in self.columns:
                other = result.others.get(label)
                ratio = other.step / result.step.our_median if other and result.step.ours else math.nan
                cells.append(f"{time_text(other.step)} ({ratio:.2f})" if other else "-")
            table.append([result.program.row, *cells])
        return table

    def compilation_table(self) -> list[list[str]]:
        """Further columns: what they cost beside time, and whether they compute the same."""
        table = [
            [
                "program", "with", "losses of the first steps", "first calls", "processor time of a step",
                "peak, compiling", "peak thereafter",
            ]
        ]  # fmt: skip
        for result in self.results:
            for label, other in result.others.items():
                said = other.losses.text() if other.losses is not None else "-"
                line = [result.program.row, label, said, f"{other.calls}: {time_text(other.compilation)}"]
                for what, form in (("cpu", time_text), ("compiling", memory_text), ("peak", memory_text)):
                    line.append(form(other.costs.get(what, math.nan)))
                table.append(line)
        return table

    def sections(self) -> list[tuple[str, str, list[list[str]], int]]:
        """Title, explanation, table and its columns of text, for each table that has rows."""
        found = [
            (
                "Memory and processor time",
                MEMORY_WORDS,
                self.cost_table(),
                1,
            ),
            (
                "What is learned",
                "The same seed, data and order on both sides.",
                self.learned_table(),
                2,
            ),
            (
                "Beside others",
                f"Seconds of a training step, and in brackets that over {self.sides[0]}'s.",
                self.others_table() if self.columns else [],
                1,
            ),
            ("What compiling costs", COMPILING_WORDS, self.compilation_table(), 3),
        ]
        return [section for section in found if len(section[2]) > 1]

    def closing(self) -> list[str]:
        """The further tables, then what every report closes with."""
        lines: list[str] = []
        for title, words, table, texts in self.sections():
            lines += ["", f"## {title}", "", words, "", *markdown_table(table, texts)]
        notes = [f"- {result.program.row}: {note}" for result in self.results for note in result.notes]
        if notes:
            lines += ["", "## Notes", "", *notes]
        return lines + super().closing()

    def text(self) -> str:
        """The tables for a terminal."""
        lines = [super().text()]
        for title, _words, table, _texts in self.sections():
            lines += ["", title, *text_table(table)]
        lines += [f"NOTE {result.program.row}: {note}" for result in self.results for note in result.notes]
        return "\n".join(line.rstrip() for line in lines)

    def as_dict(self) -> dict[str, Any]:
        """Also costs, losses, accuracies and further columns of every program."""
        programs = [
            {
                "row": result.program.row,
                "costs": result.costs,
                "losses": None if result.losses is None else result.losses._asdict(),
                "accuracy": result.accuracy,
                "others": {
                    label: other._asdict() | {"losses": other.losses and other.losses._asdict()}
                    for label, other in result.others.items()
                },
                "notes": result.notes,
            }
            for result in self.results
        ]
        return super().as_dict() | {"programs": programs}


def memory_text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value / MIB:.1f} MiB"


def time_text(value: float) -> str:
    return show(value, "s")


def count_text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0f}"


def percent(values: list[float]) -> str:
    return f"{mean(values):.2f} %" if values else "-"
