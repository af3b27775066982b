"""What the compiled algorithms have in common: made by ``_native.kernel`` under their own name."""

from __future__ import annotations

from typing import Any

from convgrad.kernels.algorithms.algorithm import Algorithm, Call, Cut, Machine
from convgrad.kernels.machine import _native
from convgrad.kernels.problem import PRIMITIVES, Problem


class NativeAlgorithm(Algorithm):
    """An algorithm of ``native/``; its C++ file says how it works."""

    def prepare(self, problem: Problem, cut: Cut, machine: Machine) -> Call:
        return _native.kernel(
            self.name, PRIMITIVES.index(problem.primitive), problem.numbers(), problem.dtype.itemsize == 8,
            list(cut), machine.instruction_set,
        )  # fmt: skip

    def scratch(self, call: Any, threads: int) -> int:
        return call.shared_bytes + threads * call.scratch_bytes
