"""Waves, curves, bars, spectra and grids of images, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convgrad.errors import ShapeError
from convgrad.tools.png import grey_pixels, png_uri, signed_pixels
from convgrad.tools.svg import SERIES, Canvas, Picture, Point, clip_text, text_width
from convgrad.tools.values import Array, as_array, as_real, show

_WIDTH = 720.0
_TITLE = 15.0
_LABEL = 11.5
_MAX_POINTS = 1500


def series_colour(number: int) -> str:
    """The palette name of the curve or channel with this number."""
    return f"s{number % SERIES}"


def nice_ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) that lie between two finite bounds.

    Example:
        >>> nice_ticks(0.0, 1.0)
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    span = high - low
    if not span > 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next((power * f for f in (1, 2, 5, 10) if span / (power * f) <= count), power * 10)
    if step == 0 or low + step == low:  # bounds closer than floats can tell apart
        return [low, high]
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, 12 - math.floor(math.log10(max(abs(low), abs(high), step))))
    return [round(i * step, digits) + 0.0 for i in range(first, last + 1)]


def _tick_texts(ticks: Sequence[float]) -> list[str]:
    """Ticks with equally many decimals: 0.90 beside 0.95."""
    texts = [show(tick, 6) for tick in ticks]
    if any("e" in text for text in texts):
        return texts
    decimals = max(len(text.partition(".")[2]) for text in texts)
    return [f"{tick:.{decimals}f}" for tick in ticks]


def _snapped(low: float, high: float) -> tuple[float, float]:
    """Bounds moved out to the next tick."""
    ticks = nice_ticks(low, high)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 0.0
    if step <= 0:
        return low, high
    below = ticks[0] - step if low < ticks[0] - 1e-6 * step else ticks[0]
    above = ticks[-1] + step if high > ticks[-1] + 1e-6 * step else ticks[-1]
    return below, above


def _range(values: Array, *, zero: bool = False) -> tuple[float, float]:
    """Bounds of the finite values with a little air; never of zero width."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        pad = abs(high) * 0.1 or 1.0
        return low - pad, high + pad
    return low, high


class _Axes:
    """A plotting area with ticks, labels and the map from data to pixels."""

    def __init__(
        self, canvas: Canvas, xs: tuple[float, float], ys: tuple[float, float], width: float, height: float
    ) -> None:
        self.canvas, self.xs, self.ys, self.width, self.height = canvas, xs, ys, width, height

    def at(self, x: float, y: float) -> Point:
        across = (x - self.xs[0]) / (self.xs[1] - self.xs[0])
        up = (y - self.ys[0]) / (self.ys[1] - self.ys[0])
        return across * self.width, self.height * (1 - up)

    def draw(self, xlabel: str, ylabel: str, *, x_ticks: bool = True) -> None:
        canvas = self.canvas
        widest = 0.0
        ticks = nice_ticks(*self.ys)
        for tick, text in zip(ticks, _tick_texts(ticks), strict=True):
            _, y = self.at(self.xs[0], tick)
            canvas.line((0, y), (self.width, y), "faint")
            canvas.text(-8, y + 4, text, _LABEL, "muted", anchor="end")
            widest = max(widest, text_width(text, _LABEL))
        ticks = nice_ticks(*self.xs, count=8) if x_ticks else []
        for tick, text in zip(ticks, _tick_texts(ticks) if ticks else [], strict=True):
            x, _ = self.at(tick, self.ys[0])
            canvas.line((x, self.height), (x, self.height + 4), "muted")
            canvas.text(x, self.height + 18, text, _LABEL, "muted", anchor="middle")
        canvas.line((0, self.height), (self.width, self.height), "muted")
        canvas.cover(0, 0, self.width, self.height)
        if xlabel:
            canvas.text(self.width / 2, self.height + 36, xlabel, 12, "muted", anchor="middle")
        if ylabel:
            canvas.text(-widest - 22, self.height / 2, ylabel, 12, "muted", anchor="middle", turn=-90)


def _title(canvas: Canvas, title: str, y: float) -> None:
    if title:
        canvas.text(0, y, title, _TITLE, bold=True)


def line_chart(
    series: Mapping[str, tuple[Any, Any]],
    xlabel: str = "",
    ylabel: str = "",
    *,
    title: str = "",
    height: float = 260.0,
) -> Picture:
    """Curves over one pair of axes, with a legend.

    Args:
        series: ``{name: (xs, ys)}``, each 1-d and of equal length; NaN or infinity breaks a curve.
        xlabel: what x is, with its unit.
        ylabel: what y is, with its unit.
        title: a heading.
        height: of the plotting area, in pixels.
    Returns:
        A Picture; without any data it holds empty axes and says so.
    Raises:
        ShapeError: xs and ys of different lengths.
    """
    curves = {name: (as_real(xs).ravel(), as_real(ys).ravel()) for name, (xs, ys) in series.items()}
    for name, (xs, ys) in curves.items():
        if len(xs) != len(ys):
            raise ShapeError(f"line_chart: {name!r} has {len(xs)} xs and {len(ys)} ys")
    nothing = np.zeros(0)
    x_range = _range(np.concatenate([xs for xs, _ in curves.values()] or [nothing]))
    y_range = _snapped(*_range(np.concatenate([ys for _, ys in curves.values()] or [nothing])))
    canvas = Canvas(title or f"{ylabel} over {xlabel}")
    axes = _Axes(canvas, x_range, y_range, _WIDTH, height)
    axes.draw(xlabel, ylabel)
    below_title = _legend(canvas, list(curves)) if len(curves) > 1 else -14.0
    _title(canvas, title, below_title - 10)
    for place, (xs, ys) in enumerate(curves.values()):
        _curve(axes, xs, ys, series_colour(place))
    if not any(len(xs) for xs, _ in curves.values()):
        canvas.text(_WIDTH / 2, height / 2, "no data", 13, "muted", anchor="middle")
    return canvas.picture()


def _curve(axes: _Axes, xs: Array, ys: Array, colour: str) -> None:
    step = max(1, len(xs) // _MAX_POINTS)
    piece: list[Point] = []
    keep = [*range(0, len(xs), step), *([len(xs) - 1] if len(xs) and (len(xs) - 1) % step else [])]
    for i in keep:
        if np.isfinite(xs[i]) and np.isfinite(ys[i]):
            piece.append(axes.at(float(xs[i]), float(ys[i])))
            continue
        _piece(axes, piece, colour)
        piece = []
    _piece(axes, piece, colour)


def _piece(axes: _Axes, piece: list[Point], colour: str) -> None:
    if len(piece) > 1:
        axes.canvas.polyline(piece, colour, width=2)
    if 0 < len(piece) <= 30:
        for x, y in piece:
            axes.canvas.circle(x, y, 2.8, colour)


def _legend(canvas: Canvas, names: Sequence[str]) -> float:
    """Names with their colours above the plot; returns the upper edge."""
    rows: list[list[tuple[float, str, int]]] = [[]]
    x = 0.0
    for place, name in enumerate(names):
        text = clip_text(name, 12, 300)
        width = 30 + text_width(text, 12) + 16
        if x and x + width > _WIDTH:
            rows.append([])
            x = 0.0
        rows[-1].append((x, text, place))
        x += width
    for line, row in enumerate(rows):
        y = -14 - 18 * (len(rows) - 1 - line)
        for x, text, place in row:
            canvas.line((x, y - 4), (x + 20, y - 4), series_colour(place), width=3)
            canvas.text(x + 26, y, text, 12, "ink")
    return -14.0 - 18 * (len(rows) - 1) - 16


def draw_envelope(
    canvas: Canvas, values: Array, x: float, y: float, width: float, height: float, bound: float, colour: str
) -> None:
    """A wave into a rectangle: a line where samples are few, else the band from minimum to maximum.

    Args:
        canvas: where to draw.
        values: ``(n,)``, float.
        x: left edge of the rectangle.
        y: top edge.
        width: in pixels.
        height: in pixels.
        bound: the magnitude drawn at the rectangle's edge.
        colour: palette name.
    """
    clean = np.nan_to_num(values, nan=0.0, posinf=bound, neginf=-bound)
    middle, half = y + height / 2, height / 2
    scale = half / bound if bound > 0 else 0.0
    canvas.cover(x, y, width, height)
    canvas.line((x, middle), (x + width, middle), "rule")
    n = len(clean)
    columns = int(width)
    if n <= 2 * columns:
        points = [(x + width * (i + 0.5) / n, middle - float(v) * scale) for i, v in enumerate(clean)]
        if len(points) > 1:
            canvas.polyline(points, colour, width=1.3)
        return
    edges = np.linspace(0, n, columns + 1).astype(int)
    top = np.maximum.reduceat(clean, edges[:-1])
    low = np.minimum.reduceat(clean, edges[:-1])
    steps = [x + width * (i + 0.5) / columns for i in range(columns)]
    upper = [(at, middle - float(v) * scale - 0.3) for at, v in zip(steps, top, strict=True)]
    lower = [(at, middle - float(v) * scale + 0.3) for at, v in zip(steps, low, strict=True)]
    canvas.polygon([*upper, *reversed(lower)], colour)


def waveform(x: Any, sample_rate: float | None = None, title: str = "", *, height: float = 110.0) -> Picture:
    """A sound or another long signal: for each pixel column the band from minimum to maximum.

    Args:
        x: ``(n,)`` or ``(C, n)``, one band per channel.
        sample_rate: samples per second; without it the axis counts samples from 1.
        title: a heading.
        height: of one channel, in pixels.
    Returns:
        A Picture.
    Raises:
        ShapeError: more than two dimensions.
    """
    signal = as_real(x)
    if signal.ndim not in (1, 2):
        raise ShapeError(f"waveform: expected (samples,) or (channels, samples), got {tuple(signal.shape)}")
    signal = np.atleast_2d(signal)
    channels, n = signal.shape
    canvas = Canvas(title or f"Wave of {n} samples")
    if signal.size == 0:
        _title(canvas, title, -12)
        canvas.text(0, 10, "no samples", 13, "muted")
        return canvas.picture()
    finite = np.abs(signal[np.isfinite(signal)])
    bound = float(finite.max()) if finite.size else 0.0
    full = height * channels + 18 * (channels - 1)
    for c in range(channels):
        top = c * (height + 18)
        draw_envelope(canvas, signal[c], 0, top, _WIDTH, height, bound, series_colour(c))
        for share in (1, 0, -1) if bound > 0 else (0,):
            y = top + (1 - share) * height / 2 + 4
            canvas.text(-8, y, show(share * bound, 2), _LABEL, "muted", anchor="end")
        if channels > 1:
            name = ("left", "right")[c] if channels == 2 else f"channel {c + 1}"
            canvas.text(_WIDTH - 4, top + 11, name, _LABEL, "muted", anchor="end")
    low, high = (0.0, n / sample_rate) if sample_rate else (1.0, float(max(n, 2)))
    for tick in nice_ticks(low, high, 8):
        at = _WIDTH * (tick - low) / (high - low)
        canvas.line((at, full + 2), (at, full + 6), "muted")
        canvas.text(at, full + 20, show(tick), _LABEL, "muted", anchor="middle")
    canvas.text(
        _WIDTH / 2, full + 38, "time in seconds" if sample_rate else "sample", 12, "muted", anchor="middle"
    )
    _title(canvas, title, -14)
    return canvas.picture()


def spectrum(x: Any, sample_rate: float, title: str = "", *, height: float = 220.0) -> Picture:
    """How strong each frequency is: Hann windows of 2048 samples, overlapping by half, averaged (Welch 1967).

    Args:
        x: ``(n,)`` or ``(C, n)``.
        sample_rate: samples per second.
        title: a heading.
        height: of the plotting area, in pixels.
    Returns:
        A Picture: decibels below the strongest frequency over Hz.
    Raises:
        ShapeError: more than two dimensions.
    """
    signal = np.nan_to_num(as_real(x))
    if signal.ndim > 2:
        raise ShapeError(f"spectrum: expected (samples,) or (channels, samples), got {tuple(signal.shape)}")
    signal = np.atleast_2d(signal)
    size = min(2048, signal.shape[1])
    if size < 4:
        return line_chart({}, "frequency in Hz", "dB", title=title, height=height)
    frames = np.lib.stride_tricks.sliding_window_view(signal, size, axis=1)[:, :: max(1, size // 2)]
    power = (np.abs(np.fft.rfft(frames * np.hanning(size), axis=-1)) ** 2).mean(axis=1)
    top = power.max()
    level = 10 * np.log10(np.maximum(power / top, 1e-10)) if top > 0 else np.full_like(power, -100.0)
    frequency = np.fft.rfftfreq(size, 1 / sample_rate)
    names = {1: ["level"], 2: ["left", "right"]}.get(
        len(level), [f"channel {c + 1}" for c in range(len(level))]
    )
    curves = {name: (frequency, row) for name, row in zip(names, level, strict=True)}
    return line_chart(curves, "frequency in Hz", "dB below the strongest", title=title, height=height)


def bar_chart(
    values: Mapping[str, float], ylabel: str = "", *, title: str = "", height: float = 220.0
) -> Picture:
    """One bar per name, with its number.

    Args:
        values: ``{name: number}``; a number that is not finite gets no bar.
        ylabel: what the numbers are, with their unit.
        title: a heading.
        height: of the plotting area, in pixels.
    Returns:
        A Picture.
    """
    numbers = np.array([float(v) for v in values.values()])
    slot = min(110.0, max(26.0, _WIDTH / max(1, len(values))))
    width = slot * max(1, len(values))
    canvas = Canvas(title or ylabel or "Bars")
    low, high = _range(numbers, zero=True)
    span = high - low  # room for the numbers at the ends of the bars
    ends = (low - 0.1 * span if low < 0 else low, high + 0.06 * span)
    axes = _Axes(canvas, (0.0, 1.0), ends, width, height)
    axes.draw("", ylabel, x_ticks=False)
    _, zero = axes.at(0, 0)
    canvas.line((0, zero), (width, zero), "muted")
    for place, (name, value) in enumerate(zip(values, numbers, strict=True)):
        x = place * slot
        turned = text_width(name, _LABEL) > slot - 6
        if turned:
            canvas.text(
                x + slot / 2 + 4,
                height + 12,
                clip_text(name, _LABEL, 140),
                _LABEL,
                "ink",
                anchor="end",
                turn=-50,
            )
            canvas.cover(x, height, 0, 0.8 * min(140.0, text_width(name, _LABEL)) + 14)
        else:
            canvas.text(x + slot / 2, height + 17, name, _LABEL, "ink", anchor="middle")
        if not np.isfinite(value):
            canvas.text(x + slot / 2, zero - 6, str(value), _LABEL, "muted", anchor="middle")
            continue
        _, tip = axes.at(0, float(value))
        canvas.rect(x + slot * 0.18, min(zero, tip), slot * 0.64, abs(zero - tip), series_colour(0), radius=2)
        canvas.text(
            x + slot / 2, tip - 5 if value >= 0 else tip + 14, show(float(value)), _LABEL, anchor="middle"
        )
    _title(canvas, title, -16)
    return canvas.picture()


def image_grid(
    images: Any,
    labels: Sequence[object] | None = None,
    *,
    title: str = "",
    columns: int | None = None,
    size: float = 72.0,
) -> Picture:
    """Small images side by side: digits, photographs, kernels.

    Args:
        images: ``(N, H, W)``, ``(N, 1, H, W)`` or ``(N, 3, H, W)``, or a list of such without N.
            Without negative numbers they are shown from black to white, with negative numbers as kernels:
            blue below zero, red above.
        labels: one text per image.
        title: a heading.
        columns: images per row.
        size: height of an image, in pixels.
    Returns:
        A Picture.
    Raises:
        ShapeError: other shapes, or as many labels as images is not true.
    """
    pictures = [_plain_image(as_array(image)) for image in images]
    if labels is not None and len(labels) != len(pictures):
        raise ShapeError(f"image_grid: {len(pictures)} images and {len(labels)} labels")
    canvas = Canvas(title or f"{len(pictures)} images")
    if not pictures:
        canvas.text(0, 10, "no images", 13, "muted")
        _title(canvas, title, -12)
        return canvas.picture()
    low, high = _range_of_all(pictures)
    widest = max(size * image.shape[1] / image.shape[0] for image in pictures)
    per_row = columns or max(1, int(_WIDTH // (widest + 10)))
    step = size + (24 if labels is not None else 10)
    for place, image in enumerate(pictures):
        x, y = (place % per_row) * (widest + 10), (place // per_row) * step
        width = size * image.shape[1] / image.shape[0]
        x += (widest - width) / 2
        signed = low < 0 and image.ndim == 2
        pixels = signed_pixels(image, max(-low, high)) if signed else grey_pixels(image, low, high)
        canvas.image(x, y, width, size, png_uri(pixels), tip=str(labels[place]) if labels is not None else "")
        canvas.rect(x, y, width, size, "", "rule")
        if labels is not None:
            text = clip_text(str(labels[place]), _LABEL, widest + 6)
            canvas.text(x + width / 2, y + size + 14, text, _LABEL, "muted", anchor="middle")
    _title(canvas, title, -12)
    return canvas.picture()


def _plain_image(image: Array) -> Array:
    """To ``(H, W)`` or ``(H, W, 3)``, float."""
    plain = np.asarray(image, np.float64) if image.dtype.kind != "c" else np.abs(image)
    if plain.ndim == 3 and plain.shape[0] == 1:
        plain = plain[0]
    elif plain.ndim == 3 and plain.shape[0] == 3:
        plain = plain.transpose(1, 2, 0)
    if (plain.ndim != 2 and plain.shape[2:] != (3,)) or plain.ndim > 3 or plain.size == 0:
        raise ShapeError(
            f"image_grid: an image must be (H, W), (1, H, W) or (3, H, W), got {tuple(image.shape)}"
        )
    return plain


def _range_of_all(pictures: Sequence[Array]) -> tuple[float, float]:
    values = np.concatenate([image.ravel() for image in pictures])
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
