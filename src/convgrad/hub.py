"""``torch.hub``: its folder; convgrad does not download programs and run them, nor weights."""

from __future__ import annotations

import os
from typing import Any, NoReturn

from .errors import OutOfScopeError, absent

__all__ = ["download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url", "set_dir"]

_WHY = "torch.hub is out of convgrad's scope: download the file yourself, and load its state dict"
__getattr__ = absent("hub", _WHY)

_chosen: str | None = None


def get_dir() -> str:
    """The folder for downloaded models: ``$TORCH_HOME/hub``, or that of ``set_dir``."""
    home = os.environ.get("TORCH_HOME") or os.path.join(
        os.environ.get("XDG_CACHE_HOME", os.path.join("~", ".cache")), "torch"
    )
    return os.path.expanduser(_chosen if _chosen is not None else os.path.join(home, "hub"))


def set_dir(d: str | os.PathLike[str]) -> None:
    """Choose the folder for downloaded models."""
    global _chosen
    _chosen = os.fspath(d)


def _refuse(*args: Any, **kwargs: Any) -> NoReturn:
    """Always an error.

    Raises:
        OutOfScopeError: always.
    """
    raise OutOfScopeError(_WHY)


load = list = help = load_state_dict_from_url = download_url_to_file = _refuse
