"""Graphs of real PyTorch tensors: the protocol that the pictures follow is theirs."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from convgrad.tools import draw_graph, graph_text

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity


def test_figure_five() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x - 2
    z = 3 * y**2
    a = z.mean()
    for tensor in (y, z, a):
        tensor.retain_grad()
    a.backward()
    assert graph_text(a, names={"x": x, "y": y, "z": z, "a": a}).splitlines() == [
        "a = MeanBackward0  () float32  value 4.5  grad 1",
        "← z = MulBackward0  (2, 2) float32  value [[3, 0], [3, 12]]  grad [[0.25, 0.25], [0.25, 0.25]]",
        "← PowBackward0  (2, 2) float32",
        "← y = SubBackward0  (2, 2) float32  value [[-1, 0], [1, 2]]  grad [[-1.5, 0], [1.5, 3]]",
        "← x = leaf  (2, 2) float32  value [[1, 2], [3, 4]]  grad [[-1.5, 0], [1.5, 3]]",
    ]


def test_a_network_without_reading_grads_that_do_not_exist() -> None:
    """PyTorch warns when the grad of an intermediate tensor is read; warnings are errors in tests."""
    net = torch.nn.Sequential(
        torch.nn.Conv1d(2, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(56, 3)
    )
    hidden = net[:2](torch.randn(5, 2, 16))
    first, second, third = net[2:](hidden).split(1, 1)
    loss = (first * second + third * first).sum()
    loss.backward()
    names = {parameter: name for name, parameter in net.named_parameters()}
    names[hidden] = "hidden"
    svg = draw_graph(loss, names=names).svg
    ET.fromstring(svg)
    for word in ("ConvolutionBackward0", "hidden", "0.weight", "3.bias", "output 1", "5 × 4 × 14"):
        assert word in svg


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.complex64])
def test_dtypes(dtype: object) -> None:
    x = torch.ones(2, dtype=dtype, requires_grad=True)
    assert str(dtype).removeprefix("torch.") in graph_text(x * 2)
    ET.fromstring(draw_graph(x * 2).svg)
