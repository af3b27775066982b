"""Memory shared with other array libraries by DLPack."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..device import check_device
from ..dtypes import BF16
from ..errors import GradError
from .arrays import from_foreign
from .capsules import Carrier, Writable, as_integers, is_capsule, says_whether_writable
from .tensor import Tensor


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor on the memory of another library's array, by the DLPack protocol.

    Args:
        ext_tensor: an array of NumPy, PyTorch, JAX, ... on the CPU, or a DLPack capsule, which serves once.
        device: None or the CPU.
        copy: True copies; otherwise memory is shared, and what one writes the other sees.
    Returns:
        a tensor of the same shape and dtype, bfloat16 included.
    Raises:
        BufferError: the array requires grad.
        RuntimeError: a capsule that is none of DLPack's, or used up.
    Example:
        >>> a = np.zeros(2); from_dlpack(a)[0] = 7; float(a[0])
        7.0
    """
    check_device(device)
    if isinstance(ext_tensor, Tensor):
        if ext_tensor._node is not None:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        array = ext_tensor._data
    elif is_capsule(ext_tensor):
        array = _from_capsule(ext_tensor, handed_over=True)
    else:
        if not hasattr(ext_tensor, "__dlpack__"):
            raise AttributeError(f"'{type(ext_tensor).__name__}' object has no attribute '__dlpack__'")
        try:
            array = np.from_dlpack(ext_tensor)
        except (RuntimeError, BufferError) as error:
            if "dtype" not in str(error):
                raise
            try:
                capsule = ext_tensor.__dlpack__(max_version=(1, 0))
            except TypeError:  # an older form of the protocol
                capsule = ext_tensor.__dlpack__()
            array = _from_capsule(capsule, handed_over=False)
    array = from_foreign(array)
    return Tensor(array.copy() if copy else array, None)


def _from_capsule(capsule: Any, handed_over: bool) -> Any:
    """The array in a capsule; one of the old form that somebody handed over is theirs to be written to."""
    bits, old = as_integers(capsule), not says_whether_writable(capsule)
    array = np.from_dlpack(Carrier(capsule))
    if old and handed_over:
        array = np.asarray(Writable(array))
    return array.view(BF16) if bits else array


def to_dlpack(tensor: Any) -> Any:
    """A tensor's memory as a DLPack capsule, which one taker can use up.

    Raises:
        TypeError: no tensor.
        RuntimeError: the tensor requires grad.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"to_dlpack(): argument 'tensor' must be Tensor, not {type(tensor).__name__}")
    if tensor._node is not None:
        raise GradError("Can't export tensors that require gradient, use tensor.detach()")
    capsule: Any = tensor.__dlpack__()  # type: ignore[attr-defined]
    return capsule
