"""The state of a module as an ordered dictionary of tensors: ``state_dict`` and ``load_state_dict``.

Loading checks every key and shape before it writes anything: after an error the module is as it was.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import ConvgradError
from ..graph.node import cell_of
from ..size import Size
from ..tensor.tensor import Tensor
from .hooks import RemovableHandle, Table, add
from .parameter import Parameter

EXTRA = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(strict=False)`` left over."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"

    def __str__(self) -> str:
        return repr(self)


class Report(list[str]):
    """The errors met so far, and the copies to make once there are none."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: list[Callable[[], None]] = []


class StateMethods:
    """The part of ``Module`` that reads and writes its state."""

    _version: int = 1
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]
    _state_tables: dict[str, Table] | None

    def get_extra_state(self) -> Any:
        """Override together with ``set_extra_state`` to keep more than tensors in the state."""
        raise ConvgradError(
            "Reached a code path in Module.get_extra_state() that should never be called: a module with more "
            "state than tensors overrides it"
        )

    def set_extra_state(self, state: Any) -> None:
        """Take back what ``get_extra_state`` gave."""
        raise ConvgradError(
            "Reached a code path in Module.set_extra_state() that should never be called: a module with more "
            "state than tensors overrides it"
        )

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Put this module's own parameters and buffers, not its children's, into ``destination``."""
        for name, param in self._parameters.items():
            if param is not None:
                destination[prefix + name] = param if keep_vars else param.detach()
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                destination[prefix + name] = buffer if keep_vars else buffer.detach()
        if type(self).get_extra_state is not StateMethods.get_extra_state:
            destination[prefix + EXTRA] = self.get_extra_state()

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> Any:
        """Names to tensors for every parameter and persistent buffer; the tensors share memory.

        Args:
            destination: a dictionary to fill, instead of a new one.
            prefix: put before each name.
            keep_vars: give the parameters themselves, not detached tensors.
        Example:
            >>> list(Linear(2, 3).state_dict())
            ['weight', 'bias']
        """
        if args:  # the old positional form: destination, prefix, keep_vars
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead. Refer to "
                "https://pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.state_dict for "
                "details.",
                FutureWarning,
                stacklevel=2,
            )
            given = (*args, *(destination, prefix, keep_vars)[len(args) :])
            destination, prefix, keep_vars = given[0], given[1], given[2]
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_hooks("state_pre"):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook, may_replace in self._state_hooks("state_post"):
            changed = hook(self, destination, prefix, metadata)
            if may_replace:
                destination = destination if changed is None else changed
            elif changed is not None:
                raise ConvgradError("state_dict post-hook must return None")
        return destination

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Check and take this module's own entries; errors go into the lists, nothing is raised."""
        for hook, with_module in self._state_hooks("load_pre"):
            arguments = (
                state_dict,
                prefix,
                local_metadata,
                strict,
                missing_keys,
                unexpected_keys,
                error_msgs,
            )
            hook(self, *arguments) if with_module else hook(*arguments)
        own = {n: b for n, b in self._buffers.items() if n not in self._non_persistent_buffers_set}
        assign = bool(local_metadata.get("assign_to_params_buffers", False))
        for table in (self._parameters, own):
            for name, target in table.items():
                if target is None:
                    continue
                key = prefix + name
                if key in state_dict:
                    self._take(name, key, target, state_dict[key], assign, error_msgs)
                elif strict:
                    missing_keys.append(key)
        key = prefix + EXTRA
        if type(self).set_extra_state is not StateMethods.set_extra_state:
            if key in state_dict:
                _do(error_msgs, lambda: self.set_extra_state(state_dict[key]))
            elif strict:
                missing_keys.append(key)
        elif strict and key in state_dict:
            unexpected_keys.append(key)
        if strict:
            self._find_unexpected(state_dict, prefix, key, unexpected_keys)

    def _find_unexpected(self, state_dict: Any, prefix: str, extra: str, unexpected: list[str]) -> None:
        for key in state_dict:
            if not key.startswith(prefix) or key == extra:
                continue
            head, dot, _ = key[len(prefix) :].partition(".")
            own = self._parameters.get(head, self._buffers.get(head))
            local = head in self._modules if dot else own is not None
            if head in self._non_persistent_buffers_set:
                local = False
            if not local:
                unexpected.append(key)

    def _take(self, name: str, key: str, target: Tensor, value: Any, assign: bool, errors: list[str]) -> None:
        array = value._data if isinstance(value, Tensor) else value
        if not isinstance(array, np.ndarray):
            errors.append(
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object '
                f"from checkpoint but received {type(value)}"
            )
            return
        if array.shape == (1,) and target._data.shape == ():  # from before there were 0-d tensors
            array = array.reshape(())
        if array.shape != target._data.shape:
            errors.append(
                f"size mismatch for {key}: copying a param with shape {Size(array.shape)} from checkpoint, "
                f"the shape in current model is {Size(target._data.shape)}."
            )
            return

        def copy() -> None:
            if assign:
                tensor = value if isinstance(value, Tensor) else Tensor(array, None)
                if isinstance(target, Parameter) and not isinstance(tensor, Parameter):
                    tensor = Parameter(tensor, target.requires_grad)
                elif isinstance(target, Parameter):
                    tensor.requires_grad_(target.requires_grad)
                setattr(self, name, tensor)
            else:
                np.copyto(target._data, array, casting="unsafe")
                cell_of(target).bump("load_state_dict")

        _do(errors, copy)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy parameters and buffers from ``state_dict`` into this module and its descendants.

        Args:
            state_dict: names to tensors (or arrays), as ``state_dict()`` gives them.
            strict: names must match exactly.
            assign: take the tensors themselves instead of copying their values.
        Returns:
            The names left over on either side (both empty if strict).
        Raises:
            ConvgradError: "Error(s) in loading state_dict"; nothing has been changed then (unless hooks run
                after loading, which may strike names from the lists).
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None)
        state = OrderedDict(state_dict)
        if metadata is not None:
            state._metadata = metadata  # type: ignore[attr-defined]
        missing: list[str] = []
        unexpected: list[str] = []
        errors = Report()
        _load(self, state, "", metadata or {}, assign, missing, unexpected, errors)
        result = IncompatibleKeys(missing, unexpected)
        hooked = [m for m in _children_first(self) if m._state_hooks("load_post")]
        if not hooked or errors:
            self._raise_if_wrong(errors, result, strict)
        for copy in errors.pending:
            copy()
        for module in hooked:
            for hook in module._state_hooks("load_post"):
                if hook(module, result) is not None:
                    raise AssertionError(
                        "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to "
                        "return new values, if incompatible_keys need to be modified, it should be done "
                        "inplace."
                    )
        self._raise_if_wrong(errors, result, strict)
        return result

    def _raise_if_wrong(self, errors: list[str], left: IncompatibleKeys, strict: bool) -> None:
        messages = list(errors)
        if strict:
            for what, keys in (("Unexpected", left.unexpected_keys), ("Missing", left.missing_keys)):
                if keys:
                    names = ", ".join([f'"{k}"' for k in keys])
                    messages.insert(0, f"{what} key(s) in state_dict: {names}. ")
        if messages:
            text = "\n\t".join(messages)
            raise ConvgradError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{text}")

    def _state_hooks(self, kind: str) -> tuple[Any, ...]:
        tables = self._state_tables
        return () if tables is None else tuple(tables.get(kind, {}).values())

    def _add_state_hook(self, kind: str, hook: Any) -> RemovableHandle:
        if self._state_tables is None:
            self.__dict__["_state_tables"] = {}
        assert self._state_tables is not None
        return add(self._state_tables.setdefault(kind, Table()), hook)

    def register_state_dict_pre_hook(self, hook: Any) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before this module's state is collected."""
        return self._add_state_hook("state_pre", hook)

    def register_state_dict_post_hook(self, hook: Any) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after it was collected; it changes it."""
        return self._add_state_hook("state_post", (hook, False))

    def _register_state_dict_hook(self, hook: Any) -> RemovableHandle:
        """The same, and what the hook returns takes the dictionary's place."""
        return self._add_state_hook("state_post", (hook, True))

    def register_load_state_dict_pre_hook(self, hook: Any) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, metadata, strict, missing, unexpected, errors)`` first."""
        return self._add_state_hook("load_pre", (hook, True))

    def _register_load_state_dict_pre_hook(self, hook: Any, with_module: bool = False) -> RemovableHandle:
        """The same; without ``with_module`` the hook does not get the module."""
        return self._add_state_hook("load_pre", (hook, with_module))

    def register_load_state_dict_post_hook(self, hook: Any) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after loading; it may strike names from the lists."""
        return self._add_state_hook("load_post", hook)


def _do(errors: Any, action: Callable[[], None]) -> None:
    """Do something when everything has been checked, or at once if nobody waits for that."""
    pending = getattr(errors, "pending", None)
    if pending is None:
        action()
    else:
        pending.append(action)


def _children_first(module: Any) -> Iterator[Any]:
    for child in module._modules.values():
        if child is not None:
            yield from _children_first(child)
    yield module


def _load(
    module: Any,
    state: Any,
    prefix: str,
    metadata: Any,
    assign: bool,
    missing: list[str],
    unexpected: list[str],
    errors: Report,
) -> None:
    local = dict(metadata.get(prefix[:-1], {}))
    if assign:
        local["assign_to_params_buffers"] = True
    module._load_from_state_dict(state, prefix, local, True, missing, unexpected, errors)
    for name, child in module._modules.items():
        if child is not None:
            start = f"{prefix}{name}."
            inner = OrderedDict([(k, v) for k, v in state.items() if k.startswith(start)])
            _load(child, inner, start, metadata, assign, missing, unexpected, errors)


__all__ = ["IncompatibleKeys", "StateMethods"]
