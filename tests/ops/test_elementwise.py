"""What the tables of cases cannot say of the elementwise operators: promotion, ties, NaN, in place, views."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import scipy.special as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from convgrad import dtypes
from convgrad.errors import ConvgradError, GradError, ShapeError
from convgrad.graph.engine import run
from convgrad.graph.traced import Traced
from convgrad.kernels import error_function
from convgrad.ops import errorfunction
from convgrad.ops import special as special_ops
from convgrad.tensor import functions_elementwise as fe
from convgrad.tensor.tensor import Tensor

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def tensor(values: Any, dtype: Any = None) -> Any:
    return Tensor(np.array(values, dtype), None)


def leaf(values: Any, dtype: Any = np.float64) -> Any:
    return tensor(values, dtype).requires_grad_()


def gradients(out: Any, *leaves: Any) -> list[Any]:
    found = run([(out._node, np.ones_like(out._data))], inputs=[x._node for x in leaves], capture=True)
    return [found[x._node].tolist() for x in leaves]


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_equals_share_the_gradient(name: str) -> None:
    a, b = leaf([1.0, 2.0, 3.0]), leaf([1.0, 3.0, 2.0])
    ga, gb = gradients(getattr(a, name)(b), a, b)
    assert ga[0] == gb[0] == 0.5
    assert [x + y for x, y in zip(ga, gb, strict=True)] == [1, 1, 1]


@pytest.mark.parametrize("name", ["fmax", "fmin"])
def test_of_equals_the_first_gets_all_and_nan_gets_nothing(name: str) -> None:
    a, b = leaf([1.0, math.nan, 1.0]), leaf([1.0, 2.0, math.nan])
    out = getattr(a, name)(b)
    assert out.tolist() == [1, 2, 1]
    assert gradients(out, a, b) == [[1, 0, 1], [0, 1, 0]]


def test_clamp_passes_the_gradient_at_its_bounds() -> None:
    x = leaf([-2.0, -1.0, 0.0, 1.0, 2.0, math.nan])
    out = x.clamp(-1, 1)
    assert out.tolist()[:5] == [-1, -1, 0, 1, 1]
    assert math.isnan(out.tolist()[5])
    assert gradients(out, x) == [[0, 1, 1, 1, 0, 0]]


def test_clamp_with_crossed_tensor_bounds_gives_the_upper_one_everything() -> None:
    x, low, high = leaf([0.0, 5.0]), leaf([2.0, 2.0]), leaf([1.0, 1.0])
    out = x.clamp(low, high)
    assert out.tolist() == [1, 1]
    assert gradients(out, x, low, high) == [[0, 0], [0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda i: i + 1, "int32"), (lambda i: i + 1.0, "float32"), (lambda i: i + 1j, "complex64"),
        (lambda i: i / 2, "float32"), (lambda i: i // 2, "int32"), (lambda i: i**2, "int32"),
        (lambda i: i.exp(), "float32"), (lambda i: i > 0, "bool"), (lambda i: i.clamp(0.5), "float32"),
        (lambda i: -i, "int32"), (lambda i: i.sign(), "int32"), (lambda i: i.floor(), "int32"),
        (lambda i: i * tensor(2.0, np.float64), "float64"), (lambda i: i * tensor(2, np.int64), "int32"),
        (lambda i: i.atan2(i), "float32"), (lambda i: fe.where(i > 0, i, 0.5), "float32"),
        (lambda i: i & 1, "int32"),
        (lambda i: i.masked_fill(i > 0, 2.5), "int32"), (lambda i: i.float_power(2), "float64"),
    ],
)  # fmt: skip
def test_promotion(call: Any, expected: str) -> None:
    assert call(tensor([1, 2, 3], np.int32)).dtype.name == expected


def test_integers_wrap_and_divide_as_in_c() -> None:
    u8 = tensor([1, 200], np.uint8)
    assert (u8 + 200).tolist() == [201, 144]
    assert (-u8).tolist() == [255, 56]
    i = tensor([-7, 7])
    assert (i // 2).tolist() == [-4, 3]
    assert (i % 3).tolist() == [2, 1]
    assert i.fmod(3).tolist() == [-1, 1]
    assert i.div(2, rounding_mode="trunc").tolist() == [-3, 3]
    assert (i ** tensor([-1, 2])).tolist() == [0, 49]
    assert (tensor([1, -1, -1]) ** tensor([-3, -3, -2])).tolist() == [1, -1, 1]


def test_comparison_with_foreign_types_is_left_to_python() -> None:
    x = tensor([1, 2])
    assert (x == None) is False  # noqa: E711
    assert (x != "a") is True
    with pytest.raises(TypeError, match="not supported between"):
        assert x < "a"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["add_", "sub_", "mul_", "div_"])
def test_plain_in_place_writes_its_own_memory_and_counts(name: str, dtype: str) -> None:
    x = tensor([1.0, 2.0, 4.0], dtype)
    memory, view = x._data, x[1:]
    version = view._cell.version
    assert getattr(x, name)(2) is x
    assert x._data is memory
    assert view._cell.version == version + 1
    getattr(x, name)(tensor([2.0, 2.0, 2.0], dtype))
    assert (
        x.tolist()
        == {"add_": [5, 6, 8], "sub_": [-3, -2, 0], "mul_": [4, 8, 16], "div_": [0.25, 0.5, 1]}[name]
    )


def test_an_impossible_in_place_shape_changes_nothing() -> None:
    x = tensor([1.0, 2.0])
    for call in (
        x.add_,
        x.mul_,
        lambda y: x.add_(y, alpha=2.0),
        lambda y: x.addcmul_(y, y),
        lambda y: x.lerp_(y, 0.1),
    ):
        with pytest.raises(ShapeError, match="doesn't match the broadcast shape"):
            call(tensor(np.ones((3, 2))))
    assert x.tolist() == [1, 2]


def test_optimiser_style_updates() -> None:
    p, g = tensor([1.0, 2.0], np.float32), tensor([0.5, 0.25], np.float32)
    p.add_(g, alpha=-2)
    assert p.tolist() == [0, 1.5]
    p.mul_(0.5).addcmul_(g, g, value=2).addcdiv_(g, g, value=-1).lerp_(g, 0.25)
    expected = (np.array([0, 0.75]) + 2 * g._data**2 - 1) * 0.75 + 0.25 * g._data
    assert np.allclose(p._data, expected)
    assert p._cell is not None
    assert p._cell.version == 5


def test_in_place_respects_recording() -> None:
    x = leaf([1.0, 2.0])
    with pytest.raises(GradError, match="leaf Variable that requires grad"):
        x.mul_(2)
    y = x * 1
    y.mul_(3).add_(1).pow_(2)
    assert y.tolist() == [16, 49]
    assert gradients(y, x) == [[2 * 4 * 3, 2 * 7 * 3]]


def test_a_changed_saved_input_is_noticed() -> None:
    x = leaf([1.0, 2.0])
    y = x * 1
    z = y.sin()
    y.add_(1)
    with pytest.raises(GradError, match="modified by an inplace operation"):
        gradients(z, x)


def test_in_place_comparison_cuts_history() -> None:
    x = leaf([1.0, 3.0])
    y = (x * 2).gt_(3)
    assert y.tolist() == [0, 1]
    assert gradients(y, x) == [[0, 0]]


def test_real_and_imaginary_parts_are_views() -> None:
    z = tensor([1 + 2j, 3 - 1j])
    z.real.mul_(10)
    fe.view_as_real(z)._data[0, 1] = 7
    assert z.tolist() == [10 + 7j, 30 - 1j]


def test_read_only_and_expanded_targets_are_refused() -> None:
    array = np.ones(3)
    array.flags.writeable = False
    with pytest.raises(ConvgradError, match="read-only"):
        Tensor(array, None).add_(1)
    with pytest.raises(ConvgradError, match="single memory location"):
        tensor([[1.0]]).expand(1, 3).add_(1)


def test_second_derivative_of_a_0d_value_saved_as_result() -> None:
    x = leaf(0.5)
    y = x.exp().tanh()
    root = [(y._node, Traced(np.array(1.0)))]
    first = run(root, retain_graph=True, create_graph=True, inputs=[x._node], capture=True)[x._node]
    second = run([(first._node, np.array(1.0))], inputs=[x._node], capture=True)[x._node]
    e, t = math.exp(0.5), math.tanh(math.exp(0.5))
    assert float(second) == pytest.approx((1 - t * t) * e - 2 * t * (1 - t * t) * e * e)


def test_where_of_a_condition_alone() -> None:
    rows, columns = fe.where(tensor([[True, False], [True, True]]))
    assert (rows.tolist(), columns.tolist()) == ([0, 1, 1], [0, 0, 1])
    assert fe.where(tensor([True, False]), 1, 2.5).dtype is dtypes.float32


def test_half_precision_rounds_once() -> None:
    x = tensor([0.1, 0.7], np.float32).to(dtypes.bfloat16)
    wide = x._data.astype(np.float32)
    assert x.dtype is dtypes.bfloat16
    assert (x.sin()._data == np.sin(wide).astype(dtypes.BF16)).all()
    assert x.addcmul(x, x, value=0.5).dtype is dtypes.bfloat16
    assert x.softmax(0).dtype is dtypes.bfloat16


@given(
    hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=5, min_side=0), elements=st.floats(-30, 30))
)
@settings(max_examples=60, deadline=None)
def test_error_functions_against_scipy(x: Any) -> None:
    assert np.allclose(error_function.erf(x), sp.erf(x), 1e-15, 1e-300)
    assert np.allclose(error_function.erfc(x), sp.erfc(x), 1e-13, 1e-300)  # SciPy's own error is 6e-14
    assert np.allclose(error_function.erfc(x), np.vectorize(math.erfc, otypes=[float])(x), 2e-15, 1e-300)


@given(st.floats(-1, 1))
def test_erfinv_inverts(x: float) -> None:
    assert errorfunction.erfinv(np.array(x)) == pytest.approx(sp.erfinv(x), rel=2e-15)


@given(st.floats(0.01, 1e4), st.integers(1, 3))
def test_gamma_functions_against_scipy(x: float, n: int) -> None:
    at = np.array(x)
    assert errorfunction.lgamma(at) == pytest.approx(sp.gammaln(x), rel=1e-12, abs=1e-13)
    assert errorfunction.digamma(at) == pytest.approx(sp.digamma(x), rel=1e-13, abs=1e-13)
    assert errorfunction.polygamma(n, at) == pytest.approx(sp.polygamma(n, x), rel=1e-13)


def _single(*parts: Any) -> Any:
    """Float32 arguments, with the neighbours of poles and zeros and what is not finite."""
    whole = np.arange(-30, 30, dtype=np.float32)
    edges = np.array([0.0, -0.0, 1e-40, -1e-40, 2.5, 6, 8, 3e38, np.inf, -np.inf, np.nan], np.float32)
    near = (np.nextafter(whole, np.float32(s * 99)) for s in (-1, 1))
    return np.concatenate([p.astype(np.float32) for p in parts] + [whole, whole + 0.5, *near, edges])


@pytest.mark.parametrize("name", ["erfinv", "lgamma", "digamma"])
def test_single_precision_is_the_value_rounded(name: str) -> None:
    """0.505 units in the last place of the float64 function, over many blocks and all their branches."""
    draw = np.random.default_rng(4)
    signed = 10.0 ** draw.uniform(-30, 9, 20000) * draw.choice([-1, 1], 20000)
    x = _single(
        draw.uniform(-1, 1, 20000), draw.normal(size=20000) * 8, signed, 1.0 - 10 ** draw.uniform(-7, 0, 9999)
    )
    compute = getattr(errorfunction, name)
    got, want = compute(x), compute(x.astype(np.float64))
    with np.errstate(over="ignore"):
        rounded = want.astype(np.float32)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(got[~finite], rounded[~finite])
    error = np.abs(got[finite] - want[finite]) / np.spacing(np.abs(rounded[finite])).astype(np.float64)
    assert error.max() < 0.505


def test_sigmoid_and_its_relatives_do_not_overflow() -> None:
    x = tensor([-1000.0, 0.0, 1000.0], np.float32)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert x.sigmoid().tolist() == [0, 0.5, 1]
        assert special_ops.sigmoid(np.array([-80.0], np.float32))[0] > 0
        assert x.softmax(0).tolist() == [0, 0, 1]
        assert x.log_softmax(0).tolist() == [-2000, -1000, 0]


_SHAPES = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=4)


@given(_SHAPES, st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_broadcasting_sums_each_gradient_to_its_shape(shapes: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (leaf(rng.normal(size=s)) for s in shapes.input_shapes)
    out = (a * b).maximum(a - b) / (b * b + 1)
    assert out.shape == shapes.result_shape
    for x, g in zip((a, b), gradients(out, a, b), strict=True):
        assert np.shape(g) == x.shape
