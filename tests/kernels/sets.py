"""Instruction sets and threads, for tests of families of compiled kernels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from convgrad.kernels import machine

SETS: list[str] = [] if machine._native is None else machine._native.instruction_sets()


@contextmanager
def using(name: str) -> Iterator[None]:
    """Inside the block the compiled kernels run with this instruction set."""
    before = machine.instruction_set()
    machine._native.use_instruction_set(name)
    try:
        yield
    finally:
        machine._native.use_instruction_set(before)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Inside the block so many threads share a kernel's work."""
    before = machine._native.get_num_threads()
    machine._native.set_num_threads(count)
    try:
        yield
    finally:
        machine._native.set_num_threads(before)


def spoilt_memory(monkeypatch: Any, module: Any) -> None:
    """Let results of ``module`` begin as NaN, or as large numbers, so that what is not written shows."""

    def filled(shape: Any, dtype: Any) -> Any:
        dtype = np.dtype(dtype)
        return np.full(shape, np.nan if dtype.kind == "f" else np.iinfo(dtype).max, dtype)

    monkeypatch.setattr(module, "allocator", lambda shape, dtype: filled)
