"""Images made larger or smaller."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..module import Module


class Upsample(Module):
    """Another size for signals, images or volumes, by interpolation.

    Args:
        size: of the result, an int or one for each spatial dimension; or
        scale_factor: the result's size over the input's, a number or one for each.
        mode: "nearest", "linear" (signals), "bilinear" or "bicubic" (images), "trilinear" (volumes).
        align_corners: the centres of the outermost pixels keep their places, not the outer edges.
        recompute_scale_factor: interpolate with the ratio of the two sizes, not with scale_factor.
    Example:
        >>> Upsample(scale_factor=2)(ones(1, 1, 3, 4)).shape
        torch.Size([1, 1, 6, 8])
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        if isinstance(scale_factor, tuple):
            self.scale_factor: Any = tuple([float(s) for s in scale_factor])
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode, self.align_corners = mode, align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Any) -> Any:
        """``(N, C, *S)`` to ``(N, C, *size)``."""
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        known = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor!r}"
        return f"{known}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Another size for images, by their nearest pixels; ``size`` or ``scale_factor`` as for ``Upsample``."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Another size for images, linearly with the corners in place; arguments as for ``Upsample``."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
