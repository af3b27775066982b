"""New tensors: dtypes, sharing, devices."""

from __future__ import annotations

import numpy as np
import pytest

from convgrad import dtypes
from convgrad.device import device
from convgrad.tensor import creation


def test_from_numpy_shares_both_ways() -> None:
    a = np.zeros(3)
    x = creation.from_numpy(a)
    x[0] = 5
    a[1] = 7
    assert a.tolist() == x.tolist() == [5.0, 7.0, 0.0]


def test_tensor_copies() -> None:
    a = np.zeros(3)
    x = creation.tensor(a)
    a[0] = 1
    assert x.tolist() == [0.0] * 3


def test_tensor_of_a_tensor_warns() -> None:
    with pytest.warns(UserWarning, match="recommended to use sourceTensor"):
        creation.tensor(creation.ones(2))


def test_default_dtype_rules_inference() -> None:
    dtypes.set_default_dtype(dtypes.float64)
    try:
        assert creation.tensor([1.5]).dtype is dtypes.float64
        assert creation.tensor([1j]).dtype is dtypes.complex128
        assert creation.zeros(2).dtype is dtypes.float64
    finally:
        dtypes.set_default_dtype(dtypes.float32)


def test_read_only_array_warns_and_refuses_writes() -> None:
    a = np.zeros(2)
    a.flags.writeable = False
    with pytest.warns(UserWarning, match="not writable"):
        x = creation.from_numpy(a)
    with pytest.raises(RuntimeError, match="read-only"):
        x[0] = 1


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "nowhere"])
def test_other_devices_are_refused(name: str) -> None:
    with pytest.raises(RuntimeError, match="convgrad runs on the CPU"):
        device(name)


def test_devices_print_and_compare() -> None:
    assert repr(device("cpu", 1)) == "device(type='cpu', index=1)"
    assert str(device("cpu:1")) == "cpu:1"
    assert device("cpu") == device("cpu") != device("cpu:0")
