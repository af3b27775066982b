"""The planner: the same plan for the same shape everywhere, what the user forbids is not used, and why in words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convgrad.kernels import native, planner
from convgrad.kernels.algorithms import ALGORITHMS, Cost
from convgrad.kernels.algorithms.algorithm import Machine
from convgrad.kernels.geometry import Geometry, conv_output_size
from convgrad.kernels.planner import UnfitError, Wish, allowed, candidates, choose, refusal
from convgrad.kernels.problem import (
    FORWARD,
    INPUT_GRAD,
    PRIMITIVES,
    WEIGHT_GRAD,
    Problem,
    in_words,
    problem_of,
)
from convgrad.kernels.timings import operands

from .fakes import MACHINE, Fake, computed

needs_native = pytest.mark.skipif(not native.available(), reason="no compiled kernels here")


def problem(
    primitive: str = FORWARD, size: tuple[int, ...] = (9, 8), kernel: tuple[int, ...] = (3, 3), channels: int = 4,
    out: int = 6, batch: int = 2, groups: int = 1, stride: int = 1, dilation: int = 1, padding: int = 0,
    border: str = "zeros", dtype: type = np.float32,
) -> Problem:  # fmt: skip
    n = len(size)
    geometry = Geometry((stride,) * n, ((padding, padding),) * n, (dilation,) * n, groups, border)
    return problem_of(
        primitive, np.dtype(dtype), batch, (out, channels // groups, *kernel), size,
        conv_output_size(size, kernel, geometry), geometry,
    )  # fmt: skip


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch):
    """A table of made-up algorithms instead of the real one."""

    def use(*algorithms: Fake) -> None:
        monkeypatch.setattr(planner, "ALGORITHMS", algorithms)

    return use


# ---- which


def test_the_cheapest_wins_and_of_two_alike_the_first(table) -> None:
    table(Fake("slow", 3.0), Fake("one", 1.0), Fake("two", 1.0), Fake("middle", 2.0))
    assert [plan.name for plan in candidates(problem(), MACHINE)] == ["one", "two", "middle", "slow"]
    assert choose(problem(), MACHINE).name == "one"


def test_sums_of_the_definition_are_preferred_where_others_save_little(table) -> None:
    table(Fake("winograd", 0.95, exact=False), Fake("direct", 1.0))
    direct, winograd = candidates(problem(), MACHINE)
    assert direct.name == "direct" and choose(problem(), MACHINE).name == "direct"
    assert planner.why_not_chosen(winograd, direct).startswith("0.95x the time: too little")
    table(Fake("winograd", 0.85, exact=False), Fake("direct", 1.0))
    assert choose(problem(), MACHINE).name == "winograd"


def test_what_does_not_fit_is_no_candidate_and_says_why(table) -> None:
    small = Fake("small", 0.1, unfit=lambda p: "takes 1x1 kernels only" if p.taps > 1 else "")
    forward = Fake("forward", 0.2, primitives=(FORWARD,))
    table(small, forward, Fake("any"))
    assert choose(problem(), MACHINE).name == "forward"
    assert choose(problem(kernel=(1, 1)), MACHINE).name == "small"
    assert choose(problem(WEIGHT_GRAD), MACHINE).name == "any"
    assert refusal(small, problem(), MACHINE) == "takes 1x1 kernels only"
    assert refusal(forward, problem(WEIGHT_GRAD), MACHINE) == "does not compute the weight gradient"
    assert refusal(forward, problem(), MACHINE) == ""


def test_none_where_nothing_fits(table) -> None:
    table(Fake("never", unfit=lambda p: "no"))
    assert choose(problem(), MACHINE) is None


def test_strict_admits_exact_ones_only(table) -> None:
    table(Fake("fft", 0.1, exact=False), Fake("direct_rows", 1.0))
    assert choose(problem(), MACHINE).name == "fft"
    assert choose(problem(), MACHINE, Wish(strict=True)).name == "direct_rows"
    table(Fake("fft", 0.1, exact=False))
    assert choose(problem(), MACHINE, Wish(strict=True)) is None


def test_one_may_be_asked_for_by_name_or_family(table) -> None:
    table(
        Fake("direct_rows", 2.0),
        Fake("direct_lanes", 1.0),
        Fake("directory", 0.5),
        Fake("fft", 0.1, exact=False),
    )
    assert choose(problem(), MACHINE, Wish(forced="direct")).name == "direct_lanes"
    assert choose(problem(), MACHINE, Wish(forced="direct_rows")).name == "direct_rows"
    assert choose(problem(), MACHINE, Wish(forced="reference")) is None
    assert planner.known_names() == ["direct", "direct_lanes", "direct_rows", "directory", "fft", "reference"]


def test_asking_for_one_that_cannot_says_why_and_names_those_that_can(table) -> None:
    table(
        Fake("winograd_f43", 0.1, exact=False, unfit=lambda p: "wants 3x3 kernels" if p.taps != 9 else ""),
        Fake("winograd_f23", 0.2, exact=False, primitives=(FORWARD,)),
        Fake("direct"),
        Fake("fft", exact=False),
    )
    bad = problem(WEIGHT_GRAD, kernel=(5, 5), stride=2)
    with pytest.raises(UnfitError) as caught:
        choose(bad, MACHINE, Wish(forced="winograd"))
    assert str(caught.value) == (
        "winograd_f43 wants 3x3 kernels; winograd_f23 does not compute the weight gradient. "
        "These can: direct, fft, reference"
    )
    with pytest.raises(UnfitError, match=r"fft strict: its errors .* These can: direct, reference$"):
        choose(bad, MACHINE, Wish(strict=True, forced="fft"))


def test_scratch_is_bounded_unless_the_algorithm_was_asked_for(table) -> None:
    """16 MB and once the operands, reckoned for the threads that costs are reckoned for."""
    p = problem()
    most = 16 * 2**20 + p.operand_bytes
    greedy = Fake("greedy", 0.1, scratch_bytes=most // 2 + 1)
    table(greedy, Fake("modest", 1.0, scratch_bytes=most // 2))
    assert choose(p, MACHINE).name == "modest"
    assert choose(p, MACHINE, Wish(forced="greedy")).name == "greedy"
    assert [plan.memory(3) for plan in allowed(p, MACHINE)] == [3 * (most // 2 + 1), 3 * (most // 2)]


def test_only_the_winner_is_made_ready_and_once(table) -> None:
    first, second = Fake("first", 1.0), Fake("second", 2.0)
    table(first, second)
    plan = choose(problem(), MACHINE)
    assert plan.call is plan.call and plan.memory(1) == 0
    assert (first.prepared, second.prepared) == (1, 0)


SCRIPT = """
from tests.kernels.test_planner import problem, PLANNED
from convgrad.kernels import native, planner
from convgrad.kernels.algorithms.native import _native
import sys
_native.set_num_threads(int(sys.argv[1]))
here = native.machine()
for primitive, more in PLANNED:
    for plan in planner.candidates(problem(primitive, **more), here):
        print(plan, plan.cost)
"""
PLANNED = [
    (primitive, more)
    for primitive in PRIMITIVES
    for more in (
        {}, {"stride": 2}, {"size": (400,), "kernel": (40,)}, {"groups": 2}, {"padding": 1, "batch": 16},
        {"size": (5, 6, 7), "kernel": (1, 3, 2)}, {"channels": 64, "out": 64, "size": (28, 28), "dtype": np.float64},
    )
]  # fmt: skip


@needs_native
def test_plans_are_the_same_in_every_process_and_for_every_number_of_threads() -> None:
    root = Path(__file__).resolve().parents[2]
    printed = []
    for seed, threads in (("1", 1), ("2", 3), ("77", 16)):
        path = os.pathsep.join([str(root / "src"), str(root), *sys.path])
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(threads)], capture_output=True, text=True, timeout=120, cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert printed[0] == printed[1] == printed[2]
    assert "direct" in printed[0]


# ---- what a problem is


@pytest.mark.parametrize("primitive", PRIMITIVES)
@pytest.mark.parametrize("more", [more for _, more in PLANNED[: len(PLANNED) // 3]], ids=str)
def test_every_algorithm_computes_a_problem_from_operands_of_its_shapes(primitive: str, more: dict) -> None:
    if not native.available():
        pytest.skip("no compiled kernels here")
    p = problem(primitive, **more)
    first, second, out = operands(p)
    wanted = computed(p, first.astype(float), second.astype(float))
    for plan in candidates(p, native.machine()):
        out.fill(np.nan)
        plan.call(first, second, None, out)
        assert np.abs(out - wanted).max() <= 1e-5 * np.abs(wanted).max(), plan
        assert plan.memory(1) >= 0 and plan.fits_memory in (True, False)


@pytest.mark.parametrize(
    ("primitive", "x", "w", "geometry", "dtype", "text"),
    [
        (FORWARD, (2, 4, 9, 8), (6, 4, 3, 3), Geometry((1, 1), ((0, 0), (0, 0)), (1, 1), 1), np.float32,
         "the output of a convolution of (2, 4, 9, 8) with (6, 4, 3, 3), float32"),
        (INPUT_GRAD, (2, 4, 40), (6, 2, 5), Geometry((2,), ((0, 0),), (1,), 2), np.float64,
         "the input gradient of a convolution of (2, 4, 40) with (6, 2, 5), stride (2,), groups 2, float64"),
        (WEIGHT_GRAD, (1, 4, 9), (6, 4, 3), Geometry((1,), ((1, 1),), (2,), 1, "reflect"), np.float32,
         "the weight gradient of a convolution of (1, 4, 9) with (6, 4, 3), dilation (2,), reflect borders, float32"),
    ],
)  # fmt: skip
def test_what_is_computed_in_words(primitive, x, w, geometry, dtype, text: str) -> None:
    assert in_words(primitive, x, w, geometry, np.dtype(dtype)) == text


# ---- why


def test_reasons(table) -> None:
    table(
        Fake("winograd", Cost(0.8, 0.02, 0.18), exact=False, remark="2.25x fewer products"),
        Fake("direct", Cost(1.8, 0.02, 0.0)),
        Fake("fft", Cost(0.1, 0.1, 20.0), exact=False, remark="pays from about 200 taps"),
    )
    best, direct, fft = candidates(problem(), MACHINE)
    assert planner.why_chosen(best, [direct, fft]) == (
        "1.82x quicker than direct; 2.25x fewer products; 80 % arithmetic, 2 % memory traffic, 18 % overhead"
    )
    assert planner.why_chosen(best, []).startswith("the only one that fits; 2.25x")
    assert planner.why_not_chosen(direct, best) == "1.82x the time, mostly for its arithmetic"
    assert planner.why_not_chosen(fft, best) == (
        "20x the time, mostly for its overhead (packing, transforms); pays from about 200 taps"
    )
    assert planner.shares(Cost(0.0, 0.0, 0.0)) == ""


def test_the_table_of_algorithms_is_sound() -> None:
    names = [algorithm.name for algorithm in ALGORITHMS]
    assert len(set(names)) == len(names) and planner.REFERENCE not in names
    for algorithm in ALGORITHMS:
        assert algorithm.summary and set(algorithm.primitives) <= set(PRIMITIVES)
        assert algorithm.name.replace("_", "").isalnum() and algorithm.name.islower()


@pytest.mark.parametrize(
    ("size", "channels", "blocks", "panels"),
    [(32, 128, 1, 1), (64, 64, 2, 8), (128, 32, 4, 8), (96, 32, 2, 8), (130, 32, 4, 8), (2000, 128, 16, 8)],
)
def test_a_short_signal_is_work_for_two_threads(size: int, channels: int, blocks: int, panels: int) -> None:
    """An even number of blocks, or where one block is all, a task for each panel of channels."""
    given = problem(size=(size,), kernel=(7,), channels=channels, out=channels, batch=1, padding=3)
    direct = next(a for a in ALGORITHMS if a.name == "direct_channels")
    cut = direct.cut(given, Machine("avx512", 64, 2, 1e11, 2e10))
    assert (-(-size // cut[2]), cut[6]) == (blocks, panels)
