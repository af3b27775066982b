"""Short-time Fourier transforms as methods, composed of windows, transforms and overlapping sums."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ...errors import ConvgradError, DimError, DtypeError, ShapeError
from ...ops import fft
from ...ops.rearrange import Fold
from ..functions_elementwise import view_as_real
from ..functions_shape import pad
from .base import Methods
from .order import scalar_name


class LateMethods(Methods):
    """``stft`` and ``istft``."""

    __slots__ = ()

    def stft(
        self,
        n_fft: int,
        hop_length: Any = None,
        win_length: Any = None,
        window: Any = None,
        center: bool = True,
        pad_mode: str = "reflect",
        normalized: bool = False,
        onesided: Any = None,
        return_complex: Any = None,
        align_to_window: Any = None,
    ) -> Any:
        """The Fourier transforms of overlapping pieces of a signal.

        Args:
            n_fft: samples of a piece.
            hop_length: samples from one piece to the next; ``n_fft // 4`` if None.
            win_length: samples under the window, which is put in the middle of a piece; ``n_fft`` if None.
            window: 1-d, of ``win_length``; ones if None.
            center: pieces stand around their sample: both ends are continued, as ``pad_mode`` says.
            normalized: divide by ``sqrt(n_fft)``.
            onesided: only the first ``n_fft // 2 + 1`` frequencies; so unless signal or window is complex.
            return_complex: must be given for a real signal; False gives a last dimension of 2.
            align_to_window: without ``center``: the first window, not its piece, begins at the first sample.
        Returns:
            ``(frequencies, pieces)`` of a signal ``(samples,)``; ``(batch, ...)`` of a batch of them.
        Raises:
            ShapeError: lengths that do not fit the signal, or a window of another length.
            DtypeError: integers or half precision.
        Example:
            >>> ones(64).stft(16, window=torch.hann_window(16), return_complex=True).shape
            torch.Size([9, 17])

        Source: Allen & Rabiner 1977; semantics of torch.stft.
        """
        x: Any = self
        if align_to_window is not None and center:
            raise ConvgradError("stft align_to_window should only be set when center = false")
        if center:
            lead = (1,) * (3 - x._data.ndim)
            x = pad(x.view(*lead, *x._data.shape), (n_fft // 2, n_fft // 2), pad_mode)
            x = x.view(x._data.shape[len(lead) :])
        hop, length = _lengths(n_fft, hop_length, win_length)
        signal = tuple(x._data.shape)
        complex_values = "c" in (x._data.dtype.kind, "f" if window is None else window._data.dtype.kind)
        if return_complex is None and not complex_values:
            raise ConvgradError(
                "stft requires the return_complex parameter be given for real inputs, and will further "
                "require "
                "that return_complex=True in a future PyTorch release."
            )
        _check_signal(x, n_fft, hop, length, window)
        half = not complex_values if onesided is None else onesided
        if half and complex_values:
            raise ConvgradError("Cannot have onesided output if window or input is complex")
        if align_to_window and length < n_fft:
            before = (n_fft - length) // 2
            x = pad(x, (before, n_fft - length - before))
        pieces = (x if len(signal) == 2 else x.unsqueeze(0)).unfold(-1, n_fft, hop)
        if window is not None or length < n_fft:
            pieces = pieces * _whole_window(x, window, length, n_fft)
        norm = "ortho" if normalized else "backward"
        if complex_values:
            out = pieces._apply(fft.FftC2C, (pieces,), ((2,), False, norm))
        else:
            op = fft.FftR2C if half else fft.FftR2CWhole
            out = pieces._apply(op, (pieces,), ((2,), norm))
        out = out.transpose_(1, 2)
        if len(signal) == 1:
            out = out.squeeze_(0)
        return out if return_complex or return_complex is None else view_as_real(out)

    def istft(
        self,
        n_fft: int,
        hop_length: Any = None,
        win_length: Any = None,
        window: Any = None,
        center: bool = True,
        normalized: bool = False,
        onesided: Any = None,
        length: Any = None,
        return_complex: bool = False,
    ) -> Any:
        """The signal whose ``stft`` comes nearest to this one; arguments as of ``stft``.

        Args:
            length: samples of the result: cut, or filled up with zeros with a warning.
            return_complex: the signal is complex; needs all frequencies.
        Returns:
            ``(samples,)`` of ``(frequencies, pieces)``; ``(batch, samples)`` of a batch.
        Raises:
            ShapeError: frequencies that do not go with ``n_fft``, a window of another length.
            ConvgradError: some sample lies under no window.
        Example:
            >>> window = torch.hann_window(16)
            >>> pieces = torch.arange(64.0).stft(16, window=window, return_complex=True)
            >>> pieces.istft(16, window=window).round()[1:5].tolist()
            [1.0, 2.0, 3.0, 4.0]

        Source: Griffin & Lim 1984, equation 6; semantics of torch.istft.
        """
        x: Any = self
        hop, under = _lengths(n_fft, hop_length, win_length)
        shape = x._data.shape
        half = (len(shape) < 2 or shape[-2] != n_fft) if onesided is None else onesided
        _check_pieces(x, n_fft, hop, under, window, half, return_complex)
        batch = x if len(shape) == 3 else x.unsqueeze(0)
        pieces = batch.transpose(1, 2)
        norm = "ortho" if normalized else "backward"
        if return_complex:
            pieces = x._apply(fft.FftC2C, (pieces,), ((2,), True, norm))
        else:
            pieces = pieces if half else pieces[..., : n_fft // 2 + 1]
            pieces = x._apply(fft.FftC2R, (pieces,), ((2,), norm, n_fft))
        weights = _whole_window(pieces, window, under, n_fft)
        count = shape[-1]
        whole = n_fft + hop * (count - 1)
        fold: Any = (1, n_fft, hop)
        out = x._apply(Fold, (pieces * weights,), (*fold, (len(batch._data), whole)))
        square = (weights * weights).expand(1, count, n_fft)
        envelope = x._apply(Fold, (square,), (*fold, (1, whole)))
        start = n_fft // 2 if center else 0
        end = start + length if length is not None else whole - start
        out, envelope = out[:, start:end], envelope[:, start:end]
        lowest = np.abs(envelope._data).min() if envelope._data.size else 0.0
        if lowest < 1e-11:
            raise ConvgradError(
                f"istft(input {list(shape)}, n_fft={n_fft}, hop_length={hop}, win_length={under}, "
                f"center={center}) window overlap add min: {lowest:g} - a sample lies under no window"
            )
        out = out / envelope
        if len(shape) == 2:
            out = out.squeeze(0)
        missing = end - start - out._data.shape[-1]
        if missing > 0:
            warnings.warn(
                "The length of signal is shorter than the length parameter. Result is being padded with "
                "zeros "
                "in the tail. Please check your center and hop_length settings.",
                stacklevel=2,
            )
            out = pad(out, (0, missing))
        return out


def _lengths(n_fft: int, hop_length: Any, win_length: Any) -> tuple[int, int]:
    return (n_fft // 4 if hop_length is None else hop_length, n_fft if win_length is None else win_length)


def _whole_window(x: Any, window: Any, length: int, n_fft: int) -> Any:
    """The window in the middle of ``n_fft`` samples."""
    if window is None:
        window = x._wrap(np.ones(length, x._data.real.dtype))
    if length == n_fft:
        return window
    before = (n_fft - length) // 2
    return pad(window, (before, n_fft - length - before))


def _check_signal(x: Any, n_fft: int, hop: int, length: int, window: Any) -> None:
    data = x._data
    where = (
        f"stft({scalar_name(data.dtype)} {list(data.shape)}, n_fft={n_fft}, hop_length={hop}, "
        f"win_length={length}) : expected"
    )
    if data.dtype.kind in "biu":
        raise DtypeError(f"{where} a tensor of floating point or complex values")
    if data.dtype.itemsize < 4:
        raise DtypeError(f"{where} float32 or float64: the FFT doesn't support tensors of type: {data.dtype}")
    if not 1 <= data.ndim <= 2:
        raise ShapeError(f"{where} a 1D or 2D tensor")
    if not 0 < n_fft <= data.shape[-1]:
        raise ShapeError(f"{where} 0 < n_fft < {data.shape[-1]}, but got n_fft={n_fft}")
    if hop <= 0:
        raise ShapeError(f"{where} hop_length > 0, but got hop_length={hop}")
    if not 0 < length <= n_fft:
        raise ShapeError(f"{where} 0 < win_length <= n_fft, but got win_length={length}")
    if window is not None and window._data.shape != (length,):
        raise ShapeError(
            f"{where} a 1D window tensor of size equal to win_length={length}, but got window with size "
            f"{list(window._data.shape)}"
        )


def _check_pieces(
    x: Any, n_fft: int, hop: int, length: int, window: Any, half: bool, complex_signal: bool
) -> None:
    data = x._data
    where = (
        f"istft({scalar_name(data.dtype)} {list(data.shape)}, n_fft={n_fft}, hop_length={hop}, "
        f"win_length={length}) :"
    )
    if data.dtype.kind != "c":
        raise DtypeError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            f"return_complex=True. {where} is real"
        )
    if not data.size:
        raise ShapeError(f"{where} input tensor cannot be empty.")
    if data.ndim < 2:
        raise DimError(f"{where} expected (frequencies, pieces): Dimension out of range")
    if data.ndim > 3:
        raise ShapeError(f"{where} expected a tensor with 2 or 3 dimensions, but got {data.ndim}")
    needed = n_fft // 2 + 1 if half else n_fft
    if data.shape[-2] != needed:
        raise ShapeError(
            f"{where} expected the frequency dimension (2nd to the last) of the input tensor to match "
            f"n_fft{' / 2 + 1' if half else ''} when onesided={bool(half)}, but got {data.shape[-2]}"
        )
    if not 0 < hop <= length:
        raise ShapeError(f"{where} expected 0 < hop_length <= win_length")
    if not 0 < length <= n_fft:
        raise ShapeError(f"{where} expected 0 < win_length <= n_fft")
    if window is not None and window._data.shape != (length,):
        raise ShapeError(
            f"{where} Invalid window shape. window has to be 1D and length of `win_length`, but got "
            f"{list(window._data.shape)}"
        )
    if half and complex_signal:
        raise ConvgradError("Cannot have onesided output if window or input is complex")
    if window is not None and window._data.dtype.kind == "c" and not complex_signal:
        raise ConvgradError("Complex windows are incompatible with return_complex=False")
