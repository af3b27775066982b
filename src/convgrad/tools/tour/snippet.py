"""Source that is shown is source that is run, statement by statement, with what each prints."""

from __future__ import annotations

import ast
import contextlib
import io
import linecache
import textwrap
from collections.abc import Callable, Iterator
from typing import Any


class Snippet:
    """A piece of Python, dedented, with a file name under which tracebacks find its lines.

    Args:
        source: the text; common indentation and empty lines around it are dropped.
        name: shown in tracebacks.
    """

    def __init__(self, source: str, name: str) -> None:
        self.source = textwrap.dedent(source).strip("\n")
        self.name = f"<{name}>"
        lines = [line + "\n" for line in self.source.split("\n")]
        linecache.cache[self.name] = (len(self.source), None, lines, self.name)

    def statements(self) -> Iterator[tuple[str, ast.stmt]]:
        """Every top-level statement with its lines, and the comments that stand before it."""
        lines = self.source.split("\n")
        body = ast.parse(self.source, self.name).body
        start = 0
        for place, statement in enumerate(body):
            end = statement.end_lineno or start + 1
            if place == len(body) - 1:
                end = len(lines)
            yield "\n".join(lines[start:end]), statement
            start = end

    def run(self, names: dict[str, Any], show: Callable[[str], object] = len) -> Iterator[str]:
        """Execute the statements in ``names``; as at Python's prompt an expression shows its value.

        Args:
            names: the namespace.
            show: is handed each statement's lines before it runs, and what it prints as it prints it.
        Yields:
            For each statement what it printed.
        """
        for shown, statement in self.statements():
            show(prompted(shown))
            heard = _Ear(show)
            with contextlib.redirect_stdout(heard):
                if isinstance(statement, ast.Expr):
                    value = eval(compile(ast.Expression(statement.value), self.name, "eval"), names)
                    if value is not None:
                        print(repr(value))
                else:
                    exec(compile(ast.Module([statement], []), self.name, "exec"), names)
            yield heard.getvalue()

    def transcript(self, names: dict[str, Any], show: Callable[[str], object] = len) -> list[tuple[str, str]]:
        """Run everything; (source, output) pairs, where statements that print nothing join the next."""
        pairs: list[tuple[str, str]] = []
        waiting: list[str] = []
        sources = [shown for shown, _ in self.statements()]
        for shown, output in zip(sources, self.run(names, show), strict=True):
            waiting.append(shown)
            if output:
                pairs.append(("\n".join(waiting), output))
                waiting = []
        if waiting:
            pairs.append(("\n".join(waiting), ""))
        return pairs


class _Ear(io.StringIO):
    """Keeps what is printed and passes it on at once, so that long work can be watched."""

    def __init__(self, show: Callable[[str], object]) -> None:
        super().__init__()
        self._show = show

    def write(self, text: str) -> int:
        self._show(text)
        return super().write(text)


def prompted(source: str) -> str:
    """The lines of one statement as they look at Python's prompt.

    Example:
        >>> prompted("x = 1").split()
        ['>>>', 'x', '=', '1']
    """
    out, inside = [], False
    for line in source.split("\n"):
        out.append(f"{'...' if inside else '>>>'} {line}".rstrip() + "\n")
        inside = inside or bool(line.strip() and not line.startswith("#"))
    return "".join(out)
