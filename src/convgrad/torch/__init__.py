"""convgrad in PyTorch's place: programs that say ``import torch`` run unchanged.

``python -m convgrad.torch script.py`` on the command line, ``%load_ext convgrad.torch`` in a notebook, or
``convgrad.torch.install()`` before the first ``import torch``. The modules are convgrad's own under other
names.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

import convgrad
from convgrad import version
from convgrad.errors import ConvgradError
from convgrad.torch import inherit
from convgrad.torch.finder import (
    ALIASES,
    VERSION,
    AliasFinder,
    GapFinder,
    announce_gaps,
    public_names,
    retract_gaps,
)
from convgrad.torch_version import TorchVersion

__all__ = ["install", "installed", "is_installed", "public_names", "uninstall"]

_finders: list[Any] = []


def _stand_ins() -> list[str]:
    """The loaded modules with the names of those convgrad stands in for."""
    return [name for name in sys.modules if name.partition(".")[0] in ALIASES]


def is_installed() -> bool:
    """Whether ``import torch`` gives convgrad."""
    return bool(_finders)


def install() -> None:
    """Let ``import torch``, ``torchvision`` and ``torchviz`` give convgrad's modules everywhere from now on.

    A second call does nothing. Modules that were imported before keep what they have.

    Raises:
        ConvgradError: PyTorch itself has been imported by this process.
    Example:
        >>> from convgrad.torch import install, uninstall
        >>> install()
        >>> import torch as imported
        >>> imported.__name__
        'convgrad'
        >>> uninstall()
    """
    if _finders:
        return
    loaded = sys.modules.get("torch")
    if loaded is not None:
        where = getattr(loaded, "__file__", None)
        raise ConvgradError(
            f"convgrad.torch.install: PyTorch {getattr(loaded, '__version__', '')} was imported already "
            f"({where}), and objects of two libraries do not mix: install convgrad before the first "
            "`import torch`, at the top of the program or by `python -m convgrad.torch script.py`"
        )
    for name in _stand_ins():  # torchvision without torch: nobody could use it
        del sys.modules[name]
    _finders.extend((AliasFinder(), GapFinder()))
    sys.meta_path.insert(0, _finders[0])
    sys.meta_path.append(_finders[1])
    inherit.pass_on(install)
    _say_version(TorchVersion(VERSION))
    announce_gaps(convgrad, "torch")
    for name, module in tuple(sys.modules.items()):
        parent, _, rest = name.partition(".")
        if parent == "convgrad" and rest in ("nn", "nn.functional", "optim", "autograd", "utils.data"):
            announce_gaps(module, f"torch.{rest}")


def uninstall() -> None:
    """Undo ``install``: ``import torch`` gives PyTorch again, or fails if there is none."""
    if not _finders:
        return
    for finder in _finders:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
    _finders.clear()
    for name in _stand_ins():
        del sys.modules[name]
    inherit.keep()
    retract_gaps()
    _say_version(version.RELEASE)


def _say_version(text: str) -> None:
    vars(convgrad)["__version__"] = text
    vars(version)["__version__"] = text


class installed:
    """A ``with`` block in which ``import torch`` gives convgrad; what was installed before it stays.

    Example:
        >>> from convgrad.torch import installed
        >>> with installed():
        ...     from torch.nn import Linear
        >>> Linear.__module__
        'convgrad.nn.modules.linear'
    """

    def __init__(self) -> None:
        self._before = False

    def __enter__(self) -> installed:
        self._before = is_installed()
        install()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._before:
            uninstall()


def load_ipython_extension(ipython: Any) -> None:
    """``%load_ext convgrad.torch``."""
    install()


def unload_ipython_extension(ipython: Any) -> None:
    """``%unload_ext convgrad.torch``."""
    uninstall()
