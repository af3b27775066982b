"""The programs in examples/, unchanged, by PyTorch and by convgrad: the same text, the same numbers for the first steps."""

from __future__ import annotations

import pytest
from tests.examples.programs import EXAMPLES, PROGRAMS, Program, numbers, run, words

pytestmark = pytest.mark.parity

COMPARED = [
    program for program in PROGRAMS if "torchvision" not in program.name
]  # it has no release for torch 2.13


@pytest.mark.parametrize("program", COMPARED, ids=str)
def test_first_steps(program: Program) -> None:
    if not program.readable:
        pytest.skip(f"CONVGRAD_DATA names no folder with {program.folder}/ in it")
    path = EXAMPLES / f"{program.name}.py"
    theirs = run((), path, program.short)
    ours = run(("-m", "convgrad.torch"), path, program.short)
    assert words(ours) == words(theirs)
    steps, their_steps = (
        [line for line in text.splitlines() if line.startswith(("step", "epoch")) or "  step " in line]
        for text in (ours, theirs)
    )
    assert len(steps) >= 2
    for line, expected in zip(steps, their_steps, strict=True):
        assert numbers(line) == pytest.approx(numbers(expected), rel=5e-4, abs=2e-4), f"{line}\n{expected}"
