"""The checkers themselves: they pass what is right, and say what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

import convgrad as torch
from convgrad.autograd import Function, gradcheck, gradgradcheck
from convgrad.testing import GradcheckError, assert_close


def leaf(*values: complex) -> torch.Tensor:
    kind = torch.complex128 if any(isinstance(v, complex) for v in values) else torch.float64
    return torch.tensor(list(values), dtype=kind, requires_grad=True)


class Off(Function):
    """x * x with a derivative that is off by a factor."""

    factor = 1.001

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return 2 * Off.factor * ctx.saved_tensors[0] * g


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("values", [(0.5, 2.0), (1 + 2j, 0.5 - 1j)])
def test_what_is_right_passes(fast: bool, values: Any) -> None:
    x, y = leaf(*values), leaf(*values[::-1])
    assert gradcheck(lambda a, b: (a * b, a.exp()), (x, y), fast_mode=fast, check_forward_ad=True)
    assert gradgradcheck(lambda a, b: a * b * b, (x, y), fast_mode=fast, check_fwd_over_rev=True)
    assert gradcheck(lambda a: a * a, x, check_batched_grad=True, check_grad_dtypes=True)


@pytest.mark.parametrize("fast", [False, True])
def test_a_thousandth_off_is_found(fast: bool) -> None:
    with pytest.raises(
        GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0"
    ) as caught:
        gradcheck(Off.apply, (leaf(1.0, 2.0),), fast_mode=fast, rtol=1e-5)
    assert "numerical:" in str(caught.value) and "analytical:" in str(caught.value)
    assert gradcheck(Off.apply, (leaf(1.0, 2.0),), fast_mode=fast, rtol=1e-5, raise_exception=False) is False


def test_the_right_pair_is_named() -> None:
    with pytest.raises(GradcheckError, match="output 1 with respect to input 1"):
        gradcheck(lambda a, b: (a * b, a + Off.apply(b)), (leaf(1.0), leaf(2.0)), rtol=1e-5)


def test_inputs_are_left_as_they_were() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(ZeroDivisionError):
        gradcheck(lambda a: a / 0 if False else 1 / 0, (x,))
    assert x.tolist() == [1, 2]


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(lambda a: a, (torch.ones(2),))
    with pytest.warns(UserWarning, match="double precision"):
        gradcheck(lambda a: a * 1, (torch.ones(2, requires_grad=True),), atol=1, eps=1e-2)


def test_a_function_that_is_not_reentrant() -> None:
    calls = iter(range(100))

    class Drifting(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 1

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * (1 + 1e-9 * next(calls))

    with pytest.raises(GradcheckError, match="not reentrant"):
        gradcheck(Drifting.apply, (leaf(1.0),))


def test_assert_close() -> None:
    assert_close(torch.ones(2), torch.ones(2) + 1e-7)
    assert_close({"a": [1.0, torch.ones(1)]}, {"a": [1.0, torch.ones(1)]})
    nan = torch.tensor([float("nan"), float("inf")])
    assert_close(nan, nan, equal_nan=True)
    with pytest.raises(AssertionError, match="Mismatched elements: 1 / 2"):
        assert_close(nan, nan)
    with pytest.raises(AssertionError, match=r"item \['a'\]\[1\]"):
        assert_close({"a": [1.0, torch.ones(1)]}, {"a": [1.0, torch.zeros(1)]})
    with pytest.raises(AssertionError, match="attribute 'dtype'"):
        assert_close(torch.ones(1), torch.ones(1, dtype=torch.float64))
    with pytest.raises(AssertionError, match="mine"):
        assert_close(torch.ones(1), torch.zeros(1), msg="mine")
