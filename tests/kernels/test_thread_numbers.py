"""How many threads: PyTorch's functions, the environment, affinity masks and quotas."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.kernels.processes import linux, run_python

import convgrad
from convgrad.errors import ConvgradError
from convgrad.kernels import machine, native, threads


@pytest.fixture(autouse=True)
def _number_of_threads_stays() -> Iterator[None]:
    before = threads.get_num_threads()
    yield
    threads.set_num_threads(before)


@pytest.mark.parametrize("function", [threads.set_num_threads, threads.set_num_interop_threads])
@pytest.mark.parametrize("bad", [0, -1, -(2**40)])
def test_numbers_of_threads_are_positive(function: Any, bad: int) -> None:
    with pytest.raises(ConvgradError, match=f"{function.__name__} expects a positive integer, but got -?"):
        function(bad)


@pytest.mark.parametrize("function", [threads.set_num_threads, threads.set_num_interop_threads])
@pytest.mark.parametrize("bad", ["2", 2.0, None, True, convgrad.tensor(2)], ids=repr)
def test_numbers_of_threads_are_integers(function: Any, bad: Any) -> None:
    message = f"{function.__name__} expects an int, but got {type(bad).__name__}"
    with pytest.raises(TypeError, match=message):
        function(bad)
    with pytest.raises(RuntimeError, match=message):
        function(bad)


def test_numbers_of_threads_have_32_bits() -> None:
    with pytest.raises(ConvgradError, match="positive integer of 32 bits"):
        threads.set_num_threads(2**31)


def test_threads_are_set_by_pytorchs_functions() -> None:
    for count in (7, np.int64(3), 1):
        convgrad.set_num_threads(count)
        assert convgrad.get_num_threads() == count
        assert type(convgrad.get_num_threads()) is int
        if native.available():
            assert machine._native.get_num_threads() == count
            assert native.machine().threads == 2  # plans, and with them the bits, do not follow it


def test_interop_threads_are_set_once() -> None:
    code = """
        import convgrad as torch
        assert torch.get_num_interop_threads() >= 1
        torch.set_num_interop_threads(5)
        print(torch.get_num_interop_threads())
        try:
            torch.set_num_interop_threads(6)
        except RuntimeError as error:
            print(error)
    """
    five, message = run_python(code).splitlines()
    assert five == "5"
    assert message.startswith(
        "Error: cannot set number of interop threads after parallel work has started or "
        "set_num_interop_threads called"
    )


def test_threads_without_the_compiled_kernels() -> None:
    code = """
        import sys
        sys.modules["convgrad.kernels._native"] = None
        import convgrad as torch
        assert torch.backends.info()["kernels"] == "reference"
        assert torch.get_num_threads() == 3
        torch.set_num_threads(5)
        print(torch.get_num_threads())
    """
    assert run_python(code, CONVGRAD_NUM_THREADS="3").strip() == "5"


PRINT_DEFAULT = """
    from convgrad.kernels import machine, native, threads
    print(native._native.get_num_threads() if native.available() else threads.get_num_threads())
"""


@pytest.mark.parametrize(
    ("ours", "openmp", "wanted"),
    [
        ("3", "5", 3),
        ("", "5", 5),
        ("", "5,2,1", 5),
        (" 6 ", "", 6),
        ("16", "1", 16),
        ("", "0", None),
        ("", "many", None),
        ("", "", None),
    ],
)
def test_environment_names_the_number_of_threads(ours: str, openmp: str, wanted: int | None) -> None:
    printed = run_python(PRINT_DEFAULT, CONVGRAD_NUM_THREADS=ours, OMP_NUM_THREADS=openmp)
    machine = max(1, min([threads.processors(), *threads.quotas()]))
    assert int(printed) == (machine if wanted is None else wanted)


def test_a_senseless_number_in_our_own_variable_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("CONVGRAD_NUM_THREADS", "-2")
    with pytest.warns(UserWarning, match="CONVGRAD_NUM_THREADS should be a positive integer, but is '-2'"):
        assert threads.default_threads() >= 1


@linux
def test_affinity_limits_the_number_of_threads() -> None:
    one = min(os.sched_getaffinity(0))
    code = f"import os\nos.sched_setaffinity(0, {{{one}}})\n" + textwrap.dedent(PRINT_DEFAULT)
    assert run_python(code, CONVGRAD_NUM_THREADS="", OMP_NUM_THREADS="").strip() == "1"


GROUPS: dict[str, tuple[str, dict[str, str], list[int]]] = {
    "nothing there": ("0::/\n", {}, []),
    "version 2": ("0::/a/b\n", {"a/b/cpu.max": "150000 100000"}, [2]),
    "version 2, above": ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, [3]),
    "version 2, the container's own": ("0::/host/path\n", {"cpu.max": "50000 100000"}, [1]),
    "version 2, beside 1": ("1:name=x:/\n0::/\n", {"unified/cpu.max": "250000 100000"}, [3]),
    "version 1": (
        "4:cpu,cpuacct:/d\n3:memory:/d\n",
        {"cpu,cpuacct/d/cpu.cfs_quota_us": "400000", "cpu,cpuacct/d/cpu.cfs_period_us": "100000"},
        [4],
    ),
    "version 1, no limit": (
        "1:cpu:/\n",
        {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
        [],
    ),
    "nonsense": ("what\n0::/\n", {"cpu.max": "lots"}, []),
}


@pytest.mark.parametrize("name", GROUPS)
def test_quotas_of_control_groups(name: str, tmp_path: Path) -> None:
    membership, files, wanted = GROUPS[name]
    for path, text in {"cgroup": membership, **{f"fs/{p}": t for p, t in files.items()}}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text + "\n")
    assert sorted(set(threads.quotas(tmp_path / "cgroup", tmp_path / "fs"))) == wanted


def test_no_control_groups_no_quotas(tmp_path: Path) -> None:
    assert list(threads.quotas(tmp_path / "missing", tmp_path)) == []
