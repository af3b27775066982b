"""``TorchFunctionMode`` beside PyTorch: what a mode sees, how modes stack, what is there after them."""

from __future__ import annotations

import threading
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.overrides

import convgrad
import convgrad.overrides

pytestmark = pytest.mark.parity


def _log(t: ModuleType, seen: list[Any]) -> Any:
    class Log(t.overrides.TorchFunctionMode):  # type: ignore[misc, name-defined]
        def __init__(self, tag: str = "") -> None:
            self.tag = tag

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append((self.tag, func.__name__, len(types)))
            return func(*args, **(kwargs or {}))

    return Log


def _ordinary(t: Any) -> Any:
    seen: list[Any] = []
    x, layer = t.ones(2, requires_grad=True), t.nn.Linear(2, 2)
    with _log(t, seen)():
        y = t.zeros(2)
        y.add(1), y + 1, 1 - y, y.add_(1), t.add(y, y), -y, y @ y, abs(y), y == y
        t.nn.functional.relu(y), layer(y), t.einsum("i,i", y, y), t.cat([y, y]), y.view(2), y.t()
        y[0] = y[1]
        (x * 2).sum().backward()
        t.tensor([1.0]).exp().log()
    return [name for _, name, _ in seen], x.grad.tolist()


def _nested(t: Any) -> Any:
    seen: list[Any] = []
    log = _log(t, seen)
    with log("a"):
        with log("b") as inner:
            t.ones(1).mul(2)
            stack = [m.tag for m in t.overrides._get_current_function_mode_stack()]
        with inner, inner:  # entered again, twice
            t.ones(1)
    return seen, stack, t.overrides._get_current_function_mode_stack()


def _swap(t: Any) -> Any:
    class Swap(t.overrides.TorchFunctionMode):  # type: ignore[misc, name-defined]
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is t.add or func is t.Tensor.add:
                return "added"
            return NotImplemented if func is t.Tensor.mul else func(*args, **(kwargs or {}))

    x = t.ones(2)
    with Swap():
        found = [t.add(x, 1), x.add(1), x + 1]
        with pytest.raises(TypeError):
            x.mul(2)
    return found, x.add(1).tolist(), (x * 2).tolist(), t.add(x, 1).tolist()


def _subclass(t: Any) -> Any:
    seen: list[Any] = []

    class Sub(t.Tensor):  # type: ignore[misc, name-defined]
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(("sub", func.__name__))
            return super().__torch_function__(func, types, args, kwargs or {})

    x = t.ones(2).as_subclass(Sub)
    with _log(t, seen)("m"):
        x + 1
    with _log(t, seen)("m"), t._C.DisableTorchFunction():
        t.ones(1) + 1
    return seen


def _raising(t: Any) -> Any:
    with pytest.raises(NotImplementedError), t.overrides.TorchFunctionMode():
        t.ones(1)
    with t.overrides.BaseTorchFunctionMode():
        inside = (t.ones(1) + 1).tolist()
    return inside, (t.ones(1) + 1).tolist()


@pytest.mark.parametrize(
    "program", [_ordinary, _nested, _swap, _subclass, _raising], ids=lambda f: f.__name__[1:]
)
def test_modes(program: Any) -> None:
    assert program(convgrad) == program(torch)


def test_functions_are_as_before_after_a_mode() -> None:
    before = {name: getattr(convgrad.Tensor, name).__code__ for name in ("add", "__add__", "exp", "view")}
    with convgrad.overrides.BaseTorchFunctionMode():
        assert convgrad.Tensor.add.__code__ is not before["add"]
    assert all(getattr(convgrad.Tensor, name).__code__ is code for name, code in before.items())


def test_another_thread_is_in_no_mode() -> None:
    seen: list[Any] = []
    with _log(convgrad, seen)():
        worker = threading.Thread(target=lambda: seen.append(convgrad.ones(2).add(1).tolist()))
        worker.start()
        worker.join()
    assert seen == [[2.0, 2.0]]


def test_a_class_with_a_dispatcher_is_refused() -> None:
    class Wrapped(convgrad.Tensor):
        @classmethod
        def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*args, **(kwargs or {}))

    for make in (lambda: Wrapped([1.0]), lambda: convgrad.ones(1).as_subclass(Wrapped)):
        with pytest.raises(
            NotImplementedError, match="Wrapped defines __torch_dispatch__, which convgrad has not"
        ):
            make()
