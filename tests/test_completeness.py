"""Every operator has cases of every kind that applies to it, or stands in the list of gaps with a reason.

The list, ``tests/incomplete.txt``, may only shrink: a new gap fails, and so does a line whose gap is
closed. ``python -m tests.test_completeness`` from the project's folder writes it anew after cases were added.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

import convgrad.ops
from convgrad.ops.op import Bilinear, Elementwise, Op

from .generic import CASES, ERRORS

LIST = Path(__file__).with_name("incomplete.txt")

KINDS = ("ordinary", "broadcast", "empty", "0d", "strided", "mixed", "error")


def _for(names: str, kinds: str, reason: str) -> dict[tuple[str, str], str]:
    """The same reason for several operators (or modules) and kinds."""
    return {(name, kind): reason for name in names.split() for kind in kinds.split()}


#: kinds that make no sense for an operator (or all of a module): reason
EXEMPT: dict[tuple[str, str], str] = {
    **_for("conv", "0d", "an image has at least three dimensions"),
    **_for("linalg spectral determinant ldl", "0d", "a matrix has two dimensions"),
    **_for("pool", "0d", "an image has at least two dimensions"),
    **_for(
        "Mm MatMul Bmm Mv BatchedMv Vm BatchedVm Dot Vdot Cross Trace Affine AffineFolded", "0d",
        "a factor has at least one dimension",
    ),
    **_for("resample grid_sample fold", "0d", "an image has at least three dimensions"),
    **_for("norm", "0d", "needs channels"),
    **_for(
        "ConvolveRelu ConvolutionRelu ConvolveTransposedRelu TransposedConvolutionRelu AffineRelu BatchNormRelu "
        "BatchNormEvalRelu", "0d", "as the operator that is joined with relu",
    ),
    **_for("EmbeddingDense", "0d", "what arrives at rows of a table has at least one dimension"),
    **_for("ViewAsComplex", "0d", "the last dimension holds the pairs"),
    **_for("ViewAsComplex", "strided", "refuses other strides by definition"),
    **_for("AsStrided AsStridedInPlace", "strided", "reads memory by strides, so other strides are other values"),
    **_for("MaskedFill", "mixed", "the number is cast to the tensor's dtype"),
    **_for("OfInput OfOutput Relation Bitwise _Modified _Pairwise Unrecorded Polynomial Divisor", " ".join(KINDS), "a base: each function has its own cases"),
    **_for(
        "Rsub Pow PowBase RemainderNumber FmodNumber CopysignNumber XLogYFirst XLogYNumber XLog1pYFirst "
        "XLog1pYNumber ZetaFirst ZetaNumber", "broadcast",
        "the other operand is a number, which has no shape",
    ),
    **_for("Prelu Complex Polar Lerp LerpTensor Heaviside", "mixed", "mixed dtypes are refused, as in PyTorch (an error case)"),
    **_for("ConvolveWeightGrad", "error", "only derivatives call it: no public call, so no bad one"),
    **_for(
        "ReflectionPad1D ReflectionPad2D ReflectionPad3D ReplicationPad1D ReplicationPad2D ReplicationPad3D "
        "CircularPad", "0d", "pads the last axes, so there must be some (signals have at least two dimensions)",
    ),
    **_for("Diagonal DiagonalCopy DiagonalScatter Rot90 Tril Triu", "0d", "needs a matrix: two axes"),
    **_for("DiagonalPut", "0d", "the diagonal it places is an axis"),
    **_for("Select Slice SelectScatter SliceScatter Split SplitSizes Unbind Cat", "0d", "works along an axis"),
    **_for("Contract ArrangeSum", "0d", "sums over an axis that its operands have"),
    **_for("NllLoss2D", "0d", "classes at positions: at least three dimensions"),
    **_for("Place ScatterSum", "0d", "Gather and the extremes view a 0-d tensor as 1-d before they are recorded"),
    **_for("UnsafeSplit UnsafeSplitSizes", "0d", "works along an axis"),
    **_for("Cdist EuclideanDist Renorm", "0d", "rows of a matrix: at least two dimensions"),
    **_for("FftR2C FftR2CWhole FftC2R", "0d", "transforms along an axis"),
    **_for("Contiguous", "0d", "one element is contiguous: contiguous() gives the tensor itself"),
    **_for("MultiMarginLoss MultilabelMarginLoss", "0d", "rows of classes: a number is one before it is recorded"),
    **_for("CtcLoss", "0d", "steps of sequences of classes: three dimensions"),
    **_for("CtcLoss", "empty", "nothing is refused, as in PyTorch (an error case)"),
    **_for("ScaledDotProductAttention", "0d", "queries and keys are rows of matrices"),
    **_for("SelfAttention", "0d", "queries and keys are rows of matrices"),
    **_for("recurrent", "0d", "steps of sequences of features: three dimensions"),
    **_for("EmbeddingBag EmbeddingBagMax", "0d", "a table has two dimensions"),
    **_for("Glu", "0d", "halves an axis"),
    **_for("MaxAll MinAll", "empty", "nothing has no extreme: refused, as in PyTorch (an error case)"),
}  # fmt: skip


def operators() -> list[type[Op]]:
    """All operators of convgrad that can be called; bases without a forward are none."""
    for entry in pkgutil.iter_modules(convgrad.ops.__path__):
        importlib.import_module(f"convgrad.ops.{entry.name}")
    found: set[type[Op]] = set()
    stack: list[type[Op]] = [Op]
    while stack:
        for op in stack.pop().__subclasses__():
            stack.append(op)
            if op.__module__.startswith("convgrad.ops.") and getattr(op, "forward", None) is not None:
                found.add(op)
    return sorted(found, key=lambda op: (op.__module__, op.__name__))


def required(op: type[Op]) -> set[str]:
    """The kinds of cases an operator needs."""
    kinds = {"ordinary", "empty", "0d", "strided"}
    if len(op.inputs) > 1 and issubclass(op, Elementwise):
        kinds |= {"broadcast", "mixed"}
    if len(op.inputs) > 1 and issubclass(op, Elementwise | Bilinear):
        kinds.add("error")
    module = op.__module__.rpartition(".")[2]
    return {k for k in kinds if (module, k) not in EXEMPT and (op.__name__, k) not in EXEMPT}


def present(op: type[Op]) -> set[str]:
    """The kinds the tables have for an operator."""
    kinds: set[str] = set()
    for case in CASES:
        if case.op is op:
            kinds |= case.tags or {"ordinary"}
    return kinds | {"error" for e in ERRORS if e.op is op}


def gaps() -> dict[str, str]:
    """The kinds each operator lacks, by its full name."""
    found = {}
    for op in operators():
        missing = required(op) - present(op)
        if missing:
            found[f"{op.__module__.rpartition('.')[2]}.{op.__name__}"] = " ".join(sorted(missing))
    return found


def listed() -> dict[str, tuple[str, str]]:
    """The known gaps: name -> (kinds, reason)."""
    lines = [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    rows = [[part.strip() for part in line.split("|")] for line in lines]
    return {name: (kinds, reason) for name, kinds, reason in rows}


def test_no_operator_lacks_a_kind_of_case_that_is_not_listed() -> None:
    known = listed()
    new = {
        name: kinds for name, kinds in gaps().items()
        if not set(kinds.split()) <= set(known.get(name, ("", ""))[0].split())
    }  # fmt: skip
    assert not new, f"operators without these kinds of cases: {new}"


def test_the_list_of_gaps_only_shrinks() -> None:
    now = gaps()
    closed = [name for name, (kinds, _) in listed().items() if now.get(name) != kinds]
    if closed:
        pytest.fail(
            f"gaps that are closed; write the list anew with python -m tests.test_completeness: {closed}"
        )
    assert all(reason for _, reason in listed().values())


def test_every_case_names_an_operator_that_exists() -> None:
    known = set(operators())
    assert {c.op for c in CASES} <= known
    names = [str(c) for c in CASES]
    assert len(known) > 100
    assert sum(names.count(n) > 1 for n in set(names)) <= len(names) // 10


def write() -> None:
    """Write the list of gaps, keeping the reasons of lines that stay."""
    known = listed() if LIST.exists() else {}
    lines = ["# operator | kinds of cases it lacks | why; may only shrink (tests/test_completeness.py)"]
    for name, kinds in sorted(gaps().items()):
        reason = known.get(name, ("", "its family's table does not cover it yet"))[1]
        lines.append(f"{name} | {kinds} | {reason}")
    LIST.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    write()
