"""What the comparisons of layers share: the same module in both libraries, its state, outputs and gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

import convgrad
from convgrad.tensor.tensor import Tensor

Both = tuple[Any, Any]
#: the libraries, ours first
LIBRARIES = (convgrad, torch)


def seed(value: int) -> None:
    """The same stream of random numbers in both."""
    convgrad.manual_seed(value)
    torch.manual_seed(value)


def floats(*shape: int, start: int = 0, dtype: Any = np.float64) -> Any:
    """Normal random numbers."""
    return np.random.default_rng(start).standard_normal(shape).astype(dtype)


def both(array: Any, grad: bool = False) -> Both:
    """One array as our tensor and PyTorch's, each with memory of its own."""
    a, b = Tensor(np.array(array), None), torch.from_numpy(np.array(array))
    return (a.requires_grad_(), b.requires_grad_()) if grad else (a, b)


def flat(value: Any) -> Iterator[Any]:
    """The tensors of a result, in order."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from flat(item)
    elif value is not None:
        yield value


def close(a: Any, b: Any, scale: float = 1.0, what: str = "value") -> None:
    """Equal shape and dtype, and values to rounding."""
    left, right = a.detach().numpy(), b.detach().numpy()
    assert left.shape == right.shape, what
    assert left.dtype == right.dtype, what
    tolerance = {"d": 1e-11, "f": 3e-5}.get(left.dtype.char, 0) * scale
    np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance, err_msg=what)


def make(build: Callable[[Any], Any], dtype: Any = np.float64, start: int = 3, exact: bool = True) -> Both:
    """A module of each library: equal text, keys and (from one seed) starting values; then the same state."""
    made = []
    for library in LIBRARIES:
        seed(start)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.append(build(library.nn))
    a, b = made
    assert repr(a) == repr(b)
    state = b.state_dict()
    assert list(a.state_dict()) == list(state)
    for key, value in state.items():
        close(a.state_dict()[key], value, 0.01 if exact else 1.0, key)
    if dtype is np.float64:
        a.double(), b.double()
    a.load_state_dict({k: Tensor(v.numpy().copy(), None) for k, v in b.state_dict().items()})
    return a, b


def same_gradients(outs: Both, inputs: list[Both], modules: Both, scale: float = 10.0) -> None:
    """Backward from all results with random cotangents: gradients of inputs and of all parameters."""
    ours, theirs = list(flat(outs[0])), list(flat(outs[1]))
    pairs = [(x, y) for x, y in zip(ours, theirs, strict=True) if y.requires_grad]
    cotangents = [
        floats(*y.shape, start=k).astype(y.detach().numpy().dtype) for k, (_, y) in enumerate(pairs)
    ]
    convgrad.autograd.backward([x for x, _ in pairs], [Tensor(g.copy(), None) for g in cotangents])
    torch.autograd.backward([y for _, y in pairs], [torch.from_numpy(g) for g in cotangents])
    for k, (x, y) in enumerate(inputs):
        if y.grad is not None:
            close(x.grad, y.grad, scale, f"gradient of input {k}")
    for (name, p), (other, q) in zip(
        modules[0].named_parameters(), modules[1].named_parameters(), strict=True
    ):
        assert name == other
        assert (p.grad is None) == (q.grad is None), name
        if q.grad is not None:
            close(p.grad, q.grad, scale, f"gradient of {name}")


def compare(
    build: Callable[[Any], Any], arrays: list[Any], call: Callable[..., Any], *, training: bool = True,
    dtype: Any = np.float64, scale: float = 10.0,
) -> None:  # fmt: skip
    """``call(library, module, *tensors)``: results and all gradients agree, with the same dropout."""
    modules = make(build, dtype)
    inputs = [both(x.astype(dtype) if x.dtype.kind == "f" else x, x.dtype.kind == "f") for x in arrays]
    outs = []
    for k, library in enumerate(LIBRARIES):
        modules[k].train(training)
        seed(11)
        outs.append(call(library, modules[k], *[pair[k] for pair in inputs]))
    ours, theirs = list(flat(outs[0])), list(flat(outs[1]))
    assert len(ours) == len(theirs)
    for k, (x, y) in enumerate(zip(ours, theirs, strict=True)):
        close(x, y, scale, f"result {k}")
    same_gradients((outs[0], outs[1]), inputs, modules, scale)


def same_error(call: Callable[[Any], Any], phrase: str | None = None) -> None:
    """``call(library)`` fails in both with the same type; the message holds the phrase, or PyTorch's whole."""
    with pytest.raises(Exception) as theirs:
        call(torch)
    with pytest.raises(type(theirs.value)) as ours:
        call(convgrad)
    expected = str(theirs.value) if phrase is None else phrase
    assert expected.lower() in str(theirs.value).lower()
    assert expected.lower() in str(ours.value).lower(), f"torch: {theirs.value}"
