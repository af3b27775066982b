"""Filling a tensor with random numbers, in place, in the order of its memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...dtypes import Array, unsupported
from ...errors import ShapeError
from ...generator import Generator, chosen
from ...generator.order import drawn_beside, drawn_into
from ...ops import elementwise as ew
from ...ops.sampling import Bernoulli
from ..dual import batch_of, stand_ins
from ..views import check_writable, rewrite
from .base import Methods

_ALL: Any = object()  # random_(low, None) has no upper bound, random_(high) no lower one


def _trials(chances: Any, generator: Generator | None) -> Any:
    return chances.bernoulli(generator=generator)


class RandomMethods(Methods):
    """``uniform_``, ``normal_`` and their kin: PyTorch's numbers for the same seed."""

    __slots__ = ()

    def uniform_(
        self, from_: float = 0, to: float = 1, *, generator: Generator | None = None, **kw: float
    ) -> Any:
        """Uniform numbers in ``[from, to)``.

        Args:
            self: float or complex (the parts are drawn).
            from, to: bounds.
            generator: where the numbers come from; the default one if None.
        Raises:
            ConvgradError: ``from > to``, or bounds that the dtype does not hold.
            NotImplementedError: integers or bool.
        """
        low = kw.pop("from", from_)
        dtype = self._data.dtype
        return self._fill("uniform_", lambda g, shape: g.uniform(shape, dtype, low, to), generator)

    def bernoulli(self, p: Any = None, *, generator: Generator | None = None) -> Any:
        """Ones with the probabilities that the elements say (or all with ``p``), zeros otherwise."""
        node = batch_of(self) if p is None else None
        if node is not None:
            return node.draw(_trials, self, generator)
        if p is None and not stand_ins:
            return self._apply(Bernoulli, (self,), (chosen(generator),))
        out: Any = self._wrap(self._data.copy())
        return out.bernoulli_(self if p is None else p, generator=generator)

    def normal_(self, mean: float = 0, std: float = 1, *, generator: Generator | None = None) -> Any:
        """Normal numbers of given mean and standard deviation.

        Args:
            self: float or complex (of the variance each part gets half).
            mean, std: numbers; ``std >= 0``.
            generator: where the numbers come from; the default one if None.
        Raises:
            ConvgradError: ``std`` is negative.
            NotImplementedError: integers or bool.
        """
        dtype, whole = self._data.dtype, bool(self._data.flags.c_contiguous)
        return self._fill(
            "normal_", lambda g, shape: g.normal(shape, dtype, mean, std, contiguous=whole), generator
        )

    def exponential_(self, lambd: float = 1, *, generator: Generator | None = None) -> Any:
        """Exponential numbers of rate ``lambd``.

        Raises:
            ConvgradError: ``lambd <= 0``, or a dtype without fractions.
        """
        dtype = self._data.dtype
        return self._fill("exponential_", lambda g, shape: g.exponential(shape, dtype, lambd), generator)

    def bernoulli_(self, p: Any = 0.5, *, generator: Generator | None = None) -> Any:
        """Ones with probability p, zeros otherwise.

        Args:
            self: of any real dtype.
            p: a number, or a float tensor that can be expanded to this shape.
            generator: where the numbers come from; the default one if None.
        Raises:
            ConvgradError: probabilities outside of [0, 1], or NaN.
            ShapeError: p cannot be expanded.
            NotImplementedError: a complex tensor, or probabilities that are not of a float dtype.
        """
        dtype = self._data.dtype
        if not hasattr(p, "_data"):
            if dtype.kind == "c":
                raise unsupported("bernoulli_scalar_cpu_", dtype)
            return self._fill("bernoulli_", lambda g, shape: g.bernoulli(p, shape, dtype), generator)
        if dtype.kind == "c":
            raise unsupported("bernoulli_tensor_cpu_self_", dtype)
        if batch_of(p) is not None:  # within vmap: each sample has probabilities of its own
            wide = p.expand(self._data.shape)
            x: Any = self
            return x.copy_(batch_of(wide).draw(_trials, wide, generator))
        try:
            chance = np.broadcast_to(p._data, self._data.shape)
        except ValueError:
            raise ShapeError(
                f"The expanded size of the tensor {list(self._data.shape)} must match the existing size "
                f"{list(p._data.shape)} of the probabilities (bernoulli_)"
            ) from None
        return self._fill("bernoulli_", lambda g, q: g.bernoulli(q, q.shape, dtype), generator, chance)

    def random_(
        self, from_: Any = None, to: Any = _ALL, *, generator: Generator | None = None, **kw: Any
    ) -> Any:
        """Integers in ``[from, to)``; in ``[0, from)`` with one argument; of the whole range with none.

        Args:
            self: of any real dtype.
            from, to: integers; ``to`` None: as far as the dtype goes.
            generator: where the numbers come from; the default one if None.
        Raises:
            ConvgradError: an empty range, or one that the dtype does not hold.
            NotImplementedError: a complex tensor.
        Example:
            >>> from convgrad import zeros
            >>> x = zeros(5).random_(2, 4)
            >>> bool(((x == 2) | (x == 3)).all())
            True
        """
        low, dtype = kw.pop("from", from_), self._data.dtype
        if dtype.kind == "u" and dtype.itemsize > 1:
            raise unsupported("random_kernel_cpu", dtype)
        if low is None and to is _ALL:
            return self._fill("random_", lambda g, shape: g.whole_range(shape, dtype), generator)
        if to is None:
            return self._fill("random_", lambda g, shape: g.whole_range(shape, dtype, low), generator)
        if to is _ALL:
            low, to = 0, low
        first, last = (0 if low is None else low), to
        return self._fill("random_", lambda g, shape: g.randint(first, last, shape, dtype), generator)

    def _fill(self, name: str, draw: Any, generator: Generator | None, p: Array | None = None) -> Any:
        """Store ``draw(generator, shape)``, or ``draw(generator, p)``; what was before gets gradient 0."""
        record = check_writable(self, name)
        source = chosen(generator)
        if p is None:
            drawn = drawn_into(self._data, lambda shape: draw(source, shape))
        else:
            drawn = drawn_beside(self._data, p, lambda q: draw(source, q))
        if record and self._node is not None:
            return self._inplace(name, ew.Copy, (self._wrap(drawn),))
        np.copyto(self._data, drawn, casting="unsafe")
        rewrite(self, None, name)
        return self
