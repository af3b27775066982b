"""``Optimizer``: groups of parameters with options, and the state an algorithm keeps for each."""

from __future__ import annotations

import copy
import functools
import itertools
import warnings
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from .. import dtypes
from ..autograd.grad_mode import set_grad_enabled
from ..dtypes import F32, F64
from ..graph.node import LEAF, bump_all
from ..kernels import table
from ..nn.hooks import RemovableHandle, Table, add
from ..tensor.tensor import Tensor

ParamsT: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
params_t: TypeAlias = ParamsT
StateDict: TypeAlias = dict[str, Any]


class _Required:
    """What stands for an option that every group must give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required: Any = _Required()

#: options that came to PyTorch's optimisers later than their states were saved
_LATER = {
    "maximize": False, "foreach": None, "capturable": False, "differentiable": False, "fused": None,
    "amsgrad": False, "nesterov": False, "momentum": 0, "centered": False, "decoupled_weight_decay": False,
}  # fmt: skip

_before_all = Table()
_after_all = Table()


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before each step of every optimiser."""
    return add(_before_all, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after each step of every optimiser."""
    return add(_after_all, hook)


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """``step`` with the hooks before and after it; a step called inside another runs plainly."""

    @functools.wraps(step)
    def hooked(*args: Any, **kwargs: Any) -> Any:
        self = args[0]
        if self._stepping:
            return step(*args, **kwargs)
        self._stepping = True
        try:
            if _before_all or self._optimizer_step_pre_hooks:
                args, kwargs = _changed(step, self, args, kwargs)
            out = step(*args, **kwargs)
        finally:
            self._stepping = False
        self._opt_called = True
        if _after_all or self._optimizer_step_post_hooks:
            for hook in (*self._optimizer_step_post_hooks.values(), *_after_all.values()):
                hook(self, args, kwargs)
        return out

    return hooked


def _changed(step: Any, self: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The arguments of a step after its hooks had their say."""
    for hook in (*_before_all.values(), *self._optimizer_step_pre_hooks.values()):
        result = hook(self, args, kwargs)
        if result is None:
            continue
        if not (isinstance(result, tuple) and len(result) == 2):
            raise RuntimeError(
                f"{step} must return None or a tuple of (new_args, new_kwargs), but got {result}."
            )
        args, kwargs = result
    return args, kwargs


class Optimizer:
    """Base of all optimisers: derive, write ``step(closure=None)``, and hand the options to ``__init__``.

    Args:
        params: parameters, or (name, parameter) pairs, or dictionaries ``{"params": [...], option: value}``.
        defaults: the options of groups that do not give their own.
    Raises:
        TypeError: a single tensor, or something that is no tensor.
        ValueError: no parameters, one that is no leaf, one in two groups, names for only some.
    Example:
        >>> class Fixed(Optimizer):
        ...     def step(self, closure=None):
        ...         for group in self.param_groups:
        ...             for p in group["params"]:
        ...                 p.data -= group["lr"] * p.grad
        >>> Fixed([Tensor([1.0])], {"lr": 0.1}).param_groups[0]["lr"]
        0.1
    """

    param_groups: list[dict[str, Any]]
    state: defaultdict[Any, Any]
    defaults: dict[str, Any]
    _optimizer_step_pre_hooks: Table
    _optimizer_step_post_hooks: Table
    _optimizer_state_dict_pre_hooks: Table
    _optimizer_state_dict_post_hooks: Table
    _optimizer_load_state_dict_pre_hooks: Table
    _optimizer_load_state_dict_post_hooks: Table

    OptimizerPreHook: TypeAlias = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
    OptimizerPostHook: TypeAlias = Callable[[Any, tuple[Any, ...], dict[str, Any]], None]

    _stepping = False
    #: whether a step was made, for the warning of schedulers
    _opt_called = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls):
            cls.step = _with_hooks(vars(cls)["step"])  # type: ignore[method-assign]

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                f"{type(params).__name__}"
            )
        self.defaults = defaults
        self._make_hooks()
        self.state = defaultdict(dict)
        self.param_groups = []
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
            param_group: ``{"params": tensor or iterable, option: value, ...}``; it becomes the group itself.
        Raises:
            TypeError, ValueError: as of the constructor; nothing has been added then.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params, names = _listed(param_group["params"])
        for param in params:
            self._check(param)
        if self.param_groups and (names is None) == ("param_names" in self.param_groups[0]):
            with_or_without = "without" if names is None else "with"
            raise ValueError(
                "all optimizer param groups should be with/without names. cannot add param group "
                f"{with_or_without} names to the optimizer"
            )
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    f"parameter group didn't specify a value of required optimization parameter {name}"
                )
        mine = {id(p) for p in params}
        if len(mine) != len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause "
                "an error",
                stacklevel=3,
            )
        if mine.intersection([id(p) for p in self._all()]):
            raise ValueError("some parameters appear in more than one parameter group")
        param_group["params"] = params
        if names is not None:
            param_group["param_names"] = names
        for name, default in self.defaults.items():
            param_group.setdefault(name, default)
        self.param_groups.append(param_group)

    def _check(self, param: Any) -> None:
        if not isinstance(param, Tensor):
            raise TypeError(
                f"optimizer can only optimize Tensors, but one of the params is {type(param).__name__}"
            )
        if not (self.defaults.get("differentiable") or param.is_leaf or param.retains_grad):
            raise ValueError("can't optimize a non-leaf Tensor")

    def _all(self) -> Iterator[Any]:
        return itertools.chain.from_iterable([g["params"] for g in self.param_groups])

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or with False fill them with zeros."""
        zeroed: list[Any] = []
        for param in self._all():
            node = param._node
            leaf = node is not None and node.kind == LEAF
            grad = node.grad if leaf else param.__dict__.get("_grad")
            if grad is None:
                continue
            if set_to_none:
                grad = None
            elif grad._node is not None:
                grad = grad.detach()
            if grad is not None:
                zeroed.append(grad)
            if leaf:
                node.grad = grad
            else:
                param.__dict__["_grad"] = grad
        if zeroed:
            table.fill_all([grad._data for grad in zeroed], 0.0)
            bump_all(zeroed, "zero_")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient, in place.

        Args:
            closure: computes gradients anew and returns the loss; called first.
        Returns:
            What the closure returned, or None.
        """
        raise NotImplementedError

    # ------------------------------------------------------------------ hooks

    def _make_hooks(self) -> None:
        """Tables of hooks under PyTorch's names, where there are none yet."""
        for name in (
            "step_pre", "step_post", "state_dict_pre", "state_dict_post", "load_state_dict_pre",
            "load_state_dict_post",
        ):  # fmt: skip
            self.__dict__.setdefault(f"_optimizer_{name}_hooks", Table())

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; args begins with the optimiser.

        It returns None, or ``(args, kwargs)`` to be used instead.
        """
        return add(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return add(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` before each ``state_dict()``."""
        return add(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` after each ``state_dict()``; may return another dictionary."""
        return add(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before loading; may return what to load instead."""
        return add(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` after loading."""
        return add(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    def _accelerator_graph_capture_health_check(self) -> None:
        """There are no graphs of accelerators here; optimisers written for PyTorch call this in ``step``."""

    _cuda_graph_capture_health_check = _accelerator_graph_capture_health_check

    # ------------------------------------------------------------------ state

    def state_dict(self) -> StateDict:
        """State by number of parameter, and the groups with numbers in place of parameters."""
        for hook in tuple(self._optimizer_state_dict_pre_hooks.values()):
            hook(self)
        numbers = {id(p): i for i, p in enumerate(self._all())}
        groups = []
        for group in self.param_groups:
            packed = {k: v for k, v in group.items() if k != "params"}
            packed["params"] = [numbers[id(p)] for p in group["params"]]
            groups.append(packed)
        state = {numbers[id(k)] if isinstance(k, Tensor) else k: v for k, v in self.state.items()}
        out = {"state": state, "param_groups": groups}
        for hook in tuple(self._optimizer_state_dict_post_hooks.values()):
            changed = hook(self, out)
            out = out if changed is None else changed
        return out

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Continue from what ``state_dict`` gave, here or in PyTorch.

        Args:
            state_dict: with tensors of this library, or anything NumPy takes for an array (of PyTorch's
                tensors or of NumPy) in their places; copied, and given the dtypes of the parameters.
        Raises:
            ValueError: groups of another number or size; nothing has been changed then.
        """
        loaded = state_dict.copy()
        for hook in tuple(self._optimizer_load_state_dict_pre_hooks.values()):
            changed = hook(self, loaded)
            loaded = loaded if changed is None else changed
        saved = loaded["param_groups"]
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
        state: defaultdict[Any, Any] = defaultdict(dict)
        for number, values in loaded["state"].items():
            state[params.get(number, number)] = _adapted(values, params.get(number))
        groups = [_merged(*pair) for pair in zip(self.param_groups, saved, strict=True)]
        self.__setstate__({"state": state, "param_groups": groups})
        for hook in tuple(self._optimizer_load_state_dict_post_hooks.values()):
            hook(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_hooks()
        for group in self.param_groups:
            for name in _LATER.keys() & self.defaults.keys():
                group.setdefault(name, _LATER[name])

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
            "in sets will change between runs. Please use a list instead."
        )
    found = list(params)
    named = [isinstance(p, tuple) for p in found]
    if not any(named):
        return found, None
    if not all(named):
        raise ValueError("all optimizer params should be with/without names. Some param names are missing")
    return [p for _, p in found], [name for name, _ in found]


def _merged(group: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    """The options that were saved with the parameters that are here; names stay if none were saved."""
    out = {k: group["params"] if k == "params" else copy.deepcopy(v) for k, v in saved.items()}
    if "param_names" in group:
        out.setdefault("param_names", group["param_names"])
    return out


def _adapted(value: Any, param: Tensor | None, name: Hashable = None) -> Any:
    """A copy of a loaded value, whatever holds it: arrays take a float parameter's dtype, but not "step"."""
    if isinstance(value, dict):
        return {k: _adapted(v, param, k) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_adapted(v, param, name) for v in value])
    if isinstance(value, Tensor):
        array = np.array(value._data, order="C")
    elif hasattr(value, "__array__"):
        array = np.array(_array(value), order="C")
    else:
        return copy.deepcopy(value)
    kind = None if param is None or name == "step" or not param.dtype.is_floating_point else param._data.dtype
    return Tensor(array if kind is None else array.astype(kind, copy=False), None)


def _array(value: Any) -> Any:
    """The array of a foreign tensor."""
    try:
        return np.asarray(value)
    except TypeError:  # PyTorch's bfloat16, which NumPy does not know
        return np.asarray(value.float())


def scalar(value: float) -> Tensor:
    """A number of the state: a 0-d tensor of float32, of float64 where that is the default dtype."""
    return Tensor(np.array(value, F64 if dtypes.default_dtype().np == F64 else F32), None)


def _use_grad_for_differentiable(step: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator for ``step`` of an optimiser of one's own: recorded only if ``differentiable`` says so."""

    @functools.wraps(step)
    def quiet(self: Any, *args: Any, **kwargs: Any) -> Any:
        with set_grad_enabled(bool(self.defaults.get("differentiable", False))):
            return step(self, *args, **kwargs)

    return quiet


__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook"]
