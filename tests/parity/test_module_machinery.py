"""``Module`` against PyTorch 2.13: hooks, states, registration, walks, casts, containers, copies, messages.

Each row is a program that is run with both libraries; what it returns, and what it raises, must be equal.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

import convgrad

from .layers_support import LIBRARIES, same_error
from .module_programs import PROGRAMS, Program, net, plain, x


@pytest.mark.filterwarnings("ignore:`torch.jit.script")
@pytest.mark.filterwarnings("ignore:Using a non-full backward hook")
@pytest.mark.filterwarnings("ignore:Full backward hook is firing when gradients are computed with respect")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_programs(program: Program) -> None:
    ours, theirs = [plain(program(t)) for t in LIBRARIES]
    assert str(ours).replace("convgrad.", "torch.") == str(theirs)


def bare(t: Any, body: Callable[[Any], Any]) -> Any:
    """A module whose ``__init__`` does something before that of ``Module``."""

    class Early(t.nn.Module):
        def __init__(self) -> None:
            body(self)

    return Early()


def hooked(t: Any, kind: str, result: Any, **more: Any) -> Any:
    m = t.nn.Linear(1, 1)
    getattr(m, kind)(lambda *_: result, **more)
    return m


def back(t: Any, hook: Any, early: Any = None, grad: bool = True) -> None:
    """A backward with hooks."""
    m = t.nn.Linear(2, 2)
    if hook is not None:
        m.register_full_backward_hook(hook)
    if early is not None:
        m.register_full_backward_pre_hook(early)
    m(x(t, grad)).sum().backward()


ERRORS: list[tuple[Program, str | None]] = [
    (lambda t: net(t).get_submodule("1.5"), None),
    (lambda t: net(t).get_submodule("0.weight"), None),
    (lambda t: net(t).get_parameter("0.w"), None),
    (lambda t: t.nn.BatchNorm1d(2).get_parameter("running_mean"), None),
    (lambda t: t.nn.BatchNorm1d(2).get_buffer("weight"), None),
    (lambda t: t.nn.BatchNorm1d(2).get_buffer("no"), None),
    (lambda t: net(t).set_submodule("", t.nn.ReLU()), None),
    (lambda t: net(t).set_submodule("x.y", t.nn.ReLU()), None),
    (lambda t: net(t).set_submodule("new", t.nn.ReLU(), strict=True), None),
    (lambda t: net(t).set_submodule("0", 3), None),
    (lambda t: net(t).set_submodule("0.weight", t.nn.ReLU()), None),
    (lambda t: t.nn.Module().get_extra_state(), "Reached a code path in Module.get_extra_state() that should never"),
    (lambda t: t.nn.Module().set_extra_state(1), "Reached a code path in Module.set_extra_state() that should never"),
    (lambda t: net(t).to(t.int32), None),
    (lambda t: net(t).type(t.int32), None),
    (lambda t: net(t).to_empty(), "to_empty() missing 1 required keyword-only argument: 'device'"),
    (lambda t: net(t).train(3), None),
    (lambda t: t.nn.Module()(3), None),
    (lambda t: setattr(net(t), "0", 3), None),
    (lambda t: net(t).register_parameter("0", None), None),
    (lambda t: net(t).register_parameter("a.b", None), 'contain "."'),
    (lambda t: net(t).register_parameter("", None), None),
    (lambda t: net(t).register_parameter("q", t.ones(1)), None),
    (lambda t: net(t).register_parameter(3, None), None),
    (lambda t: net(t).register_parameter("train", None), None),
    (lambda t: net(t).register_buffer("0", None), None),
    (lambda t: net(t).register_buffer("a.b", None), 'contain "."'),
    (lambda t: net(t).register_buffer("q", 3), None),
    (lambda t: net(t).register_buffer(3, None), None),
    (lambda t: net(t).register_buffer("", None), None),
    (lambda t: net(t).add_module("a.b", None), None),
    (lambda t: net(t).add_module("q", 3), None),
    (lambda t: net(t).add_module(3, None), None),
    (lambda t: net(t).add_module("", None), None),
    (lambda t: net(t).add_module("train", None), None),
    (lambda t: bare(t, lambda m: setattr(m, "w", t.nn.Parameter(t.ones(1)))), None),
    (lambda t: bare(t, lambda m: setattr(m, "w", t.nn.ReLU())), None),
    (lambda t: bare(t, lambda m: setattr(m, "w", t.nn.Buffer(t.ones(1)))), None),
    (lambda t: bare(t, lambda m: m.register_buffer("w", None)), None),
    (lambda t: bare(t, lambda m: m.register_parameter("w", None)), None),
    (lambda t: list(bare(t, lambda m: None).parameters()), None),
    (lambda t: setattr(t.nn.Linear(1, 1), "weight", t.ones(1)), None),
    (lambda t: setattr(t.nn.BatchNorm1d(1), "running_mean", 3), None),
    (lambda t: t.nn.Linear(1, 1).foo, None),
    (lambda t: delattr(t.nn.Linear(1, 1), "foo"), None),
    (lambda t: t.nn.Module(3), None),
    (lambda t: t.nn.Module(a=3), None),
    (lambda t: net(t).load_state_dict(3), None),
    (lambda t: net(t).load_state_dict({"a": 1, "0.weight": t.ones(3, 2)}), None),
    (lambda t: net(t).load_state_dict({**net(t).state_dict(), "0.weight": t.ones(1), "0.bias": t.ones(2)}), None),
    (lambda t: net(t).load_state_dict({"0.weight": t.ones(1), "x.y": t.ones(1)}), None),
    (lambda t: t.nn.Linear(1, 1).load_state_dict({"weight": 3, "bias": t.ones(1)}), None),
    (lambda t: hooked(t, "register_backward_hook", None).register_full_backward_hook(print), None),
    (lambda t: hooked(t, "register_full_backward_hook", None).register_backward_hook(print), None),
    (lambda t: hooked(t, "register_forward_pre_hook", 3, with_kwargs=True)(t.ones(1, 1)), None),
    (lambda t: hooked(t, "register_state_dict_post_hook", {}).state_dict(), None),
    (lambda t: hooked(t, "register_load_state_dict_post_hook", 3).load_state_dict(t.nn.Linear(1, 1).state_dict()), None),
    (lambda t: back(t, lambda m, gi, go: (gi[0], gi[0])), None),
    (lambda t: back(t, None, lambda m, go: (go[0], go[0])), None),
    (lambda t: back(t, lambda m, gi, go: 3), "object of type 'int' has no len()"),
    (lambda t: back(t, lambda m, gi, go: go, grad=False), None),
    (lambda t: t.nn.ModuleList([1]), None),
    (lambda t: t.nn.ModuleList([t.nn.ReLU()])[3], None),
    (lambda t: t.nn.ModuleDict({"a": 1}), None),
    (lambda t: t.nn.ModuleDict({"a": t.nn.ReLU()})["b"], None),
    (lambda t: t.nn.ModuleDict([("a", t.nn.ReLU(), 3)]), None),
    (lambda t: t.nn.ModuleDict([3]), None),
    (lambda t: t.nn.ModuleDict(3), None),
    (lambda t: t.nn.ModuleDict()["keys"], None),
    (lambda t: t.nn.ModuleDict({"keys": t.nn.ReLU()}), None),
    (lambda t: t.nn.ParameterList([1])[4], None),
    (lambda t: t.nn.ParameterList([1])(), None),
    (lambda t: t.nn.ParameterList(3), None),
    (lambda t: t.nn.ParameterDict(3), None),
    (lambda t: t.nn.ParameterDict([3]), None),
    (lambda t: t.nn.ParameterDict()["x"], "x"),
    (lambda t: t.nn.ParameterDict()[3], "cannot be used as a key as it is not a string (type is 'int')"),
    (lambda t: t.nn.Sequential(3), None),
    (lambda t: t.nn.Sequential() * 0, "Non-positive multiplication factor 0 for"),
    (lambda t: t.nn.Sequential() * "a", "unsupported operand type(s) for *"),
    (lambda t: t.nn.Sequential() + 3, "add operator supports only objects of Sequential class"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Full backward hook is firing when gradients are computed with respect")
@pytest.mark.parametrize(("call", "phrase"), ERRORS, ids=range(len(ERRORS)))
def test_errors(call: Program, phrase: str | None) -> None:
    same_error(call, phrase)


def test_hooks_of_a_module_whose_inputs_need_no_gradient_warn() -> None:
    for t in LIBRARIES:
        with pytest.warns(UserWarning, match="Full backward hook is firing when gradients are computed"):
            back(t, lambda m, gi, go: None, grad=False)


def test_every_public_method_of_pytorch_exists() -> None:
    wanted = {n for n in vars(torch.nn.Module) if not n.startswith("_")}
    assert wanted - set(dir(convgrad.nn.Module)) == {"T_destination"}  # a type variable
    for name in ("ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "Sequential"):
        theirs = {n for n in vars(getattr(torch.nn, name)) if not n.startswith("_")}
        assert theirs <= set(dir(getattr(convgrad.nn, name))), name


def test_a_strict_load_that_fails_changes_nothing() -> None:
    """PyTorch has copied what fits by then."""
    m = net(convgrad)
    before = plain(m.state_dict())
    state = {k: v * 0 for k, v in m.state_dict().items()}
    state["0.bias"] = convgrad.ones(7)
    with warnings.catch_warnings(), pytest.raises(RuntimeError, match=r"size mismatch for 0\.bias"):
        m.load_state_dict(state)
    assert plain(m.state_dict()) == before
