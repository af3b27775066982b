"""Random fills and draws that few programs need: PyTorch's numbers for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import dtypes
from ...errors import ConvgradError
from ...generator import Generator, default_generator
from ...ops.sampling import categories
from .base import Methods


def _refuse(x: Any, name: str, kinds: str) -> None:
    if x._data.dtype.kind in kinds:
        raise NotImplementedError(f'"{name}" not implemented for dtype {dtypes.from_numpy(x._data.dtype)}')


class LateMethods(Methods):
    """``cauchy_``, ``geometric_``, ``log_normal_`` and ``multinomial``."""

    __slots__ = ()

    def cauchy_(self, median: float = 0, sigma: float = 1, *, generator: Generator | None = None) -> Any:
        """Numbers of the Cauchy distribution: ``median + sigma tan(pi (u - 1/2))``."""
        if sigma <= 0:
            raise ConvgradError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
        if self._data.dtype.kind not in "fV":
            raise ConvgradError(
                "Cauchy distribution is a continuous probability distribution. dtype must be a floating "
                f"point but you specified {dtypes.from_numpy(self._data.dtype)}"
            )
        x: Any = self
        return x._fill(
            "cauchy_",
            lambda g, shape: median + sigma * np.tan(np.pi * (g.uniform(shape, np.float64) - 0.5)),
            generator,
        )

    def geometric_(self, p: float, *, generator: Generator | None = None) -> Any:
        """How many trials it takes until one of probability p succeeds."""
        if not 0 < p < 1:
            raise ConvgradError(f"geometric_ expects p to be in (0, 1), but got p={p}")
        _refuse(self, "geometric_cpu", "bc")
        x: Any = self
        return x._fill(
            "geometric_",
            lambda g, shape: np.ceil(np.log(g.uniform(shape, np.float64)) / np.log1p(-p)),
            generator,
        )

    def log_normal_(self, mean: float = 1, std: float = 2, *, generator: Generator | None = None) -> Any:
        """Numbers whose logarithms are normal with the given mean and standard deviation."""
        if std <= 0:
            raise ConvgradError(f"log_normal_ expects std > 0.0, but found std={std}")
        _refuse(self, "log_normal_cpu", "biuc")
        x: Any = self
        return x._fill(
            "log_normal_",
            lambda g, shape: np.exp(g.normal(shape, np.float64, mean, std, contiguous=False)),
            generator,
        )

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
        drawn = categories(rows, num_samples, replacement, generator or default_generator)
        return self._wrap(drawn if data.ndim == 2 else drawn[0])
