"""The depthwise kernels: what random convolutions seldom meet, and which of them is chosen."""

from __future__ import annotations

import numpy as np
import pytest
from tests.kernels.problems import Drawn, machine_of, run, with_operands

from convgrad.kernels.algorithms import ALGORITHMS, Algorithm
from convgrad.kernels.algorithms.algorithm import Machine
from convgrad.kernels.geometry import Geometry
from convgrad.kernels.machine import _native
from convgrad.kernels.planner import choose
from convgrad.kernels.problem import FORWARD, INPUT_GRAD, PRIMITIVES, WEIGHT_GRAD

pytestmark = pytest.mark.skipif(_native is None, reason="no compiled kernels here")

SETS = _native.instruction_sets() if _native is not None else []
DEPTHWISE = [a for a in ALGORITHMS if a.name.startswith("depthwise_")]
by_algorithm = pytest.mark.parametrize("algorithm", DEPTHWISE, ids=lambda a: a.name)


def plane(channels: int, size: int, kernel: int, stride: int = 1, batch: int = 2, outs: int = 1) -> Drawn:
    """Square planes, kept in size but for the stride."""
    low = (kernel - 1) // 2
    geometry = Geometry((stride, stride), ((low, low), (low, low)), (1, 1), channels)
    shape = (channels * outs, 1, kernel, kernel)
    return with_operands(np.random.default_rng(size), batch, shape, (size, size), geometry)


@by_algorithm
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("size", [1, 2, 5, 7, 15, 16, 17, 31, 33])
@pytest.mark.parametrize("stride", [1, 2])
def test_one_nan_reaches_its_neighbours_only(algorithm: Algorithm, name: str, size: int, stride: int) -> None:
    """The last entry of every operand: vectors there reach past what counts, and past the end of the array."""
    machine = machine_of(name)
    drawn = plane(19, size, 3, stride)
    for into in ("x", "w", "y"):
        array = getattr(drawn, into).copy()
        array.reshape(-1)[-1] = np.nan
        spoilt = drawn._replace(**{into: array})
        for primitive in PRIMITIVES:
            # As the direct kernels, to which a border's zeros are entries like others.
            expected = run(ALGORITHMS[0], spoilt, primitive, machine)
            out = run(algorithm, spoilt, primitive, machine)
            clean = np.isfinite(expected)
            np.testing.assert_array_equal(np.isfinite(out), clean, err_msg=f"{into} {primitive}")
            np.testing.assert_allclose(out[clean], expected[clean], rtol=0, atol=1e-4)


@by_algorithm
@pytest.mark.parametrize("name", SETS)
def test_kernels_that_meet_little(algorithm: Algorithm, name: str) -> None:
    """As high as the image: an input gradient's taps lie nearly all in its border."""
    geometry = Geometry((1, 1), ((0, 0), (0, 0)), (1, 1), 3)
    drawn = with_operands(np.random.default_rng(0), 2, (6, 1, 40, 1), (40, 130), geometry)
    assert drawn.problem(INPUT_GRAD).output_size == (1, 1, 130)  # not one long row
    for primitive in PRIMITIVES:
        out = run(algorithm, drawn, primitive, machine_of(name))
        np.testing.assert_allclose(out, drawn.exact(primitive), rtol=0, atol=2e-5)


@by_algorithm
def test_long_sums_round_little(algorithm: Algorithm) -> None:
    """A weight gradient of half a million products of one sign: a single chain would be off by 1e-4."""
    drawn = plane(1, 256, 3, batch=8)
    drawn = drawn._replace(x=np.abs(drawn.x), y=np.abs(drawn.y))
    expected = drawn.exact(WEIGHT_GRAD)
    out = run(algorithm, drawn, WEIGHT_GRAD, machine_of(SETS[-1]))
    assert np.abs(out - expected).max() <= 1e-6 * expected.max()


@by_algorithm
def test_other_convolutions_are_refused(algorithm: Algorithm) -> None:
    geometry = Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 4)
    problem = with_operands(np.random.default_rng(0), 1, (8, 2, 3, 3), (9, 9), geometry).problem(FORWARD)
    machine = machine_of(SETS[-1])
    assert "one input channel per group" in algorithm.fits(problem, machine)
    with pytest.raises(ValueError, match="one input channel per group"):
        algorithm.prepare(problem, algorithm.cut(problem, machine), machine)


AVX512 = Machine("avx512", 64, 2, 1e11, 2e10)


@pytest.mark.parametrize(
    ("drawn", "name"),
    [
        (plane(960, 7, 3, batch=1), "depthwise_channels"),
        (plane(384, 14, 7), "depthwise_channels"),
        (plane(96, 56, 5, 2), "depthwise_channels"),
        (plane(3, 128, 5), "depthwise_pixels"),
        (plane(32, 112, 3), "depthwise_pixels"),
    ],
)
def test_the_layout_is_chosen_by_the_shape(drawn: Drawn, name: str) -> None:
    """Narrow and strided planes lie in the lanes side by side; wide ones, and few, fill vectors themselves."""
    for primitive in (FORWARD, INPUT_GRAD):
        plan = choose(drawn.problem(primitive), AVX512)
        assert plan is not None and plan.name == name, primitive
        assert plan.remark
