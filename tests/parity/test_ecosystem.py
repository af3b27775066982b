"""Neighbours of tensors against PyTorch's: ``__torch_function__``, NumPy's functions and operators, DLPack, safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.dropin.programs import output

import convgrad
from convgrad.utils import dlpack

pytestmark = pytest.mark.parity


def logging_class(t: Any) -> Any:
    class Logging(t.Tensor):
        seen: list[Any] = []

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            cls.seen.append((func.__name__, [kind.__name__ for kind in types if kind is not t.Tensor]))
            return super().__torch_function__(func, types, args, kwargs or {})

    return Logging


CLASSES = {t: logging_class(t) for t in (torch, convgrad)}

ASKED = """
x + 1 | 1 + x | y + x | x - y | y - x | x * 2 | x / 2 | x @ y | -x | x < y | y < x | x == y | x != y | x ** 2 | 2 ** x
x // 2 | x % 2 | abs(x) | x[0] | x[x > 0] | x.shape | x.dtype | x.requires_grad | x.is_leaf | x.data | x.grad | x.grad_fn
x.add(y) | y.add(x) | x.sum() | x.sum(0) | x.max(0) | x.size() | x.dim() | x.numel() | x.tolist() | x.item | x.numpy()
x.detach() | x.clone() | x.to(t.float64) | x.double() | x.reshape(2, 1) | x.unsqueeze(0) | x.add_(1) | x.zero_() | x.fill_(2)
x.new_zeros(2) | x.split(1) | x.chunk(2) | x.unbind() | x.expand(3, 2) | float(x[0]) | int(x[1]) | bool(x[0]) | len(x)
t.add(x, y) | t.add(y, x) | t.exp(x) | t.mean(x) | t.sum(x, 0) | t.cat([x, y]) | t.cat([y, x]) | t.stack((y, x))
t.where(x > 0, y, x) | t.maximum(y, x) | t.clamp(x, 0, 1) | t.matmul(x, y) | t.einsum("i,i->", x, y) | t.zeros_like(x)
t.ones_like(x) | t.rand_like(x) | t.reshape(x, (2, 1)) | t.squeeze(x) | t.sort(x) | t.topk(x, 1) | t.tensor([1.0]) | t.is_tensor(x)
t.isfinite(x) | t.allclose(x, x) | t.equal(x, y) | t.broadcast_tensors(x, y) | t.meshgrid(x, y, indexing="ij") | t.norm(x)
F.relu(x) | F.linear(y, x) | F.softmax(x, 0) | F.mse_loss(x, y) | F.pad(x, (1, 1)) | F.dropout(x, 0.0) | F.gelu(x)
F.cross_entropy(x, t.tensor(0)) | F.layer_norm(x, (2,)) | F.normalize(x, dim=0) | t.linalg.norm(x) | t.fft.fft(x)
t.special.expit(x) | t.nn.Linear(2, 1)(x) | t.nn.ReLU()(x) | t.nn.Sequential(t.nn.Linear(2, 2), t.nn.Tanh())(x)
list(x) | t.linalg.vector_norm(x) | t.nn.functional.one_hot(x.long().abs(), 5)
"""
EXPRESSIONS = [e.strip() for line in ASKED.split("\n") for e in line.split(" | ") if e.strip()]
#: PyTorch's own spelling of a function -> convgrad's
SPELLED = {"__rdiv__": "__rtruediv__"}


def plain_name(name: str) -> str:
    """A function's name without its module, which PyTorch writes before it (``linalg_norm``)."""
    for module in ("linalg_", "fft_", "special_"):
        name = name.removeprefix(module)
    return SPELLED.get(name, name)


def asked(t: Any, text: str) -> tuple[Any, Any]:
    """What the handler saw, and the classes of the result."""
    kind = CLASSES[t]
    x = t.tensor([1.0, 2.0]).as_subclass(kind)
    y = t.tensor([3.0, 4.0])
    kind.seen.clear()
    out = eval(text, {"x": x, "y": y, "t": t, "F": t.nn.functional})
    seen = [(plain_name(name), kinds) for name, kinds in kind.seen]

    def classes(value: Any) -> Any:
        if isinstance(value, (tuple, list)) and not isinstance(value, t.Size):
            return [classes(v) for v in value]
        return type(value).__name__

    return seen, classes(out)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", EXPRESSIONS)
def test_handlers_are_asked_as_by_pytorch(text: str) -> None:
    (theirs, their_kinds), (mine, my_kinds) = asked(torch, text), asked(convgrad, text)
    if their_kinds != ["builtin_function_or_method"] and "method" not in str(their_kinds):
        assert my_kinds == their_kinds
    assert [kinds for _, kinds in mine][-1:] == [kinds for _, kinds in theirs][-1:]
    # inside a layer or a composite function PyTorch may ask about more steps than one
    assert [name for name, _ in mine][-1:] == [name for name, _ in theirs][-1:]


NUMPY = """
np.sin(x) | np.add(x, a) | np.add(a, x) | a + x | x + a | a * x | x * d | d * x | a @ x | x @ a | d - x | np.concatenate([x, x])
np.stack([x, x]) | np.asarray(c) | np.asarray(b) | np.array(x, dtype=np.float64) | np.asarray(x, dtype=np.int32) | np.dot(x, a)
np.multiply.reduce(x) | np.matmul(m, x) | np.transpose(m) | np.reshape(m, (3, 2)) | np.float32(2) * x | np.float64(2) * x
x * np.float64(2) | np.int64(3) + i | i + np.int64(3) | np.isclose(x, a) | np.allclose(x, a) | np.array_equal(x, a) | np.where(b, i, i)
np.clip(x, 0, 2) | np.squeeze(m) | np.linalg.norm(x) | np.argmax(x) | np.sort(x) | np.unique(i) | np.ravel(m) | np.zeros_like(x)
np.ones_like(i) | np.sqrt(i) | np.add.accumulate(x) | np.add.outer(x, x) | np.shape(m) | np.ndim(m) | np.array([x, x]) | np.array([s, s])
np.asarray(s) | float(np.sin(s)) | np.copy(x) | np.divmod(x, a) | np.sin(x, out=a) | np.power(2, x) | np.cumsum(x) | np.round(x)
np.average(x) | np.median(x) | np.histogram(x, 3)[0] | np.einsum("i,i", x, a) | np.vstack([x, x]) | a.__iadd__(x) | a[i]
np.arange(10)[i] | np.arange(10)[s.long()] | [10, 20, 30][i[0]] | np.full(3, s) | np.tile(x, 2) | np.expand_dims(x, 0)
np.eye(3) @ x.double() | a == x | x == a | d.dot(x) | np.negative(x) | np.maximum(x, 2) | np.hypot(x, a) | np.floor_divide(x, 2)
abs(x) | divmod(x, 2) | d + s | s + d | d * i[0] | np.float64(1) + s | np.asarray(g.detach()) | np.from_dlpack(x) | np.from_dlpack(b)
"""


def called(t: Any, text: str) -> Any:
    """Class, dtype, shape and values of a call."""
    names = {
        "x": t.tensor([1.0, 2.0, 3.0]), "g": t.tensor([1.0, 2.0], requires_grad=True), "i": t.tensor([1, 2]),
        "b": t.tensor([True, False]), "c": t.tensor([1 + 2j]), "m": t.arange(6.0).reshape(2, 3), "s": t.tensor(2.0),
        "a": np.array([1.0, 2.0, 3.0], np.float32), "d": np.array([1.0, 2.0, 3.0]), "np": np,
    }  # fmt: skip
    try:
        out = eval(text, names)
    except TypeError:  # an operator with an array on the left, where only the kind of error is the same
        return TypeError
    if isinstance(out, tuple) and hasattr(out[0], "dtype"):
        return [(type(v).__name__, str(v.dtype), np.asarray(v).tolist()) for v in out]
    kind = str(getattr(out, "dtype", "")), tuple(getattr(out, "shape", ()))
    return type(out).__name__, kind, out.tolist() if hasattr(out, "tolist") else out


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "text", [e.strip() for line in NUMPY.split("\n") for e in line.split(" | ") if e.strip()]
)
def test_numpy_meets_tensors_as_it_meets_pytorchs(text: str) -> None:
    assert called(convgrad, text) == called(torch, text)


@pytest.mark.parametrize(
    "name", "float32 float64 float16 bfloat16 int8 int16 int32 int64 uint8 bool complex64 complex128".split()
)
def test_dlpack_shares_memory_with_pytorch(name: str) -> None:
    """Both ways, by the protocol and by capsules, with strides; what one writes the other sees."""
    theirs = torch.tensor([0, 1, 2, 3]).to(getattr(torch, name))[::2]
    for made in (convgrad.from_dlpack(theirs), dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(theirs))):
        assert str(made.dtype) == str(theirs.dtype) and made.tolist() == theirs.tolist()
        made[0] = not theirs[0].item()
        assert theirs[0] == made[0].item()
    for back in (torch.from_dlpack(made), torch.utils.dlpack.from_dlpack(dlpack.to_dlpack(made))):
        assert back.dtype == theirs.dtype and back.tolist() == theirs.tolist()
        back[1] = not back[1].item()
        assert theirs[1] == made[1].item() == back[1]
    assert torch.from_dlpack(made).data_ptr() == theirs.data_ptr() == made.data_ptr()


def test_safetensors_for_pytorch_works_in_dropin_mode(tmp_path: Path) -> None:
    """Written by the package's own functions for PyTorch, and read by PyTorch."""
    pytest.importorskip("safetensors")
    program = (
        "import torch\nfrom safetensors.torch import load_file, save_file\n"
        "given = {'a': torch.arange(6.0).reshape(2, 3), 'b': torch.ones(2).bfloat16(), 'c': torch.tensor([1, 2])}\n"
        "save_file(given, 'x.safetensors')\nback = load_file('x.safetensors')\n"
        "print(torch.__name__, all(torch.equal(back[k], v) and back[k].dtype is v.dtype for k, v in given.items()))"
    )
    assert output("-m", "convgrad.torch", "-c", program, folder=tmp_path) == "convgrad True\n"
    from safetensors.torch import load_file  # noqa: PLC0415 - needs the package, as the test says

    read = load_file(tmp_path / "x.safetensors")
    assert (
        read["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
        and read["b"].dtype is torch.bfloat16
        and read["c"][1] == 2
    )
