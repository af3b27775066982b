"""The picture of benchmarks/conv.py: the ratio of every row as bars on a logarithmic axis, by group."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from convgrad.tools.charts import series_colour
from convgrad.tools.svg import Canvas, Picture, clip_text, text_width

WIDTH = 620.0
LABELS = 290.0
ROW, BAR, HEAD, GAP = 15.0, 5.0, 22.0, 10.0
SMALL, NORMAL = 10.5, 12.0


class Bar(NamedTuple):
    """One row of the chart: a ratio for each series; NaN draws nothing."""

    group: str
    label: str
    ratios: tuple[float, ...]


class LogAxis:
    """Where a ratio stands between two powers of ten."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def at(self, ratio: float) -> float:
        """Pixels from the left; ratios outside stand at the edge."""
        inside = min(max(ratio, self.low), self.high)
        return WIDTH * math.log(inside / self.low) / math.log(self.high / self.low)

    def ticks(self) -> list[float]:
        """1, 2 and 5 times powers of ten."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        ticks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
        return [tick for tick in ticks if self.low <= tick * 1.0001 and tick <= self.high * 1.0001]


def axis_for(bars: Sequence[Bar], targets: Sequence[float] = ()) -> LogAxis:
    """From a little below the least ratio (or 0.5) to a little above the largest (or 5), targets too."""
    ratios = [*targets, *(ratio for bar in bars for ratio in bar.ratios)]
    known = [ratio for ratio in ratios if not math.isnan(ratio) and ratio > 0]
    return LogAxis(min([0.5, *(ratio / 1.05 for ratio in known)]), max([5.0, *(r * 1.05 for r in known)]))


def ratio_chart(
    title: str,
    subtitle: str,
    series: Sequence[str],
    bars: Sequence[Bar],
    groups: Mapping[str, Sequence[tuple[float, float]]],
) -> Picture:
    """Bars that start at 1: to the right where we are faster, to the left where not.

    Args:
        title, subtitle: above the chart.
        series: what each ratio of a bar is.
        bars: rows; those of one group stand together.
        groups: per group and series (mean, target), written beside its name and drawn as dashed lines.
    Returns:
        A Picture, all rows on one page.
    """
    canvas = Canvas(title)
    axis = axis_for(bars, [target for pairs in groups.values() for _, target in pairs])
    _head(canvas, title, subtitle, series)
    below = _height(bars)
    for tick in axis.ticks():
        x = axis.at(tick)
        canvas.line((x, 0), (x, below), "faint")
        for edge in (-6.0, below + 14):
            canvas.text(x, edge, f"{tick:g}", SMALL, "muted", anchor="middle")
    y = 0.0
    for group in dict.fromkeys(bar.group for bar in bars):
        pairs, top = groups.get(group, ()), y + HEAD
        _group_head(canvas, group, y, pairs)
        y = top
        for bar in bars:
            if bar.group == group:
                _bar(canvas, axis, bar, y)
                y += ROW
        for place, (_, target) in enumerate(pairs):
            if not math.isnan(target):
                x = axis.at(target)
                canvas.line((x, top), (x, y), series_colour(place), width=1.2, dash="4 3")
        y += GAP
    canvas.line((axis.at(1), 0), (axis.at(1), below), "ink", width=1.4)
    return canvas.picture()


def _height(bars: Sequence[Bar]) -> float:
    return len(bars) * ROW + len({bar.group for bar in bars}) * (HEAD + GAP)


def _head(canvas: Canvas, title: str, subtitle: str, series: Sequence[str]) -> None:
    canvas.text(-LABELS, -62, title, 15, bold=True)
    canvas.text(-LABELS, -44, f"{subtitle}; dashed: the mean wanted of the group", NORMAL, "muted")
    x = 0.0
    for place, name in enumerate(series):
        canvas.rect(x, -34, 18, 9, series_colour(place), radius=1)
        canvas.text(x + 24, -26, name, NORMAL)
        x += 24 + text_width(name, NORMAL) + 20


def _group_head(canvas: Canvas, group: str, y: float, pairs: Sequence[tuple[float, float]]) -> None:
    canvas.text(-LABELS, y + 15, group, NORMAL, bold=True)
    means = " / ".join("-" if math.isnan(mean) else f"{mean:.2f}" for mean, _ in pairs)
    canvas.text(-12, y + 15, f"mean {means}", SMALL, "muted", anchor="end")
    canvas.line((-LABELS, y + HEAD - 2), (WIDTH, y + HEAD - 2), "rule")


def _bar(canvas: Canvas, axis: LogAxis, bar: Bar, y: float) -> None:
    canvas.text(-8, y + 10.5, clip_text(bar.label, SMALL, LABELS - 10), SMALL, anchor="end")
    one = axis.at(1)
    for place, ratio in enumerate(bar.ratios):
        if math.isnan(ratio):
            continue
        x = axis.at(ratio)
        top = y + 2 + place * (BAR + 1)
        tip = f"{bar.label}: {ratio:.2f}"
        canvas.rect(min(one, x), top, max(abs(x - one), 0.6), BAR, series_colour(place), tip=tip)
    numbers = " / ".join("-" if math.isnan(ratio) else f"{ratio:.2f}" for ratio in bar.ratios)
    slow = any(ratio < 1 for ratio in bar.ratios)
    canvas.text(WIDTH + 10, y + 10.5, numbers, SMALL, "bad" if slow else "muted")
