"""The four pictures of a one-dimensional convolution, drawn from a real signal and real kernels.

Written after the figures of Canziani's lecture (2020): kernels stacked and shifted into a matrix; the output
as m vectors; a signal as a mapping from Omega = {1, 2, ...}; and the scalar products, kernel by kernel.
Every number in a picture is taken from the arrays given, or computed from them here.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from convgrad.errors import ShapeError
from convgrad.tools.charts import draw_envelope, series_colour
from convgrad.tools.png import png_uri, signed_pixels
from convgrad.tools.svg import Canvas, Picture, text_width
from convgrad.tools.values import Array, as_real, shape_text, show

_ROOM = 900.0  # pixels: about the width of a page
_TITLE = 15.0
_NOTE = 12.0
_MAX_CELLS = 3000  # more cells than this become one image
_BARE = re.compile(r"^(-?)0\.")
_WHITE_FROM = 0.68  # share of the full colour from which white text reads better than dark


def stacked_kernels(w: Any, x: Any, *, samples: int | None = None, kernels: int = 3) -> Picture:
    """Figure 1: convolution as a matrix whose rows are the kernel, shifted; one such layer per kernel.

    Each layer is drawn as matrix times signal equals output, with the numbers (bias left out).

    Args:
        w: kernels ``(m, C, k)``, or ``(C, k)`` or ``(k,)`` for one.
        x: signal ``(C, n)``, or ``(n,)`` for one channel.
        samples: how many samples to draw; by default as many as read well.
        kernels: how many of the m layers to draw.
    Returns:
        A Picture of ``m`` layers of height ``n - k + 1``; it says which part it shows.
    Raises:
        ShapeError: the channels disagree, or the kernel is longer than the signal.
    Example:
        >>> stacked_kernels([[[1.0, -2.0, 1.0]], [[0.0, 1.0, 0.0]]], [1.0, 2.0, 4.0, 8.0]).title
        '2 kernels of size 3, stacked and shifted over a signal of 4 samples'
    """
    signal, bank = _signal_and_kernels("stacked_kernels", x, w)
    m, channels, k = bank.shape
    n = signal.shape[1]
    seen_channels = min(channels, 2)
    usual = max(10 - 3 * (channels > 1), k + 3) if k <= 24 else 2 * k  # a long kernel needs room to shift
    seen = min(n, max(usual if samples is None else samples, k))
    rows = seen - k + 1
    wide = float(np.clip((_ROOM - 130 * seen_channels - 60) / (seen_channels * (seen + 1) + 1), 0.3, 42))
    products = convolve_by_definition(signal, bank)
    canvas = Canvas(f"{m} kernels of size {k}, stacked and shifted over a signal of {n} samples")
    canvas.text(0, 0, "Kernels stacked and shifted", _TITLE, bold=True)
    line = f"{m} {_plural(m, 'layer')} of height n − k + 1 = {n} − {k} + 1 = {n - k + 1}"
    canvas.text(
        0,
        20,
        f"n = {n} samples, c = {channels} {_plural(channels, 'channel')}, kernel size k = {k}: {line}",
        _NOTE,
        "muted",
    )
    y = 58.0
    for j in range(min(m, kernels)):
        matrix = np.full((seen_channels, rows, seen), np.nan)
        for i in range(rows):
            matrix[:, i, i : i + k] = bank[j, :seen_channels]
        layer = _Layer(matrix, signal[:seen_channels, :seen], products[j, :rows], wide)
        y = layer.draw(
            canvas, y, f"layer {j + 1} of {m}", (_bound(bank), _bound(signal), _bound(products)), channels
        )
    _notes(
        canvas,
        y - 6,
        _cuts((seen, n, "samples"), (seen_channels, channels, "channels"), (min(m, kernels), m, "kernels")),
    )
    return canvas.picture()


class _Layer:
    """One row of figure 1: for each channel a banded matrix times the signal; their sum is the output."""

    def __init__(self, matrix: Array, signal: Array, product: Array, wide: float) -> None:
        self.matrix, self.signal, self.product = matrix, signal, product
        self.wide, self.high = wide, min(26.0, 0.7 * wide) if wide >= 10 else wide

    def draw(
        self, canvas: Canvas, y: float, label: str, bounds: tuple[float, float, float], total: int
    ) -> float:
        """Draw from ``y`` downwards; returns where the next layer may begin."""
        channels, rows, seen = self.matrix.shape
        canvas.text(0, y, label, _NOTE + 1, bold=True)
        y += 28
        tall = seen * self.high
        at = y + (tall - rows * self.high) / 2
        middle = y + tall / 2 + 5
        canvas.brace((-10, at), (-10, at + rows * self.high), str(rows), side=-1)
        x = 0.0
        for c in range(channels):
            name = "x" if total == 1 else f"x{_subscript(c + 1)}"
            right = self._table(
                canvas, self.matrix[c], x, at, bounds[0], "" if total == 1 else f"kernel, channel {c + 1}"
            )
            canvas.brace((x, at + rows * self.high + 5), (right, at + rows * self.high + 5), str(seen))
            canvas.text(right + 18, middle, "·", 20, anchor="middle", bold=True)
            x = self._table(canvas, self.signal[c][:, None], right + 36, y, bounds[1], name)
            last = c == channels - 1
            canvas.text(
                x + 22, middle, "=" if last and total == channels else "+", 16, anchor="middle", bold=True
            )
            x += 44
        if total > channels:
            canvas.text(x, middle, "…  =", 16, bold=True)
            x += 54
        self._table(canvas, self.product[:, None], x, at, bounds[2], "y")
        return y + max(tall, (tall + rows * self.high) / 2 + 24) + 40

    def _table(self, canvas: Canvas, table: Array, x: float, y: float, bound: float, name: str) -> float:
        """A bracketed table with its name above; returns its right edge."""
        wide = self.wide if table.shape[1] > 1 else max(self.wide, 30.0)
        right, bottom = x + table.shape[1] * wide, y + table.shape[0] * self.high
        cells(canvas, table, x, y, self.high, bound, frame=True, wide=wide)
        for edge, step in ((x - 4, 5), (right + 4, -5)):
            points = [(edge + step, y - 3), (edge, y - 3), (edge, bottom + 3), (edge + step, bottom + 3)]
            canvas.polyline(points, "ink", width=1.4)
        canvas.text((x + right) / 2, y - 9, name, 12, "muted", anchor="middle")
        return right


def output_layers(y: Any, *, layers: int = 16, rows: int = 12) -> Picture:
    """Figure 2: the result, m vectors of size n - k + 1 standing one behind the other.

    Args:
        y: output ``(m, n - k + 1)``, or one vector.
        layers: how many vectors to draw.
        rows: how many of their first entries to draw.
    Returns:
        A Picture of the layers, front to back, with their height and thickness.
    Raises:
        ShapeError: ``y`` has more than two dimensions or is empty.
    Example:
        >>> output_layers([[1.0, 2.0], [3.0, 4.0]]).title
        '2 output vectors of size 2'
    """
    out = _plane("output_layers", "y", y)
    m, height = out.shape
    shown, tall = min(m, layers), min(height, rows)
    cell_w, cell_h, shift, gap = 44.0, 24.0, 9.0, 8.0
    canvas = Canvas(f"{m} output vectors of size {height}")
    canvas.text(0, 0, "The result of the convolution", _TITLE, bold=True)
    line = f"thickness m = {m}: {m} {_plural(m, 'vector')} of size n − k + 1 = {height}"
    canvas.text(0, 20, line, _NOTE, "muted")
    top = 66.0 + shift * (shown - 1)
    bound = _bound(out)
    for j in reversed(range(shown)):  # the farthest first
        left, start = 70 + j * (cell_w + gap), top - j * shift
        bottom = start + tall * cell_h
        canvas.rect(left, start, cell_w, tall * cell_h, "paper")
        column, all_drawn = out[j, :tall, None], out[:shown, :tall]
        cells(canvas, column, left, start, cell_h, bound, frame=True, wide=cell_w, like=all_drawn)
        canvas.rect(left, start, cell_w, tall * cell_h, "", "ink", stroke=1.3)
        canvas.text(left + cell_w / 2, start - 6, str(j + 1), 11, "muted", anchor="middle")
        if tall < height:
            canvas.text(left + cell_w / 2, bottom + 16, "⋮", 14, "muted", anchor="middle")
    low = top + tall * cell_h
    canvas.brace((60, top), (60, low), f"{height}" if tall == height else f"{tall} of {height}", side=-1)
    far = 70 + (shown - 1) * (cell_w + gap) + cell_w
    canvas.line((70, low + 30), (far, low + 30 - shift * (shown - 1)), "muted", width=1.2)
    canvas.arrow_head(
        (far, low + 30 - shift * (shown - 1)), float(np.arctan2(-shift * (shown - 1), far - 70)), "muted"
    )
    canvas.text(70, low + 48, f"m = {m} {_plural(m, 'layer')}", _NOTE, "muted")
    _notes(canvas, low + 70, _cuts((tall, height, "entries"), (shown, m, "layers")), bound)
    return canvas.picture()


def monophonic_signal(x: Any, sample_rate: float | None = None, *, samples: int = 20) -> Picture:
    """Figure 3: a signal as a mapping from Omega = {1, 2, 3, ...} to R^c, as a wave and as numbers.

    Args:
        x: ``(n,)`` or ``(1, n)`` for mono, ``(2, n)`` for stereo, ``(C, n)`` in general.
        sample_rate: samples per second; adds a time axis in seconds.
        samples: how many samples to show as numbers, around the loudest one.
    Returns:
        A Picture: above the whole wave, below some samples with their numbers.
    Raises:
        ShapeError: more than two dimensions, or empty.
    Example:
        >>> monophonic_signal([0.0, 1.0, 0.0, -1.0], sample_rate=4).title
        'A monophonic signal of 4 samples'
    """
    signal = _plane("monophonic_signal", "x", x)
    channels, n = signal.shape
    kind = {1: "monophonic", 2: "stereophonic"}.get(channels, f"{channels} channels")
    canvas = Canvas(f"A {kind} signal of {n} samples")
    canvas.text(0, 0, f"A signal is a mapping  x : Ω → ℝ{_superscript(channels)}", _TITLE, bold=True)
    rate = f", {show(sample_rate)} samples per second, {show(n / sample_rate)} s" if sample_rate else ""
    dots = "…, " if n > 4 else ""
    domain = ", ".join(map(str, range(1, min(n, 3) + 1)))
    domain += f", {dots}{n}" if n > 3 else ""
    canvas.text(0, 20, f"Ω = {{{domain}}},  c = {channels} ({kind}){rate}", _NOTE, "muted")
    loud = int(np.argmax(np.abs(np.nan_to_num(signal)).max(axis=0)))
    seen = min(samples, n)
    start = int(np.clip(loud - seen // 2, 0, n - seen))
    bound, y, width = _bound(signal), 44.0, _ROOM - 60
    for c in range(channels):
        if n > seen:
            draw_envelope(canvas, signal[c], 44, y, width, 84, bound, series_colour(c))
            left, right = 44 + width * start / n, 44 + width * (start + seen) / n
            canvas.rect(left, y, max(right - left, 2), 84, "mark", "mark", opacity=0.25)
        if channels > 1:
            canvas.text(36, y + 46, _channel_name(c, channels), 11, "muted", anchor="end")
        y += 92 if n > seen else 0
    if n > seen:
        _domain_axis(canvas, 44, y, width, n, sample_rate)
        y += 60
    stem = width / seen
    for c in range(channels):
        y = _stems(canvas, signal[c, start : start + seen], 44, y, stem, bound, series_colour(c))
    for i in range(seen):
        canvas.text(44 + (i + 0.5) * stem, y + 10, str(start + i + 1), 11, "muted", anchor="middle")
    canvas.text(36, y + 10, "Ω", 12, "muted", anchor="end")
    canvas.cover(44 + width, y)
    _notes(
        canvas,
        y + 36,
        _cuts((seen, n, "samples")) + ([f"starting at {start + 1}"] if seen < n else []),
        bound,
    )
    return canvas.picture()


def scalar_products(
    x: Any,
    w: Any,
    y: Any,
    position: int = 0,
    *,
    bias: Any = None,
    kernels: int = 4,
    samples: int | None = None,
) -> Picture:
    """Figure 4: at one place of the signal, the scalar product with each kernel gives one entry per layer.

    Args:
        x: signal ``(C, n)`` or ``(n,)``.
        w: kernels ``(m, C, k)``, ``(C, k)`` or ``(k,)``.
        y: the layer's output ``(m, n - k + 1)`` (stride 1, no padding), or one vector.
        position: which output entry, from 0; the picture counts from 1, as Omega does.
        bias: ``(m,)``; where it is left out it is what ``y`` has above the scalar products.
        kernels: how many kernels to draw.
        samples: how many samples of the signal to draw.
    Returns:
        A Picture: the window on the signal, and for each kernel its entries, the products and their sum.
    Raises:
        ShapeError: sizes that do not fit together.
        ValueError: ``y`` is not the convolution of x with w plus a constant per kernel.
        IndexError: there is no such position.
    Example:
        >>> "Σ 5" in scalar_products([1.0, 2.0, 3.0], [1.0, 2.0], [5.0, 8.0]).svg
        True
    """
    signal, bank = _signal_and_kernels("scalar_products", x, w)
    out = _plane("scalar_products", "y", y)
    (m, channels, k), n = bank.shape, signal.shape[1]
    if out.shape != (m, n - k + 1):
        raise ShapeError(
            f"scalar_products: y must be (m, n - k + 1) = ({m}, {n - k + 1}), got {tuple(out.shape)}"
        )
    if not 0 <= position < n - k + 1:
        raise IndexError(f"scalar_products: position must be in 0..{n - k}, got {position}")
    offsets = _bias_of(out, convolve_by_definition(signal, bank), bias)
    canvas = Canvas(f"Scalar products of {m} kernels with the window at {position + 1}")
    canvas.text(0, 0, "Layer by layer scalar product", _TITLE, bold=True)
    gives = f"gives entry {position + 1} of each of the {m} {_plural(m, 'layer')}"
    canvas.text(0, 20, f"window {position + 1}…{position + k} of the signal {gives}", _NOTE, "muted")
    seen_channels = min(channels, 3)
    seen = min(n, max(k, samples if samples is not None else max(18, k + 6)))
    start = int(np.clip(position - (seen - k) // 2, 0, n - seen))
    bottom = _windowed(canvas, signal[:seen_channels], start, seen, position, k)
    y_at = bottom + 40
    products = bank[: min(m, kernels)] * signal[:, position : position + k]
    bounds = (_bound(bank), _bound(signal), _bound(products), _bound(out))
    for j in range(min(m, kernels)):
        row = _Product(signal, bank[j], out[j], position, float(offsets[j]), seen_channels)
        y_at = row.draw(canvas, y_at, j, bounds)
    cuts = _cuts((seen, n, "samples"), (seen_channels, channels, "channels"), (min(m, kernels), m, "kernels"))
    hidden = ["the sums run over all channels"] if seen_channels < channels else []
    _notes(canvas, y_at, cuts + hidden)
    return canvas.picture()


def _windowed(canvas: Canvas, signal: Array, start: int, seen: int, position: int, k: int) -> float:
    """The signal as cells with the window marked; returns its lower edge."""
    cell = float(np.clip((_ROOM - 60) / seen, 0.2, 46))
    left, y, high = 44.0, 58.0, 26.0
    for i in range(start, start + seen):
        inside = position <= i < position + k
        if cell >= 18 or i in (position, position + k - 1):
            colour = "mark" if inside else "muted"
            canvas.text(
                left + (i - start + 0.5) * cell, y - 6, str(i + 1), 11, colour, anchor="middle", bold=inside
            )
    canvas.text(left - 8, y - 6, "Ω", 12, "muted", anchor="end")
    for c, row in enumerate(signal):
        cells(canvas, row[None, start : start + seen], left, y, high, _bound(signal), frame=True, wide=cell)
        label = "x" if len(signal) == 1 else f"x{_subscript(c + 1)}"
        canvas.text(left - 8, y + 18, label, 13, anchor="end", bold=True)
        y += high
    edge = left + (position - start) * cell
    canvas.rect(edge, 58, k * cell, y - 58, "", "mark", stroke=3, radius=2)
    return y


class _Product:
    """One kernel of figure 4: kernel, times window, the products, and what they add up to."""

    def __init__(
        self, signal: Array, kernel: Array, out: Array, position: int, bias: float, channels: int
    ) -> None:
        window = signal[:, position : position + kernel.shape[1]]
        self.products = window * kernel
        self.total = float(self.products.sum())
        self.kernel, self.window, self.bias = kernel, window, bias
        self.entry, self.position = float(out[position]), position
        self.channels = channels

    def draw(self, canvas: Canvas, y: float, j: int, bounds: tuple[float, float, float, float]) -> float:
        """Draw from ``y`` downwards; returns where the next kernel may begin."""
        block = float(min((_ROOM - 390) / 3, 46 * self.kernel.shape[1]))
        wide, high = block / self.kernel.shape[1], 26.0
        tall = high * self.channels
        middle = y + tall / 2 + 5
        canvas.text(-2, middle - (8 if self.channels > 1 else 0), f"kernel {j + 1}", 12, bold=True)
        if self.channels > 1:
            canvas.text(-2, middle + 8, f"{self.channels} channels", 10.5, "muted")
        x = 76.0
        tables = (self.kernel, self.window, self.products)
        for place, (table, name) in enumerate(zip(tables, ("kernel", "window", "products"), strict=True)):
            cells(canvas, table[: self.channels], x, y, high, bounds[place], frame=True, wide=wide)
            line = "mark" if name == "window" else "ink"
            canvas.rect(x, y, block, tall, "", line, stroke=2.4 if name == "window" else 1.3)
            if j == 0:
                canvas.text(x + block / 2, y - 7, name, 11, "muted", anchor="middle")
            x += block
            if place < 2:
                canvas.text(x + 14, middle, "×" if place == 0 else "=", 15, anchor="middle")
                x += 28
        words = f"Σ {show(self.total)}" + (f" + bias {show(self.bias)}" if self.bias else "")
        canvas.text(x + 10, middle, words, 12.5, mono=True)
        x += 10 + text_width(words, 12.5, mono=True) + 8
        canvas.text(x, middle, "=", 15)
        x += 18
        cells(canvas, np.array([[self.entry]]), x, middle - 18, high, bounds[3], frame=True, wide=56)
        canvas.rect(x, middle - 18, 56, high, "", "ink", stroke=1.3)
        canvas.text(x + 62, middle, f"y{_subscript(j + 1)}[{self.position + 1}]", 13, bold=True)
        return y + tall + 22


def _bias_of(out: Array, products: Array, bias: Any) -> Array:
    """The constant by which each output layer exceeds the scalar products."""
    scale = max(float(np.abs(out).max()), float(np.abs(products).max()), 1e-30)
    rest = out - products
    found = rest.mean(axis=1) if bias is None else np.broadcast_to(as_real(bias).reshape(-1), (len(out),))
    if float(np.abs(rest - found[:, None]).max()) > 1e-3 * scale:
        raise ValueError(
            "scalar_products: y is not the convolution of x with w plus one constant per kernel "
            "(stride 1, no padding); pass the output of the same layer for the same signal"
        )
    return np.where(np.abs(found) <= 1e-6 * scale, 0.0, found) if bias is None else found


def convolve_by_definition(signal: Array, kernels: Array) -> Array:
    """The scalar product of every window with every kernel, summed over the channels.

    Args:
        signal: ``(C, n)``.
        kernels: ``(m, C, k)``.
    Returns:
        ``(m, n - k + 1)``.
    Example:
        >>> convolve_by_definition(np.array([[1.0, 2.0, 4.0]]), np.array([[[1.0, 10.0]]]))
        array([[21., 42.]])
    """
    windows = np.lib.stride_tricks.sliding_window_view(signal, kernels.shape[2], axis=1)
    return np.einsum("cpk,mck->mp", windows, kernels)


# --- shared pieces ------------------------------------------------------------------------------------


def cells(
    canvas: Canvas,
    table: Array,
    x: float,
    y: float,
    high: float,
    bound: float,
    *,
    frame: bool = False,
    wide: float | None = None,
    like: Array | None = None,
) -> None:
    """A table of coloured cells, blue below zero, red above; numbers where they fit; NaN is an empty cell.

    Args:
        canvas: where to draw.
        table: ``(rows, columns)``.
        x: left edge.
        y: top edge.
        high: height of a cell.
        bound: the magnitude that gets the full colour.
        frame: draw cell borders.
        wide: width of a cell, by default its height.
        like: numbers whose common format is used, by default the table's own.
    """
    wide = high if wide is None else wide
    rows, columns = table.shape
    grid = frame and min(wide, high) > 5
    if rows * columns > _MAX_CELLS or min(wide, high) < 2:
        canvas.image(x, y, columns * wide, rows * high, png_uri(signed_pixels(table, bound)))
        canvas.rect(x, y, columns * wide, rows * high, "", "rule")
        return
    texts, size = _texts(table, table if like is None else like, min(12.0, high * 0.5), wide - 3, bound)
    for i in range(rows):
        for j in range(columns):
            value = float(table[i, j])
            left, top = x + j * wide, y + i * high
            if np.isnan(value):
                if grid:
                    canvas.rect(left, top, wide, high, "", "faint")
                continue
            share = min(1.0, abs(value) / bound) if bound > 0 else 0.0
            canvas.rect(
                left, top, wide, high, "neg" if value < 0 else "pos", "rule" if grid else "",
                opacity=round(share, 2), tip=show(value, 6),
            )  # fmt: skip
            if texts:
                colour = "white" if share > _WHITE_FROM else "ink"
                baseline = top + high / 2 + 0.36 * size
                canvas.text(left + wide / 2, baseline, texts[i][j], size, colour, anchor="middle", mono=True)


def _texts(
    table: Array, like: Array, largest: float, room: float, bound: float
) -> tuple[list[list[str]], float]:
    """The numbers in the most precise and largest format in which all of ``like`` fits, and its size.

    No texts where nothing fits.
    """
    forms = [
        (3, 1.0, False),
        (2, 1.0, False),
        (2, 0.85, False),
        (2, 1.0, True),
        (2, 0.85, True),
        (1, 1.0, True),
    ]
    if 0.02 <= bound < 0.1:  # two decimals would leave one digit
        forms[1:1] = [(3, 0.85, False), (3, 1.0, True), (3, 0.85, True)]
    for digits, scale, bare in forms:
        size = scale * largest
        if size < 7:
            continue
        longest = max((_cell_text(float(v), digits, bound, bare) for v in like.flat), key=len, default="")
        if text_width(longest, size, mono=True) <= room:
            return [[_cell_text(float(v), digits, bound, bare) for v in row] for row in table], size
    return [], 0.0


def _cell_text(value: float, digits: int, bound: float, bare: bool) -> str:
    """Fixed decimals while the largest number of the picture is of ordinary size, else significant digits."""
    if np.isnan(value):
        return ""
    if value == round(value) and abs(value) < 1e4:
        return str(round(value))
    if not 0.02 <= bound < 1e4:
        return show(value, digits)
    decimals = max(0, digits - (bound >= 10) - (bound >= 100))
    text = f"{value:.{decimals}f}"
    text = text.removeprefix("-") if float(text) == 0 else text
    return _BARE.sub(r"\1.", text) if bare else text


def _stems(
    canvas: Canvas, values: Array, x: float, y: float, step: float, bound: float, colour: str
) -> float:
    """Samples as stems with their numbers in cells below; returns the lower edge."""
    half = 40.0
    zero = y + half
    canvas.line((x, zero), (x + step * len(values), zero), "rule")
    for i, value in enumerate(values):
        at = x + (i + 0.5) * step
        if np.isfinite(value):
            tip = zero - half * 0.92 * (float(value) / bound if bound > 0 else 0.0)
            canvas.line((at, zero), (at, tip), colour, width=1.6)
            canvas.circle(at, tip, 3.2, colour)
    cells(canvas, values[None], x, y + 2 * half + 6, 26, bound, frame=True, wide=step)
    return y + 2 * half + 6 + 26 + 8


def _domain_axis(canvas: Canvas, x: float, y: float, width: float, n: int, sample_rate: float | None) -> None:
    """1 ... n below a wave, and seconds where the rate is known."""
    canvas.line((x, y), (x + width, y), "rule")
    ticks = np.unique(np.linspace(1, n, 6).round().astype(int))
    for tick in ticks:
        at = x + width * (tick - 0.5) / n
        canvas.line((at, y), (at, y + 4), "muted")
        canvas.text(at, y + 17, str(tick), 11, "muted", anchor="middle")
        if sample_rate:
            canvas.text(at, y + 32, f"{(tick - 1) / sample_rate:.3g} s", 11, "muted", anchor="middle")
    canvas.text(x - 12, y + 17, "Ω", 12, "muted", anchor="end")


def _signal_and_kernels(who: str, x: Any, w: Any) -> tuple[Array, Array]:
    signal = _plane(who, "x", x)
    bank = as_real(w)
    if bank.ndim not in (1, 2, 3) or bank.size == 0:
        raise ShapeError(f"{who}: w must be (m, C, k), (C, k) or (k,) and not empty, got {tuple(bank.shape)}")
    bank = bank.reshape((1,) * (3 - bank.ndim) + bank.shape)
    if bank.shape[1] != signal.shape[0]:
        raise ShapeError(
            f"{who}: the kernels have {bank.shape[1]} channels (w is {shape_text(bank.shape)}), "
            f"the signal has {signal.shape[0]} (x is {shape_text(signal.shape)})"
        )
    if bank.shape[2] > signal.shape[1]:
        raise ShapeError(f"{who}: kernel of size {bank.shape[2]} on a signal of {signal.shape[1]} samples")
    return signal, bank


def _plane(who: str, name: str, value: Any) -> Array:
    out = as_real(value)
    if out.ndim == 3 and out.shape[0] == 1:  # a batch of one
        out = out[0]
    if out.ndim not in (1, 2) or out.size == 0:
        raise ShapeError(
            f"{who}: {name} must be (channels, samples) or (samples,) and not empty, got {tuple(out.shape)}"
        )
    return out.reshape(-1, out.shape[-1])


def _bound(values: Array) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size else 0.0


def _cuts(*parts: tuple[int, int, str]) -> list[str]:
    return [f"{seen} of {total} {what}" for seen, total, what in parts if seen < total]


def _notes(canvas: Canvas, y: float, cuts: list[str], bound: float | None = None) -> None:
    """The last line: the colour key and what part is drawn."""
    canvas.rect(0, y - 10, 13, 13, "neg")
    canvas.text(18, y, "negative", 11, "muted")
    canvas.rect(82, y - 10, 13, 13, "pos")
    canvas.text(100, y, "positive", 11, "muted")
    text = "Drawn: " + ", ".join(cuts) + "." if cuts else ""
    if bound:
        text = f"Full colour at ±{show(bound)}. {text}"
    canvas.text(164, y, text, 11, "muted")


def _plural(count: int, word: str) -> str:
    return word if count == 1 else word + "s"


def _channel_name(c: int, channels: int) -> str:
    return ("left", "right")[c] if channels == 2 else f"{c + 1}"


def _superscript(number: int) -> str:
    return "" if number == 1 else str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _subscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
