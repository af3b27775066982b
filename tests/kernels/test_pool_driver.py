"""The thread pool and scratch memory without Python: pool_driver.cpp, built here and run, with sanitizers too."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parents[1] / "native"
SOURCES = [
    HERE / "pool_driver.cpp",
    *(NATIVE / f"{name}.cpp" for name in ("blocks", "call", "pages", "pool", "scratch", "waiting")),
]
CHECKS = re.findall(r"^ *CASE\((\w+)\),$", SOURCES[0].read_text(encoding="utf-8"), re.MULTILINE)
COMPILER = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")

# Under `make sanitize` a sanitizer's library is loaded into every process; the driver's builds have their own.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}

BUILDS = {
    "plain": ["-O2"],
    "without a futex": ["-O2", "-DCONVGRAD_PORTABLE_WAITING"],
    "thread sanitizer": ["-O1", "-fsanitize=thread"],
    "address and undefined behaviour sanitizers": ["-O1", "-fsanitize=address,undefined"],
}


def build(flags: list[str], out: Path) -> str:
    """Compile the driver; what the compiler complained of."""
    command = [str(COMPILER), "-std=c++17", "-g", "-Wall", "-Wextra", "-pthread", f"-I{NATIVE}", *flags]
    done = subprocess.run(
        [*command, *map(str, SOURCES), "-o", str(out)], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )  # fmt: skip
    return done.stderr if done.returncode else ""


@pytest.mark.skipif(COMPILER is None or os.name == "nt", reason="no C++ compiler that takes GCC's options")
@pytest.mark.parametrize(
    "name", ["plain", *(pytest.param(n, marks=pytest.mark.slow) for n in list(BUILDS)[1:])]
)
def test_pool(name: str, tmp_path: Path) -> None:
    complaint = build(BUILDS[name], tmp_path / "driver")
    if "sanitize" in complaint or "lib" in complaint.rpartition("cannot find")[2]:
        pytest.skip("this compiler has no such sanitizer")
    assert not complaint
    # GCC's thread sanitizer itself breaks in a forked child that starts threads.
    checks = [c for c in CHECKS if name != "thread sanitizer" or "fork" not in c]
    assert len(checks) >= 15
    done = subprocess.run(
        [tmp_path / "driver", *checks], env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [f"{check}: passed" for check in checks]
