"""The random stream against PyTorch's: the same seed, the same numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import convgrad
from convgrad.generator import BFLOAT16, Generator

pytestmark = pytest.mark.parity

SHAPES = [(0,), (1,), (5,), (15,), (16,), (17,), (23,), (24,), (100,), (1000,), (3, 5), (7, 9), ()]
SEEDS = [*range(48), 2**31, 2**32 + 5, 2**63 + 1, -7]
FLOATS = {
    torch.float32: np.float32,
    torch.float64: np.float64,
    torch.float16: np.float16,
    torch.bfloat16: BFLOAT16,
}
INTS = {
    torch.int64: np.int64,
    torch.int32: np.int32,
    torch.int16: np.int16,
    torch.int8: np.int8,
    torch.uint8: np.uint8,
    torch.bool: np.bool_,
}


def pair(seed: int) -> Generator:
    torch.manual_seed(seed)
    return Generator().manual_seed(seed)


def same(ours: np.ndarray, theirs: torch.Tensor) -> None:
    assert tuple(theirs.shape) == ours.shape
    left = ours.astype(np.float64) if ours.dtype.kind not in "iub" else ours
    right = theirs.double().numpy() if theirs.is_floating_point() else theirs.numpy()
    np.testing.assert_array_equal(left, right)


def near(ours: np.ndarray, theirs: torch.Tensor, ulps: float, scale: float = 6.0) -> None:
    """Within ``ulps`` units in the last place of the largest value the transform can give here."""
    assert tuple(theirs.shape) == ours.shape
    eps = torch.finfo(theirs.dtype).eps
    gap = np.abs(ours.astype(np.float64) - theirs.double().numpy())
    assert gap.max(initial=0.0) <= ulps * eps * scale


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize(
    "bounds", [(0.0, 1.0), (-0.1, 0.33), (1e-3, 7.7), (-2.0, 0.0), (5.0, 5.0), (1000, 1000.5)]
)
def test_uniform_is_equal(dtype: torch.dtype, bounds: tuple[float, float]) -> None:
    for seed in SEEDS:
        ours = pair(seed)
        for shape in SHAPES:
            same(
                ours.uniform(shape, FLOATS[dtype], *bounds), torch.empty(shape, dtype=dtype).uniform_(*bounds)
            )


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("moments", [(0.0, 1.0), (1.3, 0.7), (-2.0, 0.0)])
def test_normal_is_near(dtype: torch.dtype, moments: tuple[float, float]) -> None:
    for seed in SEEDS:
        ours = pair(seed)
        for shape in SHAPES:
            near(
                ours.normal(shape, FLOATS[dtype], *moments),
                torch.empty(shape, dtype=dtype).normal_(*moments),
                1.0,
            )


@pytest.mark.skipif(
    convgrad.backends.info().get("instruction_set") not in ("avx2", "avx512")
    or convgrad.backends.info()["kernels"] != "native"
    or torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="the polynomials of log, sin and cos are evaluated by fused multiply-adds on both sides",
)
@pytest.mark.parametrize("moments", [(0.0, 1.0), (1.3, 0.7), (-2.0, 0.0)])
def test_normal_numbers_in_blocks_are_equal(moments: tuple[float, float]) -> None:
    for seed in SEEDS:
        ours = pair(seed)
        for n in (16, 17, 31, 32, 1000, 100_000, (1 << 17) + 3):
            same(ours.normal(n, np.float32, *moments), torch.empty(n).normal_(*moments))


def test_normal_keeps_the_second_number_as_pytorch_does() -> None:
    for seed in SEEDS:
        ours = pair(seed)
        for n in (1, 16, 2, 3, 20, 1, 0, 15, 1):
            near(ours.normal(n), torch.randn(n), 1.0)


def test_normal_of_a_transposed_tensor() -> None:
    ours = pair(3)
    near(ours.normal((10, 40), contiguous=False), torch.empty(10, 40).t().normal_().t(), 1.0)  # memory order


def test_complex() -> None:
    ours = pair(4)
    for dtype, name in ((torch.complex64, np.complex64), (torch.complex128, np.complex128)):
        for n in (3, 20):
            np.testing.assert_array_equal(ours.uniform(n, name), torch.rand(n, dtype=dtype).numpy())
            np.testing.assert_allclose(ours.normal(n, name), torch.randn(n, dtype=dtype).numpy(), atol=2e-6)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("rate", [1.0, 2.5, 0.3])
def test_exponential_is_near(dtype: torch.dtype, rate: float) -> None:
    for seed in SEEDS:
        ours = pair(seed)
        for shape in SHAPES:
            a, b = (
                ours.exponential(shape, FLOATS[dtype], rate),
                torch.empty(shape, dtype=dtype).exponential_(rate),
            )
            np.testing.assert_allclose(a.astype(float), b.double().numpy(), rtol=2 * torch.finfo(dtype).eps)


@pytest.mark.parametrize(
    "span", [(0, 2), (-5, 100), (0, 2**28 - 1), (0, 2**28), (-7, 2**32), (-(2**63), 2**63 - 1)]
)
def test_randint_is_equal(span: tuple[int, int]) -> None:
    for seed in SEEDS:
        ours = pair(seed)
        for shape in SHAPES:
            same(ours.randint(*span, shape), torch.randint(*span, shape))


@pytest.mark.parametrize("dtype", {**FLOATS, **INTS}, ids=str)
def test_whole_range_is_equal(dtype: torch.dtype) -> None:
    name = {**FLOATS, **INTS}[dtype]
    for seed in SEEDS:
        ours = pair(seed)
        for shape in SHAPES:
            same(ours.whole_range(shape, name), torch.empty(shape, dtype=dtype).random_())
            same(ours.randint(0, 2, shape, name), torch.randint(0, 2, shape, dtype=dtype))
            low = 0 if dtype in FLOATS or dtype == torch.bool else torch.iinfo(dtype).min
            same(ours.whole_range(shape, name, low), torch.empty(shape, dtype=dtype).random_(low, None))


def test_randperm_is_equal() -> None:
    for seed in SEEDS:
        ours = pair(seed)
        for n in (0, 1, 2, 5, 15, 16, 17, 23, 24, 100, 1000):
            same(ours.randperm(n), torch.randperm(n))
    ours = pair(1)
    same(ours.randperm(60000), torch.randperm(60000))
    same(ours.randperm(200, np.uint8), torch.randperm(200, dtype=torch.uint8))


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1 / 3, 0.9, 1.0])
def test_bernoulli_is_equal(p: float) -> None:
    for seed in SEEDS:
        ours = pair(seed)
        for shape in SHAPES:
            same(ours.bernoulli(p, shape), torch.empty(shape).bernoulli_(p))
        same(ours.bernoulli(p, 30, np.bool_), torch.empty(30, dtype=torch.bool).bernoulli_(p))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_bernoulli_of_an_array_is_equal(dtype: torch.dtype) -> None:
    for seed in SEEDS:
        ours = pair(seed)
        for shape in SHAPES:
            p, q = ours.uniform(shape, FLOATS[dtype]), torch.rand(shape, dtype=dtype)
            same(ours.bernoulli(p), torch.bernoulli(q))


def test_states_are_interchangeable() -> None:
    for draws in (0, 1, 623, 624, 625):
        for normals in (0, 1, 2):
            ours = pair(11)
            ours.uniform(draws), torch.rand(draws)
            ours.normal(normals), torch.randn(normals)
            state = torch.get_rng_state()
            np.testing.assert_array_equal(ours.get_state()[:5000], state.numpy()[:5000])
            other = Generator().manual_seed(99).set_state(state.numpy())
            expected = torch.randn(3)
            near(other.normal(3), expected, 1.0)
            torch.set_rng_state(torch.from_numpy(ours.state()))
            assert torch.equal(torch.randn(3), expected)
            assert torch.initial_seed() == other.initial_seed()


def test_dropout_mask_is_that_of_pytorch() -> None:
    ours = pair(5)
    expected = torch.nn.functional.dropout(torch.ones(500), 0.25)
    same(ours.bernoulli(0.75, 500), (expected != 0).float())


def test_largest_radius() -> None:
    """The scale used in ``near``: no float32 normal number can exceed sqrt(-2 log 2**-24) = 5.77."""
    assert math.sqrt(-2 * math.log(2.0**-24)) < 6
