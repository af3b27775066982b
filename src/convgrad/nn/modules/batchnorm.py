"""Batch normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import dtypes
from ...dtypes import F32, F64
from ...graph.grad_mode import INFERENCE, MODE
from ...graph.node import cell_of
from ...kernels import table
from ...tensor.methods.operands import check_tensor
from ...tensor.tensor import Tensor
from .. import functional as F
from .. import init
from ..module import Module, check_device
from ..parameter import Parameter, UninitializedBuffer, UninitializedParameter, is_lazy
from .lazy import LazyModuleMixin
from .linear import add_affine, reset_affine

_TENSORS = (Parameter, Tensor)


class _NormBase(Module):
    """What batch and instance norm share: parameters and running estimates per channel."""

    _version = 2
    ranks: tuple[int, ...] = ()
    expected = ""

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
        super().__init__()
        check_device(device)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        add_affine(self, (num_features,), affine, bias, dtype, device)
        kind = dtypes.default_dtype() if dtype is None else dtypes.as_dtype(dtype)
        stats = {
            "running_mean": np.zeros(num_features, kind.np),
            "running_var": np.ones(num_features, kind.np),
            "num_batches_tracked": np.zeros((), np.int64),
        }
        for name, start in stats.items():
            self.register_buffer(name, Tensor(start, None) if track_running_stats else None)
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
        reset_affine(self)

    def _check_input_dim(self, input: Any) -> None:
        check_tensor(type(self).__name__, input, "input")
        if input._data.ndim not in self.ranks:
            raise ValueError(
                f"expected {self.expected} input (got {input._data.ndim}D input), but its shape is "
                f"{list(input.shape)}"
            )

    def _channel_dim(self, input: Any) -> int:
        """Where the channels are."""
        return 1

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


class _BatchNorm(_NormBase):
    """Normalises each channel over the batch and all positions; running statistics in evaluation.

    Args:
        num_features: channels C of the input.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics; None averages all batches.
        affine: learn a weight and (unless ``bias`` is False) a bias per channel.
        track_running_stats: keep running statistics; without, the batch's own are always used.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167.
    """

    def forward(self, input: Any) -> Any:
        """The normalised input, of its shape."""
        out = None if self.training else self._evaluated(input)
        return F.batch_norm(input, *self._settings(input)) if out is None else out

    def _evaluated(self, input: Any, activation: str | None = None) -> Any:
        """What evaluation gives, or None where that is for ``batch_norm``: something is recorded, or amiss.

        A batch of one is normalised in less time than that function takes for its checks.
        """
        mode = MODE.get()
        if mode & ~INFERENCE or type(input) is not Tensor:
            return None
        self._check_input_dim(input)
        x, own, buffers = input._data, self._parameters, self._buffers
        dtype, channels = x.dtype, x.shape[1:2]
        if (dtype is not F32 and dtype is not F64) or not x.size:
            return None
        arrays: list[Any] = []
        for value in (
            own.get("weight"), own.get("bias"), buffers.get("running_mean"), buffers.get("running_var")
        ):  # fmt: skip
            if value is None:
                arrays.append(None)
            elif type(value) in _TENSORS and value._data.dtype is dtype and value._data.shape == channels:
                arrays.append(value._data)
            else:
                return None
        weight, bias, mean, var = arrays
        if mean is None or var is None or len(own) != 2:
            return None
        out = Tensor(table.batch_norm_eval(x, weight, bias, mean, var, self.eps, activation)[0], None)
        if mode:
            cell_of(out).inference = True
        return out

    def _settings(self, input: Any) -> tuple[Any, ...]:
        """What ``batch_norm`` takes beside the input, which is checked and counted as a batch."""
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
        return mean, var, self.weight, self.bias, own, factor, self.eps


class BatchNorm1d(_BatchNorm):
    __doc__ = f"{_BatchNorm.__doc__}\nInput: ``(N, C)`` or ``(N, C, L)``."
    ranks, expected = (2, 3), "2D or 3D"


class BatchNorm2d(_BatchNorm):
    __doc__ = f"{_BatchNorm.__doc__}\nInput: ``(N, C, H, W)``."
    ranks, expected = (4,), "4D"


class BatchNorm3d(_BatchNorm):
    __doc__ = f"{_BatchNorm.__doc__}\nInput: ``(N, C, D, H, W)``."
    ranks, expected = (5,), "5D"


class SyncBatchNorm(_BatchNorm):
    """Batch norm over all processes; there is one process here, so it is batch norm for any input.

    Args:
        num_features, eps, momentum, affine, track_running_stats: as for ``BatchNorm2d``.
        process_group: kept as an attribute.
    Example:
        >>> SyncBatchNorm(3)(ones(2, 3, 4)).shape
        torch.Size([2, 3, 4])
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input: Any) -> None:
        check_tensor(type(self).__name__, input, "input")
        if input._data.ndim < 2:
            raise ValueError(f"expected at least 2D input (got {input._data.ndim}D input)")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module with every batch norm in it replaced by one of this class, parameters shared."""
        out: Any = module
        if isinstance(module, _BatchNorm):
            out = cls(
                module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats,
                process_group, bias=module.bias is not None,
            )  # fmt: skip
            out.weight, out.bias = module.weight, module.bias
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                setattr(out, name, getattr(module, name))
            out.training = module.training
        for name, child in module.named_children():
            out.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return out


class _LazyNormBase(LazyModuleMixin, _NormBase):
    """Batch or instance norm for as many channels as the first input has.

    Args:
        eps, momentum, affine, track_running_stats, bias: as for the class it becomes.
        device: only the CPU.
        dtype: of parameters and statistics; None is the default dtype.
    """

    weight: Any
    bias: Any
    running_mean: Any
    running_var: Any

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, track_running_stats, device, dtype)
        self.affine = affine
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Weights 1, biases 0, statistics as at first, if there are any."""
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Any) -> None:
        """Make parameters and statistics for ``(N, C, ...)``."""
        own = [self.weight, self.bias, self.running_mean, self.running_var]
        if self.has_uninitialized_params():
            self._check_input_dim(input)
            self.num_features = input.shape[self._channel_dim(input)]
            for value in own:
                if is_lazy(value):
                    value.materialize((self.num_features,))
            self.reset_parameters()
        elif self.num_features == 0:  # they came from a state
            self.num_features = next((v.shape[0] for v in own if v is not None), 0)


class LazyBatchNorm1d(_LazyNormBase, _BatchNorm):
    __doc__ = _LazyNormBase.__doc__
    cls_to_become = BatchNorm1d
    ranks, expected = BatchNorm1d.ranks, BatchNorm1d.expected


class LazyBatchNorm2d(_LazyNormBase, _BatchNorm):
    __doc__ = _LazyNormBase.__doc__
    cls_to_become = BatchNorm2d
    ranks, expected = BatchNorm2d.ranks, BatchNorm2d.expected


class LazyBatchNorm3d(_LazyNormBase, _BatchNorm):
    __doc__ = _LazyNormBase.__doc__
    cls_to_become = BatchNorm3d
    ranks, expected = BatchNorm3d.ranks, BatchNorm3d.expected
