"""Reading, writing and placing by index over drawn shapes, dtypes, strides and keys: values, nodes, gradients."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from tests.parity.shape_support import compare

# of gradients that own no memory in order, such as those of empty tensors
pytestmark = pytest.mark.filterwarnings("ignore:grad and param do not obey:UserWarning")

QUICK = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
FLOATS = ("float64", "float32", "complex128")
OTHERS = ("int64", "int32", "uint8", "bool", "float16")


def filled(shape: tuple[int, ...], kind: str, seed: int) -> np.ndarray:
    """Distinct values of a dtype, no two equal among the floats."""
    rng = np.random.default_rng(seed)
    if kind == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if kind.startswith(("int", "uint")):
        return rng.integers(0, 9, shape).astype(kind)
    values = rng.normal(size=shape)
    return (values + 1j * rng.normal(size=shape)).astype(kind) if kind[0] == "c" else values.astype(kind)


@st.composite
def index_arrays(draw: Any, size: int, shape: tuple[int, ...]) -> str:
    """The text of an index tensor, or list, for a dimension of a size."""
    count = int(np.prod(shape))
    low = draw(st.sampled_from([0, -size]))
    flat = draw(st.lists(st.integers(low, size - 1), min_size=count, max_size=count))
    text = np.asarray(flat, np.int64).reshape(shape).tolist()
    if not flat:
        return f"torch.zeros({shape}, dtype=torch.long)"
    form = draw(st.sampled_from(["{}", "torch.tensor({})", "torch.tensor({}, dtype=torch.int32)"]))
    return form.format(text) if shape else f"torch.tensor({text})"


@st.composite
def mixed_keys(draw: Any) -> tuple[tuple[int, ...], str]:
    """A shape (sizes may be 0) and a key: parts of every kind, index tensors of shapes that broadcast."""
    shape = tuple(draw(st.lists(st.integers(0, 4), min_size=0, max_size=4)))
    common = tuple(draw(st.lists(st.integers(0, 3), max_size=2)))
    parts, dim, ellipsis = [], 0, False
    while True:
        choices = ["none", "bool", "stop"] + ([] if ellipsis else ["..."])
        if dim < len(shape):
            choices += ["slice", "slice", "full", "index", "index", "index", "mask"] + ["int"] * (
                shape[dim] > 0
            )
            choices += ["mask2"] * (dim + 1 < len(shape))
        kind = draw(st.sampled_from(choices))
        if kind == "stop" or len(parts) > 5:
            break
        if kind in ("none", "bool", "..."):
            parts.append(
                {"none": "None", "bool": draw(st.sampled_from(["True", "torch.tensor(True)"]))}.get(
                    kind, kind
                )
            )
            if kind == "...":
                ellipsis = True
                dim = min(len(shape), dim + draw(st.integers(0, 2)))
            continue
        n = shape[dim]
        dim += 1
        if kind == "int":
            parts.append(str(draw(st.integers(-n, n - 1))))
        elif kind == "slice":
            a, b = (draw(st.sampled_from(["", *map(str, range(-n - 1, n + 2))])) for _ in "ab")
            parts.append(f"{a}:{b}:{draw(st.integers(1, 3))}")
        elif kind == "full":
            parts.append(":")
        elif kind in ("mask", "mask2"):
            sizes = (n,) if kind == "mask" else (n, shape[dim])
            dim += kind == "mask2"
            flags = draw(st.lists(st.booleans(), min_size=int(np.prod(sizes)), max_size=int(np.prod(sizes))))
            text = np.asarray(flags, bool).reshape(sizes).tolist()
            parts.append(f"torch.tensor({text}, dtype=torch.bool).reshape({sizes})")
        else:
            own = tuple([draw(st.sampled_from([1, s])) for s in common])[draw(st.integers(0, len(common))) :]
            own = own if n else (*own[:-1], 0) if own else (0,)
            parts.append(draw(index_arrays(max(n, 1), own)))
    return shape, ", ".join(parts) + "," if parts else "..."


@QUICK
@given(mixed_keys(), st.sampled_from(FLOATS + OTHERS), st.booleans())
def test_reading(drawn: tuple[tuple[int, ...], str], kind: str, turned: bool) -> None:
    shape, key = drawn
    source = "x.permute(tuple(range(x.ndim))[::-1])" if turned else "x"
    shape = shape[::-1] if turned else shape
    compare(f"{source}[{key}]", {"x": filled(shape, kind, 1)}, names=False)


@QUICK
@given(mixed_keys(), st.sampled_from(FLOATS), st.integers(0, 3), st.booleans())
def test_writing(drawn: tuple[tuple[int, ...], str], kind: str, cut: int, base: bool) -> None:
    """A value of the place's shape, or of fewer dimensions, or of ones; on a tensor or on a view of one."""
    shape, key = drawn
    value = f"v = x[{key}].detach() * 2 + 1"
    if cut == 1:
        value += "; v = v.sum(0, keepdim=True) if v.ndim else v"
    elif cut == 2:
        value += "; v = v[0] if v.ndim and len(v) else v"
    start = "w = x * 1; y = w.view(w.shape)" if base else "y = x * 1; w = y"
    compare(
        f"{value}; {start}; y[{key}] = v * s; (y, w)",
        {"x": filled(shape, kind, 2), "s": filled((), kind, 3)},
        names=False,
    )


@QUICK
@given(mixed_keys(), st.sampled_from(FLOATS + OTHERS), st.sampled_from(["2", "True", "1.5", "-1", "1j"]))
def test_writing_numbers(drawn: tuple[tuple[int, ...], str], kind: str, number: str) -> None:
    shape, key = drawn
    if kind == "uint8" and number == "-1":
        return
    compare(f"y = x.clone(); y[{key}] = {number}; y", {"x": filled(shape, kind, 4)}, names=False)


@QUICK
@given(st.data())
def test_index_put(data: Any) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    count = data.draw(st.integers(1, len(shape)))
    common = tuple(data.draw(st.lists(st.integers(0, 3), max_size=2)))
    index = [data.draw(index_arrays(n, common)) for n in shape[:count]]
    index = [t if t.startswith("torch") else f"torch.tensor({t}, dtype=torch.long)" for t in index]
    gathered = (*common, *shape[count:])
    lead = data.draw(st.integers(0, len(gathered)))
    value = tuple([data.draw(st.sampled_from([1, n])) for n in gathered[lead:]])
    accumulate = data.draw(st.booleans())
    unique = accumulate or int(np.prod(common)) <= 1  # of several writes to one place any may win
    kind = data.draw(st.sampled_from(FLOATS))
    call = f"x.index_put(({', '.join(index)},), v, accumulate={accumulate})"
    if unique:
        compare(call, {"x": filled(shape, kind, 5), "v": filled(value, kind, 6)}, names=False)


@QUICK
@given(st.data())
def test_scatters(data: Any) -> None:
    """Every scatter with drawn dims, index shapes smaller than the tensor's, and reductions."""
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    sizes = tuple([data.draw(st.integers(0, n)) for n in shape])
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    index = rng.integers(0, shape[dim], sizes)
    kind = data.draw(st.sampled_from(["float64", "float32", "int64"]))
    given = {"x": filled(shape, kind, 7), "v": filled(sizes, kind, 8), "k": index}
    reduction = data.draw(st.sampled_from(["sum", "prod", "mean", "amax", "amin"]))
    whole = data.draw(st.booleans())
    if kind == "int64" and reduction == "mean":
        return
    compare(f"x.scatter_add({dim}, k, v)", given, names=False)
    compare(f"x.scatter_reduce({dim}, k, v, '{reduction}', include_self={whole})", given, names=False)
    compare(
        f"y = x * 1; y.scatter_reduce_({dim}, k, v, '{reduction}', include_self={whole}); y",
        given,
        names=False,
    )
    compare(f"x.gather({dim}, k)", given, names=False)
    compare(f"x.scatter({dim}, k, 2)", given, names=False)


@QUICK
@given(st.data())
def test_along_one_dimension(data: Any) -> None:
    """index_add, index_copy, index_fill, index_select, take and put."""
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    count = data.draw(st.integers(0, shape[dim]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    rows = rng.permutation(shape[dim])[:count].astype(data.draw(st.sampled_from(["int64", "int32"])))
    part = list(shape)
    part[dim] = count
    kind = data.draw(st.sampled_from(FLOATS))
    flat = rng.permutation(int(np.prod(shape)))[: data.draw(st.integers(0, 5))]
    given = {
        "x": filled(shape, kind, 9), "v": filled(tuple(part), kind, 10), "k": rows,
        "f": flat, "u": filled(flat.shape, kind, 11),
    }  # fmt: skip
    compare(f"x.index_add({dim}, k, v, alpha=2)", given, names=False)
    compare(f"x.index_copy({dim}, k.long(), v)", given, names=False)
    compare(f"x.index_fill({dim}, k.long(), 2)", given, names=False)
    compare(f"x.index_select({dim}, k)", given, names=False)
    compare("x.take(f)", given, names=False)
    compare("x.put(f, u)", given, names=False)
    compare("x.put(f, u, accumulate=True)", given, names=False)
    compare(f"y = x * 1; y.index_add_({dim}, k, v); y.put_(f, u); y", given, names=False)


@QUICK
@given(st.data())
def test_places_of_views(data: Any) -> None:
    """diagonal_scatter, select_scatter, slice_scatter, as_strided and its kin."""
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=3)))
    ndim = len(shape)
    a, b = data.draw(st.permutations(range(ndim)))[:2]
    offset = data.draw(st.integers(-2, 2))
    dim = data.draw(st.integers(0, ndim - 1))
    at = data.draw(st.integers(-shape[dim], shape[dim] - 1))
    start, end = data.draw(st.integers(-5, 5)), data.draw(st.integers(-5, 5))
    step = data.draw(st.integers(1, 2))
    sizes = tuple(data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    strides = tuple([data.draw(st.integers(0, 2)) for _ in sizes])
    x = filled(
        shape, data.draw(st.sampled_from(["float32", "float64"])), 12
    )  # complex scatters refuse in PyTorch
    given = {"x": x}
    compare(f"x.diagonal({offset}, {a}, {b})", given, names=False)
    compare(f"x.diagonal_scatter(x.diagonal({offset}, {a}, {b}) * 2, {offset}, {a}, {b})", given, names=False)
    compare(f"x.select_scatter(x.select({dim}, {at}) * 2, {dim}, {at})", given, names=False)
    sliced = ", ".join([":"] * dim + [f"{start}:{end}:{step}"])
    compare(f"x.slice_scatter(x[{sliced}] * 2, {dim}, {start}, {end}, {step})", given, names=False)
    compare(f"y = x * 1; y.diagonal({offset}, {a}, {b}).mul_(2); y", given, names=False)
    compare(f"y = x * 1; y.select({dim}, {at}).add_(1); y[{sliced}] *= 3; y", given, names=False)
    reach = sum([(n - 1) * s for n, s in zip(sizes, strides, strict=True)])
    if reach < x.size:
        compare(f"x.as_strided({sizes}, {strides}, {x.size - 1 - reach})", given, names=False)


WRONG = """
x[::-1] | x[0:3:-1] | x[::0] | x[5] | x[-4] | x[0, 0, 0] | x[:, [0, 9]] | x[[True, False]] | x[torch.tensor([True, False])] | x[torch.tensor([0.5])] | x['a'] | x[1.5]
x[torch.zeros(2, dtype=torch.int16)] | x[[0, 1], [0, 1, 2]] | x[torch.zeros(3, 4, dtype=torch.bool)[:2]] | x[None, None, 0, 0, 0]
y = x * 1; y[0] = torch.zeros(7); y | y = x * 1; y[[0, 1]] = torch.zeros(3, 4); y | y = x * 1; y[9] = 0; y | y = x * 1; y['a'] = 0; y | y = x * 1; y[0] = 'a'; y | y = x * 1; y[0] = [1, 2]; y | y = x * 1; y[::-1] = 0; y
x.index_put((k, k, k), x) | x.index_put((k,), x[0, 0].long()) | x.index_put(k, x) | x.take(k.float()) | x.put(k, x) | x.gather(0, k) | x.gather(0, k[None, :].int()) | x.gather(5, k[None]) | x.scatter(0, k[None], x[:1, :1]) | x.scatter_add(0, k[None], x.double()[:1]) | x.scatter_reduce(0, k[None], x[:1], 'median')
x.index_add(0, k, x) | x.index_add(0, k.float(), x[:2]) | x.index_copy(0, k, x) | x.index_fill(0, k.int(), 0) | x.index_select(0, k.float()) | x.masked_fill(k, 0) | x.masked_select(k) | x.masked_scatter(x > 0, x[0, :0]) | x.select_scatter(x, 0, 0) | x.slice_scatter(x, 0, 0, 1) | x.diagonal_scatter(x) | x.as_strided((9, 9), (1, 1)) | x.as_strided((2,), (1, 1)) | x.as_strided((2,), (-1,))
"""  # fmt: skip


@pytest.mark.parametrize(
    "text", [c.strip() for line in WRONG.strip().splitlines() for c in line.split(" | ")]
)
def test_what_is_refused(text: str) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    compare(text, {"x": x, "k": np.array([0, 2])}, names=False)
