"""Full backward hooks: identity nodes around a module's inputs and outputs that see the gradients pass."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ..autograd.function import Function
from ..errors import ConvgradError
from ..tensor.tensor import Tensor


class Gate(Function):
    """The identity on tensors; its backward shows the gradients to a function that may change them."""

    @staticmethod
    def forward(ctx: Any, seen: Callable[[tuple[Any, ...]], tuple[Any, ...]], *tensors: Any) -> Any:
        ctx.seen = seen
        ctx.set_materialize_grads(False)
        out = tuple([t.detach() if isinstance(t, Tensor) else t for t in tensors])
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return (None, *ctx.seen(grads))


class Watch:
    """One call of a module with backward hooks: remembers grad_output until grad_input is known."""

    __slots__ = ("module", "hooks", "grad_output", "count", "places", "tracked")

    def __init__(self, module: Any, hooks: Any) -> None:
        self.module = module
        self.hooks = hooks
        self.grad_output: tuple[Any, ...] | None = None
        self.places: list[int] = []
        self.count = 0
        self.tracked = False

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, tensors among them led through a gate."""
        self.places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        self.count = len(args)
        self.tracked = any([args[i].requires_grad for i in self.places])
        if not self.tracked:
            return args
        gated = Gate.apply(self._seen_input, *[args[i] for i in self.places])
        gated = gated if isinstance(gated, tuple) else (gated,)
        changed = list(args)
        for place, tensor in zip(self.places, gated, strict=True):
            changed[place] = tensor
        return tuple(changed)

    def outputs(self, out: Any) -> Any:
        """The result, tensors led through a gate; other results than a tensor or a tuple are not watched."""
        if not isinstance(out, Tensor | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but "
                f"received {type(out)}",
                stacklevel=4,
            )
            return out
        values = list(out) if isinstance(out, tuple) else [out]
        places = [i for i, v in enumerate(values) if isinstance(v, Tensor)]
        if not any([values[i].requires_grad for i in places]):
            return out
        gated = Gate.apply(self._seen_output, *[values[i] for i in places])
        gated = gated if isinstance(gated, tuple) else (gated,)
        for place, tensor in zip(places, gated, strict=True):
            values[place] = tensor
        return _tuple_like(out, values) if isinstance(out, tuple) else values[0]

    def _seen_output(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in tuple(self.hooks.backward_before.values()):
            grads = _replaced("pre hook", "grad_output", grads, hook(self.module, grads))
        self.grad_output = grads
        if not self.tracked:  # no input wants a gradient: there will be no grad_input to wait for
            self._without_inputs(grads)
            self.grad_output = None
        return grads

    def _without_inputs(self, grads: tuple[Any, ...]) -> None:
        if self.hooks.backward:
            warnings.warn(
                "Full backward hook is firing when gradients are computed with respect to module outputs "
                "since no inputs require gradients. See https://docs.pytorch.org/docs/main/generated/torch.nn"
                ".Module.html#torch.nn.Module.register_full_backward_hook for more details.",
                stacklevel=2,
            )
        nothing = (None,) * max(1, len(self.places))
        for hook in tuple(self.hooks.backward.values()):
            changed = hook(self.module, nothing, grads)
            if changed is not None and not (isinstance(changed, tuple) and all(g is None for g in changed)):
                raise ConvgradError(
                    "Backward hook for Modules where no input requires gradient should always return None or "
                    "None for all gradients."
                )

    def _seen_input(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        if self.grad_output is None:  # the gradient has come by another way than through the output
            return grads
        full: list[Any] = [None] * self.count
        for place, g in zip(self.places, grads, strict=True):
            full[place] = g
        result = tuple(full)
        for hook in tuple(self.hooks.backward.values()):
            result = _replaced("hook", "grad_input", result, hook(self.module, result, self.grad_output))
        self.grad_output = None
        return tuple([result[place] for place in self.places])


def _replaced(kind: str, what: str, grads: tuple[Any, ...], changed: Any) -> tuple[Any, ...]:
    """What a hook has made of gradients.

    Raises:
        ConvgradError: another number of them.
        TypeError: neither a tensor nor a tuple.
    """
    if changed is None:
        return grads
    if isinstance(changed, Tensor):
        changed = (changed,)
    if len(changed) != len(grads):
        raise ConvgradError(
            f"Backward {kind} returned an invalid number of {what}, got {len(changed)}, but expected "
            f"{len(grads)}"
        )
    return tuple(changed)


def _tuple_like(out: tuple[Any, ...], values: list[Any]) -> Any:
    """A tuple of out's kind; a named one is made field by field."""
    return type(out)(*values) if hasattr(out, "_fields") else type(out)(values)
