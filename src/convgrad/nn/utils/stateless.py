"""The old place of ``func.functional_call``."""

from __future__ import annotations

import warnings
from typing import Any

from ...func.functional_call import functional_call as call
from ...tensor.tensor import Tensor
from ..module import Module


def functional_call(
    module: Module, parameters_and_buffers: dict[str, Tensor], args: Any = None,
    kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True, strict: bool = False,
) -> Any:  # fmt: skip
    """``func.functional_call`` with one dictionary; deprecated in its favour.

    Args:
        module: whose parameters and buffers are replaced during the call.
        parameters_and_buffers: names to tensors.
        args: one argument, or a tuple of them.
        kwargs: the named arguments.
        tie_weights: a tensor given for one of several names of a parameter stands for all.
        strict: all names must be given, and no others.
    """
    warnings.warn(
        "`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and will be removed in a "
        "future version of PyTorch. Please use `torch.func.functional_call` instead which is a drop-in "
        "replacement.",
        FutureWarning,
        stacklevel=2,
    )
    return call(module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict)


__all__ = ["functional_call"]
