"""Networks: modules, layers, losses, functions over tensors and starting values."""

from __future__ import annotations

from . import attention, functional, init, modules, utils
from .module import Module
from .modules import *  # noqa: F403 - the list of layers stands once, in modules
from .parameter import Buffer, Parameter

__all__ = ["Buffer", "Module", "Parameter", "attention", "functional", "init", "modules", "utils"]
__all__ += modules.__all__
