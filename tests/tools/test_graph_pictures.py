"""Graphs of small fake tensors that follow PyTorch's protocol: what is shown, and what is not."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

from convgrad.tools.graph import Graph, draw_graph, graph_text


class Node:
    """As PyTorch's: a name and the nodes of its inputs."""

    def __init__(self, name: str, *inputs: Any, metadata: dict[str, Any] | None = None) -> None:
        self._name = name
        self.next_functions = tuple(i if isinstance(i, tuple) or i is None else (i, 0) for i in inputs)
        self.next_functions = tuple((None, 0) if i is None else i for i in self.next_functions)
        self.metadata = metadata or {}

    def name(self) -> str:
        return self._name


class Tensor:
    """As PyTorch's: a value and the node that made it."""

    def __init__(
        self, value: Any, grad_fn: Node | None = None, *, grad: Any = None, tracked: bool = True
    ) -> None:
        self.data = np.asarray(value, np.float32)
        self.grad_fn, self.requires_grad = grad_fn, tracked
        self.grad = None if grad is None else Tensor(grad, tracked=False)
        self.shape, self.dtype = self.data.shape, "torch.float32"

    def detach(self) -> np.ndarray:
        return self.data

    def tolist(self) -> Any:
        return self.data.tolist()


def accumulate(tensor: Tensor) -> Node:
    node = Node("AccumulateGrad")
    node.variable = tensor  # type: ignore[attr-defined]
    return node


def figure_five() -> dict[str, Tensor]:
    """x (2 x 2) -> y = x - 2 -> z = 3 y^2 -> a = mean(z), with the lecture's gradients."""
    x = Tensor([[1, 2], [3, 4]], grad=[[-1.5, 0], [1.5, 3]])
    sub = Node("SubBackward0", accumulate(x))
    y = Tensor([[-1, 0], [1, 2]], sub)
    square = Node("PowBackward0", sub)
    mul = Node("MulBackward0", square)
    z = Tensor([[3, 0], [3, 12]], mul, grad=[[0.25, 0.25], [0.25, 0.25]])
    return {"x": x, "y": y, "z": z, "a": Tensor(4.5, Node("MeanBackward0", mul))}


def texts(svg: str) -> list[str]:
    return [e.text or "" for e in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_figure_five_shows_every_value_and_gradient() -> None:
    named = figure_five()
    shown = texts(draw_graph(named["a"], names=named).svg)
    for word in ("x", "y", "z", "a", "SubBackward0", "PowBackward0", "MulBackward0", "MeanBackward0"):
        assert word in shown
    numbers = [t for t in shown if t.replace("-", "").replace(".", "").isdigit()]
    expected = [
        "1",
        "2",
        "3",
        "4",
        "-1.5",
        "0",
        "1.5",
        "3",
        "-1",
        "0",
        "1",
        "2",
        "3",
        "0",
        "3",
        "12",
        "4.5",
    ] + ["0.25"] * 4
    assert sorted(numbers) == sorted(expected)
    assert shown.count("gradient") == 2
    assert shown.count("2 × 2  float32") == 3


def test_figure_five_as_text() -> None:
    named = figure_five()
    assert graph_text(named["a"], names=named).splitlines() == [
        "a = MeanBackward0  () float32  value 4.5",
        "← z = MulBackward0  (2, 2) float32  value [[3, 0], [3, 12]]  grad [[0.25, 0.25], [0.25, 0.25]]",
        "← PowBackward0",
        "← y = SubBackward0  (2, 2) float32  value [[-1, 0], [1, 2]]",
        "← x = leaf  (2, 2) float32  value [[1, 2], [3, 4]]  grad [[-1.5, 0], [1.5, 3]]",
    ]


def test_values_can_be_left_out() -> None:
    named = figure_five()
    assert "value" not in texts(draw_graph(named["a"], names=named, show_values=False).svg)
    assert "value" not in graph_text(named["a"], names=named, show_values=False)


def test_values_for_nodes_and_from_their_metadata() -> None:
    leaf = Tensor([1.0, 2.0])
    one = Node("ExpBackward0", accumulate(leaf))
    two = Node("LogBackward0", one, metadata={"value": np.array([5.0, 7.0]), "grad": np.array([0.5, 0.125])})
    shown = texts(draw_graph(two, names={one: "e"}, values={one: np.array([11.0, 13.0])}).svg)
    assert {"11", "13", "5", "7", "0.5", "0.125", "e"} <= set(shown)


def test_inputs_stop_the_walk() -> None:
    named = figure_five()
    shown = texts(draw_graph(named["a"], inputs={"y": named["y"]}).svg)
    assert "y" in shown and "SubBackward0" in shown and "leaf" in shown
    assert len(Graph(named["a"], inputs=named["y"]).items) == 4


def test_large_tensors_show_min_mean_max() -> None:
    data = np.arange(1000, dtype=np.float32).reshape(10, 100)
    shown = texts(draw_graph(Tensor(0.0, Node("SumBackward0", accumulate(Tensor(data))))).svg)
    assert {"min  0", "mean 499.5", "max  999", "10 × 100  float32"} <= set(shown)


@pytest.mark.parametrize("name", ["<b>&", '"quoted"', "x" * 400, "重み"])
def test_any_name(name: str) -> None:
    leaf = Tensor([1.0])
    svg = draw_graph(Tensor(1.0, Node(name, accumulate(leaf))), names={name: leaf}).svg
    assert any(t[:3] == name[:3] for t in texts(svg))
    assert name in graph_text(Tensor(1.0, Node("N", accumulate(leaf))), names={name: leaf})


def test_a_leaf_alone_and_a_constant_alone() -> None:
    assert "leaf" in texts(draw_graph(Tensor([1.0]), names={}).svg)
    assert "no gradient" in texts(draw_graph(Tensor([1.0], tracked=False)).svg)
    assert graph_text(Tensor(2.0)) == "leaf  () float32  value 2"


@pytest.mark.parametrize(
    "value", [np.zeros((0, 3)), np.full((4, 4), np.nan), np.ones((2, 2, 2)), np.zeros(())]
)
def test_empty_constant_and_not_finite_values(value: np.ndarray) -> None:
    ET.fromstring(draw_graph(Tensor(value, Node("N", accumulate(Tensor(value, grad=value))))).svg)


def test_shared_nodes_are_drawn_once_and_marked_in_text() -> None:
    leaf = accumulate(Tensor([1.0]))
    shared = Node("ExpBackward0", leaf)
    root = Node("MulBackward0", shared, shared, None)
    assert len(Graph(root).items) == 3
    assert graph_text(root, show_values=False).splitlines() == [
        "MulBackward0",
        "  ExpBackward0 [1]",
        "  ← leaf  (1) float32",
        "  ExpBackward0 -> [1]",
    ]


def test_several_outputs_are_numbered() -> None:
    split = Node("SplitBackward0", accumulate(Tensor([1.0, 2.0])))
    first, second = Tensor([1.0], split), Tensor([2.0], split)
    second.output_nr = 1  # type: ignore[attr-defined]
    root = Node("AddBackward0", (split, 0), (split, 1))
    shown = texts(draw_graph(root, names={"first": first, "second": second}).svg)
    assert {"output 0", "output 1", "first  1  float32", "second  1  float32"} <= set(shown)


def test_the_same_every_time() -> None:
    named = figure_five()
    assert draw_graph(named["a"], names=named).svg == draw_graph(named["a"], names=named).svg


def test_deep_graphs_need_no_recursion_and_are_cut_openly() -> None:
    node = accumulate(Tensor([1.0]))
    for _ in range(5000):
        node = Node("AddBackward0", node, accumulate(Tensor([1.0])))
    shown = texts(draw_graph(node, max_nodes=300).svg)
    assert "more, not drawn" in shown
    lines = graph_text(node, max_lines=50).splitlines()
    assert len(lines) == 51 and lines[-1] == "…"


def test_what_is_no_graph_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a tensor or a grad_fn node, got int"):
        draw_graph(3)
    with pytest.raises(ValueError, match="direction must be"):
        draw_graph(Tensor(1.0), direction="UP")
