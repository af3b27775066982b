"""How a linear layer and its cross entropy are computed together."""

from __future__ import annotations

from typing import Any

from ... import dtypes

_POLICIES = ("accurate", "balanced", "compact", "auto")
_FIELDS = ("allow_retain_graph", "batch_chunk_size", "chunking_method", "acc_policy", "acc_dtype")
_ACCUMULATED = (None, dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)


class LinearCrossEntropyOptions:
    """Settings that PyTorch has for computing ``linear_cross_entropy`` in pieces; constant.

    They are checked and kept. Results do not depend on them: all scores are computed at once here.

    Args:
        allow_retain_graph: a second backward is possible; it always is.
        batch_chunk_size: samples in a piece, or None.
        chunking_method: "auto", "aspect_ratio:<n>" or None.
        acc_policy: "accurate", "balanced", "compact" or "auto".
        acc_dtype: dtype of sums, or None.
    Raises:
        ValueError: another value.
    Example:
        >>> LinearCrossEntropyOptions(batch_chunk_size=4).batch_chunk_size
        4
    """

    __slots__ = _FIELDS

    allow_retain_graph: bool
    batch_chunk_size: int | None
    chunking_method: str | None
    acc_policy: str
    acc_dtype: Any

    def __init__(
        self,
        allow_retain_graph: bool = False,
        batch_chunk_size: int | None = None,
        chunking_method: str | None = "auto",
        acc_policy: str = "auto",
        acc_dtype: Any = None,
    ) -> None:
        size = batch_chunk_size
        if size is not None and (not isinstance(size, int) or size <= 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {size}")
        method = chunking_method
        if method not in (None, "auto"):
            kind, _, number = str(method).partition(":")
            if kind != "aspect_ratio" or not number.isdigit():
                raise ValueError(f"invalid chunking_method: {method!r}")
        if acc_policy not in _POLICIES:
            raise ValueError(f"invalid acc_policy: {acc_policy!r}")
        if not any([acc_dtype is kind for kind in _ACCUMULATED]):
            raise ValueError(
                "acc_dtype must be one of {None, torch.float16, torch.bfloat16, torch.float32, "
                f"torch.float64}}, got {acc_dtype}. Pass acc_dtype=None to let the op pick automatically."
            )
        values = (allow_retain_graph, size, method, acc_policy, acc_dtype)
        for name, value in zip(_FIELDS, values, strict=True):
            object.__setattr__(self, name, value)

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in _FIELDS])

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LinearCrossEntropyOptions) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __reduce__(self) -> Any:
        return LinearCrossEntropyOptions, self._values()

    def __repr__(self) -> str:
        fields = [f"{name}={value!r}" for name, value in zip(_FIELDS, self._values(), strict=True)]
        return f"LinearCrossEntropyOptions({', '.join(fields)})"


__all__ = ["LinearCrossEntropyOptions"]
