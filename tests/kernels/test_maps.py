"""Elementwise kernels: near float64, the same bits for any number of threads, nothing read or written outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from tests.kernels.processes import compiled

from convgrad.kernels import FAMILIES, error_function, machine, maps, native, threads

pytestmark = compiled
if native.available():
    from convgrad.kernels import native_maps
    from convgrad.kernels.machine import _native

RNG = np.random.default_rng(0)
SETS = _native.instruction_sets() if native.available() else []
DTYPES = [np.float32, np.float64]
#: about the vectors of each instruction set, groups of four of them, and tasks
SIZES = [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 130, 1000, 20000]
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 6.0, 100.0, -100.0]


@pytest.fixture(params=SETS)
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    _native.use_instruction_set(request.param)
    yield request.param
    _native.use_instruction_set(machine.instruction_set())


@pytest.fixture(autouse=True)
def _number_of_threads_stays() -> Iterator[None]:
    before = threads.get_num_threads()
    yield
    threads.set_num_threads(before)


#: functions: name, parameters, units in the last place that float32 may be off, whether x is positive
UNARY: list[tuple[str, tuple[Any, ...], float, bool]] = [
    ("absolute", (), 0, False), ("sign", (), 0, False), ("negative", (), 0, False), ("square", (), 0.5, False), ("cube", (), 1.5, False),
    ("sqrt", (), 0.5, True), ("rsqrt", (), 1.5, True), ("reciprocal", (), 0.5, False), ("relu", (), 0, False),
    ("leaky_relu", (0.25,), 0.5, False), ("hardtanh", (-1.0, 1.5), 0, False), ("hardsigmoid", (), 2, False),
    ("clamp", (-1.0, 1.5), 0, False), ("hardswish", (), 4, False), ("exp", (), 1.5, False), ("log", (), 1, True), ("tanh", (), 3, False),
    ("sigmoid", (), 3, False), ("log_sigmoid", (), 3.5, False), ("silu", (), 3.5, False),
    ("softplus", (2.0, 20.0), 4, False), ("elu", (1.5, 1.25, 0.75), 3, False), ("mish", (), 5, False),
    ("erf", (), 3.5, False), ("gelu", (), 8, False), ("gelu_tanh", (), 30, False),
]  # fmt: skip
#: gradients: name, parameters; the second operand is x or the result
BINARY: list[tuple[str, tuple[Any, ...]]] = [
    ("sqrt_grad", ()), ("rsqrt_grad", ()), ("reciprocal_grad", ()), ("square_grad", ()), ("relu_grad", ()),
    ("leaky_relu_grad", (0.25,)), ("hardtanh_grad", (-1.0, 1.5)), ("hardsigmoid_grad", ()),
    ("hardswish_grad", ()), ("tanh_grad", ()), ("sigmoid_grad", ()), ("log_sigmoid_grad", ()),
    ("silu_grad", ()), ("softplus_grad", (1.5, 20.0)), ("elu_grad", (1.5, 1.25, 0.75)), ("mish_grad", ()),
    ("erf_grad", ()), ("gelu_grad", ()), ("gelu_tanh_grad", ()), ("absolute_grad", ()),
    ("clamp_grad", (-1.0, 1.5)), ("lerp", (0.25,)),
]  # fmt: skip
#: of three operands: name, parameters
TERNARY: list[tuple[str, tuple[Any, ...]]] = [
    ("add_product", (-1.5,)), ("add_quotient", (0.5,)), ("divisor_grad", ()), ("maximum_grad", ()),
    ("minimum_grad", ()),
]  # fmt: skip


#: where the definition subtracts what is nearly equal: the same with the digits of the tail
PRECISE: dict[str, Callable[[Any], Any]] = {
    "gelu": lambda x: x * error_function.erfc(x * -(0.5**0.5)) / 2,
    "gelu_tanh": lambda x: x * maps.sigmoid(x * (x * x * 0.044715 + 1.0) * (8.0 / np.pi) ** 0.5),
}

#: below these the result nears the smallest numbers, or the formula itself loses digits to its exponent
LEAST = {"gelu": -12.0, "gelu_tanh": -3.0}


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels for arrays of any size, and a definition that says so if it is asked after all."""

    def refused(*_: Any) -> Any:
        raise AssertionError("the definition was asked")

    for kernel in vars(native_maps).values():
        if callable(kernel) and getattr(kernel, "__closure__", None):
            for cell, name in zip(kernel.__closure__, kernel.__code__.co_freevars, strict=True):
                if name in ("smallest", "definition"):
                    monkeypatch.setattr(cell, "cell_contents", 1 if name == "smallest" else refused)
    monkeypatch.setattr(native_maps, "_SIMPLE", 1)
    monkeypatch.setattr(native_maps, "_COSTLY", 1)
    before = np.empty
    monkeypatch.setattr(np, "empty", lambda shape, kind=float: filled(before(shape, kind)))


def filled(out: Any) -> Any:
    """Memory in which a value that was not written is seen."""
    if out.dtype.kind == "f":
        out.fill(np.nan)
    return out


def values(n: int, dtype: Any, positive: bool = False) -> Any:
    x = RNG.standard_normal(n) * RNG.choice([1e-3, 1.0, 5.0], n)
    return (np.abs(x) + 1e-3 if positive else x).astype(dtype)


def units(found: Any, wanted: Any) -> float:
    """The largest error in units of the last place."""
    unit = np.spacing(np.maximum(np.abs(wanted).astype(found.dtype), 1e3 * np.finfo(found.dtype).tiny))
    return float((np.abs(found.astype(np.longdouble) - wanted) / unit).max(initial=0.0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "params", "bound", "positive"), UNARY, ids=[row[0] for row in UNARY])
@pytest.mark.usefixtures("always")
def test_functions_are_near_the_definition_in_more_digits(
    name: str, params: tuple[Any, ...], bound: float, positive: bool, dtype: Any, instruction_set: str
) -> None:
    for n in SIZES[1:]:
        x = np.maximum(values(n, dtype, positive), dtype(LEAST.get(name, -90.0)))
        found = getattr(native_maps, name)(x, *params)
        wanted = PRECISE.get(name, getattr(maps, name))(x.astype(np.float64), *params)
        if dtype is np.float32:
            assert units(found, wanted) <= bound, n
        else:
            np.testing.assert_allclose(found, wanted, rtol=1e-13 if name in PRECISE else 1e-14, atol=2e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "params"), BINARY, ids=[row[0] for row in BINARY])
@pytest.mark.usefixtures("always")
def test_gradients_are_near_the_definition(
    name: str, params: tuple[Any, ...], dtype: Any, instruction_set: str
) -> None:
    for n in SIZES[1:]:
        g, x = values(n, dtype), values(n, dtype)
        found = getattr(native_maps, name)(g, x, *params)
        wanted = getattr(maps, name)(g.astype(np.float64), x.astype(np.float64), *params)
        tolerance = 3e-6 if dtype is np.float32 else 1e-13
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "params"), TERNARY, ids=[row[0] for row in TERNARY])
@pytest.mark.usefixtures("always")
def test_functions_of_three_operands_are_near_the_definition(
    name: str, params: tuple[Any, ...], dtype: Any, instruction_set: str
) -> None:
    kernel, definition = getattr(native_maps, name), getattr(maps, name)
    for n in SIZES[1:]:
        x, y, z = values(n, dtype), values(n, dtype), values(n, dtype)
        z[::3] = y[::3]  # equal ones count for extremes
        found = kernel(x, y, z, *params)
        wanted = definition(*(a.astype(np.float64) for a in (x, y, z)), *params)
        tolerance = 3e-6 if dtype is np.float32 else 1e-13
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.usefixtures("always")
def test_gradients_at_special_values(instruction_set: str) -> None:
    """Which values let a gradient pass, and what becomes of NaN: all pairs of special values."""
    a, b = (side.ravel().astype(np.float32) for side in np.meshgrid(SPECIAL, SPECIAL))
    g = np.linspace(-2, 2, a.size, dtype=np.float32)
    with np.errstate(all="ignore"):
        for name in ("maximum_grad", "minimum_grad", "divisor_grad"):
            np.testing.assert_allclose(
                getattr(native_maps, name)(g, a, b), getattr(maps, name)(g, a, b), 1e-5
            )
        np.testing.assert_array_equal(native_maps.absolute_grad(g, a), maps.absolute_grad(g, a))
        for low, high in ((-1.0, 3.0), (None, 0.0), (0.0, None), (3.0, -1.0), (np.nan, None), (-np.inf, 1.0)):
            if low == low:
                np.testing.assert_array_equal(
                    native_maps.clamp_grad(g, a, low, high), maps.clamp_grad(g, a, low, high)
                )
            np.testing.assert_array_equal(native_maps.clamp(a, low, high), maps.clamp(a, low, high))


def test_clamping_into_a_result(instruction_set: str) -> None:
    for x in (values(1000, np.float32), values(1000, np.float64), values(2000, np.float32)[::2]):
        for low, high in ((-0.5, 0.5), (None, 0.5), (-0.5, None)):
            target = x.copy() if x.flags.c_contiguous else np.repeat(x, 2)[::2]
            wanted = maps.clamp(x, low, high)
            native_maps.clamp(target, low, high, target)
            np.testing.assert_array_equal(target, wanted)


def test_interpolation_ends_at_its_ends(instruction_set: str) -> None:
    a, b = values(2000, np.float32), values(2000, np.float32)
    np.testing.assert_array_equal(native_maps.lerp(a, b, 0.0), a)
    np.testing.assert_array_equal(native_maps.lerp(a, b, 1.0), b)
    for weight in (-0.75, 0.25, 0.5, 0.75, 1.5):
        np.testing.assert_allclose(native_maps.lerp(a, b, weight), maps.lerp(a, b, weight), 1e-5, 1e-5)


@pytest.mark.parametrize("name", [row[0] for row in TERNARY])
def test_three_operands_a_kernel_does_not_take(name: str) -> None:
    kernel, definition = getattr(native_maps, name), getattr(maps, name)
    params = next(row[1] for row in TERNARY if row[0] == name)
    x, y, z = (np.abs(values(120, np.float32)).reshape(10, 12) + 1 for _ in range(3))
    for spoilt in (
        (x[:, ::2], y[:, ::2], z[:, ::2]), (x, y[0], z), (x, y, z[:, :1]), (x[:0], y[:0], z[:0]),
        tuple(a.astype(np.float16) for a in (x, y, z)), (x.astype(np.float64), y, z), (x.T, y.T, z.T),
    ):  # fmt: skip
        found, wanted = kernel(*spoilt, *params), definition(*spoilt, *params)
        assert found.dtype == wanted.dtype
        np.testing.assert_allclose(
            found.astype(np.float64), wanted.astype(np.float64), 1e-3 if x.itemsize == 2 else 1e-5
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [row[0] for row in UNARY if not row[1]])
@pytest.mark.usefixtures("always")
def test_special_values_are_those_of_the_definition(name: str, dtype: Any, instruction_set: str) -> None:
    """NaN, infinities and both zeros, in each lane of a vector and in what is left after the last."""
    with np.errstate(all="ignore"):
        for shift in range(3):
            x = np.array(([1.0] * shift + SPECIAL) * 6, dtype)
            found, wanted = getattr(native_maps, name)(x), getattr(maps, name)(x)
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
            if name in ("tanh", "erf", "silu", "gelu", "negative", "sqrt", "reciprocal"):
                np.testing.assert_array_equal(np.signbit(found[x == 0]), np.signbit(wanted[x == 0]))


@pytest.mark.usefixtures("always")
def test_subnormal_numbers(instruction_set: str) -> None:
    """Flushed where a result would be one; the logarithm alone looks at their bits."""
    x = np.full(40, 1e-40, np.float32)
    assert not native_maps.arithmetic(np.multiply, x, np.float32(1.0) + x).any()
    np.testing.assert_allclose(native_maps.log(x), np.log(1e-40), rtol=1e-5)
    assert not native_maps.exp(np.full(40, -95.0, np.float32)).any()
    assert native_maps.exp(np.full(40, -87.3, np.float32)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_logarithm_of_any_bits(dtype: Any, instruction_set: str) -> None:
    """Of zeros, subnormals of either sign, infinities and NaN too, of whatever sign."""
    kind = np.uint32 if dtype is np.float32 else np.uint64
    bits = RNG.integers(0, np.iinfo(kind).max, 20_000, dtype=kind, endpoint=True)
    small = RNG.integers(0, 1000, 100).astype(kind)
    sign = kind(1) << kind(8 * bits.itemsize - 1)
    x = np.concatenate([bits, small, small | sign, np.array([0.0, np.inf, np.nan], dtype).view(kind)]).view(
        dtype
    )
    with np.errstate(all="ignore"):
        for given in (x, -x):
            found, wanted = native_maps.log(given), np.log(given.astype(np.longdouble)).astype(dtype)
            np.testing.assert_allclose(found, wanted, 4 * np.finfo(dtype).eps, 1e-300)


def test_same_bits_for_any_number_of_threads() -> None:
    """Over tasks that are cut anyhow: every element is computed alone, whatever vector it falls into."""
    for dtype in DTYPES:
        x, g = values(100_003, dtype), values(100_003, dtype)
        seen: dict[str, set[bytes]] = {}
        for count in (1, 2, 3):
            threads.set_num_threads(count)
            for name, params, _, _ in UNARY:
                kernel: Callable[..., Any] = getattr(native_maps, name)
                seen.setdefault(name, set()).add(kernel(np.abs(x), *params).tobytes())
            for name, params in BINARY:
                seen.setdefault(name, set()).add(getattr(native_maps, name)(g, x, *params).tobytes())
            for name, params in TERNARY:
                seen.setdefault(name, set()).add(getattr(native_maps, name)(g, x, x + 1, *params).tobytes())
            seen.setdefault("add", set()).add(native_maps.arithmetic(np.add, x, g).tobytes())
        assert [name for name, bits in seen.items() if len(bits) > 1] == []


ARITHMETIC = [np.add, np.subtract, np.multiply, np.true_divide, np.maximum, np.minimum]
SHAPES = [
    ((40, 33), (40, 33)), ((7, 20, 17), (20, 1)), ((7, 20, 17), (7, 1, 1)), ((3, 5, 4, 9), (5, 1, 1)),
    ((50, 19), (19,)), ((50, 19), (1, 19)), ((50, 19), (50, 1)), ((6, 4, 30), (6, 4, 1)), ((6, 4, 30), (6, 1, 30)),
    ((50, 19), ()), ((50, 19), (1, 1)), ((50, 3), (3,)), ((1, 40), (30, 1)), ((2, 3), (4, 2, 3)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("one", "other"), SHAPES, ids=str)
def test_arithmetic_broadcasts_as_numpy(
    one: tuple[int, ...],
    other: tuple[int, ...],
    dtype: Any,
    instruction_set: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(native_maps, "_SIMPLE", 1)
    a, b = (RNG.standard_normal(shape).astype(dtype) for shape in (one, other))
    for ufunc in ARITHMETIC:
        for x, y in ((a, b), (b, a)):
            found = native_maps.arithmetic(ufunc, x, y)
            assert np.asarray(found).dtype == dtype
            np.testing.assert_array_equal(found, ufunc(x, y))
        if np.broadcast_shapes(one, other) == one:
            target = a.copy()
            native_maps.arithmetic(ufunc, target, b, target)
            np.testing.assert_array_equal(target, ufunc(a, b))
    for number in (2, -0.5, 1e300, 0):
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(native_maps.arithmetic(np.add, a, number), a + number)


def test_operands_that_overlap_the_result() -> None:
    """A shifted view of the memory that is written is read before, as NumPy does."""
    x = RNG.standard_normal(200_000).astype(np.float32)
    wanted = x.copy()
    wanted[1:] += x[:-1].copy()
    native_maps.arithmetic(np.add, x[1:], x[:-1], x[1:])
    np.testing.assert_array_equal(x, wanted)
    y = RNG.standard_normal((40, 1000)).astype(np.float32)
    again = y - y[0].copy()
    native_maps.arithmetic(np.subtract, y, y[0], y)
    np.testing.assert_array_equal(y, again)


@pytest.mark.parametrize("dtype", DTYPES)
def test_comparison_and_selection(dtype: Any, instruction_set: str) -> None:
    a, b = (RNG.integers(-2, 3, 70_001).astype(dtype) for _ in range(2))
    a[::7], b[::5] = np.nan, np.nan
    for ufunc in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal):
        for other in (b, 1.0):
            found = native_maps.compare(ufunc, a, other)
            assert found.dtype == bool
            np.testing.assert_array_equal(found, ufunc(a, other))
    condition = a > b
    zero = np.zeros((), dtype)
    for x, y in ((a, b), (a, 0.0), (2.0, b), (zero, b), (a, zero), (zero, 1.0)):
        found = native_maps.select(condition, x, y)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, np.where(condition, x, y))


@pytest.mark.parametrize("half", [np.float16, ml_dtypes.bfloat16])
def test_casts_to_halves_and_back(half: Any, instruction_set: str) -> None:
    """All 65536 halves, and single numbers on, below and above every boundary between two of them."""
    every = np.arange(65536, dtype=np.uint16).view(half)
    kind = np.dtype(half)
    wide = native_maps.cast(every, np.dtype(np.float32))
    np.testing.assert_array_equal(wide, every.astype(np.float32))
    with np.errstate(all="ignore"):
        finite = np.sort(wide[np.isfinite(wide)].astype(np.float64))
        middle = ((finite[1:] + finite[:-1]) / 2).astype(np.float32)
        near = np.concatenate(
            [wide, middle, np.nextafter(middle, np.float32(9)), np.nextafter(middle, np.float32(-9))]
        )
        near = near[(np.abs(near) >= np.finfo(np.float32).tiny) | (near == 0)]
        near = np.concatenate(
            [near, np.float32([np.nan, np.inf, -np.inf, 65519.9, 65520, 1e30, -1e38, 3.4e38])]
        )
        found, wanted = native_maps.cast(near, kind), near.astype(half)
    np.testing.assert_array_equal(found.astype(np.float32), wanted.astype(np.float32))
    np.testing.assert_array_equal(np.signbit(found.astype(np.float32)), np.signbit(near))


def test_tables(instruction_set: str) -> None:
    x = RNG.integers(0, 256, (5, 3, 31, 33)).astype(np.uint8)
    for dtype in DTYPES:
        for count in (1, 3):
            table = RNG.standard_normal((count, 256)).astype(dtype)
            np.testing.assert_array_equal(native_maps.lookup(x, table), maps.lookup(x, table))
            np.testing.assert_array_equal(
                native_maps.lookup(x[..., ::2], table), maps.lookup(x[..., ::2], table)
            )


@pytest.mark.parametrize("name", [row[0] for row in UNARY])
def test_what_a_kernel_does_not_take_is_computed_all_the_same(name: str) -> None:
    """Strided, misaligned, swapped and read-only arrays; other dtypes; nothing at all."""
    params = next(row[1] for row in UNARY if row[0] == name)
    kernel, definition = getattr(native_maps, name), getattr(maps, name)
    x = np.abs(RNG.standard_normal((300, 400))).astype(np.float32) + np.float32(0.1)
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    raw[...] = x
    swapped = x.astype(x.dtype.newbyteorder())
    for spoilt in (x[:, ::2], x.T, raw, swapped, x.astype(np.float16), x[:0], np.asarray(x[0, 0])):
        np.testing.assert_allclose(
            np.asarray(kernel(spoilt, *params), np.float64),
            np.asarray(definition(spoilt, *params), np.float64),
            1e-5,
        )
    x.flags.writeable = False
    assert kernel(x, *params).flags.writeable


def test_wrong_calls_are_refused() -> None:
    x, y, out = np.ones(8, np.float32), np.ones(7, np.float32), np.zeros(8, np.float32)
    for code in (-1, 1000):
        with pytest.raises(ValueError, match="no such operation"):
            _native.map_unary(code, x, out, False)
        with pytest.raises(ValueError, match="no such operation"):
            _native.map_binary(code, x, x, out, False)
        with pytest.raises(ValueError, match="no such operation"):
            _native.map_ternary(code, x, x, x, out, False)
        with pytest.raises(ValueError, match="no such operation"):
            _native.map_arithmetic(code, x, x, out, False)
        with pytest.raises(ValueError, match="no such operation"):
            _native.map_scalar(code, x, 1.0, out, False)
        with pytest.raises(ValueError, match="no such operation"):
            _native.map_compare(code, x, x, np.zeros(8, bool), False)
    with pytest.raises(ValueError, match="as many elements"):
        _native.map_unary(0, y, out, False)
    with pytest.raises(ValueError, match="as many elements"):
        _native.map_binary(0, x, y, out, False)
    with pytest.raises(ValueError, match="as many elements"):
        _native.map_ternary(0, x, x, y, out, False)
    with pytest.raises(ValueError, match="as many elements"):
        _native.map_arithmetic(0, x, y, out, False)
    with pytest.raises(ValueError, match="as many elements"):
        _native.map_arithmetic(0, x, y[:4], out, False, 3)
    with pytest.raises(ValueError, match="negative"):
        _native.map_arithmetic(0, x, y[:4], out, False, -1)
    with pytest.raises(ValueError, match="as many elements"):
        _native.map_select(np.ones(8, bool), x, y, out, False)
    with pytest.raises(TypeError, match="precision"):
        _native.map_unary(0, x, out, True)
    with pytest.raises(TypeError, match="overlaps"):
        _native.map_unary(0, x[:-1], x[1:], False)
    bytes_ = np.zeros(8, np.uint8)
    with pytest.raises(ValueError, match="256"):
        _native.map_lookup(bytes_, y, out, False, 8)
    for plane in (0, 3):
        with pytest.raises(ValueError, match="planes"):
            _native.map_lookup(bytes_, np.ones(256, np.float32), out, False, plane)
    out.flags.writeable = False
    with pytest.raises(TypeError, match="writable"):
        _native.map_unary(0, x, out, False)


def test_every_kernel_of_the_family_is_tested() -> None:
    named = {row[0] for row in (*UNARY, *BINARY, *TERNARY)}
    others = {
        "add_scaled",
        "arithmetic",
        "cast",
        "compare",
        "contiguous",
        "copy",
        "lookup",
        "mapped",
        "select",
    }
    assert named | others == set(FAMILIES["maps"].kernels)


def test_sums_with_a_factor_copies_and_ufuncs() -> None:
    x, y = (RNG.standard_normal((200, 300)).astype(np.float32) for _ in range(2))
    wanted = x + y * np.float32(0.25)
    np.testing.assert_allclose(native_maps.add_scaled(x, y, 0.25), wanted, 1e-6)
    np.testing.assert_allclose(native_maps.add_scaled(x, y.T.copy().T, 0.25), wanted, 1e-6)
    copy = native_maps.copy(x)
    np.testing.assert_array_equal(copy, x)
    assert not np.shares_memory(copy, x)
    assert native_maps.copy(x.T).flags.f_contiguous
    np.testing.assert_array_equal(native_maps.mapped(np.sin, x), np.sin(x))
    np.testing.assert_array_equal(native_maps.mapped(np.sin, x.T), np.sin(x.T))
    native_maps.add_scaled(x, y, 0.25, x)
    np.testing.assert_allclose(x, wanted, 1e-6)


def test_signs_are_those_of_numpy(instruction_set: str) -> None:
    """Also of numbers near zero; of NaN it is 0."""
    for dtype in DTYPES:
        tiny = np.finfo(dtype).smallest_subnormal
        x = np.concatenate([np.array([*SPECIAL, tiny, -tiny], dtype), RNG.standard_normal(50).astype(dtype)])
        found = native_maps.sign(x)
        assert found.tobytes() == np.where(np.isnan(x), 0, np.sign(x)).astype(dtype).tobytes()


def test_arithmetic_of_numbers_columns_and_other_orders_of_axes() -> None:
    """To the bit NumPy's values, and its order of axes."""
    for dtype in DTYPES:
        x = RNG.standard_normal((200, 300)).astype(dtype)
        y, image = x[::-1].copy(), RNG.standard_normal((4, 30, 40, 16)).astype(dtype)
        zero_d, channels = np.array(2.5, dtype), image.transpose(0, 3, 1, 2)
        cases = [
            (1.0, x), (1, x), (zero_d, x), (x, x[:, :1]), (x, x[::-1, 3:4]), (x[:, :1], x), (x, x[1]), (x, x[1, ::-1]),
            (x.T, 2.0), (x.T, zero_d), (x.T, y.T), (x.T, y.T.copy()), (channels, 3), (channels, channels),
            (2.0, x.T), (x[:, ::2], 2.0), (x[::-1], 2.0), (np.broadcast_to(x[0], (200, 300)), 2.0),
            (np.array(2.5), x.astype(np.float32)),
        ]  # fmt: skip
        for ufunc in (np.add, np.subtract, np.multiply, np.true_divide, np.maximum, np.arctan2):
            for a, b in cases:
                found, wanted = native_maps.arithmetic(ufunc, a, b), ufunc(a, b)
                assert found.dtype == wanted.dtype and found.strides == wanted.strides
                assert found.tobytes() == wanted.tobytes()


def divided(ufunc: np.ufunc, x: Any, number: float) -> Any:
    out = np.full(x.shape, 7, np.float32)
    return out if _native.map_remainder(x, number, out, ufunc is np.floor_divide) else None


@pytest.mark.parametrize("ufunc", [np.remainder, np.floor_divide], ids=lambda u: u.__name__)
def test_division_by_a_number(instruction_set: str, ufunc: np.ufunc) -> None:
    """The values of NumPy and the signs of its zeros: large quotients, multiples, numbers near zero."""
    tiny = np.finfo(np.float32).smallest_subnormal
    numbers = [1.0, 0.3, -0.3, 2.5, -7.0, 3e38, 1e-38, 1e-42, -1e30, 16777215.0, 0.1, 1e-5, float(tiny)]
    with np.errstate(all="ignore"):
        for number in numbers:
            divisor = np.float32(number)
            near = RNG.integers(-(2**28), 2**28, 3000).astype(np.float32) * divisor  # about whole quotients
            x = np.concatenate([
                RNG.standard_normal(1000), near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(0)),
                np.arange(-1000, 1000) * divisor, RNG.standard_normal(1000) * divisor,
                np.exp(RNG.uniform(-100, 88, 2000)), -np.exp(RNG.uniform(-100, 88, 2000)), SPECIAL, [tiny, -tiny],
            ]).astype(np.float32)  # fmt: skip
            found, wanted = divided(ufunc, x, number), ufunc(x, divisor)
            np.testing.assert_array_equal(found, wanted)
            np.testing.assert_array_equal(np.signbit(found)[wanted == 0], np.signbit(wanted)[wanted == 0])
            np.testing.assert_array_equal(
                native_maps.arithmetic(ufunc, np.tile(x, 4), number), ufunc(np.tile(x, 4), divisor)
            )


def test_division_by_a_number_that_is_left_to_numpy() -> None:
    x = np.ones(10, np.float32)
    for number in (0.0, -0.0, np.inf, -np.inf, np.nan, 1e300, 1e-300):
        assert divided(np.remainder, x, number) is None
    assert not _native.map_remainder(x, 2.0, x, False)
    with pytest.raises(TypeError):
        divided(np.remainder, np.ones(10), 2.0)
    with pytest.raises(ValueError, match="as many elements"):
        _native.map_remainder(x, 2.0, np.empty(9, np.float32), False)
    large = np.ones(100_000, np.float32)
    with np.errstate(all="ignore"):
        for number in (0.0, np.inf, 2, 3.0):
            found = native_maps.arithmetic(np.remainder, large, number)
            np.testing.assert_array_equal(found, np.remainder(large, np.float32(number)))


def test_three_operands_of_which_some_are_repeated() -> None:
    """Written out before, with the bits of whole operands; what cannot be is left to NumPy's rules."""
    for dtype in DTYPES:
        x, y, z = (RNG.standard_normal((300, 200)).astype(dtype) for _ in range(3))
        for name in ("add_product", "add_quotient", "divisor_grad", "maximum_grad", "minimum_grad"):
            kernel, numbers = getattr(native_maps, name), (0.5,) if name.startswith("add") else ()
            for b, c in ((y, z[:, :1]), (y[:1], z[:, :1]), (y[0], z), (y, z[1:2, 3:4])):
                whole = [np.broadcast_to(v, x.shape).copy() for v in (b, c)]
                assert kernel(x, b, c, *numbers).tobytes() == kernel(x, *whole, *numbers).tobytes()
            larger = native_maps.divisor_grad(x, np.stack([y, z]), z)
            np.testing.assert_allclose(larger, maps.divisor_grad(x, np.stack([y, z]), z))


def test_choices_and_casts_of_other_orders_of_axes() -> None:
    """NumPy's values in NumPy's order of axes; unaligned arrays too."""
    x = RNG.standard_normal((4, 50, 60, 16)).astype(np.float32)
    unaligned = np.frombuffer(b"0" + x.tobytes(), np.float32, x.size, 1).reshape(x.shape)
    for view in (x.transpose(0, 3, 1, 2), x.T, x[:, ::2], x[::-1], unaligned, unaligned.T):
        holds = np.asarray(view > 0)
        for a, b in ((view, 0.0), (0.5, view), (view, view), (view, view.copy(order="C"))):
            found, wanted = native_maps.select(holds, a, b), np.where(holds, a, b)
            np.testing.assert_array_equal(found, wanted)
            assert found.strides == wanted.strides or type(a) is float or type(b) is float
        for dtype in (np.float64, np.int64, np.bool_, np.float16, np.complex64):
            found, wanted = native_maps.cast(view, np.dtype(dtype)), maps.cast(view, np.dtype(dtype))
            assert found.dtype == wanted.dtype and found.strides == wanted.strides
            assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_choice_of_two_numbers_keeps_their_precision(dtype: Any) -> None:
    condition = RNG.random((4, 6, 5)) > 0.5
    a, b = np.asarray(0.5, dtype), np.asarray(1, dtype)
    for held in (condition, condition.transpose(2, 0, 1), condition[:, ::2], condition[:0]):
        found = native_maps.select(held, a, b)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, np.where(held, a, b))
