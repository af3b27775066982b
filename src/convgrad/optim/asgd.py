"""ASGD: descent whose iterates are averaged."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import recorded
from .algorithm import Algorithm, advance, check_lr, check_options, decayed, scalar, scratch, zeros


class ASGD(Algorithm):
    """``p = (1 - lambd eta) p - eta g`` with ``eta = lr / (1 + lambd lr t)^alpha``, and p's average.

    ``state[p]["ax"]`` is p itself for the first ``t0`` steps, and the mean of what came since afterwards.

    Args:
        params: parameters or groups of them.
        lr: learning rate at the beginning.
        lambd: decay of the parameters and of the rate.
        alpha: power with which the rate falls.
        t0: number of steps after which averaging begins.
        weight_decay: pull towards 0, added to the gradient.
        maximize: ascend.
        differentiable: record the step, to differentiate through it.
        foreach, capturable: accepted; there is one way to compute a step here.
    Raises:
        ValueError: a negative ``lr`` or ``weight_decay``.
    Source: Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging".
    """

    _recorded = staticmethod(recorded.asgd)

    def __init__(
        self, params: Any, lr: Any = 1e-2, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6,
        weight_decay: float = 0, foreach: bool | None = None, maximize: bool = False,
        differentiable: bool = False, capturable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_options(weight_decay=weight_decay)
        defaults = {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        lr, lambd = float(group["lr"]), group["lambd"]
        for data, g, state in self._walk(group):
            if not state:
                state["step"], state["eta"], state["mu"] = scalar(0.0), scalar(lr), scalar(1.0)
                state["ax"] = zeros(data)
            mean, work = state["ax"]._data, scratch(data)
            eta, mu = state["eta"]._data, state["mu"]._data
            g = decayed(g, data, group["weight_decay"], work)
            step = advance(state)
            np.multiply(data, 1 - lambd * float(eta), out=data)
            np.multiply(g, float(eta), out=work)
            np.subtract(data, work, out=data)
            if mu == 1:
                np.copyto(mean, data)
            else:
                np.subtract(data, mean, out=work)
                np.multiply(work, float(mu), out=work)
                np.add(mean, work, out=mean)
            eta[...] = scalar(lr / (1 + lambd * lr * step) ** group["alpha"])._data
            mu[...] = scalar(1 / max(1.0, step - group["t0"]))._data
