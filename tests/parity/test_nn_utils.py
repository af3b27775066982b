"""``nn.utils`` against PyTorch 2.13: clipping, vectors, parametrizations, norms of weights, pruning, fusion."""

from __future__ import annotations

import copy
import importlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import convgrad

from .layers_support import LIBRARIES, floats, same_error, seed
from .module_programs import plain

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated"),
    pytest.mark.filterwarnings("ignore:`torch.nn.utils.clip_grad_norm` is now"),
]

Program = Callable[[Any], Any]


def part(t: Any, name: str) -> Any:
    """A module of ``nn.utils``."""
    return importlib.import_module(f"{t.__name__}.nn.utils.{name}")


def layer(t: Any, kind: str = "Linear", *args: Any) -> Any:
    """A layer with the same weights in both libraries."""
    seed(5)
    return getattr(t.nn, kind)(*(args or (4, 3))).double()


def parameters(t: Any, *shapes: tuple[int, ...]) -> Any:
    out = []
    for k, shape in enumerate(shapes):
        p = t.nn.Parameter(t.tensor(floats(*shape, start=k)))
        p.grad = t.tensor(floats(*shape, start=9 + k) * 10)
        out.append(p)
    return out


def trained(t: Any, m: Any, *shape: int, steps: int = 3) -> Any:
    """Some steps of gradient descent: outputs, and the state at the end."""
    outs = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k in range(steps):
            out = m(t.tensor(floats(*shape, start=k)))
            out.sin().sum().backward()
            outs.append(out)
            with t.no_grad():
                for p in m.parameters():
                    p -= 0.05 * p.grad
            m.zero_grad()
    return outs, m.state_dict()


# --- clipping and vectors -------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [2.0, 1.0, 3, float("inf"), 0.5])
@pytest.mark.parametrize("bound", [0.5, 1e3])
def test_clipping(norm: float, bound: float) -> None:
    results = []
    for t in LIBRARIES:
        ps = [*parameters(t, (3, 2), (4,), ()), t.nn.Parameter(t.ones(2))]
        u = t.nn.utils
        total = u.clip_grad_norm_(ps, bound, norm)
        first = [p.grad for p in ps]
        one = u.clip_grad_norm_(ps[0], bound / 2, norm, foreach=False)
        known = u.get_total_norm([p.grad for p in ps[:3]], norm)
        u.clip_grads_with_norm_(ps, 0.01, known)
        u.clip_grad_value_(iter(ps), 0.002)
        results.append(plain([total, first, one, known, [p.grad for p in ps]]))
    assert results[0] == results[1]


def test_norms_of_single_precision_scale_to_the_bit() -> None:
    grads = []
    for t in LIBRARIES:
        p = t.nn.Parameter(t.zeros(3))
        p.grad = t.tensor([3.0, 4.0, 12.0])
        assert t.nn.utils.clip_grad_norm_(p, 1.7).item() == 13.0
        grads.append(p.grad.tolist())
    assert grads[0] == grads[1]


def test_an_empty_generator_warns() -> None:
    for t in LIBRARIES:
        with pytest.warns(
            UserWarning, match="`parameters` is an empty generator, no gradient clipping will occur"
        ):
            assert t.nn.utils.clip_grad_norm_((p for p in ()), 1.0).item() == 0
        with pytest.warns(FutureWarning, match="is now deprecated in favor of"):
            t.nn.utils.clip_grad_norm([], 1.0)


def vectors(t: Any) -> Any:
    ps = parameters(t, (3, 2), (4,), ())
    u = t.nn.utils
    v = u.parameters_to_vector(ps)
    (v * t.arange(11).double()).sum().backward()
    u.vector_to_parameters(t.arange(11).double(), ps)
    return v, [p.grad for p in ps], ps


# --- parametrize ----------------------------------------------------------------------------------


def symmetric(t: Any) -> Any:
    class Symmetric(t.nn.Module):
        def forward(self, x: Any) -> Any:
            return x.triu() + x.triu(1).T

        def right_inverse(self, x: Any) -> Any:
            return x.triu()

    return Symmetric()


def halves(t: Any) -> Any:
    class Halves(t.nn.Module):
        def forward(self, a: Any, b: Any) -> Any:
            return a + 2 * b

        def right_inverse(self, x: Any) -> Any:
            return x / 2, x / 4

    return Halves()


def shift(t: Any) -> Any:
    class Shift(t.nn.Module):
        def forward(self, x: Any) -> Any:
            return x + 1

        def right_inverse(self, x: Any) -> Any:
            return x - 1

    return Shift()


def parametrized(t: Any) -> Any:
    p = part(t, "parametrize")
    m = p.register_parametrization(layer(t, "Linear", 3, 3), "weight", symmetric(t))
    found = [
        repr(m), type(m).__name__, list(m.state_dict()), [n for n, _ in m.named_parameters()],
        p.is_parametrized(m), p.is_parametrized(m, "weight"), p.is_parametrized(m, "bias"),
        p.type_before_parametrizations(m) is t.nn.Linear, m.weight, m.parametrizations.weight.original,
        m.parametrizations.weight.is_tensor,
    ]  # fmt: skip
    m.weight = t.ones(3, 3).double() * 3
    found += [m.weight, m.parametrizations.weight.original]
    p.register_parametrization(m, "weight", shift(t))
    p.register_parametrization(m, "bias", halves(t))
    found += [repr(m), m.weight, m.bias, trained(t, m, 5, 3)]
    m.bias = t.ones(3).double()
    found += [list(m.state_dict()), m.bias, m.parametrizations.bias.ntensors]
    twin = copy.deepcopy(m)
    found += [twin.weight, type(twin) is type(m), twin.weight.grad_fn is None]
    p.remove_parametrizations(m, "bias")
    found += [list(m.state_dict()), m.bias, m.bias.requires_grad, type(m.bias).__name__]
    p.remove_parametrizations(m, "weight", leave_parametrized=True)
    return found, list(m.state_dict()), repr(m), type(m) is t.nn.Linear, m.weight, twin.state_dict()


def parametrized_left_as_trained(t: Any) -> Any:
    p = part(t, "parametrize")
    m = p.register_parametrization(layer(t, "Linear", 3, 3), "weight", symmetric(t))
    weight = m.parametrizations.weight.original
    p.remove_parametrizations(m, "weight", leave_parametrized=False)
    return m.weight is weight, m.weight, list(m.state_dict())


def parametrized_buffer(t: Any) -> Any:
    p = part(t, "parametrize")
    m = p.register_parametrization(t.nn.BatchNorm1d(3), "running_mean", shift(t))
    found = m.running_mean, list(m.state_dict()), m(t.tensor(floats(4, 3, dtype=np.float32)))
    p.remove_parametrizations(m, "running_mean")
    return found, list(m.state_dict()), [n for n, _ in m.named_buffers()]


def parametrized_states(t: Any) -> Any:
    """A state travels from one parametrized module to another; an optimiser's parameters stay."""
    p = part(t, "parametrize")
    a, b = layer(t, "Linear", 3, 3), t.nn.Linear(3, 3).double()
    before = a.weight
    for m in (a, b):
        p.register_parametrization(m, "weight", symmetric(t))
    same = a.parametrizations.weight.original is before
    b.load_state_dict(a.state_dict())
    c = p.transfer_parametrizations_and_params(a, t.nn.Linear(3, 3).double())
    return same, b.weight, c.weight, p.is_parametrized(c, "weight")


def cached_values(t: Any) -> Any:
    p = part(t, "parametrize")
    calls = []

    class Counting(t.nn.Module):
        def forward(self, x: Any) -> Any:
            calls.append(1)
            return x * 2

    m = p.register_parametrization(layer(t), "weight", Counting())
    start = len(calls)
    with p.cached():
        first = m.weight is m.weight
        with p.cached():
            m(t.ones(1, 4).double()), m(t.ones(1, 4).double())
        inner = len(calls) - start
    m.weight, m.weight
    return first, inner, len(calls) - start


def training_mode_is_handed_on(t: Any) -> Any:
    p = part(t, "parametrize")
    m = layer(t).eval()
    s = shift(t)
    p.register_parametrization(m, "weight", s)
    return s.training, m.train().parametrizations.weight[0].training


# --- norms of weights -----------------------------------------------------------------------------


LAYERS = [
    ("Linear", (4, 3), (5, 4)), ("Conv1d", (2, 3, 3), (2, 2, 7)), ("ConvTranspose2d", (2, 3, 2), (1, 2, 3, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "args", "shape"), LAYERS)
@pytest.mark.parametrize("dim", [0, 1, None, -1])
def test_weight_norm(kind: str, args: Any, shape: Any, dim: int | None) -> None:
    """Both forms, trained; the newer one reads states of the older; removed."""
    results = []
    for t in LIBRARIES:
        old = t.nn.utils.weight_norm(layer(t, kind, *args), dim=dim)
        new = t.nn.utils.parametrizations.weight_norm(layer(t, kind, *args), dim=dim)
        found = [repr(old), repr(new), list(old.state_dict()), new.weight]
        found += [trained(t, old, *shape), trained(t, new, *shape)]
        new.load_state_dict(old.state_dict())
        found += [new.weight]
        t.nn.utils.remove_weight_norm(old)
        part(t, "parametrize").remove_parametrizations(new, "weight")
        found += [list(old.state_dict()), old.weight, new.weight, isinstance(old.weight, t.nn.Parameter)]
        results.append(plain([*found, old(t.tensor(floats(*shape)))]))
    assert results[0] == results[1]


@pytest.mark.parametrize(("kind", "args", "shape"), LAYERS)
@pytest.mark.parametrize("iterations", [1, 3])
def test_spectral_norm(kind: str, args: Any, shape: Any, iterations: int) -> None:
    """Both forms, trained and in evaluation, from the same random vectors; states; removed."""
    results = []
    for t in LIBRARIES:
        old = t.nn.utils.spectral_norm(layer(t, kind, *args), n_power_iterations=iterations)
        new = t.nn.utils.parametrizations.spectral_norm(layer(t, kind, *args), n_power_iterations=iterations)
        other = t.nn.utils.parametrizations.spectral_norm(layer(t, kind, *args), dim=1, eps=1e-6)
        found = [repr(old), repr(new), old.state_dict(), new.state_dict(), other.weight]
        found += [trained(t, old, *shape), trained(t, new, *shape), dict(old.state_dict()._metadata[""])]
        old.eval(), new.eval()
        found += [trained(t, old, *shape, steps=1), trained(t, new, *shape, steps=1)]
        fresh = t.nn.utils.spectral_norm(layer(t, kind, *args))
        fresh.load_state_dict(old.state_dict())
        found += [fresh.eval()(t.tensor(floats(*shape)))]
        t.nn.utils.remove_spectral_norm(old)
        part(t, "parametrize").remove_parametrizations(new, "weight")
        found += [list(old.state_dict()), old.state_dict()._metadata, old.weight, new.weight]
        results.append(plain(found))
    assert results[0] == results[1]


def old_spectral_state(t: Any) -> Any:
    """A state from before there was v."""
    a, b = [t.nn.utils.spectral_norm(layer(t)) for _ in range(2)]
    a(t.ones(2, 4).double())
    state = a.state_dict()
    del state["weight_v"], state._metadata
    state["weight"] = a.weight.detach()
    return b.load_state_dict(state), b.eval()(t.ones(2, 4).double())


MAPS = [None, "matrix_exp", "cayley", "householder"]


@pytest.mark.parametrize("orthogonal_map", MAPS)
@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (4, 4)], ids=str)
@pytest.mark.parametrize("trivial", [True, False])
def test_orthogonal(shape: tuple[int, int], orthogonal_map: str | None, trivial: bool) -> None:
    """The same first values and random columns, training, assignment, removal."""
    results = []
    for t in LIBRARIES:
        m = layer(t, "Linear", *shape)
        seed(3)
        t.nn.utils.parametrizations.orthogonal(m, orthogonal_map=orthogonal_map, use_trivialization=trivial)
        found = [
            repr(m),
            {k: v.abs() for k, v in m.state_dict().items()},
            m.weight,
            trained(t, m, 5, shape[0])[0],
        ]
        w = m.weight
        square = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
        found += [square - t.eye(square.shape[0]).double() + 1]
        reflected = orthogonal_map == "householder" or (orthogonal_map is None and shape[0] != shape[1])
        if trivial or reflected:
            seed(4)
            m.weight = (
                t.linalg.qr(t.tensor(floats(*shape[::-1], start=8)))[0]
                if shape[0] <= shape[1]
                else m.weight.detach()
            )
            found += [m.weight.abs()]
        part(t, "parametrize").remove_parametrizations(m, "weight")
        results.append(plain([*found, list(m.state_dict())]))
    assert str(results[0]).replace("-0.0,", "0.0,") == str(results[1]).replace("-0.0,", "0.0,")


# --- pruning --------------------------------------------------------------------------------------


METHODS: list[tuple[str, tuple[Any, ...]]] = [
    ("identity", ()), ("random_unstructured", (0.4,)), ("random_unstructured", (3,)), ("random_unstructured", (0,)),
    ("l1_unstructured", (0.5,)), ("l1_unstructured", (4,)), ("random_structured", (1, 0)), ("random_structured", (0.5, -1)),
    ("ln_structured", (1, 2, 0)), ("ln_structured", (0.5, 1, 1)), ("ln_structured", (2, float("inf"), -1)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args"), METHODS, ids=str)
def test_pruning(name: str, args: tuple[Any, ...]) -> None:
    """Masks (random ones from the same stream), training, a second pruning on top, copies, removal."""
    results = []
    for t in LIBRARIES:
        r = part(t, "prune")
        m = layer(t)
        seed(7)
        found = [getattr(r, name)(m, "weight", *args) is m, m.state_dict(), m.weight, r.is_pruned(m), repr(m)]
        found += [trained(t, m, 5, 4)]
        r.l1_unstructured(m, "weight", 2)
        r.ln_structured(m, "weight", 1, 2, 0)
        r.random_unstructured(m, "weight", 0.2)
        hook = next(iter(m._forward_pre_hooks.values()))
        found += [m.weight_mask, len(m._forward_pre_hooks), len(hook), [type(h).__name__ for h in hook]]
        found += [m(t.ones(1, 4).double()), [n for n, _ in m.named_parameters()]]
        r.remove(m, "weight")
        found += [m.state_dict(), r.is_pruned(m), m.weight.requires_grad, len(m._forward_pre_hooks)]
        results.append(plain(found))
    assert results[0] == results[1]


def pruning_by_hand(t: Any) -> Any:
    r = part(t, "prune")
    a, b = layer(t), layer(t, "Conv1d", 2, 3, 3)
    r.custom_from_mask(a, "weight", t.tensor([[1, 0, 1, 0]] * 3))
    r.l1_unstructured(b, "weight", 5, importance_scores=t.tensor(floats(3, 2, 3)))
    first = a.state_dict(), b.state_dict()
    r.global_unstructured([(a, "weight"), (b, "weight"), (b, "bias")], r.L1Unstructured, amount=0.3)
    seed(8)
    r.global_unstructured([(a, "weight"), (b, "weight")], r.RandomUnstructured, amount=4)
    own = {(a, "bias"): t.tensor([3.0, 1.0, 2.0])}
    r.global_unstructured([(a, "bias")], r.L1Unstructured, importance_scores=own, amount=1)
    method = r.L1Unstructured(2)
    loose = method.prune(t.arange(4).double()), method.prune(t.arange(4).double(), t.tensor([1.0, 1, 1, 0]))
    return first, a.state_dict(), b.state_dict(), loose, r.is_pruned(t.nn.Sequential(t.nn.ReLU(), a))


def pruning_by_a_class_of_ones_own(t: Any) -> Any:
    r = part(t, "prune")

    class Every(r.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, scores: Any, default_mask: Any) -> Any:
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    m = layer(t)
    Every.apply(m, "weight")
    Every.apply(m, "weight")
    return m.weight, m.weight_mask, [r.L1Unstructured.PRUNING_TYPE, r.LnStructured.PRUNING_TYPE]


# --- the rest -------------------------------------------------------------------------------------


FUSED = [
    ("Conv1d", (2, 3, 3), "BatchNorm1d", (2, 2, 7)), ("Conv2d", (2, 3, 3), "BatchNorm2d", (2, 2, 5, 5)),
    ("ConvTranspose2d", (2, 3, 2), "BatchNorm2d", (2, 2, 3, 3)), ("Linear", (4, 3), "BatchNorm1d", (5, 4)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "args", "norm", "shape"), FUSED)
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_fusion(kind: str, args: Any, norm: str, shape: Any, affine: bool, bias: bool) -> None:
    if kind == "Linear" and not affine:
        pytest.skip("PyTorch multiplies by None there")
    results = []
    for t in LIBRARIES:
        seed(2)
        one = getattr(t.nn, kind)(*args, bias=bias).double()
        bn = getattr(t.nn, norm)(3, affine=affine).double()
        x = t.tensor(floats(*shape))
        bn(one(x))
        one.eval(), bn.eval()
        if kind == "Linear":
            fused = t.nn.utils.fuse_linear_bn_eval(one, bn)
        else:
            fused = t.nn.utils.fuse_conv_bn_eval(one, bn, "Transpose" in kind)
        np.testing.assert_allclose(
            fused(x).detach().numpy(), bn(one(x)).detach().numpy(), rtol=1e-9, atol=1e-12
        )
        results.append(plain([fused.state_dict(), repr(fused), fused.weight.requires_grad, fused is one]))
    assert results[0] == results[1]


def skipped_init(t: Any) -> Any:
    seed(1)
    m = t.nn.utils.skip_init(t.nn.Linear, 2, 3, bias=False)
    return list(m.weight.shape), m.bias is None, t.rand(2)


def old_functional_call(t: Any) -> Any:
    m = layer(t)
    with pytest.warns(FutureWarning, match="is deprecated as of PyTorch 2.0"):
        out = part(t, "stateless").functional_call(
            m, {"weight": t.ones(3, 4).double()}, t.ones(1, 4).double()
        )
    return out, t.nn.utils.convert_conv2d_weight_memory_format(
        layer(t, "Conv2d", 1, 2, 3), t.channels_last
    ).weight


PROGRAMS: list[Program] = [
    vectors, parametrized, parametrized_left_as_trained, parametrized_buffer, parametrized_states, cached_values,
    training_mode_is_handed_on, old_spectral_state, pruning_by_hand, pruning_by_a_class_of_ones_own, skipped_init,
    old_functional_call,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_programs(program: Program) -> None:
    ours, theirs = [plain(program(t)) for t in LIBRARIES]
    assert ours == theirs


def one(t: Any, result: Any) -> Any:
    class One(t.nn.Module):
        def forward(self, x: Any) -> Any:
            return result(x)

    return One()


def register(t: Any, name: str, result: Any) -> Any:
    return part(t, "parametrize").register_parametrization(t.nn.Linear(3, 3), name, one(t, result))


def fuse(t: Any, training: bool, features: int = 2) -> Any:
    return t.nn.utils.fuse_linear_bn_eval(
        t.nn.Linear(1, 2).train(training), t.nn.BatchNorm1d(features).eval()
    )


def prune(t: Any, name: str, *args: Any, tensor: str = "weight", **more: Any) -> Any:
    return getattr(part(t, "prune"), name)(t.nn.Linear(4, 3), tensor, *args, **more)


ERRORS: list[tuple[Program, str | None]] = [
    (lambda t: register(t, "weight", lambda x: x[:1]), None),
    (lambda t: register(t, "weight", lambda x: 3), None),
    (lambda t: register(t, "weight", lambda x: x.double()), None),
    (lambda t: register(t, "w", lambda x: x), None),
    (lambda t: part(t, "parametrize").remove_parametrizations(t.nn.Linear(3, 3), "weight"), None),
    (lambda t: setattr(register(t, "weight", lambda x: x), "weight", t.ones(3, 3)), None),
    (lambda t: __import__("pickle").dumps(register(t, "weight", lambda x: x)), None),
    (lambda t: t.nn.utils.parametrizations.spectral_norm(t.nn.Linear(4, 3), "w"), None),
    (lambda t: t.nn.utils.parametrizations.spectral_norm(t.nn.Linear(4, 3), n_power_iterations=0), None),
    (lambda t: t.nn.utils.parametrizations.spectral_norm(t.nn.Linear(4, 3), dim=5), None),
    (lambda t: t.nn.utils.parametrizations.weight_norm(t.nn.Linear(4, 3), "w"), None),
    (lambda t: t.nn.utils.parametrizations.orthogonal(t.nn.Linear(4, 3), "w"), None),
    (lambda t: t.nn.utils.parametrizations.orthogonal(t.nn.Linear(4, 3), "bias"), None),
    (lambda t: t.nn.utils.parametrizations.orthogonal(t.nn.Linear(4, 3), orthogonal_map="x"), None),
    (lambda t: t.nn.utils.remove_weight_norm(t.nn.Linear(4, 3)), None),
    (lambda t: t.nn.utils.weight_norm(t.nn.utils.weight_norm(t.nn.Linear(4, 3))), None),
    (lambda t: t.nn.utils.remove_spectral_norm(t.nn.Linear(4, 3)), None),
    (lambda t: t.nn.utils.spectral_norm(t.nn.utils.spectral_norm(t.nn.Linear(4, 3))), None),
    (lambda t: t.nn.utils.spectral_norm(t.nn.Linear(4, 3), n_power_iterations=0), None),
    (lambda t: t.nn.utils.vector_to_parameters([1], []), None),
    (lambda t: t.nn.utils.parameters_to_vector([]), None),
    (lambda t: prune(t, "l1_unstructured", 1.5), None),
    (lambda t: prune(t, "l1_unstructured", -1), None),
    (lambda t: prune(t, "l1_unstructured", 100), None),
    (lambda t: prune(t, "l1_unstructured", "a"), None),
    (lambda t: prune(t, "ln_structured", 1, 2, 0, tensor="bias"), None),
    (lambda t: prune(t, "ln_structured", 1, 2, 5), None),
    (lambda t: prune(t, "l1_unstructured", 1, tensor="w"), None),
    (lambda t: prune(t, "l1_unstructured", 1, importance_scores=t.ones(2)), None),
    (lambda t: prune(t, "custom_from_mask", t.ones(2, 2)), None),
    (lambda t: prune(t, "remove"), None),
    (lambda t: part(t, "prune").BasePruningMethod(), None),
    (lambda t: part(t, "prune").global_unstructured(3, part(t, "prune").L1Unstructured), None),
    (
        lambda t: part(t, "prune").global_unstructured(
            [(t.nn.Linear(1, 1), "weight")], part(t, "prune").LnStructured, amount=1, n=1
        ),
        'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`',
    ),
    (lambda t: fuse(t, True), None),
    (lambda t: fuse(t, False, 3), None),
    (lambda t: t.nn.utils.skip_init(t.nn.ReLU), None),
    (lambda t: t.nn.utils.skip_init(3), None),
]  # fmt: skip


@pytest.mark.parametrize(("call", "phrase"), ERRORS, ids=range(len(ERRORS)))
def test_errors(call: Program, phrase: str | None) -> None:
    same_error(call, phrase)


def test_nonfinite_norms() -> None:
    def bad(t: Any, **more: Any) -> Any:
        p = t.nn.Parameter(t.ones(2))
        p.grad = t.tensor([float("nan"), 1.0])
        t.nn.utils.clip_grad_norm_(p, 1.0, **more)
        return p.grad.isnan().all().item()

    assert bad(convgrad) and bad(torch)
    same_error(lambda t: bad(t, error_if_nonfinite=True))


def test_a_failed_pruning_leaves_the_parameter_as_it_was() -> None:
    m = convgrad.nn.Linear(4, 3)
    weight = m.weight
    with pytest.raises(ValueError, match="should be smaller than the number of parameters"):
        part(convgrad, "prune").l1_unstructured(m, "weight", 100)
    assert m.weight is weight and not part(convgrad, "prune").is_pruned(m)


def test_every_public_name_of_pytorch_exists() -> None:
    for name in (
        "", "parametrize", "parametrizations", "prune", "rnn", "clip_grad", "convert_parameters", "weight_norm",
        "spectral_norm", "fusion", "init", "stateless", "memory_format",
    ):  # fmt: skip
        path = f"nn.utils.{name}".rstrip(".")
        theirs, ours = [importlib.import_module(f"{t.__name__}.{path}") for t in (torch, convgrad)]
        home = theirs.__name__ + ("." if not name else "")
        public = [n for n in getattr(theirs, "__all__", dir(theirs)) if not n.startswith("_")]
        wanted = {n for n in public if getattr(getattr(theirs, n), "__module__", "").startswith(home)}
        lacking = {n for n in wanted if not hasattr(ours, n)} - {
            "T_module",
            "SpectralNormLoadStateDictPreHook",
            "SpectralNormStateDictHook",
            "ConvT",
            "LinearT",
        }
        assert not lacking, (path, lacking)
