"""``torchviz.make_dot``, without Graphviz."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import convgrad as torch
from convgrad import nn
from convgrad.torch.torchviz import make_dot, make_dot_from_trace

from .programs import output


def test_a_drawing_can_be_shown_and_written(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    dot = make_dot(net(torch.ones(1, 3)).sum(), params=dict(net.named_parameters()), show_attrs=True)
    ET.fromstring(dot._repr_svg_())
    assert "0.weight" in dot._repr_svg_() and 'label="0.bias\\nleaf\\n(2)"' in dot.source
    nodes = set(re.findall(r"^\t(\d+) \[", dot.source, re.M))
    edges = re.findall(r"(\d+) -> (\d+)", dot.source)
    assert (
        len(nodes) == 4 and len(edges) == 3
    )  # the layer and its relu are one and all({a, b} <= nodes for a, b in edges)
    assert dot.render("graph", directory=tmp_path / "new", format="svg") == str(
        tmp_path / "new" / "graph.svg"
    )
    assert (tmp_path / "new" / "graph.svg").read_text() == dot._repr_svg_()
    assert (tmp_path / "new" / "graph").read_text() == dot.source == str(dot)
    dot.render(tmp_path / "clean", cleanup=True)
    assert not (tmp_path / "clean").exists() and (tmp_path / "clean.svg").exists()
    assert Path(dot.save(tmp_path / "a.gv")).read_text() == dot.source
    assert dot.pipe().startswith(b"<svg") and dot._repr_mimebundle_() == {"image/svg+xml": dot._repr_svg_()}
    with pytest.raises(ValueError, match="draws format='svg', but got 'png'"):
        dot.render(tmp_path / "x", format="png")
    with pytest.raises(NotImplementedError, match="make_dot"):
        make_dot_from_trace(None)


def test_names_are_quoted_in_the_source() -> None:
    x = torch.ones(1, requires_grad=True)
    assert r"a\"b\\" in make_dot(x * 2, {'a"b\\': x}).source


def test_in_a_program(tmp_path: Path) -> None:
    (tmp_path / "draws.py").write_text(
        "import torch\nfrom torchviz import make_dot\n"
        "x = torch.ones(2, requires_grad=True)\nmake_dot((x * x).sum(), params={'x': x}).render('g', format='svg')\n"
    )
    output("-m", "convgrad.torch", "draws.py", folder=tmp_path)
    assert "MulBackward0" in (tmp_path / "g.svg").read_text()
