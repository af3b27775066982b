"""An optimiser on other parameters for a while."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .optimizer import Optimizer


@contextmanager
def swap_in_optimizer_params_and_state(
    optimizer: Optimizer, swapin_parameters: dict[str, Any], swapin_optim_state: dict[str, Any]
) -> Iterator[None]:
    """Let an optimiser work on given parameters and state inside the block; its own come back afterwards.

    Args:
        optimizer: any; hooks stay.
        swapin_parameters: by name, in the order of the optimiser's parameters.
        swapin_optim_state: as ``optimizer.state_dict()`` gives it. Its tensors are changed in place by steps;
            what is assigned anew is not seen in it afterwards.
    Raises:
        ValueError: another number of parameters or groups.
    Example:
        >>> from convgrad import optim
        >>> from convgrad.tensor.tensor import Tensor
        >>> p, q = Tensor([1.0]), Tensor([5.0])
        >>> q.grad = Tensor([1.0])
        >>> optimizer = optim.SGD([p.requires_grad_()], lr=1.0)
        >>> with swap_in_optimizer_params_and_state(optimizer, {"q": q}, optimizer.state_dict()):
        ...     optimizer.step()
        >>> p.item(), q.item()
        (1.0, 4.0)
    """
    params, saved = list(swapin_parameters.values()), swapin_optim_state["param_groups"]
    sizes = [len(group["params"]) for group in optimizer.param_groups]
    if [len(group["params"]) for group in saved] != sizes or len(params) != sum(sizes):
        raise ValueError(
            f"swap_in_optimizer_params_and_state: the optimizer has groups of {sizes} parameters, but got "
            f"{len(params)} parameters and a state with groups of {[len(g['params']) for g in saved]}"
        )
    groups = [
        {**{k: v for k, v in group.items() if k != "params"}, "params": [params[i] for i in group["params"]]}
        for group in saved
    ]
    state: defaultdict[Any, Any] = defaultdict(dict)
    for number, values in swapin_optim_state["state"].items():
        key = params[number] if isinstance(number, int) else number
        state[key] = dict(values) if isinstance(values, dict) else values
    kept = optimizer.param_groups, optimizer.state
    optimizer.param_groups, optimizer.state = groups, state
    try:
        yield
    finally:
        optimizer.param_groups, optimizer.state = kept


__all__ = ["swap_in_optimizer_params_and_state"]
