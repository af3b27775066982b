"""Networks: modules, layers, losses, functions over tensors and starting values."""

from __future__ import annotations

from . import (
    _reduction,
    attention,
    common_types,
    functional,
    fused,
    grad,
    init,
    modules,
    parallel,
    parameter,
    utils,
)
from .modules import *  # noqa: F403 - the list of layers stands once, in modules
from .parallel import DataParallel
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter, factory_kwargs

__all__ = [
    "Buffer", "DataParallel", "Parameter", "UninitializedBuffer", "UninitializedParameter",
    "_reduction", "attention", "common_types", "factory_kwargs", "functional", "fused", "grad", "init",
    "modules", "parallel", "parameter", "utils",
]  # fmt: skip
__all__ += modules.__all__
