"""Instance normalisation."""

from __future__ import annotations

import warnings
from typing import Any

from .. import functional as F
from .batchnorm import _LazyNormBase, _NormBase


class _InstanceNorm(_NormBase):
    """Normalises each channel of each example over its positions.

    Args:
        num_features: channels C of the input.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.
        affine: learn a weight and (unless ``bias`` is False) a bias per channel.
        track_running_stats: keep running statistics and use them in evaluation.
    Source: Ulyanov et al. 2016, arXiv:1607.08022.
    """

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
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Any) -> Any:
        """The normalised input, of its shape."""
        self._check_input_dim(input)
        shape, axis = input._data.shape, self._channel_dim(input)
        if shape[axis] != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={axis} to match num_features ({self.num_features}), but "
                    f"got: {shape[axis]} (input {list(shape)})"
                )
            warnings.warn(
                f"input's size at dim={axis} does not match num_features ({self.num_features}, input "
                f"{list(shape)}). You can silence this warning by not passing in num_features, which is not "
                "used because affine=False",
                stacklevel=2,
            )
        x = input.unsqueeze(0) if axis == 0 else input
        momentum = 0.0 if self.momentum is None else self.momentum
        out = F.instance_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats, momentum, self.eps,
        )  # fmt: skip
        return out.squeeze(0) if axis == 0 else out

    def _channel_dim(self, input: Any) -> int:
        """Where the channels are: an unbatched input has them first."""
        return 0 if input._data.ndim == min(self.ranks) else 1

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
        if local_metadata.get("version") is None and not self.track_running_stats:
            keys = [prefix + name for name in ("running_mean", "running_var") if prefix + name in state_dict]
            if keys:  # states from long ago had statistics that nobody had asked for
                names, kind = " and ".join([f'"{k}"' for k in keys]), type(self).__name__
                error_msgs.append(
                    f"Unexpected running stats buffer(s) {names} for {kind} with track_running_stats=False. "
                    "If state_dict is a checkpoint saved before 0.4.0, this may be expected because "
                    f"{kind} does not track running stats by default since 0.4.0. Please remove these keys "
                    "from state_dict. If the running stats are actually needed, instead set "
                    f"track_running_stats=True in {kind} to enable them. See the documentation of {kind} for "
                    "details."
                )
                for key in keys:
                    state_dict.pop(key)
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class InstanceNorm1d(_InstanceNorm):
    __doc__ = f"{_InstanceNorm.__doc__}\nInput: ``(N, C, L)`` or ``(C, L)``."
    ranks, expected = (2, 3), "2D or 3D"


class InstanceNorm2d(_InstanceNorm):
    __doc__ = f"{_InstanceNorm.__doc__}\nInput: ``(N, C, H, W)`` or ``(C, H, W)``."
    ranks, expected = (3, 4), "3D or 4D"


class InstanceNorm3d(_InstanceNorm):
    __doc__ = f"{_InstanceNorm.__doc__}\nInput: ``(N, C, D, H, W)`` or ``(C, D, H, W)``."
    ranks, expected = (4, 5), "4D or 5D"


class LazyInstanceNorm1d(_LazyNormBase, _InstanceNorm):
    __doc__ = _LazyNormBase.__doc__
    cls_to_become = InstanceNorm1d
    ranks, expected = InstanceNorm1d.ranks, InstanceNorm1d.expected


class LazyInstanceNorm2d(_LazyNormBase, _InstanceNorm):
    __doc__ = _LazyNormBase.__doc__
    cls_to_become = InstanceNorm2d
    ranks, expected = InstanceNorm2d.ranks, InstanceNorm2d.expected


class LazyInstanceNorm3d(_LazyNormBase, _InstanceNorm):
    __doc__ = _LazyNormBase.__doc__
    cls_to_become = InstanceNorm3d
    ranks, expected = InstanceNorm3d.ranks, InstanceNorm3d.expected
