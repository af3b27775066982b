"""Rprop: steps by the signs of gradients alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor.tensor import Tensor
from . import recorded
from .algorithm import Algorithm, advance, check_lr, scalar, scratch, zeros


class Rprop(Algorithm):
    """``p -= s * sign(g)``: each s grows while its gradient keeps its sign, and shrinks when it turns.

    Where the sign has turned the element stays where it is and forgets its gradient. Made for gradients of
    whole data sets: those of small batches change their signs by chance.

    Args:
        params: parameters or groups of them.
        lr: s before the first step.
        etas: factors of s when the sign turned, and when it did not.
        step_sizes: smallest and largest s.
        maximize: ascend.
        differentiable: record the step, to differentiate through it.
        foreach, capturable: accepted; there is one way to compute a step here.
    Raises:
        ValueError: a negative ``lr``, or etas that do not fulfil ``0 < eta_minus < 1 < eta_plus``.
    Source: Riedmiller & Braun 1993, "A direct adaptive method for faster backpropagation learning".
    """

    _recorded = staticmethod(recorded.rprop)

    def __init__(
        self, params: Any, lr: Any = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False,
        foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        (down, up), (smallest, largest) = group["etas"], group["step_sizes"]
        for data, g, state in self._walk(group):
            if not state:
                state["step"], state["prev"] = scalar(0.0), zeros(data)
                state["step_size"] = Tensor(np.full_like(data, float(group["lr"]), order="C"), None)
            previous, size = state["prev"]._data, state["step_size"]._data
            work = np.multiply(g, previous, out=scratch(data))
            turned, alike = np.asarray(work < 0), np.asarray(work > 0)
            advance(state)
            np.multiply(size, up, out=size, where=alike)
            np.multiply(size, down, out=size, where=turned)
            # the upper bound last: PyTorch's clamp, should they be the wrong way round
            np.minimum(np.maximum(size, smallest, out=size), largest, out=size)
            np.copyto(previous, g)
            np.copyto(previous, 0.0, where=turned)
            np.sign(previous, out=work)
            np.multiply(work, size, out=work)
            np.subtract(data, work, out=data)
