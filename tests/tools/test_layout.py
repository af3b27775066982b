"""The layered layout: nothing overlaps, arrows avoid boxes, the same every time, and fast enough."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convgrad.tools.layout import Box, Edge, Layout, Point, _Vertex, crossings, isotonic, layout, order_layers

Graph = tuple[list[Box], list[Edge]]


@st.composite
def graphs(draw: st.DrawFn, *, acyclic: bool = True) -> Graph:
    count = draw(st.integers(1, 25))
    sizes = st.integers(5, 150)
    boxes = [Box(i, draw(sizes), draw(sizes)) for i in range(count)]
    ends = st.integers(0, count - 1)
    edges = []
    for a, b in draw(st.lists(st.tuples(ends, ends), max_size=50)):
        if acyclic and a == b:
            continue
        src, dst = (min(a, b), max(a, b)) if acyclic else (a, b)
        label = draw(st.sampled_from(["", "", "out 1"])) if src != dst else ""
        edges.append(Edge(src, dst, label, (40, 14) if label else (0, 0)))
    return boxes, edges


def _overlapping(boxes: Sequence[Box], plan: Layout) -> list[tuple[object, object]]:
    placed = [(b.id, *plan.boxes[b.id], b.width, b.height) for b in boxes]
    return [
        (p[0], q[0])
        for i, p in enumerate(placed)
        for q in placed[i + 1 :]
        if p[1] < q[1] + q[3] - 1e-6
        and q[1] < p[1] + p[3] - 1e-6
        and p[2] < q[2] + q[4] - 1e-6
        and q[2] < p[2] + p[4] - 1e-6
    ]


def _samples(points: list[Point], curved: list[bool]) -> list[Point]:
    """Points along a route; a curve is the cubic that ``path_data`` draws (top to bottom)."""
    out = []
    for (x0, y0), (x1, y1), bend in zip(points, points[1:], curved[1:], strict=False):
        for k in range(13):
            t = k / 12
            if bend:
                s = 3 * t * t * (1 - t) + t**3  # both control points keep their end's x
                middle = (y0 + y1) / 2
                y = (1 - t) ** 3 * y0 + 3 * t * (1 - t) * middle + t**3 * y1
                out.append((x0 + s * (x1 - x0), y))
            else:
                out.append((x0 + t * (x1 - x0), y0 + t * (y1 - y0)))
    return out


@given(graphs(), st.sampled_from(["TB", "LR"]))
@settings(deadline=None)
def test_boxes_never_overlap_and_all_is_finite(graph: Graph, direction: str) -> None:
    boxes, edges = graph
    plan = layout(boxes, edges, direction)
    assert _overlapping(boxes, plan) == []
    numbers = [v for xy in plan.boxes.values() for v in xy]
    numbers += [v for route in plan.routes for xy in route.points for v in xy]
    assert all(math.isfinite(v) for v in numbers)
    for box in boxes:
        x, y = plan.boxes[box.id]
        assert x >= -1e-6 and x + box.width <= plan.width + 1e-6
        assert y >= -1e-6 and y + box.height <= plan.height + 1e-6


@given(graphs())
@settings(deadline=None)
def test_arrows_run_through_no_box_and_end_at_their_own(graph: Graph) -> None:
    boxes, edges = graph
    plan = layout(boxes, edges)
    for route in plan.routes:
        for x, y in _samples(route.points, route.curved):
            for box in boxes:
                left, top = plan.boxes[box.id]
                inside = left + 0.5 < x < left + box.width - 0.5 and top + 0.5 < y < top + box.height - 0.5
                assert not inside, (route.edge, box)
        for end, point, down in (
            (route.edge.src, route.points[0], True),
            (route.edge.dst, route.points[-1], False),
        ):
            left, top = plan.boxes[end]
            assert left <= point[0] <= left + boxes[end].width
            assert point[1] == pytest.approx(top + (boxes[end].height if down else 0))


@given(graphs())
@settings(deadline=None)
def test_arrows_point_down_and_labels_are_on_them(graph: Graph) -> None:
    boxes, edges = graph
    for route in layout(boxes, edges).routes:
        assert all(b[1] >= a[1] - 1e-6 for a, b in zip(route.points, route.points[1:], strict=False))
        assert (route.label_at is not None) == bool(route.edge.label)


@given(graphs(acyclic=False))
@settings(deadline=None)
def test_cycles_loops_and_parallel_edges(graph: Graph) -> None:
    boxes, edges = graph
    plan = layout(boxes, edges)
    assert _overlapping(boxes, plan) == []
    assert all(len(route.points) >= 2 for route in plan.routes)


@given(graphs())
@settings(deadline=None, max_examples=25)
def test_the_same_every_time(graph: Graph) -> None:
    first, second = layout(*graph), layout(*graph)
    assert first == second
    assert [r.path_data() for r in first.routes] == [r.path_data() for r in second.routes]


def test_parallel_edges_are_told_apart() -> None:
    plan = layout([Box("x", 80, 20), Box("y", 80, 20)], [Edge("x", "y"), Edge("x", "y")])
    assert plan.routes[0].path_data() != plan.routes[1].path_data()


def test_a_chain_is_straight() -> None:
    plan = layout([Box(i, 30 + 10 * i, 20) for i in range(8)], [Edge(i, i + 1) for i in range(7)])
    middles = {round(plan.boxes[i][0] + (30 + 10 * i) / 2, 3) for i in range(8)}
    assert len(middles) == 1


def test_a_diamond_has_no_crossing() -> None:
    edges = [Edge("a", "c"), Edge("a", "b"), Edge("b", "d"), Edge("c", "e"), Edge("d", "f"), Edge("e", "f")]
    plan = layout([Box(c, 40, 20) for c in "abcdef"], edges)
    order = [plan.boxes["b"][0] < plan.boxes["c"][0], plan.boxes["d"][0] < plan.boxes["e"][0]]
    assert order[0] == order[1]


def test_crossings_are_counted_and_removed() -> None:
    """Four edges i -> 7 - i all cross each other, until one layer is turned round."""
    vertices = [_Vertex(10, 10, i // 4) for i in range(8)]
    for i in range(4):
        vertices[i].down.append(7 - i)
        vertices[7 - i].up.append(i)
    layers = [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert crossings(*layers, vertices) == 6
    order_layers(layers, vertices)
    assert crossings(*layers, vertices) == 0
    assert [sorted(layer) for layer in layers] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_nothing_and_one() -> None:
    assert layout([], []) == Layout({}, [], 0.0, 0.0)
    assert layout([Box("a", 10, 5)], []).boxes == {"a": (0.0, 0.0)}


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="no box 'b'"):
        layout([Box("a", 1, 1)], [Edge("a", "b")])
    with pytest.raises(ValueError, match="same id"):
        layout([Box("a", 1, 1), Box("a", 1, 1)], [])
    with pytest.raises(ValueError, match="direction must be"):
        layout([], [], "up")


def _big(kind: str) -> list[Edge]:
    n = 2000
    if kind == "chain":
        return [Edge(i, i + 1) for i in range(n - 1)]
    if kind == "fan":
        return [Edge(0, i) for i in range(1, n)]
    if kind == "apart":
        return []
    if kind == "recurrent":  # one weight that every step uses
        return [Edge(i, i + 1) for i in range(n - 2)] + [Edge(n - 1, i) for i in range(1, n - 1)]
    draw = random.Random(0)
    return [Edge(*sorted(draw.sample(range(n), 2))) for _ in range(3000)]


@pytest.mark.parametrize("kind", ["chain", "fan", "apart", "recurrent", "random"])
def test_two_thousand_boxes(kind: str) -> None:
    """No recursion, and nothing quadratic in the number of boxes; the bound is loose for busy machines."""
    boxes = [Box(i, 60, 20) for i in range(2000)]
    start = time.process_time()
    plan = layout(boxes, _big(kind))
    assert time.process_time() - start < 20
    rows: dict[float, list[float]] = {}
    for x, y in plan.boxes.values():
        rows.setdefault(y, []).append(x)
    for row in rows.values():
        row.sort()
        assert all(b - a >= 60 - 1e-6 for a, b in itertools.pairwise(row))


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(0.1, 10)), min_size=1, max_size=12))
def test_isotonic_is_monotone_and_optimal(pairs: list[tuple[float, float]]) -> None:
    wishes, weights = [p[0] for p in pairs], [p[1] for p in pairs]
    fit = isotonic(wishes, weights)
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(fit))
    # optimality: the residuals of a projection onto a cone are orthogonal to it and to every step up
    rest = [w * (x - f) for x, f, w in zip(wishes, fit, weights, strict=True)]
    assert sum(r * f for r, f in zip(rest, fit, strict=True)) == pytest.approx(0, abs=1e-6)
    tails = [sum(rest[i:]) for i in range(len(rest))]
    assert all(t <= 1e-6 for t in tails)
    assert tails[0] == pytest.approx(0, abs=1e-6)
