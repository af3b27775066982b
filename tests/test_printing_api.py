"""Printing beyond the table: prefix and suffixes, format specifications, print options, several threads."""

from __future__ import annotations

import sys
from threading import Thread
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from convgrad import printing
from convgrad.printing import (
    format_scalar_value,
    format_tensor,
    get_printoptions,
    printoptions,
    set_printoptions,
)

inf, nan = np.inf, np.nan


def test_subclass_opens_with_its_name_and_indents_by_it() -> None:
    text = format_tensor(np.eye(2, dtype=np.float32), "float32", prefix="Kernel(")
    assert text == "Kernel([[1., 0.],\n        [0., 1.]])"


def test_indent_overrides_the_prefix() -> None:
    text = format_tensor(np.eye(2, dtype=np.float32), "float32", prefix="x = tensor(", indent=2)
    assert text == "x = tensor([[1., 0.],\n   [0., 1.]])"


def test_further_suffixes_come_last() -> None:
    ones = np.ones(3, np.float32)
    text = format_tensor(ones, "float32", requires_grad=True, suffixes=["tangent=tensor([1., 1., 1.])"])
    assert text == "tensor([1., 1., 1.], requires_grad=True, tangent=tensor([1., 1., 1.]))"


def test_contents_stand_for_the_elements() -> None:
    assert format_tensor(np.ones(3, np.float32), "float32", contents="hello") == "tensor(hello)"


def test_infinite_line_width_never_breaks() -> None:
    with printoptions(linewidth=inf):
        text = format_tensor(np.arange(500.0), "float64", requires_grad=True)
    assert "\n" not in text and text.endswith("dtype=torch.float64, requires_grad=True)")


def test_big_tensors_are_not_copied_to_be_summarised() -> None:
    """A trillion elements that exist only as a stride: whoever converted them all would never finish."""
    data = np.broadcast_to(np.float32(0.5), (2**20, 2**20))
    assert format_tensor(data, "float32").count("0.5000") == 36


@pytest.mark.parametrize(
    ("value", "dtype", "spec", "expected"),
    [
        (2 / 3, np.float32, ".3f", "0.667"),
        (1.5, np.float32, "", "1.5"),
        (0.1, np.float32, "", "0.10000000149011612"),
        (1.5, ml_dtypes.bfloat16, ">10", "       1.5"),
        (2, np.int64, "d", "2"),
        (2, np.int64, ".3f", "2.000"),
        (True, np.bool_, "", "True"),
        (True, np.bool_, "d", "1"),
        (1 + 2j, np.complex64, "", "(1+2j)"),
        (1 + 2j, np.complex64, ".3f", "1.000+2.000j"),
    ],
)
def test_format_of_a_0d_tensor_is_that_of_its_item(value: Any, dtype: Any, spec: str, expected: str) -> None:
    assert format_scalar_value(np.array(value, dtype), spec) == expected


def test_format_spec_needs_a_0d_tensor() -> None:
    with pytest.raises(
        TypeError, match=r"unsupported format string passed to Tensor.__format__: '.3f'.*\(1,\)"
    ):
        format_scalar_value(np.ones(1), ".3f")


def test_format_spec_must_fit_the_number() -> None:
    with pytest.raises(ValueError, match="Unknown format code 'd'"):
        format_scalar_value(np.array(1.5), "d")


DEFAULTS = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}


@pytest.mark.parametrize(
    ("changes", "differences"),
    [
        ({}, {}),
        ({"profile": "default"}, {}),
        ({"profile": "short"}, {"precision": 2, "edgeitems": 2}),
        ({"profile": "full"}, {"threshold": inf}),
        ({"profile": "short", "precision": 5}, {"precision": 5, "edgeitems": 2}),
        ({"linewidth": 40, "sci_mode": False}, {"linewidth": 40, "sci_mode": False}),
        ({"precision": np.int64(6)}, {"precision": 6}),
    ],
)
def test_options_and_profiles(changes: dict[str, Any], differences: dict[str, Any]) -> None:
    with printoptions(**changes):
        assert get_printoptions() == DEFAULTS | differences
    assert get_printoptions() == DEFAULTS


def test_full_profile_prints_all() -> None:
    with printoptions(profile="full"):
        text = format_tensor(np.arange(1001), "int64")
    assert "..." not in text and text.count(",") == 1000


def test_every_call_resets_sci_mode_and_keeps_the_rest() -> None:
    with printoptions(sci_mode=True, linewidth=50):
        set_printoptions(precision=3)
        assert get_printoptions() == DEFAULTS | {"precision": 3, "linewidth": 50}


def test_options_come_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), printoptions(precision=1), printoptions(profile="full"):
        raise ZeroDivisionError
    assert get_printoptions() == DEFAULTS


def test_returned_options_are_a_copy() -> None:
    get_printoptions()["precision"] = 9
    assert get_printoptions() == DEFAULTS


@pytest.mark.parametrize(
    ("changes", "error", "phrase"),
    [
        ({"precision": "x"}, TypeError, "precision must be an int, but got 'x'"),
        ({"precision": 2.5}, TypeError, "precision must be an int, but got 2.5"),
        ({"precision": -1}, ValueError, "precision must not be negative, but got -1"),
        ({"edgeitems": -1}, ValueError, "edgeitems must not be negative"),
        ({"edgeitems": 1.5}, TypeError, "edgeitems must be an int"),
        ({"threshold": "a"}, TypeError, "threshold must be a number, but got 'a'"),
        ({"threshold": nan}, ValueError, "threshold must be a number, but got nan"),
        ({"linewidth": [80]}, TypeError, "linewidth must be a number"),
        (
            {"profile": "SHORT"},
            ValueError,
            r"profile must be one of \['default', 'short', 'full'\], but got 'SHORT'",
        ),
        ({"width": 80}, TypeError, "unexpected keyword argument 'width'"),
    ],
)
def test_bad_options_are_refused_and_change_nothing(
    changes: dict[str, Any], error: type[Exception], phrase: str
) -> None:
    with pytest.raises(error, match=phrase):
        set_printoptions(**{"edgeitems": 7} | changes)
    assert get_printoptions() == DEFAULTS
    with pytest.raises(error, match=phrase), printoptions(**changes):
        pass
    assert get_printoptions() == DEFAULTS


def test_printing_while_others_change_the_options_sees_one_state() -> None:
    """Each text is that of one profile or the other, never a mixture of the two."""
    data = np.linspace(0.5, 9.5, 1200, dtype=np.float32).reshape(30, 40)
    texts = set()
    for profile in ("default", "short"):
        with printoptions(profile=profile):
            texts.add(format_tensor(data, "float32"))
    seen: set[str] = set()
    done = False

    def change() -> None:
        while not done:
            set_printoptions(profile="short")
            set_printoptions(profile="default")

    writer = Thread(target=change)
    writer.start()
    try:
        for _ in range(300):
            seen.add(format_tensor(data, "float32"))
    finally:
        done = True
        writer.join()
        set_printoptions(profile="default")
    assert seen <= texts


def test_changes_from_several_threads_are_all_kept() -> None:
    """Each thread sets an option of its own; none may be lost to another's."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # change threads as often as can be, so that a race shows

    def change(name: str) -> None:
        for value in range(1, 2001):
            changes: dict[str, Any] = {name: value}
            set_printoptions(**changes)

    with printoptions():
        threads = [Thread(target=change, args=(name,)) for name in ("precision", "edgeitems", "linewidth")]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        assert get_printoptions() == DEFAULTS | {"precision": 2000, "edgeitems": 2000, "linewidth": 2000}


def test_the_module_holds_no_mutable_options() -> None:
    assert isinstance(printing._options, tuple)
