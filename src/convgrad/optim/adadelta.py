"""Adadelta: steps with the units of the parameters, without a learning rate to choose."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import recorded
from .algorithm import (
    Algorithm,
    advance,
    check_lr,
    check_options,
    decayed,
    scalar,
    scratch,
    square_into,
    zeros,
)


class Adadelta(Algorithm):
    """``p -= lr * d`` with ``d = g sqrt(u + eps) / sqrt(v + eps)``, running means v of g² and u of d².

    Args:
        params: parameters or groups of them.
        lr: factor of the steps.
        rho: how much of the old v and u is kept.
        eps: added under both roots.
        weight_decay: pull towards 0, added to the gradient.
        maximize: ascend.
        differentiable: record the step, to differentiate through it.
        foreach, capturable: accepted; there is one way to compute a step here.
    Raises:
        ValueError: a negative option, or rho outside [0, 1].
    Source: Zeiler 2012, arXiv:1212.5701.
    """

    _recorded = staticmethod(recorded.adadelta)

    def __init__(
        self, params: Any, lr: Any = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0,
        foreach: bool | None = None, *, capturable: bool = False, maximize: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_options(eps=eps, weight_decay=weight_decay)
        defaults = {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        lr, rho, eps = float(group["lr"]), group["rho"], group["eps"]
        for data, g, state in self._walk(group):
            if not state:
                state["step"] = scalar(0.0)
                state["square_avg"], state["acc_delta"] = zeros(data), zeros(data)
            v, u, work, move = (
                state["square_avg"]._data,
                state["acc_delta"]._data,
                scratch(data),
                scratch(data),
            )
            if group["weight_decay"]:
                g = decayed(g, data, group["weight_decay"], scratch(data))
            advance(state)
            square_into(v, g, rho, work)
            np.add(v, eps, out=work)
            np.sqrt(work, out=work)
            np.add(u, eps, out=move)
            np.sqrt(move, out=move)
            np.divide(move, work, out=move)
            np.multiply(move, g, out=move)
            square_into(u, move, rho, work)
            np.multiply(move, lr, out=move)
            np.subtract(data, move, out=data)
