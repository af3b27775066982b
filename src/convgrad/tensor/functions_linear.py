"""Products of several tensors: ``einsum``, ``tensordot``, ``linear``, ``multi_dot`` and their kin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from ..ops import einsum as contraction
from ..ops import matmul as ops
from ..ops.einsum import Labels
from ..ops.shape import Clone, Reshape
from .methods.base import dim_index
from .methods.linear import check_expands, check_product, same_dtype, same_scalar_type
from .tensor import Tensor, apply

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input @ weight.T + bias``.

    Args:
        input: float, ``(..., in_features)``.
        weight: same dtype, ``(out_features, in_features)``, or ``(in_features)``.
        bias: same dtype, ``(out_features)``.
    Returns:
        ``(..., out_features)``.
    Raises:
        ShapeError: the feature sizes differ.
        DtypeError: the dtypes differ.
    Example:
        >>> linear(Tensor([[1.0, 2.0]]), Tensor([[3.0, 4.0]])).tolist()
        [[11.0]]

    Source: semantics of torch.nn.functional.linear.
    """
    x, w = input._data, weight._data
    if not x.ndim or not w.ndim:
        raise ShapeError(
            f"both arguments to linear need to be at least 1D, but they are {x.ndim}D and {w.ndim}D"
        )
    if w.ndim > 2:
        raise ShapeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {w.ndim}D (weight {list(w.shape)})"
        )
    if w.ndim == 1:
        if bias is not None:
            raise ShapeError(f"mat2 must be a matrix, got 1-D tensor (weight {list(w.shape)})")
        return input.matmul(weight)
    if bias is None:
        return input.matmul(weight.transpose(0, 1))
    check_product(x, w.T)
    if bias._data.dtype != x.dtype:
        same_scalar_type(bias._data, x)
    check_expands(bias._data, (math.prod(x.shape[:-1]), w.shape[0]))
    op = ops.Affine if x.ndim == 2 else ops.AffineFolded
    return apply(op, (bias, input, weight))


def einsum(*args: Any) -> Tensor:
    """Sums of products in Einstein's notation.

    Args:
        args: an equation such as ``"bij,jk->bik"`` and one tensor per operand (or a list of them); or
            tensors and lists of ints in turn, as in ``einsum(a, [0, 1], b, [1, 2], [0, 2])``. Without
            ``->`` the result has the letters that occur once, in order. ``...`` stands for the
            dimensions not named, which broadcast; a letter repeated in one operand is its diagonal.
    Returns:
        One dimension per letter of the result.
    Raises:
        ShapeError: the equation does not fit the operands.
    Example:
        >>> einsum("ij,kj->ik", Tensor([[1.0, 2.0]]), Tensor([[3.0, 4.0]])).tolist()
        [[11.0]]

    Source: semantics of torch.einsum.
    """
    terms, result, tensors = (
        _from_lists(args) if args and isinstance(args[0], Tensor) else _from_equation(args)
    )
    _check_count(terms, tensors)
    labels, out, operands = _resolve(terms, result, tensors)
    if len(operands) == 1:
        summed = set(labels[0]) - set(out)
        op = contraction.ArrangeSum if summed else contraction.Arrange
        return apply(op, tuple(operands), (labels[0], out))
    for steps in contraction.plan([x._data.shape for x in operands], labels, out):
        last = len(operands) == 2
        a, b = [operands[i] for i in steps]
        la, lb = [labels[i] for i in steps]
        operands = [x for i, x in enumerate(operands) if i not in steps]
        labels = [x for i, x in enumerate(labels) if i not in steps]
        wanted = set(out).union(*labels)
        lo = out if last else tuple([i for i in dict.fromkeys((*la, *lb)) if i in wanted])
        operands.append(_contract(a, b, la, lb, lo))
        labels.append(lo)
    return operands[0]


def _contract(a: Tensor, b: Tensor, la: Labels, lb: Labels, lo: Labels) -> Tensor:
    same_scalar_type(a._data, b._data)
    op = contraction.Contract if set(la) & set(lb) - set(lo) else contraction.ContractMul
    return apply(op, (a, b), (la, lb, lo))


Term = list[Any]  # ints, and at most one Ellipsis


def _from_equation(args: tuple[Any, ...]) -> tuple[list[Term], Term | None, list[Tensor]]:
    """Operands' subscripts, the result's (None: implicit) and the tensors, from an equation."""
    if len(args) < 2 or not isinstance(args[0], str):
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one "
            "operand and its "
            "subscripts list"
        )
    tensors = list(args[1]) if len(args) == 2 and isinstance(args[1], (list, tuple)) else list(args[1:])
    left, arrow, right = args[0].partition("->")
    terms, at = [], 0
    for number, text in enumerate(left.split(",")):
        terms.append(_term(text, at, f"for operand {number}"))
        at += len(text) + 1
    return terms, _term(right, len(left) + 2, "in the output") if arrow else None, tensors


def _term(text: str, at: int, where: str) -> Term:
    """The subscripts of one operand; ``at`` is where the text stands in the equation."""
    found: Term = []
    i = 0
    while i < len(text):
        letter = text[i]
        if letter in _LETTERS:
            found.append(_LETTERS.index(letter))
        elif letter == ".":
            if Ellipsis in found:
                raise ShapeError(f"einsum(): found '.' {where} for which an ellipsis was already found")
            if text[i : i + 3] != "...":
                raise ShapeError(f"einsum(): found '.' {where} that is not part of any ellipsis")
            found.append(Ellipsis)
            i += 2
        elif letter != " ":
            raise ShapeError(
                f"einsum(): invalid subscript given at index {at + i} in the equation string, subscripts "
                "must be in "
                f"[a-zA-Z], but got {letter!r}"
            )
        i += 1
    return found


def _from_lists(args: tuple[Any, ...]) -> tuple[list[Term], Term | None, list[Tensor]]:
    """The same from tensors and lists of ints in turn."""
    tensors, terms = list(args[0 : len(args) // 2 * 2 : 2]), list(args[1::2])
    result = list(args[-1]) if len(args) % 2 else None
    for term in (*terms, result or []):
        for i in term:
            if i is not Ellipsis and not 0 <= i < len(_LETTERS):
                raise ValueError(
                    "einsum(): subscript in subscript list is not within the valid range [0, "
                    f"{len(_LETTERS)}), got {i}"
                )
    return [list(term) for term in terms], result, tensors


def _check_count(terms: list[Term], tensors: list[Tensor]) -> None:
    if len(terms) != len(tensors):
        few = len(tensors) < len(terms)
        raise ShapeError(
            f"einsum(): {'fewer' if few else 'more'} operands were provided than specified in the equation: "
            f"{len(tensors)} for {len(terms)}"
        )
    for number, (term, x) in enumerate(zip(terms, tensors, strict=True)):
        named, ndim = len(term) - (Ellipsis in term), x._data.ndim
        if Ellipsis not in term and named != ndim:
            raise ShapeError(
                f"einsum(): the number of subscripts in the equation ({named}) does not match the number "
                "of dimensions "
                f"({ndim}) for operand {number} and no ellipsis was given (shape {list(x._data.shape)})"
            )
        if named > ndim:
            raise ShapeError(
                f"einsum(): the number of subscripts in the equation ({named}) is more than the number of "
                "dimensions "
                f"({ndim}) for operand {number} (shape {list(x._data.shape)})"
            )


def _resolve(
    terms: list[Term], result: Term | None, tensors: list[Tensor]
) -> tuple[list[Labels], Labels, list[Tensor]]:
    """Labels as ints with the ellipsis spelt out, and operands freed from size-1 axes that broadcast."""
    widths = [x._data.ndim - len(t) + 1 if Ellipsis in t else 0 for t, x in zip(terms, tensors, strict=True)]
    width = max(widths)
    dots = list(range(len(_LETTERS), len(_LETTERS) + width))
    spelt = [_spell(t, dots[width - w :]) for t, w in zip(terms, widths, strict=True)]
    if result is None:
        flat = [i for term in spelt for i in term if i not in dots]
        out = (*dots, *sorted([i for i in set(flat) if flat.count(i) == 1]))
    else:
        out = _spell(result, dots)
    sizes = _sizes(spelt, tensors)
    for i in out:
        name = _LETTERS[i] if i < len(_LETTERS) else "..."
        if out.count(i) > 1:
            raise ShapeError(f"einsum(): output subscript {name} appears more than once in the output")
        if i not in sizes:
            raise ShapeError(
                f"einsum(): output subscript {name} does not appear in the equation for any input operand"
            )
    operands = []
    for k, x in enumerate(tensors):
        keep = [j for j, i in enumerate(spelt[k]) if x._data.shape[j] == sizes[i]]
        if len(keep) < len(spelt[k]):
            x = x.reshape([x._data.shape[j] for j in keep])
            spelt[k] = tuple([spelt[k][j] for j in keep])
        operands.append(x)
    return spelt, out, operands


def _spell(term: Term, dots: Sequence[int]) -> Labels:
    return tuple([i for part in term for i in (dots if part is Ellipsis else (part,))])


def _sizes(spelt: list[Labels], tensors: list[Tensor]) -> dict[int, int]:
    """The size of each label; sizes of 1 give way."""
    sizes: dict[int, int] = {}
    for number, (labels, x) in enumerate(zip(spelt, tensors, strict=True)):
        seen: dict[int, int] = {}
        for i, n in zip(labels, x._data.shape, strict=True):
            name = _LETTERS[i] if i < len(_LETTERS) else "..."
            if seen.setdefault(i, n) != n:
                raise ShapeError(
                    f"einsum(): subscript {name} is repeated for operand {number} but the sizes don't match, "
                    f"{n} != {seen[i]}"
                )
            old = sizes.get(i, 1)
            if n != 1 and old not in (1, n):
                raise ShapeError(
                    f"einsum(): subscript {name} has size {n} for operand {number} which does not "
                    "broadcast with "
                    f"previously seen size {old}"
                )
            sizes[i] = n if old == 1 else old
    return sizes


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The sum of products over pairs of dimensions.

    Args:
        a, b: tensors of one dtype.
        dims: how many last dimensions of a go with the first of b; or two lists of dimensions.
    Returns:
        The other dimensions of a, then those of b.
    Example:
        >>> tensordot(Tensor([[1.0, 2.0]]), Tensor([3.0, 4.0]), dims=1).tolist()
        [11.0]
    """
    x, y = a._data, b._data
    first, second = _dim_lists(x.ndim, y.ndim, dims)
    if len(first) != len(second):
        raise ShapeError(f"both dimension lists should have same length, but got {first} and {second}")
    own = list(range(x.ndim))
    its = list(range(x.ndim, x.ndim + y.ndim))
    for i, j in zip(first, second, strict=True):
        m, n = dim_index(i, x.ndim), dim_index(j, y.ndim)
        if x.shape[m] != y.shape[n] and 1 in (x.shape[m], y.shape[n]):  # broadcast: the other is summed
            a, b = (a, b.sum(n, keepdim=True)) if x.shape[m] == 1 else (a.sum(m, keepdim=True), b)
        elif x.shape[m] != y.shape[n]:
            raise ShapeError(
                f"contracted dimensions need to match, but first has size {x.shape[m]} in dim {i} and "
                "second has size "
                f"{y.shape[n]} in dim {j} (shapes {list(x.shape)} and {list(y.shape)})"
            )
        its[n] = own[m]
    same_dtype(x, y)
    gone = set(own) & set(its)
    out = tuple([i for i in (*own, *its) if i not in gone])
    return apply(contraction.Contract, (a, b), (tuple(own), tuple(its), out))


def _dim_lists(na: int, nb: int, dims: Any) -> tuple[list[int], list[int]]:
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if not isinstance(dims, int):
        first, second = dims
        return [first] if isinstance(first, int) else list(first), [second] if isinstance(
            second, int
        ) else list(second)
    if dims < 0:
        raise ShapeError(f"tensordot expects dims >= 0, but got dims={dims}")
    if dims > min(na, nb):
        raise ShapeError(
            f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims} for {na}-d and {nb}-d tensors"
        )
    return list(range(-dims, 0)), list(range(dims))


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of two or more matrices in the order that needs the fewest multiplications.

    The first and the last may be vectors. Source: Cormen et al., Introduction to Algorithms, 15.2.

    Example:
        >>> multi_dot([Tensor([[1.0, 2.0]]), Tensor([[3.0], [4.0]])]).tolist()
        [[11.0]]
    """
    if len(tensors) < 2:
        raise ShapeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    chain = list(tensors)
    row, column = chain[0]._data.ndim == 1, chain[-1]._data.ndim == 1
    if row:
        chain[0] = chain[0].unsqueeze(0)
    if column:
        chain[-1] = chain[-1].unsqueeze(1)
    for k, x in enumerate(chain):
        if x._data.ndim != 2:
            raise ShapeError(f"multi_dot(): tensor {k} must be 2D but got {tensors[k]._data.ndim}D")
    for k in range(len(chain) - 1):
        if chain[k]._data.shape[1] != chain[k + 1]._data.shape[0]:
            raise ShapeError(
                f"multi_dot(): tensors {k} and {k + 1} with shapes {list(tensors[k]._data.shape)} and "
                f"{list(tensors[k + 1]._data.shape)} cannot be multiplied"
            )
    out = _multiply(chain, _best_splits([x._data.shape for x in chain]))
    rows, columns = out._data.shape
    shape = (() if row else (rows,)) + (() if column else (columns,))
    return apply(Reshape, (out,), (shape,))


def chain_matmul(*matrices: Tensor) -> Tensor:
    """``multi_dot`` with the matrices as arguments; a single one is returned as it is."""
    if len(matrices) == 1:
        return apply(Clone, (matrices[0],))
    return multi_dot(matrices)


def _best_splits(shapes: list[tuple[int, ...]]) -> dict[tuple[int, int], int]:
    """For each stretch (first, last) of the chain where to cut it, by dynamic programming."""
    count = len(shapes)
    sizes = [shapes[0][0], *[shape[1] for shape in shapes]]
    cost = {(i, i): 0 for i in range(count)}
    cut: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            prices = [
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            ]
            cost[i, j], cut[i, j] = min(prices)
    return cut


def _multiply(chain: list[Tensor], cut: dict[tuple[int, int], int]) -> Tensor:
    """The product of the chain along the cuts, shortest stretches first."""
    made: dict[tuple[int, int], Tensor] = {(i, i): x for i, x in enumerate(chain)}
    wanted = [(0, len(chain) - 1)]
    for i, j in wanted:  # grows while it is walked
        if i < j:
            wanted += [(i, cut[i, j]), (cut[i, j] + 1, j)]
    for i, j in sorted(wanted, key=lambda pair: pair[1] - pair[0]):
        if i < j:
            made[i, j] = made[i, cut[i, j]].mm(made[cut[i, j] + 1, j])
    return made[0, len(chain) - 1]
