"""Adamax: Adam with the largest gradient in place of the mean square."""

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
    zeros,
)


class Adamax(Algorithm):
    """``p -= lr / (1 - beta1^t) * m / u`` with the running mean m of g and ``u = max(beta2 u, |g| + eps)``.

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        betas: how much of the old m and u is kept.
        eps: added to the size of the gradient.
        weight_decay: pull towards 0, added to the gradient.
        maximize: ascend.
        differentiable: record the step, to differentiate through it.
        foreach, capturable: accepted; there is one way to compute a step here.
    Raises:
        ValueError: a negative option, or betas outside [0, 1).
    Source: Kingma & Ba 2014, arXiv:1412.6980, section 7.1.
    """

    _recorded = staticmethod(recorded.adamax)

    def __init__(
        self, params: Any, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, foreach: bool | None = None, *, maximize: bool = False,
        differentiable: bool = False, capturable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_options(eps=eps)
        check_betas(betas)
        check_options(weight_decay=weight_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        lr, eps = float(group["lr"]), group["eps"]
        beta1, beta2 = group["betas"]
        for data, g, state in self._walk(group):
            if not state:
                state["step"] = scalar(0.0)
                state["exp_avg"], state["exp_inf"] = zeros(data), zeros(data)
            m, u, work = state["exp_avg"]._data, state["exp_inf"]._data, scratch(data)
            if group["weight_decay"]:
                g = decayed(g, data, group["weight_decay"], scratch(data))
            step = advance(state)
            mean_into(m, g, 1 - beta1, work)
            np.multiply(u, beta2, out=u)
            np.abs(g, out=work)
            np.add(work, eps, out=work)
            np.maximum(u, work, out=u)
            divide_into(data, m, -lr / (1 - beta1**step), u, work)
