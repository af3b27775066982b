"""Steps of optimisers and clipping of gradients in NumPy: many arrays in one call, changed in place.

Every optimiser's kernel has one signature::

    kernel(options, ascend, params, grads, kept, counts)

``options`` are its numbers; ``ascend`` turns the gradients round; ``params`` and ``grads`` are arrays, float,
as many of each; ``kept`` has a list of as many arrays for each thing it remembers; ``counts`` are their
numbers of steps, 0-d, which it counts up (None: it counts none).

Memory to compute in is taken before a parameter, or what is kept of it, changes. Where it is not to be had
the parameters before that one have made their step and the others have not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from convgrad.dtypes import Array
from convgrad.kernels.memory import LARGE, allocator

__all__ = [
    "Options", "adagrad", "adam", "clamp_all", "decayed", "divide_into", "fill_all", "mean_into", "rmsprop",
    "scale_all", "scratch", "sgd", "square_into", "sum_of_squares",
]  # fmt: skip

Options = Sequence[float]
Arrays = list[Array]


def sgd(
    options: Options, ascend: bool, params: Arrays, grads: Arrays, kept: list[Arrays], counts: None = None
) -> None:  # fmt: skip
    """``v = momentum v + (1 - dampening) (g + decay p)``, ``p -= lr v``; Nesterov's form looks ahead by v.

    Args:
        options: lr, decay, momentum, dampening, nesterov.
        kept: v, unless momentum is 0: then none.
    """
    lr, decay, momentum, dampening, nesterov = options
    share = 1 - dampening
    for i, (data, g) in enumerate(zip(params, grads, strict=True)):
        work, part = scratch(data), scratch(data) if momentum and (nesterov or share != 1) else None
        g = decayed(np.negative(g) if ascend else g, data, decay, work)
        if momentum:
            v = kept[0][i]
            np.multiply(v, momentum, out=v)
            np.add(v, g if share == 1 else np.multiply(g, share, out=part), out=v)
            g = np.add(g, np.multiply(v, momentum, out=part), out=work) if nesterov else v
        np.multiply(g, lr, out=work)
        np.subtract(data, work, out=data)


def adam(
    options: Options, ascend: bool, params: Arrays, grads: Arrays, kept: list[Arrays], counts: Arrays
) -> None:  # fmt: skip
    """``p -= lr m / (sqrt(v) + eps)`` with running means m of g and v of g², corrected for their start at 0.

    Args:
        options: lr, beta1, beta2, eps, decay, decoupled (decay shrinks p, instead of adding to g), amsgrad.
        kept: m, v, and the largest v so far with amsgrad.
    Source: Kingma & Ba 2014, arXiv:1412.6980; Loshchilov & Hutter 2017, arXiv:1711.05101; Reddi et al. 2018.
    """
    lr, beta1, beta2, eps, decay, decoupled, amsgrad = options
    for i, (data, g, count) in enumerate(zip(params, grads, counts, strict=True)):
        m, v, work, denominator = kept[0][i], kept[1][i], scratch(data), scratch(data)
        if ascend:
            g = np.negative(g)
        if decay and not decoupled:
            g = decayed(g, data, decay, scratch(data))
        step = _advance(count)
        if decay and decoupled:
            np.multiply(data, 1 - lr * decay, out=data)
        mean_into(m, g, 1 - beta1, work)
        square_into(v, g, beta2, work)
        if amsgrad:
            v = np.maximum(kept[2][i], v, out=kept[2][i])
        np.sqrt(v, out=denominator)
        np.divide(denominator, math.sqrt(1 - beta2**step), out=denominator)
        np.add(denominator, eps, out=denominator)
        divide_into(data, m, -lr / (1 - beta1**step), denominator, work)


def rmsprop(
    options: Options, ascend: bool, params: Arrays, grads: Arrays, kept: list[Arrays], counts: Arrays
) -> None:  # fmt: skip
    """``p -= lr g / (sqrt(s) + eps)`` with a running mean s of g², or of the square of g less its mean.

    Args:
        options: lr, alpha, eps, decay, momentum, centered.
        kept: s; the mean of g if centered; the last step if there is momentum.
    """
    lr, alpha, eps, decay, momentum, centered = options
    for i, (data, g, count) in enumerate(zip(params, grads, counts, strict=True)):
        square, work, size = kept[0][i], scratch(data), scratch(data)
        g = decayed(np.negative(g) if ascend else g, data, decay, scratch(data))
        _advance(count)
        square_into(square, g, alpha, work)
        if centered:
            mean = kept[1][i]
            mean_into(mean, g, 1 - alpha, work)
            np.multiply(mean, mean, out=work)
            square = np.subtract(square, work, out=work)
        np.sqrt(square, out=size)
        np.add(size, eps, out=size)
        if momentum > 0:
            buffer = kept[-1][i]
            np.multiply(buffer, momentum, out=buffer)
            divide_into(buffer, g, 1.0, size, work)
            np.multiply(buffer, lr, out=work)
            np.subtract(data, work, out=data)
        else:
            divide_into(data, g, -lr, size, work)


def adagrad(
    options: Options, ascend: bool, params: Arrays, grads: Arrays, kept: list[Arrays], counts: Arrays
) -> None:  # fmt: skip
    """``p -= lr / (1 + (step - 1) lr_decay) g / (sqrt(s) + eps)`` with the sum s of all g².

    Args:
        options: lr, lr_decay, eps, decay.
        kept: s.
    """
    lr, lr_decay, eps, decay = options
    for i, (data, g, count) in enumerate(zip(params, grads, counts, strict=True)):
        total, work, size = kept[0][i], scratch(data), scratch(data)
        g = decayed(np.negative(g) if ascend else g, data, decay, scratch(data))
        step = _advance(count)
        np.multiply(g, g, out=work)
        np.add(total, work, out=total)
        np.sqrt(total, out=size)
        np.add(size, eps, out=size)
        divide_into(data, g, -lr / (1 + (step - 1) * lr_decay), size, work)


# ---------------------------------------------------------------------- clipping


def sum_of_squares(arrays: Arrays) -> float:
    """The sum of the squares of all elements, in double precision."""
    total = 0.0
    for a in arrays:
        wide = (np.abs(a) if a.dtype.kind == "c" else a).reshape(-1).astype(np.float64, copy=False)
        total += float(wide.dot(wide))
    return total


def scale_all(arrays: Arrays, factor: float) -> None:
    """Multiply all arrays by a number, in place."""
    for a in arrays:
        np.multiply(a, np.asarray(factor, a.dtype), out=a)


def fill_all(arrays: Arrays, value: float) -> None:
    """Set every element to a number."""
    for a in arrays:
        a.fill(value)


def clamp_all(arrays: Arrays, low: float, high: float) -> None:
    """Cut every element to ``[low, high]``, in place."""
    for a in arrays:
        np.clip(a, low, high, out=a)


# ---------------------------------------------------------------------- arithmetic that steps share


def _advance(count: Array) -> float:
    count += 1
    return float(count)


def scratch(like: Array) -> Array:
    """An array to compute in; a large one from the memory that is kept for such, without page faults."""
    if like.nbytes < LARGE or not like.flags.c_contiguous:
        return np.empty_like(like)
    array: Array = allocator(like.shape, like.dtype)(like.shape, like.dtype)
    return array


def decayed(g: Array, data: Array, decay: float, work: Array) -> Array:
    """``g + decay * data`` in ``work``; g itself without decay."""
    if not decay:
        return g
    np.multiply(data, decay, out=work)
    return np.add(g, work, out=work)


def mean_into(mean: Array, g: Array, weight: float, work: Array) -> None:
    """Move a running mean towards g by ``weight`` of the way, from the nearer end."""
    np.subtract(g, mean, out=work)
    if weight < 0.5:
        np.multiply(work, weight, out=work)
        np.add(mean, work, out=mean)
    else:
        np.multiply(work, 1 - weight, out=work)
        np.subtract(g, work, out=mean)


def square_into(mean: Array, g: Array, keep: float, work: Array) -> None:
    """``mean = keep * mean + (1 - keep) g²``."""
    np.multiply(mean, keep, out=mean)
    np.multiply(g, 1 - keep, out=work)
    np.multiply(work, g, out=work)
    np.add(mean, work, out=mean)


def divide_into(data: Array, m: Array, scale: float, denominator: Array, work: Array) -> None:
    """``data += scale * m / denominator``."""
    np.multiply(m, scale, out=work)
    np.divide(work, denominator, out=work)
    np.add(data, work, out=data)
