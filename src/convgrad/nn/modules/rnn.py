"""Recurrent layers: RNN, LSTM and GRU over whole sequences, and their cells for one step."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ConvgradError, DtypeError, ShapeError
from ...tensor.tensor import Tensor
from .. import init
from ..functional import recurrent as functional
from ..module import Module
from ..packed import PackedSequence
from .linear import empty_parameter

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_KINDS = {
    "LSTM": functional.LSTM, "GRU": functional.GRU, "RNN_TANH": functional.RNN_TANH,
    "RNN_RELU": functional.RNN_RELU,
}  # fmt: skip


def apply_permutation(tensor: Tensor, permutation: Tensor, dim: int = 1) -> Tensor:
    """The old name of ``tensor.index_select(dim, permutation)``."""
    warnings.warn(
        "apply_permutation is deprecated, please use tensor.index_select(dim, permutation) instead",
        FutureWarning,
        stacklevel=2,
    )
    return tensor.index_select(dim, permutation)


class RNNBase(Module):
    """What recurrent layers share: their weights, the checks of input and states, and the call.

    Args:
        mode: "LSTM", "GRU", "RNN_TANH" or "RNN_RELU".
        input_size: I, features of the input at each step.
        hidden_size: H, features of the state.
        num_layers: layers, each of which reads the output of the one before.
        bias: whether there are biases.
        batch_first: input and output are ``(N, T, *)`` rather than ``(T, N, *)``; states are not.
        dropout: probability of zero, in training, of what goes from layer to layer.
        bidirectional: a second set of weights reads each sequence from its end.
        proj_size: P > 0: an LSTM gives projections of this size of its states.
        device: only the CPU.
        dtype: of the weights; None is the default dtype.
    Attributes:
        weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 (weight_hr_l0): of layer 0; those of the other
            direction end in ``_reverse``. Uniform within ``±1 / sqrt(H)`` at first.
    Raises:
        ValueError: sizes that are not positive, a dropout outside [0, 1], an unknown mode.
        TypeError: sizes that are no ints.
    """

    _flat_weights_names: list[str]
    _all_weights: list[list[str]]

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mode = mode
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        self._check_settings(dropout)
        if mode not in _GATES:
            raise ValueError(f"Unrecognized RNN mode: {mode}")
        directions = 2 if bidirectional else 1
        gates, out = _GATES[mode] * hidden_size, proj_size or hidden_size
        self._all_weights = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[:directions]:
                features = input_size if layer == 0 else out * directions
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (gates, features),
                    "weight_hh": (gates, out),
                }
                if bias:
                    shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = [f"{name}_l{layer}{suffix}" for name in shapes]
                for name, shape in zip(names, shapes.values(), strict=True):
                    setattr(self, name, empty_parameter(shape, dtype, device))
                self._all_weights.append(names)
        self._flat_weights_names = [name for names in self._all_weights for name in names]
        self.reset_parameters()

    def _check_settings(self, dropout: Any) -> None:
        if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= self.dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being "
                "zeroed"
            )
        if self.dropout > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={self.num_layers}",
                stacklevel=4,
            )
        for name in ("input_size", "hidden_size"):
            value = getattr(self, name)
            if not isinstance(value, int):
                raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
        for name in ("input_size", "hidden_size", "num_layers"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if self.proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")

    @property
    def all_weights(self) -> list[list[Any]]:
        """The weights of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights(self) -> list[Any]:
        return [getattr(self, name) for name in self._flat_weights_names]

    def flatten_parameters(self) -> None:
        """Does nothing: on the CPU weights need not lie in one block."""

    def reset_parameters(self) -> None:
        """Draw new starting values."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _weights_of_layers(self) -> list[list[Any]]:
        own = self._parameters
        groups = []
        for names in self._all_weights:
            # getattr: a weight may have become a property (pruned, parametrized)
            one = [own[name] if name in own else getattr(self, name) for name in names]
            if not self.bias:
                one[2:2] = [None, None]
            groups.append(one if self.proj_size else [*one, None])
        return groups

    # ------------------------------------------------------------------ checks

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """The dtype and the sizes of an input, batched or packed.

        Raises:
            ValueError: another dtype than the weights'.
            ConvgradError: another number of dimensions or features.
        """
        weight = getattr(self, self._flat_weights_names[0])
        if input.dtype is not weight.dtype:
            raise _RnnDtypeError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). Convert "
                f"input: input.to({weight.dtype}), or convert model: model.to({input.dtype})"
            )
        wanted = 2 if batch_sizes is not None else 3
        if input._data.ndim != wanted:
            raise ShapeError(f"input must have {wanted} dimensions, got {input._data.ndim}")
        if input._data.shape[-1] != self.input_size:
            raise ShapeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got "
                f"{input._data.shape[-1]}"
            )

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of the state at the start."""
        if batch_sizes is not None:
            n = int(batch_sizes._data[0])
        else:
            n = input._data.shape[0 if self.batch_first else 1]
        layers = self.num_layers * (2 if self.bidirectional else 1)
        return layers, n, self.proj_size or self.hidden_size

    def check_hidden_size(
        self,
        hx: Tensor,
        expected_hidden_size: tuple[int, int, int],
        msg: str = "Expected hidden size {}, got {}",
    ) -> None:
        """The shape of a state.

        Raises:
            ConvgradError: it is another.
        """
        if hx._data.shape != tuple(expected_hidden_size):
            raise ShapeError(msg.format(tuple(expected_hidden_size), list(hx._data.shape)))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """The checks of an input and of the state at the start."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """A state in another order of the batch."""
        return hx if permutation is None else hx.index_select(1, permutation)

    # ------------------------------------------------------------------ the call

    def _zero_states(self, input: Tensor, batch_sizes: Tensor | None) -> Any:
        shape = self.get_expected_hidden_size(input, batch_sizes)
        return Tensor(np.zeros(shape, input._data.dtype), None)

    def _check_unbatched(self, hx: Any, batched: bool) -> None:
        if hx._data.ndim != (3 if batched else 2):
            kind, dims = ("batched 3-D", 3) if batched else ("unbatched 2-D", 2)
            raise ShapeError(f"For {kind} input, hx should also be {dims}-D but got {hx._data.ndim}-D tensor")

    def _unsqueezed(self, hx: Any) -> Any:
        return hx.unsqueeze(1)

    def _squeezed(self, hx: Any) -> Any:
        return hx.squeeze(1)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """``(T, N, I)``, ``(T, I)`` or a PackedSequence to (output, last states).

        Args:
            input: see above; ``(N, T, I)`` with batch_first.
            hx: the states at the start, ``(layers * directions, N, H)``; None: zeros.
        Returns:
            The last layer's states at all steps, ``(T, N, directions * H)`` (packed if the input was), and
            the last states of all layers, ``(layers * directions, N, H)``.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        dims = input._data.ndim
        if dims not in (2, 3):
            raise ValueError(f"{self._name()}: Expected input to be 2D or 3D, got {dims}D instead")
        batched = dims == 3
        if hx is not None:
            self._check_unbatched(hx, batched)
        if not batched:
            input = input.unsqueeze(0 if self.batch_first else 1)
            hx = None if hx is None else self._unsqueezed(hx)
        if hx is None:
            self.check_input(input, None)
            hx = self._zero_states(input, None)
        else:
            self.check_forward_args(input, hx, None)
        states = hx if isinstance(hx, tuple | list) else (hx,)
        self._check_states(input, states)
        p = self.dropout if self.training else 0.0
        out, last = functional.run_padded(
            _KINDS[self.mode],
            input,
            states,
            self._weights_of_layers(),
            self.bidirectional,
            p,
            self.batch_first,
        )
        ends = last[0] if len(last) == 1 else last
        if not batched:
            return out.squeeze(0 if self.batch_first else 1), self._squeezed(ends)
        return out, ends

    def _forward_packed(self, input: PackedSequence, hx: Any) -> Any:
        data, sizes, order, back = input
        if hx is None:
            self.check_input(data, sizes)
            hx = self._zero_states(data, sizes)
        else:
            hx = self.permute_hidden(hx, order)
            self.check_forward_args(data, hx, sizes)
        states = hx if isinstance(hx, tuple | list) else (hx,)
        self._check_states(data, states)
        p = self.dropout if self.training else 0.0
        out, last = functional.run_layers(
            _KINDS[self.mode], data, tuple(sizes.tolist()), states, self._weights_of_layers(),
            self.bidirectional, p,
        )  # fmt: skip
        ends = self.permute_hidden(last[0] if len(last) == 1 else last, back)
        return PackedSequence(out, sizes, order, back), ends

    def _check_states(self, input: Tensor, states: Sequence[Tensor]) -> None:
        functional.check_dtypes(self._name(), input, states)

    def _name(self) -> str:
        return "RNN" if self.mode.startswith("RNN") else self.mode

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size:
            text += f", proj_size={self.proj_size}"
        usual = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        for name, value in usual.items():
            own = getattr(self, name)
            if own != value:
                text += f", {name}={own}"
        return text


class _RnnDtypeError(DtypeError, ValueError):
    """An input of another dtype than the weights'."""


class RNN(RNNBase):
    """``h = tanh(W_ih x + b_ih + W_hh h' + b_hh)`` at each step, or with ReLU; see ``RNNBase``.

    Args:
        input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout, bidirectional: in this
            order; nonlinearity is "tanh" or "relu".
    Example:
        >>> out, h = RNN(3, 4, num_layers=2)(Tensor(np.zeros((5, 2, 3), np.float32), None))
        >>> out.shape, h.shape
        (torch.Size([5, 2, 4]), torch.Size([2, 2, 4]))

    Source: Elman 1990, Cognitive Science 14.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            nonlinearity, args = args[3], (*args[:3], *args[4:])
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory; see ``RNNBase``. The states are a pair, ``(h, c)``.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size: in order.
    Example:
        >>> out, (h, c) = LSTM(3, 4, bidirectional=True)(Tensor(np.zeros((5, 2, 3), np.float32), None))
        >>> out.shape, c.shape
        (torch.Size([5, 2, 8]), torch.Size([2, 2, 4]))

    Source: Hochreiter & Schmidhuber 1997, Neural Computation 9.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of the cells at the start."""
        layers, n, _ = self.get_expected_hidden_size(input, batch_sizes)
        return layers, n, self.hidden_size

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        self.check_input(input, batch_sizes)
        if not isinstance(hidden, tuple | list) or len(hidden) != 2:
            raise TypeError("LSTM: hx must be a pair (h_0, c_0)")
        h, c = (
            self.get_expected_hidden_size(input, batch_sizes),
            self.get_expected_cell_size(input, batch_sizes),
        )
        self.check_hidden_size(hidden[0], h, "Expected hidden[0] size {}, got {}")
        self.check_hidden_size(hidden[1], c, "Expected hidden[1] size {}, got {}")

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        if permutation is None:
            return hx
        return hx[0].index_select(1, permutation), hx[1].index_select(1, permutation)

    def _zero_states(self, input: Tensor, batch_sizes: Tensor | None) -> Any:
        cells = np.zeros(self.get_expected_cell_size(input, batch_sizes), input._data.dtype)
        return super()._zero_states(input, batch_sizes), Tensor(cells, None)

    def _check_unbatched(self, hx: Any, batched: bool) -> None:
        if isinstance(hx, Tensor):
            raise IndexError(
                f"LSTM: hx must be a pair of tensors (h_0, c_0), but got one tensor {list(hx.shape)}: index "
                "1 is out of bounds"
            )
        h, c = hx[0]._data.ndim, hx[1]._data.ndim
        if (h, c) != ((3, 3) if batched else (2, 2)):
            kind, dims = ("batched 3-D", 3) if batched else ("unbatched 2-D", 2)
            raise ShapeError(
                f"For {kind} input, hx and cx should also be {dims}-D but got ({h}-D, {c}-D) tensors"
            )

    def _unsqueezed(self, hx: Any) -> Any:
        return hx[0].unsqueeze(1), hx[1].unsqueeze(1)

    def _squeezed(self, hx: Any) -> Any:
        return hx[0].squeeze(1), hx[1].squeeze(1)


class GRU(RNNBase):
    """Gated recurrent units; see ``RNNBase``.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: in this order.
    Source: Cho et al. 2014, arXiv:1406.1078.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """What cells share: weights of ``num_chunks`` gates, and one step on ``(N, I)`` or ``(I,)``."""

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Any
    bias_hh: Any

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        self.weight_ih = empty_parameter((rows, input_size), dtype, device)
        self.weight_hh = empty_parameter((rows, hidden_size), dtype, device)
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, empty_parameter((rows,), dtype, device) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new starting values, uniform within ``±1 / sqrt(hidden_size)``."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _step(self, cell: Any, input: Tensor, states: Any) -> list[Tensor]:
        """The next states."""
        name = type(self).__name__
        dims = input._data.ndim
        if dims not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {dims}D instead")
        for k, h in enumerate(states or ()):
            if h._data.ndim not in (1, 2):
                what = f"hx[{k}]" if len(states) > 1 else "hidden"
                raise ValueError(f"{name}: Expected {what} to be 1D or 2D, got {h._data.ndim}D instead")
        if dims == 1:
            input = input.unsqueeze(0)
            states = states and [h.unsqueeze(0) if h._data.ndim == 1 else h for h in states]
        if states is None:
            zeros = np.zeros((input._data.shape[0], self.hidden_size), input._data.dtype)
            states = [Tensor(zeros, None), Tensor(zeros, None)]
        out = cell(input, states, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return [h.squeeze(0) for h in out] if dims == 1 else list(out)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if not self.bias:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text


class RNNCell(RNNCellBase):
    """One step of ``RNN``: ``(N, I)`` and the state ``(N, H)`` (None: zeros) to the next state."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh",
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """``(N, I)``, ``(N, H)`` to ``(N, H)``; or without N."""
        cells = {"tanh": functional.rnn_tanh_cell, "relu": functional.rnn_relu_cell}
        if self.nonlinearity not in cells:
            raise ConvgradError(f"Unknown nonlinearity: {self.nonlinearity}")
        cell = cells[self.nonlinearity]
        return self._step(lambda x, s, *w: [cell(x, s[0], *w)], input, None if hx is None else [hx])[0]


class LSTMCell(RNNCellBase):
    """One step of ``LSTM``: ``(N, I)`` and the pair ``(h, c)`` (None: zeros) to the next pair."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: Any = None) -> tuple[Tensor, Tensor]:
        """``(N, I)``, two times ``(N, H)`` to two times ``(N, H)``; or without N."""
        h, c = self._step(functional.lstm_cell, input, None if hx is None else list(hx))
        return h, c


class GRUCell(RNNCellBase):
    """One step of ``GRU``: ``(N, I)`` and the state ``(N, H)`` (None: zeros) to the next state."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """``(N, I)``, ``(N, H)`` to ``(N, H)``; or without N."""
        cell = functional.gru_cell
        return self._step(lambda x, s, *w: [cell(x, s[0], *w)], input, None if hx is None else [hx])[0]


__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]
