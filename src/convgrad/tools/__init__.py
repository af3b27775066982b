"""Pictures and pages: graphs, convolutions, charts as SVG, and one self-contained HTML page."""

from __future__ import annotations

from convgrad.tools.charts import bar_chart, image_grid, line_chart, spectrum, waveform
from convgrad.tools.convolution_pictures import (
    monophonic_signal,
    output_layers,
    scalar_products,
    stacked_kernels,
)
from convgrad.tools.graph import draw_graph, graph_text
from convgrad.tools.page import Page
from convgrad.tools.svg import Picture

__all__ = [
    "Page",
    "Picture",
    "bar_chart",
    "draw_graph",
    "graph_text",
    "image_grid",
    "line_chart",
    "monophonic_signal",
    "output_layers",
    "scalar_products",
    "spectrum",
    "stacked_kernels",
    "waveform",
]
