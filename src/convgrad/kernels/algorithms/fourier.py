"""Convolution as a product of spectra: cheap per tap, so the algorithm for long kernels.

``cut``: points of a transform, outputs per frame, whether units pair channels (not rows), row units per tile
and per task, filter units per task, whether tasks transform filters themselves; see native/fft_plan.hpp.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import log2, prod
from typing import NamedTuple

from convgrad.kernels.algorithms import cycles
from convgrad.kernels.algorithms.algorithm import Cost, Cut, Machine
from convgrad.kernels.algorithms.native import NativeAlgorithm
from convgrad.kernels.problem import INPUT_GRAD, WEIGHT_GRAD, Problem

#: points of a transform: powers of two, and three times such
LENGTHS = tuple(sorted([2**a for a in range(7, 23)] + [3 * 2**a for a in range(7, 21)]))
LONGEST_LINE = 2**30
SCRATCH = 2**24  # bytes beyond those of the operands, on two threads

_TILE = 3 * 2**17  # bytes of the spectra a task works on: they share the second-level cache with the filters'
# Cuts are chosen for these numbers of threads, by weight, whatever there are: results must not depend on it.
_THREADS = ((2, 3.0), (8, 1.0))

# Processor cycles, by least squares over 16,000 calls of the kernels on all instruction sets.
_LEVEL = 2.0  # per vector of points and level of a transform,
_FAR = 0.7  # and so much of it again per doubling of a transform that outgrows the first-level cache,
_IN_CACHE = 2048  # as those of more points do
_WAITS = 5.0  # for memory, see ``cycles.cost``
_PRODUCT = 2.2  # per vector of products
_FRAME = 200.0  # per transform: finding, staging, storing
_ROW = 16.0  # per row of an image in it
_BYTE = 0.05  # per byte of spectra that does not stay with its task,
_FURTHER = 1.6  # and so many times that if they outgrow
_SECOND_CACHE = 2**20  # the second-level cache


class Fft(NativeAlgorithm):
    """Overlap-save with transforms of two signals at a time (native/fft_plan.hpp).

    Errors are relative to the largest value of a frame, where those of the definition are relative to the
    terms of an output: beside an output of 1, one that should be 0 or 1e-9 may come out as 1e-7 in float32.
    On normal data they stay below 5e-7 of the largest output in float32 and 2e-15 in float64, in all three
    primitives. Frames with huge, infinite or undefined values are left to the definition: of more than
    3e10 in float32, so that nothing can overflow on the way.
    """

    name = "fft"
    summary = (
        "products of spectra, frame by frame: the cost of a tap grows with the logarithm of their number"
    )
    exact = False

    def fits(self, problem: Problem, machine: Machine) -> str:
        if line_of(problem).length > LONGEST_LINE:
            return f"takes rows that make a line of at most {LONGEST_LINE} places"
        if _meets_nothing(problem):
            return "is not exact enough where every window lies in the padding"
        if _best(problem, machine._replace(threads=0)) is None:
            return f"would take more than {SCRATCH} bytes of scratch beside the operands"
        return ""

    def cut(self, problem: Problem, machine: Machine) -> Cut:
        best = _best(problem, machine._replace(threads=0))
        assert best is not None, "asked for a cut where the algorithm does not fit"
        return best

    def cost(self, problem: Problem, cut: Cut, machine: Machine) -> Cost:
        return Work(problem, *cut).cost(problem, machine)

    def remark(self, problem: Problem, cut: Cut, machine: Machine) -> str:
        points, step, *_ = cut
        return f"transforms of {points} points, {min(step, line_of(problem).outputs)} of them new"


class Line(NamedTuple):
    """Space as one line, rows end to end (native/fft_plan.hpp); sizes in places."""

    length: int
    reach: int  # from an output's first tap to its last
    outputs: int  # from the first output to the last, both counted
    whole: int  # points of the shortest frame that holds everything
    pitch: int  # from one row to the next


@lru_cache(1024)
def line_of(problem: Problem) -> Line:
    """The line that a problem's frames are cut from."""
    reach = [(k - 1) * d for k, d in zip(problem.kernel_size, problem.dilation, strict=True)]
    target, source = problem.output_size, problem.input_size
    stride, every, low = problem.stride, (1, 1, 1), problem.low
    if problem.primitive == INPUT_GRAD:
        target, source, stride, every = source, target, every, stride
        low = tuple([r - first for r, first in zip(reach, low, strict=True)])
    extent = [(t - 1) * s + r + 1 for t, s, r in zip(target, stride, reach, strict=True)]
    rows, pitch = extent[1:]

    def place(at: list[int]) -> int:
        return (at[0] * rows + at[1]) * pitch + at[2]

    outputs = place([(t - 1) * s for t, s in zip(target, stride, strict=True)]) + 1
    whole = outputs + place(reach)
    if problem.primitive == INPUT_GRAD or problem.border == "zeros":
        # The only frame leaves out the zeros at the head of the line and wraps those at its end.
        head = place([max(first, 0) for first in low])
        last = [
            min(first + (n - 1) * step, size - 1)
            for first, n, step, size in zip(low, source, every, extent, strict=True)
        ]
        whole = max(place(last) + 1, whole - head, place(reach) + 1)
    return Line(prod(extent), place(reach), outputs, whole, pitch)


class Work:
    """What a cut comes to: transforms, products, scratch."""

    __slots__ = ("far", "points", "products", "scratch", "staged", "tasks", "traffic", "transforms")

    def __init__(
        self, problem: Problem, points: int, step: int, pairs: int, tile: int, rows_per_task: int,
        filters_per_task: int, own: int,
    ) -> None:  # fmt: skip
        self.points = points
        channels, row_units, filter_units = units_of(problem, step, pairs)
        row_parts, filter_parts = -(-row_units // rows_per_task), -(-filter_units // filters_per_task)
        self.tasks = problem.groups * row_parts * filter_parts
        tiles = -(-rows_per_task // tile)
        pairings = problem.groups * filter_units * channels
        self.products = pairings * row_units
        self.staged = problem.groups * row_units * (channels * filter_parts + filter_units)
        self.transforms = self.staged
        if problem.primitive == WEIGHT_GRAD:
            # Sums stay in a task if it sees all rows, and in registers if those are one tile.
            self.transforms += pairings
            self.traffic = 4 * pairings * row_parts if row_parts > 1 else 0
            self.traffic += 2 * pairings * row_parts * (tiles if tiles > 1 else 0)
            shared = pairings * row_parts if row_parts > 1 else 0
            kept = filters_per_task * channels if row_parts == 1 and tiles > 1 else 0
            alone = kept or shared or filters_per_task * channels == 1
            task = (1 if alone else 4) + tile * (channels + filters_per_task) + kept
            frames = 0 if alone else 1
            marks = self.tasks * rows_per_task * (channels + filters_per_task)
        else:
            # A task that transforms filters itself holds two, and meets all of them again in every tile.
            again = row_parts * (tiles if filters_per_task > 2 else 1)
            self.transforms += pairings * again if own else pairings
            shared = 0 if own else pairings
            self.traffic = shared * row_parts * tiles
            task = (4 if channels > 1 else 1) + tile * channels
            task += min(2, filters_per_task) * channels if own else 0
            frames = (channels > 1) + (problem.primitive == INPUT_GRAD and problem.stride != (1, 1, 1))
            marks = shared
        spectrum = 2 * points * problem.dtype.itemsize
        frame = (step + line_of(problem).reach) * problem.dtype.itemsize
        self.traffic *= spectrum
        self.far = shared * spectrum > _SECOND_CACHE
        self.scratch = spectrum * shared + marks
        self.scratch += 2 * (spectrum * (task + 1) + frame * frames)

    def cost(self, problem: Problem, machine: Machine) -> Cost:
        vectors = self.points / machine.lanes(problem)
        levels = log2(self.points) + _FAR * max(0.0, log2(self.points / _IN_CACHE))
        others = self.transforms * (vectors * levels * _LEVEL + _FRAME)
        others += self.traffic * _BYTE * (_FURTHER if self.far else 1.0)
        others += self.staged * (self.points // line_of(problem).pitch) * 2 * _ROW
        return cycles.cost(problem, self.products * vectors * _PRODUCT, others, self.tasks, machine, _WAITS)


def _meets_nothing(problem: Problem) -> bool:
    """Whether the result is zero since no tap of any output reaches the input along some axis."""
    sizes = zip(
        problem.input_size, problem.kernel_size, problem.output_size, problem.stride, problem.low,
        problem.dilation, strict=True,
    )  # fmt: skip
    return problem.border == "zeros" and not all([_axis_meets(*axis) for axis in sizes])


def _axis_meets(size: int, kernel: int, outputs: int, stride: int, low: int, dilation: int) -> bool:
    for tap in range(kernel):
        begin = tap * dilation - low  # the place that the first output's window reads with this tap
        first = max(0, -(begin // stride))
        if first < outputs and begin + first * stride < size:
            return True
    return False


def units_of(problem: Problem, step: int, pairs: int) -> tuple[int, int, int]:
    """Contracted channels, units of rows, and units of filters per group (native/fft_plan.hpp)."""
    channels, produced = problem.in_channels, problem.out_channels
    if problem.primitive == INPUT_GRAD:
        channels, produced = produced, channels
    rows = problem.batch * -(-line_of(problem).outputs // step)
    return (channels, rows, -(-produced // 2)) if pairs else (channels, -(-rows // 2), produced)


@lru_cache(4096)
def _best(problem: Problem, machine: Machine) -> Cut | None:
    """The cheapest cut whose scratch is allowed: first the frames, then how tasks share them."""
    frames = _cheapest(problem, machine, _frames(problem))
    return frames and _cheapest(problem, machine, _shares(problem, *frames[:3]))


def _cheapest(problem: Problem, machine: Machine, cuts: Iterator[Cut]) -> Cut | None:
    machines = [(machine._replace(threads=threads), weight) for threads, weight in _THREADS]
    limit = SCRATCH + problem.operand_bytes
    best, least = None, float("inf")
    for cut in cuts:
        work = Work(problem, *cut)
        if work.scratch > limit:
            continue
        seconds = sum([work.cost(problem, machine).total * weight for machine, weight in machines])
        if seconds < least:
            best, least = cut, seconds
    return best


def _frames(problem: Problem) -> Iterator[Cut]:
    """Frames of every length that makes sense, each shared in one or two plain ways."""
    line = line_of(problem)
    for points in LENGTHS:
        if points <= line.reach:
            continue
        if points >= line.whole:
            yield from _plain_shares(problem, points, line.outputs)
            return
        if points <= max(512, 16 * line.reach):
            yield from _plain_shares(problem, points, points - line.reach)


def _plain_shares(problem: Problem, points: int, step: int) -> Iterator[Cut]:
    for pairs in (0, 1):
        _, rows, filters = units_of(problem, step, pairs)
        if problem.primitive == WEIGHT_GRAD:
            filters = min(filters, 4)
        part = -(-rows // 4)
        yield _cut(problem, points, step, pairs, part, filters, 0)
        yield _cut(problem, points, step, pairs, min(rows, 4), min(filters, 2), 1)


def _shares(problem: Problem, points: int, step: int, pairs: int) -> Iterator[Cut]:
    """Ways to share the rows and filters of given frames among tasks."""
    _, rows, filters = units_of(problem, step, pairs)
    for rows_per_task in _parts(rows):
        for filters_per_task in _parts(filters):
            for own in (0,) if problem.primitive == WEIGHT_GRAD else (0, 1):
                yield _cut(problem, points, step, pairs, rows_per_task, filters_per_task, own)


def _parts(count: int) -> list[int]:
    return sorted({-(-count // parts) for parts in (1, 2, 4, 8)} | {min(count, 4)})


def _cut(problem: Problem, points: int, step: int, pairs: int, rows: int, filters: int, own: int) -> Cut:
    """With as many rows to a tile as the cache holds."""
    depth = units_of(problem, step, pairs)[0] + (filters if problem.primitive == WEIGHT_GRAD else 0)
    tile = min(rows, 4, max(1, _TILE // (2 * points * problem.dtype.itemsize * depth)))
    return points, step, pairs, tile, rows, filters, own
