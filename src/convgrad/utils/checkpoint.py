"""Trading time for memory: what a function saves for backward is forgotten and computed again."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..autograd.derive import backward as run_backward
from ..autograd.function import Function
from ..autograd.grad_mode import enable_grad
from ..autograd.graph import innermost_packer, saved_tensors_hooks
from ..errors import ConvgradError
from ..generator import default_generator
from ..graph.engine import RUNNING
from ..graph.grad_mode import MODE, RECORD
from ..graph.watch import WATCHERS
from ..size import Size
from ..tensor.tensor import Tensor

_DETERMINISM = ("default", "none")
_early_stop: ContextVar[bool | None] = ContextVar("convgrad.checkpoint_early_stop", default=None)


class CheckpointError(ConvgradError):
    """The second run of a checkpointed function did not save what the first one did."""


class _Stop(Exception):
    """Everything that is needed has been computed again."""


@contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Whether checkpoints made in the block stop the second run as soon as it has computed what is needed."""
    token = _early_stop.set(enable)
    try:
        yield
    finally:
        _early_stop.reset(token)


def noop_context_fn() -> tuple[Any, Any]:
    """Two contexts that do nothing: for the first and the second run."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def checkpoint(
    function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn, determinism_check: str = "default",
    debug: bool = False, early_stop: bool = True, **kwargs: Any,
) -> Any:  # fmt: skip
    """Call a function whose intermediate values are not kept for backward but computed again there.

    Args:
        function: of tensors, and of whatever else; run a second time during backward.
        args, kwargs: its arguments; named ones only without ``use_reentrant`` or with False.
        use_reentrant: False: the second run happens when backward first asks for a saved value, and
        everything
            that autograd can do works. True: the older way, a backward within backward. Without a choice
            PyTorch
            warns and takes True, and so does this.
        context_fn: gives two context managers, for the first run and for the second.
        determinism_check: "default" compares shapes and dtypes of what both runs save, "none" does not.
        debug: accepted; the error always has shapes and dtypes.
        early_stop: end the second run as soon as everything needed is there.
        preserve_rng_state: (named, True by default) let the second run draw the first run's random numbers.
    Raises:
        CheckpointError: the second run saves other tensors than the first.
        ValueError: named arguments, ``context_fn`` or ``debug`` with ``use_reentrant=True``.
    Example:
        >>> x = Tensor([1.0, 2.0]).requires_grad_()
        >>> checkpoint(lambda t: t.sin().exp(), x, use_reentrant=False).sum().backward()

    Source: Chen et al. 2016, arXiv:1604.06174; semantics of torch.utils.checkpoint.
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. "
            "use_reentrant=False "
            "is recommended, but if you need to preserve the current default behavior, you can pass "
            "use_reentrant=True.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug:
            raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        _warn_without_grad(args)
        return CheckpointFunction.apply(function, preserve, *args)
    if determinism_check not in _DETERMINISM:
        raise ValueError(
            f"determinism_check should be one of {list(_DETERMINISM)}, but got {determinism_check}"
        )
    if not MODE.get() & RECORD:
        with context_fn()[0]:
            return function(*args, **kwargs)
    forced = _early_stop.get()
    first, second = context_fn()
    frame = _Frame(
        function, args, kwargs, second, preserve, determinism_check, early_stop if forced is None else forced
    )
    with frame.hooks(), first:
        return function(*args, **kwargs)


def _warn_without_grad(args: Any) -> None:
    if MODE.get() & RECORD and not any([isinstance(a, Tensor) and a.requires_grad for a in args]):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=3)


class _Input:
    """A tensor argument of a checkpoint: kept as it is, or by the checkpoint around this one."""

    __slots__ = ("kept", "packer", "wanted")

    def __init__(self, tensor: Tensor) -> None:
        self.packer = innermost_packer()
        bare = tensor.detach()
        self.wanted = tensor.requires_grad
        leaf = tensor.is_leaf and self.wanted
        self.kept = bare if self.packer is None or leaf else self.packer.pack(bare)
        if leaf:
            self.packer = None

    def tensor(self) -> Tensor:
        """The argument again, as a leaf."""
        bare = self.kept if self.packer is None else self.packer.unpack(self.kept)
        out = bare.detach()
        return out.requires_grad_() if self.wanted else out


class _Frame:
    """One checkpointed call: how to run it again, and what the second run has given."""

    def __init__(
        self,
        function: Any,
        args: Any,
        kwargs: Any,
        context: Any,
        preserve: bool,
        check: str,
        early_stop: bool,
    ) -> None:
        self.function = function
        self.args = [_Input(a) if isinstance(a, Tensor) else a for a in args]
        self.kwargs = {k: _Input(v) if isinstance(v, Tensor) else v for k, v in kwargs.items()}
        self.context = context
        self.state = default_generator.get_state() if preserve else None
        self.check = check == "default"
        self.early_stop = early_stop
        #: (shape, dtype) of what the first run saved, in order
        self.saved: list[tuple[Any, Any]] = []
        #: position -> what the second run saved there, until it is asked for
        self.found: dict[int, Tensor] = {}
        self.backward: Any = None

    def hooks(self) -> saved_tensors_hooks:
        """What watches the first run: numbers take the places of tensors."""
        return saved_tensors_hooks(self._number, self._again)

    def _number(self, tensor: Tensor) -> int:
        self.saved.append((tensor._data.shape, tensor.dtype))
        return len(self.saved) - 1

    def _again(self, index: int) -> Tensor:
        now = RUNNING.get()
        if index not in self.found or self.backward is not now:  # another backward needs its own
            self.found.clear()
            self._run()
            self.backward = now
        tensor = self.found.pop(index)
        if not self.found:
            self.backward = None
        return tensor

    def _run(self) -> None:
        """The second run: recorded, by itself, with the first run's random numbers."""
        args = [a.tensor() if type(a) is _Input else a for a in self.args]
        kwargs = {k: v.tensor() if type(v) is _Input else v for k, v in self.kwargs.items()}
        count = [0]

        def keep(tensor: Tensor) -> None:
            index = count[0]
            count[0] += 1
            if index < len(self.saved):
                self.found[index] = tensor
            if self.early_stop and count[0] == len(self.saved):
                raise _Stop

        def give(_: Any) -> Any:
            raise CheckpointError(
                "torch.utils.checkpoint: a graph of the second run is walked while it is recorded"
            )

        mode, watchers = MODE.get(), WATCHERS.get()
        before = default_generator.get_state() if self.state is not None else None
        MODE.set(RECORD)
        WATCHERS.set(())
        try:
            if self.state is not None:
                default_generator.set_state(self.state)
            with saved_tensors_hooks(keep, give), self.context:
                self.function(*args, **kwargs)
        except _Stop:
            pass
        finally:
            if before is not None:
                default_generator.set_state(before)
            MODE.set(mode)
            WATCHERS.set(watchers)
        self._compare(count[0])

    def _compare(self, count: int) -> None:
        if count != len(self.saved):
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the "
                "original forward and "
                f"recomputation.\nNumber of tensors saved during forward: {len(self.saved)}\nNumber "
                "of tensors saved "
                f"during recomputation: {count}."
            )
        if not self.check:
            return
        lines = [
            f"tensor at position {i}:\nsaved metadata: {_described(*old)}\nrecomputed metadata: "
            f"{_described(t._data.shape, t.dtype)}"
            for i, old in enumerate(self.saved)
            for t in (self.found[i],)
            if old != (t._data.shape, t.dtype)
        ]
        if lines:
            raise CheckpointError(
                "torch.utils.checkpoint: Recomputed values for the following tensors have different "
                "metadata than "
                "during the forward pass.\n" + "\n".join(lines)
            )


def _described(shape: Any, dtype: Any) -> str:
    return f"{{'shape': {Size(shape)}, 'dtype': {dtype}}}"


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Leaves of the same values, that require grad where the inputs do; what is no tensor stays."""
    return tuple([
        x.detach().requires_grad_() if isinstance(x, Tensor) and x.requires_grad
        else x.detach() if isinstance(x, Tensor)
        else x
        for x in inputs
    ])  # fmt: skip


class CheckpointFunction(Function):
    """The reentrant way: forward records nothing, backward runs the function again."""

    @staticmethod
    def forward(ctx: Any, function: Any, preserve: bool, *args: Any) -> Any:
        """Run without recording; keep the arguments and the random state."""
        ctx.function = function
        ctx.state = default_generator.get_state() if preserve else None
        ctx.others = [None if isinstance(a, Tensor) else a for a in args]
        ctx.save_for_backward(*[a if isinstance(a, Tensor) else None for a in args])
        return function(*args)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Run again with recording, and go back from there."""
        running = RUNNING.get()
        if running is not None and running.captures:
            raise ConvgradError(_REENTRANT_GRAD)
        given = [t if t is not None else o for t, o in zip(ctx.saved_tensors, ctx.others, strict=True)]
        inputs = detach_variable(tuple(given))
        before = default_generator.get_state() if ctx.state is not None else None
        try:
            if ctx.state is not None:
                default_generator.set_state(ctx.state)
            with enable_grad():
                out = ctx.function(*inputs)
        finally:
            if before is not None:
                default_generator.set_state(before)
        outs = out if isinstance(out, tuple) else (out,)
        pairs = [
            (o, g) for o, g in zip(outs, grads, strict=True) if isinstance(o, Tensor) and o.requires_grad
        ]
        if not pairs:
            raise ConvgradError("none of output has requires_grad=True, this checkpoint() is not necessary")
        run_backward([o for o, _ in pairs], [g for _, g in pairs])
        return None, None, *[x.grad if isinstance(x, Tensor) else None for x in inputs]


_REENTRANT_GRAD = (
    "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an "
    "`inputs` parameter "
    "to .backward(). To resolve this error, you can either set use_reentrant=False, or call "
    ".backward() without "
    "passing the `inputs` argument."
)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Run functions (or layers of a Sequential) one after another, all segments but the last checkpointed.

    Args:
        functions: a ``Sequential``, or a list of functions of one argument.
        segments: how many parts of about the same length.
        input: the first one's argument.
        use_reentrant, preserve_rng_state: as in ``checkpoint``.
    Example:
        >>> checkpoint_sequential([Tensor.sin, Tensor.exp], 2, Tensor([0.0]), use_reentrant=False)
        tensor([1.])
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be "
            "passed explicitly. "
            "use_reentrant=False is recommended.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    steps = list(functions.children()) if hasattr(functions, "children") else list(functions)

    def part(start: int, stop: int) -> Callable[[Any], Any]:
        def run(value: Any) -> Any:
            for step in steps[start:stop]:
                value = step(value)
            return value

        return run

    size = len(steps) // segments
    start = 0
    for start in range(0, size * (segments - 1), size) if size else ():
        run = part(start, start + size)
        input = checkpoint(run, input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return part(size * (segments - 1), len(steps))(input)


__all__ = [
    "CheckpointError", "CheckpointFunction", "checkpoint", "checkpoint_sequential", "detach_variable",
    "noop_context_fn", "set_checkpoint_early_stop",
]  # fmt: skip
