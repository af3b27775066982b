"""``Op``: what every operator is made of, and the families whose derivatives follow from one fact.

An operator is a class that is never instantiated. ``forward(*arrays, *params)`` returns ``(out,
saved)`` where ``saved`` matches the names in ``saves``. Beside it stands one ``vjp_<input>(g,
*saved)`` per differentiable input and one ``jvp_<input>(d, *saved)``; or, where the inputs share
work, one ``vjp(needs, g, *saved)`` and ``jvp(tangents, *saved)``. A parameter of a vjp that the
formula does not read is spelt with a leading underscore: its value is then not kept when only that
input needs a gradient. What the class says is checked when it is defined.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ..dtypes import Array
from . import formula
from .formula import Value

OUT, CONSTANT = -1, -2
#: what is saved as ``out0``, ``out1``, ... is that of several results: role ``OUTS``, ``OUTS - 1``, ...
OUTS = -3

Saved = tuple[Any, ...]
#: (is everything kept, which saved values are, (index, role) of those that belong to a tensor)
Plan = tuple[bool, tuple[bool, ...], tuple[tuple[int, int], ...]]


class Op:
    """Base of all operators; see the module's docstring for what a subclass writes."""

    #: names of the values kept for backward: inputs, parameters, "out" ("out0", "out1", ... of several), or
    #: values of its own
    saves: ClassVar[tuple[str, ...]] = ()
    #: name of the node, as PyTorch prints it; ``<Class>Backward0`` unless set
    backward_name: ClassVar[str] = ""
    #: the result may share memory with the first input
    view: ClassVar[bool] = False
    #: the first argument of forward is a tuple of arrays of any length
    variadic: ClassVar[bool] = False
    #: forward returns a tuple of arrays ...
    several: ClassVar[bool] = False
    #: ... of which only this one carries a gradient (None: all of them do)
    primary: ClassVar[int | None] = None
    #: no arithmetic is done: float16 and bfloat16 need no detour through float32 (R6)
    exact: ClassVar[bool] = False
    #: the result of half-precision inputs stays in float32
    keeps_float32: ClassVar[bool] = False
    #: how one call serves all samples of a ``vmap``: "elementwise" (inputs broadcast), "leading" (inputs
    #: may have
    #: more dimensions in front), "fold" (the samples join the first of N, C, ...), or the parameters that
    #: change:
    #: {"axis": "axis", "shape": "size", "index": "array"} (see func/batching.py); None: a rule in
    #: func/rules.py
    batch: ClassVar[Any] = None
    #: (joint vjp) per input, the saved values that its gradient reads; an input that is missing reads all
    reads: ClassVar[dict[str, tuple[str, ...]]] = {}
    #: (vjp-only) recompute values of its own from lifted ones, so that they are not constants (R3)
    relift: ClassVar[Callable[..., Saved] | None] = None

    #: masks and indices among its parameters are a user's own arrays, of which a recorded call keeps copies
    holds: ClassVar[bool] = False

    # Filled in by __init_subclass__:
    inputs: ClassVar[tuple[str, ...]] = ()
    params: ClassVar[tuple[str, ...]] = ()
    joint: ClassVar[bool] = False
    vjps: ClassVar[tuple[Callable[..., Value] | None, ...]] = ()
    jvps: ClassVar[tuple[Callable[..., Value] | None, ...]] = ()
    roles: ClassVar[tuple[int, ...]] = ()
    #: per combination of wanted inputs: what to keep, and whose version to watch (see ``plan``)
    plans: ClassVar[dict[tuple[bool, ...], Plan]] = {}
    #: one output and one vjp per input: the engine's short way
    simple: ClassVar[bool] = False
    #: whether any input has a derivative
    traceable: ClassVar[bool] = False

    forward: ClassVar[Callable[..., tuple[Any, Saved]]]

    def __init_subclass__(cls) -> None:
        if "backward_name" not in cls.__dict__:
            cls.backward_name = f"{cls.__name__}Backward0"
        forward = getattr(cls, "forward", None)
        if forward is None:
            return
        code = forward.__code__
        skip = 1 if hasattr(forward, "__self__") else 0  # a classmethod's cls
        names = code.co_varnames[skip : code.co_argcount]
        kinds, saves = forward.__annotations__, cls.saves
        inputs = cls.inputs = tuple([n for n in names if "Array" in str(kinds.get(n, ""))])
        cls.params = names[len(inputs) :]
        cls.joint = hasattr(cls, "vjp")
        cls.vjps = tuple([getattr(cls, "vjp_" + n, None) for n in inputs])
        cls.jvps = tuple([getattr(cls, "jvp_" + n, None) for n in inputs])
        _check_names(cls)
        own = () if cls.variadic else inputs
        cls.roles = tuple([_result_role(n) if n not in own else own.index(n) for n in saves])
        cls.plans = {}
        cls.traceable = cls.joint or any(cls.vjps)
        cls.simple = not cls.joint and not cls.variadic and (not cls.several or cls.primary is not None)

    @classmethod
    def plan(cls, needs: tuple[bool, ...]) -> Plan:
        """What to keep of the saved values when just these inputs want a gradient; remembered."""
        found = cls.plans.get(needs)
        if found is None:
            keep = (True,) * len(cls.saves)
            if cls.simple:
                keep = tuple(map(any, zip(*[_reads(f, cls.saves) for f, n in zip(cls.vjps, needs) if n])))
            elif cls.reads:
                wanted = [cls.reads.get(name, cls.saves) for name, n in zip(cls.inputs, needs) if n]
                keep = tuple([any([name in names for names in wanted]) for name in cls.saves])
            owned = tuple(
                (i, role)
                for i, (role, k) in enumerate(zip(cls.roles, keep, strict=True))
                if k and role != CONSTANT
            )
            found = cls.plans[needs] = (all(keep), keep, owned)
        return found


def _result_role(name: str) -> int:
    """The role of a saved value that is no input: a result's, or that of a constant."""
    if name == "out":
        return OUT
    return OUTS - int(name[3:]) if name[:3] == "out" and name[3:].isdigit() else CONSTANT


def _check_names(cls: type[Op]) -> None:
    """A vjp or jvp for an input that forward does not have is a misprint: say so at import."""
    if set(cls.inputs) & set(cls.params):
        raise TypeError(f"{cls.__name__}: array inputs must come first in forward")
    for attribute in cls.__dict__:
        if attribute[1:4] == "jp_" and attribute[4:] not in cls.inputs:
            raise TypeError(f"{cls.__name__}.{attribute}: forward has no array input {attribute[4:]!r}")
    for name, values in cls.reads.items():
        if name not in cls.inputs or not set(values) <= set(cls.saves):
            raise TypeError(f"{cls.__name__}.reads: {name!r} is no input, or {values} are not saved")
    for vjp in cls.vjps:
        if (
            vjp is not None
            and vjp.__code__.co_argcount != len(cls.saves) + 1
            and not vjp.__code__.co_flags & 4
        ):
            raise TypeError(f"{vjp.__qualname__} must take g and the saved values {cls.saves}")


def _reads(vjp: Callable[..., Any] | None, saves: tuple[str, ...]) -> tuple[bool, ...]:
    """Which saved values a vjp reads: those whose parameter has no leading underscore."""
    if vjp is None:
        return (False,) * len(saves)
    names = vjp.__code__.co_varnames[1 : vjp.__code__.co_argcount]
    return tuple([i >= len(names) or not names[i].startswith("_") for i in range(len(saves))])


class Elementwise(Op):
    """out[i] depends on the inputs' [i] alone, so the Jacobian is diagonal and jvp follows from vjp.

    For holomorphic functions vjp multiplies by the conjugate of the derivative, so the tangent is
    ``conj(vjp(conj(d)))``; on real values both conj vanish.
    """

    batch = "elementwise"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.jvps = tuple(
            explicit or (None if vjp is None else _diagonal_jvp(vjp))
            for explicit, vjp in zip(cls.jvps, cls.vjps, strict=True)
        )


def _diagonal_jvp(vjp: Callable[..., Value]) -> Callable[..., Value]:
    def jvp(d: Value, *saved: Any) -> Value:
        return formula.conj(vjp(formula.conj(d), *saved))

    return jvp


class Ufunc(Elementwise):
    """An elementwise operator whose forward is one NumPy ufunc, which the hot path calls directly."""

    ufunc: ClassVar[np.ufunc]


class Linear(Op):
    """out is linear in its one array input: the tangent takes the same way as the value.

    Parameters of forward must be among ``saves`` under their own names.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.inputs and cls.jvps[0] is None and not cls.variadic:
            cls.jvps = (_linear_jvp(cls), *cls.jvps[1:])


def _linear_jvp(cls: type[Op]) -> Callable[..., Value]:
    missing = [p for p in cls.params if p not in cls.saves]
    if missing:
        raise TypeError(f"{cls.__name__}: a Linear op must save its parameters {missing}, or define its jvp")
    where = tuple(cls.saves.index(p) for p in cls.params)

    def jvp(d: Value, *saved: Any) -> Value:
        return formula.call(cls, d, *(saved[i] for i in where))

    return jvp


class Bilinear(Op):
    """out is linear in each of its first two inputs: out(da, b) + out(a, db) is the tangent."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if len(cls.inputs) != 2:
            return
        ia, ib = (cls.saves.index(n) for n in cls.inputs)
        where = tuple(cls.saves.index(p) for p in cls.params)

        def jvp_first(d: Value, *saved: Any) -> Value:
            return formula.call(cls, d, saved[ib], *(saved[i] for i in where))

        def jvp_second(d: Value, *saved: Any) -> Value:
            return formula.call(cls, saved[ia], d, *(saved[i] for i in where))

        cls.jvps = (jvp_first, jvp_second)


__all__ = [
    "CONSTANT",
    "OUT",
    "OUTS",
    "Array",
    "Bilinear",
    "Elementwise",
    "Linear",
    "Op",
    "Saved",
    "Ufunc",
    "Value",
]
