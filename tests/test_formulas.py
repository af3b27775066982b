"""Derivative formulas keep to what both arrays and recorded values understand (DESIGN.md, ruling R1).

A checker over the syntax trees of all ``vjp*``, ``jvp*`` and ``relift`` bodies in ``convgrad.ops``:
no branching on values, no writing into arrays, no NumPy functions of inputs.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import convgrad.ops

FOLDER = Path(convgrad.ops.__file__).parent
FORMULAS = ("vjp", "jvp", "relift")

#: annotations of parameters that may hold recorded values
VALUES = {"Value", "tuple[Value, ...]", "Sequence[Value]"}

#: NumPy's functions that make constants or ask for types, never follow a value
CONSTANTS = {
    "zeros", "ones", "empty", "full", "arange", "array", "asarray", "eye", "tri", "prod", "dtype", "ndarray", "where",
    "indices", "ogrid", "finfo", "float32", "float64", "int64", "errstate", "cumsum", "diff", "logical_not", "isnan",
    "ix_", "expand_dims", "maximum", "minimum", "broadcast_to", "argsort", "concatenate", "take_along_axis", "pi",
    "s_", "bool_", "newaxis", "swapaxes", "moveaxis", "count_nonzero", "sqrt", "log", "exp", "sign", "abs", "unravel_index",
    "shape", "ndim", "intp", "triu", "tril", "isfinite", "isinf", "signbit", "greater", "less", "any", "all", "sum", "inf", "nan", "euler_gamma", "full_like", "zeros_like", "ones_like",
}  # fmt: skip


def complaints(source: str, name: str = "source") -> list[str]:
    """What in the formulas of a module breaks the rules."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name.split("_")[0] in FORMULAS:
                    found += [
                        f"{name}:{line}: {node.name}.{item.name}: {what}" for line, what in _check(item)
                    ]
    return found


def _check(function: ast.FunctionDef) -> list[tuple[int, str]]:
    arguments = function.args.args + ([function.args.vararg] if function.args.vararg else [])
    values = {a.arg for a in arguments if a.annotation is not None and ast.unparse(a.annotation) in VALUES}
    found: list[tuple[int, str]] = []
    for node in ast.walk(function):
        if isinstance(node, ast.If | ast.IfExp | ast.While) and _branches_on_value(node.test, values):
            found.append((node.lineno, f"branches on a value: {ast.unparse(node.test)}"))
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Subscript) and _root(target) in values:
                    found.append((node.lineno, f"writes into {ast.unparse(target)}"))
                if isinstance(node, ast.AugAssign) and isinstance(target, ast.Name) and target.id in values:
                    found.append((node.lineno, f"changes {target.id} in place"))
        elif isinstance(node, ast.Call):
            found += _check_call(node, values)
    return found


def _check_call(node: ast.Call, values: set[str]) -> list[tuple[int, str]]:
    """np.f(value) cuts the graph; out= writes."""
    found = []
    if any(k.arg == "out" for k in node.keywords):
        found.append((node.lineno, "writes through out="))
    path = ast.unparse(node.func)
    if path.startswith("np."):
        direct = {a.id for a in node.args if isinstance(a, ast.Name)}
        if direct & values or path.split(".")[1] not in CONSTANTS:
            found.append((node.lineno, f"calls {ast.unparse(node)}"))
    return found


def _branches_on_value(test: ast.expr, values: set[str]) -> bool:
    """A test may ask for types, shapes and None, not for the elements of a value."""
    if isinstance(test, ast.BoolOp):
        return any(_branches_on_value(part, values) for part in test.values)
    if isinstance(test, ast.UnaryOp):
        return _branches_on_value(test.operand, values)
    if isinstance(test, ast.Name):
        return test.id in values
    if isinstance(test, ast.Compare):
        sides = [test.left, *test.comparators]
        if any(isinstance(s, ast.Constant) and s.value is None for s in sides):
            return False
        return any(isinstance(s, ast.Name) and s.id in values for s in sides)
    if isinstance(test, ast.Call) and isinstance(test.func, ast.Attribute):
        return _root(test.func) in values and test.func.attr in ("any", "all", "item", "max", "min", "sum")
    return False


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


#: formulas that break a rule on purpose: reason
ALLOWED = {
    "elementwise.py": {
        "Pow.vjp_x": "the exponent is a number there: its type was asked first",
        "Pow.vjp_p": "the base is a number there: its type was asked first",
    },
}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda p: p.stem)
def test_formulas_keep_the_rules(path: Path) -> None:
    allowed = ALLOWED.get(path.name, {})
    wrong = [
        c for c in complaints(path.read_text(), path.name) if not any(f" {name}:" in c for name in allowed)
    ]
    assert wrong == []


BAD = """
class Bad(Op):
    def vjp_x(g: Value, x: Value, n: int) -> Value:
        if x > 0:
            g[0] = 1
        g += x
        if n > 0 and x.any():
            return np.multiply(g, x)
        np.add(1, 2, out=n)
        return np.where(x, 1, 2)
"""


def test_the_checker_sees_each_kind_of_mistake() -> None:
    text = "\n".join(complaints(BAD))
    for what in (
        "x > 0",
        "writes into g[0]",
        "changes g in place",
        "x.any()",
        "np.multiply(g, x)",
        "out=",
        "np.where(x",
    ):
        assert what in text


def test_the_checker_lets_a_good_formula_pass() -> None:
    good = "class Good(Op):\n    def vjp_x(g: Value, x: Value, n: int) -> Value:\n        if n > 2 or x is None:\n"
    assert complaints(good + "            return g * np.zeros(n)\n        return g * (x > 0)\n") == []
