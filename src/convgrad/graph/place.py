"""Where in the user's program something happens: the innermost frame that is not convgrad's own.

A place is remembered as (code object, offset in it), which costs a tenth of a microsecond; file and line are
worked out when a message is written.
"""

from __future__ import annotations

import linecache
import os
import sys
from types import CodeType, FrameType

Place = tuple[CodeType, int]

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_getframe = sys._getframe


def here() -> Place | None:
    """The place in the user's program that led to this call; None in a thread that has only our frames."""
    frame: FrameType | None = _getframe(1)
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith(_OURS):
            return code, frame.f_lasti
        frame = frame.f_back
    return None


def stack() -> list[Place]:
    """All places of the user's program on the way to this call, outermost first."""
    found: list[Place] = []
    frame: FrameType | None = _getframe(1)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_OURS):
            found.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return found[::-1]


def line_of(place: Place) -> int:
    """The line number of a place in its file."""
    code, offset = place
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= offset < end and number is not None:
            line = number
    return line


def show(place: Place | None) -> str:
    """A place as Python's tracebacks write it: ``File "f.py", line 3, in g``."""
    if place is None:
        return "an unknown place"
    return f'File "{place[0].co_filename}", line {line_of(place)}, in {place[0].co_name}'


def show_stack(places: list[Place]) -> str:
    """Several places, each with its line of source, as a traceback shows them."""
    out = []
    for place in places:
        out.append(f"  {show(place)}\n")
        text = linecache.getline(place[0].co_filename, line_of(place)).strip()
        if text:
            out.append(f"    {text}\n")
    return "".join(out)
