"""Random fills of tensors: the order of memory, moments of rejection methods, vmap, arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convgrad as torch
from convgrad.generator import Generator
from convgrad.generator.order import empty_as, memory_order
from convgrad.generator.single import OneByOne


def test_memory_order() -> None:
    assert memory_order((3, 4), (16, 4)) == (0, 1)
    assert memory_order((3, 4), (4, 12)) == (1, 0)
    assert memory_order((2, 3, 4), (4, 32, 8)) == (1, 2, 0)
    assert memory_order((3, 4, 5), (20, 0, 4)) == (0, 1, 2)  # an expanded dimension stays where it is
    assert memory_order((3, 3), (0, 0), (4, 12)) == (1, 0)  # the second operand decides
    assert memory_order((), ()) == ()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_a_permuted_tensor_is_filled_along_its_memory(order: tuple[int, ...]) -> None:
    fills: list[Callable[[Any], Any]] = [
        lambda x: x.uniform_(), lambda x: x.exponential_(), lambda x: x.bernoulli_(0.3), lambda x: x.random_(0, 9),
        lambda x: x.cauchy_(), lambda x: x.geometric_(0.2),
    ]  # fmt: skip
    for fill in fills:
        torch.manual_seed(1)
        straight = fill(torch.zeros(4, 5, 6))
        torch.manual_seed(1)
        turned = fill(torch.zeros(4, 5, 6).permute(order))
        assert torch.equal(turned, straight.permute(order))


def test_likes_keep_the_order_of_memory() -> None:
    x = torch.zeros(4, 3).t()
    for made in (torch.rand_like(x), torch.randn_like(x), torch.randint_like(x, 5)):
        assert made.stride() == x.stride() == (1, 3)
    assert torch.rand_like(x, memory_format=torch.contiguous_format).is_contiguous()
    assert torch.rand_like(x[:, ::2]).stride() == (1, 3)
    gapless = empty_as(np.zeros((6, 4))[::2].T)
    assert gapless.shape == (4, 3) and gapless.T.flags.c_contiguous


def test_one_by_one_leaves_the_generator_after_the_last_number() -> None:
    for uniforms, normals in ((0, 0), (1, 0), (300, 1), (3, 4), (0, 3)):
        ours, plain = Generator().manual_seed(2), Generator().manual_seed(2)
        with OneByOne(ours) as draw:
            taken = [draw.uniform() for _ in range(uniforms)] + [draw.normal() for _ in range(normals)]
        expected = [*plain.uniform(uniforms, float), *[plain.normal(1, float)[0] for _ in range(normals)]]
        np.testing.assert_array_equal(taken, expected)
        np.testing.assert_array_equal(ours.state(), plain.state())


def test_one_by_one_survives_an_error() -> None:
    generator = Generator().manual_seed(2)

    def fail() -> None:
        with OneByOne(generator) as draw:
            _ = draw.uniform(), draw.uniform() / 0

    with pytest.raises(ZeroDivisionError):
        fail()
    expected = Generator().manual_seed(2)
    expected.uniform(2, float)
    np.testing.assert_array_equal(generator.state(), expected.state())


@pytest.mark.parametrize(("n", "p"), [(5.0, 0.3), (40.0, 0.1), (40.0, 0.5), (300.0, 0.8), (1e6, 0.25)])
def test_moments_of_binomial_numbers(n: float, p: float) -> None:
    torch.manual_seed(0)
    drawn = torch.binomial(torch.full((3000,), n), torch.full((3000,), p))._data.astype(float)
    assert drawn.min() >= 0 and drawn.max() <= n and (drawn == np.floor(drawn)).all()
    spread = np.sqrt(n * p * (1 - p))
    assert abs(drawn.mean() - n * p) < 5 * spread / np.sqrt(3000)
    assert abs(drawn.std() / spread - 1) < 0.07


def test_binomial_at_the_ends() -> None:
    count, prob = torch.tensor([0.0, 5.0, 5.0, -2.0, 5.0]), torch.tensor([0.5, 0.0, 1.0, 0.5, float("nan")])
    drawn = torch.binomial(count, prob).tolist()
    assert drawn[:4] == [0.0, 0.0, 5.0, 0.0] and np.isnan(drawn[4])
    assert torch.binomial(torch.ones(2, 1), torch.ones(3)).shape == (2, 3)


@pytest.mark.parametrize("alpha", [0.05, 0.6, 1.0, 3.5, 80.0])
def test_moments_of_gamma_numbers(alpha: float) -> None:
    torch.manual_seed(0)
    drawn = torch._standard_gamma(torch.full((3000,), alpha, dtype=torch.float64))._data
    assert drawn.min() > 0
    assert abs(drawn.mean() - alpha) < 5 * np.sqrt(alpha / 3000)
    shares = torch._sample_dirichlet(torch.full((50, 4), alpha))._data
    assert shares.min() > 0 and shares.max() < 1
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-5)


def test_bernoulli_in_vmap_takes_each_samples_probabilities() -> None:
    torch.manual_seed(0)
    chances = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    draw = torch.func.vmap(lambda p: p.clone().bernoulli_(p), randomness="different")
    assert draw(chances).tolist() == chances.tolist()
    method = torch.func.vmap(lambda p: p.bernoulli(), randomness="different")
    assert method(chances).tolist() == chances.tolist()


def test_trunc_normal_where_little_is_inside() -> None:
    torch.manual_seed(0)
    x = torch.nn.init.trunc_normal_(torch.empty(5000), 0.0, 1.0, 1.0, 1.5)
    assert x.min().item() >= 1 and x.max().item() <= 1.5
    assert x.mean().item() == pytest.approx(1.2264, abs=0.01)  # (pdf(1) - pdf(1.5)) / (cdf(1.5) - cdf(1))


CALLS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: torch.rand(2, device="cuda"), RuntimeError, "convgrad runs on the CPU"),
    (lambda: torch.randn_like(torch.ones(2), device="cuda"), RuntimeError, "convgrad runs on the CPU"),
    (lambda: torch.randint(3), TypeError, "argument 'size' must be tuple of ints"),
    (lambda: torch.randint(0, 3), TypeError, "argument 'size' must be tuple of ints, not int"),
    (lambda: torch.randperm(3, requires_grad=True), RuntimeError, "Only Tensors of floating point"),
    (lambda: torch.normal(1.0, 2.0), TypeError, "invalid combination of arguments"),
    (lambda: torch.normal(torch.ones(2), torch.ones(3)), RuntimeError, "must match the size of tensor b"),
    (lambda: torch.normal(torch.ones(2), -torch.ones(2)), RuntimeError, "all elements of std >= 0.0"),
    (lambda: torch.zeros(3).bernoulli_(torch.rand(4)), RuntimeError, "must match the existing size"),
    (lambda: torch.binomial(torch.ones(2), torch.ones(3)), RuntimeError, "must match the size of tensor b"),
    (lambda: torch.binomial(torch.ones(2), 0.5), TypeError, "'prob'"),
    (lambda: torch._standard_gamma(torch.ones(2).half()), NotImplementedError, '"gamma_cpu" not implemented'),
]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_bad_calls(number: int) -> None:
    call, kind, phrase = CALLS[number]
    with pytest.raises(kind, match=phrase):
        call()
