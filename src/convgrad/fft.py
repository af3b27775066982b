"""``torch.fft``: discrete Fourier transforms along one or several dimensions, their order and frequencies.

Every transform takes a tensor of any shape; float32 gives complex64, float64 complex128, integers count as
the default float, half precision is refused as in PyTorch. ``n`` (or ``s``, one per dimension) is the length
to cut or to fill up with zeros to before the transform; of those that give real values, the length of the
result. ``norm`` says where the factor stands: "backward" (1/n on the inverse), "forward" (1/n on the
transform) or "ortho" (1/sqrt(n) on both). All are linear and differentiable to any order.

Raises (all of them): IndexError: a dimension that is not there. ShapeError: no data points, or as many
lengths as dimensions are needed. DtypeError: half precision; complex where real values are needed.
Source: semantics of torch.fft; the mathematics stand in ``ops/fft.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dtypes
from .device import check_device
from .errors import ConvgradError, DimError, DtypeError, ShapeError
from .ops import fft as ops
from .tensor.arrays import as_kind
from .tensor.functions_shape import pad
from .tensor.methods.base import dim_index
from .tensor.methods.order import scalar_name
from .tensor.out import equip
from .tensor.tensor import Tensor, apply

Axes = tuple[int, ...]
#: the dimensions of the transforms of images
_TWO = (-2, -1)


def fft(input: Tensor, n: Any = None, dim: int = -1, norm: Any = None) -> Tensor:
    """The transform along one dimension.

    Example:
        >>> fft(tensor([1.0, 0.0, 0.0, 0.0])).real.tolist()
        [1.0, 1.0, 1.0, 1.0]
    """
    return _one("fft", input, n, dim, norm, False)


def ifft(input: Tensor, n: Any = None, dim: int = -1, norm: Any = None) -> Tensor:
    """The inverse of ``fft``.

    Example:
        >>> ifft(fft(tensor([1.0, 2.0, 4.0]))).real.round().tolist()
        [1.0, 2.0, 4.0]
    """
    return _one("ifft", input, n, dim, norm, True)


def rfft(input: Tensor, n: Any = None, dim: int = -1, norm: Any = None) -> Tensor:
    """The first ``n // 2 + 1`` values of the transform of a real tensor; the rest are their conjugates.

    Example:
        >>> rfft(tensor([1.0, 1.0, 1.0, 1.0])).real.tolist()
        [4.0, 0.0, 0.0]
    """
    x = _real("rfft", input, "rfft expects a real input tensor, but got")
    x, axis = _line("rfft", x, n, dim)
    return apply(ops.FftR2C, (x,), ((axis,), _norm(norm)))


def irfft(input: Tensor, n: Any = None, dim: int = -1, norm: Any = None) -> Tensor:
    """The inverse of ``rfft``: ``n`` real values (``2 (size - 1)`` if None) from half a transform.

    Example:
        >>> irfft(rfft(tensor([1.0, 2.0, 4.0])), 3).round().tolist()
        [1.0, 2.0, 4.0]
    """
    return _to_real("irfft", input, n, dim, _norm(norm), False)


def hfft(input: Tensor, n: Any = None, dim: int = -1, norm: Any = None) -> Tensor:
    """The real transform of a signal whose second half is the conjugate of its first, which is given.

    Example:
        >>> hfft(tensor([1.0, 1.0])).tolist()
        [2.0, 0.0]
    """
    return _to_real("hfft", input, n, dim, ops.OPPOSITE[_norm(norm)], True)


def ihfft(input: Tensor, n: Any = None, dim: int = -1, norm: Any = None) -> Tensor:
    """The inverse of ``hfft``: the first half of a signal from its real transform.

    Example:
        >>> ihfft(tensor([2.0, 0.0])).real.tolist()
        [1.0, 1.0]
    """
    x = _real("ihfft", input, "ihfft expects a real input tensor, but got")
    x, axis = _line("ihfft", x, n, dim)
    return apply(ops.FftR2C, (x,), ((axis,), ops.OPPOSITE[_norm(norm)])).conj()


def fftn(input: Tensor, s: Any = None, dim: Any = None, norm: Any = None) -> Tensor:
    """The transform along several dimensions, all if none are named (the last ``len(s)`` if ``s`` is given).

    Example:
        >>> fftn(ones(2, 2)).real.tolist()
        [[4.0, 0.0], [0.0, 0.0]]
    """
    return _several("fftn", input, s, dim, norm, False)


def ifftn(input: Tensor, s: Any = None, dim: Any = None, norm: Any = None) -> Tensor:
    """The inverse of ``fftn``.

    Example:
        >>> ifftn(ones(2, 2)).real.tolist()
        [[1.0, 0.0], [0.0, 0.0]]
    """
    return _several("ifftn", input, s, dim, norm, True)


def rfftn(input: Tensor, s: Any = None, dim: Any = None, norm: Any = None) -> Tensor:
    """``fftn`` of a real tensor, with half the values of the last of these dimensions.

    Example:
        >>> rfftn(ones(2, 4)).shape
        torch.Size([2, 3])
    """
    x = _real("rfftn", input, "rfftn expects a real-valued input tensor, but got")
    axes, lengths = _plan(x, s, dim)
    _needs_axis("rfftn", axes)
    return apply(ops.FftR2C, (_resized(x, axes, lengths),), (axes, _norm(norm)))


def irfftn(input: Tensor, s: Any = None, dim: Any = None, norm: Any = None) -> Tensor:
    """The inverse of ``rfftn``; ``s[-1]`` is the size of the last dimension of the result.

    Example:
        >>> irfftn(rfftn(ones(2, 4))).tolist()
        [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    """
    x, axes, size = _half("irfftn", input, s, dim)
    return apply(ops.FftC2R, (x,), (axes, _norm(norm), size))


def hfftn(input: Tensor, s: Any = None, dim: Any = None, norm: Any = None) -> Tensor:
    """``hfft`` along the last of several dimensions and ``fft`` along the others; real.

    Example:
        >>> hfftn(ones(2, 3)).shape
        torch.Size([2, 4])
    """
    x, axes, size = _half("hfftn", input, s, dim)
    way = _norm(norm)
    if len(axes) > 1:
        x = apply(ops.FftC2C, (x,), (axes[:-1], False, way))
    return apply(ops.FftC2R, (x.conj(),), (axes[-1:], ops.OPPOSITE[way], size))


def ihfftn(input: Tensor, s: Any = None, dim: Any = None, norm: Any = None) -> Tensor:
    """The inverse of ``hfftn``: ``ihfft`` along the last of several dimensions and ``ifft`` along the others.

    Example:
        >>> ihfftn(ones(2, 4)).shape
        torch.Size([2, 3])
    """
    x = _real("ihfftn", input, "Only supports floating-point dtypes, but found:")
    axes, lengths = _plan(x, s, dim)
    _needs_axis("ihfftn", axes)
    way = _norm(norm)
    half = apply(ops.FftR2C, (_resized(x, axes, lengths),), (axes[-1:], ops.OPPOSITE[way]))
    if len(axes) == 1:
        return half.conj()
    return apply(ops.FftC2C, (half.conj_physical(),), (axes[:-1], True, way))


def fft2(input: Tensor, s: Any = None, dim: Any = _TWO, norm: Any = None) -> Tensor:
    """``fftn`` along the last two dimensions.

    Example:
        >>> fft2(ones(3, 2, 2)).shape
        torch.Size([3, 2, 2])
    """
    return _several("fft2", input, s, dim, norm, False)


def ifft2(input: Tensor, s: Any = None, dim: Any = _TWO, norm: Any = None) -> Tensor:
    """``ifftn`` along the last two dimensions.

    Example:
        >>> ifft2(ones(3, 2, 2)).shape
        torch.Size([3, 2, 2])
    """
    return _several("ifft2", input, s, dim, norm, True)


def rfft2(input: Tensor, s: Any = None, dim: Any = _TWO, norm: Any = None) -> Tensor:
    """``rfftn`` along the last two dimensions.

    Example:
        >>> rfft2(ones(3, 2, 4)).shape
        torch.Size([3, 2, 3])
    """
    return rfftn(input, s, dim, norm)


def irfft2(input: Tensor, s: Any = None, dim: Any = _TWO, norm: Any = None) -> Tensor:
    """``irfftn`` along the last two dimensions.

    Example:
        >>> irfft2(ones(3, 2, 3)).shape
        torch.Size([3, 2, 4])
    """
    return irfftn(input, s, dim, norm)


def hfft2(input: Tensor, s: Any = None, dim: Any = _TWO, norm: Any = None) -> Tensor:
    """``hfftn`` along the last two dimensions.

    Example:
        >>> hfft2(ones(3, 2, 3)).shape
        torch.Size([3, 2, 4])
    """
    return hfftn(input, s, dim, norm)


def ihfft2(input: Tensor, s: Any = None, dim: Any = _TWO, norm: Any = None) -> Tensor:
    """``ihfftn`` along the last two dimensions.

    Example:
        >>> ihfft2(ones(3, 2, 4)).shape
        torch.Size([3, 2, 3])
    """
    return ihfftn(input, s, dim, norm)


def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The values in order of frequency, 0 in the middle, along the named dimensions or all.

    Example:
        >>> fftshift(fftfreq(4)).tolist()
        [-0.5, -0.25, 0.0, 0.25]
    """
    return _shifted("fftshift", input, dim, 0)


def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The inverse of ``fftshift``.

    Example:
        >>> ifftshift(fftshift(fftfreq(5))).tolist() == fftfreq(5).tolist()
        True
    """
    return _shifted("ifftshift", input, dim, 1)


def fftfreq(
    n: int, d: float = 1.0, *, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of the n values of ``fft``, in cycles per unit of ``d``, the step between samples.

    Example:
        >>> fftfreq(4, d=0.5).tolist()
        [0.0, 0.5, -1.0, -0.5]
    """
    return _frequencies("fftfreq", n, d, dtype, device, requires_grad)


def rfftfreq(
    n: int, d: float = 1.0, *, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of the ``n // 2 + 1`` values of ``rfft``; arguments as of ``fftfreq``.

    Example:
        >>> rfftfreq(4).tolist()
        [0.0, 0.25, 0.5]
    """
    return _frequencies("rfftfreq", n, d, dtype, device, requires_grad)


# -- checks and preparations ------------------------------------------------------------------------------


def _norm(norm: Any) -> str:
    if norm is None:
        return "backward"
    if norm not in ops.OPPOSITE:
        raise ConvgradError(
            f'Invalid normalization mode: "{norm}"; it must be "backward", "ortho" or "forward"'
        )
    return str(norm)


def _wide(name: str, x: Any) -> Tensor:
    """x in a dtype that can be transformed: integers as the default float."""
    if not isinstance(x, Tensor):
        raise TypeError(f"fft_{name}(): argument 'input' (position 1) must be Tensor, not {type(x).__name__}")
    kind = x._data.dtype
    if kind.kind in "biu":
        return x._cast(dtypes.default_dtype())
    if kind.itemsize < 4:
        raise DtypeError(f"fft_{name}: Unsupported dtype {scalar_name(kind)}. Remedy: x.float().")
    return x


def _real(name: str, x: Any, refusal: str) -> Tensor:
    x = _wide(name, x)
    if x._data.dtype.kind == "c":
        raise DtypeError(f"{refusal} {scalar_name(x._data.dtype)} ({name})")
    return x


def _complex(name: str, x: Any) -> Tensor:
    x = _wide(name, x)
    if x._data.dtype.kind == "c":
        return x
    return x._cast(dtypes.complex64 if x._data.dtype.itemsize == 4 else dtypes.complex128)


def _length(name: str, n: Any, size: int) -> int:
    """A length given or taken, checked."""
    if n is None:
        n = size
    elif isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"fft_{name}(): argument 'n' must be int, not {type(n).__name__}")
    if n < 1:
        raise ShapeError(f"Invalid number of data points ({n}) specified")
    return int(n)


def _line(name: str, x: Tensor, n: Any, dim: int) -> tuple[Tensor, int]:
    """x with n elements along one dimension, and that dimension."""
    if not x._data.ndim:
        raise DimError(f"Dimension specified as {dim} but tensor has no dimensions")
    axis = dim_index(dim, x._data.ndim)
    return _resized(x, (axis,), (_length(name, n, x._data.shape[axis]),)), axis


def _resized(x: Tensor, axes: Axes, lengths: Axes) -> Tensor:
    """x cut, or filled up with zeros, to these lengths along these dimensions."""
    widths = [0] * x._data.ndim
    for axis, n in zip(axes, lengths, strict=True):
        size = x._data.shape[axis]
        if n < 1:
            raise ShapeError(f"Invalid number of data points ({n}) specified")
        if n < size:
            x = x[(slice(None),) * axis + (slice(n),)]
        widths[axis] = max(n - size, 0)
    if not any(widths):
        return x
    return pad(x, [w for width in reversed(widths) for w in (0, width)])


def _one(name: str, input: Any, n: Any, dim: int, norm: Any, inverse: bool) -> Any:
    x, axis = _line(name, _wide(name, input), n, dim)
    way = _norm(norm)
    if x._data.dtype.kind == "c":
        return apply(ops.FftC2C, (x,), ((axis,), inverse, way))
    if inverse:  # of real values the conjugate of the transform
        return apply(ops.FftR2CWhole, (x,), ((axis,), ops.OPPOSITE[way])).conj()
    return apply(ops.FftR2CWhole, (x,), ((axis,), way))


def _to_real(name: str, input: Any, n: Any, dim: int, way: str, conjugate: bool) -> Any:
    x = _complex(name, input)
    if not x._data.ndim:
        raise DimError(f"Dimension specified as {dim} but tensor has no dimensions")
    size = _length(name, n, 2 * (x._data.shape[dim_index(dim, x._data.ndim)] - 1))
    x, axis = _line(name, x, size // 2 + 1, dim)
    return apply(ops.FftC2R, (x.conj() if conjugate else x,), ((axis,), way, size))


def _listed(value: Any) -> list[int]:
    found = list(value) if isinstance(value, (tuple, list)) else [value]
    for n in found:
        if isinstance(n, bool) or not hasattr(n, "__index__"):
            raise TypeError(f"argument 's' or 'dim' must be tuple of ints, not {type(n).__name__}")
    return found


def _plan(x: Tensor, s: Any, dim: Any) -> tuple[Axes, Axes]:
    """Dimensions and lengths from what was given of both; -1 stands for the size that is there."""
    ndim, shape = x._data.ndim, x._data.shape
    if dim is not None:
        axes = [dim_index(d, ndim) for d in _listed(dim)]
        if len(set(axes)) != len(axes):
            raise ConvgradError(f"FFT dims must be unique, but got {dim}")
    if s is None:
        if dim is None:
            axes = list(range(ndim))
        return tuple(axes), tuple([shape[i] for i in axes])
    lengths = _listed(s)
    if dim is None:
        if len(lengths) > ndim:
            raise ShapeError(
                f"Got shape with {len(lengths)} values but input tensor only has {ndim} dimensions."
            )
        axes = list(range(ndim - len(lengths), ndim))
    elif len(axes) != len(lengths):
        raise ShapeError(
            f"When given, dim and shape arguments must have the same length (got {axes} and {lengths})"
        )
    return tuple(axes), tuple([shape[i] if n == -1 else int(n) for i, n in zip(axes, lengths, strict=True)])


def _needs_axis(name: str, axes: Axes) -> None:
    if not axes:
        raise ConvgradError(f"{name} must transform at least one axis")


def _several(name: str, input: Any, s: Any, dim: Any, norm: Any, inverse: bool) -> Any:
    x = _complex(name, input)
    axes, lengths = _plan(x, s, dim)
    return apply(ops.FftC2C, (_resized(x, axes, lengths),), (axes, inverse, _norm(norm)))


def _half(name: str, input: Any, s: Any, dim: Any) -> tuple[Tensor, Axes, int]:
    """Half a transform to go back from: the values needed, the dimensions, and the last one's length."""
    x = _complex(name, input)
    axes, lengths = _plan(x, s, dim)
    _needs_axis(name, axes)
    given = s is not None and _listed(s)[-1] != -1
    size = lengths[-1] if given else 2 * (x._data.shape[axes[-1]] - 1)
    if size < 1:
        raise ShapeError(f"Invalid number of data points ({size}) specified")
    return _resized(x, axes, (*lengths[:-1], size // 2 + 1)), axes, size


def _shifted(name: str, x: Any, dim: Any, more: int) -> Any:
    if not isinstance(x, Tensor):
        raise TypeError(f"fft_{name}(): argument 'input' (position 1) must be Tensor, not {type(x).__name__}")
    shape = x._data.shape
    axes = (
        tuple(range(len(shape))) if dim is None else tuple([dim_index(d, len(shape)) for d in _listed(dim)])
    )
    if not axes:
        return x.clone()
    return x.roll([(shape[i] + more) // 2 for i in axes], axes)


def _frequencies(name: str, n: Any, d: float, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    check_device(device)
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"fft_{name}(): argument 'n' (position 1) must be int, not {type(n).__name__}")
    kind = as_kind(dtype, dtypes.default_dtype())
    if kind.category < dtypes.FLOATING:
        raise DtypeError(f"{name} requires a floating point or complex dtype, but got {kind.name}")
    if n < 0:
        raise ShapeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    steps = np.arange(n // 2 + 1 if name == "rfftfreq" else n)
    if name == "fftfreq":
        steps[(n + 1) // 2 :] -= n
    wide: Any = kind.np if kind.np.itemsize >= 4 else np.dtype(np.float32)
    values = steps.astype(wide) * wide.type(1 / (n * d) if n else 0)
    return Tensor(values.astype(kind.np), None).requires_grad_(requires_grad)


__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2", "ifftn",
    "ifftshift", "ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq",
    "rfftn",
]  # fmt: skip

equip(globals(), "fft")
