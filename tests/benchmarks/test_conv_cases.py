"""What the workers of the convolution benchmark compute, on small shapes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conv_cases
import conv_jax
import conv_scipy
import convgrad
from conv_cases import FORMS, FORWARD, TRAINING, case_name
from conv_rows import ConvRow, operands, read_rows, row_of

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def small(**settings: Any) -> ConvRow:
    return row_of({"group": "g", "net": str(settings), **settings})


ROWS = [
    small(x=[2, 6, 9, 8], w=[4, 6, 3, 3], bias=True),
    small(x=[2, 6, 9, 8], w=[9, 2, 3, 2], groups=3, stride=[2, 1], padding=[1, 2], dilation=[1, 2]),
    small(x=[2, 4, 40], w=[8, 1, 5], groups=4, padding=2, stride=2, bias=True),
    small(x=[2, 4, 300], w=[6, 2, 150], groups=2, padding=3),
    small(x=[1, 3, 5, 6, 7], w=[4, 3, 2, 3, 2], bias=True),
    small(x=[2, 5, 6, 5], w=[5, 1, 3, 3], groups=5, padding=1, dilation=2),
    small(x=[2, 6, 5, 4], w=[6, 3, 4, 3], transposed=True, stride=2, padding=1, output_padding=1, bias=True),
    small(x=[2, 6, 9], w=[6, 2, 5], transposed=True, groups=3, stride=3, dilation=2),
]


def outputs(row: ConvRow) -> Any:
    """The library's result in double precision: output, gradient of x, gradient of w."""
    return conv_cases.primitives(convgrad, row, np.float64)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.shape)
def test_the_timed_functions_compute_output_and_gradients(row: ConvRow) -> None:
    y, gx, gw = outputs(row)
    forward = conv_cases.eager(convgrad, row, FORWARD, "")
    assert not convgrad.is_grad_enabled(), "nothing is recorded in a forward pass"
    out = forward()
    assert not out.requires_grad
    np.testing.assert_allclose(out.numpy(), y, rtol=1e-3, atol=1e-4)
    gradients = conv_cases.eager(convgrad, row, TRAINING, "")()
    assert convgrad.is_grad_enabled()
    assert len(gradients) == (3 if row.bias else 2)
    np.testing.assert_allclose(gradients[0].numpy(), gx, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(gradients[1].numpy(), gw, rtol=1e-3, atol=1e-4)
    if row.bias:
        sums = operands(row).gy.sum((0, *range(2, 2 + row.ndim)))
        np.testing.assert_allclose(gradients[2].numpy(), sums, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.shape)
def test_the_ways_of_scipy_are_right(row: ConvRow) -> None:
    scipy = pytest.importorskip("scipy")
    y, _, _ = outputs(row)
    found = conv_scipy.maker(scipy)(row, FORWARD, "")()
    assert found.dtype == np.float32 and found.shape == row.output
    np.testing.assert_allclose(found, y, rtol=1e-3, atol=1e-4)


def test_each_way_of_scipy_is_tried() -> None:
    ways = {conv_scipy.way_for(row).__name__ for row in ROWS}
    assert ways == {"columns", "taps", "fourier", "spread"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.shape)
def test_jax_computes_the_same(row: ConvRow) -> None:
    jax = pytest.importorskip("jax")
    y, gx, gw = outputs(row)
    found, gradients = conv_jax.maker(jax)(row, TRAINING, "")()
    np.testing.assert_allclose(np.asarray(found), y, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(np.asarray(gradients[0]), gx, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(np.asarray(gradients[1]), gw, rtol=1e-3, atol=1e-4)


def test_every_row_has_a_case_for_each_form() -> None:
    assert set(conv_cases.setup(convgrad)) == {case_name(row, form) for row in read_rows() for form in FORMS}


def test_errors_are_relative_to_the_largest_value(tmp_path: Path) -> None:
    exact = [np.array([1.0, -4.0]), np.array([2.0]), np.array([[8.0]])]
    found = [np.array([1.0, -4.4]), np.array([2.0]), np.array([[np.nan]])]
    for number in range(3):
        np.save(tmp_path / f"exact-{number}.npy", exact[number])
        np.save(tmp_path / f"ours-{number}.npy", found[number])
    first, second, third = conv_cases.errors_of(tmp_path / "ours", tmp_path / "exact", 3)
    assert first == pytest.approx(0.1) and second == 0 and third == np.inf
    np.save(tmp_path / "ours-1.npy", np.zeros(2))
    with pytest.raises(ValueError, match="input grad: shape"):
        conv_cases.errors_of(tmp_path / "ours", tmp_path / "exact", 3)


def test_a_worker_answers_what_the_benchmark_asks(tmp_path: Path) -> None:
    rows = {row.name: row for row in read_rows()}
    name = next(name for name in rows if name.startswith("tiny"))
    answers = conv_cases.requests(convgrad)
    threads = convgrad.get_num_threads()
    assert answers["threads"]({"threads": threads}) == {}
    saved = answers["results"]({"row": name, "stem": str(tmp_path / "ours"), "double": False})
    assert saved == {"saved": 3}
    assert np.load(tmp_path / "ours-0.npy").shape == rows[name].output
    assert len(answers["plans"]({"row": name})["plans"]) == 3
    assert answers["peak"]({"threads": 1, "seconds": 0.01})["flops"] >= 0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=dict(os.environ))


@pytest.mark.parametrize(
    "script", ["conv.py", "planner.py", "overhead.py", "startup.py", "train.py", "eager.py", "loader.py"]
)
def test_a_benchmark_explains_its_options(script: str) -> None:
    done = run(str(FOLDER / script), "--help")
    assert done.returncode == 0, done.stderr
    assert "--allow-load" in done.stdout


def test_our_side_alone_from_end_to_end(tmp_path: Path) -> None:
    done = run(
        str(FOLDER / "conv.py"), "--theirs", "", "--no-scipy", "--no-jax", "--allow-load", "--settle", "0.2",
        "--only", "one digit", "--rounds", "1", "--seconds", "0.001", "--out", str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("conv*.json")
    report = json.loads(path.read_text())
    (result,) = report["results"]
    assert result["seconds"][FORWARD]["ours"] > 0 and result["seconds"][TRAINING]["theirs"] is None
    assert "one 3x3 kernel on one digit" in path.with_suffix(".md").read_text()
    assert path.with_suffix(".svg").read_text().startswith("<svg")
