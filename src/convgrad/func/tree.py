"""Nests of tuples, lists, dicts and named tuples, flattened to their leaves and built up again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def flatten(tree: Any) -> list[Any]:
    """The leaves, left to right."""
    if isinstance(tree, (tuple, list)):
        return [leaf for part in tree for leaf in flatten(part)]
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in flatten(tree[key])]
    return [tree]


def rebuild(tree: Any, leaves: Sequence[Any]) -> Any:
    """A nest of ``tree``'s form with other leaves."""
    return _take(tree, iter(leaves))


def _take(tree: Any, leaves: Any) -> Any:
    if isinstance(tree, (tuple, list)):
        parts = [_take(part, leaves) for part in tree]
        make: Any = getattr(tree, "_make", type(tree))  # a named tuple, or another sequence
        return make(parts)
    if isinstance(tree, dict):
        return {key: _take(part, leaves) for key, part in tree.items()}
    return next(leaves)


def fmap(function: Callable[[Any], Any], tree: Any) -> Any:
    """Apply a function to every leaf."""
    return rebuild(tree, [function(leaf) for leaf in flatten(tree)])


def spread(prefix: Any, tree: Any) -> list[Any] | None:
    """One entry of ``prefix`` (a nest that may end earlier than ``tree``) per leaf of ``tree``.

    None if it does not fit.
    """
    if isinstance(prefix, (tuple, list)) and not isinstance(tree, (tuple, list)):
        return None
    if isinstance(prefix, (tuple, list)):
        if len(prefix) != len(tree):
            return None
        parts = [spread(p, t) for p, t in zip(prefix, tree, strict=True)]
    elif isinstance(prefix, dict):
        if not isinstance(tree, dict) or prefix.keys() != tree.keys():
            return None
        parts = [spread(prefix[key], tree[key]) for key in tree]
    else:
        return [prefix] * len(flatten(tree))
    if any([part is None for part in parts]):
        return None
    return [entry for part in parts for entry in part or ()]


__all__ = ["flatten", "fmap", "rebuild", "spread"]
