"""OneCycleLR: one rise and one long fall."""

from __future__ import annotations

import math
from typing import Any

from ..optimizer import Optimizer
from .scheduler import LRScheduler, per_group, set_momentum


class OneCycleLR(LRScheduler):
    """Up to ``max_lr`` and down to almost nothing, once; momentum the other way. One ``step()`` per batch.

    Args:
        optimizer: with ``momentum`` or ``betas`` if ``cycle_momentum``.
        max_lr: the peak, one for all groups or a list.
        total_steps: length of the cycle in steps; or ``epochs`` and ``steps_per_epoch``.
        pct_start: the part of the cycle that rises.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: move momentum between ``max_momentum`` and ``base_momentum``.
        base_momentum, max_momentum: its bounds, one or a list.
        div_factor: the start is ``max_lr / div_factor``.
        final_div_factor: the end is the start over this.
        three_phase: come down as long as up, then fall to the end.
        last_epoch: -1 to start, or the number of the step to continue from.
    Raises:
        ValueError: no length, an option out of its range, lists of another length, an optimiser without
            momentum; more steps than the cycle has.
    Source: Smith & Topin 2017, arXiv:1708.07120.
    """

    def __init__(
        self, optimizer: Optimizer, max_lr: Any, total_steps: int | None = None, epochs: int | None = None,
        steps_per_epoch: int | None = None, pct_start: float = 0.3, anneal_strategy: str = "cos",
        cycle_momentum: bool = True, base_momentum: Any = 0.85, max_momentum: Any = 0.95,
        div_factor: float = 25.0, final_div_factor: float = 1e4, three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.total_steps = _length(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._schedule_phases = _phases(pct_start, self.total_steps, three_phase)
        self._anneal_func_type, self.cycle_momentum = anneal_strategy, cycle_momentum
        peaks = per_group("max_lr", max_lr, optimizer)
        if cycle_momentum:
            if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
                raise ValueError(
                    "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
                )
            self.use_beta1 = "betas" in optimizer.defaults
            highs = per_group("max_momentum", max_momentum, optimizer)
            lows = per_group("base_momentum", base_momentum, optimizer)
        if last_epoch == -1:
            for index, group in enumerate(optimizer.param_groups):
                group["initial_lr"] = peaks[index] / div_factor
                group["max_lr"] = peaks[index]
                group["min_lr"] = group["initial_lr"] / final_div_factor
                if cycle_momentum:
                    group["max_momentum"], group["base_momentum"] = highs[index], lows[index]
                    set_momentum(group, highs[index])
        super().__init__(optimizer, last_epoch)

    def _between(self, start: float, end: float, part: float) -> float:
        if self._anneal_func_type == "linear":
            return (end - start) * part + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)

    def get_lr(self) -> list[Any]:
        """The learning rate of each group for ``last_epoch``; sets the momentum too."""
        self._ask()
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"Tried to step {step} times. The specified number of total steps is {self.total_steps}"
            )
        begin = 0.0
        for phase in self._schedule_phases:
            if step <= phase["end_step"] or phase is self._schedule_phases[-1]:
                break
            begin = phase["end_step"]
        part = (step - begin) / (phase["end_step"] - begin)
        lrs = []
        for group in self.optimizer.param_groups:
            lrs.append(self._between(group[phase["start_lr"]], group[phase["end_lr"]], part))
            if self.cycle_momentum:
                bounds = group[phase["start_momentum"]], group[phase["end_momentum"]]
                set_momentum(group, self._between(*bounds, part))
        return lrs


def _length(total_steps: Any, epochs: Any, steps_per_epoch: Any) -> int:
    """The number of steps, given as such or as a product.

    Raises:
        ValueError: neither, or no positive integers.
    """
    if total_steps is None:
        if epochs is None or steps_per_epoch is None:
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        _check_positive("epochs", epochs)
        _check_positive("steps_per_epoch", steps_per_epoch)
        return epochs * steps_per_epoch
    _check_positive("total_steps", total_steps)
    return total_steps


def _check_positive(name: str, value: Any) -> None:
    if not isinstance(value, int) or value <= 0:
        raise ValueError(f"Expected positive integer {name}, but got {value}")


def _phases(pct_start: float, total_steps: int, three: bool) -> list[dict[str, Any]]:
    """The parts of a cycle: last step; learning rate and momentum from and to, as keys of a group."""
    top = float(pct_start * total_steps) - 1
    up = _phase(top, "initial_lr", "max_lr", "max_momentum", "base_momentum")
    if not three:
        return [up, _phase(total_steps - 1, "max_lr", "min_lr", "base_momentum", "max_momentum")]
    down = _phase(
        float(2 * pct_start * total_steps) - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"
    )
    return [up, down, _phase(total_steps - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum")]


def _phase(end: float, start_lr: str, end_lr: str, start_momentum: str, end_momentum: str) -> dict[str, Any]:
    return {
        "end_step": end, "start_lr": start_lr, "end_lr": end_lr, "start_momentum": start_momentum,
        "end_momentum": end_momentum,
    }  # fmt: skip
