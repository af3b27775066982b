"""A small writer of SVG: shapes and text on a canvas that grows to fit, one palette, one typographic look.

Colours are CSS variables, so that a picture follows the reader's light or dark mode; every rule also has
a plain colour before it, for programs that do not know variables. A picture carries its own style, uses no
``id`` (several may stand in one page), no script and nothing from outside.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path

SANS = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','DejaVu Sans',sans-serif"
MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"

# name: (light, dark). The six series colours stay apart for colour-blind readers (after Okabe & Ito, 2008).
PALETTE: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#14181f"),
    "panel": ("#f4f6f9", "#1d232d"),
    "ink": ("#1b2230", "#e6eaf0"),
    "muted": ("#5b6676", "#9aa6b6"),
    "rule": ("#c9d0da", "#3b4554"),
    "faint": ("#e7ebf0", "#262e3a"),
    "leaf": ("#e2f1e4", "#1c3a28"),
    "leafline": ("#3d8b4f", "#5fb878"),
    "op": ("#e6eef9", "#1d2f4a"),
    "opline": ("#3f6fb0", "#6d9fe0"),
    "root": ("#fdf0d8", "#44351a"),
    "rootline": ("#b57a10", "#e0ac4a"),
    "grad": ("#a3246f", "#f08cc4"),
    "pos": ("#b2182b", "#c9404c"),
    "neg": ("#2166ac", "#2f76b8"),
    "mark": ("#c77700", "#f0b040"),
    "good": ("#23793a", "#62c47d"),
    "bad": ("#b3261e", "#ff8a80"),
    "s0": ("#0b67b2", "#56a8ec"),
    "s1": ("#c24e00", "#f28a3c"),
    "s2": ("#007d5a", "#2fc79a"),
    "s3": ("#a03d80", "#e08cc4"),
    "s4": ("#8a6d00", "#e3c23a"),
    "s5": ("#4c5866", "#aab6c6"),
}
SERIES = 6


def palette_css(scope: str) -> str:
    """The palette as CSS variables on ``scope``: light, dark by preference, either by ``data-theme``."""
    light = "".join(f"--cg-{name}:{pair[0]};" for name, pair in PALETTE.items())
    dark = "".join(f"--cg-{name}:{pair[1]};" for name, pair in PALETTE.items())
    return (
        f"{scope}{{{light}color-scheme:light dark}}"
        f"@media(prefers-color-scheme:dark){{{scope}{{{dark}}}}}"
        f"[data-theme=light] {scope},{scope}[data-theme=light]{{{light}color-scheme:light}}"
        f"[data-theme=dark] {scope},{scope}[data-theme=dark]{{{dark}color-scheme:dark}}"
    )


def _picture_css() -> str:
    """The style every picture carries: ``f-NAME`` fills, ``l-NAME`` strokes, ``t-*`` for text."""
    colours = "".join(
        f".f-{name}{{fill:{pair[0]};fill:var(--cg-{name})}}"
        f".l-{name}{{stroke:{pair[0]};stroke:var(--cg-{name});fill:none}}"
        for name, pair in PALETTE.items()
    )
    # A box is filled and outlined at once; the outline's class must not take the fill away.
    both = "".join(f".f-{name}.b{{fill:{pair[0]};fill:var(--cg-{name})}}" for name, pair in PALETTE.items())
    rules = (
        f"text{{font-family:{SANS};white-space:pre}}"
        f".mono{{font-family:{MONO}}}.bold{{font-weight:600}}.ital{{font-style:italic}}"
        ".white{fill:#fff}.pix{image-rendering:pixelated}"
    )
    return ".cg{background:var(--cg-paper)}" + "".join(
        ".cg " + rule + "}" for rule in (colours + both + rules).split("}") if rule
    )


_STYLE = palette_css(".cg") + _picture_css()


def picture_style() -> str:
    """The style sheet inside every picture; a page with many pictures needs it once."""
    return _STYLE


_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def escape(text: object) -> str:
    """Text that is safe in SVG and HTML, between tags and inside quoted attributes.

    Characters that XML forbids (control characters, lone surrogates) become U+FFFD.

    Example:
        >>> escape('<b> & "c"')
        '&lt;b&gt; &amp; &quot;c&quot;'
    """
    plain = _FORBIDDEN.sub("\ufffd", str(text))
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace('"', "&quot;").replace("'", "&#39;")


def number(value: float) -> str:
    """A coordinate with at most two decimals.

    Raises:
        ValueError: the value is NaN or infinite; a drawing must not contain those.
    Example:
        >>> number(3.0), number(0.126), number(-0.001)
        ('3', '0.13', '0')
    """
    if not math.isfinite(value):
        raise ValueError(f"a coordinate must be finite, got {value}")
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


_NARROW = frozenset("iljI|.,:;'!`ftr()[]{}/\\ -\"")
_WIDE = frozenset("mwMWΣ@%—→←…∑")


def text_width(text: str, size: float, *, mono: bool = False) -> float:
    """About how wide ``text`` is in pixels; rather too wide than too narrow.

    Example:
        >>> round(text_width("1.25", 10, mono=True))
        24
    """
    units = 0.0
    for char in text:
        if unicodedata.combining(char):
            continue
        if unicodedata.east_asian_width(char) in "WF":
            units += 1.02
        elif mono:
            units += 0.61
        elif char in _NARROW:
            units += 0.38
        elif char in _WIDE:
            units += 0.95
        else:
            units += 0.69 if char.isupper() else 0.605
    return units * size


def clip_text(text: str, size: float, room: float, *, mono: bool = False) -> str:
    """``text``, shortened with an ellipsis in its middle if it is wider than ``room`` pixels."""
    if text_width(text, size, mono=mono) <= room:
        return text
    low, high = 0, len(text)
    while low < high:  # the most characters that still fit
        middle = (low + high + 1) // 2
        if text_width(_shortened(text, middle), size, mono=mono) <= room:
            low = middle
        else:
            high = middle - 1
    return _shortened(text, low)


def _shortened(text: str, keep: int) -> str:
    head = (keep + 1) // 2
    tail = keep - head
    return text[:head] + "…" + (text[-tail:] if tail else "")


class Picture:
    """A finished drawing: show it in a notebook, save it, or put its text into a page.

    Args:
        svg: the whole ``<svg>`` element.
        width: natural width in pixels.
        height: natural height in pixels.
        title: what a screen reader says.
    """

    __slots__ = ("height", "svg", "title", "width")

    def __init__(self, svg: str, width: float, height: float, title: str = "") -> None:
        self.svg = svg
        self.width = width
        self.height = height
        self.title = title

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x:auto">{self.svg}</div>'

    def __str__(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"Picture({self.title!r}, {number(self.width)} x {number(self.height)} pixels)"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture; a reader never sees half a file.

        Args:
            path: a name ending in ``.html`` gives a page that holds the picture, any other name an SVG file.
        Returns:
            The path written.
        """
        target = Path(path)
        if target.suffix.lower() in (".html", ".htm"):
            return write_atomically(target, self._page())
        return write_atomically(target, self.svg + "\n")

    def _page(self) -> str:
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{palette_css(':root')}"
            "body{margin:1rem;background:var(--cg-paper)}svg{max-width:100%;height:auto}</style></head>"
            f"<body>{self.svg}</body></html>\n"
        )


def write_atomically(path: Path, text: str) -> Path:
    """Write UTF-8 text beside ``path``, then move it into place: all of it or nothing."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # mkstemp makes private files; a picture is an ordinary one
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    return path


Point = tuple[float, float]


class Canvas:
    """Collects SVG elements and the room they take; ``picture()`` closes it.

    Colours are palette names. Nothing is ever cut off: the view box is the union of all that was drawn.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.parts: list[str] = []
        self.left = self.top = math.inf
        self.right = self.bottom = -math.inf

    def cover(self, x: float, y: float, width: float = 0.0, height: float = 0.0) -> None:
        """Make sure that this rectangle is inside the view box."""
        self.left, self.right = min(self.left, x), max(self.right, x + width)
        self.top, self.bottom = min(self.top, y), max(self.bottom, y + height)

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str = "",
        line: str = "",
        *,
        radius: float = 0.0,
        opacity: float = 1.0,
        stroke: float = 1.0,
        tip: str = "",
    ) -> None:
        """A rectangle; ``opacity`` is the fill's, ``tip`` what the pointer shows."""
        classes = [f"f-{fill}"] if fill else []
        if line:
            classes += ["b", f"l-{line}"] if fill else [f"l-{line}"]
        extra = f' rx="{number(radius)}"' if radius else ""
        extra += f' fill-opacity="{number(opacity)}"' if opacity < 1 else ""
        extra += f' stroke-width="{number(stroke)}"' if line and stroke != 1 else ""
        tail = f"><title>{escape(tip)}</title></rect>" if tip else "/>"
        self.parts.append(
            f'<rect class="{" ".join(classes)}" x="{number(x)}" y="{number(y)}"'
            f' width="{number(width)}" height="{number(height)}"{extra}{tail}'
        )
        self.cover(x, y, width, height)

    def line(
        self, start: Point, end: Point, colour: str = "rule", *, width: float = 1.0, dash: str = ""
    ) -> None:
        """A straight line."""
        extra = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<line class="l-{colour}" x1="{number(start[0])}" y1="{number(start[1])}"'
            f' x2="{number(end[0])}" y2="{number(end[1])}" stroke-width="{number(width)}"{extra}/>'
        )
        self.cover(
            min(start[0], end[0]), min(start[1], end[1]), abs(end[0] - start[0]), abs(end[1] - start[1])
        )

    def polyline(self, points: Sequence[Point], colour: str, *, width: float = 1.5, dash: str = "") -> None:
        """A line through points."""
        for point in points:
            self.cover(*point)
        steps = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        extra = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<polyline class="l-{colour}" points="{steps}" stroke-width="{number(width)}"'
            f' stroke-linejoin="round" stroke-linecap="round"{extra}/>'
        )

    def polygon(self, points: Sequence[Point], fill: str, *, opacity: float = 1.0) -> None:
        """A filled shape."""
        for point in points:
            self.cover(*point)
        steps = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        extra = f' fill-opacity="{number(opacity)}"' if opacity < 1 else ""
        self.parts.append(f'<polygon class="f-{fill}" points="{steps}"{extra}/>')

    def path(self, data: str, colour: str, *, width: float = 1.5, dash: str = "") -> None:
        """A path given as SVG path data; the caller covers its extent."""
        extra = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<path class="l-{colour}" d="{data}" stroke-width="{number(width)}"{extra}/>')

    def circle(self, x: float, y: float, radius: float, fill: str) -> None:
        """A filled disc."""
        self.parts.append(
            f'<circle class="f-{fill}" cx="{number(x)}" cy="{number(y)}" r="{number(radius)}"/>'
        )
        self.cover(x - radius, y - radius, 2 * radius, 2 * radius)

    def arrow_head(self, tip: Point, angle: float, colour: str, size: float = 8.0) -> None:
        """A triangle whose tip is at ``tip``, pointing along ``angle`` (radians, y downwards)."""
        corners = [tip]
        for side in (2.75, -2.75):
            corners.append((tip[0] + size * math.cos(angle + side), tip[1] + size * math.sin(angle + side)))
        self.polygon(corners, colour)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 13.0,
        fill: str = "ink",
        *,
        anchor: str = "start",
        mono: bool = False,
        bold: bool = False,
        turn: float = 0.0,
    ) -> None:
        """Text whose baseline starts (or has its middle or end) at (x, y); ``turn`` in degrees."""
        classes = ["white" if fill == "white" else f"f-{fill}"]
        classes += ["mono"] if mono else []
        classes += ["bold"] if bold else []
        extra = f' text-anchor="{anchor}"' if anchor != "start" else ""
        extra += f' transform="rotate({number(turn)} {number(x)} {number(y)})"' if turn else ""
        self.parts.append(
            f'<text class="{" ".join(classes)}" x="{number(x)}" y="{number(y)}"'
            f' font-size="{number(size)}"{extra}>{escape(text)}</text>'
        )
        width = text_width(text, size, mono=mono) * (1.06 if bold else 1.0)
        before = {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        if turn:
            self.cover(x - size, y - before, 2 * size, width)
        else:
            self.cover(x - before, y - 0.8 * size, width, 1.05 * size)

    def image(self, x: float, y: float, width: float, height: float, uri: str, *, tip: str = "") -> None:
        """A picture given as a ``data:`` URI, its pixels kept square."""
        self.parts.append(
            f'<image class="pix" x="{number(x)}" y="{number(y)}" width="{number(width)}"'
            f' height="{number(height)}" preserveAspectRatio="none" href="{uri}">'
            f"<title>{escape(tip)}</title></image>"
        )
        self.cover(x, y, width, height)

    def brace(self, start: Point, end: Point, label: str, *, size: float = 12.0, side: int = 1) -> None:
        """A measuring bracket between two points on one axis, labelled; ``side`` +1 is right or below."""
        (x0, y0), (x1, y1) = start, end
        tick = 5.0 * side
        if x0 == x1:
            shape = [(x0, y0), (x0 + tick, y0), (x1 + tick, y1), (x1, y1)]
            self.polyline(shape, "muted", width=1.2)
            anchor = "start" if side > 0 else "end"
            self.text(x0 + 2 * tick, (y0 + y1) / 2 + 0.35 * size, label, size, "muted", anchor=anchor)
            return
        shape = [(x0, y0), (x0, y0 + tick), (x1, y1 + tick), (x1, y1)]
        self.polyline(shape, "muted", width=1.2)
        baseline = y0 + tick + (size + 2 if side > 0 else -4)
        self.text((x0 + x1) / 2, baseline, label, size, "muted", anchor="middle")

    def picture(self, margin: float = 12.0) -> Picture:
        """Close the canvas."""
        if self.left > self.right:
            self.cover(0, 0, 10, 10)
        width, height = self.right - self.left + 2 * margin, self.bottom - self.top + 2 * margin
        box = " ".join(number(v) for v in (self.left - margin, self.top - margin, width, height))
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="cg" role="img" aria-label="{escape(self.title)}"'
            f' viewBox="{box}" width="{number(width)}" height="{number(height)}">'
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style>{''.join(self.parts)}</svg>"
        )
        return Picture(svg, width, height, self.title)
