"""``torchviz``: its ``make_dot``, drawn by convgrad itself, without Graphviz."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convgrad.tools.graph import Graph, draw_graph
from convgrad.tools.svg import Picture, write_atomically

__all__ = ["Digraph", "make_dot", "make_dot_from_trace"]


class Digraph:
    """A drawn graph with the methods of ``graphviz.Digraph`` that programs call.

    Attributes:
        picture: the drawing.
        source: the graph in the DOT language, for Graphviz and its kin.
    """

    def __init__(self, picture: Picture, source: str) -> None:
        self.picture, self.source = picture, source
        self.format = "svg"
        self.filename = "Digraph.gv"

    def render(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        view: bool = False,
        cleanup: bool = False,
        format: str | None = None,
        **options: Any,
    ) -> str:
        """Write the drawing as SVG.

        Args:
            filename: without the ending, ``Digraph.gv`` by default.
            directory: where to; made if missing.
            view: open it in a browser.
            cleanup: leave the DOT source aside, which otherwise stands beside it under ``filename``.
            format: "svg"; convgrad draws nothing else.
        Returns:
            The name of the written file.
        Raises:
            ValueError: another format.
        """
        kind = format or self.format
        if kind != "svg":
            raise ValueError(
                f"render: convgrad draws format='svg', but got {kind!r}; a browser prints it as PDF"
            )
        stem = Path(directory or "", filename or self.filename)
        stem.parent.mkdir(parents=True, exist_ok=True)
        if not cleanup:
            write_atomically(stem, self.source)
        path = stem.with_name(f"{stem.name}.svg")
        write_atomically(path, self.picture.svg)
        if view:
            webbrowser.open(path.resolve().as_uri())
        return str(path)

    def save(
        self, filename: str | os.PathLike[str] | None = None, directory: str | os.PathLike[str] | None = None
    ) -> str:
        """Write the DOT source; returns the name of the file."""
        path = Path(directory or "", filename or self.filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        return str(write_atomically(path, self.source))

    def view(self, filename: str | None = None, **options: Any) -> str:
        """Write the drawing and open it in a browser."""
        return self.render(filename, view=True, **options)

    def pipe(self, format: str = "svg", **options: Any) -> bytes:
        """The drawing as the bytes of an SVG file."""
        if format != "svg":
            raise ValueError(f"pipe: convgrad draws format='svg', but got {format!r}")
        return self.picture.svg.encode()

    def _repr_svg_(self) -> str:
        return self.picture.svg

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.picture.svg}

    def __str__(self) -> str:
        return self.source


def make_dot(
    var: Any,
    params: Mapping[str, Any] | None = None,
    show_attrs: bool = False,
    show_saved: bool = False,
    max_attr_chars: int = 50,
) -> Digraph:
    """Draw how ``var`` was computed.

    Args:
        var: a tensor, or several of which the first is drawn.
        params: names of tensors, such as ``dict(model.named_parameters())``.
        show_attrs, show_saved, max_attr_chars: accepted; small tensors show their values anyway.
    Returns:
        A drawing, which notebooks show, with ``render(filename, format="svg")`` and ``source``.
    Example:
        >>> import convgrad
        >>> x = convgrad.ones(2, requires_grad=True)
        >>> "SumBackward0" in make_dot(x.sum(), {"x": x}).source
        True
    """
    root = var[0] if isinstance(var, (tuple, list)) else var
    picture = draw_graph(root, names=params)
    return Digraph(picture, _dot(Graph(root, names=params)))


def make_dot_from_trace(trace: Any) -> Digraph:
    """Always an error, as in torchviz: give the result itself to ``make_dot``."""
    raise NotImplementedError("make_dot_from_trace has been moved: give the result itself to make_dot")


def _dot(graph: Graph) -> str:
    lines = ["digraph {", "\tnode [fontname=monospace shape=box style=filled]"]
    colours = {
        "leaf": "lightblue",
        "input": "lightblue",
        "op": "lightgrey",
        "constant": "orange",
        "more": "white",
    }
    for place, item in enumerate(graph.items):
        name = next((output.name for output in item.outputs if output.name), "")
        shape = next((output.shape for output in item.outputs if output.shape is not None), None)
        words = [word for word in (name, item.title) if word]
        if item.kind != "op" and shape is not None:
            words.append(f"({', '.join(map(str, shape))})")
        label = r"\n".join(word.replace("\\", "\\\\").replace('"', '\\"') for word in words)
        colour = "darkolivegreen1" if place == 0 and item.kind == "op" else colours[item.kind]
        lines.append(f'\t{place} [label="{label}" fillcolor={colour}]')
    for place, item in enumerate(graph.items):
        lines.extend(f"\t{at} -> {place}" for at, _ in item.inputs)
    return "\n".join([*lines, "}"]) + "\n"
