"""``Algorithm``: what the optimisers of this package share, the walk over parameters with gradients.

An algorithm is written for real arrays of float32 or float64: ``_update`` changes the arrays of one group in
place; that of a ``Joint`` one is a kernel that takes all of them at once. Parameters of other dtypes are
handed to it as such arrays: complex ones as pairs of real numbers, float16 and bfloat16 ones as float32,
rounded once at the end of the step. With ``differentiable=True`` the step is a program of tensors instead
(``recorded.py``), so that it can be differentiated itself.

Where memory runs out in a step (MemoryError), a parameter and what is kept of it have made their step or have
not begun it: compiled kernels take what they need before they change anything, the loops here before they
change a parameter. (In ``Adafactor`` and ``Muon`` one parameter's running means may have moved alone.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..autograd.grad_mode import enable_grad
from ..dtypes import F32, F64, HALVES, Array
from ..errors import ConvgradError
from ..graph.node import LEAF, bump_all, cell_of
from ..kernels import table
from ..kernels.steps import decayed, divide_into, mean_into, scratch, square_into
from ..tensor.tensor import Tensor
from .optimizer import Optimizer, scalar
from .recorded import not_recorded, record

State = dict[str, Any]
#: what a state holds as 0-d tensors that do not have the parameter's dtype
SCALARS = ("step", "eta", "mu", "mu_product")


class Algorithm(Optimizer):
    """Base of the optimisers here: derive and write ``_update(group)``.

    Its loop is ``for data, g, state in self._walk(group)``: the parameter's array, to be changed in place,
    its gradient (negative for ascent), not to be changed, and the state, empty before the first step.
    """

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient, in place.

        Args:
            closure: computes gradients anew and returns the loss; called first, with gradients recorded.
        Returns:
            What the closure returned, or None.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group.get("differentiable"):
                self._record(group)
            else:
                self._update(group)
        return loss

    #: the step of one parameter as a program of tensors
    _recorded: Callable[..., None] = staticmethod(not_recorded)

    def _update(self, group: dict[str, Any]) -> None:
        """One step for the parameters of one group."""
        raise NotImplementedError

    def _walk(self, group: dict[str, Any]) -> Iterator[tuple[Array, Array, State]]:
        """(array, gradient, state) of each parameter with a gradient; counts the change afterwards."""
        maximize, states = group.get("maximize", False), self.state
        writer = type(self).__name__ + ".step"
        for param in group["params"]:
            g = _gradient(param)
            if g is None:
                continue
            if maximize:
                g = np.negative(g)
            data, kept = param._data, states.get(param)
            state: State = {} if kept is None else kept
            if data.dtype is F32 or data.dtype is F64:
                yield data, g, state
            elif data.dtype.kind == "c":
                yield from _as_pairs(data, g, state)
            elif data.dtype in HALVES:
                yield from _as_single(data, g, state)
            else:  # a dtype that was unpickled: equal, not identical
                yield data, g, state
            if kept is None and state:
                states[param] = state
            (param._cell or cell_of(param)).bump(writer)

    def _record(self, group: dict[str, Any]) -> None:
        """The step of a group as recorded operations on the parameters themselves."""
        with enable_grad():
            for param in group["params"]:
                if _gradient(param) is not None:
                    grad = -param.grad if group["maximize"] else param.grad
                    record(self._recorded, param, grad, self.state[param], group)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for values in self.state.values():
            if isinstance(values, dict):
                for name in SCALARS:  # plain numbers in what old versions saved
                    if isinstance(values.get(name), int | float):
                        values[name] = scalar(values[name])


class Joint(Algorithm):
    """Base of the optimisers whose step is one kernel (``kernels/steps.py``) for all parameters of a group.

    Derive, name the kernel, and write ``_options`` and ``_kept``, and ``_begin`` where states are made.
    """

    _kernel = ""
    #: whether each parameter's steps are counted
    _counted = True

    def _options(self, group: dict[str, Any]) -> tuple[float, ...]:
        """The numbers that the kernel takes."""
        raise NotImplementedError

    def _kept(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The names of what is kept of each parameter, in the kernel's order."""
        raise NotImplementedError

    def _begin(self, state: State, data: Array, group: dict[str, Any]) -> None:
        """Fill the state of a parameter before its first step; nothing, if not written."""

    def _update(self, group: dict[str, Any]) -> None:
        names = self._kept(group)
        params, datas, grads, states, others = self._gathered(group, names)
        if params:
            kept = [[state[name]._data for state in states] for name in names]
            counts = [state["step"]._data for state in states] if self._counted else None
            options, ascend = self._options(group), bool(group.get("maximize", False))
            try:
                getattr(table, self._kernel)(options, ascend, datas, grads, kept, counts)
            finally:  # some may have made their step before memory ran out
                bump_all(params, type(self).__name__ + ".step")
        if others:
            for data, g, state in self._walk({**group, "params": others}):
                self._update_one(data, g, state, group)

    def _gathered(self, group: dict[str, Any], names: tuple[str, ...]) -> tuple[list[Any], ...]:
        """Parameters with gradients, their arrays, gradients and states; and those of other dtypes."""
        params: list[Any] = []
        datas: list[Array] = []
        grads: list[Array] = []
        states: list[State] = []
        others: list[Any] = []
        known = self.state
        kind: Any = None
        for param in group["params"]:
            node = param._node
            if node is not None and node.kind == LEAF:
                grad = node.grad
            else:
                grad = param.__dict__.get("_grad")
            if grad is None:
                continue
            data, state = param._data, known.get(param)
            if kind is None and (data.dtype is F32 or data.dtype is F64):
                kind = data.dtype
            missing = not state or (names and state.get(names[-1]) is None)
            if data.dtype is not kind or (missing and (state or not self._begun(param, data, group, names))):
                others.append(param)
                continue
            params.append(param)
            datas.append(data)
            grads.append(grad._data)
            states.append(state or known.get(param, {}))
        return params, datas, grads, states, others

    def _begun(self, param: Any, data: Array, group: dict[str, Any], names: tuple[str, ...]) -> bool:
        """Make a parameter's first state; False if its first step is another than those to come."""
        state: State = {}
        self._begin(state, data, group)
        self.state[param] = state
        return True

    def _update_one(self, data: Array, g: Array, state: State, group: dict[str, Any]) -> None:
        """The step of one parameter; g has its sign."""
        if not state:
            self._begin(state, data, group)
        kept = [[state[name]._data] for name in self._kept(group)]
        counts = [state["step"]._data] if self._counted else None
        getattr(table, self._kernel)(self._options(group), False, [data], [g], kept, counts)


def _gradient(param: Any) -> Any:
    """The array of a parameter's gradient, or None."""
    node = param._node
    if node is not None and node.kind == LEAF:
        grad = node.grad
    else:
        grad = param.__dict__.get("_grad")
    return None if grad is None else grad._data


def pairs(array: Array) -> Array:
    """A complex array's real and imaginary parts along a new last axis, in the same memory."""
    return array[..., None].view(array.real.dtype)


def _as_pairs(data: Array, g: Array, state: State) -> Iterator[tuple[Array, Array, State]]:
    """A complex parameter as one of real numbers: what a step does to its state is done to the pairs."""
    real = {k: _paired(v) for k, v in state.items()}
    yield pairs(data), pairs(g), real
    for name, value in real.items():
        if name not in state:
            whole = isinstance(value, Tensor) and value._data.ndim == data.ndim + 1
            state[name] = Tensor(value._data.view(data.dtype)[..., 0], None) if whole else value


def _paired(value: Any) -> Any:
    return Tensor(pairs(value._data), None) if isinstance(value, Tensor) and value.is_complex() else value


def _as_single(data: Array, g: Array, state: State) -> Iterator[tuple[Array, Array, State]]:
    """A parameter of 16 bits as one of float32; the results are rounded once."""
    kind = data.dtype
    single = {k: _cast(v, kind, F32) for k, v in state.items()}
    wide = data.astype(F32)
    yield wide, g.astype(F32), single
    made = {k: v if k in SCALARS else _cast(v, F32, kind) for k, v in single.items() if k not in state}
    data[...] = wide
    for name, value in single.items():
        if name in state and state[name] is not value:
            state[name]._data[...] = value._data
    state.update(made)


def _cast(value: Any, old: Any, new: Any) -> Any:
    if isinstance(value, Tensor) and value._data.dtype == old:
        return Tensor(value._data.astype(new), None)
    return value


def zeros(array: Array) -> Tensor:
    """Zeros like an array, to keep in the state."""
    return Tensor(np.zeros_like(array, order="C"), None)


def advance(state: State) -> float:
    """Count one step in the state; returns the new count."""
    count = state["step"]._data
    count += 1
    return float(count)


# ---------------------------------------------------------------------- options


def check_lr(lr: Any) -> None:
    """Refuse a learning rate of several elements, or below 0.

    Raises:
        ValueError: "Tensor lr must be 1-element", "Invalid learning rate: -1".
    """
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not float(lr) >= 0.0:
        raise ValueError(f"Invalid learning rate: {lr}")


def check_options(**options: Any) -> None:
    """Every option must be at least 0.

    Raises:
        ValueError: "Invalid epsilon value: -1", and the like.
    """
    for name, value in options.items():
        if not float(value) >= 0.0:
            words = "epsilon value" if name == "eps" else f"{name} value"
            raise ValueError(f"Invalid {words}: {value}")


def check_betas(betas: Any) -> None:
    """Both shares of the past lie in [0, 1).

    Raises:
        ValueError: "Invalid beta parameter at index 0: 1.0".
    """
    for index, beta in enumerate(betas):
        if not 0.0 <= float(beta) < 1.0:
            raise ValueError(f"Invalid beta parameter at index {index}: {beta}")


def check_fused(fused: Any, foreach: Any, differentiable: bool) -> None:
    """Ways to run a step that exclude each other.

    Raises:
        RuntimeError: ``fused`` with ``foreach`` or ``differentiable``.
    """
    if fused and differentiable:
        raise ConvgradError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise ConvgradError("`fused` and `foreach` cannot be `True` together.")


__all__ = [
    "Algorithm", "Joint", "State", "advance", "check_betas", "check_fused", "check_lr", "check_options",
    "decayed", "divide_into", "mean_into", "pairs", "scalar", "scratch", "square_into", "zeros",
]  # fmt: skip
