"""Draws of random numbers while a ``vmap`` runs: who makes them is asked instead."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .dtypes import Array


class _Watch:
    """Who is asked for random numbers while a ``vmap`` runs: set by ``watch_draws``."""

    active: Callable[[], bool] | None = None
    draw: Callable[..., Array] | None = None


def watch_draws(active: Callable[[], bool], draw: Callable[..., Array]) -> None:
    """While ``active()`` holds, let ``draw(plain, generator, shape, args, kwargs)`` answer for every draw.

    ``plain(generator, shape, *args, **kwargs)`` is the draw itself.
    """
    _Watch.active, _Watch.draw = staticmethod(active), staticmethod(draw)


def watched(at: int = 0) -> Callable[[Any], Any]:
    """A method that draws; its shape is positional argument ``at``."""

    def decorate(plain: Any) -> Any:
        def reordered(self: Any, shape: Any, *args: Any, **kwargs: Any) -> Any:
            return plain(self, *args[:at], shape, *args[at:], **kwargs)

        @functools.wraps(plain)
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            if _Watch.active is None or not _Watch.active():
                return plain(self, *args, **kwargs)
            given = list(args)
            shape = kwargs.pop("shape", None) if len(given) <= at else given.pop(at)
            if shape is None:
                shape = np.shape(given[0])
            return _Watch.draw(reordered, self, shape, given, kwargs)  # type: ignore[misc]

        return method

    return decorate
