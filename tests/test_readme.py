"""What the README promises: its example runs, its commands exist, its table of options is the real one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The README's code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_example_runs_and_learns() -> None:
    (example,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT / "src",
    )
    assert done.returncode == 0, done.stderr
    shape, node = done.stdout.strip().splitlines()
    assert shape.startswith("torch.Size([16, 2, 3])")
    assert float(shape.rpartition(" ")[2]) < 0.1
    assert node.startswith("<NllLossBackward0 object at ")


def test_the_example_of_the_planner_runs() -> None:
    (example,) = blocks("py")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        capture_output=True, text=True, timeout=120, cwd=ROOT / "src",
    )  # fmt: skip
    assert done.returncode == 0 or "needs the compiled kernels" in done.stderr, done.stderr
    assert "output: " in done.stdout and "Sequential on (8, 64, 56, 56)" in done.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed here")
@pytest.mark.parametrize("target", sorted(set(re.findall(r"make (\w+)", "\n".join(blocks("sh"))))))
def test_each_command_is_a_target(target: str) -> None:
    done = subprocess.run(["make", "-n", target], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_variables_are_those_that_are_read() -> None:
    listed = set(re.findall(r"^\| `(CONVGRAD_[A-Z_]+)`", README, flags=re.MULTILINE)) | {"CONVGRAD_DATA"}
    sources = [ROOT / "pyproject.toml", *(ROOT / "src").rglob("*.py")]
    read = set(re.findall(r"CONVGRAD_[A-Z_]+", "".join(path.read_text() for path in sources)))
    assert "CONVGRAD_DATA" in README
    assert listed == read


def test_the_options_of_the_tour_are_those_it_takes() -> None:
    listed = set(re.findall(r"^\| `(--[a-z-]+)", README, flags=re.MULTILINE))
    done = subprocess.run(
        [sys.executable, "-m", "convgrad", "tour", "--help"],
        capture_output=True, text=True, timeout=60, cwd=ROOT / "src",
    )  # fmt: skip
    taken = set(re.findall(r"--[a-z-]+", done.stdout)) - {"--help"}
    assert listed == taken
