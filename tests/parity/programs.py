"""Straight-line programs for both libraries: a list of steps, each read against what there is by then.

A step is four whole numbers: which operation, on which two of the tensors made so far, with which parameter.
Every list of steps is a program, so that hypothesis can shorten one that fails by leaving steps out.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from tests.parity.agree import array
from tests.parity.samples import mine

import convgrad
import convgrad.autograd

Step = tuple[int, int, int, int]
TOLERANCE = {"float64": 1e-5, "float32": 2e-3}  # float64 too descends from float32 leaves
LARGE = 1e8  # beyond this, rounding errors of a long program are no longer news


def _assign(x: Any, key: Any, value: Any) -> Any:
    x[key] = value
    return x


def _augment(x: Any, y: Any) -> Any:
    x += y
    return x


def _augment_part(x: Any, y: Any) -> Any:
    x[..., 1:] *= y
    return x


def _shape(lib: Any, x: Any, name: str, *args: int) -> Any:
    """In place, of the shape alone; always recorded, since torch keeps a node of the old shape otherwise."""
    with lib.enable_grad():
        return getattr(x.view_as(x), name)(*args)


def _leaf(x: Any) -> Any:
    return x.detach().clone().requires_grad_()


def _gradient(lib: Any, x: Any, y: Any, create: bool) -> Any:
    """The gradient of a sum, itself a value of the program."""
    (g,) = lib.autograd.grad((x * x).sum(), y, create_graph=create, retain_graph=True, allow_unused=True)
    return None if g is None else g * 1  # the sum itself has versions and node names of the engine's making


def _backward(x: Any) -> None:
    x.sum().backward(retain_graph=True)


#: (lib, x, y, n) -> a tensor, several, or None
VALUES: dict[str, Callable[..., Any]] = {
    "sin": lambda lib, x, y, n: x.sin(),
    "tanh": lambda lib, x, y, n: x.tanh(),
    "sigmoid": lambda lib, x, y, n: lib.sigmoid(x),
    "exp": lambda lib, x, y, n: x.tanh().exp(),
    "relu": lambda lib, x, y, n: x.relu(),
    "abs": lambda lib, x, y, n: abs(x),
    "neg": lambda lib, x, y, n: -x,
    "square": lambda lib, x, y, n: x.tanh() ** 2,
    "clamp": lambda lib, x, y, n: x.clamp(-0.5, 1),
    "clone": lambda lib, x, y, n: x.clone(),
    "contiguous": lambda lib, x, y, n: x.contiguous(),
    "double": lambda lib, x, y, n: x.double(),
    "float": lambda lib, x, y, n: x.float(),
    "add": lambda lib, x, y, n: x + y,
    "sub": lambda lib, x, y, n: x - y,
    "mul": lambda lib, x, y, n: x * y,
    "mul number": lambda lib, x, y, n: x * (n - 3),
    "rsub": lambda lib, x, y, n: 0.5 - x,
    "div": lambda lib, x, y, n: x / (y * y + 1),
    "maximum": lambda lib, x, y, n: lib.maximum(x, y),
    "where": lambda lib, x, y, n: lib.where(y > 0, x, y),
    "atan2": lambda lib, x, y, n: lib.atan2(x * 1, y + 2),
    "hypot": lambda lib, x, y, n: lib.hypot(x, y),
    "lerp": lambda lib, x, y, n: lib.lerp(x, y, 0.25),
    "addcmul": lambda lib, x, y, n: lib.addcmul(x, y, x, value=0.5),
    "matmul": lambda lib, x, y, n: x @ y,
    "outer": lambda lib, x, y, n: lib.outer(x.reshape(-1)[:2], y.reshape(-1)[:3]),
    "sum": lambda lib, x, y, n: x.sum(),
    "sum dim": lambda lib, x, y, n: x.sum(n % 3 - 1, keepdim=n > 3),
    "mean": lambda lib, x, y, n: x.mean(-1, keepdim=True),
    "amax": lambda lib, x, y, n: x.amax(n % 2),
    "max": lambda lib, x, y, n: x.max(n % 2),
    "sort": lambda lib, x, y, n: x.sort(dim=-1, stable=True),
    "var": lambda lib, x, y, n: x.var(0, unbiased=n > 3),
    "logsumexp": lambda lib, x, y, n: x.logsumexp(n % 2),
    "softmax": lambda lib, x, y, n: x.softmax(-1),
    "cumsum": lambda lib, x, y, n: x.cumsum(n % 2),
    "prod": lambda lib, x, y, n: x.tanh().prod(0),
    "norm": lambda lib, x, y, n: x.norm(),
    "cat": lambda lib, x, y, n: lib.cat([x, y], n % 3 - 1),
    "stack": lambda lib, x, y, n: lib.stack([x, y, x], n % 2),
    "index": lambda lib, x, y, n: x[[1, 0, 1]],
    "mask": lambda lib, x, y, n: x[x > 0],
    "masked_select": lambda lib, x, y, n: x.masked_select(y > 0),
    "gather": lambda lib, x, y, n: x[None].gather(-1, lib.zeros_like(x[None], dtype=lib.int64)),
    "index_select": lambda lib, x, y, n: x.index_select(0, lib.tensor([1, 1, 0])),
    "masked_fill": lambda lib, x, y, n: x.masked_fill(y > 0, 0.5),
    "flip": lambda lib, x, y, n: x.flip(0),
    "roll": lambda lib, x, y, n: x.roll(1, 0),
    "repeat": lambda lib, x, y, n: x[:1].repeat(2, 1),
    "tril": lambda lib, x, y, n: x.tril(),
    "diff": lambda lib, x, y, n: x.diff(),
    "pad": lambda lib, x, y, n: lib.nn.functional.pad(x, (1, 0)),
    "greater": lambda lib, x, y, n: x > y,
    "argmax": lambda lib, x, y, n: x.argmax(),
    "floor": lambda lib, x, y, n: x.floor(),
}

VIEWS: dict[str, Callable[..., Any]] = {
    "[i]": lambda lib, x, y, n: x[n % 3 - 1],
    "[1:]": lambda lib, x, y, n: x[1:],
    "[..., ::2]": lambda lib, x, y, n: x[..., ::2],
    "[None]": lambda lib, x, y, n: x[None],
    "t": lambda lib, x, y, n: x.t(),
    "mT": lambda lib, x, y, n: x.mT,
    "transpose": lambda lib, x, y, n: x.transpose(0, -1),
    "reshape": lambda lib, x, y, n: x.reshape(-1),
    "view": lambda lib, x, y, n: x.view(-1),
    "view 2": lambda lib, x, y, n: x.view(-1, 2),
    "flatten": lambda lib, x, y, n: x.flatten(),
    "unsqueeze": lambda lib, x, y, n: x.unsqueeze(n % 3 - 1),
    "squeeze": lambda lib, x, y, n: x.squeeze(),
    "expand": lambda lib, x, y, n: x.expand(2, *x.shape),
    "expand_as": lambda lib, x, y, n: x.expand_as(y),
    "narrow": lambda lib, x, y, n: x.narrow(0, 0, 1),
    "select": lambda lib, x, y, n: x.select(-1, n % 2),
    "diagonal": lambda lib, x, y, n: x.diagonal(),
    "unfold": lambda lib, x, y, n: x.unfold(-1, 2, 2),
    "movedim": lambda lib, x, y, n: x.movedim(0, -1),
    "split": lambda lib, x, y, n: x.split(1),
    "chunk": lambda lib, x, y, n: x.chunk(2, -1),
    "unbind": lambda lib, x, y, n: x.unbind(),
    "detach": lambda lib, x, y, n: x.detach(),
    "as_strided": lambda lib, x, y, n: x.as_strided((2,), (1,)),
    "view_as": lambda lib, x, y, n: x.view_as(y),
    "real": lambda lib, x, y, n: x.real,
    "data": lambda lib, x, y, n: x.data,
    "unflatten": lambda lib, x, y, n: x.unflatten(-1, (1, -1)),
}

IN_PLACE: dict[str, Callable[..., Any]] = {
    "add_": lambda lib, x, y, n: x.add_(y),
    "+=": lambda lib, x, y, n: _augment(x, y),
    "sub_": lambda lib, x, y, n: x.sub_(y, alpha=0.5),
    "mul_": lambda lib, x, y, n: x.mul_(y),
    "mul_ number": lambda lib, x, y, n: x.mul_(0.5),
    "div_": lambda lib, x, y, n: x.div_(2),
    "sin_": lambda lib, x, y, n: x.sin_(),
    "tanh_": lambda lib, x, y, n: x.tanh_(),
    "exp_": lambda lib, x, y, n: x.tanh_().exp_(),
    "relu_": lambda lib, x, y, n: x.relu_(),
    "sigmoid_": lambda lib, x, y, n: x.sigmoid_(),
    "neg_": lambda lib, x, y, n: x.neg_(),
    "abs_": lambda lib, x, y, n: x.abs_(),
    "zero_": lambda lib, x, y, n: x.zero_(),
    "fill_": lambda lib, x, y, n: x.fill_(0.25),
    "fill_ tensor": lambda lib, x, y, n: x.fill_(y),
    "copy_": lambda lib, x, y, n: x.copy_(y),
    "clamp_": lambda lib, x, y, n: x.clamp_(-0.5, 0.5),
    "lerp_": lambda lib, x, y, n: x.lerp_(y, 0.5),
    "addcmul_": lambda lib, x, y, n: x.addcmul_(y, y, value=0.1),
    "masked_fill_": lambda lib, x, y, n: x.masked_fill_(y > 0, 0.5),
    "pow_": lambda lib, x, y, n: x.pow_(2),
    "part *=": lambda lib, x, y, n: _augment_part(x, y),
    "[i] =": lambda lib, x, y, n: _assign(x, n % 3 - 1, y),
    "[i] = number": lambda lib, x, y, n: _assign(x, 0, 0.75),
    "[1:] =": lambda lib, x, y, n: _assign(x, slice(1, None), y),
    "[mask] =": lambda lib, x, y, n: _assign(x, x > 0, 0.5),
    "[mask] = tensor": lambda lib, x, y, n: _assign(
        x, y > 0, y.sum() if x.is_floating_point() else y.sum().detach()
    ),
    "[list] =": lambda lib, x, y, n: _assign(x, [0, 1], y),
    "[..., i] =": lambda lib, x, y, n: _assign(x, (..., 0), y),
    "index_fill_": lambda lib, x, y, n: x.index_fill_(0, lib.tensor([0]), 0.5),
    "index_add_": lambda lib, x, y, n: x.index_add_(0, lib.tensor([0, 1]), y),
    "index_copy_": lambda lib, x, y, n: x.index_copy_(0, lib.tensor([1, 0]), y),
    "scatter_": lambda lib, x, y, n: (
        x.scatter_(0, lib.zeros_like(y, dtype=lib.int64), y) if x.dim() else None
    ),
    "cumsum_": lambda lib, x, y, n: x.cumsum_(0),
    "tril_": lambda lib, x, y, n: x.tril_(),
    "t_": lambda lib, x, y, n: _shape(lib, x, "t_"),
    "unsqueeze_": lambda lib, x, y, n: _shape(lib, x, "unsqueeze_", 0),
    "squeeze_": lambda lib, x, y, n: _shape(lib, x, "squeeze_"),
    "detach_": lambda lib, x, y, n: x.clone().detach_(),
    "requires_grad_": lambda lib, x, y, n: x.clone().requires_grad_(n < 6),
    "round_": lambda lib, x, y, n: x.round_(),
}

WRITING = set(IN_PLACE.values())

GRADIENTS: dict[str, Callable[..., Any]] = {
    "leaf": lambda lib, x, y, n: _leaf(x),
    "gradient": lambda lib, x, y, n: _gradient(lib, x, y, True),
    "gradient once": lambda lib, x, y, n: _gradient(lib, x, y, False),
    "backward": lambda lib, x, y, n: _backward(x),
    "retain_grad": lambda lib, x, y, n: x.retain_grad(),
}

#: values and views twice as often as the rest
OPERATIONS = [*VALUES.items(), *VIEWS.items(), *VIEWS.items(), *IN_PLACE.items(), *GRADIENTS.items()]
NO_GRAD = ("no_grad", None)
TABLE: list[Any] = [*OPERATIONS, NO_GRAD, NO_GRAD, NO_GRAD]


def start() -> list[tuple[Any, torch.Tensor]]:
    """The tensors a program begins with: leaves, constants, integers, half of them of one shape."""
    rng = np.random.default_rng(1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.from_numpy(np.asarray(rng.standard_normal(shape)))

    first = [
        draw(2, 3).requires_grad_(), draw(3).requires_grad_(), draw(2, 3).float().requires_grad_(), draw(2, 3),
        draw(2, 2).requires_grad_(), draw(), torch.tensor([[1, -2, 3], [0, 2, -1]]), draw(2, 1, 3).requires_grad_(),
    ]  # fmt: skip
    return [(mine(x, x.requires_grad), x) for x in first]


#: what torch refuses and convgrad does: operands that overlap, which it reads first; a saved value that it has as a
#: copy of another dtype; a piece of split() that was made without recording, or whose base was changed
#: the last: torch's backward reads the place of a saved view that was spoilt after it was saved
ALLOWED = ("single memory location", "torch.LongTensor", "another view of its base")

#: names of nodes that change only the layout: which of them depends on how a result lies in memory
LAYOUT = {"ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "CloneBackward0"}


class Beyond(Exception):
    """One library goes on where the other refuses overlapping memory: the program ends here."""


class Difference(AssertionError):
    """The libraries disagree; the program so far stands in the message."""


class Program:
    """Runs steps in both libraries and compares after each."""

    def __init__(self) -> None:
        self.pairs = start()
        self.text: list[str] = []
        self.older = [0] * len(self.pairs)  # versions by which torch's was ahead when it was made
        self.silent = 0
        self.errors = 0

    def run(self, steps: list[Step]) -> None:
        """All steps, then the values of everything and the gradients of the leaves."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                with contextlib.suppress(Beyond):
                    for step in steps:
                        self.step(*step)
                    self.finish()
            except AssertionError as error:
                program = "\n".join(self.text)
                raise Difference(f"{error}\n{program}") from None

    def step(self, which: int, i: int, j: int, n: int) -> None:
        """One operation in both libraries; under no_grad for the few steps after such a step."""
        name, call = TABLE[which % len(TABLE)]
        if call is None:
            self.silent = 1 + n % 3
            self.text.append(f"# no_grad for {self.silent} steps")
            return
        (x, p), (y, q) = self.pairs[-1 - i % len(self.pairs)], self.pairs[-1 - j % len(self.pairs)]
        a, b = len(self.pairs) - 1 - i % len(self.pairs), len(self.pairs) - 1 - j % len(self.pairs)
        self.text.append(f"v{len(self.pairs)} = {name!r}(v{a}, v{b}, {n})")
        if call in WRITING and q is not p and shared(p, q):
            y, q = y.clone(), q.clone()  # what is read while it is written to is undefined in torch
        if call in WRITING and not p.is_floating_point():
            y, q = y.detach(), q.detach()  # torch gives integers a history
        modes = (convgrad.no_grad(), torch.no_grad()) if self.silent else (contextlib.nullcontext(),) * 2
        self.silent = max(self.silent - 1, 0)
        with modes[1]:
            expected, failed = attempt(lambda: call(torch, p, q, n))
        with modes[0]:
            got, mine_failed = attempt(lambda: call(convgrad, x, y, n))
        if failed is not None:
            self.errors += 1
            self.text[-1] += f"  # {type(failed).__name__}"
            if mine_failed is None and any([words in str(failed) for words in ALLOWED]):
                raise Beyond
            if "single memory location" in str(mine_failed) or (call in WRITING and "ndex" in repr(failed)):
                raise Beyond  # several mistakes at once; torch has written a part before it saw the index
            assert mine_failed is not None, f"torch raised {failed!r}, convgrad nothing"
            assert isinstance(mine_failed, type(failed)), f"torch raised {failed!r}, convgrad {mine_failed!r}"
        else:
            if "single memory location" in str(mine_failed):
                raise Beyond  # torch warns and fills an expanded tensor by a mask
            assert mine_failed is None, f"convgrad raised {type(mine_failed).__name__}: {mine_failed}"
            self.keep(got, expected)
        self.compare_places()

    def keep(self, got: Any, expected: Any) -> None:
        """Add the results to what later steps may use; larger ones are only compared."""
        results = [expected] if isinstance(expected, torch.Tensor) else list(expected or ())
        have = [got] if isinstance(expected, torch.Tensor) else list(got or ())
        assert len(results) == len(have), f"{len(have)} results, torch {len(results)}"
        for a, b in zip(have, results, strict=True):
            same_value(a, b, f"v{len(self.pairs)}")
            alike = a.stride() == b.stride()  # what is a view of it, and what as_strided shows, depends on it
            if alike and b.numel() <= 64 and not any([a is x for x, _ in self.pairs]):
                self.pairs.append((a, b))
                self.older.append(b._version - a._version)

    def compare_places(self) -> None:
        """Version, place in the graph and gradient of every tensor."""
        spoilt = []
        for k, (a, b) in enumerate(self.pairs):
            theirs, failed = attempt(lambda: place(b, self.older[k]))  # noqa: B023
            mine_, mine_failed = attempt(lambda: place(a))  # noqa: B023
            if failed is not None:  # a piece of split(), or a view made under no_grad, whose base was changed
                assert isinstance(mine_failed, RuntimeError), (
                    f"torch raised {failed!r}, convgrad {mine_failed!r}"
                )
                assert str(mine_failed) == str(failed)
                spoilt.append(k)
                continue
            assert mine_failed is None, f"convgrad raised {mine_failed!r}"
            if theirs[-1] == "AsStridedBackward0" and theirs[-2] and mine_[-1] is not None:
                mine_ = (*mine_[:-1], theirs[-1])  # torch makes such views anew also if nothing was recorded
            if (mine_[0] == () or mine_[-1] == "CopyBackwards") and mine_[-1] and theirs[-1]:
                mine_ = (*mine_[:-1], theirs[-1])  # in place, of one element or of promoted operands
            assert mine_ == theirs, (
                f"v{k}: (shape, requires_grad, is_leaf, version, node) {mine_}, torch {theirs}"
            )
        for k in reversed(spoilt):
            self.pairs.pop(k)
            self.older.pop(k)
            self.text.append(f"# v{k} is spoilt, later numbers are one less")

    def finish(self) -> None:
        """Values, the gradients of a sum over everything, and the derivative of their squares."""
        for k, (a, b) in enumerate(self.pairs):
            same_value(a, b, f"v{k} at the end")
            self.gradient_of(k, a, b)
        leaves = [k for k, (_, b) in enumerate(self.pairs) if b.is_leaf and b.requires_grad]
        roots = [k for k, (_, b) in enumerate(self.pairs) if b.grad_fn is not None]
        if not leaves or not roots:
            return
        for second in (False, True):
            both = []
            for lib, side in ((convgrad, 0), (torch, 1)):
                values = [self.pairs[k][side] for k in roots[-6:]]
                inputs = [self.pairs[k][side] for k in leaves]
                both.append(attempt(lambda: derivatives(lib, values, inputs, second)))  # noqa: B023
            (got, failed), (expected, wanted) = both
            if failed is None and any(
                [words in str(wanted) for words in (*ALLOWED, "modified by an inplace")]
            ):
                return  # torch keeps the output of some operators where convgrad keeps what was not changed
            assert (failed is None) == (wanted is None), f"at the end torch {wanted!r}, convgrad {failed!r}"
            if wanted is not None:
                assert isinstance(failed, type(wanted)), f"at the end torch {wanted!r}, convgrad {failed!r}"
                return
            for k, a, b in zip(leaves, got, expected, strict=True):
                same_gradient(a, b, f"gradient by v{k}, second={second}")

    def gradient_of(self, k: int, a: Any, b: torch.Tensor) -> None:
        """``.grad`` where a program's own backward left one."""
        if b.is_leaf or b.retains_grad:
            same_gradient(a.grad, b.grad, f"v{k}.grad")


def derivatives(lib: Any, values: list[Any], inputs: list[Any], second: bool) -> Any:
    """Gradients of the sum of squares of all values; of those, if ``second``, once more."""
    total = sum([(v.double().tanh() ** 2).sum() for v in values])
    first = lib.autograd.grad(total, inputs, create_graph=second, retain_graph=True, allow_unused=True)
    if not second:
        return first
    again = [(g * g).sum() for g in first if g is not None and g.requires_grad]
    return lib.autograd.grad(sum(again), inputs, retain_graph=True, allow_unused=True) if again else first


def shared(p: torch.Tensor, q: torch.Tensor) -> bool:
    return p.untyped_storage().data_ptr() == q.untyped_storage().data_ptr()


def attempt(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """The result, or the exception."""
    try:
        return call(), None
    except Exception as error:
        return None, error


def name_of(x: Any) -> str | None:
    """The node's name as it is printed; torch's ``name()`` has C++ namespaces before some."""
    if x.grad_fn is None:
        return None
    name = x.grad_fn.name().removeprefix("torch::autograd::")
    return "a layout" if name in LAYOUT else str(name)


def place(x: Any, older: int = 0) -> tuple[Any, ...]:
    """What can be asked of a tensor without its values."""
    return (tuple(x.shape), x.requires_grad, x.is_leaf, x._version - older, name_of(x))


def same_value(a: Any, b: torch.Tensor, what: str) -> None:
    """Shape, dtype and values; not the values where they are so large that rounding decides."""
    assert tuple(a.shape) == tuple(b.shape), f"{what}: shape {tuple(a.shape)}, torch {tuple(b.shape)}"
    assert repr(a.dtype) == str(b.dtype), f"{what}: dtype {a.dtype}, torch {b.dtype}"
    x, y = a._data, array(b)
    with np.errstate(all="ignore"):
        if y.size and not np.nanmax(np.abs(y.astype(float)), initial=0) > LARGE:
            tol = TOLERANCE.get(x.dtype.name, 0)
            np.testing.assert_allclose(x, y, rtol=tol, atol=tol, err_msg=what)


def same_gradient(a: Any, b: Any, what: str) -> None:
    """Gradients; none and zeros are the same."""
    if a is None or b is None:
        zero = (a is None or not np.any(a._data)) and (b is None or not np.any(np.nan_to_num(array(b))))
        assert zero, (
            f"{what}: {a}, torch {b}"
        )  # torch multiplies what was overwritten by 0: NaN, if it was NaN
    else:
        same_value(a, b, what)
