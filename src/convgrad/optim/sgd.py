"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.node import cell_of
from ..tensor.tensor import Tensor
from .optimizer import Optimizer, check_options, gradient


class SGD(Optimizer):
    """``p -= lr * (g + weight_decay * p)``, with momentum ``v = momentum v + (1 - dampening) g`` for g.

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        momentum: how much of the last step's direction is kept.
        dampening: how much of the gradient is left out of it.
        weight_decay: pull towards 0.
        nesterov: look ahead by the momentum (Sutskever et al. 2013).
        maximize: ascend.
        foreach, differentiable, fused: accepted for compatibility.
    Raises:
        ValueError: a negative option, or Nesterov without momentum or with dampening.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_options(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
        for param in group["params"]:
            g = gradient(param, group["maximize"])
            if g is None:
                continue
            data = param._data
            work = np.empty_like(data)
            if decay:
                np.multiply(data, decay, out=work)
                g = np.add(work, g, out=work)
            if momentum:
                g = self._with_momentum(param, g, work, group)
            np.multiply(g, lr, out=work)
            np.subtract(data, work, out=data)
            (param._cell or cell_of(param)).bump("SGD.step")

    def _with_momentum(self, param: Any, g: Any, work: Any, group: dict[str, Any]) -> Any:
        """The direction that momentum makes of a gradient; ``work`` may hold g and is overwritten."""
        state = self.state[param]
        momentum = group["momentum"]
        buffer = state.get("momentum_buffer")
        if buffer is None:
            buffer = state["momentum_buffer"] = Tensor(np.array(g, order="C"), None)
            v = buffer._data
        else:
            v = buffer._data
            share = 1 - group["dampening"]
            np.multiply(v, momentum, out=v)
            np.add(v, g if share == 1 else g * share, out=v)
        if not group["nesterov"]:
            return v
        look = v * momentum
        return np.add(look, g, out=work)
