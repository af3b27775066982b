"""From objects to a pickle stream, protocol 2, that PyTorch reads with ``weights_only=True``.

The stream is the one Python's pickle makes of PyTorch's objects, opcode for opcode; only the types of a
closed list are written, so a file that was saved can be loaded. Source: PEP 307, and CPython's pickletools.
"""

from __future__ import annotations

import struct
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..device import device
from ..dtypes import Array, dtype
from ..generator import Generator
from ..nn.module import Module
from ..nn.parameter import Buffer, Parameter
from ..size import Size
from ..tensor.tensor import Tensor
from . import names, trusted
from .errors import UnsavableError
from .names import Global
from .storages import Later, StorageTable

#: items that one opcode takes at most, as in Python's own pickles
_BATCH = 1000
_TUPLES = (b")", b"\x85", b"\x86", b"\x87")


class _Persistent:
    """Stands for a storage: the tuple by which the reader finds it."""

    __slots__ = ("name",)

    def __init__(self, name: tuple[Any, ...]) -> None:
        self.name = name


class Encoder:
    """Writes one object; ``storages`` then has the memory its tensors name."""

    def __init__(self) -> None:
        self.storages = StorageTable()
        self._out: list[bytes | Later] = [b"\x80\x02"]
        self._memo: dict[Any, int] = {}
        self._kept: list[Any] = []  # an object that died would lend its id to another
        self._path: list[Any] = []
        self._names = {id(value): name for name, value in trusted.trusted().items()}

    def encode(self, obj: Any) -> tuple[bytes, dict[str, Array]]:
        """The stream, and the bytes of each storage by key.

        Raises:
            UnsavableError: something that a checkpoint cannot hold; the message says what and where.
        """
        try:
            self._save(obj)
        except RecursionError:
            raise UnsavableError(f"Can't pickle {_what(obj)}: nested too deeply for a checkpoint") from None
        arrays = self.storages.settle()
        self._out.append(b".")
        return b"".join([_integer(x.value) if isinstance(x, Later) else x for x in self._out]), arrays

    # ------------------------------------------------------------------ one object

    def _save(self, obj: Any) -> None:
        kind = type(obj)
        if kind is Later:
            self._out.append(obj)
            return
        if kind is Global:
            self._global(obj)
            return
        known = self._memo.get(id(obj))
        if known is not None:
            self._out.append(_get(known))
            return
        save = _SAVERS.get(kind)
        if save is None:
            save = _reducer(kind)
        if save is None or id(obj) in self._names:
            self._save_trusted(obj)
        else:
            save(self, obj)

    def _put(self, obj: Any) -> None:
        """Remember the object that was just written."""
        self._kept.append(obj)
        self._remember(id(obj))

    def _remember(self, key: Any) -> None:
        number = self._memo[key] = len(self._memo)
        self._out.append(b"q" + bytes((number,)) if number < 256 else b"r" + struct.pack("<I", number))

    def _global(self, name: Global) -> None:
        known = self._memo.get(name)
        if known is not None:
            self._out.append(_get(known))
            return
        self._out.append(f"c{name.module}\n{name.name}\n".encode())
        self._remember(name)

    def _reduce(self, obj: Any, call: Global, args: tuple[Any, ...]) -> None:
        self._global(call)
        self._save(args)
        self._out.append(b"R")
        if obj is not None:
            self._put(obj)

    def _none(self, obj: None) -> None:
        self._out.append(b"N")

    def _bool(self, obj: bool) -> None:
        self._out.append(b"\x88" if obj else b"\x89")

    def _int(self, obj: int) -> None:
        data = _integer(obj)
        if len(data) > names.MAX_INTEGER_BYTES:
            raise self._refusal(obj, f"an integer of {len(data)} bytes, {names.MAX_INTEGER_BYTES} at most")
        self._out.append(data)

    def _float(self, obj: float) -> None:
        self._out.append(b"G" + struct.pack(">d", obj))

    def _str(self, obj: str) -> None:
        data = obj.encode("utf-8", "surrogatepass")
        if len(data) >= 1 << 32:
            raise self._refusal(obj, "a text of 4 GB")
        self._out.append(b"X" + struct.pack("<I", len(data)) + data)
        self._put(obj)

    def _bytes(self, obj: bytes) -> None:
        # protocol 2 knows no bytes: they are a text and the call that undoes it (for empty ones Python calls
        # bytes itself, which PyTorch does not let in)
        self._reduce(obj, names.ENCODE, (str(obj, "latin1"), "latin1"))

    def _bytearray(self, obj: bytearray) -> None:
        self._reduce(obj, names.PYTHON_TYPES[bytearray], (bytes(obj),) if obj else ())

    def _complex(self, obj: complex) -> None:
        self._reduce(obj, names.PYTHON_TYPES[complex], (obj.real, obj.imag))

    def _slice(self, obj: slice) -> None:
        self._reduce(obj, names.PYTHON_TYPES[slice], (obj.start, obj.stop, obj.step))

    def _set(self, obj: set[Any] | frozenset[Any]) -> None:
        self._reduce(obj, names.PYTHON_TYPES[type(obj)], (list(obj),))

    def _type(self, obj: type) -> None:
        name = names.PYTHON_TYPES.get(obj)
        if name is None:
            self._save_trusted(obj)
        else:
            self._global(name)

    # ------------------------------------------------------------------ containers

    def _tuple(self, obj: tuple[Any, ...]) -> None:
        count = len(obj)
        if not count:
            self._out.append(b")")
            return
        if count > 3:
            self._out.append(b"(")
        for index, item in enumerate(obj):
            self._path.append(index)
            self._save(item)
            self._path.pop()
        known = self._memo.get(id(obj))
        if known is not None:  # it contains itself, by way of a list, and was written in there
            self._out.append((b"0" * count if count <= 3 else b"1") + _get(known))
            return
        self._out.append(_TUPLES[count] if count <= 3 else b"t")
        self._put(obj)

    def _list(self, obj: list[Any]) -> None:
        self._out.append(b"]")
        self._put(obj)
        self._items(enumerate(obj), len(obj), b"a", b"e", pairs=False)

    def _dict(self, obj: dict[Any, Any]) -> None:
        self._out.append(b"}")
        self._put(obj)
        self._items(obj.items(), len(obj), b"s", b"u", pairs=True)

    def _items(self, items: Iterable[Any], count: int, one: bytes, many: bytes, pairs: bool) -> None:
        """The items of a list or dictionary, a thousand at a time."""
        alone = count == 1
        for number, (key, value) in enumerate(items):
            if not alone and number % _BATCH == 0:
                self._out.append(b"(" if not number else many + b"(")
            if pairs:
                self._save(key)
            self._path.append(key)
            self._save(value)
            self._path.pop()
        if count:
            self._out.append(one if alone else many)

    def _ordered(self, obj: OrderedDict[Any, Any]) -> None:
        self._reduce(obj, names.PYTHON_TYPES[OrderedDict], ())
        self._items(obj.items(), len(obj), b"s", b"u", pairs=True)
        state = {name: value for name, value in obj.__dict__.items() if name != "__orig_class__"}
        if state:
            self._state(state)

    def _default(self, obj: defaultdict[Any, Any]) -> None:
        factory = obj.default_factory
        self._reduce(obj, names.PYTHON_TYPES[defaultdict], () if factory is None else (factory,))
        self._items(obj.items(), len(obj), b"s", b"u", pairs=True)

    def _counter(self, obj: Counter[Any]) -> None:
        self._reduce(obj, names.PYTHON_TYPES[Counter], (dict(obj),))

    def _state(self, state: Any) -> None:
        self._save(state)
        self._out.append(b"b")
        self._kept.append(state)

    # ------------------------------------------------------------------ tensors and what belongs to them

    def _persistent(self, obj: _Persistent) -> None:
        self._save(obj.name)
        self._out.append(b"Q")

    def _rebuild_args(self, tensor: Tensor, requires_grad: bool) -> tuple[Any, ...]:
        stored, offset, strides = self.storages.place(tensor)
        name = ("storage", names.STORAGES[stored.dtype], stored.key, "cpu", stored.count)
        shape = tuple(tensor._data.shape)
        kind = (stored.dtype,) if stored.dtype in names.UNTYPED else ()
        return _Persistent(name), offset, shape, strides, requires_grad, _no_hooks(), *kind

    def _tensor(self, obj: Tensor) -> None:
        args = self._rebuild_args(obj, obj.requires_grad)
        rebuild = names.REBUILD_TENSOR_V3 if obj.dtype in names.UNTYPED else names.REBUILD_TENSOR
        if obj.__dict__:
            state = dict(obj.__dict__)
            self._reduce(obj, names.REBUILD_FROM_TYPE, (rebuild, names.TENSOR, args, state))
        else:
            self._reduce(obj, rebuild, args)

    def _buffer(self, obj: Buffer) -> None:
        args = self._rebuild_args(obj, obj.requires_grad)
        state = {**obj.__dict__, "persistent": obj.persistent, "_is_buffer": True}
        rebuild = names.REBUILD_TENSOR_V3 if obj.dtype in names.UNTYPED else names.REBUILD_TENSOR
        self._reduce(obj, names.REBUILD_FROM_TYPE, (rebuild, names.TENSOR, args, state))

    def _parameter(self, obj: Parameter) -> None:
        data = Tensor(obj._data, None)
        data._cell, data._view = obj._cell, obj._view
        parts = (data, obj.requires_grad, _no_hooks())
        if obj.__dict__:
            self._reduce(obj, names.REBUILD_PARAMETER_WITH_STATE, (*parts, dict(obj.__dict__)))
        else:
            self._reduce(obj, names.REBUILD_PARAMETER, parts)

    def _dtype(self, obj: dtype) -> None:
        self._global(names.DTYPES[obj])

    def _device(self, obj: device) -> None:
        self._reduce(obj, names.DEVICE, (obj.type,) if obj.index is None else (obj.type, obj.index))

    def _size(self, obj: Size) -> None:
        self._reduce(obj, names.SIZE, (tuple(obj),))

    def _generator(self, obj: Generator) -> None:
        self._reduce(obj, names.GENERATOR, (device("cpu"),))
        self._state((obj.initial_seed(), None, Tensor(np.asarray(obj.get_state()), None)))

    # ------------------------------------------------------------------ NumPy's, as NumPy pickles them

    def _numpy(self, obj: Any) -> None:
        kind = obj if isinstance(obj, np.dtype) else obj.dtype
        if kind.kind not in "biufc" or not kind.isnative:
            raise self._refusal(obj, f"NumPy's {kind}")
        _, args, *state = obj.__reduce__()
        if isinstance(obj, np.dtype):
            self._reduce(obj, names.NUMPY_DTYPE, args)
        elif isinstance(obj, np.generic):
            self._reduce(obj, names.NUMPY_SCALAR, args)
        else:
            self._reduce(obj, names.NUMPY_RECONSTRUCT, (names.NUMPY_ARRAY, *args[1:]))
        if state:
            self._state(state[0])

    # ------------------------------------------------------------------ everything else

    def _save_trusted(self, obj: Any) -> None:
        """A class or function that the user trusts, or an instance of one."""
        name = self._names.get(id(obj))
        if name is not None:
            self._global(Global(*_split(name)))
            return
        if id(type(obj)) not in self._names:
            raise self._refusal(obj)
        call, args, state, items, pairs = (*obj.__reduce_ex__(2), None, None, None)[:5]
        if getattr(call, "__name__", "") == "__newobj__":
            self._save(args[0])
            self._save(args[1:])
            self._out.append(b"\x81")
        else:
            self._save(call)
            self._save(args)
            self._out.append(b"R")
        self._put(obj)
        self._kept.append(args)
        for entries, one, many in ((items, b"a", b"e"), (pairs, b"s", b"u")):
            if entries is not None:
                listed = list(enumerate(entries) if one == b"a" else entries)
                self._items(listed, len(listed), one, many, pairs=one == b"s")
        if state is not None:
            self._state(state)

    def _refusal(self, obj: Any, what: str = "") -> UnsavableError:
        place = f" at checkpoint{''.join(map(_step, self._path))}" if self._path else ""
        return UnsavableError(
            f"Can't pickle {what or _what(obj)}{place}: a checkpoint holds tensors, containers, numbers "
            "and texts. "
            f"{_advice(obj)} Nothing was written."
        )


def _no_hooks() -> OrderedDict[str, Any]:
    """Where PyTorch writes the hooks of a tensor, which no file can hold."""
    hooks: OrderedDict[str, Any] = OrderedDict()
    return hooks


def _step(key: Any) -> str:
    """A part of the path to an object, for a message."""
    short = type(key) is str or (type(key) is int and key.bit_length() < 64)
    return f"[{key!r}]" if short else "[...]"


def _what(obj: Any) -> str:
    kind = type(obj)
    if hasattr(obj, "__qualname__") and hasattr(obj, "__module__"):
        return f"{'class' if isinstance(obj, type) else kind.__name__} {trusted.name_of(obj)}"
    return f"{kind.__module__}.{kind.__qualname__} object"


def _advice(obj: Any) -> str:
    if isinstance(obj, Module):
        return (
            "Save its state: torch.save(model.state_dict(), path), "
            "to be loaded by model.load_state_dict(torch.load(path))."
        )
    if callable(getattr(obj, "state_dict", None)):
        return "Save its state_dict()."
    if isinstance(obj, Tensor):
        return "Save the tensor itself: Tensor.detach() of it, or its values in a plain Tensor."
    if isinstance(obj, tuple | list | dict):
        return "Save a plain tuple, list or dict of it."
    return (
        "Save what it consists of, or trust its class for saving and loading: "
        "torch.serialization.add_safe_globals([TheClass])."
    )


def _split(name: str) -> tuple[str, str]:
    module, _, last = name.rpartition(".")
    return module, last


def _get(number: int) -> bytes:
    return b"h" + bytes((number,)) if number < 256 else b"j" + struct.pack("<I", number)


def _integer(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + bytes((value,))
    if 0 <= value < 65536:
        return b"M" + struct.pack("<H", value)
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes((value.bit_length() >> 3) + 1, "little", signed=True)
    if len(data) > 1 and data[-1] == 0xFF and data[-2] & 0x80:
        data = data[:-1]
    head = b"\x8a" + bytes((len(data),)) if len(data) < 256 else b"\x8b" + struct.pack("<i", len(data))
    return head + data


def _reducer(kind: type) -> Callable[[Encoder, Any], None] | None:
    if issubclass(kind, np.generic | np.ndarray | np.dtype):
        return Encoder._numpy
    return Encoder._type if issubclass(kind, type) else None


_SAVERS: dict[type, Callable[[Encoder, Any], None]] = {
    type(None): Encoder._none,
    bool: Encoder._bool,
    int: Encoder._int,
    float: Encoder._float,
    complex: Encoder._complex,
    str: Encoder._str,
    bytes: Encoder._bytes,
    bytearray: Encoder._bytearray,
    slice: Encoder._slice,
    tuple: Encoder._tuple,
    list: Encoder._list,
    dict: Encoder._dict,
    set: Encoder._set,
    frozenset: Encoder._set,
    OrderedDict: Encoder._ordered,
    defaultdict: Encoder._default,
    Counter: Encoder._counter,
    _Persistent: Encoder._persistent,
    Tensor: Encoder._tensor,
    Parameter: Encoder._parameter,
    Buffer: Encoder._buffer,
    dtype: Encoder._dtype,
    device: Encoder._device,
    Size: Encoder._size,
    Generator: Encoder._generator,
}
