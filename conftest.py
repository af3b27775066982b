"""Names that the examples in docstrings may use: PyTorch's, and one small tensor x."""

from __future__ import annotations

from typing import Any

import pytest

import convgrad as torch
from convgrad import nn


@pytest.fixture(autouse=True)
def _names_of_examples(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace.update(
        torch=torch, tensor=torch.tensor, zeros=torch.zeros, ones=torch.ones, Flatten=nn.Flatten,
        Linear=nn.Linear, x=torch.arange(6.0).reshape(3, 2),
    )  # fmt: skip
