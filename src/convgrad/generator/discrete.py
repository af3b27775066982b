"""Numbers from discrete distributions: trials, whole numbers, permutations.

The rules (how many 32-bit words a number takes, which of their bits, in which order) were found by
experiment.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..draws import watched
from ..dtypes import Array, unsupported
from ..errors import ConvgradError
from .continuous import Continuous
from .limits import (
    BFLOAT16,
    FLOAT32,
    FLOAT64,
    INT64,
    Shape,
    as_shape,
    check_range,
    float_dtype,
    integer_limits,
    numel,
    rounded,
)

_WIDE = 1 << 28
"""Ranges from here on take 64 bits for each number, so that the remainder stays nearly uniform."""


class Discrete(Continuous):
    """Draws of whole numbers; each method returns an array."""

    __slots__ = ()

    @watched(1)
    def bernoulli(
        self, p: float | Array, shape: Shape | None = None, dtype: Any = np.float32, one: float = 1.0
    ) -> Array:
        """Ones with probability ``p``, zeros otherwise.

        A number ``p`` and a float64 array take one long word for each element; float32, float16 and
        bfloat16 arrays one word. Older releases of PyTorch drew from MKL's own generator on Intel
        processors; 2.13 no longer does, and neither does this.

        Args:
            p: probability in [0, 1], one for all or an array of floats.
            shape: of the result if ``p`` is a number; an array brings its own shape.
            dtype: of the result, any.
            one: what stands for one, if ``p`` is a number.
        Raises:
            ConvgradError: ``p`` lies outside [0, 1] or is nan, or a number comes without a shape.
            NotImplementedError: an array that is not of floating point dtype.
        Example:
            >>> torch.Generator().manual_seed(0).bernoulli(0.5, 4).tolist()
            [0.0, 0.0, 1.0, 0.0]
        """
        wanted = np.dtype(dtype)
        if isinstance(p, np.ndarray):
            return self._bernoulli_array(p, wanted)
        if not 0 <= p <= 1:
            raise ConvgradError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
        if shape is None:
            raise ConvgradError("bernoulli: a single probability needs the shape of the result")
        size = as_shape(shape)
        below = math.ceil(p * 2.0**53)  # word < below is the same as word * 2**-53 < p, without rounding
        with self._lock:
            drawn: Array = self._stream().trials(numel(size), below, one, wanted)
        return drawn.reshape(size)

    def _bernoulli_array(self, p: Array, dtype: np.dtype[Any]) -> Array:
        float_dtype("bernoulli_tensor_cpu_p_", p.dtype)
        if not bool(((p >= 0) & (p <= 1)).all()):
            raise ConvgradError("bernoulli: Expected p_in >= 0 && p_in <= 1 to be true, but got false")
        with self._lock:
            unit = self._unit_float64(p.size) if p.dtype == FLOAT64 else self._unit_float32(p.size)
        wide = p if p.dtype == FLOAT64 else p.astype(np.float32, copy=False)
        return np.asarray(np.less(unit.reshape(p.shape), wide)).astype(dtype, copy=False)

    def geometric(self, p: float, shape: Shape, dtype: Any = np.float32) -> Array:
        """How many trials it takes until one of probability p succeeds: ``ceil(log(u) / log(1 - p))``.

        Args:
            p: probability in (0, 1).
            shape: of the result; an int for one dimension.
            dtype: any but bool and complex.
        Raises:
            ConvgradError: ``p`` lies outside (0, 1).
            NotImplementedError: bool or complex.
        Example:
            >>> torch.Generator().manual_seed(0).geometric(0.1, 3, np.int64).tolist()
            [1, 4, 8]
        """
        if not 0 < p < 1:
            raise ConvgradError(f"geometric_ expects p to be in (0, 1), but got p={p}")
        wanted = np.dtype(dtype)
        if wanted.kind in "bc":
            raise unsupported("geometric_cpu", wanted)
        return rounded(np.ceil(np.log(self.uniform(shape, np.float64)) / np.log1p(-p)), wanted)

    @watched(2)
    def randint(self, low: int, high: int, shape: Shape, dtype: Any = np.int64) -> Array:
        """Whole numbers from ``low`` to ``high - 1``: the remainder of one word by ``high - low``.

        From ranges of 2**28 on it is a long word.

        Args:
            low, high: the first and one past the last number.
            shape: of the result; an int for one dimension.
            dtype: any integer, bool or floating dtype.
        Raises:
            ConvgradError: an empty range, or one that ``dtype`` cannot hold.
        Example:
            >>> torch.Generator().manual_seed(0).randint(0, 100, 3).tolist()
            [44, 39, 33]
        """
        size = as_shape(shape)
        first, last = operator.index(low), operator.index(high)
        wanted = np.dtype(dtype)
        first, last = check_range(first, last, wanted)
        span = last - first
        return self._integers(first, span, numel(size), wanted, span >= _WIDE).reshape(size)

    @watched()
    def whole_range(self, shape: Shape, dtype: Any = np.int64, low: int | None = None) -> Array:
        """Whole numbers over all that ``dtype`` holds: ``random_()``, with ``low`` ``random_(low, None)``.

        Args:
            shape: of the result; an int for one dimension.
            dtype: integers give 0 to their largest value, bool 0 and 1, floats 0 to ``2**digits``.
            low: smallest number instead of 0.
        Raises:
            ConvgradError: ``dtype`` cannot hold ``low``.
        """
        size = as_shape(shape)
        wanted = np.dtype(dtype)
        _, largest = integer_limits(wanted)
        first = 0 if low is None else operator.index(low)
        if first == -(1 << 63):
            if wanted not in (INT64, FLOAT64, FLOAT32, BFLOAT16):
                raise ConvgradError(
                    "random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16, "
                    f"but got {wanted}"
                )
            return self._integers(0, 1 << 64, numel(size), wanted, True).reshape(size)
        first, end = check_range(first, largest + 1, wanted)
        span = end - first
        wide = wanted in (FLOAT64, INT64) if low is None else span >= _WIDE
        return self._integers(first, span, numel(size), wanted, wide).reshape(size)

    def _integers(self, low: int, span: int, n: int, dtype: np.dtype[Any], wide: bool) -> Array:
        """``n`` times ``low + word % span``; int64 wraps around, which is right for any 64-bit range."""
        with self._lock:
            if not wide:
                values = (self._words(n) % np.uint32(span)).astype(np.int64)
            elif span == 1 << 64:
                values = self._long_words(n).view(np.int64)  # every pattern is as likely as any other
            else:
                values = (self._long_words(n) % np.uint64(span)).view(np.int64)
        if low:
            values += np.int64(low)
        return values if values.dtype is dtype else values.astype(dtype, copy=False)

    @watched()
    def randperm(self, n: int, dtype: Any = np.int64) -> Array:
        """The numbers 0 to ``n - 1`` in random order (Fisher & Yates, from the front, one word each).

        Args:
            n: how many.
            dtype: integer or floating dtype that holds ``n - 1``.
        Raises:
            ConvgradError: ``n`` is negative, or too large for ``dtype``.
        Example:
            >>> torch.Generator().manual_seed(0).randperm(5).tolist()
            [4, 0, 1, 3, 2]
        """
        count = operator.index(n)
        wanted = np.dtype(dtype)
        if count < 0:
            raise ConvgradError(f"Trying to create tensor with negative dimension {count}: [{count}]")
        if count > integer_limits(wanted)[1] + 1:
            raise ConvgradError(f"randperm: n={count} is too large for result dtype {wanted}")
        with self._lock:
            order: Array = self._stream().permutation(count)
        return order.astype(wanted, copy=False)
