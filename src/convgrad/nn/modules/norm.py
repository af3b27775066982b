"""Normalisation layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import dtypes
from ...graph.node import cell_of
from ...tensor.methods.operands import check_tensor
from ...tensor.tensor import Tensor
from .. import functional as F
from .. import init
from ..module import Module, check_device
from .linear import empty_parameter


class _RunningStatistics(Module):
    """What batch and instance norm share: parameters and running estimates per channel."""

    _version = 2
    ranks: tuple[int, ...] = ()
    expected = ""

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track: bool,
        device: Any,
        dtype: Any,
        bias: bool,
    ) -> None:
        super().__init__()
        check_device(device)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            if wanted:
                setattr(self, name, empty_parameter((num_features,), dtype, device))
            else:
                self.register_parameter(name, None)
        kind = dtypes.default_dtype() if dtype is None else dtypes.as_dtype(dtype)
        stats = {
            "running_mean": np.zeros(num_features, kind.np),
            "running_var": np.ones(num_features, kind.np),
            "num_batches_tracked": np.zeros((), np.int64),
        }
        for name, start in stats.items():
            self.register_buffer(name, Tensor(start, None) if track else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Back to mean 0, variance 1 and no batches seen."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)

    def reset_parameters(self) -> None:
        """Weights 1, biases 0, statistics as at first."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input: Any) -> None:
        check_tensor(type(self).__name__, input, "input")
        if input._data.ndim not in self.ranks:
            raise ValueError(
                f"expected {self.expected} input (got {input._data.ndim}D input of shape {list(input.shape)})"
            )

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        version = local_metadata.get("version", None)
        key = prefix + "num_batches_tracked"
        if (version is None or version < 2) and self.track_running_stats and key not in state_dict:
            state_dict[key] = self.num_batches_tracked  # states from before version 2 lack it
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class _BatchNorm(_RunningStatistics):
    """Normalises each channel over the batch and all positions; running statistics in evaluation.

    Args:
        num_features: channels C of the input.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics; None averages all batches.
        affine: learn a weight and (unless ``bias`` is False) a bias per channel.
        track_running_stats: keep running statistics; without, the batch's own are always used.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Any) -> Any:
        """The normalised input, of its shape."""
        self._check_input_dim(input)
        factor = 0.0 if self.momentum is None else self.momentum
        mean, var = self.running_mean, self.running_var
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            count = self.num_batches_tracked
            count._data[...] += 1
            cell_of(count).bump("add_")
            if self.momentum is None:
                factor = 1.0 / float(count._data)
        own = self.training or (mean is None and var is None)
        if self.training and not self.track_running_stats:
            mean = var = None
        return F.batch_norm(input, mean, var, self.weight, self.bias, own, factor, self.eps)


class BatchNorm1d(_BatchNorm):
    __doc__ = f"{_BatchNorm.__doc__}\nInput: ``(N, C)`` or ``(N, C, L)``."
    ranks, expected = (2, 3), "2D or 3D"


class BatchNorm2d(_BatchNorm):
    __doc__ = f"{_BatchNorm.__doc__}\nInput: ``(N, C, H, W)``."
    ranks, expected = (4,), "4D"


class BatchNorm3d(_BatchNorm):
    __doc__ = f"{_BatchNorm.__doc__}\nInput: ``(N, C, D, H, W)``."
    ranks, expected = (5,), "5D"


class _InstanceNorm(_RunningStatistics):
    """Normalises each channel of each example over its positions. Source: arXiv:1607.08022."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)
        if track_running_stats:
            raise NotImplementedError(f"{type(self).__name__}: track_running_stats=True is not supported")

    def forward(self, input: Any) -> Any:
        """The normalised input, of its shape."""
        self._check_input_dim(input)
        batched = input._data.ndim == max(self.ranks)
        x = input if batched else input.unsqueeze(0)
        out = F.instance_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)
        return out if batched else out.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    __doc__ = f"{_InstanceNorm.__doc__}\nInput: ``(N, C, L)`` or ``(C, L)``."
    ranks, expected = (2, 3), "2D or 3D"


class InstanceNorm2d(_InstanceNorm):
    __doc__ = f"{_InstanceNorm.__doc__}\nInput: ``(N, C, H, W)`` or ``(C, H, W)``."
    ranks, expected = (3, 4), "3D or 4D"


class InstanceNorm3d(_InstanceNorm):
    __doc__ = f"{_InstanceNorm.__doc__}\nInput: ``(N, C, D, H, W)`` or ``(C, D, H, W)``."
    ranks, expected = (4, 5), "4D or 5D"


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
        for name, wanted in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            if wanted:
                setattr(self, name, empty_parameter(self.normalized_shape, dtype, device))
            else:
                self.register_parameter(name, None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights 1, biases 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Any) -> Any:
        """``(*, *normalized_shape)``, the same shape out."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


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

    def forward(self, input: Any) -> Any:
        """``(*, *normalized_shape)``, the same shape out."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

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
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            if wanted:
                setattr(self, name, empty_parameter((num_channels,), dtype, device))
            else:
                self.register_parameter(name, None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights 1, biases 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Any) -> Any:
        """``(N, C, ...)``, the same shape out."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )
