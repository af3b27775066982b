"""A tensor's memory: handed to other array libraries by DLPack, and as a storage."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...dtypes import BF16
from ..capsules import as_bfloat16
from ..storages import UntypedStorage
from .base import Methods


class LateMethods(Methods):
    """The DLPack protocol, and storages."""

    __slots__ = ()

    def __dlpack__(
        self, *, stream: Any = -1, max_version: Any = None, dl_device: Any = None, copy: Any = None
    ) -> Any:
        """The memory as a DLPack capsule.

        Args:
            stream: None or -1, as on every CPU.
            max_version: the newest form the taker knows; None is the oldest.
            dl_device: where it is wanted; None or the CPU, (1, 0).
            copy: True copies; otherwise memory is shared.
        Raises:
            BufferError: the tensor requires grad, or is wanted elsewhere.
        """
        if self._node is not None:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        if stream not in (None, -1):
            raise AssertionError(f"stream should be None on cpu. (got {stream})")
        if dl_device is not None and tuple(map(int, dl_device)) != (1, 0):
            raise BufferError(
                f"__dlpack__: the tensor lives on the CPU, (1, 0), but {dl_device} was asked for"
            )
        array = self._data.copy() if copy else self._data
        if array.dtype == BF16:
            return as_bfloat16(array.view(np.int16).__dlpack__(max_version=max_version))
        return array.__dlpack__(max_version=max_version)

    def __dlpack_device__(self) -> tuple[Any, Any]:
        """DLPack's number of the CPU."""
        return self._data.__dlpack_device__()

    def untyped_storage(self) -> UntypedStorage:
        """The memory this tensor is a view of, in bytes."""
        return UntypedStorage(self._data)

    def storage(self) -> UntypedStorage:
        """The memory this tensor is a view of, in elements of its dtype."""
        return UntypedStorage(self._data, self._data.itemsize)
