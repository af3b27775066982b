"""The tour on a terminal: plain text, and a little colour where a person is looking."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from collections.abc import Sequence
from typing import TextIO

_BOLD, _DIM, _GREEN, _RED, _CYAN, _OFF = "\33[1m", "\33[2m", "\33[32m", "\33[31m", "\33[36m", "\33[0m"


class Screen:
    """Writes headings, prose, prompts, checks and tables to a stream.

    Args:
        stream: where to; colours are used if it is a terminal and NO_COLOR is not set.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colour = stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._width = min(100, shutil.get_terminal_size((96, 24)).columns) if stream.isatty() else 96
        self._tail = "\n\n"  # the last characters written: tells where an empty line is wanted

    def raw(self, text: str) -> None:
        """Text as it is; the lines of a prompt are coloured."""
        if not text:
            return
        self._tail = (self._tail + text)[-2:]
        if self._colour and text.startswith((">>>", "...")):
            text = re.sub(r"(?m)^(>>>|\.\.\.)( ?)(.*)$", rf"{_DIM}\1{_OFF}\2{_CYAN}\3{_OFF}", text)
        self._stream.write(text)
        self._stream.flush()

    def gap(self) -> None:
        """One empty line, if there is none yet."""
        self.raw("\n" * (2 - (len(self._tail) - len(self._tail.rstrip("\n")))))

    def line(self, text: str, *styles: str) -> None:
        """A line in these styles."""
        self.raw(f"{''.join(styles)}{text}{_OFF}\n" if self._colour and styles else f"{text}\n")

    def heading(self, key: str, title: str) -> None:
        """A row begins."""
        self.gap()
        text = f"{key}  {title}" if key else title
        self.line(text, _BOLD)
        self.line("=" * len(text), _BOLD)

    def prose(self, text: str) -> None:
        """A paragraph, broken into lines."""
        self.gap()
        plain = re.sub(r"\*\*(.+?)\*\*", r"\1", text)
        for line in textwrap.wrap(plain, self._width, break_long_words=False, break_on_hyphens=False):
            self.line(line)
        self.gap()

    def note(self, text: str) -> None:
        """Something on the side."""
        self.line(f"  {text}", _DIM)

    def check(self, name: str, ok: bool, detail: str = "") -> None:
        """A check and how it came out."""
        word = "ok    " if ok else "FAILED"
        if self._colour:
            word = f"{_GREEN if ok else _RED}{_BOLD}{word}{_OFF}"
        more = f" ({detail})" if detail else ""
        self.raw(f"  {word}  {name.replace('`', '')}{more}\n")

    def error(self, text: str) -> None:
        """An exception that ended a row."""
        self.gap()
        for line in text.splitlines():
            self.line(f"  {line}", _RED)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Columns, the first set left, the others right."""
        self.gap()
        cells = [[str(cell).replace("`", "") for cell in row] for row in (header, *rows)]
        widths = [max(len(row[c]) for row in cells) for c in range(len(header))]
        for place, row in enumerate(cells):
            parts = [row[0].ljust(widths[0])]
            parts += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            self.line("  " + "  ".join(parts).rstrip(), *([_BOLD] if place == 0 else []))
        self.gap()
