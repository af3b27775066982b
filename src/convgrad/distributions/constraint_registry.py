"""``biject_to`` and ``transform_to``: from all real numbers into the set that a constraint describes.

Example:
    >>> from convgrad.distributions import Exponential
    >>> constraint = Exponential.arg_constraints["rate"]
    >>> biject_to(constraint)(torch.tensor([-1.0, 0.0, 1.0])) > 0
    tensor([True, True, True])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import constraints, transforms
from .transforms import (
    AffineTransform,
    ComposeTransform,
    CorrCholeskyTransform,
    ExpTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    SigmoidTransform,
    SoftmaxTransform,
    StickBreakingTransform,
)

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]

Factory = Callable[[Any], Any]


class ConstraintRegistry:
    """Finds a transform for a constraint, by the constraint's class."""

    def __init__(self) -> None:
        self._registry: dict[type, Factory] = {}

    def register(self, constraint: Any, factory: Factory | None = None) -> Any:
        """Have ``factory(constraint)`` make the transform for constraints of this class; also a decorator.

        Args:
            constraint: a class of constraints, or one of them.
            factory: takes a constraint and gives a transform.
        Raises:
            TypeError: no constraint.
        Example:
            >>> class Even(constraints.Constraint): ...
            >>> @transform_to.register(Even)
            ... def doubled(constraint):
            ...     return AffineTransform(0, 2)
        """
        if factory is None:
            return lambda later: self.register(constraint, later)
        kind = type(constraint) if isinstance(constraint, constraints.Constraint) else constraint
        if not isinstance(kind, type) or not issubclass(kind, constraints.Constraint):
            raise TypeError(
                f"Expected constraint to be either a Constraint subclass or instance, but got {constraint}"
            )
        self._registry[kind] = factory
        return factory

    def __call__(self, constraint: Any) -> Any:
        factory = self._registry.get(type(constraint))
        if factory is None:
            raise NotImplementedError(f"Cannot transform {type(constraint).__name__} constraints")
        return factory(constraint)


biject_to = ConstraintRegistry()
"""Finds bijections, for inference in unbounded space."""
transform_to = ConstraintRegistry()
"""Finds transforms that are easy to optimise through, bijective or not."""


def _above(constraint: Any) -> Any:
    return ComposeTransform([ExpTransform(), AffineTransform(constraint.lower_bound, 1)])


def _below(constraint: Any) -> Any:
    return ComposeTransform([ExpTransform(), AffineTransform(constraint.upper_bound, -1)])


def _between(constraint: Any) -> Any:
    low, high = constraint.lower_bound, constraint.upper_bound
    if isinstance(low, int | float) and isinstance(high, int | float) and (low, high) == (0, 1):
        return SigmoidTransform()
    return ComposeTransform([SigmoidTransform(), AffineTransform(low, high - low)])


def _fill(registry: ConstraintRegistry, simplex: Any) -> None:
    """What both registries know; they differ in simplices."""

    def independent(constraint: Any) -> Any:
        base = registry(constraint.base_constraint)
        return transforms.IndependentTransform(base, constraint.reinterpreted_batch_ndims)

    def cat(constraint: Any) -> Any:
        parts = [registry(part) for part in constraint.cseq]
        return transforms.CatTransform(parts, constraint.dim, constraint.lengths)

    def stack(constraint: Any) -> Any:
        return transforms.StackTransform([registry(part) for part in constraint.cseq], constraint.dim)

    known: list[tuple[Any, Factory]] = [
        (constraints.real, lambda _: transforms.identity_transform),
        (constraints.independent, independent),
        (constraints.greater_than, _above),
        (constraints.greater_than_eq, _above),
        (constraints.less_than, _below),
        (constraints.interval, _between),
        (constraints.half_open_interval, _between),
        (constraints.simplex, lambda _: simplex()),
        (constraints.corr_cholesky, lambda _: CorrCholeskyTransform()),
        (constraints.cat, cat),
        (constraints.stack, stack),
    ]
    for constraint, factory in known:
        registry.register(constraint, factory)


_fill(biject_to, StickBreakingTransform)
_fill(transform_to, SoftmaxTransform)
transform_to.register(constraints.lower_cholesky, lambda _: LowerCholeskyTransform())
for _constraint in (constraints.positive_definite, constraints.positive_semidefinite):
    transform_to.register(_constraint, lambda _: PositiveDefiniteTransform())
