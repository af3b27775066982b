"""Pages of ``docs/`` with a session in them: their code runs, from top to bottom, and prints what stands beside it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("page", ["autograd.md", "fusion.md"])
def test_the_code_of_the_page_prints_what_it_says(page: str) -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL))
    # beside a print, or below it
    said = re.findall(r"^ *print\(.*\)(?:  |\n *)# (.*)$", code, re.MULTILINE)
    assert len(said) == code.count("print(") > 5
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, timeout=120, cwd=ROOT / "src",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == said
