"""What notebooks show: well formed, escaped, small, quick for huge tensors, and right about NaN."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
import zlib
from base64 import b64decode

import numpy as np
import pytest

import convgrad as torch
from convgrad import nn
from convgrad.tools.display import NODES, PIECES, SIDE, facts, thinned
from convgrad.utils import summary


def parsed(html: str) -> ET.Element:
    """The tree; fails on anything unescaped or unclosed."""
    return ET.fromstring(html.replace("&nbsp;", "\u00a0"))


def pixels(html: str) -> list[np.ndarray]:
    """The images in a piece of HTML, RGBA."""
    found = []
    for data in re.findall(r"data:image/png;base64,([^\"]+)", html):
        raw = b64decode(data)
        width, height = (int.from_bytes(raw[p : p + 4], "big") for p in (16, 20))
        body = zlib.decompress(raw[41 : 41 + int.from_bytes(raw[33:37], "big")])
        found.append(
            np.frombuffer(body, np.uint8).reshape(height, 1 + 4 * width)[:, 1:].reshape(height, width, 4)
        )
    return found


def test_a_small_tensor_shows_shape_dtype_history_and_numbers() -> None:
    x = torch.tensor([[1.0, -2.0], [0.0, 4.0]], requires_grad=True)
    text = "".join(parsed(x._repr_html_()).itertext())
    assert "Tensor 2 × 2 · float32 · requires grad · min -2 · mean 0.75 · max 4" in text
    assert "requires_grad=True" in text
    (map_,) = pixels(x._repr_html_())
    assert map_[0, 1, 2] > map_[0, 1, 0] and map_[1, 1, 0] > map_[1, 1, 2]  # blue and red
    assert map_[1, 1, 3] == 255 and map_[0, 1, 3] == 128 and map_[1, 0, 3] == 0
    assert "grad_fn MulBackward0" in (x * 2)._repr_html_()


@pytest.mark.parametrize(
    "x",
    [
        torch.tensor(3.0),
        torch.zeros(0, 3),
        torch.full((3, 3), float("nan")),
        torch.full((2,), float("-inf")),
        torch.ones(3, 4).bool(),
        torch.arange(5),
        torch.ones(2, 3).bfloat16(),
        torch.ones(2, dtype=torch.complex64),
        torch.full((2, 2), 1e308, dtype=torch.float64),
        torch.ones(1, 1, 1, 1, 1, 2, 3),
        torch.ones(3, 4).T,
        torch.ones(1).expand(100, 100),
    ],
    ids=lambda x: f"{tuple(x.shape)}{x.dtype}",
)
def test_every_kind_of_tensor_is_shown(x: torch.Tensor) -> None:
    html = x._repr_html_()
    parsed(html)
    assert len(html) < 4000


def test_nan_and_infinity_are_counted_and_seen() -> None:
    x = torch.tensor([[float("nan"), 1.0], [float("inf"), -1.0]])
    html = x._repr_html_()
    assert "min -1 · mean 0 · max 1 · 1 NaN · 1 infinite" in html
    (map_,) = pixels(html)
    assert (
        map_[0, 0].tolist() == [0x80, 0x80, 0x80, 255]
        and map_[1, 0, 3] == 255
        and map_[1, 0, 0] > map_[1, 0, 2]
    )


def test_a_huge_tensor_is_sampled() -> None:
    x = torch.zeros(1).expand(100_000, 100_000)
    start = time.perf_counter()
    html = x._repr_html_()
    assert time.perf_counter() - start < 1.0 and len(html) < 20_000
    assert "of a sample of" in html
    (map_,) = pixels(html)
    assert map_.shape[0] <= SIDE and map_.shape[1] <= SIDE


def test_images_of_a_batch_share_one_scale() -> None:
    x = torch.zeros(5, 4, 3, 3)
    x[0, 1] = 1.0
    x[1, 0] = 2.0
    maps = pixels(x._repr_html_())
    assert len(maps) == PIECES and [int(m[0, 0, 3]) for m in maps] == [0, 128, 0, 0, 255, 0]
    assert "and 14 more" in x._repr_html_()


@pytest.mark.parametrize("shape", [(7,), (1000, 3), (3, 1000), (50, 50, 50), (1, 1, 100_000), (2,) * 12])
def test_a_sample_is_small_enough_and_a_view(shape: tuple[int, ...]) -> None:
    array = np.zeros(shape)
    thin = thinned(array, 500)
    assert 0 < thin.size <= 500 and np.shares_memory(thin, array)
    assert thin.size > 20 or array.size < 20
    assert facts(np.zeros((0,))) == "empty"


class Quoted(nn.Module):
    def extra_repr(self) -> str:
        return "<script>alert('&')</script>"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def test_a_module_shows_its_layers() -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.Sequential(nn.ReLU(), Quoted()), nn.Flatten(), nn.Linear(16, 2)
    )
    net[3].requires_grad_(False)
    html = net.eval()._repr_html_()
    rows = [["".join(cell.itertext()) for cell in row] for row in parsed(html).iter("tr")]
    assert rows[0] == ["layer", "class", "settings", "parameters"] and len(rows) == 8
    assert rows[2] == ["0", "Conv2d", "1, 4, 3".replace("3", "kernel_size=(3, 3), stride=(1, 1)"), "40"]
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert "74 parameters, 296 B · 34 frozen · eval" in html
    summary(net, (1, 1, 4, 4))
    rows = [["".join(cell.itertext()) for cell in row] for row in parsed(net._repr_html_()).iter("tr")]
    assert rows[0][3] == "output shape" and rows[2][3] == "[1, 4, 2, 2]" and rows[-1][3] == "[1, 2]"


def test_a_large_module_is_cut() -> None:
    html = nn.Sequential(*[nn.ReLU() for _ in range(1000)])._repr_html_()
    parsed(html)
    assert "and 801 more" in html and len(html) < 60_000


def test_a_node_shows_its_graph() -> None:
    x = torch.ones(2, requires_grad=True)
    html = (x * 2).sum().grad_fn._repr_html_()
    text = "".join(parsed(html).itertext())
    assert "SumBackward0" in text and "MulBackward0" in text
    y = x
    for _ in range(3 * NODES):
        y = y * 2
    assert "more, not drawn" in y.grad_fn._repr_html_()
    parsed(x.sum().grad_fn.next_functions[0][0]._repr_html_())  # a leaf's


def test_showing_is_loaded_when_it_is_wanted() -> None:
    program = "import sys, convgrad; from convgrad import nn; print('convgrad.tools' in sys.modules); convgrad.ones(1)._repr_html_(); print('convgrad.tools.display' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\nTrue\n", done.stderr
