"""Which algorithm computes a convolution, and why: a small cost model over the table of algorithms.

A plan depends on the shape, the dtype, the machine and what the user has asked for, so it is the same on
every run; it is made once per shape and kept. Only where the user lets the candidates be timed
(``backends.convolution.benchmark``) does a measured time take the place of a reckoned one.
"""

from __future__ import annotations

from typing import NamedTuple

from convgrad.kernels.algorithms import ALGORITHMS, Algorithm, Cost, Machine
from convgrad.kernels.algorithms.algorithm import Call, Cut
from convgrad.kernels.problem import PLAIN_NAMES, Problem

REFERENCE = "reference"
_EXACT = 1.1  # so many times the time sums of the definition may take: their errors are smaller
_FREE_SCRATCH = 16 * 2**20  # bytes of scratch that a call may hold beside once the size of its operands


class Plan:
    """One way to compute a problem: the algorithm, its block sizes, what it should take.

    Attributes:
        problem, machine: what the plan is for.
        algorithm: the algorithm; ``algorithm.prepare`` makes it ready, once, for ``call`` and ``memory``.
        cut: its block sizes.
        cost: its estimated time.
    """

    __slots__ = ("_call", "algorithm", "cost", "cut", "machine", "problem")

    def __init__(self, algorithm: Algorithm, problem: Problem, machine: Machine) -> None:
        self.algorithm = algorithm
        self.problem = problem
        self.machine = machine
        self.cut: Cut = algorithm.cut(problem, machine)
        self.cost: Cost = algorithm.cost(problem, self.cut, machine)
        self._call: Call | None = None

    @property
    def name(self) -> str:
        return self.algorithm.name

    @property
    def seconds(self) -> float:
        """Estimated time of one call, in seconds."""
        return self.cost.total

    @property
    def price(self) -> float:
        """What plans are chosen by: the time, and something for errors that are not those of a sum."""
        return self.seconds * (1.0 if self.algorithm.exact else _EXACT)

    @property
    def call(self) -> Call:
        """The algorithm made ready: ``call(first, second, bias, out, activation)`` fills ``out``."""
        if self._call is None:
            self._call = self.algorithm.prepare(self.problem, self.cut, self.machine)
        return self._call

    def memory(self, threads: int) -> int:
        """Most bytes of scratch that one call holds at a time when so many threads run."""
        return self.algorithm.scratch(self.call, threads)

    @property
    def fits_memory(self) -> bool:
        """Whether scratch stays within 16 MB and once the operands, on the threads costs are reckoned for."""
        return self.memory(self.machine.threads) <= _FREE_SCRATCH + self.problem.operand_bytes

    @property
    def remark(self) -> str:
        return self.algorithm.remark(self.problem, self.cut, self.machine)

    def __repr__(self) -> str:
        shapes = " ".join(map(str, self.problem.operand_shapes))
        return f"Plan({self.name}, {self.problem.primitive} {shapes}, cut={self.cut}, {self.seconds:.3g} s)"


class UnfitError(Exception):
    """The algorithm that was asked for cannot, or may not, compute the problem: why, and which ones could."""


class Wish(NamedTuple):
    """What the user allows.

    Attributes:
        strict: only algorithms that sum the definition's products.
        forced: name or family of the algorithm asked for; None leaves it to the planner.
    """

    strict: bool = False
    forced: str | None = None

    def forbids(self, algorithm: Algorithm) -> str:
        """Why an algorithm may not be used; empty if it may."""
        if self.forced is not None and not matches(self.forced, algorithm):
            return f"{self.forced!r} was asked for"
        if self.strict and not algorithm.exact:
            return "strict: its errors are relative to the largest value, not to a sum's own terms"
        return ""


ANYTHING = Wish()


def matches(name: str, algorithm: Algorithm) -> bool:
    """Whether ``name`` is an algorithm's name or its family: "direct" is that of "direct_channels"."""
    return algorithm.name == name or algorithm.name.startswith(name + "_")


def named(name: str) -> list[Algorithm]:
    """The algorithms of a name or family."""
    return [algorithm for algorithm in ALGORITHMS if matches(name, algorithm)]


def known_names() -> list[str]:
    """What ``backends.convolution.algorithm`` takes: algorithms, families of them, "reference"."""
    names = [algorithm.name for algorithm in ALGORITHMS]
    families = [name.partition("_")[0] for name in names]
    return sorted({*names, *families, REFERENCE})


def refusal(algorithm: Algorithm, problem: Problem, machine: Machine) -> str:
    """Why an algorithm cannot compute a problem; empty if it can."""
    if problem.primitive not in algorithm.primitives:
        return f"does not compute {PLAIN_NAMES[problem.primitive]}"
    return algorithm.fits(problem, machine)


def refusals(problem: Problem, machine: Machine, wish: Wish) -> dict[str, str]:
    """By name, the algorithms that cannot or may not compute a problem, and why."""
    reasons = {a.name: refusal(a, problem, machine) or wish.forbids(a) for a in ALGORITHMS}
    return {name: reason for name, reason in reasons.items() if reason}


def candidates(problem: Problem, machine: Machine) -> list[Plan]:
    """A plan for every algorithm that fits, the best first; of two alike, the first in the table."""
    fitting = [algorithm for algorithm in ALGORITHMS if not refusal(algorithm, problem, machine)]
    plans = [Plan(algorithm, problem, machine) for algorithm in fitting]
    return sorted(plans, key=lambda plan: plan.price)


def allowed(problem: Problem, machine: Machine, wish: Wish = ANYTHING) -> list[Plan]:
    """The candidates among which the choice is made, the best first.

    Raises:
        UnfitError: an algorithm was asked for that cannot serve this problem, or that strict forbids.
    """
    plans = [plan for plan in candidates(problem, machine) if not wish.forbids(plan.algorithm)]
    if wish.forced is not None and not plans:
        _raise_unfit(problem, machine, wish)
    return plans


def choose(problem: Problem, machine: Machine, wish: Wish = ANYTHING) -> Plan | None:
    """The plan to use; None where only the NumPy reference can, or was asked for.

    Raises:
        UnfitError: as ``allowed``.
    """
    if wish.forced == REFERENCE:
        return None
    plans = allowed(problem, machine, wish)
    if wish.forced is not None:  # asked for by name: then its scratch is the user's affair
        return plans[0]
    return next((plan for plan in plans if plan.fits_memory), None)


def _raise_unfit(problem: Problem, machine: Machine, wish: Wish) -> None:
    refused = refusals(problem, machine, wish)
    reasons = [f"{algorithm.name} {refused[algorithm.name]}" for algorithm in named(wish.forced or "")]
    others = wish._replace(forced=None)
    able = [plan.name for plan in candidates(problem, machine) if not others.forbids(plan.algorithm)]
    raise UnfitError(f"{'; '.join(reasons)}. These can: {', '.join([*able, REFERENCE])}")


# ---- why, in words


def shares(cost: Cost) -> str:
    """What a call's time goes into: "82 % arithmetic, 18 % memory traffic"; what is under 1 % is left out."""
    parts = [("arithmetic", cost.arithmetic), ("memory traffic", cost.traffic), ("overhead", cost.overhead)]
    percent = [(name, round(100 * part / (cost.total or 1.0))) for name, part in parts]
    return ", ".join([f"{share} % {name}" for name, share in percent if share])


def why_chosen(plan: Plan, others: list[Plan]) -> str:
    """What speaks for a plan beside the other candidates."""
    words = [plan.remark, shares(plan.cost)]
    slower = [other for other in others if other.seconds >= plan.seconds]
    if slower:
        second = min(slower, key=lambda other: other.seconds)
        words.insert(0, f"{_times(second.seconds / plan.seconds)} quicker than {second.name}")
    elif not others:
        words.insert(0, "the only one that fits")
    return "; ".join([word for word in words if word])


def why_not_chosen(plan: Plan, winner: Plan) -> str:
    """Why a candidate lost: how much more time it takes, and which part of its cost makes the most of it."""
    if plan.price >= winner.price and plan.seconds < winner.seconds:
        times = _times(plan.seconds / winner.seconds)
        return f"{times} the time: too little to give up the sums of the definition for"
    more = [own - best for own, best in zip(plan.cost, winner.cost, strict=True)]
    names = ("its arithmetic", "its memory traffic", "its overhead (packing, transforms)")
    part = max(range(3), key=lambda i: more[i])
    words = [f"{_times(plan.seconds / winner.seconds)} the time, mostly for {names[part]}"]
    return "; ".join([word for word in (*words, plan.remark) if word])


def _times(ratio: float) -> str:
    return f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.0f}x"
