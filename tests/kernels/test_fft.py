"""Convolution by Fourier transforms: every length, any geometry, values no transform can bear, any cut."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod, sqrt
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from convgrad.kernels import reference
from convgrad.kernels.algorithms.algorithm import Cut, Machine
from convgrad.kernels.algorithms.direct import DirectChannels
from convgrad.kernels.algorithms.fourier import LENGTHS, LONGEST_LINE, SCRATCH, Fft, Work, line_of
from convgrad.kernels.geometry import Geometry, Ints, conv_output_size
from convgrad.kernels.machine import _native
from convgrad.kernels.problem import FORWARD, INPUT_GRAD, PRIMITIVES, WEIGHT_GRAD, Problem, problem_of

pytestmark = pytest.mark.skipif(_native is None, reason="nothing is compiled here")

Array = NDArray[Any]
FFT = Fft()
SETS = _native.instruction_sets() if _native else []
TOLERANCE = {4: 2e-6, 8: 1e-14}  # of the largest value, by bytes of an element
DTYPES = [np.float32, np.float64]


def machine(name: str) -> Machine:
    return Machine(name, {"baseline": 16, "avx2": 32, "avx512": 64}[name], 2, 1e11, 2e10)


class Case(NamedTuple):
    """A shape with data for all three primitives."""

    geometry: Geometry
    x: Array
    w: Array
    y: Array

    def problem(self, primitive: str) -> Problem:
        x, w, y = self.x, self.w, self.y
        sizes = x.shape[0], w.shape, x.shape[2:], y.shape[2:]
        return problem_of(primitive, x.dtype, *sizes, self.geometry)

    def operands(self, primitive: str) -> tuple[Array, Array, Ints]:
        """What goes in, and the shape of what comes out."""
        x, w, y = self.x, self.w, self.y
        return {
            FORWARD: (x, w, y.shape),
            INPUT_GRAD: (y, w, x.shape),
            WEIGHT_GRAD: (x, y, w.shape),
        }[primitive]

    def exact(self, primitive: str, bias: Array | None = None, activation: str | None = None) -> Array:
        first, second, _ = self.operands(primitive)
        a, b = first.astype(np.float64), second.astype(np.float64)
        rest = None if bias is None else bias.astype(np.float64), activation
        if primitive == FORWARD:
            return reference.convolve(a, b, self.geometry, *rest)
        if primitive == INPUT_GRAD:
            return reference.convolve_input_grad(a, b, self.geometry, self.x.shape[2:], *rest)
        return reference.convolve_weight_grad(a, b, self.geometry, self.w.shape[2:])

    def size(self, primitive: str) -> float:
        """What an output comes to whose terms are all inside: errors keep to it where all lie in the border."""
        problem = self.problem(primitive)
        if primitive == WEIGHT_GRAD:
            return sqrt(problem.batch * prod(problem.output_size))
        channels = problem.in_channels if primitive == FORWARD else problem.out_channels
        return sqrt(channels * problem.taps)

    def primitives(self) -> tuple[str, ...]:
        """Input gradients under a border go through folding."""
        return PRIMITIVES if self.geometry.border == "zeros" else (FORWARD, WEIGHT_GRAD)


def case_of(
    x: Ints, w: Ints, geometry: Geometry, dtype: Any = np.float32, rng: np.random.Generator | None = None
) -> Case:
    rng = rng or np.random.default_rng(0)
    y = (x[0], w[0], *conv_output_size(x[2:], w[2:], geometry))
    return Case(geometry, *[rng.standard_normal(shape).astype(dtype) for shape in (x, w, y)])


def run(
    case: Case,
    primitive: str,
    name: str,
    cut: Cut | None = None,
    bias: Array | None = None,
    activation: int = 0,
) -> Array:
    """One call on a result full of nan, by the algorithm's own cut if none is given."""
    problem, here = case.problem(primitive), machine(name)
    first, second, shape = case.operands(primitive)
    out = np.full(shape, np.nan, first.dtype)
    kernel = FFT.prepare(problem, FFT.cut(problem, here) if cut is None else cut, here)
    kernel(first, second, bias, out, activation)
    return out


def assert_close(out: Array, exact: Array, size: float = 0) -> None:
    """To rounding beside the largest output, or beside ``size`` or 1 where those are larger."""
    error = np.abs(out - exact).max() / max(np.abs(exact).max(), size, 1)
    assert error < TOLERANCE[out.itemsize], error


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", SETS)
def test_transforms_of_every_length(name: str, dtype: Any) -> None:
    """A circular correlation as long as the frame reads every point of two transforms and makes a third."""
    rng = np.random.default_rng(1)
    for points in [n for n in LENGTHS if n <= 2**16]:
        taps = points // 2
        case = case_of((3, 1, points), (2, 1, taps), Geometry((1,), ((0, 0),), (1,), 1), dtype, rng)
        spectra = np.fft.rfft(case.x.astype(np.float64)), np.fft.rfft(case.w[:, 0].astype(np.float64), points)
        exact = np.fft.irfft(spectra[0] * spectra[1].conj(), points)[..., : points - taps + 1]
        for pairs in (0, 1):
            out = run(case, FORWARD, name, (points, points - taps + 1, pairs, 1, 2, 2, 0))
            assert_close(out, exact)


# ---- any geometry, any cut


def random_case(rng: np.random.Generator) -> Case:
    """One to three dimensions, strides, dilation, groups, borders, lopsided padding up to twice the kernel."""
    while True:
        ndim = int(rng.integers(1, 4))
        most, longest = ((400, 150), (24, 7), (9, 4))[ndim - 1]

        def each(low: int, high: int, ndim: int = ndim) -> Ints:
            return tuple([int(n) for n in rng.integers(low, high, ndim)])

        size, kernel = each(1, most), each(1, longest)
        stride, dilation = (each(1, top) if rng.random() < 0.5 else each(1, 2) for top in (4, 3))
        border = str(rng.choice(["zeros", "zeros", "reflect", "replicate", "circular"]))
        if border == "zeros":
            cropped = -1 if rng.random() < 0.2 else 0
            padding = [
                (int(rng.integers(0, 2 * k + 3)), int(rng.integers(cropped, 2 * k + 3))) for k in kernel
            ]
        else:
            widths = [max(1, min(n - 1, k)) for n, k in zip(size, kernel, strict=True)]
            padding = [(int(rng.integers(0, width)), int(rng.integers(0, width))) for width in widths]
        groups, channels, out = (int(n) for n in rng.integers(1, (4, 6, 6)))
        geometry = Geometry(stride, tuple(padding), dilation, groups, border)
        if prod(conv_output_size(size, kernel, geometry)):
            x, w = (int(rng.integers(1, 5)), groups * channels, *size), (groups * out, channels, *kernel)
            return case_of(x, w, geometry, rng.choice(DTYPES), rng)


def random_cut(problem: Problem, rng: np.random.Generator) -> Cut | None:
    """One that the kernels should take: some frame lengths, steps below the longest, all ways to share."""
    line = line_of(problem)
    fitting = [n for n in LENGTHS if line.reach < n <= 2**13][:4]
    if not fitting:
        return None
    points = int(rng.choice(fitting))
    step = min(points - line.reach, line.outputs)
    if points >= line.whole and rng.random() < 0.5:
        step = line.outputs
    elif rng.random() < 0.3:
        step = int(rng.integers(1, step + 1))
    tile, rows, filters = (int(n) for n in rng.integers(1, (6, 9, 6)))
    return points, step, int(rng.integers(2)), tile, rows, filters, int(rng.integers(2))


def compare_at_random(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        case = random_case(rng)
        for primitive in case.primitives():
            cut = random_cut(case.problem(primitive), rng)
            if cut is None:
                continue
            _, _, shape = case.operands(primitive)
            plain = primitive == WEIGHT_GRAD or rng.random() < 0.5
            bias = None if plain else rng.standard_normal(shape[1]).astype(case.x.dtype)
            activation = 0 if plain else int(rng.integers(2))
            out = run(case, primitive, str(rng.choice(SETS)), cut, bias, activation)
            exact = case.exact(primitive, bias, "relu" if activation else None)
            assert_close(out, exact, case.size(primitive))


@pytest.mark.parametrize("seed", range(4))
def test_any_geometry_in_any_cut(seed: int) -> None:
    compare_at_random(seed, 100)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
def test_any_geometry_in_any_cut_at_length(seed: int) -> None:
    compare_at_random(seed, 500)


def one(stride: int, low: int, high: int, dilation: int, groups: int, border: str = "zeros") -> Geometry:
    return Geometry((stride,), ((low, high),), (dilation,), groups, border)


SHAPES = [
    ((4, 1, 3000), (16, 1, 256), one(1, 0, 0, 1, 1)),  # many filters
    ((2, 12, 900), (3, 12, 200), one(1, 60, 140, 1, 1)),  # many channels
    ((3, 8, 2000), (8, 1, 512), one(1, 511, 511, 1, 8)),  # depthwise, in several frames
    ((2, 6, 700), (6, 1, 700), one(1, 699, 699, 1, 6)),  # one frame that wraps the zeros of both borders
    ((1, 96, 120), (96, 24, 64), one(1, 32, 32, 1, 4)),  # groups, each filter used once
    ((1, 1, 100), (2, 1, 300), one(1, 150, 140, 1, 1)),  # a kernel longer than the signal
    ((2, 2, 20), (3, 2, 7), one(1, 40, 30, 1, 1)),  # more padding than kernel
    ((2, 3, 1500), (4, 3, 80), one(4, 3, 9, 2, 1)),
    ((2, 3, 1500), (4, 3, 80), one(1, 200, 100, 1, 1, "circular")),
    ((2, 2, 40, 50), (3, 2, 9, 11), Geometry((2, 1), ((4, 3), (5, 6)), (1, 2), 1)),
    ((1, 2, 9, 14, 20), (4, 1, 3, 5, 4), Geometry((1, 2, 1), ((1, 1), (2, 2), (0, 3)), (2, 1, 1), 2)),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_cuts_it_chooses(shape: tuple[Ints, Ints, Geometry], name: str, dtype: Any) -> None:
    case = case_of(*shape, dtype)
    for primitive in case.primitives():
        assert not FFT.fits(case.problem(primitive), machine(name))
        assert_close(run(case, primitive, name), case.exact(primitive))


def test_errors_are_a_few_units_of_the_last_place_of_the_largest_output() -> None:
    """The figure that the documentation states for normal data."""
    case = case_of((4, 2, 16000), (4, 2, 1024), one(1, 500, 523, 1, 1))
    for primitive in PRIMITIVES:
        exact = case.exact(primitive)
        assert np.abs(run(case, primitive, SETS[-1]) - exact).max() < 4e-7 * np.abs(exact).max()


# ---- values that no transform can bear


@pytest.mark.parametrize("seed", range(4))
def test_huge_infinite_and_undefined_values_give_what_the_definition_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(60):
        case = random_case(rng)
        for primitive in case.primitives():
            problem, name = case.problem(primitive), str(rng.choice(SETS))
            cut = random_cut(problem, rng)
            if cut is None:
                continue
            spoilt = case._replace(**{part: spoil(getattr(case, part), rng) for part in "xwy"})
            first, second, shape = spoilt.operands(primitive)
            expected = np.full(shape, np.nan, first.dtype)
            direct, here = DirectChannels(), machine(name)
            direct.prepare(problem, direct.cut(problem, here), here)(first, second, None, expected, 0)
            assert_same_values(run(spoilt, primitive, name, cut), expected, sizes_of_sums(spoilt, primitive))


def spoil(a: Array, rng: np.random.Generator) -> Array:
    """Up to two values replaced by some that are out of reach of a transform."""
    a, most = a.copy(), float(np.finfo(a.dtype).max)
    bad = [np.inf, -np.inf, np.nan, most * 0.9, most**0.8, -(most**0.6)]
    for _ in range(int(rng.integers(0, 3))):
        a.reshape(-1)[rng.integers(a.size)] = bad[rng.integers(len(bad))]
    return a


def sizes_of_sums(case: Case, primitive: str) -> Array:
    """The sum of the sizes of every output's finite terms."""
    parts = [np.abs(np.where(np.isfinite(a), a, 0).astype(np.float64)) for a in case[1:]]
    return Case(case.geometry, *parts).exact(primitive)


def assert_same_values(out: Array, expected: Array, sizes: Array) -> None:
    limits = np.finfo(out.dtype)
    with np.errstate(all="ignore"):
        same = (np.isnan(out) & np.isnan(expected)) | (out == expected)
        wide = out.astype(np.float64)
        same |= np.abs(wide - expected) <= limits.eps * (
            200 * sizes + 500
        )  # beside frames of ordinary values
        same |= sizes > limits.max / 8  # where the order of the sum decides whether it overflows
    assert same.all(), (out[~same][:3], expected[~same][:3])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e37])
@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_a_bad_value_stays_in_its_window(primitive: str, bad: float) -> None:
    case = case_of((2, 2, 3000), (3, 2, 300), one(1, 100, 100, 1, 1))
    clean = run(case, primitive, SETS[-1])
    first, _, _ = case.operands(primitive)
    first[1, 1, 1000] = bad
    out = run(case, primitive, SETS[-1])
    touched = np.zeros(out.shape, bool)
    if primitive == FORWARD:
        touched[1, :, 1000 + 100 - 299 : 1000 + 100 + 1] = True
    elif primitive == INPUT_GRAD:
        touched[1, :, 1000 - 100 : 1000 - 100 + 300] = True
    else:
        touched[:, 1] = True
    np.testing.assert_allclose(out[~touched], clean[~touched], atol=2e-5 * np.abs(clean).max())
    assert (np.isnan(out[touched]) if np.isnan(bad) else np.abs(out[touched]) > 1e30).all()


def test_what_an_earlier_call_left_in_the_scratch_is_not_seen() -> None:
    rng = np.random.default_rng(5)
    for shape in SHAPES[:6]:
        case = case_of(*shape, np.float32, rng)
        for primitive in PRIMITIVES:
            before = run(case, primitive, SETS[-1])
            undefined = case._replace(**{part: np.full_like(getattr(case, part), np.nan) for part in "xwy"})
            run(undefined, primitive, SETS[-1])
            np.testing.assert_array_equal(run(case, primitive, SETS[-1]), before)


# ---- threads, scratch, refusals


@pytest.fixture
def _threads() -> Iterator[None]:
    before = _native.get_num_threads()
    yield
    _native.set_num_threads(before)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_same_bits_on_any_number_of_threads(shape: tuple[Ints, Ints, Geometry]) -> None:
    case = case_of(*shape)
    for primitive in case.primitives():
        results = set()
        for threads in (1, 2, 3, 7, 16, 1):
            _native.set_num_threads(threads)
            results.add(run(case, primitive, SETS[-1]).tobytes())
        assert len(results) == 1


LARGE = [
    ((8, 256, 4000), (256, 1, 31), one(1, 15, 15, 1, 256)),
    ((1, 768, 499), (768, 48, 128), one(1, 64, 64, 1, 16)),
    ((2, 4, 16000), (16, 4, 1024), one(1, 0, 0, 1, 1)),
    ((8, 64, 16000), (64, 64, 200), one(1, 100, 99, 1, 1)),
    ((1, 1, 10**6), (1, 1, 50000), one(1, 0, 49999, 1, 1)),
    ((1, 1, 2000), (1, 1, 100000), one(1, 99000, 99000, 1, 1)),
    ((8, 64, 56, 56), (64, 64, 3, 3), Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 1)),
    ((8, 3, 224, 224), (64, 3, 7, 7), Geometry((2, 2), ((3, 3), (3, 3)), (1, 1), 1)),
    ((1, 32, 32, 64, 64), (64, 32, 3, 3, 3), Geometry((1, 1, 1), ((1, 1),) * 3, (1, 1, 1), 1)),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("shape", [*SHAPES, *LARGE], ids=str)
def test_scratch_is_bounded_and_foreseen(shape: tuple[Ints, Ints, Geometry], dtype: Any) -> None:
    """At most 16 MB beyond the size of the operands, on two threads; the planner knows it within 3 %."""
    x, w, geometry = shape
    size = conv_output_size(x[2:], w[2:], geometry)
    for primitive in PRIMITIVES:
        problem = problem_of(primitive, np.dtype(dtype), x[0], w, x[2:], size, geometry)
        for name in SETS:
            here = machine(name)
            if FFT.fits(problem, here):
                continue
            cut = FFT.cut(problem, here)
            kernel, work = FFT.prepare(problem, cut, here), Work(problem, *cut)
            held = FFT.scratch(kernel, 2)
            assert held <= SCRATCH + problem.operand_bytes
            assert work.scratch == pytest.approx(held, rel=0.03, abs=10000)
            assert 0 < FFT.cost(problem, cut, here).total < 60


def test_cuts_that_do_not_serve_are_refused() -> None:
    case = case_of((1, 1, 1000), (1, 1, 100), one(1, 50, 50, 1, 1))
    problem, here = case.problem(FORWARD), machine(SETS[-1])
    good = FFT.cut(problem, here)
    for place, value in ((0, 1000), (0, 96), (0, 64), (1, 0), (3, 0), (4, -1), (5, 0)):
        with pytest.raises(ValueError, match=r"^fft: "):
            FFT.prepare(problem, (*good[:place], value, *good[place + 1 :]), here)
    for points, step in ((128, 30), (512, 600), (1024, 1000)):
        with pytest.raises(ValueError, match="frame is too short"):
            FFT.prepare(problem, (points, step, *good[2:]), here)
    with pytest.raises(ValueError, match="signal is too long"):
        FFT.prepare(problem._replace(dilation=(1, 1, 2**28)), good, here)
    with pytest.raises(ValueError, match="another number"):
        FFT.prepare(problem, good[:6], here)


def test_what_does_not_fit_says_why() -> None:
    here = machine(SETS[-1])
    size = 2**16
    far = Geometry((1, 1), ((0, 0), (0, 0)), (size - 1, size - 1), 1)
    line = problem_of(FORWARD, np.dtype(np.float32), 1, (1, 1, 2, 2), (size, size), (1, 1), far)
    assert str(LONGEST_LINE) in FFT.fits(line, here)
    wide = problem_of(FORWARD, np.dtype(np.float32), 1, (2, 4096, 3000), (3001,), (2,), one(1, 0, 0, 1, 1))
    assert str(SCRATCH) in FFT.fits(wide, here)
    for low, stride, meets in ((8, 9, False), (8, 8, True), (9, 1, True), (30, 7, False)):
        zeros = problem_of(
            FORWARD, np.dtype(np.float32), 1, (1, 1, 1), (1,), ((low + 1 + 8) // stride + 1,),
            one(stride, low, 8, 1, 1),
        )  # fmt: skip
        assert FFT.fits(zeros, here) == (
            "" if meets else "is not exact enough where every window lies in the padding"
        )
