"""Data parallelism over the devices of one machine; there is one here, the CPU."""

from __future__ import annotations

from typing import Any

from ..module import Module


class DataParallel(Module):
    """Calls its module: without several devices there is nothing to divide.

    Args:
        module: any module; its state stands under "module.".
        device_ids, output_device, dim: accepted, so that programs for several devices run.
    Example:
        >>> DataParallel(Linear(2, 3))(ones(4, 2)).shape
        torch.Size([4, 3])
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[Any] = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module gives for these arguments."""
        return self.module(*inputs, **kwargs)


def data_parallel(
    module: Module, inputs: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0,
    module_kwargs: Any = None,
) -> Any:  # fmt: skip
    """Call ``module`` on ``inputs``, one value or a tuple of arguments; the rest as for ``DataParallel``."""
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*arguments, **(module_kwargs or {}))


__all__ = ["DataParallel", "data_parallel"]
