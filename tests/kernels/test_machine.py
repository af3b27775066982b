"""What computes here can be asked, and chosen by environment variables before the kernels are loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from convgrad import backends
from convgrad.errors import ConvgradError
from convgrad.kernels import machine

compiled = pytest.mark.skipif(machine._native is None, reason="no compiled kernels here")
PROBE = "from convgrad import backends; info = backends.info(); print(info['kernels'], info.get('instruction_set'))"
CONVOLVE = """
import convgrad as torch
x, w = torch.arange(20.0).reshape(1, 1, 20), torch.ones(1, 1, 3)
print(torch.nn.functional.conv1d(x, w).sum().item())
"""


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter with no choice of kernels but the given one, on the convgrad of this one."""
    package = Path(machine.__file__).parents[2]
    rest = {name: value for name, value in os.environ.items() if not name.startswith("CONVGRAD_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**rest, "PYTHONPATH": str(package), **variables},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def printed(code: str, **variables: str) -> list[str]:
    done = run(code, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_best_is_taken_by_itself() -> None:
    if machine._native is None:
        assert printed(PROBE) == ["reference", "None"]
    else:
        assert printed(PROBE) == ["native", machine._native.instruction_sets()[-1]]


@compiled
def test_an_instruction_set_can_be_chosen() -> None:
    for name in machine._native.instruction_sets():
        assert printed(PROBE, CONVGRAD_ISA=name) == ["native", name]
        assert printed(CONVOLVE, CONVGRAD_ISA=name) == ["513.0"]


@compiled
def test_an_instruction_set_that_is_not_here_is_named_with_those_that_are() -> None:
    done = run(CONVOLVE, CONVGRAD_ISA="altivec")
    assert done.returncode != 0
    available = ", ".join(machine._native.instruction_sets())
    assert "ConvgradError: CONVGRAD_ISA='altivec': no compiled kernels for it run on this" in done.stderr
    assert f"available: {available}; unset CONVGRAD_ISA" in done.stderr


def test_numpy_kernels_can_be_chosen() -> None:
    assert printed(PROBE, CONVGRAD_KERNELS="reference")[0] == "reference"
    assert printed(CONVOLVE, CONVGRAD_KERNELS="reference", CONVGRAD_ISA="altivec") == ["513.0"]


def test_kernels_that_are_not_here_are_named_with_those_that_are() -> None:
    done = run(PROBE, CONVGRAD_KERNELS="cuda")
    assert done.returncode != 0
    assert "ConvgradError: CONVGRAD_KERNELS='cuda': no such kernels in this installation; " in done.stderr
    assert "available: reference" in done.stderr


def test_info_says_what_was_built() -> None:
    info = backends.info()
    if machine._native is None:
        assert info["compiled"] == f"no: {machine.why_not_native()}"
        assert "instruction_set" not in info
    else:
        assert info["compiled"].startswith("yes, by ")
        assert info["compiled"].count("baseline") == 1
        assert info["instruction_set"] in machine._native.instruction_sets()
        assert int(info["threads"]) >= 1
        assert machine.why_not_native() == ""


# ---- why there are none


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of an installation without the extension."""
    monkeypatch.setattr(machine, "_native", None)
    monkeypatch.setattr(machine, "_HERE", str(tmp_path))
    monkeypatch.setattr(machine, "_SOURCES", str(tmp_path / "CMakeLists.txt"))
    monkeypatch.setattr(machine, "_refusal", "cannot import name '_native'", raising=False)
    monkeypatch.setattr(machine, "_refused", str(tmp_path / "__init__.py"), raising=False)
    return tmp_path


def test_a_pure_package_says_so(bare: Path) -> None:
    (bare / "_native.pyi").touch()
    assert machine.facts() == {"compiled": "no: this is the pure Python package"}


def test_a_failed_build_is_remembered(bare: Path) -> None:
    (bare / "build_failed.txt").touch()
    assert machine.why_not_native().startswith("their build failed when convgrad was installed; ")
    with pytest.raises(
        ConvgradError, match=r"CONVGRAD_KERNELS='native': .*\(their build failed.*: reference;"
    ):
        machine.first_kernels(("reference",), {"CONVGRAD_KERNELS": "native"})


def test_sources_name_the_command(bare: Path) -> None:
    (bare / "CMakeLists.txt").touch()
    assert machine.why_not_native().endswith("make native")


def test_an_extension_for_another_python_is_named(bare: Path) -> None:
    (bare / "CMakeLists.txt").touch()
    (bare / "_native.cpython-27-vax.so").touch()
    assert machine.why_not_native() == "built for another Python: _native.cpython-27-vax.so"


def test_an_extension_that_does_not_load_is_quoted(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_refused", "/x/_native.abi3.so")
    monkeypatch.setattr(machine, "_refusal", "GLIBC_2.99 not found")
    assert machine.why_not_native() == "/x/_native.abi3.so cannot be loaded: GLIBC_2.99 not found"
