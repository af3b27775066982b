"""The guided tour: every row of the lecture on real data, shown, run and checked.

A row is a function in one of the modules here, registered under its number with :func:`~row.row`. It shows
code that is executed as shown, checks what it gives by an independent route (NumPy, loops, formulas by hand)
and adds pictures and sounds. :func:`run_tour` runs them; ``python -m convgrad tour`` is the way in.
"""

from __future__ import annotations

from convgrad.tools.tour import convolution, custom, digits, engine, layers, sound
from convgrad.tools.tour.command import HELP, add_arguments, run_command, run_row, run_tour
from convgrad.tools.tour.row import ROWS, Check, Result, Row, Settings, Spec

__all__ = [
    "HELP",
    "ROWS",
    "Check",
    "Result",
    "Row",
    "Settings",
    "Spec",
    "add_arguments",
    "run_command",
    "run_row",
    "run_tour",
]

CHAPTERS = (convolution, sound, layers, engine, custom, digits)
"""The modules with the rows, in the lecture's order; importing them fills ``ROWS``."""
