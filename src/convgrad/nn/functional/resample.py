"""Images, signals and volumes in other sizes, and values between their pixels."""

from __future__ import annotations

import math
import warnings
from functools import lru_cache
from typing import Any

from ...dtypes import F32, F64, FLOATING
from ...errors import ConvgradError, DtypeError, ShapeError
from ...ops import grid_sample as grids
from ...ops import resample as ops
from ...ops.resample import Axis
from ...tensor.checks import check_floating, scalar_name
from ...tensor.tensor import Tensor, apply
from .pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d

_AREA: Any = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}
#: mode -> (kernel, {number of axes: (operator, operator that smooths)})
_MODES: dict[str, tuple[str, dict[int, tuple[Any, Any]]]] = {
    "nearest": (
        "nearest",
        {
            1: (ops.UpsampleNearest1D, None),
            2: (ops.UpsampleNearest2D, None),
            3: (ops.UpsampleNearest3D, None),
        },
    ),
    "nearest-exact": (
        "nearest-exact",
        {
            1: (ops.UpsampleNearestExact1D, None),
            2: (ops.UpsampleNearestExact2D, None),
            3: (ops.UpsampleNearestExact3D, None),
        },
    ),
    "linear": ("linear", {1: (ops.Resample, None)}),
    "bilinear": ("linear", {2: (ops.UpsampleBilinear2D, ops.UpsampleBilinear2DAa)}),
    "trilinear": ("linear", {3: (ops.UpsampleTrilinear3D, None)}),
    "bicubic": ("cubic", {2: (ops.UpsampleBicubic2D, ops.UpsampleBicubic2DAa)}),
}
_LISTED = "nearest | linear | bilinear | bicubic | trilinear | area | nearest-exact"


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Another size for signals, images or volumes.

    Args:
        input: ``(N, C, W)``, ``(N, C, H, W)`` or ``(N, C, D, H, W)``, float; uint8 for "nearest" and, of
            images, "bilinear" and "bicubic".
        size: of the result in pixels, one int or one per axis.
        scale_factor: instead of size, a factor or one per axis; the size is rounded down.
        mode: "nearest" (PyTorch's, which is half a pixel off), "nearest-exact", "linear" (signals),
            "bilinear", "bicubic" (images), "trilinear" (volumes) or "area" (means of even windows).
        align_corners: the centres of corner pixels stay where they are, rather than the corners; for the
            linear and cubic modes.
        recompute_scale_factor: positions follow from the sizes, not from the factor given.
        antialias: a kernel that widens as the image shrinks; for "bilinear" and "bicubic".
    Returns:
        ``(N, C, *size)`` in input's dtype.
    Raises:
        ValueError: size and scale_factor, or options, that do not go together.
        NotImplementedError: a mode that is not for so many axes, or a dtype.
        ShapeError: an empty plane, before or after.
    Example:
        >>> interpolate(Tensor([[[1.0, 3.0]]]), scale_factor=2, mode="linear").tolist()
        [[[1.0, 1.5, 2.5, 3.0]]]

    Source: semantics of torch.nn.functional.interpolate.
    """
    data = input._data
    plan = _plan if _may_be_kept(size if scale_factor is None else scale_factor) else _plan.__wrapped__
    kernel, op, how = plan(
        data.shape, size, scale_factor, mode, align_corners, recompute_scale_factor, antialias,
        data.dtype != F64,
    )  # fmt: skip
    if op is None:
        out: Tensor = _AREA[data.ndim - 2](input, how)
        return out
    if data.dtype is not F32:
        bytes_too = mode.startswith("nearest") or data.ndim == 4
        check_floating(f"compute_indices_weights_{kernel}", input, ("uint8",) if bytes_too else ())
    return apply(op, (input,), (how,))


def _may_be_kept(given: Any) -> bool:
    """Whether a size or scale is what the same key always stands for: plain numbers."""
    if type(given) is tuple:
        return all([type(n) is int or type(n) is float for n in given])
    return type(given) is int or type(given) is float


@lru_cache(maxsize=512, typed=True)
def _plan(
    shape: tuple[int, ...], size: Any, scale_factor: Any, mode: str, align_corners: bool | None,
    recompute: bool | None, antialias: bool, single: bool,
) -> tuple[str, Any, Any]:  # fmt: skip
    """The arguments of ``interpolate`` checked: kernel, operator (None: means of windows), axes or size."""
    spatial = shape[2:]
    if align_corners is not None and mode in ("nearest", "area", "nearest-exact"):
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic "
            "| trilinear"
        )
    wanted, scales = _sizes(spatial, size, scale_factor, recompute)
    if antialias and not (mode in ("bilinear", "bicubic") and len(shape) == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor as "
            f"input (got mode {mode!r} and input {list(shape)})"
        )
    if mode == "area" and len(spatial) in _AREA:
        return mode, None, wanted
    kernel, op = _operator(mode, shape, antialias)
    _check_sizes(shape, wanted)
    axes = tuple([
        Axis(kernel, n, m, scale, bool(align_corners), antialias, single)
        for n, m, scale in zip(spatial, wanted, scales, strict=True)
    ])  # fmt: skip
    return kernel, op, axes


def _sizes(
    spatial: tuple[int, ...], size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """The result's size and, per axis, the factor that positions follow from (None: that of the sizes)."""
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    given = size if size is not None else scale_factor
    if given is None:
        raise ValueError("either size or scale_factor should be defined")
    count = len(spatial)
    numbers = tuple(given) if isinstance(given, (tuple, list)) else (given,) * count
    if len(numbers) != count:
        if size is not None:
            raise ValueError(
                "Input and output must have the same number of spatial dimensions, but got input with "
                "spatial "
                f"dimensions of {list(spatial)} and output size of {size}. Please provide input tensor in "
                "(N, C, d1, d2, ...,dK) format and output size in (o1, o2, ...,oK) format."
            )
        raise ValueError(
            "Input and scale_factor must have the same number of spatial dimensions, but got input with "
            "spatial "
            f"dimensions of {list(spatial)} and scale_factor of shape {scale_factor}. Please provide input "
            "tensor in (N, C, d1, d2, ...,dK) format and scale_factor in (s1, s2, ...,sK) format."
        )
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        for n in numbers:
            if isinstance(n, float) or not hasattr(n, "__index__"):
                raise TypeError(f"interpolate: size must be ints, but got {size}")
        return tuple([int(n.__index__()) for n in numbers]), (None,) * count
    wanted = tuple([math.floor(float(n) * float(s)) for n, s in zip(spatial, numbers, strict=True)])
    return wanted, ((None,) * count if recompute else tuple([float(s) or None for s in numbers]))


def _operator(mode: str, shape: tuple[int, ...], antialias: bool) -> tuple[str, Any]:
    """The kernel and the operator of a mode for an input of this shape."""
    count, found = len(shape) - 2, _MODES.get(mode)
    if found is not None and count in found[1]:
        return found[0], found[1][count][antialias]
    if mode in ("linear", "bilinear", "trilinear") and count in (1, 2, 3):
        (needed,) = _MODES[mode][1]
        raise NotImplementedError(
            f"Got {len(shape)}D input, but {mode} mode needs {needed + 2}D input (input {list(shape)})"
        )
    raise NotImplementedError(
        f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {len(shape)}D) for the modes: "
        f"{_LISTED} "
        f"(got {mode})"
    )


def _check_sizes(shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if 0 in shape[2:] or min(wanted) <= 0:
        letters = "DHW"[-len(wanted) :]
        before, after = (
            ", ".join([f"{a}: {n}" for a, n in zip(letters, numbers, strict=True)])
            for numbers in (shape[2:], wanted)
        )
        raise ShapeError(
            f"Input and output sizes should be greater than 0, but got input ({before}) and output ({after})"
        )
    if not shape[1]:
        raise ShapeError(
            f"Non-empty {len(shape)}D data tensor expected but got a tensor with sizes {list(shape)}"
        )


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: Any = None,
) -> Tensor:
    """The old name of ``interpolate``."""
    warnings.warn("`nn.functional.upsample` is deprecated. Use `interpolate`.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """``interpolate`` in mode "nearest", under an old name."""
    warnings.warn("`nn.functional.upsample_nearest` is deprecated. Use `interpolate`.", stacklevel=2)
    return interpolate(input, size, scale_factor)


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """``interpolate`` in mode "bilinear" with ``align_corners=True``, under an old name."""
    warnings.warn("`nn.functional.upsample_bilinear` is deprecated. Use `interpolate`.", stacklevel=2)
    return interpolate(input, size, scale_factor, "bilinear", True)


_SAMPLERS: Any = {2: grids.GridSampler2D, 3: grids.GridSampler3D}


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Values of images or volumes at given positions, between pixels too.

    Args:
        input: float, ``(N, C, H, W)`` or ``(N, C, D, H, W)``.
        grid: same dtype, ``(N, oH, oW, 2)`` or ``(N, oD, oH, oW, 3)``: positions x, y (and z) with -1 and 1
            at the borders.
        mode: "bilinear" (of volumes trilinear), "nearest", or of images "bicubic".
        padding_mode: outside are "zeros", the "border" repeated, or its "reflection".
        align_corners: -1 and 1 are the centres of the corner pixels rather than the corners; False if None.
    Returns:
        ``(N, C, oH, oW)`` or ``(N, C, oD, oH, oW)``.
    Raises:
        ShapeError: shapes that do not go together.
        ValueError: an unknown mode.
    Example:
        >>> grid_sample(Tensor([[[[1.0, 3.0]]]]), Tensor([[[[0.0, 0.0]]]]), align_corners=True).item()
        2.0

    Derivatives of any order, of input and grid. Source: Jaderberg et al. 2015, arXiv:1506.02025.
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: "
            f"'{mode}'"
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', "
            "but "
            f"got: '{padding_mode}'"
        )
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. "
            "Please specify align_corners=True if the old behavior is desired.",
            stacklevel=2,
        )
    count = _check_grid(input, grid, mode)
    return apply(_SAMPLERS[count], (input, grid), (mode, padding_mode, bool(align_corners), (0,) * count))


def _check_grid(input: Tensor, grid: Tensor, mode: str) -> int:
    """The number of spatial axes; raises where input and grid do not go together."""
    shape, places = input._data.shape, grid._data.shape
    both = f"input with sizes {list(shape)} and grid with sizes {list(places)}"
    if not shape or not places or shape[0] != places[0]:
        raise ShapeError(f"grid_sampler(): expected grid and input to have same batch size, but got {both}")
    if places[-1] != len(shape) - 2:
        raise ShapeError(
            f"grid_sampler(): expected grid to have size {len(shape) - 2} in last dimension, but got grid "
            "with "
            f"sizes {list(places)}"
        )
    for axis, n in enumerate(shape[2:], 2):
        if not n:
            raise ShapeError(
                "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes "
                f"{list(shape)} with dimension {axis} being empty"
            )
    if len(shape) not in (4, 5) or len(places) != len(shape):
        raise ShapeError(
            f"grid_sampler(): expected {len(shape) if len(shape) == 5 else 4}D input and grid with same "
            "number "
            f"of dimensions, but got {both}"
        )
    if mode == "bicubic" and len(shape) == 5:
        raise ConvgradError("grid_sampler(): bicubic interpolation only supports 4D input")
    check_floating(f"grid_sampler_{len(shape) - 2}d_cpu", input)
    if grid._data.dtype != input._data.dtype:
        raise DtypeError(
            f"expected scalar type {scalar_name(input.dtype)} but found {scalar_name(grid.dtype)}: "
            "grid_sample "
            f"needs input and grid of one dtype; use grid.to({input.dtype})"
        )
    return len(shape) - 2


def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """The positions of an image's or volume's pixels after an affine map, for ``grid_sample``.

    Args:
        theta: float, ``(N, 2, 3)`` or ``(N, 3, 4)``: matrices applied to (x, y, 1) or (x, y, z, 1).
        size: of the result of ``grid_sample``, ``(N, C, H, W)`` or ``(N, C, D, H, W)``.
        align_corners: as for ``grid_sample``.
    Returns:
        ``(N, H, W, 2)`` or ``(N, D, H, W, 3)``.
    Raises:
        ValueError: a theta or size that is none.
        NotImplementedError: a size of another length.
    Example:
        >>> affine_grid(Tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]]), (1, 1, 1, 2), False).tolist()
        [[[[0.0, 0.0], [1.0, 0.0]]]]
    """
    wanted = tuple([int(n) for n in size])
    if theta.dtype.category != FLOATING:
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    count = len(wanted) - 2
    if count not in (2, 3):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. "
            f"Got size {wanted}."
        )
    shape = theta._data.shape
    if len(shape) != 3 or shape[1:] != (count, count + 1):
        raise ValueError(
            f"Expected a batch of {count}D affine matrices of shape Nx{count}x{count + 1} for size {wanted}. "
            f"Got {theta.shape}."
        )
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. "
            "Please specify align_corners=True if the old behavior is desired.",
            stacklevel=2,
        )
    if min(wanted) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {wanted}")
    if shape[0] != wanted[0]:
        raise ShapeError(
            f"affine_grid: theta {list(shape)} holds {shape[0]} matrices for a batch of {wanted[0]}: "
            "Expected "
            f"size for first two dimensions of batch2 tensor to be: [{wanted[0]}, {count + 1}] but got: "
            f"[{shape[0]}, {count + 1}]."
        )
    return apply(grids.AffineGridGenerator, (theta,), (wanted[2:], bool(align_corners)))
