"""``autograd.graph``: hooks of nodes, saved-tensor hooks, several gradients, edges, what a graph holds."""

from __future__ import annotations

import numpy as np
import pytest

import convgrad as torch
from convgrad.autograd import graph


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


# ---- node hooks


def test_node_hooks_see_and_replace_gradients_of_inputs() -> None:
    a, b = leaf(2.0), leaf(3.0)
    y = a * b
    seen = []

    def hook(grad_inputs: tuple, grad_outputs: tuple) -> tuple:
        seen.append(([g.item() for g in grad_inputs], [g.item() for g in grad_outputs]))
        return grad_inputs[0] * 10, None

    handle = y.grad_fn.register_hook(hook)
    y.backward(retain_graph=True)
    assert seen == [([3.0, 2.0], [1.0])] and a.grad.item() == 30 and b.grad is None
    handle.remove()
    y.backward()
    assert len(seen) == 1 and a.grad.item() == 33 and b.grad.item() == 2


def test_node_hooks_get_gradients_in_the_inputs_shapes() -> None:
    a, b = torch.ones(3, 1, requires_grad=True), torch.ones(4, requires_grad=True)
    y = a * b
    shapes = []
    y.grad_fn.register_hook(lambda gi, go: shapes.append(([tuple(g.shape) for g in gi], tuple(go[0].shape))))
    y.sum().backward()
    assert shapes == [([(3, 1), (4,)], (3, 4))]


def test_prehooks_come_after_the_tensors_own_and_replace() -> None:
    x = leaf(1.0)
    y = x * 2
    order = []
    y.grad_fn.register_prehook(lambda gs: order.append("node") or (gs[0] * 5,))
    y.register_hook(lambda g: order.append("tensor"))
    y.retain_grad()
    y.backward()
    assert order == ["tensor", "node"] and y.grad.item() == 1 and x.grad.item() == 10


def test_hooks_of_a_node_with_several_outputs() -> None:
    x = leaf(1.0, 2.0, 3.0)
    first, second, _ = x.unbind()
    node = first.grad_fn
    seen = []
    node.register_prehook(lambda gs: seen.append([None if g is None else g.item() for g in gs]))
    (first * 4 + second * 5).backward()
    assert seen == [[4.0, 5.0, None]] and x.grad.tolist() == [4, 5, 0]


def test_hooks_of_a_leafs_accumulation() -> None:
    x = leaf(1.0)
    node = (x * 1).grad_fn.next_functions[0][0]
    order = []
    node.register_prehook(lambda gs: (gs[0] * 2,))
    node.register_hook(lambda gi, go: order.append((gi, go[0].item(), x.grad.item())))
    (x * 3).backward()
    assert order == [((), 6.0, 6.0)]


def test_a_hook_with_the_wrong_number_of_answers_is_refused_and_leaves_grad_mode() -> None:
    x = leaf(1.0)
    y = x * x
    y.grad_fn.register_hook(lambda gi, go: (gi[0],))
    with pytest.raises(RuntimeError, match="incorrect number of values"):
        y.backward()
    assert torch.is_grad_enabled() and x.grad is None


def test_node_hooks_under_create_graph_are_recorded() -> None:
    x = leaf(3.0)
    y = x * x
    y.grad_fn.register_hook(lambda gi, go: tuple(g * x for g in gi))
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    (h,) = torch.autograd.grad(g, x)
    assert g.item() == 18 and h.item() == 12  # 2x²


# ---- saved tensors


def test_saved_attributes_are_tensors() -> None:
    x = leaf(2.0)
    y = x.exp()
    assert torch.equal(y.grad_fn._saved_result, y.detach())
    z = x * x
    assert isinstance(z.grad_fn._saved_self, torch.Tensor)
    y.backward()
    with pytest.raises(RuntimeError, match="freed"):
        _ = y.grad_fn._saved_result


def test_saved_tensors_hooks_pack_and_unpack_what_the_block_records() -> None:
    x = leaf(2.0, 3.0)
    packed, unpacked = [], []

    def pack(t: torch.Tensor) -> np.ndarray:
        packed.append(t)
        return t.numpy().copy()

    def unpack(kept: np.ndarray) -> torch.Tensor:
        unpacked.append(kept)
        return torch.from_numpy(kept)

    with graph.saved_tensors_hooks(pack, unpack):
        y = (x * x).exp()
    z = (y * y).sum()  # outside: kept as always
    z.backward()
    assert len(packed) == len(unpacked) == 3
    np.testing.assert_allclose(x.grad.numpy(), (4 * x * torch.exp(2 * x * x)).detach().numpy())


def test_the_innermost_saved_tensors_hooks_count() -> None:
    x = leaf(2.0)
    calls = []

    def named(name: str) -> graph.saved_tensors_hooks:
        return graph.saved_tensors_hooks(lambda t: calls.append(name) or t, lambda t: t)

    with named("outer"):
        a = x.exp()
        with named("inner"):
            b = a.exp()
        b = b.exp()
    b.backward()
    assert calls == ["outer", "inner", "outer"]


@pytest.mark.parametrize("order", [1, 2])
def test_packed_graphs_differentiate_to_any_order(order: int) -> None:
    x = leaf(1.5)
    with graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
        y = x**3
        (g,) = torch.autograd.grad(y, x, create_graph=True)
        if order == 2:
            (g,) = torch.autograd.grad(g, x, create_graph=True)
    assert g.item() == pytest.approx([6.75, 9.0][order - 1])


def test_packed_variadic_and_several_outputs() -> None:
    x, y = leaf(1.0, 2.0), leaf(3.0, 5.0)
    with graph.save_on_cpu():
        a, b = torch.stack([x, y]).unbind()
        z = (torch.einsum("i,i->", a, b) + torch.linalg.multi_dot([a, torch.outer(a, b), b])).sum()
    z.backward()
    plain = [t.detach().requires_grad_() for t in (x, y)]
    a, b = torch.stack(plain).unbind()
    (torch.einsum("i,i->", a, b) + torch.linalg.multi_dot([a, torch.outer(a, b), b])).sum().backward()
    assert torch.allclose(x.grad, plain[0].grad) and torch.allclose(y.grad, plain[1].grad)


def test_pack_hooks_may_not_change_their_argument() -> None:
    x = leaf(2.0)
    with (
        graph.saved_tensors_hooks(lambda t: t.add_(1), lambda t: t),
        pytest.raises(RuntimeError, match="in place"),
    ):
        x * x
    assert torch.is_grad_enabled()
    assert (x * x).grad_fn is not None


def test_unpack_hooks_must_give_tensors() -> None:
    x = leaf(2.0)
    with graph.saved_tensors_hooks(lambda t: t, lambda t: 3):
        y = x * x
    with pytest.raises(TypeError, match="unpack_hook expected to be a Tensor"):
        y.backward()


def test_disabled_saved_tensors_hooks() -> None:
    with graph.disable_saved_tensors_hooks("not here"), pytest.raises(RuntimeError, match="not here"):
        graph.save_on_cpu().__enter__()


def test_mutation_of_saved_tensors_can_be_allowed() -> None:
    x = leaf(3.0)
    with graph.allow_mutation_on_saved_tensors():
        y = x * 1
        z = y * y
        y.mul_(10)
        z.backward()
    assert x.grad.item() == 6


def test_in_place_under_packing() -> None:
    x = leaf(0.5)
    with graph.save_on_cpu():
        y = x * 1
        y.exp_()
        y.mul_(y.detach())
    y.backward()
    assert x.grad.item() == pytest.approx(np.exp(0.5) ** 2)


# ---- several gradients


def test_multi_grad_hooks_wait_for_all_that_come() -> None:
    a, b, c = leaf(1.0), leaf(2.0), leaf(4.0)
    seen = []
    handle = graph.register_multi_grad_hook((a, b, c), lambda gs: seen.append([g and g.item() for g in gs]))
    (a * b).backward()
    (a * b * c).backward()
    handle.remove()
    (a * b).backward()
    assert seen == [[2.0, 1.0, None], [8.0, 4.0, 2.0]]


def test_multi_grad_hooks_of_any() -> None:
    a, b = leaf(1.0), leaf(2.0)
    seen = []
    graph.register_multi_grad_hook((a, b), lambda g: seen.append(g.item()), mode="any")
    (a * b).backward()
    (a * b).backward()
    assert len(seen) == 2
    with pytest.raises(ValueError, match="mode"):
        graph.register_multi_grad_hook((a,), print, mode="some")


def test_multi_grad_hooks_of_a_backward_to_given_inputs() -> None:
    a, b = leaf(1.0), leaf(2.0)
    seen = []
    graph.register_multi_grad_hook((a, b), lambda gs: seen.append([g is None for g in gs]))
    (a * b).backward(inputs=[a])
    assert seen == [[False, True]]


# ---- edges


def test_gradients_with_respect_to_edges() -> None:
    x = leaf(2.0)
    y = x * 3
    z = y.exp()
    edge = graph.get_gradient_edge(y)
    del y
    (by_edge,) = torch.autograd.grad(z, edge)
    assert by_edge.item() == pytest.approx(np.exp(6))
    with pytest.raises(RuntimeError, match="does not require grad"):
        graph.get_gradient_edge(torch.ones(1))


def test_edges_of_leaves_and_of_several_outputs() -> None:
    x = leaf(1.0, 2.0, 3.0)
    parts = x.unbind()
    out = parts[0] * parts[1] + parts[2]
    edges = [graph.get_gradient_edge(t) for t in (x, *parts)]
    grads = torch.autograd.grad(out, edges, retain_graph=True)
    assert [g.tolist() for g in grads] == [[2, 1, 1], 2, 1, 1]
    made = graph.GradientEdge(parts[1].grad_fn, 1)
    (g,) = torch.autograd.grad(out, made, retain_graph=True)
    assert g.item() == 1
    x.grad = None
    torch.autograd.backward(made, torch.tensor(7.0, dtype=torch.float64))
    assert x.grad.tolist() == [0, 7, 0]


def test_edges_as_roots() -> None:
    x = leaf(2.0)
    edge = graph.get_gradient_edge(x * x)
    (g,) = torch.autograd.grad(edge, x)
    assert g.item() == 4
    wide = graph.get_gradient_edge(leaf(1.0, 2.0) * 2)
    with pytest.raises(RuntimeError, match="scalar"):
        torch.autograd.grad(wide, x)


def test_increment_version() -> None:
    x = leaf(2.0)
    y = x * 1
    z = y * y
    graph.increment_version(y)
    with pytest.raises(RuntimeError, match="increment_version"):
        z.backward()


# ---- what a graph holds


def test_memory_report_counts_each_memory_once_largest_first() -> None:
    x = torch.ones(100, requires_grad=True)
    w = torch.ones(50, 100, requires_grad=True)
    hidden = (w @ x).tanh()
    loss = (hidden * hidden).sum()
    report = graph.memory_report(loss)
    assert report.total == 200  # tanh's result, which the product saves, too
    assert report.leaves == 100 * 4 + 50 * 100 * 4
    assert [row.bytes for row in report.rows] == sorted([row.bytes for row in report.rows], reverse=True)
    assert "TanhBackward0" in str(report) and "leaf" in str(report)
    loss.backward()
    assert graph.memory_report(loss).total == 0


def test_memory_report_knows_places_and_packed_values() -> None:
    x = torch.ones(10, requires_grad=True)
    with pytest.warns(UserWarning, match="Anomaly"), torch.autograd.detect_anomaly():
        y = x.exp()
    assert "test_graph.py" in str(graph.memory_report(y))
    with graph.save_on_cpu():
        y = x.exp()
    assert graph.memory_report(y).packed == 1


def test_a_users_function_packs_what_it_saves() -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: object, g: torch.Tensor) -> torch.Tensor:
            (x,) = ctx.saved_tensors
            return 2 * x * g

    x = leaf(3.0)
    calls = []
    with graph.saved_tensors_hooks(
        lambda t: calls.append("pack") or t.clone(), lambda t: calls.append("unpack") or t
    ):
        y = Square.apply(x)
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    (h,) = torch.autograd.grad(g, x)
    assert g.item() == 6 and h.item() == 2 and calls[:2] == ["pack", "unpack"]
