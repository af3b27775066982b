"""The random stream: values written down from PyTorch 2.13, states, threads, bad calls."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest

import convgrad
from convgrad.errors import ConvgradError, DtypeError
from convgrad.generator import BFLOAT16, DEFAULT_SEED, Generator, default_generator

EXACT = {
    "float32": (
        0,
        lambda g: g.uniform(4),
        [0.49625658988952637, 0.7682217955589294, 0.08847743272781372, 0.13203048706054688],
    ),
    "float64": (
        0,
        lambda g: g.uniform(3, float),
        [0.9700530018065531, 0.707819864399788, 0.45938294312745087],
    ),
    "bfloat16": (7, lambda g: g.uniform(4, BFLOAT16), [0.53515625, 0.19921875, 0.66015625, 0.65625]),
    "float16 bounds": (
        7,
        lambda g: g.uniform(4, np.float16, -0.1, 0.33),
        [0.1300048828125, -0.0145111083984375, 0.1834716796875, 0.1824951171875],
    ),
    "float32 bounds": (
        7,
        lambda g: g.uniform(4, np.float32, -0.1, 0.33),
        [0.13001669943332672, -0.014514629729092121, 0.1834610253572464, 0.18246282637119293],
    ),
    "float64 bounds": (
        7,
        lambda g: g.uniform(4, float, -0.1, 0.33),
        [0.020133584859753726, 0.017688296870259235, 0.270699973409579, 0.1823760251529266],
    ),
    "randint": (1, lambda g: g.randint(0, 10, 8), [5, 9, 4, 8, 3, 3, 1, 1]),
    "randint wide": (1, lambda g: g.randint(-(2**40), 2**40, 3), [-936314961685, 605300724808, -3744676983]),
    "randperm": (3, lambda g: g.randperm(12), [10, 9, 1, 6, 4, 11, 3, 7, 2, 0, 8, 5]),
    "bernoulli": (3, lambda g: g.bernoulli(0.3, 16, int), [1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1]),
    "bernoulli array": (
        3,
        lambda g: g.bernoulli(np.linspace(0, 1, 11, dtype=np.float32)),
        [0, 0, 0, 1, 0, 1, 0, 0, 1, 1, 1],
    ),
    "random_ int64": (
        9,
        lambda g: g.whole_range(3),
        [191369442034012508, 34580184003183093, 9145403150510741560],
    ),
    "random_ uint8": (9, lambda g: g.whole_range(4, np.uint8), [126, 92, 126, 245]),
    "random_ float32": (9, lambda g: g.whole_range(3, np.float32), [11002236.0, 5067007.0, 8051198.0]),
    "random_ all bits": (
        9,
        lambda g: g.whole_range(2, np.int64, -(2**63)),
        [191369442034012508, -9188791852851592715],
    ),
    "low 32 bits of the seed": (
        2**32 + 3,
        lambda g: g.uniform(2),
        [0.004263520240783691, 0.10556936264038086],
    ),
}

NEAR = {
    "few": (
        42,
        lambda g: g.normal(5),
        [
            0.33669036626815796,
            0.12880940735340118,
            0.23446236550807953,
            0.23033303022384644,
            -1.1228563785552979,
        ],
    ),
    "tail": (
        42,
        lambda g: g.normal(17),
        [
            1.9269152879714966,
            -0.1595974713563919,
            -0.4973975419998169,
            0.439589262008667,
            -0.7581311464309692,
            1.078317642211914,
            0.8008005619049072,
            1.680620551109314,
            0.3558599054813385,
            1.2964228391647339,
            0.610466480255127,
            1.334737777709961,
            -0.2316243201494217,
            0.041759490966796875,
            -0.2515752911567688,
            0.859858512878418,
            -0.3097267746925354,
        ],
    ),
    "float64": (
        42,
        lambda g: g.normal(16, float)[:4],
        [0.2995562877502637, 0.24237779080894106, 0.28320739441795323, -0.23294220898382634],
    ),
    "exponential": (
        9,
        lambda g: g.exponential(4, np.float32, 2.0),
        [0.14136455953121185, 0.9137088060379028, 0.21057985723018646, 0.04326038807630539],
    ),
}

Draw = Callable[[Generator], np.ndarray]

DRAWS: dict[str, Draw] = {
    "uniform": lambda g: g.uniform((3, 7)),
    "normal": lambda g: g.normal((3, 7)),
    "few normal": lambda g: g.normal(3),
    "exponential": lambda g: g.exponential((2, 3)),
    "bernoulli": lambda g: g.bernoulli(0.4, (5, 4)),
    "randint": lambda g: g.randint(0, 50, 9),
    "randperm": lambda g: g.randperm(20),
    "whole_range": lambda g: g.whole_range(9, np.int8),
}


@pytest.mark.parametrize("case", EXACT)
def test_pytorch_values_bit_for_bit(case: str) -> None:
    seed, draw, expected = EXACT[case]
    assert draw(Generator().manual_seed(seed)).tolist() == expected


@pytest.mark.parametrize("case", NEAR)
def test_pytorch_values_to_rounding(case: str) -> None:
    seed, draw, expected = NEAR[case]
    np.testing.assert_allclose(draw(Generator().manual_seed(seed)), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", DRAWS)
def test_a_state_repeats_what_follows(name: str) -> None:
    generator = Generator().manual_seed(5)
    generator.uniform(700), generator.normal(1)
    state = generator.get_state()
    first = DRAWS[name](generator)
    again = Generator().manual_seed(1).set_state(state)
    np.testing.assert_array_equal(DRAWS[name](again), first)
    assert again.initial_seed() == 5
    np.testing.assert_array_equal(again.get_state(), generator.get_state())


def test_reading_the_state_draws_nothing() -> None:
    looked_at, other = Generator().manual_seed(3), Generator().manual_seed(3)
    assert looked_at.get_state().shape == (5056,)
    np.testing.assert_array_equal(looked_at.get_state(), looked_at.get_state())
    assert looked_at.uniform(3).tolist() == other.uniform(3).tolist()
    copy = looked_at.clone_state()
    assert copy.normal(3).tolist() == looked_at.normal(3).tolist()


def test_pickling_and_copies_keep_the_place_in_the_stream() -> None:
    generator = Generator("cpu").manual_seed(9)
    generator.normal(3), generator.uniform(5)
    for other in (pickle.loads(pickle.dumps(generator)), copy.deepcopy(generator), generator.clone_state()):
        assert other is not generator and other.initial_seed() == 9
        np.testing.assert_array_equal(other.get_state(), generator.get_state())
        assert other.normal(3).tolist() == generator.clone_state().normal(3).tolist()
    assert str(generator.device) == "cpu"


def test_states_are_tensors() -> None:
    state = convgrad.Generator().get_state()
    assert isinstance(state, convgrad.Tensor) and state.dtype is convgrad.uint8
    assert convgrad.default_generator is convgrad.random.default_generator is default_generator
    convgrad.set_rng_state(state)
    assert convgrad.initial_seed() == DEFAULT_SEED
    assert bool((convgrad.get_rng_state() == state).all())


def test_fork_rng_puts_the_state_back() -> None:
    convgrad.manual_seed(3)
    before = convgrad.get_rng_state()
    with convgrad.random.fork_rng():
        convgrad.rand(5)
        convgrad.manual_seed(4)
    assert convgrad.equal(before, convgrad.get_rng_state())
    with convgrad.random.fork_rng(enabled=False, devices=[]):
        convgrad.rand(5)
    assert not convgrad.equal(before, convgrad.get_rng_state())


def test_seeds() -> None:
    generator = Generator()
    assert generator.initial_seed() == DEFAULT_SEED
    assert generator.manual_seed(-1) is generator
    assert generator.initial_seed() == 2**64 - 1
    assert generator.manual_seed(np.int64(7)).initial_seed() == 7  # type: ignore[arg-type]
    chosen = generator.seed()
    assert generator.initial_seed() == chosen
    assert generator.uniform(2).tolist() == Generator().manual_seed(chosen).uniform(2).tolist()
    assert generator.seed() != chosen


def test_seeding_forgets_the_second_normal() -> None:
    generator = Generator().manual_seed(4)
    first = generator.normal(1)
    assert generator.manual_seed(4).normal(1) == first


@pytest.mark.parametrize("name", DRAWS)
def test_shapes_and_bounds(name: str) -> None:
    values = DRAWS[name](Generator().manual_seed(0))
    assert values.flags.c_contiguous and values.flags.writeable
    if name in ("uniform", "bernoulli"):
        assert values.min() >= 0 and values.max() <= 1
    if name == "exponential":
        assert values.min() > 0
    if name == "randperm":
        assert sorted(values.tolist()) == list(range(20))


def test_zero_sizes_take_nothing_from_the_stream() -> None:
    generator = Generator().manual_seed(8)
    for shape in ((0,), (3, 0)):
        assert generator.uniform(shape).shape == generator.normal(shape).shape == shape
        assert generator.bernoulli(0.5, shape).shape == generator.randint(0, 3, shape).shape == shape
    assert generator.randperm(0).shape == (0,)
    assert generator.uniform(3).tolist() == Generator().manual_seed(8).uniform(3).tolist()


def test_uniform_never_reaches_its_upper_bound() -> None:
    for dtype in (np.float16, np.float32, np.float64, BFLOAT16):
        high = float(np.nextafter(np.float32(1), np.float32(2))) if dtype == np.float32 else 1.25
        values = Generator().manual_seed(0).uniform(20000, dtype, 1.0, high)
        assert float(values.astype(float).min()) >= 1.0
        assert float(values.astype(float).max()) < high


def test_moments() -> None:
    generator = Generator().manual_seed(1)
    normal = generator.normal(200_000, np.float32, 3.0, 2.0)
    assert abs(normal.mean() - 3) < 0.02 and abs(normal.std() - 2) < 0.02
    assert abs(generator.exponential(200_000, np.float32, 4.0).mean() - 0.25) < 0.005
    assert abs(generator.bernoulli(0.2, 200_000).mean() - 0.2) < 0.005
    assert abs(generator.normal(100_000, np.complex64).var() - 1) < 0.02


def test_threads_share_one_generator_without_losing_a_number() -> None:
    generator = Generator().manual_seed(2)
    parts: list[list[float]] = []

    def draw() -> None:
        mine: list[float] = []
        for _ in range(200):
            mine.extend(generator.uniform(7, np.float64).tolist())
        parts.append(mine)

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = Generator().manual_seed(2).uniform(4 * 200 * 7, np.float64).tolist()
    assert sorted(x for part in parts for x in part) == sorted(expected)


def test_import_does_not_load_numpy_random() -> None:
    code = "import sys, numpy; had = 'numpy.random' in sys.modules; import convgrad.generator; "
    code += "print(had or 'numpy.random' not in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.strip() == "True"


def test_default_generator_is_seeded_by_chance() -> None:
    assert isinstance(default_generator, Generator)
    code = "import convgrad.generator as g; print(g.default_generator.initial_seed())"
    runs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60).stdout for _ in range(2)
    }
    assert len(runs) == 2


BAD: list[tuple[Callable[[Generator], object], type[Exception], str]] = [
    (lambda g: g.manual_seed(1.5), ConvgradError, "manual_seed expected a long, but got float"),  # type: ignore[arg-type]
    (lambda g: g.manual_seed("a"), ConvgradError, "expected a long, but got str"),  # type: ignore[arg-type]
    (lambda g: g.manual_seed(2**64), ValueError, "Overflow"),
    (lambda g: g.manual_seed(-(2**63) - 1), ValueError, "Overflow"),
    (lambda g: g.set_state(np.zeros(3)), DtypeError, "RNG state must be a torch.ByteTensor"),
    (lambda g: g.set_state(np.zeros(3, np.uint8)), RuntimeError, "of size 5056 but found .* size to be 3"),
    (lambda g: g.set_state(np.zeros(5056, np.uint8)), RuntimeError, "Invalid mt19937 state"),
    (lambda g: g.set_state(np.full(5056, 255, np.uint8)), RuntimeError, "Invalid mt19937 state"),
    (lambda g: g.uniform(3, np.float32, 2, 1), RuntimeError, "found from=2 > to=1"),
    (lambda g: g.uniform(3, np.float32, 0, float("inf")), RuntimeError, "to is out of bounds for float"),
    (lambda g: g.uniform(3, np.float16, 0, 1e6), RuntimeError, "to is out of bounds for float16"),
    (lambda g: g.uniform(3, np.float32, -3e38, 3e38), RuntimeError, "exceed the limit"),
    (
        lambda g: g.uniform(3, np.int64),
        NotImplementedError,
        "\"check_uniform_bounds\" not implemented for 'Long'",
    ),
    (lambda g: g.uniform(-1), RuntimeError, "negative dimension -1"),
    (lambda g: g.normal(3, np.float32, 0, -1), RuntimeError, "normal expects std >= 0.0, but found std -1"),
    (lambda g: g.normal(3, np.float32, 0, float("nan")), RuntimeError, "found std nan"),
    (
        lambda g: g.normal(3, np.bool_),
        NotImplementedError,
        "\"normal_kernel_cpu\" not implemented for 'Bool'",
    ),
    (lambda g: g.exponential(3, np.float32, 0), RuntimeError, "expects lambda > 0.0, but found lambda=0"),
    (lambda g: g.exponential(3, np.int64), DtypeError, "must be a floating point"),
    (lambda g: g.bernoulli(1.5, 3), RuntimeError, r"expects p to be in \[0, 1\], but got p=1.5"),
    (lambda g: g.bernoulli(float("nan"), 3), RuntimeError, "got p=nan"),
    (lambda g: g.bernoulli(0.5), RuntimeError, "needs the shape"),
    (lambda g: g.bernoulli(np.array([0.5, 1.5])), RuntimeError, "p_in >= 0 && p_in <= 1"),
    (lambda g: g.bernoulli(np.array([np.nan])), RuntimeError, "p_in >= 0 && p_in <= 1"),
    (lambda g: g.bernoulli(np.array([1])), NotImplementedError, "bernoulli_tensor_cpu_p_"),
    (lambda g: g.randint(3, 3, 2), RuntimeError, "'from' to be less than 'to', but got from=3 >= to=3"),
    (lambda g: g.randint(0, 300, 2, np.uint8), RuntimeError, "to - 1 is out of bounds for uint8"),
    (lambda g: g.randint(-1, 3, 2, np.uint8), RuntimeError, "from is out of bounds for uint8"),
    (lambda g: g.randint(0, 3, 2, np.bool_), RuntimeError, "to - 1 is out of bounds for bool"),
    (lambda g: g.randint(0, 3, 2, np.complex64), ConvgradError, "handles only integral, floating-point"),
    (lambda g: g.whole_range(2, np.complex64), NotImplementedError, '"random_kernel_cpu" not implemented'),
    (lambda g: g.whole_range(2, np.float16, -(2**63)), RuntimeError, "handles only int64, double"),
    (lambda g: g.randint(4097, 4099, 2, np.float16), RuntimeError, "'from' casted to dtype"),
    (lambda g: g.set_state([1, 2]), TypeError, "expected a torch.ByteTensor, but got list"),
    (lambda g: g.manual_seed(True), ConvgradError, "expected a long, but got bool"),
    (lambda g: g.get_offset(), ConvgradError, "CPU Generator does not use offset"),
    (lambda g: g.set_offset(2), ConvgradError, "CPU Generator does not use offset"),
    (lambda g: g.graphsafe_get_state(), NotImplementedError, "graphsafe_get_state is not supported"),
    (lambda g: g.graphsafe_set_state(g), NotImplementedError, "graphsafe_set_state is not supported"),
    (lambda g: Generator("cuda"), RuntimeError, "convgrad runs on the CPU"),
    (lambda g: Generator(3), RuntimeError, r"manual_seed\(3\)"),
    (lambda g: Generator(3.5), TypeError, "argument 'device' .position 1. must be torch.device, not float"),
    (lambda g: g.randperm(-1), RuntimeError, "negative dimension -1"),
    (lambda g: g.randperm(300, np.uint8), RuntimeError, "n=300 is too large"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_calls_say_what_is_wrong_and_draw_nothing(number: int) -> None:
    call, kind, phrase = BAD[number]
    generator = Generator().manual_seed(6)
    before = generator.get_state()
    with pytest.raises(kind, match=phrase):
        call(generator)
    np.testing.assert_array_equal(generator.get_state(), before)


def test_floats_warn_where_they_do_not_hold_every_integer() -> None:
    with pytest.warns(UserWarning, match=r"out of bounds \[-\(2\^11\), 2\^11\]"):
        values = Generator().randint(3000, 3007, 200, np.float16)
    assert values.min() >= 3000 and values.max() < 3007


@pytest.mark.parametrize("given", [3, "cpu", np.random.default_rng(0)])
def test_what_is_no_generator_is_named(given: object) -> None:
    draws = [
        lambda g: convgrad.rand(2, generator=g),
        lambda g: convgrad.randperm(3, generator=g),
        lambda g: convgrad.ones(2).uniform_(generator=g),
        lambda g: convgrad.bernoulli(convgrad.ones(2), generator=g),
        lambda g: convgrad.multinomial(convgrad.ones(2), 1, generator=g),
        lambda g: convgrad.nn.init.normal_(convgrad.ones(2), generator=g),
        lambda g: convgrad.utils.data.random_split(range(2), [1, 1], generator=g),
        lambda g: list(convgrad.utils.data.DataLoader(range(2), shuffle=True, generator=g)),
    ]
    for draw in draws:
        with pytest.raises(TypeError, match=f"must be torch.Generator or None, not {type(given).__name__}"):
            draw(given)
