"""``torch.overrides``: for those who write ``__torch_function__``.

Functions ask handlers only once somebody has one: the first class derived from Tensor, or this module's
import, makes them ask (``enable``). Methods and operators of plain tensors never do.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from functools import wraps
from types import CodeType, FunctionType
from typing import Any

import convgrad

from .tensor import modes, overriding, subclass
from .tensor.modes import BaseTorchFunctionMode, TorchFunctionMode
from .tensor.tensor import Tensor

__all__ = [
    "BaseTorchFunctionMode", "TorchFunctionMode",
    "enable", "get_default_nowrap_functions", "get_ignored_functions", "get_overridable_functions",
    "handle_torch_function", "has_torch_function", "has_torch_function_unary", "has_torch_function_variadic",
    "is_tensor_like", "is_tensor_method_or_property", "resolve_name", "wrap_torch_function",
]  # fmt: skip

_SPACES = ("", "nn.functional", "linalg", "fft", "special")
_IGNORED = frozenset(
    """
    arange as_tensor asarray bartlett_window blackman_window can_cast compile empty empty_permuted
    empty_strided explain eye fork_rng frombuffer from_dlpack from_numpy full function get_autocast_dtype
    get_default_device get_default_dtype get_num_interop_threads get_num_threads get_printoptions
    get_rng_state hamming_window hann_window initial_seed is_anomaly_check_nan_enabled is_anomaly_enabled
    is_autocast_enabled is_grad_enabled is_inference_mode_enabled is_storage is_tensor kaiser_window
    linspace logspace manual_seed method_functions ones printoptions promote_types rand randint randn
    randperm range scalar_tensor seed set_autocast_enabled set_default_device set_default_dtype
    set_default_tensor_type set_flush_denormal set_float32_matmul_precision get_float32_matmul_precision
    set_num_interop_threads set_num_threads set_printoptions set_rng_state set_warn_always tensor to_dlpack
    tril_indices triu_indices typename use_deterministic_algorithms vmap zeros
    are_deterministic_algorithms_enabled empty_cache is_autocast_cache_enabled load memory_stats save
    """.split()
)
_asking: dict[int, tuple[str, FunctionType]] = {}


def _functions() -> Iterable[tuple[str, FunctionType]]:
    """PyTorch's name and the object of each function that may be overridden, each once."""
    seen = set()
    for space in _SPACES:
        module = importlib.import_module(f"convgrad.{space}" if space else "convgrad")
        for name in getattr(module, "__all__", dir(module)) if space else dir(module):
            found = getattr(module, name, None)
            if not isinstance(found, FunctionType) or name.startswith("_") or id(found) in seen:
                continue
            if space and not found.__module__.startswith((f"convgrad.{space}", "convgrad.tensor.functions")):
                continue  # an import of that module's
            if space or (name not in _IGNORED and not found.__module__.startswith("convgrad.tools")):
                seen.add(id(found))
                yield ".".join(["torch", space, name] if space else ["torch", name]), found


def enable() -> None:
    """Let the functions ask ``__torch_function__`` of their arguments from now on."""
    for name, found in tuple(_functions()):
        if id(found) not in _asking:
            _asking[id(found)] = (name, found)
            _let_ask(found)


def _codes() -> list[CodeType]:
    """One code with 0, 1, 2 and 3 free variables: functions exchange only codes that agree in it."""
    a = b = c = None

    def none(*args: Any, _made_of: Any = None, **kwargs: Any) -> Any:
        return _made_of(*args, **kwargs)

    def one(*args: Any, _made_of: Any = None, **kwargs: Any) -> Any:
        return _made_of(*args, **kwargs) if _made_of is not a else None

    def two(*args: Any, _made_of: Any = None, **kwargs: Any) -> Any:
        return _made_of(*args, **kwargs) if _made_of is not a and _made_of is not b else None

    def three(*args: Any, _made_of: Any = None, **kwargs: Any) -> Any:
        return _made_of(*args, **kwargs) if _made_of not in ((a, b), c) else None

    return [f.__code__.replace(co_filename=_FILE) for f in (none, one, two, three)]


# warnings count the frames up to the caller, but those of files with "importlib" and "_bootstrap" in the name
_FILE = "<convgrad.overrides, passed over by warnings as importlib._bootstrap is>"
_CODES = _codes()


def _let_ask(public: FunctionType) -> None:
    """Have a function ask first. It stays the same object: programs hold it, and handlers compare with it."""
    code, closure = public.__code__, public.__closure__
    plain = FunctionType(code, public.__globals__, public.__name__, public.__defaults__, closure)
    plain.__kwdefaults__, plain.__doc__ = public.__kwdefaults__, public.__doc__
    plain.__module__, plain.__annotations__ = public.__module__, public.__annotations__
    plain.__qualname__ = public.__qualname__
    asking = _CODES[len(code.co_freevars)]
    public.__code__ = asking.replace(co_name=code.co_name, co_qualname=code.co_qualname)
    public.__defaults__, public.__kwdefaults__ = None, {"_made_of": _asking_form(public, plain)}
    if not hasattr(public, "__wrapped__"):
        public.__wrapped__ = plain  # type: ignore[attr-defined]  # help() and IPython show its signature


def _asking_form(public: FunctionType, plain: Callable[..., Any]) -> Callable[..., Any]:
    """What a function made around another calls in its place."""

    quiet = overriding.QUIET

    def ask(*args: Any, **kwargs: Any) -> Any:
        for x in args:
            if type(x) not in quiet:
                break
        else:  # the usual case
            if not kwargs:
                return plain(*args)
        found = overriding.overriding((*args, *kwargs.values()))
        return overriding.ask(public, found, args, kwargs) if found else plain(*args, **kwargs)

    ask.__code__ = ask.__code__.replace(co_filename=_FILE)
    return wraps(plain)(ask)


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether one of the arguments has a ``__torch_function__`` that is to be asked.

    Example:
        >>> import convgrad
        >>> has_torch_function((convgrad.ones(1), 2.0))
        False
    """
    return bool(overriding.overriding(relevant_args))


def has_torch_function_unary(argument: Any) -> bool:
    """``has_torch_function`` of one argument."""
    return bool(overriding.overriding((argument,)))


def has_torch_function_variadic(*arguments: Any) -> bool:
    """``has_torch_function`` of several arguments."""
    return bool(overriding.overriding(arguments))


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Iterable[Any], *args: Any, **kwargs: Any
) -> Any:
    """Ask the handlers of ``relevant_args`` to do a call.

    Args:
        public_api: the function that was called.
        relevant_args: those of its arguments that may override it.
        args, kwargs: all of its arguments.
    Returns:
        What the first handler gives that does not return NotImplemented.
    Raises:
        TypeError: there is none.
    """
    return overriding.ask(public_api, overriding.overriding(relevant_args), args, kwargs)


def wrap_torch_function(dispatcher: Callable[..., Iterable[Any]]) -> Callable[[Any], Any]:
    """Make a function of one's own overridable.

    Args:
        dispatcher: takes the function's arguments, and gives those that may override it.
    """

    def decorate(func: Any) -> Any:
        @wraps(func)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            relevant = tuple(dispatcher(*args, **kwargs))
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return func(*args, **kwargs)

        return wrapped

    return decorate


def is_tensor_like(inp: Any) -> bool:
    """Whether an object is a tensor, or of a class with ``__torch_function__``."""
    return isinstance(inp, Tensor) or hasattr(type(inp), "__torch_function__")


def get_default_nowrap_functions() -> set[Any]:
    """What the default handler gives back in the class it has: the gradient, and the base of a view."""
    table: Any = Tensor
    return {table.grad.__get__, table._base.__get__}


def get_overridable_functions() -> dict[Any, list[Any]]:
    """The functions and methods that ask handlers, by namespace."""
    enable()
    found: dict[Any, list[Any]] = {}
    for name, function in _asking.values():
        space = name.rpartition(".")[0].removeprefix("torch").removeprefix(".")
        module = importlib.import_module(f"convgrad.{space}" if space else "convgrad")
        found.setdefault(module, []).append(function)
    found[Tensor] = [getattr(Tensor, n) for n in dir(Tensor) if n[0] != "_" and callable(getattr(Tensor, n))]
    return found


def get_ignored_functions() -> set[Any]:
    """Functions of ``torch`` that never ask: those that make tensors of numbers, and settings."""
    return {getattr(convgrad, name) for name in _IGNORED if hasattr(convgrad, name)}


def is_tensor_method_or_property(func: Any) -> bool:
    """Whether a function is a method of Tensor, or reads or writes one of its properties."""
    if getattr(func, "__name__", "") in ("__get__", "__set__"):
        return True
    return any(func is value for owner in Tensor.__mro__ for value in vars(owner).values())


def resolve_name(f: Any) -> str | None:
    """The name of an overridable function, such as ``torch.nn.functional.relu``; None if it is none."""
    enable()
    if id(f) in _asking:
        return _asking[id(f)][0]
    return overriding.name_of(f) if is_tensor_method_or_property(f) else None


def _get_current_function_mode_stack() -> list[TorchFunctionMode]:
    """The modes that are entered, the outermost first."""
    return list(overriding.modes())


def _get_current_function_mode() -> TorchFunctionMode | None:
    """The mode that is asked first; None outside of all."""
    entered = overriding.modes()
    return entered[-1] if entered else None


#: makers of tensors, which ask no argument but do ask modes
_MAKERS = """
    arange as_tensor asarray empty empty_strided eye from_numpy full linspace logspace ones rand randint randn
    randperm scalar_tensor tensor tril_indices triu_indices zeros
"""


def _of_modes() -> Iterable[tuple[FunctionType, Any]]:
    """What asks modes, and what modes see in its place: functions, makers of tensors, methods, operators."""
    seen: set[int] = set()
    found: Any
    for name in _MAKERS.split():
        found = getattr(convgrad, name)
        yield found, None
    for _, found in tuple(_functions()):
        seen.add(id(found))
        yield found, None
    for name in dir(Tensor):
        found = getattr(Tensor, name, None)
        listed = name in subclass.OPERATORS or name in subclass.SYMMETRIC or not name.startswith("_")
        if not listed and name not in _DUNDERS:
            continue
        if isinstance(found, FunctionType) and id(found) not in seen:
            seen.add(id(found))
            other = subclass.OPERATORS.get(name) or subclass.SYMMETRIC.get(name)
            yield found, getattr(Tensor, other) if other else None


_DUNDERS = frozenset(
    """
    __getitem__ __setitem__ __iadd__ __isub__ __imul__ __itruediv__ __rsub__ __rtruediv__ __rpow__ __rmatmul__
    __floordiv__ __invert__ __and__ __or__ __xor__ __eq__ __len__ __float__ __int__ __bool__ __iter__
    """.split()
)
modes.announce(_of_modes)
enable()
