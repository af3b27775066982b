"""L-BFGS: Newton's steps with curvature that is remembered from the last gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.grad_mode import enable_grad
from ..dtypes import Array
from ..errors import ConvgradError
from ..graph.node import cell_of
from ..tensor.tensor import Tensor
from .algorithm import State, check_lr, pairs
from .line_search import Point, WolfeSearch
from .optimizer import Optimizer


class LBFGS(Optimizer):
    """Steps along ``-H g``, H from the last ``history_size`` pairs of steps and changes of the gradient.

    One call of ``step(closure)`` makes up to ``max_iter`` iterations, each of which calls the closure again.

    Args:
        params: parameters; one group for all.
        lr: length of a step along the direction, or first guess of it with a line search.
        max_iter: iterations in a step.
        max_eval: calls of the closure in a step; None is ``1.25 max_iter``.
        tolerance_grad: the step ends when no element of the gradient is larger.
        tolerance_change: it ends when neither the loss nor any parameter changes by more.
        history_size: number of pairs remembered; each takes twice the memory of the parameters.
        line_search_fn: "strong_wolfe", or None for steps of length ``lr``.
    Raises:
        ValueError: a negative ``lr``, or more than one group.
        ConvgradError: another line search.
    Example:
        >>> x = Tensor([3.0]).requires_grad_()
        >>> optimizer = LBFGS([x], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = (x * x).sum()
        ...     loss.backward()
        ...     return loss
        >>> optimizer.step(closure).item()
        9.0
        >>> abs(x.item()) < 1e-3
        True

    Source: Nocedal 1980, Mathematics of Computation 35; Nocedal & Wright 2006, algorithm 7.4.
    """

    def __init__(
        self, params: Any, lr: Any = 1, max_iter: int = 20, max_eval: int | None = None,
        tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:  # fmt: skip
        check_lr(lr)
        defaults = {
            "lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
            "history_size": history_size, "line_search_fn": line_search_fn,
        }  # fmt: skip
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self) -> list[Any]:
        return self.param_groups[0]["params"]

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Minimise the loss that the closure computes.

        Args:
            closure: clears the gradients, computes the loss, calls backward and returns the loss.
        Returns:
            The loss before the step.
        """
        group = self.param_groups[0]
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ConvgradError(
                f"only 'strong_wolfe' is supported, but line_search_fn={group['line_search_fn']!r}"
            )
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        with enable_grad():
            first = closure()
        state["func_evals"] += 1
        g = self._gradient()
        if _largest(g) > group["tolerance_grad"]:
            _Iterations(self, closure, state).run(float(first), g)
        return first

    def _gradient(self) -> Array:
        """All gradients in one vector; zeros where there is none."""
        return np.concatenate([self._flat(p, p.grad) for p in self._params])

    @staticmethod
    def _flat(param: Any, grad: Any) -> Array:
        data = np.zeros_like(param._data) if grad is None else grad._data
        return (pairs(data) if data.dtype.kind == "c" else data).reshape(-1)

    def _evaluate(self, closure: Callable[[], Any]) -> tuple[float, Array]:
        with enable_grad():
            loss = float(closure())
        return loss, self._gradient()

    def _values(self) -> list[Array]:
        return [p._data.copy() for p in self._params]

    def _set(self, values: list[Array]) -> None:
        for param, value in zip(self._params, values, strict=True):
            param._data[...] = value

    def _move(self, t: float, direction: Array) -> None:
        """Add ``t * direction`` to the parameters."""
        start = 0
        for param in self._params:
            data = pairs(param._data) if param.is_complex() else param._data
            part = direction[start : start + data.size].reshape(data.shape)
            np.add(data, part * t, out=data)
            (param._cell or cell_of(param)).bump("LBFGS.step")
            start += data.size


class _Iterations:
    """The iterations of one step, with what they remember in the optimiser's state between steps."""

    def __init__(self, optimizer: LBFGS, closure: Callable[[], Any], state: State) -> None:
        self.optimizer, self.closure, self.state = optimizer, closure, state
        self.options = optimizer.param_groups[0]
        # plain arrays and numbers in here; tensors in the state, as PyTorch keeps them
        self.d, self.g_before = [_array(state.get(k)) for k in ("d", "prev_flat_grad")]
        self.t = float(state.get("t") or 0.0)
        self.changes, self.steps = [[_array(x) for x in state.get(k) or ()] for k in ("old_dirs", "old_stps")]
        self.ro = [float(x) for x in state.get("ro") or ()]
        self.diagonal = float(state.get("H_diag") or 1.0)
        self.loss_before = state.get("prev_loss")

    def run(self, loss: float, g: Array) -> None:
        """Iterate from a loss and its gradient until one of the tolerances or limits is met."""
        options, state = self.options, self.state
        evaluations, count, change = 1, 0, options["tolerance_change"]
        while count < options["max_iter"]:
            count += 1
            state["n_iter"] += 1
            lr = float(options["lr"])
            if state["n_iter"] == 1:
                self.d, self.diagonal = -g, 1.0
                self.changes, self.steps, self.ro = [], [], []
                self.t = min(1.0, 1.0 / float(np.abs(g).sum())) * lr
            else:
                self._remember(g - self.g_before, self.d * self.t)
                self.d, self.t = self._direction(g), lr
            self.g_before, self.loss_before = g.copy(), loss
            slope = float(g.dot(self.d))
            if slope > -change:
                break
            if options["line_search_fn"] is not None:
                loss, g, more = self._search(loss, g, slope, options["max_eval"] - evaluations)
            else:
                self.optimizer._move(self.t, self.d)
                if count == options["max_iter"]:  # nobody asks for the gradient any more
                    break
                loss, g, more = *self.optimizer._evaluate(self.closure), 1
            evaluations += more
            state["func_evals"] += more
            if (
                evaluations >= options["max_eval"]
                or _largest(g) <= options["tolerance_grad"]
                or _largest(self.d * self.t) <= change
                or abs(loss - self.loss_before) < change
            ):
                break
        self._keep()

    def _remember(self, y: Array, s: Array) -> None:
        """Take a change of the gradient and the step that made it into the history, if it curves upwards."""
        ys = float(y.dot(s))
        if ys <= 1e-10:
            return
        if len(self.changes) == self.options["history_size"]:
            del self.changes[0], self.steps[0], self.ro[0]
        self.changes.append(y)
        self.steps.append(s)
        self.ro.append(1.0 / ys)
        self.diagonal = ys / float(y.dot(y))

    def _direction(self, g: Array) -> Array:
        """``-H g`` by the two loops over the history (Nocedal & Wright 2006, algorithm 7.4)."""
        r = -g
        shares: list[Any] = [None] * len(self.changes)
        for i in range(len(shares) - 1, -1, -1):
            shares[i] = float(self.steps[i].dot(r)) * self.ro[i]
            r -= shares[i] * self.changes[i]
        r *= self.diagonal
        for i, share in enumerate(shares):
            r += self.steps[i] * (share - float(self.changes[i].dot(r)) * self.ro[i])
        self.state["al"] = [
            *[Tensor(np.array(x, g.dtype), None) for x in shares],
            *[None] * (self.options["history_size"] - len(shares)),
        ]
        return r

    def _search(self, loss: float, g: Array, slope: float, left: int) -> tuple[float, Array, int]:
        """Move along the direction as far as a line search says, which may evaluate ``left + 1`` times.

        Returns:
            The loss and the gradient there, and how often the closure was called.
        """
        optimizer = self.optimizer
        values = optimizer._values()

        def evaluate(t: float) -> Point:
            optimizer._move(t, self.d)
            there, gradient = optimizer._evaluate(self.closure)
            optimizer._set(values)
            return Point(t, there, gradient, float(gradient.dot(self.d)))

        start = Point(0.0, loss, g, slope)
        search = WolfeSearch(evaluate, start, _largest(self.d), tolerance=1e-9, limit=min(25, left))
        point = search.run(self.t)
        self.t = point.t
        optimizer._move(point.t, self.d)
        return point.loss, point.gradient, search.evaluations

    def _keep(self) -> None:
        state, kind = self.state, self.d.dtype
        state["d"], state["t"] = Tensor(self.d, None), self.t
        state["old_dirs"] = [Tensor(x, None) for x in self.changes]
        state["old_stps"] = [Tensor(x, None) for x in self.steps]
        state["ro"] = [Tensor(np.array(x, kind), None) for x in self.ro]
        state["H_diag"] = Tensor(np.array(self.diagonal, kind), None) if self.ro else 1
        state["prev_flat_grad"], state["prev_loss"] = Tensor(self.g_before, None), self.loss_before


def _array(value: Any) -> Any:
    return value._data if isinstance(value, Tensor) else value


def _largest(array: Array) -> float:
    return float(np.abs(array).max()) if array.size else 0.0
