"""One-dimensional correlation with long kernels through the Fourier transform, by overlap-save.

The signal is cut into frames of about four kernel lengths, so the work per sample grows with the
logarithm of the kernel length. Everything is computed in float64. Its rounding error is relative to the
largest value in a frame (that of a plain sum: to the sum's own terms), so beside a value of 1 an exact
zero may come out as 1e-16. Source: Oppenheim & Schafer, Discrete-Time Signal Processing, 3rd ed., 8.7.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from convgrad.dtypes import Array
from convgrad.kernels.geometry import Geometry, Ints
from convgrad.switches import switches

_LONG = 256
_MOST_WEIGHTS = 2**22


def pays(dtype: Any, weight_shape: Ints, output_size: Ints, geometry: Geometry) -> bool:
    """Whether the Fourier route is taken: by dtype and shape alone, and never under ``strict``."""
    return (
        not switches.strict
        and len(output_size) == 1
        and weight_shape[2] >= _LONG
        and output_size[0] >= _LONG
        and geometry.stride[0] == geometry.dilation[0] == geometry.groups == 1
        and weight_shape[0] * weight_shape[1] * weight_shape[2] <= _MOST_WEIGHTS
        and dtype in (np.float32, np.float64)
    )


def correlate(x: Array, w: Array, size: int) -> Array | None:
    """``out[n, o, p] = sum over c, k of x[n, c, p + k] w[o, c, k]`` for ``p < size``.

    Args:
        x: ``(N, C, L)`` float32 or float64 with ``L >= size + K - 1``.
        w: ``(O, C, K)``.
    Returns:
        ``(N, O, size)`` in x's dtype; None if a value is not finite, since a frame would spread it.
    """
    n, channels, _ = x.shape
    k = w.shape[2]
    frame, step, count = _frames(k, size)
    spectra = np.fft.rfft(_framed(x, frame, step, count)).transpose(3, 1, 0, 2)
    filters = np.fft.rfft(w.astype(np.float64), frame).conj().transpose(2, 0, 1)
    product = np.matmul(filters, spectra.reshape(frame // 2 + 1, channels, n * count))
    product = product.reshape(frame // 2 + 1, w.shape[0], n, count).transpose(2, 1, 3, 0)
    frames = np.fft.irfft(product, frame)[..., :step]
    return _finite(frames.reshape(n, w.shape[0], count * step)[..., :size], x.dtype)


def correlate_weight(x: Array, g: Array, kernel_size: int) -> Array | None:
    """``gw[o, c, k] = sum over n, p of x[n, c, p + k] g[n, o, p]`` for ``k < kernel_size``.

    Args:
        x: ``(N, C, L)`` float32 or float64 with ``L >= P + kernel_size - 1``.
        g: ``(N, O, P)``.
    Returns:
        ``(O, C, kernel_size)`` in x's dtype; None if a value is not finite.
    """
    frame, step, count = _frames(kernel_size, g.shape[2])
    spectra = np.fft.rfft(_framed(x, frame, step, count)).transpose(3, 0, 2, 1)
    cotangents = np.fft.rfft(_framed(g, step, step, count), frame).conj().transpose(3, 1, 0, 2)
    positions = x.shape[0] * count
    bins = frame // 2 + 1
    product = np.matmul(
        cotangents.reshape(bins, g.shape[1], positions), spectra.reshape(bins, positions, x.shape[1])
    )
    return _finite(np.fft.irfft(product.transpose(1, 2, 0), frame)[..., :kernel_size], x.dtype)


def _frames(k: int, size: int) -> tuple[int, int, int]:
    """Length of a frame (a power of two), new outputs per frame, and the number of frames for ``size``."""
    frame = min(1 << (4 * k - 1).bit_length(), 1 << (size + k - 2).bit_length())
    step = frame - k + 1
    return frame, step, -(-size // step)


def _framed(x: Array, length: int, step: int, count: int) -> Array:
    """Overlapping frames of x as float64, ``(N, C, count, length)``; zeros after the end."""
    padded = np.zeros((*x.shape[:2], (count - 1) * step + length))
    seen = min(padded.shape[2], x.shape[2])
    padded[:, :, :seen] = x[:, :, :seen]
    return as_strided(padded, (*x.shape[:2], count, length), (*padded.strides[:2], step * 8, 8))


def _finite(out: Array, dtype: np.dtype[Any]) -> Array | None:
    return np.ascontiguousarray(out, dtype) if np.isfinite(out).all() else None
