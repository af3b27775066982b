"""The tour as one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping

from convgrad.tools.page import Page
from convgrad.tools.tour.row import (
    PREAMBLE,
    Check,
    Drawn,
    Figures,
    Part,
    Prose,
    Result,
    Settings,
    Sound,
    Talk,
)

TITLE = "A tour of convgrad"
LEAD = (
    "Convolutions and automatic differentiation, row by row through the lecture: the code as it ran, what it "
    "printed, and what was checked by another route, on real sound and real digits."
)


def build_page(results: Mapping[str, Result], settings: Settings) -> Page:
    """The page with a summary, the preamble and a section for each row.

    Args:
        results: by row key, in order.
        settings: of the run; seed and length are named in the page.
    """
    page = Page(TITLE, LEAD)
    _summary(page, results, settings)
    for key, result in results.items():
        page.section(key, f"{key} · {result.spec.title}", result.spec.claim)
        for part in result.parts:
            _add(page, part, key)
        if result.error:
            page.check(f"{key}: the row ended early", False, result.error.splitlines()[-1])
        elif not result.checks:
            page.check(f"{key}: nothing was checked", False)
    return page


def _summary(page: Page, results: Mapping[str, Result], settings: Settings) -> None:
    kind = "the quick form, with fewer digits" if settings.quick else "the whole tour"
    page.section("summary", "At a glance", f"This is {kind}, with seed {settings.seed}.")
    rows = [
        (
            f"{key} · {result.spec.title}",
            "holds" if result.ok else "**FAILED**",
            sum(check.ok for check in result.checks),
            len(result.checks),
            f"{result.seconds:.1f} s",
        )
        for key, result in results.items()
    ]
    page.table(["row", "", "held", "checks", "time"], rows)
    page.prose(
        "The code below is what ran, statement by statement; a line that is an expression shows its value, "
        "as at Python's prompt. Each row starts afresh from these lines:"
    )
    page.code(PREAMBLE.format(seed=settings.seed).strip())


def _add(page: Page, part: Part, key: str) -> None:
    match part:
        case Prose(text):
            page.prose(text)
        case Talk(pairs):
            page.transcript(pairs)
        case Drawn(picture, caption):
            page.picture(picture, caption)
        case Sound(path, caption):
            page.audio(path.read_bytes(), caption)
        case Figures(header, rows):
            page.table(header, rows)
        case Check(name, ok, detail):
            page.check(f"{key}: {name}" if not ok else name, ok, detail)
