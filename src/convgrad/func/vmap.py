"""``vmap``: a function of one sample made into a function of a batch."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import draws
from ..errors import ConvgradError, DimError
from ..graph.grad_mode import DUAL, MODE
from ..ops import shape
from ..tensor.dual import stand_ins
from ..tensor.methods.base import dim_index
from ..tensor.tensor import Tensor, apply
from . import batched as _batched  # noqa: F401  # gives batched tensors their class
from . import tree
from .batching import FALLBACKS, RANDOM, Level, batch_value, batched
from .whole import expanded


class _Depth(threading.local):
    """The levels open in this thread, outermost first."""

    def __init__(self) -> None:
        self.levels: list[Level] = []


_depth = _Depth()


def open_levels() -> tuple[Level, ...]:
    """The ``vmap`` levels running in this thread, outermost first, without the private ones."""
    return tuple([level for level in _depth.levels if not level.private])


def vmap_fallbacks() -> dict[str, int]:
    """Operators that had no batching rule and ran sample by sample, and how often, since the start."""
    return dict(FALLBACKS)


@contextmanager
def level_of(size: int, randomness: str = "error", private: bool = False) -> Iterator[Level]:
    """A ``vmap`` level for the block; a private one is for a basis of derivatives."""
    level = Level(size, _depth.levels, randomness, private)
    before = MODE.get()
    MODE.set(before | DUAL)
    _depth.levels.append(level)
    stand_ins[id(level)] = level
    try:
        yield level
    finally:
        _depth.levels.pop()
        del stand_ins[id(level)]
        MODE.set(MODE.get() & ~DUAL | before & DUAL)
        level.samples.clear()


def _draw(draw: Callable[..., Any], source: Any, shape: tuple[int, ...], args: Any, kwargs: Any) -> Any:
    """Random numbers inside of ``vmap``: refused, the same for all samples, or others for each."""
    levels = list(open_levels())
    if not levels:
        return draw(source, shape, *args, **kwargs)
    if any([level.randomness == "error" for level in levels]):
        raise ConvgradError(RANDOM)
    different = [level for level in levels if level.randomness == "different"]
    with levels[0].suspended():
        if not different:
            return draw(source, shape, *args, **kwargs)
        out: Any = Tensor(np.asarray(_drawn(draw, source, shape, different, args, kwargs)), None)
    for level in different:
        out = batched(out, level)
    return out._data


def _drawn(draw: Any, source: Any, shape: Any, levels: list[Level], args: Any, kwargs: Any) -> Any:
    sizes = tuple([level.size for level in levels])
    if isinstance(shape, int):  # a permutation each
        rows = [draw(source, shape, *args, **kwargs) for _ in range(int(np.prod(sizes)))]
        return np.stack(rows).reshape(*sizes, shape)
    full = (*sizes, *shape)
    given = [np.broadcast_to(a, full) if isinstance(a, np.ndarray) and a.ndim else a for a in args]
    return draw(source, full, *given, **kwargs)


draws.watch_draws(lambda: bool(_depth.levels), _draw)


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
        out_dims: where the batch dimension goes in the results, likewise; None for a result that is
            the same for all samples.
        randomness: what random numbers drawn inside are: ``"error"`` refuses them, ``"same"`` for all
            samples, ``"different"`` for each.
        chunk_size: how many samples run at once; None: all.
    Returns:
        The mapped function.
    Raises:
        ValueError: no tensor to map over, sizes that differ, dims that do not fit.
        ConvgradError: a random draw in "error" mode; a value that no one number stands for (``item()``,
            ``if``), a shape that depends on values, a change in place of what samples share.
    Example:
        >>> xs, ys = Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([[1.0, 1.0], [2.0, 0.0]])
        >>> vmap(lambda x, y: (x * y).sum())(xs, ys)
        tensor([3., 6.])
    """
    if randomness not in ("error", "different", "same"):
        raise ConvgradError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}"
        )
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")
    name = getattr(func, "__name__", repr(func))

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, dims = _flat_inputs(name, in_dims, args)
        size = _batch_size(leaves, dims)
        if chunk_size is None or size <= chunk_size:
            return _run(func, name, args, kwargs, leaves, dims, out_dims, randomness, size)
        chunks = []
        for start in range(0, size, chunk_size):
            n = min(chunk_size, size - start)
            part = [x if d is None else x.narrow(d, start, n) for x, d in zip(leaves, dims, strict=True)]
            chunks.append(_run(func, name, args, kwargs, part, dims, out_dims, randomness, n))
        return _chunks_joined(chunks, tree.spread(_prefix(out_dims), chunks[0]) or [])

    return mapped


def _prefix(dims: Any) -> Any:
    return tuple(dims) if isinstance(dims, list) else dims


def _run(
    func: Any, name: str, args: Any, kwargs: Any, leaves: list[Any], dims: list[int | None], out_dims: Any,
    randomness: str, size: int,
) -> Any:  # fmt: skip
    with level_of(size, randomness) as level:
        entered = [
            x if d is None else batched(_front(x, d), level) for x, d in zip(leaves, dims, strict=True)
        ]
        out = func(*tree.rebuild(args, entered), **kwargs)
        return _leave(name, out, out_dims, level)


def _chunks_joined(chunks: list[Any], dims: list[Any]) -> Any:
    columns = zip(*[tree.flatten(c) for c in chunks], strict=True)
    done = [
        column[0] if d is None else apply(shape.Cat, tuple(column), (d % column[0]._data.ndim,))
        for column, d in zip(columns, dims, strict=True)
    ]
    return tree.rebuild(chunks[0], done)


def _flat_inputs(name: str, in_dims: Any, args: tuple[Any, ...]) -> tuple[list[Any], list[int | None]]:
    """The leaves of the arguments, each with the (non-negative) dimension to map over."""
    where = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
    if not isinstance(in_dims, (int, tuple, list)):
        raise ValueError(
            f"{where}: expected `in_dims` to be int or a (potentially nested) tuple matching the "
            "structure of "
            f"inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are "
            "trying to vmap over a function with no inputs. The latter is unsupported."
        )
    dims = tree.spread(_prefix(in_dims), args)
    if dims is None:
        raise ValueError(
            f"{where}: in_dims is not compatible with the structure of `inputs`. in_dims has structure "
            f"{in_dims!r} but there are {len(args)} inputs."
        )
    leaves = tree.flatten(args)
    found: list[int | None] = []
    for x, d in zip(leaves, dims, strict=True):
        if d is not None and (not isinstance(d, int) or isinstance(d, bool)):
            raise ValueError(
                f"{where}: Got in_dim={d} for an input but in_dim must be either an integer "
                "dimension or None."
            )
        if d is not None and not isinstance(x, Tensor):
            raise ValueError(
                f"{where}: Got in_dim={d} for an input but the input is of type {type(x)}. We "
                "cannot vmap over "
                "non-Tensor arguments, please use None as the respective in_dim"
            )
        if d is not None and not -x._data.ndim <= d < x._data.ndim:
            raise ValueError(
                f"{where}: Got in_dim={d} for some input, but that input is a Tensor of dimensionality "
                f"{x._data.ndim} so expected in_dim to satisfy -{x._data.ndim} <= in_dim < {x._data.ndim}."
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
    for x in leaves:
        if not isinstance(x, Tensor):
            raise ValueError(
                f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(x)}. Did you "
                "mean to set "
                "out_dims= to None for output?"
            )
    dims = tree.spread(_prefix(out_dims), out)
    if dims is None:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the "
            "structure of "
            "`outputs`."
        )
    done = []
    for x, d in zip(leaves, dims, strict=True):
        value = batch_value(x, level)
        if d is None:
            if value is not x:
                raise ValueError(
                    f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None"
                )
            done.append(x)
            continue
        done.append(_back(expanded(value, level.size), d))
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


__all__ = ["level_of", "open_levels", "vmap", "vmap_fallbacks"]
