"""RMSprop and Adagrad: steps divided by the size of recent, or of all, gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.node import cell_of
from ..tensor.tensor import Tensor
from .optimizer import Optimizer, check_options, fresh, gradient


class RMSprop(Optimizer):
    """``p -= lr * g / (sqrt(s) + eps)`` with a running mean s of g².

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        alpha: how much of the old s is kept.
        eps: added to the denominator.
        weight_decay: pull towards 0, added to the gradient.
        momentum: how much of the last step is kept.
        centered: subtract the square of the running mean of g from s (Graves 2013).
        maximize: ascend.
        capturable, foreach, differentiable: accepted for compatibility.
    Raises:
        ValueError: a negative option.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0,
        momentum: float = 0, centered: bool = False, capturable: bool = False, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_options(lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _start(self, param: Any, group: dict[str, Any]) -> dict[str, Any]:
        state = self.state[param]
        if not state:
            state["step"] = Tensor(np.zeros((), np.float32), None)
            state["square_avg"] = fresh(param._data)
            if group["momentum"] > 0:
                state["momentum_buffer"] = fresh(param._data)
            if group["centered"]:
                state["grad_avg"] = fresh(param._data)
        return state

    def _update(self, group: dict[str, Any]) -> None:
        lr, alpha, momentum = float(group["lr"]), group["alpha"], group["momentum"]
        for param in group["params"]:
            g = gradient(param, group["maximize"])
            if g is None:
                continue
            state = self._start(param, group)
            state["step"]._data += 1
            data, square = param._data, state["square_avg"]._data
            if group["weight_decay"]:
                g = g + data * group["weight_decay"]
            work = np.empty_like(data)
            np.multiply(square, alpha, out=square)
            np.multiply(g, g, out=work)
            np.multiply(work, 1 - alpha, out=work)
            np.add(square, work, out=square)
            if group["centered"]:
                mean = state["grad_avg"]._data
                np.add(mean, (g - mean) * (1 - alpha), out=mean)
                np.sqrt(square - mean * mean, out=work)
            else:
                np.sqrt(square, out=work)
            np.add(work, group["eps"], out=work)
            np.divide(g, work, out=work)
            if momentum > 0:
                buffer = state["momentum_buffer"]._data
                np.multiply(buffer, momentum, out=buffer)
                np.add(buffer, work, out=buffer)
                np.multiply(buffer, lr, out=work)
            else:
                np.multiply(work, lr, out=work)
            np.subtract(data, work, out=data)
            (param._cell or cell_of(param)).bump("RMSprop.step")


class Adagrad(Optimizer):
    """``p -= lr / (1 + (step - 1) lr_decay) * g / (sqrt(s) + eps)`` with the sum s of all g².

    Source: Duchi, Hazan & Singer 2011, JMLR 12.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
        initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: bool | None = None, *,
        maximize: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_options(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay,
                      initial_accumulator_value=initial_accumulator_value, eps=eps)  # fmt: skip
        defaults = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)
        for group in self.param_groups:
            for param in group["params"]:
                start = np.full_like(param._data, group["initial_accumulator_value"])
                self.state[param] = {
                    "step": Tensor(np.zeros((), np.float32), None),
                    "sum": Tensor(start, None),
                }

    def _update(self, group: dict[str, Any]) -> None:
        for param in group["params"]:
            g = gradient(param, group["maximize"])
            if g is None:
                continue
            state = self.state[param]
            state["step"]._data += 1
            data, total = param._data, state["sum"]._data
            if group["weight_decay"]:
                g = g + data * group["weight_decay"]
            np.add(total, g * g, out=total)
            rate = float(group["lr"]) / (1 + (float(state["step"]._data) - 1) * group["lr_decay"])
            work = np.sqrt(total, out=np.empty_like(total))
            np.add(work, group["eps"], out=work)
            np.divide(g, work, out=work)
            np.multiply(work, rate, out=work)
            np.subtract(data, work, out=data)
            (param._cell or cell_of(param)).bump("Adagrad.step")
