"""``torch.distributed.optim``: a name that packages import to compare classes with."""

from __future__ import annotations

from typing import Any

from ..errors import OutOfScopeError, absent

__all__ = ["ZeroRedundancyOptimizer"]

__getattr__ = absent("distributed.optim", "training on several processes is not there yet")


class ZeroRedundancyOptimizer:
    """An optimiser whose state is spread over processes; for ``isinstance`` alone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise OutOfScopeError(
            "ZeroRedundancyOptimizer: training on several processes is not there yet; use torch.optim"
        )
