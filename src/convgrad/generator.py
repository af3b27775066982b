"""Random numbers: PyTorch's CPU stream, drawn from NumPy's Mersenne Twister.

After the same ``manual_seed`` the methods of :class:`Generator` give the numbers that PyTorch 2.13 gives on
a CPU: integers, permutations, uniform numbers and Bernoulli trials bit for bit, normal and exponential ones
up to the last digits of ``log``, ``sin`` and ``cos``. The rules (how many 32-bit words a number takes, which
of their bits, in which order) were found by experiment and are written at each method.

``numpy.random`` costs some 20 ms to import; NumPy loads it on first use, and so do we, on the first draw.
"""

from __future__ import annotations

import math
import operator
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import RLock
from typing import Any

import numpy as np

from convgrad.dtypes import Array

from .draws import watched as _watched
from .errors import ConvgradError, DtypeError
from .variates import (
    BLOCK,
    COMPLEX_PARTS,
    FLOAT64,
    FLOATS,
    INT64,
    LARGEST,
    Shape,
    box_muller,
    check_range,
    float_dtype,
    fused,
    integer_limits,
    numel,
    shape_of,
)

DEFAULT_SEED = 67280421310721
"""Seed of a generator that was never seeded: the largest prime factor of 2**128 + 1, as in PyTorch."""

_WIDE = 1 << 28
"""Ranges from here on take 64 bits for each number, so that the remainder stays nearly uniform."""

_WORDS = 624
_HEAD = struct.Struct("<QiiQ")  # seed, words left + 1, seeded, next word
_TAIL = struct.Struct("<dddi12x")  # unused, second normal number, unused, whether there is one; padding
_STATE_BYTES = _HEAD.size + 8 * _WORDS + _TAIL.size


class Generator:
    """A stream of random numbers that repeats PyTorch's CPU stream for the same seed.

    Every draw holds the lock of the generator: several threads may share one, each call gets numbers of
    its own, and only their order among the threads is left to chance.

    Example:
        >>> Generator().manual_seed(0).randint(0, 10, 5).tolist()
        [4, 9, 3, 0, 3]

    Source: the Mersenne Twister MT19937 (Matsumoto & Nishimura 1998); semantics of torch.Generator.
    """

    __slots__ = ("__weakref__", "_lock", "_second_normal", "_seed", "_source")

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self._lock = RLock()
        self.manual_seed(seed)

    # ------------------------------------------------------------------ seed and state

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream that belongs to ``seed`` and return the generator itself.

        Args:
            seed: integer from ``-2**63`` to ``2**64 - 1``; a negative one counts from ``2**64`` down. Only
                the low 32 bits choose the stream.
        Raises:
            ConvgradError: ``seed`` is no integer.
            ValueError: ``seed`` does not fit into 64 bits.
        Example:
            >>> Generator().manual_seed(-1).initial_seed() == 2**64 - 1
            True
        """
        try:
            number = operator.index(seed)
        except TypeError:
            message = f"manual_seed expected a long, but got {type(seed).__name__}"
            raise ConvgradError(f"{message}; write manual_seed(int(seed))") from None
        if not -(1 << 63) <= number < 1 << 64:
            raise ValueError(f"manual_seed: Overflow, the seed must lie in [-2**63, 2**64), but got {number}")
        with self._lock:
            self._seed = number % (1 << 64)
            self._source: np.random.RandomState | None = None
            self._second_normal: float | None = None
        return self

    def seed(self) -> int:
        """Start a stream that the operating system's entropy chooses; returns the seed (53 bits)."""
        number = int.from_bytes(os.urandom(8), "little") >> 11
        self.manual_seed(number)
        return number

    def initial_seed(self) -> int:
        """The seed the stream started with, from 0 to ``2**64 - 1``."""
        return self._seed

    def get_state(self) -> Array:
        """The whole state as 5056 bytes, uint8, laid out as PyTorch's CPU generator lays out its own.

        Either library continues the stream of the other from it.
        """
        with self._lock:
            state: Any = self._stream().get_state(legacy=True)
            seed, second = self._seed, self._second_normal
        key, position = state[1], int(state[2])
        unused = position == _WORDS and int(key[0]) == seed & 0xFFFFFFFF  # as seeding left it
        head = _HEAD.pack(seed, _WORDS + 1 - position, 1, 0 if unused else position)
        tail = _TAIL.pack(0.0, second or 0.0, 0.0, second is not None)
        return np.frombuffer(head + key.astype("<u8").tobytes() + tail, np.uint8).copy()

    def set_state(self, state: Array) -> Generator:
        """Continue from what :meth:`get_state` gave; returns the generator itself.

        Args:
            state: uint8, 5056 elements.
        Raises:
            DtypeError: ``state`` is not uint8.
            ConvgradError: the length differs, or the bytes cannot be a state; nothing is changed then.
        """
        values = np.asarray(state)
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
                "set_state: these 5056 bytes are no generator state; pass what get_state() gave"
            )
        source = np.random.RandomState(0)
        source.set_state(("MT19937", key.astype(np.uint32), _WORDS + 1 - left, 0, 0.0))
        with self._lock:
            self._seed, self._source = seed, source
            self._second_normal = second if has_second else None
        return self

    def clone_state(self) -> Generator:
        """A second generator that will give the same numbers from here on."""
        return Generator().set_state(self.get_state())

    def __repr__(self) -> str:
        return f"<convgrad.Generator seed={self._seed}>"

    # ------------------------------------------------------------------ raw words

    def _stream(self) -> np.random.RandomState:
        """The Mersenne Twister itself, made on first use; RandomState seeds it by init_genrand."""
        if self._source is None:
            self._source = np.random.RandomState(self._seed & 0xFFFFFFFF)
        return self._source

    def _words(self, n: int) -> Array:
        """The next ``n`` words of 32 bits."""
        return self._stream().randint(0, 1 << 32, n, dtype=np.uint32)

    def _long_words(self, n: int) -> Array:
        """The next ``n`` words of 64 bits, each two of 32, the high half first."""
        return self._stream().randint(0, 1 << 64, n, dtype=np.uint64)

    def _unit_float32(self, n: int) -> Array:
        """Multiples of 2**-24 in [0, 1): the low 24 bits of one word each."""
        words = self._words(n)
        words &= np.uint32(0xFFFFFF)
        out = words.astype(np.float32)
        out *= np.float32(2.0**-24)
        return out

    def _unit_float64(self, n: int) -> Array:
        """Multiples of 2**-53 in [0, 1): the low 53 bits of one long word each."""
        words = self._long_words(n)
        words &= np.uint64((1 << 53) - 1)
        out = words.astype(np.float64)
        out *= 2.0**-53
        return out

    # ------------------------------------------------------------------ continuous distributions

    @_watched()
    def uniform(self, shape: Shape, dtype: Any = np.float32, low: float = 0.0, high: float = 1.0) -> Array:
        """Numbers spread evenly over ``[low, high)``.

        float64 takes 53 bits of a long word, all other dtypes 24 bits of one word, and float16 and bfloat16
        are rounded from float32. A result that rounding lifts to ``high`` becomes ``low``. PyTorch scales
        with one fused multiply-add where the processor has it (all with AVX2), and so does this.

        Args:
            shape: of the result; an int for one dimension.
            dtype: float16, bfloat16, float32, float64, or complex (two numbers for each element).
            low, high: bounds of the interval.
        Raises:
            ConvgradError: ``low > high``, or bounds that the dtype cannot hold.
            DtypeError: another dtype.
        Example:
            >>> Generator().manual_seed(0).uniform(2).tolist()
            [0.49625658988952637, 0.7682217955589294]
        """
        size = shape_of(shape)
        real = COMPLEX_PARTS.get(np.dtype(dtype))
        if real is not None:
            pairs = self.uniform((*size, 2), real, low, high)
            return pairs.view(dtype)[..., 0]
        wanted = float_dtype("check_uniform_bounds", dtype)
        self._check_uniform(wanted, low, high)
        n = numel(size)
        with self._lock:
            unit = self._unit_float64(n) if wanted == FLOAT64 else self._unit_float32(n)
        if low != 0 or high != 1:
            unit = self._scaled(unit, low, high)
        out = unit.astype(wanted, copy=False)
        if low != high and (wanted.itemsize == 2 or low != 0 or high != 1):
            out[out >= wanted.type(high)] = wanted.type(low)
        return out.reshape(size)

    @staticmethod
    def _check_uniform(dtype: np.dtype[Any], low: float, high: float) -> None:
        largest = LARGEST[dtype]
        for name, bound in (("from", low), ("to", high)):
            if not -largest <= bound <= largest:
                raise ConvgradError(f"{name} is out of bounds for {dtype}: {bound}")
        if low > high:
            raise ConvgradError(
                f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}"
            )
        if high - low > largest:
            raise ConvgradError(
                f"uniform_ expects to-from <= std::numeric_limits<{dtype}>::max(), but found to={high} and "
                f"from={low} which result in to-from to exceed the limit"
            )

    @staticmethod
    def _scaled(unit: Array, low: float, high: float) -> Array:
        """``unit * (high - low) + low`` in the dtype of ``unit``, rounded once."""
        if unit.dtype == FLOAT64:
            return fused(unit, high - low, low)
        # A product of two 24-bit numbers is exact in float64, so this too is a fused multiply-add.
        low32, high32 = np.float32(low), np.float32(high)
        wide = unit.astype(np.float64)
        wide *= float(high32 - low32)
        wide += float(low32)
        return wide.astype(np.float32)

    @_watched()
    def normal(
        self,
        shape: Shape,
        dtype: Any = np.float32,
        mean: float = 0.0,
        std: float = 1.0,
        contiguous: bool = True,
    ) -> Array:
        """Normal numbers with the given mean and standard deviation, by the Box-Muller transform.

        From 16 elements on, contiguous: blocks of 16 uniform numbers (in float32, for float64 in float64),
        8 for the radii and 8 for the angles; where the size is no multiple of 16, the last 16 elements
        are made from 16 fresh numbers. Otherwise: one after another in float64 from two uniform numbers,
        of which the sine half is kept for the next call. Agrees with PyTorch to 2 ulp of the radius.

        Args:
            shape: of the result; an int for one dimension.
            dtype: float16, bfloat16, float32, float64, or complex (real and imaginary part each get
                ``std / sqrt(2)``).
            mean, std: of the distribution; ``std >= 0``.
            contiguous: whether the tensor to be filled is; says which of the two ways PyTorch takes. The
                numbers of the second come in the order of its memory.
        Raises:
            ConvgradError: ``std`` is negative.
            DtypeError: an integer dtype.
        Example:
            >>> Generator().manual_seed(0).normal(3, np.float64).round(4).tolist()
            [1.541, -0.2934, -2.1788]
        """
        size = shape_of(shape)
        if not std >= 0:
            raise ConvgradError(f"normal expects std >= 0.0, but found std {std}")
        real = COMPLEX_PARTS.get(np.dtype(dtype))
        if real is not None:
            return self._normal_complex(size, real, mean, std, contiguous).view(dtype)[..., 0]
        wanted = float_dtype("normal_kernel_cpu", dtype)
        n = numel(size)
        with self._lock:
            if n >= BLOCK and contiguous:
                out = self._normal_blocks(n, wanted, mean, std)
            else:
                out = self._normal_pairs(n)
                if mean != 0 or std != 1:
                    out = out * std + mean
        return out.astype(wanted, copy=False).reshape(size)

    def _normal_complex(
        self, size: tuple[int, ...], real: np.dtype[Any], mean: complex, std: float, contiguous: bool
    ) -> Array:
        pairs = self.normal((*size, 2), real, 0.0, std / math.sqrt(2), contiguous)
        if mean:
            pairs += np.array([complex(mean).real, complex(mean).imag], real)
        return pairs

    def _normal_blocks(self, n: int, dtype: np.dtype[Any], mean: float, std: float) -> Array:
        draw = self._unit_float64 if dtype == FLOAT64 else self._unit_float32
        whole = n - n % BLOCK
        if whole == n:
            return box_muller(draw(n).reshape(-1, BLOCK), mean, std).reshape(n)
        # 16-bit dtypes draw only for the whole blocks before the tail, the others for the tail as well.
        drawn = draw(whole if dtype.itemsize == 2 else n)
        out = np.empty(n, drawn.dtype)
        out[:whole] = box_muller(drawn[:whole].reshape(-1, BLOCK), mean, std).reshape(whole)
        out[n - BLOCK :] = box_muller(draw(BLOCK).reshape(1, BLOCK), mean, std)[0]
        return out

    def _normal_pairs(self, n: int) -> Array:
        """Standard normal numbers in float64: the one kept from last time, then cosine and sine in turn."""
        kept = self._second_normal
        if n == 0:
            return np.empty(0)
        start = 0 if kept is None else 1
        pairs = (n - start + 1) // 2
        unit = self._unit_float64(2 * pairs).reshape(pairs, 2)
        radius = np.sqrt(-2 * np.log1p(-unit[:, 1]))
        angle = 2 * math.pi * unit[:, 0]
        numbers = np.empty(start + 2 * pairs)
        if kept is not None:
            numbers[0] = kept
        numbers[start::2] = radius * np.cos(angle)
        numbers[start + 1 :: 2] = radius * np.sin(angle)
        self._second_normal = float(numbers[n]) if numbers.size > n else None
        return numbers[:n]

    @_watched()
    def exponential(self, shape: Shape, dtype: Any = np.float32, lambd: float = 1.0) -> Array:
        """Positive numbers with density ``lambd * exp(-lambd * x)``: ``-log(1 - u) / lambd`` in float64.

        Args:
            shape: of the result; an int for one dimension.
            dtype: float16, bfloat16, float32 or float64.
            lambd: rate, above 0.
        Raises:
            ConvgradError: ``lambd <= 0``, or a dtype without fractions.
        Example:
            >>> Generator().manual_seed(0).exponential(2, np.float64).round(4).tolist()
            [3.5083, 1.2304]
        """
        size = shape_of(shape)
        if not lambd > 0:
            raise ConvgradError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
        wanted = np.dtype(dtype)
        if wanted not in FLOATS:
            raise DtypeError(
                "Exponential distribution is a continuous probability distribution. dtype must be a floating "
                f"point but you specified {wanted}"
            )
        with self._lock:
            unit = self._unit_float64(numel(size))
        np.log1p(np.negative(unit, out=unit), out=unit)
        np.minimum(unit, -(2.0**-53), out=unit)  # a draw of exactly 0 must not give 0: people divide by this
        unit *= -1 / lambd
        return unit.astype(wanted, copy=False).reshape(size)

    # ------------------------------------------------------------------ discrete distributions

    @_watched(1)
    def bernoulli(self, p: float | Array, shape: Shape | None = None, dtype: Any = np.float32) -> Array:
        """Ones with probability ``p``, zeros otherwise.

        A number ``p`` and a float64 array take one long word for each element; float32, float16 and
        bfloat16 arrays one word. Older releases of PyTorch drew from MKL's own generator on Intel
        processors; 2.13 no longer does, and neither does this.

        Args:
            p: probability in [0, 1], one for all or an array of floats.
            shape: of the result if ``p`` is a number; an array brings its own shape.
            dtype: of the result, any.
        Raises:
            ConvgradError: ``p`` lies outside [0, 1] or is nan, or a number comes without a shape.
            DtypeError: an array that is not of floating point dtype.
        Example:
            >>> Generator().manual_seed(0).bernoulli(0.5, 4).tolist()
            [0.0, 0.0, 1.0, 0.0]
        """
        wanted = np.dtype(dtype)
        if isinstance(p, np.ndarray):
            return self._bernoulli_array(p, wanted)
        if not 0 <= p <= 1:
            raise ConvgradError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
        if shape is None:
            raise ConvgradError("bernoulli: a single probability needs the shape of the result")
        size = shape_of(shape)
        with self._lock:
            words = self._long_words(numel(size))
        words &= np.uint64((1 << 53) - 1)
        below = words < np.uint64(math.ceil(p * 2.0**53))  # the same as word * 2**-53 < p, without rounding
        return below.astype(wanted, copy=False).reshape(size)

    def _bernoulli_array(self, p: Array, dtype: np.dtype[Any]) -> Array:
        float_dtype("bernoulli_tensor_cpu_p_", p.dtype)
        if not bool(((p >= 0) & (p <= 1)).all()):
            raise ConvgradError("bernoulli: Expected p_in >= 0 && p_in <= 1 to be true, but got false")
        with self._lock:
            unit = self._unit_float64(p.size) if p.dtype == FLOAT64 else self._unit_float32(p.size)
        wide = p if p.dtype == FLOAT64 else p.astype(np.float32, copy=False)
        return np.asarray(np.less(unit.reshape(p.shape), wide)).astype(dtype, copy=False)

    @_watched(2)
    def randint(self, low: int, high: int, shape: Shape, dtype: Any = np.int64) -> Array:
        """Whole numbers from ``low`` to ``high - 1``: the remainder of one word by ``high - low``.

        From ranges of 2**28 on it is a long word.

        Args:
            low, high: the first and one past the last number.
            shape: of the result; an int for one dimension.
            dtype: any integer, bool or floating dtype.
        Raises:
            ConvgradError: an empty range, or one that ``dtype`` cannot hold.
        Example:
            >>> Generator().manual_seed(0).randint(0, 100, 3).tolist()
            [44, 39, 33]
        """
        size = shape_of(shape)
        first, last = operator.index(low), operator.index(high)
        wanted = np.dtype(dtype)
        check_range(first, last, wanted)
        span = last - first
        return self._integers(first, span, numel(size), wanted, span >= _WIDE).reshape(size)

    @_watched()
    def whole_range(self, shape: Shape, dtype: Any = np.int64, low: int | None = None) -> Array:
        """Whole numbers over all that ``dtype`` holds: ``random_()``, with ``low`` ``random_(low, None)``.

        Args:
            shape: of the result; an int for one dimension.
            dtype: integers give 0 to their largest value, bool 0 and 1, floats 0 to ``2**digits``.
            low: smallest number instead of 0.
        Raises:
            ConvgradError: ``dtype`` cannot hold ``low``.
        """
        size = shape_of(shape)
        wanted = np.dtype(dtype)
        _, largest = integer_limits(wanted)
        first = 0 if low is None else operator.index(low)
        check_range(first, largest + 1, wanted)
        span = largest + 1 - first
        wide = wanted in (FLOAT64, INT64) if low is None else span >= _WIDE
        return self._integers(first, span, numel(size), wanted, wide).reshape(size)

    def _integers(self, low: int, span: int, n: int, dtype: np.dtype[Any], wide: bool) -> Array:
        """``n`` times ``low + word % span``; int64 wraps around, which is right for any 64-bit range."""
        with self._lock:
            if not wide:
                values = (self._words(n) % np.uint32(span)).astype(np.int64)
            elif span == 1 << 64:
                return self._long_words(n).view(np.int64)  # every pattern is as likely as any other
            else:
                values = (self._long_words(n) % np.uint64(span)).view(np.int64)
        if low:
            values += np.int64(low)
        return values.astype(dtype, copy=False)

    @_watched()
    def randperm(self, n: int, dtype: Any = np.int64) -> Array:
        """The numbers 0 to ``n - 1`` in random order (Fisher & Yates, from the front, one word each).

        Args:
            n: how many.
            dtype: integer or floating dtype that holds ``n - 1``.
        Raises:
            ConvgradError: ``n`` is negative, or too large for ``dtype``.
        Example:
            >>> Generator().manual_seed(0).randperm(5).tolist()
            [4, 0, 1, 3, 2]
        """
        count = operator.index(n)
        wanted = np.dtype(dtype)
        if count < 0:
            raise ConvgradError(f"Trying to create tensor with negative dimension {count}: [{count}]")
        if count > integer_limits(wanted)[1] + 1:
            raise ConvgradError(f"randperm: n={count} is too large for result dtype {wanted}")
        out = list(range(count))
        if count > 1:
            remaining = np.arange(count, 1, -1, dtype=np.uint64)
            with self._lock:
                steps = self._words(count - 1) if count < (1 << 32) // 20 else self._long_words(count - 1)
            jumps = (steps % remaining).tolist()
            for i, jump in enumerate(jumps):
                j = i + jump
                out[i], out[j] = out[j], out[i]
        return np.array(out, np.int64).astype(wanted, copy=False)


_own: ContextVar[Generator | None] = ContextVar("convgrad.own_stream", default=None)


def _redirected(name: str) -> Any:
    """A slot of the default generator: that of the thread's own stream where there is one."""
    slot = getattr(Generator, name)

    def get(self: Any) -> Any:
        own = _own.get()
        return slot.__get__(self if own is None else own)

    def put(self: Any, value: Any) -> None:
        own = _own.get()
        slot.__set__(self if own is None else own, value)

    return property(get, put)


class _DefaultGenerator(Generator):
    """The generator of those who name none; inside ``own_stream`` it stands for another one."""

    __slots__ = ()

    _lock, _seed, _source, _second_normal = map(_redirected, ("_lock", "_seed", "_source", "_second_normal"))


@contextmanager
def own_stream(generator: Generator) -> Iterator[None]:
    """Inside the block, in this thread alone, the default generator draws from ``generator``."""
    token = _own.set(generator)
    try:
        yield
    finally:
        _own.reset(token)


default_generator: Generator = _DefaultGenerator()
default_generator.seed()
"""The generator that every function uses if none is given; seeded from the system's entropy at import."""
