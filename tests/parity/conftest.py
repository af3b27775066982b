"""What holds for every comparison with PyTorch: a checked-in list of known differences that may only shrink.

``known_failures.txt`` has lines ``<test id, shell pattern> | <reason>``. A listed test must fail: if it
passes, the run fails until its line is taken out. A test that fails and is not listed fails the run.
The last line of a run says how many comparisons agree; below 95 % the run fails as well.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

LIST = Path(__file__).with_name("known_failures.txt")
LEAST = 0.95


def known_failures() -> list[tuple[str, str]]:
    """(pattern, reason) of each line that is not a comment."""
    lines = [line.strip() for line in LIST.read_text().splitlines()]
    entries = [line.partition("|") for line in lines if line and not line.startswith("#")]
    assert all(reason.strip() for _, _, reason in entries), "every known failure needs a reason"
    return [(pattern.strip(), reason.strip()) for pattern, _, reason in entries]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    entries = known_failures()
    for item in items:
        item.add_marker(pytest.mark.parity)
        short = item.nodeid.removeprefix("tests/parity/")
        for pattern, reason in entries:
            if short == pattern or fnmatchcase(short, pattern):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    stats = terminalreporter.stats
    agree = len(stats.get("passed", []))
    differ = len(stats.get("failed", [])) + len(stats.get("xfailed", []))
    if agree + differ:
        share = agree / (agree + differ)
        terminalreporter.write_line(f"parity: {agree} of {agree + differ} comparisons agree ({share:.2%})")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return
    agree = len(reporter.stats.get("passed", []))
    differ = len(reporter.stats.get("failed", [])) + len(reporter.stats.get("xfailed", []))
    if agree + differ and agree / (agree + differ) < LEAST:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
