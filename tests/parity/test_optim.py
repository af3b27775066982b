"""Optimisers against PyTorch 2.13: twenty steps of each, states that go both ways, dtypes, looks, L-BFGS."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
from typing import Any

import numpy as np
import pytest
import torch

import convgrad
from convgrad import nn, optim
from convgrad.tensor.tensor import Tensor

STEPS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}), ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "maximize": True}), ("SGD", {"lr": 0.1, "weight_decay": 0.2}),
    ("Adam", {}), ("Adam", {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1}), ("Adam", {"betas": (0.5, 0.7), "eps": 0.1}),
    ("Adam", {"decoupled_weight_decay": True, "weight_decay": 0.1, "maximize": True}), ("AdamW", {}),
    ("AdamW", {"lr": 0.01, "amsgrad": True, "maximize": True, "weight_decay": 0.3}), ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.5, "centered": True, "weight_decay": 0.1, "maximize": True}), ("RMSprop", {"centered": True}),
    ("Adagrad", {}), ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2, "maximize": True}),
    ("NAdam", {}), ("NAdam", {"weight_decay": 0.1, "momentum_decay": 0.1}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}), ("RAdam", {}),
    ("RAdam", {"weight_decay": 0.1, "betas": (0.8, 0.9)}), ("RAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Adamax", {}), ("Adamax", {"weight_decay": 0.1, "maximize": True, "betas": (0.4, 0.5)}), ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.5, "weight_decay": 0.1, "maximize": True}), ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (1e-3, 0.2), "maximize": True}), ("ASGD", {}),
    ("ASGD", {"t0": 3, "lambd": 0.1, "weight_decay": 0.1, "maximize": True}), ("Adafactor", {}),
    ("Adafactor", {"weight_decay": 0.1, "d": 2.0, "eps": (1e-3, 1e-2), "maximize": True, "lr": 0.3}),
]  # fmt: skip
SHAPES: tuple[tuple[int, ...], ...] = ((4, 3), (), (5,), (2, 3, 4), (37,))
#: what a float32 step may differ by: PyTorch's kernels fuse products with sums, NumPy rounds in between
TOLERANCE = {"float64": 1e-12, "float32": 2e-6, "complex128": 1e-12, "complex64": 2e-6}


def values(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
    x = np.asarray(rng.standard_normal(shape))
    return np.asarray(x + 1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else x, dtype)


def pair(name: str, options: dict[str, Any], dtype: Any = np.float64, seed: int = 0) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    arrays = [values(rng, s, dtype) for s in SHAPES]
    mine = [nn.Parameter(Tensor(a.copy(), None)) for a in arrays]
    other = [torch.nn.Parameter(torch.tensor(a)) for a in arrays]
    a, b = (
        getattr(o, name)([{"params": p[:2]}, {"params": p[2:], "lr": 0.05}], **options)
        for o, p in ((optim, mine), (torch.optim, other))
    )
    return mine, other, a, b


def feed(mine: Any, other: Any, turn: int) -> None:
    rng = np.random.default_rng(turn)
    for p, q in zip(mine, other, strict=True):
        g = values(rng, p._data.shape, p._data.dtype)
        p.grad, q.grad = Tensor(g.copy(), None), torch.tensor(g)


def assert_same(mine: Any, other: Any, a: Any, b: Any, rtol: float) -> None:
    for p, q in zip(mine, other, strict=True):
        np.testing.assert_allclose(p._data, q.detach().numpy(), rtol=rtol, atol=rtol)
    left, right = a.state_dict(), b.state_dict()
    assert left["param_groups"] == right["param_groups"]
    assert left["state"].keys() == right["state"].keys()
    for number, kept in right["state"].items():
        assert list(left["state"][number]) == list(kept)
        for key, value in kept.items():
            got = left["state"][number][key]
            np.testing.assert_allclose(got._data, value.numpy(), rtol=rtol, atol=rtol, err_msg=key)
            assert got.dtype.name == str(value.dtype).removeprefix("torch."), key


def plain(value: Any) -> Any:
    """A state of ours as PyTorch takes it: its tensors in place of ours."""
    if isinstance(value, Tensor):
        return torch.tensor(value.numpy())
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


DTYPES: tuple[Any, ...] = (np.float64, np.float32, np.complex128, np.complex64)
#: Adafactor refuses complex parameters in either library
TWENTY = [(n, o, d) for n, o in STEPS for d in DTYPES if n != "Adafactor" or np.dtype(d).kind == "f"]


@pytest.mark.parametrize(("name", "options", "dtype"), TWENTY, ids=lambda v: getattr(v, "__name__", str(v)))
def test_twenty_steps(name: str, options: dict[str, Any], dtype: Any) -> None:
    """Half way each library goes on from the other's state."""
    mine, other, a, b = pair(name, options, dtype)
    assert repr(a) == repr(b)
    for turn in range(20):
        feed(mine, other, turn)
        assert a.step() is None and b.step() is None
        assert_same(mine, other, a, b, TOLERANCE[np.dtype(dtype).name])
        if turn == 9:
            _, _, c, d = pair(name, {})
            for optimizer, params in ((c, mine), (d, other)):
                optimizer.param_groups[0]["params"], optimizer.param_groups[1]["params"] = (
                    params[:2],
                    params[2:],
                )
                optimizer.state.clear()
            c.load_state_dict(b.state_dict()), d.load_state_dict(plain(a.state_dict()))
            a, b = c, d


@pytest.mark.parametrize(("name", "options"), STEPS, ids=str)
def test_one_step_of_float32_is_the_same_sum(name: str, options: dict[str, Any]) -> None:
    """From equal states the results of a step are equal to a few units in the last place of its terms."""
    mine, other, a, b = pair(name, options, np.float32)
    for turn in range(12):
        feed(mine, other, turn)
        before = [p._data.copy() for p in mine]
        a.step(), b.step()
        for p, q, old in zip(mine, other, before, strict=True):
            new = q.detach().numpy()
            unit = np.spacing(np.maximum(np.abs(old), np.abs(new - old)).astype(np.float32))
            assert np.all(np.abs(p._data - new) <= 4 * unit), (turn, p._data - new)
            p._data[...] = new
        a.load_state_dict(b.state_dict())


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("SGD", np.complex64), *[("Rprop", d) for d in DTYPES]],
    ids=lambda v: getattr(v, "__name__", v),
)
def test_every_bit(name: str, dtype: Any) -> None:
    """Where no product can be fused with a sum, the bits are PyTorch's: complex SGD, and any Rprop."""
    mine, other, a, b = pair(name, {"momentum": 0.9, "weight_decay": 0.1} if name == "SGD" else {}, dtype)
    for turn in range(20):
        feed(mine, other, turn)
        a.step(), b.step()
        for p, q in zip(mine, other, strict=True):
            np.testing.assert_array_equal(p._data, q.detach().numpy())


#: PyTorch's squares of gradients underflow in float16 there
NARROW = ("Adadelta", "RMSprop")
SIXTEEN = [(n, o, k) for n, o in STEPS for k in ("bfloat16", "float16") if k == "bfloat16" or n not in NARROW]


@pytest.mark.parametrize(("name", "options", "kind"), SIXTEEN, ids=str)
def test_sixteen_bits(name: str, options: dict[str, Any], kind: str) -> None:
    """Computed in float32 and rounded once per step, where PyTorch rounds after every operation."""
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(s) for s in ((4, 3), (), (5,))]
    mine = [nn.Parameter(convgrad.tensor(np.asarray(x)).to(getattr(convgrad, kind))) for x in start]
    other = [torch.nn.Parameter(torch.tensor(x).to(getattr(torch, kind))) for x in start]
    options = (
        {"eps": 1e-3, **options}
        if "eps" in inspect.signature(getattr(optim, name)).parameters and name != "Adafactor"
        else options
    )
    a, b = getattr(optim, name)(mine, **options), getattr(torch.optim, name)(other, **options)
    for turn in range(6):
        rng = np.random.default_rng(turn)
        for p, q in zip(mine, other, strict=True):
            g = np.asarray(rng.standard_normal(tuple(p.shape)))
            p.grad, q.grad = convgrad.tensor(g).to(p.dtype), torch.tensor(g).to(q.dtype)
        a.step(), b.step()
        if turn == 2:
            a.load_state_dict(b.state_dict()), b.load_state_dict(copy.deepcopy(b.state_dict()))
    for p, q in zip(mine, other, strict=True):
        assert str(p.dtype) == f"torch.{kind}"
        np.testing.assert_allclose(
            p.detach().float().numpy(), q.detach().float().numpy(), rtol=0.05, atol=0.05
        )
        assert list(a.state[p]) == list(b.state[q])
        for key, value in b.state[q].items():
            assert str(a.state[p][key].dtype) == str(value.dtype), key


RECORDED = [(n, o) for n, o in STEPS if n != "Adafactor"]


@pytest.fixture
def double_precision() -> Any:
    """PyTorch counts steps in the default dtype and divides by powers of that count."""
    torch.set_default_dtype(torch.float64), convgrad.set_default_dtype(convgrad.float64)
    yield
    torch.set_default_dtype(torch.float32), convgrad.set_default_dtype(convgrad.float32)


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize(("name", "options"), RECORDED, ids=str)
@pytest.mark.usefixtures("double_precision")
def test_differentiable_steps(name: str, options: dict[str, Any], complex_: bool) -> None:
    """Derivatives of a parameter after a step by its value before and by its gradient.

    The state is that of a step before, of which no graph is kept: PyTorch changes in place what it saved there.
    """
    found = []
    kind = np.complex128 if complex_ else np.float64
    for library, namespace in ((convgrad, optim), (torch, torch.optim)):
        rng = np.random.default_rng(3)
        start = library.tensor(values(rng, (3, 2), kind), requires_grad=True)
        g = library.tensor(values(rng, (3, 2), kind), requires_grad=True)
        old, p = start.detach().clone(), start.clone()
        optimizer = getattr(namespace, name)([old], differentiable=True, **options)
        old.grad = library.tensor(values(rng, (3, 2), kind))
        optimizer.step()
        optimizer.param_groups[0]["params"] = [p]
        if old in optimizer.state:
            optimizer.state[p] = optimizer.state.pop(old)
        p.grad = g * 2
        optimizer.step()
        (p.abs() ** 2).sum().backward()
        found.append([p.detach().numpy(), start.grad.resolve_conj().numpy(), g.grad.resolve_conj().numpy()])
    for got, expected in zip(*found, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-12)


def test_differentiable_states_equal_the_others() -> None:
    """The recorded step and the step in place are two texts of one formula."""
    for name, options in RECORDED:
        p, q = nn.Parameter(Tensor([0.3, -0.2, 1.0])), Tensor([0.3, -0.2, 1.0])
        q = q.clone()
        a, b = getattr(optim, name)([p], **options), getattr(optim, name)([q], differentiable=True, **options)
        for turn in range(8):
            g = np.random.default_rng(turn).standard_normal(3).astype(np.float32)
            p.grad, q.grad = Tensor(g.copy(), None), Tensor(g.copy(), None)
            a.step(), b.step()
        np.testing.assert_allclose(p._data, q._data, rtol=2e-5, atol=1e-6, err_msg=name)
        assert a.state[p].keys() == b.state[q].keys(), name
        for key, value in a.state[p].items():
            np.testing.assert_allclose(
                np.asarray(value._data),
                np.asarray(b.state[q][key], np.float32),
                rtol=2e-5,
                atol=1e-6,
                err_msg=f"{name} {key}",
            )


# ---------------------------------------------------------------------- L-BFGS, Muon, SparseAdam


def curve_fit(library: Any, dtype: Any, **options: Any) -> tuple[list[float], list[float], Any]:
    """Losses before each of five steps, and of every call of the closure, of a small net on a curve."""
    rng = np.random.default_rng(0)
    x = np.linspace(-2, 2, 50)
    y = np.sin(2 * x) * np.exp(-x * x / 4) + 0.05 * rng.standard_normal(50)
    weights = [rng.standard_normal(s) * 0.5 for s in ((1, 8), (8,), (8, 1), (1,))]
    params = [library.nn.Parameter(library.tensor(np.asarray(w, dtype))) for w in weights]
    inputs, targets = (library.tensor(np.asarray(v[:, None], dtype)) for v in (x, y))
    optimizer = library.optim.LBFGS(params, **options)
    calls: list[float] = []

    def closure() -> Any:
        optimizer.zero_grad()
        out = (inputs @ params[0] + params[1]).tanh() @ params[2] + params[3]
        loss = ((out - targets) ** 2).mean()
        loss.backward()
        calls.append(loss.item())
        return loss

    return [optimizer.step(closure).item() for _ in range(5)], calls, optimizer


SEARCHES: list[dict[str, Any]] = [
    {"line_search_fn": "strong_wolfe", "max_iter": 10}, {"lr": 0.1}, {"lr": 0.5, "max_iter": 4, "history_size": 3},
    {"line_search_fn": "strong_wolfe", "lr": 20.0, "max_iter": 7, "history_size": 5}, {"max_eval": 3, "lr": 0.2},
    {"line_search_fn": "strong_wolfe", "max_eval": 5, "max_iter": 3}, {"tolerance_grad": 0.05, "lr": 0.1}, {"tolerance_change": 0.5, "lr": 0.1},
]  # fmt: skip


@pytest.mark.parametrize("options", SEARCHES, ids=str)
def test_lbfgs_takes_the_same_way(options: dict[str, Any]) -> None:
    """All losses on the way are PyTorch's; errors double every few iterations, so the first fifty are compared."""
    left, calls, a = curve_fit(convgrad, np.float64, **options)
    right, expected, b = curve_fit(torch, np.float64, **options)
    np.testing.assert_allclose(calls[:50], expected[:50], rtol=1e-7)
    assert len(calls) == len(expected)
    assert left[-1] < 0.9 * left[0]
    first, second = a.state_dict()["state"][0], b.state_dict()["state"][0]
    assert list(first) == list(second)
    for key in ("func_evals", "n_iter"):
        assert first[key] == second[key]
    assert [len(first[k]) for k in ("al", "old_dirs", "ro")] == [
        len(second[k]) for k in ("al", "old_dirs", "ro")
    ]


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_goes_on_from_the_others_state(search: Any) -> None:
    results = []
    for swap in (False, True):
        x, y = (
            nn.Parameter(Tensor([-1.5, 2.0]).double()),
            torch.nn.Parameter(torch.tensor([-1.5, 2.0], dtype=torch.float64)),
        )
        a = optim.LBFGS([x], lr=0.5, max_iter=4, line_search_fn=search)
        b = torch.optim.LBFGS([y], lr=0.5, max_iter=4, line_search_fn=search)
        for turn in range(4):
            if swap and turn == 2:
                left, right = plain(a.state_dict()), b.state_dict()
                a, b = optim.LBFGS([x]), torch.optim.LBFGS([y])
                a.load_state_dict(right), b.load_state_dict(left)
            for optimizer, p in ((a, x), (b, y)):

                def closure(p: Any = p, optimizer: Any = optimizer) -> Any:
                    optimizer.zero_grad()
                    loss = (1 - p[0]) ** 2 + 10 * (p[1] - p[0] ** 2) ** 2
                    loss.backward()
                    return loss

                optimizer.step(closure)
        results += [x.numpy(force=True), y.detach().numpy()]
    for other in results[1:]:
        np.testing.assert_allclose(results[0], other, rtol=1e-8)


def test_lbfgs_on_complex_and_missing_gradients() -> None:
    found = []
    for library in (convgrad, torch):
        p = library.nn.Parameter(library.tensor([1 + 2j, -0.5j], dtype=library.complex128))
        q = library.nn.Parameter(library.tensor([3.0], dtype=library.float64))
        optimizer = library.optim.LBFGS([p, q], lr=0.3, max_iter=5)

        def closure(p: Any = p, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (p.abs() ** 4).sum() + (p.real - 1).square().sum()
            loss.backward()
            return loss

        for _ in range(4):
            optimizer.step(closure)
        found.append((p.detach().numpy(), q.item()))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-8)
    assert found[0][1] == found[1][1] == 3.0


MUONS: list[tuple[dict[str, Any], tuple[int, int]]] = [
    ({}, (6, 4)), ({}, (4, 6)), ({"nesterov": False, "weight_decay": 0.0, "lr": 0.1}, (5, 5)),
    ({"adjust_lr_fn": "match_rms_adamw", "momentum": 0.5}, (3, 7)), ({"eps": 5.0, "adjust_lr_fn": "original"}, (3, 7)),
    ({"ns_steps": 2, "ns_coefficients": (2.0, -1.5, 0.5)}, (7, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("options", "shape"), MUONS, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_muon(options: dict[str, Any], shape: tuple[int, int], dtype: Any) -> None:
    rng = np.random.default_rng(0)
    start = rng.standard_normal(shape).astype(dtype)
    p, q = nn.Parameter(Tensor(start.copy(), None)), torch.nn.Parameter(torch.tensor(start))
    a, b = optim.Muon([p], **options), torch.optim.Muon([q], **options)
    assert repr(a) == repr(b)
    for turn in range(20):
        g = rng.standard_normal(shape).astype(dtype)
        p.grad, q.grad = Tensor(g.copy(), None), torch.tensor(g)
        a.step(), b.step()
        np.testing.assert_allclose(p._data, q.detach().numpy(), atol=3e-6 * (1 + turn))
        if turn == 9:
            left, right = plain(a.state_dict()), b.state_dict()
            a.load_state_dict(right), b.load_state_dict(left)
    np.testing.assert_allclose(
        a.state[p]["momentum_buffer"]._data, b.state[q]["momentum_buffer"].numpy(), rtol=1e-5
    )


# ---------------------------------------------------------------------- a whole training


@pytest.mark.parametrize("name", ["SGD", "AdamW", "NAdam", "RMSprop", "Adafactor", "Rprop"])
def test_a_whole_training(name: str) -> None:
    """Seed, initial weights, order of examples, rates and steps together: the losses of three epochs are PyTorch's."""
    found = []
    for library in (convgrad, torch):
        data, rng = importlib.import_module(f"{library.__name__}.utils.data"), np.random.default_rng(0)
        inputs = rng.standard_normal((60, 4))
        targets = np.sin(inputs.sum(1, keepdims=True))
        library.manual_seed(5)
        net = library.nn.Sequential(
            library.nn.Linear(4, 8), library.nn.Tanh(), library.nn.Linear(8, 1)
        ).double()
        optimizer = getattr(library.optim, name)(net.named_parameters(), lr=0.05)
        schedule = library.optim.lr_scheduler.SequentialLR(
            optimizer, [library.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=5), library.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)], [5]
        )  # fmt: skip
        loader = data.DataLoader(
            data.TensorDataset(library.tensor(inputs), library.tensor(targets)),
            8,
            shuffle=True,
            num_workers=2 if library is convgrad else 0,
        )
        losses = []
        for _ in range(3):
            for x, y in loader:
                optimizer.zero_grad()
                loss = library.nn.functional.mse_loss(net(x), y)
                loss.backward()
                library.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
        found.append(losses)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)
    assert np.mean(found[0][-8:]) < np.mean(found[0][:8])


# ---------------------------------------------------------------------- what all share

NAMES = [n for n in torch.optim.__all__ if isinstance(getattr(torch.optim, n), type)]


@pytest.mark.parametrize("name", NAMES)
def test_the_arguments(name: str) -> None:
    """Names, order, defaults and kinds of every constructor's arguments; a class that is missing fails here."""
    ours, theirs = (inspect.signature(getattr(o, name).__init__).parameters for o in (optim, torch.optim))
    assert [(p.name, p.default, p.kind) for p in ours.values()] == [
        (p.name, p.default, p.kind) for p in theirs.values()
    ]
    assert issubclass(getattr(optim, name), optim.Optimizer)
    assert getattr(optim, name).__doc__


def test_the_public_names() -> None:
    assert not set(torch.optim.__all__) - set(optim.__all__)
    assert not set(torch.optim.swa_utils.__all__) - set(optim.swa_utils.__all__)
    for name in (
        "optimizer",
        "adadelta",
        "adagrad",
        "adam",
        "adamax",
        "adamw",
        "asgd",
        "lbfgs",
        "nadam",
        "radam",
        "rmsprop",
        "rprop",
        "sgd",
        "sparse_adam",
    ):
        module, theirs = (
            importlib.import_module(f"{library}.optim.{name}") for library in ("convgrad", "torch")
        )
        for public in theirs.__all__:
            assert public.islower() or hasattr(module, public), f"convgrad.optim.{name}.{public}"


@pytest.mark.parametrize(("name", "options"), STEPS, ids=str)
def test_pickled_and_copied(name: str, options: dict[str, Any]) -> None:
    mine, other, a, _ = pair(name, options, np.float32)
    feed(mine, other, 0)
    a.step()
    for twice in (pickle.loads(pickle.dumps(a)), copy.deepcopy(a)):
        assert repr(twice) == repr(a)
        params = [p for g in twice.param_groups for p in g["params"]]
        for p, q in zip(params, mine, strict=True):
            assert p is not q
            p.grad = q.grad
        before = [p._data.copy() for p in mine]
        twice.step()
        kept = copy.deepcopy(a.state_dict())
        a.step()
        for p, q, old in zip(params, mine, before, strict=True):
            np.testing.assert_array_equal(p._data, q._data)
            q._data[...] = old
        a.load_state_dict(kept)


def test_odd_parameters() -> None:
    """Empty ones, ones in Fortran's order or with gradients of another order, and views: all as PyTorch's."""
    for name, options in STEPS:
        found = []
        for library, namespace in ((convgrad, optim), (torch, torch.optim)):
            rng = np.random.default_rng(0)
            turned = library.tensor(rng.standard_normal((3, 4))).t().requires_grad_()
            view = library.tensor(rng.standard_normal((6, 4)))[::2].requires_grad_()
            still = library.tensor([1.0], requires_grad=True)
            empty = library.tensor(np.zeros((0, 3))).requires_grad_()
            params = [turned, view, still] + ([] if name == "Adafactor" else [empty])
            optimizer = getattr(namespace, name)(params, **options)
            for _ in range(3):
                turned.grad = library.tensor(rng.standard_normal((4, 3)))
                view.grad = library.tensor(rng.standard_normal((4, 3))).t()
                empty.grad = library.tensor(np.zeros((0, 3)))
                optimizer.step()
            found.append([p.detach().numpy() for p in params])
        for got, expected in zip(*found, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-10, err_msg=name)


def test_learning_rates_that_are_tensors() -> None:
    for name in ("SGD", "Adam", "RMSprop", "Rprop", "ASGD", "Adafactor", "NAdam"):
        found = []
        for library, namespace in ((convgrad, optim), (torch, torch.optim)):
            p = library.nn.Parameter(library.tensor([1.0, 2.0]))
            optimizer = getattr(namespace, name)([p], lr=library.tensor(0.25))
            for g in ([1.0, -1.0], [0.5, 0.25]):
                p.grad = library.tensor(g)
                optimizer.step()
            found.append((p.detach().numpy(), repr(optimizer)))
        np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-6, err_msg=name)
        assert found[0][1] == found[1][1]
