"""Random fills and draws that few programs need: PyTorch's numbers for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import dtypes
from ...errors import ConvgradError
from ...generator import Generator, chosen
from ...ops.sampling import categories
from .base import Methods


class LateMethods(Methods):
    """``cauchy_``, ``geometric_``, ``log_normal_`` and ``multinomial``."""

    __slots__ = ()

    def cauchy_(self, median: float = 0, sigma: float = 1, *, generator: Generator | None = None) -> Any:
        """Numbers of the Cauchy distribution: ``median + sigma tan(pi (u - 1/2))``.

        Raises:
            ConvgradError: ``sigma <= 0``, or a dtype without fractions.
        """
        x: Any = self
        dtype = self._data.dtype
        return x._fill("cauchy_", lambda g, shape: g.cauchy(shape, dtype, median, sigma), generator)

    def geometric_(self, p: float, *, generator: Generator | None = None) -> Any:
        """How many trials it takes until one of probability p succeeds.

        Raises:
            ConvgradError: ``p`` lies outside (0, 1).
            NotImplementedError: a bool or complex tensor.
        """
        x: Any = self
        dtype = self._data.dtype
        return x._fill("geometric_", lambda g, shape: g.geometric(p, shape, dtype), generator)

    def log_normal_(self, mean: float = 1, std: float = 2, *, generator: Generator | None = None) -> Any:
        """Numbers whose logarithms are normal with the given mean and standard deviation.

        Raises:
            ConvgradError: ``std <= 0``.
            NotImplementedError: a tensor of integers, bool or complex numbers.
        """
        x: Any = self
        dtype = self._data.dtype
        return x._fill("log_normal_", lambda g, shape: g.log_normal(shape, dtype, mean, std), generator)

    def multinomial(
        self, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
    ) -> Any:
        """Indices drawn with probabilities proportional to the weights of each row.

        Args:
            self: float weights, ``(n,)`` or ``(m, n)``; rows need not sum to 1.
            num_samples: how many per row.
            replacement: whether an index may be drawn twice.
        Returns:
            int64, ``(num_samples,)`` or ``(m, num_samples)``.
        Raises:
            ConvgradError: weights that are negative, infinite, NaN or all 0; more draws than weights
                without replacement; another shape or dtype.
        """
        data = self._data
        kind = dtypes.from_numpy(data.dtype)
        if not kind.is_floating_point:
            raise ConvgradError(f"multinomial only supports floating-point dtypes for input, got: {kind}")
        if data.ndim not in (1, 2):
            raise ConvgradError(f"prob_dist must be 1 or 2 dim, but got shape {list(data.shape)}")
        if num_samples <= 0:
            raise ConvgradError(f"cannot sample n_sample <= 0 samples, but got {num_samples}")
        if not replacement and num_samples > data.shape[-1]:
            raise ConvgradError(
                f"cannot sample n_sample > prob_dist.size(-1) samples without replacement: {num_samples} of "
                f"{data.shape[-1]}"
            )
        rows = data if data.ndim == 2 else data[None]  # no copy: weights are raced in the order of memory
        if not bool(((rows >= 0) & np.isfinite(rows)).all()):
            raise ConvgradError("probability tensor contains either `inf`, `nan` or element < 0")
        if not bool((rows > 0).any(axis=1).all()):
            raise ConvgradError("invalid multinomial distribution (sum of probabilities <= 0)")
        drawn = categories(rows, num_samples, replacement, chosen(generator))
        return self._wrap(drawn if data.ndim == 2 else drawn[0])
