"""Depthwise convolution: one input channel per group, every plane by itself."""

from __future__ import annotations

from math import prod

from convgrad.kernels.algorithms.algorithm import Cost, Cut, Machine
from convgrad.kernels.algorithms.native import NativeAlgorithm
from convgrad.kernels.problem import INPUT_GRAD, Problem

_SCRATCH = 2**18  # bytes


class DepthwiseChannels(NativeAlgorithm):
    """Blocks of planes as lanes (native/depthwise_channels.cpp, native/depthwise_channel_weights.cpp)."""

    name = "depthwise_channels"
    summary = "one input channel per group: the same block of neighbouring planes side by side in a vector"

    def fits(self, problem: Problem, machine: Machine) -> str:
        if problem.in_channels != 1:
            return "more than one input channel per group"
        return ""

    def cut(self, problem: Problem, machine: Machine) -> Cut:
        adjoint = problem.primitive == INPUT_GRAD
        target = problem.input_size if adjoint else problem.output_size
        every = problem.stride if adjoint else (1, 1, 1)
        counts = [-(-n // e) for n, e in zip(target, every, strict=True)]
        span = list(counts)
        for axis in range(3):
            while span[axis] > 1 and prod(span) * machine.vector_bytes > _SCRATCH:
                span[axis] = -(-span[axis] // 2)
        return tuple(span)

    def cost(self, problem: Problem, cut: Cut, machine: Machine) -> Cost:
        return Cost(1.0, 0.0, 0.0)


class DepthwisePixels(DepthwiseChannels):
    """Pixels as lanes (native/depthwise_pixels.cpp, native/depthwise_pixel_weights.cpp)."""

    name = "depthwise_pixels"
    summary = "one input channel per group: neighbouring pixels of a plane in a vector"

    def cut(self, problem: Problem, machine: Machine) -> Cut:
        adjoint = problem.primitive == INPUT_GRAD
        target = problem.input_size if adjoint else problem.output_size
        every = problem.stride if adjoint else (1, 1, 1)
        counts = [-(-n // e) for n, e in zip(target, every, strict=True)]
        span = list(counts)
        for axis in range(3):
            while span[axis] > 1 and prod(span) * prod(problem.stride) * problem.dtype.itemsize > 24000:
                span[axis] = -(-span[axis] // 2)
        return tuple(span)
