"""Normalisation within each example."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from ...size import Size
from ...tensor.tensor import Tensor
from .. import functional as F
from .. import init
from ..module import Module
from .linear import add_affine, empty_parameter, reset_affine


class LocalResponseNorm(Module):
    """Divides by a power of the mean square of neighbouring channels.

    Args:
        size: number of channels that the mean is taken over.
        alpha, beta, k: ``input / (k + alpha mean) ** beta``.
    Example:
        >>> LocalResponseNorm(2)(ones(2, 3, 4)).shape
        torch.Size([2, 3, 4])

    Source: Krizhevsky et al. 2012, ImageNet classification with deep convolutional neural networks, 3.3.
    """

    def __init__(self, size: int, alpha: float = 0.0001, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Any) -> Any:
        """``(N, C, ...)`` with at least one dimension more, the same shape out."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(Module):
    """The older form of ``LocalResponseNorm``, for ``(N, C, H, W)``.

    Its sums of squares run over channels ``c - r`` to ``c + r`` with ``r = (size - 1) // 2`` and, from
    channel ``r + 1`` on, over channel 0 as well, which PyTorch leaves in as it slides the window along.

    Args:
        size: number of channels in a window.
        alpha, beta, k: ``input / (k + alpha / size * sum) ** beta``.
    """

    def __init__(self, size: int, alpha: float = 0.0001, beta: float = 0.75, k: float = 1) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Any) -> Any:
        """``(N, C, H, W)``, the same shape out.

        Raises:
            ValueError: another number of dimensions.
        """
        shape = input._data.shape
        if len(shape) != 4:
            raise ValueError(
                f"CrossMapLRN2d: Expected input to be 4D, got {len(shape)}D instead (shape {list(shape)})"
            )
        channel, reach = np.arange(shape[1]), (self.size - 1) // 2
        band = abs(channel[:, None] - channel) <= reach
        band[:, :1] = True
        window = Tensor(band.astype(input._data.dtype), None)
        square = (input * input).reshape(shape[0], shape[1], shape[2] * shape[3])
        scale = (window @ square).reshape(shape) * (self.alpha / self.size) + self.k
        return input * scale**-self.beta

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class LayerNorm(Module):
    """Normalises each example over its last dimensions.

    Args:
        normalized_shape: sizes of those dimensions, an int for one.
        eps: added to the variance.
        elementwise_affine: learn a weight and a bias of that shape.
        bias: False learns the weight only.
    Source: Ba et al. 2016, arXiv:1607.06450.
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        add_affine(self, self.normalized_shape, elementwise_affine, bias, dtype, device)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights 1, biases 0."""
        reset_affine(self)

    def forward(self, input: Any) -> Any:
        """``(*, *normalized_shape)``, the same shape out."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


_shape_t: TypeAlias = int | list[int] | Size


def _sizes(value: Any) -> tuple[int, ...]:
    return (int(value),) if isinstance(value, int | np.integer) else tuple(value)


class RMSNorm(Module):
    """Divides by the root mean square over the last dimensions. Source: arXiv:1910.07467."""

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        if elementwise_affine:
            self.weight = empty_parameter(self.normalized_shape, dtype, device)
        else:
            self.register_parameter("weight", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Any) -> Any:
        """``(*, *normalized_shape)``, the same shape out."""
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    """Normalises each example over groups of channels and all positions.

    Args:
        num_groups: number of groups; divides num_channels.
        num_channels: channels C of the input ``(N, C, ...)``.
        eps: added to the variance.
        affine: learn a weight and (unless ``bias`` is False) a bias per channel.
    Source: Wu & He 2018, arXiv:1803.08494.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        add_affine(self, (num_channels,), affine, bias, dtype, device)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights 1, biases 0."""
        reset_affine(self)

    def forward(self, input: Any) -> Any:
        """``(N, C, ...)``, the same shape out."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )
