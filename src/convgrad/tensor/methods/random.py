"""Filling a tensor with random numbers, in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ConvgradError
from ...generator import Generator, default_generator
from ...ops import elementwise as ew
from ..views import check_writable, rewrite
from .base import Methods


class RandomMethods(Methods):
    """``uniform_``, ``normal_`` and their kin: PyTorch's numbers for the same seed."""

    __slots__ = ()

    def uniform_(
        self, from_: float = 0, to: float = 1, *, generator: Generator | None = None, **kw: float
    ) -> Any:
        """Uniform numbers in ``[from, to)``."""
        low = kw.pop("from", from_)
        if not low <= to:
            raise ConvgradError(
                f"uniform_ expects to return a [from, to) range, but found from={low} > to={to}"
            )
        return self._fill("uniform_", lambda g, a: g.uniform(a.shape, a.dtype, low, to), generator)

    def bernoulli(self, p: Any = None, *, generator: Generator | None = None) -> Any:
        """Ones with the probabilities that the elements say (or all with ``p``), zeros otherwise."""
        out: Any = self._wrap(self._data.copy())
        return out.bernoulli_(self if p is None else p, generator=generator)

    def normal_(self, mean: float = 0, std: float = 1, *, generator: Generator | None = None) -> Any:
        """Normal numbers of given mean and standard deviation."""
        if std < 0:
            raise ConvgradError(f"normal expects std >= 0.0, but found std {std}")
        whole = self._data.flags.c_contiguous
        return self._fill(
            "normal_", lambda g, a: g.normal(a.shape, a.dtype, mean, std, contiguous=whole), generator
        )

    def exponential_(self, lambd: float = 1, *, generator: Generator | None = None) -> Any:
        """Exponential numbers of rate ``lambd``."""
        if lambd <= 0:
            raise ConvgradError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
        return self._fill("exponential_", lambda g, a: g.exponential(a.shape, a.dtype, lambd), generator)

    def bernoulli_(self, p: Any = 0.5, *, generator: Generator | None = None) -> Any:
        """Ones with probability p (a number or a tensor), zeros otherwise."""
        if self._data.dtype.kind == "c":
            raise NotImplementedError(f'"bernoulli_scalar_cpu_" not implemented for dtype {self._data.dtype}')
        chance = np.broadcast_to(p._data, self._data.shape) if hasattr(p, "_data") else p
        if np.size(chance) and not bool(np.all((chance >= 0) & (chance <= 1))):
            raise ConvgradError(
                "Expected p_in >= 0 && p_in <= 1 to be true: probabilities lie between 0 and 1"
            )
        return self._fill("bernoulli_", lambda g, a: g.bernoulli(chance, a.shape, a.dtype), generator)

    def random_(
        self, from_: int | None = None, to: int | None = None, *, generator: Generator | None = None
    ) -> Any:
        """Integers in ``[from, to)``; in ``[0, from)`` with one argument; of the whole range with none."""
        if from_ is None:
            return self._fill("random_", lambda g, a: g.whole_range(a.shape, a.dtype), generator)
        low, high = (0, from_) if to is None else (from_, to)
        if low >= high:
            raise ConvgradError(
                f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
            )
        return self._fill("random_", lambda g, a: g.randint(low, high, a.shape, a.dtype), generator)

    def _fill(self, name: str, draw: Any, generator: Generator | None) -> Any:
        """Draw and store; the gradient of what was before is zero."""
        record = check_writable(self, name)
        drawn = draw(generator or default_generator, self._data)
        if record and self._node is not None:
            return self._inplace(name, ew.Copy, (self._wrap(drawn),))
        np.copyto(self._data, drawn, casting="unsafe")
        rewrite(self, None, name)
        return self
