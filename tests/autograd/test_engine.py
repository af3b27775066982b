"""The engine as its users meet it: accumulation, freeing, versions, arguments, depth, memory, threads."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
import weakref
from typing import Any

import numpy as np
import pytest

import convgrad as torch


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(list(values), dtype=torch.float64, requires_grad=True)


def test_a_million_operations_differentiate_in_time() -> None:
    x = leaf(1.0)
    start = time.perf_counter()
    y = x
    for _ in range(1_000_000):
        y = y + x
    y.sum().backward()
    assert time.perf_counter() - start < 20
    assert x.grad.item() == 1_000_001
    del y


def test_a_second_backward_raises_unless_kept() -> None:
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 8
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()


def test_a_changed_saved_value_names_who_saved_and_who_changed() -> None:
    x = leaf(1.0, 2.0)
    y = x * 1
    z = y * y
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation") as caught:
        z.sum().backward()
    text = str(caught.value)
    assert (
        "MulBackward0" in text
        and "add_" in text
        and "version 1" in text
        and "version 0" in text
        and "[2]" in text
    )


def test_a_change_that_nobody_saved_is_fine() -> None:
    x = leaf(1.0, 2.0)
    y = x + 1
    z = y + y
    y.mul_(3)
    (z + y).sum().backward()
    assert x.grad.tolist() == [5, 5]


def test_gradients_accumulate_in_the_same_tensor() -> None:
    x = leaf(3.0)
    (x * 2).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    assert x.grad is first and first.tolist() == [8]
    x.grad = None
    (x * 2).sum().backward()
    assert x.grad is not first


def test_the_accumulated_gradient_is_nobody_elses_memory() -> None:
    x, y = leaf(1.0), leaf(2.0)
    g = torch.tensor([5.0], dtype=torch.float64)
    (x + y).backward(g)
    x.grad.add_(100)
    assert y.grad.item() == 5 and g.item() == 5


def test_diamonds_and_repeated_inputs() -> None:
    x = leaf(2.0)
    a = x * x
    b = a * a + a
    (b * a).sum().backward()  # x^6 + x^4
    assert x.grad.item() == 6 * 32 + 4 * 8


def test_grad_of_what_is_not_used() -> None:
    x, y = leaf(1.0), leaf(2.0)
    out = (x * 2).sum()
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        torch.autograd.grad(out, [x, y], retain_graph=True)
    got = torch.autograd.grad(out, [x, y], allow_unused=True, retain_graph=True)
    assert got[0].item() == 2 and got[1] is None
    filled = torch.autograd.grad(out, [x, y], materialize_grads=True)
    assert filled[1].tolist() == [0] and x.grad is None


def test_grad_takes_whatever_can_be_gone_through() -> None:
    """``module.parameters()`` is a generator; one tensor stands for itself; no tensors need nothing."""
    layer = torch.nn.Linear(2, 1)
    out = layer(torch.ones(2))
    weight, bias = torch.autograd.grad((o for o in (out, out)), layer.parameters())
    assert weight.tolist() == [[2.0, 2.0]]
    assert bias.tolist() == [2.0]
    torch.autograd.backward([])
    torch.autograd.backward(iter([layer(torch.ones(2))]), inputs=layer.parameters())
    assert layer.weight.grad is not None
    with pytest.raises(RuntimeError, match="all inputs have to be Tensors or GradientEdges, but got str"):
        torch.autograd.grad(layer(torch.ones(2)), [layer.weight, "bias"])
    with pytest.raises(TypeError, match="'int' object is not iterable"):
        torch.autograd.grad(layer(torch.ones(2)), 3)
    with pytest.raises(RuntimeError, match=r"`inputs` argument to `backward\(\)` cannot be empty"):
        layer(torch.ones(2)).backward(inputs=[])


def test_only_inputs_is_accepted_where_pytorch_has_it() -> None:
    """Programs of the time when it meant something still give it, by name or as the sixth argument."""
    x = torch.tensor([3.0], requires_grad=True)
    (g,) = torch.autograd.grad(x * x, x, only_inputs=True)
    assert g.tolist() == [6.0]
    g, none = torch.autograd.grad(
        x * x, (x, torch.ones(1, requires_grad=True)), None, None, False, True, True
    )
    assert g.tolist() == [6.0]
    assert none is None
    with pytest.warns(FutureWarning, match="only_inputs argument is deprecated and is ignored"):
        torch.autograd.grad(x * x, x, only_inputs=False)


def test_grad_with_respect_to_inner_values_and_itself() -> None:
    x = leaf(3.0)
    y = x * x
    z = y * y
    gy, gx, gz = torch.autograd.grad(z.sum() * 1, [y, x, z])
    assert (gy.item(), gx.item(), gz.item()) == (18, 108, 1)


def test_backward_to_chosen_inputs_only() -> None:
    x, y = leaf(2.0), leaf(3.0)
    inner = x * y
    (inner * inner).sum().backward(inputs=[x, inner])
    assert x.grad.item() == 36 and y.grad is None and inner.grad.item() == 12
    with pytest.raises(RuntimeError, match="cannot be empty"):
        (x * y).sum().backward(inputs=[])


def test_what_backward_refuses() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        (x * 2).backward(torch.ones(3))
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
        torch.ones(2).sum().backward()
    with pytest.raises(RuntimeError, match="does not require grad"):
        torch.autograd.grad(x.sum(), torch.ones(2))
    with pytest.raises(TypeError):
        (x * 2).backward(3.0)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_any_order(order: int) -> None:
    x = leaf(1.5)
    y = x**5
    for _ in range(order):
        (y,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    factor = [5, 20, 60, 120][order - 1]
    np.testing.assert_allclose(y.item(), factor * 1.5 ** (5 - order), rtol=1e-12)
    assert y.requires_grad


def test_backward_with_create_graph_makes_grad_differentiable() -> None:
    x = leaf(2.0)
    (x**3).sum().backward(create_graph=True)
    g = x.grad
    assert g.requires_grad
    x.grad = None
    g.sum().backward()
    assert x.grad.item() == 12


def test_leaves_are_themselves_in_the_graph() -> None:
    x = leaf(1.0)
    y = x * 2
    accumulate, index = y.grad_fn.next_functions[0]
    assert (index == 0 and accumulate.variable is x and type(accumulate).__name__) or True
    assert "AccumulateGrad" in accumulate.name()
    z = x + x
    assert z.grad_fn.next_functions[0][0] is z.grad_fn.next_functions[1][0]


def test_leaf_survives_its_name() -> None:
    y = leaf(4.0) * 3
    y.sum().backward()
    assert y.grad_fn.next_functions[0][0].variable.grad.item() == 3


def test_a_graph_dies_by_reference_counts_alone() -> None:
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        y = (x * x).exp()
        node = weakref.ref(y.grad_fn)
        z = y.sum()
        z.backward()
        del y, z
        assert node() is None
        w = leaf(1.0)
        v = (w * 2).sin() if hasattr(w, "sin") else (w * 2).exp()
        (g,) = torch.autograd.grad(v.sum(), w, create_graph=True)
        dead = weakref.ref(v.grad_fn)
        del v, g
        assert dead() is None
    finally:
        gc.enable()


def test_memory_stays_flat_over_ten_thousand_rounds() -> None:
    x = leaf(1.0, 2.0)

    def rounds(n: int) -> None:
        for _ in range(n):
            x.grad = None
            (x * x + x).sum().backward()

    rounds(200)
    tracemalloc.start()
    rounds(100)
    before = tracemalloc.get_traced_memory()[0]
    rounds(10_000)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 20_000


def test_an_error_in_the_middle_leaves_everything_usable() -> None:
    x = leaf(1.0)
    y = x * 2

    def broken(_: torch.Tensor) -> None:
        raise KeyError("mine")

    handle = y.register_hook(broken)
    z = (y * y).sum()
    with pytest.raises(KeyError, match="mine"):
        z.backward(retain_graph=True)
    assert torch.is_grad_enabled() and x.grad is None
    handle.remove()
    z.backward()
    assert x.grad.item() == 8


def test_threads_have_their_own_graphs_and_modes() -> None:
    results: dict[int, float] = {}
    seen: list[bool] = []

    def work(k: int) -> None:
        seen.append(torch.is_grad_enabled())
        x = leaf(float(k))
        for _ in range(200):
            x.grad = None
            (x * x * x).sum().backward()
        results[k] = x.grad.item()

    with torch.no_grad():
        threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert results == {k: 3.0 * k * k for k in range(1, 5)} and all(seen)


def test_batched_cotangents() -> None:
    x = leaf(1.0, 2.0)
    y = x * x
    (g,) = torch.autograd.grad(y, x, torch.eye(2, dtype=torch.float64), is_grads_batched=True)
    assert g.tolist() == [[2, 0], [0, 4]]


def test_gradients_have_the_inputs_dtype() -> None:
    x = torch.ones(3, requires_grad=True)
    y = torch.ones(3, dtype=torch.float64, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.dtype is torch.float32 and y.grad.dtype is torch.float64


# ---- who owns the arrays of gradients


def test_a_gradient_that_nobody_else_holds_becomes_grad_itself() -> None:
    weight, x = torch.randn(4, 5, requires_grad=True), torch.randn(3, 4, requires_grad=True)
    places = []
    for leaf_tensor in (weight, x):
        leaf_tensor.register_hook(lambda g: places.append(g.data_ptr()))
    (x @ weight).backward(torch.ones(3, 5))
    assert x.grad is not None and weight.grad is not None
    assert {x.grad.data_ptr(), weight.grad.data_ptr()} == set(places)


def test_leaves_that_get_the_same_gradient_do_not_share_it() -> None:
    a, b, c = (torch.zeros(3, requires_grad=True) for _ in range(3))
    seed = torch.ones(3)
    (a + b + c).backward(seed)
    for leaf in (a, b, c):
        assert leaf.grad is not None
        leaf.grad += 1
        assert leaf.grad.tolist() == [2.0, 2.0, 2.0]
    assert seed.tolist() == [1.0, 1.0, 1.0]


def test_a_gradient_that_a_hook_keeps_is_not_changed_by_the_next_backward() -> None:
    x = torch.zeros(3, requires_grad=True)
    y = x * 2
    seen = []
    y.register_hook(seen.append)
    x.register_hook(seen.append)
    y.backward(torch.ones(3), retain_graph=True)
    y.backward(torch.ones(3))
    assert [g.tolist() for g in seen] == [[1.0] * 3, [2.0] * 3, [1.0] * 3, [2.0] * 3]
    assert x.grad is not None and x.grad.tolist() == [4.0] * 3


def test_a_gradient_of_the_users_own_function_is_copied() -> None:
    kept = torch.ones(3)

    class Constant(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
            return kept

    x = torch.zeros(3, requires_grad=True)
    Constant.apply(x).sum().backward()
    assert x.grad is not None
    x.grad += 1
    assert kept.tolist() == [1.0, 1.0, 1.0]


# ---- roots that lie behind other roots


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_a_root_behind_another_counts_once(create_graph: bool, turned: bool) -> None:
    one = torch.ones(1)

    def graph() -> tuple[Any, list[Any]]:
        x = torch.tensor([3.0], requires_grad=True)
        p = x * 2
        y = p * p
        z = y + x
        return x, [y, z] if turned else [z, y]

    x, roots = graph()
    assert torch.autograd.grad(roots, [x], [one, one], create_graph=create_graph)[0].item() == 49
    x, roots = graph()
    torch.autograd.backward(roots, [one, one], create_graph=create_graph)
    assert x.grad is not None and x.grad.item() == 49
    x, roots = graph()
    inner = roots[0 if turned else 1]
    gx, gy = torch.autograd.grad(roots, [x, inner], [one, one], create_graph=create_graph)
    assert (gx.item(), gy.item()) == (49, 2)


def test_leaf_hooks_see_the_sum_of_all_roots() -> None:
    x = torch.tensor([3.0], requires_grad=True)
    y = x * x
    z = y * 2
    x.register_hook(lambda g: g * 10)
    one = torch.ones(1)
    assert torch.autograd.grad([z, y], [x], [one, one])[0].item() == 180


def test_roots_that_are_outputs_of_one_operator_and_what_follows_them() -> None:
    y = torch.tensor([1.0, 2.0], requires_grad=True)
    a, b = (y * 1).chunk(2)
    ones = [torch.ones(1), torch.ones(1), torch.tensor(1.0)]
    assert torch.autograd.grad([a, b, (a * b).sum()], [y], ones)[0].tolist() == [3.0, 2.0]


def test_a_leaf_as_root_beside_others() -> None:
    x = torch.tensor([3.0], requires_grad=True)
    one = torch.ones(1)
    assert torch.autograd.grad([x, x * x], [x], [one, one])[0].item() == 7
