"""Every layer class against PyTorch 2.13: signatures, starting values, looks, states, values and gradients.

The table is in ``module_cases.py``; a class of ``torch.nn`` that it lacks fails here.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn as theirs

import convgrad
from convgrad import nn as ours
from convgrad.generator import default_generator
from convgrad.tensor.tensor import Tensor

from .module_cases import CASES, Case

CLASSES = sorted([n for n, v in vars(theirs).items() if isinstance(v, type) and issubclass(v, theirs.Module)])
RUNS = [case for case in CASES if case.inputs]
# formulas with float32 constants in PyTorch, even for doubles
ROUGH = {"CELU", "Hardsigmoid"}


def our_tensor(array: Any) -> Tensor:
    return Tensor(np.array(array), None)


def their_tensor(array: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(array))


def seed(value: int) -> None:
    torch.manual_seed(value)
    default_generator.manual_seed(value)


def pair(case: Case) -> tuple[Any, Any]:
    """The layer in both libraries, made from the same seed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seed(11)
        a, b = case.make(ours, our_tensor), case.make(theirs, their_tensor)
    return a, b


def inputs(case: Case, dtype: Any, plain: bool = False) -> tuple[list[Any], list[Any]]:
    """The inputs in both libraries; floats are cast and, unless fixed, recorded."""
    mine, other = [], []
    for i, value in enumerate(case.inputs):
        if not isinstance(value, np.ndarray):
            mine.append(value), other.append(value)
            continue
        array = value.astype(dtype) if value.dtype.kind == "f" else value
        x, y = our_tensor(array), their_tensor(array)
        if array.dtype.kind == "f" and i not in case.fixed and not plain:
            x.requires_grad_(), y.requires_grad_()
        mine.append(x), other.append(y)
    return mine, other


def tensors(value: Any) -> list[Any]:
    """The tensors of a result, in order."""
    return [t for v in value for t in tensors(v)] if isinstance(value, tuple) else [value]


def close(a: Any, b: Any, what: str, scale: float = 1.0) -> None:
    """Equal shape and dtype, and values to rounding."""
    left, right = a._data, b.detach().numpy()
    assert left.shape == right.shape, what
    assert left.dtype == right.dtype, what
    tolerance = {"d": 1e-10, "f": 5e-5}.get(left.dtype.char, 0) * scale
    np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance, err_msg=what)


def same_state(a: Any, b: Any, scale: float | None = None) -> None:
    """Equal names in equal order; equal bits, or values to rounding."""
    mine, other = a.state_dict(), b.state_dict()
    assert list(mine) == list(other)
    for name, value in other.items():
        if type(value) is theirs.UninitializedParameter or type(value) is theirs.UninitializedBuffer:
            assert repr(mine[name]) == repr(value)
        elif scale is None:
            assert mine[name]._data.dtype == value.numpy().dtype
            np.testing.assert_array_equal(mine[name]._data, value.numpy(), err_msg=name)
        else:
            close(mine[name], value, name, scale)


def settings(module: Any) -> Iterator[tuple[str, Any]]:
    """The public attributes that PyTorch's layer keeps."""
    for name, value in vars(module).items():
        if not name.startswith("_") and isinstance(value, int | float | str | tuple | list | None):
            yield name, value


def test_every_class_is_compared() -> None:
    """Each class of ``torch.nn`` has its row, and each row its class."""
    assert sorted({case.name for case in CASES}) == CLASSES


@pytest.mark.parametrize("name", sorted({case.name for case in CASES}))
def test_signatures(name: str) -> None:
    """Names, order, kinds and defaults of the arguments of the constructor and of ``forward``."""

    def parameters(function: Any) -> list[Any]:
        return [
            (p.name, p.kind, getattr(p.default, "__name__", p.default))
            for p in inspect.signature(function).parameters.values()
        ]

    mine, other = getattr(ours, name), getattr(theirs, name)
    assert parameters(mine.__init__) == parameters(other.__init__)
    if other.forward is not theirs.Module.forward:
        assert parameters(mine.forward) == parameters(other.forward)
    path = other.__module__.removeprefix("torch.nn.")
    assert getattr(importlib.import_module(f"convgrad.nn.{path}"), name) is mine, path
    for base in other.__mro__[1:]:
        if base.__module__.startswith("torch.nn.") and base is not theirs.Module:
            assert base.__name__ in [c.__name__ for c in mine.__mro__], f"no base {base.__name__}"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_start(case: Case) -> None:
    """Looks, attributes, and the bits of the starting values, at once and after ``reset_parameters``."""
    a, b = pair(case)
    assert repr(a) == repr(b)
    assert a.extra_repr() == b.extra_repr()
    for name, value in settings(b):
        assert getattr(a, name) == value, name
        assert type(getattr(a, name)) is type(value) or isinstance(value, tuple), name
    # normal numbers agree to their last bit, which depends on the logarithm of the C library; all others in all
    normal = 0.01 if case.name.startswith("Embedding") else None
    same_state(a, b, normal)
    assert a.state_dict()._metadata == b.state_dict()._metadata
    assert [n for n, _ in a.named_parameters()] == [n for n, _ in b.named_parameters()]
    assert [n for n, _ in a.named_buffers()] == [n for n, _ in b.named_buffers()]
    assert [n for n, _ in a.named_modules()] == [n for n, _ in b.named_modules()]
    assert default_generator.uniform(1)[0] == torch.rand(1).item(), "another number of random numbers drawn"
    if hasattr(b, "reset_parameters"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seed(5)
            a.reset_parameters(), b.reset_parameters()
        same_state(a, b, normal)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float", "double"])
@pytest.mark.parametrize("case", RUNS, ids=str)
def test_values(case: Case, dtype: Any) -> None:
    """In training, again, and in evaluation: results, all gradients, and the state afterwards."""
    a, b = pair(case)
    if dtype is np.float64:
        a.double(), b.double()
    if not case.name.startswith("Lazy") and case.name != "Sequential":
        a.load_state_dict({name: our_tensor(value.numpy()) for name, value in b.state_dict().items()})
    rough = 1e5 if case.name in ROUGH and dtype is np.float64 else 10
    for turn, training in enumerate((True, True, False)):
        a.train(training), b.train(training)
        given = inputs(case, dtype)
        mine, other = given
        if getattr(b, "inplace", False):  # a leaf cannot be overwritten
            mine, other = [x * 1 for x in mine], [y * 1 for y in other]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seed(turn)
            got = tensors(a(*mine))
            seed(turn)
            expected = tensors(b(*other))
        assert type(a).__name__ == type(b).__name__ and repr(a) == repr(b)
        assert len(got) == len(expected)
        for x, y in zip(mine, other, strict=True):
            if isinstance(x, Tensor):
                close(x, y, "the input afterwards")
        for x, y in zip(got, expected, strict=True):
            close(x, y, f"result in turn {turn}")
            assert x.requires_grad == y.requires_grad
        backward(got, expected)
        for x, y in zip(given[0], given[1], strict=True):
            if getattr(y, "grad", None) is not None:
                close(x.grad, y.grad, "gradient of an input", rough)
        for (name, x), (_, y) in zip(a.named_parameters(), b.named_parameters(), strict=True):
            assert (x.grad is None) == (y.grad is None), name
            if y.grad is not None:
                close(x.grad, y.grad, f"gradient of {name}", rough)
        same_state(a, b, 1.0)


def backward(got: list[Any], expected: list[Any]) -> None:
    """From all differentiable results, with random cotangents."""
    rng = np.random.default_rng(9)
    total: list[Any] = [0, 0]
    for x, y in zip(got, expected, strict=True):
        if y.requires_grad:
            g = np.asarray(rng.standard_normal(tuple(y.shape))).astype(x._data.dtype)
            total[0], total[1] = total[0] + (x * our_tensor(g)).sum(), total[1] + (y * their_tensor(g)).sum()
    if isinstance(total[1], torch.Tensor):
        total[0].backward(), total[1].backward()


@pytest.mark.parametrize("case", [c for c in CASES if "distance_function" not in c.kwargs], ids=str)
def test_copies(case: Case) -> None:
    """A deep copy and what comes out of a pickle look, hold and compute the same, in memory of their own."""
    a, _ = pair(case)
    twins = (copy.deepcopy(a), pickle.loads(pickle.dumps(a)))
    for twin in twins:
        assert repr(twin) == repr(a)
        assert list(twin.state_dict()) == list(a.state_dict())
        for x, y in zip(a.state_dict().values(), twin.state_dict().values(), strict=True):
            if not isinstance(x, ours.UninitializedParameter | ours.UninitializedBuffer):
                np.testing.assert_array_equal(x._data, y._data)
                assert not np.shares_memory(x._data, y._data)
        for x, y in zip(a.parameters(), twin.parameters(), strict=True):
            assert type(x) is type(y) and x.requires_grad == y.requires_grad and y.is_leaf
    if not case.inputs or "Lazy" in repr(a):
        return
    results = []
    for module in (a, *twins):
        seed(1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mine, _ = inputs(case, np.float32, plain=True)
            results.append([t._data for t in tensors(module(*mine))])
    for twin in results[1:]:
        for x, y in zip(results[0], twin, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    "name",
    sorted(
        {c.name for c in CASES if "dtype" in inspect.signature(getattr(theirs, c.name).__init__).parameters}
    ),
)
def test_device_and_dtype(name: str) -> None:
    """``device="cpu"`` and ``dtype=`` reach every parameter; another device is refused."""
    case = next(c for c in CASES if c.name == name and "_weight" not in c.kwargs)
    for kind in ("float64", "float16", "bfloat16"):
        options = {**case.kwargs, "device": "cpu"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            a = case._replace(kwargs={**options, "dtype": lambda nn, k=kind: dtype_of(nn, k)}).make(
                ours, our_tensor
            )
            b = case._replace(kwargs={**options, "dtype": lambda nn, k=kind: dtype_of(nn, k)}).make(
                theirs, their_tensor
            )
        for (n, x), (_, y) in zip(a.state_dict().items(), b.state_dict().items(), strict=True):
            assert str(x.dtype) == str(y.dtype), n
    with pytest.raises((RuntimeError, AssertionError), match="CUDA"):
        case._replace(kwargs={**case.kwargs, "device": "cuda"}).make(ours, our_tensor)


def dtype_of(nn: Any, name: str) -> Any:
    return getattr(torch if nn is theirs else convgrad, name)
