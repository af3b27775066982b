"""Pruning: parameters of which some entries are kept at zero by a mask.

A pruned ``weight`` is trained as ``weight_orig``; the buffer ``weight_mask`` has ones for what stays, and
before each forward ``weight`` becomes their product. Several prunings of one parameter add up in a container.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ...dtypes import Array
from ...random import rand, rand_like
from ...tensor import creation
from ...tensor.functions_shape import cat
from ...tensor.tensor import Tensor
from ..module import Module


class BasePruningMethod(ABC):
    """Base of all methods: a class says in ``compute_mask`` which entries go.

    ``PRUNING_TYPE`` is "unstructured" (single entries), "structured" (whole slices) or "global" (the mask is
    given): what a container offers a method that comes after others.
    """

    _tensor_name: str
    PRUNING_TYPE: str = "unstructured"

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask of a tensor, given the one there is.

        Args:
            t: what says how important each entry is.
            default_mask: same shape; its zeros stay zero.
        """

    def apply_mask(self, module: Module) -> Tensor:
        """The pruned parameter: what is trained times the mask."""
        if getattr(self, "_tensor_name", None) is None:
            raise AssertionError(f"Module {module} has to be pruned")
        mask, original = (
            getattr(module, self._tensor_name + "_mask"),
            getattr(module, self._tensor_name + "_orig"),
        )
        out: Tensor = mask.to(original.dtype) * original
        return out

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Prune a parameter of a module; a second time adds to what the first did.

        Args:
            module: whose parameter it is.
            name: of the parameter.
            args, kwargs: of the method.
            importance_scores: decide in place of the values, same shape.
        Raises:
            AssertionError: scores of another shape.
        """
        earlier = [
            (key, hook)
            for key, hook in module._forward_pre_hooks.items()
            if isinstance(hook, BasePruningMethod) and hook._tensor_name == name
        ]
        if len(earlier) > 1:
            raise AssertionError(
                f"Avoid adding multiple pruning hooks to the same tensor {name} of module {module}"
            )
        for key, _ in earlier:
            del module._forward_pre_hooks[key]
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        if earlier:
            old = earlier[0][1]
            container = old if isinstance(old, PruningContainer) else PruningContainer(old)
            container.add_pruning_method(method)
            method = container
        try:
            method._prune(module, name, importance_scores, bool(earlier))
        except Exception:
            for _, hook in earlier:  # nothing half-done: what there was goes on
                module.register_forward_pre_hook(hook)
            raise
        module.register_forward_pre_hook(method)
        return method

    def _prune(self, module: Module, name: str, scores: Tensor | None, pruned: bool) -> None:
        original = getattr(module, name)  # if pruned before, without what that took away
        if scores is None:
            scores = original
        elif scores.shape != original.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as parameter {name} of {module}, got "
                f"{scores.shape} vs {original.shape}"
            )
        default = getattr(module, name + "_mask") if pruned else creation.ones_like(scores.detach())
        mask = self.compute_mask(scores.detach(), default)
        if not pruned:
            delattr(module, name)
            module.register_parameter(name + "_orig", original)
        module.register_buffer(name + "_mask", mask)
        setattr(module, name, self.apply_mask(module))

    def prune(
        self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None
    ) -> Tensor:
        """A tensor with the entries that go at zero; the tensor itself stays as it is.

        Args:
            t: to prune.
            default_mask: a mask from before; None: of ones.
            importance_scores: decide in place of the values, same shape.
        """
        if importance_scores is None:
            importance_scores = t
        elif importance_scores.shape != t.shape:
            raise AssertionError("importance_scores should have the same shape as tensor t")
        default = creation.ones_like(t) if default_mask is None else default_mask
        out: Tensor = t * self.compute_mask(importance_scores.detach(), default)
        return out

    def remove(self, module: Module) -> None:
        """Make the pruned value the parameter; the zeros stay until training changes them."""
        name = getattr(self, "_tensor_name", None)
        if name is None:
            raise AssertionError(f"Module {module} has to be pruned before pruning can be removed")
        weight = self.apply_mask(module)
        original = getattr(module, name + "_orig")
        original.data = weight.data
        for end in ("", "_orig", "_mask"):
            delattr(module, name + end)
        setattr(module, name, original)


class PruningContainer(BasePruningMethod):
    """Prunings of one parameter, one after another: each sees what those before left.

    Args:
        args: methods, or one iterable of them.
    """

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple[Any, ...] = ()
        if len(args) == 1 and not isinstance(args[0], Iterable):
            self._tensor_name = args[0]._tensor_name
            self.add_pruning_method(args[0])
        else:
            for method in args[0] if len(args) == 1 else args:
                self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """One more method, for the same parameter.

        Raises:
            TypeError: it is no method.
            ValueError: it is one of another parameter.
        """
        if not isinstance(method, BasePruningMethod) and method is not None:
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        own = getattr(self, "_tensor_name", None)
        if method is not None and own is not None and own != method._tensor_name:
            raise ValueError(
                "Can only add pruning methods acting on the parameter named "
                f"'{own}' to PruningContainer {self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, index: int) -> BasePruningMethod:
        return self._pruning_methods[index]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask there is, and in it what the newest method takes away.

        Raises:
            ValueError: a method of an unknown type.
        """
        method = self._pruning_methods[-1]
        mask = default_mask._data.copy()
        inside: Any
        if method.PRUNING_TYPE == "unstructured":  # only entries that are still there
            inside = mask == 1
        elif method.PRUNING_TYPE == "structured":  # slices with anything left, along the method's dimension
            dim = getattr(method, "dim", 0)
            axes = tuple(i for i in range(mask.ndim) if i != dim % mask.ndim)
            keep = np.add.reduce(mask, axes) != 0
            inside = tuple([slice(None)] * (dim % mask.ndim) + [keep])
        elif method.PRUNING_TYPE == "global":
            inside = (slice(None),) * mask.ndim
        else:
            raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
        part = method.compute_mask(Tensor(t._data[inside], None), Tensor(mask[inside], None))
        mask[inside] = part._data.astype(mask.dtype)
        return Tensor(mask, None)


class Identity(BasePruningMethod):
    """Takes nothing away: a mask of ones."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask there is."""
        return default_mask


class _ByAmount(BasePruningMethod):
    """Takes away a number of entries or slices, or a share of them."""

    amount: Any
    dim: int

    def _count(self, size: int) -> int:
        count = _number(self.amount, size)
        if isinstance(self.amount, int) and self.amount > size:
            raise ValueError(
                f"amount={self.amount} should be smaller than the number of parameters to prune={size}"
            )
        return count

    def _slices(self, t: Tensor) -> tuple[int, int, int]:
        """The dimension, how many slices there are along it, and how many go."""
        if t._data.ndim <= 1:
            raise ValueError(
                "Structured pruning can only be applied to multidimensional tensors. Found tensor of shape "
                f"{t.shape} with {t._data.ndim} dims"
            )
        if not -t._data.ndim <= self.dim < t._data.ndim:
            raise IndexError(f"Invalid index {self.dim} for tensor of size {t.shape}")
        size = t._data.shape[self.dim]
        return self.dim % t._data.ndim, size, self._count(size)


class RandomUnstructured(_ByAmount):
    """Takes away entries at random.

    Args:
        amount: how many, an int; or their share, a float in [0, 1].
    """

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: Any) -> None:
        _check_amount(amount)
        self.amount = amount

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask there is, without as many entries."""
        count = self._count(t._data.size)
        if not count:
            return default_mask.clone()
        return _without(default_mask, _largest(rand_like(t)._data, count))


class L1Unstructured(_ByAmount):
    """Takes away the entries of smallest size.

    Args:
        amount: how many, an int; or their share, a float in [0, 1].
    """

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: Any) -> None:
        _check_amount(amount)
        self.amount = amount

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask there is, without as many entries."""
        count = self._count(t._data.size)
        if not count:
            return default_mask.clone()
        return _without(default_mask, _largest(-np.abs(t._data), count))


class RandomStructured(_ByAmount):
    """Takes away whole slices at random.

    Args:
        amount: how many, an int; or their share, a float in [0, 1].
        dim: along which.
    """

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Any, dim: int = -1) -> None:
        _check_amount(amount)
        self.amount, self.dim = amount, dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask there is, without as many slices."""
        dim, size, count = self._slices(t)
        if not count:
            return default_mask
        drawn = rand(size)._data
        keep = drawn > np.partition(drawn, count - 1)[count - 1]
        return _sliced(default_mask, dim, keep)


class LnStructured(_ByAmount):
    """Takes away the slices of smallest norm.

    Args:
        amount: how many, an int; or their share, a float in [0, 1].
        n: which norm: a number, ``inf``, ``-inf``, "fro" or "nuc".
        dim: along which.
    """

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Any, n: Any, dim: int = -1) -> None:
        _check_amount(amount)
        self.amount, self.n, self.dim = amount, n, dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask there is, without as many slices."""
        dim, size, count = self._slices(t)
        if not count:
            return default_mask
        axes = [i for i in range(t._data.ndim) if i != dim]
        norms = t.norm(self.n, dim=axes)._data
        keep = np.zeros(size, bool)
        keep[_largest(norms, size - count)] = True
        return _sliced(default_mask, dim, keep)


class CustomFromMask(BasePruningMethod):
    """Takes away what a given mask does not have.

    Args:
        mask: zeros for what goes, of the parameter's shape.
    """

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The product of both masks."""
        if default_mask.shape != self.mask.shape:
            raise AssertionError(
                f"default_mask shape {default_mask.shape} must match self.mask shape {self.mask.shape}"
            )
        return default_mask * self.mask.to(default_mask.dtype)


def _check_amount(amount: Any) -> None:
    if not isinstance(amount, int | float):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    if amount < 0 or (isinstance(amount, float) and amount > 1):
        raise ValueError(
            f"amount={amount} should either be a float in the range [0, 1] or a non-negative integer"
        )


def _number(amount: Any, size: int) -> int:
    return amount if isinstance(amount, int) else round(amount * size)


def _largest(values: Array, count: int) -> Array:
    """Positions of the largest values, in flat order."""
    return np.argsort(-values.reshape(-1), kind="stable")[:count]


def _without(mask: Tensor, positions: Array) -> Tensor:
    out = mask._data.copy(order="C")
    out.reshape(-1)[positions] = 0
    return Tensor(out, None)


def _sliced(mask: Tensor, dim: int, keep: Array) -> Tensor:
    shape = [1] * mask._data.ndim
    shape[dim] = -1
    return Tensor(mask._data * keep.reshape(shape).astype(mask._data.dtype), None)


def identity(module: Module, name: str) -> Module:
    """Put a mask of ones on a parameter."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: Any) -> Module:
    """Take away entries of a parameter at random; ``amount`` is a number (int) or a share (float)."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(
    module: Module, name: str, amount: Any, importance_scores: Tensor | None = None
) -> Module:
    """Take away the entries of smallest size; ``amount`` is a number (int) or a share (float)."""
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: Any, dim: int) -> Module:
    """Take away slices along ``dim`` at random; ``amount`` is a number (int) or a share (float)."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module, name: str, amount: Any, n: Any, dim: int, importance_scores: Tensor | None = None
) -> Module:
    """Take away the slices along ``dim`` of smallest n-norm; ``amount`` as in ``random_structured``."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Take away what a mask of the parameter's shape does not have."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: Any,
    importance_scores: Any = None,
    **kwargs: Any,
) -> None:
    """Prune several parameters as if they were one.

    Args:
        parameters: pairs of a module and the name of its parameter.
        pruning_method: a class of unstructured methods.
        importance_scores: pair -> scores that decide in place of the values.
        kwargs: arguments of the method, such as ``amount``.
    Raises:
        TypeError: no pairs, scores that are no dictionary, or a method of another type.
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    pairs = list(parameters)
    relevance = cat([scores.get((m, n), getattr(m, n)).detach().reshape(-1) for m, n in pairs])
    masks = cat(
        [getattr(m, n + "_mask", creation.ones_like(getattr(m, n).detach())).reshape(-1) for m, n in pairs]
    )
    container = PruningContainer()
    container._tensor_name = "temp"
    method = pruning_method(**kwargs)
    method._tensor_name = "temp"
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    container.add_pruning_method(method)
    whole = container.compute_mask(relevance, masks)
    start = 0
    for module, name in pairs:
        size = getattr(module, name)._data.size
        own = whole[start : start + size].reshape(*getattr(module, name)._data.shape)
        custom_from_mask(module, name, own)
        start += size


def remove(module: Module, name: str) -> Module:
    """Make the pruned value of a parameter permanent, and take the mask away.

    Raises:
        ValueError: the parameter is not pruned.
    """
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")


def is_pruned(module: Module) -> bool:
    """Whether any parameter of a module, or of its parts, is pruned."""
    return any(
        isinstance(hook, BasePruningMethod)
        for part in module.modules()
        for hook in part._forward_pre_hooks.values()
    )


__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]
