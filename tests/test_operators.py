"""Every case of every operator: value, shape, dtypes, memory, and all derivatives, from one table."""

from __future__ import annotations

import warnings
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from convgrad import autograd
from convgrad.autograd import forward_ad
from convgrad.tensor.tensor import Tensor
from convgrad.testing import gradcheck, gradgradcheck

from .cases.case import Case
from .generic import CASES, DIFFERENTIABLE, cotangent, floating, inner, several, tensors

#: operators whose cases are left out of one test, and why
COMPOSITE = {
    "Prelu-": "the case's weight is itself a sum, so two roundings are right",
    "Nextafter-": "the neighbour is that of the dtype itself",
    "Mm-multi_dot": "several products",
    "Mm-power": "several products",
    "Contract-bn,anm,bm->ba": "two contractions",
    "PairNorm-": "a difference, a sum and a norm",
    "BatchNormRelu-add": "a norm and a sum",
    "BatchNormEvalRelu-add": "a norm and a sum",
    "SetIndex-accumulate": "sums in the tensor's own dtype, as PyTorch does",
}
LAYOUT = {
    "ViewAsComplex": "refuses other strides by definition",
    "ViewAsReal": "the view of a copy made for strides",
    "AsStrided": "reads memory by strides, so other strides are other values",
    "AsStridedInPlace": "reads memory by strides, so other strides are other values",
}

SECOND = [c for c in DIFFERENTIABLE if c.second]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_value_is_the_reference(case: Case) -> None:
    results = several(case.call(*tensors(case)))
    expected = several(case.reference(*case.args))
    assert len(results) == len(expected)
    for got, want in zip(results, expected, strict=True):
        want = np.asarray(want)
        assert got._data.shape == want.shape
        tolerance = (
            1e-9 if got._data.dtype.itemsize >= 8 and all(a.dtype != np.float32 for a in case.args) else 2e-5
        )
        np.testing.assert_allclose(got._data, want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_float64_stays_float64(case: Case) -> None:
    kinds = {a.dtype for a in case.args}
    if kinds != {np.dtype(np.float64)}:
        return
    for got in floating(case.call(*tensors(case))):
        assert got._data.dtype in (np.float64, np.complex128)


def _all_float64(case: Case) -> bool:
    return bool(case.args) and all(a.dtype == np.float64 for a in case.args)


@pytest.mark.parametrize("case", [c for c in CASES if _all_float64(c)], ids=str)
@pytest.mark.parametrize(
    "half", [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)], ids=["float16", "bfloat16"]
)
def test_half_precision_is_float32_rounded_once(case: Case, half: Any) -> None:
    # beside half precision their number is rounded first, as in PyTorch (parity/test_storages.py)
    if str(case).startswith((*COMPOSITE, "RemainderNumber", "FmodNumber")):
        return
    rounded = [a.astype(half) for a in case.args]
    try:
        results = several(case.call(*[Tensor(a, None) for a in rounded]))
    except (RuntimeError, NotImplementedError, TypeError) as error:
        assert any(
            word in str(error).lower() for word in ("half", "bfloat16", "float16", "dtype", "not implemented")
        )
        return
    exact = several(case.call(*[Tensor(a.astype(np.float32), None) for a in rounded]))
    for got, want in zip(results, exact, strict=True):
        if got._data.dtype != half:
            continue
        np.testing.assert_array_equal(
            got._data.astype(np.float32), want._data.astype(half).astype(np.float32)
        )


@pytest.mark.parametrize("case", [c for c in CASES if _all_float64(c)], ids=str)
def test_float32_stays_float32(case: Case) -> None:
    results = several(case.call(*[Tensor(a.astype(np.float32), None) for a in case.args]))
    wide = several(case.call(*[Tensor(a.astype(np.float32).astype(np.float64), None) for a in case.args]))
    for got, want in zip(results, wide, strict=True):
        if want._data.dtype.kind in "fc":
            assert got._data.dtype in (np.float32, np.complex64)
            np.testing.assert_allclose(got._data, want._data, rtol=3e-4, atol=3e-4)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_read_only_and_strided_inputs_give_the_same_and_stay_as_they_are(case: Case) -> None:
    expected = several(
        case.call(*[Tensor(np.ascontiguousarray(a).reshape(a.shape), None) for a in case.args])
    )
    if case.op.__name__ in LAYOUT:
        return
    frozen = [a.copy() for a in case.args]
    for a in frozen:
        a.flags.writeable = False
    spread = [np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a.copy() for a in case.args]
    turned = [np.asfortranarray(a).reshape(a.shape, order="F") for a in case.args]
    for arrays in (frozen, spread, turned):
        for got, want in zip(several(case.call(*[Tensor(a, None) for a in arrays])), expected, strict=True):
            np.testing.assert_allclose(
                got._data, want._data, rtol=1e-5 if want._data.dtype.itemsize < 8 else 1e-12
            )
        for a, original in zip(arrays, case.args, strict=True):
            np.testing.assert_array_equal(a, original)


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)
def test_gradcheck_in_both_modes(case: Case) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Input #")
        assert gradcheck(case.call, tensors(case), check_forward_ad=True, fast_mode=True, **_tolerances(case))


def _tolerances(case: Case) -> dict[str, float]:
    if any(a.dtype in (np.float32, np.complex64) for a in case.args):
        return {"atol": 1e-2, "rtol": 1e-2, "eps": 1e-3}
    return {"atol": 1e-5, "rtol": 1e-4}


@pytest.mark.parametrize("case", SECOND, ids=str)
def test_gradgradcheck_reverse_and_forward_over_reverse(case: Case) -> None:
    """The cotangents are inputs too, so a saved value that is wrongly constant shows (R3)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Input #")
        assert gradgradcheck(
            case.call, tensors(case), check_fwd_over_rev=True, fast_mode=True, **_tolerances(case)
        )


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)
def test_vjp_is_the_adjoint_of_jvp(case: Case) -> None:
    """<g, J dx> = <Jᵀ g, dx> to rounding: no step size, no tolerance to argue about."""
    xs = tensors(case)
    targets = [xs[i] for i in case.wanted]
    results = [t for t in floating(case.call(*xs)) if t.requires_grad]
    gs = [cotangent(t, 3 + i) for i, t in enumerate(results)]
    pulled = autograd.grad(
        results, targets, [Tensor(g, None) for g in gs], allow_unused=True, materialize_grads=True
    )
    ds = [cotangent(t, 30 + i) for i, t in enumerate(targets)]
    with forward_ad.dual_level():
        duals = list(xs)
        for i, d in zip(case.wanted, ds, strict=True):
            duals[i] = forward_ad.make_dual(xs[i], Tensor(d, None))
        moved = [t for t in floating(case.call(*duals)) if t.requires_grad]
        tangents = [forward_ad.unpack_dual(t).tangent for t in moved]
        left = sum(inner(g, t._data) for g, t in zip(gs, tangents, strict=True) if t is not None)
    right = sum(inner(p._data, d) for p, d in zip(pulled, ds, strict=True))
    for p, t in zip(pulled, targets, strict=True):
        assert p._data.shape == t._data.shape and p._data.dtype == t._data.dtype
    scale = max(1.0, abs(left), abs(right), *[float(np.abs(p._data).max(initial=0)) for p in pulled])
    single = any(a.dtype in (np.float32, np.complex64) for a in case.args)
    assert abs(left - right) <= scale * (1e-4 if single else 1e-9)
