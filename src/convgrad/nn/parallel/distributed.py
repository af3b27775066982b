"""Data parallelism over processes, which needs a group of them."""

from __future__ import annotations

from typing import Any

from ..module import Module


class DistributedDataParallel(Module):
    """A module in every process, with gradients averaged over all; processes are not supported yet.

    Raises:
        ValueError: always, as PyTorch does before ``init_process_group``.
    """

    def __init__(self, module: Module, *args: Any, **kwargs: Any) -> None:
        raise ValueError(
            "Default process group has not been initialized, please make sure to call init_process_group. "
            "convgrad has no process groups: call the module itself"
        )


__all__ = ["DistributedDataParallel"]
