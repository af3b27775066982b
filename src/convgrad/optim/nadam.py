"""NAdam: Adam with Nesterov's look ahead."""

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
    divide_into,
    mean_into,
    scalar,
    scratch,
    square_into,
    zeros,
)


class NAdam(Algorithm):
    """Adam that steps along the present gradient and the mean as it will be, with momentum that warms up.

    With ``mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)`` and their products M:
    ``p -= lr (mu_{t+1} m / (1 - M_{t+1}) + (1 - mu_t) g / (1 - M_t)) / (sqrt(v / (1 - beta2^t)) + eps)``.

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        betas: how much of the old means of g and g² is kept.
        eps: added to the denominator.
        weight_decay: pull towards 0, added to the gradient.
        momentum_decay: how quickly mu grows to beta1.
        decoupled_weight_decay: shrink the parameter instead of adding to the gradient.
        maximize: ascend.
        differentiable: record the step, to differentiate through it.
        foreach, capturable: accepted; there is one way to compute a step here.
    Raises:
        ValueError: a negative option, or betas outside [0, 1).
    Source: Dozat 2016, "Incorporating Nesterov Momentum into Adam".
    """

    _recorded = staticmethod(recorded.nadam)

    def __init__(
        self, params: Any, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *,
        foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_options(eps=eps)
        check_betas(betas)
        check_options(weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        lr, decay, slowness = float(group["lr"]), group["weight_decay"], group["momentum_decay"]
        beta1, beta2 = group["betas"]
        for data, g, state in self._walk(group):
            if not state:
                state["step"], state["mu_product"] = scalar(0.0), scalar(1.0)
                state["exp_avg"], state["exp_avg_sq"] = zeros(data), zeros(data)
            m, v, work = state["exp_avg"]._data, state["exp_avg_sq"]._data, scratch(data)
            denominator = scratch(data)
            if decay and not group["decoupled_weight_decay"]:
                g = decayed(g, data, decay, scratch(data))
            step = advance(state)
            if decay and group["decoupled_weight_decay"]:
                np.multiply(data, 1 - lr * decay, out=data)
            mu, after = [beta1 * (1.0 - 0.5 * 0.96 ** (t * slowness)) for t in (step, step + 1)]
            product = state["mu_product"]._data
            product *= mu
            mean_into(m, g, 1 - beta1, work)
            square_into(v, g, beta2, work)
            np.divide(v, 1 - beta2**step, out=denominator)
            np.sqrt(denominator, out=denominator)
            np.add(denominator, group["eps"], out=denominator)
            divide_into(data, g, -lr * (1.0 - mu) / (1.0 - float(product)), denominator, work)
            divide_into(data, m, -lr * after / (1.0 - float(product) * after), denominator, work)
