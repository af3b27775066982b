"""docs/dropin.md names what is there: every name of its tables is looked up."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import convgrad
from convgrad import torchvision
from convgrad.torch.finder import VERSION

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "dropin.md").read_text(encoding="utf-8")


def row(first: str) -> str:
    """The text of a table's row."""
    return re.search(rf"^\| `{re.escape(first)}`.*? \| (.*) \|$", PAGE, re.M)[1]


@pytest.mark.parametrize("part", ["datasets", "transforms", "utils"])
def test_names_of_torchvision_exist_and_are_all_named(part: str) -> None:
    named = set(re.findall(r"`([A-Za-z_]\w*)`", row(part))) - {"root", "functional", "CONVGRAD_DATA"}
    module = getattr(torchvision, part)
    listed = set(module.__all__) - {"functional", "InterpolationMode", "StandardTransform"}
    assert named == listed


def test_the_version_is_the_one_that_is_said() -> None:
    assert f"`{VERSION}`" in PAGE


def test_shells_exist() -> None:
    for name in (
        "cuda",
        "mps",
        "xpu",
        "accelerator",
        "amp",
        "compiler",
        "jit",
        "distributed",
        "profiler",
        "hub",
    ):
        assert f"torch.{name}" in PAGE or f"`{name}`" in PAGE
        assert getattr(convgrad, name).__name__.startswith("convgrad.")
    importlib.import_module("convgrad.utils.tensorboard")
    assert callable(convgrad.compile) and callable(convgrad.autocast)
