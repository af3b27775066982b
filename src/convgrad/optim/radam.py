"""RAdam: Adam that waits until its variance can be known."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import recorded
from .algorithm import (
    Algorithm,
    advance,
    check_betas,
    check_lr,
    check_options,
    decayed,
    mean_into,
    scalar,
    scratch,
    square_into,
    zeros,
)


class RAdam(Algorithm):
    """Adam whose steps are rectified for the variance of few gradients, and plain means before that.

    With ``rho = rho_inf - 2 t beta2^t / (1 - beta2^t)``, ``rho_inf = 2 / (1 - beta2) - 1``: where rho > 5,
    ``p -= lr m r / (sqrt(v) + eps)``, both corrected for their start at 0, with ``r² = (rho - 4)(rho - 2)
    rho_inf / ((rho_inf - 4)(rho_inf - 2) rho)``; else ``p -= lr m``.

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        betas: how much of the old means of g and g² is kept.
        eps: added to the denominator.
        weight_decay: pull towards 0, added to the gradient.
        decoupled_weight_decay: shrink the parameter instead of adding to the gradient.
        maximize: ascend.
        differentiable: record the step, to differentiate through it.
        foreach, capturable: accepted; there is one way to compute a step here.
    Raises:
        ValueError: a negative option, or betas outside [0, 1).
    Source: Liu et al. 2019, arXiv:1908.03265.
    """

    _recorded = staticmethod(recorded.radam)

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_options(eps=eps)
        check_betas(betas)
        check_options(weight_decay=weight_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        lr, decay = float(group["lr"]), group["weight_decay"]
        beta1, beta2 = group["betas"]
        for data, g, state in self._walk(group):
            if not state:
                state["step"] = scalar(0.0)
                state["exp_avg"], state["exp_avg_sq"] = zeros(data), zeros(data)
            m, v, work = state["exp_avg"]._data, state["exp_avg_sq"]._data, scratch(data)
            scale = scratch(data)
            if decay and not group["decoupled_weight_decay"]:
                g = decayed(g, data, decay, scratch(data))
            step = advance(state)
            if decay and group["decoupled_weight_decay"]:
                np.multiply(data, 1 - lr * decay, out=data)
            mean_into(m, g, 1 - beta1, work)
            square_into(v, g, beta2, work)
            np.divide(m, 1 - beta1**step, out=work)
            np.multiply(work, lr, out=work)
            rectified = recorded.rectification(step, beta2)
            if rectified:
                np.sqrt(v, out=scale)
                np.add(scale, group["eps"], out=scale)
                np.divide((1 - beta2**step) ** 0.5, scale, out=scale)
                np.multiply(work, scale, out=work)
                np.multiply(work, rectified, out=work)
            np.subtract(data, work, out=data)
