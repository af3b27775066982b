"""The kernel table can be rebound, and says what is in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from convgrad import backends, kernels
from convgrad.errors import ConvgradError
from convgrad.kernels import reference


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(kernels, "_sets", dict(kernels._sets))
    before = kernels.table.name
    yield
    monkeypatch.undo()
    kernels.table.fill(before)


@pytest.mark.usefixtures("restored")
def test_use_rebinds_and_fills_gaps_from_the_reference() -> None:
    def convolve() -> str:
        return "mine"

    kernels.register("mine", {"convolve": convolve})
    backends.use("mine")
    assert kernels.table.convolve() == "mine"  # type: ignore[comparison-overlap]
    assert kernels.table.convolve_input_grad is reference.convolve_input_grad
    assert backends.info()["kernels"] == "mine"
    assert backends.info()["available"].endswith(", mine")
    backends.use("reference")
    assert kernels.table.convolve is not convolve


def test_unknown_kernels_are_refused_and_nothing_changes() -> None:
    name, before = kernels.table.name, kernels.table.convolve
    with pytest.raises(ConvgradError, match=r"no kernels called 'cuda'.*available: reference"):
        backends.use("cuda")
    assert backends.info()["kernels"] == name
    assert kernels.table.convolve is before


def test_a_kernel_without_a_slot_is_refused() -> None:
    with pytest.raises(KeyError, match="convolv3"):
        kernels.register("typo", {"convolv3": print})
    assert "typo" not in kernels.registered()


def test_every_kernel_is_there_in_every_set() -> None:
    before = kernels.table.name
    names = [kernel for family in kernels.FAMILIES.values() for kernel in family.kernels]
    try:
        for name in kernels.registered():
            kernels.table.fill(name)
            assert all(callable(getattr(kernels.table, kernel)) for kernel in names)
    finally:
        kernels.table.fill(before)


def test_a_compiled_kernel_is_one_of_its_family() -> None:
    for family in kernels.FAMILIES.values():
        assert set(family.compiled) <= set(family.kernels)


def test_a_misprint_is_no_kernel() -> None:
    with pytest.raises(AttributeError, match="convolv3"):
        _ = kernels.table.convolv3
