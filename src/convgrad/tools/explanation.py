"""What ``explain`` returns, and how it looks: as text, and as bars in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from convgrad.kernels.algorithms import Cost
from convgrad.kernels.geometry import Ints
from convgrad.tools.svg import Canvas, Picture, clip_text, escape, text_width

_BAR, _NAMES, _ROW, _WHY = 330.0, 162.0, 20.0, 10.5
_COST_PARTS = (("arithmetic", "s0"), ("memory traffic", "s4"), ("overhead", "s1"))
PARTS = ("output", "input gradient", "weight gradient")


class Candidate(NamedTuple):
    """One algorithm for one part of a convolution.

    Attributes:
        name: as ``backends.convolution.algorithm`` takes it; "reference" is NumPy.
        why: why it was chosen, why not, or why it cannot be.
        cost: the parts of its estimated time; None where it cannot be used, and for the reference.
        measured: seconds of one call by the clock; None unless that was asked for.
        memory: most bytes of scratch that a call holds at a time; None where that is not known.
        cut: its block sizes.
    """

    name: str
    why: str
    cost: Cost | None = None
    measured: float | None = None
    memory: int | None = None
    cut: Ints = ()

    @property
    def estimated(self) -> float | None:
        """Seconds of one call by the cost model; None for the reference."""
        return self.cost.total if self.cost else None

    @property
    def seconds(self) -> float | None:
        """Seconds of one call: measured if they were, else estimated; None if neither is known."""
        return self.estimated if self.measured is None else self.measured


class Part(NamedTuple):
    """One of the three things that are computed of a convolution.

    Attributes:
        title: one of ``PARTS``.
        problem: what is to be computed, in words.
        candidates: the algorithms that can do it, the one in use first.
        unfit: those that cannot, or may not.
    """

    title: str
    problem: str
    candidates: list[Candidate]
    unfit: list[Candidate]

    @property
    def chosen(self) -> Candidate:
        """The algorithm in use."""
        return self.candidates[0]


class Explanation:
    """How one convolution is computed: prints as text, shows as a picture in a notebook.

    Attributes:
        title: the convolution and its input.
        settings: what the plans were made for.
        parts: the output, the input gradient and the weight gradient.
    """

    __slots__ = ("parts", "settings", "title")

    def __init__(self, title: str, settings: str, parts: list[Part]) -> None:
        self.title = title
        self.settings = settings
        self.parts = parts

    @property
    def chosen(self) -> dict[str, str]:
        """The algorithm in use for each part."""
        return {part.title: part.chosen.name for part in self.parts}

    def __str__(self) -> str:
        lines = [self.title, self.settings]
        for part in self.parts:
            lines += ["", f"{part.title}: {part.chosen.name}", *_table(part)]
        return "\n".join(lines)

    __repr__ = __str__

    def picture(self) -> Picture:
        """A bar for each candidate's time, cut into what the time goes into."""
        canvas = Canvas(self.title)
        y = _heading(canvas, self.title, self.settings)
        every = [candidate for part in self.parts for candidate in part.candidates]
        y = _legend(canvas, y, every)
        longest = _longest([part.chosen for part in self.parts], every)
        for part in self.parts:
            y = _draw_part(canvas, y + 14, part, longest)
        return canvas.picture()

    def _repr_html_(self) -> str:
        return self.picture()._repr_html_()


class ModelExplanation:
    """How the convolutions of a network are computed, in the order in which they ran.

    Attributes:
        title: the network and its input.
        layers: an ``Explanation`` by the layer's name; one that runs on another shape too is there twice.
    """

    __slots__ = ("layers", "title")

    def __init__(self, title: str, layers: dict[str, Explanation]) -> None:
        self.title = title
        self.layers = layers

    def __str__(self) -> str:
        if not self.layers:
            return f"{self.title}\nno convolution ran"
        rows = [["layer", *PARTS, "convolution"]]
        for name, layer in self.layers.items():
            chosen = [f"{part.chosen.name} {time_text(part.chosen.seconds)}".strip() for part in layer.parts]
            rows.append([name, *chosen, layer.title])
        settings = next(iter(self.layers.values())).settings
        return "\n".join([self.title, settings, "", *_columns(rows)])

    __repr__ = __str__

    def picture(self) -> Picture:
        """A bar for each layer, cut into its output and its two gradients."""
        canvas = Canvas(self.title)
        settings = next((layer.settings for layer in self.layers.values()), "no convolution ran")
        y = _heading(canvas, self.title, settings)
        x = 0.0
        for place, name in enumerate(PARTS if self.layers else ()):
            x = _key(canvas, x, y, name, f"s{place}")
        sums = [sum([part.chosen.seconds or 0.0 for part in layer.parts]) for layer in self.layers.values()]
        longest = max(sums, default=0.0) or 1.0
        for name, layer in self.layers.items():
            y += 34
            canvas.text(0, y, clip_text(name, 12, _NAMES - 10), 12, mono=True)
            pieces = [(part.chosen.seconds or 0.0, f"s{place}") for place, part in enumerate(layer.parts)]
            end = _stacked(canvas, y - 11, pieces, longest)
            canvas.text(end + 6, y, time_text(sum([piece for piece, _ in pieces])), 11.5, "ink")
            names = ", ".join(dict.fromkeys([part.chosen.name for part in layer.parts]))
            canvas.text(_NAMES, y + 14, f"{names}: {layer.title}", _WHY, "muted")
        return canvas.picture()

    def _repr_html_(self) -> str:
        layers = [
            f"<details><summary>{escape(name)}</summary>{layer._repr_html_()}</details>"
            for name, layer in self.layers.items()
        ]
        return self.picture()._repr_html_() + "".join(layers)


# ---- text


def time_text(seconds: float | None) -> str:
    """A time in the unit that suits it; nothing for None.

    Example:
        >>> time_text(0.00213), time_text(1.2e-6), time_text(3.0), time_text(123e-9)
        ('2.13 ms', '1.20 us', '3.00 s', '123 ns')
    """
    if seconds is None:
        return ""
    units = (("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9))
    unit, scale = next((one for one in units if seconds * one[1] >= 0.9995), units[-1])
    digits = f"{seconds * scale:#.3g}".rstrip(".")
    return f"{digits} {unit}"


def bytes_text(count: int | None) -> str:
    """A number of bytes in the unit that suits it; nothing for None.

    Example:
        >>> bytes_text(512), bytes_text(3 * 2**19)
        ('512 B', '1.5 MB')
    """
    if count is None:
        return ""
    for unit, scale in (("GB", 2**30), ("MB", 2**20), ("KB", 2**10)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def _table(part: Part) -> Iterator[str]:
    """The candidates as lines: the figures, and below them the reason."""
    measured = any([candidate.measured is not None for candidate in part.candidates])
    rows = [["", "algorithm", "estimated", *(["measured"] if measured else []), "scratch", "blocks"]]
    for place, one in enumerate(part.candidates):
        estimate = time_text(one.estimated)
        clock = [time_text(one.measured)] if measured else []
        blocks = " ".join(map(str, one.cut))
        rows.append([">" if place == 0 else "", one.name, estimate, *clock, bytes_text(one.memory), blocks])
    header, *lines = _columns(rows)
    yield "  " + header
    for line, candidate in zip(lines, part.candidates, strict=True):
        yield "  " + line
        yield f"      {candidate.why}"
    for candidate in part.unfit:
        yield f"  - {candidate.name}: {candidate.why}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines with aligned columns."""
    widths = [max([len(row[column]) for row in rows]) for column in range(len(rows[0]))]
    return ["  ".join([cell.ljust(width) for cell, width in zip(row, widths)]).rstrip() for row in rows]


# ---- pictures


def _heading(canvas: Canvas, title: str, settings: str) -> float:
    canvas.text(0, 0, title, 15, bold=True)
    canvas.cover(0, 0, 1.2 * text_width(title, 15))  # digits and brackets in bold are wider than most text
    canvas.text(0, 18, settings, 11.5, "muted")
    return 40.0


def _legend(canvas: Canvas, y: float, candidates: list[Candidate]) -> float:
    """What the colours of the bars mean; returns its baseline."""
    x = 0.0
    for name, colour in _COST_PARTS:
        x = _key(canvas, x, y, f"estimated {name}", colour)
    if any([candidate.measured is not None for candidate in candidates]):
        canvas.line((x + 5, y - 10), (x + 5, y + 2), "ink", width=2.5)
        canvas.text(x + 14, y, "measured", 11.5, "muted")
    return y


def _key(canvas: Canvas, x: float, y: float, name: str, colour: str) -> float:
    """One entry of a legend; returns where the next may stand."""
    canvas.rect(x, y - 9, 10, 10, colour, radius=2)
    canvas.text(x + 15, y, name, 11.5, "muted")
    return x + 31 + text_width(name, 11.5)


def _longest(chosen: list[Candidate], every: list[Candidate]) -> float:
    """The time that fills the width: one hopeless candidate must not make dots of those in use."""
    used = [one.seconds for one in chosen if one.seconds]
    times = [time for one in every for time in (one.measured, one.estimated) if time]
    longest = max(times, default=1.0)
    return min(longest, 4 * max(used)) if used else longest


def _draw_part(canvas: Canvas, y: float, part: Part, longest: float) -> float:
    """The heading and the bars of one part; returns where the next may begin."""
    y += 22
    canvas.text(0, y, part.title, 13, bold=True)
    canvas.text(text_width(part.title, 13) * 1.1 + 12, y, part.problem, _WHY, "muted")
    for place, candidate in enumerate(part.candidates):
        y += _ROW + 6
        mark = "✓ " if place == 0 else "   "
        canvas.text(0, y, clip_text(mark + candidate.name, 12, _NAMES - 8), 12, mono=True, bold=place == 0)
        cost = candidate.cost
        pieces = [(seconds, colour) for seconds, (_, colour) in zip(cost or (), _COST_PARTS)]
        if cost is None and candidate.measured is not None:
            pieces = [(candidate.measured, "rule")]
        end = _stacked(canvas, y - 11, pieces, longest)
        if cost is not None and candidate.measured is not None:
            at = _NAMES + _BAR * min(candidate.measured / longest, 1.0)
            canvas.line((at, y - 14), (at, y + 4), "ink", width=2.5)
            end = max(end, at)
        texts = [time_text(cost.total)] if cost else []
        texts += [f"measured {time_text(candidate.measured)}"] if candidate.measured is not None else []
        texts += [f"scratch {bytes_text(candidate.memory)}"] if candidate.memory is not None else []
        canvas.text(end + 6, y, ", ".join(texts), 11.5, "ink")
        y = _wrapped(canvas, y, candidate.why)
    for candidate in part.unfit:
        y += _ROW
        canvas.text(0, y, clip_text("   " + candidate.name, 12, _NAMES - 8), 12, "muted", mono=True)
        y = _wrapped(canvas, y - 14, candidate.why)
    return y


def _wrapped(canvas: Canvas, y: float, text: str) -> float:
    """Small text below a bar, broken at spaces; returns its last baseline."""
    line, room = "", _BAR + 230
    for word in text.split():
        if line and text_width(f"{line} {word}", _WHY) > room:
            y += 14
            canvas.text(_NAMES, y, line, _WHY, "muted")
            line = word
        else:
            line = f"{line} {word}".strip()
    canvas.text(_NAMES, y + 14, line, _WHY, "muted")
    return y + 14


def _stacked(canvas: Canvas, y: float, pieces: Sequence[tuple[float, str]], longest: float) -> float:
    """Pieces of a time side by side; a bar that is too long is cut off and broken. Returns its right end."""
    x, limit = _NAMES, _NAMES + _BAR
    for seconds, colour in pieces:
        width = min(_BAR * seconds / longest, limit - x)
        if width > 0:
            canvas.rect(x, y, max(width, 0.5), 13, colour)
            x += width
    if sum([seconds for seconds, _ in pieces]) > 1.001 * longest:
        for shift in (-14, -9):
            canvas.line((limit + shift, y + 15), (limit + shift + 4, y - 2), "paper", width=2)
    return x
