"""The stream itself: seed, state, and the raw words of PyTorch's CPU generator.

Its kernels make the words; they are loaded on the first draw.
"""

from __future__ import annotations

import operator
import os
import struct
from collections.abc import Callable
from threading import RLock
from typing import Any, Self

import numpy as np

from ..device import check_device
from ..device import device as Device
from ..dtypes import F32, F64, Array
from ..errors import ConvgradError, DtypeError
from ..kernels import table

DEFAULT_SEED = 67280421310721
"""Seed of a generator that was never seeded: the largest prime factor of 2**128 + 1, as in PyTorch."""

_WORDS = 624
_HEAD = struct.Struct("<QiiQ")  # seed, words left + 1, seeded, next word
_TAIL = struct.Struct("<dddi12x")  # unused, second normal number, unused, whether there is one; padding
_STATE_BYTES = _HEAD.size + 8 * _WORDS + _TAIL.size


class _Shown:
    """What users get for a state: an array, or what ``show_states_as`` makes of it."""

    make: Callable[[Array], Any] = staticmethod(lambda state: state)


def show_states_as(make: Callable[[Array], Any]) -> None:
    """Let ``get_state()`` give ``make(array)``: tensors, which this layer does not know."""
    _Shown.make = staticmethod(make)


class Stream:
    """The Mersenne Twister, seeded and stored as PyTorch's CPU generator is."""

    __slots__ = ("__weakref__", "_lock", "_second_normal", "_seed", "_source")

    def __init__(self, device: Any = "cpu") -> None:
        if isinstance(device, int) and not isinstance(device, bool):
            raise ConvgradError(
                f"Cannot access accelerator device when none is available: Generator({device}) asks for "
                f"device {device}; a seed is given by Generator().manual_seed({device})"
            )
        if device is not None and not isinstance(device, str | Device):
            raise TypeError(
                f"Generator(): argument 'device' (position 1) must be torch.device, not "
                f"{type(device).__name__}"
            )
        check_device(device)
        self._lock = RLock()
        self.manual_seed(DEFAULT_SEED)

    @property
    def device(self) -> Device:
        """The CPU."""
        return Device("cpu")

    # ------------------------------------------------------------------ seed and state

    def manual_seed(self, seed: int) -> Self:
        """Start the stream that belongs to ``seed`` and return the generator itself.

        Args:
            seed: integer from ``-2**63`` to ``2**64 - 1``; a negative one counts from ``2**64`` down. Only
                the low 32 bits choose the stream.
        Raises:
            ConvgradError: ``seed`` is no integer.
            ValueError: ``seed`` does not fit into 64 bits.
        Example:
            >>> torch.Generator().manual_seed(-1).initial_seed() == 2**64 - 1
            True
        """
        if not isinstance(seed, int | np.integer) or isinstance(seed, bool):
            message = f"manual_seed expected a long, but got {type(seed).__name__}"
            raise ConvgradError(f"{message}; write manual_seed(int(seed))")
        number = operator.index(seed)
        if not -(1 << 63) <= number < 1 << 64:
            raise ValueError(
                f"manual_seed: Overflow when unpacking long long, the seed must lie in [-2**63, 2**64), "
                f"but got {number}"
            )
        with self._lock:
            self._seed = number % (1 << 64)
            self._source: Any = None
            self._second_normal: float | None = None
        return self

    def seed(self) -> int:
        """Start a stream that the operating system's entropy chooses; returns the seed (64 bits)."""
        number = int.from_bytes(os.urandom(8), "little")
        self.manual_seed(number)
        return number

    def initial_seed(self) -> int:
        """The seed the stream started with, from 0 to ``2**64 - 1``."""
        return self._seed

    def state(self) -> Array:
        """What :meth:`get_state` shows, as an array."""
        with self._lock:
            key, position = self._stream().get_state()
            seed, second = self._seed, self._second_normal
        unused = position == _WORDS and int(key[0]) == seed & 0xFFFFFFFF  # as seeding left it
        head = _HEAD.pack(seed, _WORDS + 1 - position, 1, 0 if unused else position)
        tail = _TAIL.pack(0.0, second or 0.0, 0.0, second is not None)
        return np.frombuffer(head + key.astype("<u8").tobytes() + tail, np.uint8).copy()

    def get_state(self) -> Any:
        """The whole state as a uint8 tensor of 5056 bytes.

        It is laid out as PyTorch's CPU generator lays out its own; either library continues the stream of
        the other from it.
        """
        return _Shown.make(self.state())

    def set_state(self, new_state: Any) -> Self:
        """Continue from what :meth:`get_state` gave; returns the generator itself.

        Args:
            new_state: uint8 tensor or array, 5056 elements; PyTorch's is read, too.
        Raises:
            TypeError: no tensor, or not of uint8.
            ConvgradError: the length differs, or the bytes cannot be a state; nothing is changed then.
        Example:
            >>> state = torch.Generator().get_state()
            >>> torch.Generator().set_state(state).initial_seed()
            67280421310721
        """
        if not hasattr(new_state, "__array__"):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        values = np.asarray(new_state)
        if values.dtype != np.uint8:
            raise DtypeError(f"RNG state must be a torch.ByteTensor, but got {values.dtype}")
        if values.size != _STATE_BYTES:
            raise ConvgradError(
                f"Expected a CPUGeneratorImplState of size {_STATE_BYTES} but found the input RNG state "
                f"size to be {values.size}; pass what get_state() gave"
            )
        raw = values.tobytes()
        seed, left, seeded, _ = _HEAD.unpack_from(raw)
        key = np.frombuffer(raw, "<u8", _WORDS, _HEAD.size)
        _, second, _, has_second = _TAIL.unpack_from(raw, _HEAD.size + 8 * _WORDS)
        if seeded != 1 or not 1 <= left <= _WORDS or int(key.max()) >= 1 << 32 or has_second not in (0, 1):
            raise ConvgradError(
                "Invalid mt19937 state: these 5056 bytes are no generator state; pass what get_state() gave"
            )
        source = table.twister(0)
        source.set_state(key.astype(np.uint32), _WORDS + 1 - left)
        with self._lock:
            self._seed, self._source = seed, source
            self._second_normal = second if has_second else None
        return self

    def clone_state(self) -> Self:
        """A second generator that will give the same numbers from here on."""
        return type(self)().set_state(self.state())

    def graphsafe_get_state(self) -> Self:
        """Refused: a matter of CUDA graphs, and of CUDA's generators alone.

        Raises:
            NotImplementedError: always, as for PyTorch's CPU generator.
        """
        raise NotImplementedError(
            "graphsafe_get_state is not supported in this Generator: use clone_state() or get_state()"
        )

    def graphsafe_set_state(self, state: Any) -> Self:
        """Refused, as ``graphsafe_get_state`` is.

        Raises:
            NotImplementedError: always, as for PyTorch's CPU generator.
        """
        raise NotImplementedError("graphsafe_set_state is not supported in this Generator: use set_state()")

    def get_offset(self) -> int:
        """Refused: offsets belong to the generators of other devices.

        Raises:
            ConvgradError: always, as for PyTorch's CPU generator.
        """
        raise ConvgradError("CPU Generator does not use offset")

    def set_offset(self, offset: int) -> Self:
        """Refused, as ``get_offset`` is.

        Raises:
            ConvgradError: always, as for PyTorch's CPU generator.
        """
        raise ConvgradError("CPU Generator does not use offset")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.device,), (self.initial_seed(), None, self.get_state())

    def __setstate__(self, saved: tuple[int, None, Any]) -> None:
        self.manual_seed(saved[0])
        self.set_state(saved[2])

    def __repr__(self) -> str:
        return f"<convgrad.Generator seed={self._seed}>"

    # ------------------------------------------------------------------ raw words

    def _stream(self) -> Any:
        """The Mersenne Twister itself, made on first use."""
        source = self._source  # of the default generator a property, which is asked once
        if source is None:
            source = self._source = table.twister(self._seed & 0xFFFFFFFF)
        return source

    def _words(self, n: int) -> Array:
        """The next ``n`` words of 32 bits."""
        words: Array = self._stream().words(n)
        return words

    def _long_words(self, n: int) -> Array:
        """The next ``n`` words of 64 bits, each two of 32, the high half first."""
        words: Array = self._stream().long_words(n)
        return words

    def _unit_float32(self, n: int) -> Array:
        """Multiples of 2**-24 in [0, 1): the low 24 bits of one word each."""
        unit: Array = self._stream().uniform(n, F32)
        return unit

    def _unit_float64(self, n: int) -> Array:
        """Multiples of 2**-53 in [0, 1): the low 53 bits of one long word each."""
        unit: Array = self._stream().uniform(n, F64)
        return unit
