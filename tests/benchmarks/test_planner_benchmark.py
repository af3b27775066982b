"""The benchmark of the planner, with candidates whose speed is known."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import planner as benchmark
from conv_own import problems
from conv_rows import ConvRow, row_of
from convgrad.kernels import planner
from convgrad.kernels.algorithms import Algorithm, Cost, Machine
from planner import Decision, PlannerReport, Trial, checks_of

MACHINE = Machine("baseline", 16, 1, 1e11, 2e10)
WANTED = argparse.Namespace(rounds=3, seconds=0.004)
ROW = row_of({"group": "g", "net": "n", "x": [1, 2, 16], "w": [3, 2, 3]})
UP = row_of({"group": "g", "net": "up", "x": [1, 3, 5], "w": [3, 2, 4], "transposed": True, "stride": 2})


class Sleeper(Algorithm):
    """Takes so long, and counts how often it was called."""

    def __init__(self, name: str, seconds: float) -> None:
        self.name, self._seconds, self.calls = name, seconds, 0

    def cut(self, problem: Any, machine: Any) -> tuple[int, ...]:
        return ()

    def cost(self, problem: Any, cut: Any, machine: Any) -> Cost:
        return Cost(1e-3, 0.0, 0.0)

    def prepare(self, problem: Any, cut: Any, machine: Any) -> Callable[..., None]:
        return self._run

    def _run(self, first: Any, second: Any, bias: Any, out: Any, activation: int) -> None:
        self.calls += 1
        time.sleep(self._seconds)


class Broken(Sleeper):
    def prepare(self, problem: Any, cut: Any, machine: Any) -> Callable[..., None]:
        raise MemoryError("too large")


def decide(monkeypatch: pytest.MonkeyPatch, *algorithms: Algorithm, chosen: int = 0) -> Decision:
    problem = problems(ROW)[0]
    plans = [planner.Plan(algorithm, problem, MACHINE) for algorithm in algorithms]
    monkeypatch.setattr(planner, "candidates", lambda *_: list(plans))
    monkeypatch.setattr(planner, "choose", lambda *_: plans[chosen])
    return benchmark.decide(ROW, problem, MACHINE, WANTED)


def test_the_choice_is_compared_with_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    decision = decide(monkeypatch, Sleeper("slow", 0.02), Sleeper("fast", 5e-3))
    assert [trial.algorithm for trial in decision.trials] == ["slow", "fast"]
    assert decision.best.algorithm == "fast"
    assert decision.regret > 1.2


def test_the_choice_stands_first_whatever_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    decision = decide(monkeypatch, Sleeper("a", 1e-3), Sleeper("b", 1e-3), chosen=1)
    assert [trial.algorithm for trial in decision.trials] == ["b", "a"]


def test_a_hopeless_candidate_is_not_timed_further(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, fast = Sleeper("slow", 1.0), Sleeper("fast", 1e-3)
    decision = decide(monkeypatch, fast, slow)
    assert slow.calls == 1 and fast.calls > 3
    assert decision.trials[1].stopped and decision.trials[1].seconds >= 1.0
    assert decision.regret == 1.0


def test_a_candidate_that_cannot_run_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    decision = decide(monkeypatch, Sleeper("fast", 1e-3), Broken("broken", 0.0))
    assert decision.regret == 1.0 and decision.trials[1].error == "too large"
    decision = decide(monkeypatch, Broken("broken", 0.0), Sleeper("fast", 1e-3))
    assert math.isinf(decision.regret)


@pytest.mark.parametrize("row", [ROW, UP], ids=lambda row: row.net)
def test_kernels_get_arrays_of_the_shapes_they_are_made_for(row: ConvRow) -> None:
    for problem in problems(row):
        first, second, out = benchmark.operands(row, problem.primitive)
        sizes = {
            "forward": (problem.x_elements, problem.w_elements, problem.y_elements),
            "input_grad": (problem.y_elements, problem.w_elements, problem.x_elements),
            "weight_grad": (problem.x_elements, problem.y_elements, problem.w_elements),
        }[problem.primitive]
        assert (first.size, second.size, out.size) == sizes
        assert first.dtype == second.dtype == out.dtype == np.float32


def decided(regret: float, primitive: str = "forward", number: int = 0) -> Decision:
    trials = [Trial("direct", 1e-3, 1e-3 * regret), Trial("other", 1e-3, 1e-3)]
    return Decision(ROW._replace(net=f"n{number}"), primitive, trials)


def test_shares_worst_and_number_are_checked() -> None:
    decisions = [decided(1.0 if i < 190 else 1.4, number=i) for i in range(210)]
    assert all(check.holds for check in checks_of(decisions))
    texts = {check.text: check.holds for check in checks_of(decisions[100:] + [decided(1.6)])}
    assert texts == {
        "111 shapes, at least 200": False,
        "within 15% of the best candidate: 81.1%, wanted 90%": False,
        "two candidates or more: 100.0%, wanted 90%": True,
        "worst: 1.60 times the best (n0, forward), at most 1.5": False,
    }


def test_a_shape_without_candidates_counts_as_one_without_choice() -> None:
    decisions = [decided(1.0), Decision(ROW, "weight_grad", [])]
    texts = [check.text for check in checks_of(decisions)]
    assert "two candidates or more: 50.0%, wanted 90%" in texts
    assert "within 15% of the best candidate: 100.0%, wanted 90%" in texts


def test_the_report_lists_algorithms_and_the_worst() -> None:
    decisions = [decided(1.5), decided(1.0, "input_grad", 1), Decision(ROW, "weight_grad", [])]
    load = {"before": 0.0, "during": 0.0}
    report = PlannerReport({}, decisions, checks_of(decisions), load, [])
    lines = report.markdown().splitlines()
    assert "| direct | 2 | 2 | 1 | 1.25 | 1.00 | 1.50 |" in lines
    assert "| forward | 1 | 0.0% | 1.50 | 100.0% |" in lines
    assert any("direct 1.5 ms (1 ms); other 1 ms (1 ms)" in line for line in lines)
    assert report.as_dict()["decisions"][2]["regret"] is None
    assert "planner" not in report.text() and "MISS" in report.text()
