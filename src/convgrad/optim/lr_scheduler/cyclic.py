"""CyclicLR: rates that go up and down between two bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..optimizer import Optimizer
from .scheduler import LRScheduler, kept_function, per_group, put, set_momentum


class CyclicLR(LRScheduler):
    """Straight up from ``base_lr`` to ``max_lr`` and down again, over and over; momentum the other way.

    Args:
        optimizer: with ``momentum`` or ``betas`` if ``cycle_momentum``.
        base_lr: lower bound, one for all groups or a list.
        max_lr: upper bound, one or a list.
        step_size_up: steps on the way up.
        step_size_down: steps on the way down; None is as many.
        mode: "triangular"; "triangular2": half the height after each cycle; "exp_range": ``gamma**step``.
        gamma: of "exp_range".
        scale_fn: the height as a function, instead of a mode.
        scale_mode: "cycle" or "iterations": what ``scale_fn`` is given.
        cycle_momentum: move momentum between ``max_momentum`` and ``base_momentum``.
        base_momentum, max_momentum: its bounds, one or a list.
        last_epoch: -1 to start, or the number of the step to continue from.
    Raises:
        ValueError: an unknown mode, lists of another length, an optimiser without momentum.
    Source: Smith 2015, arXiv:1506.01186.
    """

    def __init__(
        self, optimizer: Optimizer, base_lr: Any, max_lr: Any, step_size_up: int = 2000,
        step_size_down: int | None = None, mode: str = "triangular", gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle",
        cycle_momentum: bool = True, base_momentum: Any = 0.8, max_momentum: Any = 0.9, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        base_lrs = per_group("base_lr", base_lr, optimizer)
        self.max_lrs = per_group("max_lr", max_lr, optimizer)
        up = float(step_size_up)
        down = up if step_size_down is None else float(step_size_down)
        self.total_size, self.step_ratio = up + down, up / (up + down)
        if mode not in _SCALES and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.mode, self.gamma = mode, gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else _SCALES[mode]
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
                raise ValueError(
                    "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
                )
            self.use_beta1 = "betas" in optimizer.defaults
            self.base_momentums = per_group("base_momentum", base_momentum, optimizer)
            self.max_momentums = per_group("max_momentum", max_momentum, optimizer)
        if last_epoch == -1:
            for index, group in enumerate(optimizer.param_groups):
                put(group, "lr", base_lrs[index])
                if cycle_momentum:
                    group["max_momentum"] = self.max_momentums[index]
                    group["base_momentum"] = self.base_momentums[index]
                    set_momentum(group, self.max_momentums[index])
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The height of a triangle, 1 at first: of cycle or step number x."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / (2.0 ** (x - 1)) if self.mode == "triangular2" else self.gamma**x

    def get_lr(self) -> list[Any]:
        """The learning rate of each group for ``last_epoch``; sets the momentum too."""
        self._ask()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        part = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(
                self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True
            ):
                set_momentum(group, high - (high - low) * part * scale)
        return [
            low + (high - low) * part * scale for low, high in zip(self.base_lrs, self.max_lrs, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser; of a scale function that is an object its fields."""
        return {**super().state_dict(), "_scale_fn_custom": kept_function(self._scale_fn_custom)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` gave; a scale function gets its fields back."""
        rest = dict(state_dict)
        fields = rest.pop("_scale_fn_custom", None)
        if fields is not None:
            self._scale_fn_custom.__dict__.update(fields)
        self.__dict__.update(rest)


#: mode -> what its height depends on
_SCALES = {"triangular": "cycle", "triangular2": "cycle", "exp_range": "iterations"}
