"""DLPack capsules of bfloat16: NumPy's protocol does not know the type, so its bits travel as int16.

The structures are those of DLPack's header, versions 0 and 1 (github.com/dmlc/dlpack).
"""

from __future__ import annotations

import ctypes
from typing import Any

_INT, _BFLOAT = 0, 4  # codes of element types


class _Described(ctypes.Structure):
    """The beginning of ``DLTensor``."""

    _fields_ = [
        ("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
    ]  # fmt: skip


class _Versioned(ctypes.Structure):
    """What ``DLManagedTensorVersioned`` has before its tensor, and the tensor."""

    _fields_ = [
        ("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("tensor", _Described),
    ]  # fmt: skip


_name = ctypes.pythonapi.PyCapsule_GetName
_name.restype, _name.argtypes = ctypes.c_char_p, [ctypes.py_object]
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


def is_capsule(value: Any) -> bool:
    """Whether an object is a capsule rather than an array."""
    return type(value).__name__ == "PyCapsule"


def _described(capsule: Any) -> _Described:
    """The description inside of a capsule.

    Raises:
        RuntimeError: it is no DLPack capsule, or has been used up.
    """
    name = _name(capsule)
    if name == b"dltensor":
        return _Described.from_address(_pointer(capsule, name))
    if name == b"dltensor_versioned":
        found: _Described = _Versioned.from_address(_pointer(capsule, name)).tensor
        return found
    raise RuntimeError(
        "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so "
        "you might have already constructed a tensor from it once."
    )


def as_bfloat16(capsule: Any) -> Any:
    """The capsule, which now says that its 16-bit integers are bfloat16."""
    _described(capsule).code = _BFLOAT
    return capsule


def as_integers(capsule: Any) -> bool:
    """Whether a capsule holds bfloat16; if so it now says that they are int16."""
    found = _described(capsule)
    if found.code != _BFLOAT or found.bits != 16:
        return False
    found.code = _INT
    return True


def says_whether_writable(capsule: Any) -> bool:
    """Whether a capsule has a flag for read-only memory; the old form has none, and NumPy then assumes it."""
    return _name(capsule) == b"dltensor_versioned"


class Writable:
    """The memory of an array, to be written to through NumPy's array interface."""

    def __init__(self, array: Any) -> None:
        self._array = array  # keeps the memory
        interface = array.__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], False)}


class Carrier:
    """Hands a capsule to NumPy, which takes objects with the protocol alone."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0
