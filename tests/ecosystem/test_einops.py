"""einops works on tensors, whoever is imported first, and its layers in drop-in mode."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.dropin.programs import output

import convgrad as torch

einops = pytest.importorskip("einops")


@pytest.mark.parametrize("operation", ["min", "max", "sum", "mean", "prod"])
def test_reductions_are_those_of_numpy(operation: str) -> None:
    x = np.random.default_rng(0).uniform(0.5, 1.5, (4, 6, 10))
    pattern = "a (b c) d -> d b"
    mine = einops.reduce(torch.from_numpy(x), pattern, operation, c=2)
    assert isinstance(mine, torch.Tensor)
    assert np.allclose(mine.numpy(), einops.reduce(x, pattern, operation, c=2))


def test_the_rest() -> None:
    x = torch.arange(24.0, requires_grad=True)
    y = einops.rearrange(x, "(a b c) -> b (a c)", a=2, b=3)
    assert y.shape == (3, 8) and np.array_equal(
        y.detach().numpy(), einops.rearrange(x.detach().numpy(), "(a b c) -> b (a c)", a=2, b=3)
    )
    einops.reduce(y * y, "a b ->", "sum").backward()
    assert torch.equal(x.grad, 2 * x.detach())
    assert einops.repeat(y, "a b -> a r b", r=2).shape == (3, 2, 8)
    assert einops.rearrange([y, y], "n a b -> a n b").shape == (3, 2, 8)
    assert torch.allclose(einops.einsum(y, y, "a b, c b -> a c"), y @ y.T)
    packed, shapes = einops.pack([y, y[0]], "* b")
    assert packed.shape == (4, 8) and [p.shape for p in einops.unpack(packed, shapes, "* b")] == [
        (3, 8),
        (8,),
    ]
    assert einops.parse_shape(y, "a b") == {"a": 3, "b": 8} and einops.asnumpy(y).shape == (3, 8)
    with pytest.raises(einops.EinopsError):
        einops.rearrange(y, "(a b) c -> a b c", a=2)


@pytest.mark.parametrize("order", ["import einops, convgrad as torch", "import convgrad as torch, einops"])
def test_whoever_comes_first(order: str) -> None:
    program = f"{order}; print(einops.rearrange(torch.ones(2, 3), 'a b -> b a').shape)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "torch.Size([3, 2])\n", done.stderr


def test_convgrad_imports_no_einops_and_leaves_no_trace_behind() -> None:
    program = "import sys, convgrad; print('einops' in sys.modules); import einops; print([f for f in sys.meta_path if type(f).__module__.startswith('convgrad.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n[]\n", done.stderr


LAYERS = """
import torch
from einops.layers.torch import EinMix, Rearrange, Reduce
net = torch.nn.Sequential(
    Rearrange("b c h w -> b (c h w)"),
    EinMix("b i -> b o", weight_shape="i o", bias_shape="o", i=12, o=4),
    Reduce("b (o two) -> b o", "mean", two=2),
)
net(torch.ones(5, 3, 2, 2)).sum().backward()
print(net(torch.ones(5, 3, 2, 2)).shape, net[1].weight.grad.shape, torch.__name__)
"""


def test_layers_in_dropin_mode(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text(LAYERS)
    shown = output("-m", "convgrad.torch", "layers.py", folder=tmp_path)
    assert shown == "torch.Size([5, 2]) torch.Size([12, 4]) convgrad\n"
