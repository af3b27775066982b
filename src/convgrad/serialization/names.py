"""The names by which PyTorch's files call dtypes, storages and the functions that rebuild tensors."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from typing import Any, NamedTuple

from .. import dtypes
from ..dtypes import SCALAR_NAMES, dtype


class Global(NamedTuple):
    """A class or function as a pickle names it."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


#: "Float" -> float32: the first part of ``torch.FloatStorage``
KINDS: dict[str, dtype] = {SCALAR_NAMES[kind.name]: kind for kind in dtypes.ALL}
#: PyTorch has no typed storage for them: their storage is untyped, and the tensor says its dtype
UNTYPED = dtypes.WIDE_UNSIGNED
STORAGES: dict[dtype, Global] = {
    kind: Global("torch.storage", "UntypedStorage") if kind in UNTYPED else Global("torch", f"{word}Storage")
    for word, kind in KINDS.items()
}
DTYPES: dict[dtype, Global] = {kind: Global("torch", kind.name) for kind in dtypes.ALL}

REBUILD_TENSOR = Global("torch._utils", "_rebuild_tensor_v2")
REBUILD_TENSOR_V3 = Global("torch._utils", "_rebuild_tensor_v3")
REBUILD_PARAMETER = Global("torch._utils", "_rebuild_parameter")
REBUILD_PARAMETER_WITH_STATE = Global("torch._utils", "_rebuild_parameter_with_state")
REBUILD_FROM_TYPE = Global("torch._tensor", "_rebuild_from_type_v2")
TENSOR = Global("torch", "Tensor")
SIZE = Global("torch", "Size")
DEVICE = Global("torch", "device")
GENERATOR = Global("torch._C", "Generator")
ENCODE = Global("_codecs", "encode")
NUMPY_DTYPE = Global("numpy", "dtype")
NUMPY_ARRAY = Global("numpy", "ndarray")
NUMPY_SCALAR = Global("numpy._core.multiarray", "scalar")
NUMPY_RECONSTRUCT = Global("numpy._core.multiarray", "_reconstruct")

#: Python's own types under the names they have in pickles of protocol 2
PYTHON_TYPES: dict[Any, Global] = {
    kind: Global("__builtin__", {"str": "unicode", "int": "long"}.get(kind.__name__, kind.__name__))
    for kind in (
        bool, bytearray, bytes, complex, dict, float, frozenset, int, list, set, slice, str, tuple,
    )
}  # fmt: skip
for _kind in (Counter, OrderedDict, defaultdict):
    PYTHON_TYPES[_kind] = Global("collections", _kind.__name__)

#: the largest integer a stream may hold, in bytes; a file with longer ones is not read, so none is written
MAX_INTEGER_BYTES = 4096
