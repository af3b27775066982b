"""Derivatives as functions of functions: ``grad``, ``vjp``, ``jvp`` (matrices: ``jacobians.py``).

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
from ..autograd.grad_mode import enable_grad
from ..errors import ConvgradError, ShapeError
from ..graph.grad_mode import is_grad_enabled
from ..tensor.tensor import Tensor
from . import tree
from .batching import Level
from .levels import dress, fresh, settled, settled_aux, strip
from .vmap import open_levels

Function = Callable[..., Any]
Argnums = int | tuple[int, ...]


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
        levels, recording = open_levels(), is_grad_enabled()
        with enable_grad():
            chosen = _chosen(args, argnums)
            own, entered = _entered(chosen, levels)
            out = func(*_replaced(args, argnums, entered), **kwargs)
            aux = None
            if has_aux:
                out, aux = _split_aux(out)
            _check_scalar(out)
            whole = strip(out, levels)
            found = _pull([whole], own, [Tensor(np.ones_like(whole._data), None)])
            found = [dress(g, levels) for g in settled(found, own, recording)]
            value = dress(settled([whole], own, recording)[0], levels)
            aux = settled_aux(aux, own, recording)
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
    levels, recording = open_levels(), is_grad_enabled()
    with enable_grad():
        own, entered = _entered(primals, levels)
        out = func(*tree.rebuild(primals, entered))
        aux = None
        if has_aux:
            out, aux = _split_aux(out)
        wholes = [strip(t, levels) for t in tree.flatten(out)]

    def pullback(*cotangents: Any, retain_graph: bool = True) -> Any:
        given = tree.flatten(cotangents[0] if len(cotangents) == 1 else cotangents)
        if len(given) != len(wholes):
            raise ConvgradError(
                f"vjp: expected {len(wholes)} cotangents, as the function has outputs, got {len(given)}"
            )
        keep = is_grad_enabled()
        with enable_grad():
            products = tree.rebuild(primals, _products(wholes, own, levels, given, keep))
        return products if len(primals) > 1 else (products[0],)

    aux = settled_aux(aux, own, recording)
    outputs = tree.rebuild(out, [dress(t, levels) for t in settled(wholes, own, recording)])
    return (outputs, pullback, aux) if has_aux else (outputs, pullback)


def _products(
    wholes: Sequence[Tensor],
    own: Sequence[Tensor],
    levels: Sequence[Level],
    cotangents: Sequence[Tensor],
    recording: bool,
) -> list[Tensor]:
    found = _pull(wholes, own, [strip(c, levels) for c in cotangents])
    return [dress(g, levels) for g in settled(found, own, recording)]


def _pull(outs: Sequence[Tensor], own: Sequence[Tensor], cotangents: Sequence[Tensor]) -> list[Tensor]:
    for out, c in zip(outs, cotangents, strict=True):
        if out._data.shape != c._data.shape:
            raise ShapeError(
                f"Mismatch in shape: Expected cotangent of shape {list(out._data.shape)}, got "
                f"{list(c._data.shape)}"
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
        own.append(fresh(strip(x, levels)))
    return own, [dress(x, levels) for x in own]


def _chosen(args: tuple[Any, ...], argnums: Argnums) -> Any:
    """The arguments to differentiate by."""
    if argnums == ():
        raise ConvgradError("argnums must be non-empty")
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
        raise ConvgradError("output of function f should be a tuple: (output, aux) if has_aux is True")
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
            "jvp(f, primals, tangents): Expected primals and tangents to be tuples. E.g. it should "
            "be valid to call "
            "f(*primals)."
        )
    levels = open_levels()
    xs, ds = tree.flatten(primals), tree.flatten(tangents)
    if len(xs) != len(ds):
        raise ConvgradError("jvp: expected primals and tangents to have the same structure")
    aux = None
    with forward_ad.nested_level():
        duals = [
            forward_ad.make_dual(strip(x, levels), strip(d, levels)) for x, d in zip(xs, ds, strict=True)
        ]
        out = func(*tree.rebuild(primals, [dress(d, levels) for d in duals]))
        if has_aux:
            out, aux = _split_aux(out)
        pairs = [forward_ad.unpack_dual(strip(t, levels)) for t in tree.flatten(out)]
    if strict and any([p.tangent is None for p in pairs]):
        raise ConvgradError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. "
            "This is not "
            "allowed with strict=True."
        )
    moved = [Tensor(np.zeros_like(p.primal._data), None) if p.tangent is None else p.tangent for p in pairs]
    outputs = tree.rebuild(out, [dress(p.primal, levels) for p in pairs])
    products = tree.rebuild(out, [dress(m, levels) for m in moved])
    return (outputs, products, aux) if has_aux else (outputs, products)


def linearize(func: Function, *primals: Any) -> tuple[Any, Function]:
    """The outputs of ``func`` at ``primals``, and the function from tangents to Jacobian products.

    Returns:
        ``(outputs, push)``; ``push(*tangents)``, one like each primal, gives products like the outputs.
    Raises:
        ConvgradError: tangents of another number, structure, shape or dtype than the primals.
    Example:
        >>> out, push = linearize(lambda x: x * x, Tensor([3.0]))
        >>> push(Tensor([1.0]))
        tensor([6.])
    """
    outputs = func(*primals)

    def push(*tangents: Any) -> Any:
        xs, ds = tree.flatten(primals), tree.flatten(tangents)
        if len(primals) != len(tangents) or len(xs) != len(ds):
            raise ConvgradError(
                f"linearize: Expected the tangents {len(ds)} to have the same structure as the "
                f"primals {len(xs)}"
            )
        for x, d in zip(xs, ds, strict=True):
            if x._data.shape != d._data.shape or x._data.dtype != d._data.dtype:
                raise ConvgradError(
                    "linearize: Expected each tangent to have its primal's shape and dtype, "
                    f"{list(x._data.shape)} "
                    f"{x.dtype}, but got {list(d._data.shape)} {d.dtype}"
                )
        return jvp(func, primals, tuple(tangents))[1]

    return outputs, push


__all__ = ["grad", "grad_and_value", "jvp", "linearize", "value_and_grad", "vjp"]
