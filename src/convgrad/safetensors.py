"""Files in the safetensors format: what ``safetensors.torch`` offers, for convgrad's tensors.

Needs the package safetensors (``pip install 'convgrad[files]'``), which reads and writes the bytes. The
format has no checksums: a changed byte in a tensor is not noticed (``convgrad.save`` writes them).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import dtypes
from .device import check_device
from .dtypes import Array
from .errors import ConvgradError, DtypeError, optional
from .serialization.atomic import replacing, write_all
from .tensor.tensor import Tensor


def _package(name: str = "safetensors") -> Any:
    return optional(name, extra="files")


def save_file(tensors: Mapping[str, Tensor], filename: Any, metadata: dict[str, str] | None = None) -> None:
    """Save named tensors; ``filename`` is replaced in one step, once everything is on the disk.

    Args:
        tensors: contiguous tensors of any shape and dtype that do not share memory, by name.
        filename: a path.
        metadata: texts to keep in the file's header.
    Raises:
        ValueError: no dict of tensors, or a tensor that is not contiguous.
        ConvgradError: tensors that share memory (a RuntimeError).
        MissingExtraError: safetensors is not installed.
    Source: semantics of safetensors.torch.save_file.
    """
    data = save(tensors, metadata)
    with replacing(filename) as descriptor:
        write_all(descriptor, data)


def save(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes that ``save_file`` would write."""
    data: bytes = _package("safetensors.numpy").save(_arrays(tensors), metadata)
    return data


def load_file(filename: Any, device: Any = "cpu", **options: Any) -> dict[str, Tensor]:
    """All tensors of a file, by name.

    Args:
        filename: a path.
        device: the CPU.
        options: ``backend`` is accepted.
    Raises:
        safetensors.SafetensorError: a damaged header.
        DtypeError: a dtype that tensors do not have.
        MissingExtraError: safetensors is not installed.
    Source: semantics of safetensors.torch.load_file.
    """
    with safe_open(filename, "pt", device) as f:
        return {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118 - no dictionary


def load(data: bytes) -> dict[str, Tensor]:
    """All tensors of the bytes that ``save`` gave, by name."""
    found = {}
    for name, entry in _package().deserialize(data):
        kind = _DTYPES.get(entry["dtype"])
        if kind is None:
            raise _unknown_dtype(name, entry["dtype"])
        found[name] = Tensor(np.frombuffer(bytearray(entry["data"]), kind.np).reshape(entry["shape"]), None)
    return found


def save_model(
    model: Any, filename: Any, metadata: dict[str, str] | None = None, force_contiguous: bool = True
) -> None:
    """Save a module's state; tensors that share their memory are written once, under the first name.

    Source: semantics of safetensors.torch.save_model.
    """
    state = dict(model.state_dict())
    kept = dict(metadata or {})
    for names in _sharing({name: tensor._data for name, tensor in state.items()}):
        largest = max([state[name]._data.nbytes for name in names])
        first = min([name for name in names if state[name]._data.nbytes == largest])
        for name in names:
            if name != first:
                del state[name]
                kept.setdefault(name, first)
    if force_contiguous:
        state = {name: tensor.contiguous() for name, tensor in state.items()}
    save_file(state, filename, kept or None)


def load_model(
    model: Any, filename: Any, strict: bool = True, device: Any = "cpu", **options: Any
) -> tuple[list[str], list[str]]:
    """Load a module's state from a file; returns the names that are (missing, unexpected).

    Raises:
        ConvgradError: ``strict`` and there are such names, or another shape; the module is then as it was.
    Source: semantics of safetensors.torch.load_model.
    """
    state = load_file(filename, device)
    own = {name: tensor._data for name, tensor in model.state_dict().items()}
    spare = set()
    for names in _sharing(own):
        if any([name in state for name in names]):
            spare |= {name for name in names if name not in state}
    expected = set(own)
    missing = sorted(expected - set(state) - spare)
    unexpected = sorted(set(state) - expected)
    if strict and (missing or unexpected):
        raise ConvgradError(
            f"Error(s) in loading state_dict for {type(model).__name__}:\n"
            f"    Missing key(s) in state_dict: {', '.join(missing) or 'none'}\n"
            f"    Unexpected key(s) in state_dict: {', '.join(unexpected) or 'none'}"
        )
    model.load_state_dict(state, strict=False)
    return missing, unexpected


class safe_open:
    """A file whose tensors are read one by one, or in part; a context manager.

    Args:
        filename: a path.
        framework: "pt" gives tensors, "np" NumPy's arrays.
        device: the CPU.
    Example:
        with safe_open("model.safetensors", "pt") as f:
            weight = f.get_slice("weight")[:10]
    Source: semantics of safetensors.safe_open.
    """

    def __init__(self, filename: Any, framework: str = "pt", device: Any = "cpu", **options: Any) -> None:
        if framework not in ("pt", "torch", "pytorch", "np", "numpy"):
            raise ConvgradError(f"framework {framework!r} is invalid: 'pt' or 'np'")
        check_device(device)
        self._wrap = (
            (lambda array: Tensor(array, None)) if framework[0] == "p" or framework == "torch" else np.asarray
        )
        self._file = _package().safe_open(os.fspath(filename), "np")

    def keys(self) -> list[str]:
        """The names of the tensors."""
        return list(self._file.keys())

    def offset_keys(self) -> list[str]:
        """The names in the order of the file."""
        return list(self._file.offset_keys())

    def metadata(self) -> dict[str, str] | None:
        """The texts of the header."""
        found: dict[str, str] | None = self._file.metadata()
        return found

    def get_tensor(self, name: str) -> Any:
        """One tensor."""
        self._check(name)
        return self._wrap(self._file.get_tensor(name))

    def get_slice(self, name: str) -> Slice:
        """One tensor of which parts can be read by indexing."""
        self._check(name)
        return Slice(self._file.get_slice(name), self._wrap)

    def _check(self, name: str) -> None:
        kind = self._file.get_slice(name).get_dtype()
        if kind not in _DTYPES:
            raise _unknown_dtype(name, kind)

    def __enter__(self) -> safe_open:
        self._file.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.__exit__(*exc)


class Slice:
    """A tensor in a file; indexing by slices reads a part of it."""

    def __init__(self, source: Any, wrap: Any) -> None:
        self._source = source
        self._wrap = wrap

    def get_shape(self) -> list[int]:
        """The sizes."""
        return list(self._source.get_shape())

    def get_dtype(self) -> str:
        """The name of the dtype in the file, such as F32."""
        return str(self._source.get_dtype())

    def __getitem__(self, index: Any) -> Any:
        return self._wrap(np.asarray(self._source[index]))


#: names of dtypes in the format
_DTYPES = {
    "F64": dtypes.float64, "F32": dtypes.float32, "F16": dtypes.float16, "BF16": dtypes.bfloat16,
    "I64": dtypes.int64, "I32": dtypes.int32, "I16": dtypes.int16, "I8": dtypes.int8, "U8": dtypes.uint8,
    "BOOL": dtypes.bool_, "C64": dtypes.complex64,
}  # fmt: skip


def _unknown_dtype(name: str, kind: str) -> DtypeError:
    return DtypeError(f"{name!r} has dtype {kind}, which tensors do not have: {', '.join(_DTYPES)}")


def _arrays(tensors: Any) -> dict[str, Array]:
    """The arrays to write, checked."""
    if not isinstance(tensors, Mapping):
        raise ValueError(f"Expected a dict of [str, torch.Tensor] but received {type(tensors)}")
    arrays = {}
    for name, tensor in tensors.items():
        if not isinstance(name, str):
            raise TypeError(f"save_file: names must be str, got {type(name).__name__} {name!r}")
        if not isinstance(tensor, Tensor):
            raise ValueError(f"Key `{name}` is invalid, expected torch.Tensor but received {type(tensor)}")
        arrays[name] = tensor._data
        if tensor._data.dtype == np.complex128:
            raise DtypeError(
                f"`{name}` is complex128, which the format has not; complex64 and float64 it has"
            )
    shared = _sharing(arrays)
    if shared:
        raise ConvgradError(
            "Some tensors share memory, this will lead to duplicate memory on disk and potential "
            "differences when "
            f"loading them again: {shared}. A potential way to correctly save your model is to use "
            "`save_model`."
        )
    for name, array in arrays.items():
        if not array.flags.c_contiguous:
            raise ValueError(
                f"You are trying to save a non contiguous tensor: `{name}` which is not allowed. Call "
                "`.contiguous()` "
                "on your tensor to pack it before saving."
            )
    return arrays


def _sharing(arrays: Mapping[str, Array]) -> list[list[str]]:
    """Names of arrays whose memory overlaps, in groups."""
    bounds = sorted([(*np.lib.array_utils.byte_bounds(a), name) for name, a in arrays.items() if a.size])
    groups: list[list[str]] = []
    end = -1
    for low, high, name in bounds:
        if low < end:
            groups[-1].append(name)
        else:
            groups.append([name])
        end = max(end, high)
    return [sorted(names) for names in groups if len(names) > 1]
