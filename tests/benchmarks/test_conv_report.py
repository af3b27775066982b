"""Means, targets and texts of the convolution report, on figures made up for the purpose."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from conv_plot import Bar, axis_for, ratio_chart
from conv_report import (
    BESIDE_OTHERS,
    FORMS,
    FORWARD,
    IDLE,
    TRAINING,
    ConvReport,
    Result,
    below,
    error_checks,
    geometric_mean,
    group_means,
    overall_mean,
    speed_checks,
    summary,
)
from conv_rows import row_of
from harness import Row

DIRECT = [("direct", True)] * 3


def result(group: str, net: str, forward: float, training: float, **more: Any) -> Result:
    """A row on which PyTorch takes so many times what we take (10 ms)."""
    row = row_of({"group": group, "net": net, "x": [1, 4, 32], "w": [8, 4, 3]})
    timings = {
        form: Row(f"{row.name} | {form}", "s", [0.01], [0.01 * ratio])
        for form, ratio in zip(FORMS, (forward, training), strict=True)
    }
    parts = {"others": {}, "errors": {}, "plans": DIRECT, "notes": [], "load": 0.0, **more}
    return Result(row, timings, **parts)


FOUR = [
    result("3x3", "a", 2.0, 4.0),
    result("3x3", "b", 8.0, 1.0),
    result("depthwise", "c", 1.0, 0.9),
    result("tiny", "d", 2.0, 2.0),
]


def report(results: list[Result], faults: list[str] | None = None, **more: Any) -> ConvReport:
    settings: dict[str, Any] = {
        "checks": speed_checks(results, IDLE),
        "columns": [],
        "peak": 1e9,
        "threads": 2,
    }
    load = {"before": 0.0, "during": 0.0}
    return ConvReport(
        "conv", ("convgrad", "torch"), {}, results, load=load, faults=faults or [], **(settings | more)
    )


def test_a_group_counts_once_however_many_rows_it_has() -> None:
    means = group_means(FOUR, FORWARD)
    assert means == pytest.approx({"3x3": 4.0, "depthwise": 1.0, "tiny": 2.0})
    assert overall_mean(means) == pytest.approx(2.0)


def test_means_leave_out_what_is_not_known() -> None:
    assert geometric_mean([2.0, math.nan, 8.0]) == pytest.approx(4.0)
    assert math.isnan(geometric_mean([]))


def test_the_summary_sets_each_mean_beside_its_target() -> None:
    lines = {group: (count, pairs) for group, count, pairs in summary(FOUR, IDLE)}
    assert lines["3x3"] == (2, [(pytest.approx(4.0), 2.0), (pytest.approx(2.0), 1.9)])
    assert lines["geometric mean of the group means"][0] == 4
    assert lines["geometric mean of the group means"][1][0] == (pytest.approx(2.0), 1.8)


def test_a_check_for_every_target_and_for_the_slowest_row() -> None:
    checks = {check.text: check.holds for check in speed_checks(FOUR, IDLE)}
    assert checks["3x3, forward: 4.00, wanted 2"]
    assert not checks["depthwise, forward: 1.00, wanted 1.6"]
    assert not checks["no row below 0.95; 1 are, the slowest depthwise / c, forward + backward (0.90)"]
    assert len(checks) == 2 * 4 + 1
    assert speed_checks(FOUR[:2], IDLE)[-1].holds


def test_rows_below_a_limit_come_slowest_first() -> None:
    more = [*FOUR, result("tiny", "e", 0.5, 1.0)]
    assert below(more, 1.0) == [
        "tiny / e, forward (0.50)",
        "depthwise / c, forward + backward (0.90)",
    ]


def test_the_busy_run_has_a_target_of_its_own() -> None:
    rows = [result("3x3", "a", 10.0, 4.0), result("tiny", "b", 2.6, 0.5)]
    first, second = speed_checks(rows, BESIDE_OTHERS)
    assert first.holds and first.text == "geometric mean of the group means, forward: 5.10, wanted 5"
    assert not second.holds
    assert "| 3x3 | 1 | 10.00 | - |  | 4.00 | - |  |" in report(rows, targets=BESIDE_OTHERS).markdown()


def test_errors_are_judged_primitive_by_primitive() -> None:
    fine = {"convgrad": [1e-7, 9e-6, 2e-7], "torch": [1e-7, 9e-6, 2e-7]}
    rough = {"convgrad": [1e-7, 2e-5, 2e-6], "torch": [1e-7, 3e-5, 1e-7]}
    both = [result("3x3", "a", 1, 1, errors=fine), result("3x3", "b", 1, 1, errors=rough)]
    forward, input_grad, weight_grad, direct = error_checks(both, "convgrad", "torch")
    assert forward.holds and not input_grad.holds and weight_grad.holds
    assert "2.0e-05 (3x3 / b)" in input_grad.text
    assert not direct.holds and "3x3 / b, weight grad (2.0e-06, theirs 1.0e-07)" in direct.text
    winograd = result("3x3", "b", 1, 1, errors=rough, plans=[("winograd", False)] * 3)
    assert error_checks([winograd], "convgrad", "torch")[-1].holds
    assert error_checks(FOUR, "convgrad", "torch") == []


def test_the_report_shows_times_ratios_and_targets() -> None:
    text = report(FOUR).text()
    assert "MISS depthwise, forward: 1.00, wanted 1.6" in text
    assert "below 1.0: depthwise / c, forward + backward (0.90)" in text
    lines = report(FOUR).markdown().splitlines()
    assert "| 3x3 | 2 | 4.00 | 2 | holds | 2.00 | 1.9 | holds |" in lines
    assert "| 3x3 / a | 1x4x32 w 8x4x3 | 10 ms | 20 ms | 2.00 | 10 ms | 40 ms | 4.00 |" in lines
    assert "- depthwise / c, forward + backward (0.90)" in lines


def test_the_speed_beside_the_peak_counts_backward_as_two_forwards() -> None:
    one = result("3x3", "a", 1.0, 1.0)
    flops = 2 * 8 * 4 * 3 * 30
    assert one.flops_per_second(FORWARD) == pytest.approx(flops / 0.01)
    assert one.flops_per_second(TRAINING) == pytest.approx(3 * flops / 0.01)
    cells = report([one], peak=10 * flops / 0.01).depth_table()[1]
    assert cells[3] == "10%" and cells[5] == "30%"


def test_further_columns_stand_beside_our_time() -> None:
    others = {FORWARD: {"JAX": 0.03}, TRAINING: {}}
    table = report([result("3x3", "a", 1.0, 1.0, others=others)], columns=["JAX"]).others_table()
    assert table[1] == ["3x3 / a", "30 ms (3.00)", "-"]
    assert table[2] == ["geometric mean of these ratios", "3.00", "-"]


def test_a_failed_row_says_why_and_takes_part_in_no_mean() -> None:
    good, bad = result("3x3", "a", 2.0, 2.0), result("3x3", "b", 1.0, 1.0)
    bad.timings[FORWARD] = Row("3x3 / b | forward", "s", [], [], "torch: out of memory")
    bad.timings.pop(TRAINING)
    made = report([good, bad])
    assert group_means([good, bad], FORWARD)["3x3"] == pytest.approx(2.0)
    assert "torch: out of memory" in made.markdown()
    assert "FAILED 3x3 / b | forward: torch: out of memory" in made.text()
    assert any(row.error for row in made.rows)


def test_files_of_an_invalid_run_say_so(tmp_path: Path) -> None:
    path = report(FOUR, ["busy machine"]).write(tmp_path)
    assert path.name == "conv-not-valid.md"
    assert "**NOT VALID: busy machine**" in path.read_text()
    assert "](conv-not-valid.svg)" in path.read_text()
    assert "NOT VALID" in (tmp_path / "conv-not-valid.svg").read_text()


def test_the_picture_is_well_formed_and_holds_every_row(tmp_path: Path) -> None:
    path = report(FOUR).write(tmp_path).with_suffix(".svg")
    texts = [element.text for element in ET.fromstring(path.read_text()).iter() if element.text]
    assert {"a", "b", "c", "d", "3x3", "depthwise", "tiny", "2.00 / 4.00"} <= set(texts)


def test_the_axis_is_logarithmic_and_holds_all_ratios() -> None:
    axis = axis_for([Bar("g", "a", (0.25, 40.0)), Bar("g", "b", (math.nan, 1.0))])
    assert axis.at(4.0) - axis.at(2.0) == pytest.approx(axis.at(2.0) - axis.at(1.0))
    assert axis.low < 0.25 and axis.high > 40.0
    assert axis.ticks() == pytest.approx([0.5, 1, 2, 5, 10, 20])
    assert axis_for([], [20.0, math.nan]).high > 20.0, "targets have their place, too"


def test_a_picture_without_figures_is_drawn_too() -> None:
    assert "<svg" in ratio_chart("t", "s", FORMS, [Bar("g", "a", (math.nan, math.nan))], {}).svg
