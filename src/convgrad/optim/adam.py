"""Adam: steps scaled by running estimates of the gradient's mean and square."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..tensor.tensor import Tensor
from . import recorded
from .algorithm import (
    Algorithm,
    advance,
    check_betas,
    check_fused,
    check_lr,
    check_options,
    decayed,
    divide_into,
    mean_into,
    scalar,
    scratch,
    square_into,
    zeros,
)


class Adam(Algorithm):
    """``p -= lr * m / (sqrt(v) + eps)`` with bias-corrected running means m of g and v of g².

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        betas: how much of the old m and v is kept in each step.
        eps: added to the denominator.
        weight_decay: pull towards 0, added to the gradient.
        amsgrad: use the largest v so far (Reddi et al. 2018).
        maximize: ascend.
        differentiable: record the step, to differentiate through it.
        decoupled_weight_decay: shrink the parameter instead of adding to the gradient: AdamW.
        foreach, capturable, fused: accepted; there is one way to compute a step here.
    Raises:
        ValueError: a negative option, or betas outside [0, 1).
    Source: Kingma & Ba 2014, arXiv:1412.6980.
    """

    _recorded = staticmethod(recorded.adam)

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: Any = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
        fused: bool | None = None, decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if isinstance(lr, Tensor) and foreach and not capturable:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        check_options(eps=eps)
        check_betas(betas)
        check_options(weight_decay=weight_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }  # fmt: skip
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)

    def _update(self, group: dict[str, Any]) -> None:
        lr, eps, decay = float(group["lr"]), group["eps"], group["weight_decay"]
        beta1, beta2 = (float(b) for b in group["betas"])
        for data, g, state in self._walk(group):
            if not state:
                state["step"] = scalar(0.0)
                state["exp_avg"], state["exp_avg_sq"] = zeros(data), zeros(data)
                if group["amsgrad"]:
                    state["max_exp_avg_sq"] = zeros(data)
            step = advance(state)
            m, v, work = state["exp_avg"]._data, state["exp_avg_sq"]._data, scratch(data)
            if decay and group["decoupled_weight_decay"]:
                np.multiply(data, 1 - lr * decay, out=data)
            elif decay:
                g = decayed(g, data, decay, scratch(data))
            mean_into(m, g, 1 - beta1, work)
            square_into(v, g, beta2, work)
            if group["amsgrad"]:
                largest = state["max_exp_avg_sq"]._data
                v = np.maximum(largest, v, out=largest)
            denominator = np.sqrt(v, out=scratch(data))
            np.divide(denominator, math.sqrt(1 - beta2**step), out=denominator)
            np.add(denominator, eps, out=denominator)
            divide_into(data, m, -lr / (1 - beta1**step), denominator, work)
