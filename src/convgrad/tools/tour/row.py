"""One row of the lecture: what it says, code run as shown, checks by another route, pictures, sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from convgrad.tools.svg import Picture
from convgrad.tools.tour.screen import Screen
from convgrad.tools.tour.snippet import Snippet
from convgrad.tools.values import as_array, shape_text, show

PREAMBLE = """
import numpy as np
import convgrad as torch
from convgrad import nn
from convgrad.nn import functional as F
torch.manual_seed({seed})
"""
"""What every row starts from, in a namespace of its own."""


class Settings(NamedTuple):
    """How the tour is to run.

    Args:
        out: folder for the page and the sounds.
        quick: train on fewer digits.
        html: write the page.
        seed: of everything random.
    """

    out: Path = Path()
    quick: bool = False
    html: bool = True
    seed: int = 0


class Prose(NamedTuple):
    """A paragraph."""

    text: str


class Talk(NamedTuple):
    """Code with what it printed: (source, output) pairs."""

    pairs: list[tuple[str, str]]


class Drawn(NamedTuple):
    """A picture for the page."""

    picture: Picture
    caption: str


class Sound(NamedTuple):
    """A WAV file that can be heard in the page."""

    path: Path
    caption: str


class Figures(NamedTuple):
    """A table."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]


class Check(NamedTuple):
    """Something that was verified."""

    name: str
    ok: bool
    detail: str = ""


Part = Prose | Talk | Drawn | Sound | Figures | Check


class Row:
    """What a row's function writes into; everything goes to the screen at once and is kept for the page.

    Args:
        key: "L1" to "L14".
        title: heading.
        settings: of this run.
        screen: where it is printed.
    """

    def __init__(self, key: str, title: str, settings: Settings, screen: Screen) -> None:
        self.key = key
        self.title = title
        self.settings = settings
        self.screen = screen
        self.parts: list[Part] = []
        self.names: dict[str, Any] = {"__name__": f"tour_{key}"}
        self._snippets = 0
        preamble = PREAMBLE.format(seed=settings.seed)
        Snippet(preamble, f"{key} preamble").transcript(self.names)

    def __getitem__(self, name: str) -> Any:
        """A variable of the code that was run."""
        return self.names[name]

    @property
    def checks(self) -> list[Check]:
        """All that was verified so far."""
        return [part for part in self.parts if isinstance(part, Check)]

    @property
    def talks(self) -> list[Talk]:
        """All code that was run, with its output."""
        return [part for part in self.parts if isinstance(part, Talk)]

    def say(self, text: str) -> None:
        """A paragraph; `code` in backticks is understood."""
        text = " ".join(text.split())
        self.parts.append(Prose(text))
        self.screen.prose(text)

    def run(self, source: str) -> None:
        """Show code, run it, show what it prints; it sees what the row's code before it defined."""
        self._snippets += 1
        snippet = Snippet(source, f"{self.key}.{self._snippets}")
        self.screen.gap()
        self.parts.append(Talk(snippet.transcript(self.names, self.screen.raw)))
        self.screen.gap()

    def picture(self, picture: Picture, caption: str) -> None:
        """A picture; the terminal names it."""
        self.parts.append(Drawn(picture, caption))
        if self.settings.html:
            self.screen.note(f"picture in the page: {picture.title}")

    def sound(self, path: Path, caption: str) -> None:
        """A sound that was written."""
        self.parts.append(Sound(path, caption))
        self.screen.note(f"sound: {path}")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table."""
        self.parts.append(Figures(header, rows))
        self.screen.table(header, rows)

    def holds(self, name: str, ok: Any, detail: str = "") -> None:
        """Record a check."""
        check = Check(name, bool(ok), detail)
        self.parts.append(check)
        self.screen.check(*check)

    def complete(self, name: str, missing: Sequence[object]) -> None:
        """Record a check that nothing is missing."""
        shown = ", ".join(str(thing) for thing in missing[:3])
        self.holds(name, not missing, f"{len(missing)} missing: {shown}" if missing else "")

    def check(self, name: str, got: Any, want: Any, *, rel: float = 0.0) -> None:
        """Record whether ``got`` is ``want``.

        Args:
            name: what is claimed.
            got: what convgrad gave: a tensor, array, number, text or sequence.
            want: the same by an independent route.
            rel: how far they may differ, as a part of the largest magnitude in ``want``; 0 for not at all.
        """
        self.holds(name, *compare(got, want, rel))


def compare(got: Any, want: Any, rel: float = 0.0) -> tuple[bool, str]:
    """(whether two values agree, one line that says so); see :meth:`Row.check`.

    Example:
        >>> compare([1.0, 2.0], [1.0, 2.5])
        (False, 'largest difference 0.5, allowed none')
    """
    if isinstance(want, (str, bool, type(None))) or (isinstance(want, tuple) and rel == 0):
        same = bool(tuple(got) == want if isinstance(want, tuple) else got == want)
        lines = str(got).count("\n") + 1
        agreed = str(got) if lines == 1 else f"{lines} lines, exactly"
        return same, agreed if same else f"got {got!r}, expected {want!r}"
    ours, theirs = as_array(got), as_array(want)
    if ours.shape != theirs.shape:
        return False, f"got shape {shape_text(ours.shape)}, expected {shape_text(theirs.shape)}"
    if theirs.size == 0:
        return True, "empty, as expected"
    distance = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    worst = float(distance.max())
    allowed = rel * max(float(np.abs(theirs).max()), 1e-30)
    ok = bool(worst <= allowed)  # False for nan
    if ok and worst == 0:
        return True, show(theirs.item()) if theirs.size == 1 else f"{theirs.size:,} numbers, exactly"
    single = theirs.size == 1
    detail = f"difference {show(worst, 2)}" if single else f"{theirs.size:,} numbers to {show(worst, 2)}"
    if ok:
        return True, detail
    allowed_text = f"at most {show(allowed, 2)}" if rel else "none"
    got_text = f"; got {show(ours.item())} for {show(theirs.item())}" if single else ""
    return (
        False,
        f"largest {detail if single else f'difference {show(worst, 2)}'}, allowed {allowed_text}{got_text}",
    )


class Spec(NamedTuple):
    """A row as the registry knows it."""

    key: str
    title: str
    claim: str
    function: Callable[[Row], None]


ROWS: dict[str, Spec] = {}
"""The rows by their number; importing :mod:`convgrad.tools.tour` fills it."""


def in_order() -> list[Spec]:
    """The rows as the lecture has them."""
    return sorted(ROWS.values(), key=lambda spec: int(spec.key[1:]))


def row(key: str, title: str, claim: str) -> Callable[[Callable[[Row], None]], Callable[[Row], None]]:
    """Register a function as the row ``key`` of the lecture.

    Args:
        key: "L1" to "L14".
        title: heading.
        claim: what the lecture says, in a sentence or two.
    """

    def register(function: Callable[[Row], None]) -> Callable[[Row], None]:
        if key in ROWS:
            raise ValueError(f"tour: row {key} is registered twice")
        ROWS[key] = Spec(key, title, claim, function)
        return function

    return register


class Result(NamedTuple):
    """How a row went."""

    spec: Spec
    parts: Sequence[Part]
    seconds: float
    error: str = ""

    @property
    def checks(self) -> list[Check]:
        return [part for part in self.parts if isinstance(part, Check)]

    @property
    def ok(self) -> bool:
        """No error, and at least one check, all of which hold."""
        return not self.error and bool(self.checks) and all(check.ok for check in self.checks)


def tally(results: Mapping[str, Result]) -> str:
    """One line: how many rows hold and which do not."""
    failed = [key for key, result in results.items() if not result.ok]
    text = f"{len(results) - len(failed)} of {len(results)} rows hold"
    return f"{text}; FAILED: {', '.join(failed)}" if failed else text
