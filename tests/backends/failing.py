"""Memory that is not to be had: the n-th array of NumPy, or the n-th block or scratch of the compiled kernels.

NumPy takes the memory of arrays from a handler that can be set for a context (NEP 49). The one here counts
what is asked for and refuses one request; everything else is NumPy's own handler, so that arrays outlive it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from convgrad.kernels.machine import _native

_SIZE, _POINTER = ctypes.c_size_t, ctypes.c_void_p
#: signatures of malloc, calloc and realloc
_SIGNATURES = (
    (_POINTER, _POINTER, _SIZE),
    (_POINTER, _POINTER, _SIZE, _SIZE),
    (_POINTER, _POINTER, _POINTER, _SIZE),
)

#: places in NumPy's table of functions for C; they never change
_SET_HANDLER, _GET_HANDLER = 304, 305


class _Handler(ctypes.Structure):
    """``PyDataMem_Handler``."""

    _fields_ = [
        ("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("ctx", _POINTER), ("malloc", _POINTER),
        ("calloc", _POINTER), ("realloc", _POINTER), ("free", _POINTER),
    ]  # fmt: skip


class Requests:
    """Counts requests; the one with number ``fails`` is refused, if at least that many bytes are wanted."""

    def __init__(self, fails: int = 0, least: int = 0) -> None:
        self.count, self.fails, self.least = 0, fails, least

    def refuse(self, size: int) -> bool:
        """Whether a request of that size is refused."""
        if size < self.least:
            return False
        self.count += 1
        return self.count == self.fails


_now = Requests()


def _function(number: int, result: Any, *arguments: Any) -> Callable[..., Any]:
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = _POINTER, [ctypes.py_object, ctypes.c_char_p]
    api = ctypes.cast(pointer(np._core._multiarray_umath._ARRAY_API, None), ctypes.POINTER(_POINTER))  # type: ignore[attr-defined]
    return ctypes.PYFUNCTYPE(result, *arguments)(api[number])


def _counting() -> tuple[Any, ...]:
    """A capsule with the handler, and what must live as long as it."""
    usual: Any = _function(_GET_HANDLER, ctypes.py_object)()
    pointer: Any = ctypes.pythonapi.PyCapsule_GetPointer
    handler = _Handler.from_buffer_copy(
        ctypes.cast(pointer(usual, b"mem_handler"), ctypes.POINTER(_Handler)).contents
    )
    context, places = handler.ctx, (handler.malloc, handler.calloc, handler.realloc)
    # NumPy's functions expect Python's lock, which PYFUNCTYPE keeps.
    malloc, calloc, realloc = [ctypes.PYFUNCTYPE(*s)(place) for s, place in zip(_SIGNATURES, places)]

    def refuse(size: int) -> bool:
        """Once is enough: NumPy asks on while the exception is on its way, when no Python may run."""
        refused = _now.refuse(size)
        if refused:
            handler.malloc, handler.calloc, handler.realloc = places
        return refused

    counting = (
        lambda _, size: None if refuse(size) else malloc(context, size),
        lambda _, count, size: None if refuse(count * size) else calloc(context, count, size),
        lambda _, old, size: None if refuse(size) else realloc(context, old, size),
    )
    kept = tuple([ctypes.CFUNCTYPE(*s)(function) for s, function in zip(_SIGNATURES, counting)])
    # Arrays are freed by NumPy itself, for the same reason.
    handler.name = b"counting"
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [_POINTER, ctypes.c_char_p, _POINTER]
    return new(ctypes.addressof(handler), b"mem_handler", None), handler, kept


def _arm() -> None:
    _, handler, kept = _HANDLER
    handler.malloc, handler.calloc, handler.realloc = (ctypes.cast(f, _POINTER).value for f in kept)


_HANDLER = _counting()
_set_handler: Any = _function(_SET_HANDLER, ctypes.py_object, ctypes.py_object)


@contextmanager
def arrays(requests: Requests) -> Iterator[None]:
    """NumPy asks ``requests`` for the memory of each array."""
    global _now
    _now = requests
    _arm()
    usual = _set_handler(_HANDLER[0])
    try:
        yield
    finally:
        _set_handler(usual)
        _now = Requests()


@contextmanager
def kernels(requests: Requests) -> Iterator[None]:
    """The compiled kernels fail at the request for a block or for scratch that ``requests`` names.

    They count for themselves: ``requests.count`` is known afterwards, up to the one that failed.
    """
    _native.fail_request(requests.fails)
    try:
        yield
    finally:
        left = _native.fail_request(0)
        requests.count = requests.fails - left


__all__ = ["Requests", "arrays", "kernels"]
