"""Graphs in several threads, and graphs that die: no lost gradient, no leak, no state left behind."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import convgrad as torch
from convgrad import autograd

THREADS = 8
STATUS = Path("/proc/self/statm")


def in_threads(work: Callable[[int], None], count: int = THREADS) -> None:
    """Run ``work(i)`` in threads that start together; an error in one fails the test."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(count)

    def run(index: int) -> None:
        try:
            barrier.wait()
            work(index)
        except BaseException as error:  # whatever it is, the test is to show it
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


# ---- threads


@pytest.mark.parametrize("size", [1, 200_000], ids=["small", "large"])
def test_threads_that_share_a_leaf_lose_no_gradient(size: int) -> None:
    x = torch.ones(size, dtype=torch.float64, requires_grad=True)
    rounds = 200 if size == 1 else 10

    def work(index: int) -> None:
        for _ in range(rounds):
            (x * (index + 1)).sum().backward()

    in_threads(work)
    assert x.grad.min().item() == x.grad.max().item() == rounds * sum(range(1, THREADS + 1))


def test_threads_build_and_differentiate_their_own_graphs() -> None:
    results = [0.0] * THREADS

    def work(index: int) -> None:
        torch.manual_seed(0)
        a = torch.full((20, 20), 0.01 * (index + 1), dtype=torch.float64, requires_grad=True)
        for _ in range(30):
            y = a
            for _ in range(5):
                y = (y @ a).tanh() + a
            (g,) = autograd.grad(y.sum(), a, create_graph=True)
            (h,) = autograd.grad(g.sum(), a)
        results[index] = h.sum().item()

    in_threads(work)
    together = list(results)
    for index in range(THREADS):
        work_alone = threading.Thread(target=lambda i=index: in_threads(lambda _: work(i), 1))
        work_alone.start()
        work_alone.join()
    assert together == results


def test_threads_walk_one_retained_graph() -> None:
    x = torch.randn(50, dtype=torch.float64, requires_grad=True)
    y = (x.exp() * x).sum()
    (alone,) = autograd.grad(y, x, retain_graph=True)
    found = [None] * THREADS

    def work(index: int) -> None:
        for _ in range(50):
            (found[index],) = autograd.grad(y, x, retain_graph=True)

    in_threads(work)
    assert all(torch.equal(g, alone) for g in found)


def test_grad_mode_is_each_threads_own() -> None:
    seen = {}

    def work(index: int) -> None:
        seen[index] = torch.is_grad_enabled()
        with torch.set_grad_enabled(index % 2 == 0):
            x = torch.ones(1, requires_grad=True)
            for _ in range(100):
                assert ((x * 2).grad_fn is not None) == (index % 2 == 0)

    with torch.no_grad():
        in_threads(work)
        assert not torch.is_grad_enabled()
    assert all(seen.values())


# ---- memory


def resident() -> int:
    return int(STATUS.read_text().split()[1]) * 4096


def rounds(count: int) -> None:
    x = torch.ones(4, requires_grad=True)
    w = torch.ones(4, 4, requires_grad=True)
    for _ in range(count):
        ((w @ x).tanh() * x).sum().backward()
        x.grad = w.grad = None


@pytest.mark.skipif(not STATUS.exists(), reason="resident memory is read from /proc")
@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_rounds_of_forward_and_backward_leave_memory_flat(count: int) -> None:
    rounds(1_000)
    gc.collect()
    before = resident()
    rounds(count)
    gc.collect()
    assert resident() - before < 2_000_000


@pytest.mark.parametrize(
    "kind", ["plain", "view", "inplace", "hooked", "second order", "function", "several"]
)
def test_graphs_die_by_reference_counting_alone(kind: str) -> None:
    class Square(autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: object, g: torch.Tensor) -> torch.Tensor:
            return 2 * ctx.saved_tensors[0] * g

    def build() -> list[weakref.ref]:
        x = torch.ones(3, requires_grad=True)
        y = x * 2
        if kind == "view":
            y = y.view(3, 1)[1:]
        elif kind == "inplace":
            y[0] = 5
            y.exp_()
        elif kind == "hooked":
            y.register_hook(lambda g: g * 2)
            y.retain_grad()
            y.grad_fn.register_hook(lambda gi, go: None)
        elif kind == "second order":
            (y,) = autograd.grad((y * y * x).sum(), x, create_graph=True)
        elif kind == "function":
            y = Square.apply(y)
        elif kind == "several":
            y = y.unbind()[1]
        watched = [weakref.ref(y), weakref.ref(y.grad_fn), weakref.ref(x)]
        y.sum().backward()
        return watched

    gc.collect()
    gc.disable()
    try:
        assert [ref() for ref in build()] == [None, None, None]
    finally:
        gc.enable()


# ---- exceptions


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["tensor hook", "node hook", "prehook", "backward", "pack hook"])
def test_an_exception_leaves_grad_mode_graph_and_grads_as_they_were(where: str, error: type) -> None:
    armed = [True]

    def strike(*_: object) -> None:
        if armed[0]:
            raise error("now")

    class Touchy(autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            return x * 1

        @staticmethod
        def backward(ctx: object, g: torch.Tensor) -> torch.Tensor:
            strike()
            return g

    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    y = Touchy.apply(y) if where == "backward" else y * 1
    if where == "tensor hook":
        y.register_hook(strike)
    elif where == "node hook":
        y.grad_fn.register_hook(strike)
    elif where == "prehook":
        y.grad_fn.register_prehook(strike)
    elif where == "pack hook":
        hooks = autograd.graph.saved_tensors_hooks(lambda t: strike() or t, lambda t: t)
        with hooks, pytest.raises(error):
            y.exp()
    if where != "pack hook":
        with pytest.raises(error):
            y.sum().backward(retain_graph=True)
    assert torch.is_grad_enabled() and x.grad is None
    armed[0] = False
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp([1.0, 1.0]), rtol=1e-6)
