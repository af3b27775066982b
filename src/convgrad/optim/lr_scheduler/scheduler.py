"""``LRScheduler``: the base of the schedules."""

from __future__ import annotations

import warnings
from types import FunctionType
from typing import Any

from ...tensor.tensor import Tensor
from ..optimizer import Optimizer

_TOO_EARLY = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. You should call them in the opposite "
    "order: `optimizer.step()` before `lr_scheduler.step()`. Failure to do this will result in skipping the "
    "first value of the learning rate schedule."
)
_OVERRIDDEN = (
    "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. Please, "
    "make sure to call `optimizer.step()` before `lr_scheduler.step()`."
)
EPOCH_DEPRECATION = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. "
    "Please use `scheduler.step()` to step the scheduler. During the deprecation, if epoch is different from "
    "None, the closed form is used instead of the new chainable form, where available."
)


class LRScheduler:
    """Base of the schedulers: derive and write ``get_lr``.

    ``get_lr`` gives the rate of each group for ``self.last_epoch`` and may build on the present ones;
    ``_get_closed_form_lr``, if defined, gives them from ``base_lrs`` alone, for ``step(epoch)``.

    Args:
        optimizer: whose ``param_groups`` are set.
        last_epoch: -1 to start; otherwise the epoch to continue from (groups need ``initial_lr``).
    Raises:
        TypeError: no Optimizer.
        KeyError: a group without ``initial_lr``, with ``last_epoch >= 0``.
    """

    #: while the first rates are set
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{index}] when resuming scheduler "
                    f"with last_epoch >= 0. Load the optimizer's state first, or start with last_epoch=-1"
                )
        self.optimizer = optimizer
        self.base_lrs = [copied(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        if "_scheduled_step" not in optimizer.__dict__:  # steps count from the first scheduler on
            optimizer.__dict__.update(_scheduled_step=optimizer.__dict__.get("step"), _opt_called=False)
        self._step_count = 0
        self._is_initial = False
        self._get_lr_called_within_step = False
        self._last_lr: list[Any] = []
        self._initial_step()

    def _initial_step(self) -> None:
        """Set the first rates."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list[Any]:
        """The learning rate of each group for ``last_epoch``."""
        raise NotImplementedError

    def get_last_lr(self) -> list[Any]:
        """The learning rates set last."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch; call it after ``optimizer.step()``.

        Args:
            epoch: deprecated; the epoch to go to, by the closed form of the schedule where it has one.
        """
        if self._step_count == 1:
            own = self.optimizer.__dict__
            if own.get("step") is not own.get("_scheduled_step"):
                warnings.warn(_OVERRIDDEN, UserWarning, stacklevel=2)
            elif not self.optimizer._opt_called:
                warnings.warn(_TOO_EARLY, UserWarning, stacklevel=2)
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_DEPRECATION, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        """Set the rates of the next epoch, or of a given one."""
        self._get_lr_called_within_step = True
        try:
            if epoch is None:
                self.last_epoch += 1
                values = self.get_lr()
            else:
                self.last_epoch = epoch
                closed = getattr(self, "_get_closed_form_lr", None)
                values = self.get_lr() if closed is None else closed()
        finally:
            self._get_lr_called_within_step = False
        self._set(values)

    def _set(self, values: list[Any]) -> None:
        for group, lr in zip(self.optimizer.param_groups, values, strict=True):
            put(group, "lr", lr)
        self._last_lr = self._lrs()

    def _lrs(self) -> list[Any]:
        """The present learning rates."""
        return [copied(group["lr"]) for group in self.optimizer.param_groups]

    def _ask(self) -> None:
        """Warn if ``get_lr`` is called from outside: it gives rates of another epoch than the present one."""
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser."""
        return {k: v for k, v in self.__dict__.items() if k != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` gave, here or in PyTorch. Load it after the optimiser's state."""
        self.__dict__.update(state_dict)


class _LRScheduler(LRScheduler):
    """The old name of ``LRScheduler``."""


def check_optimizer(optimizer: Any) -> None:
    """Refuse anything but an Optimizer.

    Raises:
        TypeError: "int is not an Optimizer".
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def copied(value: Any) -> Any:
    """A learning rate that does not change with the group's."""
    return value.detach().clone() if isinstance(value, Tensor) else value


def put(group: dict[str, Any], key: str, value: Any) -> None:
    """Set an option of a group; a tensor stays the same tensor."""
    if isinstance(group[key], Tensor):
        group[key]._data[...] = float(value)
    else:
        group[key] = value.item() if isinstance(value, Tensor) else value


def per_group(name: str, value: Any, optimizer: Optimizer) -> list[Any]:
    """One value per group, from one for all or a list of them.

    Raises:
        ValueError: a list of another length.
    """
    count = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * count
    if len(value) != count:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, "
            f"param_groups has {count}."
        )
    return list(value)


def kept_function(function: Any) -> Any:
    """What a state keeps of a function: the fields of an object that can be called, None of a plain one."""
    plain = isinstance(function, FunctionType) or not hasattr(function, "__dict__")
    return None if plain else dict(function.__dict__)


def set_momentum(group: dict[str, Any], value: float) -> None:
    """Set the momentum of a group, or beta1 where it has betas."""
    if "betas" in group:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value
