"""PyTorch's own samples of its operators, made into calls of both libraries.

``op_db`` of torch 2.13 describes some 700 operators: dtypes, sample inputs, wrong inputs. Each sample is
run by torch and by convgrad on tensors of equal strides, offset, dtype and values. The samples of a
layout other than PyTorch's own are the same samples laid out anew: column-major, and every second element.
"""

from __future__ import annotations

import random
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import torch
from tests.parity.agree import array, close
from torch.testing._internal.common_methods_invocations import op_db

import convgrad
import convgrad.autograd
import convgrad.linalg
import convgrad.nn.functional
from convgrad.tensor.tensor import Tensor

DTYPES = {
    "float64": torch.float64, "float32": torch.float32, "complex128": torch.complex128,
    "bfloat16": torch.bfloat16, "float16": torch.float16, "int64": torch.int64, "bool": torch.bool,
}  # fmt: skip
LAYOUTS = ("given", "columns", "steps")
HALVES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
DERIVED = ("float64", "complex128")
MISSING = "missing"

#: operators that leave open in which order equal elements stand: their positions only have to fit the values
OPEN = {"sort", "argsort", "topk", "kthvalue"}

#: operators whose values are whatever lies in memory
UNDEFINED = {
    "empty",
    "empty_like",
    "new_empty",
    "new_empty_strided",
    "empty_strided",
    "empty_permuted",
    "resize_",
}


def title(op: Any) -> str:
    """``name/variant`` of an OpInfo."""
    return f"{op.name}/{op.variant_test_name}" if op.variant_test_name else op.name


OPERATORS = {title(op): op for op in op_db}


def walk(root: Any, path: str) -> Any:
    """The attribute at the end of a dotted path, or None."""
    for part in path.split("."):
        root = getattr(root, part, None)
        if root is None:
            return None
    return root


def with_seed(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What PyTorch's tests do around random functions, with convgrad's stream."""
    convgrad.manual_seed(42)
    return call(*args, **kwargs)


def rebound(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of PyTorch's tests that finds convgrad under the name ``torch``."""
    if not isinstance(function, types.FunctionType) or "torch" not in function.__globals__:
        return function
    names = {
        **function.__globals__,
        "torch": convgrad,
        "F": convgrad.nn.functional,
        "wrapper_set_seed": with_seed,
    }
    new = types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    new.__kwdefaults__ = function.__kwdefaults__
    return new


def counterpart(op: Any) -> Callable[..., Any] | None:
    """convgrad's function for an OpInfo's, or None if there is none."""
    name = op.name
    if op.op is walk(torch, name):
        return walk(convgrad, name)
    if walk(convgrad, name) is None and getattr(Tensor, name, None) is None:
        return None
    if isinstance(op.op, types.FunctionType) and op.op.__module__.startswith("torch.testing"):
        return rebound(op.op)
    return getattr(Tensor, name, None)


def mine(x: torch.Tensor, grad: bool = False) -> Tensor:
    """A convgrad tensor with the dtype, strides, offset and values of torch's (on memory of its own)."""
    x = x.detach().resolve_conj().resolve_neg()
    size = x.untyped_storage().nbytes() // x.element_size()
    flat = x.as_strided((size,), (1,), 0) if size else x.new_empty(0)
    if x.dtype is torch.bfloat16:
        memory = np.empty(size, ml_dtypes.bfloat16)
        memory.view(np.int16)[:] = flat.view(torch.int16).numpy()
    else:
        memory = flat.numpy().copy()
    step = memory.itemsize
    strides = [s * step for s in x.stride()]
    data = np.ndarray(tuple(x.shape), memory.dtype, memory, min(x.storage_offset(), size) * step, strides)
    out = Tensor(data, None)
    return out.requires_grad_() if grad else out


def laid_out(x: torch.Tensor, layout: str) -> torch.Tensor:
    """The same values in another layout."""
    if layout == "columns" and x.dim() > 1:
        order = tuple(range(x.dim()))[::-1]
        return x.permute(order).contiguous().permute(order)
    if layout == "steps" and x.dim() and x.numel():
        wide = x.new_zeros((*x.shape[:-1], 2 * x.shape[-1] + 1))
        wide[..., 1::2] = x
        return wide[..., 1::2]
    return x.clone()


class Pair:
    """Makes both libraries' arguments from a sample's; remembers the tensors to differentiate."""

    def __init__(self, layout: str = "given", grad: bool = True) -> None:
        self.layout = layout
        self.grad = grad
        self.theirs: list[torch.Tensor] = []
        self.ours: list[Tensor] = []

    def tensor(self, x: torch.Tensor) -> tuple[torch.Tensor, Tensor]:
        """One tensor for torch and one for convgrad."""
        grad = self.grad and x.requires_grad
        y = x.detach()
        if self.layout != "given":
            y = laid_out(y, self.layout)
        elif not grad and x.requires_grad:
            y = y.clone(memory_format=torch.preserve_format)
        a = mine(y, grad)
        if grad:
            y = y.requires_grad_()
            self.theirs.append(y)
            self.ours.append(a)
        return y, a

    def __call__(self, x: Any) -> tuple[Any, Any]:
        """Both forms of an argument, through lists, tuples and dictionaries."""
        if isinstance(x, torch.Tensor):
            return self.tensor(x)
        if isinstance(x, (list, tuple)) and not isinstance(x, torch.Size):
            both = [self(v) for v in x]
            return type(x)([b[0] for b in both]), type(x)([b[1] for b in both])
        if isinstance(x, dict):
            pairs = {k: self(v) for k, v in x.items()}
            return {k: v[0] for k, v in pairs.items()}, {k: v[1] for k, v in pairs.items()}
        if isinstance(x, torch.dtype):
            return x, getattr(convgrad, str(x).removeprefix("torch."))
        if isinstance(x, torch.Size):
            return x, convgrad.Size(x)
        if isinstance(x, torch.device):
            return x, "cpu"
        if isinstance(x, torch.memory_format):
            return x, getattr(convgrad, str(x).removeprefix("torch."))
        if isinstance(x, torch.layout):
            return x, convgrad.strided
        return x, rebound(x) if isinstance(x, types.FunctionType) else x


def leaves(x: Any) -> list[Any]:
    """The results of an operator as a flat list."""
    if isinstance(x, (tuple, list)):
        return [leaf for item in x for leaf in leaves(item)]
    return [x]


def same(a: Any, b: Any, what: str, values: bool = True) -> None:
    """A result of convgrad's equals torch's."""
    if isinstance(b, torch.Tensor):
        if values:
            close(a, b, what)
        else:
            assert tuple(a.shape) == tuple(b.shape) and repr(a.dtype) == str(b.dtype), what
        assert a.requires_grad == b.requires_grad, f"{what}: requires_grad {a.requires_grad}"
    elif isinstance(b, torch.dtype):
        assert repr(a) == str(b), what
    else:
        assert type(a) is type(b) or type(a).__name__ == type(b).__name__, f"{what}: {a!r}, torch {b!r}"
        np.testing.assert_allclose(a, b, rtol=1e-5, err_msg=what)


def same_all(got: Any, expected: Any, values: bool = True) -> tuple[list[Any], list[Any]]:
    """All results equal; gives both as flat lists."""
    mine_, theirs_ = leaves(got), leaves(expected)
    assert len(mine_) == len(theirs_), f"{len(mine_)} results, torch {len(theirs_)}"
    for k, (a, b) in enumerate(zip(mine_, theirs_, strict=True)):
        same(a, b, f"result {k}", values)
    return mine_, theirs_


def same_gradients(got: list[Any], expected: list[Any], pair: Pair) -> None:
    """Gradients of all results by all inputs, for random cotangents."""
    rng = np.random.default_rng(3)
    roots, outs, ours, theirs = [], [], [], []
    for a, b in zip(got, expected, strict=True):
        if isinstance(b, torch.Tensor) and b.requires_grad:
            g = rng.standard_normal(tuple(b.shape))
            if b.is_complex():
                g = g + 1j * rng.standard_normal(tuple(b.shape))
            given = torch.from_numpy(np.asarray(g)).to(b.dtype)
            roots.append(b)
            outs.append(a)
            theirs.append(given)
            ours.append(mine(given))
    if not roots or not pair.theirs:
        return
    try:
        want = torch.autograd.grad(roots, pair.theirs, theirs, allow_unused=True)
    except RuntimeError as error:  # a derivative that torch does not have
        raise Unused(str(error)) from None
    have = convgrad.autograd.grad(outs, pair.ours, ours, allow_unused=True)
    for k, (a, b) in enumerate(zip(have, want, strict=True)):
        if a is None or b is None:
            zero = (a is None or not np.any(a._data)) and (b is None or not np.any(array(b)))
            assert zero, f"gradient {k}: {a}, torch {b}"
        else:
            close(a, b.clone() if b._is_zerotensor() else b, f"gradient {k}")


@dataclass(frozen=True)
class Outcome:
    """What became of one check of one sample: ``error`` is None if both libraries agree."""

    check: str
    dtype: str
    index: int
    error: Exception | None


class Unused(Exception):
    """torch cannot run this sample in this form: there is nothing to compare."""


def seeded(call: Callable[[], Any], library: Any) -> Any:
    """A call with the library's random stream at its start."""
    library.manual_seed(7)
    return call()


def run_both(
    theirs: Callable[[], Any], ours: Callable[[], Any] | None, expect_error: bool = False
) -> tuple[Any, Any]:
    """(convgrad's result, torch's); raises Unused if torch fails, unless convgrad is to fail too."""
    try:
        expected = seeded(theirs, torch)
    except Exception as error:
        if not expect_error:
            raise Unused(str(error)) from None
        assert ours is not None
        try:
            seeded(ours, convgrad)
        except type(error):
            return None, None
        except Exception as other:
            raise AssertionError(f"torch raised {error!r}, convgrad {other!r}") from other
        raise AssertionError(f"torch raised {error!r}, convgrad nothing") from None
    if expect_error:
        raise Unused("torch raised nothing")
    assert ours is not None, MISSING
    return seeded(ours, convgrad), expected


def fitting(name: str, x: Tensor, got: Any, expected: Any, args: Any, kwargs: Any) -> Any:
    """torch's positions in place of convgrad's, if these point at the same values along the dimension."""
    if not x._data.ndim:
        return got
    at, theirs = leaves(got)[-1]._data, array(leaves(expected)[-1])
    place = {"sort": 0, "argsort": 0, "topk": 1, "kthvalue": 1}[name]
    dim = kwargs.get("dim", args[place] if len(args) > place and not isinstance(args[place], bool) else -1)
    if name == "kthvalue" and at.ndim < x._data.ndim:
        at, theirs = np.expand_dims(at, dim), np.expand_dims(theirs, dim)
    values = x._data.astype(np.float64) if x._data.dtype.kind == "V" else x._data
    mine_, wanted = np.take_along_axis(values, at, dim), np.take_along_axis(values, theirs, dim)
    np.testing.assert_array_equal(mine_, wanted, err_msg="the values at the positions")
    last = mine(leaves(expected)[-1])
    return last if isinstance(got, Tensor) else (*leaves(got)[:-1], last)


def doubled(x: Any) -> Any:
    """Half-precision arguments as float64."""
    if isinstance(x, torch.Tensor):
        return x.double() if x.dtype in HALVES.values() else x
    if isinstance(x, (list, tuple)) and not isinstance(x, torch.Size):
        return type(x)([doubled(v) for v in x])
    if isinstance(x, dict):
        return {k: doubled(v) for k, v in x.items()}
    return torch.float64 if x in HALVES.values() else x


def nearer(got: Any, expected: Any, function: Any, sample: tuple[Any, Any, Any]) -> None:
    """In half precision torch often rounds at each step and convgrad once: whoever is nearer the float64 result.

    Raises:
        AssertionError: shape, dtype or number of results differ, or convgrad is further off than one rounding.
    """
    x, args, kwargs = [doubled(v) for v in sample]
    exact = leaves(seeded(lambda: function(x, *args, **kwargs), torch))
    for k, (a, b, c) in enumerate(zip(leaves(got), leaves(expected), exact, strict=True)):
        same(a, b, f"result {k}", values=False)
        if b.dtype in HALVES.values():
            close(a, c.to(b.dtype), f"result {k}, from float64")
        else:
            close(a, b, f"result {k}")


def check_call(
    sample: Any, op: Any, function: Any, layout: str, dtype: str
) -> Iterator[tuple[str, Exception | None]]:
    """("value", error), then ("gradient", error) where there is a derivative."""
    derived = dtype in DERIVED
    pair = Pair(layout, derived)
    (x, args, kwargs), (y, args_, kwargs_) = zip(
        *[pair(v) for v in (sample.input, sample.args, sample.kwargs)], strict=True
    )
    try:
        got, expected = run_both(lambda: op.op(x, *args, **kwargs), lambda: function(y, *args_, **kwargs_))
        if op.name in OPEN:
            got = fitting(op.name, y, got, expected, args, kwargs)
        try:
            a, b = same_all(got, expected, op.name not in UNDEFINED)
        except AssertionError:
            if dtype not in HALVES:
                raise
            nearer(got, expected, op.op, (x, args, kwargs))
    except Unused:
        return
    except Exception as error:
        yield "value", error
        return
    yield "value", None
    if derived and pair.theirs:
        try:
            a = leaves(rebound(sample.output_process_fn_grad)(got))
            b = leaves(sample.output_process_fn_grad(expected))
            if any([isinstance(v, torch.Tensor) and v.requires_grad for v in b]):
                same_gradients(a, b, pair)
            else:
                return
        except Unused:
            return
        except Exception as error:
            yield "gradient", error
        else:
            yield "gradient", None


def check_form(sample: Any, op: Any, form: str, function: Any, dtype: str) -> Exception | None:
    """One sample as method, in place or with ``out=``; raises Unused where torch has no such form."""
    pair = Pair("given", grad=form != "out" and dtype in DERIVED)
    parts = [pair(v) for v in (sample.input, sample.args, sample.kwargs)]
    (x, args, kwargs), (y, args_, kwargs_) = zip(*parts, strict=True)
    if not isinstance(x, torch.Tensor):
        raise Unused("no tensor")
    name = {"method": op.name.rpartition(".")[2], "inplace": getattr(op.inplace_variant, "__name__", "")}.get(
        form
    )
    if form == "inplace":
        theirs, ours = (lambda: getattr(x.clone(), name)(*args, **kwargs)), None
        if hasattr(Tensor, name):
            ours = lambda: getattr(y.clone(), name)(*args_, **kwargs_)
    elif form == "method":
        theirs, ours = (lambda: getattr(x, name)(*args, **kwargs)), None
        if hasattr(Tensor, name):
            ours = lambda: getattr(y, name)(*args_, **kwargs_)
    else:
        theirs, ours = with_out(op.op, x, args, kwargs), None
        if function is not None:
            ours = with_out(function, y, args_, kwargs_)
    try:
        got, expected = run_both(theirs, ours)
        a, b = same_all(got, expected, op.name not in UNDEFINED)
        if form == "inplace":
            same_gradients(a, b, pair)
    except Unused:
        raise
    except TypeError as error:
        return AssertionError(f"{MISSING} out=") if form == "out" and "out" in str(error) else error
    except Exception as error:
        return error
    return None


def with_out(function: Callable[..., Any], x: Any, args: Any, kwargs: Any) -> Callable[[], Any]:
    """The call with ``out=`` tensors of the results' shapes; gives what was written."""

    def call() -> Any:
        results = function(x, *args, **kwargs)
        single = not isinstance(results, (tuple, list))
        outs = [r.detach().clone() for r in ([results] if single else results)]
        for o in outs:
            o.zero_()
        function(x, *args, **kwargs, out=outs[0] if single else tuple(outs))
        return outs

    return call


def samples(op: Any, dtype: str, grad: bool) -> list[Any]:
    """The operator's samples, the same on every run."""
    torch.manual_seed(11)
    random.seed(11)
    np.random.seed(11)  # noqa: NPY002  # PyTorch's samples are drawn from it
    return list(op.sample_inputs("cpu", DTYPES[dtype], requires_grad=grad))


def differentiable(op: Any, dtype: str) -> bool:
    return (
        dtype in DERIVED
        and bool(op.supports_autograd)
        and DTYPES[dtype] in op.supported_backward_dtypes("cpu")
    )


def outcomes(op: Any, limit: int | None = None) -> Iterator[Outcome]:
    """Every check of an operator that convgrad has; ``limit`` keeps that many samples of each kind, evenly."""
    function = counterpart(op)
    if function is None:
        yield Outcome(MISSING, "all", 0, AssertionError(MISSING))
        return
    supported = op.supported_dtypes("cpu")
    names = [name for name, kind in DTYPES.items() if kind in supported]
    for dtype in names:
        given = samples(op, dtype, differentiable(op, dtype))
        layouts = LAYOUTS if dtype == names[0] else LAYOUTS[:1]
        numbered = list(enumerate((s, layout) for layout in layouts for s in given))
        for index, (sample, layout) in thinned(numbered, limit):
            for check, error in check_call(sample, op, function, layout, dtype):
                yield Outcome(check, dtype, index, error)
    for form in ("method", "inplace", "out"):
        if (form == "method" and op.method_variant is None) or (
            form == "inplace" and op.inplace_variant is None
        ):
            continue
        if names and (form != "out" or op.supports_out):
            yield from forms(op, function, form, names[0], limit)
    yield from wrong(op, function, limit)


def thinned(items: list[Any], limit: int | None) -> list[Any]:
    """At most ``limit`` of the items, spread evenly, the first among them."""
    if limit is None or len(items) <= limit:
        return items
    return [items[k * len(items) // limit] for k in range(limit)]


def forms(op: Any, function: Any, form: str, dtype: str, limit: int | None) -> Iterator[Outcome]:
    """The samples of one dtype as method, in place, or with ``out=``."""
    given = list(enumerate(samples(op, dtype, differentiable(op, dtype))))
    for index, sample in thinned(given, limit):
        try:
            yield Outcome(form, dtype, index, check_form(sample, op, form, function, dtype))
        except Unused:
            continue


def wrong(op: Any, function: Any, limit: int | None) -> Iterator[Outcome]:
    """Inputs that torch refuses: convgrad must raise what the same ``except`` clause catches."""
    if op.error_inputs_func is None:
        return
    torch.manual_seed(11)
    for index, bad in thinned(list(enumerate(op.error_inputs("cpu"))), limit):
        sample = bad.sample_input
        if op.name.startswith("__") and not isinstance(sample.input, torch.Tensor):
            continue  # Python's own message about a descriptor
        pair = Pair()
        try:
            parts = [pair(v) for v in (sample.input, sample.args, sample.kwargs)]
        except Exception:
            continue  # a tensor that has no counterpart, of another device or layout
        (x, args, kwargs), (y, args_, kwargs_) = zip(*parts, strict=True)
        call = lambda: op.op(x, *args, **kwargs)  # noqa: B023
        ours = lambda: function(y, *args_, **kwargs_)  # noqa: B023
        try:
            run_both(call, ours, expect_error=True)
        except Unused:
            continue
        except Exception as error:
            yield Outcome("error", "any", index, error)
        else:
            yield Outcome("error", "any", index, None)


def report(name: str, limit: int | None = None) -> list[Outcome]:
    """All outcomes of an operator by its title, without warnings."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return list(outcomes(OPERATORS[name], limit))
