"""Which data the tests of this folder read: those of CONVGRAD_DATA, or the packaged ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from convgrad.datasets import data_root


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The last lines of the run say which data were read."""
    name = os.environ.get("CONVGRAD_DATA")
    used = f"those in CONVGRAD_DATA={name}" if name else "the packaged ones only (CONVGRAD_DATA is not set)"
    terminalreporter.write_line(f"real data: {used}")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The data folder; tests that need what cannot be packaged are skipped without it."""
    root = data_root()
    if root is None:
        pytest.skip("CONVGRAD_DATA is not set, and these data are not packaged")
    return root
