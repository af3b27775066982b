"""Other names of arguments: NumPy's, those of PyTorch's overloads, and sizes given by name."""

from __future__ import annotations

import pytest

import convgrad as torch

X = torch.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: torch.max(X, axis=0).values, [3, 4, 5]),
        (lambda: X.max(axis=1, keepdims=True).values, [[2], [5]]),
        (lambda: torch.cumsum(input=X, axis=1), [[0, 1, 3], [3, 7, 12]]),
        (lambda: torch.maximum(x1=X, x2=X - 1), X.tolist()),
        (lambda: torch.square(x=X), [[0, 1, 4], [9, 16, 25]]),
        (lambda: X.permute(dims=(1, 0)), X.t().tolist()),
        (lambda: X.reshape(shape=(3, 2)), [[0, 1], [2, 3], [4, 5]]),
        (lambda: X.view(size=(6,)), [0, 1, 2, 3, 4, 5]),
        (lambda: X.expand(size=(1, 2, 3)), [X.tolist()]),
        (lambda: X.hsplit(indices=(1,))[0], [[0], [3]]),
        (lambda: torch.split(tensor=X, split_size_or_sections=1)[1], [[3, 4, 5]]),
        (lambda: torch.cat(tensors=[X, X], axis=1)[0], [0, 1, 2, 0, 1, 2]),
        (lambda: torch.zeros(size=(2,)), [0, 0]),
        (lambda: torch.var_mean(X, axis=1)[1], [1, 4]),
        (lambda: X.swapaxes(axis0=0, axis1=1), X.t().tolist()),
        (lambda: X.unsqueeze(axis=0), [X.tolist()]),
    ],
)
def test_a_call_by_other_names(call, expected) -> None:  # type: ignore[no-untyped-def]
    assert call().tolist() == expected


def test_unknown_names_are_refused_as_ever() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'dimension'"):
        X.max(dimension=0)
    with pytest.raises(
        TypeError, match=r"sin\(\): argument 'input' \(position 1\) must be Tensor, not NoneType"
    ):
        torch.sin()
    with pytest.raises(TypeError, match="unexpected keyword argument 'axis'"):
        X.relu(axis=0)


def test_the_signature_and_text_of_a_method_stay_its_own() -> None:
    assert torch.Tensor.amax.__wrapped__.__doc__ == torch.Tensor.amax.__doc__
    assert torch.Tensor.amax.__name__ == "amax"


def test_reversed_operators() -> None:
    assert list(reversed(torch.arange(3))) == [2, 1, 0]
    assert X.__rmatmul__(torch.ones(1, 2)).tolist() == [[3, 5, 7]]
