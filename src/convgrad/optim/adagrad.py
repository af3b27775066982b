"""Adagrad: steps divided by the size of all gradients so far."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor.tensor import Tensor
from . import recorded
from .algorithm import Joint, check_fused, check_lr, check_options, scalar


class Adagrad(Joint):
    """``p -= lr / (1 + (step - 1) lr_decay) * g / (sqrt(s) + eps)`` with the sum s of all g².

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        lr_decay: how quickly it falls with the number of steps.
        weight_decay: pull towards 0, added to the gradient.
        initial_accumulator_value: s before the first step.
        eps: added to the denominator.
        maximize: ascend.
        differentiable: record the step, to differentiate through it.
        foreach, fused: accepted; there is one way to compute a step here.
    Raises:
        ValueError: a negative option.
    Source: Duchi, Hazan & Singer 2011, JMLR 12.
    """

    _recorded = staticmethod(recorded.adagrad)

    def __init__(
        self, params: Any, lr: Any = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
        initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: bool | None = None, *,
        maximize: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_options(lr_decay=lr_decay, weight_decay=weight_decay,
                      initial_accumulator_value=initial_accumulator_value, eps=eps)  # fmt: skip
        defaults = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own; the sums of their squares start here."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        start = group["initial_accumulator_value"]
        for param in group["params"]:
            value = complex(start, start) if param.is_complex() else start
            total = np.full_like(param._data, value, order="C")
            self.state[param] = {"step": scalar(0.0), "sum": Tensor(total, None)}

    def share_memory(self) -> None:
        """Nothing to do: threads see the same state."""

    _kernel = "adagrad"

    def _options(self, group: dict[str, Any]) -> tuple[float, ...]:
        eps, decay = float(group["eps"]), float(group["weight_decay"])
        return float(group["lr"]), float(group["lr_decay"]), eps, decay

    def _kept(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("sum",)
