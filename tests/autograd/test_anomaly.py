"""Anomaly mode, and the places that errors name."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator

import numpy as np
import pytest

import convgrad as torch
from convgrad import autograd


@pytest.fixture
def anomaly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Anomaly Detection")
        with autograd.detect_anomaly(), np.errstate(all="ignore"):
            yield


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, requires_grad=True)


def line() -> int:
    return sys._getframe(1).f_lineno


def test_a_nan_gradient_is_an_error_with_the_forward_line(anomaly: None) -> None:
    x = leaf(0.0, 4.0)
    y = x.sqrt()
    here = line() - 1
    with (
        pytest.warns(UserWarning, match=f"Error detected in SqrtBackward0.*(?s:.)*line {here}"),
        pytest.raises(
            RuntimeError, match="Function 'SqrtBackward0' returned nan values in its 0th output"
        ) as e,
    ):
        (y * torch.tensor([0.0, 1.0])).sum().backward()
    assert (
        f"line {here}" in str(e.value) and "test_anomaly.py" in str(e.value) and "1 nan of 2" in str(e.value)
    )


def test_a_value_that_stops_being_finite_in_forward_is_warned_of_once_where_it_arises(anomaly: None) -> None:
    x = leaf(1.0, 0.0)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        y = x.log()
        here = line() - 1
        y = y * 2
    assert len(seen) == 1 and f"line {here}" in str(seen[0].message)
    assert "LogBackward0: 1 infinite of 2 values in the result of shape [2]" in str(seen[0].message)


def test_an_infinite_gradient_is_warned_of(anomaly: None) -> None:
    x = leaf(0.0)
    y = x.sqrt()
    with pytest.warns(
        UserWarning, match="SqrtBackward0: 1 infinite of 1 values in the gradient of its input 0"
    ):
        y.backward()


def test_without_checking_nan(anomaly: None) -> None:
    with autograd.set_detect_anomaly(True, check_nan=False):
        x = leaf(0.0)
        (x.sqrt() * 0).sum().backward()
        assert np.isnan(x.grad.item()) and not torch.is_anomaly_check_nan_enabled()
    assert torch.is_anomaly_check_nan_enabled()


@pytest.mark.parametrize(
    "change", [lambda y: y.data.fill_(9.0), lambda y: y.detach().numpy().fill(9.0)], ids=["data", "numpy"]
)
def test_changes_from_outside_are_found(anomaly: None, change: object) -> None:
    x = leaf(2.0, 3.0)
    y = x * 1
    z = (y * y).sum()
    here = line() - 1
    change(y)  # type: ignore[operator]
    with (
        pytest.warns(UserWarning, match="Error detected in MulBackward0"),
        pytest.raises(RuntimeError, match="changed from outside") as e,
    ):
        z.backward()
    assert f"line {here}" in str(e.value)
    assert x.grad is None


def test_a_failing_backward_tells_its_forward(anomaly: None) -> None:
    class Broken(autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: object, g: torch.Tensor) -> torch.Tensor:
            raise KeyError("oh")

    y = Broken.apply(leaf(1.0))
    with (
        pytest.warns(UserWarning, match="Error detected in BrokenBackward.*(?s:.)*Broken.apply"),
        pytest.raises(KeyError),
    ):
        y.backward()
    assert torch.is_grad_enabled()


def test_outside_of_the_mode_nothing_is_looked_at() -> None:
    x = leaf(0.0)
    (x.sqrt() * 0).sum().backward()
    assert np.isnan(x.grad.item())


def test_the_mode_is_switched_and_restored() -> None:
    assert not torch.is_anomaly_enabled()
    autograd.set_detect_anomaly(True)
    assert torch.is_anomaly_enabled()
    autograd.set_detect_anomaly(False)
    with autograd.set_detect_anomaly(True):
        assert torch.is_anomaly_enabled()
        with autograd.set_detect_anomaly(False):
            assert not torch.is_anomaly_enabled()
        assert torch.is_anomaly_enabled()
    assert not torch.is_anomaly_enabled()


def test_no_grad_and_second_order_under_the_mode(anomaly: None) -> None:
    x = leaf(2.0)
    with torch.no_grad():
        assert (x * x).grad_fn is None
        x.add_(1)
    (g,) = autograd.grad(x**3, x, create_graph=True)
    (h,) = autograd.grad(g, x)
    assert g.item() == 27 and h.item() == 18


def test_a_modified_saved_value_names_both_places(anomaly: None) -> None:
    x = leaf(2.0)
    y = x * 1
    z = y * y
    saved = line() - 1
    y.add_(1)
    changed = line() - 1
    with (
        pytest.warns(UserWarning),
        pytest.raises(RuntimeError, match="modified by an inplace operation") as e,
    ):
        z.backward()
    assert re.search(
        rf"saved by MulBackward0 .*line {saved}, .*changed by add_ at .*line {changed}", str(e.value)
    )


def test_the_place_of_a_change_is_always_known() -> None:
    x = leaf(2.0)
    y = x * 1
    z = y * y
    y.mul_(2)
    changed = line() - 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation") as e:
        z.backward()
    assert f"line {changed}" in str(e.value) and "test_anomaly.py" in str(e.value)
    assert "detect_anomaly" in str(e.value)
