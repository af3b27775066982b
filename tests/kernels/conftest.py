"""What tests of several families of kernels want."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.kernels.sets import SETS, using


@pytest.fixture(params=SETS)
def every_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set in turn."""
    with using(request.param):
        yield request.param
