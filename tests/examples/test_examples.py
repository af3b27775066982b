"""Each program in examples/ runs as ``python -m convgrad.torch examples/x.py``, learns, and prints what is recorded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.examples.programs import EXAMPLES, HELPERS, OUTPUT, PROGRAMS, Program, numbers, run, words


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_it_runs_and_learns(program: Program) -> None:
    if not program.readable:
        pytest.skip(
            f"CONVGRAD_DATA names no folder with {program.folder}/ in it, and these data are not packaged"
        )
    text = run(program.name)
    recorded = (OUTPUT / f"{program.name}.txt").read_text()
    assert words(text) == words(recorded)
    found, expected = numbers(text)[: program.alike], numbers(recorded)[: program.alike]
    assert found == pytest.approx(expected, rel=1e-3)
    assert program.least <= numbers(text)[-1] <= program.most, text.splitlines()[-1]


def test_no_program_is_left_out() -> None:
    programs = {path.stem for path in EXAMPLES.glob("*.py")} - HELPERS
    assert programs == {program.name for program in PROGRAMS}
    assert {path.stem for path in OUTPUT.iterdir()} == programs


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_the_record_is_of_this_program(program: Program) -> None:
    """Its last line is a named number within the range, and the table in the README shows the same."""
    last = (OUTPUT / f"{program.name}.txt").read_text().splitlines()[-1]
    assert re.fullmatch(r"[A-Za-z ,]+: -?\d+(\.\d+)?", last)
    assert program.least <= numbers(last)[-1] <= program.most
    row = re.search(rf"^\| `{program.name}\.py` \|.*$", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert row is not None
    assert f"| {last.replace(': ', ' | ')} |" in row[0]


def test_the_same_bits_for_any_number_of_threads() -> None:
    """Convolutions, pooling, dropout, shuffling and loss: the printed text does not depend on threads."""
    one, two = (
        run("lenet", "--epochs 1 --steps 8 --log-every 1", CONVGRAD_NUM_THREADS=n) for n in ("1", "2")
    )
    assert one == two


def test_missing_data_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        AssertionError, match=r"fsdd/fsdd\.npz not found: set CONVGRAD_DATA to a folder that holds"
    ):
        run("spoken_digits", CONVGRAD_DATA=str(tmp_path))
