"""The operations of benchmarks/eager.py run, forward and backward; its report groups them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from math import prod
from pathlib import Path
from typing import Any

import pytest

import convgrad
import loader
from eager import EagerReport, checks, place, ratios
from eager_cases import FORMS, FORWARD, OPERATIONS, SIZES, TRAINING, Operation, prepared, timed
from harness import Row

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
SMALL = SIZES[:2]


@pytest.fixture(autouse=True)
def modes() -> Any:
    """Cases set grad mode and keep their last tensors; none of that is left to other tests."""
    yield
    convgrad.set_grad_enabled(True)
    timed.cache_clear()
    prepared.cache_clear()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.group} {operation.name}")
def test_an_operation_runs_forward_and_backward(operation: Operation) -> None:
    for size in SMALL:
        out = timed(convgrad, operation, size, FORWARD)()
        if operation.group == "optimiser":
            continue
        assert not out.requires_grad
        if TRAINING not in operation.forms:
            continue
        _, inputs, leaves = prepared(convgrad, operation, size)
        gradients = timed(convgrad, operation, size, TRAINING)()
        for index, gradient in zip(leaves, gradients, strict=True):
            assert gradient.shape == inputs[index].shape and gradient.dtype == inputs[index].dtype
            assert convgrad.isfinite(gradient.float()).all()


@pytest.mark.parametrize("kind", ["SGD step", "Adam step", "AdamW step", "RMSprop step"])
def test_a_step_moves_every_parameter(kind: str) -> None:
    operation = next(operation for operation in OPERATIONS if operation.name == kind)
    optimizer = prepared(convgrad, operation, SIZES[1]).call.__self__
    before = [weight.detach().clone() for group in optimizer.param_groups for weight in group["params"]]
    assert sum(weight.numel() for weight in before) == SIZES[1].numbers
    timed(convgrad, operation, SIZES[1], FORWARD)()
    after = [weight for group in optimizer.param_groups for weight in group["params"]]
    assert all(not convgrad.equal(a, b) for a, b in zip(before, after, strict=True))


def test_sizes_are_what_they_claim() -> None:
    for size, least in zip(SIZES, (16, 4096, 2**18, 25 * 2**20), strict=True):
        assert prod(size.rows) == prod(size.images) == size.numbers == least
        assert size.numbers % size.table[1] == 0


def test_a_name_says_where_its_row_belongs() -> None:
    names = [
        operation.row(size, form) for operation in OPERATIONS for size in SIZES for form in operation.forms
    ]
    assert len(names) == len(set(names))
    for operation in OPERATIONS:
        for size in SIZES:
            row = Row(operation.row(size, TRAINING), "s", [1.0], [1.0])
            assert place(row) == (operation.group, size.label, TRAINING)


def rows(*found: float) -> list[Row]:
    softmax = next(operation for operation in OPERATIONS if operation.name == "softmax")
    names = [softmax.row(size, form) for size in SIZES for form in FORMS]
    return [Row(name, "s", [1.0], [ratio]) for name, ratio in zip(names, found, strict=False)]


def test_the_report_has_means_and_what_is_too_slow(tmp_path: Path) -> None:
    made = rows(2.0, 8.0, 0.5)
    assert ratios(made, form=FORWARD) == [2.0, 0.5] and ratios(made, "norm") == []
    mean, least = checks({row.name: row for row in made})
    assert mean.holds and mean.text == "geometric mean of all 3 rows: 2.00, wanted 1.5"
    assert not least.holds and "softmax / softmax, 16 kB | forward (0.50)" in least.text
    load = {"before": 0.0, "during": 0.0}
    text = EagerReport("eager", ("a", "b"), {}, made, {}, [], load, []).markdown()
    assert "| softmax | 2.00 | 0.50 | - | - | 8.00 | - | - | - | 2.00 |" in text
    assert "- softmax / softmax, 16 kB | forward (0.50)" in text


def test_our_side_alone_from_end_to_end(tmp_path: Path) -> None:
    command = [
        sys.executable, str(FOLDER / "eager.py"), "--theirs", "", "--allow-load", "--settle", "0.2",
        "--only", "argmax of rows, 16 numbers", "--rounds", "1", "--seconds", "0.001", "--out", str(tmp_path),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("eager*.json")
    found = [row["name"] for row in json.loads(path.read_text())["rows"]]
    assert found[1:] == ["reduction / argmax of rows, 16 numbers | forward"]


def test_loaders_give_the_same_images_as_memory() -> None:
    ready = list(loader.batches_in_memory(convgrad))
    for bytes_ in (False, True):
        found = list(loader.loader(convgrad, bytes_))
        assert [len(y) for _, y in found] == [len(y) for _, y in ready]
        total = sum(x.sum().item() for x, _ in found)
        assert total == pytest.approx(sum(x.sum().item() for x, _ in ready), rel=1e-3)
        assert sorted(label for _, y in found for label in y.tolist()) == sorted(
            label for _, y in ready for label in y.tolist()
        )
