"""The stub of the extension is what nanobind writes for the extension that is here."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from convgrad.kernels import machine

STUB = Path(machine.__file__).with_name("_native.pyi")
COMMAND = ["-m", "nanobind.stubgen", "-m", "convgrad.kernels._native"]


@pytest.mark.skipif(machine._native is None, reason="no compiled kernels here")
def test_the_stub_is_that_of_the_extension(tmp_path: Path) -> None:
    """Compared as syntax, since the one in the repository is formatted."""
    pytest.importorskip("nanobind", reason="nanobind, of the extra `test`, writes the stub")
    done = subprocess.run(
        [sys.executable, *COMMAND, "-o", str(tmp_path / "written.pyi")],
        env={**os.environ, "PYTHONPATH": str(STUB.parents[2])},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = ast.unparse(ast.parse((tmp_path / "written.pyi").read_text()))
    kept = ast.unparse(ast.parse(STUB.read_text()))
    remedy = f"write it anew: python {' '.join(COMMAND)} -O src/convgrad/kernels && ruff format {STUB.name}"
    assert written == kept, remedy
