"""Direct convolution: the sums of the definition, in register tiles over a cache-sized copy of the source."""

from __future__ import annotations

from math import prod

from convgrad.kernels.algorithms.algorithm import Cut, Machine
from convgrad.kernels.algorithms.native import NativeAlgorithm
from convgrad.kernels.problem import FORWARD, INPUT_GRAD, Problem

_DEPTH = 256  # products per chain of additions: short chains round less
_SOURCE = 2**18  # bytes of the packed source of a block, a part of the second-level cache


class DirectChannels(NativeAlgorithm):
    """Produced channels as lanes (native/direct_channels.cpp)."""

    name = "direct_channels"
    summary = "sums of the definition, output channels side by side in a vector"
    primitives = (FORWARD, INPUT_GRAD)

    def cut(self, problem: Problem, machine: Machine) -> Cut:
        forward = problem.primitive == FORWARD
        target = problem.output_size if forward else problem.input_size
        every = (1, 1, 1) if forward else problem.stride
        counts = [-(-n // e) for n, e in zip(target, every, strict=True)]
        depth = max(1, _DEPTH * prod(every) // problem.taps)
        most = max(1, 448 // prod(every))
        span = spans(counts, most)
        images = max(1, min(problem.batch, most // prod(counts)))
        chunk = max(depth, _SOURCE // (problem.dtype.itemsize * prod(span) * images * 2))
        return (*span, images, chunk, depth, 4)

    def seconds(self, problem: Problem, cut: Cut, machine: Machine) -> float:
        rate = machine.flops * machine.threads * 4 / problem.dtype.itemsize
        return problem.flops / rate + problem.operand_bytes / machine.bandwidth


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
