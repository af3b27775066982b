"""Cases of the Fourier transforms, against sums from the definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convgrad import dtypes, fft
from convgrad.errors import ConvgradError, DimError, DtypeError, ShapeError
from convgrad.ops import fft as ops
from convgrad.signal import windows as signal
from convgrad.tensor import creation
from convgrad.tensor import functions_windows as windows

from .case import Case, ErrorCase, kinds, values

Array = Any

X, Y = values(1, 3, 5), values(2, 2, 6)
C = X + 1j * values(3, 3, 5)
H = values(4, 3, 4) + 1j * values(5, 3, 4)
NONE, SINGLE = np.zeros((0, 4)), np.array([1.5])


def summed(x: Array, axis: int, sign: float = -1.0, size: int | None = None) -> Array:
    """``out[k] = sum of x[n] exp(sign 2 pi i k n / N)`` along an axis, by a matrix of the definition."""
    n = x.shape[axis] if size is None else size
    k = np.arange(n)
    matrix = np.exp(sign * 2j * np.pi * np.outer(k, k) / n)
    return np.moveaxis(np.tensordot(matrix[:, : x.shape[axis]], x, (1, axis)), 0, axis)


def whole(half: Array, size: int) -> Array:
    """The whole of a transform of real values, along the last axis, from the half that was kept."""
    rest = np.conj(half[..., 1 : (size + 1) // 2])[..., ::-1]
    ends = half.copy()
    ends[..., 0] = ends[..., 0].real
    if size % 2 == 0:
        ends[..., -1] = ends[..., -1].real
    return np.concatenate([ends[..., : size // 2 + 1], rest], -1)


def back(half: Array, size: int) -> Array:
    return summed(whole(half, size), -1, 1.0).real


def complexes(op: type, name: str, call: Callable[..., Any], reference: Callable[..., Any]) -> list[Case]:
    return kinds(op, name, call, reference, C, empty=(NONE + 0j,))


CASES: list[Case] = [
    *complexes(ops.FftC2C, "fft", lambda x: fft.fft(x), lambda x: summed(x, -1)),
    *complexes(ops.FftC2C, "ifft", lambda x: fft.ifft(x), lambda x: summed(x, -1, 1.0) / x.shape[-1]),
    *kinds(ops.FftC2C, "fft2", lambda x: fft.fft2(x, norm="ortho"), lambda x: summed(summed(x, -1), -2) / 15**0.5, C),
    *kinds(ops.FftC2C, "longer", lambda x: fft.fftn(x, (4, 3), norm="forward"), lambda x: summed(summed(x[:, :3], 1), 0, size=4) / 12, C),
    Case(ops.FftC2C, "0d", lambda x: fft.fftn(x), (np.array(1.5 + 2j),), lambda x: x, tags=frozenset({"0d"})),
    *kinds(ops.FftR2CWhole, "fft", lambda x: fft.fft(x), lambda x: summed(x, -1), X, empty=(NONE,)),
    *kinds(ops.FftR2CWhole, "ifft", lambda x: fft.ifft(x, dim=0), lambda x: summed(x, 0, 1.0) / 2, Y),
    *kinds(ops.FftR2C, "odd", lambda x: fft.rfft(x), lambda x: summed(x, -1)[..., :3], X, empty=(NONE,)),
    *kinds(ops.FftR2C, "even", lambda x: fft.rfftn(x, norm="ortho"), lambda x: summed(summed(x, -1), -2)[..., :4] / 12**0.5, Y),
    *kinds(ops.FftR2C, "ihfft", lambda x: fft.ihfft(x), lambda x: summed(x, -1, 1.0)[..., :4] / 6, Y),
    *kinds(ops.FftR2C, "ihfft2", lambda x: fft.ihfft2(x), lambda x: summed(summed(x, -1, 1.0), 0, 1.0)[..., :4] / 12, Y),
    *kinds(ops.FftC2R, "even", lambda x: fft.irfft(x), lambda x: back(x, 6) / 6, H, empty=(NONE + 0j,)),
    *kinds(ops.FftC2R, "odd", lambda x: fft.irfft(x, 7), lambda x: back(x, 7) / 7, H),
    *kinds(ops.FftC2R, "two", lambda x: fft.irfft2(x, norm="forward"), lambda x: back(summed(x, 0, 1.0), 6), H),
    *kinds(ops.FftC2R, "hfft", lambda x: fft.hfft(x), lambda x: back(x.conj(), 6), H),
    *kinds(ops.FftC2R, "hfft2", lambda x: fft.hfft2(x), lambda x: back(summed(x, 0).conj(), 6), H),
]  # fmt: skip

T = creation.tensor([[1.0, 2.0, 3.0]])
S = creation.arange(20.0)
P = creation.ones(3, 8) + 0j

ERRORS = [
    ErrorCase("fft-dim", lambda: fft.fft(T, dim=2), DimError, "Dimension out of range"),
    ErrorCase("fft-0d", lambda: fft.fft(creation.tensor(1.0)), DimError, "tensor has no dimensions"),
    ErrorCase("fft-n", lambda: fft.fft(T, 0), ShapeError, "Invalid number of data points (0)"),
    ErrorCase("fft-kind", lambda: fft.fft(T, 2.0), TypeError, "argument 'n' must be int, not float"),
    ErrorCase("fft-number", lambda: fft.fft(3), TypeError, "argument 'input'"),
    ErrorCase("fft-norm", lambda: fft.fft(T, norm="foo"), ConvgradError, 'Invalid normalization mode: "foo"'),
    ErrorCase("fft-half", lambda: fft.fft(T.half()), DtypeError, "Unsupported dtype Half"),
    ErrorCase("rfft-complex", lambda: fft.rfft(T + 0j), DtypeError, "expects a real input tensor"),
    ErrorCase("irfft-one", lambda: fft.irfft(T[:, :1]), ShapeError, "Invalid number of data points"),
    ErrorCase("irfft-0d", lambda: fft.irfft(creation.tensor(1.0)), DimError, "tensor has no dimensions"),
    ErrorCase("irfftn-s", lambda: fft.irfftn(T, (1, 0)), ShapeError, "Invalid number of data points"),
    ErrorCase("fftn-twice", lambda: fft.fftn(T, dim=(0, 0)), ConvgradError, "FFT dims must be unique"),
    ErrorCase("fftn-s", lambda: fft.fftn(T, (1, 2, 3)), ShapeError, "Got shape with 3 values"),
    ErrorCase("fftn-lengths", lambda: fft.fftn(T, (1, 2), (0,)), ShapeError, "must have the same length"),
    ErrorCase("rfftn-none", lambda: fft.rfftn(T, dim=()), ConvgradError, "must transform at least one axis"),
    ErrorCase("fftshift", lambda: fft.fftshift(3), TypeError, "argument 'input'"),
    ErrorCase("fftfreq", lambda: fft.fftfreq(5.0), TypeError, "argument 'n'"),
    ErrorCase("fftfreq-size", lambda: fft.fftfreq(-1), ShapeError, "negative dimension"),
    ErrorCase("fftfreq-dtype", lambda: fft.fftfreq(3, dtype=dtypes.int64), DtypeError, "requires a floating point"),
    ErrorCase("stft-complex", lambda: S.stft(4), ConvgradError, "requires the return_complex parameter"),
    ErrorCase("stft-align", lambda: S.stft(4, align_to_window=True), ConvgradError, "only be set when center = false"),
    ErrorCase("stft-onesided", lambda: (S + 0j).stft(4, onesided=True), ConvgradError, "Cannot have onesided output"),
    ErrorCase("stft-integers", lambda: S.long().stft(4, return_complex=True), DtypeError, "floating point or complex"),
    ErrorCase("stft-half", lambda: S.half().stft(4, return_complex=True), DtypeError, "FFT doesn't support tensors of"),
    ErrorCase("stft-n", lambda: S.stft(30, center=False, return_complex=True), ShapeError, "0 < n_fft < 20, but got n_fft=30"),
    ErrorCase("stft-hop", lambda: S.stft(4, 0, return_complex=True), ShapeError, "expected hop_length > 0"),
    ErrorCase("stft-win", lambda: S.stft(4, 1, 5, return_complex=True), ShapeError, "expected 0 < win_length <= n_fft"),
    ErrorCase("stft-window", lambda: S.stft(4, window=S, return_complex=True), ShapeError, "equal to win_length=4, but got window with size [20]"),
    ErrorCase("stft-3d", lambda: S.view(1, 1, 1, 20).stft(4, center=False, return_complex=True), ShapeError, "expected a 1D or 2D tensor"),
    ErrorCase("istft-real", lambda: P.real.istft(4), DtypeError, "istft requires a complex-valued input tensor"),
    ErrorCase("istft-empty", lambda: P[:, :0].istft(4), ShapeError, "input tensor cannot be empty"),
    ErrorCase("istft-1d", lambda: P[0].istft(4), DimError, "Dimension out of range"),
    ErrorCase("istft-4d", lambda: P[None, None].istft(4), ShapeError, "2 or 3 dimensions, but got 4"),
    ErrorCase("istft-n", lambda: P.istft(9), ShapeError, "to match n_fft / 2 + 1 when onesided=True, but got 3"),
    ErrorCase("istft-hop", lambda: P.istft(4, 5), ShapeError, "expected 0 < hop_length <= win_length"),
    ErrorCase("istft-win", lambda: P.istft(4, 1, 5), ShapeError, "expected 0 < win_length <= n_fft"),
    ErrorCase("istft-window", lambda: P.istft(4, window=S), ShapeError, "Invalid window shape"),
    ErrorCase("istft-onesided", lambda: P.istft(4, return_complex=True), ConvgradError, "Cannot have onesided output"),
    ErrorCase("istft-complex", lambda: P.istft(4, window=S[:4] + 0j), ConvgradError, "Complex windows are incompatible"),
    ErrorCase("istft-overlap", lambda: P.istft(4, window=S[:4] * 0), ConvgradError, "window overlap add min: 0"),
    ErrorCase("window-length", lambda: windows.hann_window(-1), ShapeError, "requires non-negative window_length"),
    ErrorCase("window-kind", lambda: windows.hann_window(2.0), TypeError, "must be int, not float"),
    ErrorCase("window-dtype", lambda: windows.hann_window(2, dtype=dtypes.int64), DtypeError, "expects floating point dtypes"),
    ErrorCase("window-complex", lambda: windows.hann_window(2, dtype=dtypes.complex64), NotImplementedError, "a window is real"),
    ErrorCase("signal-length", lambda: signal.hann(-1), ShapeError, "requires non-negative window length"),
    ErrorCase("signal-kind", lambda: signal.hann(2.0), TypeError, "must be int, not float"),
    ErrorCase("signal-option", lambda: signal.hann(2, foo=1), TypeError, "unexpected keyword argument 'foo'"),
    ErrorCase("signal-dtype", lambda: signal.hann(2, dtype=dtypes.float16), ValueError, "expects float32 or float64"),
    ErrorCase("signal-tau", lambda: signal.exponential(5, tau=0), ValueError, "Tau must be positive"),
    ErrorCase("signal-center", lambda: signal.exponential(5, center=1), ValueError, "Center must be None"),
    ErrorCase("signal-std", lambda: signal.gaussian(5, std=0), ValueError, "Standard deviation must be positive"),
    ErrorCase("signal-beta", lambda: signal.kaiser(5, beta=-1), ValueError, "beta must be non-negative"),
    ErrorCase("signal-none", lambda: signal.general_cosine(5, a=[]), ValueError, "Coefficients cannot be empty"),
    ErrorCase("signal-list", lambda: signal.general_cosine(5, a=0.5), TypeError, "must be a list/tuple"),
]  # fmt: skip
