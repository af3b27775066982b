"""Charts: round ticks, true extremes, and every odd input drawn or refused in words."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convgrad.errors import ShapeError
from convgrad.tools import bar_chart, image_grid, line_chart, spectrum, waveform
from convgrad.tools.charts import nice_ticks
from convgrad.tools.svg import Picture

SVG = "{http://www.w3.org/2000/svg}"


def words(picture: Picture) -> list[str]:
    assert not re.search(r'="[^"]*\b(nan|inf)', picture.svg)
    return [e.text or "" for e in ET.fromstring(picture.svg).iter(SVG + "text")]


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_round_and_inside(low: float, span: float) -> None:
    ticks = nice_ticks(low, low + span)
    assert 1 <= len(ticks) <= 8
    slack = 1e-6 * max(abs(low), span)
    assert all(low - slack <= t <= low + span + slack for t in ticks)
    if len(ticks) > 2 and span > 1e-9 * abs(low):
        step = (ticks[-1] - ticks[0]) / (len(ticks) - 1)
        mantissa = step / 10.0 ** np.floor(np.log10(step) + 1e-6)
        assert min(abs(mantissa - m) for m in (1, 2, 5)) < 1e-3


def test_line_chart_draws_its_points_where_they_belong() -> None:
    picture = line_chart({"one": ([0, 1, 2], [0.0, 1.0, 0.5])}, "step", "loss")
    root = ET.fromstring(picture.svg)
    (line,) = root.iter(SVG + "polyline")
    points = [tuple(map(float, p.split(","))) for p in line.get("points", "").split()]
    assert points == [(0, 260), (360, 0), (720, 130)]
    assert {"step", "loss", "0.0", "1.0", "0", "2.00"} & set(words(picture)) >= {"step", "loss", "0.0", "1.0"}


def test_legend_names_every_curve_and_escapes() -> None:
    shown = words(line_chart({"<b>&": ([0, 1], [0, 1]), "two": ([0, 1], [1, 0])}, "x", "y", title="T"))
    assert {"<b>&", "two", "T"} <= set(shown)


def test_a_gap_where_a_number_is_missing() -> None:
    picture = line_chart({"a": (range(5), [1.0, 2.0, np.nan, 3.0, np.inf])})
    assert picture.svg.count("<polyline") == 1
    assert picture.svg.count("<circle") == 3


@pytest.mark.parametrize(
    "ys", [[], [1.0], [2.0, 2.0, 2.0], [np.nan, np.nan, 1e300], [0.0, 1e-300], [1e9, 1e9 + 1e-6]]
)
def test_odd_series(ys: list[float]) -> None:
    words(line_chart({"a": (range(len(ys)), ys)}, "x", "y"))
    words(bar_chart({str(i): y for i, y in enumerate(ys)}, "y"))


def test_no_series_says_so() -> None:
    assert "no data" in words(line_chart({}))
    with pytest.raises(ShapeError, match="'a' has 2 xs and 3 ys"):
        line_chart({"a": ([0, 1], [0, 1, 2])})


def test_waveform_keeps_every_peak() -> None:
    """An envelope must not lose a single loud sample between its columns."""
    x = np.zeros(100_000)
    x[77_700] = 1.0  # inside a column, not at its edge
    root = ET.fromstring(waveform(x, 8000, "click").svg)
    (band,) = root.iter(SVG + "polygon")
    ys = [float(p.split(",")[1]) for p in band.get("points", "").split()]
    assert min(ys) <= 0.0 and max(ys) == pytest.approx(55.3, abs=0.1)


def test_waveform_axes() -> None:
    shown = words(waveform(np.ones((2, 50)), 10, "<two>"))
    assert {"left", "right", "time in seconds", "<two>", "5"} <= set(shown)
    assert "sample" in words(waveform([0.0, 1.0]))


@pytest.mark.parametrize("x", [[], np.zeros((2, 0)), np.zeros(10), [1.0], [np.nan] * 5, [np.inf, 1.0]])
def test_odd_waves(x: object) -> None:
    words(waveform(x, 8000))
    words(spectrum(x, 8000))


def test_waveform_refuses_three_dimensions() -> None:
    with pytest.raises(ShapeError, match="waveform: expected"):
        waveform(np.zeros((1, 2, 3)))


def test_spectrum_peaks_at_the_tone() -> None:
    rate, tone = 8000, 1000
    picture = spectrum(np.sin(2 * np.pi * tone * np.arange(rate) / rate), rate)
    (line,) = ET.fromstring(picture.svg).iter(SVG + "polyline")
    points = [tuple(map(float, p.split(","))) for p in line.get("points", "").split()]
    assert min(points, key=lambda p: p[1])[0] / 720 * rate / 2 == pytest.approx(tone, abs=5)


def test_bars_show_their_numbers() -> None:
    picture = bar_chart({"up": 0.97, "down": -0.2, "none": float("nan")}, "accuracy")
    assert {"0.97", "-0.2", "nan", "up", "down"} <= set(words(picture))
    heights = [float(r.get("height", "")) for r in ET.fromstring(picture.svg).iter(SVG + "rect")]
    assert heights[0] / heights[1] == pytest.approx(0.97 / 0.2, rel=1e-2)


@pytest.mark.parametrize("shape", [(4, 8, 8), (4, 1, 8, 8), (4, 3, 8, 8), (0, 8, 8), (1, 1, 20)])
@settings(deadline=None)
@given(signed=st.booleans())
def test_image_grid(shape: tuple[int, ...], signed: bool) -> None:
    images = np.random.default_rng(0).normal(size=shape)
    picture = image_grid(images if signed else np.abs(images), labels=[f"<{i}>" for i in range(shape[0])])
    assert picture.svg.count("<image") == shape[0]
    assert "http" not in picture.svg.replace("http://www.w3.org/2000/svg", "")
    if shape[0]:
        assert "<0>" in words(picture)


def test_image_grid_refuses_what_is_no_image() -> None:
    with pytest.raises(ShapeError, match="an image must be"):
        image_grid(np.zeros((2, 5, 8, 8)))
    with pytest.raises(ShapeError, match="2 images and 1 labels"):
        image_grid(np.zeros((2, 4, 4)), labels=["a"])
    words(image_grid(np.full((1, 4, 4), np.nan)))
