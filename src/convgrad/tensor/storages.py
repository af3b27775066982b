"""``UntypedStorage``: the memory behind tensors, for programs that ask where they lie, or map a file."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..device import CPU, device
from ..dtypes import Array


class UntypedStorage:
    """The whole memory that a tensor is a view of, in bytes; for programs that ask where tensors lie.

    Example:
        >>> x = torch.arange(6.0)
        >>> x[2:].untyped_storage().nbytes(), x[2:].storage().data_ptr() == x.data_ptr()
        (24, True)
    """

    def __init__(self, array: Array, itemsize: int = 1) -> None:
        while isinstance(array.base, np.ndarray):
            array = array.base
        self._memory, self._itemsize = array, itemsize

    @classmethod
    def from_file(cls, filename: Any, shared: bool = False, nbytes: int = 0) -> UntypedStorage:
        """A file's bytes, mapped into memory.

        Args:
            filename: of a file that exists.
            shared: what is written goes into the file; otherwise it stays in memory.
            nbytes: how many; 0 means all.
        """
        mode: Any = "r+" if shared else "c"
        return cls(np.memmap(filename, np.uint8, mode, shape=(nbytes,) if nbytes else None))

    def __getitem__(self, part: slice) -> UntypedStorage:
        if not isinstance(part, slice) or self._itemsize != 1:
            raise TypeError("a storage is cut by slices of bytes: storage.untyped_storage()[start:stop]")
        cut = object.__new__(UntypedStorage)
        cut._memory, cut._itemsize = self._memory.reshape(-1).view(np.uint8)[part], 1
        return cut

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self._memory.reshape(-1).view(np.uint8).__array_interface__

    def data_ptr(self) -> int:
        """Its address."""
        return int(self._memory.__array_interface__["data"][0])

    def nbytes(self) -> int:
        """Bytes."""
        return self._memory.nbytes

    def size(self) -> int:
        """Bytes, or elements of a storage with a type."""
        return self._memory.nbytes // self._itemsize

    __len__ = size

    def element_size(self) -> int:
        """Bytes per element; 1 without a type."""
        return self._itemsize

    @property
    def device(self) -> device:
        """Always the CPU."""
        return CPU

    def untyped(self) -> UntypedStorage:
        """The same bytes without a type."""
        return UntypedStorage(self._memory)

    _untyped = untyped  # the name safetensors calls

    def is_shared(self) -> bool:
        """Whether other processes see it: never."""
        return False
