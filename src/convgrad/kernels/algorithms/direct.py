"""Direct convolution: the sums of the definition, in register tiles over a cache-sized copy of the source.

``cut`` of outputs and input gradients: outputs of a block along each axis (per residue of the stride),
images of a block, contracted channels packed at a time, products per pass of the tile, panels per task.
``cut`` of weight gradients: outputs of a block along each axis, images, input channels and panels (pixels as
lanes: output channels) per task, chunks whose sums are kept apart.
"""

from __future__ import annotations

from math import prod

from convgrad.kernels.algorithms import cycles
from convgrad.kernels.algorithms.algorithm import Cost, Cut, Machine
from convgrad.kernels.algorithms.cycles import Panels, Source, blocks_of, ceil
from convgrad.kernels.algorithms.native import NativeAlgorithm
from convgrad.kernels.problem import FORWARD, INPUT_GRAD, WEIGHT_GRAD, Problem

DEPTH = 256  # products per chain of additions: short chains round less
CACHE = 2**18  # bytes that a block's source, or its sums, may take: a part of the second-level cache
PANELS = 8  # of a task
FEW_TASKS = 4  # that the panels of few blocks are cut into, if there are as many
TASKS = 16  # tasks that a call is cut into at least, if they are worth it: threads then end together
_MOST_PHASES = 4096
_NEAR = 1024  # entries of a plane up to which channels of 1x1 convolutions are read where they are
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
        self.counts = [ceil(n, e) for n, e in zip(self.target, self.every, strict=True)]
        #: residues that have outputs
        self.phases = prod([min(n, e) for n, e in zip(self.target, self.every, strict=True)])
        #: taps that meet in one output, on average
        self.taps = problem.taps / prod(self.every)


class Direct(NativeAlgorithm):
    """What both ways of laying out the lanes share."""

    def fits(self, problem: Problem, machine: Machine) -> str:
        if problem.primitive == INPUT_GRAD and Sides(problem).phases > _MOST_PHASES:
            return f"wants at most {_MOST_PHASES} residues of the stride"
        return ""

    def cut(self, problem: Problem, machine: Machine) -> Cut:
        if problem.primitive == WEIGHT_GRAD:
            return self._cut_weights(problem, machine)
        sides = Sides(problem)
        size = problem.dtype.itemsize
        most = self._most_pixels(problem, sides, machine)
        total = problem.batch * problem.groups * prod(sides.counts)
        each = prod(sides.every)
        # of one residue of the stride; fewer would read all weights too often
        pixels = max(min(48, most // each), min(448 // each, most // each, total // TASKS))
        pieces = ceil(total, max(1, pixels))
        if total == sides.counts[2] and 1 < pieces < 8 and pieces % 2:  # a short signal, that two may share
            pixels = ceil(total, pieces + 1)
        span = spans(sides.counts, max(1, pixels))
        images = max(1, min(problem.batch, pixels // prod(sides.counts)))
        chunk = max(1, CACHE // (size * prod(span) * images * 2))
        blocks = blocks_of(sides.counts, list(span)) * ceil(problem.batch, images) * problem.groups
        panels = PANELS
        number = self._panels(sides, machine, problem)
        if number > 1 and blocks * ceil(number, PANELS) < FEW_TASKS:
            # a short signal is one block: threads share its panels, each with a copy of the source
            panels = max(1, number * blocks // FEW_TASKS)
        return (*span, images, min(chunk, sides.contracted), DEPTH, panels)

    def _most_pixels(self, problem: Problem, sides: Sides, machine: Machine) -> int:
        """Outputs of a block whose sums stay in the cache."""
        lanes = machine.lanes(problem)
        return max(64, 2 * CACHE // (problem.dtype.itemsize * ceil(sides.produced, lanes) * lanes))

    def _cut_weights(self, problem: Problem, machine: Machine) -> Cut:
        raise NotImplementedError

    def cost(self, problem: Problem, cut: Cut, machine: Machine) -> Cost:
        if problem.primitive == WEIGHT_GRAD:
            return self._cost_weights(problem, cut, machine)
        sides = Sides(problem)
        *span, images, _, depth, panels = cut
        blocks = blocks_of(sides.counts, span)
        filled = prod(sides.counts) / (prod(span) * blocks)  # of an average block
        blocks *= ceil(problem.batch, images) * problem.groups
        parts = ceil(self._panels(sides, machine, problem), panels)
        steps = sides.contracted * sides.taps * prod(sides.every) / sides.phases
        passes = ceil(int(steps), depth) or 1
        products, others = self._block(problem, sides, span, images, steps / passes, machine)
        alone = self.splits and max(sides.every if problem.primitive == INPUT_GRAD else problem.stride) > 2
        source = Source.of(problem, span).cycles(
            machine.lanes(problem), alone and problem.primitive == FORWARD
        )
        if not self._reads_in_place(problem, sides):
            others += source * images * sides.contracted * parts
        weights = problem.w_elements / machine.lanes(problem) * self._weight_cycles(problem, machine)
        scale = blocks * filled
        return cycles.cost(
            problem, products * passes * scale, others * scale + weights, int(blocks * parts), machine,
            self._waits(problem, sides, span, images, machine),
        )  # fmt: skip

    def _waits(self, problem: Problem, sides: Sides, span: list[int], images: int, machine: Machine) -> float:
        """Waits for memory, see ``cycles.cost``."""
        return 1.0

    #: rows are split by the residues of the stride when they are packed
    splits = False

    def _reads_in_place(self, problem: Problem, sides: Sides) -> bool:
        """Whether the source is read where it is, not from a copy."""
        return False

    def _panels(self, sides: Sides, machine: Machine, problem: Problem) -> int:
        """Panels of all produced channels."""
        raise NotImplementedError

    def _block(
        self, problem: Problem, sides: Sides, span: list[int], images: int, steps: float, machine: Machine
    ) -> tuple[float, float]:
        """Cycles of the tiles of one block in one pass of so many steps, and of the rest."""
        raise NotImplementedError

    def _weight_cycles(self, problem: Problem, machine: Machine) -> float:
        """Packing a vector's worth of weights."""
        raise NotImplementedError

    def _cost_weights(self, problem: Problem, cut: Cut, machine: Machine) -> Cost:
        raise NotImplementedError


class DirectChannels(Direct):
    """Channels as lanes (native/direct_channels.cpp, weight_channels.cpp)."""

    name = "direct_channels"
    summary = "sums of the definition, channels side by side in a vector"

    def _panels(self, sides: Sides, machine: Machine, problem: Problem) -> int:
        return Panels.of(sides.produced, machine.lanes(problem), machine).number

    def _block(
        self, problem: Problem, sides: Sides, span: list[int], images: int, steps: float, machine: Machine
    ) -> tuple[float, float]:
        panels = Panels.of(sides.produced, machine.lanes(problem), machine)
        pixels = prod(span) * images
        products = sides.phases * panels.tiles(pixels, steps, machine)
        return products, pixels * sides.phases * (panels.vectors * cycles.TRANSPOSE + 4)

    def _reads_in_place(self, problem: Problem, sides: Sides) -> bool:
        return problem.pointwise and prod(problem.input_size) <= _NEAR

    def _weight_cycles(self, problem: Problem, machine: Machine) -> float:
        lanes = machine.lanes(problem)
        alike = problem.primitive == INPUT_GRAD and problem.taps > 1
        return cycles.TRANSPOSE * (lanes / min(problem.taps, lanes) if alike else 1.0)

    def _cut_weights(self, problem: Problem, machine: Machine) -> Cut:
        lanes, size = machine.lanes(problem), problem.dtype.itemsize
        pixels = prod(problem.output_size)
        most = 256 if problem.in_channels * problem.taps > 64 else 1024
        span = spans(list(problem.output_size), most)
        images = max(1, min(problem.batch, most // pixels))
        blocks = ceil(problem.batch, images) * blocks_of(list(problem.output_size), list(span))
        step = prod([s if k > 1 else 1 for k, s in zip(problem.kernel_size, problem.stride, strict=True)])
        entries = images * prod(span) * step
        channels = max(1, min(problem.in_channels, CACHE * 3 // 2 // (size * entries)))
        panels = Panels.of(problem.out_channels, lanes, machine).number
        kept = (
            size
            * problem.groups
            * ceil(problem.out_channels, lanes)
            * lanes
            * problem.in_channels
            * problem.taps
        )
        chunks = max(1, min(blocks, TASKS, _MOST_CHUNKS // kept))
        parts = ceil(problem.in_channels, channels)
        together = max(1, min(panels, panels * parts * problem.groups * chunks // TASKS))
        wanted = TASKS // (problem.groups * chunks * ceil(panels, together))
        parts = max(parts, min(problem.in_channels, wanted))
        return (*span, images, ceil(problem.in_channels, parts), together, chunks)

    def _cost_weights(self, problem: Problem, cut: Cut, machine: Machine) -> Cost:
        lanes = machine.lanes(problem)
        *span, images, channels, together, chunks = cut
        blocks = blocks_of(list(problem.output_size), span)
        filled = prod(problem.output_size) / (prod(span) * blocks)
        blocks *= ceil(problem.batch, images) * problem.groups
        panels = Panels.of(problem.out_channels, lanes, machine)
        parts, shares = ceil(problem.in_channels, channels), ceil(panels.number, together)
        pixels = prod(span) * images
        products = parts * panels.tiles(channels * problem.taps, pixels * filled, machine)
        turned = parts * pixels * panels.vectors * cycles.TRANSPOSE
        source = Source.of(problem, span).cycles(lanes, False) * images * problem.in_channels * shares
        kept = problem.groups * problem.in_channels * problem.taps * panels.vectors
        ends = kept * (cycles.TRANSPOSE + 1.5 * chunks)
        if problem.pointwise and images == 1:  # x is read where it is
            source = 0.0
        others = blocks * filled * (turned + source) + ends
        return cycles.cost(
            problem, blocks * products, others, chunks * problem.groups * parts * shares, machine
        )

    def remark(self, problem: Problem, cut: Cut, machine: Machine) -> str:
        produced = problem.in_channels if problem.primitive == INPUT_GRAD else problem.out_channels
        return cycles.filled(produced, machine.lanes(problem), "channels")


class DirectPixels(Direct):
    """Pixels as lanes (native/direct_pixels.cpp, weight_pixels.cpp)."""

    name = "direct_pixels"
    summary = "sums of the definition, neighbouring pixels side by side in a vector"
    splits = True
    _heights = (1, 2, 3, 4, 6, 8)
    _widths = {32: (8, 8, 8, 6, 4, 3), 16: (6, 4, 3, 3, 2, 1)}
    _unaligned = 1.6  # loads that a vector anywhere in a row takes, on average

    def _most_pixels(self, problem: Problem, sides: Sides, machine: Machine) -> int:
        most = super()._most_pixels(problem, sides, machine)
        # So few that all channels of a block are packed at once: its outputs then need no sums.
        whole = CACHE // (2 * problem.dtype.itemsize * sides.contracted)
        return whole if 192 <= whole < most and sides.contracted * problem.taps <= DEPTH else most

    def _panels(self, sides: Sides, machine: Machine, problem: Problem) -> int:
        return ceil(sides.produced, 8)

    def _block(
        self, problem: Problem, sides: Sides, span: list[int], images: int, steps: float, machine: Machine
    ) -> tuple[float, float]:
        lanes = machine.lanes(problem)
        pitch = Source.of(problem, span).entries
        each = ceil(span[2], lanes)
        by_lines = self._by_lines(problem, sides, span, images, machine)
        line = span[1] * each
        if not by_lines:
            line = min(line, ceil((span[1] - 1) * pitch + span[2], lanes))
        vectors = images * span[0] * line
        panels = self._panels(sides, machine, problem)
        place = next(i for i, h in enumerate(self._heights) if h >= ceil(sides.produced, panels))
        height, width = self._heights[place], self._widths[machine.registers][place]
        calls = ceil(vectors, width)
        wide = vectors / calls
        one = cycles.step(height, wide, machine, height + self._unaligned * wide + 1)
        products = sides.phases * panels * calls * (steps * one + cycles.TILE + 1.5 * height * wide)
        apart = lanes * cycles.SCALAR if sides.every[2] > 1 else 0.0
        stored = images * span[0] * span[1] * each * sides.phases * sides.produced
        return products, 0.0 if by_lines else stored * (5 + apart)

    def _by_lines(
        self, problem: Problem, sides: Sides, span: list[int], images: int, machine: Machine
    ) -> bool:
        """Whether lines of pixels go from registers to their place (``by_lines`` in the kernel)."""
        lanes = machine.lanes(problem)
        short = sides.contracted * problem.taps <= DEPTH
        whole = sides.contracted * problem.dtype.itemsize * prod(span) * images * 2 <= CACHE
        full = 3 * ceil(span[2], lanes) * lanes <= 4 * span[2]
        return short and whole and full and prod(sides.every) == 1

    def _waits(self, problem: Problem, sides: Sides, span: list[int], images: int, machine: Machine) -> float:
        alike = self._by_lines(problem, sides, span, images, machine)
        return 1.0 if alike and not self._reads_in_place(problem, sides) else 2.0

    def _reads_in_place(self, problem: Problem, sides: Sides) -> bool:
        return problem.pointwise and sides.produced <= self._heights[-1]

    def _weight_cycles(self, problem: Problem, machine: Machine) -> float:
        return 6.0 * machine.lanes(problem)

    def _cut_weights(self, problem: Problem, machine: Machine) -> Cut:
        lanes, size = machine.lanes(problem), problem.dtype.itemsize
        span = spans(list(problem.output_size), 1024)
        blocks = problem.batch * blocks_of(list(problem.output_size), list(span))
        outs = min(problem.out_channels, 16)
        channels = max(1, min(problem.in_channels, CACHE // (size * problem.taps * lanes * outs)))
        tasks = problem.groups * ceil(problem.out_channels, outs) * ceil(problem.in_channels, channels)
        chunks = max(1, min(blocks, ceil(TASKS, tasks), _MOST_CHUNKS // (size * problem.w_elements)))
        return (*span, 1, channels, outs, chunks)

    def _cost_weights(self, problem: Problem, cut: Cut, machine: Machine) -> Cost:
        lanes = machine.lanes(problem)
        *span, _, channels, outs, chunks = cut
        most_outs, most_rows = (4, 6) if machine.registers > 16 else (3, 4)
        blocks = blocks_of(list(problem.output_size), span)
        filled = prod(problem.output_size) / (prod(span) * blocks)
        blocks *= problem.batch * problem.groups
        parts, shares = ceil(problem.in_channels, channels), ceil(problem.out_channels, outs)
        rows = channels * problem.taps
        calls = ceil(rows, most_rows) * ceil(outs, most_outs)
        high, low = rows / ceil(rows, most_rows), outs / ceil(outs, most_outs)
        places = span[0] * span[1] * ceil(span[2], lanes)
        one = cycles.step(high, low, machine, self._unaligned * (high + low) + 2)
        products = parts * shares * calls * (places * filled * one + cycles.TILE + 2 * high * low)
        source = Source.of(problem, span).cycles(lanes, problem.stride[2] > 2) * problem.in_channels * shares
        ends = problem.w_elements * chunks * (8 + lanes)
        others = ends if problem.pointwise else blocks * filled * source + ends
        jobs = chunks * problem.groups * parts * shares
        return cycles.cost(problem, blocks * products, others, jobs, machine, waits=2.0)

    def remark(self, problem: Problem, cut: Cut, machine: Machine) -> str:
        width = problem.input_size[2] if problem.primitive == INPUT_GRAD else problem.output_size[2]
        return cycles.filled(width, machine.lanes(problem), "pixels of a row")


def spans(counts: list[int], most: int) -> tuple[int, int, int]:
    """Outputs per block and axis: whole rows first, then rows, then slabs, as even as possible."""
    left, out = most, []
    for count in reversed(counts):
        span = max(1, min(count, left))
        span = ceil(count, ceil(count, span))
        out.append(span)
        left //= span
    return out[2], out[1], out[0]
