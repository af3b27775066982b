"""Derivatives as functions of functions: ``grad``, ``vjp``, ``jvp``, ``jacrev``, ``jacfwd``, ``hessian``.

They differentiate the tensor of all samples where ``vmap`` runs around them (samples do not touch
each other, so its gradient holds each sample's), and record what they do, so that they nest; where
nobody outside can ask for a further derivative the record is dropped.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd import forward_ad
from ..autograd.derive import grad as grad_of
from ..autograd.derive import stack_rows
from ..autograd.grad_mode import enable_grad
from ..errors import ConvgradError, ShapeError
from ..graph.node import LEAF
from ..ops import shape
from ..tensor import dual
from ..tensor.dual import DualNode
from ..tensor.tensor import Tensor, apply, from_traced, to_traced
from . import tree
from .batching import FALLBACKS, BatchNode, Level, batched
from .vmap import open_levels

Function = Callable[..., Any]
Argnums = int | tuple[int, ...]


# Values under vmap: the tensor of all samples, and back -------------------------------------------


def _strip(x: Tensor, levels: Sequence[Level]) -> Tensor:
    """The tensor of all samples of all levels, innermost level's batch behind the outer ones'."""
    for level in reversed(levels):
        node = x._node
        if isinstance(node, BatchNode) and node.level is level:
            x = node.value
        else:
            x = apply(shape.Expand, (x,), ((level.size, *x._data.shape),))
    return x


def _dress(x: Tensor, levels: Sequence[Level]) -> Tensor:
    """The inverse of ``_strip``."""
    for level in levels:
        x = batched(x, level)
    return x


def _fresh(x: Tensor) -> Tensor:
    """A variable to differentiate by: within the caller's graph if x has one, else a new leaf."""
    if x.requires_grad:
        return apply(shape.Alias, (x,), ((...,),))
    leaf = x.detach()
    leaf._node = None
    leaf.requires_grad_()
    if isinstance(x._node, DualNode) and x._node.tangent is not None:
        dual.copy_tangents(x, leaf)
    return leaf


def _settled(results: Sequence[Tensor], own: Sequence[Tensor]) -> list[Tensor]:
    """Results without history, unless it leads to something else than our own variables."""
    mine = {dual.primal_node(x) for x in own}
    return [r if _leads_elsewhere(r._node, mine) else _forgotten(r) for r in results]


def _settled_aux(aux: Any, own: Sequence[Tensor]) -> Any:
    return tree.fmap(lambda x: _settled([x], own)[0] if isinstance(x, Tensor) else x, aux)


def _forgotten(x: Tensor) -> Tensor:
    if x._node is None:
        return x
    out = from_traced(dual.forget_history(to_traced(x)))
    return out


def _leads_elsewhere(node: Any, mine: set[Any]) -> bool:
    seen, stack = set(), [node]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.kind == LEAF and node not in mine:
            return True
        stack.extend(node.parents)
        stack.append(getattr(getattr(node, "tangent", None), "_node", None))
    return False


# Reverse mode -------------------------------------------------------------------------------------


def grad(func: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """The function that gives the gradient of ``func``, which returns one number.

    Args:
        func: from tensors (or nests of them) to a 0-d tensor, or with ``has_aux`` to (that, anything).
        argnums: the argument to differentiate by, or a tuple of arguments.
        has_aux: the function returns something besides, which is handed on.
    Example:
        >>> grad(lambda x: (x**3).sum())(Tensor([2.0]))
        tensor([12.])
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, rest = both(*args, **kwargs)
        return (found, rest[1]) if has_aux else found

    return gradient


def grad_and_value(func: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """The function that gives ``(gradient, value)``, with ``has_aux`` ``(gradient, (value, aux))``."""

    @functools.wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        levels = open_levels()
        with enable_grad():
            chosen = _chosen(args, argnums)
            own, entered = _entered(chosen, levels)
            out = func(*_replaced(args, argnums, entered), **kwargs)
            aux = None
            if has_aux:
                out, aux = _split_aux(out)
            _check_scalar(out)
            whole = _strip(out, levels)
            found = _pull([whole], own, [Tensor(np.ones_like(whole._data), None)])
            found = [_dress(g, levels) for g in _settled(found, own)]
            value = _dress(_settled([whole], own)[0], levels)
            aux = _settled_aux(aux, own)
        gradients = tree.rebuild(chosen, found)
        return gradients, (value, aux) if has_aux else value

    return both


def value_and_grad(func: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """As ``grad_and_value``, the value first."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def value_first(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return value, found

    return value_first


def vjp(func: Function, *primals: Any, has_aux: bool = False) -> Any:
    """The outputs of ``func`` at ``primals``, and the function that multiplies the Jacobian from the left.

    Returns:
        ``(outputs, pullback)`` or ``(outputs, pullback, aux)``; ``pullback(cotangents)`` gives one
        product per primal, as a tuple (a single one alone).
    """
    levels = open_levels()
    with enable_grad():
        own, entered = _entered(primals, levels)
        out = func(*tree.rebuild(primals, entered))
        aux = None
        if has_aux:
            out, aux = _split_aux(out)
        wholes = [_strip(t, levels) for t in tree.flatten(out)]

    def pullback(*cotangents: Any, retain_graph: bool = True) -> Any:
        given = tree.flatten(cotangents[0] if len(cotangents) == 1 else cotangents)
        if len(given) != len(wholes):
            raise ConvgradError(
                f"vjp: expected {len(wholes)} cotangents, as the function has outputs, got {len(given)}"
            )
        extra = [level for level in open_levels() if level not in levels]
        with enable_grad():
            products = tree.rebuild(
                primals, _pull_each(given, extra, functools.partial(_products, wholes, own, levels))
            )
        return products if len(primals) > 1 else (products[0],)

    aux = _settled_aux(aux, own)
    outputs = tree.rebuild(out, [_dress(t, levels) for t in _settled(wholes, own)])
    return (outputs, pullback, aux) if has_aux else (outputs, pullback)


def _products(
    wholes: Sequence[Tensor], own: Sequence[Tensor], levels: Sequence[Level], cotangents: Sequence[Tensor]
) -> list[Tensor]:
    found = _pull(wholes, own, [_strip(c, levels) for c in cotangents])
    return [_dress(g, levels) for g in _settled(found, own)]


def _pull_each(
    cotangents: Sequence[Tensor], extra: Sequence[Level], pull: Callable[..., list[Tensor]]
) -> list[Tensor]:
    """Pull cotangents back that are batched where the recorded function was not: one by one."""
    if not extra:
        return pull(cotangents)
    level = extra[-1]
    FALLBACKS["vjp"] += 1
    wholes = [_strip(c, (level,)) for c in cotangents]
    rows = [_pull_each([w[i] for w in wholes], extra[:-1], pull) for i in range(level.size)]
    return [batched(stack_rows(column), level) for column in zip(*rows, strict=True)]


def _pull(outs: Sequence[Tensor], own: Sequence[Tensor], cotangents: Sequence[Tensor]) -> list[Tensor]:
    for out, c in zip(outs, cotangents, strict=True):
        if out._data.shape != c._data.shape:
            raise ShapeError(
                f"Expected cotangent of shape {list(out._data.shape)}, got {list(c._data.shape)}"
            )
    pairs = [(o, c) for o, c in zip(outs, cotangents, strict=True) if o.requires_grad]
    if not pairs:
        return [Tensor(np.zeros_like(x._data), None) for x in own]
    found = grad_of(
        [o for o, _ in pairs],
        own,
        [c for _, c in pairs],
        create_graph=True,
        allow_unused=True,
        materialize_grads=True,
    )
    return list(found)


def _entered(primals: Any, levels: Sequence[Level]) -> tuple[list[Tensor], list[Tensor]]:
    """Fresh variables for the leaves of ``primals``: of all samples, and as ``func`` sees them."""
    own = []
    for x in tree.flatten(primals):
        if not isinstance(x, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
        own.append(_fresh(_strip(x, levels)))
    return own, [_dress(x, levels) for x in own]


def _chosen(args: tuple[Any, ...], argnums: Argnums) -> Any:
    """The arguments to differentiate by."""
    for n in (argnums,) if isinstance(argnums, int) else argnums:
        if not -len(args) <= n < len(args):
            raise ConvgradError(f"Got argnum={n}, but only {len(args)} positional inputs")
    return args[argnums] if isinstance(argnums, int) else tuple([args[n] for n in argnums])


def _replaced(args: tuple[Any, ...], argnums: Argnums, leaves: Sequence[Tensor]) -> list[Any]:
    new = list(args)
    chosen = tree.rebuild(_chosen(args, argnums), leaves)
    for n, value in (
        zip((argnums,), (chosen,), strict=True)
        if isinstance(argnums, int)
        else zip(argnums, chosen, strict=True)
    ):
        new[n] = value
    return new


def _split_aux(out: Any) -> tuple[Any, Any]:
    if not isinstance(out, tuple) or len(out) != 2:
        raise ConvgradError("has_aux=True: the function must return a tuple of two, (output, aux)")
    return out


def _check_scalar(out: Any) -> None:
    if not isinstance(out, Tensor):
        raise ConvgradError(
            f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(out)}"
        )
    if out._data.ndim:
        raise ConvgradError(
            "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with "
            f"{out._data.ndim} "
            "dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
        )


# Forward mode -------------------------------------------------------------------------------------


def jvp(func: Function, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """The outputs of ``func`` at ``primals``, and the Jacobian times ``tangents``, in forward mode.

    Args:
        primals, tangents: tuples of the same form, one entry per argument of ``func``.
        strict: an error where an output does not depend on the primals.
    Returns:
        ``(outputs, products)``, with ``has_aux`` ``(outputs, products, aux)``.
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise ConvgradError(
            "jvp: primals and tangents must be tuples, one entry per argument of the function"
        )
    levels = open_levels()
    xs, ds = tree.flatten(primals), tree.flatten(tangents)
    if len(xs) != len(ds):
        raise ConvgradError("jvp: expected primals and tangents to have the same structure")
    aux = None
    with forward_ad.nested_level():
        duals = [
            forward_ad.make_dual(_strip(x, levels), _strip(d, levels)) for x, d in zip(xs, ds, strict=True)
        ]
        out = func(*tree.rebuild(primals, [_dress(d, levels) for d in duals]))
        if has_aux:
            out, aux = _split_aux(out)
        pairs = [forward_ad.unpack_dual(_strip(t, levels)) for t in tree.flatten(out)]
    if strict and any([p.tangent is None for p in pairs]):
        raise ConvgradError(
            "jvp(f, primals, tangents, strict=True): an output of f is independent of the inputs"
        )
    moved = [Tensor(np.zeros_like(p.primal._data), None) if p.tangent is None else p.tangent for p in pairs]
    outputs = tree.rebuild(out, [_dress(p.primal, levels) for p in pairs])
    products = tree.rebuild(out, [_dress(m, levels) for m in moved])
    return (outputs, products, aux) if has_aux else (outputs, products)


# Matrices -----------------------------------------------------------------------------------------


def jacrev(
    func: Function, argnums: Argnums = 0, *, has_aux: bool = False, chunk_size: int | None = None
) -> Function:
    """The function that gives the Jacobian of ``func``, a pullback per element of the output.

    Returns:
        Of shape ``(*output, *input)``, nested as the outputs, then as ``argnums``.
    """

    @functools.wraps(func)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        chosen = _chosen(args, argnums)

        def partial(*picked: Any) -> Any:
            return func(*_replaced(args, argnums, tree.flatten(picked)), **kwargs)

        results = vjp(partial, *(chosen if isinstance(argnums, tuple) else (chosen,)), has_aux=has_aux)
        outs = tree.flatten(results[0])
        blocks = [_jacobian_rows(results[1], outs, k, chosen) for k in range(len(outs))]
        nested = tree.rebuild(results[0], blocks)
        return (nested, results[2]) if has_aux else nested

    return matrix


def _jacobian_rows(pullback: Function, outs: Sequence[Tensor], k: int, chosen: Any) -> Any:
    """The block of one output: one pullback per element, stacked."""
    sizes = outs[k]._data.shape
    rows = []
    for i in range(outs[k]._data.size):
        seeds = [Tensor(np.zeros(o._data.shape, o._data.dtype), None) for o in outs]
        seeds[k]._data.reshape(-1)[i] = 1
        rows.append(tree.flatten(pullback(*seeds)))
    columns = zip(*rows, strict=True) if rows else [[] for _ in tree.flatten(chosen)]
    blocks = [
        stack_rows(list(c)).reshape((*sizes, *x._data.shape))
        if len(c)
        else Tensor(np.zeros((*sizes, *x._data.shape)), None)
        for c, x in zip(columns, tree.flatten(chosen), strict=True)
    ]
    return tree.rebuild(chosen, blocks)


def jacfwd(
    func: Function, argnums: Argnums = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Function:
    """The function that gives the Jacobian of ``func``, a push per element of the input.

    Shapes are those of ``jacrev``.
    """

    @functools.wraps(func)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        chosen = _chosen(args, argnums)
        leaves = tree.flatten(chosen)
        aux, out, columns = None, None, []
        for j, x in enumerate(leaves):
            column: list[list[Tensor]] = []
            for i in range(x._data.size):
                seeds = [Tensor(np.zeros(y._data.shape, y._data.dtype), None) for y in leaves]
                seeds[j]._data.reshape(-1)[i] = 1

                def partial(*picked: Any) -> Any:
                    return func(*_replaced(args, argnums, picked), **kwargs)

                result = jvp(partial, tuple(leaves), tuple(seeds), has_aux=has_aux)
                out, aux = result[0], result[2] if has_aux else None
                column.append(tree.flatten(result[1]))
            columns.append([_last(list(c), x) for c in zip(*column, strict=True)])
        if out is None:
            raise ConvgradError("jacfwd: the argument to differentiate by has no elements; use jacrev")
        blocks = [tree.rebuild(chosen, list(row)) for row in zip(*columns, strict=True)]
        nested = tree.rebuild(out, blocks)
        return (nested, aux) if has_aux else nested

    return matrix


def _last(rows: Sequence[Tensor], x: Tensor) -> Tensor:
    """Tangents per element of x stacked along new last dimensions of x's shape."""
    stacked = stack_rows(rows)
    order = (*range(1, stacked._data.ndim), 0)
    turned = apply(shape.Permute, (stacked,), (order,))
    return turned.reshape((*turned._data.shape[:-1], *x._data.shape))


def hessian(func: Function, argnums: Argnums = 0) -> Function:
    """The function that gives the second derivatives of ``func``: forward over reverse."""
    return jacfwd(jacrev(func, argnums), argnums)


__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "value_and_grad", "vjp"]
