"""Random convolutions for the tests of the compiled kernels, and the calls that run one algorithm on one of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convgrad.kernels import reference
from convgrad.kernels.algorithms import ALGORITHMS, Algorithm, Machine
from convgrad.kernels.geometry import Geometry, Ints, conv_output_size
from convgrad.kernels.problem import FORWARD, INPUT_GRAD, PRIMITIVES, WEIGHT_GRAD, Problem, problem_of

Array = NDArray[Any]
BYTES = {"baseline": 16, "avx2": 32, "avx512": 64}


class Drawn(NamedTuple):
    """A convolution with operands of its own: y is a cotangent, not a result."""

    x: Array
    w: Array
    y: Array
    bias: Array
    geometry: Geometry

    def problem(self, primitive: str) -> Problem:
        return problem_of(
            primitive,
            self.x.dtype,
            len(self.x),
            self.w.shape,
            self.x.shape[2:],
            self.y.shape[2:],
            self.geometry,
        )

    def operands(self, primitive: str) -> tuple[Array, Array]:
        return {FORWARD: (self.x, self.w), INPUT_GRAD: (self.y, self.w), WEIGHT_GRAD: (self.x, self.y)}[
            primitive
        ]

    def primitives(self) -> tuple[str, ...]:
        """Input gradients under other borders than zeros go through those of the padded input (``borders``)."""
        return PRIMITIVES if self.geometry.border == "zeros" else (FORWARD, WEIGHT_GRAD)

    def exact(self, primitive: str, activation: str | None = None) -> Array:
        """The result in float64; the forward one with the bias."""
        x, w, y, bias = (a.astype(np.float64) for a in (self.x, self.w, self.y, self.bias))
        if primitive == FORWARD:
            return reference.convolve(x, w, self.geometry, bias, activation)
        if primitive == INPUT_GRAD:
            return reference.convolve_input_grad(y, w, self.geometry, self.x.shape[2:])
        return reference.convolve_weight_grad(x, y, self.geometry, self.w.shape[2:])


def draw(rng: np.random.Generator) -> Drawn:
    """Any convolution of small size: dimensions, strides, borders, dilation, groups, dtypes, depthwise now and then."""
    ndim = int(rng.integers(1, 4))

    def each(low: int, high: int) -> Ints:
        return tuple([int(v) for v in rng.integers(low, high, ndim)])

    groups, channels, outs = int(rng.choice([1, 1, 2, 3])), int(rng.integers(1, 20)), int(rng.integers(1, 40))
    if rng.random() < 0.3:  # depthwise, with a multiplier
        groups, channels, outs = int(rng.integers(1, 40)), 1, int(rng.choice([1, 1, 2, 3]))
    kernel = tuple([int(v) for v in rng.choice([1, 3], ndim)]) if rng.random() < 0.5 else each(1, 6)
    if ndim == 1 and rng.random() < 0.3:
        kernel = (int(rng.integers(20, 90)),)
    stride = (1,) * ndim if rng.random() < 0.5 else each(1, 5)
    dilation = (1,) * ndim if rng.random() < 0.6 else each(1, 4)
    size = each(1, (200, 40, 12)[ndim - 1])
    border = str(rng.choice(["zeros", "zeros", "zeros", "reflect", "replicate", "circular"]))
    padding = tuple([(int(a), int(b)) for a, b in rng.integers(0, 6, (ndim, 2))])
    if border in ("reflect", "circular"):
        most = [n - (border == "reflect") for n in size]
        padding = tuple([(min(a, n), min(b, n)) for (a, b), n in zip(padding, most, strict=True)])
    elif border == "zeros" and rng.random() < 0.1:  # a transposed convolution's last inputs, seen by nothing
        padding = tuple([(low, -min(2, n - 1)) for (low, _), n in zip(padding, size, strict=True)])
    if rng.random() < 0.1:  # pointwise: what is read where it is
        kernel = stride = dilation = (1,) * ndim
        padding, border = ((0, 0),) * ndim, "zeros"
    geometry = Geometry(stride, padding, dilation, groups, border)
    out = conv_output_size(size, kernel, geometry)
    if 0 in out:
        return draw(rng)
    return with_operands(
        rng, int(rng.integers(1, 5)), (groups * outs, channels, *kernel), size, geometry,
        rng.choice([np.float32, np.float64]),
    )  # fmt: skip


def with_operands(
    rng: np.random.Generator,
    batch: int,
    weight_shape: Ints,
    size: Ints,
    geometry: Geometry,
    dtype: Any = np.float32,
) -> Drawn:
    """Normal values for a given convolution."""
    out = conv_output_size(size, weight_shape[2:], geometry)

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(dtype)

    return Drawn(
        normal(batch, weight_shape[1] * geometry.groups, *size), normal(*weight_shape),
        normal(batch, weight_shape[0], *out), normal(weight_shape[0]), geometry,
    )  # fmt: skip


def machine_of(name: str, threads: int = 2) -> Machine:
    return Machine(name, BYTES[name], threads, 1e11, 2e10)


def fitting(problem: Problem, machine: Machine) -> list[Algorithm]:
    return [a for a in ALGORITHMS if problem.primitive in a.primitives and not a.fits(problem, machine)]


def run(
    algorithm: Algorithm, drawn: Drawn, primitive: str, machine: Machine, cut: Any = None, activation: int = 0
) -> Array:
    """The algorithm's result in an array that held NaN everywhere; forward with the bias."""
    problem = drawn.problem(primitive)
    call = algorithm.prepare(problem, cut or algorithm.cut(problem, machine), machine)
    shape = {FORWARD: drawn.y.shape, INPUT_GRAD: drawn.x.shape, WEIGHT_GRAD: drawn.w.shape}[primitive]
    out = np.full(shape, np.nan, drawn.x.dtype)
    call(*drawn.operands(primitive), drawn.bias if primitive == FORWARD else None, out, activation)
    return out
