"""Matrices of derivatives: ``jacrev``, ``jacfwd``, ``hessian``: a whole basis in one pullback or push."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd import forward_ad
from ..errors import ConvgradError
from ..ops import shape
from ..tensor.tensor import Tensor, apply
from . import tree
from .batching import Level, batch_value, batched
from .levels import dress, strip
from .transforms import Argnums, _chosen, _replaced, _split_aux, vjp
from .vmap import level_of, open_levels
from .whole import expanded

Function = Callable[..., Any]


def _sizes(tensors: Sequence[Tensor]) -> list[int]:
    return [x._data.size for x in tensors]


def basis(tensors: Sequence[Tensor], start: int, stop: int) -> list[Tensor]:
    """The unit vectors number ``start`` to ``stop`` of all elements of some tensors together, one per row."""
    out, at = [], 0
    for x in tensors:
        n = x._data.size
        block = np.zeros((stop - start, n), x._data.dtype)
        rows = np.arange(max(start, at), min(stop, at + n))
        block[rows - start, rows - at] = 1
        out.append(Tensor(block.reshape(stop - start, *x._data.shape), None))
        at += n
    return out


def chunks(total: int, chunk_size: int | None) -> list[tuple[int, int]]:
    """Parts of ``total`` rows."""
    step = max(1, total if chunk_size is None else chunk_size)
    return [(start, min(start + step, total)) for start in range(0, total, step)]


def check_chunk_size(name: str, chunk_size: int | None) -> None:
    """Raise PyTorch's error for a chunk of nothing."""
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"{name}: `chunk_size` should be greater than 0.")


def joined_rows(parts: Sequence[Tensor]) -> Tensor:
    """Chunks of rows one behind the other."""
    return parts[0] if len(parts) == 1 else apply(shape.Cat, tuple(parts), (0,))


def jacrev(
    func: Function, argnums: Argnums = 0, *, has_aux: bool = False, chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Function:  # fmt: skip
    """The function that gives the Jacobian of ``func``, in reverse mode.

    Args:
        func: from tensors to a tensor or a nest of tensors; with ``has_aux`` to (that, anything).
        argnums: the argument to differentiate by, or a tuple of arguments.
        chunk_size: how many rows are pulled back at once; None: all of them.
    Returns:
        Of shape ``(*output, *input)``, nested as the outputs, then as ``argnums``.
    Raises:
        ValueError: a chunk size below 1.
    Example:
        >>> jacrev(lambda x: x * x)(Tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    check_chunk_size("jacrev", chunk_size)

    @functools.wraps(func)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        chosen = _chosen(args, argnums)

        def partial(*picked: Any) -> Any:
            return func(*_replaced(args, argnums, tree.flatten(picked)), **kwargs)

        results = vjp(partial, *(chosen if isinstance(argnums, tuple) else (chosen,)), has_aux=has_aux)
        outs = tree.flatten(results[0])
        for out in outs:
            if not isinstance(out, Tensor):
                raise ConvgradError(f"jacrev: Expected f to return only tensors, got {type(out)}")
        rows = _pulled_basis(results[1], outs, chunk_size)
        blocks = _by_output(rows, outs, tree.flatten(chosen))
        nested = tree.rebuild(results[0], [tree.rebuild(chosen, row) for row in blocks])
        return (nested, results[2]) if has_aux else nested

    return matrix


def _pulled_basis(pullback: Function, outs: Sequence[Tensor], chunk_size: int | None) -> list[Tensor]:
    """Per input, the products of all unit cotangents, one per row."""
    parts = []
    for start, stop in chunks(sum(_sizes(outs)), chunk_size):
        with level_of(stop - start, "same", private=True) as level:
            given = [batched(c, level) for c in basis(outs, start, stop)]
            found = tree.flatten(pullback(*given))
            parts.append([rows_of(g, level) for g in found])
    return [joined_rows(column) for column in zip(*parts, strict=True)]


def rows_of(x: Tensor, level: Level) -> Tensor:
    """What is known of all rows of a private level, rows first (where a sample of outer levels has them)."""
    return expanded(batch_value(x, level), level.size)


def _by_output(rows: list[Tensor], outs: Sequence[Tensor], inputs: Sequence[Tensor]) -> list[list[Tensor]]:
    """The rows cut into a block per output and input."""
    blocks: list[list[Tensor]] = []
    at = 0
    for out in outs:
        n, sizes = out._data.size, out._data.shape
        if not rows:
            blocks.append([Tensor(np.zeros((*sizes, *x._data.shape), x._data.dtype), None) for x in inputs])
            continue
        blocks.append([
            apply(shape.Reshape, (r.narrow(0, at, n) if len(outs) > 1 else r,), ((*sizes, *x._data.shape),))
            for r, x in zip(rows, inputs, strict=True)
        ])  # fmt: skip
        at += n
    return blocks


def jacfwd(
    func: Function, argnums: Argnums = 0, has_aux: bool = False, *, chunk_size: int | None = None,
    randomness: str = "error",
) -> Function:  # fmt: skip
    """The function that gives the Jacobian of ``func``, in forward mode: all tangents in one run.

    Shapes and arguments are those of ``jacrev``; ``func`` runs once per chunk of input elements, so that
    random
    numbers drawn inside are the same for all of them. ``randomness`` is accepted.
    """
    check_chunk_size("jacfwd", chunk_size)

    @functools.wraps(func)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        chosen = _chosen(args, argnums)
        leaves = tree.flatten(chosen)
        for x in leaves:
            if not isinstance(x, Tensor):
                raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
        total = sum(_sizes(leaves))
        if not total:
            raise ConvgradError("jacfwd: the argument to differentiate by has no elements; use jacrev")
        parts = []
        out = aux = None
        for start, stop in chunks(total, chunk_size):
            out, aux, columns = _pushed_basis(func, args, kwargs, argnums, leaves, (start, stop), has_aux)
            parts.append(columns)
        outs = tree.flatten(out)
        blocks = []
        for k, o in enumerate(outs):
            rows = joined_rows([part[k] for part in parts])
            blocks.append(tree.rebuild(chosen, _by_input(rows, o, leaves)))
        nested = tree.rebuild(out, blocks)
        return (nested, aux) if has_aux else nested

    return matrix


def _pushed_basis(
    func: Function, args: Any, kwargs: Any, argnums: Argnums, leaves: Sequence[Tensor],
    span: tuple[int, int], has_aux: bool,
) -> tuple[Any, Any, list[Tensor]]:  # fmt: skip
    """The outputs, aux, and per output its tangents along some unit vectors of the inputs, one per row."""
    levels = open_levels()
    aux = None
    with level_of(span[1] - span[0], "same", private=True) as level, forward_ad.nested_level():
        duals = []
        for x, d in zip(leaves, basis(leaves, *span), strict=True):
            moved = batched(d, level)
            duals.append(dress(forward_ad.make_dual(strip(x, levels), strip(moved, levels)), levels))
        out = func(*_replaced(args, argnums, duals), **kwargs)
        if has_aux:
            out, aux = _split_aux(out)
            aux = tree.fmap(_plain, aux)
        primals, columns = [], []
        for t in tree.flatten(out):
            if not isinstance(t, Tensor):
                raise ConvgradError(f"jacfwd: Expected f to return only tensors, got {type(t)}")
            pair = forward_ad.unpack_dual(strip(t, levels))
            primals.append(dress(pair.primal, levels))
            tangent = pair.tangent
            if tangent is None:
                tangent = Tensor(np.zeros_like(pair.primal._data), None)
            columns.append(rows_of(dress(_typed(tangent, level), levels), level))
    return tree.rebuild(out, primals), aux, columns


def _plain(x: Any) -> Any:
    return forward_ad.unpack_dual(x).primal if isinstance(x, Tensor) else x


def _typed(tangent: Tensor, level: Level) -> Tensor:
    """A tangent as a tensor that knows that it is batched."""
    value = batch_value(tangent, level)
    return tangent if value is tangent else batched(value.tensor, level)


def _by_input(rows: Tensor, out: Tensor, leaves: Sequence[Tensor]) -> list[Tensor]:
    """Tangents per input element, as Jacobians ``(*output, *input)``."""
    found, at = [], 0
    for x in leaves:
        n = x._data.size
        part = rows.narrow(0, at, n) if len(leaves) > 1 else rows
        order = (*range(1, part._data.ndim), 0)
        turned = apply(shape.Permute, (part,), (order,))
        found.append(apply(shape.Reshape, (turned,), ((*out._data.shape, *x._data.shape),)))
        at += n
    return found


def hessian(func: Function, argnums: Argnums = 0) -> Function:
    """The function that gives the second derivatives of ``func``: forward over reverse.

    Returns:
        Of shape ``(*output, *input, *input)``, nested as the outputs, then as ``argnums``, twice.
    Example:
        >>> hessian(lambda x: (x**3).sum())(Tensor([1.0, 2.0])).tolist()
        [[6.0, 0.0], [0.0, 12.0]]
    """
    return jacfwd(jacrev(func, argnums), argnums)


__all__ = ["basis", "chunks", "hessian", "jacfwd", "jacrev", "joined_rows"]
