"""``Optimizer``: groups of parameters with options, and the state an algorithm keeps for each."""

from __future__ import annotations

import copy
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..autograd.grad_mode import enable_grad
from ..graph.node import LEAF, cell_of
from ..nn.hooks import RemovableHandle, Table, add
from ..tensor.tensor import Tensor

#: stands for an option that every group must give
required: Any = object()


class Optimizer:
    """Base of all optimisers.

    Args:
        params: parameters, or (name, parameter) pairs, or dictionaries ``{"params": [...], option: value}``.
        defaults: the options of groups that do not give their own.
    Raises:
        TypeError: a single tensor, or something that is no tensor.
        ValueError: no parameters, one that is no leaf, or one given twice.
    """

    param_groups: list[dict[str, Any]]
    state: defaultdict[Any, dict[str, Any]]

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                f"{type(params).__name__}"
            )
        self.defaults = defaults
        self.state = defaultdict(dict)
        self.param_groups = []
        self._opt_called = False
        self._before = Table()
        self._after = Table()
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own, as when frozen layers are released.

        Args:
            param_group: ``{"params": tensor or iterable, option: value, ...}``.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = dict(param_group)
        group["params"], names = _listed(group["params"])
        if names is not None:
            group["param_names"] = names
        for param in group["params"]:
            if not isinstance(param, Tensor):
                raise TypeError(
                    f"optimizer can only optimize Tensors, but one of the params is {type(param).__name__}"
                )
            if not (param.is_leaf or getattr(param, "retains_grad", False)):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError(
                    f"parameter group didn't specify a value of required optimization parameter {name}"
                )
            group.setdefault(name, default)
        known = {id(p) for g in self.param_groups for p in g["params"]}
        mine = [id(p) for p in group["params"]]
        if len(set(mine)) != len(mine):
            raise ValueError("optimizer contains a parameter group with duplicate parameters")
        if known.intersection(mine):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or with False fill them with zeros."""
        for group in self.param_groups:
            for param in group["params"]:
                node = param._node
                if node is None or node.kind != LEAF or node.grad is None:
                    continue
                if set_to_none:
                    node.grad = None
                else:
                    grad = node.grad.detach()
                    grad._data.fill(0)
                    cell_of(grad).bump("zero_")
                    node.grad = grad

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient, in place.

        Args:
            closure: computes gradients anew and returns the loss; called first.
        Returns:
            What the closure returned, or None.
        """
        for hook in tuple(self._before.values()):
            hook(self, (closure,), {})
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        self._opt_called = True
        for group in self.param_groups:
            self._update(group)
        for hook in tuple(self._after.values()):
            hook(self, (closure,), {})
        return loss

    def _update(self, group: dict[str, Any]) -> None:
        """One step for the parameters of one group; each algorithm defines it."""
        raise NotImplementedError

    def register_step_pre_hook(self, hook: Any) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step."""
        return add(self._before, hook)

    def register_step_post_hook(self, hook: Any) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return add(self._after, hook)

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """State by number of parameter, and the groups with numbers in place of parameters."""
        numbers = {id(p): i for i, p in enumerate(self._all())}
        groups = []
        for group in self.param_groups:
            packed = {k: v for k, v in group.items() if k != "params"}
            packed["params"] = [numbers[id(p)] for p in group["params"]]
            groups.append(packed)
        state = {numbers[id(p)]: s for p, s in self.state.items() if id(p) in numbers}
        return {"state": state, "param_groups": groups}

    def _all(self) -> Iterable[Any]:
        return itertools.chain.from_iterable([g["params"] for g in self.param_groups])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` gave.

        Raises:
            ValueError: groups of another number or size; nothing has been changed then.
        """
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError(
                f"loaded state dict has a different number of parameter groups ({len(saved)}, not "
                f"{len(self.param_groups)})"
            )
        for group, other in zip(self.param_groups, saved, strict=True):
            if len(group["params"]) != len(other["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of "
                    "optimizer's group "
                    f"({len(other['params'])} parameters, not {len(group['params'])})"
                )
        numbers = itertools.chain.from_iterable([g["params"] for g in saved])
        params = dict(zip(numbers, self._all(), strict=True))
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for number, values in state_dict["state"].items():
            if number in params:
                param = params[number]
                state[param] = {name: _adapted(name, value, param) for name, value in values.items()}
        groups = []
        for group, other in zip(self.param_groups, saved, strict=True):
            merged = {k: copy.deepcopy(v) for k, v in other.items() if k != "params"}
            groups.append({"params": group["params"], **merged})
        self.param_groups[:] = groups
        self.state = state

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._opt_called = False
        self._before, self._after = Table(), Table()

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for number, group in enumerate(self.param_groups):
            text += f"\nParameter Group {number}\n"
            for key in sorted(group):
                if key != "params":
                    text += f"    {key}: {group[key]}\n"
        return text + ")"


def _listed(params: Any) -> tuple[list[Any], list[str] | None]:
    """The parameters of a group as a list, and their names if they were given as pairs."""
    if isinstance(params, Tensor):
        return [params], None
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of tensors "
            "in sets "
            "will change between runs. Please use a list instead."
        )
    found = list(params)
    if found and all([isinstance(p, tuple) for p in found]):
        return [p for _, p in found], [name for name, _ in found]
    return found, None


def _adapted(name: str, value: Any, param: Tensor) -> Any:
    """A copy of one loaded value: arrays take the parameter's dtype, except the step count."""
    if not isinstance(value, Tensor):
        return copy.deepcopy(value)
    array = value._data.copy()
    if name != "step" and param._data.dtype.kind not in "biu":
        array = array.astype(param._data.dtype, copy=False)
    return Tensor(array, None)


def gradient(param: Any, maximize: bool) -> Any:
    """The array of a parameter's gradient (its negative for ascent), or None."""
    node = param._node
    if node is None or node.kind != LEAF or node.grad is None:
        return None
    return np.negative(node.grad._data) if maximize else node.grad._data


def fresh(array: Any) -> Tensor:
    """A tensor of zeros like an array, to keep in the state."""
    return Tensor(np.zeros_like(array, order="C"), None)


def check_options(**options: float) -> None:
    """Every option must be at least 0.

    Raises:
        ValueError: "Invalid learning rate: -1", and the like.
    """
    for name, value in options.items():
        if not float(value) >= 0.0:
            words = {"lr": "learning rate", "eps": "epsilon value"}.get(name, f"{name} value")
            raise ValueError(f"Invalid {words}: {value}")


__all__ = ["Optimizer", "check_options", "fresh", "gradient", "required"]
