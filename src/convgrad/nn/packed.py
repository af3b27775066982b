"""Sequences of different lengths in one tensor: padded to the longest, or packed without the padding.

Packed data hold all first steps, then all second ones, and so on, longest sequences first, so that the
sequences that are still running at a step are the first rows of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ConvgradError, DimError, ShapeError
from ..ops.shape import IndexPut, IndexTensor
from ..tensor.functions_shape import cat
from ..tensor.tensor import Tensor, apply


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """Packed sequences: ``data`` ``(total, *)``, ``batch_sizes`` ``(T,)``, and the order they were sorted to.

    Made by ``pack_padded_sequence`` and ``pack_sequence``; recurrent layers take and give it.

    Attributes:
        sorted_indices: int64 ``(N,)``, the place in the batch of the longest sequence, the second, ...; None
            for sequences that came sorted.
        unsorted_indices: its inverse.
    """

    __slots__ = ()

    def __new__(
        cls, data: Any, batch_sizes: Tensor | None = None, sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:  # fmt: skip
        if batch_sizes is None:
            if not isinstance(data, list | tuple) or len(data) != 2:
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def __getnewargs__(self) -> Any:
        return tuple(self)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same with data of another dtype; itself if nothing changes."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else type(self)(data, *self[1:])

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Itself."""
        return self

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Always an error: convgrad computes on the CPU."""
        return type(self)(self.data.cuda(*args, **kwargs), *self[1:])

    def pin_memory(self) -> PackedSequence:
        """Itself."""
        return self

    def is_pinned(self) -> bool:
        """False."""
        return False

    @property
    def is_cuda(self) -> bool:
        """False."""
        return False

    def double(self) -> PackedSequence:
        """Data in float64."""
        return self.to(self.data.double().dtype)

    def float(self) -> PackedSequence:
        """Data in float32."""
        return self.to(self.data.float().dtype)

    def half(self) -> PackedSequence:
        """Data in float16."""
        return self.to(self.data.half().dtype)

    def long(self) -> PackedSequence:
        """Data in int64."""
        return self.to(self.data.long().dtype)

    def int(self) -> PackedSequence:
        """Data in int32."""
        return self.to(self.data.int().dtype)

    def short(self) -> PackedSequence:
        """Data in int16."""
        return self.to(self.data.short().dtype)

    def char(self) -> PackedSequence:
        """Data in int8."""
        return self.to(self.data.char().dtype)

    def byte(self) -> PackedSequence:
        """Data in uint8."""
        return self.to(self.data.byte().dtype)


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another; None of None.

    Example:
        >>> invert_permutation(Tensor(np.array([2, 0, 1]), None)).tolist()
        [1, 2, 0]
    """
    if permutation is None:
        return None
    out = np.empty_like(permutation._data)
    out[permutation._data] = np.arange(out.size)
    return Tensor(out, None)


def _lengths(lengths: Any) -> Any:
    return np.asarray(lengths._data if isinstance(lengths, Tensor) else lengths).astype(np.int64)


def _grid(sizes: Any) -> tuple[Any, Any]:
    """Step and sequence of each row of packed data."""
    steps = np.repeat(np.arange(sizes.size), sizes)
    starts = np.cumsum(sizes) - sizes
    return steps, np.arange(steps.size) - starts[steps]


def _filled(out: Tensor, inside: tuple[Any, Any], value: float) -> Tensor:
    """Padded sequences ``(T, N, *)`` with ``value`` at all (step, sequence) that are not ``inside``."""
    shape = out._data.shape
    outside = np.ones((*shape[:2], *(1,) * (len(shape) - 2)), bool)
    outside[inside] = False
    return out.masked_fill(Tensor(outside, None), value)


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack padded sequences.

    Args:
        input: ``(T, N, *)``, or ``(N, T, *)`` with ``batch_first``.
        lengths: N ints, or an integer tensor ``(N,)``: how many steps of each sequence count.
        enforce_sorted: the sequences come longest first; False sorts them and remembers how.
    Raises:
        ConvgradError: a length of 0, lengths that are not sorted, or no sequence at all.
        ShapeError: not as many lengths as sequences.
    Example:
        >>> pack_padded_sequence(Tensor(np.ones((3, 2, 1)), None), [3, 1]).batch_sizes.tolist()
        [2, 1, 1]
    """
    sizes, order = _lengths(lengths), None
    if input._data.ndim < 2:
        raise DimError(
            f"Dimension out of range (expected to be in range of [-1, 0], but got 1): pack_padded_sequence "
            f"needs (T, N, ...), not {list(input.shape)}"
        )
    if not enforce_sorted:
        order = np.argsort(-sizes, kind="stable")
        sizes = sizes[order]
    x = input.transpose(0, 1) if batch_first else input
    steps, n = x._data.shape[:2]
    if not input._data.size:
        raise ConvgradError("Cannot pack empty tensors.")
    if sizes.size != n:
        raise ShapeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {sizes.size} (batch_size={n})"
        )
    if np.any(sizes <= 0):
        raise ConvgradError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if np.any(sizes[1:] > sizes[:-1]):
        raise ConvgradError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this "
            "requirement if you do not need ONNX exportability."
        )
    if sizes[0] > steps:
        raise ShapeError(
            f"pack_padded_sequence: a length of {sizes[0]} was given, but input {list(input.shape)} has only "
            f"{steps} steps"
        )
    batch_sizes = np.add.reduce(sizes[:, None] > np.arange(sizes[0]), 0)
    step, sequence = _grid(batch_sizes)
    data = apply(IndexTensor, (x,), ((step, sequence if order is None else order[sequence]),))
    indices = None if order is None else Tensor(order, None)
    return PackedSequence(data, Tensor(batch_sizes, None), indices)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The inverse of ``pack_padded_sequence``.

    Args:
        sequence: packed sequences.
        padding_value: what stands after the end of a sequence.
        total_length: how many steps there shall be; None: those of the longest.
    Returns:
        ``(T, N, *)``, or ``(N, T, *)`` with ``batch_first``, in the order from before the packing; and the
        lengths ``(N,)``.
    Raises:
        ValueError: total_length is shorter than the longest sequence.
    """
    sizes = sequence.batch_sizes._data
    steps = sizes.size
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    step, place = _grid(sizes)
    lengths = np.add.reduce(sizes[:, None] > np.arange(sizes[0]), 0)
    if sequence.sorted_indices is not None:
        order = sequence.sorted_indices._data
        place = order[place]
        lengths = lengths[np.argsort(order)]
    data = sequence.data
    shape = (steps, int(sizes[0]), *data._data.shape[1:])
    out = apply(IndexPut, (data,), ((step, place), shape))
    if padding_value:
        outside = np.ones(shape[:2], bool)
        outside[step, place] = False
        out = out.masked_fill(
            Tensor(outside.reshape(*shape[:2], *(1,) * (len(shape) - 2)), None), padding_value
        )
    return (out.transpose(0, 1) if batch_first else out), Tensor(lengths, None)


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences of different lengths side by side.

    Args:
        sequences: tensors ``(L, *)``; or one tensor, whose first dimension is the batch.
        padding_value: what stands after the end of a sequence, or before its start.
        padding_side: "right" or "left".
    Returns:
        ``(T, N, *)``, or ``(N, T, *)`` with ``batch_first``.
    Raises:
        ConvgradError: nothing to pad, or no such side.
        ShapeError: the dimensions after the first differ.
    """
    if not isinstance(sequences, Iterable):
        raise ConvgradError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    items = list(sequences.unbind(0)) if isinstance(sequences, Tensor) else list(sequences)
    if not items:
        raise ConvgradError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise ConvgradError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    for k, item in enumerate(items):
        if not isinstance(item, Tensor):
            raise TypeError(f"expected Tensor as element {k} in argument 0, but got {type(item).__name__}")
    rest = items[0]._data.shape[1:]
    for item in items:
        if item._data.shape[1:] != rest:
            raise ShapeError(
                f"The size of tensor a {list(rest)} must match the size of tensor b "
                f"{list(item._data.shape[1:])}: pad_sequence pads the first dimension alone"
            )
    lengths = [len(item._data) for item in items]
    steps = max(lengths)
    places = [(steps - n if padding_side == "left" else 0) + np.arange(n) for n in lengths]
    key = (np.concatenate(places), np.repeat(np.arange(len(items)), lengths))
    shape = (steps, len(items), *rest)
    out = apply(IndexPut, (cat(items),), (key, shape))
    if padding_value:
        out = _filled(out, key, padding_value)
    return out.transpose(0, 1) if batch_first else out


def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The inverse of ``pad_sequence``: each sequence without what was put after its end.

    Args:
        padded_sequences: ``(T, N, *)``, or ``(N, T, *)`` with ``batch_first``.
        lengths: ``(N,)``.
    """
    x = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:n] for row, n in zip(x, _lengths(lengths).tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences, each ``(L, *)``; ``enforce_sorted`` as in ``pack_padded_sequence``."""
    lengths = [len(s._data) for s in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The inverse of ``pack_sequence``."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]
