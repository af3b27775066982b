"""What a checkpoint may use as a key of a dictionary or a member of a set.

Hashing is code that a file can aim: a tuple nested a million deep overflows the C stack, tuples that share
their halves take exponential time, and numbers can be chosen to have one hash. So keys are simple, shallow,
and paid for from the budget of the stream.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..device import device
from ..dtypes import dtype
from ..size import Size
from .errors import RefusedError
from .standin import StandIn

#: integers below hash to themselves; larger ones, floats and complex numbers can be made to collide
_LARGE = 1 << 60
#: how many keys of a file may be such numbers
ODD_KEYS = 1000
_DEPTH = 4
_PLAIN = frozenset((str, bytes, bool, type(None), dtype, device, StandIn))
_ODD = frozenset((float, complex, frozenset))


class Keys:
    """Checks the keys of one stream; ``charge`` takes the number of values looked at from its budget."""

    def __init__(self, charge: Callable[[int], None]) -> None:
        self._charge = charge
        self._odd = 0

    def check(self, key: Any, depth: int = 0) -> None:
        """Whether ``key`` may be hashed.

        Raises:
            RefusedError: it may not.
        """
        kind = type(key)
        if kind in _PLAIN or (kind is int and -_LARGE < key < _LARGE):
            return
        if kind is tuple or kind is Size or kind is frozenset:
            self._charge(len(key))
            if depth == _DEPTH:
                raise RefusedError(f"a key of a dictionary is nested more than {_DEPTH} deep")
            for item in key:
                self.check(item, depth + 1)
            return
        if kind is not int and kind not in _ODD and not isinstance(key, type):
            raise RefusedError(f"a {kind.__module__}.{kind.__qualname__} cannot be a key of a dictionary")
        self._odd += 1
        if self._odd > ODD_KEYS:
            raise RefusedError(f"more than {ODD_KEYS} keys are floats, complex or huge integers")
