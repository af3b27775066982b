"""Elementwise functions over all dtypes and all pairs of dtypes: result dtype, value, gradient, error."""

from __future__ import annotations

import pytest

from . import test_elementwise as elementwise
from . import test_special as special
from .test_elementwise import Call, _array, _compare

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

DTYPES = (
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64",
    "complex128",
)  # fmt: skip
#: there is no complex32 here: float16 with a complex number is complex64
ABSENT = ("complex32", "ComplexHalf")
#: PyTorch's gradients of a float beside small integers are taken in integers, which wrap around
INTEGERS = {"atan2", "pow", "rpow", "float_power", "div", "true_divide", "zeta", "zeta+", "ldexp", "f.ldexp"}
#: PyTorch's sums of a half's tail differ by more than a half's rounding
HALVES = ("zeta+",)

UNARY = {**elementwise.UNARY, **special.UNARY}
BINARY = {**elementwise.BINARY, **special.BINARY}
IN_PLACE = {**elementwise.IN_PLACE, **special.IN_PLACE}
KNOWN = {
    name: elementwise.KNOWN.get(name, ()) + special.KNOWN.get(name, ())
    for name in (*UNARY, *BINARY, *IN_PLACE)
}


def _meant(name: str, line: str, dtypes: tuple[str, ...]) -> bool:
    """Whether a difference is one that is meant."""
    small = any(d.startswith(("int", "uint", "bool")) for d in dtypes)
    return (
        any(word in line for word in (*ABSENT, *KNOWN[name]))
        or (name in INTEGERS and small and "grad:" in line)
        or (name in HALVES and "float16" in line)
    )


def _problems(
    name: str, call: Call, shapes: tuple[tuple[int, ...], ...], dtypes: tuple[str, ...], in_place: bool
) -> str:
    arrays = tuple([_array(len(name) + i, s, d) for i, (s, d) in enumerate(zip(shapes, dtypes, strict=True))])
    found = _compare(call, arrays, in_place)
    line = f"{[f'{d}{list(s)}' for s, d in zip(shapes, dtypes, strict=True)]}: {found}"
    return line if found and not _meant(name, line, dtypes) else ""


@pytest.mark.parametrize("table", [UNARY, IN_PLACE], ids=["unary", "in_place"])
def test_all_dtypes(table: dict[str, Call]) -> None:
    problems = [
        f"{name} {line}"
        for name, call in table.items()
        for d in DTYPES
        for shape in ((3, 4), ())
        if (line := _problems(name, call, (shape,), (d,), table is IN_PLACE))
    ]
    assert not problems, f"{len(problems)}\n" + "\n".join(problems[:20])


@pytest.mark.parametrize("name", BINARY)
def test_all_pairs(name: str) -> None:
    problems = [
        line
        for a in DTYPES
        for b in DTYPES
        for shapes in (((2, 3), (2, 3)), ((), (3,)), ((3,), ()))
        if (line := _problems(name, BINARY[name], shapes, (a, b), False))
    ]
    assert not problems, f"{len(problems)}\n" + "\n".join(problems[:12])
