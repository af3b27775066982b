"""Every bad call in the tables raises PyTorch's exception type, with the phrase people search for."""

from __future__ import annotations

import re

import pytest

from .cases.case import ErrorCase
from .generic import ERRORS


@pytest.mark.parametrize("case", ERRORS, ids=str)
def test_bad_call(case: ErrorCase) -> None:
    with pytest.raises(case.error, match=re.escape(case.phrase)) as caught:
        case.call()
    assert len(str(caught.value)) > 10
