"""Full backward hooks: identity nodes around a module's inputs and outputs that see the gradients pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd.function import Function
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
        """The result, tensors led through a gate."""
        several = isinstance(out, (tuple, list))
        values = list(out) if several else [out]
        places = [i for i, v in enumerate(values) if isinstance(v, Tensor)]
        if not any([values[i].requires_grad for i in places]):
            return out
        gated = Gate.apply(self._seen_output, *[values[i] for i in places])
        gated = gated if isinstance(gated, tuple) else (gated,)
        for place, tensor in zip(places, gated, strict=True):
            values[place] = tensor
        return type(out)(values) if several else values[0]

    def _seen_output(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in tuple(self.hooks.backward_before.values()):
            changed = hook(self.module, grads)
            if changed is not None:
                grads = changed if isinstance(changed, tuple) else (changed,)
        self.grad_output = grads
        if not self.tracked:  # no input wants a gradient: there will be no grad_input to wait for
            for hook in tuple(self.hooks.backward.values()):
                hook(self.module, (None,) * max(1, len(self.places)), grads)
        return grads

    def _seen_input(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        full: list[Any] = [None] * self.count
        for place, g in zip(self.places, grads, strict=True):
            full[place] = g
        result = tuple(full)
        for hook in tuple(self.hooks.backward.values()):
            changed = hook(self.module, result, self.grad_output)
            if changed is not None:
                result = changed if isinstance(changed, tuple) else (changed,)
        return tuple([result[place] for place in self.places])
