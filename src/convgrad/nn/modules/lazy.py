"""Layers that learn the size of their input from the first one they are given."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...tensor.tensor import Tensor
from ..module import Module
from ..parameter import Parameter, cast_lazy, is_lazy, replace_array


class LazyModuleMixin(Module):
    """What makes a module lazy: list it before the module's own class among the bases.

    The module assigns ``UninitializedParameter`` and ``UninitializedBuffer``, and defines
    ``initialize_parameters``, which gives them their shapes. That is called before the first ``forward`` with
    its arguments; then the module becomes an ordinary one of the class ``cls_to_become``. A state with
    shapes can be loaded before, and one without can be saved.
    """

    cls_to_become: Any = None
    _inferred = False

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Materialise the parameters for these arguments of ``forward``; every lazy class defines it."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer of this very module has no shape yet."""
        return any([is_lazy(v) for table in (self._parameters, self._buffers) for v in table.values()])

    def _infer_parameters(self, module: Any, args: Any, kwargs: Any = None) -> None:
        """Take shapes from the first input, and stop being lazy.

        Raises:
            RuntimeError: something is still without a shape.
        """
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise RuntimeError(
                f"module {self._get_name()} has not been fully initialized: initialize_parameters left "
                "parameters without a shape"
            )
        module._inferred = True
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self._inferred:
            self._infer_parameters(self, args, kwargs)
            return self(*args, **kwargs)  # by the class it has become
        return super().__call__(*args, **kwargs)

    def _replicate_for_data_parallel(self) -> Any:
        raise RuntimeError(
            "Modules with uninitialized parameters can't be used with `DataParallel`. Run a dummy forward "
            "pass to correctly initialize the modules"
        )

    def share_memory(self) -> Any:
        """The module itself, once it has been initialised.

        Raises:
            RuntimeError: there are parameters without a shape.
        """
        for table in (self._parameters, self._buffers):
            for value in table.values():
                if is_lazy(value):
                    value.share_memory_()
        return super().share_memory()

    # ------------------------------------------------------------------ state without shapes

    def _set_aside(self, names: Any = None) -> list[tuple[Any, str, Any]]:
        """Put None in place of uninitialised tensors (of those named); (table, name, tensor) of each."""
        aside = [
            (table, name, value)
            for table in (self._parameters, self._buffers)
            for name, value in table.items()
            if is_lazy(value) and (names is None or name in names)
        ]
        for table, name, _ in aside:
            table[name] = None
        return aside

    def _apply(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        aside = self._set_aside()
        try:
            super()._apply(fn, *args, **kwargs)
        finally:
            for table, name, value in aside:
                table[name] = value
        for _, _, value in aside:
            cast_lazy(value, fn)
        return self

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        aside = self._set_aside()
        found: dict[str, Any] = {}
        try:
            super()._save_to_state_dict(found, prefix, keep_vars)
        finally:
            for table, name, value in aside:
                table[name] = value
        found.update({prefix + name: value for _, name, value in aside})
        for table in (self._parameters, self._buffers):  # in the order an ordinary module has
            for name in table:
                if prefix + name in found and name not in self._non_persistent_buffers_set:
                    destination[prefix + name] = found.pop(prefix + name)
        destination.update({key: value for key, value in found.items() if key.endswith("_extra_state")})

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
        """Whatever the state has a shape for takes it from there, once the whole state is found to fit."""
        given = dict(state_dict)
        aside = self._set_aside(
            [k[len(prefix) :] for k, v in given.items() if k.startswith(prefix) and is_lazy(v)]
        )
        for _, name, _ in aside:  # without a shape on either side: nothing to do
            del given[prefix + name]
        standins = []
        for table in (self._parameters, self._buffers):
            for name, value in table.items():
                if not is_lazy(value):
                    continue
                source = given.get(prefix + name)
                array = source._data if isinstance(source, Tensor) else source
                if isinstance(array, np.ndarray):
                    standin = Tensor(np.empty(array.shape, value.dtype.np), None)
                    if isinstance(value, Parameter):
                        standin = Parameter(standin, value.requires_grad)
                    standins.append((table, name, value, standin))
        for table, name, _, standin in standins:
            table[name] = standin
        try:
            super()._load_from_state_dict(
                given, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
            )
        finally:
            for table, name, value, standin in standins:
                if table[name] is standin:
                    table[name] = value
            for table, name, value in aside:
                table[name] = value

        def take() -> None:
            for table, name, value, standin in standins:
                if table[name] is value:  # not replaced by assignment
                    value.materialize(standin.shape)
                    replace_array(value, standin._data)

        pending = getattr(error_msgs, "pending", None)
        if pending is None:
            take()
        else:
            pending.append(take)


__all__ = ["LazyModuleMixin"]
