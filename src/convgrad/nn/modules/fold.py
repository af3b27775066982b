"""Windows of an image as columns, and columns added up to an image."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..module import Module


class Fold(Module):
    """Adds windows, one in each column, up to images: the adjoint of ``Unfold``.

    Args:
        output_size: (height, width) of the images in pixels, or an int for both; so are the others.
        kernel_size: size of the windows.
        dilation: distance in pixels between the elements of a window.
        padding: border of zeros that the windows reached into.
        stride: step of the windows.
    Example:
        >>> Fold(4, 2)(ones(1, 3 * 4, 9)).shape
        torch.Size([1, 3, 4, 4])
    """

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, input: Any) -> Any:
        """``(N, C kH kW, L)`` or ``(C kH kW, L)`` to ``(N, C, H, W)`` or ``(C, H, W)``."""
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )


class Unfold(Module):
    """The windows of an image, each flattened into a column.

    Args:
        kernel_size, dilation, padding, stride: of the windows, as for ``Fold``.
    Example:
        >>> Unfold(2)(ones(1, 3, 4, 4)).shape
        torch.Size([1, 12, 9])
    """

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, input: Any) -> Any:
        """``(N, C, H, W)`` or ``(C, H, W)`` to ``(N, C kH kW, L)`` or ``(C kH kW, L)``."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )
