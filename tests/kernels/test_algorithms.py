"""Every compiled algorithm, under every instruction set, against the definition in float64."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from tests.kernels.problems import Array, Drawn, draw, fitting, machine_of, run, with_operands

from convgrad.kernels.algorithms import ALGORITHMS, Algorithm, Machine
from convgrad.kernels.geometry import Geometry, Ints
from convgrad.kernels.machine import _native
from convgrad.kernels.problem import FORWARD, PRIMITIVES, WEIGHT_GRAD

pytestmark = pytest.mark.skipif(_native is None, reason="no compiled kernels here")

SETS = _native.instruction_sets() if _native is not None else []
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}  # of the largest output


def other_cut(
    rng: np.random.Generator, algorithm: Algorithm, drawn: Drawn, primitive: str, machine: Machine
) -> Any:
    """Block sizes as the planner would not choose them, so that small problems have many blocks too."""
    cut = algorithm.cut(drawn.problem(primitive), machine)
    return tuple([int(rng.integers(1, n + 1)) if n > 1 else n for n in cut])


def check(rng: np.random.Generator, drawn: Drawn, sets: list[str]) -> int:
    """All primitives, algorithms and the given instruction sets on one convolution; how many were run."""
    count = 0
    activation = int(rng.integers(0, 2))
    for primitive in drawn.primitives():
        relu = activation and primitive == FORWARD
        sums = drawn.exact(primitive)  # relu may leave nothing but what nearly cancels
        expected = np.maximum(sums, 0) if relu else sums
        bound = TOLERANCE[str(drawn.x.dtype)] * max(np.abs(sums).max(), 1e-30)
        for name in sets:
            machine = machine_of(name)
            for algorithm in fitting(drawn.problem(primitive), machine):
                cuts = [None, other_cut(rng, algorithm, drawn, primitive, machine)]
                for cut in cuts:
                    try:
                        out = run(algorithm, drawn, primitive, machine, cut, relu)
                    except ValueError:
                        assert cut is not None, (algorithm.name, drawn.problem(primitive))
                        continue
                    error = np.abs(out - expected).max()
                    assert error <= bound, (algorithm.name, name, cut, error, drawn.problem(primitive))
                    count += 1
    return count


@pytest.mark.parametrize("block", range(25))
def test_random_convolutions(block: int) -> None:
    """Five hundred of them; one instruction set each, in turn."""
    rng = np.random.default_rng(block)
    for i in range(20):
        assert check(rng, draw(rng), [SETS[i % len(SETS)]])


@pytest.mark.slow
@pytest.mark.parametrize("block", range(100))
def test_ten_thousand_random_convolutions(block: int) -> None:
    rng = np.random.default_rng(10_000 + block)
    for _ in range(100):
        check(rng, draw(rng), SETS)


# ---- the same bits

LAYERS: dict[str, tuple[int, Ints, Ints, Geometry]] = {
    "3x3": (3, (40, 24, 3, 3), (30, 29), Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 1)),
    "3x3 of many channels": (2, (130, 100, 3, 3), (7, 7), Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 1)),
    "strided 3x3": (2, (33, 20, 3, 3), (31, 30), Geometry((2, 2), ((1, 1), (1, 1)), (1, 1), 1)),
    "1x1": (2, (70, 65, 1, 1), (20, 21), Geometry((1, 1), ((0, 0), (0, 0)), (1, 1), 1)),
    "stem": (2, (16, 3, 7, 7), (64, 60), Geometry((2, 2), ((3, 3), (3, 3)), (1, 1), 1)),
    "grouped": (2, (32, 4, 3, 3), (20, 20), Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 8)),
    "depthwise": (3, (37, 1, 5, 5), (21, 26), Geometry((1, 1), ((2, 2), (2, 2)), (1, 1), 37)),
    "depthwise, narrow": (2, (50, 1, 3, 3), (7, 7), Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 50)),
    "depthwise, strided, two outputs each": (
        3,
        (42, 1, 5, 3),
        (30, 41),
        Geometry((2, 2), ((2, 2), (1, 1)), (1, 1), 21),
    ),
    "1-d": (4, (20, 12, 7), (700,), Geometry((1,), ((3, 3),), (1,), 1)),
    "dilated 1-d": (2, (17, 9, 3), (900,), Geometry((1,), ((8, 8),), (8,), 1)),
    "long": (3, (6, 2, 300), (3000,), Geometry((1,), ((0, 0),), (1,), 1)),
    "long depthwise": (2, (18, 1, 200), (2500,), Geometry((1,), ((199, 0),), (1,), 18)),
    "3-d": (2, (12, 7, 3, 3, 3), (9, 12, 11), Geometry((1, 1, 1), ((1, 1),) * 3, (1, 1, 1), 1)),
}


def digests(drawn: Drawn, machine: Machine) -> dict[str, str]:
    """A hash of every algorithm's results."""
    results = {}
    for primitive in PRIMITIVES:
        for algorithm in fitting(drawn.problem(primitive), machine):
            out = run(algorithm, drawn, primitive, machine)
            results[f"{algorithm.name} {primitive}"] = hashlib.sha256(out.tobytes()).hexdigest()
    return results


@pytest.mark.parametrize("name", LAYERS)
def test_the_same_bits_for_any_number_of_threads(name: str) -> None:
    rng = np.random.default_rng(1)
    batch, weight_shape, size, geometry = LAYERS[name]
    drawn = with_operands(rng, batch, weight_shape, size, geometry)
    before = _native.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3, 7, 16, 2):
            _native.set_num_threads(threads)
            found += [digests(drawn, machine_of(SETS[-1], threads)) for _ in range(2)]
    finally:
        _native.set_num_threads(before)
    assert all(one == found[0] for one in found[1:])
    assert len(found[0]) >= 3


# ---- values out of range


def special(rng: np.random.Generator, drawn: Drawn, value: float, into: str) -> Drawn:
    """A copy with ``value`` at three random places of one operand."""
    array = getattr(drawn, into).copy()
    array.reshape(-1)[rng.integers(0, array.size, 3)] = value
    return drawn._replace(**{into: array})


def kinds(a: Array) -> Array:
    """0 finite, 1 inf, 2 -inf, 3 NaN."""
    return np.where(np.isnan(a), 3, np.where(a == np.inf, 1, np.where(a == -np.inf, 2, 0)))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 3e37, -1e30])
@pytest.mark.parametrize(
    "name",
    ["3x3", "3x3 of many channels", "dilated 1-d", "long", "long depthwise", "depthwise, narrow", "3-d"],
)
def test_values_out_of_range_give_what_the_direct_kernels_give(name: str, value: float) -> None:
    rng = np.random.default_rng(5)
    batch, weight_shape, size, geometry = LAYERS[name]
    normal = with_operands(rng, batch, weight_shape, size, geometry)
    machine = machine_of(SETS[-1])
    direct = next(a for a in ALGORITHMS if a.name == "direct_channels")
    for into in ("x", "w", "y"):
        drawn = special(rng, normal, value, into)
        for primitive in PRIMITIVES:
            expected = run(direct, drawn, primitive, machine)
            finite = np.isfinite(expected)
            scale = np.abs(expected[finite]).max(initial=1.0)
            for algorithm in fitting(drawn.problem(primitive), machine):
                out = run(algorithm, drawn, primitive, machine)
                np.testing.assert_array_equal(
                    kinds(out), kinds(expected), err_msg=f"{algorithm.name} {primitive}"
                )
                assert np.abs(out[finite] - expected[finite]).max(initial=0) <= 1e-5 * scale


# ---- errors on normal data


@pytest.mark.parametrize("name", LAYERS)
def test_errors_on_normal_data(name: str) -> None:
    """No algorithm above 1e-5 of the largest output; direct sums much less."""
    rng = np.random.default_rng(2)
    batch, weight_shape, size, geometry = LAYERS[name]
    drawn = with_operands(rng, batch, weight_shape, size, geometry)
    for primitive in PRIMITIVES:
        expected = drawn.exact(primitive)
        for algorithm in fitting(drawn.problem(primitive), machine_of(SETS[-1])):
            out = run(algorithm, drawn, primitive, machine_of(SETS[-1]))
            error = np.abs(out - expected).max() / np.abs(expected).max()
            assert error <= (2e-6 if algorithm.exact else 1e-5), (algorithm.name, primitive)


# ---- the orders of a Winograd weight gradient

ORDERED = {
    "2-d": (3, (20, 9, 3, 3), (21, 30), Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 1)),
    "groups": (2, (24, 5, 3, 5), (18, 17), Geometry((1, 1), ((1, 1), (2, 2)), (1, 2), 3)),
    "3-d": (2, (18, 7, 3, 3, 3), (5, 12, 13), Geometry((1,) * 3, ((1, 1),) * 3, (1,) * 3, 1)),
    "1-d": (2, (33, 20, 7), (150,), Geometry((1,), ((3, 3),), (1,), 1)),
}


@pytest.mark.parametrize("name", ORDERED)
def test_orders_of_winograd_weight_gradients(name: str) -> None:
    """Shared points in one chunk and in several, stationary sums, shares with sums of their own."""
    batch, weight_shape, size, geometry = ORDERED[name]
    drawn = with_operands(np.random.default_rng(3), batch, weight_shape, size, geometry)
    winograd = next(a for a in ALGORITHMS if a.name == "winograd")
    spoiled = special(np.random.default_rng(4), drawn, np.nan, "x")
    exact, before = drawn.exact(WEIGHT_GRAD), _native.get_num_threads()
    try:
        for instruction_set in SETS:
            machine = machine_of(instruction_set)
            direct = winograd.cut(drawn.problem(WEIGHT_GRAD), machine)[9:]
            block = (1, 1, 2, 3 if len(size) > 1 else 5)
            orders = [(2, 0, 0), (1000, 0, 0), (1000, 1, 0), (1, 0, 1), (2, 0, 3), (1, 0, 8), (3, 0, 1000)]
            for chunk, stationary, shares in orders:
                cut = (*block, 6, 2, chunk, stationary, shares, *direct)
                seen = set()
                for count in (1, 2, 7):
                    _native.set_num_threads(count)
                    out = run(winograd, drawn, WEIGHT_GRAD, machine, cut)
                    seen.add(out.tobytes())
                assert len(seen) == 1, cut
                assert np.abs(out - exact).max() <= 1e-5 * np.abs(exact).max(), cut
                kinds_of = kinds(run(winograd, spoiled, WEIGHT_GRAD, machine, cut))
                np.testing.assert_array_equal(kinds_of, kinds(spoiled.exact(WEIGHT_GRAD)))
    finally:
        _native.set_num_threads(before)


# ---- calls that must not get through


def test_wrong_operands_are_refused() -> None:
    drawn = with_operands(np.random.default_rng(0), 2, (5, 3, 3, 3), (8, 9), LAYERS["3x3"][3])
    machine, problem = machine_of(SETS[-1]), drawn.problem(FORWARD)
    direct = ALGORITHMS[0]
    call = direct.prepare(problem, direct.cut(problem, machine), machine)
    out = np.zeros(drawn.y.shape, np.float32)
    call(drawn.x, drawn.w, None, out, 0)
    result = out.copy()
    for first, second, bias, target, activation in [
        (drawn.x[:1], drawn.w, None, out, 0),
        (drawn.x, drawn.w[:4], None, out, 0),
        (drawn.x, drawn.w, drawn.bias[:1], out, 0),
        (drawn.x, drawn.w, None, out[:1], 0),
        (drawn.x, drawn.w, None, out, 7),
    ]:
        with pytest.raises(ValueError, match=r"kernel was made for|no such activation"):
            call(first, second, bias, target, activation)
    frozen = out.copy()
    frozen.setflags(write=False)
    for arguments in [
        (drawn.x.astype(np.float64), drawn.w, None, out, 0),
        (drawn.x.astype(np.float64), drawn.w.astype(np.float64), None, out.astype(np.float64), 0),
        (drawn.x.transpose(0, 1, 3, 2), drawn.w, None, out, 0),
        (drawn.x, drawn.w, None, out.transpose(0, 1, 3, 2), 0),
        (drawn.x, drawn.w, None, frozen, 0),
        (drawn.x, None, None, out, 0),
    ]:
        with pytest.raises(TypeError, match=r"an operand|incompatible function arguments"):
            call(*arguments)
    np.testing.assert_array_equal(out, result)


def random_number(rng: np.random.Generator) -> int:
    return int(rng.choice([0, 1, 2, 3, 5, 17, -1, -3, 2**31, 2**40, 2**62, int(rng.integers(1, 50))]))


def invalid_calls(seed: int, count: int) -> int:
    """Numbers that describe no convolution, or an absurd one, and calls with wrong operands of those that do."""
    rng = np.random.default_rng(seed)
    names = [*[a.name for a in ALGORITHMS], "nonsense"]
    made = 0
    for _ in range(count):
        valid = rng.random() < 0.2
        if valid:
            numbers = draw(rng).problem(FORWARD).numbers()
            cut = [int(n) for n in rng.integers(1, 9, int(rng.choice([3, 7, 16])))]
        else:
            numbers = [random_number(rng) for _ in range(int(rng.choice([23, 23, 23, 4])))]
            cut = [random_number(rng) for _ in range(int(rng.choice([3, 7, 7, 9, 16, 0])))]
        for _ in range(int(rng.integers(0, 3))):
            numbers[int(rng.integers(0, len(numbers)))] = random_number(rng)
        try:
            kernel = _native.kernel(
                str(rng.choice(names)), int(rng.integers(-1, 4)), numbers, bool(rng.random() < 0.5), cut,
                str(rng.choice([*SETS, "none"])),
            )  # fmt: skip
        except (ValueError, MemoryError, TypeError):
            continue
        made += 1
        wrong = np.zeros(int(rng.integers(0, 9)), np.float32)
        with pytest.raises((ValueError, TypeError)):
            kernel(wrong, wrong[:-1], None, wrong, 0)
    return made


def test_invalid_calls_are_refused() -> None:
    assert invalid_calls(0, 3000) > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100))
def test_a_million_invalid_calls(seed: int) -> None:
    invalid_calls(1000 + seed, 10_000)
