"""How far a loop is: a bar where a person is looking and tqdm is installed, else one line at its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from convgrad.errors import has, optional

T = TypeVar("T")


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Go through ``items`` and tell standard error how far it is.

    Args:
        items: what to loop over.
        label: what is being done.
        total: how many there are, if ``items`` cannot say.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty() and has("tqdm"):
        bar = optional("tqdm", extra="data").tqdm
        yield from bar(items, desc=label, total=total, leave=False, file=sys.stderr)
        return
    start, count = time.perf_counter(), 0
    for item in items:
        count += 1
        yield item
    print(f"{label}: {count} batches in {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
