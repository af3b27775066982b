"""What notebooks show of tensors, modules and nodes: small HTML that carries its own style and no script.

Everything is escaped; large tensors are sampled, so that showing one costs milliseconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convgrad.tools.graph import draw_graph
from convgrad.tools.png import png_uri, signed_pixels
from convgrad.tools.svg import MONO, SANS, escape
from convgrad.tools.values import Array, as_real, dtype_text, shape_text, show
from convgrad.utils.model_summary import last_shapes

SAMPLE = 1 << 18
"""Elements that are looked at for the smallest, mean and largest."""
SIDE = 64
"""Pixels of a heat map along each side."""
PIECES = 6
"""Matrices of a tensor with more than two dimensions that are drawn."""
TEXT = 100
"""Elements up to which the numbers are written out beside the map."""
ROWS = 200
NODES = 60

_NAN = (0x80, 0x80, 0x80, 0xFF)
_BOX = f"font-family:{SANS};font-size:13px;line-height:1.5"
_SMALL = "opacity:.7"


def thinned(array: Array, most: int) -> Array:
    """At most ``most`` elements of an array, at equal steps along its longest dimensions; a view."""
    while array.size > most:
        axis = int(np.argmax(array.shape))
        step = min(-(-array.size // most), array.shape[axis])
        array = np.moveaxis(np.moveaxis(array, axis, 0)[::step], 0, axis)
    return array


def facts(array: Array) -> str:
    """Smallest, mean and largest value, and how many are not finite."""
    if not array.size:
        return "empty"
    sample = as_real(thinned(array, SAMPLE))
    finite = sample[np.isfinite(sample)]
    parts = []
    if finite.size:
        with np.errstate(over="ignore"):
            known = (("min", finite.min()), ("mean", finite.mean()), ("max", finite.max()))
        parts = [f"{name} {show(value)}" for name, value in known]
    for name, count in (("NaN", int(np.isnan(sample).sum())), ("infinite", int(np.isinf(sample).sum()))):
        if count:
            parts.append(f"{count:,} {name}")
    if array.dtype.kind == "c":
        parts.append("of magnitudes")
    if sample.size < array.size:
        parts.append(f"of a sample of {sample.size:,}")
    return " · ".join(parts)


def heat_map(matrix: Array, bound: float) -> str:
    """One matrix as an image: blue negative, red positive, grey NaN."""
    step_y, step_x = (max(1, -(-n // SIDE)) for n in matrix.shape)
    values = as_real(matrix[::step_y, ::step_x])
    pixels = signed_pixels(values, bound)
    pixels[np.isnan(values)] = _NAN
    height, width = values.shape
    scale = max(1, min(16, 160 // max(height, width)))
    style = "image-rendering:pixelated;border:1px solid #8886;margin:2px 6px 2px 0;vertical-align:top"
    return (
        f'<img alt="heat map of {shape_text(matrix.shape)} values" src="{png_uri(pixels)}" '
        f'width="{width * scale}" height="{height * scale}" style="{style}"/>'
    )


def heat_maps(array: Array) -> str:
    """The first matrices of an array side by side, in one scale; nothing for a scalar or an empty array."""
    if not array.ndim or not array.size:
        return ""
    matrices = array.reshape(1, -1) if array.ndim == 1 else array
    lead = matrices.shape[:-2]
    count = int(np.prod(lead)) if lead else 1
    pieces = [matrices[np.unravel_index(i, lead)] if lead else matrices for i in range(min(count, PIECES))]
    looked = [as_real(thinned(piece, SAMPLE // PIECES)) for piece in pieces]
    sizes = [np.abs(values[np.isfinite(values)]) for values in looked]
    bound = max([float(s.max()) for s in sizes if s.size], default=0.0)
    more = f'<span style="{_SMALL}">and {count - PIECES:,} more</span>' if count > PIECES else ""
    return f"<div>{''.join([heat_map(piece, bound) for piece in pieces])}{more}</div>"


class TensorDisplay:
    """What ``Tensor`` shows in a notebook."""

    def _repr_html_(self: Any) -> str:
        """Shape, dtype, history, a few facts, a small heat map, and the numbers."""
        array = self._data
        title = type(self).__name__
        head = [f"<b>{escape(title)}</b> {shape_text(array.shape)}", escape(dtype_text(self.dtype))]
        fn = self.grad_fn
        if fn is not None:
            head.append(f"grad_fn {escape(fn.name())}")
        elif self.requires_grad:
            head.append("requires grad")
        head.append(f'<span style="{_SMALL}">{escape(facts(array))}</span>')
        text = f'<pre style="font-family:{MONO};margin:2px 0;overflow-x:auto">{escape(repr(self))}</pre>'
        if array.size > TEXT:
            text = f"<details><summary>numbers</summary>{text}</details>"
        return f'<div style="{_BOX}">{" · ".join(head)}{heat_maps(array)}{text}</div>'


def _size(count: float) -> str:
    """Bytes as people write them."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


class ModuleDisplay:
    """What ``nn.Module`` shows in a notebook."""

    def _repr_html_(self: Any) -> str:
        """A table of the layers: class, settings, parameters, and output shape where ``summary`` ran it."""
        parameters = list(self.parameters())
        total = sum(p.numel() for p in parameters)
        frozen = sum(p.numel() for p in parameters if not p.requires_grad)
        size = _size(sum(p.nbytes for p in parameters))
        head = f"<b>{escape(type(self).__name__)}</b> · {total:,} parameters, {size}"
        head += f" · {frozen:,} frozen" if frozen else ""
        head += "" if self.training else " · eval"
        modules = list(self.named_modules())
        shapes = any(module in last_shapes for _, module in modules)
        titles = ["layer", "class", "settings", *(["output shape"] if shapes else []), "parameters"]
        row = '<tr align="left" valign="top">'
        lines = [row + "".join([f"<th>{title}</th>" for title in titles]) + "</tr>"]
        for name, module in modules[:ROWS]:
            own = sum(p.numel() for p in module.parameters(recurse=False))
            values = [
                "&nbsp;" * 2 * name.count(".") + escape(name.rpartition(".")[2] or "·"),
                escape(type(module).__name__),
                escape(module.extra_repr()),
                *([escape(last_shapes.get(module, "") or "")] if shapes else []),
                f"{own:,}" if own else "",
            ]
            lines.append(row + "".join([f"<td>{value}</td>" for value in values]) + "</tr>")
        if len(modules) > ROWS:
            lines.append(f'{row}<td colspan="5">and {len(modules) - ROWS:,} more</td></tr>')
        table = (
            f'<table cellpadding="3" style="border-collapse:collapse;font-size:12px">{"".join(lines)}</table>'
        )
        return f'<div style="{_BOX};overflow-x:auto">{head}{table}</div>'


class NodeDisplay:
    """What a ``grad_fn`` shows in a notebook."""

    def _repr_html_(self: Any) -> str:
        """The graph below it, drawn."""
        return draw_graph(self, show_values=False, max_nodes=NODES)._repr_html_()
