"""What the top namespace has under a name of ``nn.functional``, but with other arguments or results."""

from __future__ import annotations

from typing import Any

from ...tensor.tensor import Tensor
from . import norm, pooling, resample

_MODES, _PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = False,
) -> Tensor:
    """``nn.functional.batch_norm`` with PyTorch's other order of arguments (the last one does nothing)."""
    return norm.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = False,
) -> Tensor:
    """``nn.functional.instance_norm`` with PyTorch's other order of arguments."""
    return norm.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def adaptive_max_pool1d(input: Tensor, output_size: Any) -> Any:
    """``nn.functional.adaptive_max_pool1d``, always a pair of maxima and their positions."""
    return pooling.adaptive_max_pool1d(input, output_size, True)


def affine_grid_generator(theta: Tensor, size: Any, align_corners: bool) -> Tensor:
    """``nn.functional.affine_grid`` under another name."""
    return resample.affine_grid(theta, size, bool(align_corners))


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """``nn.functional.grid_sample`` with modes by number.

    Args:
        interpolation_mode: 0 bilinear, 1 nearest, 2 bicubic.
        padding_mode: 0 zeros, 1 border, 2 reflection.
    """
    mode, padding = _MODES[interpolation_mode], _PADDINGS[padding_mode]
    return resample.grid_sample(input, grid, mode, padding, bool(align_corners))


grid_sampler_2d = grid_sampler_3d = grid_sampler
