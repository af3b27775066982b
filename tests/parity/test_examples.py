"""The programs in examples/, unchanged, by PyTorch and by convgrad: the same text, the same numbers for the first steps."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.examples.programs import EXAMPLES, HELPERS, PROGRAMS, Program, numbers, run, words

pytestmark = pytest.mark.parity

COMPARED = [
    program for program in PROGRAMS if "torchvision" not in program.name
]  # it has no release for torch 2.13


@pytest.fixture
def by_pytorch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., str]]:
    """Runs a program in this process, which has imported torch already; gives what it prints."""

    def run_here(path: Path, arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [str(path), *arguments.split()])
        monkeypatch.syspath_prepend(str(path.parent))
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    yield run_here
    for name in HELPERS:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("program", COMPARED, ids=str)
def test_first_steps(program: Program, by_pytorch: Callable[..., str]) -> None:
    if not program.readable:
        pytest.skip(f"CONVGRAD_DATA names no folder with {program.folder}/ in it")
    theirs = by_pytorch(EXAMPLES / f"{program.name}.py", program.short)
    ours = run(program.name, program.short)
    assert words(ours) == words(theirs)
    steps, their_steps = (
        [line for line in text.splitlines() if line.startswith(("step", "epoch")) or "  step " in line]
        for text in (ours, theirs)
    )
    assert len(steps) >= 2
    for line, expected in zip(steps, their_steps, strict=True):
        assert numbers(line) == pytest.approx(numbers(expected), rel=5e-4, abs=2e-4), f"{line}\n{expected}"
