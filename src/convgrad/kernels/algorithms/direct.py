"""Direct convolution: the sums of the definition, in register tiles over a cache-sized copy of the source.

``cut`` of outputs and input gradients: outputs of a block along each axis (per residue of the stride),
images of a block, contracted channels packed at a time, products per pass of the tile, panels per task.
``cut`` of weight gradients: outputs of a block along each axis, images, input channels and panels (pixels as
lanes: output channels) per task, chunks whose sums are kept apart.
"""

from __future__ import annotations

from math import prod

from convgrad.kernels.algorithms.algorithm import Cost, Cut, Machine
from convgrad.kernels.algorithms.native import NativeAlgorithm
from convgrad.kernels.problem import FORWARD, INPUT_GRAD, WEIGHT_GRAD, Problem

DEPTH = 256  # products per chain of additions: short chains round less
CACHE = 2**18  # bytes that a block's source, or its sums, may take: a part of the second-level cache
TASKS = 16  # tasks that a call is cut into at least, if they are worth it: threads then end together
_MOST_PHASES = 4096
_MOST_CHUNKS = 2**23  # bytes of sums that weight gradients keep apart


class Sides:
    """A forward convolution or input gradient as the kernels see it: what is read, what is written."""

    def __init__(self, problem: Problem) -> None:
        forward = problem.primitive == FORWARD
        self.contracted = problem.in_channels if forward else problem.out_channels
        self.produced = problem.out_channels if forward else problem.in_channels
        self.target = problem.output_size if forward else problem.input_size
        self.every = (1, 1, 1) if forward else problem.stride
        #: outputs per axis of one residue of the stride
        self.counts = [-(-n // e) for n, e in zip(self.target, self.every, strict=True)]
        #: taps that meet in one output, at most
        self.taps = prod([-(-k // e) for k, e in zip(problem.kernel_size, self.every, strict=True)])


class Direct(NativeAlgorithm):
    """What both ways of laying out the lanes share."""

    def fits(self, problem: Problem, machine: Machine) -> str:
        sizes = zip(problem.stride, problem.input_size, strict=True)
        if problem.primitive == INPUT_GRAD and prod([min(s, n) for s, n in sizes]) > _MOST_PHASES:
            return f"wants at most {_MOST_PHASES} residues of the stride"
        return ""

    def cut(self, problem: Problem, machine: Machine) -> Cut:
        if problem.primitive == WEIGHT_GRAD:
            return self._cut_weights(problem, machine)
        sides = Sides(problem)
        produced = -(-sides.produced // machine.lanes(problem)) * machine.lanes(problem)
        most = max(64, CACHE * 2 // (problem.dtype.itemsize * produced))
        total = problem.batch * problem.groups * prod(sides.counts)
        pixels = max(48, min(448, most, total // TASKS)) // prod(sides.every)
        span = spans(sides.counts, max(1, pixels))
        images = max(1, min(problem.batch, pixels // prod(sides.counts)))
        chunk = max(1, CACHE // (problem.dtype.itemsize * prod(span) * images * 2))
        return (*span, images, min(chunk, sides.contracted), DEPTH, 8)

    def _cut_weights(self, problem: Problem, machine: Machine) -> Cut:
        raise NotImplementedError

    def cost(self, problem: Problem, cut: Cut, machine: Machine) -> Cost:
        rate = machine.flops * machine.threads * 4 / problem.dtype.itemsize
        arithmetic = problem.flops / (rate * self.efficiency(problem, machine))
        return Cost(arithmetic, problem.operand_bytes / machine.bandwidth, 0.0)

    def efficiency(self, problem: Problem, machine: Machine) -> float:
        raise NotImplementedError


class DirectChannels(Direct):
    """Channels as lanes (native/direct_channels.cpp, weight_channels.cpp)."""

    name = "direct_channels"
    summary = "sums of the definition, channels side by side in a vector"

    def _cut_weights(self, problem: Problem, machine: Machine) -> Cut:
        lanes, size = machine.lanes(problem), problem.dtype.itemsize
        pixels = prod(problem.output_size)
        span = spans(list(problem.output_size), 256)
        images = max(1, min(problem.batch, 256 // pixels))
        blocks = -(-problem.batch // images) * prod(
            [-(-n // s) for n, s in zip(problem.output_size, span, strict=True)]
        )
        step = prod([s if k > 1 else 1 for k, s in zip(problem.kernel_size, problem.stride, strict=True)])
        entries = images * prod(span) * step
        channels = max(1, min(problem.in_channels, CACHE * 3 // 2 // (size * entries)))
        panels = -(-problem.out_channels // (4 * lanes))
        kept = size * problem.groups * panels * 4 * lanes * problem.in_channels * problem.taps
        chunks = max(1, min(blocks, TASKS, _MOST_CHUNKS // kept))
        parts = -(-problem.in_channels // channels)
        together = max(1, min(panels, panels * parts * problem.groups * chunks // TASKS))
        parts = max(
            parts, min(problem.in_channels, TASKS // (problem.groups * chunks * -(-panels // together)))
        )
        return (*span, images, -(-problem.in_channels // parts), together, chunks)

    def efficiency(self, problem: Problem, machine: Machine) -> float:
        lanes = machine.lanes(problem)
        produced = problem.out_channels if problem.primitive != "input_grad" else problem.in_channels
        return 0.8 * produced / (-(-produced // lanes) * lanes)

    def remark(self, problem: Problem, cut: Cut, machine: Machine) -> str:
        produced = problem.in_channels if problem.primitive == INPUT_GRAD else problem.out_channels
        return _filled(produced, machine.lanes(problem), "channels")


class DirectPixels(Direct):
    """Pixels as lanes (native/direct_pixels.cpp, weight_pixels.cpp)."""

    name = "direct_pixels"
    summary = "sums of the definition, neighbouring pixels side by side in a vector"

    def _cut_weights(self, problem: Problem, machine: Machine) -> Cut:
        lanes, size = machine.lanes(problem), problem.dtype.itemsize
        span = spans(list(problem.output_size), 1024)
        blocks = problem.batch * prod([-(-n // s) for n, s in zip(problem.output_size, span, strict=True)])
        outs = min(problem.out_channels, 16)
        channels = max(1, min(problem.in_channels, CACHE // (size * problem.taps * lanes * outs)))
        tasks = problem.groups * -(-problem.out_channels // outs) * -(-problem.in_channels // channels)
        chunks = max(1, min(blocks, -(-TASKS // tasks), _MOST_CHUNKS // (size * problem.w_elements)))
        return (*span, 1, channels, outs, chunks)

    def efficiency(self, problem: Problem, machine: Machine) -> float:
        lanes = machine.lanes(problem)
        width = problem.output_size[2] if problem.primitive != "input_grad" else problem.input_size[2]
        return 0.7 * width / (-(-width // lanes) * lanes)

    def remark(self, problem: Problem, cut: Cut, machine: Machine) -> str:
        width = problem.input_size[2] if problem.primitive == INPUT_GRAD else problem.output_size[2]
        return _filled(width, machine.lanes(problem), "pixels of a row")


def _filled(count: int, lanes: int, what: str) -> str:
    """How well so many numbers fill vectors, in words."""
    vectors = -(-count // lanes)
    return f"{count} {what} in {vectors * lanes} lanes of {vectors} vector{'s' if vectors > 1 else ''}"


def spans(counts: list[int], most: int) -> tuple[int, int, int]:
    """Outputs per block and axis: whole rows first, then rows, then slabs, as even as possible."""
    left, out = most, []
    for count in reversed(counts):
        span = max(1, min(count, left))
        blocks = -(-count // span)
        span = -(-count // blocks)
        out.append(span)
        left //= span
    return out[2], out[1], out[0]
