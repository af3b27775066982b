"""State dictionaries as NumPy archives, for programs that have NumPy alone; without pickles in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import dtypes
from ..tensor.tensor import Tensor
from .atomic import replacing
from .errors import CheckpointError, RefusedError


def save_npz(file: Any, tensors: Mapping[str, Any]) -> None:
    """Save named tensors as ``numpy.savez`` does; a path is replaced in one step.

    NumPy has no name for bfloat16: it is written as two bytes without meaning (``V2``), which ``load_npz``
    and ``array.view(ml_dtypes.bfloat16)`` take for what they are.

    Args:
        file: a path (nothing is appended to it), or an object with ``write`` and ``seek``.
        tensors: names to tensors.
    Raises:
        TypeError: a value that is no tensor, or a name that is no text; nothing has been written then.
    """
    arrays: dict[str, Any] = {}
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise TypeError(
                f"save_npz: expected names and tensors, got {type(tensor).__name__} for "
                f"{type(name).__name__} {name!r}"
            )
        arrays[name] = tensor._data
    if hasattr(file, "write"):
        np.savez(file, **arrays)
        return
    with replacing(file) as descriptor, os.fdopen(os.dup(descriptor), "wb") as out:
        np.savez(out, **arrays)


def load_npz(file: Any) -> dict[str, Tensor]:
    """The arrays of a NumPy archive as tensors; the checksums of the archive are compared.

    Raises:
        RefusedError: an array of Python objects, or of another dtype that tensors do not have.
        CheckpointError: no such archive, or a damaged one.
    """
    if not hasattr(file, "read"):
        with open(file, "rb") as opened:
            return load_npz(opened)
    try:
        archive = np.load(file, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise CheckpointError("a single NumPy array, no archive")
        arrays = {name: archive[name] for name in archive.files}
    except ValueError as error:
        raise RefusedError(f"load_npz: {error}") from error
    except Exception as error:  # of a dozen types: of zip files, of headers, of the system
        raise CheckpointError(f"load_npz: the archive is damaged: {error}") from error
    return {name: Tensor(_known(name, array), None) for name, array in arrays.items()}


def _known(name: str, array: Any) -> Any:
    if array.dtype == np.dtype("V2"):
        array = array.view(dtypes.bfloat16.np)
    if array.dtype not in dtypes._FROM_NUMPY:
        raise RefusedError(f"load_npz: {name!r} has dtype {array.dtype}, which tensors do not have")
    return array
