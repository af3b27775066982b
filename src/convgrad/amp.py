"""``torch.amp`` for programs on a CPU: what is switched off, or meant for a GPU, does nothing.

Mixed precision itself is out of scope: bfloat16 is computed in float32 here, so it would save no time.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from .device import OTHERS
from .errors import ConvgradError, OutOfScopeError, absent

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]

F = TypeVar("F", bound=Callable[..., Any])

__getattr__ = absent("amp", "mixed precision is out of convgrad's scope")


def is_autocast_available(device_type: str) -> bool:
    """Whether ``autocast`` would change anything on that device: never."""
    return False


class autocast:
    """A block of mixed precision, as a ``with`` block or a decorator; here one that changes nothing.

    Args:
        device_type: "cpu", or a device that is not here.
        dtype: of the mixed precision.
        enabled: whether it is wanted.
        cache_enabled: accepted.
    Warns:
        UserWarning: it is enabled for a device that is not here; it then does nothing, as in PyTorch.
    Raises:
        OutOfScopeError: it is enabled for the CPU.
        ConvgradError: no such device.
    Example:
        >>> with autocast("cpu", enabled=False):
        ...     pass
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        kind = device_type.partition(":")[0]
        if kind != "cpu" and kind not in OTHERS:
            raise ConvgradError(
                f"Expected cpu or another device type at start of device string: {device_type}"
            )
        if enabled and kind == "cpu":
            raise OutOfScopeError(
                "torch.autocast('cpu'): mixed precision is out of convgrad's scope; give enabled=False "
                "(everything is then computed in the dtypes of the tensors)"
            )
        if enabled:
            name = "CUDA" if kind == "cuda" else kind
            warnings.warn(f"{name} is not available. Disabling autocast.", stacklevel=2)
        self.device, self.fast_dtype = kind, dtype

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __call__(self, func: F) -> F:
        return func


def custom_fwd(fwd: F | None = None, *, device_type: str = "cuda", cast_inputs: Any = None) -> Any:
    """Marks ``forward`` of a ``Function`` for mixed precision; gives it back unchanged."""
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)
    return fwd


def custom_bwd(bwd: F | None = None, *, device_type: str = "cuda") -> Any:
    """Marks ``backward`` of a ``Function`` for mixed precision; gives it back unchanged."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)
    return bwd


class GradScaler:
    """Scales losses so that small gradients survive in float16; here one that is switched off.

    Args:
        device: "cuda", or another device that is not here.
        init_scale, growth_factor, backoff_factor, growth_interval: kept for those who ask.
        enabled: whether scaling is wanted.
    Warns:
        UserWarning: it is enabled for a device that is not here; it is then switched off, as in PyTorch.
    Raises:
        OutOfScopeError: it is enabled for the CPU.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if enabled and device.partition(":")[0] == "cpu":
            raise OutOfScopeError(
                "torch.amp.GradScaler('cpu'): mixed precision is out of convgrad's scope; give enabled=False"
            )
        if enabled:
            name = f"torch.{device}.amp.GradScaler"
            warnings.warn(
                f"{name} is enabled, but {device.upper()} is not available.  Disabling.", stacklevel=2
            )
        self._growth = (growth_factor, backoff_factor, growth_interval)

    def is_enabled(self) -> bool:
        """Always False."""
        return False

    def scale(self, outputs: Any) -> Any:
        """The outputs as they are."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Nothing was scaled."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """``optimizer.step(*args, **kwargs)``."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """The scale stays."""

    def get_scale(self) -> float:
        """1.0, the scale of a scaler that is switched off."""
        return 1.0

    def get_growth_factor(self) -> float:
        """What was given."""
        return self._growth[0]

    def get_backoff_factor(self) -> float:
        """What was given."""
        return self._growth[1]

    def get_growth_interval(self) -> int:
        """What was given."""
        return int(self._growth[2])

    def state_dict(self) -> dict[str, Any]:
        """Empty, as that of a scaler that is switched off."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Accepted and ignored."""
