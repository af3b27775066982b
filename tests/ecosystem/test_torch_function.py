"""``__torch_function__``: classes derived from Tensor, classes that are no tensors, and what it costs nobody else."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any, ClassVar

import pytest

import convgrad as torch
from convgrad.nn import functional as F
from convgrad.overrides import (
    get_ignored_functions,
    get_overridable_functions,
    handle_torch_function,
    has_torch_function,
    has_torch_function_unary,
    is_tensor_like,
    is_tensor_method_or_property,
    resolve_name,
    wrap_torch_function,
)


class Plain(torch.Tensor):
    """Keeps its class through everything."""


class Logging(torch.Tensor):
    """Writes down what is called."""

    seen: ClassVar[list[Any]] = []

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is not torch.Tensor.__repr__:  # a log prints tensors
            cls.seen.append((func, types))
        return super().__torch_function__(func, types, args, kwargs)


@pytest.fixture
def x() -> Logging:
    made = torch.tensor([1.0, -2.0]).as_subclass(Logging)
    Logging.seen.clear()
    return made


y = torch.tensor([3.0, 4.0])
T = torch.Tensor
CALLS: list[tuple[Any, Any]] = [
    (lambda x: x + 1, T.add),
    (lambda x: 1 + x, T.add),
    (lambda x: y + x, T.add),
    (lambda x: y - x, T.sub),
    (lambda x: x * y, T.mul),
    (lambda x: y / x, T.div),
    (lambda x: 2 / x, T.__rtruediv__),
    (lambda x: x @ y, T.matmul),
    (lambda x: -x, T.neg),
    (lambda x: x < y, T.lt),
    (lambda x: y < x, T.gt),
    (lambda x: x == y, T.__eq__),
    (lambda x: x**2, T.pow),
    (lambda x: x % 2, T.remainder),
    (lambda x: x[0], T.__getitem__),
    (lambda x: x.sum(), T.sum),
    (lambda x: x.add_(1), T.add_),
    (lambda x: x.data, T.data.__get__),
    (lambda x: x.mT if x.ndim > 1 else x.real, T.real.__get__),
    (lambda x: torch.add(x, y), torch.add),
    (lambda x: torch.add(y, x), torch.add),
    (lambda x: torch.add(input=y, other=x), torch.add),
    (lambda x: torch.exp(x), torch.exp),
    (lambda x: torch.maximum(y, x), torch.maximum),
    (lambda x: torch.atan2(y, other=x), torch.atan2),
    (lambda x: x != y, T.ne),
    (lambda x: torch.cat([y, x]), torch.cat),
    (lambda x: torch.stack((x, y)), torch.stack),
    (lambda x: torch.where(y > 3, x, y), torch.where),
    (lambda x: torch.einsum("i,i->", x, y), torch.einsum),
    (lambda x: torch.zeros_like(x), torch.zeros_like),
    (lambda x: F.relu(x), F.relu),
    (lambda x: F.linear(y, x), F.linear),
    (lambda x: torch.linalg.norm(x), torch.linalg.norm),
    (lambda x: torch.fft.fft(x), torch.fft.fft),
    (lambda x: torch.special.expit(x), torch.special.expit),
]


@pytest.mark.parametrize("place", range(len(CALLS)))
def test_the_handler_is_asked_with_the_public_function(x: Logging, place: int) -> None:
    call, func = CALLS[place]
    out = call(x)
    asked = [f for f, _ in Logging.seen if f != T.ndim.__get__]
    assert asked == [func] and Logging.seen[-1][1] == (Logging,)
    assert type(out) is Logging
    plain = call(torch.tensor([1.0, -2.0]))
    assert (type(plain) is torch.Tensor and torch.equal(plain, out.as_subclass(torch.Tensor))) or "lt" in str(
        func
    )


def test_layers_ask_too(x: Logging) -> None:
    layer = torch.nn.Linear(2, 1)
    assert type(layer(x)) is Logging
    assert F.linear in [f for f, _ in Logging.seen]


def test_names_of_functions_can_be_printed() -> None:
    for name in ("sum", "mean", "pow", "matmul", "exp", "__eq__", "__and__", "add", "lt"):
        assert getattr(torch.Tensor, name).__name__ == name


def test_a_subclass_stays_itself() -> None:
    p = Plain([1.0, 2.0])
    assert repr(p) == "Plain([1., 2.])" and isinstance(p, torch.Tensor)
    for out in (
        p + 1,
        p.T if p.ndim == 2 else p.mean(),
        torch.exp(p),
        p.max(0).values,
        p.split(1)[0],
        next(iter(p)),
        p.clone(),
        p[0],
        p.double(),
        torch.nn.ReLU()(p),
    ):
        assert type(out) is Plain
    assert type(p.max(0)).__name__ == "max"
    assert isinstance(p.shape, torch.Size) and p.tolist() == [1.0, 2.0] and p.dtype is torch.float32
    assert type(copy.deepcopy(p)) is Plain and type(pickle.loads(pickle.dumps(p))) is Plain
    assert type(torch.tensor([1.0]) + torch.tensor([2.0])) is torch.Tensor


def test_construction_in_pytorchs_ways() -> None:
    class Meta(torch.Tensor):
        @staticmethod
        def __new__(cls, data, meta, *args, **kwargs):
            return super().__new__(cls, data, *args, **kwargs)

        def __init__(self, data, meta) -> None:
            super().__init__()
            self.meta = meta

    m = Meta([1.0, 2.0], "about")
    assert type(m) is Meta and m.meta == "about" and m.tolist() == [1.0, 2.0] and not hasattr(m * 2, "meta")
    base = torch.ones(3)
    shared = Meta(base, 1)
    shared[0] = 7.0
    assert base[0] == 7.0
    assert Plain(2, 3).shape == (2, 3)
    leaf = torch.Tensor._make_subclass(Plain, torch.ones(2), True)
    assert type(leaf) is Plain and leaf.is_leaf and leaf.requires_grad


def test_gradients_flow_through() -> None:
    w = torch.ones(2, requires_grad=True)
    p = w.as_subclass(Plain)
    assert not p.is_leaf
    loss = (p * 3).sum()
    assert type(loss) is Plain
    loss.backward()
    assert w.grad.tolist() == [3.0, 3.0] and type(w.grad) is torch.Tensor
    leaf = Plain([1.0, 2.0]).requires_grad_()
    (leaf * leaf).sum().backward()
    assert leaf.grad.tolist() == [2.0, 4.0]
    v = leaf.detach()
    v[0] = 5.0
    assert type(v) is Plain and leaf.tolist() == [5.0, 2.0]


def test_a_view_made_of_a_subclass_follows_changes_in_place() -> None:
    p = Plain([[1.0, 2.0], [3.0, 4.0]])
    row = p[0]
    row.mul_(10)
    assert type(row) is Plain and p.tolist() == [[10.0, 20.0], [3.0, 4.0]]
    w = torch.ones(2, 2, requires_grad=True)
    q = (w * 1).as_subclass(Plain)
    q[0].mul_(3)
    q.sum().backward()
    assert w.grad.tolist() == [[3.0, 3.0], [1.0, 1.0]]


def test_handlers_can_be_passed_over(x: Logging) -> None:
    with torch._C.DisableTorchFunctionSubclass():
        assert (
            type(x + 1) is torch.Tensor
            and type(torch.exp(x)) is torch.Tensor
            and not has_torch_function((x,))
        )
    assert Logging.seen == []
    assert has_torch_function((x,)) and has_torch_function_unary(x) and not has_torch_function((y, 1.0, None))


def test_a_class_may_switch_handlers_off() -> None:
    class Off(torch.Tensor):
        __torch_function__ = torch._C._disabled_torch_function_impl

    assert type(Off([1.0]) + 1) is torch.Tensor and type(torch.exp(Off([1.0]))) is torch.Tensor
    assert not has_torch_function((Off([1.0]),))


def test_parameters_and_buffers_are_plain() -> None:
    p = torch.nn.Parameter(torch.ones(2))
    assert type(p * 2) is torch.Tensor and type(torch.exp(p)) is torch.Tensor and not has_torch_function((p,))

    class Mine(torch.nn.Parameter):
        pass

    assert type(Mine(torch.ones(2)) * 2) is torch.Tensor


def test_a_subclass_of_a_subclass_comes_first() -> None:
    class Child(Logging):
        seen: ClassVar[list[Any]] = []

    a, b = torch.ones(2).as_subclass(Logging), torch.ones(2).as_subclass(Child)
    Logging.seen.clear()
    for out in (a + b, b + a, torch.add(a, b), torch.stack([a, b])):
        assert type(out) is Child
    assert {types for _, types in Child.seen} == {(Child, Logging)} and not Logging.seen


def test_mixins_and_own_methods_come_first() -> None:
    class Loud:
        def relu(self) -> str:
            return "loud"

    class Both(Loud, torch.Tensor):
        def mean(self) -> str:
            return f"mine, not {super().mean().item()}"

    b = Both([1.0, 3.0])
    assert b.relu() == "loud" and b.mean() == "mine, not 2.0" and torch.mean(b).item() == 2.0


class Diagonal:
    """A matrix that is no tensor: the example of PyTorch's documentation."""

    handled: ClassVar[dict[Any, Any]] = {}

    def __init__(self, n: int, value: float) -> None:
        self.n, self.value = n, value

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func not in cls.handled or not all(issubclass(t, (torch.Tensor, cls)) for t in types):
            return NotImplemented
        return cls.handled[func](*args, **(kwargs or {}))


Diagonal.handled[torch.mean] = lambda d: d.value / d.n
Diagonal.handled[torch.add] = lambda a, b: ("sum", type(a).__name__, type(b).__name__)
Diagonal.handled[torch.cat] = lambda parts: len(parts)
Diagonal.handled[F.linear] = lambda x, w: "linear"


def test_other_classes_are_asked() -> None:
    d = Diagonal(5, 2.0)
    assert torch.mean(d) == 0.4 and torch.cat([y, d]) == 2 and F.linear(y, d) == "linear"
    assert torch.add(d, y) == ("sum", "Diagonal", "Tensor") and torch.add(y, d) == (
        "sum",
        "Tensor",
        "Diagonal",
    )
    with pytest.raises(
        TypeError,
        match=r"no implementation found for 'torch.exp' on types that implement __torch_function__: .*Diagonal",
    ):
        torch.exp(d)
    assert is_tensor_like(d) and is_tensor_like(y) and not is_tensor_like(3) and not torch.is_tensor(d)


def test_without_any_subclass_methods_functions_ask_other_classes() -> None:
    """In a fresh process, where nothing has woken the functions."""
    program = """
import convgrad as torch
class D:
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return func.__name__, [t.__name__ for t in types]
print(torch.mean(D()), torch.maximum(torch.ones(1), D()), 'convgrad.overrides' in __import__('sys').modules)
try:
    torch.add(torch.ones(1), D())
except TypeError as error:
    print("import torch.overrides first" in str(error))
import convgrad.overrides
print(torch.add(torch.ones(1), D()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "('mean', ['D']) ('maximum', ['D']) False\nTrue\n('add', ['D'])\n", done.stderr


def test_functions_keep_their_identity_and_signature() -> None:
    program = """
import inspect
import convgrad as torch
from convgrad.nn import functional as F
before = [torch.cat, torch.exp, F.linear, F.cross_entropy, torch.linalg.norm, torch.where]
signatures = [str(inspect.signature(f)) for f in before]
class P(torch.Tensor): pass
after = [torch.cat, torch.exp, F.linear, F.cross_entropy, torch.linalg.norm, torch.where]
assert all(a is b for a, b in zip(before, after))
assert signatures == [str(inspect.signature(f)) for f in after], signatures
assert type(before[0]([P([1.0])])) is P and F.linear.__doc__
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_warnings_still_name_the_line_that_called() -> None:
    """Functions that ask have frames more between the caller and the warning."""
    with pytest.warns(UserWarning, match="different to the input size") as seen:
        F.mse_loss(torch.ones(3, 1), torch.ones(3))
    assert seen[0].filename == __file__


def test_functions_of_ones_own() -> None:
    def clamp_all(a, b):
        if has_torch_function((a, b)):
            return handle_torch_function(clamp_all, (a, b), a, b)
        return a + b

    @wrap_torch_function(lambda a: (a,))
    def doubled(a):
        return a * 2

    p = Plain([1.0])
    assert type(clamp_all(y, p)) is Plain and type(doubled(p)) is Plain and type(doubled(y)) is torch.Tensor


def test_every_function_that_may_be_overridden_asks() -> None:
    """None of them is made in a way that ``enable`` does not know; found by giving each an odd argument."""

    class Odd:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func

    silent = []
    for space, functions in get_overridable_functions().items():
        for function in functions if space is not torch.Tensor else []:
            try:
                asked = function(Odd())
            except TypeError:  # it wants more arguments than one
                asked = function(Odd(), *[Odd()] * 5)
            if asked is not function:
                silent.append(function)
    assert silent == []


def test_what_may_be_overridden() -> None:
    table = get_overridable_functions()
    assert torch.exp in table[torch] and F.linear in table[F] and torch.Tensor.add in table[torch.Tensor]
    assert torch.tensor in get_ignored_functions() and torch.tensor not in table[torch]
    assert resolve_name(F.linear) == "torch.nn.functional.linear" and resolve_name(len) is None
    assert is_tensor_method_or_property(torch.Tensor.add) and is_tensor_method_or_property(T.grad.__get__)
    assert not is_tensor_method_or_property(torch.add)
