"""Learning rates that change from epoch to epoch.

A scheduler sets ``lr`` of every group when it is made and at each ``step()``; the rules build on the
group's present ``lr``, so that several schedulers can work on one optimiser.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from .optimizer import Optimizer


class LRScheduler:
    """Base of the schedulers: derive and write ``get_lr``.

    Args:
        optimizer: whose ``param_groups`` are set.
        last_epoch: -1 to start; otherwise the epoch to continue from (groups need ``initial_lr``).
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{index}] when resuming scheduler "
                    "with "
                    f"last_epoch >= 0"
                )
        self.optimizer = optimizer
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self._advance(None)

    def get_lr(self) -> list[float]:
        """The learning rate of each group for ``last_epoch``."""
        raise NotImplementedError

    def get_last_lr(self) -> list[float]:
        """The learning rates set last."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch; call it after ``optimizer.step()``."""
        if self._step_count == 1 and not self.optimizer._opt_called:
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. You should call them in "
                "the "
                "opposite order: `optimizer.step()` before `lr_scheduler.step()`. Failure to do this will "
                "result in "
                "skipping the first value of the learning rate schedule.",
                stacklevel=2,
            )
        self._advance(epoch)

    def _advance(self, epoch: int | None) -> None:
        self._step_count += 1
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = lr
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _lrs(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser and functions."""
        return {k: v for k, v in self.__dict__.items() if k != "optimizer" and not callable(v)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` gave."""
        self.__dict__.update(state_dict)


class LambdaLR(LRScheduler):
    """``initial_lr * lr_lambda(epoch)``; one function, or one for each group."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1) -> None:
        self.lr_lambdas = _functions(lr_lambda, optimizer)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The learning rate of each group for ``last_epoch``."""
        return [base * f(self.last_epoch) for f, base in zip(self.lr_lambdas, self.base_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser and functions."""
        return {k: v for k, v in super().state_dict().items() if k != "lr_lambdas"}


class MultiplicativeLR(LambdaLR):
    """``lr`` times ``lr_lambda(epoch)`` at each step."""

    def get_lr(self) -> list[float]:
        """The learning rate of each group for ``last_epoch``."""
        if self.last_epoch == 0:
            return self._lrs()
        return [lr * f(self.last_epoch) for f, lr in zip(self.lr_lambdas, self._lrs(), strict=True)]


def _functions(value: Any, optimizer: Optimizer) -> list[Callable[[int], float]]:
    count = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * count
    if len(value) != count:
        raise ValueError(f"Expected {count} lr_lambdas, but got {len(value)}")
    return list(value)


class StepLR(LRScheduler):
    """``lr`` times ``gamma`` every ``step_size`` epochs."""

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The learning rate of each group for ``last_epoch``."""
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return self._lrs()
        return [lr * self.gamma for lr in self._lrs()]


class MultiStepLR(LRScheduler):
    """``lr`` times ``gamma`` at each of the given epochs."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The learning rate of each group for ``last_epoch``."""
        times = self.milestones.get(self.last_epoch, 0)
        return [lr * self.gamma**times for lr in self._lrs()]


class ExponentialLR(LRScheduler):
    """``lr`` times ``gamma`` every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The learning rate of each group for ``last_epoch``."""
        return self._lrs() if self.last_epoch == 0 else [lr * self.gamma for lr in self._lrs()]


class ConstantLR(LRScheduler):
    """``factor`` times the learning rate during the first ``total_iters`` epochs."""

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if factor > 1.0 or factor < 0:
            raise ValueError("Constant multiplicative factor expected to be between 0 and 1.")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The learning rate of each group for ``last_epoch``."""
        if self.last_epoch == 0:
            return [lr * self.factor for lr in self._lrs()]
        if self.last_epoch == self.total_iters:
            return [lr * (1.0 / self.factor) for lr in self._lrs()]
        return self._lrs()


class LinearLR(LRScheduler):
    """A factor that goes linearly from ``start_factor`` to ``end_factor`` in ``total_iters`` epochs."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if start_factor > 1.0 or start_factor <= 0:
            raise ValueError(
                "Starting multiplicative factor expected to be greater than 0 and less or equal to 1."
            )
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The learning rate of each group for ``last_epoch``."""
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in self._lrs()]
        if self.last_epoch > self.total_iters:
            return self._lrs()
        rise = self.end_factor - self.start_factor
        factor = 1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)
        return [lr * factor for lr in self._lrs()]


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the first rate down to ``eta_min`` in ``T_max`` epochs. Source: arXiv:1608.03983."""

    def __init__(
        self, optimizer: Optimizer, T_max: float, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The learning rate of each group for ``last_epoch``."""
        epoch, period, low = self.last_epoch, self.T_max, self.eta_min
        if epoch == 0:
            return self._lrs()
        if (epoch - 1 - period) % (2 * period) == 0:  # just past the bottom, where the ratio is 0 / 0
            rise = (1 - math.cos(math.pi / period)) / 2
            return [lr + (base - low) * rise for base, lr in zip(self.base_lrs, self._lrs(), strict=True)]
        ratio = (1 + math.cos(math.pi * epoch / period)) / (1 + math.cos(math.pi * (epoch - 1) / period))
        return [ratio * (lr - low) + low for lr in self._lrs()]


class OneCycleLR(LRScheduler):
    """Up to ``max_lr`` and down to almost nothing, once; momentum the other way. Source: arXiv:1708.07120.

    Args:
        optimizer: with ``momentum`` or ``betas`` if ``cycle_momentum``.
        max_lr: the peak, one for all groups or a list.
        total_steps: length of the cycle in steps; or ``epochs`` and ``steps_per_epoch``.
        pct_start: the part of the cycle that rises.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: move momentum between ``max_momentum`` and ``base_momentum``.
        div_factor: the start is ``max_lr / div_factor``.
        final_div_factor: the end is the start over this.
        three_phase: come down as long as up, then fall to the end.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Any,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.85,
        max_momentum: Any = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
            total_steps = epochs * steps_per_epoch
        if total_steps <= 0:
            raise ValueError(f"Expected positive integer total_steps, but got {total_steps}")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self.total_steps, self.anneal_strategy, self.cycle_momentum = (
            total_steps,
            anneal_strategy,
            cycle_momentum,
        )
        self.phases = _phases(pct_start, total_steps, three_phase)
        groups = optimizer.param_groups
        peaks = max_lr if isinstance(max_lr, list | tuple) else [max_lr] * len(groups)
        if len(peaks) != len(groups):
            raise ValueError(f"expected {len(groups)} values for max_lr, got {len(peaks)}")
        if last_epoch == -1:
            for group, peak in zip(groups, peaks, strict=True):
                group["initial_lr"] = peak / div_factor
                group["max_lr"], group["min_lr"] = peak, group["initial_lr"] / final_div_factor
                if cycle_momentum:
                    if "momentum" not in group and "betas" not in group:
                        raise ValueError(
                            "optimizer must support momentum or beta1 with `cycle_momentum` enabled"
                        )
                    group["max_momentum"], group["base_momentum"] = max_momentum, base_momentum
                    _set_momentum(group, max_momentum)
        super().__init__(optimizer, last_epoch)

    def _between(self, start: float, end: float, part: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * part + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)

    def get_lr(self) -> list[float]:
        """The learning rate of each group for ``last_epoch``; sets the momentum too."""
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"Tried to step {step} times. The specified number of total steps is {self.total_steps}"
            )
        lrs = []
        for group in self.optimizer.param_groups:
            begin = 0.0
            for index, (end, low, high, first, last) in enumerate(self.phases):
                if step <= end or index == len(self.phases) - 1:
                    part = (step - begin) / (end - begin)
                    lrs.append(self._between(group[low], group[high], part))
                    if self.cycle_momentum:
                        _set_momentum(group, self._between(group[first], group[last], part))
                    break
                begin = end
        return lrs


def _phases(pct_start: float, total_steps: int, three: bool) -> list[tuple[Any, ...]]:
    """The parts of a cycle: last step, learning rate from and to, momentum from and to (keys of a group)."""
    up, down = float(pct_start * total_steps) - 1, total_steps - 1.0
    rise = (up, "initial_lr", "max_lr", "max_momentum", "base_momentum")
    if not three:
        return [rise, (down, "max_lr", "min_lr", "base_momentum", "max_momentum")]
    middle = float(2 * pct_start * total_steps) - 2
    fall = (middle, "max_lr", "initial_lr", "base_momentum", "max_momentum")
    return [rise, fall, (down, "initial_lr", "min_lr", "max_momentum", "max_momentum")]


def _set_momentum(group: dict[str, Any], value: float) -> None:
    if "betas" in group:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


class ReduceLROnPlateau(LRScheduler):
    """``lr`` times ``factor`` when a metric has not got better for ``patience`` epochs.

    Args:
        optimizer: whose groups are set.
        mode: "min" or "max": which way is better.
        factor: below 1.
        patience: epochs without improvement that are let pass.
        threshold: how much better counts; relative ("rel") or absolute ("abs") by ``threshold_mode``.
        cooldown: epochs to wait after a reduction.
        min_lr: lower bound, one for all groups or a list.
        eps: smaller changes are left out.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: Any = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1.0:
            raise ValueError("Factor should be < 1.0.")
        if mode not in ("min", "max"):
            raise ValueError(f"mode {mode} is unknown!")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold mode {threshold_mode} is unknown!")
        self.optimizer, self.mode, self.factor, self.patience = optimizer, mode, factor, patience
        self.threshold, self.threshold_mode, self.cooldown, self.eps = (
            threshold,
            threshold_mode,
            cooldown,
            eps,
        )
        groups = optimizer.param_groups
        self.min_lrs = list(min_lr) if isinstance(min_lr, list | tuple) else [min_lr] * len(groups)
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        self.last_epoch = 0
        self._last_lr = self._lrs()

    def is_better(self, a: float, best: float) -> bool:
        """Whether a metric improves on the best so far by more than the threshold."""
        if self.threshold_mode == "rel":
            factor = 1.0 + self.threshold if self.mode == "max" else 1.0 - self.threshold
            return a > best * factor if self.mode == "max" else a < best * factor
        return a > best + self.threshold if self.mode == "max" else a < best - self.threshold

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take the metric of an epoch and reduce the rates if it is time to."""
        value = float(metrics.item()) if hasattr(metrics, "item") else float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self.is_better(value, self.best):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, low in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
                new = max(group["lr"] * self.factor, low)
                if group["lr"] - new > self.eps:
                    group["lr"] = new
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._lrs()
