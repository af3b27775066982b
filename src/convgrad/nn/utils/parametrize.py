"""Parametrizations: a parameter or buffer of a module computed from other tensors that are trained instead.

``register_parametrization(module, "weight", P())`` moves ``module.weight`` to
``module.parametrizations.weight.original`` and puts a property in its place that calls P. The module gets a
class of its own for that, derived from the one it had.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

from ...autograd import no_grad
from ...errors import ConvgradError
from ...tensor.tensor import Tensor
from ..module import Module
from ..modules.container import ModuleDict, ModuleList
from ..parameter import Buffer, Parameter, replace_array

M = TypeVar("M", bound=Module)

#: values within ``cached()``: (id of the module, name) -> tensor; None outside
_cache: ContextVar[dict[tuple[int, str], Any] | None] = ContextVar("convgrad.parametrized", default=None)


@contextmanager
def cached() -> Iterator[None]:
    """Within the block each parametrized tensor is computed once: for weights that are used several times."""
    if _cache.get() is not None:  # the outermost block decides how long values live
        yield
        return
    token = _cache.set({})
    try:
        yield
    finally:
        _cache.reset(token)


def _put(module: Module, name: str, value: Tensor) -> None:
    """Register as what it is."""
    if isinstance(value, Parameter):
        module.register_parameter(name, value)
    else:
        module.register_buffer(name, value)


def _set(target: Any, value: Tensor) -> None:
    """Let a tensor stand on the memory of another; its place in the module and in optimisers stays."""
    replace_array(target, value._data)


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, called one after another; and the tensor(s) they start from.

    Attributes:
        original: what is trained instead (``original0``, ``original1``, ... if the last ``right_inverse`` of
            the chain gives several).
    Raises:
        ValueError: a ``right_inverse`` gives no tensors, or others of shape or dtype without ``unsafe``.
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        new: Any = original
        with no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):
                        new = module.right_inverse(new)
        if not isinstance(new, Tensor) and not isinstance(new, Sequence):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}"
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if isinstance(new, Tensor) else len(new)
        if isinstance(new, Tensor):
            self._keep_one(original, new)
        else:
            for k, value in enumerate(new):
                self._keep(f"original{k}", original, value, k)
        if not unsafe:
            self._check_roundtrip(original)

    def _keep_one(self, original: Tensor, new: Tensor) -> None:
        if original.dtype is not new.dtype:
            raise ValueError(
                "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                f"original.dtype: {original.dtype}\nright_inverse(original).dtype: {new.dtype}"
            )
        if new is not original:
            with no_grad():
                _set(original, new)
        _put(self, "original", original)

    def _keep(self, name: str, original: Tensor, value: Any, k: int) -> None:
        if not isinstance(value, Tensor):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got element {k} of the sequence with type {type(value).__name__}."
            )
        if isinstance(original, Parameter):
            value = Parameter(value.detach(), original.requires_grad and value._data.dtype.kind not in "biu")
        _put(self, name, value)

    def _check_roundtrip(self, original: Tensor) -> None:
        value = self()
        if not isinstance(value, Tensor):
            raise ValueError(f"A parametrization must return a tensor. Got {type(value).__name__}.")
        for what in ("dtype", "shape"):
            if getattr(value, what) != getattr(original, what):
                raise ValueError(
                    f"Registering a parametrization may not change the {what} of the tensor, unless `unsafe` "
                    f"flag is enabled.\nunparametrized {what}: {getattr(original, what)}\n"
                    f"parametrized {what}: {getattr(value, what)}"
                )

    def _originals(self) -> list[Any]:
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{k}") for k in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Assign: store what the parametrizations give this value from.

        Raises:
            ConvgradError: a parametrization has no ``right_inverse``.
            ValueError: it gives something else than before.
        """
        new: Any = value
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise ConvgradError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                new = module.right_inverse(new)
            several = [new] if self.is_tensor else list(new) if isinstance(new, Sequence) else None
            if several is None or not all(isinstance(v, Tensor) for v in several):
                raise ValueError(f"`right_inverse` should return tensors. Got {type(new).__name__}")
            if len(several) != self.ntensors:
                raise ValueError(
                    "'right_inverse' must return a sequence of tensors of length "
                    f"{self.ntensors}. Got a sequence of length {len(several)}."
                )
            for original, v in zip(self._originals(), several, strict=True):
                if original.dtype is not v.dtype:
                    raise ValueError(
                        f"Tensor returned by `right_inverse` has dtype {v.dtype} while the original has "
                        f"dtype {original.dtype}"
                    )
                _set(original, v)

    def forward(self) -> Any:
        """The tensor as the parametrizations make it."""
        modules = list(self)
        value = modules[0](*self._originals())
        for module in modules[1:]:
            value = module(value)
        return value


def _give_class(module: Module) -> None:
    """A class of this module's own, for properties, which copies itself but refuses to be pickled."""
    kind = type(module)

    def refuse(self: Any) -> Any:
        raise ConvgradError(
            "Serialization of parametrized modules is only supported through state_dict(). See:\n"
            "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
            "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
        )

    def deepcopy(self: Any, memo: dict[int, Any]) -> Any:
        known = memo.get(id(self))
        if known is None:
            known = memo[id(self)] = self.__new__(type(self))
            known.__dict__.update({k: copy.deepcopy(v, memo) for k, v in self.__dict__.items()})
        return known

    body: dict[str, Any] = {"__getstate__": refuse, "_parametrized": True}
    if not hasattr(kind, "__deepcopy__"):
        body["__deepcopy__"] = deepcopy
    module.__class__ = type(f"Parametrized{kind.__name__}", (kind,), body)


def _give_property(module: Module, name: str) -> None:
    """Put a property that calls the parametrizations in the place of a tensor."""

    def get(self: Any) -> Any:
        cache = _cache.get()
        if cache is None:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in cache:
            cache[key] = self.parametrizations[name]()
        return cache[key]

    def put(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(get, put))


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module, or one tensor of it, is parametrized."""
    tables = getattr(module, "parametrizations", None)
    if not isinstance(tables, ModuleDict):
        return False
    return len(tables) > 0 if tensor_name is None else tensor_name in tables


def register_parametrization(
    module: M, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> M:
    """Compute a parameter or buffer by a module from what is trained instead.

    Args:
        module: whose tensor it is.
        tensor_name: of the parameter or buffer, or of one that is parametrized already.
        parametrization: called with what is trained, gives the tensor. Its ``right_inverse``, if it has one,
            says where to start from, and makes assignment possible.
        unsafe: shape and dtype may change.
    Raises:
        ValueError: no such tensor, or shape or dtype change.
    Example:
        >>> from convgrad.nn import Linear
        >>> class Symmetric(Module):
        ...     def forward(self, x):
        ...         return x + x.T
        >>> layer = register_parametrization(Linear(2, 2), "weight", Symmetric())
        >>> bool((layer.weight == layer.weight.T).all())
        True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        _append(module, tensor_name, parametrization, unsafe)
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        one = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _give_class(module)
            module.parametrizations = ModuleDict()
        _give_property(module, tensor_name)
        tables: Any = module.parametrizations
        tables[tensor_name] = one
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'"
        )
    return module


def _append(module: Any, name: str, parametrization: Any, unsafe: bool) -> None:
    """One more parametrization behind those there are."""
    if not unsafe:
        before = getattr(module, name)
        after = parametrization(before)
        if not isinstance(after, Tensor):
            raise ValueError(f"A parametrization must return a tensor. Got {type(after).__name__}.")
        for what in ("dtype", "shape"):
            if getattr(after, what) != getattr(before, what):
                raise ValueError(
                    f"Registering a parametrization may not change the {what} of the tensor, unless the "
                    f"`unsafe` flag is enabled.\nmodule.{name}.{what}: {getattr(before, what)}\n"
                    f"parametrization(module.{name}).{what}: {getattr(after, what)}"
                )
        if hasattr(parametrization, "right_inverse"):
            try:
                back = parametrization.right_inverse(after)
            except NotImplementedError:
                back = before
            if not isinstance(back, Tensor) or back.shape != before.shape or back.dtype != before.dtype:
                raise ValueError(
                    "parametrization.right_inverse must return a tensor of the shape and dtype it started "
                    f"from, {list(before.shape)} of {before.dtype}, unless the `unsafe` flag is enabled"
                )
    module.parametrizations[name].append(parametrization)
    module.parametrizations[name].unsafe |= unsafe


def remove_parametrizations(module: M, tensor_name: str, leave_parametrized: bool = True) -> M:
    """Undo all parametrizations of a tensor.

    Args:
        module: whose tensor it is.
        tensor_name: its name.
        leave_parametrized: keep the value they give now; False: what was trained.
    Raises:
        ValueError: it is not parametrized; or it is trained as several tensors, without
            ``leave_parametrized``.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    whole: Any = module
    chain = whole.parametrizations[tensor_name]
    if not chain.is_tensor and not leave_parametrized:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms "
            "of a sequence of tensors."
        )
    original = chain._originals()[0]
    if leave_parametrized:
        with no_grad():
            value = getattr(module, tensor_name)
        if chain.is_tensor:
            _set(original, value)
        elif any(isinstance(o, Parameter) for o in chain._originals()):
            tracked = any(o.requires_grad for o in chain._originals())
            original = Parameter(value.detach(), tracked)
        else:
            original = Buffer(value.detach())
    delattr(type(module), tensor_name)
    del whole.parametrizations[tensor_name]
    _put(module, tensor_name, original)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class a module had before its first parametrization."""
    kind = type(module)
    return kind.__bases__[0] if "_parametrized" in kind.__dict__ else kind


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Give one module the parametrizations of another, and what they start from.

    Args:
        from_module: has them.
        to_module: gets them.
        tensor_name: of one tensor alone.
    Returns:
        ``to_module``.
    """
    if not is_parametrized(from_module):
        return to_module
    source: Any = from_module
    target: Any = to_module
    for name in list(source.parametrizations) if tensor_name is None else [tensor_name]:
        chain = source.parametrizations[name]
        if not hasattr(target, name):
            setattr(target, name, Parameter(getattr(source, name).detach()))
        for one in chain:
            register_parametrization(target, name, one, unsafe=chain.unsafe)
        for mine, theirs in zip(target.parametrizations[name]._originals(), chain._originals(), strict=True):
            _set(mine, theirs.detach().clone())
    return to_module


__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]
