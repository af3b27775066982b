"""Every function that draws, beside PyTorch: the same numbers for the same seed, and the same state afterwards.

The state is compared byte for byte, so that not only the numbers agree but also how many words were taken.
Uniform and integer arithmetic must agree to the bit; what goes through ``log`` and ``cos`` within 2 units in
the last place of the largest number that the transform can give.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import convgrad

from .agree import array

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

FLOATS = ("float32", "float64", "float16", "bfloat16")
WIDE = ("float32", "float64")
COMPLEX = ("complex64", "complex128")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8", "bool")
SIZES = ((0,), (1,), (), (15,), (16,), (17,), (2, 0, 3), (5, 7))
RADIUS = {"float64": 8.6, "complex128": 8.6}
"""``sqrt(-2 log u)`` for the smallest u: 2**-53 in float64, 2**-24 otherwise (5.8)."""


class Draw(NamedTuple):
    """One call in both libraries: ``call(torch, dtype)`` gives a tensor or a list of them."""

    call: Callable[[Any, Any], Any]
    dtypes: tuple[str, ...] = FLOATS
    spread: float | None = 0.0
    """Largest value over the radius of a normal number; 0: equal to the bit; None: relative to the value."""


def _turned(t: Any, d: Any) -> Any:
    """A tensor whose memory runs along its first dimension."""
    return t.zeros(7, 5, dtype=d).t()


def _parts(t: Any, d: Any) -> Any:
    """A part of a permuted tensor: gaps in memory, and no order of the indices."""
    return t.zeros(3, 4, 5, dtype=d).permute(1, 2, 0)[1:, ::2]


def _expanded(t: Any, d: Any) -> Any:
    return t.ones(3, 1, 5, dtype=d).expand(3, 4, 5)


def _ramp(t: Any, d: Any, low: float = 0.0, high: float = 1.0, n: int = 35) -> Any:
    """Numbers that both libraries hold to the bit, ``(5, n / 5)``."""
    return t.tensor(np.linspace(low, high, n).tolist(), dtype=t.float64).to(d).reshape(5, -1)


def _each_size(fill: Callable[[Any], Any]) -> Callable[[Any, Any], list[Any]]:
    return lambda t, d: [fill(t.zeros(size, dtype=d)) for size in SIZES]


def _each_layout(fill: Callable[[Any], Any]) -> Callable[[Any, Any], list[Any]]:
    return lambda t, d: [fill(_turned(t, d)), fill(_parts(t, d)), fill(_turned(t, d)[:, ::2])]


def _likes(name: str, *args: Any) -> Callable[[Any, Any], list[Any]]:
    def call(t: Any, d: Any) -> list[Any]:
        shapes = [t.zeros(5, 7, dtype=d), _turned(t, d), _parts(t, d), _expanded(t, d), _turned(t, d)[0]]
        return [getattr(t, name)(x, *args) for x in shapes]

    return call


def _dropped(name: str, *shapes: tuple[int, ...]) -> Callable[[Any, Any], list[Any]]:
    def call(t: Any, d: Any) -> list[Any]:
        drop = getattr(t.nn.functional, name)
        plain = [drop(t.ones(*shape, dtype=d), 0.3, True) for shape in shapes]
        return [*plain, *[drop(t.ones(*shape, dtype=d).transpose(0, 1), 0.3, True) for shape in shapes]]

    return call


def _everywhere(name: str) -> Callable[[Any, Any], list[Any]]:
    """Dropout of elements, in all layouts, in place and not."""

    def call(t: Any, d: Any) -> list[Any]:
        drop = getattr(t.nn.functional, name)
        whole = [drop(t.ones(size, dtype=d), 0.3, True) for size in SIZES]
        made = [drop(make(t, d) + 1, 0.25, True) for make in (_turned, _parts)]
        views = [drop(make(t, d), 0.25, True) for make in (_turned, _parts, _expanded)]
        return [
            *whole,
            *made,
            *views,
            drop(_parts(t, d), 0.5, True, True),
            drop(_turned(t, d), 0.5, True, True),
        ]

    return call


def _initial(name: str, *args: Any, shape: tuple[int, ...] = (6, 5, 3)) -> Callable[[Any, Any], list[Any]]:
    def call(t: Any, d: Any) -> list[Any]:
        init = getattr(t.nn.init, name)
        return [init(t.empty(*shape, dtype=d), *args), init(t.empty(8, 7, dtype=d).t(), *args)]

    return call


def _loaded(**options: Any) -> Callable[[Any, Any], list[Any]]:
    def call(t: Any, _: Any) -> list[Any]:
        made = {name: value(t) if callable(value) else value for name, value in options.items()}
        data = t.utils.data.TensorDataset(t.arange(23))
        loader = t.utils.data.DataLoader(data, batch_size=4, **made)
        return [x for _ in range(2) for (x,) in loader]

    return call


def _sampler(name: str, *args: Any, **options: Any) -> Callable[[Any, Any], list[Any]]:
    return lambda t, _: [t.tensor(list(getattr(t.utils.data, name)(*args, **options))) for _ in range(2)]


WEIGHTS = [0.1 * i + 0.1 for i in range(23)]
NOT = ("int64",)  # the dtype is not asked for

DRAWS: dict[str, Draw] = {
    "rand": Draw(lambda t, d: [t.rand(size, dtype=d) for size in SIZES], FLOATS + COMPLEX),
    "randn": Draw(lambda t, d: [t.randn(size, dtype=d) for size in SIZES], FLOATS + COMPLEX, 1.0),
    "few randn": Draw(lambda t, d: [t.randn(n, dtype=d) for n in (1, 2, 3, 0, 15, 1)]),
    "randint": Draw(lambda t, d: [t.randint(0, 2, size, dtype=d) for size in SIZES], FLOATS + INTEGERS),
    "randint wide": Draw(
        lambda t, d: [
            t.randint(*bounds, (9,))
            for bounds in ((5, 6), (-5, 100), (0, 2**28 - 1), (0, 2**28), (-7, 2**32), (-(2**63), 2**63 - 1))
        ],
        NOT,
    ),
    "randint forms": Draw(lambda t, d: [t.randint(9, (5,)), t.randint(high=9, size=(5,)), t.randint(2, 9, [2, 3])], NOT),
    "randperm": Draw(lambda t, d: [t.randperm(n, dtype=d) for n in (0, 1, 2, 17, 100)], FLOATS + INTEGERS[:-1]),
    "rand_like": Draw(_likes("rand_like"), FLOATS + COMPLEX),
    "randn_like": Draw(_likes("randn_like"), FLOATS + COMPLEX, 1.0),
    "randint_like": Draw(_likes("randint_like", -3, 90), FLOATS + INTEGERS[:-2]),
    "uniform_": Draw(_each_size(lambda x: x.uniform_(-0.1, 0.33)), FLOATS + COMPLEX),
    "uniform_ layouts": Draw(_each_layout(lambda x: x.uniform_(-2, 3)), FLOATS + COMPLEX),
    "normal_": Draw(_each_size(lambda x: x.normal_(0.5, 2)), FLOATS + COMPLEX, 2.5),
    "normal_ layouts": Draw(_each_layout(lambda x: x.normal_(0.5, 2)), FLOATS + COMPLEX, 2.5),
    "normal numbers": Draw(lambda t, d: t.normal(1.5, 0.5, (5, 7), dtype=d), FLOATS + COMPLEX, 1.0),
    "normal means": Draw(lambda t, d: t.normal(_ramp(t, d), 0.5), FLOATS + COMPLEX, 1.0),
    "normal means turned": Draw(lambda t, d: t.normal(_ramp(t, d).t(), 0.5), FLOATS, 1.0),
    "normal stds": Draw(lambda t, d: t.normal(1.5, _ramp(t, d)), FLOATS, 1.5),
    "normal both": Draw(lambda t, d: t.normal(_ramp(t, d), _ramp(t, t.float32)[0]), FLOATS + COMPLEX, 1.5),
    "exponential_": Draw(_each_size(lambda x: x.exponential_(0.7)), FLOATS, None),
    "exponential_ layouts": Draw(_each_layout(lambda x: x.exponential_()), FLOATS, None),
    "cauchy_": Draw(_each_size(lambda x: x.cauchy_(0, 0.3)), FLOATS, None),
    "cauchy_ layouts": Draw(_each_layout(lambda x: x.cauchy_()), FLOATS, None),
    "cauchy_ median": Draw(lambda t, d: t.zeros(9, dtype=d).cauchy_(0.7, 0.3), ("float32", "float16", "bfloat16")),
    "log_normal_": Draw(_each_size(lambda x: x.log_normal_(0.7, 0.3)), FLOATS, None),
    "log_normal_ layouts": Draw(_each_layout(lambda x: x.log_normal_(0, 0.4)), FLOATS, None),
    "geometric_": Draw(_each_size(lambda x: x.geometric_(0.3)), FLOATS + INTEGERS[:-1]),
    "geometric_ layouts": Draw(_each_layout(lambda x: x.geometric_(0.01)), FLOATS),
    "random_": Draw(_each_size(lambda x: x.random_()), FLOATS + INTEGERS),
    "random_ layouts": Draw(_each_layout(lambda x: x.random_()), FLOATS + INTEGERS),
    "random_ bounds": Draw(
        lambda t, d: [t.zeros(9, dtype=d).random_(*b) for b in ((2,), (0, 2), (0, None), (1, None))],
        FLOATS + INTEGERS,
    ),
    "random_ all bits": Draw(
        lambda t, d: t.zeros(9, dtype=d).random_(-(2**63), None), ("int64", "float32", "float64", "bfloat16")
    ),
    "random_ past the gaps": Draw(
        lambda t, d: [t.zeros(9, dtype=d).random_(*b) for b in ((0, 2052), (4097, 8200), (-4099, 5))], FLOATS
    ),
    "bernoulli": Draw(lambda t, d: [t.bernoulli(_ramp(t, d)), t.bernoulli(_ramp(t, d).t()), _ramp(t, d).bernoulli()]),
    "bernoulli p": Draw(
        lambda t, d: [t.bernoulli(_ramp(t, d), 0.3), _turned(t, d).bernoulli(0.9)], FLOATS + INTEGERS
    ),
    "bernoulli_": Draw(_each_size(lambda x: x.bernoulli_(1 / 3)), FLOATS + INTEGERS),
    "bernoulli_ layouts": Draw(_each_layout(lambda x: x.bernoulli_()), FLOATS + INTEGERS),
    "bernoulli_ tensor": Draw(
        lambda t, d: [
            t.zeros(5, 7, dtype=d).bernoulli_(_ramp(t, t.float32)[1]),
            _turned(t, d).bernoulli_(_ramp(t, t.float32)),
            _turned(t, d).bernoulli_(_ramp(t, t.float64)[2]),
        ],
        FLOATS + INTEGERS,
    ),
    # several without replacement: in half precision quotients tie, and PyTorch's topk does not say who is first
    "multinomial": Draw(lambda t, d: t.multinomial(_ramp(t, d, 0.1), 4), WIDE),
    "multinomial one": Draw(lambda t, d: [t.multinomial(_ramp(t, d), 1), t.multinomial(_ramp(t, d), 1, True)]),
    "multinomial turned": Draw(lambda t, d: t.multinomial(_ramp(t, d, 0.1).t(), 3), WIDE),
    "multinomial again": Draw(lambda t, d: [t.multinomial(x, 40, True) for x in (_ramp(t, d), _ramp(t, d)[1])]),
    "multinomial again turned": Draw(lambda t, d: t.multinomial(_ramp(t, d, 0.1).t(), 20, True)),
    "poisson": Draw(lambda t, d: [t.poisson(_ramp(t, d, 0, 30)), t.poisson(_ramp(t, d, 0, 30).t())]),
    "binomial": Draw(lambda t, d: t.binomial(_ramp(t, d, 0, 140).round(), _ramp(t, d, 0, 1)[2]), WIDE),
    "binomial often": Draw(lambda t, d: t.binomial(_ramp(t, d, 90, 990).round(), _ramp(t, d, 0, 1)), WIDE),
    "gamma": Draw(lambda t, d: t._standard_gamma(_ramp(t, d, 0.05, 30)), WIDE, None),
    "dirichlet": Draw(lambda t, d: t._sample_dirichlet(_ramp(t, d, 0.05, 3)), WIDE, None),
    "dropout": Draw(_everywhere("dropout")),
    "alpha_dropout": Draw(_everywhere("alpha_dropout"), FLOATS, 0.5),
    "feature_alpha_dropout": Draw(_dropped("feature_alpha_dropout", (3, 4, 5)), FLOATS, 0.5),
    "dropout1d": Draw(_dropped("dropout1d", (3, 4, 5), (4, 5))),
    "dropout2d": Draw(_dropped("dropout2d", (3, 4, 5, 2), (4, 3, 5))),
    "dropout3d": Draw(_dropped("dropout3d", (3, 4, 5, 2, 2), (4, 5, 2, 2))),
    "rrelu": Draw(
        lambda t, d: [t.nn.functional.rrelu(x, training=True) for x in (_ramp(t, d, -1), _ramp(t, d, -1).t())],
        ("float32", "float64", "bfloat16"),
        None,
    ),
    "gumbel_softmax": Draw(
        lambda t, d: [
            t.nn.functional.gumbel_softmax(x, tau=0.7, hard=hard)
            for x in (_ramp(t, d, -1), _ramp(t, d, -1).t())
            for hard in (False, True)
        ],
        WIDE,
        2.0,
    ),
    "fractional_max_pool2d": Draw(
        lambda t, d: t.nn.functional.fractional_max_pool2d(
            _ramp(t, d, -1, 1, 640).reshape(2, 5, 8, 8), 2, output_size=3
        ),
        WIDE,
    ),
    "init.uniform_": Draw(_initial("uniform_", -1.0, 2.0)),
    "init.xavier_uniform_": Draw(_initial("xavier_uniform_")),
    "init.kaiming_uniform_": Draw(_initial("kaiming_uniform_", 5**0.5)),
    "init.normal_": Draw(_initial("normal_", 0.5, 2.0), FLOATS, 2.5),
    "init.xavier_normal_": Draw(_initial("xavier_normal_", 2.0), FLOATS, 1.0),
    "init.kaiming_normal_": Draw(_initial("kaiming_normal_"), FLOATS, 1.0),
    "init.trunc_normal_": Draw(_initial("trunc_normal_"), FLOATS, 1.0),
    "init.trunc_normal_ often": Draw(_initial("trunc_normal_", 0.0, 1.0, -0.5, 0.5), FLOATS, 1.0),
    "init.trunc_normal_ rare": Draw(_initial("trunc_normal_", 0.5, 1.0, -0.1, 0.2)),
    "init.orthogonal_": Draw(_initial("orthogonal_", 1.5), WIDE, 16.0),  # the error is that of the factorisation
    "init.sparse_": Draw(_initial("sparse_", 0.3, 0.5, shape=(6, 5)), FLOATS, 0.5),
    "init.dirac_, eye_": Draw(lambda t, d: [t.nn.init.dirac_(t.ones(4, 3, 5, dtype=d)), t.nn.init.eye_(t.ones(3, 4, dtype=d))]),
    "layers": Draw(
        lambda t, d: [
            p
            for layer in (t.nn.Conv2d(3, 8, 5), t.nn.Linear(40, 10), t.nn.ConvTranspose1d(3, 4, 3), t.nn.Bilinear(3, 4, 5))
            for p in layer.to(d).parameters()
        ],
        WIDE,
    ),
    "embedding": Draw(lambda t, d: list(t.nn.Embedding(9, 7).parameters()), NOT, 1.0),
    "random_split": Draw(
        lambda t, _: [t.tensor(list(part.indices)) for part in t.utils.data.random_split(range(20), [0.3, 0.7])], NOT
    ),
    "DataLoader": Draw(_loaded(shuffle=True), NOT),
    "DataLoader in order": Draw(_loaded(), NOT),
    "DataLoader generator": Draw(_loaded(shuffle=True, generator=lambda t: t.Generator().manual_seed(3)), NOT),
    "RandomSampler": Draw(_sampler("RandomSampler", range(23), replacement=True, num_samples=50), NOT),
    "RandomSampler more": Draw(_sampler("RandomSampler", range(23), num_samples=50), NOT),
    "SubsetRandomSampler": Draw(_sampler("SubsetRandomSampler", list(range(3, 15))), NOT),
    "WeightedRandomSampler": Draw(_sampler("WeightedRandomSampler", WEIGHTS, 40), NOT),
    "WeightedRandomSampler once": Draw(_sampler("WeightedRandomSampler", WEIGHTS, 20, replacement=False), NOT),
}  # fmt: skip


def _several(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _compare(ours: Any, theirs: Any, spread: float | None, dtype: str) -> None:
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype) == str(theirs.dtype)
    a, b = np.asarray(ours.detach()._data), array(theirs)
    if spread == 0.0 or b.dtype.kind in "iub":
        np.testing.assert_array_equal(a, b)
        return
    kind = np.complex128 if b.dtype.kind == "c" else np.float64
    a, b = a.astype(kind), b.astype(kind)
    eps = torch.finfo(theirs.dtype).eps
    if spread is None:
        np.testing.assert_allclose(a, b, rtol=4 * eps, atol=0)
    else:
        assert np.abs(a - b).max(initial=0.0) <= 2 * eps * spread * RADIUS.get(dtype, 5.8)


def _check(draw: Draw, dtype: str, seeds: Any) -> None:
    for seed in seeds:
        torch.manual_seed(seed)
        convgrad.manual_seed(seed)
        theirs = _several(draw.call(torch, getattr(torch, dtype)))
        ours = _several(draw.call(convgrad, getattr(convgrad, dtype)))
        assert len(ours) == len(theirs)
        for mine, yours in zip(ours, theirs, strict=True):
            _compare(mine, yours, draw.spread, dtype)
        np.testing.assert_array_equal(
            convgrad.default_generator.state(), torch.get_rng_state().numpy(), f"state after seed {seed}"
        )


CASES = [(name, dtype) for name, draw in DRAWS.items() for dtype in draw.dtypes]


@pytest.mark.parametrize("name", DRAWS)
def test_a_hundred_seeds(name: str) -> None:
    """The first dtype of each function; the others take fewer seeds below."""
    _check(DRAWS[name], DRAWS[name].dtypes[0], range(100))


@pytest.mark.parametrize(("name", "dtype"), [c for c in CASES if c[1] != DRAWS[c[0]].dtypes[0]])
def test_other_dtypes(name: str, dtype: str) -> None:
    _check(DRAWS[name], dtype, (0, 1, 2**31, 2**32 + 5, 2**63 + 1, -7, *range(100, 124)))


LARGE = 300_007
HUGE: dict[str, Draw] = {
    "rand": Draw(lambda t, d: t.rand(LARGE)),
    "rand float64": Draw(lambda t, d: t.rand(LARGE, dtype=t.float64)),
    "randn": Draw(lambda t, d: t.randn(LARGE), spread=1.0),
    "randn turned": Draw(lambda t, d: t.randn_like(t.zeros(501, 599).t()), spread=1.0),
    "exponential_": Draw(lambda t, d: t.empty(LARGE).exponential_(), spread=None),
    "bernoulli_": Draw(lambda t, d: t.empty(LARGE).bernoulli_(0.1)),
    "dropout": Draw(lambda t, d: t.nn.functional.dropout(t.ones(300, 1001), 0.2)),
    "randint": Draw(lambda t, d: t.randint(0, 10**6, (LARGE,))),
    "randperm": Draw(lambda t, d: t.randperm(LARGE)),
    "multinomial": Draw(lambda t, d: t.multinomial(t.arange(1.0, 20001.0), 50)),
    "multinomial again": Draw(lambda t, d: t.multinomial(t.arange(1.0, 20001.0), 3000, True)),
    "poisson": Draw(lambda t, d: t.poisson(t.full((5000,), 40.0))),
}


@pytest.mark.parametrize("name", HUGE)
def test_large_draws(name: str) -> None:
    _check(HUGE[name], "float32", (0, 1))


OF_GENERATOR: dict[str, Callable[[Any, Any], Any]] = {
    "rand": lambda t, g: t.rand(9, generator=g),
    "randn": lambda t, g: t.randn(9, generator=g),
    "randint": lambda t, g: t.randint(5, (9,), generator=g),
    "randperm": lambda t, g: t.randperm(9, generator=g),
    "rand_like": lambda t, g: t.rand_like(t.zeros(9), generator=g),
    "randn_like": lambda t, g: t.randn_like(t.zeros(9), generator=g),
    "randint_like": lambda t, g: t.randint_like(t.zeros(9), 5, generator=g),
    "normal": lambda t, g: t.normal(0.0, 1.0, (9,), generator=g),
    "normal of tensors": lambda t, g: t.normal(t.zeros(9), t.ones(9), generator=g),
    "bernoulli": lambda t, g: t.bernoulli(t.full((9,), 0.5), generator=g),
    "bernoulli p": lambda t, g: t.zeros(9).bernoulli(0.5, generator=g),
    "multinomial": lambda t, g: t.multinomial(t.ones(9), 3, generator=g),
    "multinomial again": lambda t, g: t.multinomial(t.ones(9), 30, True, generator=g),
    "poisson": lambda t, g: t.poisson(t.full((9,), 5.0), generator=g),
    "binomial": lambda t, g: t.binomial(t.full((9,), 5.0), t.full((9,), 0.5), generator=g),
    "gamma": lambda t, g: t._standard_gamma(t.full((9,), 5.0), generator=g),
    "dirichlet": lambda t, g: t._sample_dirichlet(t.full((9,), 5.0), generator=g),
    "uniform_": lambda t, g: t.zeros(9).uniform_(generator=g),
    "normal_": lambda t, g: t.zeros(9).normal_(generator=g),
    "exponential_": lambda t, g: t.zeros(9).exponential_(generator=g),
    "cauchy_": lambda t, g: t.zeros(9).cauchy_(generator=g),
    "log_normal_": lambda t, g: t.zeros(9).log_normal_(generator=g),
    "geometric_": lambda t, g: t.zeros(9).geometric_(0.5, generator=g),
    "random_": lambda t, g: t.zeros(9).random_(generator=g),
    "bernoulli_": lambda t, g: t.zeros(9).bernoulli_(generator=g),
    "rrelu": lambda t, g: t.rrelu(-t.ones(9), training=True, generator=g),
    "random_split": lambda t, g: t.tensor(list(t.utils.data.random_split(range(9), [4, 5], generator=g)[0].indices)),
    "RandomSampler": lambda t, g: t.tensor(list(t.utils.data.RandomSampler(range(9), generator=g))),
    "SubsetRandomSampler": lambda t, g: t.tensor(list(t.utils.data.SubsetRandomSampler(range(9), generator=g))),
    "WeightedRandomSampler": lambda t, g: t.tensor(
        list(t.utils.data.WeightedRandomSampler([0.5, 0.2], 9, generator=g))
    ),
    **{
        f"init.{name}": lambda t, g, name=name, args=args: getattr(t.nn.init, name)(t.zeros(4, 5), *args, generator=g)
        for name, args in {
            "uniform_": (), "normal_": (), "trunc_normal_": (), "xavier_uniform_": (), "xavier_normal_": (),
            "kaiming_uniform_": (), "kaiming_normal_": (), "orthogonal_": (),
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("name", OF_GENERATOR)
def test_a_generator_of_ones_own(name: str) -> None:
    """Its numbers are PyTorch's and its state moves; the default generator's does not."""
    for seed in range(20):
        mine, yours = convgrad.Generator().manual_seed(seed), torch.Generator().manual_seed(seed)
        before = convgrad.default_generator.state()
        ours, theirs = OF_GENERATOR[name](convgrad, mine), OF_GENERATOR[name](torch, yours)
        _compare(ours, theirs, 8.0, "float32")
        np.testing.assert_array_equal(mine.state(), yours.get_state().numpy())
        np.testing.assert_array_equal(convgrad.default_generator.state(), before)


def test_a_generator_saved_by_pytorch_goes_on_here_and_back() -> None:
    yours = torch.Generator().manual_seed(3)
    torch.rand(700, generator=yours), torch.randn(1, generator=yours)
    mine = convgrad.Generator()
    mine.__setstate__(yours.__reduce__()[2])  # what torch.save writes of a generator
    assert mine.initial_seed() == 3
    expected = torch.randn(3, generator=yours)
    assert convgrad.randn(3, generator=mine).tolist() == expected.tolist()
    yours.manual_seed(0)
    yours.set_state(torch.from_numpy(mine.get_state().numpy()))
    assert convgrad.rand(9, generator=mine).tolist() == torch.rand(9, generator=yours).tolist()


ERRORS: dict[str, Callable[[Any], Any]] = {
    "state dtype": lambda t: t.Generator().set_state(t.zeros(5056)),
    "state size": lambda t: t.Generator().set_state(t.zeros(3, dtype=t.uint8)),
    "state list": lambda t: t.Generator().set_state([1]),
    "state zeros": lambda t: t.Generator().set_state(t.zeros(5056, dtype=t.uint8)),
    "seed float": lambda t: t.Generator().manual_seed(1.5),
    "seed bool": lambda t: t.Generator().manual_seed(True),
    "seed large": lambda t: t.manual_seed(2**64),
    "seed word": lambda t: t.manual_seed("a"),
    "device number": lambda t: t.Generator(0),
    "device float": lambda t: t.Generator(5.0),
    "device cuda": lambda t: t.Generator(device="cuda"),
    "seed argument": lambda t: t.Generator(seed=3),
    "attribute": lambda t: setattr(t.Generator(), "seed", 3),
    "offset": lambda t: t.Generator().get_offset(),
    "graphsafe": lambda t: t.Generator().graphsafe_get_state(),
    "rand int": lambda t: t.rand(3, dtype=t.int64),
    "rand nothing": lambda t: t.rand(),
    "randn int": lambda t: t.randn(3, dtype=t.int64),
    "randint size": lambda t: t.randint(0, 3),
    "randint complex": lambda t: t.randint(3, (2,), dtype=t.complex64),
    "randint uint8": lambda t: t.randint(300, (2,), dtype=t.uint8),
    "randint grad": lambda t: t.randint(3, (2,), requires_grad=True),
    "randperm negative": lambda t: t.randperm(-1),
    "normal numbers": lambda t: t.normal(1.0, 2.0),
    "normal negative": lambda t: t.normal(t.ones(3), -1.0),
    "normal negatives": lambda t: t.normal(t.ones(3), -t.ones(3)),
    "normal int": lambda t: t.normal(t.ones(3, dtype=t.int64), 1.0),
    "normal shapes": lambda t: t.normal(t.ones(3), t.ones(4)),
    "normal complex std": lambda t: t.normal(1.0, t.ones(3, dtype=t.complex64)),
    "normal_ complex mean": lambda t: t.zeros(3, dtype=t.complex64).normal_(1j),
    "bernoulli range": lambda t: t.bernoulli(t.tensor([2.0])),
    "bernoulli int": lambda t: t.bernoulli(t.tensor([1, 0])),
    "bernoulli p": lambda t: t.bernoulli(t.ones(3), 2.0),
    "bernoulli_ int p": lambda t: t.zeros(3).bernoulli_(t.tensor(1)),
    "bernoulli_ shape": lambda t: t.zeros(3).bernoulli_(t.rand(4)),
    "bernoulli_ dims": lambda t: t.zeros(3).bernoulli_(t.rand(2, 3)),
    "bernoulli_ complex": lambda t: t.zeros(3, dtype=t.complex64).bernoulli_(),
    "uniform_ expanded": lambda t: t.zeros(1).expand(3).uniform_(),
    "uniform_ int": lambda t: t.zeros(3, dtype=t.int64).uniform_(),
    "uniform_ bounds": lambda t: t.zeros(3).uniform_(2, 1),
    "normal_ int": lambda t: t.zeros(3, dtype=t.int64).normal_(),
    "exponential_ int": lambda t: t.zeros(3, dtype=t.int64).exponential_(),
    "exponential_ rate": lambda t: t.zeros(3).exponential_(0),
    "exponential_ nan": lambda t: t.zeros(3).exponential_(float("nan")),
    "cauchy_ int": lambda t: t.zeros(3, dtype=t.int64).cauchy_(),
    "log_normal_ int": lambda t: t.zeros(3, dtype=t.int64).log_normal_(),
    "geometric_ bool": lambda t: t.zeros(3, dtype=t.bool).geometric_(0.5),
    "geometric_ p": lambda t: t.zeros(3).geometric_(1.0),
    "random_ complex": lambda t: t.zeros(3, dtype=t.complex64).random_(),
    "random_ empty": lambda t: t.zeros(3).random_(0),
    "random_ uint8": lambda t: t.zeros(3, dtype=t.uint8).random_(-1, 5),
    "binomial int": lambda t: t.binomial(t.tensor([3]), t.tensor([0.5])),
    "binomial int p": lambda t: t.binomial(t.tensor([3.0]), t.tensor([1])),
    "binomial dtypes": lambda t: t.binomial(t.ones(3), t.ones(3, dtype=t.float64)),
    "binomial number": lambda t: t.binomial(t.ones(3), 0.5),
    "binomial shapes": lambda t: t.binomial(t.ones(3), t.ones(4)),
    "binomial half": lambda t: t.binomial(t.ones(3).half(), t.ones(3).half()),
    "gamma int": lambda t: t._standard_gamma(t.tensor([2])),
    "poisson negative": lambda t: t.poisson(t.tensor([-1.0])),
}


@pytest.mark.parametrize("name", ERRORS)
def test_the_same_errors(name: str) -> None:
    with pytest.raises(Exception) as theirs:
        ERRORS[name](torch)
    convgrad.manual_seed(0)
    before = convgrad.default_generator.state()
    with pytest.raises(theirs.type):
        ERRORS[name](convgrad)
    if name not in ("bernoulli_ shape", "bernoulli_ dims"):  # these draw the argument
        np.testing.assert_array_equal(convgrad.default_generator.state(), before)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_four_hundred_more_seeds(name: str, dtype: str) -> None:
    _check(DRAWS[name], dtype, range(1000, 1400))
