"""Programs about ``Module`` that both libraries run: hooks, states, registration, walks, casts, containers."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import convgrad
from convgrad.nn import hooks as our_hooks

from .layers_support import flat, seed

Program = Callable[[Any], Any]


def plain(value: Any) -> Any:
    """A result as numbers and text that both libraries can agree on."""
    if hasattr(value, "detach"):
        return np.round(value.detach().numpy().astype(np.float64), 5).tolist()
    if isinstance(value, dict):
        return [(k, plain(v)) for k, v in value.items()]
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    return repr(value)


def module_hooks(t: Any) -> Any:
    """Where the hooks of all modules are registered."""
    return our_hooks if t is convgrad else t.nn.modules.module


class Log(list):
    """What hooks saw."""

    def __call__(self, name: str, result: Any = None) -> Callable[..., Any]:
        def hook(module: Any, *args: Any) -> Any:
            self.append((name, type(module).__name__, plain([a for a in args if not isinstance(a, str)])))
            return result

        return hook


def net(t: Any) -> Any:
    seed(1)
    return t.nn.Sequential(t.nn.Linear(2, 3), t.nn.Sequential(t.nn.Tanh(), t.nn.Linear(3, 1)))


def x(t: Any, grad: bool = False) -> Any:
    return t.tensor([[0.5, -1.0], [2.0, 0.25]], requires_grad=grad)


# --- hooks ----------------------------------------------------------------------------------------


def forward_hooks(t: Any) -> Any:
    log, m = Log(), net(t)
    m[0].register_forward_pre_hook(log("pre"))
    m[0].register_forward_pre_hook(log("first"), prepend=True)
    m[1].register_forward_pre_hook(log("kw"), with_kwargs=True)
    m[1][0].register_forward_hook(log("after"))
    gone = m[1][0].register_forward_hook(log("gone"))
    m[1].register_forward_hook(log("kw-after"), with_kwargs=True, prepend=True)
    gone.remove()
    gone.remove()
    with m.register_forward_hook(log("block")):
        out = m(x(t))
    return out, m(x(t)), list(log)


def replacing_hooks(t: Any) -> Any:
    m = net(t)
    m[0].register_forward_pre_hook(lambda m, a: a[0] * 2)
    m[0].register_forward_hook(lambda m, a, out: out + 1)
    m[1].register_forward_pre_hook(lambda m, a, k: ((a[0] - 1,), k), with_kwargs=True)
    m[1].register_forward_hook(lambda m, a, k, out: out * 3, with_kwargs=True)
    return m(x(t))


class Failing(Exception):
    """What the failing hooks and modules raise."""


def always_called(t: Any) -> Any:
    log = Log()

    class Bad(t.nn.Module):
        def forward(self, x: Any) -> Any:
            raise Failing

    m = Bad()
    m.register_forward_hook(log("not"))
    m.register_forward_hook(log("always"), always_call=True)
    m.register_forward_hook(log("kw"), always_call=True, with_kwargs=True)
    with pytest.raises(Failing):
        m(x(t))
    n = t.nn.ReLU()

    def fail(*_: Any) -> None:
        raise Failing

    n.register_forward_hook(log("before"), always_call=True)
    n.register_forward_hook(fail)
    n.register_forward_hook(log("behind"), always_call=True)
    n.register_forward_hook(log("lost"))
    with pytest.raises(Failing):
        n(x(t))
    return list(log)


def always_that_fails(t: Any) -> Any:
    class Bad(t.nn.Module):
        def forward(self) -> None:
            raise ValueError("first")

    def fail(*_: Any) -> None:
        raise Failing("second")

    m = Bad()
    m.register_forward_hook(fail, always_call=True)
    with (
        pytest.warns(UserWarning, match="raised an exception that was silenced"),
        pytest.raises(ValueError, match="first"),
    ):
        m()


def backward_hooks(t: Any) -> Any:
    log, m = Log(), net(t)
    m[0].register_full_backward_hook(log("full"))
    m[1].register_full_backward_hook(log("scaled"))
    m[1].register_full_backward_pre_hook(log("early"))
    m.register_full_backward_hook(log("first"), prepend=True)
    v = x(t, True)
    m(v).sum().backward()
    return v.grad, [p.grad for p in m.parameters()], list(log)


def replacing_backward_hooks(t: Any) -> Any:
    m = net(t)
    m[1].register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
    m[1].register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
    v = x(t, True)
    m(v).sum().backward()
    return v.grad, [p.grad for p in m.parameters()]


def backward_hooks_of_inputs_without_gradient(t: Any) -> Any:
    log, m = Log(), net(t)
    m[0].register_full_backward_hook(log("full"))
    m(x(t)).sum().backward()
    return list(log)


def backward_hooks_of_several(t: Any) -> Any:
    log = Log()

    class Two(t.nn.Module):
        def forward(self, a: Any, n: int, b: Any) -> Any:
            return a * n, b * a

    m = Two()
    m.register_full_backward_hook(log("two"))
    v, w = x(t, True), x(t, True)
    p, q = m(v, 3, w)
    (p.sum() + 2 * q.sum()).backward()
    return v.grad, w.grad, list(log)


class Packed(NamedTuple):
    """A result with names."""

    a: Any
    b: Any


def backward_hooks_of_a_named_tuple(t: Any) -> Any:
    log = Log()

    class Named(t.nn.Module):
        def forward(self, x: Any) -> Any:
            return Packed(x * 2, x * 3)

    m = Named()
    m.register_forward_hook(log("after"))
    v = x(t, True)
    out = m(v)
    (out.a.sum() + out.b.sum()).backward()
    return v.grad, type(out).__name__, [name for name, *_ in log]


def backward_hooks_of_other_results(t: Any) -> Any:
    log = Log()

    class Dict(t.nn.Module):
        def forward(self, x: Any) -> Any:
            return {"a": x * 2}

    m = Dict()
    m.register_full_backward_hook(log("dict"))
    v = x(t, True)
    with pytest.warns(UserWarning, match="module output should be a Tensor or a tuple of Tensors"):
        m(v)["a"].sum().backward()
    return v.grad, list(log)


def backward_hooks_run_once_per_pass(t: Any) -> Any:
    log, m = Log(), t.nn.Tanh()
    m.register_full_backward_hook(log("tanh"))
    v = x(t, True)
    (g,) = t.autograd.grad(m(m(v)).sum(), v, create_graph=True)
    g.sum().backward()
    return v.grad, g, len(log)


def old_backward_hooks(t: Any) -> Any:
    log = Log()
    m = t.nn.Tanh()
    m.register_backward_hook(log("old"))
    v = x(t, True)
    m(v).sum().backward()
    return v.grad, list(log)


def hooks_everywhere(t: Any) -> Any:
    log, m, where = Log(), net(t), module_hooks(t)
    handles = [
        where.register_module_forward_pre_hook(log("pre")),
        where.register_module_forward_hook(log("after")),
        where.register_module_forward_hook(log("kw"), with_kwargs=True),
        where.register_module_full_backward_hook(log("back")),
        where.register_module_full_backward_pre_hook(log("early")),
    ]
    m[0].register_forward_pre_hook(log("own"))
    v = x(t, True)
    m(v).sum().backward()
    for handle in handles:
        handle.remove()
    count = len(log)
    m(v)
    return v.grad, list(log), len(log) - count


def hooks_on_registration(t: Any) -> Any:
    log, where = Log(), module_hooks(t)
    seen: list[Any] = []

    def saw(module: Any, name: str, value: Any) -> None:
        kind = type(value).__name__.replace("Buffer", "Tensor")  # PyTorch's Buffer makes a Tensor
        seen.append((type(module).__name__, name, kind))

    handles = [
        getattr(where, f"register_module_{kind}_registration_hook")(saw)
        for kind in ("parameter", "buffer", "module")
    ]
    try:
        t.nn.Sequential(t.nn.Linear(1, 1, bias=False), t.nn.BatchNorm1d(1, affine=False))
        m = t.nn.Module()
        m.w = t.nn.Parameter(t.ones(1))
        m.b = t.nn.Buffer(t.ones(1))
        m.child = t.nn.ReLU()
        m.add_module("none", None)
    finally:
        for handle in handles:
            handle.remove()
    replaced = where.register_module_parameter_registration_hook(
        lambda m, n, p: t.nn.Parameter(p.detach() * 0 + 7)
    )
    with replaced:
        linear = t.nn.Linear(1, 1)
    return seen, linear.weight.shape[0], list(log)


def tables_of_hooks(t: Any) -> Any:
    """What programs look at: ``_forward_hooks`` and the like."""
    m = t.nn.ReLU()
    hook = Log()("x")
    m.register_forward_hook(hook)
    m.register_forward_pre_hook(hook)
    found = [list(m._forward_hooks.values()) == [hook], list(m._forward_pre_hooks.values()) == [hook]]
    m._forward_hooks.clear()
    return found, len(m._forward_hooks), len(m._backward_hooks)


def hooks_in_copies(t: Any) -> Any:
    m = t.nn.Sequential(t.nn.Tanh())
    m[0].register_forward_hook(double)
    return copy.deepcopy(m)(x(t)), pickle.loads(pickle.dumps(m))(x(t)), copy.copy(m)(x(t))


def double(module: Any, args: Any, out: Any) -> Any:
    """A hook that can be pickled."""
    return out * 2


# --- states ---------------------------------------------------------------------------------------


def state_hooks(t: Any) -> Any:
    log, m = Log(), net(t)
    m.register_state_dict_pre_hook(lambda m, prefix, keep: log.append(("pre", prefix, keep)))
    m[1].register_state_dict_post_hook(lambda m, s, prefix, meta: s.update({prefix + "more": t.ones(1)}))
    m[0]._register_state_dict_hook(lambda m, s, prefix, meta: log.append((prefix, meta)))
    handle = m[0].register_state_dict_pre_hook(lambda *_: log.append("gone"))
    handle.remove()
    m._register_state_dict_hook(lambda m, s, prefix, meta: OrderedDict(list(s.items())[:2]))
    return m.state_dict(prefix="p.", keep_vars=True), list(log)


def load_hooks(t: Any) -> Any:
    log, m = Log(), net(t)

    def rename(*args: Any) -> None:
        state, prefix = args[-7], args[-6]
        if prefix + "old" in state:
            state[prefix + "weight"] = state.pop(prefix + "old")

    def with_module(module: Any, *args: Any) -> None:
        log.append((type(module).__name__, len(args), args[1], args[3]))

    m[0]._register_load_state_dict_pre_hook(rename)
    m[1].register_load_state_dict_pre_hook(with_module)
    m[1][1].register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    m.register_load_state_dict_post_hook(lambda m, keys: log.append(plain(keys.missing_keys)))
    state = m.state_dict()
    state["0.old"] = state.pop("0.weight") * 0 + 5
    del state["1.1.bias"]
    result = m.load_state_dict(state)
    return plain(result.missing_keys), m[0].weight, list(log)


def extra_state(t: Any) -> Any:
    class Counter(t.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.count = 3

        def get_extra_state(self) -> Any:
            return {"count": self.count}

        def set_extra_state(self, state: Any) -> None:
            self.count = state["count"]

    m = t.nn.Sequential(Counter())
    state = m.state_dict()
    m[0].count = 0
    m.load_state_dict(state)
    missing = m.load_state_dict({}, strict=False).missing_keys
    unexpected = t.nn.Sequential(t.nn.ReLU()).load_state_dict(state, strict=False).unexpected_keys
    return list(state), m[0].count, missing, unexpected


def non_persistent(t: Any) -> Any:
    m = t.nn.Module()
    m.register_buffer("a", t.ones(1), persistent=False)
    m.register_buffer("b", t.ones(2))
    m.register_buffer("c", None)
    m.d = t.nn.Buffer(t.ones(1), persistent=False)
    before = list(m.state_dict()), [n for n, _ in m.named_buffers()]
    m.register_buffer("a", t.ones(1))
    m.c = t.zeros(1)
    del m.b
    return before, list(m.state_dict()), m.load_state_dict({"b": t.ones(2), "a": t.ones(1)}, strict=False)


def assigned(t: Any) -> Any:
    m = net(t)
    m[0].weight.requires_grad_(False)
    state = {k: v.double() for k, v in m.state_dict().items()}
    m.load_state_dict(state, assign=True)
    kinds = [(n, type(p).__name__, str(p.dtype)[-7:], p.requires_grad) for n, p in m.named_parameters()]
    return kinds, m[1][1].bias.data_ptr() == state["1.1.bias"].data_ptr()


def batch_norm_of_old(t: Any) -> Any:
    m = t.nn.BatchNorm1d(2)
    state = m.state_dict()
    versions = state._metadata[""]["version"]
    del state["num_batches_tracked"]
    del state._metadata
    return versions, plain(m.load_state_dict(state))


def positional_state_dict(t: Any) -> Any:
    target: dict[str, Any] = {}
    with pytest.warns(FutureWarning, match="Positional args are being deprecated"):
        t.nn.ReLU().state_dict(target, "p.")
    own = OrderedDict()
    returned = net(t).state_dict(destination=own)
    return target, list(own), returned is own, type(net(t).state_dict()).__name__


def own_load(t: Any) -> Any:
    """A module that loads its own way."""

    class Mine(t.nn.Linear):
        def _load_from_state_dict(self, state: Any, prefix: str, *rest: Any) -> None:
            state[prefix + "weight"] = state[prefix + "weight"] * 0
            super()._load_from_state_dict(state, prefix, *rest)

        def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[prefix + "note"] = t.ones(1)

    m = t.nn.Sequential(Mine(1, 1))
    keys = m.load_state_dict(m.state_dict(), strict=False)
    return list(m.state_dict()), m[0].weight + 1, keys.unexpected_keys


# --- registration, walks, casts -------------------------------------------------------------------


def walks(t: Any) -> Any:
    m = net(t)
    m.tied = m[0]
    m[1].weight = m[0].weight
    m.register_buffer("buf", t.ones(1))
    m[1].register_buffer("other", m.buf)
    names = {
        "modules": [n for n, _ in m.named_modules()],
        "twice": [n for n, _ in m.named_modules(remove_duplicate=False)],
        "prefix": [n for n, _ in m.named_modules(prefix="p")],
        "memo": [n for n, _ in m.named_modules(memo={m[1]})],
        "children": [n for n, _ in m.named_children()],
        "parameters": [n for n, _ in m.named_parameters("q")],
        "own": [n for n, _ in m.named_parameters(recurse=False)],
        "all": [n for n, _ in m.named_parameters(remove_duplicate=False)],
        "buffers": [n for n, _ in m.named_buffers("b", remove_duplicate=False)],
        "once": [n for n, _ in m.named_buffers()],
        "count": len(list(m.modules())), "with copies": len(list(m.modules(remove_duplicate=False))),
    }  # fmt: skip
    return names


def order_after_assignment(t: Any) -> Any:
    m = t.nn.Linear(2, 2)
    m.weight = t.nn.Parameter(t.ones(2, 2))
    first = [n for n, _ in m.named_parameters()]
    m.bias = None
    m.bias = t.nn.Parameter(t.ones(2))
    s = net(t)
    s[0] = t.nn.ReLU()
    return first, [n for n, _ in m.named_parameters()], [n for n, _ in s.named_children()]


def a_parameter_becomes_a_buffer(t: Any) -> Any:
    m = t.nn.Module()
    m.a = t.nn.Parameter(t.ones(1))
    del m.a
    m.a = t.nn.Buffer(t.ones(1))
    m.plain = 3
    m.plain = t.nn.ReLU()
    m.child = t.nn.ReLU()
    m.child = None
    return list(m._parameters), list(m._buffers), list(m._modules), "plain" in m.__dict__, m.child


def submodules(t: Any) -> Any:
    m = net(t)
    m.set_submodule("1.0", t.nn.ELU())
    m.set_submodule("more", t.nn.ReLU())
    return (
        repr(m),
        repr(m.get_submodule("")),
        repr(m.get_submodule("1.0")),
        m.get_parameter("1.1.bias").shape[0],
    )


def casts(t: Any) -> Any:
    found = []
    for cast in (
        lambda m: m.double(), lambda m: m.half(), lambda m: m.bfloat16(), lambda m: m.float(), lambda m: m.to(t.float64),
        lambda m: m.to("cpu", t.float16), lambda m: m.to(t.zeros(1, dtype=t.float64)), lambda m: m.type(t.float64),
        lambda m: m.type("torch.HalfTensor"), lambda m: m.to(device="cpu", dtype=t.float64, non_blocking=True),
        lambda m: m.cpu(), lambda m: m.share_memory(), lambda m: m.to(memory_format=t.channels_last),
        lambda m: m.to_empty(device="cpu"), lambda m: m.requires_grad_(False), lambda m: m.eval(), lambda m: m.train(),
    ):  # fmt: skip
        m = t.nn.Sequential(t.nn.Linear(2, 2), t.nn.BatchNorm1d(2))
        m(t.ones(3, 2)).sum().backward()
        same = cast(m) is m
        found.append([
            same, m.training, [(str(v.dtype).replace("convgrad", "torch"), list(v.shape)) for v in m.state_dict().values()],
            [(p.requires_grad, str(p.grad.dtype), p.is_leaf) for p in m.parameters()],
        ])  # fmt: skip
    return found


def apply_and_gradients(t: Any) -> Any:
    m, seen = net(t), []
    assert m.apply(lambda k: seen.append(type(k).__name__)) is m
    m(x(t)).sum().backward()
    m.zero_grad(set_to_none=False)
    zeros = [p.grad for p in m.parameters()]
    m.zero_grad()
    return seen, zeros, [p.grad for p in m.parameters()], m.compile()


def looks(t: Any) -> Any:
    class Own(t.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = t.nn.ReLU()

        def extra_repr(self) -> str:
            return "one\ntwo"

    m = Own()
    m.w = t.nn.Parameter(t.ones(1))
    names = [n for n in dir(m) if n in ("a", "w", "forward", "training", "0")]
    return repr(m), repr(t.nn.Module()), repr(t.nn.Sequential(Own())), names, str(m) == repr(m), [
        n for n in dir(t.nn.Sequential(t.nn.ReLU())) if n == "0"
    ]  # fmt: skip


def super_init(t: Any) -> Any:
    """``call_super_init`` hands arguments on to other bases."""

    class Other:
        def __init__(self, value: int) -> None:
            self.value = value

    class Both(t.nn.Module, Other):
        call_super_init = True

    return Both(5).value


def copies(t: Any) -> Any:
    m = net(t)
    m.shared = m[0].weight
    m[0].weight.grad = t.ones(3, 2)
    deep, shallow, loaded = copy.deepcopy(m), copy.copy(m), pickle.loads(pickle.dumps(m))
    m[0].weight.data.fill_(9.0)
    return (
        deep.shared is deep[0].weight, shallow[0] is m[0], loaded.shared is loaded[0].weight, deep[0].weight.grad,
        deep[0].weight, [n for n, _ in loaded.named_parameters()], deep.training,
    )  # fmt: skip


def containers(t: Any) -> Any:
    n = t.nn
    ones = [t.ones(k) for k in (1, 2)]
    d, e = n.ParameterDict({"b": ones[0], "a": ones[1]}), n.ParameterDict([("z", ones[0]), ("y", 3)])
    listed = n.ParameterList(ones)
    listed[0] = t.zeros(3)
    listed += [t.ones(4), "text"]
    chain = n.Sequential(n.ReLU(), n.Tanh())
    chain *= 2
    modules = n.ModuleDict({"b": n.ReLU(), "a": n.Tanh()})
    modules.update({"c": n.ELU(), "b": n.SiLU()})
    several = n.ModuleList([n.ReLU(), n.Tanh()])
    several.insert(1, n.ELU())
    last = several.pop(-1)
    found = [
        list(d), list(e), sorted((d | e).keys()), repr(d), repr(listed), [k for k, _ in listed.named_parameters()],
        len(listed[1:]), repr(chain), repr(modules), list(modules), "c" in modules, repr(several), repr(last),
        repr(several + [n.GELU()]), repr(chain[1:3]), list(reversed(e)), d.get("q", 7), e.setdefault("w", 4),
        plain(list(d.pop("a").shape)), len(d), list(d.fromkeys(["s", "r"], 1)), repr(n.Sequential(OrderedDict(f=n.ReLU()))),
    ]  # fmt: skip
    e.clear(), modules.clear()
    return [*found, len(e), len(modules), [list(p.shape) for p in flat(list(listed.parameters()))]]


PROGRAMS: list[Program] = [
    forward_hooks, replacing_hooks, always_called, always_that_fails, backward_hooks, replacing_backward_hooks,
    backward_hooks_of_inputs_without_gradient, backward_hooks_of_several, old_backward_hooks,
    backward_hooks_of_a_named_tuple, backward_hooks_of_other_results, backward_hooks_run_once_per_pass, hooks_everywhere,
    hooks_on_registration, tables_of_hooks, hooks_in_copies, state_hooks, load_hooks, extra_state, non_persistent,
    assigned, batch_norm_of_old, positional_state_dict, own_load, walks, order_after_assignment,
    a_parameter_becomes_a_buffer, submodules, casts, apply_and_gradients, looks, super_init, copies, containers,
]  # fmt: skip
