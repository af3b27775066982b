"""A step length that fulfils the strong Wolfe conditions, by bracketing and cubic interpolation.

Source: Nocedal & Wright, Numerical Optimization, 2006, algorithms 3.5 and 3.6, with the safeguards of
Schmidt's minFunc (2005): steps grow by 1 % to 900 %, and one that lies too near an end twice is moved inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from ..dtypes import Array


class Point(NamedTuple):
    """A step: its length, the loss there, the gradient, and the slope along the direction."""

    t: float
    loss: float
    gradient: Array
    slope: float


def cubic_minimum(a: Point, b: Point, low: float, high: float) -> float:
    """Where the cubic through two points with their slopes is least, within [low, high]; else the middle.

    Source: Nocedal & Wright 2006, equation 3.59.
    """
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    d2 = math.sqrt(square)
    left, right = (a, b) if a.t <= b.t else (b, a)
    bend = right.slope - left.slope + 2 * d2
    if not bend:
        return low if right.slope + d2 - d1 > 0 else high
    at = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / bend)
    return min(max(at, low), high)


class WolfeSearch:
    """Finds a step t with ``f(t) <= f(0) + c1 t f'(0)`` and ``|f'(t)| <= c2 |f'(0)|``.

    Args:
        evaluate: gives the point at a step length.
        start: the point at 0, with negative slope.
        reach: largest absolute element of the direction.
        tolerance: brackets that move no parameter by more than this end the search.
        c1, c2: how much of the slope the loss must follow, and may be left.
        limit: number of evaluations after the first.
    """

    def __init__(
        self, evaluate: Callable[[float], Point], start: Point, reach: float, tolerance: float,
        c1: float = 1e-4, c2: float = 0.9, limit: int = 25,
    ) -> None:  # fmt: skip
        self.evaluate, self.start, self.reach, self.tolerance = evaluate, start, reach, tolerance
        self.c1, self.c2, self.limit = c1, c2, limit
        self.evaluations = 0

    def _at(self, t: float) -> Point:
        self.evaluations += 1
        return self.evaluate(t)

    def _too_high(self, point: Point) -> bool:
        return point.loss > self.start.loss + self.c1 * point.t * self.start.slope

    def _flat(self, point: Point) -> bool:
        return abs(point.slope) <= -self.c2 * self.start.slope

    def run(self, t: float) -> Point:
        """The point found, from a first guess of the step; the best of the bracket if none is good enough."""
        before, point = self.start, self._at(t)
        for turn in range(self.limit):
            if self._too_high(point) or (turn > 1 and point.loss >= before.loss):
                return self._zoom(before, point, turn)
            if self._flat(point):
                return point
            if point.slope >= 0:
                return self._zoom(before, point, turn)
            bounds = point.t + 0.01 * (point.t - before.t), point.t * 10
            before, point = point, self._at(cubic_minimum(before, point, *bounds))
        return min(self.start, point, key=lambda p: p.loss)

    def _zoom(self, a: Point, b: Point, turn: int) -> Point:
        """The best point of a bracket that shrinks until one is good enough."""
        stuck = False
        low, high = (a, b) if a.loss <= b.loss else (b, a)
        for _ in range(turn, self.limit):
            if abs(high.t - low.t) * self.reach < self.tolerance:
                break
            least, most = min(low.t, high.t), max(low.t, high.t)
            t = cubic_minimum(low, high, least, most)
            margin = 0.1 * (most - least)
            if min(most - t, t - least) >= margin:
                stuck = False
            elif stuck or t >= most or t <= least:
                t = most - margin if abs(t - most) < abs(t - least) else least + margin
                stuck = False
            else:
                stuck = True
            point = self._at(t)
            if self._too_high(point) or point.loss >= low.loss:
                low, high = (low, point) if low.loss <= point.loss else (point, low)
                continue
            if self._flat(point):
                return point
            if point.slope * (high.t - low.t) >= 0:
                high = low
            low = point
        return low
