"""Programs run in a process of their own, since the alias is the whole process's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SRC = Path(__file__).resolve().parents[2] / "src"


def run(
    *words: str, folder: Path, text: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """``python words`` in a folder, with convgrad importable."""
    paths = [str(SRC), environment.pop("EXTRA_PATH", ""), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([p for p in paths if p]), **environment},
    )


def output(*words: str, folder: Path, **options: str) -> str:
    """What a program prints that ends well."""
    done = run(*words, folder=folder, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout
