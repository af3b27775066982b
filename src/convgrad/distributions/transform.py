"""``Transform``: what an invertible function says of itself; its inverse, and several in a row."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

from . import constraints
from .utils import sum_rightmost


class Transform:
    """``y = t(x)``, its inverse ``t.inv`` and ``log |dy/dx|``.

    Users' own define ``domain``, ``codomain``, ``bijective``, ``sign`` (of the derivative), ``_call``,
    ``_inverse`` and ``log_abs_det_jacobian``.

    Args:
        cache_size: 1 remembers the last pair ``(x, y)``, so that its inverse is x itself.
    Raises:
        ValueError: another cache size.
    """

    bijective = False
    domain: Any = constraints.real
    codomain: Any = constraints.real
    sign: Any = 1

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueError("cache_size must be 0 or 1")
        self._cache_size = cache_size
        self._pair: tuple[Any, Any] = (None, None)

    @property
    def inv(self) -> Any:
        """The inverse, a transform as well."""
        return _Inverse(self)

    def with_cache(self, cache_size: int = 1) -> Any:
        """The same transform with another size of cache."""
        if self._cache_size == cache_size:
            return self
        new = copy(self)
        Transform.__init__(new, cache_size)
        return new

    def forward_shape(self, shape: Any) -> Any:
        """Shape of what comes of an input of a shape; to be defined by those that change it."""
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        """Shape of the input for an output of a shape."""
        return shape

    def __call__(self, x: Any) -> Any:
        if self._cache_size and self._pair[0] is x:
            return self._pair[1]
        y = self._call(x)
        if self._cache_size:
            self._pair = (x, y)
        return y

    def _inv_call(self, y: Any) -> Any:
        if self._cache_size and self._pair[1] is y:
            return self._pair[0]
        x = self._inverse(y)
        if self._cache_size:
            self._pair = (x, y)
        return x

    def _call(self, x: Any) -> Any:
        raise NotImplementedError

    def _inverse(self, y: Any) -> Any:
        raise NotImplementedError

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """``log |det dy/dx|`` for each event, from both ends."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return self is other or (
            type(self) is type(other) and not vars(self).keys() - {"_cache_size", "_pair"}
        )

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Inverse(Transform):
    """The inverse of a transform."""

    def __init__(self, forward: Transform) -> None:
        super().__init__()
        self._forward = forward
        self.domain, self.codomain = forward.codomain, forward.domain
        self.bijective = forward.bijective

    @property
    def inv(self) -> Any:
        return self._forward

    @property
    def sign(self) -> Any:
        """That of the transform."""
        return self._forward.sign

    def with_cache(self, cache_size: int = 1) -> Any:
        return _Inverse(self._forward.with_cache(cache_size))

    def forward_shape(self, shape: Any) -> Any:
        return self._forward.inverse_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self._forward.forward_shape(shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Inverse) and self._forward == other._forward

    __hash__ = object.__hash__

    def __call__(self, x: Any) -> Any:
        return self._forward._inv_call(x)

    def _inv_call(self, y: Any) -> Any:
        return self._forward(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return -self._forward.log_abs_det_jacobian(y, x)

    def __repr__(self) -> str:
        return f"{type(self._forward).__name__}().inv"


class ComposeTransform(Transform):
    """Several transforms one after the other.

    Args:
        parts: in the order in which they are applied; none: the identity.
    Example:
        >>> from convgrad.distributions import AffineTransform, ExpTransform
        >>> ComposeTransform([ExpTransform(), AffineTransform(1.0, 2.0)])(torch.tensor(0.0))
        tensor(3.)
    """

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = list(parts)
        self.bijective = all([part.bijective for part in self.parts])
        self.domain, self.codomain = constraints.real, constraints.real
        if self.parts:
            self.domain, self.codomain = self.parts[0].domain, self.parts[-1].codomain
            events = self.codomain.event_dim
            for part in reversed(self.parts):  # an early part may need events that later ones do not know
                events = max(events + part.domain.event_dim - part.codomain.event_dim, part.domain.event_dim)
            if events > self.domain.event_dim:
                self.domain = constraints.independent(self.domain, events - self.domain.event_dim)

    @property
    def sign(self) -> Any:
        """1 if growing, -1 if falling."""
        sign: Any = 1
        for part in self.parts:
            sign = sign * part.sign
        return sign

    def with_cache(self, cache_size: int = 1) -> Any:
        return ComposeTransform([part.with_cache(cache_size) for part in self.parts], cache_size)

    def forward_shape(self, shape: Any) -> Any:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return shape

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ComposeTransform) and self.parts == other.parts

    __hash__ = object.__hash__

    def __call__(self, x: Any) -> Any:
        for part in self.parts:
            x = part(x)
        return x

    def _inv_call(self, y: Any) -> Any:
        for part in reversed(self.parts):
            y = part._inv_call(y)
        return y

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        if not self.parts:
            return x * 0
        events, total = self.domain.event_dim, 0
        for part in self.parts:
            out = part(x)
            own = part.log_abs_det_jacobian(x, out)
            total = total + sum_rightmost(own, events - part.domain.event_dim)
            events += part.codomain.event_dim - part.domain.event_dim
            x = out
        return total

    def __repr__(self) -> str:
        return "ComposeTransform(\n    " + ",\n    ".join([repr(part) for part in self.parts]) + "\n)"


identity_transform = ComposeTransform([])
