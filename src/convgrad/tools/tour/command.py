"""``convgrad tour``: run the rows, print them, write the page and the sounds, say what did not hold."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from convgrad.tools.tour.report import LEAD, TITLE, build_page
from convgrad.tools.tour.row import Result, Row, Settings, Spec, in_order, tally
from convgrad.tools.tour.screen import Screen
from convgrad.tools.tour.threads import one_blas_thread

HELP = "go through the lecture on real sound and real digits, check it, write tour.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``convgrad tour``."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder for tour.html and the WAV files; made if missing (default: here)",
    )
    parser.add_argument("--quick", action="store_true", help="train on fewer digits: a few seconds in all")
    parser.add_argument("--no-html", dest="html", action="store_false", help="write no page, only the sounds")
    parser.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="of everything random: 0 to 2**32 - 1 (default: 0)"
    )


def _seed(text: str) -> int:
    try:
        seed = int(text)
    except ValueError:
        seed = -1
    if not 0 <= seed < 1 << 32:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to 2**32 - 1, got {text!r}")
    return seed


def prepare_folder(path: Path) -> None:
    """Make sure that files can be written to ``path``, before any work is done.

    Raises:
        OSError: they cannot.
    """
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path):
        pass


def run_command(arguments: argparse.Namespace) -> int:
    """What the command line asks for; the exit code: 0 all rows hold, 1 some do not, 2 nothing was tried."""
    settings = Settings(arguments.out, arguments.quick, arguments.html, arguments.seed)
    try:
        prepare_folder(settings.out)
    except OSError as error:
        reason = error.strerror or error
        print(f"convgrad tour: cannot write to --out {settings.out}: {reason}", file=sys.stderr)
        return 2
    results = run_tour(settings, sys.stdout)
    return 0 if all(result.ok for result in results.values()) else 1


def run_tour(settings: Settings, stream: TextIO, rows: Sequence[Spec] | None = None) -> dict[str, Result]:
    """Run the rows one after the other; one that fails does not keep the others from running.

    Args:
        settings: what was asked for.
        stream: where it is printed.
        rows: which rows, by default all.
    Returns:
        The results by row key.
    """
    screen = Screen(stream)
    screen.heading("", TITLE)
    screen.prose(LEAD)
    start = time.perf_counter()
    results = {}
    with one_blas_thread():
        for spec in in_order() if rows is None else rows:
            results[spec.key] = run_row(spec, settings, screen)
    if settings.html:
        page = build_page(results, settings).save(settings.out / "tour.html")
        screen.gap()
        screen.note(f"page: {page}")
    _summary(results, screen, time.perf_counter() - start)
    return results


def run_row(spec: Spec, settings: Settings, screen: Screen) -> Result:
    """Run one row; an exception in it is part of the result."""
    screen.heading(spec.key, spec.title)
    screen.prose(spec.claim)
    start = time.perf_counter()
    parts, error = [], ""
    try:
        row = Row(spec.key, spec.title, settings, screen)
        parts = row.parts
        spec.function(row)
    except Exception as problem:
        error = _explain(problem)
        screen.error(error)
    return Result(spec, parts, time.perf_counter() - start, error)


def _explain(problem: Exception) -> str:
    """Where in the row it happened, and the message."""
    frames = [
        frame
        for frame in traceback.extract_tb(problem.__traceback__)
        if frame.filename.startswith("<L") or f"{Path(__file__).parent}" in frame.filename
    ]
    where = [f"in {frame.filename}, line {frame.lineno}: {frame.line}" for frame in frames[-1:]]
    return "\n".join([*where, "".join(traceback.format_exception_only(problem)).strip()])


def _summary(results: Mapping[str, Result], screen: Screen, seconds: float) -> None:
    screen.heading("", "Summary")
    for key, result in results.items():
        held = sum(check.ok for check in result.checks)
        detail = f"{held} of {len(result.checks)} checks, {result.seconds:.1f} s"
        screen.check(f"{key:<4} {result.spec.title}", result.ok, detail)
        for check in result.checks:
            if not check.ok:
                screen.note(f"          not: {check.name} ({check.detail})")
        if result.error:
            screen.note(f"          {result.error.splitlines()[-1]}")
    screen.line(f"\n{tally(results)}; {seconds:.0f} s")
