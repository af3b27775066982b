"""The compiled recurrent layers against their definitions in double precision, whatever the threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convgrad.kernels import machine, native, recurrent, threads
from convgrad.kernels.recurrent import plan_walk

Array = NDArray[Any]

pytestmark = pytest.mark.skipif(not native.available(), reason="no compiled kernels here")

if native.available():
    from convgrad.kernels import native_recurrent

SETS = machine._native.instruction_sets() if machine._native is not None else []
GATES = {"tanh": 1, "relu": 1, "lstm": 4, "gru": 3}
#: features, width
WIDTHS = ((1, 1), (3, 5), (16, 16), (17, 33), (40, 64))
#: rows of each step: one task and several, of one length and of several
SIZES = ((1,), (4,) * 5, (3, 3, 2, 1), (33,) * 3, (40, 33, 17, 16, 15, 2, 1), (2,) * 20, (5,) * 7)
TOLERANCE = {np.float32: 5e-6, np.float64: 1e-14}


@pytest.fixture(autouse=True)
def _what_is_in_use_stays() -> Iterator[None]:
    before = threads.get_num_threads()
    yield
    threads.set_num_threads(before)
    machine._native.use_instruction_set(machine.instruction_set())


def made(kind: str, inputs: int, width: int, sizes: tuple[int, ...], biases: bool = True) -> dict[str, Any]:
    """Operands in double precision; the state's weights do not make it grow."""
    rng = np.random.default_rng(0)
    rows, n, total = GATES[kind] * width, sizes[0], sum(sizes)

    def normal(*shape: int) -> Array:
        return np.asarray(rng.standard_normal(shape) * 0.5)

    return {
        "x": normal(total, inputs), "h0": normal(n, width), "c0": normal(n, width), "w_ih": normal(rows, inputs),
        "w_hh": normal(rows, width) / width**0.5, "b_ih": normal(rows) if biases else None,
        "b_hh": normal(rows) if biases else None, "g": normal(total, width), "g_h": normal(n, width),
        "g_c": normal(n, width),
    }  # fmt: skip


def run(module: Any, kind: str, a: dict[str, Any], walk: Any, saved: Any = None) -> list[Array]:
    """Results, and what backward reads and gives; backward reads ``saved``, or its own results."""
    weights = (a["w_ih"], a["w_hh"], a["b_ih"], a["b_hh"])
    if kind == "lstm":
        out = module.lstm(a["x"], a["h0"], a["c0"], *weights, None, walk)
        s = saved or out
        states = a["g"], a["g_h"], a["g_c"], a["h0"], a["c0"]
        back = module.lstm_grad(*states, a["w_hh"], None, s[0], s[3], s[4], walk)
        back = (back[0], *back[2:])
    elif kind == "gru":
        out = module.gru(a["x"], a["h0"], *weights, walk)
        s = saved or out
        back = module.gru_grad(a["g"], a["g_h"], a["h0"], a["w_hh"], s[0], s[2], s[3], walk)
    else:
        out = module.rnn(a["x"], a["h0"], *weights, kind == "relu", walk)
        s = saved or out
        back = module.rnn_grad(a["g"], a["g_h"], a["h0"], a["w_hh"], s[0], kind == "relu", walk)
    return [*out, *back]


def cast(a: Any, dtype: Any) -> Any:
    return {k: None if v is None else v.astype(dtype) for k, v in a.items()}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", list(GATES))
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: f"{s[0]}x{len(s)}")
def test_layers_are_their_definitions(
    kind: str, sizes: tuple[int, ...], dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def filled(shape: tuple[int, ...], kind: Any) -> Array:
        return np.full(shape, np.nan, kind)

    monkeypatch.setattr(native_recurrent, "empty", filled)  # a row that is not written shows
    for inputs, width in WIDTHS:
        wide = made(kind, inputs, width, sizes, biases=inputs != 3)
        for reverse in (False, True):
            walk = plan_walk(sizes, reverse)
            wanted = run(recurrent, kind, wide, walk)
            saved = tuple([a.astype(dtype) for a in wanted])
            for name in SETS:
                machine._native.use_instruction_set(name)
                found = run(native_recurrent, kind, cast(wide, dtype), walk, saved)
                for a, b in zip(found, wanted, strict=True):
                    assert a.dtype == dtype
                    np.testing.assert_allclose(
                        a, b, rtol=0, atol=TOLERANCE[dtype] * max(1.0, np.abs(b).max())
                    )


@pytest.mark.parametrize("kind", list(GATES))
def test_bits_do_not_depend_on_threads_or_on_other_sequences(kind: str) -> None:
    a = cast(made(kind, 24, 48, (40, 40, 33, 20)), np.float32)
    walk = plan_walk((40, 40, 33, 20), False)
    threads.set_num_threads(1)
    wanted = run(native_recurrent, kind, a, walk)
    for number in (2, 3):
        threads.set_num_threads(number)
        for x, y in zip(run(native_recurrent, kind, a, walk), wanted, strict=True):
            np.testing.assert_array_equal(x, y)
    alone = {k: v[:1] if k in ("h0", "c0", "g_h", "g_c") else v for k, v in a.items()}
    alone |= {k: a[k][[0, 40, 80, 113]] for k in ("x", "g")}
    found = run(native_recurrent, kind, alone, plan_walk((1,) * 4, False))
    np.testing.assert_array_equal(found[0], wanted[0][[0, 40, 80, 113]])
    g = np.random.default_rng(5).standard_normal((300, 130)).astype(np.float32)
    products = []
    for number in (1, 2, 3):
        threads.set_num_threads(number)
        products.append([native_recurrent.row_products(g, g[:130]), *native_recurrent.weight_grads(g, g)])
    for others in products[1:]:
        for x, y in zip(others, products[0], strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("rows", "height", "width"), [(4, 1, 1), (5, 33, 7), (257, 20, 16), (600, 66, 70), (16, 300, 17)]
)
def test_products_over_all_steps(rows: int, height: int, width: int, dtype: Any) -> None:
    rng = np.random.default_rng(4)
    g, x, w = (
        rng.standard_normal((rows, height)),
        rng.standard_normal((rows, width)),
        rng.standard_normal((height, width)),
    )
    first, before = rng.standard_normal((3, width)), rng.integers(0, rows + 3, rows)
    single = [a.astype(dtype) for a in (g, x, w, first)]
    scale = TOLERANCE[dtype] * max(rows, height)
    for name in SETS:
        machine._native.use_instruction_set(name)
        np.testing.assert_allclose(
            native_recurrent.row_products(single[0], single[2]), g @ w, rtol=0, atol=scale
        )
        for firsts in ((), (single[3], before)):
            wanted = recurrent.weight_grads(g, x, *((first, before) if firsts else ()))
            for a, b in zip(native_recurrent.weight_grads(*single[:2], *firsts), wanted, strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=scale)


def curve(kind: str, z: Array) -> Array:
    """tanh or the logistic function as a layer computes it: one step of width 1 without memory."""
    walk, n, zeros = plan_walk((z.size,), False), z.size, np.zeros((z.size, 1), z.dtype)
    if kind == "tanh":
        one, none = np.ones((1, 1), z.dtype), np.zeros((1, 1), z.dtype)
        return np.asarray(
            native_recurrent.rnn(z[:, None], zeros, one, none, None, None, False, walk)[0][:, 0]
        )
    one, none = np.ones((4, 1), z.dtype), np.zeros((4, 1), z.dtype)
    gates = native_recurrent.lstm(z[:, None], zeros, zeros, one, none, None, None, None, walk)[3]
    assert gates.shape == (n, 4)
    return np.asarray(gates[:, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tanh_and_the_logistic_function_are_within_two_units(dtype: Any) -> None:
    rng = np.random.default_rng(6)
    z = np.concatenate(
        [rng.uniform(-12, 12, 20000), rng.standard_normal(5000) * 1e-3, np.linspace(-90, 90, 2001)]
    )
    z = np.concatenate([z, 10.0 ** rng.uniform(-30, 2, 3000)]).astype(dtype)
    high = z.astype(np.longdouble)
    for name in SETS:
        machine._native.use_instruction_set(name)
        for kind, wanted in (("tanh", np.tanh(high)), ("sigmoid", 1 / (1 + np.exp(-high)))):
            normal = np.abs(wanted) > np.finfo(dtype).tiny
            unit = np.spacing(np.abs(wanted).astype(dtype)).astype(np.longdouble)
            error = np.abs(curve(kind, z) - wanted)[normal] / unit[normal]
            assert error.max() < 2.5, (name, kind, float(error.max()))


def test_special_values() -> None:
    tiny = np.float32(1e-40)
    z = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e38, -1e38, tiny], np.float32)
    for name in SETS:
        machine._native.use_instruction_set(name)
        np.testing.assert_array_equal(curve("tanh", z), np.array([np.nan, 1, -1, 0, 0, 1, -1, 0], np.float32))
        np.testing.assert_array_equal(
            curve("sigmoid", z), np.array([np.nan, 1, 0, 0.5, 0.5, 1, 0, 0.5], np.float32)
        )


def test_other_arrays_are_served_as_well() -> None:
    """With gaps: copied; of other or several dtypes, empty, projected: computed by the definition."""
    a, walk = made("lstm", 6, 7, (4,) * 3), plan_walk((4,) * 3, False)
    wanted = run(native_recurrent, "lstm", a, walk)
    gaps = {k: np.repeat(v, 2, -1)[..., ::2] for k, v in a.items()}
    for x, y in zip(run(native_recurrent, "lstm", gaps, walk), wanted, strict=True):
        np.testing.assert_array_equal(x, y)
    mixed = {**a, "w_ih": a["w_ih"].astype(np.float32)}
    for x, y in zip(
        run(native_recurrent, "lstm", mixed, walk), run(recurrent, "lstm", mixed, walk), strict=True
    ):
        np.testing.assert_allclose(x, y, atol=1e-6)
    none = made("gru", 6, 7, (0, 0))
    assert [x.shape for x in run(native_recurrent, "gru", none, plan_walk((0, 0), False))][:2] == [
        (0, 7),
        (0, 7),
    ]
    w_hr = np.ones((2, 7))
    small = {**a, "h0": a["h0"][:, :2], "w_hh": a["w_hh"][:, :2]}
    weights = (small["w_ih"], small["w_hh"], a["b_ih"], a["b_hh"], w_hr, walk)
    out = native_recurrent.lstm(small["x"], small["h0"], a["c0"], *weights)[0]
    np.testing.assert_array_equal(out, recurrent.lstm(small["x"], small["h0"], a["c0"], *weights)[0])


def test_wrong_operands_are_refused() -> None:
    counts = np.array([3, 2], np.int64)
    a = cast(made("gru", 2, 4, (3, 2)), np.float32)
    states = [np.empty(s, np.float32) for s in ((5, 12), (5, 4), (5, 4), (3, 4))]
    good = [
        3,
        False,
        counts,
        False,
        2,
        4,
        a["x"],
        a["h0"],
        None,
        a["w_ih"],
        a["w_hh"],
        a["b_ih"],
        a["b_hh"],
        *states,
        None,
    ]
    machine._native.recur(*good)
    wrong: list[tuple[int, Any, type[Exception], str]] = [
        (0, 4, ValueError, "no such recurrent cell"), (0, 2, TypeError, "operand of a recurrent layer is missing"),
        (2, counts[::-1].copy(), ValueError, "never grow"), (2, counts * 0, ValueError, "never end"),
        (2, counts[:0], ValueError, "has steps"), (2, counts.astype(np.int32), TypeError, "not of the precision"),
        (4, 0, ValueError, "must be positive"), (5, 5, ValueError, "another number of elements"),
        (5, 1 << 21, ValueError, "not that large"), (6, a["x"][1:], ValueError, "another number of elements"),
        (7, None, TypeError, "incompatible function arguments"), (10, a["w_hh"].T, TypeError, "no contiguous array"),
        (12, a["b_hh"].astype(float), TypeError, "not of the precision"), (13, None, TypeError, "is missing"),
    ]  # fmt: skip
    for where, value, error, message in wrong:
        with pytest.raises(error, match=message):
            machine._native.recur(*good[:where], value, *good[where + 1 :])
    states[0].flags.writeable = False
    with pytest.raises(TypeError, match="no writable one"):
        machine._native.recur(*good)
    g, out, sums = np.ones((3, 2)), np.ones((2, 2)), np.ones(2)
    for before in ([0, 1, 9], [0, 1, -1], [0, 1]):
        with pytest.raises(ValueError, match=r"no such row before|every row has one"):
            machine._native.weight_grad(True, 3, 2, 2, 1, g, g, g[:1], np.array(before), out, sums)
    with pytest.raises(ValueError, match="must be positive"):
        machine._native.row_products(True, 0, 2, 2, g[:0], out, g[:0])
    with pytest.raises(ValueError, match="not that large"):
        machine._native.row_products(True, 1 << 39, 2, 2, g, out, g)
