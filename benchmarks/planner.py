"""Is the planner right? Every algorithm it could take is timed, on shapes that no kernel was tuned for.

Ours only; the planner's estimates are compared with the clock, and its choice with the best candidate.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import conv_own
from conv_rows import ConvRow
from convgrad.kernels import native, planner
from convgrad.kernels.algorithms import Machine
from convgrad.kernels.problem import FORWARD, INPUT_GRAD, PRIMITIVES, WEIGHT_GRAD, Problem
from harness import (
    BUSY,
    FAILED,
    Check,
    Report,
    finish,
    idle_before,
    load_fault,
    markdown_table,
    options,
    show,
)
from machine import LoadMeter, describe_machine, usable_cores
from planner_shapes import shapes

NEAR, NEAR_SHARE = 1.15, 0.9
WORST = 1.5
CHOICE_SHARE = 0.9
LEAST_SHAPES = 200
HOPELESS = 5.0  # so many times slower than the best so far: not timed further
ROUNDS = 5
BATCH = 0.01  # seconds
LONG = 0.1  # seconds: what a first call may take whatever the others took
MOST_CALLS = 1000
TRIES = 3
DOUBTFUL = 3  # so many times the rounds for a choice that seems wrong
WORST_ROWS = 20


Call = Callable[[], None]


class Trial(NamedTuple):
    """One candidate: what the planner thought and what the clock said.

    Attributes:
        seconds: median time of a call; infinite if it failed.
        stopped: given up after ``HOPELESS``; the time is that of one call.
        error: why it could not run.
    """

    algorithm: str
    estimate: float
    seconds: float
    stopped: bool = False
    error: str = ""


class Decision(NamedTuple):
    """The candidates for one primitive of one shape, the planner's choice first."""

    row: ConvRow
    primitive: str
    trials: list[Trial]

    @property
    def best(self) -> Trial:
        return min(self.trials, key=lambda trial: trial.seconds)

    @property
    def regret(self) -> float:
        """Time of the planner's choice over that of the best candidate; NaN without any."""
        if not self.trials:
            return math.nan
        chosen = self.trials[0].seconds
        return chosen / self.best.seconds if math.isfinite(chosen) else math.inf


# ---- timing


def operands(row: ConvRow, primitive: str) -> tuple[Any, Any, Any]:
    """Two inputs of a primitive, as normal numbers, and its output, in the shapes the kernels are given."""
    x, y = (row.output, row.x) if row.transposed else (row.x, row.output)
    first, second, out = {
        FORWARD: (x, row.w, y),
        INPUT_GRAD: (y, row.w, x),
        WEIGHT_GRAD: (x, y, row.w),
    }[primitive]
    draw = np.random.default_rng(0)
    return (
        draw.standard_normal(first, np.float32), draw.standard_normal(second, np.float32),
        np.empty(out, np.float32),
    )  # fmt: skip


def seconds_of(call: Call, calls: int = 1) -> float:
    """Seconds per call."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


def first_seconds(call: Call, best: float) -> float:
    """Least seconds of a few calls after one that fills caches; of that one, if it was hopeless."""
    seconds = seconds_of(call)
    if seconds > max(HOPELESS * best, LONG):
        return seconds
    return min(seconds_of(call) for _ in range(TRIES if seconds < LONG else 1))


def in_turn(
    calls: dict[int, Call], firsts: dict[int, float], seconds: float, rounds: int
) -> dict[int, float]:
    """Median seconds of each call, all of them asked once a round for about ``seconds``."""
    found: dict[int, list[float]] = {number: [] for number in calls}
    for turn in range(rounds):
        for number in sorted(calls, reverse=turn % 2 == 1):
            batch = max(1, min(MOST_CALLS, int(seconds / max(firsts[number], 1e-7))))
            found[number].append(seconds_of(calls[number], batch))
    return {number: statistics.median(values) for number, values in found.items()}


def decide(row: ConvRow, problem: Problem, machine: Machine, wanted: argparse.Namespace) -> Decision:
    """Time all candidates of one problem."""
    arrays = operands(row, problem.primitive)
    calls: dict[int, Call] = {}
    firsts: dict[int, float] = {}
    trials: list[Trial] = []
    plans, chosen = planner.candidates(problem, machine), planner.choose(problem, machine)
    plans.sort(key=lambda plan: chosen is None or plan.algorithm is not chosen.algorithm)
    for number, plan in enumerate(plans):
        try:
            calls[number] = bound(plan.call, *arrays)
            firsts[number] = first_seconds(calls[number], min(firsts.values(), default=math.inf))
            trials.append(Trial(plan.algorithm.name, plan.seconds, firsts[number]))
        except Exception as error:  # a candidate that cannot run is a finding, not the end
            trials.append(Trial(plan.algorithm.name, plan.seconds, math.inf, error=str(error)))
    limit = HOPELESS * min(firsts.values(), default=math.inf)
    hopeful = {number: calls[number] for number in firsts if firsts[number] <= limit}

    def timed(rounds: int) -> Decision:
        medians = in_turn(hopeful, firsts, wanted.seconds, rounds)
        return Decision(row, problem.primitive, [
            trial._replace(seconds=medians.get(number, trial.seconds), stopped=number not in hopeful)
            for number, trial in enumerate(trials)
        ])  # fmt: skip

    decision = timed(wanted.rounds)
    return timed(DOUBTFUL * wanted.rounds) if decision.regret > NEAR and len(hopeful) > 1 else decision


def bound(call: Callable[..., None], first: Any, second: Any, out: Any) -> Call:
    return lambda: call(first, second, None, out, 0)


# ---- what follows from the times


def near_share(decisions: list[Decision]) -> float:
    """Share of decisions within ``NEAR`` of the best candidate; those without candidates do not count."""
    regrets = [decision.regret for decision in decisions if decision.trials]
    return sum(regret <= NEAR for regret in regrets) / len(regrets) if regrets else math.nan


def choice_share(decisions: list[Decision]) -> float:
    """Share of decisions that had two candidates or more."""
    return sum(len(decision.trials) > 1 for decision in decisions) / len(decisions)


def percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.1%}"


def by_regret(decisions: list[Decision]) -> list[Decision]:
    """The worst first; without those that had no candidates."""
    return sorted((d for d in decisions if d.trials), key=lambda decision: -decision.regret)


def checks_of(decisions: list[Decision]) -> list[Check]:
    """What is asked of the planner."""
    count = len({decision.row.name for decision in decisions})
    near, choice = near_share(decisions), choice_share(decisions)
    checks = [
        Check(f"{count} shapes, at least {LEAST_SHAPES}", count >= LEAST_SHAPES),
        Check(
            f"within {NEAR - 1:.0%} of the best candidate: {percent(near)}, wanted {NEAR_SHARE:.0%}",
            near >= NEAR_SHARE,
        ),
        Check(
            f"two candidates or more: {percent(choice)}, wanted {CHOICE_SHARE:.0%}", choice >= CHOICE_SHARE
        ),
    ]
    for worst in by_regret(decisions)[:1]:
        text = f"worst: {worst.regret:.2f} times the best ({worst.row.net}, {worst.primitive})"
        checks.append(Check(f"{text}, at most {WORST:g}", worst.regret <= WORST))
    return checks


class PlannerReport(Report):
    """How good the planner's choices were.

    Args:
        about, load, faults: as in ``Report``.
        decisions: the figures.
        checks: what is asked of them.
    """

    def __init__(
        self,
        about: dict[str, dict[str, str]],
        decisions: list[Decision],
        checks: list[Check],
        load: dict[str, float | None],
        faults: list[str],
    ) -> None:
        super().__init__("planner", ("convgrad", ""), about, [], {}, checks, load, faults)
        self.decisions = decisions

    def reading(self) -> list[str]:
        return [
            "Every algorithm that the planner could take, timed in turn; medians over rounds.",
            f"One more than {HOPELESS:g} times slower than the best is not timed further.",
        ]

    def table(self) -> list[list[str]]:
        """By primitive: how often the choice was near the best."""
        head = ["primitive", "decisions", f"within {NEAR - 1:.0%}", "worst", "two candidates or more"]
        table = [head]
        for name in (*PRIMITIVES, "all"):
            some = [d for d in self.decisions if name in (d.primitive, "all")]
            if some:
                worst = [f"{decision.regret:.2f}" for decision in by_regret(some)[:1]] or ["-"]
                shares = percent(near_share(some)), *worst, percent(choice_share(some))
                table.append([name, str(len(some)), *shares])
        return table

    def algorithms_table(self) -> list[list[str]]:
        """By algorithm: how often offered, chosen, best, and how the estimates compare with the clock."""
        table = [["algorithm", "offered", "chosen", "best", "time / estimate: median", "least", "most"]]
        trials = [trial for decision in self.decisions for trial in decision.trials]
        for name in sorted({trial.algorithm for trial in trials}):
            offered = [trial for trial in trials if trial.algorithm == name]
            decided = [decision for decision in self.decisions if decision.trials]
            chosen = sum(decision.trials[0].algorithm == name for decision in decided)
            best = sum(decision.best.algorithm == name for decision in decided)
            errors = sorted(t.seconds / t.estimate for t in offered if not t.error and t.estimate > 0)
            spread = [statistics.median(errors), errors[0], errors[-1]] if errors else [math.nan] * 3
            counts = map(str, (len(offered), chosen, best))
            table.append([name, *counts, *(f"{value:.2f}" for value in spread)])
        return table

    def worst_table(self) -> list[list[str]]:
        """The decisions that cost most, with all candidates in the planner's order."""
        worst = by_regret(self.decisions)[:WORST_ROWS]
        table = [["shape", "primitive", "sizes", "choice over best", "candidates: time (estimate)"]]
        for decision in worst:
            trials = "; ".join(map(_describe, decision.trials))
            row = decision.row
            table.append([row.net, decision.primitive, row.shape, f"{decision.regret:.2f}", trials])
        return table

    def markdown(self) -> str:
        lines = [
            *self.opening(),
            *markdown_table(self.table()),
            "", "## Algorithms", "", *markdown_table(self.algorithms_table()),
            "", "## The worst", "", *markdown_table(self.worst_table(), texts=3),
            *self.closing(),
        ]  # fmt: skip
        return "\n".join(lines) + "\n"

    def as_dict(self) -> dict[str, Any]:
        found = [
            {
                "family": decision.row.group,
                "shape": decision.row.shape,
                "primitive": decision.primitive,
                "regret": decision.regret if math.isfinite(decision.regret) else None,
                "trials": [
                    trial._asdict() | {"seconds": None if trial.error else trial.seconds}
                    for trial in decision.trials
                ],
            }
            for decision in self.decisions
        ]
        return super().as_dict() | {"decisions": found}


def _describe(trial: Trial) -> str:
    if trial.error:
        return f"{trial.algorithm} failed: {trial.error}"
    mark = ", stopped" if trial.stopped else ""
    return f"{trial.algorithm} {show(trial.seconds, 's')} ({show(trial.estimate, 's')}{mark})"


# ---- the run


def more_options(parser: argparse.ArgumentParser) -> None:
    """Defaults that suit single kernels, and how much to leave out."""
    parser.set_defaults(threads=usable_cores(), rounds=ROUNDS, seconds=BATCH)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth shape")


def main(argv: list[str] | None = None) -> int:
    """Measure and report; the exit code as in :func:`harness.main`."""
    wanted = options("planner", argv, more_options)
    if not native.available():
        print("benchmark planner: no compiled kernels here, so nothing to choose from", file=sys.stderr)
        return FAILED
    before, faults = idle_before(wanted)
    if faults and not wanted.allow_load:
        return BUSY
    conv_own.set_threads(wanted.threads)
    machine = native.machine()
    decisions = []
    meter = LoadMeter()
    for row in [row for row in shapes() if wanted.only in row.name][:: wanted.every]:
        found = [decide(row, problem, machine, wanted) for problem in conv_own.problems(row)]
        print(" ", *(f"{d.regret:5.2f}" for d in found), row.net, file=sys.stderr, flush=True)
        decisions += found
    during = meter.foreign_cores()
    faults += load_fault(during, wanted.max_load, "during")
    about = {"machine": describe_machine(), "planned for": {k: str(v) for k, v in machine._asdict().items()}}
    load = {"before": before, "during": during}
    return finish(PlannerReport(about, decisions, checks_of(decisions), load, faults), wanted)


if __name__ == "__main__":
    sys.exit(main())
