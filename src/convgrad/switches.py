"""What the user has switched on for the whole process, and who is to be told when that changes.

It stands below everything: the kernels read it, and the public names that set it lie far above them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


class Switches:
    """The switches; read them as attributes, change them with ``turn``.

    Attributes:
        strict: convolutions are computed as sums of the definition's products only.
        benchmark: the algorithms for a convolution are timed when its shape is first met.
        deterministic: nothing that is measured may have a say in how something is computed.
        matmul_precision: how exact products of float32 must be; all are as exact as can be.
        changes: how often a switch was turned; whoever prepares something can see that it has become old.
        lock: held while a switch changes, and by those who store what they have prepared.
    """

    __slots__ = (
        "_listeners", "benchmark", "changes", "deterministic", "lock", "matmul_precision", "strict",
    )  # fmt: skip

    def __init__(self) -> None:
        self.strict = False
        self.benchmark = False
        self.deterministic = False
        self.matmul_precision = "highest"
        self.changes = 0
        self.lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def turn(self, name: str, value: bool) -> None:
        """Set a switch, and tell everybody if that changed it."""
        with self.lock:
            if getattr(self, name) is value:
                return
            setattr(self, name, value)
            self.changes += 1
            for listener in self._listeners:
                listener()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener``, which must not take ``lock``, after every change."""
        self._listeners.append(listener)


switches = Switches()


def _unlock() -> None:
    """In a forked child: whoever held the lock is not there."""
    switches.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)
