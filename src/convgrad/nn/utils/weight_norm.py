"""Weights as length and direction, recomputed before each forward; the newer form is in ``parametrizations``.

Source: Salimans & Kingma 2016, arXiv:1602.07868.
"""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

from ...errors import ConvgradError
from ...tensor.tensor import Tensor
from ..module import Module
from ..parameter import Parameter

T = TypeVar("T", bound=Module)


def norm_except_dim(v: Tensor, dim: int | None) -> Tensor:
    """The Euclidean norm over all dimensions but one, which stay as size 1; of the whole for None or -1."""
    if dim is None or dim == -1:
        return (v * v).sum().sqrt()
    axes = [i for i in range(v._data.ndim) if i != dim]
    return (v * v).sum(axes, True).sqrt() if axes else v.abs()


def with_norm(v: Tensor, g: Tensor, dim: int | None) -> Tensor:
    """``g v / |v|``."""
    return v * (g / norm_except_dim(v, dim))


class WeightNorm:
    """The hook that makes ``module.<name>`` from its length ``<name>_g`` and direction ``<name>_v``."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module: Any) -> Tensor:
        """The weight as it is now."""
        return with_norm(getattr(module, self.name + "_v"), getattr(module, self.name + "_g"), self.dim)

    @staticmethod
    def apply(module: Module, name: str, dim: int | None) -> WeightNorm:
        """Replace a parameter by its two parts.

        Raises:
            ConvgradError: it has been.
        """
        warnings.warn(
            "`torch.nn.utils.weight_norm` is deprecated in favor of "
            "`torch.nn.utils.parametrizations.weight_norm`.",
            FutureWarning,
            stacklevel=3,
        )
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, WeightNorm) and hook.name == name:
                raise ConvgradError(f"Cannot register two weight_norm hooks on the same parameter {name}")
        hook = WeightNorm(name, dim)
        weight = getattr(module, name)
        delattr(module, name)
        module.register_parameter(name + "_g", Parameter(norm_except_dim(weight, hook.dim).detach()))
        module.register_parameter(name + "_v", Parameter(weight.detach()))
        setattr(module, name, hook.compute_weight(module))
        module.register_forward_pre_hook(hook)
        return hook

    def remove(self, module: Module) -> None:
        """Put the weight back as a parameter."""
        weight = self.compute_weight(module)
        for name in (self.name, self.name + "_g", self.name + "_v"):
            delattr(module, name)
        setattr(module, self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: T, name: str = "weight", dim: int | None = 0) -> T:
    """Train a parameter as length and direction: ``<name> = <name>_g <name>_v / |<name>_v|``.

    Args:
        module: whose parameter it is.
        name: of the parameter.
        dim: each slice along it has a length of its own; None: one for the whole.
    Raises:
        ConvgradError: the parameter has been replaced before.
    Source: Salimans & Kingma 2016, arXiv:1602.07868.
    """
    WeightNorm.apply(module, name, dim)
    return module


def remove_weight_norm(module: T, name: str = "weight") -> T:
    """Undo ``weight_norm``: the weight as it is now becomes the parameter.

    Raises:
        ValueError: there is no weight norm of this name.
    """
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, WeightNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(f"weight_norm of '{name}' not found in {module}")


__all__ = ["WeightNorm", "remove_weight_norm", "weight_norm"]
