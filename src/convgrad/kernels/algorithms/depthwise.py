"""Depthwise convolution: one input channel per group, every plane by itself.

``cut``: outputs of a block along each axis (per residue of the stride).
"""

from __future__ import annotations

from math import gcd, prod
from typing import NamedTuple

from convgrad.kernels.algorithms import cycles
from convgrad.kernels.algorithms.algorithm import Cost, Cut, Machine
from convgrad.kernels.algorithms.cycles import Source, blocks_of, ceil
from convgrad.kernels.algorithms.direct import TASKS
from convgrad.kernels.algorithms.native import NativeAlgorithm
from convgrad.kernels.geometry import Ints
from convgrad.kernels.problem import INPUT_GRAD, WEIGHT_GRAD, Problem

_MOST_PHASES = 4096
_MOST_TAPS = 2**18  # as kernel.cpp
_SHARE = 512  # outputs of a block, below which more tasks are not worth their borders
_TASK_ELEMENTS = 65536  # as depthwise_plan.cpp
_RUN = 3.0  # cycles to start a run of taps
_LINE = 30.0  # cycles to start a line of outputs
_BLOCK = 120.0  # cycles to start a block
_WAYS = 4096  # planes so many bytes apart meet in the same few lines of the first-level cache
_AGAIN = {False: 1.25, True: 1.6}  # times as long where channels have several filters; of input gradients
_CHAIN = 256  # outputs summed before the sums of a weight gradient are put by


class Tile(NamedTuple):
    """What the inner loops hold in registers (depthwise_tile.hpp, depthwise_products.hpp)."""

    run: int  # taps
    outputs: int
    sums: int  # of weights, and outputs beside them
    beside: int

    @staticmethod
    def of(machine: Machine) -> Tile:
        return Tile(
            7 if machine.vector_bytes > 32 else 4, *((14, 14, 7) if machine.registers > 16 else (10, 10, 4))
        )

    def runs(self, taps: int, step: int) -> list[int]:
        """Lengths of the runs of an axis, on which taps so far apart meet the same entries (0: none do)."""
        chains = [len(range(first, taps, step)) for first in range(min(step, taps))] if step else [1] * taps
        parts = [(length, ceil(length, self.run)) for length in chains]
        return [length // count + (i < length % count) for length, count in parts for i in range(count)]

    def products(self, outputs: float, run: int, load: float, machine: Machine) -> float:
        """A run of taps with so many outputs; ``load``: loads that an entry takes."""
        return cycles.step(outputs, run, machine, load * (outputs + run - 1) + run) + _RUN

    def weight_products(self, outputs: float, runs: list[int], load: float, machine: Machine) -> float:
        """So many outputs in a row, with all runs."""
        total = 0.0
        whole, single = divmod(outputs, self.beside)
        for length in set(runs):
            groups = ceil(runs.count(length), max(1, min(self.sums // length, 8)))
            rows = runs.count(length) / groups
            for at_once, times in ((self.beside, whole), (1, single)):
                loads = load * (at_once + rows * (at_once + length - 1))
                total += groups * times * (cycles.step(at_once * length, rows, machine, loads) + 1)
            total += groups * 3 * _RUN
        return total


class Planes:
    """A problem as the kernels see it: planes that are read, and outputs that are written or, by a weight
    gradient, summed over.
    """

    def __init__(self, problem: Problem) -> None:
        self.adjoint = problem.primitive == INPUT_GRAD
        read, written = problem.input_size, problem.output_size
        self.source, self.target = (written, read) if self.adjoint else (read, written)
        self.every = problem.stride if self.adjoint else (1, 1, 1)
        #: outputs per axis of one residue of the stride
        self.counts = [ceil(n, e) for n, e in zip(self.target, self.every, strict=True)]
        #: residues that have outputs
        self.phases = prod([min(n, e) for n, e in zip(self.target, self.every, strict=True)])
        #: planes read, and planes written or summed over, per channel
        self.reads = problem.out_channels if self.adjoint else 1
        self.writes = 1 if self.adjoint else problem.out_channels


class Depthwise(NativeAlgorithm):
    """What both ways of laying out the lanes share."""

    def fits(self, problem: Problem, machine: Machine) -> str:
        if problem.in_channels != 1:
            return "wants one input channel per group"
        if problem.out_channels * problem.taps > _MOST_TAPS:
            return f"wants at most {_MOST_TAPS} taps"
        if Planes(problem).phases > _MOST_PHASES:
            return f"wants at most {_MOST_PHASES} residues of the stride"
        return ""

    def _split(self, problem: Problem, most: int, planes: int) -> Cut:
        """Blocks of at most so many outputs, and enough of them for a few threads."""
        counts = Planes(problem).counts
        span = list(counts)
        for axis in range(3):
            while span[axis] > 1:
                few = planes * blocks_of(counts, span) < TASKS and prod(span) > _SHARE
                if prod(span) <= most and not few:
                    break
                span[axis] = ceil(span[axis], 2)
        return tuple(span)

    #: waits for memory, beside those of other algorithms; for weight gradients the second
    _waits = (1.0, 1.0)

    def _cost(
        self,
        problem: Problem,
        cut: Cut,
        sets: int,
        products: float,
        others: float,
        lanes: int,
        machine: Machine,
    ) -> Cost:
        """Of so many sets, from a block's cycles: those of products, per plane written, and of the rest."""
        planes, span = Planes(problem), list(cut)
        blocks = sets * blocks_of(planes.counts, span)
        scale = sets * prod(planes.counts) / prod(span)  # blocks, were they all whole
        source = Source.of(problem, span)
        elements = lanes * (source.rows * source.entries + prod(span))
        tasks = ceil(blocks, max(1, min(_TASK_ELEMENTS // elements, blocks // 32)))
        products *= problem.out_channels * scale
        cost = cycles.cost(problem, products, others * scale + _BLOCK * blocks, tasks, machine)
        return cost._replace(traffic=cost.traffic * self._waits[problem.primitive == WEIGHT_GRAD])


class DepthwiseChannels(Depthwise):
    """Planes as lanes (native/depthwise_channels.cpp, depthwise_channel_weights.cpp)."""

    name = "depthwise_channels"
    summary = "one input channel per group, each by itself: neighbouring channels side by side in a vector"
    _scratch = 2**18  # bytes of outputs

    def cut(self, problem: Problem, machine: Machine) -> Cut:
        sets = problem.batch * ceil(problem.groups, machine.lanes(problem))
        return self._split(problem, self._scratch // machine.vector_bytes, sets)

    def cost(self, problem: Problem, cut: Cut, machine: Machine) -> Cost:
        tile, lanes, planes = Tile.of(machine), machine.lanes(problem), Planes(problem)
        source = Source.of(problem, list(cut))
        entries = min(source.rows, prod(planes.source[:2])) * min(source.entries, planes.source[2])
        alone = problem.stride[2] > 8 and not planes.adjoint
        turned = entries * (lanes * cycles.SCALAR if alone else _turning(problem, planes.source, lanes))
        stored = prod(cut) * planes.phases * _turning(problem, planes.target, lanes)
        rows = cut[0] * cut[1]
        runs = tile.runs(problem.kernel_size[2], _step(problem, 2))
        lines = prod(problem.kernel_size[:2])
        if problem.primitive == WEIGHT_GRAD:
            products = tile.weight_products(cut[2], runs * lines, 1.0, machine) * rows
            products += ceil(prod(cut), _CHAIN) * problem.taps * 2.0
        else:
            count = ceil(cut[2], tile.outputs)
            one = sum([tile.products(cut[2] / count, length, 1.0, machine) for length in runs])
            narrow = (
                planes.source[2] <= 2 * tile.outputs
            )  # then borders are passed over to the left and right too
            met = prod([_met(problem, axis) for axis in range(3 if narrow else 2)])
            products = one * count * lines * rows * met
            stored += rows * planes.phases * _LINE
        sets = problem.batch * ceil(problem.groups, lanes)
        return self._cost(
            problem, cut, sets, products, turned * planes.reads + stored * planes.writes, lanes, machine
        )

    def remark(self, problem: Problem, cut: Cut, machine: Machine) -> str:
        return cycles.filled(problem.groups, machine.lanes(problem), "channels")


class DepthwisePixels(Depthwise):
    """Pixels as lanes (native/depthwise_pixels.cpp, depthwise_pixel_weights.cpp)."""

    name = "depthwise_pixels"
    summary = (
        "one input channel per group, each by itself: neighbouring pixels of a row side by side in a vector"
    )
    _scratch = 24000  # bytes of the source, of first-level cache
    _waits = (0.75, 1.5)

    def cut(self, problem: Problem, machine: Machine) -> Cut:
        most = self._scratch // problem.dtype.itemsize // prod(problem.stride)
        return self._split(problem, max(1, most), problem.batch * problem.groups)

    def cost(self, problem: Problem, cut: Cut, machine: Machine) -> Cost:
        tile, lanes, planes = Tile.of(machine), machine.lanes(problem), Planes(problem)
        vectors, rows, load = ceil(cut[2], lanes), cut[0] * cut[1], _unaligned(machine)
        common = gcd(problem.dilation[1], problem.stride[1])
        apart = problem.dilation[1] // common  # lines between outputs that share entries
        if problem.kernel_size[1] > 1 and cut[1] >= 4 * apart:  # a column of outputs
            runs = tile.runs(problem.kernel_size[1], problem.stride[1] // common)
            across = problem.kernel_size[0] * problem.kernel_size[2]
            along, beside = cut[1] / apart, vectors * cut[0] * apart
        else:
            runs = tile.runs(problem.kernel_size[2], _step(problem, 2, lanes))
            across = prod(problem.kernel_size[:2])
            along, beside = float(vectors), rows
        stored = 0.0
        if problem.primitive == WEIGHT_GRAD:
            products = tile.weight_products(along, runs * across, load, machine) * beside
            chains = ceil(int(along * beside), _CHAIN) + (1 if cut[2] % lanes else 0)
            products += chains * problem.taps * 3.0
        else:
            count = max(1, ceil(int(along), tile.outputs))
            one = sum([tile.products(along / count, length, load, machine) for length in runs])
            products = one * count * across * beside
            mixed = {1: 0.0, 2: 3.0}.get(planes.every[2], lanes * cycles.SCALAR)  # residues of the stride
            stored = rows * planes.phases * (vectors * (1 + mixed) + 2)
        if problem.out_channels > 1:  # sums come back to registers for every plane, or sources do
            products *= _AGAIN[planes.adjoint]
        sets = problem.batch * problem.groups
        others = self._packing(problem, cut, lanes) * planes.reads + stored * planes.writes
        return self._cost(problem, cut, sets, products, others, 1, machine)

    def _packing(self, problem: Problem, cut: Cut, lanes: int) -> float:
        """Cycles to copy what a block reads of one plane."""
        source = Source.of(problem, list(cut))
        stride = 1 if problem.primitive == INPUT_GRAD else problem.stride[2]
        row = ceil(source.entries, lanes) * (1.7 if stride == 1 else 3.0)
        if stride > 2:
            row = cycles.SCALAR * source.entries
        return source.rows * (5 * min(stride, problem.kernel_size[2]) + row)

    def remark(self, problem: Problem, cut: Cut, machine: Machine) -> str:
        width = problem.input_size[2] if problem.primitive == INPUT_GRAD else problem.output_size[2]
        return cycles.filled(width, machine.lanes(problem), "pixels of a row")


def _unaligned(machine: Machine) -> float:
    """Cache lines that a vector anywhere in a row lies in, on average."""
    return 1 + machine.vector_bytes / 64


def _turning(problem: Problem, size: Ints, lanes: int) -> float:
    """Cycles per vector of planes of some size that are turned to lanes, or back: by halves, quarters, ..."""
    crowded = lanes > 8 and prod(size) * problem.dtype.itemsize % _WAYS == 0
    return cycles.TRANSPOSE * (lanes.bit_length() - 1) / 3 * (2.5 if crowded else 1.0)


def _step(problem: Problem, axis: int, outputs: int = 1) -> int:
    """From one tap to the next that meets, so many outputs further, the same entry; 0: none does."""
    step, left = divmod(outputs * problem.stride[axis], problem.dilation[axis])
    return 0 if left else step


def _met(problem: Problem, axis: int) -> float:
    """The share of an axis' taps, over all outputs, that meet an entry and not a border of zeros."""
    if problem.border != "zeros":
        return 1.0
    size, outputs = problem.input_size[axis], problem.output_size[axis]
    stride, taps = problem.stride[axis], problem.kernel_size[axis]
    starts = [k * problem.dilation[axis] - problem.low[axis] for k in range(taps)]
    met = [min(outputs, -(-(size - at) // stride)) - max(0, -(at // stride)) for at in starts]
    pairs = sum([max(0, n) for n in met])
    if problem.primitive == INPUT_GRAD:
        return pairs / (size * taps) * stride
    return pairs / (outputs * taps)
