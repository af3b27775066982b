"""SparseAdam: Adam for gradients of a sparse layout, which there are none of here."""

from __future__ import annotations

from typing import Any

from ..errors import ConvgradError
from ..tensor.tensor import Tensor
from .algorithm import Algorithm, check_betas


class SparseAdam(Algorithm):
    """Adam that touches only the rows a sparse gradient has. Every gradient here is dense, so a step refuses.

    Args:
        params: real parameters or groups of them.
        lr: learning rate, above 0.
        betas: how much of the old means is kept.
        eps: added to the denominator, above 0.
        maximize: ascend.
    Raises:
        ValueError: an option out of its range, or complex parameters.
        ConvgradError: on ``step()``, if there is a gradient; ``Adam`` takes it.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:  # fmt: skip
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not float(lr) > 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        found = [
            [i, j]
            for i, group in enumerate(self.param_groups)
            for j, param in enumerate(group["params"])
            if param.is_complex()
        ]
        if found:
            raise ValueError(
                f"Complex params at indices {found}: SparseAdam does not support complex parameters"
            )

    def _update(self, group: dict[str, Any]) -> None:
        if any([p.grad is not None for p in group["params"]]):
            raise ConvgradError("SparseAdam does not support dense gradients, please consider Adam instead")
