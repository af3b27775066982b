"""Products with Jacobians and Hessians, and the matrices themselves, of functions of tensors.

With one tensor in (out) results are tensors; with a tuple they are tuples, nested output by input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ConvgradError, GradError, ShapeError
from ..func.jacobians import basis, chunks, jacfwd, joined_rows
from ..size import Size
from ..tensor import dual
from ..tensor.tensor import Tensor
from .derive import grad
from .grad_mode import enable_grad

Function = Callable[..., Any]
Tensors = tuple[Tensor, ...]


def vjp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The outputs, and v transposed times the Jacobian.

    Args:
        func: from tensors to a tensor or a tuple of them.
        inputs: a tensor or a tuple.
        v: like the outputs; may be left out for one output of one element.
        create_graph: let the result be differentiated.
        strict: an error, rather than zeros, where outputs do not depend on inputs.
    Returns:
        ``(outputs, product)``; product is like the inputs.
    Raises:
        GradError: v is missing, or strict is violated.
        ShapeError: v does not fit.
    """
    with enable_grad():
        xs, single = _tuple(inputs, "inputs", "vjp")
        xs = _prepared(xs, create_graph)
        outs, single_out = _outputs(func, xs, "vjp")
        _check_tracked(outs, "outputs", strict)
        vs = _vector(v, outs, "output")
        found = _gradients(outs, xs, vs, create_graph)
        found = _filled(found, xs, strict, create_graph, "back")
    return _finished(outs, single_out, create_graph), _finished(found, single, create_graph)


def jvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The outputs, and the Jacobian times v.

    Reverse mode twice, so that every function with second derivatives has it; ``func.jvp`` is the
    forward-mode way. Source: J. Townsend, "A new trick for calculating Jacobian vector products", 2017.

    Args:
        v: like the inputs; may be left out for one input of one element.
    Others, Returns and Raises: as in ``vjp``, with the product like the outputs.
    """
    with enable_grad():
        xs, _ = _tuple(inputs, "inputs", "jvp")
        xs = _prepared(xs, create_graph)
        vs = _vector(v, xs, "input")
        outs, single_out = _outputs(func, xs, "jvp")
        _check_tracked(outs, "outputs", strict)
        found = _pushed(outs, xs, vs, create_graph, strict)
    return _finished(outs, single_out, create_graph), _finished(found, single_out, create_graph)


def _pushed(outs: Tensors, xs: Tensors, vs: Tensors, create_graph: bool, strict: bool) -> Tensors:
    """J v as the gradient in u of <u J, v>, which is linear in u."""
    us = tuple([_zeros(o).requires_grad_() for o in outs])
    rows = _gradients(outs, xs, us, True)
    rows = _filled(rows, xs, strict, True, "back")
    found = _gradients(rows, us, vs, create_graph)
    return _filled(found, us, strict, create_graph, "back_trick")


def jacobian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of every output with respect to every input.

    Args:
        func: from tensors to a tensor or a tuple of them.
        inputs: a tensor or a tuple.
        create_graph: let the result be differentiated.
        strict: an error, rather than zeros, where an output does not depend on an input.
        vectorize: needed for ``strategy="forward-mode"``, as in PyTorch; all rows are computed together
        with or
            without it (one after another where hooks or a ``Function`` of the user lie on the way).
        strategy: ``"reverse-mode"`` (pullbacks) or ``"forward-mode"`` (pushes).
    Returns:
        For each output and input a tensor of shape ``(*output, *input)``; nested as outputs and inputs are.
    Example:
        >>> jacobian(lambda x: x * x, Tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    _check_strategy("jacobian", strict, vectorize, strategy)
    with enable_grad():
        xs, single = _tuple(inputs, "inputs", "jacobian")
        if strategy == "forward-mode":
            single_out, matrices = _forward_jacobian(
                func, _prepared(xs, create_graph) if create_graph else xs
            )
        else:
            xs = _prepared(xs, create_graph)
            outs, single_out = _outputs(func, xs, "jacobian")
            _check_tracked(outs, "outputs", strict)
            matrices = tuple([_rows(o, xs, i, create_graph, strict) for i, o in enumerate(outs)])
    nested = tuple([_finished(row, single, create_graph) for row in matrices])
    return nested[0] if single_out else nested


def _check_strategy(name: str, strict: bool, vectorize: bool, strategy: str) -> None:
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". '
            "Hint: If your function has more "
            'outputs than inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use '
            '"reverse-mode".'
        )
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian is only implemented for "
            "`vectorize=True`."
        )
    if strict and vectorize:
        raise ConvgradError(
            f"torch.autograd.functional.{name}: `strict=True` and `vectorized=True` are not supported "
            "together. "
            "Please either set `strict=False` or `vectorize=False`."
        )


#: no more elements than these in one batch of cotangents
_MOST = 1 << 22


def _rows(out: Tensor, xs: Tensors, index: int, create_graph: bool, strict: bool) -> Tensors:
    """The Jacobian of one output, as many pullbacks at once as memory allows."""
    columns: list[list[Any]] = [[] for _ in xs]
    step = max(1, _MOST // max([1, out._data.size, *[x._data.size for x in xs]]))
    for start, stop in chunks(out._data.size, step):
        seeds = basis((out,), start, stop)
        found: tuple[Any, ...] = (None,) * len(xs)
        if out.requires_grad:
            found = grad(
                (out,), xs, seeds, retain_graph=True, create_graph=create_graph, allow_unused=True,
                is_grads_batched=True,
            )  # fmt: skip
        for j, (x, g) in enumerate(zip(xs, found, strict=True)):
            if strict and g is None:
                raise GradError(
                    f"Output {index} of the user-provided function is independent of input {j}. This is not "
                    "allowed in strict mode."
                )
            if strict and create_graph and g is not None and not g.requires_grad:
                raise GradError(
                    f"The jacobian of the user-provided function is independent of input {j}. This is not "
                    "allowed in strict mode when create_graph=True."
                )
            rows = (stop - start, *x._data.shape)
            columns[j].append(Tensor(np.zeros(rows, x._data.dtype), None) if g is None else g)
    return tuple([_joined(c, out._data.shape, x) for c, x in zip(columns, xs, strict=True)])


def _joined(parts: Sequence[Tensor], shape: tuple[int, ...], like: Tensor) -> Tensor:
    if not parts:
        return Tensor(np.zeros((*shape, *like._data.shape), like._data.dtype), None)
    return joined_rows(parts).reshape((*shape, *like._data.shape))


def _forward_jacobian(func: Function, xs: Tensors) -> tuple[bool, tuple[Tensors, ...]]:
    """The same in forward mode: whether there is a single output, and the matrices."""
    seen: list[bool] = []

    def outputs(*args: Tensor) -> Tensors:
        outs, single = _outputs(func, args, "jacobian")
        seen.append(single)
        return outs

    matrices = jacfwd(outputs, tuple(range(len(xs))))(*xs)
    return seen[0], matrices


def hessian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a function to one number.

    Args:
        func: from tensors to a tensor of one element.
        inputs: a tensor or a tuple.
        create_graph, strict, vectorize: as in ``jacobian``.
        outer_jacobian_strategy: which way the derivative of the gradient is taken.
    Returns:
        For each pair of inputs a tensor of shape ``(*input_i, *input_j)``; nested as inputs are.
    Example:
        >>> hessian(lambda x: (x**3).sum(), Tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    xs, single = _tuple(inputs, "inputs", "hessian")
    _check_strategy("hessian", strict, vectorize, outer_jacobian_strategy)

    def gradient(*args: Tensor) -> Tensors:
        tracked = tuple([a if a.requires_grad else a.detach().requires_grad_() for a in args])
        if dual.is_open():
            tracked = args
        out = _scalar(func, tracked, "hessian", strict)
        found = _gradients((out,), tracked, (None,), True) if out.requires_grad else (None,) * len(xs)
        if strict:
            for j, g in enumerate(found):
                if g is None or not g.requires_grad:
                    raise GradError(
                        "While computing the hessian, found that the jacobian of the user-provided "
                        "function with "
                        f"respect to input {j} is independent of the input. This is not allowed in "
                        "strict mode. You "
                        "should ensure that your function is twice differentiable and that the "
                        "jacobian depends on "
                        "the inputs (this would be violated by a linear function for example)."
                    )
        return tuple([_zeros(x) if g is None else g for x, g in zip(tracked, found, strict=True)])

    if outer_jacobian_strategy == "forward-mode":
        xs = tuple([x.detach().requires_grad_() for x in xs])
    rows = jacobian(gradient, xs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return rows[0][0] if single else rows


def vhp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The output (one number), and v transposed times the Hessian, like the inputs."""
    with enable_grad():
        xs, single = _tuple(inputs, "inputs", "vhp")
        xs = _prepared(xs, create_graph)
        vs = _vector(v, xs, "input")
        out = _scalar(func, xs, "vhp", strict)
        first = _filled(_gradients((out,), xs, (None,), True), xs, strict, True, "back")
        found = _gradients(first, xs, vs, create_graph)
        found = _filled(found, xs, strict, create_graph, "double_back")
    return _finished((out,), True, create_graph), _finished(found, single, create_graph)


def hvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The output (one number), and the Hessian times v, like the inputs."""
    with enable_grad():
        xs, single = _tuple(inputs, "inputs", "hvp")
        xs = _prepared(xs, create_graph)
        vs = _vector(v, xs, "input")
        out = _scalar(func, xs, "hvp", strict)
        first = _filled(_gradients((out,), xs, (None,), True), xs, strict, True, "back")
        found = _pushed(first, xs, vs, create_graph, strict)
    return _finished((out,), True, create_graph), _finished(found, single, create_graph)


def _tuple(value: Any, what: str, name: str) -> tuple[Tensors, bool]:
    """A tensor or sequence of tensors as a tuple, and whether it was a single one."""
    single = isinstance(value, Tensor)
    items = (value,) if single or not isinstance(value, (tuple, list)) else tuple(value)
    for item in items:
        if not isinstance(item, Tensor):
            full = "outputs of the user-provided function" if what == "outputs" else "inputs"
            raise TypeError(
                f"The {full} given to {name} must be either a Tensor or a tuple of Tensors but the "
                f"given {full} has "
                f"type {type(item)}."
            )
    return items, single


def _prepared(xs: Tensors, create_graph: bool) -> Tensors:
    """Inputs to differentiate: fresh leaves, or with ``create_graph`` aliases within the caller's graph."""
    if create_graph:
        return tuple(
            [x.reshape(x._data.shape) if x.requires_grad else x.detach().requires_grad_() for x in xs]
        )
    return tuple([x.detach().requires_grad_() for x in xs])


def _outputs(func: Function, xs: Tensors, name: str) -> tuple[Tensors, bool]:
    return _tuple(func(*xs), "outputs", name)


def _scalar(func: Function, xs: Tensors, name: str, strict: bool) -> Tensor:
    outs, single = _outputs(func, xs, name)
    _check_tracked(outs, "outputs", strict)
    if not single:
        raise ConvgradError(f"The function given to {name} should return a single Tensor")
    if outs[0]._data.size != 1:
        raise ConvgradError(
            f"The Tensor returned by the function given to {name} should contain a single element"
        )
    return outs[0].squeeze(0) if outs[0]._data.shape == (1,) else outs[0]


def _check_tracked(outs: Tensors, what: str, strict: bool) -> None:
    for i, out in enumerate(outs if strict else ()):
        if not out.requires_grad:
            raise GradError(
                f"Output {i} of the user-provided function does not require gradients. The {what} "
                "must be computed in "
                "a differentiable manner from the input when running in strict mode."
            )


def _vector(v: Any, like: Tensors, side: str) -> Tensors:
    """v as a tuple that fits ``like``; ones if it was left out and there is one number."""
    if v is None:
        if len(like) != 1 or like[0]._data.size != 1:
            what = (
                "user-provided function returns a single Tensor with a single element"
                if side == "output"
                else "input to the user-provided function is a single Tensor with a single element"
            )
            raise GradError(f"The vector v can only be None if the {what}.")
        return (Tensor(np.ones_like(like[0]._data), None),)
    vs = tuple(v) if isinstance(v, (tuple, list)) else (v,)
    if len(vs) != len(like):
        raise ShapeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(vs)}.")
    for i, (a, b) in enumerate(zip(vs, like, strict=True)):
        if a._data.shape != b._data.shape:
            entry = f"Entry {i} in v" if len(vs) > 1 else "v"
            raise ShapeError(f"{entry} has invalid size: should be {Size(b._data.shape)} but got {a.shape}.")
    return vs


def _gradients(outs: Sequence[Any], xs: Tensors, vs: Sequence[Any], create_graph: bool) -> tuple[Any, ...]:
    """``grad`` with None for what does not depend, also where nothing does."""
    pairs = [(o, v) for o, v in zip(outs, vs, strict=True) if o is not None and o.requires_grad]
    if not pairs:
        return (None,) * len(xs)
    return grad(
        [o for o, _ in pairs],
        xs,
        [v for _, v in pairs],
        retain_graph=True,
        create_graph=create_graph,
        allow_unused=True,
    )


_INDEPENDENT = {
    "back": "The output of the user-provided function is independent of input {}. "
    "This is not allowed in strict mode.",
    "back_trick": "The gradient with respect to the input is independent of entry {} in the grad_outputs "
    "when using the double backward trick to compute forward mode gradients. "
    "This is not allowed in strict mode.",
    "double_back": "The jacobian of the user-provided function is independent of input {}. "
    "This is not allowed in strict mode.",
}


def _filled(found: Sequence[Any], like: Tensors, strict: bool, create_graph: bool, stage: str) -> Tensors:
    """Zeros for None, or an error in strict mode."""
    for i, g in enumerate(found if strict else ()):
        if g is None:
            raise GradError(_INDEPENDENT[stage].format(i))
        if create_graph and stage != "back_trick" and not g.requires_grad:
            raise GradError(
                f"The jacobian of the user-provided function is independent of input {i}. This is not "
                "allowed in strict "
                "mode when create_graph=True."
            )
    return tuple([_zeros(x) if g is None else g for x, g in zip(like, found, strict=True)])


def _zeros(like: Tensor) -> Tensor:
    return Tensor(np.zeros_like(like._data), None)


def _finished(tensors: Sequence[Tensor], single: bool, create_graph: bool) -> Any:
    """The single tensor or the tuple, without history unless it was asked for."""
    done = tuple(tensors) if create_graph else tuple([t.detach() for t in tensors])
    return done[0] if single else done


__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]
