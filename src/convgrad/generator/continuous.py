"""Numbers from continuous distributions: uniform, normal, exponential.

The rules (how many 32-bit words a number takes, which of their bits, in which order) were found by experiment
and are written at each method.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..draws import watched
from ..dtypes import Array
from ..errors import ConvgradError, DtypeError
from ..kernels.random import BLOCK, fused
from .limits import COMPLEX, FLOAT32, FLOAT64, FLOATS, LARGEST, Shape, as_shape, float_dtype, numel, rounded
from .stream import Stream


def _pair(u: float, v: float) -> tuple[float, float]:
    """Two standard normal numbers from two uniform ones, by the C library's functions, as in PyTorch."""
    radius, angle = math.sqrt(-2 * math.log1p(-v)), 2 * math.pi * u
    return radius * math.cos(angle), radius * math.sin(angle)


def _pairs(unit: Array) -> Array:
    """Pairs of standard normal numbers from pairs of uniform ones (Box & Muller 1958), in float64.

    NumPy's functions, which are many times faster, may differ from the C library's in the last digit. Of many
    pairs only the last is made by the latter: the generator may keep half of it.
    """
    if len(unit) <= BLOCK:
        return np.array([_pair(u, v) for u, v in unit.tolist()])
    radius = np.sqrt(-2 * np.log1p(-unit[:, 1]))
    angle = 2 * math.pi * unit[:, 0]
    numbers = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    numbers[-1] = _pair(*unit[-1].tolist())
    return numbers


def _fractional(name: str, dtype: Any) -> np.dtype[Any]:
    found = np.dtype(dtype)
    if found not in FLOATS:
        raise DtypeError(
            f"{name} distribution is a continuous probability distribution. dtype must be a floating point "
            f"but you specified {found}"
        )
    return found


class Continuous(Stream):
    """Draws of real and complex numbers; each method returns an array."""

    __slots__ = ()

    @watched()
    def uniform(self, shape: Shape, dtype: Any = np.float32, low: float = 0.0, high: float = 1.0) -> Array:
        """Numbers spread evenly over ``[low, high)``.

        float64 takes 53 bits of a long word, all other dtypes 24 bits of one word, and float16 and bfloat16
        are rounded from float32. A result that rounding lifts to ``high`` becomes ``low``. PyTorch scales
        with one fused multiply-add where the processor has it (all with AVX2), and so does this.

        Args:
            shape: of the result; an int for one dimension.
            dtype: float16, bfloat16, float32, float64, or complex (two numbers for each element).
            low, high: bounds of the interval.
        Raises:
            ConvgradError: ``low > high``, or bounds that the dtype cannot hold.
            NotImplementedError: another dtype.
        Example:
            >>> torch.Generator().manual_seed(0).uniform(2).tolist()
            [0.49625658988952637, 0.7682217955589294]
        """
        size = as_shape(shape)
        wanted = np.dtype(dtype)
        if wanted is not FLOAT32:
            real = COMPLEX.get(wanted)
            if real is not None:
                pairs = self.uniform((*size, 2), real, low, high)
                return pairs.view(dtype)[..., 0]
            wanted = float_dtype("check_uniform_bounds", wanted)
        if low != 0.0 or high != 1.0:
            self._check_uniform(wanted, low, high)
        n = numel(size)
        with self._lock:
            drawn = self._stream().uniform(n, FLOAT64 if wanted == FLOAT64 else FLOAT32, low, high)
        out: Array = drawn if drawn.dtype is wanted else drawn.astype(wanted, copy=False)
        if wanted.itemsize == 2 and low != high:
            out[out >= wanted.type(high)] = wanted.type(low)
        return out.reshape(size)

    @staticmethod
    def _check_uniform(dtype: np.dtype[Any], low: float, high: float) -> None:
        largest = LARGEST[dtype]
        for name, bound in (("from", low), ("to", high)):
            if not -largest <= bound <= largest:
                raise ConvgradError(f"{name} is out of bounds for {dtype}: {bound}")
        if low > high:
            raise ConvgradError(
                f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}"
            )
        if high - low > largest:
            raise ConvgradError(
                f"uniform_ expects to-from <= std::numeric_limits<{dtype}>::max(), but found to={high} and "
                f"from={low} which result in to-from to exceed the limit"
            )

    @watched()
    def normal(
        self,
        shape: Shape,
        dtype: Any = np.float32,
        mean: float = 0.0,
        std: float = 1.0,
        contiguous: bool = True,
    ) -> Array:
        """Normal numbers with the given mean and standard deviation, by the Box-Muller transform.

        From 16 elements on, contiguous: blocks of 16 uniform numbers (in float32, for float64 in float64),
        8 for the radii and 8 for the angles; where the size is no multiple of 16, the last 16 elements
        are made from 16 fresh numbers. Otherwise: one after another in float64 from two uniform numbers,
        of which the sine half is kept for the next call. Agrees with PyTorch to 2 ulp of the radius; bit for
        bit with few numbers where both use the same C library, and in float32 blocks where the compiled
        kernels run on a processor with AVX2.

        Args:
            shape: of the result; an int for one dimension.
            dtype: float16, bfloat16, float32, float64, or complex (real and imaginary part each get the mean
                and ``std / sqrt(2)``).
            mean, std: of the distribution; ``std >= 0``.
            contiguous: whether the tensor to be filled is; says which of the two ways PyTorch takes. The
                numbers of the second come in the order of its memory.
        Raises:
            ConvgradError: ``std`` is negative.
            NotImplementedError: an integer dtype.
        Example:
            >>> torch.Generator().manual_seed(0).normal(3, np.float64).round(4).tolist()
            [1.541, -0.2934, -2.1788]
        """
        size = as_shape(shape)
        if isinstance(mean, complex) or isinstance(std, complex):
            raise TypeError("normal_(): argument 'mean' and 'std' must be float, not complex")
        if not std >= 0:
            raise ConvgradError(f"normal expects std >= 0.0, but found std {std}")
        wanted = np.dtype(dtype)
        if wanted is not FLOAT32:
            real = COMPLEX.get(wanted)
            if real is not None:
                half = std / math.sqrt(2)  # of the variance
                return self.normal((*size, 2), real, mean, half, contiguous).view(dtype)[..., 0]
            wanted = float_dtype("normal_kernel_cpu", wanted)
        n = numel(size)
        with self._lock:
            if n >= BLOCK and contiguous:
                # 16-bit dtypes draw only for the whole blocks before a tail, the others for it as well
                kind = FLOAT64 if wanted == FLOAT64 else FLOAT32
                out: Array = self._stream().normal(n, mean, std, kind, wanted.itemsize == 2)
            else:
                out = self._normal_pairs(n)
                if mean != 0 or std != 1:
                    out = fused(out, std, mean)
        return rounded(out, wanted).reshape(size)

    def _normal_pairs(self, n: int) -> Array:
        """Standard normal numbers in float64: the one kept from last time, then cosine and sine in turn."""
        kept = self._second_normal
        if n == 0:
            return np.empty(0)
        start = 0 if kept is None else 1
        pairs = (n - start + 1) // 2
        unit = self._unit_float64(2 * pairs).reshape(pairs, 2)
        numbers = np.empty(start + 2 * pairs)
        if kept is not None:
            numbers[0] = kept
        if pairs:
            numbers[start:].reshape(pairs, 2)[...] = _pairs(unit)
        self._second_normal = float(numbers[n]) if numbers.size > n else None
        return numbers[:n]

    @watched()
    def exponential(self, shape: Shape, dtype: Any = np.float32, lambd: float = 1.0) -> Array:
        """Positive numbers with density ``lambd * exp(-lambd * x)``: ``-log(1 - u) / lambd`` in float64.

        Args:
            shape: of the result; an int for one dimension.
            dtype: float16, bfloat16, float32 or float64.
            lambd: rate, above 0.
        Raises:
            ConvgradError: ``lambd <= 0``, or a dtype without fractions.
        Example:
            >>> torch.Generator().manual_seed(0).exponential(2, np.float64).round(4).tolist()
            [3.5083, 1.2304]
        """
        size = as_shape(shape)
        if not lambd > 0:
            raise ConvgradError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
        wanted = _fractional("Exponential", dtype)
        with self._lock:
            unit = self._unit_float64(numel(size))
        np.log1p(np.negative(unit, out=unit), out=unit)
        np.minimum(unit, -(2.0**-53), out=unit)  # a draw of exactly 0 must not give 0: people divide by this
        unit *= -1 / lambd
        return rounded(unit, wanted).reshape(size)

    def cauchy(self, shape: Shape, dtype: Any = np.float32, median: float = 0.0, sigma: float = 1.0) -> Array:
        """Numbers of the Cauchy distribution: ``median + sigma tan(pi (u - 1/2))`` in float64.

        Args:
            shape: of the result; an int for one dimension.
            dtype: float16, bfloat16, float32 or float64.
            median: of the distribution.
            sigma: half the distance of its quartiles, above 0.
        Raises:
            ConvgradError: ``sigma <= 0``, or a dtype without fractions.
        Example:
            >>> torch.Generator().manual_seed(0).cauchy(2, np.float64).round(4).tolist()
            [10.5977, 0.7648]
        """
        if not sigma > 0:
            raise ConvgradError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
        wanted = _fractional("Cauchy", dtype)
        slopes = np.tan(np.pi * (self.uniform(shape, np.float64) - 0.5))
        return rounded(fused(slopes, sigma, median), wanted)

    def log_normal(self, shape: Shape, dtype: Any = np.float32, mean: float = 1.0, std: float = 2.0) -> Array:
        """Numbers whose logarithms are normal, two from two uniform ones in float64.

        Args:
            shape: of the result; an int for one dimension.
            dtype: float16, bfloat16, float32 or float64.
            mean, std: of the logarithms; ``std > 0``.
        Raises:
            ConvgradError: ``std <= 0``.
            NotImplementedError: another dtype.
        Example:
            >>> torch.Generator().manual_seed(0).log_normal(2, np.float64, 0.0, 1.0).round(4).tolist()
            [4.6692, 0.7457]
        """
        if not std > 0:
            raise ConvgradError(f"log_normal_ expects std > 0.0, but found std={std}")
        wanted = float_dtype("log_normal_cpu", dtype)
        return rounded(np.exp(self.normal(shape, np.float64, mean, std, contiguous=False)), wanted)
