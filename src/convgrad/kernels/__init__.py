"""The kernels in use: one table, filled here and rebound by ``convgrad.backends.use``.

Operators call ``table.convolve(x, w, geometry)`` and never import a kernel file, so another set of
kernels with the same signatures takes over at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from convgrad.dtypes import Array
from convgrad.kernels import machine, native, pooling, reference

Kernel = Callable[..., Any]

__all__ = ["Table", "register", "registered", "table"]


class Table:
    """One slot per kernel; the functions of ``reference`` and ``pooling`` document them."""

    __slots__ = (
        "adaptive_avg_pool",
        "adaptive_avg_pool_grad",
        "avg_pool",
        "avg_pool_grad",
        "convolve",
        "convolve_input_grad",
        "convolve_weight_grad",
        "max_pool",
        "max_pool_gather",
        "max_pool_grad",
        "name",
    )

    name: str
    convolve: Callable[..., Array]
    convolve_input_grad: Callable[..., Array]
    convolve_weight_grad: Callable[..., Array]
    max_pool: Callable[..., tuple[Array, Array]]
    max_pool_grad: Callable[..., Array]
    max_pool_gather: Callable[..., Array]
    avg_pool: Callable[..., Array]
    avg_pool_grad: Callable[..., Array]
    adaptive_avg_pool: Callable[..., Array]
    adaptive_avg_pool_grad: Callable[..., Array]

    def fill(self, name: str) -> None:
        """Bind every kernel of the set called ``name``; what it lacks comes from the reference."""
        kernels = {**_sets["reference"], **_sets[name]}
        for kernel, function in kernels.items():
            setattr(self, kernel, function)
        self.name = name


_sets: dict[str, Mapping[str, Kernel]] = {}


def register(name: str, kernels: Mapping[str, Kernel]) -> None:
    """Offer a set of kernels under ``name``; it may cover only some of the table.

    Args:
        name: what ``convgrad.backends.use`` calls it.
        kernels: function by slot name, with the signatures of the reference.
    Raises:
        KeyError: a name that is no slot of the table.
    """
    unknown = sorted(set(kernels) - (set(Table.__slots__) - {"name"}))
    if unknown:
        raise KeyError(f"the kernel table has no slot {', '.join(unknown)}")
    _sets[name] = dict(kernels)


def registered() -> tuple[str, ...]:
    """Names of the kernel sets there are."""
    return tuple(_sets)


register(
    "reference",
    {
        "convolve": reference.convolve,
        "convolve_input_grad": reference.convolve_input_grad,
        "convolve_weight_grad": reference.convolve_weight_grad,
        "max_pool": pooling.max_pool,
        "max_pool_grad": pooling.max_pool_grad,
        "max_pool_gather": pooling.max_pool_gather,
        "avg_pool": pooling.avg_pool,
        "avg_pool_grad": pooling.avg_pool_grad,
        "adaptive_avg_pool": pooling.adaptive_avg_pool,
        "adaptive_avg_pool_grad": pooling.adaptive_avg_pool_grad,
    },
)

if native.available():
    register(
        "native",
        {
            "convolve": native.convolve,
            "convolve_input_grad": native.convolve_input_grad,
            "convolve_weight_grad": native.convolve_weight_grad,
        },
    )

table = Table()
table.fill(machine.first_kernels(registered()))
