"""Random straight-line programs of 5 to 40 steps, run in both libraries: values, places in the graph, gradients, errors."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.parity.programs import TABLE, Program, Step

_NUMBER = st.integers(0, 31)
STEPS = st.lists(
    st.tuples(st.integers(0, len(TABLE) - 1), _NUMBER, _NUMBER, st.integers(0, 7)), min_size=5, max_size=40
)
EVERY = {"deadline": None, "derandomize": True, "database": None, "suppress_health_check": list(HealthCheck)}


def drawn(seed: int) -> list[Step]:
    """A program of any length with all operations equally likely, half of the operands recent ones."""
    rng = random.Random(seed)

    def operand() -> int:
        return min(rng.randrange(40), rng.randrange(40)) if rng.random() < 0.5 else rng.randrange(40)

    length = rng.randrange(5, 41)
    return [(rng.randrange(len(TABLE)), operand(), operand(), rng.randrange(8)) for _ in range(length)]


@settings(max_examples=100, **EVERY)
@given(STEPS)
def test_programs(steps: list[Step]) -> None:
    Program().run(steps)


@pytest.mark.parametrize("block", range(4))
def test_drawn_programs(block: int) -> None:
    for seed in range(25 * block, 25 * block + 25):
        Program().run(drawn(seed))


@pytest.mark.slow
@settings(max_examples=1500, **EVERY)
@given(STEPS)
def test_many_programs(steps: list[Step]) -> None:
    Program().run(steps)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_many_drawn_programs(block: int) -> None:
    for seed in range(1000 + 200 * block, 1200 + 200 * block):
        Program().run(drawn(seed))


def test_most_steps_of_a_program_are_no_errors() -> None:
    """A program of errors alone would prove little."""
    total = failed = 0
    for seed in range(20):
        program = Program()
        program.run(drawn(seed))
        total += len(program.text)
        failed += program.errors
    assert failed < 0.6 * total
