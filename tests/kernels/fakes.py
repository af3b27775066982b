"""Algorithms with made-up costs, which compute by the reference: to see what the planner does with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convgrad.kernels import reference
from convgrad.kernels.algorithms import Algorithm, Cost, Machine
from convgrad.kernels.geometry import Geometry
from convgrad.kernels.problem import FORWARD, INPUT_GRAD, PRIMITIVES, Problem

MACHINE = Machine("baseline", 16, 2, 1e11, 2e10)


class Fake(Algorithm):
    """Costs ``cost`` seconds, wants ``scratch_bytes`` of scratch, fits what ``fits`` says; counts its runs."""

    def __init__(
        self, name: str, cost: float | Cost = 1.0, *, exact: bool = True, primitives: tuple[str, ...] = PRIMITIVES,
        scratch_bytes: int = 0, unfit: Callable[[Problem], str] = lambda problem: "", remark: str = "",
    ) -> None:  # fmt: skip
        self.name, self.exact, self.primitives = name, exact, primitives
        self._cost = cost if isinstance(cost, Cost) else Cost(cost, 0.0, 0.0)
        self._scratch, self._unfit, self._remark = scratch_bytes, unfit, remark
        self.prepared = self.runs = 0

    def fits(self, problem: Problem, machine: Machine) -> str:
        return self._unfit(problem)

    def cut(self, problem: Problem, machine: Machine) -> tuple[int, ...]:
        return (7, 3)

    def cost(self, problem: Problem, cut: tuple[int, ...], machine: Machine) -> Cost:
        return self._cost

    def remark(self, problem: Problem, cut: tuple[int, ...], machine: Machine) -> str:
        return self._remark

    def prepare(self, problem: Problem, cut: tuple[int, ...], machine: Machine) -> Callable[..., None]:
        self.prepared += 1

        def call(first: Any, second: Any, bias: Any, out: Any, activation: int = 0) -> None:
            self.runs += 1
            out[...] = computed(problem, first, second, bias).reshape(out.shape)

        return call

    def scratch(self, call: Any, threads: int) -> int:
        return self._scratch * threads


def computed(problem: Problem, first: Any, second: Any, bias: Any = None) -> Any:
    """A problem's result by the reference, in three spatial dimensions."""
    padding = []
    for n, k, o, s, low, d in zip(
        problem.input_size, problem.kernel_size, problem.output_size, problem.stride, problem.low,
        problem.dilation, strict=True,
    ):  # fmt: skip
        padding.append((low, max((o - 1) * s + d * (k - 1) + 1 - n - low, 0)))
    geometry = Geometry(problem.stride, tuple(padding), problem.dilation, problem.groups, problem.border)
    shapes = problem.operand_shapes
    a, b = np.reshape(first, shapes[0]), np.reshape(second, shapes[1])
    if problem.primitive == FORWARD:
        return reference.convolve(a, b, geometry, bias)
    if problem.primitive == INPUT_GRAD:
        return reference.convolve_input_grad(a, b, geometry, problem.input_size, bias)
    return reference.convolve_weight_grad(a, b, geometry, problem.kernel_size)
