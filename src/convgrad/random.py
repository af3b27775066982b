"""Random tensors and the seed: the same numbers as PyTorch on a CPU for the same ``manual_seed``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import dtypes
from .device import check_device
from .dtypes import Array, as_dtype, default_dtype
from .errors import ConvgradError
from .generator import Generator, chosen, default_generator, show_states_as
from .generator.order import drawn_into, empty_as
from .ops.sampling import Bernoulli, Normal, joint_shape
from .tensor.arrays import sizes
from .tensor.dual import adopt, batch_of, stand_ins
from .tensor.out import into
from .tensor.tensor import Tensor, apply

show_states_as(lambda state: Tensor(state, None))


def manual_seed(seed: Any) -> Generator:
    """Seed the default generator; returns it.

    Args:
        seed: integer from ``-2**63`` to ``2**64 - 1``, or what ``int`` makes one of.
    Raises:
        ValueError: it does not fit into 64 bits.
    Example:
        >>> _ = manual_seed(0)
        >>> rand(2)
        tensor([0.4963, 0.7682])
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Seed the default generator from the system; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed the default generator started from."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's state, as PyTorch lays it out: uint8 of 5056 bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Set the default generator's state, to what this or PyTorch's ``get_rng_state`` gave."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(
    devices: Any = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str | None = None,
) -> Iterator[None]:
    """Restore the default generator's state at the end of the block.

    Args:
        devices, device_type: have no effect; there is one device, the CPU.
        enabled: False leaves everything as it is.
    """
    state = default_generator.state() if enabled else None
    try:
        yield
    finally:
        if state is not None:
            default_generator.set_state(state)


def thread_safe_generator() -> Generator | None:
    """None: no thread has a generator of its own, and the default one may be used by several."""
    return None


def _finish(array: Any, requires_grad: bool) -> Tensor:
    out = adopt(Tensor(array, None))
    return out.requires_grad_() if requires_grad else out


def _check_grad(kind: dtypes.dtype, requires_grad: bool) -> None:
    """Refused before anything is drawn."""
    if requires_grad and kind.category < dtypes.FLOATING:
        raise ConvgradError(
            f"Only Tensors of floating point and complex dtype can require gradients, but these are {kind}"
        )


def _kind(dtype: Any) -> Any:
    return (default_dtype() if dtype is None else as_dtype(dtype)).np


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
    check_device(device)
    return _finish(chosen(generator).uniform(sizes("rand", shape), _kind(dtype)), requires_grad)


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
    check_device(device)
    return _finish(chosen(generator).normal(sizes("randn", shape), _kind(dtype)), requires_grad)


def randint(
    low: Any = None, high: Any = None, size: Any = None, *, generator: Generator | None = None,
    dtype: Any = None, device: Any = None, layout: Any = None, requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Integers in ``[low, high)``; ``randint(high, size)`` starts at 0.

    Args:
        low, high: bounds.
        size: a tuple, list or Size.
        generator: where the numbers come from; the default one if None.
        dtype: int64 if None; any real one that holds the bounds.
    Raises:
        TypeError: no size, or one that is no sequence.
        ConvgradError: an empty range, or bounds that the dtype does not hold.
    """
    if size is None:
        low, high, size = 0, low, high
    elif low is None:
        low = 0
    if not isinstance(size, tuple | list):
        raise TypeError(f"randint(): argument 'size' must be tuple of ints, not {type(size).__name__}")
    check_device(device)
    kind = dtypes.int64 if dtype is None else as_dtype(dtype)
    _check_grad(kind, requires_grad)
    return _finish(chosen(generator).randint(low, high, sizes("randint", (size,)), kind.np), requires_grad)


def randperm(
    n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None, layout: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """A random order of ``0 .. n-1``."""
    check_device(device)
    kind = dtypes.int64 if dtype is None else as_dtype(dtype)
    _check_grad(kind, requires_grad)
    return _finish(chosen(generator).randperm(n, kind.np), requires_grad)


def _like(input: Tensor, dtype: Any, given: dict[str, Any], draw: Any) -> Tensor:
    """``draw(generator, shape, dtype, whole)`` laid out, and drawn, in the order of input's memory."""
    check_device(given.get("device"))
    kind = (input.dtype if dtype is None else as_dtype(dtype)).np
    source, x = chosen(given.get("generator")), input._data
    plain = str(given.get("memory_format")) == "torch.contiguous_format" or bool(stand_ins)
    target: Array = np.empty(x.shape, kind) if plain else empty_as(x, kind)
    whole = bool(target.flags.c_contiguous)
    drawn = drawn_into(target, lambda shape: draw(source, shape, kind, whole))
    return _finish(drawn, given.get("requires_grad", False))


def rand_like(input: Tensor, *, dtype: Any = None, **options: Any) -> Tensor:
    """``rand`` of another tensor's shape and dtype, and of its order in memory.

    Args:
        options: ``generator``, ``requires_grad``, ``device``, ``layout``, ``memory_format``.
    """
    return _like(input, dtype, options, lambda g, shape, kind, _: g.uniform(shape, kind))


def randn_like(input: Tensor, *, dtype: Any = None, **options: Any) -> Tensor:
    """``randn`` of another tensor's shape and dtype, and of its order in memory; options as ``rand_like``."""
    return _like(input, dtype, options, lambda g, shape, kind, whole: g.normal(shape, kind, contiguous=whole))


def randint_like(
    input: Tensor, low: Any = None, high: Any = None, *, dtype: Any = None, **options: Any
) -> Tensor:
    """``randint`` of another tensor's shape, dtype and order in memory; options as ``rand_like``."""
    first, last = (low, high) if None not in (low, high) else (0, low if high is None else high)
    return _like(input, dtype, options, lambda g, shape, kind, _: g.randint(first, last, shape, kind))


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
    """Normal numbers; mean and std may be numbers (with ``size``) or tensors, element by element.

    Args:
        mean: a number or a float or complex tensor.
        std: a number or a real tensor, not negative.
        size: of the result, if neither is a tensor.
        generator: where the numbers come from; the default one if None.
    Returns:
        A tensor of the mean's dtype, or of the standard deviation's if the mean is a number; its gradient
        is 0.
    Raises:
        ConvgradError: a negative standard deviation, or a complex one.
        ShapeError: mean and std cannot be broadcast together.
        TypeError: two numbers, and no size.
    """
    tensors = [v for v in (mean, std) if isinstance(v, Tensor)]
    if not tensors:
        if size is None:
            raise TypeError(
                "normal() received an invalid combination of arguments - got (float, float): give size, too"
            )
        check_device(device)
        return _finish(
            chosen(generator).normal(sizes("normal", (size,)), _kind(dtype), mean, std), requires_grad
        )
    if isinstance(std, Tensor):
        if std._data.dtype.kind == "c":
            raise ConvgradError("normal expects standard deviation to be non-complex")
        if not bool(np.all(std._data >= 0)):
            raise ConvgradError("normal expects all elements of std >= 0.0")
    shape = joint_shape(*[t._data.shape if isinstance(t, Tensor) else () for t in (mean, std)])
    if not stand_ins:
        return apply(Normal, (mean, std), (chosen(generator),))
    kind, spread = tensors[0].dtype, 1.0 if isinstance(std, Tensor) else std
    out = adopt(Tensor(chosen(generator).normal(shape, kind.np, 0.0, spread), None))
    if isinstance(std, Tensor):
        out = (out * std).to(kind)
    return (out + mean).to(kind).detach()


def bernoulli(input: Tensor, p: Any = None, *, generator: Generator | None = None) -> Tensor:
    """Ones with probability ``input`` (or p), zeros otherwise; of input's shape and dtype.

    Args:
        input: float probabilities; of any real dtype if p is given.
        p: one probability for all.
        generator: where the numbers come from; the default one if None.
    Raises:
        ConvgradError: a probability outside of [0, 1], or NaN.
        NotImplementedError: probabilities that are not of a float dtype.

    The gradient by the probabilities is 0.
    """
    chance = input._data if p is None else p
    node = None if p is not None else batch_of(input)
    if node is not None:
        return node.draw(bernoulli, input, generator)
    if p is None and not stand_ins:
        return apply(Bernoulli, (input,), (chosen(generator),))
    return adopt(Tensor(chosen(generator).bernoulli(chance, input._data.shape, input._data.dtype), None))


__all__ = [
    "Generator", "bernoulli", "default_generator", "fork_rng", "get_rng_state", "initial_seed",
    "manual_seed", "normal", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like",
    "randperm", "seed", "set_rng_state", "thread_safe_generator",
]  # fmt: skip
