"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor.tensor import Tensor
from . import recorded
from .algorithm import Algorithm, State, check_fused, check_lr, check_options, decayed, scratch


class SGD(Algorithm):
    """``p -= lr * (g + weight_decay * p)``, with momentum ``v = momentum v + (1 - dampening) g`` for g.

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        momentum: how much of the last step's direction is kept.
        dampening: how much of the gradient is left out of it.
        weight_decay: pull towards 0.
        nesterov: look ahead by the momentum (Sutskever et al. 2013).
        maximize: ascend.
        differentiable: record the step, to differentiate through it.
        foreach, fused: accepted; there is one way to compute a step here.
    Raises:
        ValueError: a negative option, or Nesterov without momentum or with dampening.
    """

    _recorded = staticmethod(recorded.sgd)

    def __init__(
        self, params: Any, lr: Any = 1e-3, momentum: float = 0, dampening: float = 0, weight_decay: Any = 0,
        nesterov: bool = False, *, maximize: bool = False, foreach: bool | None = None,
        differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_options(momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize, "foreach": foreach, "differentiable": differentiable,
            "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)

    def _update(self, group: dict[str, Any]) -> None:
        lr, decay = float(group["lr"]), float(group["weight_decay"])
        for data, g, state in self._walk(group):
            work = scratch(data)
            g = decayed(g, data, decay, work)
            if group["momentum"]:
                g = _with_momentum(g, work, state, group)
            np.multiply(g, lr, out=work)
            np.subtract(data, work, out=data)


def _with_momentum(g: Any, work: Any, state: State, group: dict[str, Any]) -> Any:
    """The direction that momentum makes of a gradient; ``work`` may hold g and is overwritten."""
    momentum = group["momentum"]
    buffer = state.get("momentum_buffer")
    if buffer is None:
        v = np.array(g, order="C")
        state["momentum_buffer"] = Tensor(v, None)
    else:
        v = buffer._data
        share = 1 - group["dampening"]
        np.multiply(v, momentum, out=v)
        np.add(v, g if share == 1 else g * share, out=v)
    if not group["nesterov"]:
        return v
    return np.add(g, v * momentum, out=work)
