"""Which algorithm computes a convolution, and why: a small cost model over the table of algorithms.

A plan depends on the shape, the dtype and the machine alone, so it is the same on every run; it is made once
per shape and kept.
"""

from __future__ import annotations

from typing import NamedTuple

from convgrad.kernels.algorithms import ALGORITHMS, Algorithm, Machine
from convgrad.kernels.algorithms.algorithm import Call, Cut
from convgrad.kernels.problem import Problem


class Plan(NamedTuple):
    """One way to compute a problem: the algorithm, its block sizes, what it should take."""

    algorithm: Algorithm
    cut: Cut
    seconds: float
    reason: str


def candidates(problem: Problem, machine: Machine) -> list[Plan]:
    """Every algorithm that fits, the cheapest first."""
    plans = []
    for algorithm in ALGORITHMS:
        if problem.primitive in algorithm.primitives and not algorithm.fits(problem, machine):
            cut = algorithm.cut(problem, machine)
            plans.append(Plan(algorithm, cut, algorithm.seconds(problem, cut, machine), ""))
    return sorted(plans, key=lambda plan: plan.seconds)


def choose(problem: Problem, machine: Machine) -> Plan | None:
    """The plan to use; None where only the NumPy reference can."""
    plans = candidates(problem, machine)
    return plans[0] if plans else None


def prepare(plan: Plan, problem: Problem, machine: Machine) -> Call:
    """Make a plan ready to run."""
    return plan.algorithm.prepare(problem, plan.cut, machine)
