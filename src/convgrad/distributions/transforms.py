"""Invertible functions with the logarithm of their derivative: what turns one distribution into another."""

from __future__ import annotations

import math
from typing import Any

from ..dtypes import finfo
from ..nn.functional import logsigmoid, pad, sigmoid, softmax, softplus
from ..size import Size
from ..tensor.creation import tensor
from ..tensor.functions_shape import broadcast_shapes
from ..tensor.tensor import Tensor
from . import constraints
from .structured import (
    CatTransform,
    CorrCholeskyTransform,
    CumulativeDistributionTransform,
    IndependentTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    ReshapeTransform,
    StackTransform,
)
from .transform import ComposeTransform, Transform, identity_transform
from .utils import broadcast_all, sum_rightmost

__all__ = [
    "AbsTransform", "AffineTransform", "CatTransform", "ComposeTransform", "CorrCholeskyTransform",
    "CumulativeDistributionTransform", "ExpTransform", "IndependentTransform", "LowerCholeskyTransform",
    "PositiveDefiniteTransform", "PowerTransform", "ReshapeTransform", "SigmoidTransform", "SoftmaxTransform",
    "SoftplusTransform", "StackTransform", "StickBreakingTransform", "TanhTransform", "Transform",
    "identity_transform",
]  # fmt: skip


def _joint(shape: Any, *values: Any) -> Any:
    """The shape broadcast with those of parameters."""
    return broadcast_shapes(tuple(shape), *[tuple(getattr(v, "shape", ())) for v in values])


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

    def forward_shape(self, shape: Any) -> Any:
        return _joint(shape, self.exponent)

    inverse_shape = forward_shape

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PowerTransform) and bool((self.exponent == other.exponent).all())

    __hash__ = object.__hash__

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

    def forward_shape(self, shape: Any) -> Any:
        return _joint(shape, self.loc, self.scale)

    inverse_shape = forward_shape

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AffineTransform):
            return False
        pairs = ((self.loc, other.loc), (self.scale, other.scale))
        return all([bool((a == b).all()) if hasattr(a == b, "all") else a == b for a, b in pairs])

    __hash__ = object.__hash__

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

    def forward_shape(self, shape: Any) -> Any:
        return _vector(shape)

    inverse_shape = forward_shape


def _vector(shape: Any, change: int = 0) -> Any:
    """A shape whose last dimension grows by ``change``."""
    if len(shape) < 1:
        raise ValueError("Too few dimensions on input")
    return Size((*shape[:-1], shape[-1] + change))


class StickBreakingTransform(Transform):
    """K - 1 real numbers to K positive ones that sum to 1: each breaks a part off what is left of a stick."""

    bijective, domain, codomain = True, constraints.real_vector, constraints.simplex

    def forward_shape(self, shape: Any) -> Any:
        return _vector(shape, 1)

    def inverse_shape(self, shape: Any) -> Any:
        return _vector(shape, -1)

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
