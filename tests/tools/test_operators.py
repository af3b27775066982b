"""The table of operators: it holds every public name and every operator, and the page is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

import convgrad
from convgrad import linalg, nn
from convgrad.ops import elementwise as ew
from convgrad.ops.op import Op
from convgrad.tensor.tensor import Tensor
from convgrad.tools import operators as table
from convgrad.tools.operator_gaps import GAPS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operators.md"
ROWS = {row.name: row for row in table.entries()}


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == table.page(), (
        "write it anew: python -m convgrad.tools.operators --write docs/operators.md"
    )


def test_every_public_function_has_a_row() -> None:
    for module, form in ((convgrad, "function"), (linalg, "linalg"), (nn.functional, "nn.functional")):
        for name in dir(module):
            value = getattr(module, name)
            if table._is_function(name, value) and name in getattr(module, "__all__", (name,)):
                row = ROWS.get(name)
                assert form in row.forms if row else "in place" in ROWS[name[:-1]].forms, f"{form} {name}"
    for name in dir(Tensor):
        if table._is_function(name, getattr(Tensor, name)):
            row = ROWS.get(name) or ROWS[name[:-1]]
            assert {"method", "in place"} & set(row.forms), name


@pytest.mark.parametrize(
    ("name", "forms", "operators"),
    [
        ("exp", "function, method, in place, out", "Exp"),
        ("mul", "function, method, in place, out", "Mul"),
        ("cummax", "function, method, out", None),
        ("max", "function, method, out", "MaxAll MaxDim Maximum"),
    ],
)
def test_rows_tell_what_the_code_says(name: str, forms: str, operators: str | None) -> None:
    row = ROWS[name]
    assert [f for f in ("function", "method", "in place", "out") if f in row.forms] == forms.split(", ")
    assert operators is None or sorted(op.__name__ for op in row.operators) == operators.split()
    assert row.reverse and row.forward and row.summary


@pytest.mark.parametrize(
    "name", "argsort bitwise_and bincount bool full gcd heaviside histc matrix_rank one_hot tensor".split()
)
def test_what_only_meets_operators_with_a_gradient_has_none(name: str) -> None:
    assert not ROWS[name].reverse


@pytest.mark.parametrize("name", "embedding igamma inv positive real take topk where zeta".split())
def test_what_has_one_in_some_of_its_tensors_has_one(name: str) -> None:
    assert ROWS[name].reverse


def test_comparisons_have_no_gradient_and_no_operator() -> None:
    assert not ROWS["eq"].reverse and not ROWS["eq"].operators
    assert ROWS["eq"].batching == ""


def test_a_function_that_calls_others_has_their_operators() -> None:
    names = {op.__name__ for op in ROWS["cosine_similarity"].operators}
    assert {"ClampMin", "Div", "Sum"} <= names


def test_every_operator_with_a_gradient_has_a_tangent_of_its_own() -> None:
    lacking = [row.name for row in ROWS.values() if row.reverse and not row.forward]
    assert not lacking, lacking


def test_every_name_says_what_it_gives() -> None:
    assert not [row.name for row in ROWS.values() if not row.summary]


def test_a_gap_has_a_reason_and_is_one() -> None:
    for (name, form), reason in GAPS.items():
        assert reason
        plain = ROWS.get(name)
        assert plain is None or form not in plain.forms, f"{name} has its form {form}: take the line out"


def test_dtypes_are_those_a_call_takes() -> None:
    assert ROWS["lerp"].dtypes == ()  # takes three
    assert "int64" in ROWS["exp"].dtypes and "bfloat16" in ROWS["exp"].dtypes
    assert "complex64" not in ROWS["maximum"].dtypes


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert table.main(["--write", str(tmp_path / "page.md")]) == 0
    assert table.main([]) == 0
    assert capsys.readouterr().out == (tmp_path / "page.md").read_text(encoding="utf-8")


def test_a_tangent_that_is_missing_is_seen() -> None:
    class Halved(Op):
        """Has a gradient but no tangent."""

        @staticmethod
        def forward(x: "Array") -> tuple[object, tuple[()]]:  # noqa: F821, UP037
            return x, ()

        @staticmethod
        def vjp_x(g: object) -> object:
            return g

    assert not table.has_jvp(Halved)
    assert table.has_jvp(ew.Exp)
