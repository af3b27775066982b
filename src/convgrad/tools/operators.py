"""The table of all operators, read from the code: what ``docs/operators.md`` is made of.

``python -m convgrad.tools.operators`` prints it, with ``--write FILE`` it writes it. One row per public
function or method: the forms it comes in, the operators behind it (found in the code of the function, of the
methods it calls and of the helpers between), and what follows from those: derivatives, batching. Nothing is
declared here but what PyTorch has and convgrad has not, with the reason (``operator_gaps.py``).
"""

from __future__ import annotations

import argparse
import dis
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from functools import _lru_cache_wrapper
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from convgrad.func.rules import RULES
from convgrad.ops.op import Op
from convgrad.tensor.out import rules
from convgrad.tensor.tensor import Tensor
from convgrad.tools.operator_gaps import GAPS

#: the package itself, which stands above this module and loads its namespaces when asked for them
_ROOT: Any = sys.modules["convgrad"]
#: namespaces of functions, those that do not exist yet included
SPACES = ("", "linalg", "fft", "special", "nn.functional")
KINDS = ("bool", "uint8", "int64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128")
_LETTERS = {
    "b": ("bool",), "i": ("uint8", "int64"), "h": ("float16", "bfloat16"), "f": ("float32", "float64"),
    "c": ("complex64", "complex128"),
}  # fmt: skip
#: functions that make every call of an operator: what they read says nothing of the caller
_MACHINERY = (
    "convgrad.tensor.tensor",
    "convgrad.graph",
    "convgrad.tensor.dual",
    "convgrad.tensor.out",
    "convgrad.tensor.views",
)


#: what stands behind a function that is written with an operator's sign, or that a method it calls hides
_BY_SIGN = {
    "add": "__add__", "sub": "__sub__", "subtract": "__sub__", "rsub": "__rsub__", "mul": "__mul__",
    "multiply": "__mul__", "div": "__truediv__", "divide": "__truediv__", "true_divide": "__truediv__",
    "floor_divide": "__floordiv__", "remainder": "__mod__", "neg": "__neg__", "negative": "__neg__",
    "outer": "__mul__", "ger": "__mul__", "kron": "__mul__", "square": "__mul__", "flatten": "reshape",
    "unflatten": "view", "view_as": "view", "reshape_as": "reshape", "atleast_1d": "reshape",
    "cosine_similarity": "__truediv__",
}  # fmt: skip
#: public helpers and switches that are no operators
_SWITCHES = (
    "convgrad.tensor.settings",
    "convgrad.printing",
    "convgrad.kernels",
    "convgrad.graph",
    "convgrad.tools",
)
_NO_OPERATORS = frozenset(
    """
    border_widths fork_rng function get_default_dtype get_rng_state initial_seed manual_seed
    method_functions seed set_default_dtype set_rng_state vmap
    """.split()
)


#: what takes more than one or two tensors, on its way meets operators that have a gradient, and has none
_NO_GRADIENT = frozenset(
    """
    apply_ arange bartlett_window bincount blackman_window bucketize empty empty_permuted eye fftfreq
    from_dlpack from_numpy full full_like hamming_window hann_window histogramdd kaiser_window map_
    new_tensor ones rand randint_like randn rfftfreq tril_indices triu_indices zeros
    """.split()
)
#: what hands its tensor on without an operator, or takes a mask or positions beside it
_GRADIENT = frozenset(
    """
    embedding imag masked_select positive real repeat_interleave resolve_conj resolve_neg take
    take_along_dim where
    """.split()
)


class Entry(NamedTuple):
    """One row: a name and what is known of it."""

    name: str
    forms: tuple[str, ...]  # of: function, method, in place, out, and the namespaces
    operators: tuple[type[Op], ...]
    summary: str
    source: str
    dtypes: tuple[str, ...]
    reverse: bool  # whether a gradient goes through it

    @property
    def forward(self) -> bool:
        """Whether every operator that has a gradient has a tangent of its own."""
        return all(has_jvp(op) for op in self.operators if op.traceable)

    @property
    def batching(self) -> str:
        """How ``vmap`` runs it: "batched", "sample by sample", or "" for what has no operator."""
        if not self.operators:
            return ""
        return "batched" if all(map(is_batched, self.operators)) else "sample by sample"


def has_jvp(op: type[Op]) -> bool:
    """Whether an operator has a tangent for each input that has a gradient."""
    if hasattr(op, "jvp"):
        return True
    if op.joint:
        return any(op.jvps)
    return all(jvp is not None for vjp, jvp in zip(op.vjps, op.jvps, strict=True) if vjp is not None)


def is_batched(op: type[Op]) -> bool:
    """Whether an operator runs once for all samples under ``vmap``: by a rule, or its class says so."""
    for kind in op.__mro__:
        if f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}" in RULES:
            return True
    return getattr(op, "batch", None) is not None


# What a function reads -----------------------------------------------------------------------------------


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _found(value: Any) -> Iterator[Any]:
    """Operators and functions among a value and what it holds."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from _found(item)
    elif isinstance(value, type) and issubclass(value, Op):
        yield value
    elif isinstance(value, (FunctionType, staticmethod)):
        yield getattr(value, "__func__", value)
    elif isinstance(value, _lru_cache_wrapper):  # what remembers its results
        yield value.__wrapped__


def _mentions(function: FunctionType) -> Iterator[Any]:
    """Operators, functions and names of methods that a function's code mentions."""
    for cell in function.__closure__ or ():
        yield from _found(cell.cell_contents)
    for code in _codes(function.__code__):
        last: Any = None
        for step in dis.get_instructions(code):
            name = step.opname
            if name.startswith(("LOAD_GLOBAL", "LOAD_NAME")):
                last = function.__globals__.get(step.argval)
                yield from _found(last)
            elif name.startswith(("LOAD_ATTR", "LOAD_METHOD")):
                last = getattr(last, step.argval, None) if isinstance(last, ModuleType) else step.argval
                yield from (last,) if isinstance(last, str) else _found(last)
            else:
                last = None


def operators_of(function: Any, seen: set[Any] | None = None) -> set[type[Op]]:
    """The operators behind a function: those it names, and those behind what it calls."""
    seen = set() if seen is None else seen
    function = getattr(function, "__func__", function)
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if not isinstance(function, FunctionType) or function in seen:
        return set()
    seen.add(function)
    owner = getattr(sys.modules.get(function.__module__), function.__qualname__.partition(".")[0], None)
    if isinstance(owner, type) and issubclass(owner, Op):  # an operator's forward in a closure
        return {owner} if function.__name__ in ("forward", owner.__name__) else set()
    found: set[type[Op]] = set()
    for item in _mentions(function):
        if isinstance(item, type):
            found |= {item} if getattr(item, "forward", None) is not None else set()
        elif isinstance(item, str):
            found |= operators_of(_method(item), seen) if item not in _EVERYWHERE else set()
        elif not item.__module__.startswith(_MACHINERY) and item.__module__.startswith("convgrad."):
            found |= operators_of(item, seen)
    return found


#: methods that many functions call on the way, and that say nothing of what they compute
_EVERYWHERE = frozenset(
    "to detach clone view reshape requires_grad requires_grad_ item tolist numpy dtype shape size dim".split()
)


def _method(name: str) -> Any:
    return getattr(Tensor, name, None) if name and not name.startswith("__") else None


# The rows ------------------------------------------------------------------------------------------------


def names() -> dict[str, dict[str, Any]]:
    """Every public name: form or namespace -> the function."""
    found: dict[str, dict[str, Any]] = {}
    for space in SPACES:
        module = _space(space)
        for name in () if module is None else dir(module):
            value = getattr(module, name, None)
            if not _is_function(name, value) or (space and name not in getattr(module, "__all__", (name,))):
                continue
            found.setdefault(name, {})[space or "function"] = value
    for name in dir(Tensor):
        value = getattr(Tensor, name, None)
        if _is_function(name, value):
            found.setdefault(name, {})["method"] = value
    for name in [n for n in found if n.endswith("_") and n[:-1] in found]:
        places = found.pop(name)
        found[name[:-1]]["in place"] = places.get("method") or next(iter(places.values()))
    return found


def _space(space: str) -> ModuleType | None:
    module: Any = _ROOT
    for part in space.split(".") if space else ():
        module = getattr(module, part, None)
    return module


def _is_function(name: str, value: Any) -> bool:
    return (
        not name.startswith("_")
        and callable(value)
        and not isinstance(value, (type, ModuleType))
        and getattr(value, "__module__", "").startswith("convgrad")
        and not value.__module__.startswith(_SWITCHES)
        and name not in _NO_OPERATORS
    )


def entries() -> list[Entry]:
    """All rows, by name."""
    rows = []
    for name, places in sorted(names().items()):
        operators: set[type[Op]] = set()
        for form, function in places.items():
            if form != "in place" or len(places) == 1:
                operators |= operators_of(function)
        operators |= operators_of(getattr(Tensor, _BY_SIGN.get(name, ""), None))
        plain = [f for form, f in places.items() if form != "in place"] or list(places.values())
        forms = list(places)
        if any((f"{s}." if s in SPACES else "") + name in rules() for s in places):
            forms.append("out")
        ordered = tuple(sorted(operators, key=lambda op: (op.__module__, op.__name__)))
        call = places.get("function") or next(iter(places.values()))
        docs = [f.__doc__ for f in plain if f.__doc__] + [op.__doc__ for op in ordered if op.__doc__]
        text = (docs or [""])[0] or ""
        kinds = accepted(call) if ordered and "in place" not in forms[:1] else ()
        reverse = name in _GRADIENT or (
            any(op.traceable for op in ordered) and name not in _NO_GRADIENT and carries(call, kinds)
        )
        rows.append(Entry(name, tuple(forms), ordered, summary(text), _source(text, ordered), kinds, reverse))
    return rows


def summary(text: str) -> str:
    """The first sentence of a docstring, on one line."""
    first = re.split(r"\n\s*\n", text.strip())[0]
    return re.sub(r"\s+", " ", first).strip()


def _source(text: str, operators: Sequence[type[Op]]) -> str:
    for doc in (text, *[op.__doc__ or "" for op in operators]):
        found = re.search(r"Source:\s*(.+?)(?:\n\s*\n|\Z)", doc, re.DOTALL)
        if found:
            return re.sub(r"\s+", " ", found[1]).strip().rstrip(".")
    return ""


def accepted(function: Any) -> tuple[str, ...]:
    """The dtypes of which a function takes one matrix, or two, of shape (2, 2); () if it needs more."""
    found = []
    for kind in KINDS:
        ones = _ROOT.ones(2, 2, dtype=getattr(_ROOT, kind))  # probabilities, too
        regular = ones + _ROOT.eye(2).to(ones.dtype) if kind != "bool" else ones
        for args in ((ones,), (regular,), (ones, ones), (regular, regular)):
            try:
                with np.errstate(all="ignore"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    function(*args)
            except Exception:  # whatever it says: it does not take these
                continue
            found.append(kind)
            break
    return tuple(found)


def carries(function: Any, kinds: Sequence[str]) -> bool:
    """Whether one of one or two matrices that a function takes gets a gradient; True if it needs more."""
    if not kinds:
        return True
    called = False
    for count, place in ((1, 0), (2, 0), (2, 1)):
        args = [_ROOT.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=_ROOT.float64) for _ in range(count)]
        leaf = args[place].requires_grad_()
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                results = function(*args)
        except Exception:  # whatever it says: it does not take these
            continue
        called = True
        for result in results if isinstance(results, (tuple, list)) else (results,):
            if isinstance(result, Tensor) and result.requires_grad:
                try:
                    _ROOT.autograd.grad(result, leaf, _ROOT.ones_like(result), allow_unused=True)
                except RuntimeError:  # a derivative that says that it is not there
                    continue
                return True
    # what takes only integers has no gradient; of what takes other floats the operators tell
    return not called and bool({"float32", "float64", "complex64", "complex128"} & set(kinds))


# The page ------------------------------------------------------------------------------------------------


def page() -> str:
    """The table in Markdown."""
    rows = entries()
    differentiable = sum(row.reverse for row in rows)
    lines = [
        "# Operators",
        "",
        "Made from the code by `python -m convgrad.tools.operators --write docs/operators.md`.",
        "",
        (
            f"{len(rows)} names, {differentiable} of them differentiable. Forms: **f** a function of "
            "`convgrad`, **m** a method of a tensor, **i** an in-place method `name_`, **o** takes `out=`; "
            "and the other namespaces. Gradient: **yes** in reverse and in forward mode, **reverse** in that "
            "mode alone; of some of its tensors, if not of all. Dtypes, where one or two tensors are enough: "
            "**b** bool, **i** integers, **h** float16 and bfloat16, **f** float32 and float64, **c** "
            "complex. `vmap`: + runs once for all samples, s runs sample by sample. Operators: the classes "
            "in `convgrad.ops`, each with its derivatives in both modes, of which the function is made."
        ),
        "",
        "| name | forms | gradient | dtypes | vmap | operators | what it gives |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_row(row) for row in rows]
    lines += ["", "## What does not apply", "", "| name | lacks | why |", "|---|---|---|"]
    lines += [f"| {name} | {form} | {reason} |" for (name, form), reason in sorted(GAPS.items())]
    return "\n".join(lines) + "\n"


def _row(row: Entry) -> str:
    short = {"function": "f", "method": "m", "in place": "i", "out": "o"}
    forms = "".join(short[f] for f in short if f in row.forms)
    spaces = " ".join(f for f in row.forms if f not in short)
    gradient = "" if not row.reverse else "yes" if row.forward else "reverse"
    vmap = {"batched": "+", "sample by sample": "s", "": ""}[row.batching]
    many = 6
    operators = ", ".join(op.__name__ for op in row.operators[:many]) + (
        ", ..." if row.operators[many:] else ""
    )
    said = row.summary.replace("|", "\\|") + (f" Source: {row.source}" if row.source else "")
    kinds = "".join(letter for letter, members in _LETTERS.items() if set(members) <= set(row.dtypes))
    cells = (f"`{row.name}`", f"{forms} {spaces}".strip(), gradient, kinds, vmap, operators, said)
    return f"| {' | '.join(cells)} |"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(prog="python -m convgrad.tools.operators", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page instead of printing it")
    options = parser.parse_args(argv)
    if options.write is None:
        print(page(), end="")
    else:
        options.write.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
