"""Invertible functions with the logarithm of their derivative: what turns one distribution into another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..dtypes import finfo
from ..nn.functional import logsigmoid, pad, sigmoid, softmax, softplus
from ..tensor.creation import tensor
from ..tensor.tensor import Tensor
from . import constraints
from .utils import broadcast_all, sum_rightmost


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
        self.bijective, self.sign = forward.bijective, forward.sign

    @property
    def inv(self) -> Any:
        return self._forward

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
        return f"ComposeTransform({self.parts!r})"


identity_transform = ComposeTransform([])


class ExpTransform(Transform):
    """``y = exp(x)``."""

    bijective, codomain = True, constraints.positive

    def _call(self, x: Any) -> Any:
        return x.exp()

    def _inverse(self, y: Any) -> Any:
        return y.log()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return x


class PowerTransform(Transform):
    """``y = x ** exponent`` for positive x."""

    bijective, domain, codomain = True, constraints.positive, constraints.positive

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        (self.exponent,) = broadcast_all(exponent)

    @property
    def sign(self) -> Any:
        """That of the exponent."""
        return self.exponent.sign()

    def _call(self, x: Any) -> Any:
        return x.pow(self.exponent)

    def _inverse(self, y: Any) -> Any:
        return y.pow(1 / self.exponent)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return (self.exponent * y / x).abs().log()


class SigmoidTransform(Transform):
    """``y = 1 / (1 + exp(-x))``."""

    bijective, codomain = True, constraints.unit_interval

    def _call(self, x: Any) -> Any:
        limits = finfo(x.dtype)
        return sigmoid(x).clamp(min=limits.tiny, max=1.0 - limits.eps)

    def _inverse(self, y: Any) -> Any:
        limits = finfo(y.dtype)
        y = y.clamp(min=limits.tiny, max=1.0 - limits.eps)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return logsigmoid(-x) + logsigmoid(x)


class SoftplusTransform(Transform):
    """``y = log(1 + exp(x))``."""

    bijective, codomain = True, constraints.positive

    def _call(self, x: Any) -> Any:
        return softplus(x)

    def _inverse(self, y: Any) -> Any:
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return -softplus(-x)


class TanhTransform(Transform):
    """``y = tanh(x)``; use ``cache_size=1`` where samples near -1 and 1 come back for their ``log_prob``."""

    bijective, codomain = True, constraints.interval(-1.0, 1.0)

    def _call(self, x: Any) -> Any:
        return x.tanh()

    def _inverse(self, y: Any) -> Any:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return 2.0 * (math.log(2.0) - x - softplus(-2.0 * x))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TanhTransform)

    __hash__ = object.__hash__


class AbsTransform(Transform):
    """``y = |x|``; the inverse takes y for itself."""

    codomain = constraints.positive

    def _call(self, x: Any) -> Any:
        return x.abs()

    def _inverse(self, y: Any) -> Any:
        return y


class AffineTransform(Transform):
    """``y = loc + scale * x``.

    Args:
        loc, scale: tensors or numbers.
        event_dim: how many last dimensions are one event.
    Example:
        >>> AffineTransform(1.0, 2.0).inv(torch.tensor(5.0))
        tensor(2.)
    """

    bijective = True

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale, self.event_dim = loc, scale, event_dim
        if event_dim:
            self.domain = self.codomain = constraints.independent(constraints.real, event_dim)

    @property
    def sign(self) -> Any:
        """That of the scale."""
        if isinstance(self.scale, Tensor):
            return self.scale.sign()
        return (self.scale > 0) - (self.scale < 0)

    def _call(self, x: Any) -> Any:
        return self.loc + self.scale * x

    def _inverse(self, y: Any) -> Any:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        scale = self.scale if isinstance(self.scale, Tensor) else tensor(float(self.scale), dtype=x.dtype)
        return sum_rightmost((x * 0 + scale).abs().log(), self.event_dim)


class SoftmaxTransform(Transform):
    """``y = softmax(x)`` along the last dimension, and ``log`` as one of its inverses."""

    domain, codomain = constraints.real_vector, constraints.simplex

    def _call(self, x: Any) -> Any:
        return softmax(x, -1)

    def _inverse(self, y: Any) -> Any:
        return y.log()


class StickBreakingTransform(Transform):
    """K - 1 real numbers to K positive ones that sum to 1: each breaks a part off what is left of a stick."""

    bijective, domain, codomain = True, constraints.real_vector, constraints.simplex

    def _offsets(self, x: Any) -> Any:
        n = x.shape[-1]
        return tensor([float(n - i) for i in range(n)], dtype=x.dtype).log()

    def _call(self, x: Any) -> Any:
        broken = SigmoidTransform()(x - self._offsets(x))
        left = (1 - broken).cumprod(-1)
        return pad(broken, (0, 1), value=1.0) * pad(left, (1, 0), value=1.0)

    def _inverse(self, y: Any) -> Any:
        cropped = y[..., :-1]
        left = (1 - cropped.cumsum(-1)).clamp(min=finfo(y.dtype).tiny)
        return cropped.log() - left.log() + self._offsets(cropped)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        shifted = x - self._offsets(x)
        return (-shifted + logsigmoid(shifted) + y[..., :-1].log()).sum(-1)
