"""The benchmark harness, with ``math`` and ``cmath`` in the place of the two libraries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"

SCRIPT = """
import sys, time
from harness import Case, Check, main

def slow(library):
    print("a library that prints must not spoil the answers")
    time.sleep(0.002 if library.__name__ == "math" else 0.004)

def consume(state):
    assert state.pop() == 1, "prepare must be called before every run"

def setup(library):
    return {
        "twice as slow": lambda: slow(library),
        "prepared": Case(consume, prepare=lambda: [1], once=True, per=10),
        "bytes": Case(lambda: 640, per=10, unit="B"),
        "missing in one": lambda: library.gamma(3.0),
    }

def checks(rows):
    return [Check("bytes are 64", rows["bytes"].our_median == 64)]

sys.exit(main(setup, "sample", {"twice as slow": 1.5}, checks))
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = folder / "sample.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), "--ours", "math", "--theirs", "cmath", "--out", str(folder)]
    command += ["--torch-python", sys.executable, "--rounds", "3", "--seconds", "0.002", "--settle", "0.2"]
    environ = {**os.environ, "PYTHONPATH": str(FOLDER)}
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=100, env=environ)


def test_reports_both_sides_and_goes_on_after_a_failed_row(tmp_path: Path) -> None:
    done = run(tmp_path, "--max-load", "1000", "--allow-load")
    assert done.returncode == 1, done.stderr  # a row failed
    (path,) = tmp_path.glob("sample*.json")
    report = json.loads(path.read_text())
    rows = {row["name"]: row for row in report["rows"]}
    assert list(rows)[1:] == ["twice as slow", "prepared", "bytes", "missing in one"]
    assert len(rows["twice as slow"]["ours"]) == 3
    assert rows["twice as slow"]["ratio"] > 1.2
    assert rows["bytes"]["ours"] == [64.0] * 3
    assert "cmath: AttributeError" in rows["missing in one"]["error"]
    assert report["about"]["machine"]["processor"]
    assert "twice as slow" in done.stdout and "failed" in path.with_suffix(".md").read_text()


def test_a_target_and_a_check_decide_the_exit_code(tmp_path: Path) -> None:
    done = run(tmp_path, "--max-load", "1000", "--allow-load", "--only", "twice", "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok   twice as slow: ratio" in done.stdout


def test_refuses_on_a_busy_machine(tmp_path: Path) -> None:
    """No load is as low as less than none, so this machine is too busy."""
    done = run(tmp_path, "--max-load", "-1")
    assert done.returncode == 3
    assert "no report: busy machine" in done.stderr
    assert not list(tmp_path.glob("*.md"))


def test_a_report_from_a_busy_machine_says_so(tmp_path: Path) -> None:
    run(tmp_path, "--max-load", "-1", "--allow-load", "--only", "bytes")
    assert (tmp_path / "sample-not-valid.md").read_text().count("NOT VALID: busy machine") == 2
    assert not (tmp_path / "sample.md").exists()


def test_says_what_to_do_without_pytorch(tmp_path: Path) -> None:
    done = run(tmp_path, "--max-load", "1000", "--torch-python", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "make parity" in done.stderr


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs /proc/stat")
def test_foreign_load_leaves_out_our_own() -> None:
    probe = (
        "import time\n"
        "from machine import LoadMeter, busy_seconds\n"
        "assert busy_seconds('cpu 9 1 2 90 3 1 2 7 0 0') > busy_seconds('cpu 9 1 2 99 9 1 2 6 0 0')\n"
        "meter = LoadMeter()\n"
        "end = time.process_time() + 0.5\n"  # not wall time: on a busy machine that is less work
        "while time.process_time() < end: pass\n"
        "mine = meter._own\n"
        "from machine import process_seconds\n"
        "import os\n"
        "assert process_seconds(os.getpid()) - mine > 0.3\n"
        "print(meter.foreign_cores())\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(FOLDER)}
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, env=environ
    )
    assert done.returncode == 0, done.stderr
    assert 0.0 <= float(done.stdout) <= (os.cpu_count() or 1)


LAZY = """
import sys, time
from harness import Case, main
from worker import work

made = []

def make(library):
    made.append(library.__name__)
    return lambda: time.sleep(0.002)

def long_one(library):
    def run():
        run.calls += 1
        time.sleep(0.6)
    run.calls = 0
    return run

def setup(library):
    run = long_one(library)
    return {
        "made late": Case(None, lambda: make(library)),
        "nothing made before": Case(lambda: len(made), unit="made", rounds=1),
        "long": run,
        "calls of the long one": Case(lambda: run.calls, unit="calls", rounds=1),
    }

sys.exit(main(setup, "sample"))
"""


def test_cases_are_made_when_their_turn_comes_and_long_calls_need_no_warming(tmp_path: Path) -> None:
    script = tmp_path / "sample.py"
    script.write_text(LAZY)
    command = [sys.executable, str(script), "--ours", "math", "--theirs", "", "--out", str(tmp_path)]
    command += [
        "--rounds",
        "5",
        "--row-seconds",
        "1.5",
        "--seconds",
        "0.01",
        "--settle",
        "0.2",
        "--allow-load",
    ]
    environ = {**os.environ, "PYTHONPATH": str(FOLDER)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environ)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("sample*.json")
    rows = {row["name"]: row["ours"] for row in json.loads(path.read_text())["rows"]}
    assert len(rows["made late"]) == 5 and min(rows["made late"]) >= 0.002
    assert len(rows["long"]) == 3, "a row that takes longer than it may gets three rounds"
    assert rows["calls of the long one"] == [4.0], "one call to calibrate and one a round"


def test_busy_neighbours_end_with_their_block_and_are_no_foreign_load() -> None:
    probe = (
        "import os, time\n"
        "from machine import LoadMeter, process_seconds\n"
        "from neighbours import Neighbours\n"
        "with Neighbours(1) as beside:\n"
        "    meter = LoadMeter(beside.processes)\n"
        "    pid = beside.processes[0].pid\n"
        "    until = time.perf_counter() + 60\n"
        "    while process_seconds(pid) < 0.5 and time.perf_counter() < until: time.sleep(0.05)\n"
        "    assert process_seconds(pid) >= 0.5\n"
        "    assert meter._own_seconds() - meter._own >= 0.4\n"
        "    print(beside.describe())\n"
        "assert process_seconds(pid) == 0, 'it ends with its block'\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(FOLDER)}
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=100, env=environ
    )
    assert done.returncode == 0, done.stderr
    assert "1, each a Python process" in done.stdout and "cores together" in done.stdout


FRAGILE = """
import os, sys, time
from machine import LoadMeter
from worker import Worker, WorkerError, work

def setup(library):
    return {"fine": lambda: None}

def requests(library):
    state = {}
    return {
        "set": lambda request: state.update(request) or {},
        "get": lambda request: state,
        "end": lambda request: os._exit(7),
        "hang": lambda request: time.sleep(60),
    }

if "--worker" in sys.argv:
    sys.exit(work("math", setup, requests))
worker = Worker(sys.executable, __file__, "math", dict(os.environ), 8.0)
first = worker.pid
worker.tell("set", value=5)
for do in ("end", "hang"):
    try:
        worker.ask(do)
    except WorkerError as error:
        print(error)
    print(worker.ask("get")["value"])
assert worker.pid != first
assert worker.ask("no such thing")["error"].startswith("ValueError")
worker.close()
"""


def test_a_worker_that_ended_or_hung_is_replaced_and_told_the_same(tmp_path: Path) -> None:
    script = tmp_path / "fragile.py"
    script.write_text(FRAGILE)
    environ = {**os.environ, "PYTHONPATH": str(FOLDER)}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=100, env=environ
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "the worker of math ended with code 7 at end",
        "5",
        "the worker of math gave no answer within 8 s at hang",
        "5",
    ]
