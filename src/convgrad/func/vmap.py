"""``vmap``: a function of one sample made into a function of a batch."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from ..errors import DimError
from ..graph.grad_mode import DUAL, MODE
from ..ops import shape
from ..tensor.dual import stand_ins
from ..tensor.methods.base import dim_index
from ..tensor.tensor import Tensor, apply
from . import tree
from .batching import FALLBACKS, BatchNode, Level, batched, expanded


class _Depth(threading.local):
    """The levels open in this thread, outermost first."""

    def __init__(self) -> None:
        self.levels: list[Level] = []


_depth = _Depth()


def open_levels() -> tuple[Level, ...]:
    """The ``vmap`` levels running in this thread, outermost first."""
    return tuple(_depth.levels)


def vmap_fallbacks() -> dict[str, int]:
    """Operators that had no batching rule and ran sample by sample, and how often, since the start."""
    return dict(FALLBACKS)


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function that maps ``func`` over a dimension of its arguments, running each operator once for all.

    Args:
        func: from tensors (in nests, if need be) to a tensor or a nest of tensors.
        in_dims: per argument the dimension to map over, None for one that all samples share; a nest
            that matches the arguments, or one number for all.
        out_dims: where the batch dimension goes in the results; None: take the first sample's.
        randomness: accepted; draws inside are one sample's ("same").
        chunk_size: accepted; everything runs at once.
    Returns:
        The mapped function.
    Raises:
        ValueError: no tensor to map over, sizes that differ, dims that do not fit.
    Example:
        >>> xs, ys = Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([[1.0, 1.0], [2.0, 0.0]])
        >>> vmap(lambda x, y: (x * y).sum())(xs, ys)
        tensor([3., 6.])
    """
    name = getattr(func, "__name__", repr(func))

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, dims = _flat_inputs(name, in_dims, args)
        level = Level(_batch_size(leaves, dims), len(_depth.levels) + 1)
        entered = [
            x if d is None else batched(_front(x, d), level) for x, d in zip(leaves, dims, strict=True)
        ]
        before = MODE.get()
        MODE.set(before | DUAL)
        _depth.levels.append(level)
        stand_ins[id(level)] = level.samples
        try:
            out = func(*tree.rebuild(args, entered), **kwargs)
            return _leave(name, out, out_dims, level)
        finally:
            _depth.levels.pop()
            del stand_ins[id(level)]
            MODE.set(MODE.get() & ~DUAL | before & DUAL)
            level.samples.clear()

    return mapped


def _flat_inputs(name: str, in_dims: Any, args: tuple[Any, ...]) -> tuple[list[Any], list[int | None]]:
    """The leaves of the arguments, each with the (non-negative) dimension to map over."""
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are "
            "trying to vmap over a "
            "function with no inputs. The latter is unsupported."
        )
    where = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
    prefix = tuple(in_dims) if isinstance(in_dims, list) else in_dims
    dims = tree.spread(prefix, args)
    if dims is None:
        raise ValueError(f"{where}: in_dims is not compatible with the structure of `inputs`.")
    leaves = tree.flatten(args)
    found: list[int | None] = []
    for x, d in zip(leaves, dims, strict=True):
        if d is not None and not isinstance(x, Tensor):
            raise ValueError(
                f"{where}: Got in_dim={d} for an input but the input is of type {type(x)}. We cannot "
                "vmap over "
                "non-Tensor arguments, please use None as the respective in_dim"
            )
        if d is not None and not -x._data.ndim <= d < x._data.ndim:
            raise ValueError(
                f"{where}: Got in_dim={d} for some input, but that input is a Tensor of "
                f"dimensionality {x._data.ndim} "
                f"so expected in_dim to satisfy -{x._data.ndim} <= in_dim < {x._data.ndim}."
            )
        found.append(None if d is None else d % x._data.ndim)
    return leaves, found


def _batch_size(leaves: list[Any], dims: list[int | None]) -> int:
    sizes = [x._data.shape[d] for x, d in zip(leaves, dims, strict=True) if d is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if len(set(sizes)) > 1:
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the "
            "mapped dimension"
        )
    if not sizes[0]:
        raise ValueError("vmap: the mapped dimension is empty, and a function of no sample cannot be run")
    return int(sizes[0])


def _front(x: Tensor, dim: int) -> Tensor:
    """x with dimension ``dim`` moved to the front."""
    if not dim:
        return x
    order = (dim, *[i for i in range(x._data.ndim) if i != dim])
    return apply(shape.Permute, (x,), (order,))


def _leave(name: str, out: Any, out_dims: Any, level: Level) -> Any:
    """The results of all samples, each with its batch dimension where ``out_dims`` wants it."""
    leaves = tree.flatten(out)
    prefix = tuple(out_dims) if isinstance(out_dims, list) else out_dims
    dims = tree.spread(prefix, out)
    if dims is None:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the "
            "structure of "
            "`outputs`."
        )
    done = []
    for x, d in zip(leaves, dims, strict=True):
        if not isinstance(x, Tensor):
            raise ValueError(f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(x)}.")
        inside = isinstance(x._node, BatchNode) and x._node.level is level
        if d is None:
            if inside:
                raise ValueError(
                    f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None"
                )
            done.append(x)
            continue
        whole = x._node.value if inside else expanded(x, level.size)  # type: ignore[union-attr]
        done.append(_back(whole, d))
    return tree.rebuild(out, done)


def _back(whole: Tensor, dim: int) -> Tensor:
    """The batch dimension moved from the front to ``dim``."""
    try:
        at = dim_index(dim, whole._data.ndim)
    except DimError as error:
        raise DimError(f"vmap: out_dims: {error}") from None
    if not at:
        return whole
    order = [*range(1, whole._data.ndim)]
    order.insert(at, 0)
    return apply(shape.Permute, (whole,), (tuple(order),))


__all__ = ["open_levels", "vmap", "vmap_fallbacks"]
