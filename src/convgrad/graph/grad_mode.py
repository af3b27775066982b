"""What is recorded right now: one small integer per thread and task, read once per operation.

A bit each: RECORD (reverse mode records a graph), DUAL (a forward-mode level or a vmap is open), INFERENCE,
WATCH (somebody is told of every recorded node). The hot path asks `MODE.get() == RECORD`, so that everything
unusual hides behind one comparison.
"""

from __future__ import annotations

import sys
import threading
from contextvars import ContextVar
from typing import Any

OFF, RECORD, DUAL, INFERENCE, WATCH = 0, 1, 2, 4, 8


class _ThreadMode(threading.local):
    """The mode where a new thread inherits its creator's context: there each thread starts recording."""

    value = RECORD

    def get(self) -> int:
        return self.value

    def set(self, mode: int) -> None:
        self.value = mode


# A ContextVar costs half of a thread-local and follows asyncio tasks; on builds where new threads
# inherit the context (free-threaded 3.14) it would carry no_grad into them (DESIGN.md, R12).
_inherits = bool(getattr(sys.flags, "thread_inherit_context", 0))
MODE: Any = _ThreadMode() if _inherits else ContextVar("convgrad.mode", default=RECORD)


def is_grad_enabled() -> bool:
    """Whether operations are being recorded in this thread."""
    return bool(MODE.get() & RECORD)


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside ``inference_mode``."""
    return bool(MODE.get() & INFERENCE)
