"""``TorchVersion``: a version that is a string and compares as versions do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_FORM = re.compile(r"v?(?P<release>\d+(?:\.\d+)*)(?P<early>[._-]?(?:a|b|rc|dev|alpha|beta)\d*)?")


def release(version: Any) -> tuple[tuple[int, ...], bool]:
    """The numbers of a version without trailing zeros, and whether it is final; a local label does not count.

    Args:
        version: a string, a sequence of numbers, or anything whose text is a version.
    Raises:
        ValueError: no version.
    Example:
        >>> release("2.13.0+convgrad"), release((2, 0)), release("1.8.0rc1")
        (((2, 13), True), ((2,), True), ((1, 8), False))
    """
    if isinstance(version, Iterable) and not isinstance(version, str):
        version = ".".join([str(part) for part in version])
    found = _FORM.match(str(version).strip())
    if found is None:
        raise ValueError(f"Invalid version: '{version}'")
    numbers = [int(part) for part in found["release"].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers), found["early"] is None


class TorchVersion(str):
    """A version string: ``>=`` and the like compare numbers, with strings, tuples and ``packaging`` versions.

    The local label (behind ``+``) and the number of a pre-release do not count. What is no version at all is
    compared as text.

    Example:
        >>> v = TorchVersion("2.13.0+convgrad")
        >>> v > "2.9", v >= (2, 13), v == "2.13.0", v.startswith("2.")
        (True, True, True, True)
    """

    __slots__ = ()

    def _order(self, other: Any) -> int:
        try:
            a, b = release(str(self)), release(other)
        except ValueError:
            mine, text = str(self), str(other)
            return (mine > text) - (mine < text)
        return (a > b) - (a < b)

    def __lt__(self, other: Any) -> bool:
        return self._order(other) < 0

    def __le__(self, other: Any) -> bool:
        return self._order(other) <= 0

    def __gt__(self, other: Any) -> bool:
        return self._order(other) > 0

    def __ge__(self, other: Any) -> bool:
        return self._order(other) >= 0

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other) is True or self._order(other) == 0

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__
