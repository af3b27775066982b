"""``Module`` under the path at which PyTorch's programs look for it."""

from __future__ import annotations

from ..module import Module
from ..state import IncompatibleKeys as _IncompatibleKeys


def _addindent(s_: str, numSpaces: int) -> str:
    """All lines but the first moved to the right, for a ``__repr__``.

    Example:
        >>> _addindent("a\\nb", 2)
        'a\\n  b'
    """
    return s_.replace("\n", "\n" + " " * numSpaces)


__all__ = ["Module", "_IncompatibleKeys", "_addindent"]
