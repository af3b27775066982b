"""PyTorch's own samples of its operators: values, shapes, dtypes, gradients, forms and errors agree.

Every change runs an evenly spread part of the samples; ``-m slow`` runs all. What differs stands in
``samples_failing.txt`` with its reason.
"""

from __future__ import annotations

import pytest
from tests.parity.samples import DTYPES, LAYOUTS, MISSING, OPERATORS, Outcome, differentiable, report, samples
from tests.parity.samples_list import in_scope, judged, read

FEW = 5  # of each operator, check and dtype: some 14,000 checks in all
LEAST = 0.95
FAILING = read()


def judge(name: str, outcomes: list[Outcome]) -> None:
    """Every difference is listed, and everything listed still differs."""
    wrong = []
    for o in outcomes:
        entry = FAILING.get((name, o.check, o.dtype))
        listed = entry is not None and (entry[0] is None or o.index in entry[0])
        if o.error is None and listed:
            wrong.append(f"{o.check} {o.dtype} {o.index} agrees: take it out of samples_failing.txt")
        elif o.error is not None and not listed:
            wrong.append(f"{o.check} {o.dtype} {o.index}: {type(o.error).__name__}: {o.error}")
    kinds = {(o.check, o.dtype) for o in outcomes}
    if (name, MISSING, "all") in FAILING and (MISSING, "all") not in kinds:
        wrong.append("is there now: run samples_list.py")
    assert not wrong, f"{name}: {len(wrong)} of {len(outcomes)} checks\n" + "\n".join(wrong[:20])


@pytest.mark.parametrize("name", judged())
def test_samples(name: str) -> None:
    judge(name, report(name, FEW))


@pytest.mark.slow
@pytest.mark.parametrize("name", judged())
def test_all_samples(name: str) -> None:
    judge(name, report(name))


@pytest.mark.slow
def test_share_of_samples_that_agree() -> None:
    """Of all checks of the operators in scope that convgrad has, at least 95 % agree."""
    outcomes = [o for name in judged() if in_scope(name) for o in report(name, 8) if o.check != MISSING]
    agree = sum([o.error is None for o in outcomes])
    assert agree / len(outcomes) >= LEAST, f"{agree} of {len(outcomes)}"


def test_every_line_has_a_reason_and_an_operator() -> None:
    for (name, check, dtype), (_, reason) in FAILING.items():
        assert name in OPERATORS
        assert reason and not reason.startswith("?"), f"{name} {check} {dtype}: find the reason"


def test_thirty_samples_of_an_operator_are_compared() -> None:
    """Of ``add`` and ``nn.functional.conv2d``, as examples: PyTorch's samples in every dtype and layout."""
    for name in ("add", "nn.functional.conv2d", "sum", "gather"):
        op = OPERATORS[name]
        kinds = [k for k in DTYPES if DTYPES[k] in op.supported_dtypes("cpu")]
        count = sum([len(samples(op, k, differentiable(op, k))) for k in kinds])
        assert count + (len(LAYOUTS) - 1) * len(samples(op, kinds[0], False)) >= 30
