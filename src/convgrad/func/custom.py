"""A user's ``Function`` under ``vmap``: by its own ``vmap``, or by running its methods on batches."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..autograd.function import Function, FunctionCtx
from ..errors import ConvgradError
from ..tensor.tensor import Tensor
from . import tree
from .batching import FALLBACKS, Batched, Level, batch_value, batched, joined
from .vmap import _front, level_of
from .whole import Whole, expanded, sample_of

_DOCS = "See https://pytorch.org/docs/main/notes/extending.func.html"


class VmapInfo(NamedTuple):
    """What a ``vmap`` staticmethod is told."""

    batch_size: int
    randomness: str


def call(function: Any, level: Level, values: list[Any], kwargs: dict[str, Any]) -> Any:
    """One call for all samples of a level; ``values`` has a ``Whole`` for each batched argument.

    Raises:
        ConvgradError: the Function has both ``vmap`` and ``generate_vmap_rule``.
    """
    own = function.vmap is not Function.vmap
    if own and function.generate_vmap_rule:
        raise ConvgradError(
            f"You tried to vmap over {function.__name__}, but it has both generate_vmap_rule=True "
            "and an overridden "
            "vmap staticmethod. Please set generate_vmap_rule=False or delete the overridden vmap "
            "staticmethod to "
            f"avoid ambiguity. {_DOCS}"
        )
    if not own and (not function.generate_vmap_rule or function.setup_context is Function.setup_context):
        FALLBACKS[function.__name__] += 1  # sample by sample
        rows = [function.apply(*[sample_of(v, i) for v in values], **kwargs) for i in range(level.size)]
        out = joined(rows)
        return tuple([batched(o, level) for o in out]) if isinstance(out, tuple) else batched(out, level)
    if own:
        return _by_its_rule(function, level, values, kwargs)
    wholes = [v.tensor if type(v) is Whole else v for v in values]
    out = _generated(function, level, [type(v) is Whole for v in values]).apply(*wholes, **kwargs)
    return tree.fmap(lambda t: batched(t, level) if isinstance(t, Tensor) else t, out)


def _by_its_rule(function: Any, level: Level, values: list[Any], kwargs: dict[str, Any]) -> Any:
    info = VmapInfo(level.size, level.randomness)
    in_dims = tuple([0 if type(v) is Whole else None for v in values])
    wholes = [v.tensor if type(v) is Whole else v for v in values]
    found = function.vmap(info, in_dims, *wholes, **kwargs)
    if not isinstance(found, tuple) or len(found) != 2:
        raise ConvgradError(
            "Expected the vmap staticmethod to have two returns, an output and out_dims with pytree "
            "structure "
            f"compatible with the output. Got a {type(found)} instead"
        )
    out, out_dims = found
    dims = tree.spread(tuple(out_dims) if isinstance(out_dims, list) else out_dims, out)
    if dims is None:
        raise ConvgradError(
            f"The vmap staticmethod of {function.__name__} returned out_dims {out_dims!r} that do "
            "not fit its output"
        )
    leaves = [
        t if d is None or not isinstance(t, Tensor) else batched(_front(t, d % t._data.ndim), level)
        for t, d in zip(tree.flatten(out), dims, strict=True)
    ]
    return tree.rebuild(out, leaves)


def _whole(value: Any, level: Level) -> Any:
    """All samples of what a method gave, repeated if it is the same for each."""
    return expanded(batch_value(value, level), level.size) if isinstance(value, Tensor) else value


class _Inside(FunctionCtx):
    """The ctx that the user's methods see: what they save is one sample to them."""

    _given: tuple[Any, ...] | None = None

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was kept, as batched tensors."""
        return self._to_save if self._given is None else self._given


def _kept(tensors: Any, pairs: list[Any], level: Level) -> tuple[list[Any], list[bool]]:
    """The tensors of all samples behind saved ones (arguments, outputs, others), and which are batched."""

    def real(t: Any) -> Any:
        for seen, whole in pairs:
            if seen is t:
                return whole
        value = batch_value(t, level)
        return value.tensor if type(value) is Whole else t

    flags = [t is not None and type(batch_value(t, level)) is Whole for t in tensors]
    return [None if t is None else real(t) for t in tensors], flags


def _entered(values: Any, level: Level, flags: list[bool]) -> list[Any]:
    return [
        batched(v, level) if isinstance(v, Tensor) and flag else v
        for v, flag in zip(values, flags, strict=True)
    ]


def _generated(function: Any, outer: Level, mapped: list[bool]) -> type[Function]:
    """A Function of the tensors of all samples that runs another one's methods under ``vmap``."""

    class Generated(Function):
        """Forward, backward and jvp under a level of their own."""

        @staticmethod
        def forward(ctx: Any, *wholes: Any, **kwargs: Any) -> Any:
            inner = ctx.inner = _Inside()
            inner.needs_input_grad = ctx.needs_input_grad
            with level_of(outer.size, outer.randomness) as level:
                given = _entered(wholes, level, mapped)
                out = function.forward(*given, **kwargs)
                function.setup_context(inner, tuple(given), out)
                single = not isinstance(out, tuple)
                outs = (out,) if single else out
                finished = [_whole(t, level) for t in outs]
                pairs = [*zip(given, wholes, strict=True), *zip(outs, finished, strict=True)]
                backward, ctx.flags = _kept(inner._to_save, pairs, level)
                forward, ctx.forward_flags = _kept(
                    getattr(inner, "_forward_saved", inner._to_save), pairs, level
                )
                ctx.constant = [any([t is c for c in inner._constant]) for t in outs]
            ctx.save_for_backward(*backward)
            ctx.save_for_forward(*forward)
            ctx.mark_non_differentiable(*[t for t, c in zip(finished, ctx.constant, strict=True) if c])
            ctx.set_materialize_grads(inner._materialize)
            return finished[0] if single else tuple(finished)

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            saved, inner = ctx.saved_tensors, ctx.inner
            with level_of(outer.size, outer.randomness) as level:
                inner._given = tuple(_entered(saved, level, ctx.flags))
                inner.needs_input_grad = ctx.needs_input_grad
                found = function.backward(inner, *_entered(grads, level, [True] * len(grads)))
                inner._given = None
                found = found if isinstance(found, tuple) else (found,)
                rows = [None if g is None else _whole(g, level) for g in found]
            return tuple([
                g if g is None or flag else g.sum(0) for g, flag in zip(rows, mapped, strict=False)
            ])  # fmt: skip

        @staticmethod
        def jvp(ctx: Any, *tangents: Any) -> Any:
            saved, inner = ctx.saved_tensors, ctx.inner
            with level_of(outer.size, outer.randomness) as level:
                inner._given = tuple(_entered(saved, level, ctx.forward_flags))
                found = function.jvp(inner, *_entered(tangents, level, mapped))
                inner._given = None
                if isinstance(found, tuple):
                    return tuple([_whole(t, level) for t in found])
                return _whole(found, level)

    Generated.__name__ = Generated.__qualname__ = f"Vmapped{function.__name__}"
    return Generated


Batched.call = call

__all__ = ["VmapInfo", "call"]
