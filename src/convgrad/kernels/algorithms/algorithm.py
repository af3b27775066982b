"""What the planner asks of an algorithm: whether it fits, how it would cut the work, what that costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from convgrad.kernels.problem import PRIMITIVES, Problem

Call = Callable[..., None]
Cut = tuple[int, ...]


class Machine(NamedTuple):
    """What costs are reckoned for. Nothing measured: the same on every run, so that plans are too.

    Attributes:
        instruction_set: name of the kernels' table, as ``_native.instruction_sets`` lists them.
        vector_bytes: bytes of one vector.
        threads: threads that costs are reckoned for. Not how many there are: a choice that depended on
            them would make results depend on them.
        flops: floating point operations per second of one thread in float32, at best.
        bandwidth: bytes per second of main memory, all threads together.
        registers: vector registers.
    """

    instruction_set: str
    vector_bytes: int
    threads: int
    flops: float
    bandwidth: float
    registers: int = 32

    def lanes(self, problem: Problem) -> int:
        return self.vector_bytes // problem.dtype.itemsize


class Cost(NamedTuple):
    """What a call should take, in seconds, and for what; the parts are not thought to overlap.

    Attributes:
        arithmetic: multiplying and adding, at the speed this algorithm reaches on this shape.
        traffic: reading operands from main memory and writing the result.
        overhead: everything else, such as packing, transforms there and back, starting tasks.
    """

    arithmetic: float
    traffic: float
    overhead: float

    @property
    def total(self) -> float:
        return self.arithmetic + self.traffic + self.overhead


class Algorithm:
    """Base of all algorithms; instances have no state."""

    #: what plans, ``explain`` and ``backends.convolution.algorithm`` call it: a family, "_" and a kind
    name = ""
    #: one sentence on how it works
    summary = ""
    #: it sums products as the definition does: errors belong to a sum's own terms, not to its neighbours
    exact = True
    primitives: tuple[str, ...] = PRIMITIVES

    def fits(self, problem: Problem, machine: Machine) -> str:
        """Why the algorithm cannot serve the problem; empty if it can. The primitive is one of its own."""
        return ""

    def cut(self, problem: Problem, machine: Machine) -> Cut:
        """Block sizes, by the shape alone: results must not depend on the number of threads."""
        raise NotImplementedError

    def cost(self, problem: Problem, cut: Cut, machine: Machine) -> Cost:
        """Estimated time of one call, by the shape and the machine alone."""
        raise NotImplementedError

    def remark(self, problem: Problem, cut: Cut, machine: Machine) -> str:
        """What makes it quick or slow on this shape, for ``explain``: "2.25x fewer products"; or nothing."""
        return ""

    def prepare(self, problem: Problem, cut: Cut, machine: Machine) -> Call:
        """A callable ``(first, second, bias, out, activation)`` that fills ``out``."""
        raise NotImplementedError

    def scratch(self, call: Any, threads: int) -> int:
        """Most bytes of scratch that ``call``, made by ``prepare``, holds at a time on so many threads."""
        raise NotImplementedError
