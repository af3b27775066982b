"""Packages that must be told of convgrad's tensors, told when they are imported and not before: einops."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from .tensor.creation import arange, from_numpy
from .tensor.functions_linear import einsum
from .tensor.functions_shape import cat, stack
from .tensor.tensor import Tensor

_EINOPS = "einops._backends"
_kept: list[type] = []  # einops finds the class through a weak reference


class Companion:
    """Waits on ``sys.meta_path`` for einops; once it has seen it, it is gone."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The usual spec of einops' table of libraries, whose loading then registers convgrad; else None."""
        if fullname != _EINOPS:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            run = loader.exec_module

            def run_and_register(module: ModuleType) -> None:
                run(module)
                register(module)

            loader.exec_module = run_and_register
        return spec


def introduce() -> None:
    """Have convgrad known to einops, now if it is loaded, or else when it is."""
    if _EINOPS in sys.modules:
        register(sys.modules[_EINOPS])
    else:
        sys.meta_path.insert(0, Companion())


def register(backends: Any) -> None:
    """Define einops' backend for convgrad; einops finds the classes derived from its ``AbstractBackend``.

    Args:
        backends: the module ``einops._backends``.
    """

    class ConvgradBackend(backends.AbstractBackend):  # type: ignore[misc]
        """What einops does to a tensor."""

        framework_name = "convgrad"

        def is_appropriate_type(self, tensor: Any) -> bool:
            return isinstance(tensor, Tensor)

        def from_numpy(self, x: Any) -> Any:
            made = from_numpy(x)
            return made.requires_grad_() if made.is_floating_point() else made

        def to_numpy(self, x: Any) -> Any:
            return x.detach().numpy()

        def arange(self, start: int, stop: int) -> Any:
            return arange(start, stop)

        def reduce(self, x: Any, operation: str, axes: Any) -> Any:
            axes = tuple(axes)
            if operation in ("min", "max"):
                return getattr(x, f"a{operation}")(dim=axes)
            if operation in ("sum", "mean"):
                return getattr(x, operation)(dim=axes)
            for axis in sorted(axes, reverse=True):  # prod takes one at a time
                x = getattr(x, operation)(dim=axis)
            return x

        def transpose(self, x: Any, axes: Any) -> Any:
            return x.permute(axes)

        def stack_on_zeroth_dimension(self, tensors: Any) -> Any:
            return stack(tensors)

        def add_axis(self, x: Any, new_position: int) -> Any:
            return x.unsqueeze(new_position)

        def add_axes(self, x: Any, n_axes: int, pos2len: Any) -> Any:
            sizes = [-1] * n_axes
            for place, length in pos2len.items():
                x = x.unsqueeze(place)
                sizes[place] = length
            return x.expand(sizes)

        def tile(self, x: Any, repeats: Any) -> Any:
            return x.repeat(repeats)

        def concat(self, tensors: Any, axis: int) -> Any:
            return cat(tensors, axis)

        def is_float_type(self, x: Any) -> bool:
            return bool(x.is_floating_point())

        def einsum(self, pattern: str, *x: Any) -> Any:
            return einsum(pattern, *x)

    _kept.append(ConvgradBackend)
