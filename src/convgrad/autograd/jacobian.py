"""Jacobians by finite differences and by reverse or forward mode, over the reals.

A complex number counts as the pair (real, imaginary), so each Jacobian is an ordinary real matrix
``(n_in, n_out)`` and the conjugations of complex derivatives need no convention here: row j, column
i is the derivative of component i of the output with respect to component j of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dtypes import Array
from ..tensor.tensor import Tensor
from . import forward_ad
from .derive import grad
from .grad_mode import no_grad

Function = Callable[..., Any]


def outputs_of(func: Function, inputs: Sequence[Any]) -> tuple[Tensor, ...]:
    """The floating and complex tensors a function returns, in order."""
    out = func(*inputs)
    results = tuple(out) if isinstance(out, (tuple, list)) else (out,)
    return tuple([t for t in results if isinstance(t, Tensor) and t._data.dtype.kind in "fcV"])


def components(array: Array) -> Array:
    """A flat real vector: complex numbers become (real, imaginary) pairs."""
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.dtype.kind == "c":
        return flat.view(flat.real.dtype)
    return flat if flat.dtype.kind == "f" else flat.astype(np.float64)


def unit(like: Array, index: int) -> Array:
    """The array of ``like``'s shape whose component ``index`` is 1 and all others 0."""
    out = np.zeros(like.shape, like.dtype)
    if like.dtype.kind == "c":
        out.reshape(-1)[index // 2] = 1j if index % 2 else 1
    else:
        out.reshape(-1)[index] = 1
    return out


def shifted(func: Function, inputs: Sequence[Any], target: Tensor, step: Array) -> list[Array]:
    """Components of the outputs with ``step`` added to the memory of ``target``, which is restored."""
    data = target._data
    if data.flags.writeable:
        kept = data.copy()
        data += step
        try:
            with no_grad():
                return [components(t._data).copy() for t in outputs_of(func, inputs)]
        finally:
            data[...] = kept
    moved = [
        Tensor(np.asarray(data + step), None).requires_grad_(target.requires_grad) if x is target else x
        for x in inputs
    ]
    with no_grad():
        return [components(t._data).copy() for t in outputs_of(func, moved)]


def difference(
    func: Function, inputs: Sequence[Any], target: Tensor, direction: Array, eps: float
) -> list[Array]:
    """Central difference of the outputs along ``direction``."""
    above = shifted(func, inputs, target, direction * eps)
    below = shifted(func, inputs, target, direction * -eps)
    return [(a - b) / (2.0 * eps) for a, b in zip(above, below, strict=True)]


def numerical(func: Function, inputs: Sequence[Any], target: Tensor, eps: float) -> list[Array]:
    """The Jacobian of every output with respect to ``target`` by central differences."""
    sizes = [components(t._data).size for t in outputs_of(func, inputs)]
    count = components(target._data).size
    matrices = [np.zeros((count, size)) for size in sizes]
    for j in range(count):
        for matrix, row in zip(
            matrices, difference(func, inputs, target, unit(target._data, j), eps), strict=True
        ):
            matrix[j] = row
    return matrices


def pulled(
    out: Tensor, targets: Sequence[Tensor], cotangent: Array, create_graph: bool = False
) -> list[Tensor]:
    """The gradients of <cotangent, out> with respect to the targets; zeros where there is none."""
    found = grad(
        (out,),
        targets,
        (Tensor(cotangent, None),),
        retain_graph=True,
        create_graph=create_graph,
        allow_unused=True,
    )
    return [
        Tensor(np.zeros_like(t._data), None) if g is None else g for t, g in zip(targets, found, strict=True)
    ]


def by_reverse(out: Tensor, targets: Sequence[Tensor]) -> list[Array]:
    """The Jacobian of one output with respect to each target, a pullback per component."""
    count = components(out._data).size
    matrices = [np.zeros((components(t._data).size, count)) for t in targets]
    if not out.requires_grad:
        return matrices
    for i in range(count):
        for matrix, g in zip(matrices, pulled(out, targets, unit(out._data, i)), strict=True):
            matrix[:, i] = components(g._data)
    return matrices


def pushed(func: Function, inputs: Sequence[Any], target: Tensor, tangent: Array) -> list[Array]:
    """The components of the outputs' tangents when ``target`` moves along ``tangent``."""
    with forward_ad.dual_level():
        fresh = [x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs]
        duals = [
            forward_ad.make_dual(f, Tensor(tangent, None)) if x is target else f
            for f, x in zip(fresh, inputs, strict=True)
        ]
        pairs = [forward_ad.unpack_dual(t) for t in outputs_of(func, duals)]
        return [
            components(np.zeros_like(p.primal._data) if p.tangent is None else p.tangent._data).copy()
            for p in pairs
        ]


def by_forward(func: Function, inputs: Sequence[Any], target: Tensor) -> list[Array]:
    """The Jacobian of every output with respect to ``target``, a push per component."""
    rows = [pushed(func, inputs, target, unit(target._data, j)) for j in range(components(target._data).size)]
    if not rows:
        return [np.zeros((0, components(t._data).size)) for t in outputs_of(func, inputs)]
    return [np.stack(list(column)) for column in zip(*rows, strict=True)]
