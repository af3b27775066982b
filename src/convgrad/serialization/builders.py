"""What a checkpoint may name, and how each is built: by own code, with every argument checked."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from ..device import device
from ..dtypes import dtype
from ..errors import ConvgradError
from ..generator import Generator
from ..nn.parameter import Buffer, Parameter
from ..size import Size
from ..tensor.tensor import Tensor
from . import names
from .errors import RefusedError
from .memory import Storage, StorageKind, shown, tensor_on
from .names import Global

#: exact types whose items a stream may set
DICTS = (dict, OrderedDict, defaultdict, Counter)
#: the classes that an object without arguments may be made of by a defaultdict
_FACTORIES = (None, bool, bytes, complex, dict, float, int, list, set, str, tuple, OrderedDict)
_TENSORS = (Tensor, Parameter, Buffer)


def _arguments(call: str, args: tuple[Any, ...], *kinds: Any) -> None:
    """Refuse unless the arguments have these types (a tuple of types, or None for any)."""
    if len(args) != len(kinds):
        raise RefusedError(f"{call} with {len(args)} arguments, {len(kinds)} expected")
    for value, kind in zip(args, kinds):
        if kind is not None and type(value) not in (kind if isinstance(kind, tuple) else (kind,)):
            raise RefusedError(f"{call} with an argument of type {type(value).__qualname__}")


# ---------------------------------------------------------------------- Python's own


def _items_of(machine: Any, call: str, args: tuple[Any, ...]) -> list[Any]:
    """The items of the one argument, a list, tuple, set or bytes; none without one."""
    if not args:
        return []
    _arguments(call, args, (list, tuple, set, frozenset))
    machine.charge(len(args[0]))
    return list(args[0])


def _set(machine: Any, args: tuple[Any, ...], kind: Any = set) -> Any:
    items = _items_of(machine, "set", args)
    for item in items:
        machine.keys.check(item)
    return kind(items)


def _frozenset(machine: Any, args: tuple[Any, ...]) -> Any:
    return _set(machine, args, frozenset)


def _ordered_dict(machine: Any, args: tuple[Any, ...]) -> OrderedDict[Any, Any]:
    out: OrderedDict[Any, Any] = OrderedDict()
    for pair in _items_of(machine, "OrderedDict", args):
        if type(pair) not in (list, tuple) or len(pair) != 2:
            raise RefusedError("OrderedDict of something else than pairs")
        machine.keys.check(pair[0])
        out[pair[0]] = pair[1]
    return out


def _counter(machine: Any, args: tuple[Any, ...]) -> Counter[Any]:
    out: Counter[Any] = Counter()
    if args:
        _arguments("Counter", args, dict)
        machine.charge(len(args[0]))
        dict.update(out, args[0])
    return out


def _defaultdict(machine: Any, args: tuple[Any, ...]) -> defaultdict[Any, Any]:
    if len(args) > 1 or (args and not any([args[0] is factory for factory in _FACTORIES])):
        raise RefusedError("defaultdict with another factory than a plain type")
    return defaultdict(*args)


def _complex(machine: Any, args: tuple[Any, ...]) -> complex:
    _arguments("complex", args, (float, int), (float, int))
    return complex(*args)


def _slice(machine: Any, args: tuple[Any, ...]) -> slice:
    _arguments("slice", args, *[(int, type(None))] * 3)
    return slice(*args)


def _bytes(machine: Any, args: tuple[Any, ...]) -> bytes:
    _arguments("bytes", args)
    return b""


def _bytearray(machine: Any, args: tuple[Any, ...]) -> bytearray:
    if not args:
        return bytearray()
    if len(args) == 2 and type(args[0]) is str:  # as Python 2 wrote it
        args = (_encode(machine, args),)
    _arguments("bytearray", args, bytes)
    machine.charge(len(args[0]))
    return bytearray(args[0])


def _encode(machine: Any, args: tuple[Any, ...]) -> bytes:
    """Bytes written as a text of code points below 256."""
    _arguments("encode", args, str, str)
    if args[1] not in ("latin1", "latin-1"):
        raise RefusedError("encode to something else than latin1")
    machine.charge(len(args[0]))
    return str(args[0]).encode("latin1")


# ---------------------------------------------------------------------- tensors


def _whole(values: Any, what: str) -> tuple[int, ...]:
    if type(values) not in (tuple, list, Size) or not all([type(v) is int and v >= 0 for v in values]):
        raise RefusedError(f"a tensor whose {what} are no tuple of integers from 0 on")
    return tuple(values)


def _tensor(machine: Any, args: tuple[Any, ...]) -> Tensor:
    """``_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata])``."""
    if len(args) not in (4, 6, 7):  # 4: as before PyTorch 0.4
        raise RefusedError(f"a tensor of {len(args)} parts")
    storage, offset = args[:2]
    if type(storage) is not Storage or type(offset) is not int:
        raise RefusedError("a tensor without a storage")
    shape, strides = _whole(args[2], "sizes"), _whole(args[3], "strides")
    metadata = args[6] if len(args) == 7 else None
    if metadata is not None and (type(metadata) is not dict or not metadata.keys() <= {"conj", "neg"}):
        raise RefusedError("a tensor with unknown metadata")
    machine.charge(len(shape))
    out = tensor_on(storage, storage.dtype, offset, shape, strides, metadata)
    return _requiring(out, args[4] if len(args) > 4 else False)


def _tensor_v3(machine: Any, args: tuple[Any, ...]) -> Tensor:
    """The same with the dtype beside an untyped storage."""
    if len(args) not in (7, 8) or type(args[0]) is not Storage or type(args[6]) is not dtype:
        raise RefusedError("a tensor of unknown parts or dtype")
    return _tensor(machine, (args[0].as_dtype(args[6]), *args[1:6], *args[7:]))


def _requiring(tensor: Tensor, requires_grad: Any) -> Tensor:
    if type(requires_grad) is not bool:
        raise RefusedError("requires_grad that is no bool")
    if requires_grad and tensor._data.dtype.kind in "biu":
        raise RefusedError(f"a tensor of {tensor.dtype} that requires grad")
    return tensor.requires_grad_() if requires_grad else tensor


def _parameter(machine: Any, args: tuple[Any, ...]) -> Parameter:
    _arguments("Parameter", args[:2], _TENSORS, bool)
    if len(args) not in (3, 4):
        raise RefusedError(f"a Parameter of {len(args)} parts")
    if args[1] and args[0]._data.dtype.kind in "biu":
        raise RefusedError(f"a Parameter of {args[0].dtype} that requires grad")
    out = Parameter(args[0], args[1])
    if len(args) == 4:
        _attributes(out, args[3])
    return out


def _from_type(machine: Any, args: tuple[Any, ...]) -> Any:
    """A tensor with attributes: (function, class, its arguments, attributes)."""
    if len(args) != 4 or args[0] not in (_tensor, _tensor_v3, _parameter) or args[1] not in _TENSORS:
        raise RefusedError("a tensor of a class of its own; save it as a plain Tensor")
    if type(args[2]) is not tuple:
        raise RefusedError("a tensor without parts")
    out = args[0](machine, args[2])
    state = args[3][0] if type(args[3]) is tuple and len(args[3]) == 2 else args[3]
    if type(state) is dict and state.get("_is_buffer") is True:
        out = Buffer(out, persistent=state.get("persistent") is not False)
        state = {k: v for k, v in state.items() if k not in ("_is_buffer", "persistent")}
    _attributes(out, state)
    return out


def _attributes(target: Any, state: Any) -> None:
    """Set attributes that shadow nothing of the class."""
    if type(state) is not dict:
        raise RefusedError(f"attributes of a {type(target).__name__} that are no dict")
    for name, value in state.items():
        if type(name) is not str or not name.isidentifier() or hasattr(type(target), name):
            raise RefusedError(f"an attribute of a {type(target).__name__} with a name of its class")
        setattr(target, name, value)


def _size(machine: Any, args: tuple[Any, ...]) -> Size:
    items = _items_of(machine, "Size", args)
    if not all([type(n) is int for n in items]):
        raise RefusedError("a Size of something else than integers")
    return Size(items)


def _device(machine: Any, args: tuple[Any, ...]) -> device:
    if not 1 <= len(args) <= 2 or type(args[0]) is not str or type(args[-1]) not in (str, int):
        raise RefusedError("a device of unknown parts")
    try:
        return device(*args)
    except (ValueError, RuntimeError, TypeError) as error:
        raise RefusedError(f"a device that convgrad has not: {error}") from None


def _generator(machine: Any, args: tuple[Any, ...]) -> Generator:
    _arguments("Generator", args, (device, str))
    return Generator()


# ---------------------------------------------------------------------- NumPy's


def _numpy_dtype(machine: Any, args: tuple[Any, ...]) -> np.dtype[Any]:
    name = args[0] if args else None
    if type(name) is not str or name[:1] not in ("b", "i", "u", "f", "c") or not name[1:].isdigit():
        raise RefusedError("a NumPy dtype that is no number's")
    try:
        return np.dtype(name)
    except TypeError:
        raise RefusedError(f"NumPy's dtype {name[:20]!r} does not exist") from None


def _numpy_scalar(machine: Any, args: tuple[Any, ...]) -> Any:
    _arguments("numpy.scalar", args, None, bytes)
    if not isinstance(args[0], np.dtype) or len(args[1]) != args[0].itemsize:
        raise RefusedError("a NumPy number of another size than its dtype's")
    return np.frombuffer(args[1], args[0])[0]


def _numpy_array(machine: Any, args: tuple[Any, ...]) -> Any:
    if len(args) != 3 or args[0] is not np.ndarray:
        raise RefusedError("a NumPy array of another class")
    return np.empty(0)


def _fill_array(machine: Any, target: Any, state: Any) -> None:
    """Give an array its shape, dtype and bytes: ``(1, shape, dtype, fortran order, bytes)``."""
    if type(state) is not tuple or len(state) != 5 or target.size:
        raise RefusedError("a NumPy array of unknown parts")
    version, shape, kind, fortran, data = state
    sizes = _whole(shape, "sizes")
    if not isinstance(kind, np.dtype) or type(data) is not bytes or type(fortran) is not bool or version != 1:
        raise RefusedError("a NumPy array of something else than numbers")
    if len(sizes) > 64 or math.prod(sizes) * kind.itemsize != len(data):
        raise RefusedError(f"a NumPy array of shape {shown(sizes)} from {len(data)} bytes")
    machine.charge(len(data))
    target.__setstate__((1, sizes, kind, fortran, data))


# ---------------------------------------------------------------------- the tables


_BUILDERS: dict[Any, Callable[[Any, tuple[Any, ...]], Any]] = {
    set: _set,
    frozenset: _frozenset,
    OrderedDict: _ordered_dict,
    Counter: _counter,
    defaultdict: _defaultdict,
    complex: _complex,
    slice: _slice,
    bytes: _bytes,
    bytearray: _bytearray,
    Size: _size,
    device: _device,
    Generator: _generator,
    np.dtype: _numpy_dtype,
}
_OWN = (
    _encode, _tensor, _tensor_v3, _parameter, _from_type, _numpy_scalar, _numpy_array,
)  # fmt: skip


def _known() -> dict[Global, Any]:
    table: dict[Global, Any] = {name: kind for kind, name in names.PYTHON_TYPES.items()}
    table |= {Global("builtins", kind.__name__): kind for kind in names.PYTHON_TYPES}
    table |= {name: kind for kind, name in names.DTYPES.items()}
    for module in ("torch", "torch.cuda"):
        table |= {
            Global(module, name.name): StorageKind(kind)
            for kind, name in names.STORAGES.items()
            if kind not in names.UNTYPED
        }
        table |= {Global(module, f"{word}Tensor"): Tensor for word in names.KINDS}
    for module in ("torch", "torch.storage"):
        table[Global(module, "UntypedStorage")] = StorageKind(None)
    table |= {
        names.REBUILD_TENSOR: _tensor,
        Global("torch._utils", "_rebuild_tensor"): _tensor,
        Global("torch._utils", "_rebuild_tensor_v3"): _tensor_v3,
        names.REBUILD_PARAMETER: _parameter,
        names.REBUILD_PARAMETER_WITH_STATE: _parameter,
        names.REBUILD_FROM_TYPE: _from_type,
        names.TENSOR: Tensor,
        Global("torch.nn.parameter", "Parameter"): Parameter,
        Global("torch.nn.parameter", "Buffer"): Buffer,
        names.SIZE: Size,
        names.DEVICE: device,
        names.GENERATOR: Generator,
        names.ENCODE: _encode,
        names.NUMPY_DTYPE: np.dtype,
        names.NUMPY_ARRAY: np.ndarray,
    }
    for module in ("numpy._core.multiarray", "numpy.core.multiarray"):
        table[Global(module, "scalar")] = _numpy_scalar
        table[Global(module, "_reconstruct")] = _numpy_array
    return table


_KNOWN = _known()


def find(name: Global) -> Any:
    """What a name stands for.

    Raises:
        RefusedError: it is none of those a checkpoint may use.
    """
    found = _KNOWN.get(name)
    if found is None:
        last = name.name.rpartition(".")[2][:100]
        raise RefusedError(
            f"Unsupported global: GLOBAL {str(name)[:200]} was not an allowed global by default. convgrad "
            "runs no code from a file, with weights_only=False either. If the file holds a whole network, "
            "convgrad.serialization.load_state(f) reads its state, without running anything; with PyTorch, "
            "save that alone: torch.save(model.state_dict(), path). If you trust the class: "
            f"torch.serialization.add_safe_globals([{last}])."
        )
    return found


def build(machine: Any, call: Any, args: tuple[Any, ...]) -> Any:
    """The result of a call that a stream asks for."""
    if any([call is own for own in _OWN]):
        return call(machine, args)
    builder = _BUILDERS.get(call) if isinstance(call, type) else None
    if builder is None:
        what = getattr(call, "__qualname__", type(call).__qualname__)
        raise RefusedError(f"a call of {what}, which only stands for itself")
    return builder(machine, args)


def restore(machine: Any, target: Any, state: Any) -> None:
    """Give an object that was built the state that follows it."""
    if type(target) in DICTS[1:]:
        _attributes(target, state)
    elif type(target) is Generator:
        if type(state) is not tuple or len(state) != 3 or type(state[2]) is not Tensor:
            raise RefusedError("a Generator of unknown state")
        try:
            target.set_state(state[2]._data)
        except ConvgradError as error:
            raise RefusedError(f"a Generator: {error}") from error
    elif type(target) is np.ndarray:
        _fill_array(machine, target, state)
    elif isinstance(target, np.dtype):
        if type(state) is not tuple or len(state) < 2 or state[1] not in ("<", "|", "="):
            raise RefusedError("a NumPy dtype of another byte order")
    else:
        raise RefusedError(
            f"Can only build Tensor, Parameter, OrderedDict: a state for a {type(target).__qualname__}"
        )


def set_state(target: Any, state: Any) -> None:
    """The same for an instance of a class that the user trusts, as Python's pickle does it."""
    setter = getattr(target, "__setstate__", None)
    if setter is not None:
        setter(state)
        return
    slots = None
    if type(state) is tuple and len(state) == 2:
        state, slots = state
    if state:
        target.__dict__.update(state)
    for name, value in (slots or {}).items():
        setattr(target, name, value)
