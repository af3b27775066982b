"""Modules as functions of their parameters: ``functional_call``, ``stack_module_state``.

A module is whatever has ``named_parameters``, ``named_buffers``, ``get_submodule`` and tables
``_parameters`` and
``_buffers``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ConvgradError
from ..ops import shape
from ..tensor.tensor import Tensor, apply
from .batching import BatchNode

State = dict[str, Any]


def functional_call(
    module: Any, parameter_and_buffer_dicts: Any, args: Any = None, kwargs: dict[str, Any] | None = None, *,
    tie_weights: bool = True, strict: bool = False,
) -> Any:  # fmt: skip
    """Call a module with other tensors in place of its parameters and buffers; the module stays as it is.

    Args:
        module: an ``nn.Module``.
        parameter_and_buffer_dicts: names as in ``named_parameters()`` and ``named_buffers()`` -> tensors; or
            several such dictionaries.
        args: the positional arguments, a tuple; anything else is the one argument.
        kwargs: the named arguments.
        tie_weights: a tensor given for one of several names of a parameter stands for all.
        strict: all names of the module must be given, and no others.
    Raises:
        ValueError: something else than dictionaries, names given twice.
        TypeError: values that are no tensors.
        ConvgradError: names missing or unknown, if ``strict``.
    Example:
        >>> from convgrad import Tensor, nn
        >>> w, b = Tensor([[1.0, 2.0]]), Tensor([0.5])
        >>> functional_call(nn.Linear(2, 1), {"weight": w, "bias": b}, (Tensor([[3.0, 4.0]]),)).tolist()
        [[11.5]]
    """
    given = _merged(parameter_and_buffer_dicts)
    for value in given.values():
        if not isinstance(value, Tensor):
            raise TypeError(f"{value!r} is not an instance of torch.Tensor")
    names = _all_names(module)
    if tie_weights:
        given = _tied(names, given)
    if strict:
        _check_names(type(module).__name__, names, given)
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    return _swapped(module, given, lambda: module(*arguments, **(kwargs or {})))


def _merged(dicts: Any) -> State:
    if isinstance(dicts, dict):
        return dict(dicts)
    if not isinstance(dicts, (list, tuple)):
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(dicts)}"
        )
    if not all([isinstance(d, dict) for d in dicts]):
        raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
    keys = [key for d in dicts for key in d]
    twice = list(dict.fromkeys([key for key in keys if keys.count(key) > 1]))
    if twice:
        raise ValueError(
            f"{twice} appeared in multiple dictionaries; behavior of functional call is ambiguous"
        )
    return {key: value for d in dicts for key, value in d.items()}


def _all_names(module: Any) -> State:
    """All parameters and buffers by all their names."""
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def _tied(names: State, given: State) -> State:
    """The given tensors under all names of what they replace."""
    groups: dict[int, list[str]] = {}
    for name, tensor in names.items():
        groups.setdefault(id(tensor), []).append(name)
    out = dict(given)
    for group in groups.values():
        found = [name for name in group if name in given]
        if len({id(given[name]) for name in found}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(found)}, which are tied. "
                "Consider using "
                "tie_weights=False"
            )
        if found:
            out.update(dict.fromkeys(group, given[found[0]]))
    return out


def _check_names(kind: str, names: State, given: State) -> None:
    unknown = [name for name in given if name not in names]
    missing = [name for name in names if name not in given]
    lines = []
    if unknown:
        lines.append(f"Unexpected key(s): {', '.join(map(repr, unknown))}.")
    if missing:
        lines.append(f"Missing key(s): {', '.join(map(repr, missing))}.")
    if lines:
        raise ConvgradError(f"Error(s) in reparametrizing for {kind}:\n\t" + "\n\t".join(lines))


def _swapped(module: Any, given: State, call: Callable[[], Any]) -> Any:
    """The result of a call with other tensors in the module's tables, which then hold their own again."""
    kept: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for name, tensor in given.items():
            path, _, last = name.rpartition(".")
            try:
                owner = module.get_submodule(path) if path else module
            except AttributeError:
                continue
            for table in (owner._parameters, owner._buffers):
                if last in table:
                    kept.append((table, last, table[last]))
                    table[last] = tensor
        return call()
    finally:
        for table, last, tensor in reversed(kept):
            table[last] = tensor


def stack_module_state(models: Sequence[Any]) -> tuple[State, State]:
    """The parameters and the buffers of several modules of one class, stacked along a new first dimension.

    Returns:
        ``(parameters, buffers)``; parameters are leaves that require grad where the modules' do.
    Raises:
        ConvgradError: no module, or modules that differ in class, mode or requires_grad.
    Example:
        >>> from convgrad import nn, ones, vmap
        >>> models = [nn.Linear(3, 2) for _ in range(5)]
        >>> params, buffers = stack_module_state(models)
        >>> each = vmap(lambda p, b, x: functional_call(models[0], (p, b), (x,)), (0, 0, None))
        >>> each(params, buffers, ones(4, 3)).shape
        torch.Size([5, 4, 2])
    """
    if not models:
        raise ConvgradError("stack_module_state: Expected at least one model, got 0.")
    if not (all([m.training for m in models]) or all([not m.training for m in models])):
        raise ConvgradError("stack_module_state: Expected all models to have the same training/eval mode.")
    if not all([type(m) is type(models[0]) for m in models]):
        raise ConvgradError("stack_module_state: Expected all models to be of the same class.")
    parameters = [dict(m.named_parameters()) for m in models]
    buffers = [dict(m.named_buffers()) for m in models]
    return (
        {name: _stacked(name, [p[name] for p in parameters]) for name in parameters[0]},
        {name: _stacked(name, [b[name] for b in buffers]) for name in buffers[0]},
    )


def _stacked(name: str, tensors: Sequence[Any]) -> Any:
    wanted = tensors[0].requires_grad
    if not all([t.requires_grad == wanted for t in tensors]):
        raise ConvgradError(f"Expected {name} from each model to have the same .requires_grad")
    out = apply(shape.Stack, tuple([t.detach() for t in tensors]), (0,))
    return out.requires_grad_() if wanted else out


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """``func`` itself: it gives the same values, and changes in place are followed as they are.

    Raises:
        ConvgradError: ``remove`` is neither "mutations" nor "mutations_and_views".
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise ConvgradError(
            "functionalize(f, remove='mutations'): received invalid argument for remove=. Valid "
            "options are:\n"
            "     remove='mutations'\n     remove='mutations_and_views'"
        )
    return func


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """The tensor of all samples behind one that is seen inside of ``vmap``; others as they are.

    Args:
        recurse: through all levels, not only the innermost.
    """
    while isinstance(tensor._node, BatchNode):
        tensor = tensor._node.value
        if not recurse:
            break
    return tensor


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Take the running statistics from a module's batch norms, so that ``vmap`` can run it."""
    for module in root.modules():
        if hasattr(module, "running_mean") and hasattr(module, "track_running_stats"):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root


__all__ = [
    "debug_unwrap", "functional_call", "functionalize", "replace_all_batch_norm_modules_",
    "stack_module_state",
]  # fmt: skip
