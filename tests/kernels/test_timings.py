"""Measured times on disk: timed once, merged, never half a file, and a bad file is no harm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from convgrad import backends
from convgrad.kernels import native, planner, timings
from convgrad.kernels.planner import candidates

from .fakes import MACHINE, Fake
from .test_planner import needs_native, problem

LABEL = {"convgrad": "1", "machine": "here"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of our own, and no memory of what other tests timed."""
    monkeypatch.setenv("CONVGRAD_CACHE", str(tmp_path))
    monkeypatch.setattr(timings, "_stores", {})
    return tmp_path


@pytest.fixture
def clocked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was timed; a name's last digit is the time it "takes"."""
    seen: list[str] = []

    def clock(plan: planner.Plan) -> float:
        seen.append(plan.name)
        return float(plan.name[-1])

    monkeypatch.setattr(timings, "clock", clock)
    return seen


def plans(*names: str) -> list[planner.Plan]:
    return [planner.Plan(Fake(name), problem(), MACHINE) for name in names]


def test_each_candidate_is_timed_once_and_remembered_on_disk(folder: Path, clocked: list[str]) -> None:
    assert timings.quickest(plans("a3", "b1", "c2")).name == "b1"
    assert timings.quickest(plans("a3", "b1", "c2")).name == "b1"
    assert clocked == ["a3", "b1", "c2"]
    timings._stores.clear()  # another process
    assert timings.quickest(plans("a3", "b1", "c2")).name == "b1"
    assert timings.quickest(plans("a3", "c2")).name == "c2"  # b1 is not allowed, under strict perhaps
    assert clocked == ["a3", "b1", "c2"]
    assert timings.quickest(plans("a3", "c2", "d0")).name == "d0"  # a new algorithm
    assert clocked[3:] == ["d0"]
    assert [path.name for path in folder.iterdir()] == [
        f"plans-{timings.__version__}-{timings.processor()}-baseline.json"
    ]


def test_one_candidate_needs_no_clock(folder: Path, clocked: list[str]) -> None:
    assert timings.quickest(plans("a3")).name == "a3"
    assert timings.quickest([]) is None
    assert clocked == [] and list(folder.iterdir()) == []


BAD = [
    "", "{", "[]", "null", "\x00\x01", "[" * 100_000, '{"made by": {"convgrad": "0", "machine": "here"}, "seconds": {}}',
    json.dumps({"made by": LABEL}), json.dumps({"made by": LABEL, "seconds": [1]}),
    json.dumps({"made by": LABEL, "seconds": {"k": {"a": "1"}, "l": [], "m": {"a": -1.0}, "n": {"a": float("nan")}}}),
]  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_bad_file_counts_as_empty_and_is_written_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plans.json"
    path.write_text(text, encoding="utf-8")
    store = timings.Timings(str(path), LABEL)
    assert store.seconds == {}
    store.add(problem(), {"a": 1.0})
    assert list(json.loads(path.read_text())["seconds"].values()) == [{"a": 1.0}]
    path.write_bytes(b"\xff\xfe broken")
    assert timings.Timings(str(path), LABEL).seconds == {}


def test_what_others_wrote_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "plans.json"
    ours, theirs = timings.Timings(str(path), LABEL), timings.Timings(str(path), LABEL)
    theirs.add(problem(batch=9), {"a": 1.0})
    theirs.add(problem(), {"a": 5.0, "b": 6.0})
    ours.add(problem(), {"a": 2.0})
    assert timings.Timings(str(path), LABEL).seconds == ours.seconds
    assert ours.of(problem(batch=9)) == {"a": 1.0}
    assert ours.of(problem()) == {"a": 2.0, "b": 6.0}


@pytest.mark.skipif(os.name == "nt", reason="folders are protected otherwise there")
@pytest.mark.parametrize("obstacle", ["a file", "no permission", "a folder in its place"])
def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path, obstacle: str) -> None:
    folder = tmp_path / "cache"
    path = folder / "plans.json"
    if obstacle == "a file":
        folder.write_text("")
    elif obstacle == "no permission":
        folder.mkdir()
        folder.chmod(0o500)
    else:
        path.mkdir(parents=True)
    store = timings.Timings(str(path), LABEL)
    store.add(problem(), {"a": 1.0})
    assert store.of(problem()) == {"a": 1.0}
    assert not folder.is_dir() or [p.name for p in folder.iterdir() if p.name.endswith(".part")] == []


WRITER = """
import sys
from convgrad.kernels.timings import Timings
from tests.kernels.test_planner import problem
from tests.kernels.test_timings import LABEL
who = int(sys.argv[1])
store = Timings(sys.argv[2], LABEL)
for i in range(40):
    store.add(problem(batch=1 + 100 * who + i), {"a": 1.0 + i, "b": 2.0})
"""


def test_processes_that_write_at_once_leave_a_sound_file(tmp_path: Path) -> None:
    root, path = Path(__file__).resolve().parents[2], tmp_path / "plans.json"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root), *sys.path])}
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(who), str(path)], env=env, cwd=root)
        for who in range(3)
    ]
    while any(process.poll() is None for process in running):
        if path.exists():
            assert json.loads(path.read_text())["made by"] == LABEL  # whole at every moment
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(timings.Timings(str(path), LABEL).seconds) >= 40
    assert [p.name for p in tmp_path.iterdir()] == ["plans.json"]


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CONVGRAD_CACHE", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: str(tmp_path))
    for platform, name, value, wanted in [
        ("linux", "XDG_CACHE_HOME", str(tmp_path / "x"), tmp_path / "x" / "convgrad"),
        ("linux", "XDG_CACHE_HOME", "relative", tmp_path / ".cache" / "convgrad"),
        ("linux", "XDG_CACHE_HOME", "", tmp_path / ".cache" / "convgrad"),
        ("darwin", "XDG_CACHE_HOME", str(tmp_path / "x"), tmp_path / "Library" / "Caches" / "convgrad"),
        ("win32", "LOCALAPPDATA", str(tmp_path / "local"), tmp_path / "local" / "convgrad"),
    ]:
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setenv(name, value)
        assert timings.cache_folder() == str(wanted)
    monkeypatch.setenv("CONVGRAD_CACHE", str(tmp_path / "mine"))
    assert timings.cache_folder() == str(tmp_path / "mine")
    monkeypatch.setenv("CONVGRAD_CACHE", "")
    assert timings.cache_folder() is None
    assert timings._store(MACHINE).path is None
    monkeypatch.delenv("CONVGRAD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # nobody knows of a home
    assert timings.cache_folder() is None


def test_the_clock_runs_the_plan_on_sound_operands() -> None:
    fake = Fake("a")
    assert 0 < timings.clock(planner.Plan(fake, problem(), MACHINE)) < 1
    assert 2 <= fake.runs <= 1 + timings._RUNS


@needs_native
@pytest.mark.usefixtures("folder")
def test_the_switch_lets_the_clock_choose_and_determinism_overrules_it(
    clocked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = (Fake("cheap9", 1.0), Fake("quick1", 2.0), Fake("vague0", 3.0, exact=False))
    monkeypatch.setattr(planner, "ALGORITHMS", table)
    wish = planner.ANYTHING

    def chosen(wish: planner.Wish = wish) -> str:
        return native.best_plan(problem(), MACHINE, wish).name

    assert chosen() == "cheap9" and clocked == []
    try:
        backends.convolution.benchmark = True
        assert chosen() == "vague0"
        assert chosen(planner.Wish(strict=True)) == "quick1"
        assert chosen(planner.Wish(forced="cheap9")) == "cheap9"
        assert clocked == ["cheap9", "quick1", "vague0"]
        native.switches.turn("deterministic", True)
        assert chosen() == "cheap9"
    finally:
        backends.convolution.benchmark = False
        native.switches.turn("deterministic", False)
    assert candidates(problem(), MACHINE)[0].name == "cheap9"
