"""``Case``: one call of one operator, from which all generic tests are made.

Each family of operators has a module here with a list ``CASES``; ``tests/test_operators.py`` runs
over all of them and ``tests/test_completeness.py`` asks for the kinds that must not be missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convgrad.tensor.tensor import apply

Array = Any


@dataclass(frozen=True)
class Case:
    """One call.

    op: the operator class behind it (in ``convgrad.ops``); its derivatives are what is tested.
    name: unique within the op.
    call: from Tensors to a Tensor or tuple of Tensors, by the public interface; it works on
        torch tensors too (methods, operators; functions through the module passed as ``torch=``).
    args: NumPy arrays, one per Tensor argument; float64 (or complex128) where differentiable.
    reference: the same on NumPy arrays by an independent route (NumPy, SciPy or loops from the
        definition).
    differentiable: which args are differentiated; None: all floating and complex ones.
    tags: what the case covers: "broadcast", "empty", "0d", "mixed" (mixed dtypes), "strided".
    second: whether second derivatives are checked (False only for a stated reason).
    """

    op: type
    name: str
    call: Callable[..., Any]
    args: tuple[Array, ...]
    reference: Callable[..., Any]
    differentiable: tuple[int, ...] | None = None
    tags: frozenset[str] = frozenset()
    second: bool = True
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.op.__name__}-{self.name}"

    @property
    def wanted(self) -> tuple[int, ...]:
        """Positions of the arguments to differentiate."""
        if self.differentiable is not None:
            return self.differentiable
        return tuple(i for i, a in enumerate(self.args) if a.dtype.kind in "fc")


@dataclass(frozen=True)
class ErrorCase:
    """A bad call: the exception type PyTorch raises and a phrase its message must hold."""

    name: str
    call: Callable[[], Any]
    error: type[BaseException]
    phrase: str
    op: type | None = None

    def __str__(self) -> str:
        return self.name


def values(seed: int, *shape: int, low: float = -2.0, high: float = 2.0) -> Array:
    """Random float64 values in [low, high), no two alike, none at 0."""
    rng = np.random.default_rng(seed)
    out = rng.uniform(low, high, shape)
    return np.where(np.abs(out) < 0.05, out + np.copysign(0.1, out), out)


def turned(a: Array) -> Array:
    """The same values with other strides: axes stored in reverse order, every second element unused."""
    if not a.ndim:
        return a.copy()
    view = np.zeros([2 * n for n in reversed(a.shape)], a.dtype).T[(slice(None, None, 2),) * a.ndim]
    view[...] = a
    return view


def direct(op: type, *params: Any) -> Callable[..., Any]:
    """A call of an operator that only derivatives make: no method or function of the public stands for it."""
    return lambda *tensors: apply(op, tensors, params)


def kinds(
    op: type,
    name: str,
    call: Callable[..., Any],
    reference: Callable[..., Any],
    *args: Array,
    empty: tuple[Array, ...] | None = None,
    zero: tuple[Array, ...] | None = None,
    **more: Any,
) -> list[Case]:
    """An ordinary and a strided case of these arguments, one of empty ones and one of 0-d ones if given."""
    made: list[tuple[str, tuple[Array, ...] | None]] = [
        ("ordinary", args or None),
        ("strided", tuple([turned(a) for a in args]) or None),
        ("empty", empty),
        ("0d", zero),
    ]
    return [
        Case(op, f"{name}-{kind}", call, xs, reference, tags=frozenset({kind} - {"ordinary"}), **more)
        for kind, xs in made
        if xs is not None
    ]
