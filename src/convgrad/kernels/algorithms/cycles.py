"""What the pieces of the compiled kernels take, in processor cycles: what their inner loops do is counted.

The counts are those of a core with two multiply-add units, two loads and one store per cycle, and four
cycles from one multiply-add to the next on the same register; the few constants were measured on one
(docs/kernels.md). Only ratios between algorithms matter.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from convgrad.kernels.algorithms.algorithm import Cost, Machine
from convgrad.kernels.problem import INPUT_GRAD, Problem

CLOCK = 4.0e9  # cycles per second
TASK = 400.0  # cycles to start a task
CALL = 2500.0  # to start a call
WAKE = 8000.0  # to share a call among threads
WORTH = 160_000.0  # cycles below which a call stays on its thread
TRANSPOSE = 3.0  # per vector of a square turned over in registers, with its loads and stores
COPY = 2.5  # per vector packed
ROW = 12.0  # per row packed
SCALAR = 1.3  # per element moved alone
TILE = 25.0  # per call of a register tile
_CACHED = 2**24  # operands of up to so many bytes are found in the last cache
_WAITS = 0.4  # of the memory traffic, what is not hidden behind products: what comes next is asked for ahead
_CACHE_SPEED = 5.0  # in which they are read so many times faster than from memory

#: rows of the register tile beside panels of 1, 2, ... vectors (tile.hpp), for 32 and for 16 registers
_ROWS = {32: (8, 8, 8, 6), 16: (8, 6)}


def ceil(a: int, b: int) -> int:
    return -(-a // b)


def step(rows: float, vectors: float, machine: Machine, loads: float = 0.0) -> float:
    """One step along the sum of a tile; ``loads`` if not one for each row and vector, and an offset."""
    rate = (
        2.0 if machine.vector_bytes > 16 else 1.4
    )  # multiply-adds, or multiplications and additions, per cycle
    return max(1.06 * rows * vectors / rate, (loads or rows + vectors + 1) / 2, 4.0)


def tiles(rows: int, width: int, depth: float, machine: Machine) -> float:
    """``rows`` rows against a panel of ``width`` vectors, ``depth`` steps each."""
    count = ceil(rows, _ROWS[machine.registers][width - 1])
    each = rows / count
    return count * (depth * step(each, width, machine) + TILE + 1.5 * each * width)


class Panels(NamedTuple):
    """Channels as lanes: so many vectors in so many panels, as even as possible (panels.hpp)."""

    vectors: int
    number: int

    @staticmethod
    def of(channels: int, lanes: int, machine: Machine, most: int = 4) -> Panels:
        vectors = ceil(channels, lanes)
        return Panels(vectors, ceil(vectors, min(most, len(_ROWS[machine.registers]))))

    def tiles(self, rows: int, depth: float, machine: Machine) -> float:
        """All panels against the same rows."""
        width, wider = divmod(self.vectors, self.number)
        widths = [(width + 1, wider), (width, self.number - wider)]
        return sum([count * tiles(rows, w, depth, machine) for w, count in widths if count])


class Source(NamedTuple):
    """What a block of outputs reads of one channel: so many rows of so many entries."""

    rows: int
    entries: int

    @staticmethod
    def of(problem: Problem, span: list[int]) -> Source:
        sizes = zip(span, problem.kernel_size, problem.stride, problem.dilation, strict=True)
        if problem.primitive == INPUT_GRAD:
            depth, height, width = [min(k * n, n + d * (k - 1) // s + 1) for n, k, s, d in sizes]
        else:
            depth, height, width = [min(k * n, (n - 1) * s + d * (k - 1) + 1) for n, k, s, d in sizes]
        return Source(depth * height, width)

    def cycles(self, lanes: int, alone: bool) -> float:
        """To pack it; ``alone``: entry by entry."""
        return self.rows * (ROW + (SCALAR * self.entries if alone else COPY * ceil(self.entries, lanes)))


def cost(
    problem: Problem, products: float, others: float, jobs: int, machine: Machine, waits: float = 1.0
) -> Cost:
    """A call's cost from the cycles of all threads together and the number of its largest job's tasks.

    ``waits``: how much more of the memory traffic than usual is waited for.
    """
    total = products + others + TASK * jobs
    share = ceil(jobs, machine.threads) / jobs  # threads that end early wait
    start = CALL
    if total < WORTH:
        share = 1.0
    else:
        start += WAKE
    speed = machine.bandwidth * (_CACHE_SPEED if problem.operand_bytes < _CACHED else 1.0)
    overhead = ((others + TASK * jobs) * share + start) / CLOCK
    return Cost(products * share / CLOCK, waits * _WAITS * problem.operand_bytes / speed, overhead)


def blocks_of(counts: list[int], span: list[int]) -> int:
    return prod([ceil(n, s) for n, s in zip(counts, span, strict=True)])


def filled(count: int, lanes: int, what: str) -> str:
    """How well so many numbers fill vectors, in words."""
    vectors = ceil(count, lanes)
    return f"{count} {what} in {vectors * lanes} lanes of {vectors} vector{'s' if vectors > 1 else ''}"
