"""Convolution layers. Each class's docstring explains every argument: ``help(nn.Conv1d)``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import ConvgradError, has, optional
from ...kernels.geometry import Geometry
from ...kernels.matrix import convolution_matrix
from ...tensor.tensor import Tensor
from .. import functional as F
from .. import init
from ..functional.conv import convolve_with_border
from ..module import Module
from ..parameter import Parameter, UninitializedParameter
from .conv_docs import AXES, document
from .lazy import LazyModuleMixin
from .linear import empty_parameter

Ints = tuple[int, ...]
PADDING_MODES = {"zeros", "reflect", "replicate", "circular"}


def _tuple(value: Any, ndim: int, name: str) -> Ints:
    """One int per spatial dimension."""
    if isinstance(value, int | np.integer):
        return (int(value),) * ndim
    out = tuple([int(v) for v in value])
    if len(out) == 1:
        return out * ndim
    if len(out) != ndim:
        raise ValueError(f"{name} must be one int or {ndim} ints, but got {list(out)}")
    return out


class _ConvNd(Module):
    """What all six layers share: checks, parameters, starting values, looks."""

    ndim = 0
    transposed = False
    weight: Tensor
    bias: Tensor | None
    padding: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        output_padding: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        n = self.ndim
        if groups <= 0:
            raise ValueError(f"groups must be a positive integer, but got {groups}")
        for name, count in (("in_channels", in_channels), ("out_channels", out_channels)):
            if count % groups:
                raise ValueError(
                    f"{name} must be divisible by groups, but got {name}={count} and groups={groups}"
                )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = _tuple(kernel_size, n, "kernel_size")
        self.stride = _tuple(stride, n, "stride")
        self.dilation = _tuple(dilation, n, "dilation")
        self.output_padding = _tuple(output_padding, n, "output_padding")
        self._set_padding(padding, padding_mode)
        channels = self._weight_channels()
        self.weight = self._parameter((*channels, *self.kernel_size), dtype, device)
        if bias:
            self.bias = self._parameter((out_channels,), dtype, device)
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _weight_channels(self) -> Ints:
        """The first two sizes of the weight."""
        if self.transposed:
            return (self.in_channels, self.out_channels // self.groups)
        return (self.out_channels, self.in_channels // self.groups)

    def _parameter(self, shape: Ints, dtype: Any, device: Any) -> Parameter:
        return empty_parameter(shape, dtype, device)

    def _set_padding(self, padding: Any, padding_mode: str) -> None:
        """Check padding and its mode, and work out how wide each border is."""
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}")
            if padding == "same" and any([s != 1 for s in self.stride]):
                raise ValueError(
                    f"padding='same' is not supported for strided convolutions (stride={self.stride})"
                )
            self.padding = padding
        else:
            self.padding = _tuple(padding, self.ndim, "padding")
        if padding_mode not in PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {PADDING_MODES}, but got padding_mode='{padding_mode}'"
            )
        if self.transposed and padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        self.padding_mode = padding_mode
        widths: list[int] = []
        for before, after in self._borders()[::-1]:
            widths += (before, after)
        self._reversed_padding_repeated_twice = tuple(widths)

    def _borders(self) -> tuple[tuple[int, int], ...]:
        """Width before and after each spatial dimension; an odd total puts one more after."""
        if self.padding == "valid":
            return ((0, 0),) * self.ndim
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            return tuple([(t // 2, t - t // 2) for t in totals])
        return tuple([(p, p) for p in self.padding])

    def reset_parameters(self) -> None:
        """Draw new starting values."""
        init.kaiming_uniform_(self.weight, math.sqrt(5))
        if self.bias is not None:
            fan_in = init._calculate_fan_in_and_fan_out(self.weight)[0]
            if fan_in:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        parts = [
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        ]
        none = (0,) * self.ndim
        for name, usual in (
            ("padding", none),
            ("dilation", (1,) * self.ndim),
            ("output_padding", none),
            ("groups", 1),
        ):
            value = getattr(self, name)
            if value != usual:
                parts.append(f"{name}={value}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)

    def as_matrix(self, input_shape: Any, sparse: bool | None = None) -> Any:
        """The layer without its bias as one matrix: ``y.flatten() = A @ x.flatten()`` for one example.

        Args:
            input_shape: ``(C, *S)`` of one example, ``(N, C, *S)`` of a batch (N is ignored), or a size
                ``*S`` alone.
            sparse: True for a ``scipy.sparse`` CSR array, False for a Tensor ``(out, in)``; None takes
                sparse where SciPy is installed, else dense.
        Raises:
            ConvgradError: the channels of input_shape are not the layer's.
            MissingExtraError: ``sparse=True`` without SciPy.
        Example:
            >>> Conv1d(1, 1, 3, bias=False).as_matrix((1, 5), sparse=False).shape
            torch.Size([3, 5])
        """
        shape = tuple([int(v) for v in (input_shape if hasattr(input_shape, "__iter__") else (input_shape,))])
        if len(shape) == self.ndim:
            shape = (self.in_channels, *shape)
        shape = shape[-1 - self.ndim :]
        if len(shape) != self.ndim + 1 or shape[0] != self.in_channels:
            raise ConvgradError(
                f"as_matrix: needs the shape of one example ({self.in_channels}, "
                f"{', '.join(AXES[self.ndim])}), but got "
                f"{list(input_shape) if hasattr(input_shape, '__iter__') else input_shape}"
            )
        rows, columns, values, size = self._entries(shape)
        if sparse is None:
            sparse = has("scipy.sparse")
        if sparse:
            module = optional("scipy.sparse", extra="matrix")
            return module.coo_array((values, (rows, columns)), shape=size).tocsr()
        dense = np.zeros(size, values.dtype)
        np.add.at(dense, (rows, columns), values)
        return Tensor(dense, None)

    def _entries(self, shape: Ints) -> tuple[Any, Any, Any, tuple[int, int]]:
        """Row, column and value of every entry; equal places are to be added up."""
        borders = self._borders()
        zeros = self.padding_mode == "zeros"
        geometry = Geometry(
            self.stride, borders if zeros else ((0, 0),) * self.ndim, self.dilation, self.groups
        )
        if zeros:
            return convolution_matrix(self.weight._data, geometry, shape)
        # other borders repeat inputs: the matrix over the padded input, columns renamed to their sources
        places = Tensor(np.arange(math.prod(shape), dtype=np.float64).reshape(1, *shape), None)
        padded = F.pad(places, self._reversed_padding_repeated_twice, self.padding_mode)._data[0]
        rows, columns, values, (count, _) = convolution_matrix(self.weight._data, geometry, padded.shape)
        return rows, padded.reshape(-1).astype(np.int64)[columns], values, (count, math.prod(shape))

    def _padded(self, input: Any) -> Any:
        return F.pad(input, self._reversed_padding_repeated_twice, self.padding_mode)


class _Conv(_ConvNd):
    function: Callable[..., Any]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Any) -> Any:
        """The convolved input."""
        own = self._parameters
        try:  # as attributes they would be looked for in three tables, for 0.3 us each
            weight, bias = own["weight"], own["bias"]
        except KeyError:  # somebody has put attributes in their place
            weight, bias = self.weight, self.bias
        return self._conv_forward(input, weight, bias)

    def _conv_forward(self, input: Any, weight: Any, bias: Any) -> Any:
        function = type(self).function
        if self.padding_mode == "zeros":
            return function(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        widths = self._reversed_padding_repeated_twice
        if min(widths) < 0:  # they cut the input
            return function(self._padded(input), weight, bias, self.stride, 0, self.dilation, self.groups)
        return convolve_with_border(
            self.ndim, input, weight, bias, self.stride, widths, self.dilation, self.groups, self.padding_mode
        )


class Conv1d(_Conv):
    ndim = 1
    function = staticmethod(F.conv1d)


class Conv2d(_Conv):
    ndim = 2
    function = staticmethod(F.conv2d)


class Conv3d(_Conv):
    ndim = 3
    function = staticmethod(F.conv3d)


class _ConvTransposeNd(_ConvNd):
    transposed = True
    function: Callable[..., Any]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Any, output_size: Any = None) -> Any:
        """The enlarged input; ``output_size`` chooses among the possible sizes."""
        extra = self.output_padding if output_size is None else self._output_padding(input, output_size)
        return type(self).function(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )

    def _output_padding(self, input: Any, output_size: Any) -> Ints:
        """The output_padding that leads to a wanted size."""
        n = self.ndim
        wanted = [int(v) for v in output_size]
        if len(wanted) == input._data.ndim:
            wanted = wanted[-n:]
        if len(wanted) != n:
            raise ValueError(
                f"ConvTranspose{n}D: for {input._data.ndim}D input, output_size must have {n} or "
                f"{input._data.ndim} elements (got {len(wanted)})"
            )
        size = input._data.shape[-n:]
        low = [
            (i - 1) * s - 2 * p + d * (k - 1) + 1
            for i, s, p, d, k in zip(
                size, self.stride, self.padding, self.dilation, self.kernel_size, strict=True
            )
        ]
        high = [a + s - 1 for a, s in zip(low, self.stride, strict=True)]
        if any([not a <= w <= b for a, w, b in zip(low, wanted, high, strict=True)]):
            raise ValueError(
                f"requested an output size of {wanted}, but valid sizes range from {low} to {high} (for an "
                "input of "
                f"torch.Size({list(size)}))"
            )
        return tuple([w - a for w, a in zip(wanted, low, strict=True)])

    def _set_padding(self, padding: Any, padding_mode: str) -> None:
        if isinstance(padding, str):
            raise TypeError(f"{type(self).__name__}: padding must be ints, but got {padding!r}")
        super()._set_padding(padding, padding_mode)

    def _entries(self, shape: Ints) -> tuple[Any, Any, Any, tuple[int, int]]:
        """The transpose of the convolution it is the adjoint of."""
        size = [
            (i - 1) * s - 2 * p + d * (k - 1) + o + 1
            for i, s, p, d, k, o in zip(
                shape[1:],
                self.stride,
                self.padding,
                self.dilation,
                self.kernel_size,
                self.output_padding,
                strict=True,
            )
        ]
        geometry = Geometry(self.stride, self._borders(), self.dilation, self.groups)
        outer = (self.out_channels, *size)
        rows, columns, values, (count, width) = convolution_matrix(self.weight._data, geometry, outer)
        return columns, rows, values, (width, count)


class ConvTranspose1d(_ConvTransposeNd):
    ndim = 1
    function = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTransposeNd):
    ndim = 2
    function = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTransposeNd):
    ndim = 3
    function = staticmethod(F.conv_transpose3d)


class _LazyConvXdMixin(LazyModuleMixin, _ConvNd):
    """What makes a convolution lazy: it has as many input channels as its first input.

    The arguments are those of the class it becomes, without ``in_channels``.
    """

    def _parameter(self, shape: Ints, dtype: Any, device: Any) -> Parameter:
        return UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw new starting values, if there are parameters."""
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Any, *args: Any, **kwargs: Any) -> None:
        """Make the parameters for ``(N, C, *S)`` or ``(C, *S)``."""
        n = self._get_num_spatial_dims()
        if not self.has_uninitialized_params():
            if self.in_channels == 0:  # they came from a state
                self.in_channels = self.weight.shape[0 if self.transposed else 1]
                self.in_channels *= 1 if self.transposed else self.groups
            return
        shape = input._data.shape
        if len(shape) not in (n + 1, n + 2):
            raise ConvgradError(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {type(self).__name__}, but "
                f"got input of size: {input.shape}"
            )
        self.in_channels = shape[-n - 1]
        if self.in_channels % self.groups:
            raise ValueError(
                f"in_channels must be divisible by groups, but got in_channels={self.in_channels} and "
                f"groups={self.groups}"
            )
        weight: Any = self.weight
        bias: Any = self.bias
        weight.materialize((*self._weight_channels(), *self.kernel_size))
        if bias is not None:
            bias.materialize((self.out_channels,))
        self.reset_parameters()

    def _get_num_spatial_dims(self) -> int:
        return self.ndim


class _LazyConv(_LazyConvXdMixin, _Conv):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            0, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        )


class _LazyConvTranspose(_LazyConvXdMixin, _ConvTransposeNd):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            0, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation,
            padding_mode, device, dtype,
        )  # fmt: skip


class LazyConv1d(_LazyConv, Conv1d):
    __doc__ = _LazyConvXdMixin.__doc__
    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    __doc__ = _LazyConvXdMixin.__doc__
    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    __doc__ = _LazyConvXdMixin.__doc__
    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    __doc__ = _LazyConvXdMixin.__doc__
    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    __doc__ = _LazyConvXdMixin.__doc__
    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    __doc__ = _LazyConvXdMixin.__doc__
    cls_to_become = ConvTranspose3d


for _layer in (Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d):
    document(_layer, _layer.ndim, _layer.transposed)
