"""The processes of benchmarks/startup.py do what their rows say."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

import startup
from harness import environment
from startup import CONVNET, LAYER, PREDICTION, SAVED, Subject, fresh, report_rows, subjects


def test_processes_reach_their_results(tmp_path: Path) -> None:
    weights = tmp_path / "lenet.pt"
    for program in (SAVED, PREDICTION, LAYER, CONVNET):
        probe = fresh(Subject("ours", sys.executable, "convgrad", program), weights, environment(1))
        assert 0 < probe.imported < probe.ready and probe.memory > 2**20 and probe.version
    assert weights.stat().st_size > 4 * 61_706


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="FileNotFoundError"):
        fresh(Subject("ours", sys.executable, "convgrad", PREDICTION), tmp_path / "none.pt", environment(1))


def test_every_row_has_its_processes() -> None:
    wanted = argparse.Namespace(python="p", torch_python="t", ours="convgrad", theirs="torch")
    labels = [subject.label for subject in subjects(wanted)]
    assert len(labels) == len(set(labels))
    probe = startup.Probe(0.1, 0.2, 2**20, "1")
    rows = report_rows({label: [probe] for label in labels}, {}, wanted)
    assert all(row.ours and row.theirs for row in rows)
    assert len(rows) == 4 + 2 * len(startup.RESULTS)
