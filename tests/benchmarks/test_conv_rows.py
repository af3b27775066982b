"""Rows of shapes.toml and the shapes the planner is tried on: valid, distinct, of the sizes they claim."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conv
import conv_own
from conv_report import IDLE
from conv_rows import ConvRow, operands, read_rows, row_of
from convgrad.kernels.geometry import plan_conv, plan_conv_transpose
from planner_shapes import FAMILIES, MOST_FLOPS, shapes, signature

ROWS = read_rows()
SHAPES = shapes()


def entry(**changes: Any) -> dict[str, Any]:
    return {"group": "g", "net": "n", "x": [2, 6, 9, 8], "w": [4, 6, 3, 3], **changes}


@pytest.mark.parametrize("row", [*ROWS, *SHAPES], ids=lambda row: row.name)
def test_a_row_is_valid_forward_and_backward(row: ConvRow) -> None:
    """The library's own checks take it, find the same output, and a problem for each of its three results."""
    bias = (row.out_channels,) if row.bias else None
    if row.transposed:
        plan = plan_conv_transpose(
            row.ndim, row.x, row.w, bias, row.stride, row.padding, row.output_padding, row.groups,
            row.dilation,
        )  # fmt: skip
    else:
        plan = plan_conv(row.ndim, row.x, row.w, bias, row.stride, row.padding, row.dilation, row.groups)
    assert row.output == (row.x[0], row.out_channels, *plan.output_size)
    y, gx, gw = conv_own.problems(row)
    assert {y.primitive, gx.primitive, gw.primitive} == {"forward", "input_grad", "weight_grad"}
    assert y.flops == gx.flops == gw.flops == row.flops
    assert (y.x_elements, y.y_elements) == (
        (prod(row.output), prod(row.x)) if row.transposed else (prod(row.x), prod(row.output))
    )


def test_there_are_rows_enough_and_each_group_has_a_target() -> None:
    assert len(ROWS) >= 60
    assert {row.group for row in ROWS} == set(IDLE.groups)
    assert {row.ndim for row in ROWS} == {1, 2, 3}


def test_the_rows_of_the_busy_run_exist() -> None:
    assert set(conv.BUSY_ROWS) <= {row.name for row in ROWS}
    assert len({name.split(" / ")[0] for name in conv.BUSY_ROWS}) >= 7


@pytest.mark.parametrize(
    ("changes", "output", "flops"),
    [
        ({}, (2, 4, 7, 6), 2 * 2 * 4 * 6 * 9 * 42),
        ({"stride": 2, "padding": [1, 0]}, (2, 4, 5, 3), 2 * 2 * 4 * 6 * 9 * 15),
        ({"dilation": 3, "padding": 2}, (2, 4, 7, 6), 2 * 2 * 4 * 6 * 9 * 42),
        ({"w": [9, 2, 3, 3], "groups": 3}, (2, 9, 7, 6), 2 * 2 * 9 * 2 * 9 * 42),
        (
            {"w": [6, 4, 3, 3], "transposed": True, "stride": 2, "padding": 1, "output_padding": 1},
            (2, 4, 18, 16),
            2 * 2 * 6 * 4 * 9 * 72,
        ),
        ({"x": [1, 1, 10], "w": [3, 1, 4]}, (1, 3, 7), 2 * 3 * 4 * 7),
    ],
    ids=str,
)
def test_output_and_operations_follow_from_the_sizes(
    changes: dict[str, Any], output: tuple[int, ...], flops: int
) -> None:
    row = row_of(entry(**changes))
    assert row.output == output
    assert row.flops == flops


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": [2, 5, 9, 8]}, "needs 6 channels, x has 5"),
        ({"w": [4, 6, 10, 3]}, "the output would be"),
        ({"w": [4, 6, 3]}, "1 to 3 spatial dimensions"),
        ({"stride": [1, 2, 3]}, "must have 2 numbers"),
        ({"stride": 0}, "must be positive"),
        ({"w": [4, 2, 3, 3], "groups": 3}, "cannot be cut into 3 groups"),
        ({"strides": 2}, "does not know ['strides']"),
    ],
    ids=str,
)
def test_a_row_that_is_no_convolution_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        row_of(entry(**changes))
    assert words in str(caught.value)


def test_two_rows_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "shapes.toml"
    path.write_text('[[row]]\ngroup = "g"\nnet = "n"\nx = [1, 1, 5]\nw = [1, 1, 3]\n' * 2)
    with pytest.raises(ValueError, match="more than one row is called g / n"):
        read_rows(path)


def test_the_text_of_a_shape_names_what_is_not_usual() -> None:
    row = row_of(entry(stride=2, padding=[0, 1], w=[6, 1, 3, 3], groups=6, bias=True))
    assert row.shape == "2x6x9x8 w 6x1x3x3 s2 p0x1 g6 +b"


def test_every_library_gets_the_same_numbers() -> None:
    row = row_of(entry(bias=True))
    once, again, wide = operands(row), operands(row), operands(row, np.float64)
    for first, second, third in zip(once, again, wide, strict=True):
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first, third)
    assert once.x.dtype == np.float32 and wide.x.dtype == np.float64
    assert once.gy.shape == row.output
    other = operands(row._replace(net="another"))
    assert not np.array_equal(once.x, other.x)


def test_the_planners_shapes_are_many_and_are_not_the_measured_rows() -> None:
    assert len(SHAPES) >= 200
    assert shapes() == SHAPES, "the same on every call"
    assert not {signature(row) for row in SHAPES} & {signature(row) for row in ROWS}
    assert len({signature(row) for row in SHAPES}) == len(SHAPES) == len({row.name for row in SHAPES})
    assert {row.group for row in SHAPES} == {family.name for family in FAMILIES}
    assert max(row.flops for row in SHAPES) <= 2 * MOST_FLOPS
