"""Layered layout of directed graphs: which box stands where, and how the arrows run between them.

Sugiyama's four steps: give every box a layer, put dummies where an edge passes a layer, order the layers so
that few edges cross (barycentre sweeps), then find positions. Positions inside a layer are the exact solution
of "as near to the neighbours as possible, in this order, without overlap", which is an isotonic regression.
Edges leave a box downwards, cross to the side only between layers and pass a layer at their dummy, so they
never run through a box. Nothing is random and nothing recurses.

Source: Sugiyama, Tagawa & Toda 1981, doi:10.1109/TSMC.1981.4308636; Barlow et al., Statistical Inference
under Order Restrictions, 1972 (pool adjacent violators).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

GAP_ACROSS = 26.0  # pixels between boxes of one layer
GAP_ALONG = 34.0  # pixels between layers
DUMMY_WIDTH = 8.0
DUMMY_LIMIT = 40_000  # beyond this the longest edges run straight
PORT_GAP = 16.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle to place: ``width`` by ``height`` pixels."""

    id: Hashable
    width: float
    height: float


@dataclass(frozen=True)
class Edge:
    """An arrow from box ``src`` to box ``dst``; ``label_size`` is the room its label takes, in pixels."""

    src: Hashable
    dst: Hashable
    label: str = ""
    label_size: tuple[float, float] = (0.0, 0.0)


@dataclass
class Route:
    """The path of one edge: points in order, and whether the piece before each point is curved."""

    edge: Edge
    points: list[Point]
    curved: list[bool]
    label_at: Point | None = None  # middle of the label

    def path_data(self, direction: str = "TB") -> str:
        """SVG path data; a curved piece leaves and arrives along the direction of flow."""
        parts = [f"M{_point(self.points[0])}"]
        for before, after, curved in zip(self.points, self.points[1:], self.curved[1:], strict=False):
            if not curved or before[0] == after[0] or before[1] == after[1]:
                parts.append(f"L{_point(after)}")
            elif direction == "TB":
                half = (before[1] + after[1]) / 2
                parts.append(f"C{_point((before[0], half))} {_point((after[0], half))} {_point(after)}")
            else:
                half = (before[0] + after[0]) / 2
                parts.append(f"C{_point((half, before[1]))} {_point((half, after[1]))} {_point(after)}")
        return "".join(parts)


def _point(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"


@dataclass
class Layout:
    """Where everything is: ``boxes[id] = (left, top)``, one route per edge in the order given."""

    boxes: dict[Hashable, Point]
    routes: list[Route]
    width: float
    height: float


@dataclass
class _Vertex:
    """A box, a label or a dummy while its place is being found."""

    width: float
    height: float
    layer: int = 0
    up: list[int] = field(default_factory=list)
    down: list[int] = field(default_factory=list)
    x: float = 0.0  # middle
    dummy: bool = False


def layout(boxes: Sequence[Box], edges: Iterable[Edge], direction: str = "TB") -> Layout:
    """Place boxes and route edges.

    Args:
        boxes: distinct ids; sizes in pixels.
        edges: any number, also several between two boxes, loops and cycles.
        direction: "TB" lets edges flow from top to bottom, "LR" from left to right.
    Returns:
        Positions and routes, with the top left corner at (0, 0).
    Raises:
        ValueError: an unknown direction, a repeated id, an edge to a box that does not exist.
    """
    if direction not in ("TB", "LR"):
        raise ValueError(f"layout: direction must be 'TB' or 'LR', got {direction!r}")
    index = {box.id: i for i, box in enumerate(boxes)}
    if len(index) != len(boxes):
        raise ValueError("layout: two boxes have the same id")
    arrows = list(edges)
    for arrow in arrows:
        for end in (arrow.src, arrow.dst):
            if end not in index:
                raise ValueError(f"layout: edge {arrow.src!r} -> {arrow.dst!r}: there is no box {end!r}")
    flip = direction == "LR"
    vertices = [_Vertex(box.height, box.width) if flip else _Vertex(box.width, box.height) for box in boxes]
    pairs = [(index[a.src], index[a.dst]) for a in arrows]
    places: list[Point] = [(0.0, 0.0)] * len(boxes)
    routes: list[Route] = [Route(a, [], []) for a in arrows]
    parts = []
    for members, inside in _components(len(boxes), pairs):
        part = _Part(vertices, members, [(e, *pairs[e], arrows[e]) for e in inside], flip)
        parts.append((part, *part.solve()))
    width, height = _pack(parts, places, routes)
    if flip:
        places = [(y, x) for x, y in places]
        for route in routes:
            route.points = [(y, x) for x, y in route.points]
            route.label_at = (route.label_at[1], route.label_at[0]) if route.label_at else None
        width, height = height, width
    return Layout({box.id: places[i] for i, box in enumerate(boxes)}, routes, width, height)


def _components(count: int, pairs: Sequence[tuple[int, int]]) -> list[tuple[list[int], list[int]]]:
    """Connected parts in order of their first box: (boxes, edges) of each."""
    parent = list(range(count))

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in pairs:
        low, high = sorted((find(a), find(b)))
        parent[high] = low
    found: dict[int, tuple[list[int], list[int]]] = {}
    for i in range(count):
        found.setdefault(find(i), ([], []))[0].append(i)
    for e, (a, _) in enumerate(pairs):
        found[find(a)][1].append(e)
    return list(found.values())


Piece = tuple["_Part", float, float]


def _pack(parts: list[Piece], places: list[Point], routes: list[Route]) -> tuple[float, float]:
    """Stand the parts side by side, in shelves if there are many; fill in places and routes."""
    area = sum((w + 40) * (h + 40) for _, w, h in parts)
    limit = max([1.6 * math.sqrt(area), *(w for _, w, _ in parts)]) if len(parts) > 3 else math.inf
    x = y = shelf = right = 0.0
    for part, width, height in parts:
        if x > 0 and x + width > limit:
            x, y, shelf = 0.0, y + shelf + 40, 0.0
        part.place(x, y, places, routes)
        right, shelf = max(right, x + width), max(shelf, height)
        x += width + 40
    return right, y + shelf


class _Part:
    """One connected part of the graph, laid out on its own, top to bottom."""

    def __init__(
        self,
        boxes: list[_Vertex],
        members: list[int],
        edges: list[tuple[int, int, int, Edge]],
        flip: bool,
    ) -> None:
        self.members = members
        self.local = {m: i for i, m in enumerate(members)}
        self.vertices = [boxes[m] for m in members]
        self.flip = flip
        self.loops: list[tuple[int, int, Edge]] = []
        self.chains: list[tuple[int, bool, list[int], Edge]] = []  # edge, reversed?, vertices it visits
        self.label_of: dict[int, int] = {}  # edge -> its label's vertex
        self.layers: list[list[int]] = []
        self.tops: list[float] = []
        self.depths: list[float] = []
        self._shared: dict[tuple[int, int], int] = {}
        self._raw: list[tuple[int, int, int, Edge]] = []
        for number, src, dst, edge in edges:
            a, b = self.local[src], self.local[dst]
            if a == b:
                self.loops.append((number, a, edge))
            else:
                self._raw.append((number, a, b, edge))

    def solve(self) -> tuple[float, float]:
        """Run the steps; width and height of the result."""
        directed = self._without_cycles()
        spans = self._with_labels(directed)
        self._assign_layers(spans)
        self._insert_dummies(spans)
        order_layers(self.layers, self.vertices)
        self._positions()
        return self._extent()

    # --- layers ---------------------------------------------------------------------------------------

    def _without_cycles(self) -> list[tuple[int, int, int, bool, Edge]]:
        """Every edge pointing away from a depth-first search's back edges: (edge, from, to, reversed?)."""
        out: list[list[int]] = [[] for _ in self.vertices]
        for _, a, b, _ in self._raw:
            out[a].append(b)
        finish = [-1] * len(self.vertices)  # order of finishing; -2 while open
        clock = 0
        for root in range(len(self.vertices)):
            stack = [(root, 0)] if finish[root] == -1 else []
            while stack:
                vertex, child = stack.pop()
                finish[vertex] = -2
                if child < len(out[vertex]):
                    stack.append((vertex, child + 1))
                    if finish[out[vertex][child]] == -1:
                        stack.append((out[vertex][child], 0))
                else:
                    finish[vertex] = clock
                    clock += 1
        return [
            (e, a, b, False, edge) if finish[a] > finish[b] else (e, b, a, True, edge)
            for e, a, b, edge in self._raw
        ]

    def _with_labels(self, directed: list[tuple[int, int, int, bool, Edge]]) -> list[list[tuple[int, int]]]:
        """A label is a box that its edge passes through; returns each edge's pieces."""
        spans = []
        for number, a, b, back, edge in directed:
            self.chains.append((number, back, [a, b], edge))
            if edge.label:
                width, height = edge.label_size[::-1] if self.flip else edge.label_size
                self.vertices.append(_Vertex(width, height))
                label = len(self.vertices) - 1
                self.label_of[number] = label
                spans.append([(a, label), (label, b)])
            else:
                spans.append([(a, b)])
        return spans

    def _assign_layers(self, spans: list[list[tuple[int, int]]]) -> None:
        """Longest path from the sources; then boxes with more outputs than inputs slide to their users."""
        out: list[list[int]] = [[] for _ in self.vertices]
        missing = [0] * len(self.vertices)
        for a, b in (piece for span in spans for piece in span):
            out[a].append(b)
            missing[b] += 1
        inputs = list(missing)
        ready = [i for i, n in enumerate(missing) if n == 0]
        for a in ready:  # grows while it is read: topological order
            for b in out[a]:
                self.vertices[b].layer = max(self.vertices[b].layer, self.vertices[a].layer + 1)
                missing[b] -= 1
                if missing[b] == 0:
                    ready.append(b)
        for a in reversed(ready):
            if out[a] and len(out[a]) > inputs[a]:
                self.vertices[a].layer = min(self.vertices[b].layer for b in out[a]) - 1
        first = min(v.layer for v in self.vertices)
        for vertex in self.vertices:
            vertex.layer -= first

    def _insert_dummies(self, spans: list[list[tuple[int, int]]]) -> None:
        """Chains of dummies for edges longer than one layer; edges from one box share theirs."""
        longest = self._longest_span([piece for span in spans for piece in span])
        for (_, _, chain, _), span in zip(self.chains, spans, strict=True):
            chain[:] = [span[0][0]]
            for a, b in span:
                chain.extend(self._through(a, b, longest))
        depth = 1 + max(v.layer for v in self.vertices)
        self.layers = [[] for _ in range(depth)]
        for i in self._breadth_first():
            self.layers[self.vertices[i].layer].append(i)

    def _longest_span(self, pieces: list[tuple[int, int]]) -> int:
        """The longest edge that still gets dummies, so that there are at most ``DUMMY_LIMIT`` of them."""
        lengths: dict[int, list[int]] = {}
        for a, b in pieces:
            lengths.setdefault(a, []).append(self.vertices[b].layer - self.vertices[a].layer)
        low, high = 1, max((max(spans) for spans in lengths.values()), default=1)
        while low < high:
            middle = (low + high + 1) // 2
            shared = (max((n for n in spans if n <= middle), default=1) - 1 for spans in lengths.values())
            low, high = (middle, high) if sum(shared) <= DUMMY_LIMIT else (low, middle - 1)
        return low

    def _through(self, a: int, b: int, longest: int) -> list[int]:
        """The vertices after ``a`` on the way to ``b``, made where they are missing."""
        low, high = self.vertices[a].layer, self.vertices[b].layer
        if high - low > longest:
            return [b]
        way, last = [], a
        for layer in range(low + 1, high):
            dummy = self._shared.get((a, layer))
            if dummy is None:
                self.vertices.append(_Vertex(DUMMY_WIDTH, 0.0, layer, dummy=True))
                dummy = self._shared[a, layer] = len(self.vertices) - 1
                self._join(last, dummy)
            way.append(dummy)
            last = dummy
        self._join(last, b)
        return [*way, b]

    def _join(self, a: int, b: int) -> None:
        self.vertices[a].down.append(b)
        self.vertices[b].up.append(a)

    def _breadth_first(self) -> list[int]:
        """All vertices, neighbours near each other: the order that the crossing reduction starts from."""
        seen = [False] * len(self.vertices)
        order: list[int] = []
        for root in range(len(self.vertices)):
            queue = [] if seen[root] else [root]
            seen[root] = True
            for i in queue:  # grows while it is read
                order.append(i)
                for j in (*self.vertices[i].up, *self.vertices[i].down):
                    if not seen[j]:
                        seen[j] = True
                        queue.append(j)
        return order

    # --- positions ------------------------------------------------------------------------------------

    def _positions(self) -> None:
        """Middles across the flow by sweeps, tops of the layers along it."""
        for layer in self.layers:
            x = 0.0
            for i in layer:
                self.vertices[i].x = x + self.vertices[i].width / 2
                x += self.vertices[i].width + GAP_ACROSS
        sweeps = max(4, min(48, 120_000 // len(self.vertices)))
        for sweep in range(sweeps):
            both = sweep >= sweeps // 3  # first along the chains, then settle
            for layer in self.layers if sweep % 2 == 0 else reversed(self.layers):
                self._align(layer, down=sweep % 2 == 0, both=both)
        left = min(v.x - v.width / 2 for v in self.vertices)
        for vertex in self.vertices:
            vertex.x -= left
        y = 0.0
        for number, layer in enumerate(self.layers):
            self.tops.append(y)
            self.depths.append(max(self.vertices[i].height for i in layer))
            y += self.depths[number] + self._gap_below(layer)

    def _gap_below(self, layer: list[int]) -> float:
        reach = 0.0
        for i in layer:
            for j in self.vertices[i].down:
                reach = max(reach, abs(self.vertices[i].x - self.vertices[j].x))
        return GAP_ALONG + min(120.0, 0.07 * reach)

    def _align(self, layer: list[int], *, down: bool, both: bool) -> None:
        """Move one layer as near to its neighbours as its order and widths allow."""
        wishes, weights, offsets = [], [], []
        at = 0.0
        for place, i in enumerate(layer):
            vertex = self.vertices[i]
            near = [*vertex.up, *vertex.down] if both else (vertex.up if down else vertex.down)
            if place:
                at += (self.vertices[layer[place - 1]].width + vertex.width) / 2 + GAP_ACROSS
            pull = [(self.vertices[j].x, self._stiffness(vertex, self.vertices[j])) for j in near]
            weight = sum(w for _, w in pull)
            wish = sum(x * w for x, w in pull) / weight if pull else vertex.x
            wishes.append(wish - at)
            weights.append(weight if pull else 0.01)
            offsets.append(at)
        for i, x, offset in zip(layer, isotonic(wishes, weights), offsets, strict=True):
            self.vertices[i].x = x + offset

    @staticmethod
    def _stiffness(a: _Vertex, b: _Vertex) -> float:
        """How much an edge wants to be straight: long edges most, then links of a chain."""
        if a.dummy and b.dummy:
            return 60.0
        upper, lower = (a, b) if a.layer < b.layer else (b, a)
        return 40.0 if len(upper.down) == 1 and len(lower.up) == 1 else 1.0

    def _extent(self) -> tuple[float, float]:
        """Room taken, loops and straight long edges included."""
        right = max(v.x + v.width / 2 for v in self.vertices)
        return right + (30.0 if self.loops else 0.0), self.tops[-1] + self.depths[-1]

    # --- result ---------------------------------------------------------------------------------------

    def place(self, dx: float, dy: float, places: list[Point], routes: list[Route]) -> None:
        """Write this part's boxes and routes, moved by (dx, dy)."""
        for member, i in self.local.items():
            v = self.vertices[i]
            places[member] = (v.x - v.width / 2 + dx, self._top(i) + dy)
        starts, ends = self._ports()
        for number, back, chain, _ in self.chains:
            points, curved = self._trace(chain, starts[number], ends[number])
            if back:
                points, curved = points[::-1], [False, *curved[:0:-1]]
            route = routes[number]
            route.points, route.curved = [(x + dx, y + dy) for x, y in points], curved
            if number in self.label_of:
                label = self.label_of[number]
                v = self.vertices[label]
                route.label_at = (v.x + dx, self._top(label) + v.height / 2 + dy)
        for number, i, _ in self.loops:
            v, top = self.vertices[i], self._top(i) + dy
            side, mid = v.x + v.width / 2 + dx, top + v.height / 2
            step = min(8.0, v.height / 4)
            routes[number].points = [
                (side, mid - step),
                (side + 18, mid - step),
                (side + 18, mid + step),
                (side, mid + step),
            ]
            routes[number].curved = [False] * 4

    def _top(self, i: int) -> float:
        vertex = self.vertices[i]
        return self.tops[vertex.layer] + (self.depths[vertex.layer] - vertex.height) / 2

    def _ports(self) -> tuple[dict[int, float], dict[int, float]]:
        """Where each edge leaves and enters its boxes: spread out, in the order of where they go."""
        starts: dict[int, float] = {}
        ends: dict[int, float] = {}
        for side, result in ((0, starts), (1, ends)):
            bundles: dict[int, dict[tuple[int, int], list[int]]] = {}
            for number, _, chain, _ in self.chains:
                own, other = (chain[0], chain[1]) if side == 0 else (chain[-1], chain[-2])
                # edges that share a dummy share a port; parallel ones get their own
                key = (other, -1 if self.vertices[other].dummy and side == 0 else number)
                bundles.setdefault(own, {}).setdefault(key, []).append(number)
            for own, groups in bundles.items():
                v = self.vertices[own]
                ordered = sorted(groups, key=lambda k: (self.vertices[k[0]].x, k[1]))
                step = min(PORT_GAP, 0.7 * v.width / max(1, len(ordered) - 1))
                for place, key in enumerate(ordered):
                    for number in groups[key]:
                        result[number] = v.x + (place - (len(ordered) - 1) / 2) * step
        return starts, ends

    def _trace(self, chain: list[int], start: float, end: float) -> tuple[list[Point], list[bool]]:
        """Down from the first box, across between layers, straight through every layer on the way."""
        first, last = self.vertices[chain[0]], self.vertices[chain[-1]]
        points = [(start, self._top(chain[0]) + first.height)]
        curved = [False]
        x = start
        for place in range(1, len(chain)):
            before, after = self.vertices[chain[place - 1]], self.vertices[chain[place]]
            points.append((x, self.tops[before.layer] + self.depths[before.layer]))
            curved.append(False)
            x = after.x if place < len(chain) - 1 else end
            points.append((x, self.tops[after.layer]))
            curved.append(True)
        points.append((end, self.tops[last.layer] + (self.depths[last.layer] - last.height) / 2))
        curved.append(False)
        return points, curved


def isotonic(wishes: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The never decreasing numbers nearest to ``wishes`` in weighted squares (pool adjacent violators).

    Example:
        >>> isotonic([1.0, 3.0, 2.0], [1.0, 1.0, 1.0])
        [1.0, 2.5, 2.5]
    """
    blocks: list[tuple[float, float, int]] = []  # mean, weight, length
    for wish, weight in zip(wishes, weights, strict=True):
        mean, total, length = wish, weight, 1
        while blocks and blocks[-1][0] > mean:
            m, w, n = blocks.pop()
            mean = (m * w + mean * total) / (w + total)
            total, length = total + w, length + n
        blocks.append((mean, total, length))
    return [mean for mean, _, length in blocks for _ in range(length)]


def crossings(upper: Sequence[int], lower: Sequence[int], vertices: Sequence[_Vertex]) -> int:
    """How many edges between two neighbouring layers cross: inversions, counted with a Fenwick tree."""
    place = {i: p for p, i in enumerate(lower)}
    tree = [0] * (len(lower) + 1)
    seen = count = 0
    for i in upper:
        ends = sorted(place[j] for j in vertices[i].down if j in place)
        for end in ends:
            k, before = end + 1, 0
            while k:
                before += tree[k]
                k &= k - 1
            count += seen - before
        for end in ends:
            k = end + 1
            while k <= len(lower):
                tree[k] += 1
                k += k & -k
            seen += 1
    return count


def order_layers(layers: list[list[int]], vertices: Sequence[_Vertex]) -> None:
    """Reorder each layer in place so that few edges cross: barycentre sweeps, the best order kept."""
    size = sum(map(len, layers))
    best, fewest = [list(layer) for layer in layers], _all_crossings(layers, vertices)
    for sweep in range(max(3, min(24, 60_000 // max(1, size)))):
        if fewest == 0:
            break
        downward = sweep % 2 == 0
        for k in range(1, len(layers)) if downward else range(len(layers) - 2, -1, -1):
            fixed = layers[k - 1] if downward else layers[k + 1]
            place = {i: p for p, i in enumerate(fixed)}
            keys = {}
            for own, i in enumerate(layers[k]):
                near = [place[j] for j in (vertices[i].up if downward else vertices[i].down) if j in place]
                keys[i] = sum(near) / len(near) if near else own * len(fixed) / len(layers[k])
            layers[k].sort(key=keys.__getitem__)  # stable: ties keep their order
        now = _all_crossings(layers, vertices)
        if now < fewest:
            best, fewest = [list(layer) for layer in layers], now
    layers[:] = best


def _all_crossings(layers: Sequence[Sequence[int]], vertices: Sequence[_Vertex]) -> int:
    return sum(crossings(a, b, vertices) for a, b in pairwise(layers))
