"""``Module`` and the hooks of all modules, under the path PyTorch has for them."""

from __future__ import annotations

from ..hooks import (
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from ..module import Module
from ..state import IncompatibleKeys as _IncompatibleKeys


def _addindent(s_: str, numSpaces: int) -> str:
    """All lines but the first moved to the right, for a ``__repr__``.

    Example:
        >>> _addindent("a\\nb", 2)
        'a\\n  b'
    """
    return s_.replace("\n", "\n" + " " * numSpaces)


__all__ = [
    "Module",
    "_IncompatibleKeys",
    "_addindent",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]
