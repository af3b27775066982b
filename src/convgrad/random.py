"""Random tensors and the seed: the same numbers as PyTorch on a CPU for the same ``manual_seed``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import dtypes
from .dtypes import as_dtype, default_dtype
from .errors import ConvgradError
from .generator import Generator, default_generator
from .tensor.dual import adopt, batch_of
from .tensor.methods.base import size_args
from .tensor.out import into
from .tensor.tensor import Tensor


def manual_seed(seed: int) -> Generator:
    """Seed the default generator; returns it.

    Example:
        >>> _ = manual_seed(0)
        >>> rand(2)
        tensor([0.4963, 0.7682])
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator from the system; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed the default generator started from."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's state, as PyTorch lays it out: uint8 of 5056 bytes."""
    return Tensor(np.asarray(default_generator.get_state()), None)


def set_rng_state(new_state: Tensor) -> None:
    """Set the default generator's state."""
    default_generator.set_state(new_state._data)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True) -> Iterator[None]:
    """Restore the default generator's state at the end of the block."""
    state = default_generator.get_state() if enabled else None
    try:
        yield
    finally:
        if state is not None:
            default_generator.set_state(state)


def _finish(array: Any, requires_grad: bool) -> Tensor:
    out = adopt(Tensor(array, None))
    return out.requires_grad_() if requires_grad else out


def _source(generator: Generator | None) -> Generator:
    return default_generator if generator is None else generator


def _floating(name: str, dtype: Any) -> Any:
    kind = default_dtype() if dtype is None else as_dtype(dtype)
    if kind.category < dtypes.FLOATING:
        raise NotImplementedError(
            f'"{name}" not implemented for {kind}: random numbers of this kind are floating'
        )
    return kind.np


def rand(
    *shape: Any, size: Any = None, out: Any = None,
    generator: Generator | None = None, dtype: Any = None, device: Any = None, layout: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Uniform numbers in [0, 1)."""
    if size is not None:
        shape = (size,)
    if out is not None:
        given = {"generator": generator, "dtype": dtype, "requires_grad": requires_grad}
        return into("rand", rand, out, shape, given)
    return _finish(_source(generator).uniform(size_args(shape), _floating("rand", dtype)), requires_grad)


def randn(
    *shape: Any, size: Any = None, out: Any = None,
    generator: Generator | None = None, dtype: Any = None, device: Any = None, layout: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Standard normal numbers."""
    if size is not None:
        shape = (size,)
    if out is not None:
        given = {"generator": generator, "dtype": dtype, "requires_grad": requires_grad}
        return into("randn", randn, out, shape, given)
    return _finish(_source(generator).normal(size_args(shape), _floating("randn", dtype)), requires_grad)


def randint(
    low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None, dtype: Any = None,
    device: Any = None, layout: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Integers in ``[low, high)``; ``randint(high, size)`` starts at 0."""
    if size is None:
        low, high, size = 0, low, high
    if low >= high:
        raise ConvgradError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    kind = dtypes.int64 if dtype is None else as_dtype(dtype)
    return _finish(_source(generator).randint(low, high, size_args((size,)), kind.np), requires_grad)


def randperm(
    n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None, layout: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """A random order of ``0 .. n-1``."""
    if n < 0:
        raise ConvgradError(f"n must be non-negative, got {n}")
    kind = dtypes.int64 if dtype is None else as_dtype(dtype)
    return _finish(_source(generator).randperm(n, kind.np), requires_grad)


def rand_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False, **_: Any) -> Tensor:
    """``rand`` of another tensor's shape and dtype."""
    return rand(tuple(input.shape), dtype=dtype or input.dtype, requires_grad=requires_grad)


def randn_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False, **_: Any) -> Tensor:
    """``randn`` of another tensor's shape and dtype."""
    return randn(tuple(input.shape), dtype=dtype or input.dtype, requires_grad=requires_grad)


def randint_like(input: Tensor, low: int, high: int | None = None, *, dtype: Any = None, **_: Any) -> Tensor:
    """``randint`` of another tensor's shape and dtype."""
    if high is None:
        low, high = 0, low
    return randint(low, high, tuple(input.shape), dtype=dtype or input.dtype)


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Normal numbers; mean and std may be numbers (with ``size``) or tensors, element by element."""
    tensors = [v for v in (mean, std) if isinstance(v, Tensor)]
    if not tensors:
        out = _source(generator).normal(size_args((size,)), _floating("normal", dtype), mean, std)
        return _finish(out, requires_grad)
    shape = np.broadcast_shapes(*[t._data.shape for t in tensors])
    noise = adopt(Tensor(_source(generator).normal(shape, tensors[0]._data.dtype), None))
    return (noise * std + mean).detach()


def bernoulli(input: Tensor, p: Any = None, *, generator: Generator | None = None) -> Tensor:
    """Ones with probability ``input`` (or p), zeros otherwise; of input's shape and dtype."""
    chance = input._data if p is None else p
    if p is None and input._data.size and not bool(np.all((chance >= 0) & (chance <= 1))):
        raise ConvgradError("Expected p_in >= 0 && p_in <= 1 to be true: probabilities lie between 0 and 1")
    node = None if p is not None else batch_of(input)
    if node is not None:
        return node.draw(bernoulli, input, generator)
    return adopt(Tensor(_source(generator).bernoulli(chance, input._data.shape, input._data.dtype), None))


__all__ = [
    "Generator", "bernoulli", "default_generator", "fork_rng", "get_rng_state", "initial_seed",
    "manual_seed", "normal", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like",
    "randperm", "seed", "set_rng_state",
]  # fmt: skip
