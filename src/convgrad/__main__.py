"""The command line: ``python -m convgrad``, or ``convgrad``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from convgrad.tools import tour
from convgrad.version import RELEASE


def build_parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    parser = argparse.ArgumentParser(
        prog="convgrad",
        description="Convolution and automatic differentiation on the CPU, with PyTorch's interface.",
    )
    parser.add_argument("--version", action="version", version=f"convgrad {RELEASE}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    tour_parser = commands.add_parser("tour", help=tour.HELP, description=f"Convgrad's tour: {tour.HELP}.")
    tour.add_arguments(tour_parser)
    tour_parser.set_defaults(run=tour.run_command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the words after ``convgrad``; by default those of this process.
    Returns:
        The exit code: 0 all is well, 1 something does not hold, 2 a wrong call, 130 interrupted.
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if not hasattr(arguments, "run"):
        parser.print_help()
        return 0
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter is no reason to stop
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        print("\nconvgrad: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
