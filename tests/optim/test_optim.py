"""Optimisers without PyTorch: they find minima, count versions, and are whole after errors."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import convgrad
from convgrad import nn, optim
from convgrad.graph.node import cell_of
from convgrad.nn import functional as F
from convgrad.optim.line_search import Point, WolfeSearch, cubic_minimum
from convgrad.optim.muon import orthogonal
from convgrad.tensor.tensor import Tensor

METHODS: list[tuple[type, dict[str, Any]]] = [
    (optim.SGD, {"lr": 0.1}), (optim.SGD, {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
    (optim.Adam, {"lr": 0.1}), (optim.AdamW, {"lr": 0.1, "weight_decay": 0.0}), (optim.RMSprop, {"lr": 0.02}),
    (optim.Adagrad, {"lr": 0.5}), (optim.NAdam, {"lr": 0.05}), (optim.RAdam, {"lr": 0.1}), (optim.Adamax, {"lr": 0.1}),
    (optim.Adadelta, {"lr": 5.0}), (optim.Rprop, {}), (optim.ASGD, {"lr": 0.1}), (optim.Adafactor, {"lr": 0.1}),
    (optim.LBFGS, {"max_iter": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "options"), METHODS, ids=lambda v: getattr(v, "__name__", str(v)))
def test_a_parabola_is_minimised(method: type, options: dict[str, Any]) -> None:
    goal = Tensor([1.0, -2.0, 3.0])
    p = nn.Parameter(Tensor([0.0, 0.0, 0.0]))
    optimizer = method([p], **options)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = F.mse_loss(p, goal)
        loss.backward()
        return loss

    first = float(optimizer.step(closure).item())
    version = cell_of(p).version
    for _ in range(400):
        last = float(optimizer.step(closure).item())
    if method is not optim.LBFGS:  # which stops moving once it is there
        assert cell_of(p).version == version + 400
    assert last < 1e-2 < first
    np.testing.assert_allclose(p._data, goal._data, atol=0.05)


def test_every_optimiser_is_listed_above() -> None:
    """Muon is for matrices, SparseAdam for gradients that do not exist here."""
    classes = {v for v in vars(optim).values() if inspect.isclass(v)}
    assert classes - {m for m, _ in METHODS} == {optim.Muon, optim.SparseAdam, optim.Optimizer}


def test_a_graph_from_before_the_step_cannot_be_walked() -> None:
    p = nn.Parameter(Tensor([1.0]))
    loss = (p * p).sum()
    p.grad = Tensor([1.0])
    optim.SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match=r"modified by an inplace operation.*SGD.step"):
        loss.backward()


def test_parameters_without_gradient_are_left_alone() -> None:
    p, q = nn.Parameter(Tensor([1.0])), nn.Parameter(Tensor([1.0]))
    p.grad = Tensor([1.0])
    optimizer = optim.Adam([p, q], lr=0.5)
    optimizer.step()
    assert q.tolist() == [1.0]
    assert p.tolist() != [1.0]
    assert list(optimizer.state_dict()["state"]) == [0]
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    assert q.grad is None


@pytest.mark.parametrize(("method", "options"), METHODS, ids=lambda v: getattr(v, "__name__", str(v)))
def test_gradients_stay_as_they_are(method: type, options: dict[str, Any]) -> None:
    """A step reads gradients and writes parameters: neither gradients nor their memory are touched or kept."""
    p = nn.Parameter(Tensor(np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4), None))
    optimizer = method([p], **({**options, "weight_decay": 0.1} if "weight_decay" in options else options))
    for _ in range(3):
        g = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
        g.flags.writeable = False
        p.grad = Tensor(g, None)
        optimizer.step(*([lambda: p.sum()] if method is optim.LBFGS else []))
        for value in optimizer.state[p].values():
            assert not isinstance(value, Tensor) or not np.shares_memory(value._data, g)


def test_a_refused_state_changes_nothing() -> None:
    p = nn.Parameter(Tensor([1.0]))
    p.grad = Tensor([1.0])
    optimizer = optim.SGD([p], lr=0.5, momentum=0.9)
    optimizer.step()
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        optimizer.load_state_dict({"state": {}, "param_groups": [{"params": [0, 1], "lr": 9.0}]})
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert optimizer.state[p]["momentum_buffer"].tolist() == [1.0]


def test_a_refused_group_is_not_added() -> None:
    p, q = nn.Parameter(Tensor([1.0])), nn.Parameter(Tensor([1.0]))
    optimizer = optim.SGD([p])
    group = {"params": [q, p]}
    with pytest.raises(ValueError, match="more than one parameter group"):
        optimizer.add_param_group(group)
    assert len(optimizer.param_groups) == 1
    assert list(group) == ["params"]


def test_states_are_copies() -> None:
    """Two optimisers that loaded one state do not share it, and arrays of NumPy will do."""
    p, q = nn.Parameter(Tensor([1.0])), nn.Parameter(Tensor([1.0]))
    a, b = optim.Adam([p], lr=0.5), optim.Adam([q])
    p.grad = q.grad = Tensor([1.0])
    a.step()
    saved = a.state_dict()
    saved["state"] = {0: {k: np.asarray(v._data) for k, v in saved["state"][0].items()}}
    b.load_state_dict(saved)
    b.step()
    assert a.state[p]["step"].item() == 1.0
    assert b.state[q]["step"].item() == 2.0
    assert b.state[q]["exp_avg"].dtype is p.dtype
    saved["state"][0]["step"] = 5  # as old versions saved it
    b.load_state_dict(saved)
    assert b.state[q]["step"].dtype is convgrad.float32


def test_a_failing_step_lets_the_next_ones_be() -> None:
    p = nn.Parameter(Tensor([1.0]))
    p.grad = Tensor([1.0])
    optimizer = optim.SGD([p], lr=0.5)
    seen: list[int] = []
    optimizer.register_step_post_hook(lambda *a: seen.append(1))
    with pytest.raises(ZeroDivisionError):
        optimizer.step(lambda: 1 / 0)
    assert not seen
    optimizer.step()
    assert seen == [1]
    assert p.tolist() == [0.5]


def test_learning_to_learn() -> None:
    """The derivative of a loss after three steps with respect to the learning rate, against a difference."""

    def loss_after(rate: Any) -> Any:
        p = Tensor([1.0, -2.0]).double().requires_grad_().clone()
        optimizer = optim.Adam([p], lr=rate, differentiable=True)
        for _ in range(3):
            q = p.clone()  # what is saved of it stays when the step changes p
            (p.grad,) = convgrad.autograd.grad((q**2 + q.sin()).sum(), [p], create_graph=True)
            optimizer.step()
        return (p**2).sum()

    rate = convgrad.tensor([0.1], dtype=convgrad.float64, requires_grad=True)
    loss_after(rate).backward()
    low, high = (loss_after(convgrad.tensor([0.1 + e], dtype=convgrad.float64)).item() for e in (-1e-6, 1e-6))
    assert rate.grad.item() == pytest.approx((high - low) / 2e-6, rel=1e-7)


def test_a_step_that_cannot_be_differentiated_says_so() -> None:
    p = nn.Parameter(Tensor([1.0]))
    optimizer = optim.SparseAdam([p])
    optimizer.param_groups[0].update(differentiable=True)
    p.grad = Tensor([1.0])
    with pytest.raises(NotImplementedError, match="no differentiable step"):
        optimizer.step()


@pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3), (1, 4)])
def test_muon_brings_singular_values_near_one(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    found = np.linalg.svd(orthogonal(x, (3.4445, -4.775, 2.0315), 5, 1e-7), compute_uv=False)
    assert np.all((found > 0.5) & (found < 1.3))


# ---------------------------------------------------------------------- the line search of L-BFGS


@pytest.mark.parametrize("first", [1e-3, 0.3, 1.0, 30.0])
@pytest.mark.parametrize("curve", [
    (lambda t: (t - 2) ** 2, lambda t: 2 * (t - 2)),
    (lambda t: -t / (t * t + 2), lambda t: (t * t - 2) / (t * t + 2) ** 2),
    (lambda t: np.cos(3 * t) * 0.1 + (t - 1) ** 2, lambda t: -0.3 * np.sin(3 * t) + 2 * (t - 1)),
    (lambda t: (t - 1) ** 4, lambda t: 4 * (t - 1) ** 3),
])  # fmt: skip
def test_the_search_fulfils_the_wolfe_conditions(curve: Any, first: float) -> None:
    f, slope = curve
    at = lambda t: Point(t, float(f(t)), np.zeros(1), float(slope(t)))
    search = WolfeSearch(at, at(0.0), 1.0, 1e-9)
    point = search.run(first)
    assert point.loss <= f(0) + 1e-4 * point.t * slope(0)
    assert abs(point.slope) <= 0.9 * abs(slope(0))
    assert search.evaluations <= 26


def test_the_minimum_of_a_cubic() -> None:
    f, slope = (lambda t: t**3 - 3 * t), (lambda t: 3 * t * t - 3)
    a, b = (Point(t, f(t), np.zeros(1), slope(t)) for t in (0.0, 3.0))
    assert cubic_minimum(a, b, 0.0, 3.0) == pytest.approx(1.0)
    assert cubic_minimum(b, a, 0.0, 3.0) == pytest.approx(1.0)
    assert cubic_minimum(a, b, 1.5, 3.0) == 1.5
    flat = Point(0.0, 0.0, np.zeros(1), 1.0), Point(1.0, 1.0, np.zeros(1), 1.0)
    assert cubic_minimum(*flat, 0.0, 1.0) in (0.0, 0.5, 1.0)


# ---------------------------------------------------------------------- schedules


def test_a_schedule_before_the_optimiser_warns() -> None:
    optimizer = optim.SGD([nn.Parameter(Tensor([1.0]))], lr=1.0)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    with pytest.warns(UserWarning, match=r"Detected call of `lr_scheduler.step\(\)` before"):
        schedule.step()
    assert schedule.get_last_lr() == [0.5]
    assert "optimizer" not in schedule.state_dict()


def test_the_closed_form_is_the_chain() -> None:
    """Schedules that have both go the same way."""
    makes: list[Any] = [
        lambda o: optim.lr_scheduler.StepLR(o, 2), lambda o: optim.lr_scheduler.MultiStepLR(o, [3, 1]),
        lambda o: optim.lr_scheduler.LinearLR(o), lambda o: optim.lr_scheduler.PolynomialLR(o, 7, 1.5),
        lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 4, 0.1), lambda o: optim.lr_scheduler.ConstantLR(o),
    ]  # fmt: skip
    for make in makes:
        optimizer = optim.SGD([nn.Parameter(Tensor([1.0]))], lr=1.0)
        schedule = make(optimizer)
        for _ in range(6):
            optimizer.step(), schedule.step()
            assert schedule.get_last_lr() == pytest.approx(schedule._get_closed_form_lr())
