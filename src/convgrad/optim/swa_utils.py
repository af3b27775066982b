"""Averages of weights: stochastic weight averaging and exponential moving averages.

Source: Izmailov et al. 2018, arXiv:1803.05407; Polyak & Juditsky 1992 for averages of iterates.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from typing import Any

from ..autograd.grad_mode import no_grad
from ..nn.module import Module
from ..nn.modules.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from ..tensor.creation import tensor
from .lr_scheduler.scheduler import LRScheduler, per_group
from .optimizer import Optimizer


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[..., None]:
    """A function that changes lists of averages in place to ``decay * average + (1 - decay) * new``."""
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param_list: list[Any], current_param_list: list[Any], _: Any) -> None:
        for mean, new in zip(ema_param_list, current_param_list, strict=True):
            _towards(mean, new, 1 - decay)

    return ema_update


def get_swa_multi_avg_fn() -> Callable[..., None]:
    """A function that changes lists of averages in place to the means with one more value."""

    @no_grad()
    def swa_update(averaged_param_list: list[Any], current_param_list: list[Any], num_averaged: Any) -> None:
        for mean, new in zip(averaged_param_list, current_param_list, strict=True):
            _towards(mean, new, 1 / (float(num_averaged) + 1))

    return swa_update


def _towards(mean: Any, new: Any, weight: float) -> None:
    if mean.is_floating_point() or mean.is_complex():
        mean.lerp_(new, weight)
    else:
        mean.copy_(mean + (new - mean) * weight)


def get_ema_avg_fn(decay: float = 0.999) -> Callable[..., Any]:
    """A function that gives ``decay * average + (1 - decay) * new``."""
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> Callable[..., Any]:
    """A function that gives the mean with one more value."""

    @no_grad()
    def swa_update(averaged_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


class AveragedModel(Module):
    """A copy of a model whose parameters are running averages of the model's.

    Args:
        model: copied deeply; its parameters at the first ``update_parameters`` are where the average starts.
        device: accepted; everything is on the CPU.
        avg_fn: from (average, new value, number averaged so far) to the new average; None is the plain mean.
        multi_avg_fn: changes lists of averages in place instead.
        use_buffers: average the buffers as well; otherwise they are copied from the model.
    Raises:
        AssertionError: both functions.
    Example:
        >>> from convgrad import nn
        >>> model = nn.Linear(1, 1)
        >>> averaged = AveragedModel(model, avg_fn=get_ema_avg_fn(0.9))
        >>> averaged.update_parameters(model)
        >>> averaged.n_averaged
        tensor(1)

    Source: Izmailov et al. 2018, arXiv:1803.05407.
    """

    n_averaged: Any

    def __init__(
        self, model: Module, device: Any = None, avg_fn: Callable[..., Any] | None = None,
        multi_avg_fn: Callable[..., None] | None = None, use_buffers: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        self.register_buffer("n_averaged", tensor(0))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model gives."""
        return self.module(*args, **kwargs)

    def _averaged(self, module: Module) -> list[Any]:
        found = [p.detach() for p in module.parameters()]
        return [*found, *[b.detach() for b in module.buffers()]] if self.use_buffers else found

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the model's present parameters into the average."""
        means, news = self._averaged(self.module), self._averaged(model)
        count = self.n_averaged
        if int(count) == 0:
            for mean, new in zip(means, news, strict=True):
                mean.copy_(new)
        elif self.avg_fn is not None:
            for mean, new in zip(means, news, strict=True):
                mean.copy_(self.avg_fn(mean, new, count))
        else:
            (self.multi_avg_fn or get_swa_multi_avg_fn())(means, news, count)
        if not self.use_buffers:
            for mean, new in zip(self.module.buffers(), model.buffers(), strict=True):
                mean.detach().copy_(new.detach())
        self.n_averaged += 1


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of a model's batch normalisations anew from one pass over the data.

    Args:
        loader: of batches, or of lists and tuples that begin with the batch.
        model: called with each batch, in training mode.
        device: accepted; everything is on the CPU.
    """
    norms = [m for m in model.modules() if isinstance(m, BatchNorm1d | BatchNorm2d | BatchNorm3d)]
    if not norms:
        return
    momenta = [m.momentum for m in norms]
    was_training = model.training
    model.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over the batches
    for batch in loader:
        model(batch[0] if isinstance(batch, list | tuple) else batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the present learning rate to ``swa_lr`` in ``anneal_epochs``, then constant.

    Args:
        optimizer: whose groups are set.
        swa_lr: one for all groups or a list.
        anneal_epochs: 0 goes there at once.
        anneal_strategy: "cos" or "linear".
        last_epoch: -1 to start, or the epoch to continue from.
    Raises:
        ValueError: a list of another length, an unknown strategy, a negative number of epochs.
    Source: Izmailov et al. 2018, arXiv:1803.05407.
    """

    def __init__(
        self, optimizer: Optimizer, swa_lr: Any, anneal_epochs: int = 10, anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        for group, rate in zip(optimizer.param_groups, per_group("swa_lr", swa_lr, optimizer), strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: float) -> float:
        """The share of ``swa_lr`` in the rate after a number of steps."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[Any]:
        """The learning rate of each group: the old one without its share of ``swa_lr``, mixed anew."""
        self._ask()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group, lr in zip(self.optimizer.param_groups, self._lrs(), strict=True):
            goal = group["swa_lr"]
            first = goal if before == 1 else (lr - before * goal) / (1 - before)
            rates.append(goal * now + first * (1 - now))
        return rates


__all__ = [
    "AveragedModel", "update_bn", "SWALR", "get_ema_multi_avg_fn", "get_swa_multi_avg_fn", "get_ema_avg_fn",
    "get_swa_avg_fn",
]  # fmt: skip
