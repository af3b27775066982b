"""A file is the old one or the new one, whatever happens while it is written; nothing is left beside it."""

from __future__ import annotations

import errno
import io
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import convgrad as torch
from convgrad.serialization import atomic

from .killed import content
from .objects import same

posix = pytest.mark.skipif(os.name != "posix", reason="kills, links and permission bits are POSIX's")


# ---- killed at any moment


class Saver:
    """The program ``killed.py``, asked line by line."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("killed.py"))]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line: str = "") -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        if line:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def __enter__(self) -> Saver:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.communicate()


def left_over(path: Path) -> list[str]:
    """Names beside the file; they are removed."""
    rest = sorted(set(os.listdir(path.parent)) - {path.name})
    for name in rest:
        os.unlink(path.parent / name)
    return rest


def kill_and_load(path: Path, kills: int, size: int, seed: int) -> Counter[str]:
    """Kill a saving process again and again; what the file then holds."""
    rng = random.Random(seed)
    found: Counter[str] = Counter()
    torch.save(content(1, size), path)
    with Saver() as saver:
        for _ in range(kills):
            child = saver.ask(f"loop {path} {size}")
            time.sleep(rng.random() * 0.05)
            os.kill(child, signal.SIGKILL)
            assert saver.ask() == -signal.SIGKILL
            state = torch.load(path)
            assert same(state, content(state["number"], size))
            found[f"content {state['number']}"] += 1
            found["left beside it"] += len(left_over(path))
    return found


@posix
def test_a_killed_save_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    found = kill_and_load(tmp_path / "x.pt", 20, 300_000, seed=0)
    assert found["content 1"] + found["content 2"] == 20
    assert found["content 2"] > 0


@pytest.mark.slow
@posix
def test_a_thousand_kills(tmp_path: Path) -> None:
    found = kill_and_load(tmp_path / "x.pt", 1000, 300_000, seed=1)
    print(dict(found))
    assert found["content 1"] + found["content 2"] == 1000


@posix
@pytest.mark.parametrize("unnamed", [True, False])
def test_the_process_ends_at_every_call_of_the_system(tmp_path: Path, unnamed: bool) -> None:
    """A child ends at the first, second, ... call that touches the disk: none of them loses the file."""
    path, size = tmp_path / "x.pt", 50_000
    outcomes, codes, left = [], [], 0
    with Saver() as saver:
        while 0 not in codes:
            torch.save(content(1, size), path)
            codes.append(saver.ask(f"call {path} {size} {len(codes)} {unnamed}"))
            state = torch.load(path)
            assert same(state, content(state["number"], size))
            outcomes.append(state["number"])
            left += bool(left_over(path))
    if unnamed and atomic._O_TMPFILE:
        assert left <= 2  # ends before the two calls that give the file its name
    assert outcomes[0] == 1 and outcomes[-1] == 2 and outcomes == sorted(outcomes)
    assert set(codes) == {0, 9} and len(codes) > 5


# ---- errors


@pytest.mark.parametrize("unnamed", [True, False])
@pytest.mark.parametrize("name", ["write", "fsync", "replace"])
def test_an_error_leaves_the_old_file(tmp_path: Path, monkeypatch: Any, name: str, unnamed: bool) -> None:
    if not unnamed:
        monkeypatch.setattr(atomic, "_O_TMPFILE", 0)
    path = tmp_path / "x.pt"
    torch.save(1, path)

    def full(*args: Any, **options: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, name, full)
    with pytest.raises(OSError, match="No space left on device"):
        torch.save(torch.ones(100_000), path)
    monkeypatch.undo()
    assert torch.load(path) == 1
    assert os.listdir(tmp_path) == ["x.pt"]


def test_a_system_that_gives_no_names_gets_a_copy(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "x.pt"
    torch.save(1, path)
    path.chmod(0o600)

    def refused(*args: Any, **options: Any) -> Any:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    torch.save(torch.arange(300_000), path)
    monkeypatch.undo()
    assert torch.load(path).sum().item() == 299_999 * 150_000
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["x.pt"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_device() -> None:
    with pytest.raises(OSError, match="No space left on device"):
        torch.save(torch.ones(10), "/dev/full")


@posix
def test_a_really_full_disk(tmp_path: Path) -> None:
    """A limit on file sizes stands for the disk: the write itself fails half way."""
    program = (
        "import resource, signal, sys, convgrad as torch\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: torch.save(torch.ones(1_000_000), sys.argv[1])\n"
        "except OSError as error: print(error.errno)\n"
    )
    path = tmp_path / "x.pt"
    torch.save(1, path)
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(done.stdout) == errno.EFBIG
    assert torch.load(path) == 1
    assert os.listdir(tmp_path) == ["x.pt"]


def test_ctrl_c_leaves_the_old_file(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "x.pt"
    torch.save(1, path)

    def interrupted(*args: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        torch.save(torch.ones(10), path)
    monkeypatch.undo()
    assert torch.load(path) == 1 and os.listdir(tmp_path) == ["x.pt"]


def test_a_file_object_that_fails(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        torch.save(1, Full())


def test_tensors_that_change_while_they_are_saved() -> None:
    """A training that goes on in another thread: the file has old or new values, and its checksums hold."""
    x = torch.zeros(500_000)

    class Trains(io.BytesIO):
        def write(self, data: Any) -> int:
            written = super().write(data)
            x.add_(1)
            return written

    f = Trains()
    torch.save(x, f)
    f.seek(0)
    found = torch.load(f)
    assert found.min().item() == 0 and found.max().item() > 0


# ---- what a file has beside its content


@posix
def test_permission_bits(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    old = os.umask(0o027)
    try:
        torch.save(1, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        torch.save(2, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(old)


@posix
def test_symbolic_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link, broken = tmp_path / "there" / "x.pt", tmp_path / "link.pt", tmp_path / "broken.pt"
    link.symlink_to(target)
    torch.save(1, link)  # to a file that is not there yet
    torch.save(2, link)
    assert link.is_symlink() and torch.load(target) == 2
    broken.symlink_to(tmp_path / "nowhere" / "x.pt")
    with pytest.raises(RuntimeError, match=r"Parent directory .* does not exist"):
        torch.save(1, broken)


@posix
def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        torch.save({"a": 1}, pipe)
        out, _ = reader.communicate(timeout=30)
    assert torch.load(io.BytesIO(out)) == {"a": 1}


def test_a_relative_path_and_a_long_name(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(1, "x.pt")
    assert torch.load("x.pt") == 1
    for name in ("n" * 250 + ".pt", "网" * 80 + ".pt"):  # 252 and 243 bytes of 255
        torch.save(2, name)
        assert torch.load(name) == 2


def test_old_readers_keep_their_file(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    torch.save(1, path)
    with open(path, "rb") as f:
        torch.save(2, path)
        assert torch.load(f) == 1
    assert torch.load(path) == 2
