"""A program whose children save one of two checkpoints, to be killed or to end at a chosen call of the system.

Commands come as lines, ``loop PATH SIZE`` or ``call PATH SIZE NUMBER UNNAMED``; the first answers with the process
id of a child that saves without end, the second with the exit code of one that saved once.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import convgrad as torch
from convgrad.serialization import atomic


def content(number: int, size: int) -> dict[str, object]:
    return {
        "number": number,
        "x": torch.full((size,), float(number)),
        "y": torch.full((size // 3,), -float(number)),
    }


def loop(path: str, size: int) -> None:
    both = [content(1, size), content(2, size)]
    while True:
        for state in both:
            torch.save(state, path)


def end_at_call(last: int) -> None:
    """End this process without any farewell at the ``last``-th call; half of a write is still made."""
    calls = [0]
    for name in ("open", "write", "fsync", "link", "replace", "close", "fchmod"):
        real = getattr(os, name)

        def call(*args: Any, real: Any = real, name: str = name, **options: Any) -> Any:
            if calls[0] == last:
                if name == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                os._exit(9)
            calls[0] += 1
            return real(*args, **options)

        setattr(os, name, call)


def main() -> None:
    for line in sys.stdin:
        command, path, size, *rest = line.split()
        child = os.fork()
        if not child:
            if command == "loop":
                loop(path, int(size))
            if rest[1] == "False":
                atomic._O_TMPFILE = 0
            state = content(2, int(size))
            end_at_call(int(rest[0]))
            torch.save(state, path)
            os._exit(0)
        if command == "loop":
            print(child, flush=True)
        status = os.waitpid(child, 0)[1]
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
