"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array
from ..tensor.tensor import Tensor
from . import recorded
from .algorithm import Joint, State, check_fused, check_lr, check_options, decayed, scratch


class SGD(Joint):
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

    _kernel = "sgd"
    _counted = False

    def _options(self, group: dict[str, Any]) -> tuple[float, ...]:
        momentum = float(group["momentum"])
        dampening, nesterov = float(group["dampening"]), float(group["nesterov"])
        return float(group["lr"]), float(group["weight_decay"]), momentum, dampening, nesterov

    def _kept(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def _begun(self, param: Any, data: Array, group: dict[str, Any], names: tuple[str, ...]) -> bool:
        return not names

    def _update_one(self, data: Array, g: Array, state: State, group: dict[str, Any]) -> None:
        if not group["momentum"] or state.get("momentum_buffer") is not None:
            super()._update_one(data, g, state, group)
            return
        lr, decay, momentum, _, nesterov = self._options(group)
        work = scratch(data)
        g = decayed(g, data, decay, work)
        v = np.array(g, order="C")  # the first gradient is not dampened
        state["momentum_buffer"] = Tensor(v, None)
        np.multiply(np.add(g, v * momentum, out=work) if nesterov else v, lr, out=work)
        np.subtract(data, work, out=data)
