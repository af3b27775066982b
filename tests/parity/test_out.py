"""``out=`` of every function that PyTorch gives it: values, shape, dtype, strides, version, identity, errors."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
import pytest
import torch

import convgrad
from convgrad import fft, linalg, special
from convgrad.nn import functional as functional  # its functions are late
from convgrad.tensor.out import rules

CALLS = """
add(x, y) | add(x, 2, alpha=3) | sub(x, y) | mul(x, y) | div(x, y) | div(x, y, rounding_mode='floor') | subtract(x, y) | multiply(x, y) | divide(x, y) | true_divide(x, y) | floor_divide(x, y) | remainder(x, y) | fmod(x, y) | pow(x.abs(), y) | float_power(x.abs(), y) | where(m, x, y) | where(m, x, y[:1]) | xlogy(x, x.abs())
addcdiv(x, y, y + 9) | addcmul(x, y, y, value=2) | addr(x, x[:, 0], x[0]) | atan2(x, y) | arctan2(x, y) | copysign(x, y) | fmax(x, y) | fmin(x, y) | maximum(x, y) | minimum(x, y) | hypot(x, y) | heaviside(x, y) | logaddexp(x, y) | logaddexp2(x, y) | lerp(x, y, 0.3) | lerp(x, y, y)
eq(x, y) | ne(x, 1) | lt(x, y) | le(x, y) | gt(x, y) | ge(x, y) | not_equal(x, y) | less(x, y) | less_equal(x, y) | greater(x, y) | greater_equal(x, y) | logical_and(x, y) | logical_or(x, y) | logical_xor(x, y) | logical_not(x) | signbit(x) | isposinf(x) | isneginf(x)
bitwise_and(i, j) | bitwise_or(i, j) | bitwise_xor(i, j) | bitwise_not(i) | bitwise_left_shift(i.abs(), 2) | bitwise_right_shift(i, 1) | clamp(x, 0.1) | clip(x, -1, 1) | clamp_min(x, 0) | clamp_max(x, 0) | round(x, decimals=1) | nan_to_num(x, 1.0) | logit(x.abs() / 9, eps=1e-3)
addmm(x[:, :3], x, x[0].diag()[:, :3]) | addmv(x[:, 0], x, x[0]) | addbmm(x[:, :3], x[None], x.t()[None]) | baddbmm(x[None, :, :3], x[None], x.t()[None]) | bmm(x[None], x.t()[None]) | dot(x[0], y[0]) | vdot(x[0], y[0]) | inner(x, y) | matmul(x, y.t()) | mm(x, y.t()) | mv(x, y[0]) | outer(x[0], y[0]) | ger(x[0], y[0]) | cross(x[:, :3], y[:, :3]) | kron(x, y) | tensordot(x, y, dims=2) | chain_matmul(x, y.t(), x) | matrix_power(x[:3, :3], 2)
all(m, 1) | any(m, 0) | amax(x, 1) | amin(x, (0, 1)) | aminmax(x, dim=0) | argmax(x, 1) | argmin(x, 0) | cummax(x, 1) | cummin(x, 1) | cumprod(x, 1) | cumsum(x, 1) | cumsum(i, 1) | kthvalue(x, 2) | logcumsumexp(x, 1) | logsumexp(x, 1) | max(x, 0) | min(x, 1) | max(x, y) | median(x, 0) | nanmedian(x, 1) | mean(x, 1) | nanmean(x, 1) | nansum(x, 1) | norm(x, 2, 1) | prod(x, 1) | sum(x, (0, 1)) | sum(x, 1, keepdim=True) | sum(i, 0) | std(x, 1) | var(x, 1) | sort(x, 1) | topk(x, 2) | histc(x, 4) | diff(x)
cat([x, y]) | cat((x, y), 1) | concat([x, y]) | concatenate([x, y]) | stack([x, y]) | hstack([x, y]) | vstack([x, y]) | row_stack([x, y]) | dstack([x, y]) | column_stack([x, y]) | diag(x[0]) | tril(x) | triu(x, 1) | gather(x, 0, k) | index_select(x, 1, k[0]) | index_add(x, 0, k[0, :2], y[:2]) | index_copy(x, 0, k[0, :1], y[:1]) | masked_select(x, m) | nonzero(x) | scatter(x, 0, k, y) | scatter_add(x, 0, k, y) | scatter_reduce(x, 0, k, y, 'amax') | slice_scatter(x, y[:1], 0, 0, 1) | take(x, k) | take_along_dim(x, k, 0)
softmax(x, 1) | log_softmax(x, 1) | complex(x, y) | polar(x, y)
zeros(3, 4) | ones((3, 4)) | full((3, 4), 2.0) | eye(3, 4) | arange(7) | arange(1, 3, 0.5) | linspace(0, 1, 5) | logspace(0, 1, 5)
linalg.norm(x) | linalg.vector_norm(x, 2, 1) | linalg.matrix_norm(x) | linalg.matmul(x, y.t()) | linalg.cross(x[:, :3], y[:, :3]) | linalg.multi_dot([x, y.t(), x]) | linalg.matrix_power(x[:3, :3], 3)
nn.functional.avg_pool2d(x[None], 2) | nn.functional.avg_pool3d(x[None, None], 1) | nn.functional.gelu(x) | nn.functional.normalize(x) | nn.functional.logsigmoid(x) | nn.functional.softplus(x) | nn.functional.softshrink(x) | hardshrink(x)
"""  # fmt: skip
UNARY = """
abs absolute acos arccos asin arcsin atan arctan acosh arccosh asinh arcsinh atanh arctanh angle ceil cos cosh
deg2rad digamma erf erfc erfinv exp exp2 expm1 fix floor frac lgamma log log10 log1p log2 neg negative rad2deg
reciprocal rsqrt sgn sigmoid sign sin sinc sinh sqrt square tan tanh trunc
"""
RANDOM = {"bernoulli", "normal", "rand", "randn", "randint", "randperm", "multinomial"}
ALL = [c.strip() for line in CALLS.strip().splitlines() for c in line.split(" | ")] + [
    f"{n}(x)" for n in UNARY.split()
]

#: of families that are loaded when they are asked for
LATE_CALLS = """
gcd(k, k) | i0(x) | igamma(x.abs(), y.abs()) | igammac(x.abs(), y.abs()) | lcm(k, k) | ldexp(x, k[0]) | mvlgamma(x.abs() + 3, 2) | nextafter(x, y) | polygamma(1, x.abs())
bucketize(x, x[0].sort()[0]) | conj_physical(x) | conj_physical(z) | frexp(x) | histogram(x, 3) | index_reduce(x, 0, TWO, y[:2], "prod") | isin(k, k) | mode(x) | msort(x)
nanquantile(x, 0.3, 1) | quantile(x, 0.3) | renorm(x, 2, 0, 1.0) | searchsorted(x[0].sort()[0], y) | nonzero_static(x, size=5) | empty(3, 4)
cholesky(SQUARE) | cholesky_inverse(SQUARE) | cholesky_solve(x, SQUARE) | inverse(SQUARE) | qr(x) | svd(x) | triangular_solve(x, SQUARE)
lu(SQUARE) | lu_solve(x, *FACTORS) | lu_unpack(*FACTORS) | orgqr(x.t(), x[:, 0])
linalg.cholesky(SQUARE) | linalg.cholesky_ex(SQUARE) | linalg.cond(SQUARE) | linalg.det(SQUARE) | linalg.eig(TRIANGLE) | linalg.eigh(DIAGONAL) | linalg.eigvals(TRIANGLE) | linalg.eigvalsh(SQUARE)
linalg.householder_product(x.t(), x[:, 0]) | linalg.inv(SQUARE) | linalg.inv_ex(SQUARE) | linalg.ldl_factor(SQUARE) | linalg.ldl_factor_ex(SQUARE) | linalg.ldl_solve(*linalg.ldl_factor(SQUARE), x)
linalg.lstsq(SQUARE, x) | linalg.lu(SQUARE) | linalg.lu_factor(SQUARE) | linalg.lu_factor_ex(SQUARE) | linalg.lu_solve(*FACTORS, x) | linalg.matrix_rank(x) | linalg.pinv(x) | linalg.qr(x) | linalg.slogdet(SQUARE)
linalg.solve(SQUARE, x) | linalg.solve_ex(SQUARE, x) | linalg.solve_triangular(SQUARE, x, upper=True) | linalg.svd(x) | linalg.svdvals(x) | linalg.tensorinv(SQUARE, ind=1)
linalg.tensorsolve(SQUARE, x[:, 0]) | linalg.vecdot(x, y)
fft.fft(x) | fft.fft(z, 6) | fft.fft2(x) | fft.fftn(z) | fft.ifft(z) | fft.ifft2(z) | fft.ifftn(x) | fft.rfft(x) | fft.rfft2(x) | fft.rfftn(x) | fft.irfft(z) | fft.irfft2(z) | fft.irfftn(z)
fft.hfft(z) | fft.hfft2(z) | fft.hfftn(z) | fft.ihfft(x) | fft.ihfft2(x) | fft.ihfftn(x)
special.gammainc(x.abs(), y.abs()) | special.gammaincc(x.abs(), y.abs()) | special.logit(x.abs() / 9) | special.logsumexp(x, 1) | special.multigammaln(x.abs() + 3, 2) | special.ndtri(x.abs() / 9)
special.polygamma(2, x.abs()) | special.round(x) | special.round(x, decimals=1) | special.xlog1py(x, y.abs()) | special.xlogy(x, y.abs()) | special.zeta(x.abs() + 2, y.abs() + 1)
nn.functional.hardshrink(x)
"""  # fmt: skip
POLYNOMIALS = """
chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w hermite_polynomial_h
hermite_polynomial_he laguerre_polynomial_l legendre_polynomial_p shifted_chebyshev_polynomial_t
shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w
"""
SPECIAL = """
airy_ai bessel_j0 bessel_j1 digamma entr erf erfc erfcx erfinv exp2 expit expm1 gammaln i0 i0e i1 i1e log1p log_ndtr
modified_bessel_i0 modified_bessel_i1 ndtr psi sinc spherical_bessel_j0
"""
SPECIAL_POSITIVE = """
bessel_y0 bessel_y1 modified_bessel_k0 modified_bessel_k1 scaled_modified_bessel_k0 scaled_modified_bessel_k1
"""
SHORT = {
    "SQUARE": "(x @ x.t() + 3 * torch.eye(3))",
    "FACTORS": "torch.linalg.lu_factor(x @ x.t() + 3 * torch.eye(3))",
    "TRIANGLE": "x[:, :3].triu()",  # no choice of order and signs
    "DIAGONAL": "x[0, :3].diag()",
    "TWO": "torch.tensor([0, 1])",
}


def _written_out(call: str) -> str:
    for short, long in SHORT.items():
        call = call.replace(short, long)
    return call


ALL += [_written_out(c.strip()) for line in LATE_CALLS.strip().splitlines() for c in line.split(" | ")]
ALL += [f"special.{n}(x)" for n in SPECIAL.split()] + [
    f"special.{n}(x.abs())" for n in SPECIAL_POSITIVE.split()
]
ALL += [f"special.{n}(x, 3)" for n in POLYNOMIALS.split()]

RNG = np.random.default_rng(11)
ARRAYS = {
    "x": RNG.normal(size=(3, 4)).astype(np.float32),
    "y": RNG.normal(size=(3, 4)).astype(np.float32),
    "i": RNG.integers(-5, 9, (3, 4)),
    "j": RNG.integers(-5, 9, (3, 4)),
    "k": RNG.integers(0, 3, (3, 4)),
    "m": RNG.integers(0, 2, (3, 4)).astype(bool),
    "z": (RNG.normal(size=(3, 4)) + 1j * RNG.normal(size=(3, 4))).astype(np.complex64),
}
#: how the targets look: made from the results that the call gives without out
TARGETS = {
    "same": "torch.zeros(r.shape, dtype=r.dtype)",
    "fresh": "torch.empty(0, dtype=r.dtype)",
    "other shape": "torch.zeros(5, 3, dtype=r.dtype)",
    "as many": "torch.zeros(r.numel(), 1, 1, dtype=r.dtype)",
    "turned": "torch.zeros(r.shape[::-1], dtype=r.dtype).permute(list(range(r.dim()))[::-1])",
    "every other": "torch.zeros(*r.shape, 2, dtype=r.dtype)[..., 0]",
    "double": "torch.zeros(r.shape, dtype=torch.double)",
    "half": "torch.zeros(r.shape, dtype=torch.half)",
    "long": "torch.zeros(r.shape, dtype=torch.long)",
    "int": "torch.zeros(r.shape, dtype=torch.int32)",
    "bool": "torch.zeros(r.shape, dtype=torch.bool)",
    "complex": "torch.zeros(r.shape, dtype=torch.complex64)",
}


SPACES = ("fft", "linalg", "nn", "special")
#: how PyTorch refuses a cast that a kernel was not compiled for; convgrad casts whatever may be cast
REFUSED = (
    "Found dtype",
    "Expected out type",
    '"',
    "the output given to float_power",
    "expected scalar type",
    "!needs_dynamic_casting",
)


def outcome(library: Any, call: str, target: str, grad: bool = False) -> tuple[Any, list[str]]:
    """What a call with ``out=`` leaves, or its exception; and the categories of warnings."""
    names = {n: library.from_numpy(a.copy()) for n, a in ARRAYS.items()}
    if grad:
        names["x"].requires_grad_()
    names |= {n: getattr(library, n) for n in SPACES} | {"torch": library}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            prefix = "" if call.split(".")[0] in SPACES else "torch."
            given = eval(prefix + call, names)
            caught.clear()
            results = given if isinstance(given, tuple) else (given,)
            targets = tuple([eval(target, {"r": r.detach(), "torch": library}) for r in results])
            out = targets if isinstance(given, tuple) else targets[0]
            back = eval(f"{prefix}{call[:-1]}, out=out)", names | {"out": out})
        except Exception as error:
            return error, []
    same = all([a is b for a, b in zip(back if isinstance(given, tuple) else (back,), targets, strict=True)])
    left = [(tuple(t.shape), str(t.dtype), t.stride(), t._version) for t in targets]
    values = [np.asarray(t.detach().numpy()) for t in targets]
    told = sorted({w.category.__name__ for w in caught if "resized" in str(w.message)})
    return (same, left, values, type(back).__name__), told


def check(call: str, target: str, grad: bool = False) -> None:
    theirs, their_warnings = outcome(torch, call, target, grad)
    mine, my_warnings = outcome(convgrad, call, target, grad)
    if isinstance(theirs, Exception):
        if str(theirs).startswith(REFUSED) and not isinstance(mine, Exception):
            return
        assert isinstance(mine, type(theirs)), f"torch raised {theirs!r}, convgrad {mine!r}"
        return
    assert not isinstance(mine, Exception), f"torch gave {theirs}, convgrad raised {mine!r}"
    assert mine[0] and theirs[0]
    assert mine[3] == theirs[3]
    for a, b in zip(mine[1], theirs[1], strict=True):
        assert a[:3] == b[:3], f"shape, dtype, strides {a}, torch {b}"
        assert a[3] > 0  # written to; PyTorch counts some functions twice, kron not at all
    tolerance = 1e-2 if "half" in target else 2e-5
    for a, b in zip(mine[2], theirs[2], strict=True):
        if call.startswith("empty("):
            break
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    assert my_warnings == their_warnings


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("call", ALL)
def test_out(call: str, target: str) -> None:
    check(call, TARGETS[target])


@pytest.mark.parametrize("call", ALL)
def test_out_does_not_differentiate(call: str) -> None:
    check(call, TARGETS["same"], grad=True)


def test_every_function_with_out_is_called() -> None:
    called = {c.partition("(")[0] for c in ALL} | RANDOM
    spaces = {"": convgrad, "fft": fft, "linalg": linalg, "nn.functional": functional, "special": special}
    for name in rules():
        space, _, short = name.rpartition(".")
        if space in spaces and hasattr(spaces[space], short):
            assert name in called, name


LEAF = "torch.zeros(r.shape, dtype=r.dtype).requires_grad_(r.is_floating_point() or r.is_complex())"


@pytest.mark.parametrize("call", ALL)
def test_a_target_that_requires_grad(call: str) -> None:
    check(call, LEAF)


@pytest.mark.parametrize("call", ALL)
def test_an_input_may_be_the_target(call: str) -> None:
    """Whatever overlaps comes out as without ``out``; PyTorch refuses that, or promises nothing."""
    names = {n: convgrad.from_numpy(a.copy()) for n, a in ARRAYS.items()}
    names |= {n: getattr(convgrad, n) for n in SPACES} | {"torch": convgrad}
    prefix = "" if call.split(".")[0] in SPACES else "torch."
    given = eval(prefix + call, names)
    if isinstance(given, tuple) or given.dtype is not convgrad.float32 or call.startswith("empty"):
        pytest.skip("no result to lie where x lies")
    names["out"] = names["x"].t() if given.numel() == 12 and given.shape[0] == 4 else names["x"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other shapes
        back = eval(f"{prefix}{call[:-1]}, out=out)", names)
    assert back is names["out"] and back.shape in (given.shape, names["out"].shape)
    np.testing.assert_array_equal(back.flatten().numpy(), given.flatten().numpy())


@pytest.mark.parametrize("call", ALL)
def test_an_expanded_tensor_is_not_written_to(call: str) -> None:
    """PyTorch refuses most of them; what some reductions write there is of no use."""
    mine, _ = outcome(convgrad, call, "torch.zeros(2, *[1] * r.dim(), dtype=r.dtype)[:1].expand(2, *r.shape)")
    assert isinstance(mine, RuntimeError) and "single memory location" in str(mine)


def test_no_function_lacks_out() -> None:
    """Whatever PyTorch's own list of signatures gives ``out``, the table gives it too."""
    table = rules()
    for function, signature in torch.overrides.get_testing_overrides().items():
        name = getattr(function, "__name__", "")
        if getattr(torch, name, None) is not function or not hasattr(convgrad, name):
            continue
        taken = "out" in inspect.signature(signature).parameters
        assert not taken or name in table or name in NOT_REALLY, name


#: the list of signatures says ``out``, the functions themselves refuse it
NOT_REALLY = {
    "conj", "imag", "positive", "real", "resolve_conj", "resolve_neg", "squeeze", "unsqueeze", "diag_embed",
    "full_like",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(RANDOM))
def test_out_of_random_numbers(name: str) -> None:
    args: dict[str, Any] = {"rand": (3,), "randn": (3,), "randint": (5, (3,)), "randperm": (3,)}
    for library in (torch, convgrad):
        library.manual_seed(3)
        half = library.full((3,), 0.5)
        given = (half, 3) if name == "multinomial" else args.get(name, (half,))
        made = getattr(library, name)(*given)
        library.manual_seed(3)
        out = library.zeros(3, dtype=made.dtype)
        assert getattr(library, name)(*given, out=out) is out
        assert out.tolist() == made.tolist()
