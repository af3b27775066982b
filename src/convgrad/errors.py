"""The exceptions convgrad raises, and the one door through which optional packages come in.

Each class carries the type PyTorch raises in that situation (``RuntimeError`` for most) and the one
a Python programmer would expect, so that either ``except`` clause catches it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any


class ConvgradError(RuntimeError):
    """Base of all errors raised by convgrad; a RuntimeError, as in PyTorch."""


class ShapeError(ConvgradError, ValueError):
    """Shapes that do not fit together, with the shapes in the message."""


class DtypeError(ConvgradError, TypeError):
    """A dtype that an operator cannot work on, or two that do not go together."""


class GradError(ConvgradError):
    """Misuse of the autograd engine: no graph, freed graph, a saved value changed in place."""


class LinAlgError(ConvgradError):
    """A matrix without the factorisation that was asked for: singular, or not positive-definite."""


class DeviceError(ConvgradError, ValueError):
    """A device other than the CPU was asked for."""


class OutOfMemoryError(ConvgradError):
    """A GPU's memory is used up: for ``except`` clauses alone; of the CPU's ``MemoryError`` says so."""


class DimError(IndexError, ConvgradError):
    """A dimension number out of range: IndexError, as PyTorch raises."""


class RangeError(IndexError, ConvgradError):
    """An index outside the table it is an index of."""


class OutOfScopeError(ConvgradError, NotImplementedError):
    """A part of PyTorch that convgrad does not have and is not about to get, such as TorchScript."""


class MissingExtraError(ImportError):
    """An optional package is needed; the message says what to install."""


def optional(module: str, extra: str) -> ModuleType:
    """Import ``module`` on use; if it is missing say which extra of convgrad brings it.

    Args:
        module: dotted name of a third-party module, e.g. ``"scipy.sparse"``.
        extra: name of the extra in ``pyproject.toml`` that installs it.
    Raises:
        MissingExtraError: the module is not installed.
    Example:
        >>> optional("math", extra="none").pi > 3
        True
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtraError(
            f"{package} is needed for this and is not installed: pip install 'convgrad[{extra}]'"
        ) from error


def has(module: str) -> bool:
    """Whether an optional package can be imported (it is imported by this question)."""
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def absent(module: str, why: str) -> Callable[[str], Any]:
    """A module's ``__getattr__`` that names what is missing, and says why.

    Args:
        module: PyTorch's name of the module behind ``torch``, such as ``"jit"``.
        why: the reason, or what to do instead.
    Example:
        >>> absent("jit", "TorchScript is out of scope")("load")
        Traceback (most recent call last):
        AttributeError: module 'torch.jit' has no attribute 'load' in convgrad: TorchScript is out of scope
    """

    def missing(name: str) -> Any:
        raise AttributeError(
            f"module 'torch.{module}' has no attribute {name!r} in convgrad: {why}", name=name
        )

    return missing
